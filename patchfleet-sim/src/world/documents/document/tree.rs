//! A document's content as a tree that keeps the order of keys, so that JSON becomes YAML and YAML
//! becomes JSON without anything moving.

use super::DocumentFormat;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::Number;
use std::fmt;

/// A value of JSON or YAML.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads JSON or YAML.
    pub(super) fn read(content: &str, format: DocumentFormat) -> Result<Self, String> {
        match format {
            DocumentFormat::Json => serde_json::from_str(content).map_err(|error| error.to_string()),
            DocumentFormat::Yaml => serde_saphyr::from_str(content).map_err(|error| error.to_string()),
            DocumentFormat::Text => Err("TEXT has no structure".to_owned()),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// The entries of a map; none of anything else.
    pub(super) fn entries(&self) -> &[(String, Tree)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entries of a list; none of anything else.
    pub(super) fn items(&self) -> &[Tree] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// A text or a number as text.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

/// `content` in another format, if both have the same structures; otherwise `None`.
pub(crate) fn convert(content: &str, from: DocumentFormat, to: DocumentFormat) -> Option<String> {
    let tree = Tree::read(content, from).ok()?;
    match to {
        DocumentFormat::Json => serde_json::to_string_pretty(&tree).ok(),
        DocumentFormat::Yaml => serde_saphyr::to_string(&tree).ok(),
        DocumentFormat::Text => None,
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Bool(value) => to.serialize_bool(*value),
            Self::Number(value) => value.serialize(to),
            Self::Text(value) => to.serialize_str(value),
            Self::List(items) => {
                let mut list = to.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Map(entries) => {
                let mut map = to.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Tree;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }

            fn visit_none<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Number(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Number(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
                Ok(Number::from_f64(value).map_or(Tree::Null, Tree::Number))
            }

            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
                let mut items = vec![];
                while let Some(item) = from.next_element()? {
                    items.push(item);
                }
                Ok(Tree::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
                let mut entries = vec![];
                while let Some(entry) = from.next_entry()? {
                    entries.push(entry);
                }
                Ok(Tree::Map(entries))
            }
        }

        from.deserialize_any(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DocumentFormat::{Json, Yaml};

    #[test]
    fn a_document_goes_from_json_to_yaml_and_back_with_its_keys_in_order() {
        let json = r#"{
  "schemaVersion": "0.3",
  "parameters": {
    "Zulu": {
      "type": "String",
      "default": "on"
    },
    "Alpha": {
      "type": "Integer",
      "default": 8
    }
  },
  "mainSteps": [
    {
      "name": "a",
      "action": "aws:sleep",
      "inputs": {
        "Duration": "PT1S",
        "Text": "two\nlines: {{ Zulu }}",
        "None": null,
        "Empty": [],
        "Share": 0.5,
        "isEnd": true
      }
    }
  ]
}"#;
        let yaml = convert(json, Json, Yaml).unwrap();
        assert!(
            yaml.starts_with("schemaVersion: \"0.3\"\n") || yaml.starts_with("schemaVersion: '0.3'\n"),
            "{yaml}"
        );
        assert_eq!(convert(&yaml, Yaml, Json).unwrap(), json, "{yaml}");
    }
}
