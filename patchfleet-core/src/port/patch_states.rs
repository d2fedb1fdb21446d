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

    /// The patches of one node in this state, by its last report (DescribeInstancePatches with the filter `State`).
    /// `most` is how many are enough: AWS lists them in no order that it documents, and no page is asked for once there
    /// are as many. `None`: all of them, page by page to the end.
    ///
    /// They give names to what a patch state counts. No outcome follows from them, and a campaign whose role may not
    /// read them runs as it would otherwise. A location settles only once they were read, and for that ten seconds are
    /// waited at most: the future may be dropped before it has an answer, and is once it says that it was
    /// [`put_off`](super::put_off).
    ///
    /// The default answer is an error of the kind `Invalid`: these patch states name no patches.
    fn patches(
        &self,
        location: &Location,
        node: &NodeId,
        state: PatchListState,
        most: Option<usize>,
    ) -> BoxFuture<'_, PortResult<Vec<PatchView>>> {
        let _ = (location, node, state, most);
        // It names no node, so that those of a location are told of in one line.
        let message = "these ports name no patches (PatchStates::patches)";
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

/// A state of a patch on a node, as far as anybody asks for the patches in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PatchListState {
    /// It was to be installed, and that failed.
    Failed,
    /// The baseline wants it, and it is not installed.
    Missing,
    /// The baseline wants it, and it is installed.
    Installed,
    /// It was installed, and the node has not rebooted since.
    InstalledPendingReboot,
}

impl PatchListState {
    /// AWS's name for the state, as its filter takes it and its answers have it, such as `InstalledPendingReboot`. The
    /// model's enum is written in capitals, and AWS's own samples are not.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "Failed",
            Self::Missing => "Missing",
            Self::Installed => "Installed",
            Self::InstalledPendingReboot => "InstalledPendingReboot",
        }
    }
}

impl From<PatchShortfall> for PatchListState {
    fn from(shortfall: PatchShortfall) -> Self {
        match shortfall {
            PatchShortfall::Failed => Self::Failed,
            PatchShortfall::Missing => Self::Missing,
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
