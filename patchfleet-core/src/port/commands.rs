//! Commands, and what they do on each node.

use super::{BoxFuture, Page, PageToken, PortError, PortErrorKind, PortResult};
use crate::id::{CommandId, DocumentName, Location, NodeId};
use jiff::Timestamp;

mod send;
mod status;

pub(crate) use send::MAX_NODES;
pub use send::{CommandSettings, ListedCommand, SendRequest};
pub use status::{CommandStatus, InvocationStatus};

/// Systems Manager Run Command.
///
/// Promises: an answer is what AWS said in the location that is named. [`send`](Self::send) makes exactly one call. AWS
/// has no client token for a command, so a port must never make that call again once it may have taken effect, not even
/// where its answer was lost on the way.
///
/// Does not promise: that a command which was just sent can be read; that all its invocations are listed yet. AWS is
/// eventually consistent. It keeps commands for 30 days.
pub trait Commands: Send + Sync {
    /// Sends a command (SendCommand). Only a campaign whose request says `dispatch = "run-command"` calls it.
    ///
    /// An error says whether the command may have been sent ([`Sent`](super::Sent)). It was not only if the service
    /// itself said so: throttled, denied, or refused for its input. AWS refuses a command whole, with InvalidInstanceId,
    /// if one of its nodes is stopped, terminated or not registered (recorded). A call that AWS throttles is answered
    /// with that at once.
    ///
    /// Ports that send no commands need not have it: then each such start is refused, and nothing was sent.
    ///
    /// It is not sent after `not_after`, by the ports' clock: that is asked last, once the call has its turn and its
    /// credentials. It has not been sent then ([`Unavailable`](super::PortErrorKind::Unavailable)). Whoever looks for what was
    /// sent relies on that.
    fn send(
        &self,
        location: &Location,
        request: &SendRequest,
        not_after: Timestamp,
    ) -> BoxFuture<'_, PortResult<CommandId>> {
        let _ = (request, not_after);
        let error = sends_none(location);
        Box::pin(std::future::ready(Err(error)))
    }

    /// The commands of `document` that were sent in a location at `after` or later, by AWS's clock, one page (ListCommands
    /// by DocumentName and InvokedAfter). By their comments it is found again what was sent without an answer. AWS
    /// filters by no comment.
    fn sent(
        &self,
        location: &Location,
        document: &DocumentName,
        after: Timestamp,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ListedCommand>>> {
        let _ = (document, after, page);
        let error = sends_none(location);
        Box::pin(std::future::ready(Err(error)))
    }

    /// A command (ListCommands with its id). `NotFound` if there is none (yet).
    fn command(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<CommandView>>;

    /// A command's invocations, one for each node, one page (ListCommandInvocations). `plugins` (the API's `Details`)
    /// also asks for what each step of the document did, with the first 2,500 characters of its output. Such an answer
    /// is much larger.
    fn invocations(
        &self,
        location: &Location,
        id: &CommandId,
        plugins: bool,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<InvocationView>>>;

    /// What one step of a command printed on one node, its first 24,000 characters
    /// (GetCommandInvocation, `StandardOutputContent`). It takes one call for each node, so it is asked only for what
    /// [`invocations`](Self::invocations) cut off. `NotFound` if there is none (yet).
    fn output(
        &self,
        location: &Location,
        id: &CommandId,
        node: &NodeId,
        plugin: &str,
    ) -> BoxFuture<'_, PortResult<String>>;

    /// Cancels a command on all of its nodes (CancelCommand). Only a stop of a campaign calls it.
    ///
    /// `Ok` means that AWS has taken the request. It is best effort (SSM API reference): a node that is at work may come
    /// to its end. A command that is over already is no error. `NotFound` if there is no such command (yet). AWS says
    /// InvalidCommandId then (recorded).
    fn cancel(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<()>>;
}

fn sends_none(location: &Location) -> PortError {
    let message = format!("these ports send no commands themselves, so none is sent in {location}");
    PortError::new(PortErrorKind::Other, message)
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandView {
    /// `Status`.
    pub status: CommandStatus,
    /// `StatusDetails`, without spaces: `NoInstancesInTag`, `Incomplete`, ….
    pub details: String,
    /// When it was sent, by AWS's clock.
    pub requested_at: Timestamp,
    /// When it expires as a whole (`ExpiresAfter`). A node that has had no turn by then has none.
    pub expires_at: Option<Timestamp>,
    /// How far it is.
    pub counts: CommandCounts,
}

impl CommandView {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.status.is_terminal()
    }

    /// Whether it ended because it matched no node. The group is empty or missing, or no node has the tags. AWS calls
    /// that Success with the details NoInstancesInTag.
    #[must_use]
    pub(crate) fn matched_nothing(&self) -> bool {
        self.details.eq_ignore_ascii_case("NoInstancesInTag")
    }

    /// Whether somebody has cancelled it. The step that sent it then ends as Failed or as Cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.status.is_cancelled()
    }

    /// Whether it failed before it was sent to any node. Its details give the reason: `AccessDenied` if its sender may
    /// not list the group, `RateExceeded` if AWS was asked too often. Such a command says nothing about the selection.
    #[must_use]
    pub(crate) fn failed_before_any_node(&self) -> bool {
        self.is_terminal()
            && self.counts.targets == 0
            && !self.matched_nothing()
            && self.status != CommandStatus::Success
    }
}

/// A command's own counts, in nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct CommandCounts {
    /// Nodes that it was sent to or will be (`TargetCount`).
    pub targets: u32,
    /// Nodes on which it is over, with whatever result (`CompletedCount`).
    pub completed: u32,
    /// Nodes on which it failed, or timed out while it ran (`ErrorCount`). They count against its error limit.
    pub errors: u32,
    /// Nodes that it never reached (`DeliveryTimedOutCount`). They do not count against its error limit.
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
    /// Its exit code. `None` if it has none, which AWS writes as −1.
    pub response_code: Option<i32>,
    /// When it began, by AWS's clock. `None` if AWS does not say. It may have begun all the same.
    pub started_at: Option<Timestamp>,
    /// The first 2,500 characters that it printed.
    pub output: String,
}
