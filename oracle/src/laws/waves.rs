//! No wave begins before the one before it is over, has soaked, has passed its gate and is approved of.
//!
//! Which wave a location is in follows from the request. When its executions and commands ran, and what became of its nodes, is the
//! simulator's own state.

use super::asked::Asked;
use crate::draft::{Deed, Draft, Gate, WAVES, Wave};
use crate::run::{Done, Run};
use crate::starts::{Pair, Span, place, time};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::outcome::{NodeOutcome, NodeRow};
use std::collections::{BTreeMap, BTreeSet};

/// What runs, and in which wave.
struct InWave<'a> {
    what: &'a Span<'a>,
    wave: usize,
}

fn in_waves<'a>(all: &'a [Span<'a>], asked: &Asked) -> Vec<InWave<'a>> {
    all.iter()
        .filter_map(|what| {
            let waves: BTreeSet<usize> = what
                .at
                .iter()
                .filter_map(|at| asked.waves.get(at).copied())
                .collect();
            assert!(waves.len() <= 1, "an execution of two waves: {}", what.what);
            let wave = waves.first().copied()?;
            Some(InWave { what, wave })
        })
        .collect()
}

/// The last campaign of a `chain` begins its waves in their order.
pub(super) fn in_order(done: &Done, chain: &[(&Run, &Asked)]) {
    let Some((run, asked)) = chain.last() else { return };
    if run.draft.wish.waves.is_empty() {
        return;
    }
    let (starts, below) = (run.starts(), run.below());
    let (parents, children) = (in_waves(&starts, asked), in_waves(&below, asked));
    for later in &parents {
        // Whoever says that a campaign goes on accepts what runs by then.
        let (wave, later) = (later.wave, later.what);
        let accepted = done.gone_on.iter().any(|said| *said <= later.from);
        for earlier in parents.iter().chain(&children).filter(|one| one.wave < wave) {
            let earlier = earlier.what;
            let is_over = earlier.to <= later.from;
            let is_added = earlier.from > later.from && done.gone_on.iter().any(|said| *said <= earlier.from);
            assert!(
                is_over || accepted || is_added,
                "{} began before {} was over",
                later.what,
                earlier.what
            );
        }
        for wave in 0..wave {
            let ends = parents
                .iter()
                .filter(|one| one.wave == wave && one.what.from < later.from);
            let Some(end) = ends.map(|one| one.what.to).max() else {
                continue;
            };
            if !accepted {
                between(done, chain, wave, (end, later));
            }
        }
    }
}

/// Between a wave, which was over at `end`, and an execution of a later one.
fn between(done: &Done, chain: &[(&Run, &Asked)], number: usize, (end, later): (Timestamp, &Span<'_>)) {
    let Some(((run, _), earlier)) = chain.split_last() else {
        return;
    };
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
    let went_on = earlier.iter().any(|(run, asked)| {
        let starts = run.starts();
        let mut waves = in_waves(&starts, asked).into_iter().map(|one| one.wave);
        waves.any(|wave| wave > number)
    });
    assert!(
        is_approved || !wave.approval || went_on,
        "{} began, and nobody had approved of wave {name}",
        later.what
    );
    if let Some(gate) = wave.gate {
        gated(chain, number, gate, (is_approved, went_on), later);
    }
}

/// A further campaign begins no wave after one of which it begins nothing, unless that had soaked, was approved of and had passed its
/// gate, in this campaign or in those `before` it. A wave after which an earlier campaign has gone on guards nothing any more.
pub(super) fn guarded((retry, asked): (&Run, &Asked), runs: &[(&Run, &Asked)], before: &[&Done]) {
    let done = retry.result.as_ref().unwrap();
    let all: Vec<&Done> = before.iter().copied().chain([done]).collect();
    if all.iter().any(|done| !done.gone_on.is_empty()) {
        return;
    }
    let in_wave = |asked: &Asked, what: &Span<'_>| what.at.iter().find_map(|at| asked.waves.get(at).copied());
    let own = retry.starts();
    let wave_of = |what: &Span<'_>| in_wave(asked, what);
    let earlier = runs.iter().flat_map(|(run, asked)| {
        let starts = run.starts().into_iter();
        starts.filter_map(|what| Some((in_wave(asked, &what)?, what.to)))
    });
    let earlier: Vec<(usize, Timestamp)> = earlier.collect();
    for later in &own {
        let Some(wave) = wave_of(later) else { continue };
        for (number, guard) in retry.draft.wish.waves.iter().enumerate().take(wave) {
            let there = earlier.iter().filter(|(wave, _)| *wave >= number);
            let (of_wave, after): (Vec<_>, Vec<_>) = there.partition(|(wave, _)| *wave == number);
            let is_tried = own.iter().any(|what| wave_of(what) == Some(number));
            let Some(end) = of_wave.iter().map(|(_, to)| *to).max() else {
                continue;
            };
            if !after.is_empty() {
                continue;
            }
            is_tried_again((retry, runs), before, number, later);
            if is_tried {
                continue;
            }
            let name = WAVES[number];
            let soaked = later.from.duration_since(end);
            let least = SignedDuration::from_mins(guard.soak_minutes.unwrap_or(0).into());
            assert!(
                soaked >= least,
                "{} began {soaked:#} after wave {name} of an earlier campaign",
                later.what
            );
            let mut approvals = all.iter().flat_map(|done| &done.approved);
            let is_approved = approvals.any(|(at, of)| of == name && *at <= later.from);
            assert!(
                is_approved || !guard.approval,
                "{} began, and nobody had approved of wave {name} of an earlier campaign",
                later.what
            );
            if let Some(gate) = guard.gate {
                gated(runs, number, gate, (is_approved, false), later);
            }
        }
    }
}

/// A wave that failed its gate in an earlier campaign, by the rows of its nodes, holds the later ones back until each of its nodes that did
/// not come to its goal then has done so, or is tried again. A person may have approved since.
fn is_tried_again(
    (retry, runs): (&Run, &[(&Run, &Asked)]),
    before: &[&Done],
    number: usize,
    later: &Span<'_>,
) {
    let guard = &retry.draft.wish.waves[number];
    let Some(gate) = guard.gate else { return };
    let done = retry.result.as_ref().unwrap();
    let mut approvals = before
        .iter()
        .copied()
        .chain([done])
        .flat_map(|done| &done.approved);
    if approvals.any(|(at, of)| of == WAVES[number] && *at <= later.from) {
        return;
    }
    let mut open: BTreeSet<String> = BTreeSet::new();
    let mut is_held = false;
    // What each node came to last.
    let mut all: BTreeMap<&str, NodeOutcome> = BTreeMap::new();
    for ((_, asked), done) in runs.iter().zip(before) {
        let rows = done.ended.rows.iter();
        let rows = rows.filter(|(location, _)| asked.waves.get(&super::pair(location)) == Some(&number));
        let rows: Vec<&NodeRow> = rows.flat_map(|(_, rows)| rows).collect();
        all.extend(rows.iter().map(|row| (row.node.as_str(), row.outcome)));
        let is_patched = |outcome: &&NodeOutcome| {
            !matches!(
                outcome,
                NodeOutcome::NotRun | NodeOutcome::Unreached | NodeOutcome::Unmanaged | NodeOutcome::Gone
            )
        };
        let patched = all.values().filter(is_patched).count();
        let bad = all
            .values()
            .filter(is_patched)
            .filter(|one| **one != NodeOutcome::Done)
            .count();
        let unsure = all
            .values()
            .filter(is_patched)
            .filter(|one| one.is_unknown())
            .count();
        if patched - unsure >= gate.sample as usize
            && gate.failed.is_some_and(|allowed| exceeds(allowed, bad, patched))
        {
            is_held = true;
        }
        for row in &rows {
            match row.outcome {
                NodeOutcome::Done | NodeOutcome::PendingReboot => {
                    open.remove(row.node.as_str());
                }
                NodeOutcome::NotRun | NodeOutcome::Unreached | NodeOutcome::Unmanaged | NodeOutcome::Gone => {
                }
                _ => {
                    open.insert(row.node.to_string());
                }
            }
        }
    }
    let mut tried = BTreeSet::new();
    for one in retry
        .commands()
        .flat_map(|command| command["invocations"].as_array().unwrap())
    {
        if !one["started"].is_null() && time(&one["started"]) <= later.from {
            tried.insert(one["node"].as_str().unwrap());
        }
    }
    let left: Vec<&String> = open
        .iter()
        .filter(|node| !tried.contains(node.as_str()))
        .collect();
    assert!(
        !is_held || left.is_empty(),
        "{} began, and {left:?} of wave {} had failed in an earlier campaign and were not tried again, with {gate:?}",
        later.what,
        WAVES[number]
    );
}

/// Whether so many of these are more than may be.
fn exceeds(allowed: &str, found: usize, of: usize) -> bool {
    match allowed.strip_suffix('%') {
        Some(percent) => found * 100 > percent.parse::<usize>().unwrap() * of,
        None => found > allowed.parse().unwrap(),
    }
}

/// The nodes of a wave passed its gate before `later` began, by what is certain in the simulator's state: a node that nobody
/// else touches and that is bad at the end was bad when its command was over. A campaign and those that try again what it left are one
/// piece of work: each node counts as the last of them left it.
fn gated(
    chain: &[(&Run, &Asked)],
    number: usize,
    gate: Gate,
    (is_approved, went_on): (bool, bool),
    later: &Span<'_>,
) {
    let (mut begun, mut failed, mut taken) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (run, asked) in chain {
        let is_of = |at: &Pair| asked.waves.get(at) == Some(&number);
        let nodes = run.nodes();
        if run.is_further() {
            for node in asked.census.values().flatten() {
                begun.remove(node.as_str());
                failed.remove(node.as_str());
            }
        }
        for command in run.commands().filter(|command| is_of(&place(command))) {
            for one in command["invocations"].as_array().unwrap() {
                let node = one["node"].as_str().unwrap();
                if one["started"].is_null() || time(&one["started"]) > later.from {
                    if takes_away(run) {
                        taken.insert(node);
                    }
                    continue;
                }
                begun.insert(node);
                let has_failed = one["status_details"] == "Failed" && !one["ended"].is_null();
                if has_failed || nodes[node]["patches"]["failed"].as_u64() > Some(0) {
                    failed.insert(node);
                }
            }
        }
    }
    if let Some(allowed) = gate.failed {
        assert!(
            !exceeds(allowed, failed.len(), begun.len()) || is_approved,
            "{} began, and {failed:?} of {begun:?} had failed, with {gate:?}",
            later.what
        );
        // A node that somebody takes away while a command waits for it may be told as lost, which is a result.
        let known = begun.union(&taken).count();
        assert!(
            known >= gate.sample as usize || is_approved || went_on,
            "{} began, and only {known} nodes had their turn, with {gate:?}",
            later.what
        );
    }
    let Some(allowed) = gate.unreached else { return };
    let Some((run, asked)) = chain.last() else { return };
    if run.draft.hands.is_empty() {
        let listed: Vec<(String, Pair)> = match run.is_further() {
            true => {
                let named = asked.census.iter();
                named
                    .flat_map(|(at, ids)| ids.iter().map(|id| (id.clone(), at.clone())))
                    .collect()
            }
            false => {
                let listed = run.draft.listed().into_iter();
                listed.map(|(id, place)| (id, Draft::location(place))).collect()
            }
        };
        // Nodes that an earlier campaign did not reach, and that are not tried again, count as well: that is left out here.
        let unreached = listed
            .iter()
            .filter(|(id, at)| asked.waves.get(at) == Some(&number) && !begun.contains(id.as_str()))
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
