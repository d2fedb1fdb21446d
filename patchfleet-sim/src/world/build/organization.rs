//! The organization of a spec, and what contradicts itself in it.

use super::Builder;
use crate::{
    spec::{AccountSpec, RoleSpec, UnitSpec, WorldSpec},
    world::{
        Account, Organization, RegionKind, Unit, after,
        org::regions,
        org::{Below, Role},
    },
};
use jiff::SignedDuration;
use patchfleet_core::id::{AccountId, OrgParent, OuId, Partition, Region};
use std::collections::{BTreeMap, BTreeSet};

/// The roles that Systems Manager's own set-up gives the accounts.
const EXECUTION_ROLE: &str = "AWS-SystemsManager-AutomationExecutionRole";
const ADMINISTRATION_ROLE: &str = "AWS-SystemsManager-AutomationAdministrationRole";

/// Seconds that a role's session may last, unless the role allows more (IAM's default).
const MAX_SESSION: u32 = 3600;

pub(super) fn organization(spec: &WorldSpec) -> Organization {
    let root = OrgParent::Root(spec.organization.root.clone());
    let partition = spec.regions.first().map_or(Partition::Aws, Region::partition);
    let regions = if spec.regions.is_empty() {
        regions::names(partition)
            .filter_map(|name| name.parse().ok())
            .collect()
    } else {
        spec.regions.iter().cloned().collect()
    };
    let unit = |unit: &UnitSpec| Unit {
        name: unit.name.clone(),
        parent: unit.parent.clone().unwrap_or_else(|| root.clone()),
    };
    let account = |account: &AccountSpec| Account {
        id: account.id.clone(),
        name: account.name.clone(),
        parent: account.parent.clone().unwrap_or_else(|| root.clone()),
        state: account.state,
        tags: account.tags.clone(),
        opt_in: account.opt_in_regions.iter().cloned().collect(),
        enabling: account.enabling_regions.iter().cloned().collect(),
        disabling: account.disabling_regions.iter().cloned().collect(),
        roles: roles(spec, account),
        joined: after(spec.start, SignedDuration::from_hours(-24 * 400)),
    };
    let units: BTreeMap<OuId, Unit> = spec.units.iter().map(|one| (one.id.clone(), unit(one))).collect();
    let accounts: BTreeMap<AccountId, Account> = spec
        .accounts
        .iter()
        .map(|one| (one.id.clone(), account(one)))
        .collect();
    let mut below = BTreeMap::<OrgParent, Below>::new();
    for account in accounts.values() {
        let there = below.entry(account.parent.clone()).or_default();
        there.accounts.push(account.id.clone());
    }
    for (id, unit) in &units {
        let there = below.entry(unit.parent.clone()).or_default();
        there.units.push(id.clone());
    }
    Organization {
        below,
        id: spec.organization.id.clone(),
        partition,
        in_use: spec.organization.in_use,
        delegated: spec
            .organization
            .delegated_administrators
            .iter()
            .cloned()
            .collect(),
        account_management: spec.organization.account_management,
        management: spec.management_account.clone(),
        root: spec.organization.root.clone(),
        units,
        accounts,
        regions,
    }
}

/// The execution role everywhere and the administration role in the management account, then what
/// the world says, then what the account says.
fn roles(spec: &WorldSpec, account: &AccountSpec) -> BTreeMap<String, Role> {
    let usual = |name: &str| {
        (
            name.to_owned(),
            Role {
                state: Default::default(),
                external_id: None,
                denied: BTreeSet::new(),
                max_session: MAX_SESSION,
            },
        )
    };
    let mut roles = BTreeMap::from([usual(EXECUTION_ROLE)]);
    if account.id == spec.management_account {
        roles.extend([usual(ADMINISTRATION_ROLE)]);
    }
    let said = spec.roles.iter().chain(&account.roles);
    roles.extend(said.map(
        |RoleSpec {
             name,
             state,
             external_id,
             denied_actions,
             max_session_seconds,
         }| {
            (
                name.clone(),
                Role {
                    state: *state,
                    external_id: external_id.clone(),
                    denied: denied_actions.iter().cloned().collect(),
                    max_session: max_session_seconds.unwrap_or(MAX_SESSION),
                },
            )
        },
    ));
    roles
}

impl Builder<'_> {
    pub(super) fn check_organization(&mut self) {
        self.check_identity();
        self.check_accounts();
        self.check_roles("roles", &self.spec.roles);
        for (index, account) in self.spec.accounts.iter().enumerate() {
            self.check_roles(&format!("accounts[{index}].roles"), &account.roles);
        }
        self.check_tree();
    }

    fn check_roles(&mut self, list: &str, roles: &[RoleSpec]) {
        let mut names = BTreeSet::new();
        for (index, role) in roles.iter().enumerate() {
            if !names.insert(&role.name) {
                self.problem(
                    format!("{list}[{index}].name"),
                    format!("role {} stands twice", role.name),
                );
            }
            for (nth, action) in role.denied_actions.iter().enumerate() {
                if !crate::model::is_action_pattern(action) {
                    self.problem(
                        format!("{list}[{index}].denied_actions[{nth}]"),
                        format!("{action} is no action that is simulated, such as ssm:SendCommand or ssm:Describe*"),
                    );
                }
            }
            let longest = role.max_session_seconds.unwrap_or(MAX_SESSION);
            if !(3600..=43_200).contains(&longest) {
                self.problem(
                    format!("{list}[{index}].max_session_seconds"),
                    format!("{longest} is not 3600 to 43200"),
                );
            }
        }
    }

    fn check_identity(&mut self) {
        let org = &self.spec.organization;
        if !self.is_account(&self.spec.management_account) {
            let message = format!("{} is not one of accounts", self.spec.management_account);
            self.problem("management_account", message);
        }
        let digits = org.id.strip_prefix("o-").unwrap_or_default();
        let sound = (10..=32).contains(&digits.len())
            && digits
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !sound {
            let message = format!("{} is not o- and 10 to 32 lower-case letters or digits", org.id);
            self.problem("organization.id", message);
        }
        for (index, account) in org.delegated_administrators.iter().enumerate() {
            if !self.is_account(account) {
                let path = format!("organization.delegated_administrators[{index}]");
                self.problem(path, format!("{account} is not one of accounts"));
            }
        }
        for (index, region) in self.spec.regions.iter().enumerate() {
            let partition = self.world.org.partition;
            if region.partition() != partition {
                let message = format!("{region} is not of the partition {partition}, as the first one is");
                self.problem(format!("regions[{index}]"), message);
            }
        }
    }

    fn check_accounts(&mut self) {
        let mut ids = BTreeSet::new();
        for (index, account) in self.spec.accounts.iter().enumerate() {
            let path = format!("accounts[{index}]");
            if !ids.insert(&account.id) {
                self.problem(
                    format!("{path}.id"),
                    format!("account {} stands twice", account.id),
                );
            }
            let lists = [
                ("opt_in_regions", &account.opt_in_regions),
                ("enabling_regions", &account.enabling_regions),
                ("disabling_regions", &account.disabling_regions),
            ];
            let mut named = BTreeSet::new();
            for (key, list) in lists {
                for (index, region) in list.iter().enumerate() {
                    let path = format!("{path}.{key}[{index}]");
                    let known = self.world.org.regions.contains(region);
                    if !known || regions::kind(region) == RegionKind::Default {
                        self.problem(path, format!("{region} is no opt-in Region of this world"));
                    } else if !named.insert(region) {
                        self.problem(path, format!("{region} stands twice"));
                    }
                }
            }
        }
    }

    fn check_tree(&mut self) {
        let mut ids = BTreeSet::new();
        for (index, unit) in self.spec.units.iter().enumerate() {
            if !ids.insert(&unit.id) {
                self.problem(
                    format!("units[{index}].id"),
                    format!("unit {} stands twice", unit.id),
                );
            }
        }
        let accounts = self.spec.accounts.iter().map(|one| &one.parent).enumerate();
        let units = self.spec.units.iter().map(|one| &one.parent).enumerate();
        let parents = accounts
            .map(|(index, parent)| ("accounts", index, parent))
            .chain(units.map(|(index, parent)| ("units", index, parent)));
        for (list, index, parent) in parents {
            if let Some(parent) = parent
                && !self.world.org.has_parent(parent)
            {
                let message = format!("{parent} is neither the root nor one of units");
                self.problem(format!("{list}[{index}].parent"), message);
            }
        }
        let units = &self.world.org.units;
        let mut circles = vec![];
        for (index, unit) in self.spec.units.iter().enumerate() {
            let mut above = unit.parent.as_ref();
            for _ in 0..units.len() {
                let Some(OrgParent::Ou(next)) = above else { break };
                above = units.get(next).map(|unit| &unit.parent);
            }
            if matches!(above, Some(OrgParent::Ou(parent)) if units.contains_key(parent)) {
                circles.push((index, &unit.id));
            }
        }
        for (index, id) in circles {
            self.problem(
                format!("units[{index}].parent"),
                format!("unit {id} is above itself"),
            );
        }
    }
}
