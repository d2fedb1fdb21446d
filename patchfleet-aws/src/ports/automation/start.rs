//! The request of StartAutomationExecution, exactly as the plan has it.

use aws_sdk_ssm::operation::start_automation_execution::builders::StartAutomationExecutionFluentBuilder;
use aws_sdk_ssm::types as ssm;
use aws_smithy_types::error::operation::BuildError;
use patchfleet_core::id::{ClientToken, Location};
use patchfleet_core::port::{PortError, Sent, StartRequest};
use std::collections::BTreeSet;

/// Fills in the request and its client token, and nothing else.
///
/// The patterns have no `..`, so a field that `StartRequest` gains cannot be forgotten here.
pub(super) fn fill(
    call: StartAutomationExecutionFluentBuilder,
    request: &StartRequest,
    client_token: ClientToken,
) -> Result<StartAutomationExecutionFluentBuilder, BuildError> {
    let StartRequest {
        document_name,
        document_version,
        parameters,
        target_locations: [target],
        tags,
        alarm,
        // What patchfleet sends itself never comes here.
        command: _,
    } = request;
    let patchfleet_core::port::TargetLocation {
        accounts,
        regions,
        target_location_max_concurrency,
        target_location_max_errors,
        execution_role_name,
    } = target;
    let target = ssm::TargetLocation::builder()
        .set_accounts(Some(accounts.iter().map(ToString::to_string).collect()))
        .set_regions(Some(regions.iter().map(ToString::to_string).collect()))
        .target_location_max_concurrency(target_location_max_concurrency.to_string())
        .target_location_max_errors(target_location_max_errors.to_string())
        .execution_role_name(execution_role_name.as_str())
        .build();
    let tags = tags
        .iter()
        .map(|tag| ssm::Tag::builder().key(&tag.key).value(&tag.value).build())
        .collect::<Result<Vec<_>, _>>()?;
    let alarm = alarm
        .as_ref()
        .map(|name| {
            let named = ssm::Alarm::builder().name(name.as_str()).build()?;
            let of_one = ssm::AlarmConfiguration::builder().alarms(named);
            // An alarm that AWS cannot read is a reason to stop.
            of_one.ignore_poll_alarm_failure(false).build()
        })
        .transpose()?;
    let parameters = parameters
        .iter()
        .map(|(name, values)| (name.clone(), values.clone()))
        .collect();
    Ok(call
        .document_name(document_name.as_str())
        .set_document_version(document_version.map(|version| version.to_string()))
        .set_parameters(Some(parameters))
        .target_locations(target)
        .set_tags((!tags.is_empty()).then_some(tags))
        .set_alarm_configuration(alarm)
        .client_token(client_token.to_string()))
}

/// The pairs of account and Region that an execution was started for. `None` if it has no target locations, or one that
/// is not an account in a Region. AWS does not document how it reports them.
pub(super) fn locations(targets: &[ssm::TargetLocation]) -> Option<BTreeSet<Location>> {
    let mut locations = BTreeSet::new();
    for target in targets {
        for account in target.accounts() {
            for region in target.regions() {
                locations.insert(Location::new(account.parse().ok()?, region.parse().ok()?));
            }
        }
    }
    (!locations.is_empty()).then_some(locations)
}

/// Names the role where AWS says that it cannot be assumed. AWS names neither the role nor the parameter.
pub(super) fn naming_the_role(error: PortError, request: &StartRequest) -> PortError {
    let role = request
        .parameters
        .get("AutomationAssumeRole")
        .and_then(|values| values.first());
    match role {
        Some(role)
            if error.sent() == Sent::No && error.reason().contains("assume role is unable to be assumed") =>
        {
            let hint = format!(
                "AutomationAssumeRole is {role}: see that this role is there and trusts ssm.amazonaws.com"
            );
            PortError::new(error.kind(), hint.clone())
                .with_words(format!("{} {hint}", error.reason()))
                .with_source(error)
        }
        _ => error,
    }
}
