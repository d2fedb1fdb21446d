//! Looking for nodes by their ids. Nobody knows before in which location each of them is.
//!
//! To ask every location for every id would cost ids × locations. Three rules make it cheaper. An id that was found
//! is not looked for any more, because no two nodes have the same id. Accounts and Regions in which ids were found
//! come first. And a location with fewer managed nodes than ids are looked for is read as a whole.

use super::CensusAnswer;
use super::take::{Answered, managed_of};
use crate::fleet::NODES_A_CALL;
use crate::id::{AccountId, Location, NodeId, Region};
use crate::port::{Inventory, PingStatus, PortResult, Walk};
use futures_util::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};

/// The most calls that a search for ids may take, at 50 ids a call and location: as many as 20,000 ids in 125
/// locations need. A larger search is refused before anything is asked.
pub(crate) const MAX_ID_CALLS: usize = 50_000;

/// How many calls it takes to ask each of so many locations for each of so many ids.
#[must_use]
pub(crate) fn id_calls(ids: usize, locations: usize) -> usize {
    ids.div_ceil(NODES_A_CALL).saturating_mul(locations)
}

/// Looks for each of the ids, in `concurrency` locations at once, until all are found or every location was asked.
/// Once every id is found, a location that was not asked has none of them, and neither has one that did not answer.
pub(super) async fn search(
    inventory: &dyn Inventory,
    wanted: &BTreeSet<Location>,
    ids: &BTreeSet<NodeId>,
    concurrency: usize,
) -> Vec<(Location, Answered)> {
    let mut open: BTreeSet<NodeId> = ids.clone();
    let mut waiting: Vec<Location> = wanted.iter().cloned().collect();
    let mut hits = Hits::default();
    let mut asked: Vec<(Location, PortResult<BTreeMap<NodeId, PingStatus>>)> = Vec::new();
    while !open.is_empty() && !waiting.is_empty() {
        // The sort is stable: where nothing is known, account and Region decide.
        waiting.sort_by_key(|location| std::cmp::Reverse(hits.like(location)));
        let round: Vec<Location> = waiting.drain(..concurrency.max(1).min(waiting.len())).collect();
        let looked_for = &open;
        let answers: Vec<_> = stream::iter(round)
            .map(|location| async move {
                let found = look(inventory, &location, looked_for).await;
                (location, found)
            })
            .buffered(concurrency.max(1))
            .collect()
            .await;
        for (location, found) in &answers {
            for id in found.iter().flat_map(BTreeMap::keys) {
                open.remove(id);
                hits.note(location);
            }
        }
        asked.extend(answers);
    }
    let all_found = open.is_empty();
    let unasked = waiting
        .into_iter()
        .map(|location| (location, Ok(BTreeMap::new())));
    asked
        .into_iter()
        .chain(unasked)
        .map(|(location, found)| {
            let answered = match found {
                Err(_) if all_found => Answered::without_nodes(CensusAnswer::Empty),
                Err(error) => Answered::without_nodes(error.into()),
                Ok(nodes) => Answered::of_managed(nodes),
            };
            (location, answered)
        })
        .collect()
}

/// How many of the ids were found in each account and each Region.
#[derive(Default)]
struct Hits {
    accounts: BTreeMap<AccountId, usize>,
    regions: BTreeMap<Region, usize>,
}

impl Hits {
    fn note(&mut self, location: &Location) {
        *self.accounts.entry(location.account.clone()).or_default() += 1;
        *self.regions.entry(location.region.clone()).or_default() += 1;
    }

    fn like(&self, location: &Location) -> usize {
        let in_account = self.accounts.get(&location.account);
        let in_region = self.regions.get(&location.region);
        in_account.copied().unwrap_or_default() + in_region.copied().unwrap_or_default()
    }
}

/// Those of `ids` that are managed in a location. First its nodes are listed, for as many pages as asking for the ids
/// would take calls. If the listing is longer, the ids are asked for. So it costs at most twice the cheaper way.
async fn look(
    inventory: &dyn Inventory,
    location: &Location,
    ids: &BTreeSet<NodeId>,
) -> PortResult<BTreeMap<NodeId, PingStatus>> {
    let calls = id_calls(ids.len(), 1);
    if calls > 1 {
        let mut all = BTreeMap::new();
        let mut walk = Walk::new("the listing of managed nodes");
        for _ in 0..calls {
            let Some(token) = walk.next() else { break };
            let page = inventory.managed(location, None, token).await?;
            all.extend(page.items.into_iter().map(|node| (node.id, node.ping)));
            walk.advance(page.next)?;
        }
        if walk.is_over() {
            all.retain(|id, _| ids.contains(id));
            return Ok(all);
        }
    }
    managed_of(inventory, location, ids).await
}
