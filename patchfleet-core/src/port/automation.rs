//! Starting automations and seeing what becomes of them.
//!
//! The walk from an execution to its nodes has five calls: [`execution`](Automation::execution),
//! [`steps`](Automation::steps) (in the central account and Region), then, in the step's own
//! location, [`child`](Automation::child) (or [`children`](Automation::children), if the step does
//! not say which that is), [`command`](Automation::command), [`invocations`](Automation::invocations)
//! and [`patch_states`](Automation::patch_states).

use super::{BoxFuture, Page, PageToken, PortResult};
use crate::id::{ClientToken, CommandId, DocumentName, ExecutionId, Location, NodeId};
use crate::presigned;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

mod start;
mod status;

pub use start::{StartRequest, Tag, TargetLocation};
pub use status::{ExecutionStatus, InvocationStatus};

/// Systems Manager Automation and Run Command.
///
/// Promises: [`start`](Self::start) sends the request as it is given, byte for byte the same for
/// the same input, and an error says whether it may have taken effect. Does not promise: that what
/// was just started can be found or read at once (AWS is eventually consistent), or that retried
/// starts are the same execution once AWS has forgotten the client token.
pub trait Automation: Send + Sync {
    /// Starts an execution in the central account and Region (StartAutomationExecution).
    fn start(&self, request: &StartRequest, token: ClientToken) -> BoxFuture<'_, PortResult<ExecutionId>>;

    /// The executions of `document` in the central account and Region that carry a tag with this
    /// key, one page (DescribeAutomationExecutions). Children of executions are left out. AWS keeps
    /// executions for 30 days. There is no bound in time: clocks differ, and the key is unique.
    fn find(
        &self,
        document: &DocumentName,
        tag_key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>>;

    /// An execution in the central account and Region (GetAutomationExecution).
    fn execution(&self, id: &ExecutionId) -> BoxFuture<'_, PortResult<ExecutionView>>;

    /// The steps of an execution, one page: for an execution with target locations, one for each
    /// location (DescribeAutomationStepExecutions).
    fn steps(&self, id: &ExecutionId, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<StepView>>>;

    /// The execution that a location's step started there (GetAutomationExecution).
    fn child(&self, location: &Location, id: &ExecutionId) -> BoxFuture<'_, PortResult<ChildView>>;

    /// The executions that `parent` started in a location, one page (DescribeAutomationExecutions
    /// there, by ParentExecutionId). For a step that does not name its own: it is not documented
    /// that the outputs of a step that failed do.
    fn children(
        &self,
        location: &Location,
        parent: &ExecutionId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>>;

    /// A command (ListCommands with its id). `NotFound` if there is none (yet).
    fn command(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<CommandView>>;

    /// A command's invocations, one for each node, one page (ListCommandInvocations). `plugins`
    /// (the API's `Details`) asks for what each step of the document did, with the first 2,500
    /// characters of its output: for those alone who read it, since the answer is much larger.
    fn invocations(
        &self,
        location: &Location,
        id: &CommandId,
        plugins: bool,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<InvocationView>>>;

    /// What one step of a command printed on one node, its first 24,000 characters
    /// (GetCommandInvocation, `StandardOutputContent`). One call for each node: only for what
    /// [`invocations`](Self::invocations) cut off. `NotFound` if there is none (yet).
    fn output(
        &self,
        location: &Location,
        id: &CommandId,
        node: &NodeId,
        plugin: &str,
    ) -> BoxFuture<'_, PortResult<String>>;

    /// The patch states of these nodes, of at most 50, to the end (DescribeInstancePatchStates).
    /// A node that was never scanned is left out.
    fn patch_states(
        &self,
        location: &Location,
        nodes: &[NodeId],
    ) -> BoxFuture<'_, PortResult<Vec<PatchStateView>>>;
}

/// An execution in the central account and Region.
#[derive(Clone, PartialEq, Eq)]
pub struct ExecutionView {
    /// Its status.
    pub status: ExecutionStatus,
    /// AWS's words on why it failed; empty if it did not.
    pub failure: String,
    /// When AWS started it, by AWS's clock.
    pub started_at: Option<Timestamp>,
    /// The parameters it runs with.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// The name or ARN of its document, if AWS gives it.
    pub document: Option<String>,
    /// The accounts and Regions that it was started for, if AWS gives them and each is one.
    pub locations: Option<BTreeSet<Location>>,
    /// When AWS gave this answer, by AWS's clock. `None` if the answer does not say.
    pub answered_at: Option<Timestamp>,
}

/// Shows a presigned URL among the parameters as its digest.
impl fmt::Debug for ExecutionView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            failure,
            started_at,
            parameters,
            document,
            locations,
            answered_at,
        } = self;
        f.debug_struct("ExecutionView")
            .field("status", status)
            .field("failure", &presigned::concealed_within(failure))
            .field("started_at", started_at)
            .field("parameters", &presigned::Parameters(parameters))
            .field("document", document)
            .field("locations", locations)
            .field("answered_at", answered_at)
            .finish()
    }
}

/// A location's step in its parent execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepView {
    /// The location. `None` if the step names none, or several.
    pub location: Option<Location>,
    /// Its status. `Pending`: not reached (yet).
    pub status: ExecutionStatus,
    /// The execution that it started in its location.
    pub child: Option<ExecutionId>,
    /// AWS's words on why it failed; empty if it did not.
    pub failure: String,
}

/// The execution in a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildView {
    /// Its status.
    pub status: ExecutionStatus,
    /// The commands that its `aws:runCommand` steps have sent so far, in the order of the steps. A runbook
    /// may send several, and not all of them need to patch.
    pub commands: Vec<SentCommand>,
    /// AWS's words on why it (or its step) failed; empty if it did not.
    pub failure: String,
}

/// A command that a step of the execution in a location sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentCommand {
    /// The command.
    pub id: CommandId,
    /// The name or ARN of its document: the step's input `DocumentName`. AWS gives the inputs of a step that
    /// was begun with every reference resolved (SSM API reference, `StepExecution`). `None`: not said.
    pub document: Option<String>,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandView {
    /// `Status`: Pending, InProgress, Success, Cancelled, Failed, TimedOut or Cancelling.
    pub status: String,
    /// `StatusDetails`, without spaces: `NoInstancesInTag`, `Incomplete`, ….
    pub details: String,
    /// When it was sent, by AWS's clock.
    pub requested_at: Timestamp,
    /// When it expires as a whole, and takes every node with it that has not had its turn
    /// (`ExpiresAfter`).
    pub expires_at: Option<Timestamp>,
    /// How far it is.
    pub counts: CommandCounts,
}

impl CommandView {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        !matches!(self.status.as_str(), "Pending" | "InProgress" | "Cancelling")
    }

    /// Whether it ended because it matched no node: an empty group, a group that is not there, tags
    /// that no node has. AWS calls that Success / NoInstancesInTag.
    #[must_use]
    pub fn matched_nothing(&self) -> bool {
        self.details.eq_ignore_ascii_case("NoInstancesInTag")
    }

    /// Whether somebody has cancelled it. The step that sent it then ends as Failed or as Cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        ["Cancelling", "Cancelled"]
            .iter()
            .any(|word| self.status.eq_ignore_ascii_case(word))
    }

    /// Whether it failed before it was sent to any node, for the reason in its details: `AccessDenied`
    /// if its sender may not list the group, `RateExceeded` if AWS was asked too often. Such a command
    /// has no target either, and says nothing about the selection.
    #[must_use]
    pub fn failed_before_any_node(&self) -> bool {
        self.is_terminal()
            && self.counts.targets == 0
            && !self.matched_nothing()
            && !self.status.eq_ignore_ascii_case("Success")
    }
}

/// A command's own counts, in nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct CommandCounts {
    /// Nodes that it was sent to or will be (`TargetCount`).
    pub targets: u32,
    /// Nodes that are through, well or not (`CompletedCount`).
    pub completed: u32,
    /// Failed or timed out while running (`ErrorCount`): what counts against its error limit.
    pub errors: u32,
    /// Never reached (`DeliveryTimedOutCount`): what does not.
    pub undelivered: u32,
}

impl CommandCounts {
    /// The counts of two commands together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            targets: self.targets.saturating_add(other.targets),
            completed: self.completed.saturating_add(other.completed),
            errors: self.errors.saturating_add(other.errors),
            undelivered: self.undelivered.saturating_add(other.undelivered),
        }
    }
}

/// What a command did on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvocationView {
    /// The node.
    pub node: NodeId,
    /// What became of it.
    pub status: InvocationStatus,
    /// When it was asked for on this node, about 0.1 s after the command (`RequestedDateTime`).
    pub requested_at: Option<Timestamp>,
    /// What each step of the document did; empty unless it was asked for.
    pub plugins: Vec<PluginView>,
}

/// What one step of a command's document did on one node (`CommandPlugin`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginView {
    /// Its name, as GetCommandInvocation takes it.
    pub name: String,
    /// What became of it.
    pub status: InvocationStatus,
    /// Its exit code. `None`: it has none, which AWS writes as −1.
    pub response_code: Option<i32>,
    /// When it began, by AWS's clock. `None`: it is not known to have begun, which does not prove
    /// that it never did.
    pub started_at: Option<Timestamp>,
    /// The first 2,500 characters that it printed.
    pub output: String,
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
