//! The Resource Groups Tagging API: who has which tags.

use super::{
    ApiError, Caller, Operation, Service,
    check::{given, page_size},
    input,
    page::{Grows, page},
};
use crate::world::{Node, World};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A tag that resources have to have: its key, and one of these values. Without a value any will do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TagFilter {
    pub(crate) key: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) values: Vec<String>,
}

input! {
    /// GetResources' input.
    GetResources {
        pagination_token: String,
        tag_filters: Vec<TagFilter>,
        resources_per_page: i64,
        tags_per_page: i64,
        resource_type_filters: Vec<String>,
        include_compliance_details: bool,
        exclude_compliant_resources: bool,
        #[serde(rename = "ResourceARNList")]
        resource_arn_list: Vec<String>,
    }
}

/// A tag.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// A resource with its tags.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tagged {
    #[serde(rename = "ResourceARN")]
    pub(crate) resource_arn: String,
    pub(crate) tags: Vec<Tag>,
}

/// GetResources' output. The token of the last page is an empty text.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TaggedResources {
    pub(crate) pagination_token: String,
    pub(crate) resource_tag_mapping_list: Vec<Tagged>,
}

fn wrong(message: &str) -> ApiError {
    ApiError::client("InvalidParameterException", message)
}

/// Whether a filter of types, `service` or `service:type`, has the node's type.
fn is_of_type(node: &Node, filter: &str) -> bool {
    let kind = match node.resource_type() {
        "AWS::EC2::Instance" => "ec2:instance",
        _ => "ssm:managed-instance",
    };
    filter == kind || kind.split(':').next() == Some(filter)
}

impl Operation for GetResources {
    type Output = TaggedResources;
    const SERVICE: Service = Service::Tagging;
    const NAME: &'static str = "GetResources";

    fn run(self, world: &mut World, caller: &Caller) -> Result<TaggedResources, ApiError> {
        let (filters, types, arns) = (
            given(self.tag_filters),
            given(self.resource_type_filters),
            given(self.resource_arn_list),
        );
        if !arns.is_empty() && (!filters.is_empty() || !types.is_empty() || self.resources_per_page.is_some())
        {
            return Err(wrong(
                "ResourceARNList cannot be used with TagFilters, ResourceTypeFilters or ResourcesPerPage.",
            ));
        }
        // API Reference; the model has no range.
        if self.resources_per_page.is_some_and(|n| !(1..=100).contains(&n)) {
            return Err(wrong("ResourcesPerPage is from 1 to 100."));
        }
        let has = |node: &Node, filter: &TagFilter| {
            let value = node.tags.get(&filter.key);
            value.is_some_and(|value| filter.values.is_empty() || filter.values.contains(value))
        };
        let mut found: Vec<&Node> = world.nodes_at(&caller.location(), None);
        found.retain(|node| {
            !node.tags.is_empty()
                && filters.iter().all(|filter| has(node, filter))
                && (types.is_empty() || types.iter().any(|kind| is_of_type(node, kind)))
                && (arns.is_empty() || arns.contains(&node.arn()))
        });
        let asked = json!([filters, types, arns]);
        let listing = format!("tagged/{}/{asked}", caller.location());
        let token = self.pagination_token.filter(|token| !token.is_empty());
        let (found, next) = page(
            world,
            &listing,
            Grows::AtTheEnd,
            found,
            page_size(self.resources_per_page, 50),
            token.as_deref(),
        )
        .ok_or_else(|| wrong("The PaginationToken is not valid."))?;
        let tagged = found.into_iter().map(|node| Tagged {
            resource_arn: node.arn(),
            tags: node
                .tags
                .iter()
                .map(|(key, value)| Tag {
                    key: key.clone(),
                    value: value.clone(),
                })
                .collect(),
        });
        Ok(TaggedResources {
            resource_tag_mapping_list: tagged.collect(),
            pagination_token: next.unwrap_or_default(),
        })
    }
}
