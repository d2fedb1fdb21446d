//! Results that are read again once a campaign is over.

use crate::campaign::Ended;
use crate::run::{Collected, Done};
use patchfleet_core::outcome::{NodeOutcome, NodeRow};
use std::collections::BTreeMap;

/// Reading the results again began nothing, and took back nothing that was known of a node.
pub(super) fn only_read(done: &Done) {
    if let Some(collected) = &done.collected {
        is_kept(collected, &done.ended);
    }
    if let Some((collected, now)) = &done.collected_last {
        is_kept(collected, now);
    }
}

fn is_kept(collected: &Collected, now: &Ended) {
    let began = &collected.begun_since;
    assert!(began.is_empty(), "reading results began {began:?}");
    let is_known = |row: &NodeRow| {
        matches!(
            row.outcome,
            NodeOutcome::Done | NodeOutcome::PendingReboot | NodeOutcome::Missing | NodeOutcome::Failed
        )
    };
    for (location, before) in &collected.before.rows {
        let told: BTreeMap<_, _> = now.rows[location].iter().map(|row| (&row.node, row)).collect();
        for row in before.iter().filter(|row| is_known(row)) {
            let told = told.get(&row.node);
            assert!(told.is_some_and(|told| is_known(told)), "{row:?} became {told:?}");
        }
        assert!(told.len() >= before.len(), "{before:?} became {told:?}");
    }
}
