//! What was found in each location.

use crate::id::{Location, NodeId, NodeSet, NodesDigest};
use crate::port::{PortError, PortErrorKind, Resolution};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod by_id;
mod take;

pub use by_id::{MAX_ID_CALLS, id_calls};
pub use take::take;

/// What was found in each location, every answer kept apart.
pub type Census = BTreeMap<Location, CensusAnswer>;

/// A census, and which of the nodes that were asked for by their ids are where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CensusTaken {
    /// The answer of each location.
    pub answers: Census,
    /// Where each start has to name its nodes (all managed nodes, node ids, an inventory of one's
    /// own): the ids that each location has, ascending. Locations without one are left out.
    pub found: BTreeMap<Location, Vec<NodeId>>,
    /// For each location whose nodes were counted, those that Systems Manager manages. Locations
    /// without one are left out.
    pub managed: BTreeMap<Location, ManagedNodes>,
    /// For each location whose nodes were counted, which nodes the selection has there, managed or not.
    pub digests: BTreeMap<Location, NodesDigest>,
    /// The same nodes by their ids, for each location in which a group or tags were counted.
    pub members: BTreeMap<Location, NodeSet>,
    /// Whether AWS finds the same nodes as the inventory did.
    pub resolution: Resolution,
}

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

/// Why a location's answer is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UnknownCause {
    /// The discovery role may not ask.
    Denied,
    /// The discovery role could not be assumed.
    RoleNotAssumable,
    /// Throttled to the end.
    Throttled,
    /// A 200 with `QueryErrors`: the answer is not whole.
    Partial,
    /// The Region is not enabled in the account after all.
    RegionNotEnabled,
    /// The caller's own credentials are missing, wrong or expired. That says nothing about the
    /// location, so it is no denial.
    Credentials,
    /// No answer.
    Unavailable,
    /// Anything else.
    Other,
}

impl UnknownCause {
    /// The cause in snake_case, as it stands in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::RoleNotAssumable => "role_not_assumable",
            Self::Throttled => "throttled",
            Self::Partial => "partial",
            Self::RegionNotEnabled => "region_not_enabled",
            Self::Credentials => "credentials",
            Self::Unavailable => "unavailable",
            Self::Other => "other",
        }
    }
}

impl From<PortErrorKind> for UnknownCause {
    fn from(kind: PortErrorKind) -> Self {
        match kind {
            PortErrorKind::Denied => Self::Denied,
            PortErrorKind::Credentials => Self::Credentials,
            PortErrorKind::RoleNotAssumable => Self::RoleNotAssumable,
            PortErrorKind::Throttled | PortErrorKind::LimitExceeded => Self::Throttled,
            PortErrorKind::RegionNotEnabled => Self::RegionNotEnabled,
            PortErrorKind::Unavailable => Self::Unavailable,
            _ => Self::Other,
        }
    }
}

/// How many nodes of which kind. `ec2 + hybrid` and `online + offline + unmanaged` are the same
/// number: each node counts once in each pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeCounts {
    /// EC2 instances.
    pub ec2: u32,
    /// Hybrid nodes.
    pub hybrid: u32,
    /// Managed, and the agent answers.
    pub online: u32,
    /// Managed, and the agent does not answer.
    pub offline: u32,
    /// Selected, and not listed by Systems Manager: stopped, terminated, or never registered.
    pub unmanaged: u32,
}

impl NodeCounts {
    /// All nodes.
    #[must_use]
    pub fn total(self) -> u32 {
        self.ec2.saturating_add(self.hybrid)
    }

    /// The nodes that Run Command reaches for: managed, online or not.
    #[must_use]
    pub fn managed(self) -> u32 {
        self.online.saturating_add(self.offline)
    }
}

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Depth {
    /// Stop at the first node.
    Presence,
    /// Count every node, by kind.
    #[default]
    Count,
}
