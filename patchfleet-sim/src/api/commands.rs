//! ListCommands, and what the listings of commands and of invocations share.

use super::{
    ApiError, Caller, Operation, Service,
    check::{given, page_size},
    executions::{bad_token, is_here},
    input,
    page::{Grows, listing_here, page},
    time::WireTime,
};
use crate::world::{Command, Node, Status, Target, World, is_error};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A filter of commands. Its members are in lower case on the wire, unlike all others.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct CommandFilter {
    pub(crate) key: String,
    pub(crate) value: String,
}

input! {
    /// ListCommands' input.
    ListCommands {
        command_id: String,
        instance_id: String,
        max_results: i64,
        next_token: String,
        filters: Vec<CommandFilter>,
    }
}

/// ListCommands' output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Commands {
    pub(crate) commands: Vec<CommandShape>,
    pub(crate) next_token: Option<String>,
}

/// A command.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CommandShape {
    pub(crate) command_id: String,
    pub(crate) document_name: &'static str,
    pub(crate) document_version: String,
    pub(crate) comment: String,
    pub(crate) expires_after: WireTime,
    pub(crate) parameters: BTreeMap<String, Vec<String>>,
    pub(crate) instance_ids: Vec<String>,
    pub(crate) targets: Vec<Target>,
    pub(crate) requested_date_time: WireTime,
    pub(crate) status: &'static str,
    pub(crate) status_details: &'static str,
    #[serde(rename = "OutputS3Region")]
    pub(crate) output_s3_region: String,
    #[serde(rename = "OutputS3BucketName")]
    pub(crate) output_s3_bucket_name: String,
    #[serde(rename = "OutputS3KeyPrefix")]
    pub(crate) output_s3_key_prefix: String,
    pub(crate) max_concurrency: String,
    pub(crate) max_errors: String,
    pub(crate) target_count: usize,
    pub(crate) completed_count: usize,
    pub(crate) error_count: usize,
    pub(crate) delivery_timed_out_count: usize,
    pub(crate) service_role: String,
    pub(crate) notification_config: Value,
    pub(crate) cloud_watch_output_config: Value,
    pub(crate) timeout_seconds: i64,
    /// No alarm: a command with one is refused.
    pub(crate) alarm_configuration: Value,
    pub(crate) triggered_alarms: Vec<Value>,
}

pub(super) fn shape(world: &World, one: &Command) -> CommandShape {
    let (status, status_details) = one.status();
    let options = &one.order.options;
    // A command that has not looked for its targets yet counts the nodes that were named.
    let target_count = match status {
        Status::Pending => one.order.instance_ids.len(),
        _ => one.invocations().len(),
    };
    CommandShape {
        command_id: one.id.clone(),
        document_name: one.document.name(),
        document_version: version(one),
        comment: one.order.comment.clone(),
        expires_after: world.expiry(one).into(),
        parameters: one.order.parameters.clone(),
        instance_ids: sorted(&one.order.instance_ids),
        targets: one.order.targets.clone(),
        requested_date_time: one.requested.into(),
        status: status.as_str(),
        status_details,
        output_s3_region: output_region(one),
        output_s3_bucket_name: options.output_bucket.clone().unwrap_or_default(),
        output_s3_key_prefix: options.output_prefix.clone().unwrap_or_default(),
        max_concurrency: one.order.max_concurrency.clone(),
        max_errors: one.order.max_errors.clone(),
        target_count,
        completed_count: one.count(|_, _| true),
        error_count: one.count(is_error),
        delivery_timed_out_count: one
            .count(|status, details| status == Status::TimedOut && details == "DeliveryTimedOut"),
        service_role: options.service_role.clone().unwrap_or_default(),
        notification_config: notification(one),
        cloud_watch_output_config: cloudwatch(one),
        timeout_seconds: one.order.timeout_seconds,
        alarm_configuration: json!({"IgnorePollAlarmFailure": false, "Alarms": []}),
        triggered_alarms: vec![],
    }
}

/// AWS lists the nodes of a command by id, whatever the order in which they were named.
fn sorted(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids
}

/// The document's version, as it was asked for.
pub(super) fn version(one: &Command) -> String {
    let given = one.order.options.document_version.clone();
    given
        .filter(|version| !version.is_empty())
        .unwrap_or_else(|| "$DEFAULT".to_owned())
}

/// The Region of the output's bucket. Systems Manager finds it out by itself. The simulator shows the
/// command's own Region, as AWS does where there is no bucket.
pub(super) fn output_region(one: &Command) -> String {
    one.order.location.region.to_string()
}

/// `NotificationConfig`: empty where none was given.
pub(super) fn notification(one: &Command) -> Value {
    let none = || json!({"NotificationArn": "", "NotificationEvents": [], "NotificationType": ""});
    one.order.options.notification.clone().unwrap_or_else(none)
}

/// `CloudWatchOutputConfig`: off where none was given.
pub(super) fn cloudwatch(one: &Command) -> Value {
    let none = || json!({"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": false});
    one.order.options.cloudwatch.clone().unwrap_or_else(none)
}

/// Refuses a filter key that the listing does not have, or that stands twice.
pub(super) fn check_filters(filters: &[CommandFilter], known: &[&str]) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    match filters
        .iter()
        .find(|filter| !known.contains(&filter.key.as_str()) || !seen.insert(&filter.key))
    {
        Some(filter) => Err(ApiError::client(
            "InvalidFilterKey",
            format!("The specified key {} isn't valid.", filter.key),
        )),
        None => Ok(()),
    }
}

/// Whether a command, or one of its invocations, passes a filter: `state` is the status and details
/// of what is listed. Either can be asked for, as documented for `CommandFilter`.
pub(super) fn matches(filter: &CommandFilter, command: &Command, state: (&str, &str)) -> bool {
    let (status, details) = state;
    match filter.key.as_str() {
        "InvokedAfter" => moment(&filter.value).is_some_and(|at| command.requested >= at),
        "InvokedBefore" => moment(&filter.value).is_some_and(|at| command.requested < at),
        "DocumentName" => command.document.name() == filter.value,
        "ExecutionStage" => match filter.value.as_str() {
            "Executing" => !command.status().0.is_terminal(),
            "Complete" => command.status().0.is_terminal(),
            _ => false,
        },
        _ => filter.value == status || filter.value == details,
    }
}

/// A time as ISO 8601 has it, or a date.
fn moment(text: &str) -> Option<Timestamp> {
    let day = || {
        let date: jiff::civil::Date = text.parse().ok()?;
        Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    text.parse().ok().or_else(day)
}

pub(super) fn unknown_command(id: &str) -> ApiError {
    ApiError::client("InvalidCommandId", format!("Command id {id} does not exist."))
}

pub(super) fn invalid_instance(id: &str) -> ApiError {
    ApiError::client(
        "InvalidInstanceId",
        format!("The instance {id} isn't valid here."),
    )
}

/// A command of the caller's account and Region, visible or not.
pub(super) fn command_here<'a>(world: &'a World, caller: &Caller, id: &str) -> Result<&'a Command, ApiError> {
    world
        .command_index()
        .get(id)
        .filter(|one| is_here(&one.order.location, caller))
        .ok_or_else(|| unknown_command(id))
}

/// A managed node of the caller's account and Region.
pub(super) fn node_here<'a>(world: &'a World, caller: &Caller, id: &str) -> Result<&'a Node, ApiError> {
    id.parse()
        .ok()
        .and_then(|id| world.node(&id))
        .filter(|node| is_here(&node.location, caller) && node.is_managed())
        .ok_or_else(|| invalid_instance(id))
}

/// The visible commands of the caller's account and Region that match, newest first.
pub(super) fn find<'a>(
    world: &'a World,
    caller: &Caller,
    id: Option<&str>,
    instance: Option<&str>,
) -> Result<Vec<&'a Command>, ApiError> {
    let node = instance.map(|id| node_here(world, caller, id)).transpose()?;
    let mut found: Vec<&Command> = match id {
        // An unknown id finds nothing, as a filter would.
        Some(id) => command_here(world, caller, id).into_iter().collect(),
        None => world.command_index().at(&caller.location()).collect(),
    };
    found
        .retain(|one| world.shows_command(one) && node.is_none_or(|node| one.invocation(&node.id).is_some()));
    found.sort_by(|one, other| other.age().cmp(&one.age()));
    Ok(found)
}

impl Operation for ListCommands {
    type Output = Commands;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "ListCommands";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Commands, ApiError> {
        let filters = given(self.filters);
        check_filters(
            &filters,
            &[
                "InvokedAfter",
                "InvokedBefore",
                "Status",
                "DocumentName",
                "ExecutionStage",
            ],
        )?;
        let mut found = find(
            world,
            caller,
            self.command_id.as_deref(),
            self.instance_id.as_deref(),
        )?;
        found.retain(|one| {
            let (status, details) = one.status();
            filters
                .iter()
                .all(|filter| matches(filter, one, (status.as_str(), details)))
        });
        let listing = listing_here(
            "commands",
            caller,
            json!([self.command_id, self.instance_id, filters]),
        );
        let (found, next_token) = page(
            world,
            &listing,
            Grows::AtTheFront,
            found,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(bad_token)?;
        Ok(Commands {
            commands: found.into_iter().map(|one| shape(world, one)).collect(),
            next_token,
        })
    }
}
