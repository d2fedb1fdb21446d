//! Asking every location, several at once.

use super::{
    Begun, CensusAnswer, CensusTaken, Depth, FollowUp, ManagedNodes, NodeCounts, Tags, UnknownCause, by_id,
};
use crate::fleet::{self, Extent, Members};
use crate::id::{Location, NodeId, NodeKind, NodeSet, NodesDigest};
use crate::port::{
    BoxFuture, Inventory, ManagedNode, PingStatus, PortErrorKind, PortResult, Resolution, Selection,
};
use crate::request::{LabelBudget, Selector};
use crate::slip::{Slip, slips};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};

/// The most calls at once that ask one location for managed nodes by their ids.
const CALLS_PER_LOCATION: usize = 8;

/// `take_rest` with no location asked before, and nothing to ask after.
#[cfg(any(test, feature = "internals"))]
pub async fn take(
    inventory: &dyn Inventory,
    wanted: &BTreeSet<Location>,
    selector: &Selector,
    depth: Depth,
    concurrency: usize,
) -> CensusTaken {
    let question = Question::new(inventory, selector, depth);
    take_rest(question, wanted, Begun::default(), concurrency, &mut Nothing).await
}

/// Nothing is asked of a location but which nodes it has.
#[cfg(any(test, feature = "internals"))]
struct Nothing;

#[cfg(any(test, feature = "internals"))]
impl<'a> FollowUp<'a> for Nothing {
    type Found = ();

    fn is_due(&mut self, _: &Location, _: &CensusAnswer) -> bool {
        false
    }

    fn ask(&mut self, _: &Location) -> Option<BoxFuture<'a, ()>> {
        None
    }

    fn hear(&mut self, _: Location, (): ()) {}
}

/// Asks each of the `wanted` locations which nodes are there, `concurrency` (at least 1) locations
/// at once. The same answers of the port give the same census, in whatever order they come.
///
/// Some locations may have been asked already. `begun` has their answers, and only the other locations are asked.
/// `follow` may ask more of a location that has answered, unless node ids are looked for, and counts among the
/// `concurrency`.
///
/// Every wanted location has an answer. A call that fails makes its location `Unknown`, never empty, and it never
/// fails the census. A group of which AWS tells only a part (`QueryErrors`) is unknown, too.
///
/// - A group or tags: all members are listed, then AWS is asked which of them Systems Manager manages. With
///   [`Depth::Presence`] the first page that has a member is the answer, and nothing more is asked.
/// - All managed nodes: all are listed, because the starts name them.
/// - Node ids: each id is looked for until it is found. Only managed nodes can be found by their ids.
/// - An inventory that [resolves by ids](Resolution::ByIds) is asked for every node, whatever the depth.
pub(crate) fn take_rest<'f, 'a: 'f, F: FollowUp<'a>>(
    question: Question<'a>,
    wanted: &'f BTreeSet<Location>,
    begun: Begun<'a>,
    concurrency: usize,
    follow: &'f mut F,
) -> BoxFuture<'f, CensusTaken> {
    let Question {
        inventory, selector, ..
    } = question;
    // In a box, so that whoever waits for it can be sent to another thread, whatever `F` is.
    async move {
        let asked: Answers = match selector {
            Selector::NodeIds(ids) => {
                let ids = ids.iter().cloned().collect();
                let asked = by_id::search(inventory, wanted, &ids, concurrency).await;
                let tagged = asked.into_iter().map(|(location, answered)| async move {
                    let answered = question.with_tags(&location, answered).await;
                    (location, answered)
                });
                let tagged: Vec<_> = tagged.collect();
                stream::iter(tagged).buffered(concurrency.max(1)).collect().await
            }
            Selector::ResourceGroup(_) | Selector::Tags(_) | Selector::AllManaged => {
                begun.finish(question, wanted, concurrency, follow).await
            }
        };
        taken(asked, selector, inventory.resolution())
    }
    .boxed()
}

/// The census of these answers.
fn taken(asked: Answers, selector: &Selector, resolution: Resolution) -> CensusTaken {
    let mut taken = CensusTaken {
        resolution,
        ..CensusTaken::default()
    };
    let named =
        resolution == Resolution::ByIds || matches!(selector, Selector::AllManaged | Selector::NodeIds(_));
    for (location, answered) in asked {
        if !answered.tags.is_empty() {
            taken.tags.insert(location.clone(), answered.tags);
        }
        if !answered.managed.is_empty() {
            if named {
                let found = answered.managed.keys().cloned().collect();
                taken.found.insert(location.clone(), found);
            }
            taken.managed.insert(location.clone(), by_ping(answered.managed));
        }
        if let Some(digest) = answered.digest {
            taken.digests.insert(location.clone(), digest);
        }
        if let Some(members) = answered.members {
            taken.members.insert(location.clone(), members);
        }
        taken.answers.insert(location, answered.answer);
    }
    taken
}

/// What each location answered that was asked.
pub(crate) type Answers = BTreeMap<Location, Answered>;

/// What locations are asked.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    inventory: &'a dyn Inventory,
    selector: &'a Selector,
    depth: Depth,
    labels: &'a [LabelBudget],
}

impl<'a> Question<'a> {
    pub(crate) fn new(inventory: &'a dyn Inventory, selector: &'a Selector, depth: Depth) -> Self {
        Self {
            inventory,
            selector,
            depth: match inventory.resolution() {
                Resolution::SameAsAws => depth,
                Resolution::ByIds => Depth::Count,
            },
            labels: &[],
        }
    }

    /// The same question, and what the nodes have of the tags by which these labels tell them apart.
    pub(crate) fn with_labels(self, labels: &'a [LabelBudget]) -> Self {
        Self { labels, ..self }
    }

    /// Whether one location can be asked without a look at the others. Ids are looked for in all of them
    /// together, until each is found.
    pub(crate) fn is_of_one_location(&self) -> bool {
        !matches!(self.selector, Selector::NodeIds(_))
    }

    /// Asks one location. A call that fails makes its answer [`Unknown`](CensusAnswer::Unknown).
    pub(crate) async fn ask(&self, location: &Location) -> Answered {
        let answered = ask(self.inventory, location, self.selector, self.depth).await;
        let answered = answered.unwrap_or_else(|error| {
            Answered::without_nodes(match slips(Slip::TakesUnknownForEmpty) {
                true => CensusAnswer::Empty,
                false => error.into(),
            })
        });
        self.with_tags(location, answered).await
    }

    /// The answer with the tags of the managed nodes. Where they cannot be read, nobody knows what is there: a node of which
    /// they are not known is not one without them.
    async fn with_tags(&self, location: &Location, mut answered: Answered) -> Answered {
        if answered.managed.is_empty() {
            return answered;
        }
        for key in self.labels.iter().filter_map(|label| label.by.tag()) {
            match fleet::tag_values(self.inventory, location, key, &answered.managed).await {
                Ok(values) => answered.tags.insert(key.to_owned(), values),
                // The nodes are there, so a denial does not put the location out of scope.
                Err(error) if error.kind() == PortErrorKind::Denied => {
                    let detail = format!("the tag {key} of its nodes cannot be read: {}", error.reason());
                    return Answered::without_nodes(CensusAnswer::Unknown {
                        cause: UnknownCause::Other,
                        detail,
                    });
                }
                Err(error) => return Answered::without_nodes(error.into()),
            };
        }
        answered
    }
}

/// What one location answered.
pub(crate) struct Answered {
    pub(super) answer: CensusAnswer,
    /// The selected nodes that Systems Manager manages, if the nodes were counted.
    managed: BTreeMap<NodeId, PingStatus>,
    /// Which nodes the selection has, if they were counted.
    digest: Option<NodesDigest>,
    /// The same nodes by their ids, if a group or tags select them.
    members: Option<NodeSet>,
    /// What the managed nodes have of each tag that was asked for.
    tags: Tags,
}

impl Answered {
    pub(super) fn without_nodes(answer: CensusAnswer) -> Self {
        Self {
            answer,
            managed: BTreeMap::new(),
            digest: None,
            members: None,
            tags: Tags::new(),
        }
    }

    /// The answer of a selection that only managed nodes can be in.
    pub(super) fn of_managed(nodes: BTreeMap<NodeId, PingStatus>) -> Self {
        let all: BTreeSet<NodeId> = nodes.keys().cloned().collect();
        Self::of(&all, nodes)
    }

    fn of(all: &BTreeSet<NodeId>, managed: BTreeMap<NodeId, PingStatus>) -> Self {
        if all.is_empty() {
            return Self::without_nodes(CensusAnswer::Empty);
        }
        Self {
            answer: CensusAnswer::Populated {
                nodes: Some(count(all.iter(), &managed)),
            },
            digest: Some(NodesDigest::of(all)),
            members: None,
            tags: Tags::new(),
            managed,
        }
    }
}

fn by_ping(managed: BTreeMap<NodeId, PingStatus>) -> ManagedNodes {
    let mut nodes = ManagedNodes::default();
    for (node, ping) in managed {
        match ping {
            PingStatus::Online => nodes.online.push(node),
            PingStatus::Offline => nodes.offline.push(node),
        }
    }
    nodes
}

async fn ask(
    inventory: &dyn Inventory,
    location: &Location,
    selector: &Selector,
    depth: Depth,
) -> PortResult<Answered> {
    let selection = match selector {
        _ if slips(Slip::TakesEveryNode) => return ask_managed(inventory, location).await,
        Selector::ResourceGroup(group) => Selection::Group(group.clone()),
        Selector::Tags(tags) => Selection::Tags(tags.clone()),
        Selector::AllManaged | Selector::NodeIds(_) => return ask_managed(inventory, location).await,
    };
    ask_members(inventory, location, &selection, depth).await
}

/// All that Systems Manager manages there.
async fn ask_managed(inventory: &dyn Inventory, location: &Location) -> PortResult<Answered> {
    let managed = fleet::managed(inventory, location).await?;
    Ok(Answered::of_managed(pings(managed)))
}

/// What a group or tags select.
async fn ask_members(
    inventory: &dyn Inventory,
    location: &Location,
    selection: &Selection,
    depth: Depth,
) -> PortResult<Answered> {
    let without_nodes = |answer| Ok(Answered::without_nodes(answer));
    let extent = match depth {
        Depth::Presence => Extent::First,
        Depth::Count => Extent::All,
    };
    let members = match fleet::members(inventory, location, selection, extent).await? {
        Members::Found(members) => members,
        Members::GroupMissing => return without_nodes(CensusAnswer::GroupMissing),
        Members::Partial(errors) => {
            return without_nodes(CensusAnswer::Unknown {
                cause: UnknownCause::Partial,
                detail: fleet::in_words(&errors),
            });
        }
    };
    if members.is_empty() {
        return without_nodes(CensusAnswer::Empty);
    }
    if depth == Depth::Presence {
        return without_nodes(CensusAnswer::Populated { nodes: None });
    }
    let managed = managed_of(inventory, location, &members).await?;
    Ok(Answered {
        members: Some(NodeSet::of(&members)),
        ..Answered::of(&members, managed)
    })
}

/// Those of `ids` that Systems Manager manages.
pub(super) async fn managed_of(
    inventory: &dyn Inventory,
    location: &Location,
    ids: &BTreeSet<NodeId>,
) -> PortResult<BTreeMap<NodeId, PingStatus>> {
    let managed = fleet::managed_of(inventory, location, ids, CALLS_PER_LOCATION).await?;
    Ok(pings(managed))
}

fn pings(managed: BTreeMap<NodeId, ManagedNode>) -> BTreeMap<NodeId, PingStatus> {
    managed.into_iter().map(|(id, node)| (id, node.ping)).collect()
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
