//! The interpreter: one document's steps, one after another, in one location.

use super::{
    CommandOptions, CommandOrder, Execution, Status, Step, Target, World,
    event::Event,
    locations::SEE_GUIDE,
    parameters::{WireParameters, plain},
    template,
};
use serde_json::Value;

/// How often a step may run in one execution. A document may lead back to an earlier step; one
/// that does so for ever must not keep the world busy for ever.
const MAX_RUNS: u32 = 100;

impl World {
    /// Begins the step at `index`, or ends the execution if there is none.
    pub(super) fn begin_step(&mut self, id: &str, index: usize) {
        let now = self.now;
        let Some(execution) = self
            .executions
            .get(id)
            .filter(|one| one.status == Status::InProgress)
        else {
            return;
        };
        let Some(rule) = execution.runbook.main_steps.get(index).cloned() else {
            return self.end_run(id);
        };
        if execution.completing {
            return self.end_execution(id, Status::Cancelled, None);
        }
        let inputs = execution.fill(&rule.inputs);
        let timeout = rule
            .timeout_seconds
            .as_ref()
            .map(|seconds| execution.fill(seconds));
        let Some(step) = self
            .executions
            .get_mut(id)
            .and_then(|one| one.steps.get_mut(index))
        else {
            return;
        };
        if step.runs >= MAX_RUNS {
            let failure = format!(
                "The step {} has run {MAX_RUNS} times: the simulator takes it for an endless loop.",
                step.name
            );
            return self.end_execution(id, Status::Failed, Some(failure));
        }
        let run = step.runs + 1;
        // Nothing of an earlier run stays: neither its end, nor the command that it sent.
        *step = Step {
            status: Status::InProgress,
            started: Some(now),
            runs: run,
            ..Step::new(step.id.clone(), step.name.clone(), &step.action)
        };
        let inputs = match (inputs, timeout.transpose()) {
            (Ok(inputs), Ok(timeout)) => {
                step.timeout_seconds = timeout.as_ref().and_then(whole);
                step.inputs = shown(&inputs);
                inputs
            }
            (Err(problem), _) | (_, Err(problem)) => {
                return self.end_step(id, index, Status::Failed, Some(problem));
            }
        };
        if let Some(seconds) = step.timeout_seconds {
            self.after_seconds(
                seconds,
                Event::StepTimesOut {
                    execution: id.to_owned(),
                    step: index,
                    run,
                },
            );
        }
        if rule.action != "aws:runCommand" {
            let problem = format!(
                "The action {} of the step {} is not one that this simulator runs.",
                rule.action, rule.name
            );
            return self.end_step(id, index, Status::Failed, Some(problem));
        }
        match self.run_command(id, index, &inputs) {
            Ok(command) => {
                if let Some(step) = self
                    .executions
                    .get_mut(id)
                    .and_then(|one| one.steps.get_mut(index))
                {
                    step.outputs.insert("CommandId".to_owned(), vec![command.clone()]);
                    step.command = Some(command);
                }
            }
            Err(problem) => {
                let problem =
                    format!("Step fails when it is Execute/Cancelling action. {problem} {SEE_GUIDE}");
                self.end_step(id, index, Status::Failed, Some(problem));
            }
        }
    }

    /// `aws:runCommand`.
    fn run_command(&mut self, id: &str, index: usize, inputs: &Value) -> Result<String, String> {
        let Some(execution) = self.executions.get(id) else {
            return Err(String::new());
        };
        let text = |name: &str| inputs.get(name).filter(|value| !value.is_null()).map(plain);
        let targets: Vec<Target> = match inputs.get("Targets") {
            None | Some(Value::Null) => vec![],
            Some(given) => serde_json::from_value(given.clone())
                .map_err(|error| format!("InvalidParameters: Targets cannot be read: {error}."))?,
        };
        let order = CommandOrder {
            location: execution.order.location.clone(),
            document: text("DocumentName").ok_or("InvalidParameters: DocumentName is required.")?,
            parameters: command_parameters(inputs.get("Parameters")),
            instance_ids: inputs.get("InstanceIds").map(texts).unwrap_or_default(),
            targets,
            max_concurrency: text("MaxConcurrency").unwrap_or_else(|| "50".to_owned()),
            max_errors: text("MaxErrors").unwrap_or_else(|| "0".to_owned()),
            timeout_seconds: inputs.get("TimeoutSeconds").and_then(whole).unwrap_or(3600),
            comment: text("Comment").unwrap_or_default(),
            step: Some((id.to_owned(), index)),
            options: CommandOptions {
                document_version: text("DocumentVersion"),
                output_bucket: text("OutputS3BucketName"),
                output_prefix: text("OutputS3KeyPrefix"),
                service_role: text("ServiceRoleArn"),
                notification: inputs
                    .get("NotificationConfig")
                    .filter(|given| !given.is_null())
                    .cloned(),
                cloudwatch: inputs
                    .get("CloudWatchOutputConfig")
                    .filter(|given| !given.is_null())
                    .cloned(),
            },
        };
        if !super::is_concurrency(&order.max_concurrency) || !super::is_errors(&order.max_errors) {
            return Err("InvalidParameters: MaxConcurrency or MaxErrors is not in AWS's grammar.".to_owned());
        }
        self.send_command(order).map_err(|refusal| refusal.to_string())
    }

    /// The command of a step has ended.
    pub(super) fn command_ended(&mut self, id: &str, index: usize, command: &str, status: Status) {
        let code = self.commands.get(command).map_or(-1, |command| {
            command
                .invocations
                .iter()
                .map(|one| one.response_code)
                .max()
                .unwrap_or(-1)
        });
        if let Some(step) = self
            .executions
            .get_mut(id)
            .and_then(|one| one.steps.get_mut(index))
            // Not that of an earlier run which timed out: what becomes of it concerns nobody now.
            .filter(|step| step.command.as_deref() == Some(command))
        {
            step.outputs
                .insert("Status".to_owned(), vec![status.as_str().to_owned()]);
            step.outputs
                .insert("ResponseCode".to_owned(), vec![code.to_string()]);
            step.outputs.insert("Output".to_owned(), vec![String::new()]);
        } else {
            return;
        }
        let failure = (status != Status::Success).then(|| {
            let details = self.commands.get(command).map_or("", |command| command.details);
            format!(
                "Step fails when it is Verifying/Cancelling action. Command {command} ended with status {}, details {details}. {SEE_GUIDE}",
                status.as_str()
            )
        });
        self.end_step(id, index, status, failure);
    }

    /// The step's own limit. What it does to the command is undocumented; here the command goes on.
    pub(super) fn step_times_out(&mut self, id: &str, index: usize, run: u32) {
        let Some(step) = self.executions.get(id).and_then(|one| one.steps.get(index)) else {
            return;
        };
        if step.status == Status::InProgress && step.runs == run {
            let failure = format!(
                "Step timed out after {} seconds. {SEE_GUIDE}",
                step.timeout_seconds.unwrap_or(0)
            );
            self.end_step(id, index, Status::TimedOut, Some(failure));
        }
    }

    fn end_step(&mut self, id: &str, index: usize, status: Status, failure: Option<String>) {
        let now = self.now;
        let Some(execution) = self.executions.get_mut(id) else {
            return;
        };
        let stopping = execution.status != Status::InProgress;
        let Some(step) = execution
            .steps
            .get_mut(index)
            .filter(|step| !step.status.is_terminal())
        else {
            return;
        };
        step.status = status;
        step.failure = failure;
        step.ended = Some(now);
        let Some(rule) = execution.runbook.main_steps.get(index).filter(|_| !stopping) else {
            return;
        };
        let failure = step.failure.clone();
        let next = if status == Status::Success {
            match (&rule.next_step, rule.ends()) {
                (_, true) => None,
                (Some(name), _) => execution.runbook.index_of(name),
                (None, _) => Some(index + 1),
            }
        } else {
            match rule.on_failure.as_deref() {
                Some("Continue") if rule.ends() => None,
                Some("Continue") => Some(index + 1),
                Some(action) if action.starts_with("step:") => {
                    execution.runbook.index_of(action.trim_start_matches("step:"))
                }
                _ if rule.counts() => return self.end_execution(id, status, failure),
                // It ends the execution, and is not what that is judged by.
                _ => None,
            }
        };
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

    /// Every step is through: the execution is what its critical steps are.
    fn end_run(&mut self, id: &str) {
        let Some(execution) = self.executions.get(id) else {
            return;
        };
        let failed = execution
            .steps
            .iter()
            .zip(&execution.runbook.main_steps)
            .find(|(step, rule)| {
                rule.counts() && step.status.is_terminal() && step.status != Status::Success
            });
        match failed.map(|(step, _)| (step.status, step.failure.clone())) {
            Some((Status::TimedOut, failure)) => self.end_execution(id, Status::TimedOut, failure),
            Some((_, failure)) => self.end_execution(id, Status::Failed, failure),
            None => self.end_execution(id, Status::Success, None),
        }
    }
}

impl Execution {
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

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Null => vec![],
        other => vec![plain(other)],
    }
}

fn command_parameters(given: Option<&Value>) -> WireParameters {
    let entries = given.and_then(Value::as_object).into_iter().flatten();
    entries
        .map(|(name, value)| (name.clone(), texts(value)))
        .collect()
}
