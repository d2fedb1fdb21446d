//! Account Management: ListRegions.

use super::{
    ApiError, Caller, Operation, Service,
    check::{Checks, given, page_size},
    input,
    page::{Grows, page},
};
use crate::world::World;
use serde::Serialize;
use serde_json::json;

input! {
    /// ListRegions' input.
    ListRegions {
        account_id: String,
        max_results: i64,
        next_token: String,
        region_opt_status_contains: Vec<String>,
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

impl Operation for ListRegions {
    type Output = Regions;
    const SERVICE: Service = Service::Account;
    const NAME: &'static str = "ListRegions";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Regions, ApiError> {
        let mut checks = Checks::default();
        checks.range("maxResults", self.max_results, 1..=50);
        checks.that(
            "accountId",
            self.account_id.as_deref(),
            |id| id.parse::<patchfleet_core::id::AccountId>().is_ok(),
            "\\d{12}",
        );
        let wanted = given(self.region_opt_status_contains);
        for status in &wanted {
            checks.one_of(
                "regionOptStatusContains.member",
                Some(status),
                &[
                    "ENABLED",
                    "ENABLING",
                    "DISABLING",
                    "DISABLED",
                    "ENABLED_BY_DEFAULT",
                ],
            );
        }
        checks.done()?;
        let denied = |message: &str| ApiError::new(403, "AccessDeniedException", message);
        let id = match &self.account_id {
            None => caller.account.clone(),
            // AWS has it so: the management account names others, and leaves itself out.
            Some(id) if caller.account != world.org.management || *id == caller.account.as_str() => {
                return Err(denied(&format!(
                    "User: {} is not authorized to name the account {id}.",
                    caller.arn()
                )));
            }
            Some(id) => id.parse().map_err(|_| denied("No such account."))?,
        };
        let account = world
            .org
            .accounts
            .get(&id)
            .ok_or_else(|| denied("No such account in the organization."))?;
        let regions: Vec<RegionShape> = world
            .org
            .regions
            .iter()
            .map(|region| RegionShape {
                region_name: region.to_string(),
                region_opt_status: world.org.opt_status(account, region),
            })
            .filter(|one| wanted.is_empty() || wanted.iter().any(|status| status == one.region_opt_status))
            .collect();
        let listing = format!("regions/{id}/{}", json!(wanted));
        let (regions, next_token) = page(
            world,
            &listing,
            Grows::AtTheEnd,
            regions,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(|| ApiError::client("ValidationException", "The nextToken is not valid."))?;
        Ok(Regions { regions, next_token })
    }
}
