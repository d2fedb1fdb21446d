//! Resource Groups: groups are made, deleted and listed here; what is in them stands in
//! [`resources`].

mod resources;

pub(crate) use resources::{Identifier, ListGroupResources, QueryErrorShape, SearchResources};

use super::{
    ApiError, Caller, Operation, Service,
    check::{given, page_size},
    input,
    page::{Grows, page},
};
use crate::world::{Group, GroupDetails, Members, Place, TagQuery, World};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

input! {
    /// CreateGroup's input.
    CreateGroup {
        name: String,
        description: String,
        resource_query: ResourceQuery,
        tags: BTreeMap<String, String>,
        configuration: Vec<Value>,
        criticality: i64,
        owner: String,
        display_name: String,
    }
}

input! {
    /// DeleteGroup's input.
    DeleteGroup {
        group_name: String,
        group: String,
    }
}

input! {
    /// GetGroup's input.
    GetGroup {
        group_name: String,
        group: String,
    }
}

input! {
    /// GetGroupQuery's input.
    GetGroupQuery {
        group_name: String,
        group: String,
    }
}

input! {
    /// ListGroups' input.
    ListGroups {
        filters: Vec<GroupFilter>,
        max_results: i64,
        next_token: String,
    }
}

/// A filter of groups.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct GroupFilter {
    name: String,
    values: Vec<String>,
}

/// A query: its type, and JSON as text.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ResourceQuery {
    pub(crate) r#type: String,
    pub(crate) query: String,
}

/// A group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GroupShape {
    group_arn: String,
    name: String,
    description: Option<String>,
    criticality: Option<i64>,
    owner: Option<String>,
    display_name: Option<String>,
}

/// What ListGroups answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Groups {
    group_identifiers: Vec<Value>,
    groups: Vec<GroupShape>,
    next_token: Option<String>,
}

fn bad(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "BadRequestException", message)
}

fn bad_token() -> ApiError {
    bad("The NextToken is not valid.")
}

fn arn_of(caller: &Caller, name: &str) -> String {
    let Caller { account, region, .. } = caller;
    format!(
        "arn:{}:resource-groups:{region}:{account}:group/{name}",
        region.partition()
    )
}

/// The name of the group that a name or an ARN means; `old` is the deprecated member.
fn name_of(caller: &Caller, group: Option<String>, old: Option<String>) -> Result<String, ApiError> {
    let named = group
        .or(old)
        .ok_or_else(|| bad("Group name or ARN is required."))?;
    let Some(arn) = named.strip_prefix("arn:") else {
        return Ok(named);
    };
    let [_, _, region, account, resource] = arn.splitn(5, ':').collect::<Vec<_>>()[..] else {
        return Err(bad("Group name or ARN is not valid."));
    };
    if account != caller.account.as_str() {
        return Err(super::gate::access_denied_to(
            caller,
            Service::ResourceGroups,
            "GetGroup",
            &named,
        ));
    }
    let name = resource.strip_prefix("group/").unwrap_or_default();
    if region == caller.region.as_str() {
        Ok(name.to_owned())
    } else {
        Err(not_found())
    }
}

fn not_found() -> ApiError {
    ApiError::new(404, "NotFoundException", "The specified group does not exist")
}

/// The group of that name, with its place.
fn find<'a>(world: &'a World, caller: &Caller, name: &str) -> Result<(&'a Place, &'a Group), ApiError> {
    let place = world.place(&caller.location());
    place
        .and_then(|place| Some((place, place.groups.get(name)?.as_ref())))
        .ok_or_else(not_found)
}

/// Reads a query. The world has no CloudFormation stacks.
fn query(given: &ResourceQuery) -> Result<TagQuery, ApiError> {
    if given.r#type != "TAG_FILTERS_1_0" {
        return Err(bad("CloudFormation stacks are not simulated."));
    }
    TagQuery::read(&given.query).map_err(|problem| bad(format!("Query not valid: {problem}.")))
}

fn shape(caller: &Caller, name: &str, group: &Group) -> GroupShape {
    let details = &group.details;
    GroupShape {
        group_arn: arn_of(caller, name),
        name: name.to_owned(),
        description: details.description.clone(),
        criticality: details.criticality,
        owner: details.owner.clone(),
        display_name: details.display_name.clone(),
    }
}

fn types_of(configuration: Option<&Value>) -> Vec<&str> {
    let items = configuration.and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .filter_map(|item| item.get("Type")?.as_str())
        .collect()
}

impl Operation for CreateGroup {
    type Output = Value;
    const SERVICE: Service = Service::ResourceGroups;
    const NAME: &'static str = "CreateGroup";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        let name = given(self.name);
        if name.to_ascii_lowercase().starts_with("aws") {
            return Err(bad("The name of a group cannot start with AWS."));
        }
        let members = match (&self.resource_query, &self.configuration) {
            (Some(_), Some(_)) => {
                return Err(bad(
                    "A group has either a ResourceQuery or a Configuration, not both.",
                ));
            }
            (Some(wanted), None) => Members::Queried(query(wanted)?, wanted.query.clone()),
            (None, _) => Members::Configured,
        };
        let configuration = self.configuration.map(Value::from);
        let types = types_of(configuration.as_ref());
        if types.iter().collect::<BTreeSet<_>>().len() < types.len() {
            return Err(bad("Each item of a Configuration has a Type of its own."));
        }
        let group = Group {
            query_errors: vec![],
            members,
            details: GroupDetails {
                description: self.description,
                criticality: self.criticality,
                owner: self.owner,
                display_name: self.display_name,
                tags: given(self.tags),
                configuration,
            },
        };
        let place = world.place_made(&caller.location());
        if place.groups.contains_key(&name) {
            return Err(bad(format!("The group {name} exists already.")));
        }
        let configured = group
            .details
            .configuration
            .as_ref()
            .map(|items| json!({"Configuration": items, "Status": "UPDATE_COMPLETE"}));
        let answer = json!({
            "Group": shape(caller, &name, &group),
            "ResourceQuery": self.resource_query,
            "Tags": group.details.tags,
            "GroupConfiguration": configured,
        });
        place.groups.insert(name, Arc::new(group));
        Ok(answer)
    }
}

impl Operation for DeleteGroup {
    type Output = Value;
    const SERVICE: Service = Service::ResourceGroups;
    const NAME: &'static str = "DeleteGroup";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        let name = name_of(caller, self.group, self.group_name)?;
        let (_, group) = find(world, caller, &name)?;
        let answer = json!({"Group": shape(caller, &name, group)});
        world.remove_group(&caller.location(), &name);
        Ok(answer)
    }
}

impl Operation for GetGroup {
    type Output = Value;
    const SERVICE: Service = Service::ResourceGroups;
    const NAME: &'static str = "GetGroup";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        let name = name_of(caller, self.group, self.group_name)?;
        let (_, group) = find(world, caller, &name)?;
        Ok(json!({"Group": shape(caller, &name, group)}))
    }
}

impl Operation for GetGroupQuery {
    type Output = Value;
    const SERVICE: Service = Service::ResourceGroups;
    const NAME: &'static str = "GetGroupQuery";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        let name = name_of(caller, self.group, self.group_name)?;
        let (_, group) = find(world, caller, &name)?;
        let text = group
            .query_text(&name)
            .ok_or_else(|| bad(format!("The group {name} has no query.")))?;
        Ok(json!({"GroupQuery": {
            "GroupName": name,
            "ResourceQuery": {"Type": "TAG_FILTERS_1_0", "Query": text},
        }}))
    }
}

/// Whether a group passes a filter, the name of which is one of the model's.
fn passes(name: &str, group: &Group, filter: &GroupFilter) -> bool {
    let any = |has: &dyn Fn(&String) -> bool| filter.values.iter().any(has);
    let details = &group.details;
    match filter.name.as_str() {
        "resource-type" => {
            let query = group.query(name);
            any(&|kind| {
                query
                    .as_ref()
                    .is_some_and(|query| query.resource_type_filters.contains(kind))
            })
        }
        "configuration-type" => {
            let types = types_of(details.configuration.as_ref());
            any(&|kind| types.contains(&kind.as_str()))
        }
        "owner" => any(&|owner| details.owner.as_ref() == Some(owner)),
        "display-name" => any(&|name| details.display_name.as_ref() == Some(name)),
        _ => any(&|rank| details.criticality.is_some_and(|has| has.to_string() == *rank)),
    }
}

impl Operation for ListGroups {
    type Output = Groups;
    const SERVICE: Service = Service::ResourceGroups;
    const NAME: &'static str = "ListGroups";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Groups, ApiError> {
        let filters = given(self.filters);
        let place = world.place(&caller.location());
        let groups: Vec<(&String, &Group)> = place
            .into_iter()
            .flat_map(|place| &place.groups)
            .map(|(name, group)| (name, &**group))
            .filter(|(name, group)| filters.iter().all(|filter| passes(name, group, filter)))
            .collect();
        let listing = format!("groups/{}/{}", caller.location(), json!(filters));
        let (groups, next_token) = page(
            world,
            &listing,
            Grows::AtTheEnd,
            groups,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(bad_token)?;
        let groups: Vec<GroupShape> = groups
            .into_iter()
            .map(|(name, group)| shape(caller, name, group))
            .collect();
        let identifier = |one: &GroupShape| {
            json!({
                "GroupName": one.name,
                "GroupArn": one.group_arn,
                "Description": one.description,
                "Criticality": one.criticality,
                "Owner": one.owner,
                "DisplayName": one.display_name,
            })
        };
        Ok(Groups {
            group_identifiers: groups.iter().map(identifier).collect(),
            groups,
            next_token,
        })
    }
}
