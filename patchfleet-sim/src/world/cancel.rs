//! Stopping executions and commands. Whether AWS cascades is undocumented; here a stopped parent stops its
//! children, and a stopped execution cancels its commands.

use super::{InvocationState, Status, World, event::Event};
use patchfleet_core::id::NodeId;

impl World {
    /// Stops an execution. Gives false if it had ended.
    pub(crate) fn cancel_execution(&mut self, id: &str) -> bool {
        let Some(execution) = self
            .executions
            .get_mut(id)
            .filter(|one| !one.status.is_terminal())
        else {
            return false;
        };
        if execution.status == Status::Cancelling {
            return true;
        }
        execution.status = Status::Cancelling;
        let running = execution
            .steps
            .iter()
            .filter(|step| step.status == Status::InProgress);
        let (mut children, mut commands) = (vec![], vec![]);
        for step in running {
            children.extend(step.child.clone());
            commands.extend(step.command.clone());
        }
        for child in children {
            self.cancel_execution(&child);
        }
        for command in commands {
            self.cancel_command(&command, &[]);
        }
        // Later than an agent hears of it, so that a child's commands are at rest before it is.
        self.after_seconds(
            6,
            Event::ExecutionCancelled {
                execution: id.to_owned(),
            },
        );
        true
    }

    /// Lets the steps that run end, and begins no other. Gives false if it had ended.
    pub(crate) fn complete_execution(&mut self, id: &str) -> bool {
        let Some(execution) = self
            .executions
            .get_mut(id)
            .filter(|one| !one.status.is_terminal())
        else {
            return false;
        };
        execution.completing = true;
        if execution.is_cross_account() {
            self.pump_locations(id);
        }
        true
    }

    pub(super) fn execution_cancelled(&mut self, id: &str) {
        let now = self.now;
        let Some(execution) = self
            .executions
            .get_mut(id)
            .filter(|one| one.status == Status::Cancelling)
        else {
            return;
        };
        for step in execution
            .steps
            .iter_mut()
            .filter(|step| step.status == Status::InProgress)
        {
            step.status = Status::Cancelled;
            step.ended = Some(now);
        }
        self.end_execution(id, Status::Cancelled, None);
    }

    /// Stops a command: what was not sent is cancelled at once, what runs a little later, best
    /// effort as on AWS: a reboot that has begun goes on.
    pub(crate) fn cancel_command(&mut self, id: &str, only: &[String]) {
        let Some(command) = self
            .commands
            .get_mut(id)
            .filter(|command| !command.status.is_terminal())
        else {
            return;
        };
        let now = self.now;
        let all = only.is_empty();
        if !all && command.status == Status::Pending {
            // It has not looked for its nodes yet, so none of those named is on its list.
            return;
        }
        if all {
            command.status = Status::Cancelling;
            command.details = "Cancelling";
        }
        let mut told = vec![];
        for one in command
            .invocations
            .iter_mut()
            .filter(|one| all || only.iter().any(|id| id == one.node.as_str()))
        {
            match one.state {
                InvocationState::Waiting => {
                    one.state = InvocationState::Ended(Status::Cancelled, "Cancelled");
                    one.ended = Some(now);
                }
                InvocationState::Sent | InvocationState::Delayed | InvocationState::Running => {
                    one.state = InvocationState::Cancelling;
                    told.push(one.node.clone());
                }
                InvocationState::Cancelling | InvocationState::Ended(..) => {}
            }
        }
        for node in told {
            self.after_seconds(
                3,
                Event::InvocationCancelled {
                    command: id.to_owned(),
                    node,
                },
            );
        }
        self.settle_command(id);
    }

    pub(super) fn invocation_cancelled(&mut self, id: &str, node: &NodeId) {
        if self.invocation_state(id, node) == Some(InvocationState::Cancelling) {
            self.end_invocation(id, node, Status::Cancelled, "Cancelled", -1);
        }
    }
}
