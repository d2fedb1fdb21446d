//! Asking again for patches by name, once a campaign is over: of nodes whose row has none, because nobody could read them
//! or because the version that wrote it did not.

use super::{Drive, DriveError};
use crate::campaign::collect::{Short, read_names, take_names};
use crate::campaign::state::Settled;
use crate::campaign::{Appended, Event, READS_AT_ONCE};
use crate::fleet;
use crate::id::{Location, NodeId, UnitId};
use crate::outcome::{NODES_NAMED, NodeOutcome, NodeRow, PatchNames};
use futures_util::future::join_all;
use std::collections::BTreeMap;

impl Drive<'_> {
    /// Reads them, and keeps what was read. What cannot be read is no error: nothing follows from a name.
    ///
    /// An open campaign is left alone. Whoever drives it may be keeping rows of the same location.
    pub(super) async fn name_again(&mut self) -> Result<(), DriveError> {
        if self.state.finished().is_none() {
            return Ok(());
        }
        let settled = self.state.locations().filter_map(|(unit, location, at)| {
            let nodes = &at.settled.as_ref()?.nodes;
            let short = nodes.count(NodeOutcome::Failed) > 0 || nodes.count(NodeOutcome::Missing) > 0;
            short.then(|| (location.clone(), unit))
        });
        let mut places: BTreeMap<Location, UnitId> = settled.collect();
        for (_, location) in self.state.rows_missing() {
            places.remove(location);
        }
        let places: Vec<(Location, UnitId)> = places.into_iter().collect();
        for some in places.chunks(READS_AT_ONCE) {
            let reads = some
                .iter()
                .map(|(location, unit)| self.named_rows(location, *unit));
            let read = join_all(reads).await;
            for ((location, unit), rows) in some.iter().zip(read) {
                if let Some(rows) = rows {
                    self.keep_named(location, *unit, rows).await?;
                }
            }
        }
        Ok(())
    }

    /// The rows of a location, if there are names now that they have not had.
    async fn named_rows(&self, location: &Location, unit: UnitId) -> Option<Vec<NodeRow>> {
        let mut rows = self.kept(location).await.ok()?;
        self.name_rows(location, unit, &mut rows).await.then_some(rows)
    }

    /// Keeps rows that have names now, and says so with what the log has of the location: the results were read again.
    /// So of two who keep rows of it at once, one is in conflict and reads once more.
    async fn keep_named(
        &mut self,
        location: &Location,
        unit: UnitId,
        rows: Vec<NodeRow>,
    ) -> Result<(), DriveError> {
        let campaign = self.state.campaign();
        let before = self.settled(location, unit);
        let attempt = self.rows_attempt(location);
        let put = self.driver.rows.put(campaign, location, attempt, rows);
        put.await
            .map_err(|source| DriveError::Rows { campaign, source })?;
        while let Some(settled) = self.settled(location, unit) {
            let named = Event::Recollected {
                unit,
                location: location.clone(),
                outcome: settled.outcome,
                nodes: settled.nodes,
                offline_before: settled.offline_before,
                detail: settled.detail,
                not_well: settled.not_well,
            };
            if self.append(vec![named]).await? == Appended::Yes {
                break;
            }
            if self.settled(location, unit) != before
                && let Ok(newer) = self.read_again(unit, location).await
            {
                // Somebody read more of it meanwhile, and these rows may have taken the place of those.
                self.put_again(unit, location, &newer.settlement).await?;
            }
        }
        Ok(())
    }

    fn settled(&self, location: &Location, unit: UnitId) -> Option<Settled> {
        let at = self.state.units().get(&unit)?.locations.get(location)?;
        at.settled.clone()
    }

    /// Gives the rows of a location the names that can be read now. Whether there are such.
    ///
    /// Only a patch state that is provably of this campaign counts, by its snapshot and by the numbers in the row: the
    /// next run writes over it.
    async fn name_rows(&self, location: &Location, unit: UnitId, rows: &mut [NodeRow]) -> bool {
        let is_named = |row: &&NodeRow| row.patches.as_ref().is_some_and(|names| !names.named.is_empty());
        let most = NODES_NAMED.saturating_sub(rows.iter().filter(is_named).count());
        let may_be_read = |row: &&NodeRow| {
            row.shortfall().is_some() && row.patches.as_ref().is_none_or(PatchNames::may_be_read)
        };
        let wanted: BTreeMap<NodeId, &NodeRow> = rows
            .iter()
            .filter(may_be_read)
            .take(most)
            .map(|row| (row.node.clone(), row))
            .collect();
        if wanted.is_empty() {
            return false;
        }
        let port = &*self.driver.patch_states;
        let nodes: Vec<NodeId> = wanted.keys().cloned().collect();
        let Ok(states) = fleet::patch_states(port, location, &nodes, READS_AT_ONCE).await else {
            return false;
        };
        let own = self.state.campaign().snapshot_id().to_string();
        let operation = self.state.operation_of(unit);
        let short: Short = states
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
        let mut names = read_names(port, location, &short, most).await;
        names.retain(|_, names| !names.named.is_empty());
        let any = !names.is_empty();
        take_names(rows, names);
        any
    }
}
