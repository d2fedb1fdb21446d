//! What one location holds: resource groups, nodes, documents.

use super::{Document, Group, Node};
use patchfleet_core::id::NodeId;
use std::collections::BTreeMap;

/// An account in a Region.
#[derive(Debug, Default)]
pub struct Place {
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) documents: BTreeMap<String, Document>,
}
