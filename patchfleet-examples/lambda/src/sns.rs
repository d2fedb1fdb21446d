//! An event of SNS: a stop that a person publishes, or an alarm.

use crate::event::shown;
use jiff::Timestamp;
use patchfleet_core::problem::{Problem, ProblemCode};
use serde_json::{Map, Value};

/// What a message asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    /// A stop, by these fields of the operation.
    Stop(Map<String, Value>),
    /// Nothing: an alarm that is not in alarm. The alarm's state.
    Calm(String),
}

/// Whether it is an event of SNS.
pub(crate) fn is_one(fields: &Map<String, Value>) -> bool {
    let record = fields.get("Records").and_then(|records| records.get(0));
    record.is_some_and(|record| record.get("Sns").is_some())
}

/// When the message was published, if SNS says so (Lambda Developer Guide, the sample event). A message may be delivered
/// more than once, and late.
pub(crate) fn published_at(fields: &Map<String, Value>) -> Option<Timestamp> {
    let at = fields.get("Records")?.get(0)?.get("Sns")?.get("Timestamp")?;
    at.as_str()?.parse().ok()
}

/// The path of the message in its event.
pub(crate) const PATH: &str = "Records[0].Sns.Message";

/// Reads the message of an event of SNS, which has one record (Lambda Developer Guide, "Invoking Lambda functions with
/// Amazon SNS notifications").
pub(crate) fn read(fields: &Map<String, Value>) -> Result<Message, Vec<Problem>> {
    const STOP: &str =
        "a stop: {\"campaign_id\": …}, {\"op\": \"stop\", …}, or the message of a CloudWatch alarm";
    let wrong = |code, path: &str, value: String| vec![Problem::new(code, path, value, STOP)];
    let records = fields.get("Records").and_then(Value::as_array);
    let Some([record]) = records.map(Vec::as_slice) else {
        let n = records.map_or(0, Vec::len);
        let problem = Problem::new(ProblemCode::OutOfRange, "Records", n.to_string(), "one record");
        return Err(vec![problem]);
    };
    let message = record.get("Sns").and_then(|sns| sns.get("Message"));
    let Some(text) = message.and_then(Value::as_str) else {
        let value = shown("Message", message.unwrap_or(&Value::Null));
        return Err(wrong(ProblemCode::WrongType, PATH, value));
    };
    let Ok(Value::Object(message)) = serde_json::from_str(text) else {
        return Err(wrong(ProblemCode::WrongType, PATH, format!("{text:?}")));
    };
    if let Some(state) = message.get("NewStateValue") {
        return match state.as_str() {
            Some("ALARM") => Ok(Message::Stop(Map::new())),
            Some(calm @ ("OK" | "INSUFFICIENT_DATA")) => Ok(Message::Calm(calm.to_owned())),
            _ => {
                let path = format!("{PATH}.NewStateValue");
                let expected = "ALARM, OK or INSUFFICIENT_DATA";
                let value = shown("NewStateValue", state);
                Err(vec![Problem::new(
                    ProblemCode::InvalidValue,
                    path,
                    value,
                    expected,
                )])
            }
        };
    }
    match message.get("op") {
        Some(op) if op.as_str() != Some("stop") => Err(wrong(
            ProblemCode::InvalidValue,
            &format!("{PATH}.op"),
            shown("op", op),
        )),
        // A campaign that is named with nothing is none, and the only open one may be another.
        None if message.get("campaign_id").is_none_or(Value::is_null) => {
            Err(wrong(ProblemCode::NotARequest, PATH, String::new()))
        }
        _ => Ok(Message::Stop(message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(message: Value) -> Map<String, Value> {
        let record = json!({ "EventSource": "aws:sns", "Sns": { "Message": message, "Subject": null } });
        let Value::Object(fields) = json!({ "Records": [record] }) else {
            panic!("an object");
        };
        fields
    }

    #[test]
    fn an_alarm_stops_and_one_that_is_over_does_not() {
        let alarm = |state: &str| {
            let alarm = json!({ "AlarmName": "errors", "NewStateValue": state, "OldStateValue": "OK" });
            read(&event(alarm.to_string().into())).unwrap()
        };
        assert_eq!(alarm("ALARM"), Message::Stop(Map::new()));
        assert_eq!(alarm("OK"), Message::Calm("OK".to_owned()));
        assert_eq!(
            alarm("INSUFFICIENT_DATA"),
            Message::Calm("INSUFFICIENT_DATA".to_owned())
        );
    }

    #[test]
    fn a_message_that_is_no_stop_is_refused_by_its_place() {
        for message in [
            json!("stop it"),
            json!(7),
            json!("[]"),
            json!("{}"),
            json!(r#"{"op": "start"}"#),
            json!(r#"{"NewStateValue": "RED"}"#),
            json!(r#"{"campaign_id": null}"#),
        ] {
            let problems = read(&event(message.clone())).unwrap_err();
            assert!(problems[0].path.starts_with(PATH), "{message}: {problems:?}");
        }
        let Value::Object(two) = json!({ "Records": [{ "Sns": {} }, { "Sns": {} }] }) else {
            panic!("an object");
        };
        assert_eq!(read(&two).unwrap_err()[0].path, "Records");
    }

    #[test]
    fn an_event_of_another_service_is_none_of_sns() {
        assert!(is_one(&event(json!("{}"))));
        let Value::Object(other) = json!({ "Records": [{ "s3": {} }] }) else {
            panic!("an object");
        };
        assert!(!is_one(&other));
    }
}
