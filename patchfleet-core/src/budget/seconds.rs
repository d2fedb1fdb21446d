//! A span of time in whole seconds, as AWS counts timeouts.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A span of time in whole seconds. Sums and products stop at the largest value.
///
/// ```
/// use patchfleet_core::budget::Seconds;
/// assert_eq!(Seconds::hours(25).to_string(), "25 h");
/// assert_eq!(Seconds::new(5_430).to_string(), "1 h 30 min 30 s");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(u64);

impl Seconds {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// This many seconds.
    #[must_use]
    pub const fn new(seconds: u64) -> Self {
        Self(seconds)
    }

    /// This many hours.
    #[must_use]
    pub const fn hours(hours: u32) -> Self {
        Self(hours as u64 * 3_600)
    }

    /// The number of seconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Both together.
    #[must_use]
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left after `other`; nothing if `other` is longer.
    #[must_use]
    pub(crate) const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This, so many times.
    #[must_use]
    pub(crate) const fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.0 / 3_600, "h"),
            (self.0 / 60 % 60, "min"),
            (self.0 % 60, "s"),
        ];
        let words: Vec<String> = parts
            .into_iter()
            .filter(|&(n, unit)| n > 0 || (unit == "s" && self.0 == 0))
            .map(|(n, unit)| format!("{n} {unit}"))
            .collect();
        f.pad(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_in_hours_minutes_and_seconds() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (25_200, "7 h"),
            (86_399, "23 h 59 min 59 s"),
        ] {
            assert_eq!(Seconds::new(seconds).to_string(), words);
        }
    }
}
