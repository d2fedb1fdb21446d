//! What today's world has of the nodes that are wanted.

use super::still_there::Found;
use super::wanted::Wanted;
use super::waves::Again;
use crate::campaign::State;
use crate::id::{Location, NodeId};
use crate::outcome::NodeOutcome;
use crate::plan::UnmanagedNodes;
use std::collections::BTreeSet;

/// The nodes that are tried again, and what is to be said of the others.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) nodes: BTreeSet<NodeId>,
    pub(super) by_location: Again,
    /// Those of the nodes that count as damaged already.
    pub(super) damaged: BTreeSet<NodeId>,
    /// How many of the nodes were not reached.
    pub(super) unreached: u32,
    /// How many others another campaign has tried again.
    pub(super) theirs: usize,
    /// Others that are not registered with Systems Manager.
    pub(super) unmanaged: Vec<UnmanagedNodes>,
    /// Which nodes are not tried again, and why, a line each.
    pub(super) told: Vec<String>,
}

impl Gathered {
    /// Adds what is found of a location that `of` has left. `tried` are the nodes that other campaigns have tried again.
    pub(super) fn add(
        &mut self,
        of: &State,
        tried: &BTreeSet<NodeId>,
        location: &Location,
        (wanted, found): (&Wanted, Found),
    ) {
        self.told.extend(found.told(location, wanted));
        let unmanaged = found.unmanaged();
        if !unmanaged.is_empty() {
            self.unmanaged.push(UnmanagedNodes::new(location, unmanaged));
        }
        for node in found.managed {
            if tried.contains(&node) {
                self.theirs = self.theirs.saturating_add(1);
                continue;
            }
            let outcome = wanted.ended.get(&node).copied();
            if of.is_counted(&node, outcome) {
                self.damaged.insert(node.clone());
            }
            if outcome == Some(NodeOutcome::Unreached) {
                self.unreached = self.unreached.saturating_add(1);
            }
            let is_online = found.online.contains(&node);
            self.by_location.add(location, &node, outcome, is_online);
            self.nodes.insert(node);
        }
    }
}
