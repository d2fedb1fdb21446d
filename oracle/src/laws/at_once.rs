//! Law 4: no more locations, and no more nodes of a location, are at work at once than the request allows there. A wave's own
//! bounds hold in its locations.

use super::asked::{Asked, of_wave};
use super::bounded::{at_work, comes_to, damaged, most_at_once};
use crate::draft::{Deed, Wave};
use crate::run::{Done, Run};
use crate::starts::{Pair, Span, end, place, time};
use jiff::Timestamp;
use std::collections::BTreeSet;

pub(super) fn bounded(run: &Run, done: &Done, asked: &Asked) {
    nodes_of_a_location(run, asked);
    locations(run, done, asked);
    for (number, wave) in run.draft.wish.waves.iter().enumerate() {
        let own = wave.own;
        if own.in_flight.is_some() || own.damaged.is_some() {
            fleet_of_a_wave(run, done, asked, (number, wave));
        }
    }
}

/// A command has so many nodes at work at once, of those that it could have.
fn nodes_of_a_location(run: &Run, asked: &Asked) {
    let wish = &run.draft.wish;
    let mut joins = run.draft.hands.iter().filter(|hand| hand.deed == Deed::JoinGroup);
    if joins.next().is_some() {
        // Shares are of the nodes that are there then.
        return;
    }
    let census = &asked.census;
    for command in run.commands() {
        let at = place(command);
        let wave = asked.waves.get(&at).and_then(|wave| wish.waves.get(*wave));
        let (at_once, _) = wave.and_then(|wave| wave.own.nodes).unwrap_or(wish.nodes);
        let of = census.get(&at).map_or(0, BTreeSet::len);
        // AWS does not say how it rounds a share.
        let allowed = match at_once.strip_suffix('%') {
            Some(percent) => (of * percent.parse::<usize>().unwrap()).div_ceil(100).max(1),
            None => at_once.parse().unwrap(),
        };
        let all = command["invocations"].as_array().unwrap().iter();
        let open: Vec<(Timestamp, Timestamp)> = all
            .filter(|one| !one["started"].is_null())
            .map(|one| (time(&one["started"]), end(one)))
            .collect();
        let during = |at: Timestamp| {
            open.iter()
                .filter(move |(from, to)| *from <= at && at < *to)
                .count()
        };
        let most = open.iter().map(|(from, _)| during(*from)).max().unwrap_or(0);
        assert!(
            most <= allowed,
            "{most} nodes at once, allowed are {allowed}: {command}"
        );
    }
}

/// So many locations are at work at once, and nothing runs beside something else of its location.
fn locations(run: &Run, done: &Done, asked: &Asked) {
    let wish = &run.draft.wish;
    if !done.gone_on.is_empty() {
        // Whoever says that a campaign goes on accepts what runs by then.
        return;
    }
    let below = run.below();
    for later in &below {
        let mut others = below
            .iter()
            .filter(|one| one.id() != later.id() && one.at == later.at);
        let beside = others.find(|one| one.from <= later.from && later.from < one.to);
        assert!(
            beside.is_none(),
            "{beside:?} ran in its location when {} began",
            later.what
        );
        let open = |one: &&Span<'_>| one.from <= later.from && later.from < one.to;
        let at_work: BTreeSet<&Pair> = below.iter().filter(open).flat_map(|one| &one.at).collect();
        let own = later.at.first().and_then(|at| asked.waves.get(at));
        let own = own.and_then(|wave| wish.waves.get(*wave)?.own.locations);
        let allowed = own.unwrap_or(wish.locations.0) as usize;
        assert!(
            at_work.len() <= allowed,
            "{at_work:?} are at work at once, allowed are {allowed}: {}",
            later.what
        );
    }
}

/// Strict bounds on the nodes of one wave.
fn fleet_of_a_wave(run: &Run, done: &Done, asked: &Asked, (number, wave): (usize, &Wave)) {
    let nodes = run.nodes();
    let mine: BTreeSet<&Pair> = of_wave(&asked.waves, number).collect();
    let is_mine = |node: &str| mine.contains(&place(nodes[node]));
    let all = match run.is_further() {
        true => asked.census.values().flatten().filter(|id| is_mine(id)).count(),
        false => run.draft.listed().iter().filter(|(id, _)| is_mine(id)).count(),
    };
    let at_work = at_work(run);
    let own: Vec<_> = at_work
        .iter()
        .filter(|(node, ..)| is_mine(node))
        .copied()
        .collect();
    if let Some(bound) = wave.own.in_flight {
        let allowed = comes_to(bound, all).max(1);
        let most = most_at_once(&own);
        assert!(
            most <= allowed || super::bounded::runs_on(run, done),
            "{most} nodes of wave {number} at work at once, allowed are {allowed} of {all}"
        );
    }
    if let Some(bound) = wave.own.damaged {
        // A share of the few nodes that are left comes to one of them at least.
        let allowed = comes_to(bound, all).max(run.is_further().into());
        let damaged = damaged(run, &own);
        assert!(
            damaged.len() <= allowed,
            "{damaged:?} of wave {number} are damaged, allowed are {allowed} of {all}"
        );
    }
}
