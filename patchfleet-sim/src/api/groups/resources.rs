//! What is in a group, or would be: ListGroupResources, SearchResources.

use super::{ResourceQuery, bad, bad_token, find, name_of, query};
use crate::{
    api::{
        ApiError, Caller, Operation, Service,
        check::{given, page_size},
        input,
        page::{Grows, page},
    },
    world::{ALL_TYPES, Node, World},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A filter of a group's resources.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ResourceFilter {
    pub(crate) name: String,
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
    /// SearchResources' input.
    SearchResources {
        resource_query: ResourceQuery,
        max_results: i64,
        next_token: String,
    }
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
        let name = name_of(caller, self.group, self.group_name)?;
        let (place, group) = find(world, caller, &name)?;
        let filters = given(self.filters);
        let types = group
            .query(&name)
            .map_or_else(Vec::new, |query| query.resource_type_filters);
        let strangers: Vec<&str> = filters
            .iter()
            .flat_map(|filter| &filter.values)
            .filter(|kind| !types.contains(kind) && !types.iter().any(|kind| kind == ALL_TYPES))
            .map(String::as_str)
            .collect();
        if !strangers.is_empty() {
            return Err(bad(format!(
                "The resource types specified as filters in the request are not valid: {}.",
                strangers.join(", ")
            )));
        }
        let wanted = |node: &&Node| {
            filters
                .iter()
                .all(|filter| filter.values.iter().any(|kind| kind == node.resource_type()))
        };
        let members: Vec<&Node> = world.members_of(place, &name).filter(wanted).collect();
        let listing = format!("group/{}/{name}/{}", caller.location(), json!(filters));
        let (members, next_token) = page(
            world,
            &listing,
            Grows::AtTheEnd,
            members,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(bad_token)?;
        let members: Vec<Identifier> = members.into_iter().map(identifier).collect();
        let query_errors = group.query_errors.iter().chain(world.query_errors());
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

impl Operation for SearchResources {
    type Output = Found;
    const SERVICE: Service = Service::ResourceGroups;
    const NAME: &'static str = "SearchResources";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Found, ApiError> {
        let wanted = given(self.resource_query);
        let query = query(&wanted)?;
        let mut found: Vec<&Node> = world.nodes_at(&caller.location(), None);
        found.retain(|node| query.selects(node));
        let listing = format!("search/{}/{}", caller.location(), wanted.query);
        let (found, next_token) = page(
            world,
            &listing,
            Grows::AtTheEnd,
            found,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(bad_token)?;
        Ok(Found {
            resource_identifiers: found.into_iter().map(identifier).collect(),
            next_token,
            query_errors: world
                .query_errors()
                .iter()
                .map(|code| query_error(code))
                .collect(),
        })
    }
}
