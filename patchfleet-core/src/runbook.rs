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
mod digest;
mod document;
mod ensure;
mod start;
mod targets;

pub(crate) use bound::{Changed, Found, elsewhere, find};
pub use bound::{PlannedRunbook, RunbookChange};
pub use digest::{ContentDigest, ContentDigestError};
pub use document::{Runbook, StepTimeout, StepTimeoutError};
pub use ensure::{Checked, Ensured, check, ensure};
pub use start::{TAG_CAMPAIGN, TAG_UNIT, for_campaign, parameters, start_tag_key};
pub(crate) use targets::node_targets;
pub use targets::{MAX_NODE_IDS, TargetTooLong, node_chunks};

/// The name of patchfleet's own runbook.
pub const NAME: &str = crate::request::OWN_DOCUMENT;

/// How long a command waits for a node that does not answer, in seconds: Run Command's own
/// default for `TimeoutSeconds`, which AWS-RunPatchBaseline's documentation counts with (User
/// Guide).
pub const DELIVERY_TIMEOUT_SECONDS: u32 = 3_600;

/// How long AWS-RunPatchBaseline may run on a node, in seconds: the `timeoutSeconds` of each of
/// its steps, which nobody can change.
pub const EXECUTION_TIMEOUT_SECONDS: u32 = 7_200;

/// The parameter by which a runbook hands AWS-RunPatchBaseline one snapshot for all nodes.
pub const SNAPSHOT_ID: &str = "SnapshotId";

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
