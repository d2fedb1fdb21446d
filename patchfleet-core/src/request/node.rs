//! The values of a text, as TOML, JSON and YAML have them in common. Nothing is known yet of what they should be.

use crate::presigned::concealed;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess};
use std::{collections::BTreeMap, fmt};

/// How deep lists and tables may nest. A request needs 4; the stack has to hold all of them.
pub(super) const MAX_DEPTH: usize = 64;

/// One value of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// JSON's and YAML's null.
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    /// A date or a time, which TOML has: its text.
    #[cfg_attr(
        not(feature = "toml"),
        expect(dead_code, reason = "only TOML has dates and times")
    )]
    Datetime(String),
    Text(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

/// Lists and tables nest deeper than any request does.
#[derive(Debug)]
pub(super) struct TooDeep;

/// What stands in place of a secret value.
pub(super) const NOT_SHOWN: &str = "(not shown)";

/// Whether a key, or a text that may be a request of its own, names an external id, in any spelling.
pub(super) fn names_external_id(text: &str) -> bool {
    let letters: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    letters.to_lowercase().contains("external")
}

impl Node {
    /// The value in one line of JSON, cut after about `limit` characters. An external id is withheld wherever it
    /// stands, because a table with a misspelt name is shown with all that is in it.
    pub(super) fn shown(&self, limit: usize) -> String {
        let mut out = String::new();
        self.show(&mut out, limit);
        out
    }

    fn show(&self, out: &mut String, limit: usize) {
        if out.len() > limit {
            return;
        }
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Integer(value) => out.push_str(&value.to_string()),
            Self::Float(value) => out.push_str(&format!("{value:?}")),
            Self::Datetime(text) => out.push_str(text),
            Self::Text(text) if names_external_id(text) => out.push_str(NOT_SHOWN),
            Self::Text(text) => out.push_str(&quoted(text, limit)),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if out.len() > limit {
                        break;
                    }
                    if index > 0 {
                        out.push_str(", ");
                    }
                    item.show(out, limit);
                }
                out.push(']');
            }
            Self::Table(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    if out.len() > limit {
                        break;
                    }
                    if index > 0 {
                        out.push_str(", ");
                    }
                    out.push_str(&quoted(key, limit));
                    out.push_str(": ");
                    if names_external_id(key) {
                        out.push_str(NOT_SHOWN);
                    } else {
                        value.show(out, limit);
                    }
                }
                out.push('}');
            }
        }
    }

    /// The tree of a JSON value.
    pub(super) fn from_json(value: serde_json::Value) -> Result<Self, TooDeep> {
        Self::from_json_at(value, 0)
    }

    fn from_json_at(value: serde_json::Value, depth: usize) -> Result<Self, TooDeep> {
        use serde_json::Value;
        if depth > MAX_DEPTH {
            return Err(TooDeep);
        }
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => match number.as_i128() {
                Some(integer) => Self::Integer(integer),
                None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::List(
                items
                    .into_iter()
                    .map(|item| Self::from_json_at(item, depth + 1))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Object(entries) => Self::Table(
                entries
                    .into_iter()
                    .map(|(key, value)| Ok((key, Self::from_json_at(value, depth + 1)?)))
                    .collect::<Result<_, _>>()?,
            ),
        })
    }
}

/// `text` in quotes, cut after `limit` characters, with hidden characters escaped. A presigned URL is replaced by its
/// digest.
pub(super) fn quoted(text: &str, limit: usize) -> String {
    let text = concealed(text);
    let mut rest = text.chars();
    let head: String = rest.by_ref().take(limit).collect();
    let mut out = format!("{head:?}");
    if rest.next().is_some() {
        out.pop();
        out.push('…');
    }
    out
}

/// Reads JSON and YAML through their own parsers. A key that stands twice is an error in both.
impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true or false, a list or a table")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Integer(value.into()))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Node, E> {
        Ok(i128::try_from(value).map_or(Node::Float(f64::INFINITY), Node::Integer))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(key) = access.next_key::<String>()? {
            if entries.contains_key(&key) {
                return Err(de::Error::custom(format_args!(
                    "duplicate key {}",
                    quoted(&key, 40)
                )));
            }
            let value = access.next_value()?;
            entries.insert(key, value);
        }
        Ok(Node::Table(entries))
    }
}
