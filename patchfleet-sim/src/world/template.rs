//! `{{ References }}` in a document's inputs.

use super::parameters::plain;
use serde_json::Value;

/// `value` with every reference replaced. A text that is nothing but a reference takes the
/// referenced value with its type; a reference within a text is replaced by text.
///
/// # Errors
///
/// A reference that `lookup` does not know.
pub(crate) fn fill(value: &Value, lookup: &dyn Fn(&str) -> Option<Value>) -> Result<Value, String> {
    match value {
        Value::String(text) => fill_text(text, lookup),
        Value::Array(items) => items
            .iter()
            .map(|item| fill(item, lookup))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| Ok((key.clone(), fill(value, lookup)?)))
            .collect::<Result<_, String>>()
            .map(Value::Object),
        other => Ok(other.clone()),
    }
}

fn fill_text(text: &str, lookup: &dyn Fn(&str) -> Option<Value>) -> Result<Value, String> {
    let known = |name: &str| {
        lookup(name).ok_or_else(|| format!("The reference {{{{ {name} }}}} cannot be resolved."))
    };
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else {
            break;
        };
        let value = known(name.trim())?;
        if before.is_empty() && behind.is_empty() && filled.is_empty() {
            return Ok(value);
        }
        filled.push_str(before);
        filled.push_str(&plain(&value));
        rest = behind;
    }
    filled.push_str(rest);
    Ok(Value::String(filled))
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
}
