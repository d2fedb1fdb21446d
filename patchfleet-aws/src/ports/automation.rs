//! [`Automation`] over Systems Manager: the start, the stop, and the walk from an execution to what it
//! began in each location.

use super::Aws;
use crate::call::{Operation, send, timestamp};
use aws_sdk_ssm::types as ssm_types;
use jiff::Timestamp;
use patchfleet_core::id::{ClientToken, DocumentName, ExecutionId, Location};
use patchfleet_core::port::{
    Automation, BoxFuture, ChildView, ExecutionView, Page, PageToken, PortResult, StartRequest, StepView,
    StopType,
};

mod child;
mod execution;
mod outputs;
mod start;

/// The most that Automation gives on a page.
const PAGE: i32 = 50;

impl Automation for Aws {
    fn start(
        &self,
        request: &StartRequest,
        client_token: ClientToken,
        not_after: Timestamp,
    ) -> BoxFuture<'_, PortResult<ExecutionId>> {
        let request = request.clone();
        Box::pin(async move {
            let operation = Operation::StartAutomationExecution;
            let (call, ssm) = self.clients.central_ssm(operation).await?;
            let call = call.not_after(not_after);
            let filled = start::fill(ssm.start_automation_execution(), &request, client_token);
            let filled = call.built(filled)?;
            let answer = send!(call, filled).await;
            let answer = answer.map_err(|error| start::naming_the_role(error.into(), &request))?;
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
                triggered: execution::triggered(execution.triggered_alarms()),
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

    fn stop(&self, id: &ExecutionId, kind: StopType) -> BoxFuture<'_, PortResult<()>> {
        let id = id.clone();
        Box::pin(async move {
            let operation = Operation::StopAutomationExecution;
            let (call, ssm) = self.clients.central_ssm(operation).await?;
            let request = ssm.stop_automation_execution();
            let request = request
                .automation_execution_id(id.as_str())
                .r#type(stop_type(kind));
            send!(call, request).await?;
            Ok(())
        })
    }

    fn stop_child(
        &self,
        location: &Location,
        id: &ExecutionId,
        kind: StopType,
    ) -> BoxFuture<'_, PortResult<()>> {
        let (location, id) = (location.clone(), id.clone());
        Box::pin(async move {
            let operation = Operation::StopAutomationExecution;
            let (call, ssm) = self.clients.ssm(operation, &location).await?;
            let request = ssm.stop_automation_execution();
            let request = request
                .automation_execution_id(id.as_str())
                .r#type(stop_type(kind));
            send!(call, request).await?;
            Ok(())
        })
    }
}

fn stop_type(kind: StopType) -> ssm_types::StopType {
    match kind {
        StopType::Cancel => ssm_types::StopType::Cancel,
        StopType::Complete => ssm_types::StopType::Complete,
    }
}

#[cfg(test)]
pub(super) mod tests;
