//! The whole organization, read by one listing of its accounts.

use super::regions::{self, Listed};
use crate::id::{AccountId, OrgParent, TargetAccount};
use crate::port::{AccountState, AccountView, Caller, Directory, PlacedAccount, Walk};
use crate::request::Targets;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeMap, VecDeque};

/// Up to this many named accounts are looked up one by one. AWS answers DescribeAccount 20 times a second, and a
/// page of ListAccounts has 20 accounts.
const LOOKED_UP: usize = 20;

/// Every account of the organization, and where it stands.
pub(super) struct Organization(BTreeMap<AccountId, PlacedAccount>);

impl Organization {
    /// Reads it, if the request needs much of it. `None` if the request needs little, or if the organization
    /// cannot be read: the listing is denied or breaks off, an account's place is missing, or the caller's own
    /// account is.
    ///
    /// A page can be asked for only when the one before it has come. Meanwhile the wanted accounts are asked for
    /// their Regions, `concurrency` accounts at once, so their roles are assumed early. `listed` takes the answers.
    pub(super) async fn read(
        directory: &dyn Directory,
        targets: &Targets,
        caller: &Caller,
        concurrency: usize,
        listed: &mut Listed,
    ) -> Option<Self> {
        if !is_worth_it(targets) {
            return None;
        }
        let mut all = BTreeMap::new();
        let mut asked = FuturesUnordered::new();
        let mut to_ask = VecDeque::new();
        let mut walk = Walk::new("ListAccounts");
        let mut is_whole = true;
        while let Some(token) = walk.next() {
            let mut page = directory.organization(token);
            let page = loop {
                while asked.len() < concurrency.max(1)
                    && let Some(account) = to_ask.pop_front()
                {
                    asked.push(regions::list_of(directory, account));
                }
                if asked.is_empty() {
                    break page.await;
                }
                match select(page, asked.next()).await {
                    Either::Left((page, _)) => break page,
                    Either::Right((answer, waiting)) => {
                        if let Some((account, answer)) = answer {
                            listed.insert(account, answer);
                        }
                        page = waiting;
                    }
                }
            };
            let Ok(page) = page else {
                is_whole = false;
                break;
            };
            for placed in page.items {
                is_whole &= !placed.above.is_empty();
                if means(targets, &placed) {
                    to_ask.push_back(placed.account.id.clone());
                }
                all.insert(placed.account.id.clone(), placed);
            }
            if !is_whole || walk.advance(page.next).is_err() {
                is_whole = false;
                break;
            }
        }
        while let Some((account, answer)) = asked.next().await {
            listed.insert(account, answer);
        }
        // Whoever calls is in the organization. A listing without it is not whole.
        (is_whole && all.contains_key(&caller.account)).then_some(Self(all))
    }

    /// The account with this id, if the listing has it.
    pub(super) fn account(&self, id: &AccountId) -> Option<&AccountView> {
        self.0.get(id).map(|placed| &placed.account)
    }

    /// The accounts below `parent`, at any depth if `children` count, otherwise directly. `None` if no account is
    /// below it at any depth. The listing then does not tell whether it exists.
    pub(super) fn below(&self, parent: &OrgParent, children: bool) -> Option<Vec<AccountView>> {
        let mut below = self
            .0
            .values()
            .filter(|placed| placed.above.contains(parent))
            .peekable();
        below.peek()?;
        let accounts = below
            .filter(|placed| children || placed.above.last() == Some(parent))
            .map(|placed| placed.account.clone());
        Some(accounts.collect())
    }
}

/// Whether the account is active, named, and not excluded, by its place in the organization.
fn means(targets: &Targets, placed: &PlacedAccount) -> bool {
    let is_in = |target: &TargetAccount, children: bool| match target {
        TargetAccount::Account(account) => *account == placed.account.id,
        TargetAccount::Parent(parent) if children => placed.above.contains(parent),
        TargetAccount::Parent(parent) => placed.above.last() == Some(parent),
    };
    let children = targets.include_child_ous;
    placed.account.state == AccountState::Active
        && targets.accounts.iter().any(|target| is_in(target, children))
        && !targets.exclude_accounts.iter().any(|target| is_in(target, true))
}

/// Whether one listing of the organization is likely to take fewer calls than asking for each named account and
/// unit. A unit whose child units do not count takes one call for each page of its accounts, so it needs no listing.
fn is_worth_it(targets: &Targets) -> bool {
    let is_parent = |target: &TargetAccount| matches!(target, TargetAccount::Parent(_));
    let descends = targets.include_child_ous && targets.accounts.iter().any(is_parent);
    let named = targets
        .accounts
        .iter()
        .filter(|target| !is_parent(target))
        .count();
    descends || targets.exclude_accounts.iter().any(is_parent) || named > LOOKED_UP
}
