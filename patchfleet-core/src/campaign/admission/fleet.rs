//! So many nodes in flight across the whole fleet, so many that are damaged.

use super::{HoldReason, Keeps, Verdict};
use crate::campaign::State;
use crate::id::{Location, UnitId};
use crate::outcome::LostAtWork;
use crate::plan::PlannedFleet;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Where each start names its nodes, a unit waits until there is room for all of them: under the bound on nodes in flight, and
/// under that on damage even if everything that is in flight is damaged. A node of which nothing could be found out takes
/// room until somebody finds out more. A lost node on which a script may run on is in flight until that is over. A wave may have
/// bounds of its own, under which only its own nodes are damaged.
///
/// Once nothing is in flight but such lost nodes, there will be no more room for a while. So a unit that is too large then is divided.
/// Where there is none at all, it waits until the first of them gives its place up. Without them the campaign has stopped (`stop`).
pub(in crate::campaign) fn verdict(state: &State, unit: UnitId, now: Timestamp) -> Verdict {
    verdict_with(state, unit, 0, now)
}

/// The same beside locations of which nobody can see what runs there. Nodes that wait there take room, and a unit that is too
/// large is not divided: there will be more room.
pub(in crate::campaign) fn verdict_beside(
    state: &State,
    unit: UnitId,
    aside: &BTreeSet<Location>,
    now: Timestamp,
) -> Verdict {
    let there = state.waiting().filter(|other| state.is_aside(*other, aside));
    let named = there.filter_map(|other| state.units().get(&other));
    let hidden = named.map(|unit| u64::try_from(unit.named.len()).unwrap_or(u64::MAX));
    verdict_with(state, unit, hidden.fold(0, u64::saturating_add), now)
}

fn verdict_with(state: &State, unit: UnitId, hidden: u64, now: Timestamp) -> Verdict {
    let wave = state.wave_of(unit);
    let is_counted = |fleet: &PlannedFleet| fleet.nodes_in_a_start().is_some();
    let (whole, own) = (
        state.plan().fleet.filter(is_counted),
        state.plan().counted_in(wave),
    );
    if whole.is_none() && own.is_none() {
        return beside_what_runs_on(state, unit);
    }
    let so_far = state.fleet_so_far();
    let named = state.units().get(&unit).map_or(0, |unit| unit.named.len());
    let needed = u32::try_from(named).unwrap_or(u32::MAX);
    let in_flight = so_far.in_flight.saturating_add(hidden);
    let open = in_flight.saturating_add(so_far.may_be_at_work());
    let may_be_damaged = in_flight
        .saturating_add(so_far.unknown)
        .saturating_add(so_far.damaged);
    // What is in flight is of this wave. What is damaged may be of others.
    let (damaged, unknown) = state.damaged_in(wave);
    let of_wave = in_flight.saturating_add(unknown).saturating_add(damaged);
    let bounds = [
        (whole.and_then(|fleet| fleet.max_in_flight), open, false, false),
        (
            whole.and_then(|fleet| fleet.max_damaged),
            may_be_damaged,
            true,
            false,
        ),
        (own.and_then(|fleet| fleet.max_in_flight), open, false, true),
        (own.and_then(|fleet| fleet.max_damaged), of_wave, true, true),
    ];
    let lost_at_work = state.lost_at_work(now);
    // How much room there is, how much there will be, and what the unit waits for meanwhile.
    let (mut room, mut room_later, mut meanwhile) = (u64::MAX, u64::MAX, None);
    for (bound, taken_for_good, of_damage, is_own) in bounds {
        let Some(of) = bound else { continue };
        // A lost node is damaged already.
        let lost = lost_at_work.filter(|_| !of_damage);
        let taken = taken_for_good.saturating_add(LostAtWork::count(lost));
        if taken.saturating_add(needed.into()) <= of.into() {
            continue;
        }
        let hold = Verdict::Hold {
            reason: HoldReason::Fleet {
                of_damage,
                taken,
                needed,
                of,
                wave: is_own.then(|| state.plan().request.wave_name(wave).to_owned()),
                lost,
            },
            until: lost.map(|lost| lost.first_until),
        };
        if in_flight > 0 {
            return hold;
        }
        let left = |taken: u64| u64::from(of).saturating_sub(taken);
        if left(taken) == 0 && lost.is_some() {
            meanwhile.get_or_insert(hold);
        }
        room = room.min(left(taken));
        room_later = room_later.min(left(taken_for_good));
    }
    match (u32::try_from(room), meanwhile) {
        (Err(_), _) => Verdict::Begin,
        (Ok(0), Some(hold)) if room_later > 0 => hold,
        (Ok(0), _) => Verdict::Never,
        (Ok(room), _) => Verdict::Divide(Keeps::Count(room)),
    }
}

/// Where AWS keeps the bound on nodes in flight, a place on which a script runs on after its command has expired is given to no other
/// start. Beside others a unit waits until there is room for all that it may have open at once. Once nothing else is open it is begun
/// with smaller limits (`RoomAtAws::narrowed`).
fn beside_what_runs_on(state: &State, unit: UnitId) -> Verdict {
    let Some(room) = state.room_at_aws(unit).filter(|room| !room.is_enough()) else {
        return Verdict::Begin;
    };
    if room.open > 0 {
        let wave = state.wave_of(unit);
        let whole = state.plan().fleet.and_then(|fleet| fleet.max_in_flight);
        return Verdict::Hold {
            reason: HoldReason::Fleet {
                of_damage: false,
                taken: room.taken(),
                needed: room.needed,
                of: room.of,
                wave: (whole != Some(room.of)).then(|| state.plan().request.wave_name(wave).to_owned()),
                lost: None,
            },
            until: None,
        };
    }
    match room.left() {
        0 => Verdict::Never,
        _ => Verdict::Begin,
    }
}
