//! The whole organization, read by one listing of its accounts.

use crate::id::{AccountId, OrgParent, TargetAccount};
use crate::port::{AccountView, Caller, Directory, PlacedAccount, Walk};
use crate::request::Targets;
use std::collections::BTreeMap;

/// So many accounts that are named one by one are looked up one by one. AWS answers DescribeAccount 20
/// times a second, and a page of ListAccounts has 20 accounts.
const LOOKED_UP: usize = 20;

/// Every account of the organization, and where it stands.
pub(super) struct Organization(BTreeMap<AccountId, PlacedAccount>);

impl Organization {
    /// Reads it, if the request needs much of it. `None` if not, or if it cannot be read: the listing
    /// is denied or breaks off, an account's place is not known, or the caller is not in it.
    pub(super) async fn read(directory: &dyn Directory, targets: &Targets, caller: &Caller) -> Option<Self> {
        if !is_worth_it(targets) {
            return None;
        }
        let mut all = BTreeMap::new();
        let mut walk = Walk::new("ListAccounts");
        while let Some(token) = walk.next() {
            let page = directory.organization(token).await.ok()?;
            for placed in page.items {
                if placed.above.is_empty() {
                    return None;
                }
                all.insert(placed.account.id.clone(), placed);
            }
            walk.advance(page.next).ok()?;
        }
        // Whoever calls is in the organization. A listing without it is not whole.
        all.contains_key(&caller.account).then_some(Self(all))
    }

    /// An account that it has.
    pub(super) fn account(&self, id: &AccountId) -> Option<&AccountView> {
        self.0.get(id).map(|placed| &placed.account)
    }

    /// The accounts below `parent`: at any depth if `children` count, otherwise directly. `None` if it
    /// has no account at any depth: it may not exist.
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

/// Whether one listing of the organization is likely to take fewer calls than what is named takes one by
/// one. Units that are not descended into take no more calls than they have pages of accounts.
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
