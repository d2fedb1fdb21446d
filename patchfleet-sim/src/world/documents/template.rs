//! `{{ References }}` in a document's inputs.

use crate::world::documents::parameters::plain;
use serde_json::Value;

/// The most bytes of filled-in values, which is the limit of a whole document.
pub(crate) const MAX_FILLED: usize = 64 * 1024;

/// `value` with every reference replaced. A text that is nothing but a reference takes the
/// referenced value with its type; a reference within a text is replaced by text.
///
/// # Errors
///
/// A reference that `lookup` does not know, or more text than [`MAX_FILLED`].
pub(crate) fn fill(value: &Value, lookup: &dyn Fn(&str) -> Option<Value>) -> Result<Value, String> {
    let left = MAX_FILLED;
    Filler { lookup, left }.value(value)
}

/// As many of `values` as fit into `left` bytes, which are taken from `left`.
pub(crate) fn within<'a>(left: &mut usize, values: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let fits = |value: &'a String| {
        // One more for what stands between it and the next.
        *left = left.checked_sub(value.len().saturating_add(1))?;
        Some(value.clone())
    };
    values.into_iter().map_while(fits).collect()
}

struct Filler<'a> {
    lookup: &'a dyn Fn(&str) -> Option<Value>,
    /// Bytes that may still come.
    left: usize,
}

impl Filler<'_> {
    fn value(&mut self, value: &Value) -> Result<Value, String> {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items
                .iter()
                .map(|item| self.value(item))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Value::Object(entries) => entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), self.value(value)?)))
                .collect::<Result<_, String>>()
                .map(Value::Object),
            other => Ok(other.clone()),
        }
    }

    fn text(&mut self, text: &str) -> Result<Value, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, behind)) = after.split_once("}}") else {
                break;
            };
            let name = name.trim();
            let value = (self.lookup)(name)
                .ok_or_else(|| format!("The reference {{{{ {name} }}}} cannot be resolved."))?;
            let shown = plain(&value);
            self.take(before.len().saturating_add(shown.len()))?;
            if before.is_empty() && behind.is_empty() && filled.is_empty() {
                return Ok(value);
            }
            filled.push_str(before);
            filled.push_str(&shown);
            rest = behind;
        }
        self.take(rest.len())?;
        filled.push_str(rest);
        Ok(Value::String(filled))
    }

    fn take(&mut self, bytes: usize) -> Result<(), String> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or_else(|| {
            format!("With their references replaced, these values have more than {MAX_FILLED} bytes.")
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_lone_reference_keeps_its_type_and_others_become_text() {
        let lookup = |name: &str| match name {
            "List" => Some(json!(["a"])),
            "global:REGION" => Some(json!("eu-west-1")),
            _ => None,
        };
        let filled = fill(
            &json!({"A": "{{ List }}", "B": "in {{global:REGION}}: {{List}}", "C": 1}),
            &lookup,
        );
        assert_eq!(
            filled,
            Ok(json!({"A": ["a"], "B": "in eu-west-1: [\"a\"]", "C": 1}))
        );
        assert!(
            fill(&json!("{{ Unknown }}"), &lookup)
                .unwrap_err()
                .contains("Unknown")
        );
        assert_eq!(fill(&json!("{{ open"), &lookup), Ok(json!("{{ open")));
    }

    #[test]
    fn what_is_filled_in_has_a_size_of_all_its_texts_together() {
        let half = "x".repeat(MAX_FILLED / 2);
        let lookup = |name: &str| match name {
            "Half" => Some(json!(half)),
            "List" => Some(json!([half])),
            _ => None,
        };
        for (value, fits) in [
            (json!(["{{ Half }}", "{{ Half }}"]), true),
            (json!(["{{ Half }}", "{{ Half }}", "x"]), false),
            (json!("{{ Half }}{{ Half }}"), true),
            (json!({"A": "{{ Half }}-{{ Half }}"}), false),
            (json!(["{{ List }}", "{{ List }}"]), false),
        ] {
            let filled = fill(&value, &lookup);
            assert_eq!(filled.is_ok(), fits, "{value}");
            assert!(fits || filled.unwrap_err().contains("65536 bytes"));
        }
    }
}
