//! Nothing begins unless the change calendars of the request are open.

use super::{HoldReason, Verdict};
use crate::campaign::State;
use crate::id::UnitId;
use jiff::Timestamp;

/// A unit waits while a change calendar is closed, and while nobody knows whether it is. What they said last counts. Whoever
/// begins a unit sees that they were asked just now.
pub(in crate::campaign) fn verdict(state: &State, _unit: UnitId, _now: Timestamp) -> Verdict {
    match state.closed_calendars() {
        None => Verdict::Begin,
        Some(said) => Verdict::Hold {
            reason: HoldReason::Calendars { said: said.clone() },
            // They are asked again before it is over, as people change them.
            until: None,
        },
    }
}
