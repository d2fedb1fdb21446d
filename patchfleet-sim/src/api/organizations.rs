//! Organizations: the tree, and what is known of accounts. Only the management account and those that
//! it delegates to may ask.

use super::{
    ApiError, Caller, Operation, Service,
    check::{given, page_size},
    input,
    page::{Grows, page},
    time::WireTime,
};
use crate::world::{Account, Tag, Unit, World};
use patchfleet_core::id::{OrgParent, OuId, TargetAccount};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

input! { /// ListRoots' input.
ListRoots { max_results: i64, next_token: String, } }
input! { /// ListAccounts' input.
ListAccounts { max_results: i64, next_token: String, } }
input! { /// ListAccountsForParent's input.
ListAccountsForParent { parent_id: String, max_results: i64, next_token: String, } }
input! { /// ListOrganizationalUnitsForParent's input.
ListOrganizationalUnitsForParent { parent_id: String, max_results: i64, next_token: String, } }
input! { /// ListChildren's input.
ListChildren { parent_id: String, child_type: String, max_results: i64, next_token: String, } }
input! { /// DescribeAccount's input.
DescribeAccount { account_id: String, } }
input! { /// DescribeOrganizationalUnit's input.
DescribeOrganizationalUnit { organizational_unit_id: String, } }
input! { /// ListTagsForResource's input.
ListTagsForResource { resource_id: String, next_token: String, } }
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
    /// What `state` was before it; AWS still answered it after the day for which it had announced the end.
    pub(crate) status: &'static str,
    pub(crate) paths: Vec<String>,
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
    pub(crate) path: String,
}

/// A listing of units.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Units {
    pub(crate) organizational_units: Vec<UnitShape>,
    pub(crate) next_token: Option<String>,
}

/// ListTagsForResource's output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tags {
    pub(crate) tags: Vec<Tag>,
    pub(crate) next_token: Option<String>,
}

/// Refuses a world without an organization.
fn in_use(world: &World) -> Result<(), ApiError> {
    if world.organization().in_use {
        return Ok(());
    }
    Err(ApiError::client(
        "AWSOrganizationsNotInUseException",
        "Your account is not a member of an organization.",
    ))
}

fn allow(world: &World, caller: &Caller) -> Result<(), ApiError> {
    in_use(world)?;
    if world.organization().may_read(&caller.account) {
        return Ok(());
    }
    Err(ApiError::client(
        "AccessDeniedException",
        "You don't have permissions to access this resource.",
    ))
}

/// `reason` is one of the model's.
fn invalid(message: impl Into<String>, reason: &'static str) -> ApiError {
    ApiError::client("InvalidInputException", message).with("Reason", reason)
}

fn prefix(world: &World) -> String {
    format!(
        "arn:{}:organizations::{}",
        world.organization().partition,
        world.organization().management
    )
}

fn account_shape(world: &World, one: &Account) -> AccountShape {
    AccountShape {
        id: one.id.to_string(),
        arn: format!("{}:account/{}/{}", prefix(world), world.organization().id, one.id),
        email: email(&one.name),
        name: one.name.clone(),
        state: one.state(),
        status: one.status(),
        paths: vec![format!("{}{}/", path(world, &one.parent), one.id)],
        joined_method: if one.id == world.organization().management {
            "INVITED"
        } else {
            "CREATED"
        },
        joined_timestamp: one.joined.into(),
    }
}

/// An address is of at most 64 characters.
fn email(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = name.chars().take(40).map(plain).collect();
    format!("aws+{}@example.com", name.to_ascii_lowercase())
}

/// Where something below `parent` stands: `o-…/r-…/ou-…/`.
fn path(world: &World, parent: &OrgParent) -> String {
    let org = &world.organization();
    let (mut above, mut units) = (parent, vec![]);
    // A world has no circles, and so no way up that is longer than it has units.
    while let OrgParent::Ou(id) = above
        && let Some(unit) = org.units.get(id)
    {
        units.push(id.as_str());
        above = &unit.parent;
    }
    units.reverse();
    let units: String = units.iter().map(|id| format!("{id}/")).collect();
    format!("{}/{}/{units}", org.id, org.root)
}

fn unit_shape(world: &World, id: &OuId, unit: &Unit) -> UnitShape {
    UnitShape {
        id: id.to_string(),
        arn: format!("{}:ou/{}/{id}", prefix(world), world.organization().id),
        name: unit.name.clone(),
        path: format!("{}{id}/", path(world, &unit.parent)),
    }
}

/// A page of accounts.
fn listed<'a>(
    world: &World,
    accounts: impl IntoIterator<Item = &'a Account>,
    next_token: Option<String>,
) -> Accounts {
    let accounts = accounts.into_iter().map(|one| account_shape(world, one));
    Accounts {
        accounts: accounts.collect(),
        next_token,
    }
}

fn list<T>(
    world: &World,
    what: &str,
    items: Vec<T>,
    max: Option<i64>,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    page(world, what, Grows::AtTheEnd, items, page_size(max, 20), token)
        .ok_or_else(|| invalid("You provided a NextToken that isn't valid.", "INVALID_NEXT_TOKEN"))
}

/// The parent that an id means.
fn parent(world: &World, id: Option<String>) -> Result<OrgParent, ApiError> {
    match given(id).parse() {
        Ok(TargetAccount::Parent(parent)) if world.organization().has_parent(&parent) => Ok(parent),
        Ok(TargetAccount::Parent(_)) => Err(ApiError::client(
            "ParentNotFoundException",
            "You specified a parent that doesn't exist.",
        )),
        _ => Err(invalid(
            "You specified an invalid value for ParentId.",
            "INVALID_PATTERN",
        )),
    }
}

impl Operation for ListRoots {
    type Output = Value;
    const SERVICE: Service = Service::Organizations;
    const NAME: &'static str = "ListRoots";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        allow(world, caller)?;
        let root = &world.organization().root;
        let arn = format!("{}:root/{}/{root}", prefix(world), world.organization().id);
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
        let all = world.organization().accounts().collect();
        let (accounts, next_token) = list(
            world,
            "accounts",
            all,
            self.max_results,
            self.next_token.as_deref(),
        )?;
        Ok(listed(world, accounts, next_token))
    }
}

impl Operation for ListAccountsForParent {
    type Output = Accounts;
    const SERVICE: Service = Service::Organizations;
    const NAME: &'static str = "ListAccountsForParent";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Accounts, ApiError> {
        allow(world, caller)?;
        let parent = parent(world, self.parent_id)?;
        let all = world.organization().accounts_of(&parent).iter().collect();
        let (ids, next_token) = list(
            world,
            &format!("accounts/{parent}"),
            all,
            self.max_results,
            self.next_token.as_deref(),
        )?;
        let accounts = ids
            .into_iter()
            .filter_map(|id| world.organization().accounts.get(id));
        Ok(listed(world, accounts, next_token))
    }
}

impl Operation for ListOrganizationalUnitsForParent {
    type Output = Units;
    const SERVICE: Service = Service::Organizations;
    const NAME: &'static str = "ListOrganizationalUnitsForParent";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Units, ApiError> {
        allow(world, caller)?;
        let parent = parent(world, self.parent_id)?;
        let all = world.organization().units_of(&parent).iter().collect();
        let (ids, next_token) = list(
            world,
            &format!("units/{parent}"),
            all,
            self.max_results,
            self.next_token.as_deref(),
        )?;
        let units = ids
            .into_iter()
            .filter_map(|id| Some((id, world.organization().units.get(id)?)));
        Ok(Units {
            organizational_units: units.map(|(id, unit)| unit_shape(world, id, unit)).collect(),
            next_token,
        })
    }
}

impl Operation for ListChildren {
    type Output = Value;
    const SERVICE: Service = Service::Organizations;
    const NAME: &'static str = "ListChildren";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        allow(world, caller)?;
        let parent = parent(world, self.parent_id)?;
        let kind = given(self.child_type);
        let ids: Vec<String> = if kind == "ACCOUNT" {
            let accounts = world.organization().accounts_of(&parent).iter();
            accounts.map(ToString::to_string).collect()
        } else {
            let units = world.organization().units_of(&parent).iter();
            units.map(ToString::to_string).collect()
        };
        let (ids, next_token) = list(
            world,
            &format!("children/{kind}/{parent}"),
            ids,
            self.max_results,
            self.next_token.as_deref(),
        )?;
        let children: Vec<Value> = ids.iter().map(|id| json!({"Id": id, "Type": kind})).collect();
        Ok(json!({"Children": children, "NextToken": next_token}))
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
            .map_err(|_| invalid("You specified an invalid value for AccountId.", "INVALID_PATTERN"))?;
        let one = world.organization().accounts.get(&id);
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
        let id: OuId = id.parse().map_err(|_| {
            invalid(
                "You specified an invalid value for OrganizationalUnitId.",
                "INVALID_PATTERN",
            )
        })?;
        let one = world.organization().units.get(&id);
        let one = one.ok_or_else(|| {
            ApiError::client(
                "OrganizationalUnitNotFoundException",
                "You specified an organizational unit that doesn't exist.",
            )
        })?;
        Ok(json!({"OrganizationalUnit": unit_shape(world, &id, one)}))
    }
}

impl Operation for ListTagsForResource {
    type Output = Tags;
    const SERVICE: Service = Service::Organizations;
    const NAME: &'static str = "ListTagsForResource";

    /// Of the resources that may have tags a world gives them to accounts alone, and it has no policies. How many AWS gives on
    /// a page is not documented.
    fn run(self, world: &mut World, caller: &Caller) -> Result<Tags, ApiError> {
        allow(world, caller)?;
        let id = given(self.resource_id);
        let organization = world.organization();
        let tags = match id.parse() {
            Ok(TargetAccount::Account(account)) => {
                let account = organization.accounts.get(&account);
                account.map(|account| account.tags.clone())
            }
            Ok(TargetAccount::Parent(parent)) => organization.has_parent(&parent).then(BTreeMap::new),
            Err(_) => None,
        };
        let tags = tags.ok_or_else(|| {
            ApiError::client(
                "TargetNotFoundException",
                "You specified a target that doesn't exist.",
            )
        })?;
        let tags = tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
        let token = self.next_token.as_deref();
        let (tags, next_token) = list(world, &format!("tags/{id}"), tags, None, token)?;
        Ok(Tags { tags, next_token })
    }
}

impl Operation for DescribeOrganization {
    type Output = Value;
    const SERVICE: Service = Service::Organizations;
    const NAME: &'static str = "DescribeOrganization";

    /// The one operation of these that every account of the organization may call.
    fn run(self, world: &mut World, _: &Caller) -> Result<Value, ApiError> {
        in_use(world)?;
        let org = &world.organization();
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
            "AvailablePolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}],
        }}))
    }
}
