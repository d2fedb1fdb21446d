//! SendCommand and CancelCommand.

use super::{
    ApiError, Caller, Operation, Service,
    check::given,
    commands::{CommandShape, command_here, invalid_instance, node_here, shape, unknown_command},
    input,
};
use crate::world::{CommandOptions, CommandOrder, CommandRefusal, Target, World};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

input! {
    /// SendCommand's input.
    SendCommand {
        instance_ids: Vec<String>,
        targets: Vec<Target>,
        document_name: String,
        document_version: String,
        document_hash: String,
        timeout_seconds: i64,
        comment: String,
        parameters: BTreeMap<String, Vec<String>>,
        #[serde(rename = "OutputS3BucketName")]
        output_s3_bucket_name: String,
        #[serde(rename = "OutputS3KeyPrefix")]
        output_s3_key_prefix: String,
        max_concurrency: String,
        max_errors: String,
        service_role_arn: String,
        notification_config: Value,
        cloud_watch_output_config: Value,
        alarm_configuration: Value,
    }
}

/// SendCommand's output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Sent {
    pub(crate) command: CommandShape,
}

impl From<CommandRefusal> for ApiError {
    fn from(refusal: CommandRefusal) -> Self {
        Self::client(refusal.code, refusal.message)
    }
}

impl SendCommand {
    /// What this simulator does not do, or AWS does not take.
    fn refused(&self) -> Option<&'static str> {
        if self.document_hash.is_some() {
            Some("DocumentHash is not simulated.")
        } else if self.alarm_configuration.is_some() {
            Some("AlarmConfiguration is not simulated.")
        } else {
            None
        }
    }
}

impl Operation for SendCommand {
    type Output = Sent;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "SendCommand";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Sent, ApiError> {
        if let Some(message) = self.refused() {
            return Err(ApiError::client("ValidationException", message));
        }
        let order = CommandOrder {
            location: caller.location(),
            document: given(self.document_name),
            parameters: given(self.parameters),
            instance_ids: given(self.instance_ids),
            targets: given(self.targets),
            max_concurrency: self.max_concurrency.unwrap_or_else(|| "50".to_owned()),
            max_errors: self.max_errors.unwrap_or_else(|| "0".to_owned()),
            timeout_seconds: self.timeout_seconds.unwrap_or(3600),
            comment: given(self.comment),
            sender: caller.role().map(str::to_owned),
            step: None,
            options: CommandOptions {
                document_version: self.document_version,
                output_bucket: self.output_s3_bucket_name,
                output_prefix: self.output_s3_key_prefix,
                service_role: self.service_role_arn,
                notification: self.notification_config,
                cloudwatch: self.cloud_watch_output_config,
            },
        };
        let id = world.send_command(order)?;
        let command = world
            .command_index()
            .get(&id)
            .ok_or_else(|| unknown_command(&id))?;
        Ok(Sent {
            command: shape(world, command),
        })
    }
}

input! {
    /// CancelCommand's input.
    CancelCommand {
        command_id: String,
        instance_ids: Vec<String>,
    }
}

impl Operation for CancelCommand {
    type Output = Value;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "CancelCommand";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        let (id, instances) = (given(self.command_id), given(self.instance_ids));
        let command = command_here(world, caller, &id)?;
        let mut seen = BTreeSet::new();
        for instance in &instances {
            if !seen.insert(instance) {
                return Err(ApiError::client(
                    "DuplicateInstanceId",
                    format!("{instance} is named more than once."),
                ));
            }
            let node = node_here(world, caller, instance)?;
            if command.knows_its_nodes() && command.invocation(&node.id).is_none() {
                return Err(invalid_instance(instance));
            }
        }
        world.cancel_command(&id, &instances);
        Ok(json!({}))
    }
}
