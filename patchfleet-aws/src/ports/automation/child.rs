//! The execution in a location: which commands it sent, and why it failed if it did.

use super::{outputs, read_status};
use crate::Aws;
use crate::call::answered::Answered;
use crate::call::limits::Operation;
use aws_sdk_ssm::types as ssm;
use patchfleet_core::id::{ExecutionId, Location};
use patchfleet_core::port::{ChildView, PortResult, Walk};

impl Aws {
    /// Reads the execution in a location, with all its steps if those that come with it do not
    /// answer which commands it sent.
    pub(super) async fn read_child(&self, location: &Location, id: &ExecutionId) -> PortResult<ChildView> {
        let execution = self.get_execution(location, id, &Answered::default()).await?;
        let status = read_status(execution.automation_execution_status());
        let mut commands = outputs::commands(&execution, execution.step_executions());
        let mut failure = longer(
            execution.failure_message().unwrap_or_default().to_owned(),
            failure_of_steps(execution.step_executions()),
        );
        let is_cut_short = execution.step_executions_truncated();
        // While it runs, steps that are not cut short are as good as asking for them; once it has
        // ended, one more look costs little. A step that was cut off may have sent another command, or failed.
        let is_open = execution.step_executions().is_empty() || status.is_terminal();
        if is_cut_short || (commands.is_empty() && is_open) {
            let mut walk = Walk::new(Operation::DescribeAutomationStepExecutions.as_str());
            let mut steps = vec![];
            while let Some(page) = walk.next() {
                let (some, next) = self.describe_steps(location, id, page).await?;
                steps.extend(some);
                walk.advance(next)?;
            }
            let all = outputs::commands(&execution, &steps);
            if !all.is_empty() {
                commands = all;
            }
            failure = longer(failure, failure_of_steps(&steps));
        }
        Ok(ChildView {
            status,
            commands,
            failure,
        })
    }
}

/// AWS's words on why a step failed; empty if it did not.
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

/// The most that any of the steps says of a failure.
fn failure_of_steps(steps: &[ssm::StepExecution]) -> String {
    steps.iter().map(failure_of_step).fold(String::new(), longer)
}

/// The longer of two texts, which says more; the first of two that are alike.
fn longer(one: String, other: String) -> String {
    if other.chars().count() > one.chars().count() {
        other
    } else {
        one
    }
}
