//! [`Automation`] over Systems Manager: the start, and the walk from an execution to its nodes.

use crate::Aws;
use crate::call::answered::Answered;
use crate::call::attempts::Attempts;
use crate::call::limits::Operation;
use crate::call::place::Place;
use crate::call::reading::{count, next_page, timestamp, token};
use crate::clients::unreadable;
use aws_sdk_ssm::types as ssm;

use patchfleet_core::id::{ClientToken, CommandId, DocumentName, ExecutionId, Location, NodeId};
use patchfleet_core::port::{
    Automation, BoxFuture, ChildView, CommandCounts, CommandView, ExecutionStatus, ExecutionView,
    InvocationView, Page, PageToken, PatchStateView, PortError, PortErrorKind, PortResult, StartRequest,
    StepView, Walk,
};

mod child;
mod invocation;
mod outputs;
mod start;

/// The most that Automation and Run Command give on a page.
const PAGE: i32 = 50;

/// The most that DescribeInstancePatchStates gives on a page.
const PATCH_STATES_PAGE: i32 = 100;

/// The most nodes that DescribeInstancePatchStates takes.
const PATCH_STATES_NODES: usize = 50;

impl Automation for Aws {
    fn start(
        &self,
        request: &StartRequest,
        client_token: ClientToken,
    ) -> BoxFuture<'_, PortResult<ExecutionId>> {
        let request = request.clone();
        Box::pin(async move {
            let operation = Operation::StartAutomationExecution;
            let central = self.clients.central().await?;
            let client = self.clients.ssm(operation, &central).await?;
            let (place, attempts) = (Place::from(central), Attempts::default());
            let call = start::fill(client.start_automation_execution(), &request, client_token).map_err(
                |error| {
                    PortError::new(
                        PortErrorKind::Invalid,
                        format!("{operation} in {place} has no valid request"),
                    )
                    .with_source(error)
                },
            )?;
            let send = || call.clone().customize().interceptor(attempts.clone()).send();
            let answer = self
                .clients
                .call_watched(operation, &place, send, Some(&attempts))
                .await?;
            // An answer of success without an id: it was started.
            answer
                .automation_execution_id()
                .unwrap_or_default()
                .parse()
                .map_err(|error| unreadable(operation, &place, error).maybe_sent())
        })
    }

    fn find(
        &self,
        document: &DocumentName,
        tag_key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        let (document, tag_key) = (document.clone(), tag_key.to_owned());
        Box::pin(async move {
            let operation = Operation::DescribeAutomationExecutions;
            let central = self.clients.central().await?;
            let client = self.clients.ssm(operation, &central).await?;
            let place = Place::from(central);
            let mut request = client
                .describe_automation_executions()
                .max_results(PAGE)
                .set_next_token(token(page));
            for (key, value) in find_filters(&document, tag_key) {
                let filter = ssm::AutomationExecutionFilter::builder()
                    .key(key)
                    .values(value)
                    .build();
                request = request.filters(filter.map_err(|error| unreadable(operation, &place, error))?);
            }
            let answer = self
                .clients
                .call(operation, &place, || request.clone().send())
                .await?;
            let items = answer
                .automation_execution_metadata_list()
                .iter()
                .filter(|found| is_start_of(found, &document))
                .map(|found| found.automation_execution_id().unwrap_or_default().parse())
                .collect::<Result<_, _>>()
                .map_err(|error| unreadable(operation, &place, error))?;
            Ok(Page {
                items,
                next: next_page(answer.next_token),
            })
        })
    }

    fn execution(&self, id: &ExecutionId) -> BoxFuture<'_, PortResult<ExecutionView>> {
        let id = id.clone();
        Box::pin(async move {
            let central = self.clients.central().await?;
            let answered = Answered::default();
            let execution = self.get_execution(&central, &id, &answered).await?;
            Ok(ExecutionView {
                status: read_status(execution.automation_execution_status()),
                failure: execution.failure_message().unwrap_or_default().to_owned(),
                started_at: execution.execution_start_time().and_then(timestamp),
                locations: start::locations(execution.target_locations()),
                document: execution.document_name.filter(|name| !name.is_empty()),
                parameters: execution.parameters.unwrap_or_default().into_iter().collect(),
                answered_at: answered.at(),
            })
        })
    }

    fn steps(&self, id: &ExecutionId, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<StepView>>> {
        let id = id.clone();
        Box::pin(async move {
            let central = self.clients.central().await?;
            let (steps, next) = self.describe_steps(&central, &id, page).await?;
            Ok(Page {
                items: steps.iter().map(read_step).collect(),
                next,
            })
        })
    }

    fn child(&self, location: &Location, id: &ExecutionId) -> BoxFuture<'_, PortResult<ChildView>> {
        let (location, id) = (location.clone(), id.clone());
        Box::pin(async move { self.read_child(&location, &id).await })
    }

    fn children(
        &self,
        location: &Location,
        parent: &ExecutionId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        let (location, parent) = (location.clone(), parent.clone());
        Box::pin(async move {
            let operation = Operation::DescribeAutomationExecutions;
            let client = self.clients.ssm(operation, &location).await?;
            let place = Place::from(location);
            let filter = ssm::AutomationExecutionFilter::builder()
                .key(ssm::AutomationExecutionFilterKey::ParentExecutionId)
                .values(parent.as_str())
                .build()
                .map_err(|error| unreadable(operation, &place, error))?;
            let request = client
                .describe_automation_executions()
                .filters(filter)
                .max_results(PAGE)
                .set_next_token(token(page));
            let answer = self
                .clients
                .call(operation, &place, || request.clone().send())
                .await?;
            let items = answer
                .automation_execution_metadata_list()
                .iter()
                .map(|found| found.automation_execution_id().unwrap_or_default().parse())
                .collect::<Result<_, _>>()
                .map_err(|error| unreadable(operation, &place, error))?;
            Ok(Page {
                items,
                next: next_page(answer.next_token),
            })
        })
    }

    fn command(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<CommandView>> {
        let (location, id) = (location.clone(), id.clone());
        Box::pin(async move {
            let operation = Operation::ListCommands;
            let client = self.clients.ssm(operation, &location).await?;
            let place = Place::from(location);
            // At most one command has the id, and it may stand behind an empty page.
            let mut walk = Walk::new(operation.as_str());
            while let Some(page) = walk.next() {
                let request = client
                    .list_commands()
                    .command_id(id.as_str())
                    .set_next_token(token(page));
                let answer = self
                    .clients
                    .call(operation, &place, || request.clone().send())
                    .await?;
                if let Some(command) = answer.commands().first() {
                    return read_command(&place, command);
                }
                walk.advance(next_page(answer.next_token))?;
            }
            Err(PortError::new(
                PortErrorKind::NotFound,
                format!("{operation} in {place} knows no command {id}"),
            ))
        })
    }

    fn invocations(
        &self,
        location: &Location,
        id: &CommandId,
        plugins: bool,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<InvocationView>>> {
        let (location, id) = (location.clone(), id.clone());
        Box::pin(async move {
            let operation = Operation::ListCommandInvocations;
            let client = self.clients.ssm(operation, &location).await?;
            let request = client
                .list_command_invocations()
                .command_id(id.as_str())
                .details(plugins)
                .max_results(PAGE)
                .set_next_token(token(page));
            let place = Place::from(location);
            let answer = self
                .clients
                .call(operation, &place, || request.clone().send())
                .await?;
            let items = answer
                .command_invocations()
                .iter()
                .map(invocation::read)
                .collect::<Result<_, patchfleet_core::id::ParseIdError>>()
                .map_err(|error| unreadable(operation, &place, error))?;
            Ok(Page {
                items,
                next: next_page(answer.next_token),
            })
        })
    }

    fn output(
        &self,
        location: &Location,
        id: &CommandId,
        node: &NodeId,
        plugin: &str,
    ) -> BoxFuture<'_, PortResult<String>> {
        let (location, id) = (location.clone(), id.clone());
        let (node, plugin) = (node.clone(), plugin.to_owned());
        Box::pin(async move {
            let operation = Operation::GetCommandInvocation;
            let client = self.clients.ssm(operation, &location).await?;
            let request = client
                .get_command_invocation()
                .command_id(id.as_str())
                .instance_id(node.as_str())
                .plugin_name(plugin);
            let answer = self
                .clients
                .call(operation, &Place::from(location), || request.clone().send())
                .await?;
            Ok(answer.standard_output_content.unwrap_or_default())
        })
    }

    fn patch_states(
        &self,
        location: &Location,
        nodes: &[NodeId],
    ) -> BoxFuture<'_, PortResult<Vec<PatchStateView>>> {
        let (location, nodes) = (location.clone(), nodes.to_vec());
        Box::pin(async move {
            let mut states = vec![];
            for some in nodes.chunks(PATCH_STATES_NODES) {
                states.extend(self.states_of(&location, some).await?);
            }
            Ok(states)
        })
    }
}

impl Aws {
    async fn get_execution(
        &self,
        location: &Location,
        id: &ExecutionId,
        answered: &Answered,
    ) -> PortResult<ssm::AutomationExecution> {
        let operation = Operation::GetAutomationExecution;
        let client = self.clients.ssm(operation, location).await?;
        let request = client
            .get_automation_execution()
            .automation_execution_id(id.as_str());
        let place = Place::from(location.clone());
        let send = || request.clone().customize().interceptor(answered.clone()).send();
        let answer = self.clients.call(operation, &place, send).await?;
        answer
            .automation_execution
            .ok_or_else(|| unreadable(operation, &place, "there is no execution in it"))
    }

    /// One page of an execution's steps.
    async fn describe_steps(
        &self,
        location: &Location,
        id: &ExecutionId,
        page: Option<PageToken>,
    ) -> PortResult<(Vec<ssm::StepExecution>, Option<PageToken>)> {
        let operation = Operation::DescribeAutomationStepExecutions;
        let client = self.clients.ssm(operation, location).await?;
        let request = client
            .describe_automation_step_executions()
            .automation_execution_id(id.as_str())
            .max_results(PAGE)
            .set_next_token(token(page));
        let place = Place::from(location.clone());
        let answer = self
            .clients
            .call(operation, &place, || request.clone().send())
            .await?;
        let next = next_page(answer.next_token);
        Ok((answer.step_executions.unwrap_or_default(), next))
    }

    /// The patch states of at most 50 nodes.
    async fn states_of(&self, location: &Location, nodes: &[NodeId]) -> PortResult<Vec<PatchStateView>> {
        let operation = Operation::DescribeInstancePatchStates;
        let place = Place::from(location.clone());
        let ids: Vec<String> = nodes.iter().map(ToString::to_string).collect();
        let (mut walk, mut states) = (Walk::new(operation.as_str()), vec![]);
        while let Some(page) = walk.next() {
            let client = self.clients.ssm(operation, location).await?;
            let request = client
                .describe_instance_patch_states()
                .set_instance_ids(Some(ids.clone()))
                .max_results(PATCH_STATES_PAGE)
                .set_next_token(token(page));
            let answer = self
                .clients
                .call(operation, &place, || request.clone().send())
                .await?;
            for state in answer.instance_patch_states() {
                states.push(read_patch_state(&place, state)?);
            }
            walk.advance(next_page(answer.next_token))?;
        }
        Ok(states)
    }
}

/// What DescribeAutomationExecutions is asked for.
fn find_filters(
    document: &DocumentName,
    tag_key: String,
) -> Vec<(ssm::AutomationExecutionFilterKey, String)> {
    use ssm::AutomationExecutionFilterKey as Key;
    let mut filters = vec![(Key::TagKey, tag_key)];
    // What a document that was named by its ARN is called in a listing is not documented either.
    if !document.as_str().starts_with("arn:") {
        filters.push((Key::DocumentNamePrefix, document.to_string()));
    }
    filters
}

/// Whether an execution is one that was started with `document`, and not the child of one, which
/// has the same document and parameters.
fn is_start_of(found: &ssm::AutomationExecutionMetadata, document: &DocumentName) -> bool {
    fn last_part(name: &str) -> &str {
        name.rsplit('/').next().unwrap_or(name)
    }
    let is_child = found
        .parent_automation_execution_id()
        .is_some_and(|parent| !parent.is_empty());
    let is_document = found
        .document_name()
        .is_none_or(|name| last_part(name) == last_part(document.as_str()));
    is_document && !is_child
}

fn read_status(status: Option<&ssm::AutomationExecutionStatus>) -> ExecutionStatus {
    // Without a status nothing is known of it, which is as good as not begun: it is looked at again.
    status.map_or(ExecutionStatus::Pending, |status| status.as_str().into())
}

fn read_step(step: &ssm::StepExecution) -> StepView {
    let location = step
        .target_location()
        .and_then(|target| match (target.accounts(), target.regions()) {
            ([account], [region]) => Some(Location::new(account.parse().ok()?, region.parse().ok()?)),
            _ => None,
        });
    StepView {
        location,
        status: read_status(step.step_status()),
        child: outputs::execution_id(step),
        failure: child::failure_of_step(step),
    }
}

fn read_command(place: &Place, command: &ssm::Command) -> PortResult<CommandView> {
    let status = command.status().map_or("", |status| status.as_str());
    let details = command.status_details().filter(|details| !details.is_empty());
    let requested_at = command.requested_date_time().and_then(timestamp);
    Ok(CommandView {
        status: status.to_owned(),
        details: details
            .unwrap_or(status)
            .chars()
            .filter(|c| !c.is_whitespace())
            .collect(),
        requested_at: requested_at.ok_or_else(|| {
            unreadable(
                Operation::ListCommands,
                place,
                "the command has no RequestedDateTime",
            )
        })?,
        expires_at: command.expires_after().and_then(timestamp),
        counts: CommandCounts {
            targets: count(command.target_count()),
            completed: count(command.completed_count()),
            errors: count(command.error_count()),
            undelivered: count(command.delivery_timed_out_count()),
        },
    })
}

fn read_patch_state(place: &Place, state: &ssm::InstancePatchState) -> PortResult<PatchStateView> {
    let operation = Operation::DescribeInstancePatchStates;
    Ok(PatchStateView {
        node: state
            .instance_id()
            .parse()
            .map_err(|error| unreadable(operation, place, error))?,
        operation: state.operation().as_str().to_owned(),
        ended_at: timestamp(state.operation_end_time()).ok_or_else(|| {
            unreadable(
                operation,
                place,
                "a patch state's OperationEndTime is out of range",
            )
        })?,
        snapshot: state.snapshot_id().filter(|id| !id.is_empty()).map(str::to_owned),
        missing: count(state.missing_count()),
        failed: count(state.failed_count()),
        pending_reboot: count(state.installed_pending_reboot_count().unwrap_or(0)),
        installed: count(state.installed_count()),
    })
}

#[cfg(test)]
pub(crate) mod tests;
