//! `aws:branch`: choices, the first of which that is true says where the execution goes.
//!
//! Source: "Using conditional statements in runbooks" of the Systems Manager guide. An operation
//! that does not exist is refused when the document is made.

use crate::world::documents::parameters::plain;
use serde_json::{Map, Value};

/// A step's choices.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    choices: Vec<(Condition, String)>,
    default: Option<String>,
}

#[derive(Debug, Clone)]
enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare {
        variable: Value,
        operation: Operation,
        with: Value,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    StringEquals,
    EqualsIgnoreCase,
    StartsWith,
    EndsWith,
    Contains,
    NumericEquals,
    NumericGreater,
    NumericLesser,
    NumericGreaterOrEquals,
    NumericLesserOrEquals,
    BooleanEquals,
}

impl Operation {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "StringEquals" => Self::StringEquals,
            "EqualsIgnoreCase" => Self::EqualsIgnoreCase,
            "StartsWith" => Self::StartsWith,
            "EndsWith" => Self::EndsWith,
            "Contains" => Self::Contains,
            "NumericEquals" => Self::NumericEquals,
            "NumericGreater" => Self::NumericGreater,
            "NumericLesser" => Self::NumericLesser,
            "NumericGreaterOrEquals" => Self::NumericGreaterOrEquals,
            "NumericLesserOrEquals" => Self::NumericLesserOrEquals,
            "BooleanEquals" => Self::BooleanEquals,
            _ => return None,
        })
    }

    fn holds(self, variable: &Value, with: &Value) -> Result<bool, String> {
        let (text, other) = (plain(variable), plain(with));
        let numbers = || Ok::<_, String>((number(variable)?, number(with)?));
        Ok(match self {
            Self::StringEquals => text == other,
            Self::EqualsIgnoreCase => text.to_lowercase() == other.to_lowercase(),
            Self::StartsWith => text.starts_with(&other),
            Self::EndsWith => text.ends_with(&other),
            Self::Contains => text.contains(&other),
            Self::NumericEquals => numbers().map(|(one, other)| one.total_cmp(&other).is_eq())?,
            Self::NumericGreater => numbers().map(|(one, other)| one > other)?,
            Self::NumericLesser => numbers().map(|(one, other)| one < other)?,
            Self::NumericGreaterOrEquals => numbers().map(|(one, other)| one >= other)?,
            Self::NumericLesserOrEquals => numbers().map(|(one, other)| one <= other)?,
            Self::BooleanEquals => text.eq_ignore_ascii_case(&other),
        })
    }
}

fn number(value: &Value) -> Result<f64, String> {
    let text = plain(value);
    let number = text
        .trim()
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite());
    number.ok_or_else(|| format!("{text:?} is not a number"))
}

impl Branch {
    /// Reads a step's inputs, with their references or with what these stand for.
    ///
    /// # Errors
    ///
    /// What is not as `aws:branch` has it.
    pub(crate) fn read(inputs: &Value) -> Result<Self, String> {
        let choices = inputs.get("Choices").and_then(Value::as_array);
        let choices = choices
            .filter(|choices| !choices.is_empty())
            .ok_or("aws:branch has no Choices")?;
        let choice = |choice: &Value| {
            let entries = choice.as_object().ok_or("a choice is not a map")?;
            let next = entries.get("NextStep").and_then(Value::as_str);
            let next = next.ok_or("a choice has no NextStep")?.to_owned();
            Ok((condition(entries)?, next))
        };
        Ok(Self {
            choices: choices.iter().map(choice).collect::<Result<_, String>>()?,
            default: inputs.get("Default").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// The names of the steps to which it may lead.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &String> {
        self.choices.iter().map(|(_, next)| next).chain(&self.default)
    }

    /// The step to which it leads; `None`: on, as any step does.
    ///
    /// # Errors
    ///
    /// Numbers are compared, and one is none.
    pub(super) fn choose(&self) -> Result<Option<&String>, String> {
        for (condition, next) in &self.choices {
            if condition.holds()? {
                return Ok(Some(next));
            }
        }
        Ok(self.default.as_ref())
    }
}

fn condition(entries: &Map<String, Value>) -> Result<Condition, String> {
    let inner = |value: &Value| match value.as_object() {
        Some(entries) => condition(entries),
        None => Err("an operand of And, Or or Not is not a map".to_owned()),
    };
    let several = |value: &Value| {
        let items = value.as_array().ok_or("And and Or take a list")?;
        items.iter().map(inner).collect::<Result<Vec<_>, _>>()
    };
    let mut operands = entries
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "NextStep" | "Variable"));
    let ((key, value), None) = (
        operands.next().ok_or("a choice compares nothing")?,
        operands.next(),
    ) else {
        return Err("a choice has more than one operation".to_owned());
    };
    match key.as_str() {
        "And" => Ok(Condition::And(several(value)?)),
        "Or" => Ok(Condition::Or(several(value)?)),
        "Not" => Ok(Condition::Not(Box::new(inner(value)?))),
        name => Ok(Condition::Compare {
            operation: Operation::of(name)
                .ok_or_else(|| format!("{name} is not an operation of aws:branch"))?,
            variable: entries
                .get("Variable")
                .cloned()
                .ok_or("a choice has no Variable")?,
            with: value.clone(),
        }),
    }
}

impl Condition {
    fn holds(&self) -> Result<bool, String> {
        match self {
            Self::And(all) => all
                .iter()
                .try_fold(true, |so_far, one| Ok(so_far && one.holds()?)),
            Self::Or(any) => any
                .iter()
                .try_fold(false, |so_far, one| Ok(so_far || one.holds()?)),
            Self::Not(one) => Ok(!one.holds()?),
            Self::Compare {
                variable,
                operation,
                with,
            } => operation.holds(variable, with),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn leads(choice: Value) -> Result<Option<String>, String> {
        let mut choice = choice;
        choice["NextStep"] = json!("there");
        let branch = Branch::read(&json!({"Choices": [choice]}))?;
        branch.choose().map(Option::<&String>::cloned)
    }

    #[test]
    fn every_operation_compares_as_its_name_says() {
        for (variable, operation, with, holds) in [
            (json!("Linux"), "StringEquals", json!("Linux"), true),
            (json!("Linux"), "StringEquals", json!("linux"), false),
            (json!("Linux"), "EqualsIgnoreCase", json!("lINUX"), true),
            (json!("Linux"), "StartsWith", json!("Lin"), true),
            (json!("Linux"), "StartsWith", json!("nux"), false),
            (json!("Linux"), "EndsWith", json!("nux"), true),
            (json!("Linux"), "Contains", json!("inu"), true),
            (json!("Linux"), "Contains", json!("z"), false),
            (json!(5), "NumericEquals", json!("5.0"), true),
            (json!(5), "NumericGreater", json!(5), false),
            (json!(6), "NumericGreater", json!(5), true),
            (json!(4), "NumericLesser", json!(5), true),
            (json!(5), "NumericGreaterOrEquals", json!(5), true),
            (json!(6), "NumericLesserOrEquals", json!(5), false),
            (json!(true), "BooleanEquals", json!("true"), true),
            (json!("False"), "BooleanEquals", json!(true), false),
        ] {
            let expected = holds.then(|| "there".to_owned());
            let choice = json!({"Variable": variable, operation: with});
            assert_eq!(leads(choice), Ok(expected), "{variable} {operation} {with}");
        }
        let choice = json!({"Variable": "many", "NumericGreater": 5});
        assert!(leads(choice).unwrap_err().contains("not a number"));
    }

    #[test]
    fn conditions_nest() {
        let is = |text: &str| json!({"Variable": "a", "StringEquals": text});
        let there = Ok(Some("there".to_owned()));
        assert_eq!(leads(json!({"And": [is("a"), {"Not": is("b")}]})), there);
        assert_eq!(leads(json!({"And": [is("a"), is("b")]})), Ok(None));
        assert_eq!(leads(json!({"Or": [is("b"), is("a")]})), there);
        assert_eq!(leads(json!({"Or": [is("b"), is("c")]})), Ok(None));
        assert_eq!(leads(json!({"Not": is("a")})), Ok(None));
    }

    #[test]
    fn what_is_no_choice_is_refused() {
        assert!(leads(json!({"Variable": "a", "Resembles": "b"})).is_err());
        assert!(leads(json!({"Variable": "a"})).is_err());
        assert!(leads(json!({"StringEquals": "a"})).is_err());
        assert!(leads(json!({"Variable": "a", "StringEquals": "a", "Contains": "b"})).is_err());
        assert!(Branch::read(&json!({})).is_err());
        assert!(Branch::read(&json!({"Choices": [{"Variable": "a", "StringEquals": "a"}]})).is_err());
    }
}
