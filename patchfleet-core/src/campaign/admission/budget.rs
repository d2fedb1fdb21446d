//! So many locations at once, so many that fail.

use super::{HoldReason, Verdict};
use crate::campaign::State;
use crate::id::UnitId;
use jiff::Timestamp;

/// A unit waits while locations have ended whose results may be a reason to stop and are not read. So it does while too
/// many may have failed with the locations of a unit of which nobody knows whether it runs. It waits as well until there
/// are places for as many locations as it has in work at once. With no unit open it is begun whatever it says: otherwise
/// it would wait for ever.
pub(in crate::campaign) fn verdict(state: &State, unit: UnitId, _now: Timestamp) -> Verdict {
    let hold = |reason| Verdict::Hold { reason, until: None };
    let undecided = state.undecided();
    if undecided > 0 {
        return hold(HoldReason::Results { locations: undecided });
    }
    let (failed, allowed) = state.error_budget();
    let unknown = state.unresolved_locations();
    if let Some(of) = state.unresolved().next()
        && unknown.saturating_add(failed.into()) > u64::from(allowed)
    {
        return hold(HoldReason::Unresolved {
            of,
            failed,
            unknown,
            allowed,
        });
    }
    let (taken, needed, of) = (
        state.places_taken(),
        state.at_once(unit),
        state.plan().location_budget_in(state.wave_of(unit)),
    );
    if taken > 0 && taken.saturating_add(u64::from(needed)) > u64::from(of) {
        return hold(HoldReason::Places { taken, needed, of });
    }
    Verdict::Begin
}
