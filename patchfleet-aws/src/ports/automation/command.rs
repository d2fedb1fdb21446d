//! Commands, and what they did on each node.

use crate::call::{Operation, Unreadable, count, send, timestamp, token};
use crate::ports::Aws;
use aws_sdk_ssm::types as ssm;
use patchfleet_core::id::{CommandId, Location, ParseIdError};
use patchfleet_core::port::{
    CommandCounts, CommandView, InvocationStatus, InvocationView, Page, PageToken, PluginView, PortResult,
};

/// What AWS writes where a step has no exit code.
const NO_RESPONSE_CODE: i32 = -1;

impl Aws {
    /// One page of the commands that have this id.
    pub(super) async fn list_commands(
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
        status: status.to_owned(),
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
pub(super) fn read_invocation(invocation: &ssm::CommandInvocation) -> Result<InvocationView, ParseIdError> {
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
