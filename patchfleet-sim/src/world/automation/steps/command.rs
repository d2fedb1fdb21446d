//! `aws:runCommand`: sends a command and waits for its end.

use super::{Begun, whole};
use crate::error::ApiError;
use crate::model::{ServiceModel, without_nulls};
use crate::service::Service;
use crate::world::{
    Command, CommandOptions, CommandOrder, Invocation, Status, Target, World,
    automation::execution::Failure,
    automation::locations::SEE_GUIDE,
    documents::parameters::{WireParameters, plain},
};
use patchfleet_core::id::Location;
use serde_json::{Value, json};

impl World {
    pub(super) fn run_command(&mut self, id: &str, index: usize, inputs: &Value) -> Result<Begun, Failure> {
        let Some(execution) = self.executions.get(id) else {
            return Ok(Begun::Runs);
        };
        let location = execution.order.location.clone();
        let sender = execution.order.role.clone();
        let order = command_order(location, inputs, (id.to_owned(), index)).map_err(failed)?;
        let order = CommandOrder { sender, ..order };
        if let Some(refusal) = refused_send(&order) {
            return Err(failed(format!("{refusal}.")));
        }
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
            step.outputs_mut()
                .insert("CommandId".to_owned(), vec![command.clone()]);
            step.command = Some(command);
        }
        Ok(Begun::Runs)
    }

    /// The command of a step has ended.
    pub(in crate::world) fn command_ended(&mut self, id: &str, index: usize, command: &str, status: Status) {
        let result = self.command_result(command, status);
        // What becomes of the command of an earlier run, which timed out, concerns nobody now.
        let Some(step) = self
            .step_mut(id, index)
            .filter(|step| step.is_open() && step.command.as_deref() == Some(command))
        else {
            return;
        };
        step.outputs_mut().extend(result.outputs());
        let failure = (status != Status::Success).then(|| Failure::verification(result.failure()));
        self.end_step(id, index, status, failure);
    }

    /// What a step tells of a command that has ended.
    fn command_result(&self, id: &str, status: Status) -> CommandResult {
        let command = self.commands.get(id);
        let invocations = command.map_or(&[][..], |command| command.invocations());
        let codes = invocations.iter().map(|one| one.response_code);
        // Documented: of several nodes, the output is not told.
        let output = match (command, invocations) {
            (Some(command), [only]) => self.output_of(command, only),
            _ => String::new(),
        };
        CommandResult {
            command: id.to_owned(),
            status: status.as_str(),
            code: codes.max().unwrap_or(-1),
            output,
        }
    }

    /// The text of the steps that ran on a node.
    fn output_of(&self, command: &Command, one: &Invocation) -> String {
        let Some(node) = self.node(&one.node) else {
            return String::new();
        };
        let works = command.document.plugin_on(node.platform);
        let mut plugins = self.plugins(command, one).into_iter();
        plugins
            .find(|plugin| plugin.name == works)
            .map(|plugin| plugin.output())
            .unwrap_or_default()
    }
}

/// What a command came to, as a step tells it.
struct CommandResult {
    command: String,
    status: &'static str,
    code: i32,
    output: String,
}

impl CommandResult {
    /// The same once more, as JSON text.
    fn payload(&self) -> String {
        let text = |value: &str| Value::from(value).to_string();
        // In AWS's order of members.
        format!(
            "{{\"Status\":{},\"ResponseCode\":{},\"Output\":{},\"CommandId\":{}}}",
            text(self.status),
            self.code,
            text(&self.output),
            text(&self.command)
        )
    }

    fn outputs(&self) -> [(String, Vec<String>); 4] {
        [
            ("Status", self.status.to_owned()),
            ("ResponseCode", self.code.to_string()),
            ("Output", self.output.clone()),
            ("OutputPayload", self.payload()),
        ]
        .map(|(name, value)| (name.to_owned(), vec![value]))
    }

    /// AWS's words for a command that did not succeed, as recorded.
    fn failure(&self) -> String {
        let Self {
            command,
            status,
            code,
            output,
        } = self;
        let payload = self.payload();
        format!(
            "Step fails when it is verifying the command has completed. Command {command} returns unexpected invocation result: \n{{Status=[{status}], ResponseCode=[{code}], Output=[{output}], OutputPayload=[{payload}], CommandId=[{command}]}}. {SEE_GUIDE}"
        )
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
    Ok(CommandOrder {
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
            cloudwatch: given("CloudWatchOutputConfig").map(as_the_api_has_it),
        },
    })
}

/// `CloudWatchOutputConfig` as SendCommand takes it. Runbooks write its boolean as a text, as they do everywhere.
fn as_the_api_has_it(mut config: Value) -> Value {
    if let Some(enabled) = config.get_mut("CloudWatchOutputEnabled") {
        *enabled = match plain(enabled).to_ascii_lowercase().as_str() {
            "true" => true.into(),
            "false" => false.into(),
            _ => enabled.take(),
        };
    }
    config
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

/// What SendCommand's model says against an order that comes from a runbook's step; `None`: nothing.
fn refused_send(order: &CommandOrder) -> Option<ApiError> {
    let options = &order.options;
    let input = without_nulls(json!({
        "DocumentName": order.document,
        "DocumentVersion": options.document_version,
        "Parameters": order.parameters,
        "InstanceIds": order.instance_ids,
        "Targets": order.targets,
        "MaxConcurrency": order.max_concurrency,
        "MaxErrors": order.max_errors,
        "TimeoutSeconds": order.timeout_seconds,
        "Comment": order.comment,
        "OutputS3BucketName": options.output_bucket,
        "OutputS3KeyPrefix": options.output_prefix,
        "ServiceRoleArn": options.service_role,
        "NotificationConfig": options.notification,
        "CloudWatchOutputConfig": options.cloudwatch,
    }));
    let violations = ServiceModel::of(Service::Ssm).check("SendCommand", &input);
    (!violations.is_empty()).then(|| ApiError::invalid(Service::Ssm, &violations))
}
