//! What was found in each location.

use crate::port::PortErrorKind;
use serde::{Deserialize, Serialize};

mod answers;
mod begun;
mod by_id;
pub(crate) mod take;
#[cfg(test)]
mod tests;

pub(crate) use answers::{Census, CensusAnswer, CensusTaken, ManagedNodes, Tags};
pub(crate) use begun::{Begun, FollowUp};
pub(crate) use by_id::{MAX_ID_CALLS, id_calls};
pub(crate) use take::{Answered, Answers, Question, take_rest};

/// Why a location's answer is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UnknownCause {
    /// The discovery role may not ask.
    Denied,
    /// The discovery role could not be assumed.
    RoleNotAssumable,
    /// AWS throttled every try.
    Throttled,
    /// AWS answered with `QueryErrors`, so nodes may be missing from the answer.
    Partial,
    /// The Region is not enabled in the account.
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

    /// The nodes that a command is sent to: managed, online or not.
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
