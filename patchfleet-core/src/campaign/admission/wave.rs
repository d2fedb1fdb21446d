//! No wave begins before the one before it is over.

use super::{HoldReason, Verdict};
use crate::campaign::State;
use crate::id::UnitId;
use jiff::Timestamp;

/// A unit waits until every unit of an earlier wave is over, with each location of it settled: what was never begun, what
/// failed, and what ended well. A unit of which nobody knows whether it runs is not over.
pub(in crate::campaign) fn verdict(state: &State, unit: UnitId, _now: Timestamp) -> Verdict {
    let Some((before, open)) = state
        .first_open_wave()
        .filter(|(wave, _)| *wave < state.wave_of(unit))
    else {
        return Verdict::Begin;
    };
    Verdict::Hold {
        reason: HoldReason::Wave {
            before,
            name: state.plan().request.wave_name(before).to_owned(),
            open,
        },
        until: None,
    }
}
