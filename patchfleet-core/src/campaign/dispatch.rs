//! How a unit is begun, found, looked at and stopped, by who sends its command.
//!
//! The rest of the campaign knows executions: a unit's own, whose steps are its locations, and in each of these another
//! one that sends a command. Where patchfleet sends the command itself, there is the command alone. So a command is shown
//! as an execution with one step, whose execution in the location is the command again. All three have the command's id.
//! What else differs is whether an unanswered start may be sent again
//! ([`is_sent_once`](super::State::is_sent_once)).

use super::polls::later;
use crate::id::{CampaignId, ClientToken, CommandId, DocumentName, ExecutionId, Location, NodeId, UnitId};
use crate::port::{
    Automation, BoxFuture, ChildView, CommandStatus, CommandView, Commands, ExecutionStatus, ExecutionView,
    ListedCommand, Page, PageToken, PortError, PortErrorKind, PortResult, SentCommand, StartRequest,
    StepView, StopType,
};
use crate::runbook;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far AWS's clock may be behind the one that wrote the plan. A command is looked for among those that AWS says were
/// sent later than this before the plan was made. A clock that is wrong by more hides it, and then it counts as lost.
const CLOCKS_DIFFER_BY: SignedDuration = SignedDuration::from_hours(24);

/// From when on commands are looked for in a campaign that was planned then.
pub(super) fn sent_since(planned_at: Timestamp) -> Timestamp {
    later(planned_at, -CLOCKS_DIFFER_BY)
}

/// A command of one location, as the campaign knows executions.
pub(super) struct AsExecution {
    pub(super) commands: Arc<dyn Commands>,
    pub(super) location: Location,
    pub(super) campaign: CampaignId,
    pub(super) unit: UnitId,
    /// The nodes that its start names, if one was intended. A command for others is another unit's, whatever its comment says.
    pub(super) nodes: Option<BTreeSet<NodeId>>,
    /// What the log knows as other units'.
    pub(super) known: BTreeSet<ExecutionId>,
    pub(super) planned_at: Timestamp,
    /// The command as it was last seen. A look asks for the execution, and right after for its steps.
    pub(super) last: Mutex<Option<(ExecutionId, CommandView)>>,
}

impl AsExecution {
    async fn view(&self, id: &ExecutionId) -> PortResult<CommandView> {
        self.commands.command(&self.location, &command_of(id)?).await
    }

    fn last(&self) -> MutexGuard<'_, Option<(ExecutionId, CommandView)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Automation for AsExecution {
    fn start(
        &self,
        request: &StartRequest,
        _: ClientToken,
        not_after: Timestamp,
    ) -> BoxFuture<'_, PortResult<ExecutionId>> {
        let Some((location, request)) = request.to_send() else {
            let error = PortError::new(
                PortErrorKind::Invalid,
                "the start of a unit has no command to send",
            );
            return Box::pin(std::future::ready(Err(error)));
        };
        Box::pin(async move { execution_of(&self.commands.send(&location, &request, not_after).await?) })
    }

    fn find(
        &self,
        _: &DocumentName,
        _: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        Box::pin(async move {
            let document = runbook::command_document();
            let since = sent_since(self.planned_at);
            let listed = self.commands.sent(&self.location, &document, since, page).await?;
            // Of whichever attempt: of those before it nothing was sent.
            let is_own = |sent: &&ListedCommand| {
                let named = || sent.nodes.iter().cloned().collect::<BTreeSet<_>>();
                let fits = self.nodes.as_ref().is_none_or(|nodes| *nodes == named());
                sent.is_of(self.campaign, self.unit) && fits
            };
            let found = listed.items.iter().filter(is_own);
            let mut items = found
                .map(|sent| execution_of(&sent.id))
                .collect::<PortResult<Vec<_>>>()?;
            items.retain(|id| !self.known.contains(id));
            Ok(Page {
                items,
                next: listed.next,
            })
        })
    }

    fn execution(&self, id: &ExecutionId) -> BoxFuture<'_, PortResult<ExecutionView>> {
        let id = id.clone();
        Box::pin(async move {
            let view = self.view(&id).await?;
            *self.last() = Some((id, view.clone()));
            Ok(ExecutionView {
                status: status(&view),
                failure: failure(&view),
                started_at: Some(view.requested_at),
                parameters: BTreeMap::new(),
                document: Some(runbook::command_document().to_string()),
                locations: Some(BTreeSet::from([self.location.clone()])),
                triggered: None,
                answered_at: None,
            })
        })
    }

    fn steps(&self, id: &ExecutionId, _: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<StepView>>> {
        let id = id.clone();
        Box::pin(async move {
            let seen = self.last().take().filter(|(of, _)| *of == id);
            let view = match seen {
                Some((_, view)) => view,
                None => self.view(&id).await?,
            };
            Ok(Page::last(vec![StepView {
                location: Some(self.location.clone()),
                status: status(&view),
                child: Some(id),
                failure: failure(&view),
            }]))
        })
    }

    fn child(&self, _: &Location, id: &ExecutionId) -> BoxFuture<'_, PortResult<ChildView>> {
        let id = id.clone();
        Box::pin(async move {
            let view = self.view(&id).await?;
            let sent = SentCommand {
                id: command_of(&id)?,
                document: Some(runbook::command_document().to_string()),
            };
            Ok(ChildView {
                status: status(&view),
                commands: vec![sent],
                failure: failure(&view),
            })
        })
    }

    fn children(
        &self,
        _: &Location,
        parent: &ExecutionId,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        let id = parent.clone();
        Box::pin(async move {
            // Whoever asks wants to know whether it is there.
            self.view(&id).await?;
            Ok(Page::last(vec![id]))
        })
    }

    fn stop(&self, id: &ExecutionId, kind: StopType) -> BoxFuture<'_, PortResult<()>> {
        let id = id.clone();
        Box::pin(async move {
            match kind {
                StopType::Cancel => self.commands.cancel(&self.location, &command_of(&id)?).await,
                // Nothing comes after a command.
                StopType::Complete => {
                    let words = "a command begins nothing that would have to be kept from beginning";
                    Err(PortError::new(PortErrorKind::NotRunning, words))
                }
            }
        })
    }

    fn stop_child(&self, _: &Location, _: &ExecutionId, _: StopType) -> BoxFuture<'_, PortResult<()>> {
        // Whoever stops what runs in a location cancels its commands next, if they are to be cancelled.
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What is told of a command that did not end well.
fn failure(view: &CommandView) -> String {
    match view.status {
        CommandStatus::Failed | CommandStatus::TimedOut => {
            format!("the command ended as {} ({})", view.status.as_str(), view.details)
        }
        _ => String::new(),
    }
}

fn status(view: &CommandView) -> ExecutionStatus {
    match &view.status {
        // It was sent, and waits for no quota.
        CommandStatus::Pending | CommandStatus::InProgress => ExecutionStatus::InProgress,
        CommandStatus::Success => ExecutionStatus::Success,
        CommandStatus::Cancelled => ExecutionStatus::Cancelled,
        CommandStatus::Failed => ExecutionStatus::Failed,
        CommandStatus::TimedOut => ExecutionStatus::TimedOut,
        CommandStatus::Cancelling => ExecutionStatus::Cancelling,
        CommandStatus::Unknown(name) => ExecutionStatus::Other(name.clone()),
    }
}

fn command_of(execution: &ExecutionId) -> PortResult<CommandId> {
    execution.as_str().parse().map_err(not_an_id)
}

pub(super) fn execution_of(command: &CommandId) -> PortResult<ExecutionId> {
    command.as_str().parse().map_err(not_an_id)
}

fn not_an_id(error: crate::id::ParseIdError) -> PortError {
    // It came with an answer, so something was sent.
    PortError::new(PortErrorKind::Other, "the id of a command is not a UUID")
        .with_source(error)
        .maybe_sent()
}
