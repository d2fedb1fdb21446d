//! When every command of a campaign must have expired: a time from when the function is called, such as `9h`.

use jiff::{SignedDuration, Timestamp};
use patchfleet_core::problem::{Problem, ProblemCode};
use serde_json::Value;

/// The environment's setting, for every event that names none of its own.
pub(crate) const VARIABLE: &str = "PATCHFLEET_CUTOFF";

const TIME: &str = "a time from when the function is called, with units, such as \"9h\" or \"8h30m\"";

/// The environment's setting. A template may set the variable without a value, so an empty one counts as not set.
pub(crate) fn of_variable(text: &str) -> Result<Option<SignedDuration>, Problem> {
    match text.trim() {
        "" => Ok(None),
        text => read(text, VARIABLE).map(Some),
    }
}

/// The value of an event's key. `null` and an empty text count as absent.
pub(crate) fn of_field(path: &str, value: &Value) -> Result<Option<SignedDuration>, Problem> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) => read(text.trim(), path).map(Some),
        other => Err(Problem::new(
            ProblemCode::WrongType,
            path,
            other.to_string(),
            TIME,
        )),
    }
}

fn read(text: &str, path: &str) -> Result<SignedDuration, Problem> {
    let time = text.parse::<SignedDuration>().ok();
    let time = time.filter(|time| time.is_positive() && Timestamp::UNIX_EPOCH.checked_add(*time).is_ok());
    time.ok_or_else(|| Problem::new(ProblemCode::InvalidValue, path, format!("{text:?}"), TIME))
}

/// The instant, counted from `now`.
pub(crate) fn at(after: SignedDuration, now: Timestamp) -> Timestamp {
    now.checked_add(after).unwrap_or(Timestamp::MAX)
}
