//! What the budgets that a wave has of its own come to, by the request and by walking over everything.

use super::*;
use crate::request::Wave;

fn own(state: &State, wave: u32) -> Option<&Wave> {
    let index = usize::try_from(wave - 1).unwrap();
    state.plan().request.waves.get(index)
}

fn first_open(state: &State) -> Option<u32> {
    let open = state.units().iter().filter(|(_, unit)| !is_unit_over(unit));
    open.map(|(id, _)| wave_of(state, *id)).min()
}

/// How many locations it has, and nodes that commands are sent to.
fn size(state: &State, wave: u32) -> (u32, u32) {
    let there = state.plan().locations.iter().filter(|at| at.wave == wave);
    there.fold((0, 0), |(locations, nodes), at| {
        let managed = at.nodes.map_or(0, |nodes| nodes.online + nodes.offline);
        (locations + 1, nodes + managed - at.left_out.len() as u32)
    })
}

fn allowed(state: &State, wave: u32) -> Option<usize> {
    let errors = own(state, wave)?.budget.locations.max_errors?;
    Some(errors.as_count(size(state, wave).0) as usize)
}

fn failed(state: &State, wave: u32) -> usize {
    let of_wave = state
        .locations()
        .filter(|(unit, ..)| wave_of(state, *unit) == wave);
    let failed = of_wave.filter(|(unit, location, at)| state.counts_as_failed(*unit, location, at));
    failed
        .map(|(_, location, _)| location)
        .collect::<BTreeSet<_>>()
        .len()
}

/// Whether the wave that is under way could bear it if so many more locations failed.
pub(super) fn bears(state: &State, more: usize) -> bool {
    let wave = first_open(state);
    let allowed = wave.and_then(|wave| Some((wave, allowed(state, wave)?)));
    allowed.is_none_or(|(wave, allowed)| failed(state, wave) + more <= allowed)
}

pub(super) fn places(state: &State, id: UnitId) -> u64 {
    let (plan, wave) = (state.plan(), wave_of(state, id));
    let own = own(state, wave).and_then(|own| own.budget.locations.max_concurrency);
    let places = own.map_or(plan.location_budget(), |rate| rate.as_count(size(state, wave).0));
    let by_fleet = plan.fleet_in(wave).and_then(|fleet| fleet.locations_at_once());
    places.min(by_fleet.unwrap_or(u32::MAX)).into()
}

/// The bounds on nodes in flight and damaged that the wave has of its own, if the campaign keeps them.
fn bounds(state: &State, wave: u32) -> [Option<u64>; 2] {
    let request = &state.plan().request;
    let damages = |wave: &Wave| wave.budget.fleet.max_damaged.is_some();
    let counts = request.waves.iter().any(damages)
        || !request.budget.labels.is_empty()
        || request
            .budget
            .fleet
            .is_some_and(|fleet| fleet.max_damaged.is_some());
    let Some(own) = own(state, wave).filter(|_| counts) else {
        return [None, None];
    };
    let (fleet, nodes) = (own.budget.fleet, size(state, wave).1);
    let in_flight = fleet.max_in_flight.map(|rate| rate.as_count(nodes).into());
    [
        in_flight,
        fleet.max_damaged.map(|rate| rate.as_count(nodes).into()),
    ]
}

fn nodes_in(state: &State, wave: u32, is: impl Fn(NodeOutcome) -> bool) -> u64 {
    let of_wave = state
        .locations()
        .filter(|(unit, ..)| wave_of(state, *unit) == wave);
    let settled = of_wave.filter_map(|(.., at)| at.settled.as_ref());
    let each = settled.flat_map(|settled| settled.nodes.iter());
    each.filter(|(outcome, _)| is(*outcome))
        .map(|(_, n)| u64::from(n))
        .sum()
}

fn is_damage(outcome: NodeOutcome) -> bool {
    matches!(outcome, NodeOutcome::Failed | NodeOutcome::Lost)
}

pub(super) fn room(state: &State, id: UnitId) -> Option<u64> {
    let wave = wave_of(state, id);
    let unsettled = open(state).filter(|(_, unit)| !is_unit_settled(unit));
    let in_flight: u64 = unsettled.map(|(_, unit)| unit.named.len() as u64).sum();
    let here = nodes_in(state, wave, |outcome| is_damage(outcome) || outcome.is_unknown());
    let anywhere = may_be_at_work(state);
    let [most, damaged] = bounds(state, wave);
    let at_work = in_flight + anywhere + lost_at_work(state, |_| true);
    let of_flight = most.map(|most| most.saturating_sub(at_work));
    let of_damage = damaged.map(|damaged| damaged.saturating_sub(in_flight + here));
    of_flight.into_iter().chain(of_damage).min()
}

pub(super) fn is_used_up(state: &State) -> bool {
    let waves = 1..=state.plan().request.waves.len() as u32;
    if waves
        .into_iter()
        .any(|wave| allowed(state, wave).is_some_and(|allowed| failed(state, wave) > allowed))
    {
        return true;
    }
    let Some(wave) = first_open(state) else {
        return false;
    };
    let waits = waiting(state).any(|(id, _)| wave_of(state, id) == wave);
    let here = nodes_in(state, wave, |outcome| is_damage(outcome) || outcome.is_unknown());
    let anywhere = may_be_at_work(state);
    let [most, damaged] = bounds(state, wave);
    waits && (damaged.is_some_and(|of| here >= of) || most.is_some_and(|of| anywhere >= of))
}
