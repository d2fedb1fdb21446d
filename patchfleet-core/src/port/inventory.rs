//! Which nodes there are in a location.

use super::{BoxFuture, Page, PageToken, PortError, PortErrorKind, PortResult};
use crate::id::{Location, NodeId, ResourceGroupName};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Which nodes belong to the selection, and which of them Systems Manager reaches.
///
/// **Who says which nodes.** A start can name a group or tags. AWS then finds the nodes when the command begins. An
/// inventory of one's own (a CMDB, a list in a file) may give other nodes for the same group or tags. So an
/// implementation says by [`resolution`](Self::resolution) whether AWS finds the same nodes. Unless it says so, the
/// starts name the nodes that it gave, one by one, and no other node is touched. An inventory that says `SameAsAws`
/// wrongly has nodes patched that no plan shows.
///
/// Promises: an answer is what AWS, or the inventory's own source, said. A partial answer says so in
/// [`MemberPage::query_errors`].
///
/// Does not promise: that two pages are of the same instant; that a member still exists.
pub trait Inventory: Send + Sync {
    /// Whether AWS finds the same nodes for a group or for tags as this inventory does.
    fn resolution(&self) -> Resolution {
        Resolution::ByIds
    }

    /// The nodes that a group or a set of tags selects in a location, managed or not, one page
    /// (Resource Groups `ListGroupResources` or `SearchResources`). The implementation leaves out resources of other
    /// types, so a page may be empty and have a next one.
    ///
    /// `NotFound` means that the group does not exist there.
    fn members(
        &self,
        location: &Location,
        selection: &Selection,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<MemberPage>>;

    /// The nodes that Systems Manager manages in a location, one page (`DescribeInstanceInformation`). With `only` (at
    /// most 50 ids) they are those of these ids that are managed.
    fn managed(
        &self,
        location: &Location,
        only: Option<&[NodeId]>,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ManagedNode>>>;

    /// The nodes of a location that have the tag `key`, each with the value, one page (`tag:GetResources`). Managed or not,
    /// selected or not: whoever asks takes what it needs. A node that is on no page does not have the tag.
    ///
    /// The default answer is an error of the kind `Invalid`: this inventory knows no tags. A request that tells nodes apart by
    /// a tag (`budget.labels`) is then refused, as nothing is known of them.
    fn tag_values(
        &self,
        location: &Location,
        key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(NodeId, String)>>> {
        let (location, key) = (location.clone(), key.to_owned());
        let _ = page;
        Box::pin(async move {
            Err(PortError::new(
                PortErrorKind::Invalid,
                format!(
                    "this inventory does not say which nodes of {location} have the tag {key} (Inventory::tag_values)"
                ),
            ))
        })
    }
}

/// Who finds the nodes of a selection when they are patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Resolution {
    /// AWS does, and the start names the group or the tags. Right only for an inventory that asks AWS.
    SameAsAws,
    /// The inventory did, and each start names the nodes that the census found, at most 20 of them. Only patchfleet's
    /// own runbook takes such names. Nodes that Systems Manager does not manage cannot be named, and are shown as
    /// unmanaged.
    #[default]
    ByIds,
}

/// What Resource Groups is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The members of a group.
    Group(ResourceGroupName),
    /// The nodes that have every one of these tag keys, each with one of its values.
    Tags(BTreeMap<String, Vec<String>>),
}

/// One page of a selection's members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberPage {
    /// The nodes on the page.
    pub page: Page<NodeId>,
    /// Why the answer is not whole. If there is any such reason, nobody knows the members.
    pub query_errors: Vec<QueryError>,
}

/// Resource Groups' reason for an incomplete answer, given along with status 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// AWS's code, such as `CLOUDFORMATION_STACK_INACTIVE`.
    pub code: String,
    /// AWS's words.
    pub message: String,
}

/// A node that Systems Manager manages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedNode {
    /// Its id.
    pub id: NodeId,
    /// Whether its agent answers. It lags: a node was seen Online 84 s after its last ping, when
    /// a command to it had expired.
    pub ping: PingStatus,
    /// When its agent was last heard of (`LastPingDateTime`).
    pub last_ping: Option<Timestamp>,
    /// What it runs on (`PlatformType`); `None` if Systems Manager does not say, or says something that this version does not know.
    pub platform: Option<PlatformType>,
}

/// Systems Manager's `PlatformType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlatformType {
    /// Linux.
    Linux,
    /// Windows Server.
    Windows,
    /// macOS.
    MacOs,
}

impl PlatformType {
    /// The platform of this name, if it is known.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "Linux" => Some(Self::Linux),
            "Windows" => Some(Self::Windows),
            "MacOS" => Some(Self::MacOs),
            _ => None,
        }
    }
}

/// Systems Manager's `PingStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PingStatus {
    /// The agent answers.
    Online,
    /// It does not: ConnectionLost, Inactive, or a status that this version does not know.
    Offline,
}

impl From<&str> for PingStatus {
    fn from(name: &str) -> Self {
        if name.eq_ignore_ascii_case("Online") {
            Self::Online
        } else {
            Self::Offline
        }
    }
}
