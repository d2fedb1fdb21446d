//! Asking every location, several at once.

use super::{CensusAnswer, CensusTaken, Depth, NodeCounts, UnknownCause};
use crate::id::{Location, NodeId, NodeKind};
use crate::port::{Inventory, PingStatus, PortError, PortErrorKind, PortResult, QueryError, Selection, Walk};
use crate::request::Selector;
use futures_util::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};

/// Most ids that one DescribeInstanceInformation is asked for, so that one page answers it.
const IDS_PER_CALL: usize = 50;

/// Asks each of the `wanted` locations which nodes are there, `concurrency` (at least 1) locations
/// at once. The same answers of the port give the same census, in whatever order they come.
///
/// Every wanted location has an answer: a call that fails makes its location
/// [`Unknown`](CensusAnswer::Unknown), never empty, and none fails the census. A group that only
/// exists in part (`QueryErrors`) is unknown too.
///
/// - A group or tags: its members to the end, then which of them Systems Manager manages. With
///   [`Depth::Presence`] the first page with a member answers, and nothing more is asked.
/// - All managed nodes, or node ids: those, or those of them that are managed there, always all of
///   them, since a unit needs to know which are where. One that is not managed cannot be seen.
pub async fn take(
    inventory: &dyn Inventory,
    wanted: &BTreeSet<Location>,
    selector: &Selector,
    depth: Depth,
    concurrency: usize,
) -> CensusTaken {
    let asked: Vec<(Location, PortAnswer)> = stream::iter(wanted.iter().cloned())
        .map(|location| async move {
            let answer = ask(inventory, &location, selector, depth).await;
            (location, answer)
        })
        .buffer_unordered(concurrency.max(1))
        .collect()
        .await;
    let mut taken = CensusTaken::default();
    for (location, (answer, found)) in asked {
        if !found.is_empty() {
            taken.found.insert(location.clone(), found);
        }
        taken.answers.insert(location, answer);
    }
    taken
}

type PortAnswer = (CensusAnswer, Vec<NodeId>);

async fn ask(
    inventory: &dyn Inventory,
    location: &Location,
    selector: &Selector,
    depth: Depth,
) -> PortAnswer {
    let answer = match selector {
        Selector::ResourceGroup(group) => {
            let selection = Selection::Group(group.clone());
            ask_members(inventory, location, &selection, depth).await
        }
        Selector::Tags(tags) => {
            let selection = Selection::Tags(tags.clone());
            ask_members(inventory, location, &selection, depth).await
        }
        Selector::AllManaged | Selector::NodeIds(_) => {
            let named = match selector {
                Selector::NodeIds(ids) => {
                    managed_of(inventory, location, &ids.iter().cloned().collect()).await
                }
                _ => managed(inventory, location, None).await,
            };
            match named {
                Ok(nodes) if nodes.is_empty() => Ok(CensusAnswer::Empty),
                Ok(nodes) => {
                    let answer = CensusAnswer::Populated {
                        nodes: Some(count(nodes.keys(), &nodes)),
                    };
                    return (answer, nodes.into_keys().collect());
                }
                Err(error) => Err(error),
            }
        }
    };
    let answer = answer.unwrap_or_else(|error| CensusAnswer::Unknown {
        cause: error.kind().into(),
        detail: error.reason(),
    });
    (answer, Vec::new())
}

/// What a group or tags select.
async fn ask_members(
    inventory: &dyn Inventory,
    location: &Location,
    selection: &Selection,
    depth: Depth,
) -> PortResult<CensusAnswer> {
    let mut members = BTreeSet::new();
    let mut walk = Walk::new("the listing of members");
    let mut first = true;
    while let Some(token) = walk.next() {
        let answer = inventory.members(location, selection, token).await;
        let page = match answer {
            // On a later page the group has just gone: what there was of it is not known.
            Err(error) if error.kind() == PortErrorKind::NotFound && first => {
                return match selection {
                    Selection::Group(_) => Ok(CensusAnswer::GroupMissing),
                    Selection::Tags(_) => Err(error),
                };
            }
            answer => answer?,
        };
        first = false;
        if !page.query_errors.is_empty() {
            return Ok(CensusAnswer::Unknown {
                cause: UnknownCause::Partial,
                detail: in_words(&page.query_errors),
            });
        }
        if depth == Depth::Presence && !page.page.items.is_empty() {
            return Ok(CensusAnswer::Populated { nodes: None });
        }
        members.extend(page.page.items);
        walk.advance(page.page.next)?;
    }
    if members.is_empty() {
        return Ok(CensusAnswer::Empty);
    }
    let managed = managed_of(inventory, location, &members).await?;
    Ok(CensusAnswer::Populated {
        nodes: Some(count(members.iter(), &managed)),
    })
}

fn in_words(errors: &[QueryError]) -> String {
    let words: BTreeSet<String> = errors
        .iter()
        .map(|QueryError { code, message }| match message.as_str() {
            "" => code.clone(),
            message => format!("{code}: {message}"),
        })
        .collect();
    words.into_iter().collect::<Vec<_>>().join("; ")
}

/// Those of `ids` that Systems Manager manages.
async fn managed_of(
    inventory: &dyn Inventory,
    location: &Location,
    ids: &BTreeSet<NodeId>,
) -> PortResult<BTreeMap<NodeId, PingStatus>> {
    let ids: Vec<NodeId> = ids.iter().cloned().collect();
    let mut all = BTreeMap::new();
    for chunk in ids.chunks(IDS_PER_CALL) {
        let nodes = managed(inventory, location, Some(chunk)).await?;
        all.extend(nodes.into_iter().filter(|(id, _)| chunk.contains(id)));
    }
    Ok(all)
}

/// Managed nodes, to the end.
async fn managed(
    inventory: &dyn Inventory,
    location: &Location,
    only: Option<&[NodeId]>,
) -> Result<BTreeMap<NodeId, PingStatus>, PortError> {
    let mut nodes = BTreeMap::new();
    let mut walk = Walk::new("the listing of managed nodes");
    while let Some(token) = walk.next() {
        let page = inventory.managed(location, only, token).await?;
        nodes.extend(page.items.into_iter().map(|node| (node.id, node.ping)));
        walk.advance(page.next)?;
    }
    Ok(nodes)
}

fn count<'a>(nodes: impl Iterator<Item = &'a NodeId>, managed: &BTreeMap<NodeId, PingStatus>) -> NodeCounts {
    let mut counts = NodeCounts::default();
    for node in nodes {
        match node.kind() {
            NodeKind::Ec2 => counts.ec2 += 1,
            NodeKind::Hybrid => counts.hybrid += 1,
        }
        match managed.get(node) {
            Some(PingStatus::Online) => counts.online += 1,
            Some(PingStatus::Offline) => counts.offline += 1,
            None => counts.unmanaged += 1,
        }
    }
    counts
}
