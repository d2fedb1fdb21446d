//! Which accounts and Regions there are.

use super::{BoxFuture, Page, PageToken, PortResult};
use crate::id::{AccountId, OrgParent, OuId, Region, TargetAccount};

/// Accounts below units, their tags, and the Regions enabled in an account.
///
/// Promises: an answer is whole, or it is an error.
///
/// Does not promise: that two pages are of the same instant; that a page with a next one has an item.
pub trait Directory: Send + Sync {
    /// Who patchfleet is, and from where it starts automations.
    fn caller(&self) -> BoxFuture<'_, PortResult<Caller>>;

    /// One account of the organization (Organizations `DescribeAccount`).
    ///
    /// `NotFound` means that the organization has no such account. `NotInOrganization` and `Denied` mean that the
    /// caller cannot know.
    fn account(&self, account: &AccountId) -> BoxFuture<'_, PortResult<AccountView>>;

    /// Every account of the organization and where it stands, one page (Organizations `ListAccounts`).
    ///
    /// Promises: its pages together have every account of the organization, whatever its state, the
    /// caller's own among them. An account whose place is not known is there, too, with an empty place.
    /// After an error of any kind the listing is not used, and the units are read one by one. Its first page is asked
    /// for while it is found out who [calls](Self::caller).
    fn organization(&self, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<PlacedAccount>>>;

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

    /// The tags of an account of the organization, each a key and its value, one page (Organizations
    /// `ListTagsForResource`).
    ///
    /// Promises: an account without a tag is an empty last page. Where the tags cannot be read the answer is an error, so
    /// nobody takes such an account for one without a tag. `NotFound` means that the organization has no such
    /// account. `NotInOrganization` and `Denied` mean that the caller cannot know: only the management account and
    /// delegated administrators may ask.
    fn account_tags(
        &self,
        account: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(String, String)>>>;

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

/// An account, and where in the organization it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedAccount {
    /// The account.
    pub account: AccountView,
    /// The root and the units above it, from the root down. Empty if they are not known.
    pub above: Vec<OrgParent>,
}

impl PlacedAccount {
    /// An account with its `Paths` of Organizations, each `o-…/r-…/ou-…/<account>/` (recorded, September 2026). An account
    /// has one parent. So its place is not known if there are two paths, no path, or a path of another shape.
    ///
    /// ```
    /// # use patchfleet_core::port::{AccountState, AccountView, PlacedAccount};
    /// let account = AccountView { id: "111122223333".parse()?, state: AccountState::Active };
    /// let path = "o-exampleorgid/r-ab12/ou-ab12-11111111/111122223333/";
    /// let placed = PlacedAccount::at(account.clone(), [path]);
    /// let above: Vec<&str> = placed.above.iter().map(|parent| parent.as_str()).collect();
    /// assert_eq!(above, ["r-ab12", "ou-ab12-11111111"]);
    /// assert!(PlacedAccount::at(account, ["elsewhere"]).above.is_empty());
    /// # Ok::<(), patchfleet_core::id::ParseIdError>(())
    /// ```
    #[must_use]
    pub fn at<'p>(account: AccountView, paths: impl IntoIterator<Item = &'p str>) -> Self {
        let mut paths = paths.into_iter();
        let above = match (paths.next(), paths.next()) {
            (Some(path), None) => above(path, &account.id).unwrap_or_default(),
            _ => Vec::new(),
        };
        Self { account, above }
    }
}

fn above(path: &str, account: &AccountId) -> Option<Vec<OrgParent>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let (parents, id) = path.rsplit_once('/')?;
    let (organization, parents) = parents.split_once('/')?;
    if id != account.as_str() || !organization.starts_with("o-") {
        return None;
    }
    let parents: Vec<OrgParent> = parents.split('/').map(parent).collect::<Option<_>>()?;
    let is_tree = parents
        .iter()
        .enumerate()
        .all(|(depth, parent)| matches!(parent, OrgParent::Root(_)) == (depth == 0));
    is_tree.then_some(parents)
}

fn parent(id: &str) -> Option<OrgParent> {
    match id.parse() {
        Ok(TargetAccount::Parent(parent)) => Some(parent),
        _ => None,
    }
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
    /// Being switched on, and not usable yet.
    Enabling,
    /// Being switched off, and not usable any more.
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

    /// Whether the Region has to be opted into. An automation that is started in such a Region fails in Regions that
    /// are enabled by default (User Guide, 2023).
    #[must_use]
    pub(crate) fn is_opt_in(self) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn above(path: &str) -> Vec<String> {
        let account = AccountView {
            id: "111122223333".parse().unwrap(),
            state: AccountState::Active,
        };
        let above = PlacedAccount::at(account, [path]).above;
        above.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_path_names_the_root_and_every_unit_above_the_account() {
        assert_eq!(above("o-exampleorgid/r-ab12/111122223333/"), ["r-ab12"]);
        assert_eq!(
            above("o-exampleorgid/r-ab12/ou-ab12-11111111/ou-ab12-22222222/111122223333"),
            ["r-ab12", "ou-ab12-11111111", "ou-ab12-22222222"]
        );
    }

    #[test]
    fn a_path_that_reads_differently_leaves_the_place_unknown() {
        for path in [
            "",
            "/",
            "111122223333/",
            "r-ab12/111122223333/",
            "o-exampleorgid/111122223333/",
            "o-exampleorgid/r-ab12/444455556666/",
            "o-exampleorgid/ou-ab12-11111111/111122223333/",
            "o-exampleorgid/r-ab12/r-ab12/111122223333/",
            "o-exampleorgid/r-ab12//111122223333/",
            "o-exampleorgid/r-ab12/Production/111122223333/",
        ] {
            assert!(above(path).is_empty(), "{path}");
        }
        let account = AccountView {
            id: "111122223333".parse().unwrap(),
            state: AccountState::Active,
        };
        let two = ["o-exampleorgid/r-ab12/111122223333/"; 2];
        assert!(PlacedAccount::at(account, two).above.is_empty());
    }
}
