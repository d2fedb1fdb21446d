//! What the locations answered.

use super::{NodeCounts, UnknownCause};
use crate::id::{Location, NodeId, NodeSet, NodesDigest};
use crate::port::{PortError, Resolution};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was found in each location, every answer kept apart.
pub(crate) type Census = BTreeMap<Location, CensusAnswer>;

/// A census, with the ids of the nodes where they are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CensusTaken {
    /// The answer of each location.
    pub answers: Census,
    /// The ids in each location, ascending, if each start has to name its nodes. That is so for all managed nodes, for
    /// node ids, and for an inventory of one's own. Locations without a node are left out.
    pub found: BTreeMap<Location, Vec<NodeId>>,
    /// The nodes that Systems Manager manages in each location whose nodes were counted. Locations without such a node
    /// are left out.
    pub managed: BTreeMap<Location, ManagedNodes>,
    /// A digest of the selected nodes, managed or not, for each location whose nodes were counted.
    pub digests: BTreeMap<Location, NodesDigest>,
    /// The ids of the same nodes, for each location in which a group or tags were counted.
    pub members: BTreeMap<Location, NodeSet>,
    /// Of each location whose nodes are told apart by tags, what managed nodes have of each tag. A node that is missing
    /// there does not have it.
    pub tags: BTreeMap<Location, Tags>,
    /// Whether AWS finds the same nodes as the inventory did.
    pub resolution: Resolution,
}

/// The values of tags, by their keys.
pub(crate) type Tags = BTreeMap<String, BTreeMap<NodeId, String>>;

/// The nodes of a selection that Systems Manager manages in a location, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ManagedNodes {
    /// Those whose agent answers.
    pub online: Vec<NodeId>,
    /// Those whose agent does not.
    pub offline: Vec<NodeId>,
}

impl CensusTaken {
    /// A node of the location that Systems Manager manages, if one is known by its id.
    pub(crate) fn any_node(&self, location: &Location) -> Option<&NodeId> {
        let managed = self.managed.get(location)?;
        managed.online.first().or_else(|| managed.offline.first())
    }
}

/// What was found in one location. Only a complete, error-free answer makes it empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum CensusAnswer {
    /// There are nodes.
    Populated {
        /// How many of which kind; `None` if only their presence was asked for.
        nodes: Option<NodeCounts>,
    },
    /// A complete answer without a node.
    Empty,
    /// There is no group of that name.
    GroupMissing,
    /// No complete answer.
    Unknown {
        /// Why not.
        cause: UnknownCause,
        /// AWS's words.
        detail: String,
    },
}

impl From<PortError> for CensusAnswer {
    fn from(error: PortError) -> Self {
        Self::Unknown {
            cause: error.kind().into(),
            detail: error.reason(),
        }
    }
}
