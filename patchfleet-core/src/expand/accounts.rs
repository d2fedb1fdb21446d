//! From accounts, units and roots to accounts with their states.

use super::organization::{FirstPage, Organization};
use super::reader::Reader;
use super::{Found, States, deeper};
use crate::fleet;
use crate::id::{AccountId, OrgParent, TargetAccount};
use crate::port::{AccountState, AccountView, Caller, Directory, PortErrorKind, PortResult};
use crate::refusal::RefusalCode;
use crate::request::PatchRequest;
use futures_util::future::join;
use futures_util::{StreamExt, stream};
use std::collections::BTreeSet;

/// The accounts that the request names, with their states, and which of them it excludes.
pub(super) struct Accounts {
    named: States,
    excluded: BTreeSet<AccountId>,
}

impl Accounts {
    /// Each named account, its state, and whether it is excluded.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&AccountId, &AccountState, bool)> {
        self.named
            .iter()
            .map(|(account, state)| (account, state, self.excluded.contains(account)))
    }

    /// The accounts whose Regions matter.
    pub(super) fn to_read(&self) -> impl Iterator<Item = &AccountId> {
        self.iter()
            .filter(|(_, state, excluded)| !excluded && **state == AccountState::Active)
            .map(|(account, ..)| account)
    }
}

/// Looks up every named and every excluded account, unit and root. They are looked up in a listing of the
/// organization. Where that cannot be read, or does not name one of them, AWS is asked for it by itself. `reader`
/// reads the accounts that the listing has, and goes on meanwhile. What is below the units that waves name is noted.
pub(super) async fn resolve(
    first: FirstPage<'_>,
    directory: &dyn Directory,
    request: &PatchRequest,
    caller: &Caller,
    concurrency: usize,
    reader: &mut Reader<'_>,
    found: &mut Found,
) -> Accounts {
    let targets = &request.targets;
    let mut accounts = Accounts {
        named: States::new(),
        excluded: BTreeSet::new(),
    };
    let own = [TargetAccount::Account(caller.account.clone())];
    let named: BTreeSet<&TargetAccount> = match targets.accounts.as_slice() {
        [] => own.iter().collect(),
        named => named.iter().collect(),
    };
    let organization = Organization::read(first, directory, targets, caller, reader).await;
    let organization = organization.as_ref();
    let singles: Vec<AccountId> = named.iter().filter_map(|target| single(target)).collect();
    let looked_up = stream::iter(singles)
        .map(|account| async move {
            let view = match organization.and_then(|organization| organization.account(&account)) {
                // Whoever calls is active; asking the organization could only fail.
                _ if account == caller.account => Ok(AccountView {
                    id: account.clone(),
                    state: AccountState::Active,
                }),
                Some(view) => Ok(view.clone()),
                None => directory.account(&account).await,
            };
            (account, view)
        })
        .buffered(concurrency.max(1))
        .collect::<Vec<_>>();
    let children = targets.include_child_ous;
    let out: BTreeSet<&TargetAccount> = targets.exclude_accounts.iter().collect();
    let of_waves: BTreeSet<&OrgParent> = request
        .waves
        .iter()
        .flat_map(|wave| wave.accounts.iter().filter_map(parent))
        .collect();
    // An excluded unit takes everything below it away, whether or not children are included.
    let parents: Vec<(OrgParent, bool)> = named
        .iter()
        .filter_map(|target| Some((parent(target)?.clone(), children)))
        .chain(
            out.iter()
                .filter_map(|target| Some((parent(target)?.clone(), true))),
        )
        .chain(of_waves.iter().map(|unit| ((*unit).clone(), true)))
        .collect();
    let named_parents = named.iter().filter_map(|target| parent(target)).count();
    let of_targets = named_parents + out.iter().filter_map(|target| parent(target)).count();
    let read = stream::iter(parents)
        .map(|(parent, children)| async move {
            let listed = organization.and_then(|organization| organization.below(&parent, children));
            let below = match listed {
                Some(listed) => Ok(listed),
                None => below(directory, &parent, children, concurrency).await,
            };
            let left_out = match &below {
                Ok(_) if !children => deeper::left_out(directory, targets, &parent).await,
                _ => None,
            };
            (parent, below, left_out)
        })
        .buffered(concurrency.max(1))
        .collect::<Vec<_>>();
    let (looked_up, read) = reader.beside(join(looked_up, read)).await;
    for (account, view) in looked_up {
        if let Some(state) = state_of(&account, view, found) {
            accounts.named.insert(account, state);
        }
    }
    for (n, (parent, below, left_out)) in read.into_iter().enumerate() {
        let Some(below) = readable(&parent, below, found) else {
            continue;
        };
        if n >= of_targets {
            let below = below.into_iter().map(|view| view.id).collect();
            found.candidates.below.insert(parent, below);
            continue;
        }
        if n >= named_parents {
            accounts.excluded.extend(below.into_iter().map(|view| view.id));
            continue;
        }
        if below.is_empty() {
            let hint = if children {
                ""
            } else {
                " directly (include_child_ous is false)"
            };
            found.warn(format!("{parent} has no account below it{hint}"));
            found.candidates.childless.push(parent.clone());
        }
        if let Some(left_out) = left_out {
            found.warn(left_out.clone());
            found.candidates.deeper.insert(parent, left_out);
        }
        accounts
            .named
            .extend(below.into_iter().map(|view| (view.id, view.state)));
    }
    accounts
        .excluded
        .extend(out.iter().filter_map(|target| single(target)));
    for account in targets.exclude_accounts.iter().filter_map(single) {
        if !accounts.named.contains_key(&account) {
            found.warn(format!(
                "exclude_accounts names {account}, which is none of the targets"
            ));
        }
    }
    accounts
}

fn single(target: &TargetAccount) -> Option<AccountId> {
    match target {
        TargetAccount::Account(account) => Some(account.clone()),
        TargetAccount::Parent(_) => None,
    }
}

fn parent(target: &TargetAccount) -> Option<&OrgParent> {
    match target {
        TargetAccount::Account(_) => None,
        TargetAccount::Parent(parent) => Some(parent),
    }
}

fn state_of(account: &AccountId, view: PortResult<AccountView>, found: &mut Found) -> Option<AccountState> {
    let error = match view {
        Ok(view) => return Some(view.state),
        Err(error) => error,
    };
    match error.kind() {
        PortErrorKind::Denied | PortErrorKind::NotInOrganization => {
            found.warn(format!(
                "account {account} could not be looked up and is taken for active: {}",
                error.reason()
            ));
            Some(AccountState::Active)
        }
        PortErrorKind::NotFound => {
            let detail = "the organization has no such account";
            found.refuse(RefusalCode::TargetNotFound, account, detail);
            None
        }
        _ => {
            found.refuse(RefusalCode::DirectoryUnavailable, account, error.reason());
            None
        }
    }
}

fn readable(
    parent: &OrgParent,
    below: Result<Vec<AccountView>, Unreadable>,
    found: &mut Found,
) -> Option<Vec<AccountView>> {
    match below {
        Ok(below) => Some(below),
        Err(Unreadable::Missing) => {
            let what = match parent {
                OrgParent::Root(_) => "the organization has no such root",
                OrgParent::Ou(_) => "the organization has no such unit",
            };
            found.refuse(RefusalCode::TargetNotFound, parent, what);
            None
        }
        Err(Unreadable::Failed(detail)) => {
            found.refuse(RefusalCode::DirectoryUnavailable, parent, detail);
            None
        }
    }
}

enum Unreadable {
    /// There is no such parent.
    Missing,
    /// Why it could not be read.
    Failed(String),
}

/// The accounts below `top`, level by level if `children` count.
async fn below(
    directory: &dyn Directory,
    top: &OrgParent,
    children: bool,
    concurrency: usize,
) -> Result<Vec<AccountView>, Unreadable> {
    let mut all = Vec::new();
    let mut seen = BTreeSet::from([top.clone()]);
    let mut level = vec![top.clone()];
    while !level.is_empty() {
        let read: Vec<(OrgParent, PortResult<_>)> = stream::iter(level)
            .map(|parent| async move {
                let read = directly_below(directory, &parent, children).await;
                (parent, read)
            })
            .buffered(concurrency.max(1))
            .collect()
            .await;
        level = Vec::new();
        for (parent, read) in read {
            match read {
                Ok((accounts, units)) => {
                    all.extend(accounts);
                    level.extend(units.into_iter().filter(|unit| seen.insert(unit.clone())));
                }
                Err(error) if error.kind() == PortErrorKind::NotFound && parent == *top => {
                    return Err(Unreadable::Missing);
                }
                Err(error) => {
                    return Err(Unreadable::Failed(format!(
                        "{parent} could not be read: {}",
                        error.reason()
                    )));
                }
            }
        }
    }
    Ok(all)
}

async fn directly_below(
    directory: &dyn Directory,
    parent: &OrgParent,
    children: bool,
) -> PortResult<(Vec<AccountView>, Vec<OrgParent>)> {
    let accounts = fleet::all("ListAccountsForParent", |token| directory.accounts(parent, token)).await?;
    if !children {
        return Ok((accounts, vec![]));
    }
    let units = fleet::all("ListOrganizationalUnitsForParent", |token| {
        directory.child_units(parent, token)
    })
    .await?;
    Ok((accounts, units.into_iter().map(OrgParent::Ou).collect()))
}
