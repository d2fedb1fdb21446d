//! Which accounts and Regions there are.

use super::{BoxFuture, Page, PageToken, PortResult};
use crate::id::{AccountId, OrgParent, OuId, Region};

/// Accounts below units, and the Regions enabled in an account.
///
/// Promises: an answer is whole or an error; a page may be empty and still have a next one. Does
/// not promise: that two pages are of the same instant.
pub trait Directory: Send + Sync {
    /// Who patchfleet is, and from where it starts automations.
    fn caller(&self) -> BoxFuture<'_, PortResult<Caller>>;

    /// One account of the organization (Organizations `DescribeAccount`).
    ///
    /// `NotFound` means that the organization has no such account; `NotInOrganization` or
    /// `Denied` that the caller cannot know.
    fn account(&self, account: &AccountId) -> BoxFuture<'_, PortResult<AccountView>>;

    /// The accounts directly below `parent`, one page. `NotFound` if there is no such parent.
    fn accounts(
        &self,
        parent: &OrgParent,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<AccountView>>>;

    /// The units directly below `parent`, one page.
    fn child_units(
        &self,
        parent: &OrgParent,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<OuId>>>;

    /// Every Region that the partition has, with its status in the account (Account
    /// `ListRegions`), one page.
    fn regions(
        &self,
        account: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<RegionView>>>;
}

/// Who calls, and from which Region.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Caller {
    /// The account of the caller's credentials: the central account.
    pub account: AccountId,
    /// The Region in which automations are started: the central Region.
    pub region: Region,
    /// The caller's ARN, for records.
    pub arn: String,
}

/// An account of the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Its id.
    pub id: AccountId,
    /// Its state.
    pub state: AccountState,
}

/// Organizations' `State` of an account (not the retired `Status`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccountState {
    /// It can be used.
    Active,
    /// Created, not yet usable.
    PendingActivation,
    /// Suspended by AWS.
    Suspended,
    /// Being closed.
    PendingClosure,
    /// Closed.
    Closed,
    /// A state that this version does not know, by AWS's name for it. Not active.
    Unknown(String),
}

impl AccountState {
    /// AWS's name for the state.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => "ACTIVE",
            Self::PendingActivation => "PENDING_ACTIVATION",
            Self::Suspended => "SUSPENDED",
            Self::PendingClosure => "PENDING_CLOSURE",
            Self::Closed => "CLOSED",
            Self::Unknown(name) => name,
        }
    }
}

impl From<&str> for AccountState {
    fn from(name: &str) -> Self {
        match name {
            "ACTIVE" => Self::Active,
            "PENDING_ACTIVATION" => Self::PendingActivation,
            "SUSPENDED" => Self::Suspended,
            "PENDING_CLOSURE" => Self::PendingClosure,
            "CLOSED" => Self::Closed,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

/// A Region as one account has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionView {
    /// The Region.
    pub region: Region,
    /// Whether the account may use it.
    pub status: RegionOptStatus,
}

/// Account Management's `RegionOptStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RegionOptStatus {
    /// An opt-in Region that is on.
    Enabled,
    /// Being switched on: not yet usable.
    Enabling,
    /// Being switched off: no longer to be relied on.
    Disabling,
    /// Off.
    Disabled,
    /// One of the Regions that are always on.
    EnabledByDefault,
    /// A status that this version does not know. Not usable.
    Unknown,
}

impl RegionOptStatus {
    /// Whether the Region can be used.
    #[must_use]
    pub fn is_usable(self) -> bool {
        matches!(self, Self::Enabled | Self::EnabledByDefault)
    }

    /// Whether the Region has to be opted into. An automation started in such a Region fails
    /// towards one that is enabled by default (User Guide, 2023).
    #[must_use]
    pub fn is_opt_in(self) -> bool {
        self != Self::EnabledByDefault
    }
}

impl From<&str> for RegionOptStatus {
    fn from(name: &str) -> Self {
        match name {
            "ENABLED" => Self::Enabled,
            "ENABLING" => Self::Enabling,
            "DISABLING" => Self::Disabling,
            "DISABLED" => Self::Disabled,
            "ENABLED_BY_DEFAULT" => Self::EnabledByDefault,
            _ => Self::Unknown,
        }
    }
}
