//! Law 4: under a bound on the values of a tag, no more nodes of one value are at work at once, and no more end damaged, than the
//! request allows, wherever they are.
//!
//! Which value a node has is the simulator's own state, as is when it is at work and what becomes of it. What a bound comes to is
//! reckoned from the draft.

use super::bounded::{all_at_work, comes_to, damaged, most_at_once};
use crate::draft::Draft;
use crate::run::{Done, Run};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn bounded(run: &Run, done: &Done) {
    let Some(label) = run.draft.wish.label else {
        return;
    };
    let nodes = run.nodes();
    let value = |node: &str| nodes[node]["tags"]["Service"].as_str().unwrap_or("none");
    let planned: BTreeSet<(String, String)> = done
        .plan
        .locations
        .iter()
        .map(|at| (at.account.to_string(), at.region.to_string()))
        .collect();
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    for (node, place) in run.draft.listed() {
        if planned.contains(&Draft::location(place)) {
            *all.entry(value(&node)).or_default() += 1;
        }
    }
    let at_work = all_at_work(run);
    let damaged = damaged(run, &at_work);
    for (service, of) in all {
        if service == "none" && label.untagged == "unbounded" {
            continue;
        }
        if let Some(bound) = label.in_flight {
            let allowed = comes_to(bound, of).max(1);
            let own: Vec<_> = at_work
                .iter()
                .filter(|(node, ..)| value(node) == service)
                .copied()
                .collect();
            let most = most_at_once(&own);
            assert!(
                most <= allowed,
                "{most} nodes of {service} at work at once, allowed are {allowed} of {of}"
            );
        }
        if let Some(bound) = label.damaged {
            let allowed = comes_to(bound, of);
            let own: Vec<_> = damaged.iter().filter(|node| value(node) == service).collect();
            assert!(
                own.len() <= allowed,
                "{own:?} of {service} are damaged, allowed are {allowed} of {of}"
            );
        }
    }
}
