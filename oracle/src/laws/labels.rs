//! Law 4: under a bound on the values of a label, no more nodes of one value are at work at once, and no more end damaged, than the
//! request allows, wherever they are.
//!
//! Which value of a tag a node has, and where it is, is the simulator's own state, as is when it is at work and what becomes of it. What a bound comes to is
//! reckoned from the draft.

use super::bounded::{all_at_work, comes_to, damaged, most_at_once};
use crate::draft::{Draft, Label};
use crate::run::{Done, Run};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn bounded(run: &Run, done: &Done) {
    let nodes = run.nodes();
    let wish = &run.draft.wish;
    if let Some(label) = wish.label {
        let service = |node: &str| {
            nodes[node]["tags"]["Service"]
                .as_str()
                .unwrap_or("none")
                .to_owned()
        };
        by_value(run, done, label, service);
    }
    for (by, label) in &wish.other_labels {
        by_value(run, done, *label, |node| {
            nodes[node][by.key()].as_str().unwrap().to_owned()
        });
    }
}

/// What holds of each value of a label.
fn by_value(run: &Run, done: &Done, label: Label, value: impl Fn(&str) -> String) {
    let planned: BTreeSet<(String, String)> = done
        .plan
        .locations
        .iter()
        .map(|at| (at.account.to_string(), at.region.to_string()))
        .collect();
    let mut all: BTreeMap<String, usize> = BTreeMap::new();
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
