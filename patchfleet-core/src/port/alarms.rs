//! CloudWatch alarms in the central account and Region.

use super::{BoxFuture, PortError, PortErrorKind, PortResult};
use crate::id::AlarmName;
use jiff::Timestamp;

/// What state an alarm is in.
///
/// Promises: an answer is CloudWatch's own of just now, and none that was kept.
pub trait Alarms: Send + Sync {
    /// The metric or composite alarm with exactly this name in the central account and Region (DescribeAlarms); `None` if there
    /// is none. The default, of whoever knows no alarms, is an error: who does not know may not say that all is well.
    fn alarm(&self, _name: &AlarmName) -> BoxFuture<'_, PortResult<Option<AlarmView>>> {
        let words = "CloudWatch cannot be asked here";
        Box::pin(std::future::ready(Err(PortError::new(
            PortErrorKind::Invalid,
            words,
        ))))
    }
}

/// What CloudWatch says of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmView {
    /// The state it is in.
    pub state: AlarmState,
    /// CloudWatch's words on why (`StateReason`); empty if it has none.
    pub reason: String,
    /// Since when it is in that state, if CloudWatch says so (`StateTransitionedTimestamp`).
    pub since: Option<Timestamp>,
}

/// The state of an alarm (`StateValue`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmState {
    /// `OK`.
    Ok,
    /// `ALARM`.
    Alarm,
    /// `INSUFFICIENT_DATA`: the alarm has just begun, or its metric has no data.
    InsufficientData,
}
