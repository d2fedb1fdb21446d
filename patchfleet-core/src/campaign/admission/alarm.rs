//! Nothing begins while nobody knows whether the CloudWatch alarm of the request is in the state ALARM, and nothing more once it
//! was.

use super::{HoldReason, Verdict};
use crate::campaign::{AlarmSaid, State};
use crate::id::UnitId;
use jiff::Timestamp;

/// Never, once the alarm was in the state ALARM: the campaign is stopped then. A unit waits while nobody knows. What it said last
/// counts. Whoever begins a unit sees that it was asked just now.
pub(in crate::campaign) fn verdict(state: &State, _unit: UnitId, _now: Timestamp) -> Verdict {
    match state.alarm() {
        None | Some(AlarmSaid::Quiet) => Verdict::Begin,
        Some(AlarmSaid::Alarm { .. }) => Verdict::Never,
        Some(said @ AlarmSaid::Unknown { .. }) => Verdict::Hold {
            reason: HoldReason::Alarm { said: said.clone() },
            until: None,
        },
    }
}
