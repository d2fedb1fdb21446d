//! [`Automation`] over Systems Manager: the start, and the walk from an execution to its nodes.

use super::Aws;
use crate::call::{Operation, all_pages, first_of_pages, send, timestamp, token};
use patchfleet_core::id::{ClientToken, CommandId, DocumentName, ExecutionId, Location, NodeId};
use patchfleet_core::port::{
    Automation, BoxFuture, ChildView, CommandView, ExecutionView, InvocationView, Page, PageToken,
    PatchStateView, PortError, PortErrorKind, PortResult, StartRequest, StepView,
};

mod child;
mod command;
mod execution;
mod outputs;
mod patch_states;
mod start;

/// The most that Automation and Run Command give on a page.
const PAGE: i32 = 50;

impl Automation for Aws {
    fn start(
        &self,
        request: &StartRequest,
        client_token: ClientToken,
    ) -> BoxFuture<'_, PortResult<ExecutionId>> {
        let request = request.clone();
        Box::pin(async move {
            let operation = Operation::StartAutomationExecution;
            let (call, ssm) = self.clients.central_ssm(operation).await?;
            let request = start::fill(ssm.start_automation_execution(), &request, client_token);
            let request = call.built(request)?;
            let answer = send!(call, request).await?;
            call.read(answer.automation_execution_id().unwrap_or_default().parse())
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
            let central = self.clients.signers.central().await?;
            let filters = execution::filters_of_starts(&document, tag_key);
            self.executions(&central, filters, page, |found| {
                execution::is_start_of(found, &document)
            })
            .await
        })
    }

    fn execution(&self, id: &ExecutionId) -> BoxFuture<'_, PortResult<ExecutionView>> {
        let id = id.clone();
        Box::pin(async move {
            let central = self.clients.signers.central().await?;
            let (execution, answered_at) = self.get_execution(&central, &id).await?;
            Ok(ExecutionView {
                status: execution::read_status(execution.automation_execution_status()),
                failure: execution.failure_message().unwrap_or_default().to_owned(),
                started_at: execution.execution_start_time().and_then(timestamp),
                locations: start::locations(execution.target_locations()),
                document: execution.document_name.filter(|name| !name.is_empty()),
                parameters: execution.parameters.unwrap_or_default().into_iter().collect(),
                answered_at,
            })
        })
    }

    fn steps(&self, id: &ExecutionId, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<StepView>>> {
        let id = id.clone();
        Box::pin(async move {
            let central = self.clients.signers.central().await?;
            let Page { items, next } = self.describe_steps(&central, &id, page).await?;
            Ok(Page {
                items: items.iter().map(execution::read_step).collect(),
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
        let (location, filters) = (location.clone(), execution::filters_of_children(parent));
        Box::pin(async move { self.executions(&location, filters, page, |_| true).await })
    }

    fn command(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<CommandView>> {
        let (location, id) = (location.clone(), id.clone());
        Box::pin(async move {
            // At most one command has the id, and it may stand behind an empty page.
            let operation = Operation::ListCommands;
            let found = first_of_pages(operation, |page| self.list_commands(&location, &id, page)).await?;
            found.ok_or_else(|| {
                PortError::new(
                    PortErrorKind::NotFound,
                    format!("{operation} in {location} knows no command {id}"),
                )
            })
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
            let (call, ssm) = self.clients.ssm(operation, &location).await?;
            let request = ssm
                .list_command_invocations()
                .command_id(id.as_str())
                .details(plugins)
                .max_results(PAGE)
                .set_next_token(token(page));
            let answer = send!(call, request).await?;
            let invocations = answer.command_invocations().iter();
            call.page(invocations.map(command::read_invocation), answer.next_token())
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
            let (call, ssm) = self.clients.ssm(operation, &location).await?;
            let request = ssm
                .get_command_invocation()
                .command_id(id.as_str())
                .instance_id(node.as_str())
                .plugin_name(plugin);
            let answer = send!(call, request).await?;
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
            for some in nodes.chunks(patch_states::MOST_NODES) {
                let pages = |page| self.describe_patch_states(&location, some, page);
                states.extend(all_pages(Operation::DescribeInstancePatchStates, pages).await?);
            }
            Ok(states)
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
