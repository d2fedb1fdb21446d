//! What the change calendars of a request say.

use crate::port::PortErrorKind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What change calendars say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "calendars", rename_all = "snake_case")]
pub enum CalendarsSaid {
    /// All of them are open.
    Open,
    /// One of them is closed.
    Closed {
        /// When that changes, if AWS says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Nobody knows: there is no such calendar, or it may not be asked, or AWS does not answer.
    Unknown {
        /// Why.
        kind: PortErrorKind,
        /// AWS's words.
        detail: String,
    },
}

impl fmt::Display for CalendarsSaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("the change calendars are open"),
            Self::Closed { until } => {
                f.write_str("a change calendar is closed")?;
                match until {
                    Some(until) => write!(f, " until {until:.0}, as far as AWS says"),
                    None => f.write_str(", and AWS does not say until when"),
                }
            }
            Self::Unknown { detail, .. } => write!(
                f,
                "it is not known whether the change calendars are open, so nothing begins (ssm:GetCalendarState): {detail}"
            ),
        }
    }
}
