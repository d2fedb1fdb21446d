//! What one location holds: resource groups, nodes, documents.

use super::{Document, Node};
use jiff::Timestamp;
use patchfleet_core::id::NodeId;
use std::collections::BTreeMap;

/// An account in a Region.
#[derive(Debug, Default)]
pub struct Place {
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) documents: BTreeMap<String, Document>,
    /// When each snapshot of the patch baseline was taken: when it was first named.
    pub(crate) snapshots: BTreeMap<String, Timestamp>,
}

/// A resource group. Its members are the nodes that name it.
#[derive(Debug, Default)]
pub struct Group {
    pub(crate) query_errors: Vec<String>,
}

impl Place {
    /// The members of a group, by id.
    pub(crate) fn members<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Node> {
        self.nodes
            .values()
            .filter(move |node| node.groups.contains(group))
    }
}
