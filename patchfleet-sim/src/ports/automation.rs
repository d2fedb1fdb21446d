//! Starting automations, and the walk from an execution to its nodes.

use super::{At, MemoryPorts, token, unreadable};
use crate::api::{
    DescribeAutomationExecutions, DescribeAutomationStepExecutions, DescribeInstancePatchStates,
    ExecutionShape, Filter, GetAutomationExecution, GetCommandInvocation, ListCommandInvocations,
    ListCommands, StartAutomationExecution, StepLocation, StepShape, WireTime,
};
use patchfleet_core::{
    id::{ClientToken, CommandId, DocumentName, ExecutionId, Location, NodeId},
    port::{
        Automation, BoxFuture, ChildView, Clock as _, CommandCounts, CommandView, ExecutionStatus,
        ExecutionView, InvocationStatus, InvocationView, Page, PageToken, PatchStateView, PluginView,
        PortError, PortErrorKind, PortResult, SentCommand, StartRequest, StepView,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl MemoryPorts {
    async fn get(&self, at: At, id: String) -> PortResult<ExecutionShape> {
        let input = GetAutomationExecution {
            automation_execution_id: Some(id),
        };
        Ok(self.call(at, input).await?.automation_execution)
    }

    async fn executions(&self, at: At, input: DescribeAutomationExecutions) -> PortResult<Page<ExecutionId>> {
        let page = self.call(at, input).await?;
        let found = page.automation_execution_metadata_list.into_iter();
        let items = found
            .map(|one| one.automation_execution_id.parse().map_err(unreadable))
            .collect::<PortResult<_>>()?;
        Ok(Page {
            items,
            next: page.next_token.map(PageToken::new),
        })
    }
}

impl Automation for MemoryPorts {
    fn start(&self, request: &StartRequest, token: ClientToken) -> BoxFuture<'_, PortResult<ExecutionId>> {
        // Core's request has the API's own shape, so it is read as it would be off the wire.
        let input = serde_json::from_value::<StartAutomationExecution>(json!(request)).map(|input| {
            StartAutomationExecution {
                client_token: Some(token.to_string()),
                ..input
            }
        });
        Box::pin(async {
            let started = self.call(At::Central, input.map_err(unreadable)?).await?;
            started.automation_execution_id.parse().map_err(unreadable)
        })
    }

    fn find(
        &self,
        document: &DocumentName,
        tag_key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        let filter = |key: &str, value: String| Filter {
            key: key.to_owned(),
            values: vec![value],
        };
        let input = DescribeAutomationExecutions {
            filters: Some(vec![
                filter("DocumentNamePrefix", document.to_string()),
                filter("TagKey", tag_key.to_owned()),
            ]),
            max_results: Some(50),
            next_token: token(page),
        };
        Box::pin(self.executions(At::Central, input))
    }

    fn execution(&self, id: &ExecutionId) -> BoxFuture<'_, PortResult<ExecutionView>> {
        let id = id.to_string();
        Box::pin(async {
            let one = self.get(At::Central, id).await?;
            Ok(ExecutionView {
                status: ExecutionStatus::from(one.automation_execution_status),
                failure: one.failure_message.unwrap_or_default(),
                started_at: Some(one.execution_start_time.0),
                locations: locations(one.target_locations.as_deref().unwrap_or_default()),
                document: Some(one.document_name),
                parameters: one.parameters,
                answered_at: Some(self.clock.now()),
            })
        })
    }

    fn steps(&self, id: &ExecutionId, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<StepView>>> {
        let input = DescribeAutomationStepExecutions {
            automation_execution_id: Some(id.to_string()),
            max_results: Some(50),
            next_token: token(page),
            ..DescribeAutomationStepExecutions::default()
        };
        Box::pin(async {
            let page = self.call(At::Central, input).await?;
            let items = page
                .step_executions
                .into_iter()
                .map(step_view)
                .collect::<PortResult<_>>()?;
            Ok(Page {
                items,
                next: page.next_token.map(PageToken::new),
            })
        })
    }

    fn child(&self, location: &Location, id: &ExecutionId) -> BoxFuture<'_, PortResult<ChildView>> {
        let (at, id) = (At::Location(location.clone()), id.to_string());
        Box::pin(async {
            let one = self.get(at, id).await?;
            let commands = one
                .step_executions
                .iter()
                .filter(|step| step.action == "aws:runCommand")
                .filter_map(|step| Some((step, step.outputs.get("CommandId")?.first()?)))
                .map(|(step, id)| {
                    // Inputs are JSON text.
                    let document = step.inputs.get("DocumentName");
                    Ok(SentCommand {
                        id: id.parse().map_err(unreadable)?,
                        document: document.and_then(|text| serde_json::from_str(text).ok()),
                    })
                })
                .collect::<PortResult<_>>()?;
            Ok(ChildView {
                status: ExecutionStatus::from(one.automation_execution_status),
                commands,
                failure: one.failure_message.unwrap_or_default(),
            })
        })
    }

    fn children(
        &self,
        location: &Location,
        parent: &ExecutionId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        let input = DescribeAutomationExecutions {
            filters: Some(vec![Filter {
                key: "ParentExecutionId".to_owned(),
                values: vec![parent.to_string()],
            }]),
            max_results: Some(50),
            next_token: token(page),
        };
        Box::pin(self.executions(At::Location(location.clone()), input))
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
                status: one.status.to_owned(),
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

    fn patch_states(
        &self,
        location: &Location,
        nodes: &[NodeId],
    ) -> BoxFuture<'_, PortResult<Vec<PatchStateView>>> {
        let at = At::Location(location.clone());
        let ids: Vec<String> = nodes.iter().map(NodeId::to_string).collect();
        Box::pin(async move {
            let (mut states, mut next) = (vec![], None);
            loop {
                let input = DescribeInstancePatchStates {
                    instance_ids: Some(ids.clone()),
                    max_results: Some(100),
                    next_token: next,
                };
                let page = self.call(at.clone(), input).await?;
                for one in page.instance_patch_states {
                    states.push(PatchStateView {
                        node: one.instance_id.parse().map_err(unreadable)?,
                        operation: one.operation,
                        ended_at: one.operation_end_time.0,
                        snapshot: one.snapshot_id,
                        missing: one.missing_count,
                        failed: one.failed_count,
                        pending_reboot: one.installed_pending_reboot_count,
                        installed: one.installed_count,
                    });
                }
                next = page.next_token;
                if next.is_none() {
                    return Ok(states);
                }
            }
        })
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

/// The pairs of account and Region that an execution was started for; `None` if it has no target
/// locations, or one that is not an account.
fn locations(targets: &[Value]) -> Option<BTreeSet<Location>> {
    let list = |target: &Value, name: &str| -> Option<Vec<String>> {
        serde_json::from_value(target.get(name)?.clone()).ok()
    };
    let mut locations = BTreeSet::new();
    for target in targets {
        for account in list(target, "Accounts")? {
            for region in list(target, "Regions")? {
                locations.insert(Location::new(account.parse().ok()?, region.parse().ok()?));
            }
        }
    }
    (!locations.is_empty()).then_some(locations)
}

fn step_view(one: StepShape) -> PortResult<StepView> {
    let location = one.target_location.map(StepLocation::location);
    let child = one.outputs.get("ExecutionId").and_then(|ids| ids.first());
    Ok(StepView {
        location,
        status: ExecutionStatus::from(one.step_status),
        child: child.map(|id| id.parse().map_err(unreadable)).transpose()?,
        failure: one.failure_message.unwrap_or_default(),
    })
}
