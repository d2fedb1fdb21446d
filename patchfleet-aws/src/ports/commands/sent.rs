//! The request of SendCommand, exactly as the campaign has it, and how what was sent is listed.

use crate::call::{Unreadable, timestamp};
use aws_sdk_ssm::operation::send_command::builders::SendCommandFluentBuilder;
use aws_sdk_ssm::types as ssm;
use aws_smithy_types::error::operation::BuildError;
use jiff::Timestamp;
use patchfleet_core::id::{BucketName, DocumentName, S3KeyPrefix};
use patchfleet_core::port::{CommandSettings, ListedCommand, SendRequest};

/// Fills in the request, and nothing else.
///
/// The patterns have no `..`, so a field that `SendRequest` gains cannot be forgotten here.
pub(super) fn fill(call: SendCommandFluentBuilder, request: &SendRequest) -> SendCommandFluentBuilder {
    let SendRequest {
        document_name,
        parameters,
        settings,
    } = request;
    let CommandSettings {
        instance_ids,
        timeout_seconds,
        rates,
        comment,
        output_s3_bucket,
        output_s3_prefix,
        cloudwatch_log_group,
    } = settings;
    let parameters = parameters
        .iter()
        .map(|(name, values)| (name.clone(), values.clone()))
        .collect();
    let logs = cloudwatch_log_group.as_ref().map(|group| {
        ssm::CloudWatchOutputConfig::builder()
            .cloud_watch_log_group_name(group.as_str())
            .cloud_watch_output_enabled(true)
            .build()
    });
    call.document_name(document_name.as_str())
        .set_parameters(Some(parameters))
        .set_instance_ids(Some(instance_ids.iter().map(ToString::to_string).collect()))
        .timeout_seconds(i32::try_from(timeout_seconds.get()).unwrap_or(i32::MAX))
        .max_concurrency(rates.max_concurrency.to_string())
        .max_errors(rates.max_errors.to_string())
        .comment(comment)
        .set_output_s3_bucket_name(output_s3_bucket.as_ref().map(BucketName::to_string))
        .set_output_s3_key_prefix(output_s3_prefix.as_ref().map(S3KeyPrefix::to_string))
        .set_cloud_watch_output_config(logs)
}

/// The commands of a document that were sent at this time or later. AWS takes a time to the second, in UTC
/// (`2021-07-07T00:00:00Z`, SSM API reference, `CommandFilter`).
pub(super) fn filters(
    document: &DocumentName,
    after: Timestamp,
) -> Result<Vec<ssm::CommandFilter>, BuildError> {
    let filter = |key: ssm::CommandFilterKey, value: String| {
        ssm::CommandFilter::builder().key(key).value(value).build()
    };
    // The second before finds no less.
    let after = Timestamp::from_second(after.as_second()).unwrap_or(after);
    Ok(vec![
        filter(ssm::CommandFilterKey::DocumentName, document.to_string())?,
        filter(ssm::CommandFilterKey::InvokedAfter, after.to_string())?,
    ])
}

pub(super) fn read(command: &ssm::Command) -> Result<ListedCommand, Unreadable> {
    let id = command.command_id().unwrap_or_default();
    let requested_at = command.requested_date_time().and_then(timestamp);
    Ok(ListedCommand {
        id: id.parse()?,
        comment: command.comment().unwrap_or_default().to_owned(),
        // Where one is no id that is known, none of them tells which nodes they are.
        nodes: command
            .instance_ids()
            .iter()
            .map(|id| id.parse())
            .collect::<Result<_, _>>()
            .unwrap_or_default(),
        requested_at: requested_at.ok_or("the command has no RequestedDateTime")?,
    })
}
