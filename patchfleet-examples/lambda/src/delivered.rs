//! An event as it was delivered: its JSON, and the keys that stand in it twice.

use patchfleet_core::problem::{Problem, ProblemCode, Problems};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess};
use serde_json::{Map, Value};
use std::fmt;

/// An event as Lambda delivers it.
///
/// Where a key stands twice, a JSON reader usually keeps the last value, and nobody learns which of the two was meant.
/// Such an event is kept apart, so that it can be refused.
///
/// ```
/// let event: patchfleet_lambda::Event = serde_json::from_str(r#"{ "name": "weekly" }"#)?;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    value: Value,
    /// The paths of the keys that stand twice.
    twice: Vec<String>,
}

impl Event {
    /// The JSON, in which every key stands once.
    ///
    /// # Errors
    ///
    /// Every key that stands twice, by its path.
    pub(crate) fn value(&self) -> Result<&Value, Problems> {
        if self.twice.is_empty() {
            return Ok(&self.value);
        }
        let problems = self.twice.iter().map(|path| {
            let why = format!("the text is not valid JSON: duplicate key {path:?}");
            Problem::new(ProblemCode::Syntax, "", "", why)
        });
        Err(Problems::new("the event", problems.collect()))
    }
}

impl From<Value> for Event {
    fn from(value: Value) -> Self {
        Self { value, twice: vec![] }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> serde::de::Visitor<'de> for Visitor {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Event, E> {
        Ok(Value::Null.into())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Event, E> {
        Ok(Value::from(value).into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Event, E> {
        Ok(Value::from(value).into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Event, E> {
        Ok(Value::from(value).into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Event, E> {
        Ok(Value::from(value).into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Event, E> {
        Ok(Value::from(value).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Event, A::Error> {
        let (mut items, mut twice) = (vec![], vec![]);
        while let Some(item) = access.next_element::<Event>()? {
            let index = items.len();
            twice.extend(item.twice.iter().map(|path| format!("[{index}].{path}")));
            items.push(item.value);
        }
        Ok(Event {
            value: Value::Array(items),
            twice,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Event, A::Error> {
        let (mut fields, mut twice) = (Map::new(), vec![]);
        while let Some((key, field)) = access.next_entry::<String, Event>()? {
            twice.extend(field.twice.iter().map(|path| format!("{key}.{path}")));
            if fields.insert(key.clone(), field.value).is_some() {
                twice.push(key);
            }
        }
        Ok(Event {
            value: Value::Object(fields),
            twice,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_the_json_that_any_reader_finds_if_every_key_stands_once() {
        for text in [
            "null",
            "[true, -1, 18446744073709551615, 0.5, \"x\\u00e9\"]",
            r#"{"event_id": "e", "request": {"name": "weekly", "list": [{"a": 1}, {"a": 2}]}}"#,
        ] {
            let event: Event = serde_json::from_str(text).unwrap();
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(event.value(), Ok(&value));
        }
    }

    #[test]
    fn every_key_that_stands_twice_is_told_by_its_path() {
        let text = r#"{"a": 1, "a": 1, "request": {"patch": {"operation": "Scan", "operation": "Install"},
                       "list": [0, {"b": 1, "b": 2}]}}"#;
        let event: Event = serde_json::from_str(text).unwrap();
        let words = event.value().unwrap_err().to_string();
        for path in ["\"a\"", "\"request.patch.operation\"", "\"request.list.[1].b\""] {
            assert!(
                words.contains(&format!("the text is not valid JSON: duplicate key {path}")),
                "no {path} in {words}"
            );
        }
    }
}
