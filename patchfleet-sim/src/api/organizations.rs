//! Organizations: the tree, and what is known of accounts. Only the management account may ask.

use super::{
    ApiError, Caller, Operation, Service,
    check::{Checks, given, page_size},
    input,
    page::{Grows, page},
    time::WireTime,
};
use crate::world::{Account, World};
use patchfleet_core::id::{OrgParent, OuId, TargetAccount};
use serde::Serialize;
use serde_json::{Value, json};

input! { /// ListRoots' input.
ListRoots { max_results: i64, next_token: String, } }
input! { /// ListAccounts' input.
ListAccounts { max_results: i64, next_token: String, } }
input! { /// ListAccountsForParent's input.
ListAccountsForParent { parent_id: String, max_results: i64, next_token: String, } }
input! { /// ListOrganizationalUnitsForParent's input.
ListOrganizationalUnitsForParent { parent_id: String, max_results: i64, next_token: String, } }
input! { /// DescribeAccount's input.
DescribeAccount { account_id: String, } }
input! { /// DescribeOrganizationalUnit's input.
DescribeOrganizationalUnit { organizational_unit_id: String, } }
input! { /// DescribeOrganization's input.
DescribeOrganization {} }

/// An account.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AccountShape {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) state: &'static str,
    pub(crate) joined_method: &'static str,
    pub(crate) joined_timestamp: WireTime,
}

/// A listing of accounts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Accounts {
    pub(crate) accounts: Vec<AccountShape>,
    pub(crate) next_token: Option<String>,
}

/// DescribeAccount's output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DescribedAccount {
    pub(crate) account: AccountShape,
}

/// A unit.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UnitShape {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) name: String,
}

/// A listing of units.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Units {
    pub(crate) organizational_units: Vec<UnitShape>,
    pub(crate) next_token: Option<String>,
}

fn allow(world: &World, caller: &Caller) -> Result<(), ApiError> {
    if caller.account == world.org.management {
        return Ok(());
    }
    Err(ApiError::client(
        "AccessDeniedException",
        "You don't have permissions to access this resource.",
    ))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidInputException", message)
}

fn prefix(world: &World) -> String {
    format!(
        "arn:{}:organizations::{}",
        world.org.partition, world.org.management
    )
}

fn account_shape(world: &World, one: &Account) -> AccountShape {
    AccountShape {
        id: one.id.to_string(),
        arn: format!("{}:account/{}/{}", prefix(world), world.org.id, one.id),
        email: format!(
            "aws+{}@example.com",
            one.name.to_ascii_lowercase().replace(' ', "-")
        ),
        name: one.name.clone(),
        state: one.state(),
        joined_method: if one.id == world.org.management {
            "INVITED"
        } else {
            "CREATED"
        },
        joined_timestamp: one.joined.into(),
    }
}

fn unit_shape(world: &World, id: &OuId, name: &str) -> UnitShape {
    UnitShape {
        id: id.to_string(),
        arn: format!("{}:ou/{}/{id}", prefix(world), world.org.id),
        name: name.to_owned(),
    }
}

fn list<T>(
    world: &World,
    what: &str,
    items: Vec<T>,
    max: Option<i64>,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let mut checks = Checks::default();
    checks.range("maxResults", max, 1..=20);
    checks.done().map_err(|error| invalid(error.message()))?;
    page(world, what, Grows::AtTheEnd, items, page_size(max, 20), token)
        .ok_or_else(|| invalid("You provided a NextToken that isn't valid."))
}

/// The parent that an id means.
fn parent(world: &World, id: Option<String>) -> Result<OrgParent, ApiError> {
    let id = id.ok_or_else(|| invalid("ParentId is required."))?;
    match id.parse() {
        Ok(TargetAccount::Parent(parent)) if world.org.has_parent(&parent) => Ok(parent),
        Ok(TargetAccount::Parent(_)) => Err(ApiError::client(
            "ParentNotFoundException",
            "You specified a parent that doesn't exist.",
        )),
        _ => Err(invalid("You specified an invalid value for ParentId.")),
    }
}

impl Operation for ListRoots {
    type Output = Value;
    const SERVICE: Service = Service::Organizations;
    const NAME: &'static str = "ListRoots";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        allow(world, caller)?;
        let root = &world.org.root;
        let arn = format!("{}:root/{}/{root}", prefix(world), world.org.id);
        let root = json!({"Id": root, "Arn": arn, "Name": "Root", "PolicyTypes": []});
        let (roots, next) = list(
            world,
            "roots",
            vec![root],
            self.max_results,
            self.next_token.as_deref(),
        )?;
        Ok(json!({"Roots": roots, "NextToken": next}))
    }
}

impl Operation for ListAccounts {
    type Output = Accounts;
    const SERVICE: Service = Service::Organizations;
    const NAME: &'static str = "ListAccounts";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Accounts, ApiError> {
        allow(world, caller)?;
        let all = world
            .org
            .accounts()
            .map(|one| account_shape(world, one))
            .collect();
        let (accounts, next_token) = list(
            world,
            "accounts",
            all,
            self.max_results,
            self.next_token.as_deref(),
        )?;
        Ok(Accounts { accounts, next_token })
    }
}

impl Operation for ListAccountsForParent {
    type Output = Accounts;
    const SERVICE: Service = Service::Organizations;
    const NAME: &'static str = "ListAccountsForParent";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Accounts, ApiError> {
        allow(world, caller)?;
        let parent = parent(world, self.parent_id)?;
        let all = world
            .org
            .accounts_of(&parent)
            .map(|one| account_shape(world, one))
            .collect();
        let (accounts, next_token) = list(
            world,
            &format!("accounts/{parent}"),
            all,
            self.max_results,
            self.next_token.as_deref(),
        )?;
        Ok(Accounts { accounts, next_token })
    }
}

impl Operation for ListOrganizationalUnitsForParent {
    type Output = Units;
    const SERVICE: Service = Service::Organizations;
    const NAME: &'static str = "ListOrganizationalUnitsForParent";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Units, ApiError> {
        allow(world, caller)?;
        let parent = parent(world, self.parent_id)?;
        let all = world
            .org
            .units_of(&parent)
            .map(|(id, one)| unit_shape(world, id, &one.name))
            .collect();
        let (organizational_units, next_token) = list(
            world,
            &format!("units/{parent}"),
            all,
            self.max_results,
            self.next_token.as_deref(),
        )?;
        Ok(Units {
            organizational_units,
            next_token,
        })
    }
}

impl Operation for DescribeAccount {
    type Output = DescribedAccount;
    const SERVICE: Service = Service::Organizations;
    const NAME: &'static str = "DescribeAccount";

    fn run(self, world: &mut World, caller: &Caller) -> Result<DescribedAccount, ApiError> {
        allow(world, caller)?;
        let id = given(self.account_id);
        let id = id
            .parse()
            .map_err(|_| invalid("You specified an invalid value for AccountId."))?;
        let one = world.org.accounts.get(&id);
        let one = one.ok_or_else(|| {
            ApiError::client(
                "AccountNotFoundException",
                "You specified an account that doesn't exist.",
            )
        })?;
        Ok(DescribedAccount {
            account: account_shape(world, one),
        })
    }
}

impl Operation for DescribeOrganizationalUnit {
    type Output = Value;
    const SERVICE: Service = Service::Organizations;
    const NAME: &'static str = "DescribeOrganizationalUnit";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        allow(world, caller)?;
        let id = given(self.organizational_unit_id);
        let id: OuId = id
            .parse()
            .map_err(|_| invalid("You specified an invalid value for OrganizationalUnitId."))?;
        let one = world.org.units.get(&id);
        let one = one.ok_or_else(|| {
            ApiError::client(
                "OrganizationalUnitNotFoundException",
                "You specified an organizational unit that doesn't exist.",
            )
        })?;
        Ok(json!({"OrganizationalUnit": unit_shape(world, &id, &one.name)}))
    }
}

impl Operation for DescribeOrganization {
    type Output = Value;
    const SERVICE: Service = Service::Organizations;
    const NAME: &'static str = "DescribeOrganization";

    /// The one operation of these that every account of the organization may call.
    fn run(self, world: &mut World, _: &Caller) -> Result<Value, ApiError> {
        let org = &world.org;
        let arn = |what: &str| format!("{}:{what}", prefix(world));
        let management = org
            .accounts
            .get(&org.management)
            .map(|one| account_shape(world, one).email);
        Ok(json!({"Organization": {
            "Id": org.id,
            "Arn": arn(&format!("organization/{}", org.id)),
            "FeatureSet": "ALL",
            "MasterAccountArn": arn(&format!("account/{}/{}", org.id, org.management)),
            "MasterAccountId": org.management,
            "MasterAccountEmail": management,
        }}))
    }
}
