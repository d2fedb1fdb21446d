//! What a document says, as one short value.

use super::ensure::read;
use crate::hash::Sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// How many characters of a path a message shows.
const MAX_PATH: usize = 100;

/// A digest of what a document says: 64 hexadecimal digits.
///
/// It is the SHA-256 of what the document says. JSON and YAML are read, and written again as JSON without spaces, with
/// the keys of each object in order. So neither the format nor the order of keys makes a difference, since GetDocument
/// gives the same document in either format. Content that is neither counts byte for byte. It is not AWS's own `Hash`,
/// which is of the bytes that were uploaded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentDigest(String);

/// A text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no digest of a document: 64 hexadecimal digits")]
pub struct ContentDigestError(String);

impl ContentDigest {
    /// The digest of this content.
    #[must_use]
    pub fn of(content: &str) -> Self {
        let meaning = read(content)
            .and_then(|document| serde_json::to_string(&in_order(document)).ok())
            .unwrap_or_else(|| content.to_owned());
        let digest = Sha256::digest(meaning.as_bytes());
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Its first 12 digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

/// The same value, with the keys of each object in order. Whether `serde_json` does so by itself depends on features that
/// other crates of a build may turn on.
fn in_order(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> = fields.into_iter().collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(
                fields
                    .into_iter()
                    .map(|(key, value)| (key, in_order(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(in_order).collect()),
        other => other,
    }
}

/// The first place in which two documents say different things, as a path such as
/// `mainSteps[0].onFailure`. `None` if they say the same, or one of them is no document.
pub(super) fn difference(planned: &str, found: &str) -> Option<String> {
    let path = first_difference(&in_order(read(planned)?), &in_order(read(found)?))?;
    let path = if path.is_empty() {
        "the whole document".to_owned()
    } else {
        path
    };
    // Their keys are somebody else's text.
    Some(path.trim_start_matches('.').chars().take(MAX_PATH).collect())
}

fn first_difference(planned: &Value, found: &Value) -> Option<String> {
    match (planned, found) {
        (Value::Object(planned), Value::Object(found)) => {
            let keys: BTreeSet<&String> = planned.keys().chain(found.keys()).collect();
            keys.into_iter().find_map(|key| {
                let below = match (planned.get(key), found.get(key)) {
                    (Some(planned), Some(found)) => first_difference(planned, found),
                    _ => Some(String::new()),
                };
                below.map(|below| format!(".{key}{below}"))
            })
        }
        (Value::Array(planned), Value::Array(found)) => {
            let shared = planned.iter().zip(found).enumerate();
            let mut differences = shared.filter_map(|(index, (planned, found))| {
                first_difference(planned, found).map(|below| format!("[{index}]{below}"))
            });
            let first = differences.next();
            first.or_else(|| {
                (planned.len() != found.len()).then(|| format!("[{}]", planned.len().min(found.len())))
            })
        }
        _ => (planned != found).then(String::new),
    }
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ContentDigest {
    type Error = ContentDigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(hex) {
            Ok(Self(text))
        } else {
            Err(ContentDigestError(text))
        }
    }
}

impl From<ContentDigest> for String {
    fn from(digest: ContentDigest) -> Self {
        digest.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_what_a_document_says_and_not_of_how_it_is_written() {
        let json =
            ContentDigest::of(r#"{"schemaVersion": "0.3", "mainSteps": [{"name": "a", "action": "b"}]}"#);
        let others = [
            "{\"mainSteps\":[{\"action\":\"b\",\"name\":\"a\"}],\"schemaVersion\":\"0.3\"}\n",
            #[cfg(feature = "yaml")]
            "schemaVersion: \"0.3\"\nmainSteps:\n  - action: b\n    name: a\n",
        ];
        for other in others {
            assert_eq!(ContentDigest::of(other), json, "{other}");
        }
        for different in [
            r#"{"schemaVersion": "0.3", "mainSteps": [{"name": "a", "action": "c"}]}"#,
            r#"{"schemaVersion": 0.3, "mainSteps": [{"name": "a", "action": "b"}]}"#,
            "}{",
        ] {
            assert_ne!(ContentDigest::of(different), json, "{different}");
        }
        // By hand: printf '{"a":1,"b":[]}' | sha256sum
        assert_eq!(
            ContentDigest::of("{\"b\": [], \"a\": 1}").to_string(),
            "f87e4099e9be5e75094e0a4f46d3dc18a9c37429314a5a2490fb78d31e7e170c"
        );
    }

    #[test]
    fn the_first_difference_of_two_documents_is_a_path_into_them() {
        let planned = r#"{"a": 1, "mainSteps": [{"name": "x", "onFailure": "Abort"}, {"name": "two"}]}"#;
        for (found, path) in [
            (
                "mainSteps: [{onFailure: Abort, name: x}, {name: two}]\na: 1",
                None,
            ),
            ("{\"a\": 1}", Some("mainSteps")),
            (
                &planned.replace("Abort", "Continue"),
                Some("mainSteps[0].onFailure"),
            ),
            (
                &planned.replace("\"two\"", "\"three\""),
                Some("mainSteps[1].name"),
            ),
            (
                &planned.replace(", {\"name\": \"two\"}", ""),
                Some("mainSteps[1]"),
            ),
            (&planned.replace("\"a\": 1", "\"a\": 1, \"b\": 1"), Some("b")),
            ("}{", None),
        ] {
            assert_eq!(difference(planned, found).as_deref(), path, "{found}");
        }
        let long = format!("{{\"{}\": 1}}", "k".repeat(10_000));
        assert_eq!(difference("{}", &long).unwrap().len(), MAX_PATH);
    }

    #[test]
    fn a_digest_is_read_as_it_is_written_and_nothing_else_is() {
        let digest = ContentDigest::of("{}");
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<ContentDigest>(&json).unwrap(), digest);
        assert!(serde_json::from_str::<ContentDigest>("\"abc\"").is_err());
    }
}
