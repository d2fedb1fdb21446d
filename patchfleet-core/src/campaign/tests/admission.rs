//! The rules of admission against what a reader of the whole state would say, after every record of every
//! campaign that the tests of this crate run. And what a person is told.

use super::world::*;
use crate::campaign::admission::{self, Hold, HoldReason, Verdict};
use crate::campaign::rule::Rule;
use crate::campaign::{Chain, Event, LocationState, LogKey, StartState, State, UnitState};
use crate::id::{Location, UnitId, WriterId};
use crate::outcome::{LocationOutcome, NodeOutcome};
use crate::port::{ExecutionStatus, PortErrorKind};
use crate::request::{Dispatch, EmptyWave, Running};
use crate::slip::{Slip, slips};
use std::collections::{BTreeMap, BTreeSet};

mod at_aws;
mod by_wave;

/// Compares what each rule says of each unit with what walking over everything says.
pub(crate) fn assert_rules(state: &State) {
    let now = state.last_at();
    let stopped = is_stopped(state);
    assert_eq!(state.is_stopped(now), stopped, "stop");
    assert_eq!(state.stop_reason().is_some(), stopped, "the reason for it");
    if state.finished().is_some() {
        return;
    }
    if state.name_taken_by().is_some() {
        assert_eq!(state.holds(now), [], "it is not open");
        return;
    }
    let admitted = admission::admit(state, now);
    if stopped {
        let waiting: Vec<UnitId> = waiting(state).map(|(id, _)| id).collect();
        assert_eq!((admitted.begin, admitted.never), (None, waiting));
        return;
    }
    let begun = next_start(state);
    assert_eq!(admitted.begin, begun, "what is begun next");
    for (id, unit) in waiting(state) {
        let holds = |verdict: Verdict| !matches!(verdict, Verdict::Begin);
        let over_budget = undecided(state) > 0 || too_many_may_have_failed(state) || !has_places(state, id);
        assert_eq!(
            holds(admission::budget::verdict(state, id, now)),
            over_budget,
            "budget, {id}"
        );
        let out_of_order = has_open_start(state)
            || is_at_work_elsewhere(state, unit)
            || unit.not_before.is_some_and(|at| at > now);
        assert_eq!(
            holds(admission::order::verdict(state, id, now)),
            out_of_order,
            "order, {id}"
        );
        assert_eq!(
            holds(admission::wave::verdict(state, id, now)),
            is_before_its_wave(state, id),
            "wave, {id}"
        );
        assert_eq!(
            holds(admission::breaker::verdict(state, id, now)),
            may_trip_a_breaker(state),
            "breaker, {id}"
        );
        let has_room = room_of(state, id).is_none_or(|room| room >= unit.named.len() as u64);
        assert_eq!(
            !holds(admission::fleet::verdict(state, id, now)),
            has_room && at_aws::has_room(state, id),
            "fleet, {id}"
        );
        assert_eq!(
            holds(admission::labels::verdict(state, id, now)),
            value_without_room(state, unit).is_some(),
            "labels, {id}"
        );
        let kept_back = state.kept_back(id).is_some();
        assert_eq!(
            holds(admission::stop::verdict(state, id, now)),
            kept_back,
            "stop, {id}"
        );
    }
    // Each unit that waits is told why, and no other, unless it is begun at once or never.
    let told: Vec<UnitId> = state.holds(now).into_iter().map(|hold| hold.unit).collect();
    let intended = state
        .units()
        .iter()
        .filter(|(_, unit)| matches!(unit.start, StartState::Intended(_)));
    let mut expected: BTreeSet<UnitId> = waiting(state).map(|(id, _)| id).collect();
    expected.retain(|id| Some(*id) != begun && !admitted.never.contains(id));
    expected.extend(intended.map(|(id, _)| *id));
    expected.extend(unresolved(state).map(|(id, _)| id));
    if begun.is_some() || admitted.hold.is_some() {
        assert_eq!(told, Vec::from_iter(expected), "holds");
    }
}

fn is_stopped(state: &State) -> bool {
    let failed =
        |unit: UnitId, location: &Location, at: &LocationState| state.counts_as_failed(unit, location, at);
    let failed: BTreeSet<&Location> = state
        .locations()
        .filter(|(unit, location, at)| failed(*unit, location, at))
        .map(|(_, location, _)| location)
        .collect();
    let by_start = state.units().iter().any(|(id, unit)| match unit.start {
        // A command that patchfleet sends itself is refused in its location alone.
        StartState::Refused { .. } => state.plan().request.automation.dispatch != Dispatch::RunCommand,
        StartState::Started { .. } => state.broke_off(*id, unit),
        _ => false,
    });
    let late = state.locations().any(|(.., at)| state.may_pass_cutoff(at));
    let cutoff = state.begins_until().is_some_and(|until| state.last_at() > until);
    failed.len() > state.plan().location_errors() as usize
        || fleet_is_used_up(state)
        || by_wave::is_used_up(state)
        || at_aws::is_used_up(state)
        || has_tripped(state)
        || went_off(state)
        || state
            .units()
            .values()
            .any(|unit| unit.stopped_for_alarm.is_some())
        || by_start
        || late
        || cutoff
        || !state.stopped_units().is_empty()
        || state.was_left_alone()
        || state.is_abandoned()
        || state.stop_asked().is_some()
        || state.runbook_has_changed()
        || (1..).zip(&state.plan().request.waves).any(|(wave, _)| {
            waves_after(state, wave) && is_wave_over(state, wave) && gate(state, wave) == Some(false)
        })
}

fn waves_after(state: &State, wave: u32) -> bool {
    state.plan().units.iter().any(|unit| unit.wave > wave)
}

fn is_wave_over(state: &State, wave: u32) -> bool {
    let units = state.plan().units.iter();
    let mut after = units.filter(|unit| unit.wave == wave).peekable();
    after.peek().is_some() && after.all(|unit| is_unit_over(&state.units()[&unit.id]))
}

/// Whether a wave passes its gate, in the words of docs/requests.md; `None`: too little is known.
fn gate(state: &State, wave: u32) -> Option<bool> {
    let asked = state.plan().request.waves.get(wave as usize - 1)?;
    let mut tally: BTreeMap<&str, u32> = BTreeMap::new();
    let mut is_blind = false;
    for (unit, _, at) in state.locations() {
        if wave_of(state, unit) == wave {
            is_blind |= at.settled.as_ref().is_some_and(|settled| {
                let is_well = ["succeeded", "emptied", "vanished"].contains(&settled.outcome.as_str());
                !is_well && settled.nodes.iter().all(|(_, n)| n == 0)
            });
            for (outcome, n) in at.settled.iter().flat_map(|settled| settled.nodes.iter()) {
                *tally.entry(outcome.as_str()).or_default() += n;
            }
        }
    }
    let n = |words: &[&str]| -> u32 { words.iter().map(|word| tally.get(word).unwrap_or(&0)).sum() };
    let not = n(&["unreached", "not_run"]);
    let (well, bad) = (n(&["done"]), n(&["missing", "failed", "lost", "pending_reboot"]));
    let patched = well + bad + n(&["unknown", "running_at_expiry"]);
    let Some(gate) = asked.gate else {
        // One in which nothing had its turn has shown nothing.
        let may_be_skipped = asked.if_empty == EmptyWave::Skip;
        return (patched > 0 || may_be_skipped).then_some(true);
    };
    let more = |found: u32, of: u32, allowed: crate::budget::MaxErrors| match allowed.percent() {
        Some(percent) => f64::from(found) > f64::from(percent) / 100.0 * f64::from(of) + 1e-9,
        None => found > allowed.to_string().parse().unwrap(),
    };
    let mut verdict = (!is_blind).then_some(true);
    if let Some(allowed) = gate.max_unreached {
        match well + bad + not {
            few if few < gate.min_sample => verdict = None,
            _ if more(not, patched + not, allowed) => return Some(false),
            _ => {}
        }
    }
    if let Some(allowed) = gate.max_failed {
        match well + bad {
            few if few < gate.min_sample => verdict = None,
            _ if more(patched - well, patched, allowed) => return Some(false),
            _ => {}
        }
    }
    verdict
}

/// Whether a unit waits for what has to come between two waves.
fn is_between_waves(state: &State, id: UnitId) -> bool {
    (1..).zip(&state.plan().request.waves).any(|(number, wave)| {
        let soaks = || {
            let soaked = state.wave_ended(number).unwrap()
                + wave.soak.map(crate::request::Soak::duration).unwrap_or_default();
            soaked > state.last_at()
        };
        number < wave_of(state, id)
            && is_wave_over(state, number)
            && ((wave.approval || gate(state, number).is_none()) && !state.is_approved(number) || soaks())
    })
}

/// Whether a change calendar is closed, or nobody knows, by the last event about them.
fn are_closed(state: &State) -> bool {
    let said = state.calendars().map(|said| serde_json::to_value(said).unwrap());
    said.is_some_and(|said| said["calendars"] != "open")
}

/// Whether the alarm was in the state ALARM when it was asked.
fn went_off(state: &State) -> bool {
    let said = state.alarm().map(|said| serde_json::to_value(said).unwrap());
    said.is_some_and(|said| said["alarm"] == "alarm")
}

/// Whether nobody knows what state the alarm is in, by the last event about it.
fn is_alarm_unknown(state: &State) -> bool {
    let said = state.alarm().map(|said| serde_json::to_value(said).unwrap());
    said.is_some_and(|said| said["alarm"] == "unknown")
}

/// Whether a freeze holds, or begins before what is started now is sure to be through: 30 seconds for the delivery, the steps of
/// the document, and six minutes until it is sent. Those minutes alone, if what runs may finish.
fn is_frozen(state: &State) -> bool {
    let now = state.last_at();
    let steps = state
        .plan()
        .lifetime
        .map_or(0, |lifetime| lifetime.steps.most.get());
    state.plan().request.freezes.iter().any(|freeze| {
        let needed = match freeze.running {
            Running::Expire => 30 + steps + 360,
            Running::Finish => 360,
        };
        let periods = freeze.periods_after(now);
        periods
            .iter()
            .any(|(begins, ends)| begins.duration_since(now).as_secs_f64() < needed as f64 && *ends > now)
    })
}

/// How many nodes of each outcome there are, by the locations one by one.
fn nodes_that(state: &State, is: impl Fn(NodeOutcome) -> bool) -> u64 {
    let settled = state.locations().filter_map(|(.., at)| at.settled.as_ref());
    let each = settled.flat_map(|settled| settled.nodes.iter());
    each.filter(|(outcome, _)| is(*outcome))
        .map(|(_, n)| u64::from(n))
        .sum()
}

/// How many nodes may be at work though their locations have settled: nothing is known of them, and their start is in the log.
fn may_be_at_work(state: &State) -> u64 {
    let begun = state
        .locations()
        .filter(|(unit, ..)| !matches!(state.units()[unit].start, StartState::NotStarted));
    let settled = begun.filter_map(|(.., at)| at.settled.as_ref());
    let each = settled.flat_map(|settled| settled.nodes.iter());
    each.filter(|(outcome, _)| outcome.is_unknown())
        .map(|(_, n)| u64::from(n))
        .sum()
}

/// How many of these nodes are lost and may be at work at the last record, by the locations one by one.
fn lost_at_work(state: &State, is: impl Fn(&crate::id::NodeId) -> bool) -> u64 {
    if slips(Slip::LostTakesNoRoom) {
        return 0; // a test of what shows then
    }
    let settled = state.locations().filter_map(|(.., at)| at.settled.as_ref());
    let lost = settled.flat_map(|settled| &settled.not_well.may_run_until);
    lost.filter(|(node, until)| is(node) && **until > state.last_at())
        .count() as u64
}

/// For how many more nodes there is room under the bounds on the fleet; `None`: for any number.
fn room(state: &State) -> Option<u64> {
    let fleet = state.plan().fleet?;
    fleet.nodes_in_a_start()?;
    let in_flight = open(state).filter(|(_, unit)| unit.locations.values().any(|at| at.settled.is_none()));
    let in_flight: u64 = in_flight.map(|(_, unit)| unit.named.len() as u64).sum();
    let unknown = nodes_that(state, NodeOutcome::is_unknown);
    let damaged = nodes_that(state, |outcome| {
        matches!(outcome, NodeOutcome::Failed | NodeOutcome::Lost)
    });
    let left = |bound: Option<u32>, taken: u64| bound.map(|bound| u64::from(bound).saturating_sub(taken));
    let at_work = in_flight + may_be_at_work(state) + lost_at_work(state, |_| true);
    let in_flight_left = left(fleet.max_in_flight, at_work);
    let damage_left = left(fleet.max_damaged, in_flight + unknown + damaged);
    in_flight_left.into_iter().chain(damage_left).min()
}

/// The same for a unit, under the bounds of its wave as well.
fn room_of(state: &State, id: UnitId) -> Option<u64> {
    room(state).into_iter().chain(by_wave::room(state, id)).min()
}

/// Whether the bounds on the fleet leave no room whatever becomes of what is in flight.
fn fleet_is_used_up(state: &State) -> bool {
    let Some(fleet) = state.plan().fleet else {
        return false;
    };
    let unknown = nodes_that(state, NodeOutcome::is_unknown);
    let damaged = nodes_that(state, |outcome| {
        matches!(outcome, NodeOutcome::Failed | NodeOutcome::Lost)
    });
    let settled = state.locations().filter_map(|(.., at)| at.settled.as_ref());
    let unreached: u64 = settled
        .map(|at| u64::from(at.nodes.count(NodeOutcome::Unreached)) - u64::from(at.offline_before))
        .sum();
    let campaign_paced = fleet.nodes_in_a_start().is_some();
    fleet
        .max_damaged
        .is_some_and(|of| damaged + unknown >= u64::from(of))
        || (campaign_paced
            && fleet
                .max_in_flight
                .is_some_and(|of| may_be_at_work(state) >= u64::from(of)))
        || fleet.max_unreached.is_some_and(|of| unreached > u64::from(of))
}

/// The units that may be begun still.
fn waiting(state: &State) -> impl Iterator<Item = (UnitId, &UnitState)> {
    let units = state.units().iter().map(|(id, unit)| (*id, unit));
    units.filter(|(_, unit)| {
        let settled = |at: &LocationState| at.settled.is_some();
        matches!(unit.start, StartState::NotStarted)
            && !unit.left_out
            && !unit.locations.values().any(settled)
    })
}

fn open(state: &State) -> impl Iterator<Item = (UnitId, &UnitState)> {
    let units = state.units().iter().map(|(id, unit)| (*id, unit));
    units.filter(|(_, unit)| {
        let settled = unit.locations.values().all(|at| at.settled.is_some());
        match unit.start {
            StartState::NotStarted => false,
            StartState::Intended(_) => true,
            StartState::Started { .. } => !(settled && unit.ended.is_some()),
            StartState::Refused { .. } | StartState::Unresolved { .. } => !settled,
        }
    })
}

fn unresolved(state: &State) -> impl Iterator<Item = (UnitId, &UnitState)> {
    open(state).filter(|(_, unit)| matches!(unit.start, StartState::Unresolved { .. }))
}

/// What each location that has settled says to the breakers, in their order: whether it failed or ended well, how many nodes of
/// it came to an end, and how many of these badly.
fn results(state: &State) -> Vec<(Option<bool>, u64, u64)> {
    let mut results: Vec<_> = state
        .locations()
        .filter_map(|(unit, location, at)| {
            let settled = at.settled.as_ref()?;
            let n = |words: &[&str]| -> u64 {
                let here = settled
                    .nodes
                    .iter()
                    .filter(|(outcome, _)| words.contains(&outcome.as_str()));
                here.map(|(_, n)| u64::from(n)).sum()
            };
            let bad = n(&["failed", "lost", "unknown", "running_at_expiry"]);
            let waits = n(&["pending_reboot"]);
            let goal = state.plan().request.goal_in(wave_of(state, unit));
            let well = n(&["done"])
                + if NodeOutcome::PendingReboot.reaches_goal(goal) {
                    waits
                } else {
                    0
                };
            let failed = match state.counts_as_failed(unit, location, at) {
                true => Some(true),
                false => (well > 0).then_some(false),
            };
            Some((
                settled.number,
                (failed, n(&["done", "missing"]) + waits + bad, bad),
            ))
        })
        .collect();
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// How many failed at the end, and in the longest row of all.
fn rows(state: &State) -> (u32, u32) {
    let (mut row, mut longest) = (0, 0);
    for (failed, ..) in results(state) {
        row = match failed {
            Some(true) => row + 1,
            Some(false) => 0,
            None => row,
        };
        longest = longest.max(row);
    }
    (row, longest)
}

/// Whether a breaker has tripped at any time, in the words of docs/requests.md.
fn has_tripped(state: &State) -> bool {
    let breaker = &state.plan().request.breaker;
    let results = results(state);
    let shares = breaker.failure_share.is_some_and(|share| {
        (1..=results.len()).any(|end| {
            let (mut nodes, mut bad) = (0, 0);
            for (_, n, b) in results[..end].iter().rev() {
                if nodes < u64::from(share.sample) {
                    nodes += n;
                    bad += b;
                }
            }
            nodes >= u64::from(share.sample) && bad * 100 > u64::from(share.most.percent()) * nodes
        })
    });
    let row = breaker
        .consecutive_failures
        .is_some_and(|most| rows(state).1 >= most);
    row || shares
}

/// Whether a location has ended whose results may trip a breaker.
fn may_trip_a_breaker(state: &State) -> bool {
    let breaker = &state.plan().request.breaker;
    let ended = |at: &LocationState| at.status.as_ref().is_some_and(ExecutionStatus::is_terminal);
    let unread = state
        .locations()
        .filter(|(.., at)| at.settled.is_none() && ended(at))
        .count() as u32;
    let row = breaker
        .consecutive_failures
        .is_some_and(|most| rows(state).0 + unread >= most);
    unread > 0 && (row || breaker.failure_share.is_some())
}

/// Whether more locations may have failed than the budget allows: each of a unit that may run counts.
fn too_many_may_have_failed(state: &State) -> bool {
    let may: usize = unresolved(state).map(|(_, unit)| unit.locations.len()).sum();
    let of_whole = may + state.failed_locations() as usize > state.plan().location_errors() as usize;
    may > 0 && (of_whole || !by_wave::bears(state, may))
}

fn is_at_work_elsewhere(state: &State, unit: &UnitState) -> bool {
    let mut busy = open(state).flat_map(|(_, open)| open.locations.keys());
    busy.any(|location| unit.locations.contains_key(location))
}

fn has_open_start(state: &State) -> bool {
    open(state).any(|(_, unit)| matches!(unit.start, StartState::Intended(_)))
}

/// How many results have to be read first.
fn undecided(state: &State) -> usize {
    let ended = |at: &LocationState| at.status.clone().filter(ExecutionStatus::is_terminal);
    let unread = state.locations().filter(|(.., at)| at.settled.is_none());
    let ends: Vec<ExecutionStatus> = unread.filter_map(|(.., at)| ended(at)).collect();
    let failed: BTreeSet<&Location> = state
        .locations()
        .filter(|(unit, location, at)| state.counts_as_failed(*unit, location, at))
        .map(|(_, location, _)| location)
        .collect();
    let unresolved: usize = unresolved(state).map(|(_, unit)| unit.locations.len()).sum();
    let more = ends.len() + unresolved;
    let of_whole = failed.len() + more <= state.plan().location_errors() as usize;
    let bearable = of_whole && by_wave::bears(state, more);
    let document = state.plan().request.automation.document.as_str();
    let is_own = document == "Patchfleet-RunPatchBaseline";
    let has_cutoff = state.plan().lifetime.as_ref().and_then(|l| l.cutoff).is_some();
    let well = ["Success", "CompletedWithSuccess"];
    let badly = ends.iter().filter(|end| !well.contains(&end.as_str()));
    if bearable && is_own && !has_cutoff {
        badly.count()
    } else {
        ends.len()
    }
}

fn has_places(state: &State, id: UnitId) -> bool {
    let at_once = |id: UnitId| u64::from(state.plan().unit(id).unwrap().locations_at_once());
    let taken: u64 = open(state).map(|(id, _)| at_once(id)).sum();
    taken == 0 || taken + at_once(id) <= by_wave::places(state, id)
}

/// The unit that is begun next: the first that may be begun at all and waits for nothing of its own, if nothing else
/// has it wait.
fn next_start(state: &State) -> Option<UnitId> {
    let now = state.last_at();
    let mut waiting: Vec<_> = waiting(state).collect();
    waiting.sort_by_key(|(id, _)| (wave_of(state, *id), *id));
    let ready = waiting.into_iter().filter(|(id, unit)| {
        state.kept_back(*id).is_none()
            && !is_at_work_elsewhere(state, unit)
            && unit.not_before.is_none_or(|at| at <= now)
    });
    for (id, unit) in ready {
        if waits(state, id) {
            return None;
        }
        match value_without_room(state, unit) {
            None => return Some(id),
            Some(Lack::Now | Lack::OfAll) => {}
            Some(Lack::OfSome) => return None,
        }
    }
    None
}

/// What there is too little room for.
enum Lack {
    /// A value that has nodes in flight.
    Now,
    /// Some of the nodes, and nothing makes room for them.
    OfSome,
    /// All of them, likewise.
    OfAll,
}

/// Whether a value of the unit's nodes has too little room, by walking over all units.
fn value_without_room(state: &State, unit: &UnitState) -> Option<Lack> {
    let mut lacking: Vec<(&crate::plan::PlannedValue, u64)> = vec![];
    for value in state.plan().labels.iter().flat_map(|label| &label.values) {
        let of = |unit: &UnitState| {
            unit.named
                .iter()
                .filter(|node| value.nodes.contains(node))
                .count() as u64
        };
        let needed = of(unit);
        let (mut in_flight, mut unknown, mut at_rest, mut damaged) = (0, 0, 0, 0);
        for other in state.units().values() {
            if other.is_begun() && !is_unit_settled(other) {
                in_flight += of(other);
            }
            for settled in other.locations.values().filter_map(|at| at.settled.as_ref()) {
                let count = |nodes: &[crate::id::NodeId]| {
                    nodes
                        .iter()
                        .filter(|node| value.nodes.contains(node) && other.named.contains(node))
                        .count() as u64
                };
                damaged += count(&settled.not_well.damaged);
                match other.is_begun() {
                    true => unknown += count(&settled.not_well.unknown),
                    false => at_rest += count(&settled.not_well.unknown),
                }
            }
        }
        let left =
            |bound: Option<u32>, taken: u64| bound.map_or(u64::MAX, |of| u64::from(of).saturating_sub(taken));
        let lost = lost_at_work(state, |node| value.nodes.contains(node));
        let room = left(value.max_in_flight, in_flight + unknown + lost)
            .min(left(value.max_damaged, in_flight + unknown + at_rest + damaged));
        if needed > room {
            if in_flight > 0 {
                return Some(Lack::Now);
            }
            lacking.push((value, room));
        }
    }
    if lacking.is_empty() {
        return None;
    }
    let has_any = unit.named.iter().any(|node| {
        lacking
            .iter()
            .all(|(value, room)| *room > 0 || !value.nodes.contains(node))
    });
    Some(if has_any { Lack::OfSome } else { Lack::OfAll })
}

fn is_unit_settled(unit: &UnitState) -> bool {
    unit.locations.values().all(|at| at.settled.is_some())
}

/// Whether anything but a value of its nodes has the unit wait.
fn waits(state: &State, id: UnitId) -> bool {
    has_open_start(state)
        || is_before_its_wave(state, id)
        || is_between_waves(state, id)
        || is_frozen(state)
        || are_closed(state)
        || is_alarm_unknown(state)
        || undecided(state) > 0
        || too_many_may_have_failed(state)
        || !has_places(state, id)
        || may_trip_a_breaker(state)
        || room_of(state, id).is_some_and(|room| room < state.units()[&id].named.len() as u64)
        || !at_aws::has_room(state, id)
}

fn wave_of(state: &State, id: UnitId) -> u32 {
    state.plan().unit(id).unwrap().wave
}

/// Whether a unit of an earlier wave is not over, or has a location that has not settled.
fn is_before_its_wave(state: &State, id: UnitId) -> bool {
    let mut units = state.units().iter();
    units.any(|(other, unit)| wave_of(state, *other) < wave_of(state, id) && !is_unit_over(unit))
}

fn is_unit_over(unit: &UnitState) -> bool {
    let is_over = !matches!(unit.start, StartState::Intended(_))
        && (!matches!(unit.start, StartState::Started { .. }) || unit.ended.is_some());
    is_over && unit.locations.values().all(|at| at.settled.is_some())
}

fn two_units() -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0)
}

/// A campaign in which this happened, each in a record of its own.
pub(crate) fn after(world: &World, events: Vec<Event>) -> State {
    let planned = Event::Planned {
        format: crate::campaign::RECORD_FORMAT,
        campaign: world.campaign(),
        plan: Box::new(world.plan.clone()),
    };
    let events = std::iter::once(planned).chain(events);
    let mut chain = Chain::of(&LogKey::Campaign(world.campaign()));
    let mut records = vec![];
    for event in events {
        let at = "2026-03-01T22:00:00Z".parse().unwrap();
        let record = chain.record(at, WriterId::from_uuid(uuid::Uuid::nil()), vec![event]);
        chain.take(&record).unwrap();
        records.push(record);
    }
    State::from_records(&records).unwrap()
}

fn told(state: &State) -> Vec<(u32, Rule, String)> {
    let holds = state.holds(state.last_at()).into_iter();
    holds
        .map(
            |Hold {
                 unit, rule, reason, ..
             }| (unit.number(), rule, reason.to_string()),
        )
        .collect()
}

#[test]
fn a_person_is_told_why_each_unit_waits() {
    let world = two_units();
    let one = UnitId::from_index(0);
    let intended = Event::StartIntended {
        unit: one,
        attempt: 1,
        request: world.plan.units[0].start.clone(),
    };
    let started = Event::Started {
        unit: one,
        execution: "00000000-0000-4000-8000-000000000001".parse().unwrap(),
    };
    let deferred = Event::StartDeferred {
        unit: one,
        kind: PortErrorKind::Throttled,
        detail: "Rate exceeded".to_owned(),
    };
    let ended = Event::LocationObserved {
        unit: one,
        location: world.plan.locations[0].location(),
        status: ExecutionStatus::Success,
        child: None,
        failure: String::new(),
    };
    let turn = || (2, Rule::Order, "unit 1 is begun first".to_owned());
    assert_eq!(told(&after(&world, vec![])), [turn()]);
    assert_eq!(
        told(&after(&world, vec![intended.clone()])),
        [
            (1, Rule::Order, "its start has no answer yet".to_owned()),
            (
                2,
                Rule::Order,
                "the start of unit 1 has no answer yet, and one is sent at a time".to_owned()
            )
        ]
    );
    assert_eq!(
        told(&after(&world, vec![intended.clone(), deferred]))[0],
        (1, Rule::Order, "its start was put off: Rate exceeded".to_owned())
    );
    let running = vec![intended, started];
    assert_eq!(
        told(&after(&world, running.clone())),
        [(
            2,
            Rule::Budget,
            "1 of 1 location at once is taken, and it needs 1".to_owned()
        )]
    );
    assert_eq!(
        told(&after(&world, [running, vec![ended]].concat())),
        [(
            2,
            Rule::Budget,
            "1 location has ended, and the results are not read yet".to_owned()
        )]
    );
}

#[test]
fn nobody_is_told_to_wait_once_nothing_more_is_begun() {
    let world = two_units();
    let one = UnitId::from_index(0);
    let cancelled = Event::CancelledElsewhere {
        unit: one,
        location: None,
    };
    let state = after(&world, vec![cancelled]);
    assert_eq!(state.holds(state.last_at()), []);
    assert!(state.stop_reason().is_some());
}

#[test]
fn a_hold_has_one_form_in_json() {
    let hold = Hold {
        unit: UnitId::from_index(1),
        rule: Rule::Budget,
        reason: HoldReason::Places {
            taken: 2,
            needed: 1,
            of: 2,
        },
        until: None,
    };
    let json = r#"{"unit":2,"rule":"budget","reason":{"waits_for":"places","taken":2,"needed":1,"of":2},"until":null}"#;
    assert_eq!(serde_json::to_string(&hold).unwrap(), json);
}

/// A unit that was left out stays out, whoever asks again: the reason may pass meanwhile.
#[test]
fn a_unit_that_the_log_leaves_out_is_not_begun_although_nothing_stops_it() {
    let world = two_units();
    let two = UnitId::from_index(1);
    let state = after(&world, vec![Event::LeftOut { units: vec![two] }]);
    assert_eq!(state.stop_reason(), None);
    let waiting: Vec<UnitId> = state.waiting().collect();
    assert_eq!(waiting, [UnitId::from_index(0)]);
    assert!(state.units()[&two].is_left_out());
    assert_eq!(
        state.units()[&two].locations.values().next().unwrap().outcome(),
        None::<LocationOutcome>,
        "its nodes are still to be told"
    );
}

#[test]
fn a_listing_says_why_units_wait_and_how_far_the_campaign_is() {
    let world = two_units();
    let driver = world.driver(1);
    let listed = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while world.executions().is_empty() || drive.state().intended().next().is_some() {
            drive.step().await.unwrap();
        }
        crate::campaign::campaigns(&*world.log, jiff::Timestamp::MIN)
            .await
            .unwrap()
    });
    let summary = &listed.campaigns[0];
    assert_eq!(summary.finished, None);
    let words: Vec<String> = summary.holds.iter().map(|hold| hold.reason.to_string()).collect();
    assert_eq!(words, ["1 of 1 location at once is taken, and it needs 1"]);
    assert_eq!((summary.so_far.locations, summary.so_far.settled), (2, 0));
    let over = finish(async {
        driver.run(world.campaign()).await.unwrap();
        crate::campaign::campaigns(&*world.log, jiff::Timestamp::MIN)
            .await
            .unwrap()
    });
    assert_eq!(over.campaigns[0].holds, []);
    assert_eq!(over.campaigns[0].so_far.settled, 2);
}
