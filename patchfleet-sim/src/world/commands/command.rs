//! Run Command. A command goes to its nodes under its rate control, and ends when all of them have
//! ended.
//!
//! A command expires as a whole: TimeoutSeconds and the step timeouts of its document after its
//! request, every invocation that has not ended is DeliveryTimedOut (recorded in 2021 and 2026). What
//! runs on a node then runs on. A command that found no node is `Success`, details
//! `NoInstancesInTag` (recorded). With more errors than allowed it is `Failed`, and what was not sent
//! is `Cancelled`, details `Terminated`. It is `TimedOut`, details `DeliveryTimedOut`, if as many
//! nodes as MaxErrors says, and at least one, ended so ("Understanding command statuses", Systems
//! Manager user guide). It is `Success` if at least one node succeeded and the others were not
//! delivered to, and `Success` with the details `Incomplete` if others failed. It is `Failed` if nothing came
//! through, because all nodes are undeliverable, of the wrong platform or not to be accessed.

mod combine;
mod document;
mod invocations;
mod log;
mod output;
mod run;
mod send;

pub(crate) use document::CommandDocument;
pub(crate) use invocations::Invocations;
pub(crate) use output::Plugin;
pub use send::CommandRefusal;

use crate::world::{
    Pacer, PatchReport, Status, Target, documents::parameters::WireParameters, time::Scheduled,
};
use jiff::Timestamp;
use patchfleet_core::id::{Location, NodeId};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// What SendCommand is asked for.
#[derive(Debug, Clone)]
pub struct CommandOrder {
    /// Where.
    pub location: Location,
    /// The Command document.
    pub document: String,
    /// Its parameters.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Nodes by id; empty if there are targets.
    pub instance_ids: Vec<String>,
    /// Targets, all of which have to match.
    pub targets: Vec<Target>,
    /// How many nodes at once (AWS's default is 50).
    pub max_concurrency: String,
    /// How many errors are allowed (AWS's default is 0).
    pub max_errors: String,
    /// Seconds until a node that was not reached is given up (AWS's default is 3600).
    pub timeout_seconds: i64,
    /// A comment.
    pub comment: String,
    /// The role, of the location's account, with which it is sent; `None`: somebody who may do all.
    pub sender: Option<String>,
    /// The execution and step that send it.
    pub step: Option<(String, usize)>,
    /// What AWS stores and shows, and what changes nothing for the nodes.
    pub options: CommandOptions,
}

/// The options of a command besides its work and its nodes.
#[derive(Debug, Clone, Default)]
pub struct CommandOptions {
    /// The document's version.
    pub document_version: Option<String>,
    /// The S3 bucket for its output.
    pub output_bucket: Option<String>,
    /// The key prefix of its output there.
    pub output_prefix: Option<String>,
    /// The role for notifications.
    pub service_role: Option<String>,
    /// `NotificationConfig`.
    pub notification: Option<Value>,
    /// `CloudWatchOutputConfig`.
    pub cloudwatch: Option<Value>,
}

/// A command.
#[derive(Debug, Clone)]
pub struct Command {
    pub(crate) id: String,
    /// Its place among those that calls sent in its location, from 1; 0 if a step did.
    pub(crate) number: u64,
    pub(crate) order: CommandOrder,
    pub(crate) document: CommandDocument,
    pub(crate) requested: Timestamp,
    pub(crate) status: Status,
    pub(crate) details: &'static str,
    pub(crate) invocations: Invocations,
    pub(crate) pacer: Pacer,
    pub(crate) ended: Option<Timestamp>,
    /// The event of its expiry, until it has ended.
    pub(in crate::world) expiry: Option<Scheduled>,
}

/// A command on one node.
#[derive(Debug, Clone)]
pub struct Invocation {
    pub(crate) node: NodeId,
    pub(crate) state: InvocationState,
    pub(crate) started: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) response_code: i32,
    /// Whether the node works on although the invocation has ended. Nobody told the node that it was
    /// given up.
    pub(crate) runs_on: bool,
    /// Until when it did, if it has come to an end since.
    pub(crate) ran_on_until: Option<Timestamp>,
    /// The event of its execution timeout, while there is one.
    pub(in crate::world) timeout: Option<Scheduled>,
    /// Whether the ramp of the rate control has counted it.
    pub(crate) counted: bool,
    /// What kept it from doing its work.
    pub(crate) trouble: Option<Trouble>,
    /// What it found, if it came so far.
    pub(crate) report: Option<Arc<PatchReport>>,
}

/// What keeps AWS-RunPatchBaseline from looking at patches, with its exit code. All are of the range
/// that the document has for failing at its set-up; 167 is documented, the others are this
/// simulator's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It was given two override lists.
    TwoOverrides,
    /// The snapshot that it was given is too old.
    SnapshotExpired,
    /// It cannot even begin, as the world says.
    SetUp,
}

impl Trouble {
    pub(crate) fn exit_code(self) -> i32 {
        match self {
            Self::TwoOverrides => 167,
            Self::SnapshotExpired => 156,
            Self::SetUp => 148,
        }
    }
}

/// How far a command is on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvocationState {
    /// Not sent: others come first.
    Waiting,
    /// Sent, and not yet taken by the agent. AWS calls that InProgress (recorded).
    Sent,
    /// Sent to an agent that does not answer; Systems Manager tries again. Its `Status` is Pending, and
    /// only its `StatusDetails` are Delayed (recorded), although the API's model has both as a `Status`.
    Delayed,
    /// Running, or rebooting.
    Running,
    /// Asked to stop.
    Cancelling,
    /// Ended, with status and details.
    Ended(Status, &'static str),
}

impl InvocationState {
    /// `Status` and `StatusDetails`.
    #[must_use]
    pub fn status(self) -> (&'static str, &'static str) {
        match self {
            Self::Waiting => ("Pending", "Pending"),
            Self::Delayed => ("Pending", "Delayed"),
            Self::Sent | Self::Running => ("InProgress", "InProgress"),
            Self::Cancelling => ("Cancelling", "Cancelling"),
            Self::Ended(status, details) => (status.as_str(), details),
        }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Ended(..))
    }

    /// Whether it was sent and no agent has taken it.
    pub(crate) fn is_undelivered(self) -> bool {
        matches!(self, Self::Sent | Self::Delayed)
    }
}

impl Invocation {
    /// Until when the node was at work, whether or not Systems Manager had given it up by then. `None`: it never was, or is still.
    #[must_use]
    pub fn at_work_until(&self) -> Option<Timestamp> {
        let is_over = self.started.is_some() && !self.runs_on;
        self.ran_on_until.or(self.ended.filter(|_| is_over))
    }

    /// How far it is.
    #[must_use]
    pub fn state(&self) -> InvocationState {
        self.state
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// Whether the agent has told what became of it. Systems Manager knows no times of a step that runs,
    /// nor of one that it has given up itself (recorded, of an alarm).
    pub(crate) fn is_reported(&self) -> bool {
        match self.state {
            InvocationState::Ended(_, "DeliveryTimedOut" | "Terminated") => false,
            InvocationState::Ended(_, "ExecutionTimedOut") => self.response_code != -1,
            InvocationState::Ended(..) => self.started.is_some(),
            _ => false,
        }
    }
}

impl Command {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key that sorts older commands first. Commands that steps send at one instant are sorted by their ids, as
    /// executions are that parents start.
    pub(crate) fn age(&self) -> (Timestamp, u64, &str) {
        (self.requested, self.number, &self.id)
    }

    /// `Status` and `StatusDetails`.
    #[must_use]
    pub fn status(&self) -> (Status, &'static str) {
        (self.status, self.details)
    }

    /// One for each node: those that were named from the beginning, those of targets when it has
    /// looked for them.
    #[must_use]
    pub fn invocations(&self) -> &[Invocation] {
        self.invocations.all()
    }

    /// Whether it is known which nodes it has: they were named, or it has looked for them.
    pub(crate) fn knows_its_nodes(&self) -> bool {
        !self.order.instance_ids.is_empty() || self.status != Status::Pending
    }

    pub(crate) fn invocation(&self, node: &NodeId) -> Option<&Invocation> {
        self.invocations.get(node)
    }

    pub(in crate::world) fn invocation_mut(&mut self, node: &NodeId) -> Option<&mut Invocation> {
        self.invocations.get_mut(node)
    }

    /// How many invocations ended so that `which` is true of status and details.
    pub(crate) fn count(&self, which: impl Fn(Status, &str) -> bool) -> usize {
        self.invocations()
            .iter()
            .filter(
                |one| matches!(one.state, InvocationState::Ended(status, details) if which(status, details)),
            )
            .count()
    }

    /// Seconds that its script sleeps, by its lines `sleep N`. The rest of a script is ignored.
    pub(crate) fn sleeps(&self) -> i64 {
        let scripts = self.order.parameters.get("commands").into_iter().flatten();
        let seconds = |line: &str| line.trim().strip_prefix("sleep ")?.trim().parse::<u32>().ok();
        scripts
            .flat_map(|script| script.lines())
            .filter_map(seconds)
            .map(i64::from)
            .sum()
    }

    /// A parameter's first value, or nothing.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        parameter(&self.order.parameters, name)
    }
}

/// Whether an end counts against MaxErrors: failures and timeouts of the execution do. What was
/// never delivered does not, though some of it has the status `Failed` too: Undeliverable,
/// InvalidPlatform, AccessDenied.
pub(crate) fn is_error(status: Status, details: &str) -> bool {
    match status {
        Status::Failed => details == "Failed",
        _ => details == "ExecutionTimedOut",
    }
}

fn parameter<'a>(parameters: &'a WireParameters, name: &str) -> &'a str {
    parameters
        .get(name)
        .and_then(|values| values.first())
        .map_or("", String::as_str)
}

impl Command {
    /// What it is when all its nodes are through.
    fn verdict(&self, cancelled: bool) -> (Status, &'static str) {
        let all = self.invocations().len();
        let successes = self.count(|status, _| status == Status::Success);
        let errors = self.count(is_error);
        let failed = self.count(|status, _| status == Status::Failed);
        let undelivered = self.count(|_, details| details == "DeliveryTimedOut");
        if all == 0 && !cancelled {
            (Status::Success, "NoInstancesInTag")
        } else if self.pacer.is_exhausted() {
            (Status::Failed, "Failed")
        } else if cancelled {
            (Status::Cancelled, "Cancelled")
        } else if successes == all {
            (Status::Success, "Success")
        } else if undelivered > 0 && undelivered >= self.pacer.allowed_errors() as usize {
            (Status::TimedOut, "DeliveryTimedOut")
        } else if successes > 0 && successes + undelivered == all {
            (Status::Success, "Success")
        } else if successes > 0 {
            (Status::Success, "Incomplete")
        } else if errors > 0 || failed > 0 {
            // Undelivered invocations are neither errors nor successes.
            (Status::Failed, "Failed")
        } else if undelivered > 0 {
            (Status::TimedOut, "DeliveryTimedOut")
        } else {
            (Status::Cancelled, "Cancelled")
        }
    }
}
