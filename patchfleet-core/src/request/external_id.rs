//! The external id of the roles that are assumed. It is a reference, or a text that is never kept.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::fmt;

/// STS `ExternalId`, or where it is kept.
///
/// A reference is written out as it stands. A text is not: it is written out as
/// `{ withheld = true }`, which reads as [`Withheld`](Self::Withheld), so whoever goes on with a
/// plan or a campaign gives the text again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExternalId {
    /// The text itself.
    Text(ExternalIdText),
    /// The environment variable of this name.
    Env(String),
    /// The Systems Manager parameter of this name, in the central account and Region.
    Ssm(String),
    /// The Secrets Manager secret of this name, in the central account and Region.
    Secret(String),
    /// A text that was given before and was not kept.
    Withheld,
}

impl ExternalId {
    /// The text, if it is there.
    #[must_use]
    pub fn text(&self) -> Option<&ExternalIdText> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// An external id: 2 to 1224 characters of `[\w+=,.@:/-]` (STS model). `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalIdText(String);

impl ExternalIdText {
    pub(super) const SHAPE: &str = "2 to 1224 of letters, digits, _ + = , . @ : / -";

    /// Reads an external id; `None` if the text has another shape.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let fits = (2..=1224).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b));
        fits.then_some(Self(text))
    }

    /// The text, for the call that needs it and for nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ExternalIdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExternalIdText(..)")
    }
}

impl Serialize for ExternalId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Text(_) | Self::Withheld => map.serialize_entry("withheld", &true)?,
            Self::Env(name) => map.serialize_entry("env", name)?,
            Self::Ssm(name) => map.serialize_entry("ssm", name)?,
            Self::Secret(name) => map.serialize_entry("secret", name)?,
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_shows_in_no_form_of_output() {
        let id = ExternalId::Text(ExternalIdText::new("very-secret").unwrap());
        let shown = format!("{id:?} {}", serde_json::to_string(&id).unwrap());
        assert!(!shown.contains("very-secret"), "{shown}");
        assert!(shown.contains(r#"{"withheld":true}"#), "{shown}");
    }

    #[test]
    fn a_text_of_another_shape_is_none() {
        for wrong in ["", "x", "a b", "a\u{202e}b", &"x".repeat(1_225)] {
            assert!(ExternalIdText::new(wrong).is_none(), "{wrong:?}");
        }
        assert!(ExternalIdText::new("a:b").is_some());
    }
}
