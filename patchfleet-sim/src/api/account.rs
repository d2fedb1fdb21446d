//! Account Management: ListRegions, GetRegionOptStatus.

use super::{
    ApiError, Caller, Operation, Service,
    check::{given, page_size},
    input,
    page::{Grows, page},
};
use crate::world::{Account, World};
use serde::Serialize;
use serde_json::json;

/// Regions of a page, unless another number is asked for.
const PAGE: usize = 20;

input! {
    /// ListRegions' input.
    ListRegions {
        account_id: String,
        max_results: i64,
        next_token: String,
        region_opt_status_contains: Vec<String>,
    }
}

input! {
    /// GetRegionOptStatus' input.
    GetRegionOptStatus {
        account_id: String,
        region_name: String,
    }
}

/// ListRegions' output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Regions {
    pub(crate) regions: Vec<RegionShape>,
    pub(crate) next_token: Option<String>,
}

/// A Region as an account has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RegionShape {
    pub(crate) region_name: String,
    pub(crate) region_opt_status: &'static str,
}

fn denied(message: impl Into<String>) -> ApiError {
    ApiError::new(403, "AccessDeniedException", message)
}

/// The account of the request: the caller's own, or one that the caller may name. On AWS the management
/// account names other accounts, and never itself.
fn account<'a>(
    world: &'a World,
    caller: &Caller,
    operation: &str,
    id: Option<&str>,
) -> Result<&'a Account, ApiError> {
    let org = &world.organization();
    if id.is_some() && org.in_use && !org.account_management {
        return Err(denied(format!(
            "User: {} is not authorized to perform: account:{operation} (Your organization must first enable trusted access with AWS Account Management.)",
            caller.arn()
        )));
    }
    let id = match id {
        None => caller.account.clone(),
        Some(id) if !org.in_use || !org.may_read(&caller.account) || id == org.management.as_str() => {
            return Err(denied(format!(
                "User: {} is not authorized to name the account {id}.",
                caller.arn()
            )));
        }
        Some(id) => id.parse().map_err(|_| denied("No such account."))?,
    };
    org.accounts
        .get(&id)
        .ok_or_else(|| denied("No such account in the organization."))
}

impl Operation for ListRegions {
    type Output = Regions;
    const SERVICE: Service = Service::Account;
    const NAME: &'static str = "ListRegions";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Regions, ApiError> {
        let wanted = given(self.region_opt_status_contains);
        let account = account(world, caller, Self::NAME, self.account_id.as_deref())?;
        let regions: Vec<RegionShape> = world
            .organization()
            .regions
            .iter()
            .map(|region| RegionShape {
                region_name: region.to_string(),
                region_opt_status: world.organization().opt_status(account, region),
            })
            .filter(|one| wanted.is_empty() || wanted.iter().any(|status| status == one.region_opt_status))
            .collect();
        let listing = format!("regions/{}/{}", account.id, json!(wanted));
        let (regions, next_token) = page(
            world,
            &listing,
            Grows::AtTheEnd,
            regions,
            page_size(self.max_results, PAGE),
            self.next_token.as_deref(),
        )
        .ok_or_else(|| ApiError::client("ValidationException", "The nextToken is not valid."))?;
        Ok(Regions { regions, next_token })
    }
}

impl Operation for GetRegionOptStatus {
    type Output = RegionShape;
    const SERVICE: Service = Service::Account;
    const NAME: &'static str = "GetRegionOptStatus";

    fn run(self, world: &mut World, caller: &Caller) -> Result<RegionShape, ApiError> {
        let account = account(world, caller, Self::NAME, self.account_id.as_deref())?;
        let name = given(self.region_name);
        let mut regions = world.organization().regions.iter();
        let region = regions.find(|region| region.as_str() == name).ok_or_else(|| {
            ApiError::client("ValidationException", format!("There is no Region {name}."))
                .with("reason", "invalidRegionOptTarget")
        })?;
        Ok(RegionShape {
            region_name: name,
            region_opt_status: world.organization().opt_status(account, region),
        })
    }
}
