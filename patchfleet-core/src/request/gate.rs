//! What has to come between one wave and the next: some time, and a good enough result.

use super::fields::{Collector, Field};
use super::node::Node;
use crate::budget::MaxErrors;
use crate::problem::ProblemCode;
use jiff::SignedDuration;
use serde::{Serialize, Serializer};
use std::{fmt, str::FromStr};

/// How long the next wave waits after a wave is over, in whole seconds.
///
/// From 1 second to 7 days. As text it has units, `"30m"` or `"1h 30m"`.
///
/// ```
/// use patchfleet_core::request::Soak;
/// let soak: Soak = "30m".parse()?;
/// assert_eq!(soak.seconds(), 1_800);
/// assert!("8d".parse::<Soak>().is_err());
/// # Ok::<(), patchfleet_core::request::SoakError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Soak(u32);

/// A text that is no [`Soak`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", Soak::SHAPE)]
pub struct SoakError;

impl Soak {
    /// The longest, in seconds: 7 days.
    pub const MAX_SECONDS: u32 = 604_800;
    const SHAPE: &str =
        "a time with units such as \"30m\" or \"2h\", of 1s to 168h (7 days), in whole seconds";

    /// It in seconds.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.0
    }

    pub(crate) fn duration(self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.0))
    }
}

impl FromStr for Soak {
    type Err = SoakError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let duration: SignedDuration = text.parse().map_err(|_| SoakError)?;
        let seconds = u32::try_from(duration.as_secs()).map_err(|_| SoakError)?;
        if duration.subsec_nanos() != 0 || !(1..=Self::MAX_SECONDS).contains(&seconds) {
            return Err(SoakError);
        }
        Ok(Self(seconds))
    }
}

impl fmt::Display for Soak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.duration())
    }
}

impl Serialize for Soak {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What the nodes of a wave have to come to before the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Gate {
    /// How many of the nodes that were patched may not have come to their goal: failed, lost, with patches still missing,
    /// or unknown. `None`: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_failed: Option<MaxErrors>,
    /// How many of the nodes that were to be patched may not have been: unreached, or not run. `None`: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unreached: Option<MaxErrors>,
    /// Of how many patched nodes the results have to be known, from 1. With fewer the gate is inconclusive, and a person
    /// decides. Default: 1.
    pub min_sample: u32,
}

/// `soak`.
pub(super) fn soak(field: &Field<'_>, out: &mut Collector) -> Option<Soak> {
    let soak = field.text(Soak::SHAPE, out)?.parse().ok();
    if soak.is_none() {
        out.add(field.problem(ProblemCode::InvalidValue, Soak::SHAPE));
    }
    soak
}

/// `gate`.
pub(super) fn gate(field: &Field<'_>, out: &mut Collector) -> Option<Gate> {
    let before = out.len();
    let mut fields = field.table(out);
    let max_failed = fields.take("max_failed").map(|field| field.rate(out));
    let max_unreached = fields.take("max_unreached").map(|field| field.rate(out));
    let min_sample = fields.take("min_sample").map(|field| least(&field, out));
    if max_failed.is_none() && max_unreached.is_none() && out.len() == before {
        const KEYS: [&str; 2] = ["max_failed", "max_unreached"];
        const ALL: [&str; 3] = ["max_failed", "max_unreached", "min_sample"];
        if !fields.has_misspelt(&KEYS, &ALL) {
            out.missing(
                field.path(),
                "max_failed, max_unreached or both, which say how many may be",
            );
        }
    }
    fields.finish(out);
    Some(Gate {
        max_failed: max_failed.flatten(),
        max_unreached: max_unreached.flatten(),
        min_sample: min_sample.flatten().unwrap_or(1),
    })
}

/// `min_sample`.
fn least(field: &Field<'_>, out: &mut Collector) -> Option<u32> {
    const SHAPE: &str = "a count from 1 to 9999999, such as 10";
    let code = match field.node() {
        Node::Integer(count @ 1..=9_999_999) => return u32::try_from(*count).ok(),
        Node::Integer(_) => ProblemCode::OutOfRange,
        _ => ProblemCode::WrongType,
    };
    out.add(field.problem(code, SHAPE));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_soak_is_taken_with_units_and_in_range_alone() {
        let seconds = |text: &str| text.parse().map(Soak::seconds).ok();
        assert_eq!(seconds("1s"), Some(1));
        assert_eq!(seconds("168h"), Some(604_800));
        assert_eq!(seconds("1h 30m"), Some(5_400));
        for wrong in ["", "30", "0s", "169h", "-2h", "2h ago", "1.5s", "1 month", "soon"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
