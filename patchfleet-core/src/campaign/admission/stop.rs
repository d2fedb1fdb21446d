//! Nothing more is begun once there is a reason to stop.

use super::Verdict;
use crate::campaign::State;
use crate::id::UnitId;
use jiff::Timestamp;

/// Never, once the campaign is stopped. Never, if the unit's own location is a reason: none of the nodes that it
/// names is there any more, or too many of the location failed in earlier units.
pub(in crate::campaign) fn verdict(state: &State, unit: UnitId, now: Timestamp) -> Verdict {
    let kept_back = state
        .units()
        .get(&unit)
        .is_some_and(|unit| unit.has_nobody_left() || state.used_up(unit));
    if state.is_stopped(now) || kept_back {
        Verdict::Never
    } else {
        Verdict::Begin
    }
}
