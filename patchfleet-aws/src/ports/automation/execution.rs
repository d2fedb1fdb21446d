//! Executions and their steps.

use super::{PAGE, outputs};
use crate::call::{Operation, send, token};
use crate::ports::Aws;
use aws_sdk_ssm::types as ssm;
use aws_sdk_ssm::types::AutomationExecutionFilterKey as Key;
use jiff::Timestamp;
use patchfleet_core::id::{DocumentName, ExecutionId, Location};
use patchfleet_core::port::{ExecutionStatus, Page, PageToken, PortResult, StepView, TriggeredAlarm};
use std::convert::Infallible;

/// The filters of a listing of executions. Each of them has to hold.
pub(super) type Filters = Vec<(Key, String)>;

impl Aws {
    /// One page of the executions in a location that the filters and `is_wanted` let through.
    pub(super) async fn executions(
        &self,
        location: &Location,
        filters: Filters,
        page: Option<PageToken>,
        is_wanted: impl Fn(&ssm::AutomationExecutionMetadata) -> bool,
    ) -> PortResult<Page<ExecutionId>> {
        let operation = Operation::DescribeAutomationExecutions;
        let (call, client) = self.clients.ssm(operation, location).await?;
        let mut request = client
            .describe_automation_executions()
            .max_results(PAGE)
            .set_next_token(token(page));
        for (key, value) in filters {
            let filter = ssm::AutomationExecutionFilter::builder().key(key).values(value);
            request = request.filters(call.built(filter.build())?);
        }
        let answer = send!(call, request).await?;
        let found = answer.automation_execution_metadata_list().iter();
        let ids = found.filter(|found| is_wanted(found)).map(|found| {
            found
                .automation_execution_id()
                .unwrap_or_default()
                .parse::<ExecutionId>()
        });
        call.page(ids, answer.next_token())
    }

    /// An execution, and when AWS answered.
    pub(super) async fn get_execution(
        &self,
        location: &Location,
        id: &ExecutionId,
    ) -> PortResult<(ssm::AutomationExecution, Option<Timestamp>)> {
        let operation = Operation::GetAutomationExecution;
        let (call, client) = self.clients.ssm(operation, location).await?;
        let request = client
            .get_automation_execution()
            .automation_execution_id(id.as_str());
        let answer = send!(call, request).await?;
        let execution = answer.automation_execution.ok_or("there is no execution in it");
        Ok((call.read(execution)?, call.answered_at()))
    }

    /// One page of an execution's steps.
    pub(super) async fn describe_steps(
        &self,
        location: &Location,
        id: &ExecutionId,
        page: Option<PageToken>,
    ) -> PortResult<Page<ssm::StepExecution>> {
        let operation = Operation::DescribeAutomationStepExecutions;
        let (call, client) = self.clients.ssm(operation, location).await?;
        let request = client
            .describe_automation_step_executions()
            .automation_execution_id(id.as_str())
            .max_results(PAGE)
            .set_next_token(token(page));
        let answer = send!(call, request).await?;
        let (steps, next) = (answer.step_executions.unwrap_or_default(), answer.next_token);
        call.page(steps.into_iter().map(Ok::<_, Infallible>), next.as_deref())
    }
}

/// The filters that find what was started with a document and a tag.
pub(super) fn filters_of_starts(document: &DocumentName, tag_key: String) -> Filters {
    let mut filters = vec![(Key::TagKey, tag_key)];
    // What a document that was named by its ARN is called in a listing is not documented either.
    if !document.is_arn() {
        filters.push((Key::DocumentNamePrefix, document.to_string()));
    }
    filters
}

/// The filters that find what an execution started in a location.
pub(super) fn filters_of_children(parent: &ExecutionId) -> Filters {
    vec![(Key::ParentExecutionId, parent.to_string())]
}

/// Whether an execution was started with `document` and is not the child of such a one. A child has the same document and
/// parameters.
pub(super) fn is_start_of(found: &ssm::AutomationExecutionMetadata, document: &DocumentName) -> bool {
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

pub(super) fn read_status(status: Option<&ssm::AutomationExecutionStatus>) -> ExecutionStatus {
    // A step without a status counts as not begun, so it is looked at again.
    status.map_or(ExecutionStatus::Pending, |status| status.as_str().into())
}

/// What the alarm of an execution has AWS stop it for. An execution has one alarm at most.
pub(super) fn triggered(alarms: &[ssm::AlarmStateInformation]) -> Option<TriggeredAlarm> {
    alarms
        .first()
        .map(|alarm| TriggeredAlarm::of(alarm.state().as_str()))
}

pub(super) fn read_step(step: &ssm::StepExecution) -> StepView {
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
        failure: failure_of_step(step),
    }
}

/// AWS's words on why a step failed. They are empty if it did not.
pub(super) fn failure_of_step(step: &ssm::StepExecution) -> String {
    let message = step.failure_message().unwrap_or_default();
    if !message.is_empty() {
        return message.to_owned();
    }
    let Some(details) = step.failure_details() else {
        return String::new();
    };
    let parts = [details.failure_stage(), details.failure_type()];
    parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(": ")
}
