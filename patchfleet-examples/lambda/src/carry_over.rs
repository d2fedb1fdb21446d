//! Whether a campaign begins with what the last one of its request could not begin before its window closed.

use crate::cutoff;
use crate::event::{Asked, Form};
use crate::settings::{LOG, Settings};
use patchfleet_core::problem::{Problem, ProblemCode};
use serde_json::Value;

/// The environment's setting, for every event that does not say it itself.
pub(crate) const VARIABLE: &str = "PATCHFLEET_CARRY_OVER";

/// A window's key.
pub(crate) const IN_WINDOW: &str = "CarryOver";

/// The key beside a request.
pub(crate) const BESIDE_REQUEST: &str = "carry_over";

const EITHER: &str = "true or false";

/// The environment's setting. A template may set the variable without a value, so an empty one counts as not set.
pub(crate) fn of_variable(text: &str) -> Result<Option<bool>, Problem> {
    read(text, VARIABLE)
}

/// The value of an event's key. `null` and an empty text count as absent.
pub(crate) fn of_field(path: &str, value: &Value) -> Result<Option<bool>, Problem> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(says) => Ok(Some(*says)),
        Value::String(text) => read(text, path),
        other => {
            let value = crate::event::shown(path, other);
            Err(Problem::new(ProblemCode::WrongType, path, value, EITHER))
        }
    }
}

fn read(text: &str, path: &str) -> Result<Option<bool>, Problem> {
    match text.trim() {
        "" => Ok(None),
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        _ => Err(Problem::new(
            ProblemCode::InvalidValue,
            path,
            format!("{text:?}"),
            EITHER,
        )),
    }
}

/// That the environment asks for it and has no log.
pub(crate) fn without_log() -> Problem {
    Problem::new(ProblemCode::Conflict, VARIABLE, "true", needs_log())
}

fn needs_log() -> String {
    format!(
        "what the last campaign has left stands in its log, so {LOG} has to be set in the function's environment as well"
    )
}

/// What is against it for an event that asks for it, where `path` is that of the event. A log that the environment should have
/// is told with the environment.
pub(crate) fn against(path: &str, asked: &Asked, settings: &Settings) -> Vec<Problem> {
    if !asked.carry_over.unwrap_or(settings.carry_over) {
        return vec![];
    }
    let key = match (asked.carry_over, asked.form) {
        (Some(_), Form::Window) => IN_WINDOW,
        (Some(_), _) => BESIDE_REQUEST,
        (None, _) => VARIABLE,
    };
    let at = match (asked.carry_over, path) {
        (None, _) | (_, "") => key.to_owned(),
        (Some(_), path) => format!("{path}.{key}"),
    };
    let mut problems = vec![];
    let has_log = settings.log.is_some() || settings.problems.iter().any(|problem| problem.path == LOG);
    if asked.carry_over.is_some() && !has_log {
        problems.push(Problem::new(
            ProblemCode::Conflict,
            at.clone(),
            "true",
            needs_log(),
        ));
    }
    if asked.cutoff.or(settings.cutoff).is_none() {
        let of_event = match asked.form {
            Form::Window => "the event needs one (Cutoff), or ",
            Form::Wrapped => "the event needs one (cutoff), or ",
            Form::Request | Form::Sample => "",
        };
        let expected = format!(
            "a campaign without a cutoff leaves nothing to carry over: {of_event}the function's environment needs one ({})",
            cutoff::VARIABLE
        );
        problems.push(Problem::new(ProblemCode::Conflict, at, "true", expected));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_is_said_as_true_or_false_and_anything_else_is_a_problem() {
        for (value, says) in [
            (json!(true), Some(true)),
            (json!("true"), Some(true)),
            (json!(" false "), Some(false)),
            (json!(false), Some(false)),
            (json!(""), None),
            (json!(null), None),
        ] {
            assert_eq!(of_field("carry_over", &value), Ok(says), "{value}");
        }
        for value in [json!("yes"), json!(1), json!(["true"])] {
            let problem = of_field("carry_over", &value).unwrap_err();
            assert_eq!(
                (problem.path.as_str(), problem.expected.as_str()),
                ("carry_over", EITHER)
            );
        }
        assert_eq!(of_variable(""), Ok(None));
        assert_eq!(of_variable("soon").unwrap_err().path, VARIABLE);
    }
}
