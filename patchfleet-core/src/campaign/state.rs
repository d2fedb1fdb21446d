//! The state of a campaign: a fold over its log's records.
//!
//! The fold takes every record of a log that was written by one driver, by two at once, or by one
//! that was killed: what is said twice counts once, and what a newer version says is passed over.

use super::clocks::Placed;
use super::ledger::Ledger;
use super::{
    AlarmSaid, AlarmStop, CalendarsSaid, Chain, ChainError, Event, LogKey, NotStopped, RECORD_FORMAT, Record,
    StopAsked,
};
use crate::id::{CampaignId, ClientToken, ExecutionId, Location, UnitId, WriterId};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::plan::{Cells, Plan, PlanFault, PlannedLocation};
use crate::runbook::{self, RunbookChange};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

mod asked;
mod before_start;
mod breaker;
mod count;
mod excerpt;
mod fleet;
mod fold;
mod in_wave;
mod labels;
mod late;
mod left_bounds;
mod lives;
mod looking;
mod lost;
mod open;
mod pace;
mod rest;
mod rows;
mod runs_on;
mod shared;
mod so_far;
mod standing;
mod stop_reason;
mod unit;
mod unresolved;
mod verdict;
mod waves;
mod waves_held;
mod waves_passed;
mod waves_shown;

pub use breaker::{BreakerStanding, BreakerStop};
pub use fleet::{FleetAtAws, FleetLeft, FleetSoFar, FleetStanding, FleetStop};
pub use in_wave::{WaveBudgetStop, WaveStop};
pub use labels::{LabelStanding, LabelStop};
pub(super) use rows::RowOwners;
#[cfg(test)]
pub(super) use runs_on::RoomAtAws;
pub use standing::{BoundStanding, SoakStanding, WaveBegun, WaveStanding};
pub(crate) use stop_reason::NEW_RUN;
pub use stop_reason::StopReason;
pub(crate) use unit::{Intent, LocationState, Sending, Settled, StartState, Stop, StopStanding, UnitState};
pub(super) use verdict::ended_well;
pub(super) use waves::Gated;
pub(crate) use waves_held::KeptBack;
pub(crate) use waves_shown::TriedAgain;

/// How long a unit waits whose command was refused although each of its nodes is listed as online.
/// A node's status was seen to lag by a minute and a half (Systems Manager, recorded).
pub(crate) const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// How long AWS keeps an execution after its end (documented).
pub(super) const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How many attempts a unit has, if Run Command refuses each of its commands whole.
pub(crate) const COMMAND_ATTEMPTS: u32 = 4;

/// A log that is not a campaign's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StateError {
    /// There is no record at all.
    #[error("the log is empty")]
    Empty,
    /// Record 0 does not hold a plan.
    #[error("record 0 holds no plan")]
    NoPlan,
    /// Record 0 contradicts itself.
    #[error("record 0 contradicts itself: {0}")]
    Plan(#[source] PlanFault),
    /// A record is not the next one.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The records are those of another campaign.
    #[error("the records are those of campaign {found}")]
    OtherCampaign {
        /// That campaign.
        found: CampaignId,
    },
}

/// What has happened to a campaign so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    campaign: CampaignId,
    format: u32,
    plan: Arc<Plan>,
    places: BTreeMap<Location, Place>,
    planned_at: Timestamp,
    last_at: Timestamp,
    /// The last record's own time and writer.
    last_record: (Timestamp, WriterId),
    /// When it was last driven; `None`: by a clock that is ahead, so nobody knows.
    driven_at: Option<Timestamp>,
    /// The own time of the last record that shows a driver.
    last_sign_at: Timestamp,
    chain: Chain,
    units: BTreeMap<UnitId, UnitState>,
    runbook: Option<(RunbookChange, String)>,
    /// What somebody else cancelled, and whether a person has said that the campaign goes on.
    cancels: BTreeMap<(UnitId, Option<Location>), bool>,
    /// Why the first unit was left out. The reason may pass, as results are read again, and the unit
    /// stays out.
    left_out_for: Option<StopReason>,
    /// From when to when nobody drove it, if nothing more is begun for that.
    unattended: Option<(Timestamp, Timestamp)>,
    /// How often a person has said that the campaign goes on.
    gone_on: u32,
    /// Who closed it because AWS no longer knew it, if somebody did.
    abandoned: Option<String>,
    /// That a person has it stopped, if somebody does.
    asked: Option<StopAsked>,
    /// Where AWS does not let that stop what runs, and its words.
    not_stopped: BTreeMap<(UnitId, Location), String>,
    /// What AWS had refused to stop when somebody asked once more.
    refused_before: Vec<NotStopped>,
    /// Which campaign had the request's name when this one was to begin, as long as it has not begun.
    name_taken_by: Option<CampaignId>,
    finished: Option<(FinishedOutcome, Timestamp)>,
    /// The settled locations whose rows could not be kept.
    rows_missing: BTreeSet<(UnitId, Location)>,
    /// Every execution that the log says was started, those of earlier attempts among them.
    executions: BTreeSet<ExecutionId>,
    /// What drivers that stopped for now have said of their looks for starts that the log may have lost.
    looking: Option<looking::Looking>,
    /// Since when it cannot be seen somewhere whether the log has lost a start, with nothing sent anywhere since then.
    blind_since: Option<Timestamp>,
    /// What the change calendars said last.
    calendars: Option<CalendarsSaid>,
    /// What the alarm said last, or that it was in the state ALARM once.
    alarm: Option<AlarmSaid>,
    /// The first unit that AWS stopped for the alarm, and why.
    stopped_for_alarm: Option<(UnitId, AlarmStop)>,
    /// The waves that have units, in their order.
    waves: Vec<u32>,
    /// Those of them that are over, and since when.
    wave_ends: BTreeMap<u32, Timestamp>,
    /// Those of these of which a person has approved.
    approved: BTreeSet<u32>,
    /// How many locations have settled, those that were begun again counted each time.
    settlings: u64,
    /// The values of the plan's labels, and which of them its nodes have.
    cells: Arc<Cells>,
    ledger: Ledger,
}

/// Where a location stands in the plan, and which units have it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Place {
    planned: Option<usize>,
    units: Vec<UnitId>,
}

impl State {
    /// Folds the records of a campaign's log, from record 0 on.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the records are not those of one campaign, from 0 and each after the one before it.
    pub(crate) fn from_records(records: &[Record]) -> Result<Self, StateError> {
        Self::fold_all(records, records.iter().map(Placed::as_written))
    }

    /// The same. `seen` is shown each record after record 0, with the state that it led to.
    ///
    /// # Errors
    ///
    /// As of [`from_records`](Self::from_records).
    pub(crate) fn step_by_step(
        records: &[Record],
        seen: impl FnMut(&Record, &Self),
    ) -> Result<Self, StateError> {
        Self::fold_seen(records, records.iter().map(Placed::as_written), seen)
    }

    /// Folds the records, each of which was appended when it is said to have been.
    fn fold_all(records: &[Record], placed: impl IntoIterator<Item = Placed>) -> Result<Self, StateError> {
        Self::fold_seen(records, placed, |_, _| {})
    }

    fn fold_seen(
        records: &[Record],
        placed: impl IntoIterator<Item = Placed>,
        mut seen: impl FnMut(&Record, &Self),
    ) -> Result<Self, StateError> {
        let first = records.first().ok_or(StateError::Empty)?;
        let mut rest = records.iter().zip(placed);
        let planned = first.events.iter().find_map(|event| match event {
            Event::Planned {
                format,
                campaign,
                plan,
            } => Some((*format, *campaign, plan)),
            _ => None,
        });
        let Some((format, campaign, plan)) = planned else {
            return Err(match first.seq {
                0 => StateError::NoPlan,
                found => ChainError::Number { expected: 0, found }.into(),
            });
        };
        plan.check().map_err(StateError::Plan)?;
        let mut state = Self {
            campaign,
            format,
            plan: Arc::new((**plan).clone()),
            places: BTreeMap::new(),
            planned_at: first.at,
            last_at: Timestamp::MIN,
            last_record: (first.at, first.writer),
            driven_at: None,
            last_sign_at: first.at,
            chain: Chain::of(&LogKey::Campaign(campaign)),
            units: plan
                .units
                .iter()
                .map(|unit| (unit.id, UnitState::new(unit)))
                .collect(),
            runbook: None,
            cancels: BTreeMap::new(),
            stopped_for_alarm: None,
            left_out_for: None,
            unattended: None,
            calendars: None,
            alarm: None,
            gone_on: 0,
            abandoned: None,
            asked: None,
            not_stopped: BTreeMap::new(),
            refused_before: vec![],
            name_taken_by: None,
            finished: None,
            rows_missing: BTreeSet::new(),
            executions: BTreeSet::new(),
            looking: None,
            blind_since: None,
            waves: waves::of(plan),
            wave_ends: waves::ended_before(plan),
            approved: waves::approved_before(plan),
            settlings: 0,
            cells: Arc::new(Cells::of(&plan.labels)),
            ledger: Ledger::default(),
        };
        state.find_places();
        state.count_anew();
        rest.try_for_each(|(record, placed)| {
            state.take(record, placed)?;
            if record.seq > 0 {
                seen(record, &state);
            }
            Ok::<(), StateError>(())
        })?;
        Ok(state)
    }

    /// Folds the records of the log of this campaign.
    ///
    /// # Errors
    ///
    /// As of [`from_records`](Self::from_records), or if they are another campaign's.
    pub(crate) fn of_campaign(campaign: CampaignId, records: &[Record]) -> Result<Self, StateError> {
        Self::from_records(records)?.only_of(campaign)
    }

    /// Folds the records of the log of this campaign, each of which was appended when it is said to have been.
    pub(super) fn placed(
        campaign: CampaignId,
        records: &[Record],
        placed: Vec<Placed>,
    ) -> Result<Self, StateError> {
        Self::fold_all(records, placed)?.only_of(campaign)
    }

    fn only_of(self, campaign: CampaignId) -> Result<Self, StateError> {
        match self.campaign {
            found if found == campaign => Ok(self),
            found => Err(StateError::OtherCampaign { found }),
        }
    }

    /// Adds the next record, by the time that it carries.
    ///
    /// # Errors
    ///
    /// [`StateError::Chain`] if it is not the next one; the state is then unchanged.
    #[cfg(test)]
    pub(crate) fn apply(&mut self, record: &Record) -> Result<(), StateError> {
        self.take(record, Placed::as_written(record))
    }

    /// Adds the next record, which was appended when it is said to have been.
    pub(super) fn take(&mut self, record: &Record, placed: Placed) -> Result<(), StateError> {
        self.chain.take(record)?;
        self.last_at = self.last_at.max(placed.at);
        self.last_record = (record.at, record.writer);
        let shows_a_driver = record.seq == 0 || record.events.iter().any(Event::is_sign_of_life);
        if shows_a_driver {
            self.driven_at = self.driven_at.max(placed.not_before);
            self.last_sign_at = record.at;
        }
        for event in &record.events {
            let about = self.about(event);
            let before = self.entries(about);
            self.fold(event, record, placed);
            self.count(about, before);
            self.note_waves(placed.at);
            if matches!(event, Event::Recollected { .. }) {
                self.end_anew();
            }
        }
        #[cfg(test)]
        super::tests::ledger::assert_counted(self);
        Ok(())
    }

    /// Whether it is known that this was cancelled: what runs in the location, or the unit's execution.
    pub(super) fn knows_cancel(&self, unit: UnitId, location: Option<&Location>) -> bool {
        self.cancels.contains_key(&(unit, location.cloned()))
    }

    /// Whether it is open and has its name: something was, or may be, sent.
    pub(crate) fn is_under_way(&self) -> bool {
        self.finished.is_none() && self.next_seq() > 1 && self.name_taken_by.is_none()
    }

    /// The campaign that had the request's name when this one was to begin. Such a campaign has sent nothing and is
    /// not open. Whoever begins it again when the name is free has it go on.
    #[must_use]
    pub fn name_taken_by(&self) -> Option<CampaignId> {
        self.name_taken_by
    }

    /// The settled locations whose rows could not be kept, whatever else is known of them.
    pub(super) fn rows_missing(&self) -> impl Iterator<Item = &(UnitId, Location)> {
        self.rows_missing.iter()
    }

    /// The settled locations that have results which could not be read or kept.
    pub(crate) fn unread(&self) -> Vec<(UnitId, Location)> {
        let unread = self.locations().filter(|(unit, location, at)| {
            // One that was given up may be seen by now.
            let is_given_up = self.is_sent_once() && at.outcome() == Some(LocationOutcome::Unresolved);
            let is_read = |unit: &UnitState| match unit.start {
                StartState::Started { .. } => true,
                StartState::NotStarted => is_given_up,
                _ => false,
            };
            let settled = at.settled.as_ref().is_some_and(|settled| {
                settled.outcome == LocationOutcome::ResultsUnreadable
                    || settled.nodes.unknown() > 0
                    || self.rows_missing.contains(&(*unit, (*location).clone()))
            });
            settled && self.units.get(unit).is_some_and(is_read)
        });
        unread
            .map(|(unit, location, _)| (unit, location.clone()))
            .collect()
    }

    /// The campaign.
    #[must_use]
    pub fn campaign(&self) -> CampaignId {
        self.campaign
    }

    /// Its plan. Its units are followed by those that were added since.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether its runbook is patchfleet's own, which sends one command in each location.
    pub(super) fn runs_own_runbook(&self) -> bool {
        runbook::is_own(&self.plan.request.automation.document)
    }

    /// The format of its records. Any other than [`RECORD_FORMAT`] may be read and never appended to.
    #[must_use]
    pub fn format(&self) -> u32 {
        self.format
    }

    /// Whether this version may append to the log.
    #[must_use]
    pub(crate) fn is_writable(&self) -> bool {
        self.format == RECORD_FORMAT
    }

    /// The client token of an attempt of a unit. Of a unit that was divided since the plan was made, it follows from the nodes
    /// that it names as well.
    pub(in crate::campaign) fn client_token(&self, unit: UnitId, attempt: u32) -> ClientToken {
        match self.units.get(&unit).filter(|unit| unit.is_part) {
            Some(part) => self.campaign.part_token(unit, attempt, part.named.iter()),
            None => self.campaign.client_token(unit, attempt),
        }
    }

    /// Whether the log says that this was started.
    pub(in crate::campaign) fn knows_execution(&self, execution: &ExecutionId) -> bool {
        self.executions.contains(execution)
    }

    /// Every execution that the log says was started.
    pub(in crate::campaign) fn known_executions(&self) -> &BTreeSet<ExecutionId> {
        &self.executions
    }

    /// The executions of other units that name nodes of a location.
    pub(in crate::campaign) fn executions_of_others(
        &self,
        unit: UnitId,
        location: &Location,
    ) -> BTreeSet<ExecutionId> {
        let others = self.units_at(location).filter(|(id, _)| *id != unit);
        let started = others.filter_map(|(_, other)| match &other.start {
            StartState::Started { execution, .. } => Some(execution.clone()),
            _ => None,
        });
        started.collect()
    }

    /// When the plan was written down, by the clock of whoever did.
    #[must_use]
    pub fn planned_at(&self) -> Timestamp {
        self.planned_at
    }

    /// When the last record was appended. It is never earlier than the record before it: where clocks differ, the
    /// latest time of any record counts.
    #[must_use]
    pub fn last_at(&self) -> Timestamp {
        self.last_at
    }

    /// When the last record was appended, by the clock of whoever appended it. It may be earlier than
    /// [`last_at`](Self::last_at), if an earlier record is of a clock that is ahead.
    #[must_use]
    pub fn last_record_at(&self) -> Timestamp {
        self.last_record.0
    }

    /// Who appended the last record. Each process that writes into a log has an id of its own.
    #[must_use]
    pub fn last_writer(&self) -> WriterId {
        self.last_record.1
    }

    /// When it was last seen to be driven, by the clock of whoever drove it: the own time of the last record that shows
    /// a driver. [`driven_at`](Self::driven_at) is by one's own clock.
    #[must_use]
    pub(crate) fn last_sign_at(&self) -> Timestamp {
        self.last_sign_at
    }

    /// When it was last driven, as far as the log tells: the last record that shows a driver to whom AWS
    /// answered. While something is left to begin, a driver gives such a sign at least every
    /// five minutes or so. If nobody knows, because the clock of whoever drove
    /// it is ahead, when it was planned by that clock.
    #[must_use]
    pub(crate) fn driven_at(&self) -> Timestamp {
        self.driven_at.unwrap_or(self.planned_at)
    }

    /// For how long nobody has driven it; `None` if nobody knows.
    pub(super) fn undriven_for(&self, now: Timestamp) -> Option<SignedDuration> {
        Some(now.duration_since(self.driven_at?))
    }

    /// Whether something is left to begin, and nothing keeps it from being begun.
    pub(super) fn may_begin_more(&self) -> bool {
        let waits = self.waiting().next().is_some() || self.intended().next().is_some();
        self.finished.is_none() && waits && !self.is_stopped(self.last_at)
    }

    /// The number of the next record.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.chain.next_seq()
    }

    /// What the next record has to follow.
    #[must_use]
    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Its units, in the order in which they are begun.
    #[must_use]
    pub(crate) fn units(&self) -> &BTreeMap<UnitId, UnitState> {
        &self.units
    }

    /// How it ended, and when.
    #[must_use]
    pub fn finished(&self) -> Option<(FinishedOutcome, Timestamp)> {
        self.finished
    }

    /// Every location with its unit, ordered by unit.
    pub(crate) fn locations(&self) -> impl Iterator<Item = (UnitId, &Location, &LocationState)> {
        self.units.iter().flat_map(|(&unit, state)| {
            state
                .locations
                .iter()
                .map(move |(location, at)| (unit, location, at))
        })
    }

    /// What the plan says about a location.
    #[must_use]
    pub fn planned(&self, location: &Location) -> Option<&PlannedLocation> {
        let place = self.places.get(location)?;
        self.plan.locations.get(place.planned?)
    }
}
