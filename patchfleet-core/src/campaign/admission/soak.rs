//! No wave begins before the one before it has been over for as long as the request says.

use super::{HoldReason, Verdict};
use crate::campaign::State;
use crate::id::UnitId;
use jiff::Timestamp;

/// A unit waits until each earlier wave has been over for its soak. That counts from the record of the log with which the
/// last location of the wave had settled and its last unit was over, so a restart changes nothing.
pub(in crate::campaign) fn verdict(state: &State, unit: UnitId, now: Timestamp) -> Verdict {
    let soaks = state.waves_before(unit).filter_map(|wave| {
        let soak = state.plan().request.wave(wave)?.soak?;
        let ended = state.wave_ended(wave)?;
        Some((ended.checked_add(soak.duration()).unwrap_or(Timestamp::MAX), wave))
    });
    match soaks.max().filter(|(until, _)| *until > now) {
        None => Verdict::Begin,
        Some((until, wave)) => Verdict::Hold {
            reason: HoldReason::Soak {
                wave,
                name: state.plan().request.wave_name(wave).to_owned(),
                until,
            },
            until: Some(until),
        },
    }
}
