//! [`Directory`] over STS, Organizations and Account Management.

use super::Aws;
use crate::call::{Operation, Unreadable, send, token};
use aws_sdk_account::types::Region;
use aws_sdk_organizations::types::Account;
use patchfleet_core::id::{AccountId, Location, OrgParent, OuId, ParseIdError};
use patchfleet_core::port::{
    AccountState, AccountView, BoxFuture, Caller, Directory, Page, PageToken, PlacedAccount, PortResult,
    RegionOptStatus, RegionView,
};

/// The most that Organizations gives on a page.
const ORGANIZATIONS_PAGE: i32 = 20;

/// The most that Account Management gives on a page.
const REGIONS_PAGE: i32 = 50;

impl Directory for Aws {
    fn caller(&self) -> BoxFuture<'_, PortResult<Caller>> {
        Box::pin(async move { Ok(self.clients.signers.caller().await?.clone()) })
    }

    fn account(&self, account: &AccountId) -> BoxFuture<'_, PortResult<AccountView>> {
        let account = account.clone();
        Box::pin(async move {
            let (call, organizations) = self.clients.organizations(Operation::DescribeAccount).await?;
            let request = organizations.describe_account().account_id(account.as_str());
            let answer = send!(call, request).await?;
            let account = call.read(answer.account.ok_or("there is no account in it"))?;
            call.read(read_account(&account))
        })
    }

    fn organization(&self, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<PlacedAccount>>> {
        Box::pin(async move {
            let (call, organizations) = self.clients.whole_organization(Operation::ListAccounts);
            let request = organizations
                .list_accounts()
                .max_results(ORGANIZATIONS_PAGE)
                .set_next_token(token(page));
            let answer = send!(call, request).await?;
            call.page(answer.accounts().iter().map(read_place), answer.next_token())
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
            let (call, organizations) = self.clients.organizations(operation).await?;
            let request = organizations
                .list_accounts_for_parent()
                .parent_id(parent.as_str())
                .max_results(ORGANIZATIONS_PAGE)
                .set_next_token(token(page));
            let answer = send!(call, request).await?;
            call.page(answer.accounts().iter().map(read_account), answer.next_token())
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
            let (call, organizations) = self.clients.organizations(operation).await?;
            let request = organizations
                .list_organizational_units_for_parent()
                .parent_id(parent.as_str())
                .max_results(ORGANIZATIONS_PAGE)
                .set_next_token(token(page));
            let answer = send!(call, request).await?;
            let units = answer.organizational_units().iter();
            call.page(
                units.map(|unit| unit.id().unwrap_or_default().parse::<OuId>()),
                answer.next_token(),
            )
        })
    }

    fn account_tags(
        &self,
        account: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(String, String)>>> {
        let account = account.clone();
        Box::pin(async move {
            let operation = Operation::ListTagsForResource;
            let (call, organizations) = self.clients.organizations(operation).await?;
            let request = organizations
                .list_tags_for_resource()
                .resource_id(account.as_str())
                .set_next_token(token(page));
            let answer = send!(call, request).await?;
            let tags = answer.tags().iter();
            call.page(
                tags.map(|tag| Ok::<_, Unreadable>((tag.key().to_owned(), tag.value().to_owned()))),
                answer.next_token(),
            )
        })
    }

    fn regions(
        &self,
        account: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<RegionView>>> {
        let account = account.clone();
        Box::pin(async move {
            // Asked as the account itself, without `AccountId`. That parameter is for the management account, and needs
            // trusted access for Account Management.
            let central = self.clients.signers.central().await?;
            let there = Location::new(account, central.region);
            let (call, client) = self.clients.account(Operation::ListRegions, &there).await?;
            let request = client
                .list_regions()
                .max_results(REGIONS_PAGE)
                .set_next_token(token(page));
            let answer = send!(call, request).await?;
            let regions = answer.regions().iter();
            call.page(
                regions.filter_map(|region| read_region(region).transpose()),
                answer.next_token(),
            )
        })
    }
}

fn read_account(account: &Account) -> Result<AccountView, ParseIdError> {
    Ok(AccountView {
        id: account.id().unwrap_or_default().parse()?,
        state: read_state(account),
    })
}

fn read_place(account: &Account) -> Result<PlacedAccount, ParseIdError> {
    let paths = account.paths().iter().map(String::as_str);
    Ok(PlacedAccount::at(read_account(account)?, paths))
}

/// A Region as ListRegions has it. `None` for a Region of an unknown partition that cannot be used, since it changes
/// nothing. One that can be used must not be missed in silence, so it is an error.
fn read_region(region: &Region) -> Result<Option<RegionView>, Unreadable> {
    let status = region
        .region_opt_status()
        .map_or(RegionOptStatus::Unknown, |status| status.as_str().into());
    match region.region_name().unwrap_or_default().parse() {
        Ok(region) => Ok(Some(RegionView { region, status })),
        Err(error) if status.is_usable() => Err(error.into()),
        Err(error) => {
            tracing::debug!(%error, "ListRegions named a Region that is not usable");
            Ok(None)
        }
    }
}

/// `State`, or the retired `Status` of an answer without it.
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
