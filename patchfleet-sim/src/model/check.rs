//! Holds an input to its shape: types first, and then every constraint, all of them at once.

use super::{ServiceModel, Shape, Type};
use serde_json::Value;

/// Characters that are shown of a value that is wrong.
const SHOWN: usize = 300;

/// Something that is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// In what way.
    pub(crate) kind: Kind,
    /// AWS's words for it.
    pub(crate) words: String,
}

/// In what way an input is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value is of another type: nothing else is looked at.
    Type,
    /// A member is not there.
    Required,
    /// A text, list or map is too short.
    TooShort,
    /// A text, list or map is too long.
    TooLong,
    /// A number is too small.
    TooSmall,
    /// A number is too large.
    TooLarge,
    /// A text does not have the pattern.
    Pattern,
    /// A text is none of those that there are.
    Enum,
}

pub(super) fn check(model: &ServiceModel, shape: &Shape, input: &Value) -> Vec<Violation> {
    let mut found = Checker {
        model,
        violations: vec![],
    };
    if found.type_of(shape, input) {
        found.constraints(shape, input, "");
    }
    found.violations
}

struct Checker<'a> {
    model: &'a ServiceModel,
    violations: Vec<Violation>,
}

impl<'a> Checker<'a> {
    fn shape(&self, name: Option<&String>) -> Option<&'a Shape> {
        self.model.shapes.get(name?)
    }

    /// Whether the value, with all that is in it, is of the type. Stops at the first that is not.
    fn type_of(&mut self, shape: &Shape, value: &Value) -> bool {
        let fits = match (shape.r#type, value) {
            (_, Value::Null) | (Type::String, Value::String(_)) | (Type::Boolean, Value::Bool(_)) => true,
            (Type::Integer, Value::Number(number)) => number
                .as_i64()
                .is_some_and(|number| i32::try_from(number).is_ok()),
            (Type::Long, Value::Number(number)) => number.is_i64(),
            (Type::Structure, Value::Object(entries)) => {
                return entries.iter().all(|(name, value)| {
                    let member = shape.members.get(name);
                    let below = member.and_then(|member| self.model.shapes.get(&member.shape));
                    // AWS passes over members that it does not know.
                    below.is_none_or(|below| self.type_of(below, value))
                });
            }
            (Type::Map, Value::Object(entries)) => {
                let below = self.shape(shape.value.as_ref());
                return below.is_none_or(|below| entries.values().all(|value| self.type_of(below, value)));
            }
            (Type::List, Value::Array(items)) => {
                let below = self.shape(shape.member.as_ref());
                return below.is_none_or(|below| items.iter().all(|item| self.type_of(below, item)));
            }
            _ => false,
        };
        if !fits {
            let words = match (shape.r#type, value) {
                (Type::Structure | Type::Map, _) => "Expected a structure or null".to_owned(),
                (Type::List, _) => "Expected list or null".to_owned(),
                (kind, Value::Array(_) | Value::Object(_)) => {
                    format!(
                        "Start of structure or list found where {} was expected.",
                        type_name(kind)
                    )
                }
                (kind, value) => format!(
                    "{} can not be converted to {}",
                    value_name(value),
                    type_name(kind)
                ),
            };
            self.violations.push(Violation {
                kind: Kind::Type,
                words,
            });
        }
        fits
    }

    fn constraints(&mut self, shape: &Shape, value: &Value, at: &str) {
        match value {
            Value::Object(entries) if shape.r#type == Type::Structure => {
                for name in &shape.required {
                    if entries.get(name).is_none_or(Value::is_null) {
                        let at = below(at, &lower_first(name));
                        self.violations.push(Violation {
                            kind: Kind::Required,
                            words: format!(
                                "Value null at '{at}' failed to satisfy constraint: Member must not be null"
                            ),
                        });
                    }
                }
                for (name, value) in entries {
                    let member = shape.members.get(name);
                    if let Some(shape) = member.and_then(|member| self.model.shapes.get(&member.shape)) {
                        self.constraints(shape, value, &below(at, &lower_first(name)));
                    }
                }
            }
            Value::Object(entries) => {
                self.length(shape, entries.len(), value, at);
                let (key_shape, value_shape) =
                    (self.shape(shape.key.as_ref()), self.shape(shape.value.as_ref()));
                for (key, value) in entries {
                    if let Some(shape) = key_shape {
                        self.constraints(shape, &Value::from(key.as_str()), &below(at, "key"));
                    }
                    if let Some(shape) = value_shape {
                        // Keys are the sender's, and may be as long as a request.
                        let key: String = key.chars().take(SHOWN).collect();
                        self.constraints(shape, value, &below(&below(at, &key), "member"));
                    }
                }
            }
            Value::Array(items) => {
                self.length(shape, items.len(), value, at);
                let Some(item_shape) = self.shape(shape.member.as_ref()) else {
                    return;
                };
                for (index, item) in items.iter().enumerate() {
                    let at = below(at, &format!("{}.member", index.saturating_add(1)));
                    self.constraints(item_shape, item, &at);
                }
            }
            Value::String(text) => self.text(shape, text, at),
            Value::Number(number) => {
                let number = number.as_i64().unwrap_or(i64::MAX);
                if let Some(min) = shape.min.filter(|min| number < *min) {
                    let words = format!("Member must have value greater than or equal to {min}");
                    self.add(Kind::TooSmall, value, at, &words);
                } else if let Some(max) = shape.max.filter(|max| number > *max) {
                    let words = format!("Member must have value less than or equal to {max}");
                    self.add(Kind::TooLarge, value, at, &words);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn text(&mut self, shape: &Shape, text: &str, at: &str) {
        let value = Value::from(text);
        if !shape.r#enum.is_empty() && !shape.r#enum.iter().any(|one| one == text) {
            let words = format!(
                "Member must satisfy enum value set: [{}]",
                shape.r#enum.join(", ")
            );
            self.add(Kind::Enum, &value, at, &words);
        }
        self.length(shape, text.chars().count(), &value, at);
        if let Some(pattern) = shape.pattern.as_ref().filter(|pattern| !pattern.matches(text)) {
            let words = format!(
                "Member must satisfy regular expression pattern: {}",
                pattern.text()
            );
            self.add(Kind::Pattern, &value, at, &words);
        }
    }

    fn length(&mut self, shape: &Shape, length: usize, value: &Value, at: &str) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        if let Some(min) = shape.min.filter(|min| length < *min) {
            let words = format!("Member must have length greater than or equal to {min}");
            self.add(Kind::TooShort, value, at, &words);
        } else if let Some(max) = shape.max.filter(|max| length > *max) {
            let words = format!("Member must have length less than or equal to {max}");
            self.add(Kind::TooLong, value, at, &words);
        }
    }

    fn add(&mut self, kind: Kind, value: &Value, at: &str, words: &str) {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let shown: String = shown.chars().take(SHOWN).collect();
        self.violations.push(Violation {
            kind,
            words: format!("Value '{shown}' at '{at}' failed to satisfy constraint: {words}"),
        });
    }
}

fn below(at: &str, name: &str) -> String {
    if at.is_empty() {
        name.to_owned()
    } else {
        format!("{at}.{name}")
    }
}

/// AWS names members in messages as its own Java code does.
fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_ascii_lowercase().to_string() + letters.as_str()
    })
}

fn type_name(kind: Type) -> &'static str {
    match kind {
        Type::Structure => "Structure",
        Type::List => "List",
        Type::Map => "Map",
        Type::String => "String",
        Type::Integer => "Integer",
        Type::Long => "Long",
        Type::Boolean => "Boolean",
    }
}

fn value_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(number) if number.is_f64() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "LIST_VALUE",
        Value::Object(_) => "STRUCTURE_VALUE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Service;
    use serde_json::json;

    fn found(operation: &str, input: &Value) -> Vec<(Kind, String)> {
        let violations = ServiceModel::of(Service::Ssm).check(operation, input);
        violations.into_iter().map(|one| (one.kind, one.words)).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once_with_its_place() {
        let input = json!({
            "ClientToken": "no",
            "MaxConcurrency": "0",
            "Parameters": {"A": [""]},
            "TargetLocations": [{"Accounts": []}],
        });
        let found = found("StartAutomationExecution", &input);
        let kinds: Vec<Kind> = found.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(
            kinds,
            [
                Kind::Required,
                Kind::TooShort,
                Kind::Pattern,
                Kind::Pattern,
                Kind::TooShort,
                Kind::TooShort
            ]
        );
        assert_eq!(
            found[0].1,
            "Value null at 'documentName' failed to satisfy constraint: Member must not be null"
        );
        assert_eq!(
            found[5].1,
            "Value '[]' at 'targetLocations.1.member.accounts' failed to satisfy constraint: Member must have length greater than or equal to 1"
        );
    }

    #[test]
    fn a_wrong_type_is_all_that_is_said() {
        for (input, words) in [
            (
                json!({"DocumentName": 1}),
                "NUMBER_VALUE can not be converted to String",
            ),
            (
                json!({"DocumentName": ["x"]}),
                "Start of structure or list found where String was expected.",
            ),
            (json!({"Targets": {}}), "Expected list or null"),
            (json!({"Parameters": []}), "Expected a structure or null"),
            (json!([]), "Expected a structure or null"),
        ] {
            assert_eq!(
                found("StartAutomationExecution", &input),
                [(Kind::Type, words.to_owned())]
            );
        }
        let input = json!({"MaxResults": 1.5});
        let words = "DECIMAL_VALUE can not be converted to Integer".to_owned();
        assert_eq!(
            found("DescribeAutomationExecutions", &input),
            [(Kind::Type, words)]
        );
    }

    #[test]
    fn what_is_right_passes_and_what_is_unknown_is_passed_over() {
        let input = json!({"DocumentName": "AWS-RunPatchBaseline", "Unheard": {"of": 1}, "Targets": null});
        assert_eq!(found("StartAutomationExecution", &input), []);
        assert_eq!(
            found("DescribeInstanceInformation", &json!({"MaxResults": 5})),
            []
        );
        assert_eq!(
            found("DescribeInstanceInformation", &json!({"MaxResults": 4}))[0].0,
            Kind::TooSmall
        );
        assert_eq!(
            found("DescribeInstanceInformation", &json!({"MaxResults": 51}))[0].0,
            Kind::TooLarge
        );
    }
}
