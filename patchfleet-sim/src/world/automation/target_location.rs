//! `TargetLocations`: rectangles of accounts and Regions, and the locations that they mean.
//!
//! StartAutomationExecution takes them, and so does a step of `aws:executeAutomation`.

use crate::spec::AccountStateSpec;
use crate::world::{LocationTargets, RateControl, StartRefusal, World, automation::rate_control::RateInput};
use patchfleet_core::id::{AccountId, Location, Region, TargetAccount};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// The role that Automation assumes if nobody names one.
const EXECUTION_ROLE: &str = "AWS-SystemsManager-AutomationExecutionRole";

/// One rectangle of accounts and Regions, as the API has it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TargetLocation {
    pub(crate) accounts: Option<Vec<String>>,
    pub(crate) regions: Option<Vec<String>>,
    pub(crate) target_location_max_concurrency: Option<String>,
    pub(crate) target_location_max_errors: Option<String>,
    pub(crate) execution_role_name: Option<String>,
    pub(crate) include_child_organization_units: Option<bool>,
    pub(crate) exclude_accounts: Option<Vec<String>>,
    pub(crate) targets: Option<Vec<crate::world::Target>>,
    pub(crate) targets_max_concurrency: Option<String>,
    pub(crate) targets_max_errors: Option<String>,
    pub(crate) target_location_alarm_configuration: Option<Value>,
}

impl World {
    /// What target locations mean when `caller` starts an execution with them. `rate` is what the
    /// start itself says about targets; what a location says comes before it.
    ///
    /// # Errors
    ///
    /// An account, unit or Region that does not exist, or targets that are not right.
    pub(crate) fn expand(
        &self,
        caller: &AccountId,
        given: &[TargetLocation],
        rate: &RateInput,
    ) -> Result<Vec<LocationTargets>, StartRefusal> {
        let entries: Vec<LocationTargets> = given
            .iter()
            .map(|entry| {
                let said = entry.rate(rate);
                Ok(LocationTargets {
                    locations: self.locations(caller, entry).map_err(StartRefusal::Parameters)?,
                    role: or(entry.execution_role_name.as_ref(), EXECUTION_ROLE),
                    max_concurrency: or(entry.target_location_max_concurrency.as_ref(), "1"),
                    max_errors: or(entry.target_location_max_errors.as_ref(), "0"),
                    rate: RateControl::of(&said)?,
                    said,
                    given: shown(entry),
                })
            })
            .collect::<Result<_, StartRefusal>>()?;
        if !entries.is_empty() && entries.iter().all(|entry| entry.locations.is_empty()) {
            return Err(StartRefusal::Parameters(
                "The target locations name no account and Region.".to_owned(),
            ));
        }
        Ok(entries)
    }

    /// Every location of one entry, each once. Of units and the root, only active accounts count.
    fn locations(&self, caller: &AccountId, entry: &TargetLocation) -> Result<Vec<Location>, String> {
        let deep = entry.include_child_organization_units.unwrap_or(false);
        let (mut accounts, mut excluded) = (BTreeSet::new(), BTreeSet::new());
        for text in entry.accounts.iter().flatten() {
            let target: TargetAccount = text
                .parse()
                .map_err(|_| format!("{text} is not an account, organizational unit or root."))?;
            accounts.extend(self.members(caller, &target, deep)?);
        }
        for text in entry.exclude_accounts.iter().flatten() {
            if let Ok(target) = text.parse() {
                excluded.extend(self.members(caller, &target, true)?);
            }
        }
        let mut regions: Vec<Region> = vec![];
        for text in entry.regions.iter().flatten() {
            let region = text
                .parse()
                .ok()
                .filter(|region| self.org.regions.contains(region))
                .ok_or_else(|| format!("The Region {text} is not valid."))?;
            if !regions.contains(&region) {
                regions.push(region);
            }
        }
        let account_by_account = accounts.difference(&excluded).flat_map(|account| {
            let at = |region: &Region| Location::new(account.clone(), region.clone());
            regions.iter().map(at).collect::<Vec<_>>()
        });
        Ok(account_by_account.collect())
    }

    fn members(
        &self,
        caller: &AccountId,
        target: &TargetAccount,
        deep: bool,
    ) -> Result<Vec<AccountId>, String> {
        match target {
            TargetAccount::Account(id) => Ok(vec![id.clone()]),
            TargetAccount::Parent(parent) => {
                let org = &self.org;
                if !org.in_use || !org.may_read(caller) || !org.has_parent(parent) {
                    return Err(format!(
                        "The organizational unit {parent} cannot be resolved from account {caller}."
                    ));
                }
                let accounts = self.org.accounts_below(parent, deep);
                Ok(accounts
                    .into_iter()
                    .filter(|one| one.state == AccountStateSpec::Active)
                    .map(|one| one.id.clone())
                    .collect())
            }
        }
    }
}

impl TargetLocation {
    /// What it says about targets, over what the start says.
    fn rate(&self, over: &RateInput) -> RateInput {
        let own = self.targets.clone().filter(|targets| !targets.is_empty());
        RateInput {
            // Its own targets take the place of the start's maps as well.
            target_maps: over.target_maps.clone().filter(|_| own.is_none()),
            targets: own.or_else(|| over.targets.clone()),
            max_concurrency: self
                .targets_max_concurrency
                .clone()
                .or(over.max_concurrency.clone()),
            max_errors: self.targets_max_errors.clone().or(over.max_errors.clone()),
            target_parameter_name: over.target_parameter_name.clone(),
        }
    }
}

fn or(given: Option<&String>, usual: &str) -> String {
    given.map_or_else(|| usual.to_owned(), Clone::clone)
}

/// The entry as it was given, without what was left out.
fn shown(entry: &TargetLocation) -> Value {
    let mut value = serde_json::to_value(entry).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
    }
    value
}
