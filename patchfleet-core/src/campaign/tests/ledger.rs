//! The ledger against a count by hand, after every record of every campaign that the tests of this crate run.

use crate::campaign::{LocationState, StartState, State, UnitState};
use crate::id::{Location, UnitId};
use crate::outcome::LocationOutcome;
use crate::port::ExecutionStatus;
use std::collections::{BTreeMap, BTreeSet};

/// Counts by walking over units and locations, and compares. Of a campaign with many units every eighth record is
/// looked at.
pub(crate) fn assert_counted(state: &State) {
    if crate::campaign::rule::planted::is_any_left_out() {
        return; // a test of what shows without this
    }
    if state.units().len() > 8 && !state.next_seq().is_multiple_of(8) {
        return;
    }
    let settled = |unit: &UnitState| unit.locations.values().all(|at| at.settled.is_some());
    let any_settled = |unit: &UnitState| unit.locations.values().any(|at| at.settled.is_some());
    let mut waiting = vec![];
    let mut intended = vec![];
    let mut ending = vec![];
    let (mut unresolved, mut unresolved_locations) = (vec![], 0);
    let mut at_work: BTreeSet<&Location> = BTreeSet::new();
    let (mut over, mut places, mut locations) = (0, 0_u64, 0);
    for (id, unit) in state.units() {
        let is_over = match unit.start {
            StartState::Started { .. } => settled(unit) && unit.ended.is_some(),
            StartState::Intended(_) => false,
            _ => settled(unit),
        };
        assert_eq!(unit.is_over(), is_over, "unit {id}");
        over += usize::from(is_over);
        match unit.start {
            StartState::NotStarted => {
                if !is_over && !unit.left_out && !any_settled(unit) {
                    waiting.push(*id);
                }
                continue;
            }
            StartState::Intended(_) => intended.push(*id),
            StartState::Unresolved { .. } if !is_over => {
                unresolved.push(*id);
                unresolved_locations += unit.locations.len() as u64;
            }
            StartState::Started { .. } if settled(unit) && unit.ended.is_none() => ending.push(*id),
            _ => {}
        }
        if !is_over {
            places += u64::from(state.at_once(*id));
            locations += unit.locations.len() as u64;
            at_work.extend(unit.locations.keys());
        }
    }
    let mut ready: Vec<UnitId> = waiting
        .iter()
        .filter(|id| !state.units()[*id].locations.keys().any(|at| at_work.contains(at)))
        .copied()
        .collect();
    ready.sort_by_key(|id| (state.plan().unit(*id).unwrap().wave, *id));
    assert_eq!(state.waiting().collect::<Vec<_>>(), waiting, "waiting");
    assert_eq!(state.ready().collect::<Vec<_>>(), ready, "ready");
    assert_eq!(state.intended().collect::<Vec<_>>(), intended, "intended");
    assert_eq!(state.ending().collect::<Vec<_>>(), ending, "ending");
    assert_eq!(state.unresolved().collect::<Vec<_>>(), unresolved, "unresolved");
    assert_eq!(
        state.so_far().unresolved,
        unresolved_locations,
        "unresolved locations"
    );
    assert_eq!(state.all_over(), over == state.units().len(), "over");
    assert_eq!(state.places_taken(), places, "places");
    assert_eq!(state.open_counts().1, locations, "locations open");

    let ended = |at: &LocationState| at.status.as_ref().is_some_and(ExecutionStatus::is_terminal);
    let undecided = state
        .locations()
        .filter(|(.., at)| at.settled.is_none() && ended(at));
    let (mut all, mut badly) = (0, 0);
    for (.., at) in undecided {
        all += 1;
        badly += u32::from(at.status.as_ref().unwrap().as_str() != "Success");
    }
    assert_eq!(
        state.unread_so_far(),
        (all, badly),
        "ended, badly so, and not read"
    );

    let failed: BTreeSet<&Location> = state
        .locations()
        .filter(|(unit, location, at)| state.counts_as_failed(*unit, location, at))
        .map(|(_, location, _)| location)
        .collect();
    assert_eq!(state.failed_locations() as usize, failed.len(), "failed");
    for (id, unit) in state.units() {
        let unreached = |at: &&LocationState| at.outcome() == Some(LocationOutcome::NotStarted);
        let unreached = unit.locations.values().filter(unreached).count();
        assert_eq!(unit.counts.unreached as usize, unreached, "unreached of {id}");
        let bad = |at: &&LocationState| {
            let well = |word: &str| matches!(word, "Success" | "CompletedWithSuccess");
            ended(at) && !well(at.status.as_ref().unwrap().as_str())
        };
        let bad = unit.locations.values().filter(bad).count();
        assert_eq!(unit.counts.steps_failed as usize, bad, "failed steps of {id}");
    }
    let so_far = state.so_far();
    let running = state
        .locations()
        .filter(|(.., at)| at.settled.is_none() && (at.child.is_some() || !at.commands.is_empty()));
    let settled = state.locations().filter(|(.., at)| at.settled.is_some());
    assert_eq!(so_far.locations as usize, state.locations().count(), "locations");
    assert_eq!(so_far.running as usize, running.count(), "running");
    assert_eq!(so_far.settled as usize, settled.count(), "settled");
    assert_shared(state);
    super::admission::assert_rules(state);
}

fn assert_shared(state: &State) {
    let mut all: BTreeMap<&Location, (u32, u32, u32)> = BTreeMap::new();
    for unit in state.units().values().filter(|unit| !unit.named.is_empty()) {
        for (location, at) in &unit.locations {
            let (units, nodes, errors) = all.entry(location).or_default();
            *units += 1;
            *nodes += unit.named.len() as u32;
            if let Some(settled) = &at.settled {
                let counted = at.counts().map_or(0, |counts| counts.errors);
                let bad = settled
                    .nodes
                    .iter()
                    .filter(|(outcome, _)| outcome.is_damaged() || outcome.is_unknown());
                *errors += counted.max(bad.map(|(_, n)| n).sum());
            }
        }
    }
    for (location, counted) in all {
        let shared = state.shared(location).unwrap();
        assert_eq!((shared.units, shared.nodes, shared.errors), counted, "{location}");
    }
}
