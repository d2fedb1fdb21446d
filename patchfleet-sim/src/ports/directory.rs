//! Accounts, units and Regions.

use super::{At, MemoryPorts, token, unreadable};
use crate::api::{
    AccountShape, DescribeAccount, GetCallerIdentity, ListAccounts, ListAccountsForParent,
    ListOrganizationalUnitsForParent, ListRegions, ListTagsForResource,
};
use patchfleet_core::{
    id::{AccountId, OrgParent, OuId},
    port::{
        AccountView, BoxFuture, Caller, Directory, Page, PageToken, PlacedAccount, PortResult,
        RegionOptStatus, RegionView,
    },
};

impl Directory for MemoryPorts {
    fn caller(&self) -> BoxFuture<'_, PortResult<Caller>> {
        Box::pin(async {
            let identity = self.call(At::Central, GetCallerIdentity {}).await?;
            Ok(Caller {
                account: identity.account.parse().map_err(unreadable)?,
                region: self.region.clone(),
                arn: identity.arn,
            })
        })
    }

    fn account(&self, account: &AccountId) -> BoxFuture<'_, PortResult<AccountView>> {
        let input = DescribeAccount {
            account_id: Some(account.to_string()),
        };
        Box::pin(async { view(self.call(At::Central, input).await?.account) })
    }

    fn organization(&self, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<PlacedAccount>>> {
        let input = ListAccounts {
            max_results: None,
            next_token: token(page),
        };
        Box::pin(async {
            let page = self.call(At::Central, input).await?;
            let placed = |one: AccountShape| {
                let paths = one.paths.clone();
                Ok(PlacedAccount::at(view(one)?, paths.iter().map(String::as_str)))
            };
            let items = page.accounts.into_iter().map(placed).collect::<PortResult<_>>()?;
            Ok(Page {
                items,
                next: page.next_token.map(PageToken::new),
            })
        })
    }

    fn accounts(
        &self,
        parent: &OrgParent,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<AccountView>>> {
        let input = ListAccountsForParent {
            parent_id: Some(parent.to_string()),
            max_results: None,
            next_token: token(page),
        };
        Box::pin(async {
            let page = self.call(At::Central, input).await?;
            let items = page.accounts.into_iter().map(view).collect::<PortResult<_>>()?;
            Ok(Page {
                items,
                next: page.next_token.map(PageToken::new),
            })
        })
    }

    fn child_units(
        &self,
        parent: &OrgParent,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<OuId>>> {
        let input = ListOrganizationalUnitsForParent {
            parent_id: Some(parent.to_string()),
            max_results: None,
            next_token: token(page),
        };
        Box::pin(async {
            let page = self.call(At::Central, input).await?;
            let units = page.organizational_units.into_iter();
            let items = units
                .map(|one| one.id.parse().map_err(unreadable))
                .collect::<PortResult<_>>()?;
            Ok(Page {
                items,
                next: page.next_token.map(PageToken::new),
            })
        })
    }

    fn account_tags(
        &self,
        account: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(String, String)>>> {
        let input = ListTagsForResource {
            resource_id: Some(account.to_string()),
            next_token: token(page),
        };
        Box::pin(async {
            let page = self.call(At::Central, input).await?;
            let tags = page.tags.into_iter().map(|tag| (tag.key, tag.value));
            Ok(Page {
                items: tags.collect(),
                next: page.next_token.map(PageToken::new),
            })
        })
    }

    fn regions(
        &self,
        account: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<RegionView>>> {
        let at = At::Account(account.clone());
        // In the account itself, so it is not named: AWS refuses the management account's own id.
        let input = ListRegions {
            max_results: Some(50),
            next_token: token(page),
            ..ListRegions::default()
        };
        Box::pin(async {
            let page = self.call(at, input).await?;
            let view = |one: crate::api::RegionShape| {
                let status = RegionOptStatus::from(one.region_opt_status);
                Ok(RegionView {
                    region: one.region_name.parse().map_err(unreadable)?,
                    status,
                })
            };
            let items = page.regions.into_iter().map(view).collect::<PortResult<_>>()?;
            Ok(Page {
                items,
                next: page.next_token.map(PageToken::new),
            })
        })
    }
}

fn view(account: AccountShape) -> PortResult<AccountView> {
    Ok(AccountView {
        id: account.id.parse().map_err(unreadable)?,
        state: account.state.into(),
    })
}
