//! What a driver appends to the log, and the rows that it keeps before.

use super::{Drive, DriveError};
use crate::campaign::clocks::Placed;
use crate::campaign::collect::Settlement;
use crate::campaign::facts::Fact;
use crate::campaign::notice::Tried;
use crate::campaign::polls::later;
use crate::campaign::state::RowOwners;
use crate::campaign::{Appended, LogKey};
use crate::campaign::{Event, Record, STORE_CALLS_AT_ONCE};
use crate::id::{Location, NodeId, UnitId};
use crate::outcome::NodeRow;
use crate::port::{PortErrorKind, PortResult};
use futures_util::{StreamExt as _, stream};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

/// How long rows are tried to be kept before the log says what became of their location without them.
const ROWS_TRIED_FOR: SignedDuration = SignedDuration::from_secs(10);

/// How long after rows could not be kept a store is asked only once for those of each location.
const ROWS_ASKED_ONCE_FOR: SignedDuration = SignedDuration::from_mins(5);

impl Drive<'_> {
    /// Appends what was decided. Gives whether it is in the log: not if others appended meanwhile, and then
    /// everything is decided again. Of a start that is about to be sent it may be too late to say so.
    pub(super) async fn write_decision(&mut self, events: Vec<Event>) -> Result<bool, DriveError> {
        let is_start = |event: &Event| matches!(event, Event::StartIntended { .. });
        if events.iter().any(is_start) {
            return self.may_send(events).await;
        }
        Ok(self.append(events).await? == Appended::Yes)
    }

    /// Appends what was learned, whoever else appends meanwhile.
    ///
    /// Rows are kept before. Where that fails for some seconds, the log says what became of the location all the same,
    /// and that its rows are missing: a failure counts and a stop is sent, whatever becomes of the rows.
    pub(super) async fn write_down(&mut self, mut facts: Vec<Fact>) -> Result<(), DriveError> {
        loop {
            let (writer, now) = (self.driver.writer, self.now());
            let mut events: Vec<Event> = facts
                .iter()
                .flat_map(|fact| fact.events(&self.state, writer, now))
                .collect();
            if events.is_empty() {
                return Ok(());
            }
            let put_at: Vec<Location> = facts
                .iter()
                .filter_map(|fact| fact.keeps_rows_at(&self.state).cloned())
                .collect();
            // The calls go on meanwhile.
            let mut calls = std::mem::take(&mut self.calls);
            let missing = calls.beside(self.keep_rows(&facts)).await;
            self.calls = calls;
            if !missing.is_empty() {
                self.rows_failed_at = Some(self.now());
            }
            events.extend(missing);
            if self.append(events).await? == Appended::Yes {
                return Ok(());
            }
            // They may lie over rows that somebody else kept, and what is not learned again has none in the log.
            self.rows_doubted.extend(put_at);
            facts.retain(Fact::outlives_conflict);
        }
    }

    /// Keeps the rows of what is about to settle. Gives what could not be kept.
    async fn keep_rows(&self, facts: &[Fact]) -> Vec<Event> {
        let mut settling: BTreeMap<&Location, Vec<(UnitId, &Settlement)>> = BTreeMap::new();
        for fact in facts.iter().filter(|fact| fact.settles(&self.state)) {
            if let Fact::Settled {
                unit,
                location,
                settlement,
                ..
            } = fact
            {
                settling.entry(location).or_default().push((*unit, settlement));
            }
        }
        // A store that did not keep rows just now is asked once for each location.
        let failed_just_now = self
            .rows_failed_at
            .is_some_and(|at| self.now() < later(at, ROWS_ASKED_ONCE_FOR));
        let within = if failed_just_now {
            SignedDuration::ZERO
        } else {
            ROWS_TRIED_FOR
        };
        let puts: Vec<_> = settling
            .into_iter()
            .map(|(location, settlements)| async move {
                let units: Vec<UnitId> = settlements.iter().map(|(unit, _)| *unit).collect();
                let error = self.put(location, settlements, Some(within)).await.err()?;
                let missing = move |unit| Event::RowsMissing {
                    unit,
                    location: location.clone(),
                    detail: error.chain(),
                };
                Some(units.into_iter().map(missing).collect::<Vec<_>>())
            })
            .collect();
        let puts = stream::iter(puts).buffer_unordered(STORE_CALLS_AT_ONCE);
        let missing: Vec<_> = puts.filter_map(std::future::ready).collect().await;
        missing.into_iter().flatten().collect()
    }

    /// Keeps the rows that units have in one location. Those of its other units stay.
    ///
    /// It is tried again for half an hour, or only `within` so long.
    pub(super) async fn put(
        &self,
        location: &Location,
        settlements: Vec<(UnitId, &Settlement)>,
        within: Option<SignedDuration>,
    ) -> PortResult<()> {
        let rows = settlements.iter().map(|(unit, it)| (*unit, it.rows.as_slice()));
        self.put_rows(location, rows.collect(), within).await
    }

    /// Keeps the rows that these units have in a location. Those of its other units stay as they are kept, whatever this driver
    /// knows of these units: somebody else may have learned more.
    pub(super) async fn put_rows(
        &self,
        location: &Location,
        new: Vec<(UnitId, &[NodeRow])>,
        within: Option<SignedDuration>,
    ) -> PortResult<()> {
        let (campaign, rows) = (self.state.campaign(), &*self.driver.rows);
        let attempt = self.state.rows_attempt(location);
        let units: BTreeSet<UnitId> = new.iter().map(|(unit, _)| *unit).collect();
        let is_shared = self.state.units_at(location).any(|(id, _)| !units.contains(&id));
        let owners = RowOwners::of(&self.state, location);
        let (new, units, owners) = (&new, &units, &owners);
        let put = || async move {
            let mut all: BTreeMap<NodeId, NodeRow> = BTreeMap::new();
            if is_shared {
                let mut before = self.kept(location).await?;
                before.retain(|row| owners.owner(&row.node).is_none_or(|unit| !units.contains(&unit)));
                all.extend(before.into_iter().map(|row| (row.node.clone(), row)));
            }
            let new = new.iter().flat_map(|(_, rows)| *rows);
            all.extend(new.map(|row| (row.node.clone(), row.clone())));
            rows.put(campaign, location, attempt, all.into_values().collect())
                .await
        };
        let begun = self.now();
        let lasts = |kind| {
            let is_late = within.is_some_and(|within| self.now() >= later(begun, within));
            is_late || matches!(kind, PortErrorKind::Incompatible | PortErrorKind::Invalid)
        };
        let subject = location.to_string();
        self.driver.patience(Tried::Rows, &subject).call(put, lasts).await
    }

    /// The rows that are kept of a location. Damaged ones are none: the tallies in the log stand, the report
    /// says how many nodes have no name, and what settles now is kept all the same.
    pub(super) async fn kept(&self, location: &Location) -> PortResult<Vec<NodeRow>> {
        match self.driver.rows.rows(self.state.campaign(), location).await {
            Err(error) if error.kind() == PortErrorKind::Incompatible => Ok(vec![]),
            kept => kept,
        }
    }

    /// Appends one record. On conflict, the state is that of the log afterwards.
    ///
    /// A sign of life that comes too late says so with it: nothing more is begun then.
    pub(super) async fn append(&mut self, mut events: Vec<Event>) -> Result<Appended, DriveError> {
        if events.iter().any(Event::is_sign_of_life)
            && let Some(since) = self.undriven_since()
        {
            events.insert(0, Event::Unattended { since });
        }
        let campaign = self.state.campaign();
        let chain = self.state.chain();
        let now = self.now();
        let record = chain.record(now, self.driver.writer, events);
        let (driver, key) = (self.driver, LogKey::Campaign(campaign));
        let appended = async { driver.journal().append(&key, &record).await };
        let appended = self.calls.beside(appended).await;
        match appended.map_err(|source| DriveError::of_log(campaign, source))? {
            Appended::Yes => {
                // Nobody had appended anything when it was made.
                self.read_at = self.read_at.max(now);
                self.see(&record, Placed::as_written(&record))?;
            }
            Appended::Conflict => {
                self.catch_up().await?;
                return Ok(Appended::Conflict);
            }
        }
        Ok(Appended::Yes)
    }

    /// Reads what others appended.
    pub(super) async fn catch_up(&mut self) -> Result<(), DriveError> {
        let campaign = self.state.campaign();
        let key = LogKey::Campaign(campaign);
        let (driver, next) = (self.driver, self.state.next_seq());
        let (since, asked_at) = (self.read_at, self.now());
        let news = async { driver.journal().read(&key, next).await };
        let news = self.calls.beside(news).await;
        for record in news.map_err(|source| DriveError::of_log(campaign, source))? {
            let (placed, difference) = Placed::between(&record, since, self.now());
            difference
                .into_iter()
                .for_each(|difference| driver.notices.clocks(difference));
            let was_over = self.state.finished().is_some();
            self.see(&record, placed)?;
            self.is_reopened |= was_over && self.state.finished().is_none();
            self.memory.follow_other(&record);
            self.has_company |= record.writer != driver.writer;
        }
        self.read_at = asked_at;
        Ok(())
    }

    fn see(&mut self, record: &Record, placed: Placed) -> Result<(), DriveError> {
        let campaign = self.state.campaign();
        self.state
            .take(record, placed)
            .map_err(|error| DriveError::of_records(campaign, error))?;
        let now = self.now();
        self.memory.follow(&self.state, record, now);
        self.hasten_looks();
        let state = &self.state;
        self.calls.call_off(|unit| state.keeps_from_sending(unit, now));
        self.tell_given_up(record, now);
        if let Some(observer) = &self.driver.observer {
            observer(record, &self.state);
        }
        Ok(())
    }
}
