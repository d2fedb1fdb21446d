//! Results that are read again once a campaign is over.

use crate::run::Done;
use patchfleet_core::outcome::{NodeOutcome, NodeRow};
use std::collections::BTreeMap;

/// Reading the results again began nothing, and took back nothing that was known of a node.
pub(super) fn only_read(done: &Done) {
    let Some(collected) = &done.collected else {
        return;
    };
    let began = &collected.begun_since;
    assert!(began.is_empty(), "reading results began {began:?}");
    let is_known = |row: &NodeRow| {
        matches!(
            row.outcome,
            NodeOutcome::Done | NodeOutcome::PendingReboot | NodeOutcome::Missing | NodeOutcome::Failed
        )
    };
    for (location, before) in &collected.before.rows {
        let now: BTreeMap<_, _> = done.ended.rows[location]
            .iter()
            .map(|row| (&row.node, row))
            .collect();
        for row in before.iter().filter(|row| is_known(row)) {
            let told = now.get(&row.node);
            assert!(told.is_some_and(|told| is_known(told)), "{row:?} became {told:?}");
        }
        assert!(now.len() >= before.len(), "{before:?} became {now:?}");
    }
}
