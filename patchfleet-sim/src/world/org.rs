//! The organization: accounts in units, their Regions and roles.

pub(in crate::world) mod regions;
mod session;

pub use regions::RegionKind;
pub use session::Session;
pub(in crate::world) use session::Sessions;

use crate::spec::{AccountStateSpec, RoleState};
use jiff::Timestamp;
use patchfleet_core::id::{AccountId, OrgParent, OuId, Partition, Region, RootId};
use std::collections::{BTreeMap, BTreeSet};

/// The organization.
#[derive(Debug, Clone)]
pub struct Organization {
    pub(crate) id: String,
    /// Whether there is an organization at all.
    pub(crate) in_use: bool,
    pub(crate) partition: Partition,
    pub(crate) management: AccountId,
    /// Accounts that may read the organization, as the management account may.
    pub(crate) delegated: BTreeSet<AccountId>,
    /// Whether the management account may name others to Account Management.
    pub(crate) account_management: bool,
    pub(crate) root: RootId,
    pub(crate) units: BTreeMap<OuId, Unit>,
    pub(crate) accounts: BTreeMap<AccountId, Account>,
    pub(crate) regions: BTreeSet<Region>,
    /// What stands directly below the root and each unit. Nothing ever moves.
    pub(crate) below: BTreeMap<OrgParent, Below>,
}

/// What stands directly below something, by id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Below {
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) units: Vec<OuId>,
}

/// An organizational unit.
#[derive(Debug, Clone)]
pub struct Unit {
    pub(crate) name: String,
    pub(crate) parent: OrgParent,
}

/// An account.
#[derive(Debug, Clone)]
pub struct Account {
    pub(crate) id: AccountId,
    pub(crate) name: String,
    pub(crate) parent: OrgParent,
    pub(crate) state: AccountStateSpec,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) opt_in: BTreeSet<Region>,
    pub(crate) enabling: BTreeSet<Region>,
    pub(crate) disabling: BTreeSet<Region>,
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) joined: Timestamp,
}

/// A role of an account.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) state: RoleState,
    pub(crate) external_id: Option<String>,
    /// What it may not do, as IAM names actions; a `*` may end one.
    pub(crate) denied: BTreeSet<String>,
    /// Seconds that a session of it may last.
    pub(crate) max_session: u32,
}

/// Why a role could not be assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssumeRefusal {
    /// No such account, no such role, or an account that cannot be used.
    Missing,
    /// The role does not trust the caller, or asks for another external id.
    Denied,
}

impl Organization {
    /// The management account.
    #[must_use]
    pub fn management_account(&self) -> &AccountId {
        &self.management
    }

    /// Whether `account` may read the organization: the management account, and what it delegates to.
    #[must_use]
    pub fn may_read(&self, account: &AccountId) -> bool {
        *account == self.management || self.delegated.contains(account)
    }

    /// The root's id.
    #[must_use]
    pub fn root(&self) -> &RootId {
        &self.root
    }

    /// Every account, by id.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// The accounts directly below `parent`, by id.
    pub(crate) fn accounts_of(&self, parent: &OrgParent) -> &[AccountId] {
        self.below.get(parent).map_or(&[], |below| &below.accounts)
    }

    /// The units directly below `parent`, by id.
    pub(crate) fn units_of(&self, parent: &OrgParent) -> &[OuId] {
        self.below.get(parent).map_or(&[], |below| &below.units)
    }

    /// Whether there is such a unit or root.
    pub(crate) fn has_parent(&self, parent: &OrgParent) -> bool {
        match parent {
            OrgParent::Root(id) => *id == self.root,
            OrgParent::Ou(id) => self.units.contains_key(id),
        }
    }

    /// The accounts below `parent`: directly, or at any depth.
    pub(crate) fn accounts_below(&self, parent: &OrgParent, deep: bool) -> Vec<&Account> {
        let accounts = self.accounts_of(parent).iter();
        let mut found: Vec<&Account> = accounts.filter_map(|id| self.accounts.get(id)).collect();
        if deep {
            for id in self.units_of(parent) {
                found.extend(self.accounts_below(&OrgParent::Ou(id.clone()), true));
            }
        }
        found
    }

    /// Whether `region` exists and `account` has it.
    #[must_use]
    pub fn is_enabled(&self, account: &AccountId, region: &Region) -> bool {
        self.regions.contains(region)
            && self.accounts.get(account).is_some_and(|account| {
                regions::kind(region) == RegionKind::Default || account.opt_in.contains(region)
            })
    }

    /// Whether STS in `region` knows `account`: also while the Region is being disabled.
    pub(crate) fn is_enabled_for_sts(&self, account: &AccountId, region: &Region) -> bool {
        self.is_enabled(account, region)
            || self
                .accounts
                .get(account)
                .is_some_and(|account| account.disabling.contains(region))
    }

    /// The `RegionOptStatus` that Account Management shows for an existing Region.
    pub(crate) fn opt_status(&self, account: &Account, region: &Region) -> &'static str {
        match regions::kind(region) {
            RegionKind::Default => "ENABLED_BY_DEFAULT",
            RegionKind::OptIn if account.opt_in.contains(region) => "ENABLED",
            RegionKind::OptIn if account.enabling.contains(region) => "ENABLING",
            RegionKind::OptIn if account.disabling.contains(region) => "DISABLING",
            RegionKind::OptIn => "DISABLED",
        }
    }

    /// Seconds that a session of a role may last.
    pub(crate) fn longest_session(&self, account: &AccountId, role: &str) -> u32 {
        let role = self
            .accounts
            .get(account)
            .and_then(|account| account.roles.get(role));
        role.map_or(0, |role| role.max_session)
    }

    /// Whether a role is denied an action. A role that is gone is denied everything, and so is every
    /// role of an account that cannot be used.
    pub(crate) fn denies(&self, account: &AccountId, role: &str, action: &str) -> bool {
        let Some(account) = self.accounts.get(account) else {
            return false;
        };
        account.roles.get(role).is_some_and(|role| {
            account.state != AccountStateSpec::Active
                || role.state == RoleState::Missing
                || role
                    .denied
                    .iter()
                    .any(|pattern| crate::model::action_matches(pattern, action))
        })
    }

    /// Whether the role `name` of `account` can be assumed; `external_id` as it was given, or
    /// `None` for a service that is trusted without one.
    pub(crate) fn assume(
        &self,
        account: &AccountId,
        name: &str,
        external_id: Option<Option<&str>>,
    ) -> Result<(), AssumeRefusal> {
        let account = self.accounts.get(account).ok_or(AssumeRefusal::Missing)?;
        let role = account.roles.get(name).ok_or(AssumeRefusal::Missing)?;
        if account.state != AccountStateSpec::Active || role.state == RoleState::Missing {
            return Err(AssumeRefusal::Missing);
        }
        let refused = external_id
            .is_some_and(|given| role.external_id.is_some() && given != role.external_id.as_deref());
        if role.state == RoleState::Denied || refused {
            return Err(AssumeRefusal::Denied);
        }
        Ok(())
    }
}

impl Account {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &AccountId {
        &self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Organizations' `State`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self.state {
            AccountStateSpec::PendingActivation => "PENDING_ACTIVATION",
            AccountStateSpec::Active => "ACTIVE",
            AccountStateSpec::Suspended => "SUSPENDED",
            AccountStateSpec::PendingClosure => "PENDING_CLOSURE",
            AccountStateSpec::Closed => "CLOSED",
        }
    }

    /// Organizations' retired `Status`, which has fewer values. A closed account shows as SUSPENDED.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self.state {
            AccountStateSpec::PendingActivation | AccountStateSpec::Active => "ACTIVE",
            AccountStateSpec::Suspended | AccountStateSpec::Closed => "SUSPENDED",
            AccountStateSpec::PendingClosure => "PENDING_CLOSURE",
        }
    }
}
