//! No wave begins while it is not known whether the one before it did well.

use super::{HoldReason, Verdict};
use crate::campaign::State;
use crate::campaign::state::Gated;
use crate::id::UnitId;
use jiff::Timestamp;

/// A unit waits for a person if the gate of an earlier wave is inconclusive, because too few results of it are known. Where
/// a gate has not been passed, the campaign is stopped.
pub(in crate::campaign) fn verdict(state: &State, unit: UnitId, _now: Timestamp) -> Verdict {
    for wave in state.waves_before(unit) {
        if let Gated::Inconclusive { known, needed, blind } = state.gated(wave)
            && !state.is_approved(wave)
        {
            return Verdict::Hold {
                reason: HoldReason::Inconclusive {
                    campaign: state.campaign(),
                    wave,
                    name: state.plan().request.wave_name(wave).to_owned(),
                    known,
                    needed,
                    blind,
                },
                until: None,
            };
        }
    }
    Verdict::Begin
}
