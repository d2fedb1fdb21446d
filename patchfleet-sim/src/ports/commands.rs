//! Commands, and what they did on each node.

use super::{At, MemoryPorts, token, unreadable};
use crate::api::{
    CancelCommand, CommandFilter, GetCommandInvocation, ListCommandInvocations, ListCommands, SendCommand,
    WireTime,
};
use jiff::Timestamp;
use patchfleet_core::{
    id::{BucketName, CommandId, DocumentName, Location, NodeId, S3KeyPrefix},
    port::{
        BoxFuture, CommandCounts, CommandStatus, CommandView, Commands, InvocationStatus, InvocationView,
        ListedCommand, Page, PageToken, PluginView, PortError, PortErrorKind, PortResult, SendRequest,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

impl Commands for MemoryPorts {
    fn send(
        &self,
        location: &Location,
        request: &SendRequest,
        // A call of this port waits for nothing before it is sent.
        _: Timestamp,
    ) -> BoxFuture<'_, PortResult<CommandId>> {
        let at = At::Sending(location.clone());
        let settings = &request.settings;
        let group = settings.cloudwatch_log_group.as_ref();
        let input = SendCommand {
            document_name: Some(request.document_name.to_string()),
            parameters: Some(request.parameters.clone()),
            instance_ids: Some(settings.instance_ids.iter().map(NodeId::to_string).collect()),
            timeout_seconds: i64::try_from(settings.timeout_seconds.get()).ok(),
            max_concurrency: Some(settings.rates.max_concurrency.to_string()),
            max_errors: Some(settings.rates.max_errors.to_string()),
            comment: Some(settings.comment.clone()),
            output_s3_bucket_name: settings.output_s3_bucket.as_ref().map(BucketName::to_string),
            output_s3_key_prefix: settings.output_s3_prefix.as_ref().map(S3KeyPrefix::to_string),
            cloud_watch_output_config: group
                .map(|group| json!({"CloudWatchLogGroupName": group, "CloudWatchOutputEnabled": true})),
            ..SendCommand::default()
        };
        Box::pin(async {
            let sent = self.call(at, input).await?;
            sent.command.command_id.parse().map_err(unreadable)
        })
    }

    fn sent(
        &self,
        location: &Location,
        document: &DocumentName,
        after: Timestamp,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ListedCommand>>> {
        let at = At::Location(location.clone());
        let filter = |key: &str, value: String| CommandFilter {
            key: key.to_owned(),
            value,
        };
        let input = ListCommands {
            filters: Some(vec![
                filter("DocumentName", document.to_string()),
                filter("InvokedAfter", after.to_string()),
            ]),
            max_results: Some(50),
            next_token: token(page),
            ..ListCommands::default()
        };
        Box::pin(async {
            let page = self.call(at, input).await?;
            let view = |one: crate::api::CommandShape| {
                Ok(ListedCommand {
                    id: one.command_id.parse().map_err(unreadable)?,
                    comment: one.comment,
                    nodes: one
                        .instance_ids
                        .iter()
                        .map(|id| id.parse().map_err(unreadable))
                        .collect::<PortResult<_>>()?,
                    requested_at: one.requested_date_time.0,
                })
            };
            Ok(Page {
                items: page.commands.into_iter().map(view).collect::<PortResult<_>>()?,
                next: page.next_token.map(PageToken::new),
            })
        })
    }

    fn command(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<CommandView>> {
        let (at, id) = (At::Location(location.clone()), id.to_string());
        let missing = PortError::new(
            PortErrorKind::NotFound,
            format!("there is no command {id} in {location}"),
        );
        Box::pin(async move {
            let mut next = None;
            // It may stand behind an empty page.
            let one = loop {
                let input = ListCommands {
                    command_id: Some(id.clone()),
                    next_token: next,
                    ..ListCommands::default()
                };
                let page = self.call(at.clone(), input).await?;
                if let Some(one) = page.commands.into_iter().next() {
                    break one;
                }
                next = page.next_token;
                if next.is_none() {
                    return Err(missing);
                }
            };
            let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            Ok(CommandView {
                status: CommandStatus::from(one.status),
                details: one.status_details.to_owned(),
                requested_at: one.requested_date_time.0,
                expires_at: Some(one.expires_after.0),
                counts: CommandCounts {
                    targets: count(one.target_count),
                    completed: count(one.completed_count),
                    errors: count(one.error_count),
                    undelivered: count(one.delivery_timed_out_count),
                },
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
        let at = At::Location(location.clone());
        let input = ListCommandInvocations {
            command_id: Some(id.to_string()),
            details: Some(plugins),
            max_results: Some(50),
            next_token: token(page),
            ..ListCommandInvocations::default()
        };
        Box::pin(async {
            let page = self.call(at, input).await?;
            let view = |one: crate::api::InvocationShape| {
                let status = InvocationStatus::from_details(one.status_details);
                Ok(InvocationView {
                    node: one.instance_id.parse().map_err(unreadable)?,
                    status,
                    requested_at: Some(one.requested_date_time.0),
                    plugins: one
                        .command_plugins
                        .iter()
                        .map(plugin_view)
                        .collect::<PortResult<_>>()?,
                })
            };
            let items = page
                .command_invocations
                .into_iter()
                .map(view)
                .collect::<PortResult<_>>()?;
            Ok(Page {
                items,
                next: page.next_token.map(PageToken::new),
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
        let at = At::Location(location.clone());
        let input = GetCommandInvocation {
            command_id: Some(id.to_string()),
            instance_id: Some(node.to_string()),
            plugin_name: Some(plugin.to_owned()),
        };
        Box::pin(async { Ok(self.call(at, input).await?.standard_output_content) })
    }

    fn cancel(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<()>> {
        let at = At::Sending(location.clone());
        let input = CancelCommand {
            command_id: Some(id.to_string()),
            instance_ids: None,
        };
        Box::pin(async { self.call(at, input).await.map(drop) })
    }
}

/// A step of an invocation, as it stands on the wire.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PluginShape {
    name: String,
    status_details: String,
    response_code: i32,
    response_start_date_time: Option<WireTime>,
    output: String,
}

fn plugin_view(one: &Value) -> PortResult<PluginView> {
    let one = PluginShape::deserialize(one).map_err(unreadable)?;
    let started_at = one.response_start_date_time.map(|at| at.0);
    Ok(PluginView {
        name: one.name,
        status: InvocationStatus::from_details(&one.status_details),
        // AWS writes -1 where there is none.
        response_code: Some(one.response_code).filter(|code| *code != -1 || started_at.is_some()),
        started_at,
        output: one.output,
    })
}
