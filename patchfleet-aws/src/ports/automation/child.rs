//! The execution in a location: which commands it sent, and why it failed if it did.

use super::execution::{failure_of_step, read_status};
use super::outputs;
use crate::call::{Operation, all_pages};
use crate::ports::Aws;
use aws_sdk_ssm::types as ssm;
use patchfleet_core::id::{ExecutionId, Location};
use patchfleet_core::port::{ChildView, PortResult};

impl Aws {
    /// Reads the execution in a location. All its steps are read as well if those that come with it do not tell which
    /// commands it sent.
    pub(super) async fn read_child(&self, location: &Location, id: &ExecutionId) -> PortResult<ChildView> {
        let (execution, _) = self.get_execution(location, id).await?;
        let status = read_status(execution.automation_execution_status());
        let mut commands = outputs::commands(&execution, execution.step_executions());
        let mut failure = longer(
            execution.failure_message().unwrap_or_default().to_owned(),
            failure_of_steps(execution.step_executions()),
        );
        let is_cut_short = execution.step_executions_truncated();
        // While it runs, the steps that come with it do, unless they were cut short. A step that was cut off may have
        // sent another command, or failed. Once it has ended, one more look costs little.
        let is_open = execution.step_executions().is_empty() || status.is_terminal();
        if is_cut_short || (commands.is_empty() && is_open) {
            let operation = Operation::DescribeAutomationStepExecutions;
            let steps = all_pages(operation, |page| self.describe_steps(location, id, page)).await?;
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

/// The most that any of the steps says of a failure.
fn failure_of_steps(steps: &[ssm::StepExecution]) -> String {
    steps.iter().map(failure_of_step).fold(String::new(), longer)
}

/// The longer of two texts, which says more. Of two that are as long it is the first.
fn longer(one: String, other: String) -> String {
    if other.chars().count() > one.chars().count() {
        other
    } else {
        one
    }
}
