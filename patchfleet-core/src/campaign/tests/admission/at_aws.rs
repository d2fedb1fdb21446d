//! A bound on nodes in flight that AWS keeps, and what nodes that run on leave of it, counted over all units.

use super::*;

/// The bound in a wave, and how many nodes of a location AWS is to have open at once.
fn bound(state: &State, wave: u32) -> Option<(u64, u64)> {
    let fleet = state.plan().fleet_in(wave)?;
    Some((fleet.max_in_flight?.into(), fleet.nodes_at_once()?.into()))
}

fn running_on(state: &State) -> u64 {
    nodes_that(state, |outcome| outcome == NodeOutcome::RunningAtExpiry)
}

/// Whether a unit has to wait for nothing of that kind, and whether it is not too late for it.
pub(super) fn has_room(state: &State, id: UnitId) -> bool {
    let (Some((of, k)), running_on @ 1..) = (bound(state, wave_of(state, id)), running_on(state)) else {
        return true;
    };
    let places = |id: UnitId| u64::from(state.plan().unit(id).unwrap().locations_at_once());
    let beside: u64 = open(state).map(|(other, _)| places(other) * k).sum();
    let named = state.units()[&id].named.len() as u64;
    let each = if named > 0 { named.min(k) } else { k };
    let fits = beside + running_on + places(id) * each <= of;
    fits || (beside == 0 && running_on < of)
}

/// Whether what runs on is all that may be in flight: of the whole fleet, or of the wave that is under way and has more to begin.
pub(super) fn is_used_up(state: &State) -> bool {
    let whole = state.plan().fleet;
    let of_whole = whole.is_some_and(|fleet| {
        let of = fleet.max_in_flight.filter(|_| fleet.nodes_at_once().is_some());
        of.is_some_and(|of| running_on(state) >= of.into())
    });
    let left = |wave: u32| waiting(state).any(|(id, _)| wave_of(state, id) == wave);
    let first = state.first_open_wave().map(|(wave, _)| wave);
    let wave = first.filter(|wave| left(*wave) || state.going_on().next().is_some());
    let of_wave = wave.and_then(|wave| bound(state, wave));
    of_whole || of_wave.is_some_and(|(of, _)| running_on(state) >= of)
}
