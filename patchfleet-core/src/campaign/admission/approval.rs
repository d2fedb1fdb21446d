//! No wave begins before a person has approved of the one before it, where the request asks for that.

use super::{HoldReason, Verdict};
use crate::campaign::State;
use crate::id::UnitId;
use jiff::Timestamp;

/// A unit waits for a person if an earlier wave needs an approval and has none.
pub(in crate::campaign) fn verdict(state: &State, unit: UnitId, _now: Timestamp) -> Verdict {
    let request = &state.plan().request;
    let open = state.waves_before(unit).find(|wave| {
        let needs_one = request.wave(*wave).is_some_and(|wave| wave.approval);
        needs_one && !state.is_approved(*wave)
    });
    match open {
        None => Verdict::Begin,
        Some(wave) => Verdict::Hold {
            reason: HoldReason::Approval {
                campaign: state.campaign(),
                wave,
                name: request.wave_name(wave).to_owned(),
            },
            until: None,
        },
    }
}
