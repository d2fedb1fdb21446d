//! What became of a node: a pure function of what AWS says about it.

use super::summary::Summary;
use crate::outcome::{Goal, NodeOutcome};
use crate::port::{InvocationStatus, ManagedNode, PatchStateView, PingStatus, PlatformType};
use crate::request::Operation;
use jiff::{SignedDuration, Timestamp};

mod answered;
mod several;

use answered::answered;
pub(super) use several::worse;

/// How long a node's patch state, or its line in the command's results, may come after the end of
/// its run. Until then, a node that reports success and has no new state keeps its location open,
/// and so does a command that is through with more nodes than its results name. Run Command and patch states are
/// different parts of Systems Manager, and nothing is documented about how far apart they are.
pub(crate) const PATCH_STATE_LAG: SignedDuration = SignedDuration::from_mins(2);

/// How long a node that answers may seem not to, and one that does not may seem to. The agent
/// sends a health ping every five minutes (Systems Manager User Guide, "SSM Agent technical
/// reference"), and PingStatus was seen Online 84 s after the last one, when a command had expired
/// on the node. Two minutes more are for the way of the ping. Whoever has not pinged for this long
/// after the end of a command does not answer.
pub(crate) const PING_LAG: SignedDuration = SignedDuration::from_mins(7);

/// The words for a planned node that is not selected any more, and that Systems Manager still lists.
pub(crate) const LEFT: &str = "left the selection after the plan, and was not patched";
/// The words for a node that nothing is said of, where not every node is named.
pub(crate) const NOT_ALL_LISTED: &str = "the command's results do not name every node that it ran on";
/// The words for a planned node that is there no more.
pub(crate) const GONE: &str = "planned, and neither selected nor listed by Systems Manager any more";
/// Why a node that is selected and not listed by Systems Manager is in no command. Which of the three it
/// is cannot be told without ec2:DescribeInstances: DescribeInstanceInformation leaves out instances
/// that are stopped or terminated.
pub(crate) const NOT_LISTED: &str =
    "selected, and not listed by Systems Manager: stopped, terminated, or never registered";

/// What AWS says about a node after the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    /// What the campaign does.
    pub(super) operation: Operation,
    /// What it wants of the node.
    pub(super) goal: Goal,
    /// Whether an override list says what to install, so that the rest stays missing by right.
    pub(super) by_list: bool,
    /// Whether a baseline override takes the place of the patch state: then none is written.
    pub(super) by_word: bool,
    /// When the command was sent, by AWS's clock.
    pub(super) requested_at: Timestamp,
    /// When the command expired, by AWS's clock. `None`: it was over before.
    pub(super) expires_at: Option<Timestamp>,
    /// When the run in the location was first seen to be over; where nobody said so, when it expired.
    pub(super) ended_at: Option<Timestamp>,
    /// The command's `StatusDetails`.
    pub(super) command: &'a str,
    /// The patch snapshot that the campaign gave the run. `None`: its runbook takes none.
    pub(super) snapshot: Option<&'a str>,
    /// What the command did on it; `None` if it was not among the command's targets.
    pub(super) invocation: Option<&'a InvocationStatus>,
    /// Whether AWS says when the command began on it.
    pub(super) begun: bool,
    /// Whether what the command may have begun there before it expired may be at work still.
    pub(super) runs_on: bool,
    /// Its exit code there, if AWS was asked for it and it has one.
    pub(super) code: Option<i32>,
    /// What the run printed of itself, if it was read.
    pub(super) summary: Option<Summary>,
    /// Why what it printed was not read to its end, if it was not.
    pub(super) not_read: Option<&'a str>,
    /// Whether the command's results name every node that it is through with. If not, a node
    /// without one may have been a target.
    pub(super) all_listed: bool,
    /// Whether the selection holds it now.
    pub(super) selected: bool,
    /// What Systems Manager says of its agent now; `None` if it does not list the node.
    pub(super) managed: Option<&'a ManagedNode>,
    /// Its patch state now.
    pub(super) state: Option<&'a PatchStateView>,
}

/// What became of a node, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) outcome: NodeOutcome,
    /// Empty if the outcome says it all.
    pub(super) detail: String,
    /// How long after the end of the run another look may say otherwise; `None` if none will.
    pub(super) may_change: Option<SignedDuration>,
    /// Whether nothing of the command can be at work on the node.
    pub(super) away: bool,
}

impl Verdict {
    fn new(outcome: NodeOutcome, detail: impl Into<String>) -> Self {
        Self {
            outcome,
            detail: detail.into(),
            may_change: None,
            away: false,
        }
    }

    /// Nothing of the command can be at work on the node.
    fn away(self) -> Self {
        Self { away: true, ..self }
    }

    fn until(self, lag: SignedDuration) -> Self {
        Self {
            may_change: Some(lag),
            ..self
        }
    }
}

impl Evidence<'_> {
    /// Whether a step of the command has a time as soon as the command has begun on the node. Systems Manager knows no times of a step that
    /// runs. AWS-RunPatchBaseline's first step is the one for Windows, which is over at once on every other platform.
    fn tells_when_it_begins(&self) -> bool {
        let platform = self.managed.and_then(|node| node.platform);
        platform.is_some_and(|platform| platform != PlatformType::Windows)
    }

    /// The patch state, if this campaign's run wrote it: of its operation, and of its snapshot. A
    /// state of another snapshot is somebody else's, however new. Only where the run or the state has
    /// none do the times decide: whose clock they are of is not documented.
    ///
    /// A scan of the campaign's own snapshot that came after the command counts for an installation too: a
    /// runbook of one's own may verify what it installed. One that came before tells nothing of it.
    pub(super) fn fresh(&self) -> Option<&PatchStateView> {
        let state = self.state.filter(|_| !self.by_word)?;
        let is_ours = match (self.snapshot, &state.snapshot) {
            (Some(own), Some(snapshot)) => snapshot.eq_ignore_ascii_case(own),
            (None, _) | (_, None) => state.ended_at >= self.requested_at,
        };
        let is_of = |operation: Operation| state.operation.eq_ignore_ascii_case(operation.as_str());
        let verifies = || {
            let named = self.snapshot.is_some() && state.snapshot.is_some();
            named && is_of(Operation::Scan) && state.ended_at >= self.requested_at
        };
        (is_ours && (is_of(self.operation) || verifies())).then_some(state)
    }

    /// Whether the command ended on the node without a word of its agent, which is there still as far as Systems Manager knows. What the
    /// command began may run on, and a silent agent tells of nothing.
    pub(super) fn ended_without_word(&self) -> bool {
        use InvocationStatus as S;
        let is_cut_short = self.invocation.is_some_and(|status| match status {
            S::Success | S::Failed | S::Pending => false,
            S::Undeliverable | S::AccessDenied | S::InvalidPlatform => false,
            S::DeliveryTimedOut | S::Delayed | S::InProgress => true,
            S::ExecutionTimedOut | S::Cancelled | S::Terminated | S::Other(_) => true,
        });
        is_cut_short && self.managed.is_some()
    }

    /// Whether somebody else's run has written the patch state since the command was sent, and so in place
    /// of this run's.
    fn was_written_over(&self) -> bool {
        let newer = self.state.filter(|state| state.ended_at >= self.requested_at);
        newer.is_some() && self.fresh().is_none()
    }

    /// The patch state, if it can be nobody else's.
    fn proves_a_run(&self) -> bool {
        self.snapshot.is_some() && self.fresh().is_some_and(|state| state.snapshot.is_some())
    }

    /// Whether the results of this run say that the node did not reach its goal.
    fn fell_short(&self) -> bool {
        let has_results = if self.by_word {
            self.summary.is_some()
        } else {
            self.fresh().is_some()
        };
        let result = || answered(self, &InvocationStatus::Success);
        has_results && !result().outcome.reaches_goal(self.goal)
    }

    /// Whether a patch state that can be nobody else's says that the node did not reach its goal.
    fn proves_a_shortfall(&self) -> bool {
        self.proves_a_run() && self.fell_short()
    }

    fn by_alarm(&self) -> bool {
        self.command.to_ascii_lowercase().contains("alarm")
    }

    /// Whether its agent may have been there when the command was sent.
    fn was_alive(&self) -> bool {
        self.managed
            .and_then(|node| node.last_ping)
            .is_some_and(|ping| ping.checked_add(PING_LAG).unwrap_or(Timestamp::MAX) >= self.requested_at)
    }

    /// Whether its agent answers after `end`.
    fn presence(&self, end: Option<Timestamp>) -> Presence {
        match self.managed {
            None => Presence::NotListed,
            Some(node) if node.ping == PingStatus::Offline => Presence::Silent,
            Some(node) => match (node.last_ping, end) {
                (Some(ping), Some(end)) if ping < end => Presence::TooEarly,
                _ => Presence::Answers,
            },
        }
    }
}

/// Whether a node's agent answers after the run.
#[derive(Clone, Copy, PartialEq)]
enum Presence {
    Answers,
    /// PingStatus says so, and no ping has come since the end of the run.
    TooEarly,
    Silent,
    /// Systems Manager does not list the node.
    NotListed,
}

/// Classifies a node. The truth is its patch state, not what the command says of itself; and a
/// node that was reached and does not answer any more is lost, whatever else is said of it.
pub(super) fn classify(evidence: &Evidence<'_>) -> Verdict {
    use InvocationStatus as S;
    let Some(status) = evidence.invocation else {
        return without_invocation(evidence);
    };
    match status {
        S::Undeliverable | S::AccessDenied | S::InvalidPlatform => match evidence.managed {
            None if evidence.proves_a_shortfall() => lost(Presence::NotListed),
            None if !evidence.selected => gone(),
            _ => {
                let detail = format!("the command could not be delivered: {}", status.as_str());
                let verdict = Verdict::new(NodeOutcome::Unreached, detail);
                match status {
                    S::Undeliverable if !evidence.begun && evidence.fresh().is_none() => verdict.away(),
                    // What is missing there is missing the next time as well.
                    _ => verdict,
                }
            }
        },
        S::Pending => not_tried(evidence, "the command ended before it was sent to it"),
        S::Terminated if !evidence.by_alarm() && !evidence.begun => not_tried(
            evidence,
            "not sent: the command had reached its error limit before",
        ),
        // The agent said so itself, so it was there.
        S::Success | S::Failed => match evidence.presence(None) {
            Presence::NotListed if *status == S::Success => success_not_listed(evidence),
            Presence::Answers | Presence::TooEarly => answered(evidence, status),
            presence => lost(presence),
        },
        S::DeliveryTimedOut | S::Delayed => expired(evidence, status),
        S::InProgress | S::ExecutionTimedOut | S::Cancelled | S::Terminated | S::Other(_) => {
            match evidence.presence(evidence.ended_at.or(evidence.expires_at)) {
                Presence::Answers => answered(evidence, status),
                // No step of it had begun, and nothing says that the node went away meanwhile.
                Presence::TooEarly if may_have_waited(evidence, status) => {
                    answered(evidence, status).until(PING_LAG)
                }
                Presence::Silent if may_have_waited(evidence, status) && silent_before(evidence) => {
                    unreached_before(evidence, "the command ended before it was delivered")
                }
                Presence::NotListed if may_have_waited(evidence, status) && !evidence.selected => gone(),
                presence => lost(presence),
            }
        }
    }
}

fn without_invocation(evidence: &Evidence<'_>) -> Verdict {
    if !evidence.all_listed {
        return Verdict::new(NodeOutcome::Unknown, NOT_ALL_LISTED).until(PATCH_STATE_LAG);
    }
    match (evidence.managed, evidence.selected) {
        (Some(_), _) if evidence.command.eq_ignore_ascii_case("Success") => {
            Verdict::new(NodeOutcome::NotRun, "the command was not sent to it")
        }
        (Some(_), _) => Verdict::new(
            NodeOutcome::NotRun,
            format!("the command was not sent to it: it ended as {}", evidence.command),
        ),
        (None, true) => Verdict::new(NodeOutcome::Unmanaged, NOT_LISTED),
        (None, false) => Verdict::new(NodeOutcome::Gone, GONE),
    }
}

/// A node that reported success and is listed no more.
///
/// It is gone if its run provably came to its end: Run Command reports success after the reboot, and the
/// run's own results say that the goal was reached. It is lost if they say that it was not, also if the
/// node has left its selection since: an autoscaling group replaces a broken machine. Without results the
/// selection decides. A node that is still selected may be stopped, and is lost.
fn success_not_listed(evidence: &Evidence<'_>) -> Verdict {
    let result = answered(evidence, &InvocationStatus::Success);
    let proven = if evidence.by_word {
        evidence.operation == Operation::Scan || evidence.summary.is_some()
    } else {
        evidence.proves_a_run()
    };
    if proven && result.outcome.reaches_goal(evidence.goal) {
        let with = if result.detail.is_empty() {
            String::new()
        } else {
            format!(" ({})", result.detail)
        };
        return Verdict::new(
            NodeOutcome::Gone,
            format!(
                "had reached its goal{with}, and Systems Manager does not list it any more: stopped, terminated, or \
                 deregistered"
            ),
        );
    }
    let verdict = if evidence.selected || evidence.fell_short() {
        lost(Presence::NotListed)
    } else {
        gone()
    };
    let may_be_late = evidence.snapshot.is_some() && !evidence.by_word && evidence.fresh().is_none();
    if may_be_late && !evidence.was_written_over() {
        verdict.until(PATCH_STATE_LAG)
    } else {
        verdict
    }
}

/// A node that reported success, or was in no need to, and is there no more.
fn gone() -> Verdict {
    Verdict::new(
        NodeOutcome::Gone,
        "the command was sent to it, and it is neither selected nor listed by Systems Manager any more",
    )
}

fn lost(presence: Presence) -> Verdict {
    match presence {
        Presence::NotListed => Verdict::new(
            NodeOutcome::Lost,
            "the command was sent to it, and Systems Manager does not list it any more: stopped, terminated, or \
             deregistered",
        ),
        Presence::TooEarly => Verdict::new(
            NodeOutcome::Lost,
            "the command reached it, and its agent was not heard of after the command's end",
        )
        .until(PING_LAG),
        Presence::Silent | Presence::Answers => Verdict::new(
            NodeOutcome::Lost,
            "the command reached it, and its agent does not answer any more",
        ),
    }
}

/// A node that the command did not reach, by what is said of it; its patch state may prove the
/// contrary.
fn not_tried(evidence: &Evidence<'_>, why: &str) -> Verdict {
    match evidence.managed {
        None if evidence.proves_a_shortfall() => lost(Presence::NotListed),
        None if !evidence.selected => gone(),
        None if evidence.proves_a_run() => lost(Presence::NotListed),
        Some(node) if evidence.proves_a_run() => match node.ping {
            PingStatus::Online => answered(evidence, &InvocationStatus::Terminated),
            PingStatus::Offline => lost(Presence::Silent),
        },
        _ => Verdict::new(NodeOutcome::NotRun, why),
    }
}

/// Whether the node may still have waited for its turn. A cancel and an alarm end a command with the same
/// words on the nodes that it was at work on and on those that it never came to.
fn may_have_waited(evidence: &Evidence<'_>, status: &InvocationStatus) -> bool {
    matches!(status, InvocationStatus::Cancelled | InvocationStatus::Terminated)
        && !evidence.begun
        && evidence.fresh().is_none()
}

fn silent_before(evidence: &Evidence<'_>) -> bool {
    !evidence.begun && !evidence.was_alive() && evidence.fresh().is_none()
}

fn unreached_before(evidence: &Evidence<'_>, what: &str) -> Verdict {
    let heard = evidence.managed.and_then(|node| node.last_ping);
    Verdict::new(
        NodeOutcome::Unreached,
        match heard {
            Some(ping) => format!("{what}: its agent was last heard of at {ping:.0}"),
            None => what.to_owned(),
        },
    )
    .away()
}

/// A node on which the command expired. Whoever was at work then has this status as well, and so
/// has whoever still waited for its turn.
fn expired(evidence: &Evidence<'_>, status: &InvocationStatus) -> Verdict {
    match evidence.presence(evidence.expires_at.or(evidence.ended_at)) {
        Presence::Answers if evidence.fresh().is_some() => answered(evidence, status),
        Presence::Answers if evidence.begun => Verdict::new(
            NodeOutcome::RunningAtExpiry,
            "the command expired while it was at work on it; what it began may run on",
        )
        .until(PATCH_STATE_LAG),
        Presence::Answers if evidence.runs_on && !evidence.tells_when_it_begins() => Verdict::new(
            NodeOutcome::Unknown,
            "the command expired before it had a result, and Systems Manager does not say whether it had begun there: it had no \
             turn, or what it began runs on",
        )
        .until(PATCH_STATE_LAG),
        Presence::Answers if evidence.was_written_over() && !evidence.tells_when_it_begins() => Verdict::new(
            NodeOutcome::Unknown,
            "the command expired before it had a result, and another run has written the node's patch state since: whether this one \
             had begun there can no longer be told",
        ),
        Presence::Answers => Verdict::new(
            NodeOutcome::Unreached,
            "the command expired before it had a result: it had no turn, or what was begun on it came to nothing",
        ),
        Presence::Silent if silent_before(evidence) => {
            unreached_before(evidence, "the command was not delivered in time")
        }
        presence => lost(presence),
    }
}

#[cfg(test)]
mod tests;
