//! No wave begins before the one before it is over, has soaked, has passed its gate and is approved of.
//!
//! Which wave a location is in follows from the request. When its executions and commands ran, and what became of its nodes, is the
//! simulator's own state.

use super::{place, time};
use crate::draft::{Deed, Draft, Gate, Has, WAVES, Wave};
use crate::run::{Done, Run};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

type Pair = (String, String);

/// The wave of each location of the plan, from 0. A wave that draws its locations has those that the plan says.
fn waves(draft: &Draft, done: &Done) -> BTreeMap<Pair, usize> {
    let mut waves = BTreeMap::new();
    for one in &done.plan.locations {
        let at = (one.account.to_string(), one.region.to_string());
        let said = one.wave.checked_sub(1).unwrap() as usize;
        let mut named = draft.wish.waves.iter();
        let wave = named
            .position(|wave| match wave.has {
                Has::Region(region) => at.1 == Draft::location(region).1,
                Has::Account(account) => at.0 == Draft::location(account * 2).0,
                Has::Count(_) => draft
                    .wish
                    .waves
                    .get(said)
                    .is_some_and(|it| std::ptr::eq(it, wave)),
            })
            .unwrap_or(draft.wish.waves.len());
        assert_eq!(said, wave, "the plan puts {at:?} into another wave");
        waves.insert(at, wave);
    }
    for (number, wave) in draft.wish.waves.iter().enumerate() {
        if let Has::Count(count) = wave.has {
            let has = waves.values().filter(|wave| **wave == number).count();
            assert!(has <= count as usize, "wave {number} has {has} locations");
        }
    }
    waves
}

/// What runs, from when and until when.
#[derive(Debug)]
struct Span<'a> {
    what: &'a Value,
    wave: usize,
    from: Timestamp,
    to: Timestamp,
}

fn spans<'a>(all: impl Iterator<Item = &'a Value>, wave: impl Fn(&Value) -> Option<usize>) -> Vec<Span<'a>> {
    all.filter_map(|what| {
        Some(Span {
            what,
            wave: wave(what)?,
            from: time(&what["started"]),
            to: what["ended"]
                .as_str()
                .map_or(Timestamp::MAX, |at| at.parse().unwrap()),
        })
    })
    .collect()
}

pub(super) fn in_order(run: &Run, done: &Done) {
    if run.draft.wish.waves.is_empty() {
        return;
    }
    let waves = waves(&run.draft, done);
    let of_parent = |parent: &Value| {
        let targets = parent["target_locations"].as_array().unwrap().iter();
        let at = targets.map(|target| {
            let first = |name: &str| target[name][0].as_str().unwrap().to_owned();
            (first("Accounts"), first("Regions"))
        });
        let all: BTreeSet<usize> = at.map(|at| waves[&at]).collect();
        assert_eq!(all.len(), 1, "an execution of two waves: {parent}");
        all.first().copied()
    };
    let parents = spans(run.parents(), of_parent);
    let children = run.after["executions"].as_array().unwrap().iter();
    let children = children.filter(|one| !one["parent"].is_null());
    let children = spans(children, |child| waves.get(&place(child)).copied());
    for later in &parents {
        // Whoever says that a campaign goes on accepts what runs by then.
        let accepted = done.gone_on.iter().any(|said| *said <= later.from);
        for earlier in parents
            .iter()
            .chain(&children)
            .filter(|one| one.wave < later.wave)
        {
            let is_over = earlier.to <= later.from;
            let is_added = earlier.from > later.from && done.gone_on.iter().any(|said| *said <= earlier.from);
            assert!(
                is_over || accepted || is_added,
                "{} began before {} was over",
                later.what,
                earlier.what
            );
        }
        for wave in 0..later.wave {
            let ends = parents
                .iter()
                .filter(|one| one.wave == wave && one.from < later.from);
            let Some(end) = ends.map(|one| one.to).max() else {
                continue;
            };
            if !accepted {
                between(run, done, wave, &waves, (end, later));
            }
        }
    }
}

/// Between a wave, which was over at `end`, and an execution of a later one.
fn between(
    run: &Run,
    done: &Done,
    number: usize,
    waves: &BTreeMap<Pair, usize>,
    (end, later): (Timestamp, &Span<'_>),
) {
    let wave: &Wave = &run.draft.wish.waves[number];
    let name = WAVES[number];
    if let Some(minutes) = wave.soak_minutes {
        let soaked = later.from.duration_since(end);
        let least = SignedDuration::from_mins(minutes.into());
        assert!(
            soaked >= least,
            "{} began {soaked:#} after wave {name}",
            later.what
        );
    }
    let mut approvals = done.approved.iter();
    let is_approved = approvals.any(|(at, of)| of == name && end <= *at && *at <= later.from);
    assert!(
        is_approved || !wave.approval,
        "{} began, and nobody had approved of wave {name}",
        later.what
    );
    if let Some(gate) = wave.gate {
        gated(run, gate, is_approved, |at| waves.get(at) == Some(&number), later);
    }
}

/// The nodes of a wave passed its gate before `later` began, by what is certain in the simulator's state: a node that nobody
/// else touches and that is bad at the end was bad when its command was over.
fn gated(run: &Run, gate: Gate, is_approved: bool, is_of: impl Fn(&Pair) -> bool, later: &Span<'_>) {
    let nodes = run.nodes();
    let (mut begun, mut failed, mut not_begun) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let commands = run.after["commands"].as_array().unwrap().iter();
    for command in commands.filter(|command| is_of(&place(command))) {
        for one in command["invocations"].as_array().unwrap() {
            let node = one["node"].as_str().unwrap();
            if one["started"].is_null() || time(&one["started"]) > later.from {
                not_begun.insert(node);
                continue;
            }
            begun.insert(node);
            let has_failed = one["status_details"] == "Failed" && !one["ended"].is_null();
            if has_failed || nodes[node]["patches"]["failed"].as_u64() > Some(0) {
                failed.insert(node);
            }
        }
    }
    let exceeds = |allowed: &str, found: usize, of: usize| match allowed.strip_suffix('%') {
        Some(percent) => found * 100 > percent.parse::<usize>().unwrap() * of,
        None => found > allowed.parse().unwrap(),
    };
    if let Some(allowed) = gate.failed {
        assert!(
            !exceeds(allowed, failed.len(), begun.len()) || is_approved,
            "{} began, and {failed:?} of {begun:?} had failed, with {gate:?}",
            later.what
        );
        // A node that somebody takes away while a command waits for it may be told as lost, which is a result.
        let taken = if takes_away(run) { not_begun.len() } else { 0 };
        let known = begun.len() + taken;
        assert!(
            known >= gate.sample as usize || is_approved,
            "{} began, and only {known} nodes had their turn, with {gate:?}",
            later.what
        );
    }
    let Some(allowed) = gate.unreached else { return };
    if run.draft.hands.is_empty() {
        let listed = run.draft.listed().into_iter();
        let unreached = listed
            .filter(|(id, place)| is_of(&Draft::location(*place)) && !begun.contains(id.as_str()))
            .count();
        assert!(
            !exceeds(allowed, unreached, unreached + begun.len()) || is_approved,
            "{} began, and {unreached} nodes were not reached beside {begun:?}, with {gate:?}",
            later.what
        );
    }
}

/// Whether somebody else takes nodes away, or brings them back.
fn takes_away(run: &Run) -> bool {
    let deeds = [
        Deed::Stop,
        Deed::Terminate,
        Deed::LoseAgent,
        Deed::GainAgent,
        Deed::Start,
    ];
    run.draft.hands.iter().any(|hand| deeds.contains(&hand.deed))
}
