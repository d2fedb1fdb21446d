//! Units are begun in their order, one start at a time.

use super::{HoldReason, Verdict};
use crate::campaign::State;
use crate::id::UnitId;
use jiff::Timestamp;

/// A unit waits while another one's start has no answer: AWS takes about one start a second, and what it refuses
/// once it refuses again. It waits as well until the nodes may be back that its last command was refused for,
/// and while another unit is at work in its location.
pub(in crate::campaign) fn verdict(state: &State, unit: UnitId, now: Timestamp) -> Verdict {
    let hold = |reason, until| Verdict::Hold { reason, until };
    if let Some(of) = state.intended().next() {
        return hold(HoldReason::Answer { of }, None);
    }
    if let Some(location) = state.busy_location(unit) {
        let location = location.clone();
        return hold(HoldReason::Location { location }, None);
    }
    let not_before = state.units().get(&unit).and_then(|unit| unit.not_before);
    match not_before.filter(|until| *until > now) {
        Some(until) => hold(HoldReason::NextAttempt, Some(until)),
        None => Verdict::Begin,
    }
}
