//! Results that are read again once a campaign is over.

use crate::run::{Done, Run};
use patchfleet_core::outcome::{NodeOutcome, NodeRow};
use std::collections::BTreeMap;

/// Reading the results again began nothing, and took back nothing that was known of a node.
pub(super) fn only_read(run: &Run, done: &Done) {
    let Some(collected) = &done.collected else {
        return;
    };
    let executions = run.after["executions"].as_array().unwrap();
    assert_eq!(executions.len(), collected.executions, "something began");
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
