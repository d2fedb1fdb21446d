//! Reading what a command did on one node.

use crate::call::reading::timestamp;
use aws_sdk_ssm::types as ssm;
use patchfleet_core::id::ParseIdError;
use patchfleet_core::port::{InvocationStatus, InvocationView, PluginView};

/// What AWS writes where a step has no exit code.
const NO_RESPONSE_CODE: i32 = -1;

pub(super) fn read(invocation: &ssm::CommandInvocation) -> Result<InvocationView, ParseIdError> {
    let status = invocation.status().map_or("", |status| status.as_str());
    Ok(InvocationView {
        node: invocation.instance_id().unwrap_or_default().parse()?,
        status: read_status(status, invocation.status_details()),
        requested_at: invocation.requested_date_time().and_then(timestamp),
        plugins: invocation.command_plugins().iter().map(read_plugin).collect(),
    })
}

fn read_plugin(plugin: &ssm::CommandPlugin) -> PluginView {
    let status = plugin.status().map_or("", |status| status.as_str());
    let started_at = plugin.response_start_date_time().and_then(timestamp);
    PluginView {
        name: plugin.name().unwrap_or_default().to_owned(),
        status: read_status(status, plugin.status_details()),
        // A step that ran may end with -1 as well (AWS-RunPatchBaseline's set-up on Windows).
        response_code: Some(plugin.response_code())
            .filter(|code| *code != NO_RESPONSE_CODE || started_at.is_some()),
        started_at,
        output: plugin.output().unwrap_or_default().to_owned(),
    }
}

/// The details say more than the status, where there are any.
fn read_status(status: &str, details: Option<&str>) -> InvocationStatus {
    let details = details.filter(|details| !details.is_empty());
    InvocationStatus::from_details(details.unwrap_or(status))
}
