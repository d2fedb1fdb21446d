//! What one location holds: resource groups, nodes, snapshots of the patch baseline.

use crate::world::{Group, lookup::Slot};
use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc};

/// An account in a Region.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Those of one entry of the world file share what is in them.
    pub(crate) groups: BTreeMap<String, Arc<Group>>,
    /// Its nodes, by id.
    pub(super) nodes: Vec<Slot>,
    /// When each snapshot of the patch baseline was taken: when it was first named.
    pub(crate) snapshots: BTreeMap<String, Timestamp>,
}
