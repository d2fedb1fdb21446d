//! [`Inventory`] over Resource Groups and Systems Manager.

use crate::Aws;
use crate::call::classify::Failure;
use crate::call::limits::Operation;
use crate::call::place::Place;
use crate::call::reading::{next_page, timestamp, token};
use crate::clients::unreadable;
use aws_sdk_resourcegroups::types as groups;
use aws_sdk_ssm::operation::describe_instance_information::DescribeInstanceInformationOutput;
use aws_sdk_ssm::types::InstanceInformationStringFilter;
use patchfleet_core::id::{Location, NodeId, ResourceGroupName};
use patchfleet_core::port::{
    BoxFuture, Inventory, ManagedNode, MemberPage, Page, PageToken, PingStatus, PortError, PortErrorKind,
    PortResult, QueryError, Resolution, Selection, Walk,
};
use std::collections::BTreeMap;

/// The most that Resource Groups, and that DescribeInstanceInformation, gives on a page.
const PAGE: i32 = 50;

/// What AWS answers if one of the nodes that it is asked for is not managed.
const NOT_MANAGED: &str = "InvalidInstanceId";

/// The types of resource that are nodes.
const NODE_TYPES: [&str; 2] = ["AWS::EC2::Instance", "AWS::SSM::ManagedInstance"];

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
                None => {
                    let place = Place::from(location.clone());
                    let answer = self.describe_information(&location, &place, None, page).await??;
                    read_managed(&place, answer)
                }
            }
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
        let operation = Operation::ListGroupResources;
        let client = self.clients.groups(operation, &location).await?;
        // Not filtered by type: a type that the group's own query leaves out makes AWS refuse the
        // whole request.
        let request = client
            .list_group_resources()
            .group(group.as_str())
            .max_results(PAGE)
            .set_next_token(token(page));
        let place = Place::from(location);
        let answer = self
            .clients
            .call(operation, &place, || request.clone().send())
            .await?;
        // `ResourceIdentifiers` is the older of two listings of the same members.
        #[expect(
            deprecated,
            reason = "an endpoint that is older than Resources has these alone"
        )]
        let older = answer.resource_identifiers();
        let items = if answer.resources().is_empty() {
            read_members(operation, &place, older.iter().map(Some))
        } else {
            read_members(
                operation,
                &place,
                answer.resources().iter().map(|item| item.identifier()),
            )
        }?;
        Ok(MemberPage {
            query_errors: answer.query_errors().iter().map(read_query_error).collect(),
            page: Page {
                items,
                next: next_page(answer.next_token),
            },
        })
    }

    async fn tagged(
        &self,
        location: Location,
        tags: BTreeMap<String, Vec<String>>,
        page: Option<PageToken>,
    ) -> PortResult<MemberPage> {
        let operation = Operation::SearchResources;
        let place = Place::from(location.clone());
        let query = tag_query(&place, &tags)?;
        let client = self.clients.groups(operation, &location).await?;
        let request = client
            .search_resources()
            .resource_query(query)
            .max_results(PAGE)
            .set_next_token(token(page));
        let answer = self
            .clients
            .call(operation, &place, || request.clone().send())
            .await?;
        let items = read_members(operation, &place, answer.resource_identifiers().iter().map(Some))?;
        Ok(MemberPage {
            query_errors: answer.query_errors().iter().map(read_query_error).collect(),
            page: Page {
                items,
                next: next_page(answer.next_token),
            },
        })
    }

    /// Those of `nodes` that are managed. The API Reference says that a node id that is not
    /// managed makes the request fail (`InvalidInstanceId`), without saying which one; in practice
    /// it is most often left out. Where it fails, the nodes are asked for in halves.
    async fn managed_of(
        &self,
        location: Location,
        nodes: Vec<NodeId>,
        page: Option<PageToken>,
    ) -> PortResult<Page<ManagedNode>> {
        let place = Place::from(location.clone());
        // A walk that has begun is one that AWS answered.
        let first = page.is_none();
        let answer = self
            .describe_information(&location, &place, Some(&nodes), page)
            .await?;
        match answer {
            Ok(answer) => return read_managed(&place, answer),
            Err(failure) if first && failure.has_code(NOT_MANAGED) => {}
            Err(failure) => return Err(failure.into()),
        }
        let (mut found, mut open) = (vec![], halves(&nodes));
        while let Some(some) = open.pop() {
            match self.all_managed_of(&location, &place, &some).await? {
                Ok(items) => found.extend(items),
                Err(failure) if failure.has_code(NOT_MANAGED) => open.extend(halves(&some)),
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(Page::last(found))
    }

    /// Those of `nodes` that are managed, to the end of their pages. The outer error: they could not
    /// be asked for.
    async fn all_managed_of(
        &self,
        location: &Location,
        place: &Place,
        nodes: &[NodeId],
    ) -> PortResult<Result<Vec<ManagedNode>, Failure>> {
        let mut walk = Walk::new(Operation::DescribeInstanceInformation.as_str());
        let mut found = vec![];
        while let Some(page) = walk.next() {
            let answer = match self
                .describe_information(location, place, Some(nodes), page)
                .await?
            {
                Ok(answer) => answer,
                Err(failure) => return Ok(Err(failure)),
            };
            let page = read_managed(place, answer)?;
            found.extend(page.items);
            walk.advance(page.next)?;
        }
        Ok(Ok(found))
    }

    /// One page of DescribeInstanceInformation. The outer error: it could not be asked.
    async fn describe_information(
        &self,
        location: &Location,
        place: &Place,
        only: Option<&[NodeId]>,
        page: Option<PageToken>,
    ) -> PortResult<Result<DescribeInstanceInformationOutput, Failure>> {
        let operation = Operation::DescribeInstanceInformation;
        let client = self.clients.ssm(operation, location).await?;
        let mut request = client
            .describe_instance_information()
            .max_results(PAGE)
            .set_next_token(token(page));
        if let Some(nodes) = only {
            let filter = InstanceInformationStringFilter::builder()
                .key("InstanceIds")
                .set_values(Some(nodes.iter().map(ToString::to_string).collect()))
                .build()
                .map_err(|error| {
                    PortError::new(PortErrorKind::Invalid, "no filter of node ids").with_source(error)
                })?;
            request = request.filters(filter);
        }
        Ok(self
            .clients
            .call(operation, place, || request.clone().send())
            .await)
    }
}

/// Two lists in place of one that was refused; none in place of one node.
fn halves(nodes: &[NodeId]) -> Vec<Vec<NodeId>> {
    let (one, other) = nodes.split_at(nodes.len() / 2);
    if one.is_empty() {
        return vec![];
    }
    vec![one.to_vec(), other.to_vec()]
}

/// The nodes among a group's members. Members of other kinds are left out.
fn read_members<'a>(
    operation: Operation,
    place: &Place,
    members: impl Iterator<Item = Option<&'a groups::ResourceIdentifier>>,
) -> PortResult<Vec<NodeId>> {
    let mut nodes = vec![];
    for member in members {
        let arn = member.and_then(groups::ResourceIdentifier::resource_arn);
        let kind = member.and_then(groups::ResourceIdentifier::resource_type);
        match arn.map(NodeId::from_arn) {
            Some(Some(Ok(node))) => nodes.push(node),
            Some(Some(Err(error))) => return Err(unreadable(operation, place, error)),
            // What calls itself a node, or does not say what it is, and names none, cannot be
            // left out as a bucket can.
            Some(None) | None if kind.is_none_or(|kind| NODE_TYPES.contains(&kind)) => {
                let member = format!(
                    "a member of the group names no node: {}",
                    arn.unwrap_or("it has no ARN")
                );
                return Err(unreadable(operation, place, member));
            }
            Some(None) | None => {}
        }
    }
    Ok(nodes)
}

fn read_query_error(error: &groups::QueryError) -> QueryError {
    QueryError {
        code: error.error_code().map_or("", |code| code.as_str()).to_owned(),
        message: error.message().unwrap_or_default().to_owned(),
    }
}

/// A query for the nodes that have every one of these tags.
fn tag_query(place: &Place, tags: &BTreeMap<String, Vec<String>>) -> PortResult<groups::ResourceQuery> {
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
                "SearchResources in {place} cannot be asked for so many tags: the query has {length} characters, and AWS takes {LONGEST_QUERY}"
            ),
        ));
    }
    groups::ResourceQuery::builder()
        .r#type(groups::QueryType::TagFilters10)
        .query(query)
        .build()
        .map_err(|error| PortError::new(PortErrorKind::Invalid, "no tag query").with_source(error))
}

fn read_managed(place: &Place, answer: DescribeInstanceInformationOutput) -> PortResult<Page<ManagedNode>> {
    let items = answer
        .instance_information_list()
        .iter()
        .map(|node| {
            Ok(ManagedNode {
                id: node.instance_id().unwrap_or_default().parse()?,
                ping: node
                    .ping_status()
                    .map_or(PingStatus::Offline, |status| status.as_str().into()),
                last_ping: node.last_ping_date_time().and_then(timestamp),
            })
        })
        .collect::<Result<_, patchfleet_core::id::ParseIdError>>()
        .map_err(|error| unreadable(Operation::DescribeInstanceInformation, place, error))?;
    Ok(Page {
        items,
        next: next_page(answer.next_token),
    })
}

#[cfg(test)]
mod tests;
