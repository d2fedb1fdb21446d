//! Resource Groups: ListGroupResources, GetGroup, SearchResources.

use super::{
    ApiError, Caller, Operation, Service,
    check::{Checks, given, page_size},
    input,
    page::{Grows, page},
};
use crate::world::{Group, Node, Place, World};
use patchfleet_core::id::{Location, ResourceGroupName};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A filter of a group's resources.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ResourceFilter {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) values: Vec<String>,
}

input! {
    /// ListGroupResources' input.
    ListGroupResources {
        group_name: String,
        group: String,
        filters: Vec<ResourceFilter>,
        max_results: i64,
        next_token: String,
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
    /// SearchResources' input.
    SearchResources {
        resource_query: ResourceQuery,
        max_results: i64,
        next_token: String,
    }
}

/// A query: its type, and JSON as text.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ResourceQuery {
    #[serde(default)]
    pub(crate) r#type: String,
    #[serde(default)]
    pub(crate) query: String,
}

/// The query of type TAG_FILTERS_1_0.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagQuery {
    resource_type_filters: Vec<String>,
    #[serde(default)]
    tag_filters: Vec<TagFilter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagFilter {
    key: String,
    #[serde(default)]
    values: Vec<String>,
}

/// A resource.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Identifier {
    pub(crate) resource_arn: String,
    pub(crate) resource_type: &'static str,
}

/// A resource, as ListGroupResources wraps it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Resource {
    pub(crate) identifier: Identifier,
}

/// Why an answer is not whole.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct QueryErrorShape {
    pub(crate) error_code: String,
    pub(crate) message: String,
}

/// ListGroupResources' output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GroupResources {
    pub(crate) resources: Vec<Resource>,
    pub(crate) resource_identifiers: Vec<Identifier>,
    pub(crate) next_token: Option<String>,
    pub(crate) query_errors: Vec<QueryErrorShape>,
}

/// SearchResources' output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Found {
    pub(crate) resource_identifiers: Vec<Identifier>,
    pub(crate) next_token: Option<String>,
    pub(crate) query_errors: Vec<QueryErrorShape>,
}

fn query_error(code: &str) -> QueryErrorShape {
    QueryErrorShape {
        error_code: code.to_owned(),
        message: "The resources of the group could not all be read.".to_owned(),
    }
}

fn bad(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "BadRequestException", message)
}

/// Resource Groups has its own name for a bad input.
fn done(checks: Checks) -> Result<(), ApiError> {
    checks.done().map_err(|error| bad(error.message()))
}

/// The group that a name or ARN means, with its place.
fn find<'a>(
    world: &'a World,
    caller: &Caller,
    named: &str,
) -> Result<(&'a Place, &'a Group, String), ApiError> {
    let name = named.rsplit_once('/').map_or(named, |(_, name)| name).to_owned();
    if name.parse::<ResourceGroupName>().is_err() {
        return Err(bad("Group name or ARN is not valid."));
    }
    let location = Location::new(caller.account.clone(), caller.region.clone());
    let place = world.places.get(&location);
    let group = place.and_then(|place| Some((place, place.groups.get(&name)?)));
    match group {
        Some((place, group)) => Ok((place, group, name)),
        None => Err(ApiError::new(
            404,
            "NotFoundException",
            format!("Cannot find group: {name}."),
        )),
    }
}

fn identifier(node: &Node) -> Identifier {
    Identifier {
        resource_arn: node.arn(),
        resource_type: node.resource_type(),
    }
}

impl Operation for ListGroupResources {
    type Output = GroupResources;
    const SERVICE: Service = Service::ResourceGroups;
    const NAME: &'static str = "ListGroupResources";

    fn run(self, world: &mut World, caller: &Caller) -> Result<GroupResources, ApiError> {
        let mut checks = Checks::default();
        checks.range("MaxResults", self.max_results, 1..=50);
        checks.text("NextToken", self.next_token.as_deref(), 0..=8192);
        for filter in self.filters.iter().flatten() {
            checks.one_of("Filters.member.Name", Some(&filter.name), &["resource-type"]);
            checks.length("Filters.member.Values", Some(filter.values.len()), 1..=5);
        }
        done(checks)?;
        let named = self
            .group
            .or(self.group_name)
            .ok_or_else(|| bad("Group name or ARN is required."))?;
        let (place, group, name) = find(world, caller, &named)?;
        let filters = given(self.filters);
        let known = [
            "AWS::EC2::Instance",
            "AWS::SSM::ManagedInstance",
            "AWS::AllSupported",
        ];
        if filters
            .iter()
            .flat_map(|filter| &filter.values)
            .any(|kind| !known.contains(&kind.as_str()))
        {
            return Err(bad("The resource type filter is not one of the group's query."));
        }
        let wanted = |node: &&Node| {
            filters.iter().all(|filter| {
                filter
                    .values
                    .iter()
                    .any(|kind| kind == "AWS::AllSupported" || kind == node.resource_type())
            })
        };
        let members: Vec<Identifier> = place.members(&name).filter(wanted).map(identifier).collect();
        let listing = format!(
            "group/{}/{}/{name}/{}",
            caller.account,
            caller.region,
            json!(filters)
        );
        let (members, next_token) = page(
            &listing,
            Grows::AtTheEnd,
            members,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(|| bad("The NextToken is not valid."))?;
        let query_errors = group.query_errors.iter().chain(&world.query_errors);
        let query_errors = query_errors.map(|code| query_error(code));
        Ok(GroupResources {
            resources: members
                .iter()
                .map(|identifier| Resource {
                    identifier: identifier.clone(),
                })
                .collect(),
            query_errors: query_errors.collect(),
            resource_identifiers: members,
            next_token,
        })
    }
}

impl Operation for GetGroup {
    type Output = Value;
    const SERVICE: Service = Service::ResourceGroups;
    const NAME: &'static str = "GetGroup";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        let named = self
            .group
            .or(self.group_name)
            .ok_or_else(|| bad("Group name or ARN is required."))?;
        let (_, _, name) = find(world, caller, &named)?;
        let (partition, Caller { account, region, .. }) = (caller.region.partition(), caller);
        let arn = format!("arn:{partition}:resource-groups:{region}:{account}:group/{name}");
        Ok(json!({"Group": {"GroupArn": arn, "Name": name}}))
    }
}

impl Operation for SearchResources {
    type Output = Found;
    const SERVICE: Service = Service::ResourceGroups;
    const NAME: &'static str = "SearchResources";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Found, ApiError> {
        let mut checks = Checks::default();
        checks.required("ResourceQuery", &self.resource_query);
        checks.range("MaxResults", self.max_results, 1..=50);
        let query = given(self.resource_query);
        checks.one_of(
            "ResourceQuery.Type",
            Some(&query.r#type),
            &["TAG_FILTERS_1_0", "CLOUDFORMATION_STACK_1_0"],
        );
        checks.text("ResourceQuery.Query", Some(&query.query), 0..=4096);
        done(checks)?;
        if query.r#type != "TAG_FILTERS_1_0" {
            return Err(bad("CloudFormation stacks are not simulated."));
        }
        let tags: TagQuery =
            serde_json::from_str(&query.query).map_err(|error| bad(format!("Query not valid: {error}")))?;
        let wanted = |node: &&Node| {
            let kinds = &tags.resource_type_filters;
            kinds
                .iter()
                .any(|kind| kind == "AWS::AllSupported" || kind == node.resource_type())
                && tags.tag_filters.iter().all(|filter| {
                    node.tags
                        .get(&filter.key)
                        .is_some_and(|value| filter.values.is_empty() || filter.values.contains(value))
                })
        };
        let location = Location::new(caller.account.clone(), caller.region.clone());
        let nodes = world
            .places
            .get(&location)
            .into_iter()
            .flat_map(|place| place.nodes.values());
        let found: Vec<Identifier> = nodes.filter(wanted).map(identifier).collect();
        let listing = format!("search/{location}/{}", query.query);
        let (resource_identifiers, next_token) = page(
            &listing,
            Grows::AtTheEnd,
            found,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(|| bad("The NextToken is not valid."))?;
        Ok(Found {
            resource_identifiers,
            next_token,
            query_errors: world.query_errors.iter().map(|code| query_error(code)).collect(),
        })
    }
}
