//! The interpreter: one document's steps, one after another, in one location.
//!
//! AWS is silent about the following. An attempt follows the one before at once. A step's timeout does
//! not stop what the step had set off. `Continue` goes where success would have gone. A step that has run 100
//! times is taken for an endless loop and fails its execution.

mod approve;
mod branch;
mod command;
mod nested;
mod sleep;

pub(crate) use branch::Branch;

use crate::world::{
    Execution, Status, Step, World, after,
    automation::execution::Failure,
    automation::locations::SEE_GUIDE,
    documents::runbook::{Action, Jump, seconds_of_timeout},
    documents::template,
    time::Event,
    time::Turn,
};
use jiff::SignedDuration;
use serde_json::Value;
use std::sync::Arc;

/// How often a step may run in one execution. A document may lead back to an earlier step; one
/// that does so for ever must not keep the world busy for ever.
const MAX_RUNS: u32 = 100;

/// How an action has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// It goes on by itself.
    Runs,
    /// It waits for somebody's signal.
    Waits,
    /// It is done, and the step at the index is next; `None`: the one that any step leads to.
    Leads(Option<usize>),
}

impl World {
    /// Begins the step at `index`, or ends the execution if there is none.
    pub(in crate::world) fn begin_step(&mut self, id: &str, index: usize) {
        let Some(execution) = self.executions.get_mut(id).filter(|one| one.takes_steps()) else {
            return;
        };
        execution.next = Some(index);
        if execution.completing {
            return self.complete_run(id);
        }
        let Some(step) = execution.steps.get_mut(index) else {
            return self.end_run(id);
        };
        // Nothing of an earlier run stays: neither its end, nor the command that it sent.
        *step = Step {
            runs: step.runs,
            ..Step::new(step.id.clone(), step.name.clone(), &step.action)
        };
        self.try_step(id, index);
    }

    /// Tries the step at `index` once more, if it is still at the run that failed.
    pub(in crate::world) fn retry_step(&mut self, id: &str, index: usize, run: u32) {
        let waits = self
            .executions
            .get(id)
            .filter(|one| one.takes_steps())
            .and_then(|one| one.steps.get(index))
            .is_some_and(|step| step.status == Status::InProgress && step.runs == run);
        if waits {
            self.try_step(id, index);
        }
    }

    fn try_step(&mut self, id: &str, index: usize) {
        let now = self.now();
        let Some(execution) = self.executions.get(id) else {
            return;
        };
        let Some(rule) = execution.runbook.main_steps.get(index).cloned() else {
            return;
        };
        let inputs = execution.fill(&rule.inputs);
        let timeout = rule.timeout_seconds.as_ref();
        let timeout = timeout.map(|seconds| {
            let seconds = execution.fill(seconds)?;
            seconds_of_timeout(&rule.name, &seconds)
        });
        let timeout = timeout.transpose();
        let Some(step) = self.step_mut(id, index) else {
            return;
        };
        if step.runs >= MAX_RUNS {
            let failure = format!(
                "The step {} has run {MAX_RUNS} times: the simulator takes it for an endless loop.",
                step.name
            );
            return self.end_execution(id, Status::Failed, Some(failure));
        }
        step.runs += 1;
        step.attempts += 1;
        step.status = Status::InProgress;
        step.started = step.started.or(Some(now));
        step.child = None;
        step.command = None;
        step.outputs = Arc::default();
        let action = Action::of(&rule.action);
        let (inputs, timeout) = match (inputs, timeout) {
            (Ok(inputs), Ok(timeout)) => (inputs, timeout),
            (Err(problem), _) | (_, Err(problem)) => {
                return self.end_step(id, index, Status::Failed, Some(Failure::input(problem)));
            }
        };
        step.timeout_seconds = timeout.or(match action {
            Action::Approve => Some(approve::DEFAULT_TIMEOUT_SECONDS),
            _ => None,
        });
        step.inputs = Arc::new(shown(&inputs));
        let (run, timeout) = (step.runs, step.timeout_seconds);
        if let Some(seconds) = timeout {
            let event = Event::StepTimesOut {
                execution: id.to_owned(),
                step: index,
                run,
            };
            let at = after(self.now(), SignedDuration::from_secs(seconds));
            let timeout = self.schedule(at, event);
            if let Some(step) = self.step_mut(id, index) {
                step.timeout = Some(timeout);
            }
        }
        let begun = match action {
            Action::Approve => self.ask_approval(id, index, &inputs),
            Action::Branch => self.branch(id, &inputs),
            Action::ExecuteAutomation => self.execute_automation(id, index, &inputs),
            Action::Pause => Ok(Begun::Waits),
            Action::RunCommand => self.run_command(id, index, &inputs),
            Action::Sleep => self.sleep(id, index, &inputs),
            Action::Unknown => Err(Failure::action(format!(
                "The action {} of the step {} is not one that this simulator runs.",
                rule.action, rule.name
            ))),
        };
        match begun {
            Ok(Begun::Runs) => {}
            Ok(Begun::Waits) => self.wait_at(id, index),
            Ok(Begun::Leads(next)) => self.end_step_towards(id, index, Status::Success, None, next),
            Err(failure) => self.end_step(id, index, Status::Failed, Some(failure)),
        }
    }

    fn wait_at(&mut self, id: &str, index: usize) {
        if let Some(step) = self.step_mut(id, index) {
            step.status = Status::Waiting;
        }
        if let Some(execution) = self.executions.get_mut(id)
            && execution.status == Status::InProgress
        {
            execution.status = Status::Waiting;
        }
    }

    /// `aws:branch`.
    fn branch(&self, id: &str, inputs: &Value) -> Result<Begun, Failure> {
        let branch = Branch::read(inputs).map_err(Failure::input)?;
        let chosen = branch.choose().map_err(Failure::input)?;
        let runbook = self.executions.get(id).map(|one| &one.runbook);
        Ok(Begun::Leads(
            chosen.and_then(|name| runbook.and_then(|one| one.index_of(name))),
        ))
    }

    /// The step's own limit. What it does to the command is undocumented; here the command goes on.
    pub(in crate::world) fn step_times_out(&mut self, id: &str, index: usize, run: u32) {
        let Some(step) = self.executions.get(id).and_then(|one| one.steps.get(index)) else {
            return;
        };
        if step.is_open() && step.runs == run {
            let failure = format!(
                "Step timed out after {} seconds. {SEE_GUIDE}",
                step.timeout_seconds.unwrap_or(0)
            );
            self.end_step(id, index, Status::TimedOut, Some(Failure::verification(failure)));
        }
    }

    /// Ends a step; the execution goes where the document says.
    pub(in crate::world) fn end_step(
        &mut self,
        id: &str,
        index: usize,
        status: Status,
        failure: Option<Failure>,
    ) {
        self.end_step_towards(id, index, status, failure, None);
    }

    /// Ends a step, which may itself say what is next.
    fn end_step_towards(
        &mut self,
        id: &str,
        index: usize,
        status: Status,
        failure: Option<Failure>,
        towards: Option<usize>,
    ) {
        let now = self.now();
        let Some(execution) = self.executions.get_mut(id) else {
            return;
        };
        let goes_on = execution.takes_steps();
        let runbook = execution.runbook.clone();
        let Some(rule) = runbook.main_steps.get(index) else {
            return;
        };
        let Some(step) = execution.steps.get_mut(index).filter(|step| step.is_open()) else {
            return;
        };
        let timeout = step.timeout.take();
        let failed = matches!(status, Status::Failed | Status::TimedOut);
        if failed && goes_on && !execution.completing && step.attempts < rule.attempts() {
            // A step has failed only once every attempt has. Until then it runs.
            step.status = Status::InProgress;
            (step.child, step.command) = (None, None);
            let run = step.runs;
            execution.resume();
            self.call_off(timeout, Turn::Own);
            return self.after_seconds(
                0,
                Event::StepTriesAgain {
                    execution: id.to_owned(),
                    step: index,
                    run,
                },
            );
        }
        step.status = status;
        step.failure = failure;
        step.ended = Some(now);
        let why = step.failure().map(str::to_owned);
        self.call_off(timeout, Turn::Own);
        let Some(execution) = self.executions.get_mut(id).filter(|_| goes_on) else {
            return;
        };
        execution.resume();
        let next = match rule.on_failure.as_ref().unwrap_or(&Jump::Abort) {
            _ if status == Status::Success => towards.or_else(|| runbook.after(index)),
            // Somebody runs it step by step, and has stopped this one only.
            _ if status == Status::Cancelled && execution.is_interactive() => runbook.after(index),
            Jump::Continue => runbook.after(index),
            Jump::Step(name) => runbook.index_of(name),
            Jump::Abort if rule.counts() && !execution.cleaning => {
                return self.end_execution(id, status, why);
            }
            // It ends the execution, and is not what that is judged by.
            Jump::Abort => None,
        };
        execution.next = next;
        if execution.completing {
            return self.complete_run(id);
        }
        if execution.is_interactive() && !execution.cleaning {
            execution.status = Status::Waiting;
            return;
        }
        match next {
            // By way of the queue, so that a document's length is not a depth of the stack.
            Some(next) => self.after_seconds(
                0,
                Event::StepBegins {
                    execution: id.to_owned(),
                    step: next,
                },
            ),
            None => self.end_run(id),
        }
    }

    /// It was told to end after the steps that run, and none does.
    pub(in crate::world) fn complete_run(&mut self, id: &str) {
        let Some(execution) = self.executions.get(id) else {
            return;
        };
        if execution.next.is_some() {
            self.end_execution(id, Status::Cancelled, None);
        } else {
            self.end_run(id);
        }
    }

    /// Every step is through. The execution's status follows from its critical steps.
    pub(in crate::world) fn end_run(&mut self, id: &str) {
        let Some(execution) = self.executions.get(id) else {
            return;
        };
        if execution.cleaning {
            return self.end_execution(id, Status::Cancelled, None);
        }
        let failed = execution
            .steps
            .iter()
            .zip(&execution.runbook.main_steps)
            .find(|(step, rule)| {
                rule.counts() && step.status.is_terminal() && step.status != Status::Success
            });
        let why = failed.and_then(|(step, _)| step.failure().map(str::to_owned));
        match failed.map(|(step, _)| step.status) {
            Some(ended @ (Status::TimedOut | Status::Cancelled)) => self.end_execution(id, ended, why),
            Some(_) => self.end_execution(id, Status::Failed, why),
            None => self.end_execution(id, Status::Success, None),
        }
    }
}

impl Execution {
    /// It no longer waits.
    pub(in crate::world) fn resume(&mut self) {
        if self.status == Status::Waiting {
            self.status = Status::InProgress;
        }
    }

    /// `value` with its references replaced by parameters, variables and earlier steps' outputs.
    fn fill(&self, value: &Value) -> Result<Value, String> {
        template::fill(value, &|name| self.lookup(name))
    }

    fn lookup(&self, name: &str) -> Option<Value> {
        let location = &self.order.location;
        if let Some(value) = self.arguments.get(name) {
            return Some(value.clone());
        }
        let text = match name {
            "global:ACCOUNT_ID" => location.account.to_string(),
            "global:REGION" => location.region.to_string(),
            "global:AWS_PARTITION" => location.region.partition().to_string(),
            "global:DATE" => self.started.strftime("%Y-%m-%d").to_string(),
            "global:DATE_TIME" => self.started.strftime("%Y-%m-%d_%H.%M.%S").to_string(),
            "automation:EXECUTION_ID" => self.id.clone(),
            _ => {
                let (step, key) = name.split_once('.')?;
                let values = self.steps.iter().find(|one| one.name == step)?.outputs.get(key)?;
                return Some(match values.as_slice() {
                    [only] => Value::from(only.as_str()),
                    many => many.iter().cloned().map(Value::from).collect(),
                });
            }
        };
        Some(Value::String(text))
    }
}

/// A step's inputs as AWS shows them: JSON text each.
fn shown(inputs: &Value) -> std::collections::BTreeMap<String, String> {
    let entries = inputs.as_object().into_iter().flatten();
    entries
        .map(|(key, value)| (key.clone(), value.to_string()))
        .collect()
}

/// A whole number, as such or as text.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}
