//! The bodies of the query protocol: `Action=AssumeRole&RoleArn=…`.

use serde_json::{Map, Value};

/// The fields of a form, decoded.
pub(super) fn fields(body: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// The operation's input: every field but Action and Version. Numbers are read as such.
pub(super) fn input(fields: Vec<(String, String)>) -> Value {
    let entries = fields
        .into_iter()
        .filter(|(name, _)| name != "Action" && name != "Version");
    let typed = |(name, value): (String, String)| {
        let value = match value.parse::<i64>() {
            Ok(number) if name == "DurationSeconds" => Value::from(number),
            _ => Value::from(value),
        };
        (name, value)
    };
    Value::Object(entries.map(typed).collect::<Map<_, _>>())
}

/// Percent-decodes, and takes `+` for a space.
fn decode(text: &str) -> String {
    let mut bytes = vec![];
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut ahead = rest.clone();
                let digits = (ahead.next().and_then(hex), ahead.next().and_then(hex));
                if let (Some(high), Some(low)) = digits {
                    rest = ahead;
                    high << 4 | low
                } else {
                    byte
                }
            }
            _ => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded_and_broken_escapes_left_as_they_are() {
        let fields = fields(
            b"Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam&Name=a+b&Odd=%zz%4&Empty=&DurationSeconds=900",
        );
        let input = input(fields);
        assert_eq!(
            input,
            serde_json::json!({"RoleArn": "arn:aws:iam", "Name": "a b", "Odd": "%zz%4", "Empty": "", "DurationSeconds": 900})
        );
    }
}
