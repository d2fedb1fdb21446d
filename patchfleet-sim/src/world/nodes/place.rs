//! What one location holds: resource groups, nodes, snapshots of the patch baseline.

use crate::world::{Group, Node};
use jiff::Timestamp;
use patchfleet_core::id::NodeId;
use std::{collections::BTreeMap, sync::Arc};

/// An account in a Region.
#[derive(Debug, Default)]
pub struct Place {
    /// Those of one entry of the world file share what is in them.
    pub(crate) groups: BTreeMap<String, Arc<Group>>,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    /// When each snapshot of the patch baseline was taken: when it was first named.
    pub(crate) snapshots: BTreeMap<String, Timestamp>,
}
