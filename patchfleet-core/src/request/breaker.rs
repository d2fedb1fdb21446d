//! `[breaker]`: what ends a campaign early although its budgets allow more.

use super::fields::{Collector, Field};
use super::node::Node;
use crate::id::AlarmName;
use crate::problem::{Problem, ProblemCode};
use serde::{Serialize, Serializer};
use std::{fmt, str::FromStr};

/// The breakers of a campaign. Once one has tripped nothing more is begun, for good, as when the error budget is used up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Breaker {
    /// How many locations in a row may not fail, from 1. They are in a row by when their results were written down.
    /// `None`: any number may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consecutive_failures: Option<u32>,
    /// How large a share of the last nodes may have failed. `None`: any share.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub failure_share: Option<FailureShare>,
    /// A CloudWatch alarm of the central account and Region that may not be in the state ALARM. `None`: none is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm: Option<AlarmName>,
    /// Whether each start hands the alarm to Systems Manager as well (`AlarmConfiguration`), which then stops what it has started,
    /// also while nobody drives the campaign. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hand_alarm_to_aws: bool,
}

/// How large a share of the last nodes may have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FailureShare {
    /// The share that may have. With more the breaker trips.
    #[serde(rename = "failure_share")]
    pub most: Share,
    /// Of how many nodes at least, from 1. Before so many have come to an end nothing is said. Default: 20.
    pub sample: u32,
}

impl Breaker {
    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        !self.counts_results() && self.alarm.is_none()
    }

    /// Whether one of them counts what became of locations and nodes.
    #[must_use]
    pub fn counts_results(&self) -> bool {
        self.consecutive_failures.is_some() || self.failure_share.is_some()
    }

    /// The alarm that each start hands to Systems Manager.
    pub(crate) fn handed_alarm(&self) -> Option<&AlarmName> {
        self.alarm.as_ref().filter(|_| self.hand_alarm_to_aws)
    }
}

impl FailureShare {
    const DEFAULT_SAMPLE: u32 = 20;

    /// Whether so many of so many nodes are more than may have failed. The share is not rounded.
    pub(crate) fn is_exceeded(&self, failed: u64, of: u64) -> bool {
        failed.saturating_mul(100) > u64::from(self.most.percent()).saturating_mul(of)
    }
}

/// A share from 0% to 99%, in whole percent.
///
/// ```
/// use patchfleet_core::request::Share;
/// let share: Share = "30%".parse()?;
/// assert_eq!(share.percent(), 30);
/// assert!("100%".parse::<Share>().is_err());
/// # Ok::<(), patchfleet_core::request::ShareError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u8);

/// A text that is no [`Share`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", Share::SHAPE)]
pub struct ShareError;

impl Share {
    const SHAPE: &str =
        "a percentage from \"0%\" to \"99%\", in quotes: more than 100% of the nodes cannot fail";

    /// It in percent.
    #[must_use]
    pub fn percent(self) -> u8 {
        self.0
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_suffix('%').ok_or(ShareError)?;
        let is_plain = matches!(digits.as_bytes(), [b'0'..=b'9'] | [b'1'..=b'9', b'0'..=b'9']);
        match digits.parse() {
            Ok(percent) if is_plain => Ok(Self(percent)),
            _ => Err(ShareError),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads the table.
pub(super) fn read(field: &Field<'_>, out: &mut Collector) -> Breaker {
    let before = out.len();
    let mut fields = field.table(out);
    let consecutive = fields.take("consecutive_failures");
    let share = fields.take("failure_share");
    let sample = fields.take("sample");
    let alarm = fields.take("alarm");
    let handed = fields.take("hand_alarm_to_aws");
    let path_of_alarm = fields.path_of("alarm");
    let path_of_share = fields.path_of("failure_share");
    if consecutive.is_none()
        && share.is_none()
        && sample.is_none()
        && alarm.is_none()
        && handed.is_none()
        && !fields.has_unknown()
        && before == out.len()
    {
        let expected = "consecutive_failures, failure_share, alarm, or several of them";
        out.missing(field.path(), expected);
    }
    if share.is_none() && sample.is_some() {
        let expected = "the share of breaker.sample nodes that may have failed, such as \"30%\"";
        out.add(Problem::new(ProblemCode::Missing, path_of_share, "", expected));
    }
    let hand_alarm_to_aws = handed.and_then(|field| field.boolean(out)).unwrap_or(false);
    if hand_alarm_to_aws && alarm.is_none() {
        let expected = "the name of the CloudWatch alarm that is handed to Systems Manager";
        out.missing(&path_of_alarm, expected);
    }
    let most = share.and_then(|field| {
        let share = field.text(Share::SHAPE, out)?.parse().ok();
        if share.is_none() {
            out.add(field.problem(ProblemCode::InvalidValue, Share::SHAPE));
        }
        share
    });
    let sample = sample.map_or(Some(FailureShare::DEFAULT_SAMPLE), |field| {
        count(&field, "a count from 1 to 9999999, such as 20", out)
    });
    let breaker = Breaker {
        consecutive_failures: consecutive
            .and_then(|field| count(&field, "a count from 1 to 9999999, such as 3", out)),
        failure_share: most
            .zip(sample)
            .map(|(most, sample)| FailureShare { most, sample }),
        alarm: alarm.and_then(|field| field.id(out)),
        hand_alarm_to_aws,
    };
    fields.finish(out);
    breaker
}

fn count(field: &Field<'_>, shape: &str, out: &mut Collector) -> Option<u32> {
    let code = match field.node() {
        Node::Integer(count @ 1..=9_999_999) => return u32::try_from(*count).ok(),
        Node::Integer(_) => ProblemCode::OutOfRange,
        _ => ProblemCode::WrongType,
    };
    out.add(field.problem(code, shape));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_in_range_alone() {
        let percent = |text: &str| text.parse().map(Share::percent).ok();
        assert_eq!((percent("0%"), percent("99%")), (Some(0), Some(99)));
        for wrong in [
            "", "%", "30", "100%", "-1%", "+1%", "05%", "00%", "1.5%", " 3%", "3%%",
        ] {
            assert_eq!(percent(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn as_large_a_share_as_may_fail_does_not_trip_a_breaker() {
        let share = FailureShare {
            most: Share(30),
            sample: 20,
        };
        assert!(!share.is_exceeded(6, 20));
        assert!(share.is_exceeded(7, 20) && share.is_exceeded(1, 3));
    }
}
