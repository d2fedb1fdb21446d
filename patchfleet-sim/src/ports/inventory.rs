//! Who is in a group, and whom Systems Manager reaches.

use super::{At, MemoryPorts, token, unreadable};
use crate::api::{
    DescribeInstanceInformation, GetResources, Identifier, InstanceFilter, ListGroupResources,
    QueryErrorShape, ResourceQuery, SearchResources, TagFilter,
};
use patchfleet_core::{
    id::{Location, NodeId},
    port::{
        BoxFuture, Inventory, ManagedNode, MemberPage, Page, PageToken, PingStatus, PlatformType, PortResult,
        QueryError, Resolution, Selection,
    },
};
use serde_json::json;

/// The two kinds of resources that can be nodes.
const NODE_TYPES: [&str; 2] = ["AWS::EC2::Instance", "AWS::SSM::ManagedInstance"];

/// The same kinds, as the Resource Groups Tagging API names them.
const TAGGED_TYPES: [&str; 2] = ["ec2:instance", "ssm:managed-instance"];

fn member_page(
    found: Vec<Identifier>,
    next: Option<String>,
    errors: Vec<QueryErrorShape>,
) -> PortResult<MemberPage> {
    let nodes = found
        .into_iter()
        .filter_map(|one| NodeId::from_arn(&one.resource_arn));
    let items = nodes
        .map(|node| node.map_err(unreadable))
        .collect::<PortResult<_>>()?;
    let query_errors = errors
        .into_iter()
        .map(|one| QueryError {
            code: one.error_code,
            message: one.message,
        })
        .collect();
    Ok(MemberPage {
        page: Page {
            items,
            next: next.map(PageToken::new),
        },
        query_errors,
    })
}

impl Inventory for MemoryPorts {
    fn resolution(&self) -> Resolution {
        Resolution::SameAsAws
    }

    fn members(
        &self,
        location: &Location,
        selection: &Selection,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<MemberPage>> {
        let at = At::Location(location.clone());
        match selection {
            Selection::Group(name) => {
                let input = ListGroupResources {
                    group: Some(name.to_string()),
                    max_results: Some(50),
                    next_token: token(page),
                    ..ListGroupResources::default()
                };
                Box::pin(async {
                    let page = self.call(at, input).await?;
                    member_page(page.resource_identifiers, page.next_token, page.query_errors)
                })
            }
            Selection::Tags(tags) => {
                let filters: Vec<_> = tags
                    .iter()
                    .map(|(key, values)| json!({"Key": key, "Values": values}))
                    .collect();
                let query = json!({"ResourceTypeFilters": NODE_TYPES, "TagFilters": filters}).to_string();
                let input = SearchResources {
                    resource_query: Some(ResourceQuery {
                        r#type: "TAG_FILTERS_1_0".to_owned(),
                        query,
                    }),
                    max_results: Some(50),
                    next_token: token(page),
                };
                Box::pin(async {
                    let page = self.call(at, input).await?;
                    member_page(page.resource_identifiers, page.next_token, page.query_errors)
                })
            }
        }
    }

    fn managed(
        &self,
        location: &Location,
        only: Option<&[NodeId]>,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ManagedNode>>> {
        let filter = only.map(|nodes| {
            let values = nodes.iter().map(NodeId::to_string).collect();
            vec![InstanceFilter {
                key: "InstanceIds".to_owned(),
                values,
            }]
        });
        let input = DescribeInstanceInformation {
            filters: filter,
            max_results: Some(50),
            next_token: token(page),
            ..DescribeInstanceInformation::default()
        };
        let at = At::Location(location.clone());
        Box::pin(async {
            let page = self.call(at, input).await?;
            let view = |one: crate::api::InstanceShape| {
                Ok(ManagedNode {
                    id: one.instance_id.parse().map_err(unreadable)?,
                    ping: PingStatus::from(one.ping_status),
                    last_ping: Some(one.last_ping_date_time.0),
                    platform: PlatformType::named(one.platform_type),
                })
            };
            let items = page
                .instance_information_list
                .into_iter()
                .map(view)
                .collect::<PortResult<_>>()?;
            Ok(Page {
                items,
                next: page.next_token.map(PageToken::new),
            })
        })
    }

    fn tag_values(
        &self,
        location: &Location,
        key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(NodeId, String)>>> {
        let wanted = key.to_owned();
        let input = GetResources {
            tag_filters: Some(vec![TagFilter {
                key: key.to_owned(),
                values: vec![],
            }]),
            resource_type_filters: Some(TAGGED_TYPES.map(str::to_owned).to_vec()),
            resources_per_page: Some(100),
            pagination_token: token(page),
            ..GetResources::default()
        };
        let at = At::Location(location.clone());
        Box::pin(async move {
            let page = self.call(at, input).await?;
            let mut items = vec![];
            for one in page.resource_tag_mapping_list {
                let value = one.tags.into_iter().find(|tag| tag.key == wanted);
                if let (Some(node), Some(tag)) = (NodeId::from_arn(&one.resource_arn), value) {
                    items.push((node.map_err(unreadable)?, tag.value));
                }
            }
            let next = Some(page.pagination_token).filter(|token| !token.is_empty());
            Ok(Page {
                items,
                next: next.map(PageToken::new),
            })
        })
    }
}
