//! Starting and stopping automations, and the walk from an execution to what it began.

use super::{At, MemoryPorts, token, unreadable};
use crate::api::{
    DescribeAutomationExecutions, DescribeAutomationStepExecutions, ExecutionShape, Filter,
    GetAutomationExecution, StartAutomationExecution, StepLocation, StepShape, StopAutomationExecution,
};
use jiff::Timestamp;
use patchfleet_core::{
    id::{ClientToken, DocumentName, ExecutionId, Location},
    port::{
        Automation, BoxFuture, ChildView, Clock as _, ExecutionStatus, ExecutionView, Page, PageToken,
        PortResult, SentCommand, StartRequest, StepView, StopType, TriggeredAlarm,
    },
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl MemoryPorts {
    async fn get(&self, at: At, id: String) -> PortResult<ExecutionShape> {
        let input = GetAutomationExecution {
            automation_execution_id: Some(id),
        };
        Ok(self.call(at, input).await?.automation_execution)
    }

    async fn stop_at(&self, at: At, id: String, kind: StopType) -> PortResult<()> {
        let input = StopAutomationExecution {
            automation_execution_id: Some(id),
            r#type: Some(kind.as_str().to_owned()),
        };
        self.call(at, input).await.map(drop)
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
    fn start(
        &self,
        request: &StartRequest,
        token: ClientToken,
        // A call of this port waits for nothing before it is sent.
        _: Timestamp,
    ) -> BoxFuture<'_, PortResult<ExecutionId>> {
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
                triggered: one
                    .alarm
                    .triggered_alarms
                    .map(|[alarm]| TriggeredAlarm::of(alarm.state)),
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

    fn stop(&self, id: &ExecutionId, kind: StopType) -> BoxFuture<'_, PortResult<()>> {
        Box::pin(self.stop_at(At::Central, id.to_string(), kind))
    }

    fn stop_child(
        &self,
        location: &Location,
        id: &ExecutionId,
        kind: StopType,
    ) -> BoxFuture<'_, PortResult<()>> {
        Box::pin(self.stop_at(At::Location(location.clone()), id.to_string(), kind))
    }
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
