//! [`Directory`] over STS, Organizations and Account Management.

use crate::Aws;
use crate::call::limits::Operation;
use crate::call::place::Place;
use crate::call::reading::{next_page, token};
use crate::clients::unreadable;
use aws_sdk_organizations::types::Account;
use patchfleet_core::id::{AccountId, Location, OrgParent, OuId};
use patchfleet_core::port::{
    AccountState, AccountView, BoxFuture, Caller, Directory, Page, PageToken, PortResult, RegionOptStatus,
    RegionView,
};

/// The most that Organizations gives on a page.
const ORGANIZATIONS_PAGE: i32 = 20;

/// The most that Account Management gives on a page.
const REGIONS_PAGE: i32 = 50;

impl Directory for Aws {
    fn caller(&self) -> BoxFuture<'_, PortResult<Caller>> {
        Box::pin(async move { Ok(self.clients.caller().await?.clone()) })
    }

    fn account(&self, account: &AccountId) -> BoxFuture<'_, PortResult<AccountView>> {
        let account = account.clone();
        Box::pin(async move {
            let operation = Operation::DescribeAccount;
            let central = self.clients.central().await?;
            let client = self.clients.organizations(operation, &central).await?;
            let request = client.describe_account().account_id(account.as_str());
            let place = Place::from(central);
            let answer = self
                .clients
                .call(operation, &place, || request.clone().send())
                .await?;
            let found = answer
                .account
                .ok_or_else(|| unreadable(operation, &place, "there is no account in it"))?;
            read_account(operation, &place, &found)
        })
    }

    fn accounts(
        &self,
        parent: &OrgParent,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<AccountView>>> {
        let parent = parent.clone();
        Box::pin(async move {
            let operation = Operation::ListAccountsForParent;
            let central = self.clients.central().await?;
            let client = self.clients.organizations(operation, &central).await?;
            let request = client
                .list_accounts_for_parent()
                .parent_id(parent.as_str())
                .max_results(ORGANIZATIONS_PAGE)
                .set_next_token(token(page));
            let place = Place::from(central);
            let answer = self
                .clients
                .call(operation, &place, || request.clone().send())
                .await?;
            let items = answer
                .accounts()
                .iter()
                .map(|account| read_account(operation, &place, account))
                .collect::<PortResult<_>>()?;
            Ok(Page {
                items,
                next: next_page(answer.next_token),
            })
        })
    }

    fn child_units(
        &self,
        parent: &OrgParent,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<OuId>>> {
        let parent = parent.clone();
        Box::pin(async move {
            let operation = Operation::ListOrganizationalUnitsForParent;
            let central = self.clients.central().await?;
            let client = self.clients.organizations(operation, &central).await?;
            let request = client
                .list_organizational_units_for_parent()
                .parent_id(parent.as_str())
                .max_results(ORGANIZATIONS_PAGE)
                .set_next_token(token(page));
            let place = Place::from(central);
            let answer = self
                .clients
                .call(operation, &place, || request.clone().send())
                .await?;
            let items = answer
                .organizational_units()
                .iter()
                .map(|unit| unit.id().unwrap_or_default().parse())
                .collect::<Result<_, _>>()
                .map_err(|error| unreadable(operation, &place, error))?;
            Ok(Page {
                items,
                next: next_page(answer.next_token),
            })
        })
    }

    fn regions(
        &self,
        account: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<RegionView>>> {
        let account = account.clone();
        Box::pin(async move {
            let operation = Operation::ListRegions;
            // Asked as the account itself, without `AccountId`: that one is for the management
            // account, and needs trusted access for Account Management.
            let location = Location::new(account, self.clients.caller().await?.region.clone());
            let client = self.clients.account(operation, &location).await?;
            let request = client
                .list_regions()
                .max_results(REGIONS_PAGE)
                .set_next_token(token(page));
            let place = Place::from(location);
            let answer = self
                .clients
                .call(operation, &place, || request.clone().send())
                .await?;
            let mut items = Vec::with_capacity(answer.regions().len());
            for region in answer.regions() {
                let status = region
                    .region_opt_status()
                    .map_or(RegionOptStatus::Unknown, |status| status.as_str().into());
                match region.region_name().unwrap_or_default().parse() {
                    Ok(region) => items.push(RegionView { region, status }),
                    // A Region of a partition to come that could be used must not be missed in
                    // silence; one that could not changes nothing.
                    Err(error) if status.is_usable() => return Err(unreadable(operation, &place, error)),
                    Err(error) => tracing::debug!(%error, "ListRegions named a Region that is not usable"),
                }
            }
            Ok(Page {
                items,
                next: next_page(answer.next_token),
            })
        })
    }
}

fn read_account(operation: Operation, place: &Place, account: &Account) -> PortResult<AccountView> {
    let id = account
        .id()
        .unwrap_or_default()
        .parse()
        .map_err(|error| unreadable(operation, place, error))?;
    Ok(AccountView {
        id,
        state: read_state(account),
    })
}

/// `State`, or where an answer has none, the retired `Status`.
fn read_state(account: &Account) -> AccountState {
    let name = match (account.state(), account.status()) {
        (Some(state), _) => state.as_str(),
        (None, Some(status)) => status.as_str(),
        (None, None) => "",
    };
    name.into()
}

#[cfg(test)]
mod tests;
