//! What became of a node that the command reached and that answers: by its patch state, or where none is written, by
//! what the command says of itself.

use super::{Evidence, PATCH_STATE_LAG, Verdict};
use crate::outcome::NodeOutcome;
use crate::port::InvocationStatus;
use crate::request::Operation;

/// A node that the command reached and that answers.
pub(super) fn answered(evidence: &Evidence<'_>, status: &InvocationStatus) -> Verdict {
    use InvocationStatus as S;
    if evidence.by_word {
        return by_word(evidence, status);
    }
    if let Some(state) = evidence.fresh() {
        return match evidence.operation {
            Operation::Scan => Verdict::new(NodeOutcome::Done, ""),
            Operation::Install => installed(
                state.failed,
                state.missing,
                state.pending_reboot,
                evidence.by_list,
            ),
        };
    }
    let nothing = "and has no patch state of this run";
    match status {
        S::Cancelled => cancelled(evidence),
        S::Terminated => Verdict::new(
            NodeOutcome::Unknown,
            format!(
                "the command ended as {}; what it began on the node may run on",
                evidence.command
            ),
        )
        .until(PATCH_STATE_LAG),
        S::Success if evidence.was_written_over() => Verdict::new(
            NodeOutcome::Unknown,
            "reported success, and another run has written its patch state since",
        )
        .until(PATCH_STATE_LAG),
        S::Success => {
            Verdict::new(NodeOutcome::Failed, format!("reported success, {nothing}")).until(PATCH_STATE_LAG)
        }
        S::ExecutionTimedOut => {
            Verdict::new(NodeOutcome::Failed, format!("did not finish in time, {nothing}"))
        }
        S::InProgress => Verdict::new(
            NodeOutcome::Failed,
            format!("was still running when the command ended, {nothing}"),
        ),
        S::Failed => Verdict::new(NodeOutcome::Failed, format!("reported failure, {nothing}")),
        other => Verdict::new(
            NodeOutcome::Failed,
            format!("ended as {}, {nothing}", other.as_str()),
        ),
    }
}

/// A node on which the command was cancelled, and which has no patch state of this run. A cancel ends the
/// command, and not what it began on the node.
fn cancelled(evidence: &Evidence<'_>) -> Verdict {
    if !evidence.begun {
        return Verdict::new(
            NodeOutcome::NotRun,
            "the command was cancelled before its turn came",
        );
    }
    let verdict = Verdict::new(
        NodeOutcome::Unknown,
        "the command was cancelled while it was at work on it; what it began may run on",
    );
    if evidence.by_word {
        verdict // there is no patch state to wait for
    } else {
        verdict.until(PATCH_STATE_LAG)
    }
}

/// A node of a run that writes no patch state: what the command said of itself is all there is.
fn by_word(evidence: &Evidence<'_>, status: &InvocationStatus) -> Verdict {
    use InvocationStatus as S;
    let told = "by the command's own word, as a baseline override writes no patch state";
    match status {
        S::Success => match (evidence.operation, evidence.summary) {
            (Operation::Install, Some(summary)) => {
                let verdict = installed(summary.failed, summary.missing, summary.pending_reboot, false);
                let detail = if verdict.detail.is_empty() {
                    told.to_owned()
                } else {
                    format!("{}, {told}", verdict.detail)
                };
                Verdict::new(verdict.outcome, detail)
            }
            (Operation::Install, None) if let Some(why) = evidence.not_read => Verdict::new(
                NodeOutcome::Unknown,
                format!("reported success, which failed patches do not prevent, and {why}"),
            ),
            (Operation::Install, None) => Verdict::new(
                NodeOutcome::Done,
                format!("{told}; it names no patch that is missing"),
            ),
            (Operation::Scan, _) => Verdict::new(NodeOutcome::Done, told),
        },
        S::Cancelled => cancelled(evidence),
        S::Terminated | S::DeliveryTimedOut | S::Delayed | S::InProgress => Verdict::new(
            NodeOutcome::Unknown,
            format!("ended as {}; what was begun on it may run on", status.as_str()),
        ),
        _ => Verdict::new(
            NodeOutcome::Failed,
            match evidence.code {
                Some(code) => format!("ended as {} with exit code {code}, {told}", status.as_str()),
                None => format!("ended as {}, {told}", status.as_str()),
            },
        ),
    }
}

fn installed(failed: u32, missing: u32, pending_reboot: u32, by_list: bool) -> Verdict {
    let patches = |n: u32| {
        if n == 1 {
            "1 patch".to_owned()
        } else {
            format!("{n} patches")
        }
    };
    if failed > 0 {
        Verdict::new(
            NodeOutcome::Failed,
            format!("{} failed to install", patches(failed)),
        )
    } else if missing > 0 && !by_list {
        Verdict::new(
            NodeOutcome::Missing,
            format!("{} still missing", patches(missing)),
        )
    } else if pending_reboot > 0 {
        Verdict::new(
            NodeOutcome::PendingReboot,
            format!("{} installed, waiting for a reboot", patches(pending_reboot)),
        )
    } else if missing > 0 {
        Verdict::new(
            NodeOutcome::Done,
            format!(
                "{} that the override list does not name still missing",
                patches(missing)
            ),
        )
    } else {
        Verdict::new(NodeOutcome::Done, "")
    }
}
