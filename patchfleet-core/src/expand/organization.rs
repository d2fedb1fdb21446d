//! The whole organization, read by one listing of its accounts.

use super::reader::{Reader, Scope};
use crate::id::{AccountId, OrgParent, TargetAccount};
use crate::port::{
    AccountState, AccountView, BoxFuture, Caller, Directory, Page, PlacedAccount, PortResult, Walk,
};
use crate::request::Targets;
use futures_util::FutureExt as _;
use futures_util::future::{Either, ready, select};
use std::collections::BTreeMap;

/// The first page of the organization. It is asked for before anybody knows who calls, because it does not depend on that.
pub(crate) struct FirstPage<'a>(Option<BoxFuture<'a, PortResult<Page<PlacedAccount>>>>);

impl<'a> FirstPage<'a> {
    /// Will ask for it, if the request needs much of the organization.
    pub(crate) fn of(directory: &'a dyn Directory, targets: &Targets) -> Self {
        Self(
            targets
                .take_the_whole_organization()
                .then(|| directory.organization(None)),
        )
    }

    /// Waits for `work`, and asks for the page meanwhile. The page itself is not waited for.
    pub(crate) async fn beside<T>(&mut self, work: BoxFuture<'_, T>) -> T {
        let Some(page) = self.0.take() else {
            return work.await;
        };
        match select(work, page).await {
            Either::Left((done, page)) => {
                self.0 = Some(page);
                done
            }
            Either::Right((page, work)) => {
                self.0 = Some(ready(page).boxed());
                work.await
            }
        }
    }
}

/// Every account of the organization, and where it stands.
pub(super) struct Organization(BTreeMap<AccountId, PlacedAccount>);

impl Organization {
    /// Reads it on from its first page. `None` if the request needs little of it, or if the organization
    /// cannot be read: the listing is denied or breaks off, an account's place is missing, or the caller's own
    /// account is.
    ///
    /// A page can be asked for only when the one before it has come. Meanwhile `reader` reads the wanted accounts.
    pub(super) async fn read(
        first: FirstPage<'_>,
        directory: &dyn Directory,
        targets: &Targets,
        caller: &Caller,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let mut first = Some(first.0?);
        let mut all = BTreeMap::new();
        let mut walk = Walk::new("ListAccounts");
        while let Some(token) = walk.next() {
            let page = first.take().unwrap_or_else(|| directory.organization(token));
            let page = reader.beside(page).await.ok()?;
            let mut is_whole = true;
            for placed in page.items {
                is_whole &= !placed.above.is_empty();
                if means(targets, &placed) {
                    reader.read(&placed.account.id, Scope::Locations);
                }
                all.insert(placed.account.id.clone(), placed);
            }
            if !is_whole {
                return None;
            }
            walk.advance(page.next).ok()?;
        }
        // Whoever calls is in the organization. A listing without it is not whole.
        all.contains_key(&caller.account).then_some(Self(all))
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

#[cfg(test)]
mod tests;
