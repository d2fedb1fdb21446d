//! What became of a node: a pure function of what AWS says about it.

use crate::port::{InvocationStatus, PatchStateView, PingStatus};
use crate::report::NodeOutcome;
use crate::request::Operation;
use jiff::Timestamp;

/// What AWS says about a node after the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    /// What the campaign does.
    pub(super) operation: Operation,
    /// When the command was sent, by AWS's clock.
    pub(super) requested_at: Timestamp,
    /// The campaign's patch snapshot.
    pub(super) snapshot: &'a str,
    /// What the command did on it; `None` if it was not among the command's targets.
    pub(super) invocation: Option<&'a InvocationStatus>,
    /// Whether the command's results name every node that it is through with. If not, a node
    /// without one may have been a target.
    pub(super) all_listed: bool,
    /// Whether the selection holds it now.
    pub(super) selected: bool,
    /// Whether its agent answers now; `None` if Systems Manager does not manage it.
    pub(super) ping: Option<PingStatus>,
    /// Its patch state now.
    pub(super) state: Option<&'a PatchStateView>,
}

/// What became of a node, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) outcome: NodeOutcome,
    /// Empty if the outcome says it all.
    pub(super) detail: String,
    /// Whether its patch state may only be late.
    pub(super) may_change: bool,
}

impl Verdict {
    fn new(outcome: NodeOutcome, detail: impl Into<String>) -> Self {
        Self {
            outcome,
            detail: detail.into(),
            may_change: false,
        }
    }
}

impl Evidence<'_> {
    /// The patch state, if this campaign's run wrote it: of its operation, and of its snapshot or
    /// ended after the command was sent. The snapshot is asked first because whose clock a patch
    /// state's times are of is not documented, and a node's may be slow.
    pub(super) fn fresh(&self) -> Option<&PatchStateView> {
        self.state.filter(|state| {
            let is_own = state
                .snapshot
                .as_ref()
                .is_some_and(|snapshot| snapshot.eq_ignore_ascii_case(self.snapshot));
            (is_own || state.ended_at >= self.requested_at)
                && state.operation.eq_ignore_ascii_case(self.operation.as_str())
        })
    }
}

/// Classifies a node. The truth is its patch state, not what the command says of itself; and a
/// node that was reached and does not answer any more is lost, whatever else is said of it.
pub(super) fn classify(evidence: &Evidence<'_>) -> Verdict {
    let Some(status) = evidence.invocation else {
        if !evidence.all_listed {
            return Verdict {
                may_change: true,
                ..Verdict::new(
                    NodeOutcome::Unknown,
                    "the command's results do not name every node that it ran on",
                )
            };
        }
        return match (evidence.ping, evidence.selected) {
            (Some(_), _) => Verdict::new(NodeOutcome::NotRun, "the command was not sent to it"),
            (None, true) => Verdict::new(
                NodeOutcome::Unmanaged,
                "in the selection, and Systems Manager does not manage it",
            ),
            (None, false) => Verdict::new(NodeOutcome::Gone, "neither selected nor managed any more"),
        };
    };
    match (evidence.ping, evidence.selected, delivery(status)) {
        (None, false, _) => Verdict::new(
            NodeOutcome::Gone,
            "the command was sent to it, and it is neither selected nor managed any more",
        ),
        (_, _, Delivery::Never(why)) => Verdict::new(NodeOutcome::Unreached, why),
        (_, _, Delivery::NotTried(why)) => Verdict::new(NodeOutcome::NotRun, why),
        (None, true, Delivery::Made) => Verdict::new(
            NodeOutcome::Lost,
            "the command reached it, and Systems Manager does not manage it any more",
        ),
        (Some(PingStatus::Offline), _, Delivery::Made) => Verdict::new(
            NodeOutcome::Lost,
            "the command reached it, and its agent does not answer any more",
        ),
        (Some(PingStatus::Online), _, Delivery::Made) => answered(evidence, status),
    }
}

/// Whether a command reached a node.
enum Delivery {
    Made,
    Never(&'static str),
    NotTried(&'static str),
}

fn delivery(status: &InvocationStatus) -> Delivery {
    match status {
        InvocationStatus::DeliveryTimedOut => Delivery::Never("the command was not delivered in time"),
        InvocationStatus::Undeliverable => Delivery::Never("the command could not be delivered"),
        InvocationStatus::AccessDenied => Delivery::Never("the command could not be delivered: AccessDenied"),
        InvocationStatus::InvalidPlatform => {
            Delivery::Never("the command could not be delivered: InvalidPlatform")
        }
        InvocationStatus::Delayed => Delivery::Never("the command was still to be delivered when it ended"),
        InvocationStatus::Pending => Delivery::NotTried("the command ended before it was sent to it"),
        InvocationStatus::Terminated => {
            Delivery::NotTried("not sent: the command had reached its error limit before")
        }
        InvocationStatus::InProgress
        | InvocationStatus::Success
        | InvocationStatus::Failed
        | InvocationStatus::ExecutionTimedOut
        | InvocationStatus::Cancelled
        | InvocationStatus::Other(_) => Delivery::Made,
    }
}

/// A node that the command reached and that answers.
fn answered(evidence: &Evidence<'_>, status: &InvocationStatus) -> Verdict {
    if let Some(state) = evidence.fresh() {
        return match evidence.operation {
            Operation::Scan => Verdict::new(NodeOutcome::Done, ""),
            Operation::Install => installed(state),
        };
    }
    match status {
        InvocationStatus::Cancelled => Verdict::new(
            NodeOutcome::NotRun,
            "the command was cancelled on it before it had a result",
        ),
        InvocationStatus::Success => Verdict {
            may_change: true,
            ..Verdict::new(
                NodeOutcome::Failed,
                "reported success, but has no new patch state",
            )
        },
        InvocationStatus::ExecutionTimedOut => Verdict::new(
            NodeOutcome::Failed,
            "did not finish in time, and has no new patch state",
        ),
        InvocationStatus::InProgress => Verdict::new(
            NodeOutcome::Failed,
            "was still running when the command ended, and has no new patch state",
        ),
        InvocationStatus::Failed => Verdict::new(
            NodeOutcome::Failed,
            "reported failure, and has no new patch state",
        ),
        InvocationStatus::Other(name) => Verdict::new(
            NodeOutcome::Failed,
            format!("ended as {name}, a status that is not known, and has no new patch state"),
        ),
        InvocationStatus::Pending
        | InvocationStatus::Delayed
        | InvocationStatus::DeliveryTimedOut
        | InvocationStatus::Undeliverable
        | InvocationStatus::AccessDenied
        | InvocationStatus::InvalidPlatform
        | InvocationStatus::Terminated => Verdict::new(
            NodeOutcome::Failed,
            format!("ended as {}, and has no new patch state", status.as_str()),
        ),
    }
}

fn installed(state: &PatchStateView) -> Verdict {
    let patches = |n: u32| {
        if n == 1 {
            "1 patch".to_owned()
        } else {
            format!("{n} patches")
        }
    };
    if state.failed > 0 {
        Verdict::new(
            NodeOutcome::Failed,
            format!("{} failed to install", patches(state.failed)),
        )
    } else if state.missing > 0 {
        Verdict::new(
            NodeOutcome::Missing,
            format!("{} still missing", patches(state.missing)),
        )
    } else if state.pending_reboot > 0 {
        Verdict::new(
            NodeOutcome::PendingReboot,
            format!(
                "{} installed, waiting for a reboot",
                patches(state.pending_reboot)
            ),
        )
    } else {
        Verdict::new(NodeOutcome::Done, "")
    }
}

#[cfg(test)]
mod tests;
