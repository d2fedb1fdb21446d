//! Asking again for the names of patches once a campaign is over: for nodes whose row has none, because nobody could read
//! them or because an older version wrote it.

use super::Drive;
use super::rows_again::Mended;
use crate::campaign::READS_AT_ONCE;
use crate::campaign::collect::{NAMED_WITHIN, Short, by, read_names};
use crate::campaign::polls::later;
use crate::fleet;
use crate::id::{Location, NodeId, UnitId};
use crate::outcome::{NODES_NAMED, NodeOutcome, NodeRow, PatchNames};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// For how long the names of patches are asked for in all, each time that results of a campaign are read again.
pub(super) const NAMED_AGAIN_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// A location in which nodes may have no names yet.
struct Place {
    location: Location,
    unit: UnitId,
    /// Of the nodes up to this one no more is read now.
    after: Option<NodeId>,
}

/// New names for nodes, each with the row that they are for.
type Named = BTreeMap<NodeId, (NodeRow, PatchNames)>;

impl Drive<'_> {
    /// Reads them, and keeps them in the rows. The log says nothing of it, since nothing follows from a name. What cannot
    /// be read or kept is no error, and neither is what there is no time for: who asks once more gets it.
    ///
    /// Only a location of which nothing else is to be read is looked at, in a campaign that is over. Somebody else may mend rows of it
    /// meanwhile, so the rows are compared with the log afterwards.
    pub(super) async fn name_again(&mut self) {
        let clock = &*self.driver.clock;
        let until = later(clock.now(), self.names_left);
        let _ = by(clock, until, self.name_places(until)).await;
    }

    async fn name_places(&mut self, until: Timestamp) {
        let settled = self.state.locations().filter_map(|(unit, location, at)| {
            let nodes = &at.settled.as_ref()?.nodes;
            let short = nodes.count(NodeOutcome::Failed) > 0 || nodes.count(NodeOutcome::Missing) > 0;
            short.then(|| (location.clone(), unit))
        });
        let mut places: BTreeMap<Location, UnitId> = settled.collect();
        places.retain(|location, _| self.is_done_with(location));
        let places = places.into_iter();
        let mut places: Vec<Place> = places
            .map(|(location, unit)| Place {
                location,
                unit,
                after: None,
            })
            .collect();
        // No location keeps the others waiting for longer than the time that one has at once.
        while !places.is_empty() {
            let mut unfinished = vec![];
            for some in places.chunks(READS_AT_ONCE) {
                let reads = some.iter().map(|place| self.read_new_names(place, until));
                let read = join_all(reads).await;
                for (place, (named, after)) in some.iter().zip(read) {
                    self.keep_names(&place.location, named).await;
                    unfinished.extend(after.map(|after| Place {
                        location: place.location.clone(),
                        unit: place.unit,
                        after: Some(after),
                    }));
                }
            }
            places = unfinished;
        }
    }

    /// Whether the campaign is over, and all results of a location are read and kept.
    fn is_done_with(&self, location: &Location) -> bool {
        let is_left = self.state.unread().iter().any(|(_, unread)| unread == location)
            || self.state.rows_missing().any(|(_, missing)| missing == location);
        self.state.finished().is_some() && !is_left
    }

    /// Keeps names in the rows that they are for. The rows are read right before that, and those that are others by now
    /// stay as they are.
    async fn keep_names(&mut self, location: &Location, mut named: Named) {
        // A person may have the campaign go on meanwhile.
        if named.is_empty() || self.catch_up().await.is_err() || !self.is_done_with(location) {
            return;
        }
        let (campaign, rows) = (self.state.campaign(), &*self.driver.rows);
        let Ok(mut kept) = rows.rows(campaign, location).await else {
            return;
        };
        let mut is_new = false;
        for row in &mut kept {
            if let Some((before, names)) = named.remove(&row.node)
                && *row == before
            {
                row.patches = Some(names);
                is_new = true;
            }
        }
        if is_new {
            let attempt = self.state.rows_attempt(location);
            // It is no error if they cannot be kept. Whoever reads results again may have kept others meanwhile.
            let _ = rows.put(campaign, location, attempt, kept).await;
            let _ = self.mend_location(location, &mut Mended::default()).await;
        }
    }

    /// The names that can be read now of nodes of a location that have none yet. And after which node to go on, if there was no
    /// time for all and some have been read.
    ///
    /// Only a patch state that is provably of this campaign counts, by its snapshot and by the numbers in the row: the
    /// next run writes over it.
    async fn read_new_names(&self, place: &Place, until: Timestamp) -> (Named, Option<NodeId>) {
        let mut named = Named::new();
        let (campaign, location) = (self.state.campaign(), &place.location);
        let Ok(rows) = self.driver.rows.rows(campaign, location).await else {
            return (named, None);
        };
        let may_be_read = |row: &&NodeRow| {
            row.shortfall().is_some() && row.patches.as_ref().is_none_or(PatchNames::may_be_read)
        };
        let is_next = |row: &&NodeRow| place.after.as_ref().is_none_or(|after| row.node > *after);
        let wanted: BTreeMap<NodeId, &NodeRow> = rows
            .iter()
            .filter(may_be_read)
            .filter(is_next)
            .map(|row| (row.node.clone(), row))
            .collect();
        if wanted.is_empty() {
            return (named, None);
        }
        let port = &*self.driver.patch_states;
        let nodes: Vec<NodeId> = wanted.keys().cloned().collect();
        let clock = &*self.driver.clock;
        let until = until.min(later(clock.now(), NAMED_WITHIN));
        let states = fleet::patch_states(port, location, &nodes, READS_AT_ONCE);
        let Some(Ok(states)) = by(clock, until, states).await else {
            return (named, None);
        };
        let own = campaign.snapshot_id().to_string();
        let operation = self.state.operation_of(place.unit);
        let mut short: Short = states
            .into_iter()
            .filter_map(|(node, state)| {
                let row = wanted.get(&node)?;
                let (shortfall, _) = row.shortfall()?;
                let snapshot = state.snapshot.as_deref()?;
                let is_own = snapshot.eq_ignore_ascii_case(&own)
                    && state.operation.eq_ignore_ascii_case(operation.as_str())
                    && row.installed == Some(state.installed)
                    && row.missing == Some(state.missing)
                    && row.failed == Some(state.failed);
                is_own.then_some((node, (shortfall, state)))
            })
            .collect();
        // What is read of a few nodes is sure once it is read, whatever time is left for the others.
        let mut after = None;
        while let Some(last) = short.keys().take(NODES_NAMED).next_back().cloned() {
            let mut others = short.split_off(&last);
            short.extend(others.remove_entry(&last));
            let names = read_names(port, location, &short, NODES_NAMED, (clock, until)).await;
            let before = named.len();
            for (node, names) in names.into_iter().filter(|(_, names)| !names.named.is_empty()) {
                if let Some(row) = wanted.get(&node) {
                    named.insert(node, ((*row).clone(), names));
                }
            }
            if named.len() == before {
                return (named, after);
            }
            after = Some(last);
            short = others;
        }
        (named, None)
    }
}
