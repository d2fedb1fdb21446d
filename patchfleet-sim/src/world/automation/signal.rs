//! Signals to an execution: approvals, and steps that are started, stopped or resumed by hand.
//!
//! Sources: SendAutomationSignal of the API reference; "Run an automation manually" of the Systems
//! Manager guide. Where AWS says nothing: a step is started by hand only in an interactive
//! execution, one at a time, and any step may be; a stopped step is `Cancelled`.

use crate::world::{Status, World, documents::runbook::Action};

/// What SendAutomationSignal can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// An approver says yes.
    Approve,
    /// An approver says no.
    Reject,
    /// The step of that name begins.
    StartStep(String),
    /// The step of that step execution id ends.
    StopStep(String),
    /// The paused step of that name ends.
    Resume(String),
}

/// Why a signal changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignalRefusal {
    /// The execution has no such step.
    NoStep,
    /// It is not one that the execution waits for.
    Invalid(String),
}

fn invalid<T>(text: &str) -> Result<T, SignalRefusal> {
    Err(SignalRefusal::Invalid(text.to_owned()))
}

impl World {
    /// Sends a signal to an execution; `who` is the sender's ARN.
    pub(crate) fn signal(&mut self, id: &str, signal: &Signal, who: &str) -> Result<(), SignalRefusal> {
        let running = self
            .executions
            .get(id)
            .is_some_and(|one| matches!(one.status, Status::InProgress | Status::Waiting));
        if !running {
            return invalid("The execution does not run.");
        }
        match signal {
            Signal::Approve => self.vote(id, who, true),
            Signal::Reject => self.vote(id, who, false),
            Signal::StartStep(name) => self.start_step(id, name),
            Signal::StopStep(step) => self.stop_step(id, step),
            Signal::Resume(name) => self.resume_step(id, name),
        }
    }

    fn vote(&mut self, id: &str, who: &str, approves: bool) -> Result<(), SignalRefusal> {
        let Some(index) = self.waiting_for(id, Action::Approve) else {
            return invalid("The execution does not wait for an approval.");
        };
        if self.decide(id, index, who, approves) {
            return Ok(());
        }
        invalid("The sender is not one of the step's approvers.")
    }

    fn waiting_for(&self, id: &str, action: Action) -> Option<usize> {
        let steps = self.executions.get(id)?.steps.iter();
        let waits =
            |step: &crate::world::Step| step.status == Status::Waiting && Action::of(&step.action) == action;
        steps
            .enumerate()
            .find(|(_, step)| waits(step))
            .map(|(index, _)| index)
    }

    fn start_step(&mut self, id: &str, name: &str) -> Result<(), SignalRefusal> {
        let Some(execution) = self.executions.get_mut(id) else {
            return Err(SignalRefusal::NoStep);
        };
        if !execution.is_interactive() || execution.completing {
            return invalid("Steps are started by hand only in an interactive execution.");
        }
        let index = execution.runbook.index_of(name).ok_or(SignalRefusal::NoStep)?;
        if execution.steps.iter().any(crate::world::Step::is_open) {
            return invalid("Another step runs.");
        }
        execution.resume();
        self.begin_step(id, index);
        Ok(())
    }

    fn stop_step(&mut self, id: &str, step: &str) -> Result<(), SignalRefusal> {
        let Some(execution) = self.executions.get(id) else {
            return Err(SignalRefusal::NoStep);
        };
        let mut steps = execution.steps.iter().enumerate();
        let (index, step) = steps
            .find(|(_, one)| one.id == step)
            .ok_or(SignalRefusal::NoStep)?;
        if !step.is_open() {
            return invalid("The step does not run.");
        }
        if execution.shape() != crate::world::Shape::Document {
            return invalid("The step is a child execution, which is stopped by itself.");
        }
        let (child, command) = (step.child.clone(), step.command.clone());
        self.cancel_below(child.as_slice(), command.as_slice());
        self.end_step(id, index, Status::Cancelled, None);
        Ok(())
    }

    fn resume_step(&mut self, id: &str, name: &str) -> Result<(), SignalRefusal> {
        let step = self.executions.get(id).and_then(|one| one.runbook.index_of(name));
        let index = step.ok_or(SignalRefusal::NoStep)?;
        if self.waiting_for(id, Action::Pause) != Some(index) {
            return invalid("The step is not paused.");
        }
        self.end_step(id, index, Status::Success, None);
        Ok(())
    }
}
