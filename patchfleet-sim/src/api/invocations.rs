//! ListCommandInvocations and GetCommandInvocation: what became of a command on each node.

use super::{
    ApiError, Caller, Operation, Service,
    check::{given, page_size},
    commands::{
        CommandFilter, check_filters, cloudwatch, command_here, find, matches, notification, output_region,
        version,
    },
    executions::bad_token,
    input,
    page::{Grows, listing_here, page},
    time::{WireTime, iso, iso_span},
};
use crate::world::{Command, Invocation, Node, Plugin, World, after};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

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
    pub(crate) document_name: &'static str,
    pub(crate) document_version: String,
    pub(crate) requested_date_time: WireTime,
    pub(crate) status: &'static str,
    pub(crate) status_details: &'static str,
    pub(crate) standard_output_url: String,
    pub(crate) standard_error_url: String,
    pub(crate) command_plugins: Vec<Value>,
    pub(crate) service_role: String,
    pub(crate) notification_config: Value,
    pub(crate) cloud_watch_output_config: Value,
}

fn shape(world: &World, command: &Command, one: &Invocation, details: bool) -> InvocationShape {
    let (status, status_details) = one.state().status();
    // Documented: only where the document has one step.
    let url = |stream| match command.document.plugins() {
        [only] => command.output_url(one, only, stream),
        _ => String::new(),
    };
    InvocationShape {
        command_id: command.id.clone(),
        instance_id: one.node.to_string(),
        instance_name: world.node(&one.node).map(Node::computer_name).unwrap_or_default(),
        comment: command.order.comment.clone(),
        document_name: command.document.name(),
        document_version: version(command),
        requested_date_time: requested(world, command, one).into(),
        status,
        status_details,
        standard_output_url: url("stdout"),
        standard_error_url: url("stderr"),
        command_plugins: if details {
            plugins(world, command, one)
        } else {
            vec![]
        },
        service_role: command.order.options.service_role.clone().unwrap_or_default(),
        notification_config: notification(command),
        cloud_watch_output_config: cloudwatch(command),
    }
}

/// AWS asks each node for itself, about a tenth of a second after the command came in (recorded: 0.07 to
/// 0.11 seconds). That holds also for a node whose turn comes later.
fn requested(world: &World, command: &Command, one: &Invocation) -> Timestamp {
    let millis = world
        .seed()
        .between(70, 110, &["requested", &command.id, one.node.as_str()]);
    after(command.requested, SignedDuration::from_millis(millis))
}

fn plugins(world: &World, command: &Command, one: &Invocation) -> Vec<Value> {
    let options = &command.order.options;
    let plugin = |plugin: Plugin| {
        // Where its output went is said of a step that has run.
        let of_output = |text: Option<&str>| match plugin.started {
            Some(_) => text.unwrap_or_default().to_owned(),
            None => String::new(),
        };
        json!({
            "Name": plugin.name,
            "Status": plugin.status,
            "StatusDetails": plugin.details,
            "ResponseCode": plugin.response_code,
            "ResponseStartDateTime": plugin.started.map(WireTime),
            "ResponseFinishDateTime": plugin.ended.map(WireTime),
            "Output": plugin.output(),
            "StandardOutputUrl": command.output_url(one, plugin.name, "stdout"),
            "StandardErrorUrl": command.output_url(one, plugin.name, "stderr"),
            "OutputS3Region": of_output(Some(&output_region(command))),
            "OutputS3BucketName": of_output(options.output_bucket.as_deref()),
            "OutputS3KeyPrefix": of_output(options.output_prefix.as_deref()),
        })
    };
    world.plugins(command, one).into_iter().map(plugin).collect()
}

impl Operation for ListCommandInvocations {
    type Output = Invocations;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "ListCommandInvocations";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Invocations, ApiError> {
        let filters = given(self.filters);
        check_filters(
            &filters,
            &["InvokedAfter", "InvokedBefore", "Status", "DocumentName"],
        )?;
        let details = self.details.unwrap_or(false);
        let (command, instance) = (self.command_id.as_deref(), self.instance_id.as_deref());
        let mut found = vec![];
        let mut commands = find(world, caller, command, instance)?;
        commands.retain(|command| world.lists_invocations(command));
        for command in commands {
            // The newest first, of commands and of their invocations.
            for one in command.invocations().iter().rev() {
                let wanted = instance.is_none_or(|id| id == one.node.as_str());
                if wanted
                    && filters
                        .iter()
                        .all(|filter| matches(filter, command, one.state().status()))
                {
                    found.push((command, one));
                }
            }
        }
        let listing = listing_here(
            "invocations",
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
        Ok(Invocations {
            command_invocations: found
                .into_iter()
                .map(|(command, one)| shape(world, command, one, details))
                .collect(),
            next_token,
        })
    }
}

input! {
    /// GetCommandInvocation's input.
    GetCommandInvocation {
        command_id: String,
        instance_id: String,
        plugin_name: String,
    }
}

/// GetCommandInvocation's output. Times are text here, unlike everywhere else.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GotInvocation {
    command_id: String,
    instance_id: String,
    comment: String,
    document_name: &'static str,
    document_version: String,
    plugin_name: Option<&'static str>,
    response_code: i32,
    execution_start_date_time: String,
    execution_elapsed_time: String,
    execution_end_date_time: String,
    status: &'static str,
    status_details: &'static str,
    pub(crate) standard_output_content: String,
    standard_output_url: String,
    standard_error_content: String,
    standard_error_url: String,
    cloud_watch_output_config: Value,
}

/// Also of a command or a node that nothing here has: its words cover them.
fn does_not_exist() -> ApiError {
    ApiError::client(
        "InvocationDoesNotExist",
        "The command ID and managed node ID you specified didn't match any invocations.",
    )
}

impl GetCommandInvocation {
    /// The step that is asked for. `None`: the document has several and none was named, so that the
    /// answer is about the invocation as a whole and has no output.
    fn plugin(&self, world: &World, command: &Command, one: &Invocation) -> Result<Option<Plugin>, ApiError> {
        let mut plugins = world.plugins(command, one);
        match self.plugin_name.as_deref() {
            None if plugins.len() > 1 => Ok(None),
            None => Ok(plugins.pop()),
            Some(name) => plugins
                .into_iter()
                .find(|plugin| plugin.name == name)
                .map(Some)
                .ok_or_else(|| {
                    ApiError::client(
                        "InvalidPluginName",
                        format!("The plugin name {name} isn't valid."),
                    )
                }),
        }
    }
}

impl Operation for GetCommandInvocation {
    type Output = GotInvocation;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "GetCommandInvocation";

    fn run(self, world: &mut World, caller: &Caller) -> Result<GotInvocation, ApiError> {
        let id = self.command_id.as_deref().unwrap_or_default();
        let node = self.instance_id.as_deref().unwrap_or_default();
        let (command, one) = command_here(world, caller, id)
            .ok()
            .filter(|command| world.shows_command(command))
            .and_then(|command| {
                let mut all = command.invocations().iter();
                Some((command, all.find(|one| one.node.as_str() == node)?))
            })
            .ok_or_else(does_not_exist)?;
        let plugin = self.plugin(world, command, one)?;
        let (status, status_details) = match &plugin {
            Some(plugin) if one.state().is_terminal() => (plugin.status, plugin.details),
            // Before its end, the invocation has states for which a plugin has no name.
            _ => one.state().status(),
        };
        let (started, ended) = match &plugin {
            Some(plugin) => (plugin.started, plugin.ended),
            None if one.is_reported() => (one.started, one.ended),
            None => (None, None),
        };
        let ended = ended.filter(|_| started.is_some());
        let elapsed = started.map(|from| iso_span(ended.unwrap_or(world.now()).duration_since(from)));
        let url = |stream| {
            let of = |plugin: &Plugin| command.output_url(one, plugin.name, stream);
            plugin.as_ref().map(of).unwrap_or_default()
        };
        let start_of = |text: &str, most: usize| text.chars().take(most).collect();
        let (stdout, stderr) = plugin.as_ref().map_or(("", ""), |one| (&one.stdout, &one.stderr));
        Ok(GotInvocation {
            command_id: command.id.clone(),
            instance_id: one.node.to_string(),
            comment: command.order.comment.clone(),
            document_name: command.document.name(),
            document_version: version(command),
            plugin_name: plugin.as_ref().map(|plugin| plugin.name),
            response_code: plugin
                .as_ref()
                .map_or(one.response_code, |plugin| plugin.response_code),
            execution_start_date_time: iso(started),
            execution_elapsed_time: elapsed.unwrap_or_default(),
            execution_end_date_time: iso(ended),
            status,
            status_details,
            standard_output_content: start_of(stdout, 24_000),
            standard_output_url: url("stdout"),
            standard_error_content: start_of(stderr, 8_000),
            standard_error_url: url("stderr"),
            cloud_watch_output_config: cloudwatch(command),
        })
    }
}
