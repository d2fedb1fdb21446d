//! All that a campaign is compared by: what it said, and what became of the world.

use crate::Ended;
use jiff::Timestamp;
use patchfleet_core::{
    id::{Location, NodeId},
    outcome::NodeRow,
    plan::Plan,
    report::Report,
};
use patchfleet_sim::world::{Patches, World};
use std::collections::BTreeMap;

/// A campaign's account of itself, and the truth about the world that it ran in. No times.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The plan's JSON.
    pub plan: String,
    /// The report, without its times.
    pub report: Report,
    /// The row of every node, by location.
    pub rows: BTreeMap<Location, Vec<NodeRow>>,
    /// What is really on each node, how often an Install began there, and whether it answers.
    pub nodes: BTreeMap<NodeId, (Patches, u32, bool)>,
    /// How many executions there are, parents and children.
    pub executions: usize,
    /// How many commands there are.
    pub commands: usize,
}

impl Account {
    /// The account of a campaign that has ended, in its world.
    #[must_use]
    pub fn of(world: &World, plan: &Plan, ended: Ended) -> Self {
        Self {
            plan: plan.to_json(),
            report: ended.report.without_times(),
            rows: without_times(ended.rows),
            nodes: world
                .nodes()
                .map(|node| {
                    (
                        node.id().clone(),
                        (node.patches(), node.installs(), node.is_online()),
                    )
                })
                .collect(),
            executions: world.executions().count(),
            commands: world.commands().count(),
        }
    }

    /// The same. Where a node's patches have no names because these could not be read, they are told as `other` tells them:
    /// nothing follows from a name, and one that a fault keeps from being read is not read again.
    #[must_use]
    pub fn with_unread_names_of(mut self, other: &Self) -> Self {
        for (location, rows) in &mut self.rows {
            let others = other.rows.get(location);
            for row in rows {
                let is_unread = row.patches.as_ref().is_some_and(|names| names.unread.is_some());
                let told = others.into_iter().flatten().find(|told| told.node == row.node);
                if let Some(told) = told.filter(|_| is_unread) {
                    row.patches.clone_from(&told.patches);
                }
            }
        }
        self
    }

    /// The nodes on which an Install began once.
    #[must_use]
    pub fn installed(&self) -> Vec<&NodeId> {
        let installed = self.nodes.iter().filter(|(_, (_, installs, _))| *installs == 1);
        installed.map(|(id, _)| id).collect()
    }
}

/// The rows without the times of the reports that name patches, and until when what a lost node has begun may run. Whether it may stays.
fn without_times(mut rows: BTreeMap<Location, Vec<NodeRow>>) -> BTreeMap<Location, Vec<NodeRow>> {
    for row in rows.values_mut().flatten() {
        if let Some(names) = &mut row.patches {
            names.reported_at = None;
        }
        row.may_run_until = row.may_run_until.map(|_| Timestamp::UNIX_EPOCH);
    }
    rows
}
