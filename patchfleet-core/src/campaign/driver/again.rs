//! Reading results again that could not be read, also when the campaign is over.

use super::merge::merged;
use super::read_results::named_until;
use super::{Drive, DriveError, Driver};
use crate::campaign::Appended;
use crate::campaign::collect::{Collected, NAMED_WITHIN, Settlement, nodes};
use crate::campaign::facts::cancel_seen;
use crate::campaign::notice::Tried;
use crate::campaign::{Event, State};
use crate::id::{CampaignId, Location, RowsDigest, UnitId};
use crate::outcome::{LocationOutcome, NodeOutcome, NodeRow, Tally};
use crate::port::PortResult;
use jiff::SignedDuration;
use std::collections::BTreeSet;

/// What came of reading results again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recollected {
    /// The campaign, with what was read.
    pub state: State,
    /// How many locations have all their results now that could not be read before, or whose rows had been lost, and of how many more is
    /// known of lost nodes.
    pub read: u32,
    /// What still cannot be read, or not whole: what is known of other nodes there is kept.
    pub unread: Vec<StillUnread>,
}

/// A location whose results still cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StillUnread {
    /// The location.
    pub location: Location,
    /// Why, in AWS's words where it has any.
    pub reason: String,
}

impl Driver {
    /// Reads the results again that could not be read when their locations settled, and those of lost nodes, whose agents may answer
    /// again. Starts nothing, and claims no name. Of a campaign that is over, patches that have no name yet are asked for by name, for a
    /// minute at most.
    ///
    /// The campaign may be over, or be driven by somebody else meanwhile.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), but for reads in the locations that fail: those are listed in what is
    /// given back.
    pub async fn collect_again(&self, campaign: CampaignId) -> Result<Recollected, DriveError> {
        // Nothing is claimed: a campaign that was refused its name stays so.
        let mut drive = self.look_up(campaign).await?;
        drive.require_writable()?;
        let (mut read, mut unread, mut looked_at) = (0_u32, vec![], BTreeSet::new());
        for (unit, location) in drive.state.unread() {
            looked_at.insert(location.clone());
            let reason = match drive.read_again(unit, &location).await {
                Ok(reading) => {
                    if reading.unread.is_none()
                        || drive.tells_more(unit, &location, &reading.settlement)
                        || drive.tells_of_lost(unit, &location, &reading.settlement)
                    {
                        let digest = NodeRow::digest(&reading.settlement.rows);
                        drive.replace(unit, &location, reading.settlement, digest).await?;
                    }
                    reading.unread
                }
                Err(reason) => Some(reason),
            };
            match reason {
                Some(reason) => unread.push(StillUnread { location, reason }),
                None => read = read.saturating_add(1),
            }
        }
        // A store that gives or takes no rows takes nothing back that was read.
        let mended = drive.mend_all_rows().await;
        let is_new = |location: &Location| !looked_at.contains(location);
        let whole = mended.whole.iter().filter(|location| is_new(location)).count();
        read = read.saturating_add(u32::try_from(whole).unwrap_or(u32::MAX));
        unread.extend(mended.lost.into_iter().filter(|lost| is_new(&lost.location)));
        drive.name_again().await;
        read = read.saturating_add(Box::pin(drive.read_lost_again()).await?);
        let state = drive.into_state();
        Ok(Recollected { state, read, unread })
    }
}

/// What a location came to.
pub(super) struct Reading {
    pub(super) settlement: Settlement,
    /// Why some of its results still are not known.
    unread: Option<String>,
}

/// Why results of a location are not known, if some are not.
fn still_unread(settlement: &Settlement) -> Option<String> {
    let unknown = settlement.nodes.unknown();
    let unreadable = settlement.outcome == LocationOutcome::ResultsUnreadable;
    if unreadable && !settlement.detail.is_empty() {
        return Some(settlement.detail.clone());
    }
    (unreadable || unknown > 0).then(|| {
        let words = format!("what became of {} is not known", nodes(unknown));
        let mut rows = settlement.rows.iter();
        match rows.find(|row| row.outcome.is_unknown()) {
            Some(row) => format!("{words}: {}: {}", row.node, row.detail),
            None => words,
        }
    })
}

impl Drive<'_> {
    /// What a location came to, with what is kept of it, or why nothing can be said of it.
    pub(super) async fn read_again(&mut self, unit: UnitId, location: &Location) -> Result<Reading, String> {
        let settlement = self.read_alone(unit, location).await?;
        let kept = self.kept_of(unit, location, &settlement).await;
        let mut kept = kept.map_err(|error| error.reason())?;
        if !self.state.has_rows(unit, location, &kept) {
            // Rows that are not those of the log give way to these, where it can be told which they are.
            let whole = self.made_whole(unit, location, settlement.rows.clone(), &kept);
            kept = whole.unwrap_or(kept);
        }
        let settlement = merged(settlement, kept, self.state.goal_of(unit));
        let unread = still_unread(&settlement);
        Ok(Reading { settlement, unread })
    }

    /// What a location came to by what is read now alone.
    pub(super) async fn read_alone(
        &mut self,
        unit: UnitId,
        location: &Location,
    ) -> Result<Settlement, String> {
        if let Some(seen) = self.seen_by_now(unit, location).await {
            return seen;
        }
        let automation = &*self.driver.dispatcher(&self.state, unit);
        let this = &*self;
        let look = || async move { this.job(automation, unit, location).collect().await };
        let collected = self.patiently(Tried::Results, &location.to_string(), look).await;
        let mut settlement = match collected.map_err(|error| error.reason())? {
            // Long over: what is late by now does not come.
            Collected::Settled(settlement) | Collected::Lagging(settlement, _) => settlement,
            Collected::Running { .. } => return Err("something still runs there".to_owned()),
            Collected::NotSent { detail, .. } => return Err(detail),
        };
        let (clock, began) = (&*self.driver.clock, self.now());
        let until = named_until(began, NAMED_WITHIN.min(self.names_left), self.stops_at);
        let job = self.job(automation, unit, location);
        job.name_patches_of(&mut settlement, clock, until).await;
        let took = self.now().duration_since(began);
        self.names_left = self.names_left.saturating_sub(took).max(SignedDuration::ZERO);
        Ok(settlement)
    }

    /// The rows that are kept of the unit's nodes in a location. A unit that has the location for itself has
    /// all of them. Of several, each has those that it names and those that it speaks for now.
    async fn kept_of(
        &self,
        unit: UnitId,
        location: &Location,
        settlement: &Settlement,
    ) -> PortResult<Vec<NodeRow>> {
        let subject = location.to_string();
        let patience = self.driver.patience(Tried::KeptRows, &subject);
        let kept = patience.call(|| self.kept(location), |_| false).await?;
        let all = self.state.units();
        let alone = all
            .iter()
            .all(|(id, other)| *id == unit || !other.locations.contains_key(location));
        let named = all.get(&unit).map(|unit| &unit.named);
        let is_own = |row: &NodeRow| {
            alone
                || named.is_some_and(|named| named.contains(&row.node))
                || settlement.rows.iter().any(|told| told.node == row.node)
        };
        Ok(kept.into_iter().filter(is_own).collect())
    }

    /// Reads the results of lost nodes again, whose agents may answer again. Gives of how many locations more is known now.
    async fn read_lost_again(&mut self) -> Result<u32, DriveError> {
        let mut read = 0_u32;
        for (unit, location) in self.state.with_lost_nodes() {
            // Results of it were read once, so it is no news that nothing more can be read.
            let reading = self.read_again(unit, &location).await.ok();
            if let Some(reading) = reading.filter(|reading| reading.unread.is_none())
                && self.tells_of_lost(unit, &location, &reading.settlement)
            {
                let digest = NodeRow::digest(&reading.settlement.rows);
                self.replace(unit, &location, reading.settlement, digest).await?;
                read = read.saturating_add(1);
            }
        }
        Ok(read)
    }

    /// Whether this says of more nodes what became of them than the log does. What the rows kept is in it, so
    /// only nodes whose rows are missing are weighed by their number.
    fn tells_more(&self, unit: UnitId, location: &Location, settlement: &Settlement) -> bool {
        let unit = self.state.units().get(&unit);
        let at = unit.and_then(|unit| unit.locations.get(location));
        at.and_then(|at| at.settled.as_ref()).is_some_and(|known| {
            settlement.nodes.unknown() < known.nodes.unknown()
                && settlement.nodes.total() >= known.nodes.total()
        })
    }

    /// Whether this says something else of lost nodes than the log does: what they came to, or that nothing runs there any more.
    fn tells_of_lost(&self, unit: UnitId, location: &Location, settlement: &Settlement) -> bool {
        let unit = self.state.units().get(&unit);
        let at = unit.and_then(|unit| unit.locations.get(location));
        at.and_then(|at| at.settled.as_ref()).is_some_and(|known| {
            let lost = |nodes: &Tally| nodes.count(NodeOutcome::Lost);
            let not_well = self.state.not_well(&settlement.rows);
            let is_news = lost(&settlement.nodes) < lost(&known.nodes)
                || not_well.may_run_until != known.not_well.may_run_until;
            is_news && lost(&known.nodes) > 0 && settlement.nodes.total() >= known.nodes.total()
        })
    }

    /// Reads the results again whose rows could not be kept, and keeps them. What the log says of their locations
    /// stays, unless all of it is known now. What cannot be read any more is left as it is.
    pub(super) async fn keep_missing_rows(&mut self) -> Result<(), DriveError> {
        let missing: Vec<(UnitId, Location)> = self.state.rows_missing().cloned().collect();
        for (unit, location) in missing {
            let reading = self.read_again(unit, &location).await;
            let known = self
                .state
                .units()
                .get(&unit)
                .and_then(|unit| unit.locations.get(&location));
            let known = known.and_then(|at| at.settled.clone());
            let (Ok(reading), Some(known)) = (reading, known) else {
                self.rows_left.insert((unit, location));
                continue;
            };
            let mut settlement = reading.settlement;
            let mut digest = NodeRow::digest(&settlement.rows);
            if reading.unread.is_some() || digest == known.rows {
                settlement.outcome = known.outcome;
                settlement.nodes = known.nodes;
                settlement.detail = known.detail;
                digest = known.rows;
            }
            self.replace(unit, &location, settlement, digest).await?;
            // A unit that was never begun has nothing to read again. Each is tried once.
            let at = (unit, location);
            if self.state.rows_missing().any(|missing| *missing == at) {
                self.rows_left.insert(at);
            }
        }
        Ok(())
    }

    /// Keeps the rows, then says so. `digest` is of the rows that the log counts, which are others where what it says stays and its
    /// rows cannot be had any more. Whoever else does the same meanwhile may have read more, so after
    /// each conflict the results are read once more before rows are kept.
    async fn replace(
        &mut self,
        unit: UnitId,
        location: &Location,
        mut settlement: Settlement,
        mut digest: Option<RowsDigest>,
    ) -> Result<(), DriveError> {
        let mut raced = false;
        while self.state.unread().contains(&(unit, location.clone()))
            || self.tells_of_lost(unit, location, &settlement)
        {
            self.put_again(unit, location, &settlement).await?;
            // Somebody may drive the campaign meanwhile, and must begin nothing after a cancel.
            let cancel = cancel_seen(&self.state, unit, location, &settlement);
            let read = Event::Recollected {
                unit,
                location: location.clone(),
                outcome: settlement.outcome,
                nodes: settlement.nodes.clone(),
                offline_before: settlement.offline_before(&self.state, location),
                detail: settlement.detail.clone(),
                not_well: self.state.not_well(&settlement.rows),
                rows: digest.clone(),
            };
            if self.append(cancel.into_iter().chain([read]).collect()).await? == Appended::Yes {
                return Ok(());
            }
            raced = true;
            if let Ok(newer) = self.read_again(unit, location).await {
                settlement = newer.settlement;
                digest = NodeRow::digest(&settlement.rows);
            }
        }
        if raced {
            self.put_again(unit, location, &settlement).await?;
        }
        Ok(())
    }

    async fn put_again(
        &self,
        unit: UnitId,
        location: &Location,
        settlement: &Settlement,
    ) -> Result<(), DriveError> {
        let campaign = self.state.campaign();
        let put = self.put(location, vec![(unit, settlement)], None).await;
        put.map_err(|source| DriveError::Rows { campaign, source })
    }
}
