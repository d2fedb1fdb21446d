//! Stopping executions and commands. Whether AWS cascades is undocumented. Here a stopped parent stops
//! its children, and a stopped execution cancels its commands, unless the world says otherwise.
//!
//! A step's `onCancel` leads to steps that run while the execution is being cancelled, for two
//! minutes at most ("Properties shared by all actions" of the Systems Manager guide).

use crate::world::{
    Execution, InvocationState, Shape, Status, Step, World, documents::runbook::Jump, time::Event,
};
use patchfleet_core::id::NodeId;

/// How long the steps that `onCancel` leads to may take together.
const CLEAN_UP_SECONDS: i64 = 120;

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
        // The step is chosen now, because it has ended by the time that the execution comes to rest.
        execution.next = execution.clean_up();
        self.stop_what_steps_set_off(id);
        // This is later than agents hear of it, so a child's commands come to rest first.
        self.after_seconds(
            6,
            Event::ExecutionCancelled {
                execution: id.to_owned(),
            },
        );
        true
    }

    /// Stops the children and commands of the steps that run.
    fn stop_what_steps_set_off(&mut self, id: &str) {
        let (mut children, mut commands) = (vec![], vec![]);
        let steps = self.executions.get(id).into_iter().flat_map(|one| &one.steps);
        for step in steps.filter(|step| step.is_open()) {
            children.extend(step.child.clone());
            commands.extend(step.command.clone());
        }
        self.cancel_below(&children, &commands);
    }

    /// Stops what a step has set off, if stops cascade in this world.
    pub(in crate::world) fn cancel_below(&mut self, children: &[String], commands: &[String]) {
        if !self.rules.automation.stop_cascades {
            return;
        }
        for child in children {
            self.cancel_execution(child);
        }
        for command in commands {
            self.cancel_command(command, &[]);
        }
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
        if execution.status == Status::Cancelling {
            return true;
        }
        execution.completing = true;
        if execution.status == Status::Pending {
            self.end_execution(id, Status::Cancelled, None);
        } else if execution.shape() != Shape::Document {
            self.pump_units(id);
        } else if !execution.steps.iter().any(Step::is_open) {
            self.complete_run(id);
        }
        true
    }

    pub(in crate::world) fn execution_cancelled(&mut self, id: &str) {
        let now = self.now();
        let Some(execution) = self
            .executions
            .get_mut(id)
            .filter(|one| one.status == Status::Cancelling && !one.cleaning)
        else {
            return;
        };
        let clean_up = execution.next.take();
        execution.cancel_open_steps(now);
        let Some(step) = clean_up else {
            return self.end_execution(id, Status::Cancelled, None);
        };
        execution.cleaning = true;
        execution.completing = false;
        let execution = || id.to_owned();
        self.after_seconds(
            CLEAN_UP_SECONDS,
            Event::CleanUpEnds {
                execution: execution(),
            },
        );
        self.after_seconds(
            0,
            Event::StepBegins {
                execution: execution(),
                step,
            },
        );
    }

    /// The steps that `onCancel` led to have had their time.
    pub(in crate::world) fn clean_up_ends(&mut self, id: &str) {
        let now = self.now();
        let cleaning = |one: &&mut Execution| one.status == Status::Cancelling && one.cleaning;
        if self.executions.get_mut(id).filter(cleaning).is_none() {
            return;
        }
        self.stop_what_steps_set_off(id);
        if let Some(execution) = self.executions.get_mut(id) {
            execution.cancel_open_steps(now);
        }
        self.end_execution(id, Status::Cancelled, None);
    }

    /// Stops a command, or `only` the named nodes. Nodes that it was not sent to are cancelled at once,
    /// and those at work a little later. As on AWS this is best effort, and a reboot that has begun
    /// goes on.
    pub(crate) fn cancel_command(&mut self, id: &str, only: &[String]) {
        let now = self.now();
        let Some(command) = self
            .commands
            .get_mut(id)
            .filter(|command| !command.status.is_terminal())
        else {
            return;
        };
        let (all, pending) = (only.is_empty(), command.status == Status::Pending);
        if all {
            command.status = Status::Cancelling;
            command.details = "Cancelling";
        }
        let mut told = vec![];
        for one in command
            .invocations
            .all_mut()
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
        // A pending command with nodes left has yet to begin.
        if all || !pending {
            self.settle_command(id);
        }
    }

    pub(in crate::world) fn invocation_cancelled(&mut self, id: &str, node: &NodeId) {
        if self.invocation_state(id, node) == Some(InvocationState::Cancelling) {
            self.end_invocation(id, node, Status::Cancelled, "Cancelled", -1);
        }
    }
}

impl Execution {
    /// Ends its own steps that run.
    fn cancel_open_steps(&mut self, now: jiff::Timestamp) {
        for step in self.steps.iter_mut().filter(|step| step.is_open()) {
            step.status = Status::Cancelled;
            step.ended = Some(now);
        }
    }

    /// The step that `onCancel` of the running step names.
    fn clean_up(&self) -> Option<usize> {
        if self.shape() != Shape::Document {
            return None;
        }
        let rules = self.runbook.main_steps.iter();
        let (_, rule) = self.steps.iter().zip(rules).find(|(step, _)| step.is_open())?;
        match &rule.on_cancel {
            Jump::Step(name) => self.runbook.index_of(name),
            Jump::Abort | Jump::Continue => None,
        }
    }
}
