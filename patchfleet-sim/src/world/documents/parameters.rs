//! Parameters of an execution: from the wire's lists of text to the document's types, checked
//! against what the document allows.

use crate::world::documents::runbook::{ParameterRule, Runbook};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Parameters as the API carries them.
pub(crate) type WireParameters = BTreeMap<String, Vec<String>>;

impl Runbook {
    /// The value of every parameter, except those of `open`, which targets give.
    ///
    /// # Errors
    ///
    /// The first parameter that is unknown, missing, of the wrong type, or not allowed.
    pub(crate) fn arguments(
        &self,
        given: &WireParameters,
        open: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Value>, String> {
        if let Some(unknown) = given.keys().find(|name| !self.parameters.contains_key(*name)) {
            return Err(format!("Unknown Automation parameters supplied: [{unknown}]."));
        }
        let mut values = BTreeMap::new();
        for (name, rule) in &self.parameters {
            let value = match (given.get(name), &rule.default) {
                (Some(texts), _) => read(&rule.kind, texts).ok_or_else(|| {
                    format!("Value of parameter {name} does not match its type {}.", rule.kind)
                })?,
                (None, Some(default)) => typed(&rule.kind, default).unwrap_or_else(|| default.clone()),
                (None, None) if open.contains(name) => continue,
                (None, None) => return Err(format!("Required parameter [{name}] is missing.")),
            };
            if given.contains_key(name) {
                rule.check(name, &value)?;
            }
            values.insert(name.clone(), value);
        }
        Ok(values)
    }
}

impl ParameterRule {
    fn check_size(&self, name: &str, value: &Value, items: &[Value]) -> Result<(), String> {
        let within = |size: usize, min: Option<usize>, max: Option<usize>| {
            min.is_none_or(|min| size >= min) && max.is_none_or(|max| size <= max)
        };
        if value.is_array() && !within(items.len(), self.min_items, self.max_items) {
            return Err(format!(
                "Parameter {name} has {} items, which is not between its minItems and maxItems.",
                items.len()
            ));
        }
        let sized = |item: &Value| within(plain(item).chars().count(), self.min_chars, self.max_chars);
        match items.iter().find(|item| !sized(item)) {
            Some(item) => Err(format!(
                "The length of value {} of parameter {name} is not between its minChars and maxChars.",
                plain(item)
            )),
            None => Ok(()),
        }
    }

    fn check(&self, name: &str, value: &Value) -> Result<(), String> {
        let single = [value.clone()];
        let items = match value {
            Value::Array(items) => items.as_slice(),
            _ => &single,
        };
        self.check_size(name, value, items)?;
        if let Some(allowed) = &self.allowed_values {
            for item in items {
                if !allowed.iter().any(|one| plain(one) == plain(item)) {
                    let allowed: Vec<String> = allowed.iter().map(plain).collect();
                    return Err(format!(
                        "Value {} of parameter {name} is not one of the allowed values [{}].",
                        plain(item),
                        allowed.join(", ")
                    ));
                }
            }
        }
        // A pattern that does not compile was refused together with its document.
        let pattern = self.allowed_pattern.as_ref().map(|one| (one.text(), one.regex()));
        if let Some((text, Ok(pattern))) = pattern {
            for item in items {
                let item = plain(item);
                let problem = match pattern.is_match(&item) {
                    Ok(true) => continue,
                    Ok(false) => "does not match the allowed pattern",
                    Err(_) => "takes too long to be held against the allowed pattern",
                };
                return Err(format!("Value {item} of parameter {name} {problem} {text}."));
            }
        }
        Ok(())
    }
}

/// A value of type `kind` from the wire's texts.
fn read(kind: &str, texts: &[String]) -> Option<Value> {
    let only = match texts {
        [] => Some(""),
        [one] => Some(one.as_str()),
        _ => None,
    };
    match kind {
        "StringList" => Some(strings(texts)),
        "Integer" => only?.parse::<i64>().ok().map(Value::from),
        "Boolean" => match only?.to_ascii_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        "StringMap" => serde_json::from_str(only?).ok().filter(Value::is_object),
        "MapList" => maps(texts),
        list if list.starts_with("List<") => Some(strings(texts)),
        _ => only.map(Value::from),
    }
}

/// A document's own value as type `kind`, which it writes as such or as text.
pub(crate) fn typed(kind: &str, value: &Value) -> Option<Value> {
    match (kind, value) {
        ("Integer", Value::String(text)) => text.trim().parse::<i64>().ok().map(Value::from),
        ("Integer", value) => value.as_i64().map(Value::from),
        ("Boolean", Value::String(text)) => read(kind, std::slice::from_ref(text)),
        ("Boolean", Value::Bool(value)) => Some(Value::Bool(*value)),
        ("StringMap", Value::Object(_)) => Some(value.clone()),
        ("StringList" | "MapList", Value::Array(_)) => Some(value.clone()),
        (list, Value::Array(_)) if list.starts_with("List<") => Some(value.clone()),
        // AWS's own documents write an empty list or map as an empty text, or as its JSON.
        ("StringList" | "MapList" | "StringMap", Value::String(_)) => Some(value.clone()),
        ("Boolean" | "StringMap" | "StringList" | "MapList", _) => None,
        (_, Value::String(_) | Value::Number(_) | Value::Bool(_)) => Some(Value::String(plain(value))),
        _ => None,
    }
}

fn strings(texts: &[String]) -> Value {
    texts.iter().cloned().map(Value::from).collect()
}

/// Each text is a JSON object, or the only one is a JSON list of objects.
fn maps(texts: &[String]) -> Option<Value> {
    if let [only] = texts
        && let Ok(Value::Array(items)) = serde_json::from_str(only)
    {
        return items.iter().all(Value::is_object).then_some(Value::Array(items));
    }
    let items: Option<Vec<Value>> = texts
        .iter()
        .map(|text| serde_json::from_str(text).ok().filter(Value::is_object))
        .collect();
    items.map(Value::Array)
}

/// A value as text: as it is, or as JSON.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runbook(parameters: &str) -> Runbook {
        let content = format!(
            r#"{{"schemaVersion":"0.3","parameters":{parameters},"mainSteps":[{{"name":"a","action":"aws:sleep"}}]}}"#
        );
        Runbook::parse(&content, "JSON").unwrap()
    }

    fn given(name: &str, values: &[&str]) -> WireParameters {
        BTreeMap::from([(name.to_owned(), values.iter().map(|&v| v.to_owned()).collect())])
    }

    #[test]
    fn every_type_reads_from_the_wires_lists_of_text() {
        for (kind, texts, value) in [
            ("String", vec!["a"], serde_json::json!("a")),
            ("StringList", vec!["a", "b"], serde_json::json!(["a", "b"])),
            ("Integer", vec!["7"], serde_json::json!(7)),
            ("Boolean", vec!["True"], serde_json::json!(true)),
            ("StringMap", vec![r#"{"a":"b"}"#], serde_json::json!({"a":"b"})),
            (
                "MapList",
                vec![r#"{"Key":"k"}"#, r#"{"Key":"l"}"#],
                serde_json::json!([{"Key":"k"},{"Key":"l"}]),
            ),
            (
                "MapList",
                vec![r#"[{"Key":"k"}]"#],
                serde_json::json!([{"Key":"k"}]),
            ),
        ] {
            let runbook = runbook(&format!(r#"{{"P":{{"type":"{kind}"}}}}"#));
            assert_eq!(
                runbook
                    .arguments(&given("P", &texts), &BTreeSet::new())
                    .unwrap()
                    .get("P"),
                Some(&value),
                "{kind}"
            );
        }
    }

    #[test]
    fn what_is_not_allowed_is_refused_by_name() {
        let runbook = runbook(
            r#"{"Op":{"type":"String","allowedValues":["Scan","Install"]},
                "N":{"type":"Integer","default":1},
                "Url":{"type":"String","default":"","allowedPattern":"^$|^s3://.+$"}}"#,
        );
        assert!(
            runbook
                .arguments(&BTreeMap::new(), &BTreeSet::new())
                .unwrap_err()
                .contains("Required parameter [Op]")
        );
        assert!(
            runbook
                .arguments(&given("Op", &["Remove"]), &BTreeSet::new())
                .unwrap_err()
                .contains("[Scan, Install]")
        );
        assert!(
            runbook
                .arguments(&given("Else", &["x"]), &BTreeSet::new())
                .unwrap_err()
                .contains("[Else]")
        );
        let mut both = given("Op", &["Scan"]);
        both.insert("N".to_owned(), vec!["many".to_owned()]);
        assert!(
            runbook
                .arguments(&both, &BTreeSet::new())
                .unwrap_err()
                .contains("type Integer")
        );
        let mut both = given("Op", &["Scan"]);
        both.insert("Url".to_owned(), vec!["ftp://x".to_owned()]);
        assert!(
            runbook
                .arguments(&both, &BTreeSet::new())
                .unwrap_err()
                .contains("allowed pattern")
        );
    }

    #[test]
    fn an_allowed_pattern_is_javas_and_is_not_tried_for_ever() {
        let with = |pattern: &str| {
            let pattern = serde_json::json!(pattern);
            runbook(&format!(
                r#"{{"P":{{"type":"String","allowedPattern":{pattern}}}}}"#
            ))
        };
        let arguments =
            |runbook: &Runbook, value: &str| runbook.arguments(&given("P", &[value]), &BTreeSet::new());
        let not_aws = with(r"^(?!aws)[\w-]+$");
        assert!(arguments(&not_aws, "mine-1").is_ok());
        for value in ["aws-1", "ä"] {
            let error = arguments(&not_aws, value).unwrap_err();
            assert!(
                error.contains("does not match the allowed pattern ^(?!aws)"),
                "{error}"
            );
        }
        // It is looked for anywhere in the value.
        assert!(arguments(&with("b(?=c)"), "abcd").is_ok());
        let slow = with(r"^(a|a)*(?<!x)$");
        let error = arguments(&slow, &format!("{}b", "a".repeat(60))).unwrap_err();
        assert!(error.contains("too long"), "{error}");
    }
}
