//! What holds over a campaign and those that try again what it left.
//!
//! Which nodes they were sent, and what became of these, is the simulator's own state.

use super::asked::Asked;
use super::bounded::{all_open, bounded};
use super::{labels, left, pair, waves};
use crate::draft::{Again, Deed, Selector};
use crate::run::{Done, Run, Tried};
use crate::starts::{Pair, id_of, place};
use patchfleet_core::outcome::NodeOutcome;
use patchfleet_core::request;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn again(run: &Run, first: &Done, asked: &Asked) {
    let mut before = vec![first];
    let retries = first.retries.iter();
    let retries: Vec<(&Run, Asked)> = retries
        .filter_map(|tried| match &tried.came {
            Tried::Ran(retry) => Some((&**retry, Asked::of_run(retry))),
            _ => None,
        })
        .collect();
    let chain: Vec<(&Run, &Asked)> = std::iter::once((run, asked))
        .chain(retries.iter().map(|(retry, own)| (*retry, own)))
        .collect();
    for (n, tried) in first.retries.iter().enumerate() {
        left::is_tried(run, asked, &before, tried);
        let Tried::Ran(retry) = &tried.came else {
            return;
        };
        let of = before[before.len() - 1];
        let sent = sent(retry);
        takes_what_was_left((run, asked), of, tried.which, &sent);
        nothing_is_at_work(retry, tried.which, &sent);
        let (earlier, own) = (&chain[..=n], chain[n + 1].1);
        for (at, wave) in &own.waves {
            assert_eq!(Some(wave), asked.waves.get(at), "{at:?} has left its wave");
        }
        super::of_one(&chain[..=n + 1]);
        // Over all of them together, and by the nodes of the first.
        bounded(retry, first);
        labels::bounded(retry, first);
        waves::guarded((retry, own), earlier, &before);
        before.push(retry.result.as_ref().unwrap());
    }
}

/// The nodes that a further campaign sent commands to, each with where it is and its invocation.
fn sent(retry: &Run) -> BTreeMap<&str, (Pair, &Value)> {
    let mut sent = BTreeMap::new();
    for command in retry.commands() {
        for one in command["invocations"].as_array().unwrap() {
            let node = one["node"].as_str().unwrap();
            let twice = sent.insert(node, (place(command), one));
            assert!(twice.is_none(), "{node} was sent {twice:?} and {command}");
        }
    }
    sent
}

/// Each of these nodes was one of the campaign before, which left it.
fn takes_what_was_left(
    (run, asked): (&Run, &Asked),
    of: &Done,
    which: Again,
    sent: &BTreeMap<&str, (Pair, &Value)>,
) {
    let mut rows = BTreeMap::new();
    for (location, all) in &of.ended.rows {
        rows.extend(all.iter().map(|row| (row.node.as_str(), (pair(location), row))));
    }
    let planned: BTreeSet<Pair> = of
        .plan
        .locations
        .iter()
        .map(|one| pair(&one.location()))
        .collect();
    let census = &asked.census;
    for (node, (at, _)) in sent {
        assert!(planned.contains(at), "{node} is in none of its locations");
        match rows.get(node) {
            Some((told_at, row)) => {
                let outcome = row.outcome;
                let may = match outcome {
                    NodeOutcome::NotRun => which != Again::Unreached,
                    NodeOutcome::Unreached if which == Again::Unreached => row.away,
                    NodeOutcome::Unreached => which == Again::Failed,
                    NodeOutcome::Failed | NodeOutcome::Lost => which == Again::Failed,
                    NodeOutcome::PendingReboot => {
                        which == Again::Failed && asked.at(at).reboot == "RebootIfNeeded"
                    }
                    // On a node of which nobody knows what it came to a command may be at work. These rows are as results were last
                    // read.
                    _ => false,
                };
                assert!(
                    may && told_at == at,
                    "{node} was {outcome:?}, and is tried again by {which:?}"
                );
            }
            // Nothing was begun in its location, and nobody had read which nodes it has.
            None => {
                let known = match &of.plan.request.targets.selector {
                    request::Selector::NodeIds(named) if of.plan.retries.is_some() => {
                        named.iter().any(|id| id.as_str() == *node)
                    }
                    _ => census.get(at).is_some_and(|ids| ids.contains(*node)),
                };
                assert!(
                    which != Again::Unreached && (known || joins(run, at)),
                    "{node} was none of its nodes"
                );
            }
        }
    }
}

/// Whether nodes may have joined the selection there since it was counted.
fn joins(run: &Run, at: &Pair) -> bool {
    let mut joined = run.draft.hands.iter().filter(|hand| hand.deed == Deed::JoinGroup);
    run.draft.wish.selector == Selector::Group && joined.any(|hand| hand.location(&run.draft) == *at)
}

/// No node is sent a command while another one is at work on it. A second attempt takes no node on which one began.
fn nothing_is_at_work(retry: &Run, which: Again, sent: &BTreeMap<&str, (Pair, &Value)>) {
    let before = retry
        .all_commands()
        .filter(|one| retry.since.contains(id_of(one)));
    for command in before {
        for one in command["invocations"].as_array().unwrap() {
            if !sent.contains_key(one["node"].as_str().unwrap()) {
                continue;
            }
            assert!(
                which != Again::Unreached || one["started"].is_null(),
                "{one} began, and was tried again as not reached"
            );
        }
    }
    let mut open: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (node, from, to, one) in all_open(retry) {
        let others = open.entry(node).or_default();
        for (since, until, other) in others.iter() {
            assert!(
                to <= *since || *until <= from,
                "{other} and {one} were at work at once"
            );
        }
        others.push((from, to, one));
    }
}
