//! What nodes report of their patches.

use super::{BoxFuture, PortError, PortErrorKind, PortResult};
use crate::id::{Location, NodeId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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

    /// The patches of one node that fall short in this way, by its last report (DescribeInstancePatches with the filter
    /// `State`). `most` is how many are enough: AWS lists them in no order that it documents, and no page is asked for
    /// once there are as many.
    ///
    /// They give names to what a patch state counts. No outcome follows from them, and a campaign whose role may not
    /// read them runs as it would otherwise.
    ///
    /// The default answer is an error of the kind `Invalid`: these patch states name no patches.
    fn patches(
        &self,
        location: &Location,
        node: &NodeId,
        shortfall: PatchShortfall,
        most: usize,
    ) -> BoxFuture<'_, PortResult<Vec<PatchView>>> {
        let _ = (shortfall, most);
        let message =
            format!("these ports do not name the patches of {node} in {location} (PatchStates::patches)");
        Box::pin(async move { Err(PortError::new(PortErrorKind::Invalid, message)) })
    }
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

/// How a patch falls short of what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchShortfall {
    /// It was to be installed, and that failed.
    Failed,
    /// It is wanted, and not installed.
    Missing,
}

impl PatchShortfall {
    /// AWS's name for the state, as its filter takes it and its answers have it: `Failed`, `Missing`. The model's enum is
    /// written in capitals, and AWS's own samples are not.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "Failed",
            Self::Missing => "Missing",
        }
    }
}

/// A patch of a node, as AWS wrote it (`PatchComplianceData`). Any of it may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchView {
    /// The number of an update of Windows, such as `KB4480979`, or the name of a package of Linux, such as
    /// `kernel.x86_64`.
    pub id: String,
    /// The update's title, or the package with its version.
    pub title: String,
    /// Such as `SecurityUpdates` or `Security`.
    pub classification: String,
    /// Such as `Critical`, `Important` or `Unspecified`.
    pub severity: String,
}
