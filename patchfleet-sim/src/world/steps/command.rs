//! `aws:runCommand`: sends a command and waits for its end.

use super::{Begun, whole};
use crate::world::{
    CommandOptions, CommandOrder, Status, Target, World,
    automation::Failure,
    is_concurrency, is_errors,
    locations::SEE_GUIDE,
    parameters::{WireParameters, plain},
};
use patchfleet_core::id::Location;
use serde_json::Value;

impl World {
    pub(super) fn run_command(&mut self, id: &str, index: usize, inputs: &Value) -> Result<Begun, Failure> {
        let Some(execution) = self.executions.get(id) else {
            return Ok(Begun::Runs);
        };
        let location = execution.order.location.clone();
        let sender = execution.order.role.clone();
        let order = command_order(location, inputs, (id.to_owned(), index)).map_err(failed)?;
        let order = CommandOrder { sender, ..order };
        let region = &order.location.region;
        let resource = format!(
            "arn:{}:ssm:{region}::document/{}",
            region.partition(),
            order.document
        );
        self.check_may(&execution.order, "ssm:SendCommand", &resource)?;
        let command = self
            .send_command(order)
            .map_err(|refusal| failed(refusal.to_string()))?;
        if let Some(step) = self.step_mut(id, index) {
            step.outputs.insert("CommandId".to_owned(), vec![command.clone()]);
            step.command = Some(command);
        }
        Ok(Begun::Runs)
    }

    /// The command of a step has ended.
    pub(in crate::world) fn command_ended(&mut self, id: &str, index: usize, command: &str, status: Status) {
        let code = self.commands.get(command).map_or(-1, |command| {
            let codes = command.invocations.iter().map(|one| one.response_code);
            codes.max().unwrap_or(-1)
        });
        // Not that of an earlier run which timed out: what becomes of it concerns nobody now.
        let Some(step) = self
            .step_mut(id, index)
            .filter(|step| step.is_open() && step.command.as_deref() == Some(command))
        else {
            return;
        };
        step.outputs.extend([
            ("Status".to_owned(), vec![status.as_str().to_owned()]),
            ("ResponseCode".to_owned(), vec![code.to_string()]),
            ("Output".to_owned(), vec![String::new()]),
        ]);
        let failure = (status != Status::Success).then(|| {
            Failure::verification(format!(
                "Step fails when it is Poll action status for completion. Command {command} returns unexpected invocation result: {{Status=[{}], ResponseCode=[{code}], Output=[], CommandId=[{command}]}}. {SEE_GUIDE}",
                status.as_str()
            ))
        });
        self.end_step(id, index, status, failure);
    }
}

fn failed(problem: String) -> Failure {
    Failure::action(format!(
        "Step fails when it is Execute/Cancelling action. {problem} {SEE_GUIDE}"
    ))
}

fn command_order(location: Location, inputs: &Value, step: (String, usize)) -> Result<CommandOrder, String> {
    let given = |name: &str| inputs.get(name).filter(|value| !value.is_null()).cloned();
    let text = |name: &str| given(name).as_ref().map(plain);
    let targets: Vec<Target> = match inputs.get("Targets") {
        None | Some(Value::Null) => vec![],
        Some(given) => serde_json::from_value(given.clone())
            .map_err(|error| format!("InvalidParameters: Targets cannot be read: {error}."))?,
    };
    let order = CommandOrder {
        location,
        document: text("DocumentName").ok_or("InvalidParameters: DocumentName is required.")?,
        parameters: command_parameters(inputs.get("Parameters")),
        instance_ids: inputs.get("InstanceIds").map(texts).unwrap_or_default(),
        targets,
        max_concurrency: text("MaxConcurrency").unwrap_or_else(|| "50".to_owned()),
        max_errors: text("MaxErrors").unwrap_or_else(|| "0".to_owned()),
        timeout_seconds: inputs.get("TimeoutSeconds").and_then(whole).unwrap_or(3600),
        comment: text("Comment").unwrap_or_default(),
        sender: None,
        step: Some(step),
        options: CommandOptions {
            document_version: text("DocumentVersion"),
            output_bucket: text("OutputS3BucketName"),
            output_prefix: text("OutputS3KeyPrefix"),
            service_role: text("ServiceRoleArn"),
            notification: given("NotificationConfig"),
            cloudwatch: given("CloudWatchOutputConfig"),
        },
    };
    if !is_concurrency(&order.max_concurrency) || !is_errors(&order.max_errors) {
        return Err("InvalidParameters: MaxConcurrency or MaxErrors is not in AWS's grammar.".to_owned());
    }
    Ok(order)
}

pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Null => vec![],
        other => vec![plain(other)],
    }
}

/// Parameters as a document writes them, as the API takes them.
pub(super) fn command_parameters(given: Option<&Value>) -> WireParameters {
    let entries = given.and_then(Value::as_object).into_iter().flatten();
    entries
        .map(|(name, value)| (name.clone(), texts(value)))
        .collect()
}
