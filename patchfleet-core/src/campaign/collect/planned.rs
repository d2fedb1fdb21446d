//! Compares the nodes of a location with those that were planned there.

use super::{Found, Job, Settlement, nodes};
use crate::campaign::State;
use crate::campaign::classify::{GONE, LEFT};
use crate::census::NodeCounts;
use crate::id::{Location, NodeId, NodeSet};
use crate::outcome::LocationOutcome;
use crate::outcome::{NodeOutcome, NodeRow};
use crate::port::ExecutionStatus;
use crate::text::by_number;
use std::collections::BTreeSet;

/// What those that left came to.
struct Left {
    all: u32,
    /// Those that Systems Manager still lists.
    not_patched: u32,
    /// Whether one of them is short of the goal.
    short: bool,
}

impl Found {
    /// The rows of the nodes that left. One that Systems Manager still lists was not patched, whatever
    /// the reason why it is not selected any more; the others are gone. Where results are missing, it is
    /// not known of any, and `unknown` says why.
    pub(super) fn left_rows(&self, unknown: Option<&str>) -> Vec<NodeRow> {
        let row = |node: &NodeId| {
            let (outcome, detail) = match unknown {
                Some(why) => (NodeOutcome::Unknown, why),
                None if self.managed.contains_key(node) => (NodeOutcome::NotRun, LEFT),
                None => (NodeOutcome::Gone, GONE),
            };
            NodeRow {
                node: node.clone(),
                outcome,
                joined: false,
                away: false,
                may_run_until: None,
                detail: detail.to_owned(),
                installed: None,
                missing: None,
                failed: None,
                patches: None,
            }
        };
        self.left.iter().map(row).collect()
    }
}

impl Settlement {
    /// How many of the nodes that were not reached did not answer when the plan was made.
    pub(in crate::campaign) fn offline_before(&self, state: &State, location: &Location) -> u32 {
        let unreached = self
            .rows
            .iter()
            .filter(|row| row.outcome == NodeOutcome::Unreached);
        state.planned(location).map_or(0, |planned| {
            planned.offline_before(
                self.nodes.count(NodeOutcome::Unreached),
                unreached.map(|row| &row.node),
            )
        })
    }

    /// Says how many nodes came into the selection too late to be sent to. They are neither the plan's nor
    /// patched, so they are in no count.
    pub(super) fn tell_of_latecomers(&mut self, came: u32) {
        if came == 0 {
            return;
        }
        let verb = by_number(came, "was", "were");
        self.add_words(&format!(
            "{} joined the selection after the plan, and {verb} not patched",
            nodes(came)
        ));
    }

    /// Says how many nodes lack patches that the override list does not name. They are at their goal, and nothing else would tell
    /// of those patches.
    pub(super) fn tell_of_the_unlisted(&mut self) {
        let lacks = |row: &&NodeRow| {
            let well = matches!(row.outcome, NodeOutcome::Done | NodeOutcome::PendingReboot);
            well && row.missing.is_some_and(|missing| missing > 0)
        };
        let lack = u32::try_from(self.rows.iter().filter(lacks).count()).unwrap_or(u32::MAX);
        if lack > 0 {
            let verb = by_number(lack, "lacks", "lack");
            self.add_words(&format!(
                "{} {verb} patches that the override list does not name",
                nodes(lack)
            ));
        }
    }

    /// Says that the execution in the location did not end well, where the nodes do not show it. Everything
    /// that patchfleet's `own` runbook does shows in its nodes, so there only a success needs the words.
    pub(super) fn tell_of_failure(&mut self, status: &ExecutionStatus, words: &str, own: bool) {
        let well = matches!(
            self.outcome,
            LocationOutcome::Succeeded | LocationOutcome::Emptied
        );
        // A cancel is told in its own way.
        if status.is_cancelled() || (own && !well) {
            return;
        }
        let ended = format!("the execution there ended as {}", status.as_str());
        if words.is_empty() || words == format!("ended as {}", status.as_str()) {
            self.add_words(&ended);
        } else {
            self.add_words(&format!("{ended}: {words}"));
        }
    }

    fn add_words(&mut self, words: &str) {
        if !self.detail.is_empty() {
            self.detail.push_str("; ");
        }
        self.detail.push_str(words);
    }
}

impl Job<'_> {
    /// The nodes of the location by the plan, if it names them.
    pub(super) fn planned_ids(&self) -> Option<BTreeSet<NodeId>> {
        let planned = self.state.planned(self.location)?;
        planned.node_ids.as_ref().map(NodeSet::nodes)
    }

    /// Those of the planned nodes that this unit speaks for and that are in neither list.
    pub(super) fn left(&self, selected: &BTreeSet<NodeId>, reached: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        if !self.speaks_for_the_rest() {
            return BTreeSet::new();
        }
        let Some(mut left) = self.planned_ids() else {
            return BTreeSet::new();
        };
        let others = self.named_by_others();
        left.retain(|node| !selected.contains(node) && !reached.contains(node) && !others.contains(node));
        left
    }

    /// Marks the nodes that the plan does not have, if it names its own.
    pub(super) fn mark_joined(&self, rows: &mut [NodeRow]) {
        if let Some(planned) = self.planned_ids() {
            for row in rows {
                row.joined = !planned.contains(&row.node);
            }
        }
    }

    /// Adds the rows of those that `left`, and says in words that there are such. Where neither the plan
    /// nor the start names nodes, they are known by number alone, and whoever is missing is `gone`.
    pub(super) fn account_for_the_planned(&self, settlement: &mut Settlement, left: Vec<NodeRow>) {
        self.mark_joined(&mut settlement.rows);
        let Some(planned) = self.state.planned(self.location) else {
            return;
        };
        let goal = self.state.goal_of(self.unit);
        let before = settlement.nodes.total();
        let counted = planned.nodes.map_or(0, NodeCounts::total);
        let left = if planned.node_ids.is_some() {
            let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let not_run = left.iter().filter(|row| row.outcome == NodeOutcome::NotRun);
            let words = Left {
                all: count(left.len()),
                not_patched: count(not_run.count()),
                short: left.iter().any(|row| !row.outcome.reaches_goal(goal)),
            };
            for row in left {
                settlement.nodes.add(row.outcome, 1);
                settlement.rows.push(row);
            }
            words
        } else if self.node_ids().is_some() {
            return;
        } else {
            let gone = counted.saturating_sub(before);
            settlement.nodes.add(NodeOutcome::Gone, gone);
            Left {
                all: gone,
                not_patched: 0,
                short: !NodeOutcome::Gone.reaches_goal(goal),
            }
        };
        let not_patched = match left.not_patched {
            0 => String::new(),
            n => format!("; {n} of them {} not patched", by_number(n, "was", "were")),
        };
        match settlement.outcome {
            // The selection is whole, and empty: nobody of those that the plan was made for is in it.
            LocationOutcome::Emptied | LocationOutcome::Succeeded
                if before == 0 && (left.all > 0 || (planned.nodes.is_none() && planned.kept.is_none())) =>
            {
                settlement.outcome = LocationOutcome::Vanished;
                settlement.detail = if left.all > 0 {
                    format!(
                        "{} planned, and none of them is in the selection any more{not_patched}",
                        nodes(left.all)
                    )
                } else {
                    "nodes were planned, and none is in the selection any more".to_owned()
                };
            }
            outcome if left.all > 0 => {
                if outcome == LocationOutcome::Succeeded && left.short {
                    settlement.outcome = LocationOutcome::NodesFailed;
                }
                let words = format!(
                    "{} of {} planned are not in the selection any more{not_patched}",
                    left.all,
                    nodes(counted)
                );
                settlement.add_words(&words);
            }
            _ => {}
        }
    }
}
