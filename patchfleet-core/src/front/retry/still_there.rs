//! Which of the nodes that are tried again are there today.

use super::Wanted;
use crate::fleet::{self, Extent, Members};
use crate::id::{Location, NodeId};
use crate::port::{Inventory, PingStatus, PortError, PortResult, Selection};
use crate::request::Selector;
use crate::text::{by_number, counted, names};
use std::collections::BTreeSet;

/// How many calls at once ask one location which of its nodes Systems Manager manages.
const CALLS_PER_LOCATION: usize = 8;

/// What is found today of the nodes that are wanted in a location.
#[derive(Debug)]
pub(super) struct Found {
    selected: BTreeSet<NodeId>,
    pub(super) managed: BTreeSet<NodeId>,
    /// Those of them whose agent answers.
    pub(super) online: BTreeSet<NodeId>,
}

impl Found {
    /// Those of them that are selected and not registered with Systems Manager.
    pub(super) fn unmanaged(&self) -> Vec<NodeId> {
        self.selected.difference(&self.managed).cloned().collect()
    }

    /// Which of them are not tried again, and why.
    pub(super) fn told(&self, location: &Location, wanted: &Wanted) -> Vec<String> {
        let unselected: Vec<&NodeId> = wanted.named.difference(&self.selected).collect();
        let unmanaged: Vec<&NodeId> = self.selected.difference(&self.managed).collect();
        let line = |nodes: Vec<&NodeId>, one: &str, several: &str| {
            let n = nodes.len();
            let why = by_number(n, one, several);
            (n > 0).then(|| {
                format!(
                    "{location}: {} not retried, {why}: {}",
                    counted(n, "node"),
                    names(nodes)
                )
            })
        };
        let told = [
            line(
                unselected,
                "as the request does not select it any more",
                "as the request does not select them any more",
            ),
            line(
                unmanaged,
                "as it is not registered with Systems Manager",
                "as they are not registered with Systems Manager",
            ),
        ];
        let unsure = (wanted.unsure > 0).then(|| {
            format!(
                "{location}: {} that {} not reached {} not tried again, as what was begun there may run on",
                counted(wanted.unsure, "node"),
                by_number(wanted.unsure, "was", "were"),
                by_number(wanted.unsure, "is", "are"),
            )
        });
        told.into_iter().flatten().chain(unsure).collect()
    }
}

/// Which of the wanted nodes the request still selects, and which of these Systems Manager manages. An error is in words.
pub(super) async fn still_there(
    inventory: &dyn Inventory,
    location: &Location,
    selector: &Selector,
    wanted: &Wanted,
) -> Result<Found, String> {
    let selection = match selector {
        Selector::ResourceGroup(group) => Some(Selection::Group(group.clone())),
        Selector::Tags(tags) => Some(Selection::Tags(tags.clone())),
        Selector::AllManaged | Selector::NodeIds(_) => None,
    };
    let words = |error: PortError| error.reason().to_string();
    let all = match selection {
        Some(selection) => match fleet::members(inventory, location, &selection, Extent::All)
            .await
            .map_err(words)?
        {
            Members::Found(members) => members,
            // Nothing is selected there any more.
            Members::GroupMissing => BTreeSet::new(),
            Members::Partial(errors) => return Err(fleet::in_words(&errors)),
        },
        None => managed(inventory, location, wanted).await.map_err(words)?,
    };
    let is_selected = |node: &NodeId| match selector {
        Selector::NodeIds(ids) => ids.contains(node),
        _ => true,
    };
    let selected: BTreeSet<NodeId> = all
        .into_iter()
        .filter(|node| (wanted.whole || wanted.named.contains(node)) && is_selected(node))
        .collect();
    let managed = fleet::managed_of(inventory, location, &selected, CALLS_PER_LOCATION)
        .await
        .map_err(words)?;
    let online = managed.values().filter(|node| node.ping == PingStatus::Online);
    Ok(Found {
        online: online.map(|node| node.id.clone()).collect(),
        managed: managed.into_keys().collect(),
        selected,
    })
}

/// The managed nodes of a location among those that are wanted.
async fn managed(
    inventory: &dyn Inventory,
    location: &Location,
    wanted: &Wanted,
) -> PortResult<BTreeSet<NodeId>> {
    let found = match wanted.whole {
        true => fleet::managed(inventory, location).await?,
        false => fleet::managed_of(inventory, location, &wanted.named, CALLS_PER_LOCATION).await?,
    };
    Ok(found.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_retried_is_told_in_the_singular_and_in_the_plural() {
        let node = |n: usize| -> NodeId { format!("i-0000000{n}").parse().unwrap() };
        let location: Location = Location::new("111111111111".parse().unwrap(), "us-east-1".parse().unwrap());
        let told = |n: usize| {
            let wanted = Wanted {
                named: (0..2 * n).map(node).collect(),
                unsure: n,
                ..Wanted::default()
            };
            let found = Found {
                selected: (0..n).map(node).collect(),
                managed: BTreeSet::new(),
                online: BTreeSet::new(),
            };
            found.told(&location, &wanted).join("\n")
        };
        insta::assert_snapshot!(told(1), @r"
        111111111111/us-east-1: 1 node not retried, as the request does not select it any more: i-00000001
        111111111111/us-east-1: 1 node not retried, as it is not registered with Systems Manager: i-00000000
        111111111111/us-east-1: 1 node that was not reached is not tried again, as what was begun there may run on
        ");
        insta::assert_snapshot!(told(2), @r"
        111111111111/us-east-1: 2 nodes not retried, as the request does not select them any more: i-00000002, i-00000003
        111111111111/us-east-1: 2 nodes not retried, as they are not registered with Systems Manager: i-00000000, i-00000001
        111111111111/us-east-1: 2 nodes that were not reached are not tried again, as what was begun there may run on
        ");
    }
}
