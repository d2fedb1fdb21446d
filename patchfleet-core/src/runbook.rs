//! The Automation document that runs AWS-RunPatchBaseline, generated from typed Rust, and what a
//! start of it is given.
//!
//! `Patchfleet-RunPatchBaseline` has one step: Run Command sends AWS-RunPatchBaseline to the
//! targets of one location. What is patched, how much at once, and for which campaign are all
//! parameters, so one document serves every request. [`ensure`] brings it to the central account
//! and Region; [`parameters`] says what a unit's start gives it, [`for_campaign`] adds what only
//! the campaign knows.

use crate::id::DocumentName;

mod bound;
mod command;
mod copies;
mod digest;
mod document;
mod ensure;
mod operation;
mod start;
mod targets;

pub(crate) use bound::{Changed, Found, NotCompared, find, passes};
pub use bound::{PlannedRunbook, RunbookChange};
pub(crate) use command::Purpose;
pub use command::{COMMAND_DOCUMENT, CommandSteps, command_steps};
pub(crate) use command::{STEP_TIMEOUT_PARAMETER, StepSum};
pub(crate) use copies::elsewhere;
pub use digest::{ContentDigest, ContentDigestError};
pub use document::{Runbook, StepTimeout, StepTimeoutError};
pub use ensure::{Checked, Ensured, check, ensure};
pub use start::{TAG_CAMPAIGN, TAG_UNIT, for_campaign, parameters, start_tag_key};
pub(crate) use start::{given, of_campaign, said};
pub use targets::TargetTooLong;
pub(crate) use targets::node_chunks;
pub(crate) use targets::{named_nodes, node_targets, targets};

/// The name of patchfleet's own runbook.
pub const NAME: &str = crate::request::OWN_DOCUMENT;

/// Run Command's own default for `TimeoutSeconds` (User Guide), in seconds, and the runbook's. The
/// least that a plan gives, unless the request or a cutoff says less.
pub const DELIVERY_TIMEOUT_SECONDS: u32 = 3_600;

/// How long AWS-RunPatchBaseline may run on a node, in seconds: the `timeoutSeconds` that each of
/// its steps had as recorded, and what is passed where it takes `StepTimeoutSeconds`.
pub const EXECUTION_TIMEOUT_SECONDS: u32 = 7_200;

/// The parameter by which a runbook hands AWS-RunPatchBaseline one snapshot for all nodes.
pub const SNAPSHOT_ID: &str = "SnapshotId";

/// The parameter of patchfleet's own runbook that is aws:runCommand's `TimeoutSeconds`: 30 to
/// 2,592,000 s (SSM model).
pub const TIMEOUT_PARAMETER: &str = "TimeoutSeconds";

/// Whether `document` is patchfleet's own runbook, by its name. Under another name, or by its ARN,
/// it is a runbook of one's own: it gets the parameters that the request gives it.
///
/// ```
/// use patchfleet_core::runbook;
/// assert!(runbook::is_own(&"Patchfleet-RunPatchBaseline".parse()?));
/// assert!(!runbook::is_own(&"Our-PatchRunbook".parse()?));
/// # Ok::<(), patchfleet_core::id::ParseIdError>(())
/// ```
#[must_use]
pub fn is_own(document: &DocumentName) -> bool {
    document.as_str() == NAME
}
