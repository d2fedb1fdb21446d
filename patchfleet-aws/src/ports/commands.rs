//! [`Commands`] over Systems Manager: commands, and what they did on each node.

use crate::call::{Operation, Unreadable, count, first_of_pages, send, send_once, timestamp, token};
use crate::ports::Aws;
use aws_sdk_ssm::types as ssm;
use jiff::Timestamp;
use patchfleet_core::id::{CommandId, DocumentName, Location, NodeId, ParseIdError};
use patchfleet_core::port::{
    BoxFuture, CommandCounts, CommandStatus, CommandView, Commands, InvocationStatus, InvocationView,
    ListedCommand, Page, PageToken, PluginView, PortError, PortErrorKind, PortResult, SendRequest,
};

mod sent;

/// The most that Run Command gives on a page.
const PAGE: i32 = 50;

/// What AWS writes where a step has no exit code.
const NO_RESPONSE_CODE: i32 = -1;

impl Commands for Aws {
    fn send(
        &self,
        location: &Location,
        request: &SendRequest,
        not_after: Timestamp,
    ) -> BoxFuture<'_, PortResult<CommandId>> {
        let (location, request) = (location.clone(), request.clone());
        Box::pin(async move {
            let (call, ssm) = self
                .clients
                .sending_ssm(Operation::SendCommand, &location)
                .await?;
            let call = call.not_after(not_after);
            let filled = sent::fill(ssm.send_command(), &request);
            let answer = send_once!(call, filled).await?;
            let command = answer.command().and_then(ssm::Command::command_id);
            call.read(command.unwrap_or_default().parse())
        })
    }

    fn sent(
        &self,
        location: &Location,
        document: &DocumentName,
        after: Timestamp,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ListedCommand>>> {
        let (location, document) = (location.clone(), document.clone());
        Box::pin(async move {
            let (call, client) = self.clients.ssm(Operation::ListCommands, &location).await?;
            let filters = call.built(sent::filters(&document, after))?;
            let request = client
                .list_commands()
                .set_filters(Some(filters))
                .max_results(PAGE)
                .set_next_token(token(page));
            let answer = send!(call, request).await?;
            call.page(answer.commands().iter().map(sent::read), answer.next_token())
        })
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
            call.page(invocations.map(read_invocation), answer.next_token())
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

    fn cancel(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<()>> {
        let (location, id) = (location.clone(), id.clone());
        Box::pin(async move {
            let (call, ssm) = self
                .clients
                .sending_ssm(Operation::CancelCommand, &location)
                .await?;
            let request = ssm.cancel_command().command_id(id.as_str());
            send!(call, request).await?;
            Ok(())
        })
    }
}

impl Aws {
    /// One page of the commands that have this id.
    async fn list_commands(
        &self,
        location: &Location,
        id: &CommandId,
        page: Option<PageToken>,
    ) -> PortResult<Page<CommandView>> {
        let operation = Operation::ListCommands;
        let (call, client) = self.clients.ssm(operation, location).await?;
        let request = client
            .list_commands()
            .command_id(id.as_str())
            .set_next_token(token(page));
        let answer = send!(call, request).await?;
        call.page(answer.commands().iter().map(read_command), answer.next_token())
    }
}

fn read_command(command: &ssm::Command) -> Result<CommandView, Unreadable> {
    let status = command.status().map_or("", |status| status.as_str());
    let details = command.status_details().filter(|details| !details.is_empty());
    let requested_at = command.requested_date_time().and_then(timestamp);
    Ok(CommandView {
        status: CommandStatus::from(status),
        details: details
            .unwrap_or(status)
            .chars()
            .filter(|c| !c.is_whitespace())
            .collect(),
        requested_at: requested_at.ok_or("the command has no RequestedDateTime")?,
        expires_at: command.expires_after().and_then(timestamp),
        counts: CommandCounts {
            targets: count(command.target_count()),
            completed: count(command.completed_count()),
            errors: count(command.error_count()),
            undelivered: count(command.delivery_timed_out_count()),
        },
    })
}

/// What a command did on one node.
fn read_invocation(invocation: &ssm::CommandInvocation) -> Result<InvocationView, ParseIdError> {
    let status = invocation.status().map_or("", |status| status.as_str());
    Ok(InvocationView {
        node: invocation.instance_id().unwrap_or_default().parse()?,
        status: read_status(status, invocation.status_details()),
        requested_at: invocation.requested_date_time().and_then(timestamp),
        plugins: invocation.command_plugins().iter().map(read_plugin).collect(),
    })
}

fn read_plugin(plugin: &ssm::CommandPlugin) -> PluginView {
    let status = plugin.status().map_or("", |status| status.as_str());
    let started_at = plugin.response_start_date_time().and_then(timestamp);
    PluginView {
        name: plugin.name().unwrap_or_default().to_owned(),
        status: read_status(status, plugin.status_details()),
        // A step that ran may end with -1 as well (AWS-RunPatchBaseline's set-up on Windows).
        response_code: Some(plugin.response_code())
            .filter(|code| *code != NO_RESPONSE_CODE || started_at.is_some()),
        started_at,
        output: plugin.output().unwrap_or_default().to_owned(),
    }
}

/// The details say more than the status, where there are any.
fn read_status(status: &str, details: Option<&str>) -> InvocationStatus {
    let details = details.filter(|details| !details.is_empty());
    InvocationStatus::from_details(details.unwrap_or(status))
}

#[cfg(test)]
mod tests;
