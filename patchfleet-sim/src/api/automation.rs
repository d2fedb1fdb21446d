//! StartAutomationExecution and StopAutomationExecution.

use super::{
    ApiError, Caller, Operation, Service,
    check::{self, Checks, given},
    input,
};
use crate::{
    spec::AccountStateSpec,
    world::{LocationTargets, StartOrder, StartRefusal, Target, World},
};
use patchfleet_core::id::{AccountId, Location, Region, TargetAccount};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The role that Automation assumes if nobody names one.
const EXECUTION_ROLE: &str = "AWS-SystemsManager-AutomationExecutionRole";

input! {
    /// StartAutomationExecution's input.
    StartAutomationExecution {
        document_name: String,
        document_version: String,
        parameters: BTreeMap<String, Vec<String>>,
        client_token: String,
        mode: String,
        target_parameter_name: String,
        targets: Vec<Target>,
        target_maps: Vec<Value>,
        max_concurrency: String,
        max_errors: String,
        target_locations: Vec<TargetLocation>,
        #[serde(rename = "TargetLocationsURL")]
        target_locations_url: String,
        tags: Vec<Tag>,
        alarm_configuration: Value,
    }
}

input! {
    /// One rectangle of accounts and Regions.
    TargetLocation {
        accounts: Vec<String>,
        regions: Vec<String>,
        target_location_max_concurrency: String,
        target_location_max_errors: String,
        execution_role_name: String,
        include_child_organization_units: bool,
        exclude_accounts: Vec<String>,
        targets: Vec<Target>,
        targets_max_concurrency: String,
        targets_max_errors: String,
        target_location_alarm_configuration: Value,
    }
}

/// A tag.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) value: String,
}

/// StartAutomationExecution's output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Started {
    pub(crate) automation_execution_id: String,
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidAutomationExecutionParametersException", message)
}

impl StartAutomationExecution {
    fn check(&self) -> Result<(), ApiError> {
        let mut checks = Checks::default();
        checks.required("documentName", &self.document_name);
        checks.that(
            "documentName",
            self.document_name.as_deref(),
            check::is_document_arn,
            "^[a-zA-Z0-9_\\-.:/]{3,128}$",
        );
        checks.that(
            "documentVersion",
            self.document_version.as_deref(),
            check::is_version,
            "([$]LATEST|[$]DEFAULT|^[1-9][0-9]*$)",
        );
        checks.that(
            "clientToken",
            self.client_token.as_deref(),
            check::is_token,
            "[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}",
        );
        checks.one_of("mode", self.mode.as_deref(), &["Auto", "Interactive"]);
        checks.length("parameters", self.parameters.as_ref().map(BTreeMap::len), 1..=200);
        for (name, values) in self.parameters.iter().flatten() {
            checks.text("parameters.key", Some(name), 1..=50);
            checks.length("parameters.value", Some(values.len()), 0..=50);
            for value in values {
                checks.text("parameters.value.member", Some(value), 1..=512);
            }
        }
        checks.that(
            "maxConcurrency",
            self.max_concurrency.as_deref(),
            crate::world::is_concurrency,
            "^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$",
        );
        checks.that(
            "maxErrors",
            self.max_errors.as_deref(),
            crate::world::is_errors,
            "^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$",
        );
        checks.length(
            "targetLocations",
            self.target_locations.as_ref().map(Vec::len),
            1..=100,
        );
        for (index, entry) in self.target_locations.iter().flatten().enumerate() {
            entry.check(&mut checks, &format!("targetLocations.{}.member", index + 1));
        }
        checks.length("tags", self.tags.as_ref().map(Vec::len), 0..=5);
        for tag in self.tags.iter().flatten() {
            checks.text("tags.member.key", Some(&tag.key), 1..=128);
            checks.text("tags.member.value", Some(&tag.value), 1..=256);
        }
        checks.done()
    }

    /// What the simulator cannot do is refused, never ignored.
    fn check_modelled(&self) -> Result<(), ApiError> {
        let several = self.targets.as_ref().is_some_and(|targets| !targets.is_empty())
            || self.target_maps.as_ref().is_some_and(|maps| !maps.is_empty())
            || self.target_parameter_name.is_some()
            || self
                .target_locations
                .iter()
                .flatten()
                .any(|entry| entry.targets.as_ref().is_some_and(|t| !t.is_empty()));
        if several {
            return Err(invalid(
                "Rate-control automations (Targets, TargetMaps, TargetParameterName) are not simulated.",
            ));
        }
        if self.target_locations_url.is_some() {
            return Err(invalid("TargetLocationsURL is not simulated."));
        }
        let alarmed = self.alarm_configuration.is_some()
            || self
                .target_locations
                .iter()
                .flatten()
                .any(|entry| entry.target_location_alarm_configuration.is_some());
        if alarmed {
            return Err(invalid("Alarms are not simulated."));
        }
        Ok(())
    }
}

impl TargetLocation {
    fn check(&self, checks: &mut Checks, at: &str) {
        let member = |name: &str| format!("{at}.{name}");
        checks.length(&member("accounts"), self.accounts.as_ref().map(Vec::len), 1..=50);
        checks.length(&member("regions"), self.regions.as_ref().map(Vec::len), 1..=50);
        checks.that(
            &member("targetLocationMaxConcurrency"),
            self.target_location_max_concurrency.as_deref(),
            crate::world::is_concurrency,
            "^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$",
        );
        checks.that(
            &member("targetLocationMaxErrors"),
            self.target_location_max_errors.as_deref(),
            crate::world::is_errors,
            "^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$",
        );
        checks.text(
            &member("executionRoleName"),
            self.execution_role_name.as_deref(),
            1..=64,
        );
        checks.that(
            &member("executionRoleName"),
            self.execution_role_name.as_deref(),
            check::is_role_name,
            "[\\w+=,.@/-]+",
        );
        checks.length(
            &member("excludeAccounts"),
            self.exclude_accounts.as_ref().map(Vec::len),
            1..=5000,
        );
        for excluded in self.exclude_accounts.iter().flatten() {
            checks.that(
                &member("excludeAccounts.member"),
                Some(excluded),
                check::is_account_or_unit,
                "^(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32})|(\\d{12})$",
            );
        }
    }

    /// Every location that it means. Of units and the root, only active accounts count.
    fn expand(&self, world: &World, caller: &Caller) -> Result<Vec<Location>, ApiError> {
        let deep = self.include_child_organization_units.unwrap_or(false);
        let (mut accounts, mut excluded) = (BTreeSet::new(), BTreeSet::new());
        for text in self.accounts.iter().flatten() {
            let target: TargetAccount = text
                .parse()
                .map_err(|_| invalid(format!("{text} is not an account, organizational unit or root.")))?;
            accounts.extend(members(world, caller, &target, deep)?);
        }
        for text in self.exclude_accounts.iter().flatten() {
            if let Ok(target) = text.parse() {
                excluded.extend(members(world, caller, &target, true)?);
            }
        }
        let mut locations = vec![];
        for account in accounts.difference(&excluded) {
            for region in self.regions.iter().flatten() {
                let region: Region = region
                    .parse()
                    .ok()
                    .filter(|region| world.org.regions.contains(region))
                    .ok_or_else(|| invalid(format!("The Region {region} is not valid.")))?;
                locations.push(Location::new(account.clone(), region));
            }
        }
        Ok(locations)
    }
}

fn members(
    world: &World,
    caller: &Caller,
    target: &TargetAccount,
    deep: bool,
) -> Result<Vec<AccountId>, ApiError> {
    match target {
        TargetAccount::Account(id) => Ok(vec![id.clone()]),
        TargetAccount::Parent(parent) => {
            if caller.account != world.org.management || !world.org.has_parent(parent) {
                return Err(invalid(format!(
                    "The organizational unit {parent} cannot be resolved from account {}.",
                    caller.account
                )));
            }
            let accounts = world.org.accounts_below(parent, deep);
            Ok(accounts
                .into_iter()
                .filter(|one| one.state == AccountStateSpec::Active)
                .map(|one| one.id.clone())
                .collect())
        }
    }
}

impl Operation for StartAutomationExecution {
    type Output = Started;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "StartAutomationExecution";

    fn run(mut self, world: &mut World, caller: &Caller) -> Result<Started, ApiError> {
        self.check()?;
        self.check_modelled()?;
        let location = Location::new(caller.account.clone(), caller.region.clone());
        let token = self.client_token.take().map(|token| token.to_ascii_lowercase());
        let content = super::without_nulls(json!(self)).to_string();
        let key = token.clone().map(|token| (location.clone(), token));
        if let Some((before, id)) = key.as_ref().and_then(|key| world.tokens.get(key)) {
            if *before != content {
                return Err(ApiError::client(
                    "IdempotentParameterMismatch",
                    "An idempotency token was used before with other parameters.",
                ));
            }
            return Ok(Started {
                automation_execution_id: id.clone(),
            });
        }
        let mut targets = vec![];
        for entry in self.target_locations.iter().flatten() {
            targets.push(LocationTargets {
                locations: entry.expand(world, caller)?,
                role: entry
                    .execution_role_name
                    .clone()
                    .unwrap_or_else(|| EXECUTION_ROLE.to_owned()),
                max_concurrency: entry
                    .target_location_max_concurrency
                    .clone()
                    .unwrap_or_else(|| "1".to_owned()),
                max_errors: entry
                    .target_location_max_errors
                    .clone()
                    .unwrap_or_else(|| "0".to_owned()),
                given: super::without_nulls(json!(entry)),
            });
        }
        if !targets.is_empty() && targets.iter().all(|entry| entry.locations.is_empty()) {
            return Err(invalid("The target locations name no account and Region."));
        }
        let order = StartOrder {
            location,
            executed_by: caller.arn(),
            document: document_name(&given(self.document_name)),
            version: self.document_version,
            parameters: given(self.parameters),
            targets,
            tags: given(self.tags)
                .into_iter()
                .map(|tag| (tag.key, tag.value))
                .collect(),
            token,
            mode: self.mode.unwrap_or_else(|| "Auto".to_owned()),
        };
        let name = order.document.clone();
        let id = world.start_execution(order).map_err(|refusal| match refusal {
            StartRefusal::NoDocument => ApiError::client(
                "AutomationDefinitionNotFoundException",
                format!("Automation Definition {name} could not be found."),
            ),
            StartRefusal::NoVersion => ApiError::client(
                "AutomationDefinitionVersionNotFoundException",
                format!("Automation Definition {name} has no such version."),
            ),
            StartRefusal::Parameters(message) => invalid(message),
        })?;
        if let Some(key) = key {
            world.tokens.insert(key, (content, id.clone()));
        }
        Ok(Started {
            automation_execution_id: id,
        })
    }
}

/// The name in a document's name or ARN.
pub(super) fn document_name(text: &str) -> String {
    text.rsplit_once('/').map_or(text, |(_, name)| name).to_owned()
}

input! {
    /// StopAutomationExecution's input.
    StopAutomationExecution {
        automation_execution_id: String,
        r#type: String,
    }
}

impl Operation for StopAutomationExecution {
    type Output = Value;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "StopAutomationExecution";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        let mut checks = Checks::default();
        checks.required("automationExecutionId", &self.automation_execution_id);
        checks.text(
            "automationExecutionId",
            self.automation_execution_id.as_deref(),
            36..=36,
        );
        checks.one_of("type", self.r#type.as_deref(), &["Cancel", "Complete"]);
        checks.done()?;
        let id = super::executions::find(world, caller, &given(self.automation_execution_id))?
            .id
            .clone();
        let stopped = if self.r#type.as_deref() == Some("Complete") {
            world.complete_execution(&id)
        } else {
            world.cancel_execution(&id)
        };
        if stopped {
            return Ok(json!({}));
        }
        Err(ApiError::client(
            "InvalidAutomationStatusUpdateException",
            format!("Automation execution {id} is in a terminal status and cannot be stopped."),
        ))
    }
}
