//! ListCommands, ListCommandInvocations, CancelCommand.

use super::{
    ApiError, Caller, Operation, Service,
    check::{self, Checks, given, page_size},
    executions::{bad_token, is_here},
    input,
    page::{Grows, page},
    time::WireTime,
};
use crate::world::{Command, Invocation, Status, Target, World, is_error};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

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

input! {
    /// ListCommandInvocations' input.
    ListCommandInvocations {
        command_id: String,
        instance_id: String,
        max_results: i64,
        next_token: String,
        filters: Vec<CommandFilter>,
        details: bool,
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
    pub(crate) document_name: String,
    pub(crate) document_version: &'static str,
    pub(crate) comment: String,
    pub(crate) expires_after: WireTime,
    pub(crate) parameters: BTreeMap<String, Vec<String>>,
    pub(crate) instance_ids: Vec<String>,
    pub(crate) targets: Vec<Target>,
    pub(crate) requested_date_time: WireTime,
    pub(crate) status: &'static str,
    pub(crate) status_details: &'static str,
    pub(crate) max_concurrency: String,
    pub(crate) max_errors: String,
    pub(crate) target_count: usize,
    pub(crate) completed_count: usize,
    pub(crate) error_count: usize,
    pub(crate) delivery_timed_out_count: usize,
    pub(crate) timeout_seconds: i64,
}

fn shape(one: &Command) -> CommandShape {
    let (status, status_details) = one.status();
    CommandShape {
        command_id: one.id.clone(),
        document_name: one.order.document.clone(),
        document_version: "$DEFAULT",
        comment: one.order.comment.clone(),
        expires_after: World::expiry(one).into(),
        parameters: one.order.parameters.clone(),
        instance_ids: one.order.instance_ids.clone(),
        targets: one.order.targets.clone(),
        requested_date_time: one.requested.into(),
        status: status.as_str(),
        status_details,
        max_concurrency: one.order.max_concurrency.clone(),
        max_errors: one.order.max_errors.clone(),
        target_count: one.invocations().len(),
        completed_count: one.count(|_, _| true),
        error_count: one.count(is_error),
        delivery_timed_out_count: one
            .count(|status, details| status == Status::TimedOut && details == "DeliveryTimedOut"),
        timeout_seconds: one.order.timeout_seconds,
    }
}

fn check_common(
    command: Option<&str>,
    instance: Option<&str>,
    max: Option<i64>,
    filters: Option<&Vec<CommandFilter>>,
) -> Result<(), ApiError> {
    let mut checks = Checks::default();
    checks.text("commandId", command, 36..=36);
    checks.that(
        "instanceId",
        instance,
        check::is_instance_id,
        "(^i-(\\w{8}|\\w{17})$)|(^mi-\\w{17}$)",
    );
    checks.range("maxResults", max, 1..=50);
    checks.length("filters", filters.map(Vec::len), 1..=5);
    checks.done()
}

/// The command's filters; keys that only one of the two listings takes are checked by the caller.
fn check_filters(filters: &[CommandFilter], known: &[&str]) -> Result<(), ApiError> {
    match filters
        .iter()
        .find(|filter| !known.contains(&filter.key.as_str()))
    {
        Some(filter) => Err(ApiError::client(
            "InvalidFilterKey",
            format!("The specified key {} isn't valid.", filter.key),
        )),
        None => Ok(()),
    }
}

fn matches(filter: &CommandFilter, command: &Command, status: &str) -> bool {
    let time = |after: bool| {
        filter.value.parse::<jiff::Timestamp>().is_ok_and(|at| {
            if after {
                command.requested >= at
            } else {
                command.requested < at
            }
        })
    };
    match filter.key.as_str() {
        "InvokedAfter" => time(true),
        "InvokedBefore" => time(false),
        "DocumentName" => command.order.document == filter.value,
        "ExecutionStage" => (filter.value == "Complete") == command.status().0.is_terminal(),
        _ => status == filter.value,
    }
}

/// Every command of the caller's account and Region that is asked for, newest first.
fn find<'a>(
    world: &'a World,
    caller: &Caller,
    id: Option<&str>,
    instance: Option<&str>,
) -> Result<Vec<&'a Command>, ApiError> {
    let invalid = |code, message: String| Err(ApiError::client(code, message));
    let mut found: Vec<&Command> = world
        .commands
        .values()
        .filter(|one| is_here(&one.order.location, caller))
        .collect();
    if let Some(id) = id {
        found.retain(|one| one.id == id);
        if found.is_empty() {
            return invalid(
                "InvalidCommandId",
                format!("The specified command ID {id} isn't valid."),
            );
        }
    }
    if let Some(instance) = instance {
        let here = world
            .nodes()
            .any(|node| node.id.as_str() == instance && is_here(&node.location, caller));
        if !here {
            return invalid(
                "InvalidInstanceId",
                format!("The instance {instance} isn't valid here."),
            );
        }
        found.retain(|one| {
            one.invocations()
                .iter()
                .any(|invocation| invocation.node.as_str() == instance)
        });
    }
    found.sort_by_key(|one| std::cmp::Reverse(one.number));
    Ok(found)
}

impl Operation for ListCommands {
    type Output = Commands;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "ListCommands";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Commands, ApiError> {
        check_common(
            self.command_id.as_deref(),
            self.instance_id.as_deref(),
            self.max_results,
            self.filters.as_ref(),
        )?;
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
            filters
                .iter()
                .all(|filter| matches(filter, one, one.status().0.as_str()))
        });
        let listing = format!(
            "commands/{}/{}/{}",
            caller.account,
            caller.region,
            json!([self.command_id, self.instance_id, filters])
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
            commands: found.into_iter().map(shape).collect(),
            next_token,
        })
    }
}

/// ListCommandInvocations' output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Invocations {
    pub(crate) command_invocations: Vec<InvocationShape>,
    pub(crate) next_token: Option<String>,
}

/// An invocation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InvocationShape {
    pub(crate) command_id: String,
    pub(crate) instance_id: String,
    pub(crate) instance_name: String,
    pub(crate) comment: String,
    pub(crate) document_name: String,
    pub(crate) document_version: &'static str,
    pub(crate) requested_date_time: WireTime,
    pub(crate) status: &'static str,
    pub(crate) status_details: &'static str,
    pub(crate) standard_output_url: &'static str,
    pub(crate) standard_error_url: &'static str,
    pub(crate) command_plugins: Vec<Value>,
    pub(crate) service_role: &'static str,
}

fn invocation_shape(world: &World, command: &Command, one: &Invocation, details: bool) -> InvocationShape {
    let (status, status_details) = one.state().status();
    InvocationShape {
        command_id: command.id.clone(),
        instance_id: one.node.to_string(),
        instance_name: String::new(),
        comment: command.order.comment.clone(),
        document_name: command.order.document.clone(),
        document_version: "$DEFAULT",
        requested_date_time: one.requested.into(),
        status,
        status_details,
        standard_output_url: "",
        standard_error_url: "",
        command_plugins: if details { plugins(world, one) } else { vec![] },
        service_role: "",
    }
}

/// The document's steps: the one of the node's platform, which tells how it went.
fn plugins(world: &World, one: &Invocation) -> Vec<Value> {
    let platform = world.node(&one.node).map_or("Linux", |node| node.platform_type());
    let (status, details) = one.state().status();
    vec![json!({
        "Name": format!("Patch{platform}"),
        // A plugin's statuses have no Cancelling.
        "Status": if status == "Cancelling" { "InProgress" } else { status },
        "StatusDetails": details,
        "ResponseCode": one.response_code,
        "ResponseStartDateTime": one.started.map(WireTime),
        "ResponseFinishDateTime": one.ended.map(WireTime),
        "Output": "",
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
    })]
}

impl Operation for ListCommandInvocations {
    type Output = Invocations;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "ListCommandInvocations";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Invocations, ApiError> {
        check_common(
            self.command_id.as_deref(),
            self.instance_id.as_deref(),
            self.max_results,
            self.filters.as_ref(),
        )?;
        let filters = given(self.filters);
        check_filters(
            &filters,
            &["InvokedAfter", "InvokedBefore", "Status", "DocumentName"],
        )?;
        let details = self.details.unwrap_or(false);
        let mut found = vec![];
        for command in find(
            world,
            caller,
            self.command_id.as_deref(),
            self.instance_id.as_deref(),
        )? {
            for one in command.invocations() {
                let wanted = self
                    .instance_id
                    .as_deref()
                    .is_none_or(|id| id == one.node.as_str());
                if wanted
                    && filters
                        .iter()
                        .all(|filter| matches(filter, command, one.state().status().0))
                {
                    found.push(invocation_shape(world, command, one, details));
                }
            }
        }
        let listing = format!(
            "invocations/{}/{}/{}",
            caller.account,
            caller.region,
            json!([self.command_id, self.instance_id, filters])
        );
        let (command_invocations, next_token) = page(
            world,
            &listing,
            Grows::AtTheFront,
            found,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(bad_token)?;
        Ok(Invocations {
            command_invocations,
            next_token,
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
        let mut checks = Checks::default();
        checks.required("commandId", &self.command_id);
        checks.text("commandId", self.command_id.as_deref(), 36..=36);
        checks.length("instanceIds", self.instance_ids.as_ref().map(Vec::len), 0..=50);
        checks.done()?;
        let id = given(self.command_id);
        find(world, caller, Some(&id), None)?;
        world.cancel_command(&id, &given(self.instance_ids));
        Ok(json!({}))
    }
}
