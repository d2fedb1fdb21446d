//! Results that are read again, beside what was known before: each node keeps what says more of it.

use crate::campaign::collect::Settlement;
use crate::id::NodeId;
use crate::outcome::LocationOutcome;
use crate::outcome::{Goal, NodeOutcome, NodeRow, Tally};
use crate::port::PatchStateView;
use std::collections::BTreeMap;

/// How much an outcome says of a node: nothing, how the node was found, or what its run came to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Says {
    Nothing,
    /// Later than the run, it may say something else. A node that is stopped since looks lost.
    Presence,
    /// By its patch state, which the next run writes over.
    Result,
}

impl From<NodeOutcome> for Says {
    fn from(outcome: NodeOutcome) -> Self {
        match outcome {
            NodeOutcome::Unknown | NodeOutcome::RunningAtExpiry => Self::Nothing,
            NodeOutcome::Done | NodeOutcome::PendingReboot | NodeOutcome::Missing | NodeOutcome::Failed => {
                Self::Result
            }
            NodeOutcome::Lost
            | NodeOutcome::Unreached
            | NodeOutcome::NotRun
            | NodeOutcome::Unmanaged
            | NodeOutcome::Gone => Self::Presence,
        }
    }
}

/// What was read `again`, with the rows `before` wherever these say more of a node.
pub(super) fn merged(again: Settlement, before: Vec<NodeRow>, goal: Goal) -> Settlement {
    // Nodes that are known by number alone.
    let named: Tally = again.rows.iter().map(|row| row.outcome).collect();
    let unnamed = |outcome| {
        let all = again.nodes.count(outcome);
        all.saturating_sub(named.count(outcome))
    };
    let mut unknown = unnamed(NodeOutcome::Unknown);
    let partial = again.outcome == LocationOutcome::ResultsUnreadable;
    let mut rows: BTreeMap<NodeId, NodeRow> = again
        .rows
        .iter()
        .map(|row| (row.node.clone(), row.clone()))
        .collect();
    let mut changed = false;
    for row in before {
        let says = Says::from(row.outcome);
        let keep = match rows.get(&row.node) {
            Some(read) => says > Says::from(read.outcome) || stays_lost(&row, read),
            None => says == Says::Result || (partial && says > Says::Nothing),
        };
        if let (false, Some(read)) = (keep, rows.get_mut(&row.node)) {
            let state = again.short.get(&row.node);
            keep_names(read, &row, state);
        }
        if keep {
            changed = true;
            if rows.insert(row.node.clone(), row).is_none() {
                // It was one of those that had no name.
                unknown = unknown.saturating_sub(1);
            }
        }
    }
    if !changed {
        return Settlement {
            rows: rows.into_values().collect(),
            ..again
        };
    }
    let mut nodes: Tally = rows.values().map(|row| row.outcome).collect();
    for (outcome, _) in again.nodes.iter() {
        let n = match outcome {
            NodeOutcome::Unknown => unknown,
            outcome => unnamed(outcome),
        };
        nodes.add(outcome, n);
    }
    let (outcome, detail) = in_words(&again, &nodes, goal);
    Settlement {
        outcome,
        detail,
        nodes,
        rows: rows.into_values().collect(),
        ..again
    }
}

/// Whether a node that was lost is so still: its agent answers, and has nothing to tell of what the command may have begun there.
fn stays_lost(before: &NodeRow, read: &NodeRow) -> bool {
    let tells_nothing = matches!(read.outcome, NodeOutcome::Unreached | NodeOutcome::NotRun);
    before.outcome == NodeOutcome::Lost && tells_nothing
}

/// Keeps the names that were read before, if this time they could not be read, and the patch state is still the report
/// that they are of.
fn keep_names(read: &mut NodeRow, before: &NodeRow, state: Option<&PatchStateView>) {
    let has_names = |row: &NodeRow| row.patches.as_ref().is_some_and(|names| !names.named.is_empty());
    let reported_at = before.patches.as_ref().and_then(|names| names.reported_at);
    let is_same_report = reported_at.is_some() && reported_at == state.map(|state| state.ended_at);
    if is_same_report && read.shortfall() == before.shortfall() && has_names(before) && !has_names(read) {
        read.patches.clone_from(&before.patches);
    }
}

/// What the location came to with these nodes. Where not even the selection could be read, or not
/// every result, that stands.
fn in_words(again: &Settlement, nodes: &Tally, goal: Goal) -> (LocationOutcome, String) {
    if again.outcome == LocationOutcome::ResultsUnreadable {
        return (again.outcome, again.detail.clone());
    }
    let before = again.nodes.shortfall(goal).unwrap_or_default();
    let rest = again.detail.strip_prefix(&before).unwrap_or(&again.detail);
    let rest = rest.trim_start_matches("; ");
    match nodes.shortfall(goal) {
        None => (LocationOutcome::Succeeded, rest.to_owned()),
        Some(words) => {
            let outcome = match again.outcome {
                LocationOutcome::Succeeded => LocationOutcome::NodesFailed,
                other => other,
            };
            let words = [words.as_str(), rest]
                .into_iter()
                .filter(|words| !words.is_empty());
            (outcome, words.collect::<Vec<_>>().join("; "))
        }
    }
}
