//! What a location holds, read over the ports: the members of a selection, the managed nodes and their patch
//! states. The census reads before a campaign and the campaign reads after it, by the same rules:
//!
//! - Only a whole answer counts. A listing is read to its end, or its error is the answer.
//! - A group that is not there is told from one without members. If it goes while it is being listed, it is
//!   listed once more.
//! - A listing that says that it is partial (`QueryErrors`) is never taken for a whole one.
//! - A node that was not asked for is not in the answer, whatever the port gives.

use crate::id::{Location, NodeId};
use crate::port::{
    Inventory, ManagedNode, Page, PageToken, PatchStateView, PatchStates, PingStatus, PortError,
    PortErrorKind, PortResult, QueryError, Selection, Walk,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};

#[cfg(test)]
mod tests;

/// How many nodes one call may name (AWS's limit for DescribeInstancePatchStates, and for the ids that
/// DescribeInstanceInformation is asked for here).
pub(crate) const NODES_A_CALL: usize = 50;

/// Every item of a listing, page by page to the end. `what` names the listing in errors, and `page` asks for
/// the page of a token.
pub(crate) async fn all<T, F>(
    what: &'static str,
    mut page: impl FnMut(Option<PageToken>) -> F,
) -> PortResult<Vec<T>>
where
    F: Future<Output = PortResult<Page<T>>>,
{
    let mut walk = Walk::new(what);
    let mut items = vec![];
    while let Some(token) = walk.next() {
        let page = page(token).await?;
        items.extend(page.items);
        walk.advance(page.next)?;
    }
    Ok(items)
}

/// The first item of a listing, which may stand behind empty pages.
pub(crate) async fn first<T, F>(
    what: &'static str,
    mut page: impl FnMut(Option<PageToken>) -> F,
) -> PortResult<Option<T>>
where
    F: Future<Output = PortResult<Page<T>>>,
{
    let mut walk = Walk::new(what);
    while let Some(token) = walk.next() {
        let page = page(token).await?;
        if let Some(item) = page.items.into_iter().next() {
            return Ok(Some(item));
        }
        walk.advance(page.next)?;
    }
    Ok(None)
}

/// How much of a selection is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every member.
    All,
    /// The pages up to the first member.
    First,
}

/// What a group or tags select in a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Members {
    /// These, as far as was asked: with [`Extent::First`] some of them. None: the selection is empty.
    Found(BTreeSet<NodeId>),
    /// The group is not there.
    GroupMissing,
    /// AWS said that its list is not whole, and why.
    Partial(Vec<QueryError>),
}

/// Why one listing of members did not come to its end.
enum Broken {
    /// The group went while it was being listed.
    GroupWent(PortError),
    Failed(PortError),
}

/// The members of a selection.
///
/// # Errors
///
/// Whatever keeps them from being listed to the end. `NotFound` if tags are not found, which nobody documents,
/// or if the group went twice while it was being listed.
pub(crate) async fn members(
    inventory: &dyn Inventory,
    location: &Location,
    selection: &Selection,
    extent: Extent,
) -> PortResult<Members> {
    match members_once(inventory, location, selection, extent).await {
        Ok(members) => Ok(members),
        Err(Broken::Failed(error)) => Err(error),
        // What was read of it is not known to hold. Asked from the beginning, it is there or it is not.
        Err(Broken::GroupWent(_)) => match members_once(inventory, location, selection, extent).await {
            Ok(members) => Ok(members),
            Err(Broken::Failed(error) | Broken::GroupWent(error)) => Err(error),
        },
    }
}

async fn members_once(
    inventory: &dyn Inventory,
    location: &Location,
    selection: &Selection,
    extent: Extent,
) -> Result<Members, Broken> {
    let mut members = BTreeSet::new();
    let mut walk = Walk::new("the listing of members");
    let mut is_first = true;
    while let Some(token) = walk.next() {
        let page = match inventory.members(location, selection, token).await {
            Err(error) if error.kind() == PortErrorKind::NotFound => {
                return match selection {
                    Selection::Group(_) if is_first => Ok(Members::GroupMissing),
                    Selection::Group(_) => Err(Broken::GroupWent(error)),
                    Selection::Tags(_) => Err(Broken::Failed(error)),
                };
            }
            answer => answer.map_err(Broken::Failed)?,
        };
        is_first = false;
        if !page.query_errors.is_empty() {
            return Ok(Members::Partial(page.query_errors));
        }
        members.extend(page.page.items);
        if extent == Extent::First && !members.is_empty() {
            break;
        }
        walk.advance(page.page.next).map_err(Broken::Failed)?;
    }
    Ok(Members::Found(members))
}

/// What AWS says of a partial listing, each thing once.
pub(crate) fn in_words(errors: &[QueryError]) -> String {
    let words: BTreeSet<String> = errors
        .iter()
        .map(|QueryError { code, message }| match message.as_str() {
            "" => code.clone(),
            message => format!("{code}: {message}"),
        })
        .collect();
    words.into_iter().collect::<Vec<_>>().join("; ")
}

/// All the nodes that Systems Manager manages in a location.
pub(crate) async fn managed(
    inventory: &dyn Inventory,
    location: &Location,
) -> PortResult<BTreeMap<NodeId, ManagedNode>> {
    managed_pages(inventory, location, None).await
}

/// Those of `ids` that Systems Manager manages in a location, `at_once` (at least 1) calls at once.
pub(crate) async fn managed_of(
    inventory: &dyn Inventory,
    location: &Location,
    ids: &BTreeSet<NodeId>,
    at_once: usize,
) -> PortResult<BTreeMap<NodeId, ManagedNode>> {
    let ids: Vec<NodeId> = ids.iter().cloned().collect();
    let calls: Vec<_> = ids
        .chunks(NODES_A_CALL)
        .map(|chunk| managed_pages(inventory, location, Some(chunk)))
        .collect();
    // In order, so that of several errors it is always the same one that is told.
    let mut found = stream::iter(calls).buffered(at_once.max(1));
    let mut managed = BTreeMap::new();
    while let Some(nodes) = found.try_next().await? {
        managed.extend(nodes);
    }
    Ok(managed)
}

async fn managed_pages(
    inventory: &dyn Inventory,
    location: &Location,
    only: Option<&[NodeId]>,
) -> PortResult<BTreeMap<NodeId, ManagedNode>> {
    let nodes = all("the listing of managed nodes", |token| {
        inventory.managed(location, only, token)
    });
    let asked = |node: &ManagedNode| only.is_none_or(|only| only.contains(&node.id));
    let nodes = nodes.await?.into_iter().filter(asked);
    Ok(nodes.map(|node| (node.id.clone(), node)).collect())
}

/// The value that each of these nodes has of a tag. Who is missing does not have it.
pub(crate) async fn tag_values(
    inventory: &dyn Inventory,
    location: &Location,
    key: &str,
    nodes: &BTreeMap<NodeId, PingStatus>,
) -> PortResult<BTreeMap<NodeId, String>> {
    let tagged = all("the listing of tagged nodes", |token| {
        inventory.tag_values(location, key, token)
    });
    let asked = |(node, _): &(NodeId, String)| nodes.contains_key(node);
    Ok(tagged.await?.into_iter().filter(asked).collect())
}

/// The patch states of these nodes, `at_once` (at least 1) calls at once. A node that was never scanned has none.
pub(crate) async fn patch_states(
    port: &dyn PatchStates,
    location: &Location,
    nodes: &[NodeId],
    at_once: usize,
) -> PortResult<BTreeMap<NodeId, PatchStateView>> {
    let calls: Vec<_> = nodes
        .chunks(NODES_A_CALL)
        .map(|nodes| port.patch_states(location, nodes))
        .collect();
    let mut found = stream::iter(calls).buffered(at_once.max(1));
    let mut states = BTreeMap::new();
    while let Some(views) = found.try_next().await? {
        states.extend(views.into_iter().map(|view| (view.node.clone(), view)));
    }
    Ok(states)
}
