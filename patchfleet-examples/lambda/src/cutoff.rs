//! When every command of a campaign must have expired.

use jiff::{SignedDuration, Timestamp};
use std::error::Error;
use std::fmt;

/// The environment's setting: a time from when the function is called, such as `9h`.
const VARIABLE: &str = "PATCHFLEET_CUTOFF";

/// The setting is no time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoTime(String);

impl fmt::Display for NoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{VARIABLE} = {:?}: expected a time from when the function is called, with units, such as 9h or 8h30m",
            self.0
        )
    }
}

impl Error for NoTime {}

/// The cutoff of a plan that is made now. `None` if the environment sets none. A template may set the variable without a
/// value, so an empty one counts as not set.
pub(crate) fn cutoff(now: Timestamp) -> Result<Option<Timestamp>, NoTime> {
    match std::env::var_os(VARIABLE) {
        Some(text) if !text.to_string_lossy().trim().is_empty() => {
            after(&text.to_string_lossy(), now).map(Some)
        }
        _ => Ok(None),
    }
}

fn after(text: &str, now: Timestamp) -> Result<Timestamp, NoTime> {
    let time = text.parse::<SignedDuration>().ok();
    let at = time
        .filter(SignedDuration::is_positive)
        .and_then(|time| now.checked_add(time).ok());
    at.ok_or_else(|| NoTime(text.to_owned()))
}
