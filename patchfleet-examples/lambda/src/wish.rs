//! What an event or the environment may ask for beside the request, by true or false.

use crate::cutoff;
use crate::event::{Asked, Form};
use crate::settings::{LOG, Settings};
use patchfleet_core::problem::{Problem, ProblemCode};
use serde_json::{Map, Value};

/// Such a wish: where it stands, and why it takes a log.
#[derive(Debug)]
pub(crate) struct Wish {
    /// The environment's setting, for every event that does not say it itself.
    pub(crate) variable: &'static str,
    /// A window's key.
    in_window: &'static str,
    /// The key beside a request.
    pub(crate) beside_request: &'static str,
    why_a_log: &'static str,
}

/// A campaign begins with what the last one of its request could not begin before its window closed.
pub(crate) const CARRY_OVER: Wish = Wish {
    variable: "PATCHFLEET_CARRY_OVER",
    in_window: "CarryOver",
    beside_request: "carry_over",
    why_a_log: "what the last campaign has left stands in its log",
};

/// The nodes that a campaign did not reach are tried once more when it is over.
pub(crate) const SECOND_ATTEMPT: Wish = Wish {
    variable: "PATCHFLEET_SECOND_ATTEMPT",
    in_window: "SecondAttempt",
    beside_request: "second_attempt",
    why_a_log: "which nodes a campaign did not reach stands in its log, and nobody follows one without a log to its end",
};

const EITHER: &str = "true or false";

impl Wish {
    /// The environment's setting. A template may set the variable without a value, so an empty one counts as not set.
    pub(crate) fn of_variable(&self, text: &str) -> Result<Option<bool>, Problem> {
        read(text, self.variable)
    }

    /// What a window's payload says, without whose key it is a request's.
    pub(crate) fn taken_from(&self, payload: &mut Map<String, Value>) -> Result<Option<bool>, Problem> {
        of_field(
            self.in_window,
            &payload.remove(self.in_window).unwrap_or_default(),
        )
    }

    /// What stands beside a request.
    pub(crate) fn beside(&self, fields: &Map<String, Value>) -> Result<Option<bool>, Problem> {
        of_field(
            self.beside_request,
            fields.get(self.beside_request).unwrap_or(&Value::Null),
        )
    }

    /// That the environment asks for it and has no log.
    pub(crate) fn without_log(&self) -> Problem {
        Problem::new(ProblemCode::Conflict, self.variable, "true", self.needs_log())
    }

    fn needs_log(&self) -> String {
        format!(
            "{}, so {LOG} has to be set in the function's environment as well",
            self.why_a_log
        )
    }

    /// What is against it for an event of this form that says so, if it does. A log that the environment should have is told with
    /// the environment.
    fn against(&self, path: &str, said: Option<bool>, form: Form, settings: &Settings) -> Option<Problem> {
        let has_log = settings.log.is_some() || settings.problems.iter().any(|problem| problem.path == LOG);
        (said == Some(true) && !has_log).then(|| {
            let at = self.at(path, said, form);
            Problem::new(ProblemCode::Conflict, at, "true", self.needs_log())
        })
    }

    /// Where it stands, if the event at this path is of this form and says this.
    fn at(&self, path: &str, said: Option<bool>, form: Form) -> String {
        let key = match form {
            Form::Window => self.in_window,
            _ => self.beside_request,
        };
        match (said, path) {
            (None, _) => self.variable.to_owned(),
            (Some(_), "") => key.to_owned(),
            (Some(_), path) => format!("{path}.{key}"),
        }
    }
}

/// The value of an event's key. `null` and an empty text count as absent.
fn of_field(path: &str, value: &Value) -> Result<Option<bool>, Problem> {
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

/// What is against the wishes of an event, where `path` is that of the event.
pub(crate) fn against(path: &str, asked: &Asked, settings: &Settings) -> Vec<Problem> {
    let form = asked.form;
    let second = SECOND_ATTEMPT.against(path, asked.second_attempt, form, settings);
    let carry = CARRY_OVER.against(path, asked.carry_over, form, settings);
    let mut problems: Vec<Problem> = carry.into_iter().chain(second).collect();
    let carries_over = asked.carry_over.unwrap_or(settings.carry_over);
    if carries_over && asked.cutoff.or(settings.cutoff).is_none() {
        let of_event = match form {
            Form::Window => "the event needs one (Cutoff), or ",
            Form::Wrapped => "the event needs one (cutoff), or ",
            Form::Request | Form::Sample => "",
        };
        let expected = format!(
            "a campaign without a cutoff leaves nothing to carry over: {of_event}the function's environment needs one ({})",
            cutoff::VARIABLE
        );
        let at = CARRY_OVER.at(path, asked.carry_over, form);
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
        assert_eq!(CARRY_OVER.of_variable(""), Ok(None));
        let problem = SECOND_ATTEMPT.of_variable("soon").unwrap_err();
        assert_eq!(problem.path, "PATCHFLEET_SECOND_ATTEMPT");
    }
}
