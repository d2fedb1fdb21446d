//! What nodes report of their patches.

use super::{BoxFuture, PortResult};
use crate::id::{Location, NodeId};
use jiff::Timestamp;

/// The patch states of nodes, as Patch Manager keeps them.
///
/// Promises: each state is the node's last report.
///
/// Does not promise: that a run which has just ended is reported yet; that the report is of one's own run. The snapshot
/// and the time of the run's end tell whose run it is.
pub trait PatchStates: Send + Sync {
    /// The patch states of these nodes, at most 50 (DescribeInstancePatchStates, all pages). A node that was never
    /// scanned is left out.
    fn patch_states(
        &self,
        location: &Location,
        nodes: &[NodeId],
    ) -> BoxFuture<'_, PortResult<Vec<PatchStateView>>>;
}

/// A node's `InstancePatchState`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchStateView {
    /// The node.
    pub node: NodeId,
    /// `Scan` or `Install`, as AWS wrote it.
    pub operation: String,
    /// When the operation ended. Whose clock that is, AWS's or the node's own, is not documented.
    pub ended_at: Timestamp,
    /// The snapshot it used, if AWS gives it.
    pub snapshot: Option<String>,
    /// Patches that are wanted and not installed.
    pub missing: u32,
    /// Patches that failed to install.
    pub failed: u32,
    /// Patches that are installed and wait for a reboot.
    pub pending_reboot: u32,
    /// Patches that are installed.
    pub installed: u32,
}
