//! The Automation document that runs AWS-RunPatchBaseline, generated from typed Rust, and what a
//! start of it is given.
//!
//! `Patchfleet-RunPatchBaseline` runs one of four command steps, by where the nodes are to put what they print: Run
//! Command sends AWS-RunPatchBaseline to the targets of one location. What is patched, how much at once, and for which
//! campaign are all parameters, so one document serves every request. [`ensure`] brings it to the central account
//! and Region.

use crate::budget::{MaxConcurrency, MaxErrors};
use crate::id::{DocumentName, NodeId};
use crate::port::StartRequest;
use std::sync::LazyLock;

mod bound;
mod command;
mod copies;
mod digest;
mod distribute;
mod document;
mod ensure;
mod operation;
mod reach;
mod sharing;
pub(crate) mod start;
mod targets;
#[cfg(test)]
mod tests;

pub(crate) use bound::{Changed, Found, NotCompared, find, passes};
pub use bound::{PlannedRunbook, RunbookChange, Sight};
pub(crate) use command::Purpose;
pub(crate) use command::{COMMAND_DOCUMENT, STEP_TIMEOUT_PARAMETER};
pub use command::{CommandSteps, StepSum, command_steps};
pub(crate) use copies::{Copies, Copy, copy, elsewhere, to_look_at};
pub use digest::{ContentDigest, ContentDigestError};
pub use distribute::{Placed, distribute, in_text};
pub use document::{Runbook, StepTimeout, StepTimeoutError};
pub use ensure::{Checked, Ensured, check, ensure};
pub use reach::{Reach, ReachError};
pub use sharing::{NotShared, Sharing, shared_version};
pub(crate) use sharing::{shares, shows};
pub(crate) use start::{
    campaign_tag_key, command, event_tag_key, for_campaign, for_event, given, last_tag_key, of_campaign,
    parameters, plan_tag_key, said, start_tag_key,
};
pub(crate) use targets::MAX_NODE_IDS;
pub(crate) use targets::TargetTooLong;
pub(crate) use targets::{named_nodes, node_targets, targets};

/// The name of patchfleet's own runbook.
pub const NAME: &str = crate::request::OWN_DOCUMENT;

/// Run Command's own default for `TimeoutSeconds` (User Guide), in seconds, and the runbook's. The
/// least that a plan gives, unless the request or a cutoff says less.
pub(crate) const DELIVERY_TIMEOUT_SECONDS: u32 = 3_600;

/// How long AWS-RunPatchBaseline may run on a node, in seconds: the `timeoutSeconds` that each of
/// its steps had as recorded, and what is passed where it takes `StepTimeoutSeconds`.
pub(crate) const EXECUTION_TIMEOUT_SECONDS: u32 = 7_200;

/// The parameter by which a runbook hands AWS-RunPatchBaseline one snapshot for all nodes.
pub(crate) const SNAPSHOT_ID: &str = "SnapshotId";

/// The parameter of patchfleet's own runbook that has the number of the unit.
pub(crate) const UNIT_ID: &str = "UnitId";

/// The parameter of patchfleet's own runbook that is aws:runCommand's `TimeoutSeconds`: 30 to
/// 2,592,000 s (SSM model).
pub(crate) const TIMEOUT_PARAMETER: &str = "TimeoutSeconds";

/// The parameter of patchfleet's own runbook that says which nodes.
pub(crate) const TARGETS: &str = "Targets";

/// The parameter of patchfleet's own runbook that has the limit on nodes at once.
pub(crate) const MAX_CONCURRENCY: &str = "MaxConcurrency";

/// The parameter of patchfleet's own runbook that has the limit on nodes that fail.
pub(crate) const MAX_ERRORS: &str = "MaxErrors";

/// The name of the Command document that patches.
pub(crate) fn command_document() -> DocumentName {
    COMMAND.clone()
}

#[expect(
    clippy::expect_used,
    reason = "the text is a constant of this crate, and a test reads it"
)]
static COMMAND: LazyLock<DocumentName> =
    LazyLock::new(|| COMMAND_DOCUMENT.parse().expect("the name of a document"));

/// Has a start name these nodes.
///
/// # Errors
///
/// [`TargetTooLong`] if they are more than a parameter of a runbook can name.
pub(crate) fn name_nodes(start: &mut StartRequest, nodes: Vec<NodeId>) -> Result<(), TargetTooLong> {
    if let Some(command) = &mut start.command {
        command.instance_ids = nodes;
        return Ok(());
    }
    start.parameters.insert(TARGETS.to_owned(), node_targets(nodes)?);
    Ok(())
}

/// Gives the commands of a start these limits within their location, in nodes. A limit that AWS does not take stays as
/// it was.
pub(crate) fn limit(start: &mut StartRequest, at_once: u32, errors: u32) {
    limit_at_once(start, at_once);
    if let Some(command) = &mut start.command {
        if let Ok(count) = MaxErrors::from_count(errors) {
            command.rates.max_errors = count;
        }
    } else if let Some(values) = start.parameters.get_mut(MAX_ERRORS) {
        *values = vec![errors.to_string()];
    }
}

/// Gives the commands of a start this limit within their location, in nodes at once. What AWS does not take changes nothing.
pub(crate) fn limit_at_once(start: &mut StartRequest, at_once: u32) {
    let Ok(count) = MaxConcurrency::from_count(at_once) else {
        return;
    };
    if let Some(command) = &mut start.command {
        command.rates.max_concurrency = count;
    } else if let Some(values) = start.parameters.get_mut(MAX_CONCURRENCY) {
        *values = vec![count.to_string()];
    }
}

/// How many nodes at once the commands of a start are given within their location, if that is a count.
pub(crate) fn at_once(start: &StartRequest) -> Option<u32> {
    match (&start.command, start.parameters.get(MAX_CONCURRENCY)) {
        (Some(command), _) => command.rates.max_concurrency.count(),
        (None, Some(values)) => values.first()?.parse().ok(),
        (None, None) => None,
    }
}

/// Whether `document` is patchfleet's own runbook, by its name. Under another name, or by its ARN,
/// it is a runbook of one's own: it gets the parameters that the request gives it.
#[must_use]
pub(crate) fn is_own(document: &DocumentName) -> bool {
    document.as_str() == NAME
}
