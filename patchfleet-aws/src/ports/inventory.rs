//! [`Inventory`] over Resource Groups and Systems Manager.

use super::Aws;
use crate::call::{Call, CallError, Operation, Unreadable, all_pages, send, timestamp, token};
use aws_sdk_resourcegroups::types as resource;
use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, TagFilter};
use aws_sdk_ssm::types::{InstanceInformation, InstanceInformationStringFilter};
use patchfleet_core::id::{Location, NodeId, ParseIdError, ResourceGroupName};
use patchfleet_core::port::{
    BoxFuture, Inventory, ManagedNode, MemberPage, Page, PageToken, PingStatus, PlatformType, PortError,
    PortErrorKind, PortResult, QueryError, Resolution, Selection,
};
use std::collections::BTreeMap;

/// The most that Resource Groups, and that DescribeInstanceInformation, gives on a page.
const PAGE: i32 = 50;

/// What AWS answers if one of the nodes that it is asked for is not managed.
const NOT_MANAGED: &str = "InvalidInstanceId";

/// The types of resource that are nodes.
const NODE_TYPES: [&str; 2] = ["AWS::EC2::Instance", "AWS::SSM::ManagedInstance"];

/// The same types, as the Resource Groups Tagging API names them.
const TAGGED_TYPES: [&str; 2] = ["ec2:instance", "ssm:managed-instance"];

/// The most resources that GetResources gives on a page (API Reference).
const TAGGED_PAGE: i32 = 100;

/// The most characters that SearchResources takes for a query.
const LONGEST_QUERY: usize = 4096;

impl Inventory for Aws {
    fn resolution(&self) -> Resolution {
        Resolution::SameAsAws
    }

    fn members(
        &self,
        location: &Location,
        selection: &Selection,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<MemberPage>> {
        let (location, selection) = (location.clone(), selection.clone());
        Box::pin(async move {
            match selection {
                Selection::Group(group) => self.group_members(location, group, page).await,
                Selection::Tags(tags) => self.tagged(location, tags, page).await,
            }
        })
    }

    fn managed(
        &self,
        location: &Location,
        only: Option<&[NodeId]>,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ManagedNode>>> {
        let (location, only) = (location.clone(), only.map(<[NodeId]>::to_vec));
        Box::pin(async move {
            match only {
                Some(nodes) if nodes.is_empty() => Ok(Page::last(vec![])),
                Some(nodes) => self.managed_of(location, nodes, page).await,
                None => Ok(self.describe_information(&location, None, page).await?),
            }
        })
    }

    fn tag_values(
        &self,
        location: &Location,
        key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(NodeId, String)>>> {
        let (location, key) = (location.clone(), key.to_owned());
        Box::pin(async move {
            let operation = Operation::GetResources;
            let (call, tagging) = self.clients.tagging(operation, &location).await?;
            let request = tagging
                .get_resources()
                .tag_filters(TagFilter::builder().key(&key).build())
                .set_resource_type_filters(Some(TAGGED_TYPES.map(str::to_owned).to_vec()))
                .resources_per_page(TAGGED_PAGE)
                .set_pagination_token(token(page));
            let answer = send!(call, request).await?;
            let resources = answer.resource_tag_mapping_list().iter();
            let nodes = resources.filter_map(|resource| read_tagged(resource, &key).transpose());
            // The last page has an empty token.
            let next = answer.pagination_token().filter(|token| !token.is_empty());
            call.page(nodes, next)
        })
    }
}

impl Aws {
    async fn group_members(
        &self,
        location: Location,
        group: ResourceGroupName,
        page: Option<PageToken>,
    ) -> PortResult<MemberPage> {
        let (call, groups) = self
            .clients
            .groups(Operation::ListGroupResources, &location)
            .await?;
        // Not filtered by type, because AWS refuses the whole request if the group's own query leaves a type out.
        let request = groups
            .list_group_resources()
            .group(group.as_str())
            .max_results(PAGE)
            .set_next_token(token(page));
        let answer = send!(call, request).await?;
        // `ResourceIdentifiers` is the older of two listings of the same members.
        #[expect(
            deprecated,
            reason = "an endpoint that is older than Resources has these alone"
        )]
        let older = answer.resource_identifiers().iter().map(Some);
        let members = answer.resources().iter().map(|item| item.identifier());
        let (errors, next) = (answer.query_errors(), answer.next_token());
        if answer.resources().is_empty() {
            member_page(&call, older, errors, next)
        } else {
            member_page(&call, members, errors, next)
        }
    }

    async fn tagged(
        &self,
        location: Location,
        tags: BTreeMap<String, Vec<String>>,
        page: Option<PageToken>,
    ) -> PortResult<MemberPage> {
        let operation = Operation::SearchResources;
        let query = tag_query(&location, &tags)?;
        let (call, groups) = self.clients.groups(operation, &location).await?;
        let query = resource::ResourceQuery::builder()
            .r#type(resource::QueryType::TagFilters10)
            .query(query);
        let request = groups
            .search_resources()
            .resource_query(call.built(query.build())?)
            .max_results(PAGE)
            .set_next_token(token(page));
        let answer = send!(call, request).await?;
        let members = answer.resource_identifiers().iter().map(Some);
        member_page(&call, members, answer.query_errors(), answer.next_token())
    }

    /// Those of `nodes` that are managed. By the API Reference the request fails if one of the ids is not managed
    /// (`InvalidInstanceId`), and does not say which one. In practice such an id is most often left out. Where the
    /// request fails, the nodes are asked for in halves.
    async fn managed_of(
        &self,
        location: Location,
        nodes: Vec<NodeId>,
        page: Option<PageToken>,
    ) -> PortResult<Page<ManagedNode>> {
        // A walk that has begun is one that AWS answered.
        let is_first = page.is_none();
        match self.describe_information(&location, Some(&nodes), page).await {
            Ok(page) => return Ok(page),
            Err(failure) if is_first && failure.has_code(NOT_MANAGED) => {}
            Err(failure) => return Err(failure.into()),
        }
        let operation = Operation::DescribeInstanceInformation;
        let (mut found, mut open) = (vec![], halves(&nodes));
        while let Some(some) = open.pop() {
            let pages = |page| self.describe_information(&location, Some(&some), page);
            match all_pages(operation, pages).await {
                Ok(items) => found.extend(items),
                Err(failure) if failure.has_code(NOT_MANAGED) => open.extend(halves(&some)),
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(Page::last(found))
    }

    /// One page of the managed nodes of a location, or of `only` these.
    async fn describe_information(
        &self,
        location: &Location,
        only: Option<&[NodeId]>,
        page: Option<PageToken>,
    ) -> Result<Page<ManagedNode>, CallError> {
        let operation = Operation::DescribeInstanceInformation;
        let (call, ssm) = self.clients.ssm(operation, location).await?;
        let mut request = ssm
            .describe_instance_information()
            .max_results(PAGE)
            .set_next_token(token(page));
        if let Some(nodes) = only {
            let filter = InstanceInformationStringFilter::builder()
                .key("InstanceIds")
                .set_values(Some(nodes.iter().map(ToString::to_string).collect()));
            request = request.filters(call.built(filter.build())?);
        }
        let answer = send!(call, request).await?;
        let nodes = answer.instance_information_list().iter();
        Ok(call.page(nodes.map(read_managed), answer.next_token())?)
    }
}

/// The two halves of a list that was refused. A list of one node has none.
fn halves(nodes: &[NodeId]) -> Vec<Vec<NodeId>> {
    let (one, other) = nodes.split_at(nodes.len() / 2);
    if one.is_empty() {
        return vec![];
    }
    vec![one.to_vec(), other.to_vec()]
}

/// A page of members, without those that are no nodes.
fn member_page<'a>(
    call: &Call,
    members: impl Iterator<Item = Option<&'a resource::ResourceIdentifier>>,
    errors: &[resource::QueryError],
    next: Option<&str>,
) -> PortResult<MemberPage> {
    let nodes = members.filter_map(|member| read_member(member).transpose());
    Ok(MemberPage {
        page: call.page(nodes, next)?,
        query_errors: errors.iter().map(read_query_error).collect(),
    })
}

/// The node that a member is. `None` for a member of another kind.
fn read_member(member: Option<&resource::ResourceIdentifier>) -> Result<Option<NodeId>, Unreadable> {
    let arn = member.and_then(resource::ResourceIdentifier::resource_arn);
    let kind = member.and_then(resource::ResourceIdentifier::resource_type);
    match arn.and_then(NodeId::from_arn) {
        Some(node) => Ok(Some(node?)),
        // A member of another type, such as a bucket, is left out. One whose type is that of a node, or is missing, and
        // whose ARN names no node, is an error.
        None if kind.is_none_or(|kind| NODE_TYPES.contains(&kind)) => {
            let arn = arn.unwrap_or("it has no ARN");
            Err(format!("a member of the group names no node: {arn}").into())
        }
        None => Ok(None),
    }
}

/// The node that a resource is, and the value that it has of the tag. `None` for a resource that is no node.
fn read_tagged(resource: &ResourceTagMapping, key: &str) -> Result<Option<(NodeId, String)>, Unreadable> {
    let arn = resource.resource_arn().unwrap_or_default();
    let Some(node) = NodeId::from_arn(arn) else {
        return Ok(None);
    };
    let tag = resource.tags().iter().find(|tag| tag.key() == key);
    // It was asked for those that have the tag. To take one for untagged would be a guess.
    let tag =
        tag.ok_or_else(|| format!("{arn} is listed as having the tag {key}, and its tags do not show it"))?;
    Ok(Some((node?, tag.value().to_owned())))
}

fn read_query_error(error: &resource::QueryError) -> QueryError {
    QueryError {
        code: error.error_code().map_or("", |code| code.as_str()).to_owned(),
        message: error.message().unwrap_or_default().to_owned(),
    }
}

/// A query for the nodes that have every one of these tags.
fn tag_query(location: &Location, tags: &BTreeMap<String, Vec<String>>) -> PortResult<String> {
    let filters: Vec<_> = tags
        .iter()
        .map(|(key, values)| serde_json::json!({ "Key": key, "Values": values }))
        .collect();
    let query = serde_json::json!({ "ResourceTypeFilters": NODE_TYPES, "TagFilters": filters }).to_string();
    let length = query.chars().count();
    if length > LONGEST_QUERY {
        return Err(PortError::new(
            PortErrorKind::Invalid,
            format!(
                "SearchResources in {location} cannot be asked for so many tags: the query has {length} characters, and AWS takes {LONGEST_QUERY}"
            ),
        ));
    }
    Ok(query)
}

fn read_managed(node: &InstanceInformation) -> Result<ManagedNode, ParseIdError> {
    Ok(ManagedNode {
        id: node.instance_id().unwrap_or_default().parse()?,
        ping: node
            .ping_status()
            .map_or(PingStatus::Offline, |status| status.as_str().into()),
        last_ping: node.last_ping_date_time().and_then(timestamp),
        platform: node
            .platform_type()
            .and_then(|platform| PlatformType::named(platform.as_str())),
    })
}

#[cfg(test)]
mod tests;
