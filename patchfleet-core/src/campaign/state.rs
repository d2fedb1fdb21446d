//! The state of a campaign: a fold over its log's records.
//!
//! The fold takes every record of a log that was written by one driver, by two at once, or by one
//! that was killed: what is said twice counts once, and what a newer version says is passed over.

use super::clocks::Placed;
use super::ledger::Ledger;
use super::{Chain, ChainError, Event, LogKey, RECORD_FORMAT, Record};
use crate::id::{CampaignId, Location, UnitId};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::outcome::{NodeOutcome, Tally};
use crate::plan::{Plan, PlanFault, PlannedLocation, timeout_of};
use crate::port::StopType;
use crate::runbook::{self, RunbookChange};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

mod count;
mod excerpt;
mod late;
mod open;
mod rest;
mod shared;
mod unit;
mod unresolved;
mod verdict;

pub use unit::{Intent, LocationState, Sending, Settled, StartState, Stop, StopStanding, UnitState};
pub use verdict::StopReason;
pub(super) use verdict::ended_well;

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
pub enum StateError {
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
    /// When it was last driven; `None`: by a clock that is ahead, so nobody knows.
    driven_at: Option<Timestamp>,
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
    /// Which campaign had the request's name when this one was to begin, as long as it has not begun.
    name_taken_by: Option<CampaignId>,
    finished: Option<(FinishedOutcome, Timestamp)>,
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
    pub fn from_records(records: &[Record]) -> Result<Self, StateError> {
        Self::fold_all(records, records.iter().map(Placed::as_written))
    }

    /// Folds the records, each of which was appended when it is said to have been.
    fn fold_all(records: &[Record], placed: impl IntoIterator<Item = Placed>) -> Result<Self, StateError> {
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
            driven_at: None,
            chain: Chain::of(&LogKey::Campaign(campaign)),
            units: plan
                .units
                .iter()
                .map(|unit| (unit.id, UnitState::new(unit)))
                .collect(),
            runbook: None,
            cancels: BTreeMap::new(),
            left_out_for: None,
            unattended: None,
            gone_on: 0,
            abandoned: None,
            name_taken_by: None,
            finished: None,
            ledger: Ledger::default(),
        };
        state.find_places();
        state.count_anew();
        rest.try_for_each(|(record, placed)| state.take(record, placed))?;
        Ok(state)
    }

    /// Folds the records of the log of this campaign.
    ///
    /// # Errors
    ///
    /// As of [`from_records`](Self::from_records), or if they are another campaign's.
    pub fn of_campaign(campaign: CampaignId, records: &[Record]) -> Result<Self, StateError> {
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
    pub fn apply(&mut self, record: &Record) -> Result<(), StateError> {
        self.take(record, Placed::as_written(record))
    }

    /// Adds the next record, which was appended when it is said to have been.
    pub(super) fn take(&mut self, record: &Record, placed: Placed) -> Result<(), StateError> {
        self.chain.take(record)?;
        self.last_at = self.last_at.max(placed.at);
        let shows_a_driver = record.seq == 0 || record.events.iter().any(Event::is_sign_of_life);
        if shows_a_driver {
            self.driven_at = self.driven_at.max(placed.not_before);
        }
        for event in &record.events {
            let about = self.about(event);
            let before = self.entries(about);
            self.fold(event, record, placed);
            self.count(about, before);
            if matches!(event, Event::Recollected { .. }) {
                self.end_anew();
            }
        }
        #[cfg(test)]
        super::tests::ledger::assert_counted(self);
        Ok(())
    }

    fn fold(&mut self, event: &Event, record: &Record, placed: Placed) {
        let at = placed.at;
        match event {
            Event::Planned { .. } | Event::Watched | Event::Unknown => {}
            Event::Claimed { .. } => self.name_taken_by = None,
            Event::NameTaken { by } => {
                if self.units.values().all(|unit| !unit.is_begun()) {
                    self.name_taken_by = Some(*by);
                }
            }
            Event::StartIntended {
                unit,
                attempt,
                request,
            } => {
                if let Some(state) = self.units.get_mut(unit) {
                    if !state.is_begun() {
                        // What was cancelled of an earlier attempt says nothing of this one.
                        self.cancels.retain(|(of, _), accepted| of != unit || !*accepted);
                    }
                    state.intend(*attempt, request, record.writer, placed);
                }
            }
            Event::Started { unit, execution } => {
                if let Some(unit) = self.units.get_mut(unit)
                    && let Some(intent) = unit.intent()
                {
                    let (timeout, attempt) = (timeout_of(&intent.request), intent.attempt);
                    unit.timeout = timeout;
                    unit.waits = false;
                    unit.start = StartState::Started {
                        attempt,
                        execution: execution.clone(),
                        at,
                    };
                }
            }
            Event::StartDeferred { unit, kind, detail } => {
                if let Some(unit) = self.units.get_mut(unit)
                    && let StartState::Intended(intent) = &mut unit.start
                    && let Some(answered) = intent
                        .in_doubt
                        .iter()
                        .rposition(|sending| sending.writer == record.writer)
                {
                    intent.in_doubt.remove(answered);
                    intent.deferred = Some((*kind, detail.clone()));
                }
            }
            Event::StartRefused { unit, kind, detail } => {
                if let Some(unit) = self.units.get_mut(unit)
                    && matches!(unit.start, StartState::Intended(_))
                {
                    unit.start = StartState::Refused {
                        kind: *kind,
                        detail: detail.clone(),
                    };
                }
            }
            Event::StartWithdrawn { unit, .. } => {
                if let Some(unit) = self.units.get_mut(unit)
                    && let StartState::Intended(intent) = &unit.start
                    && intent.in_doubt.is_empty()
                    && !intent.sent_before
                {
                    unit.start = StartState::NotStarted;
                }
            }
            Event::Abandoned { by } => {
                self.abandoned.get_or_insert_with(|| by.clone());
            }
            Event::CancelledElsewhere { unit, location } => {
                self.cancels.entry((*unit, location.clone())).or_insert(false);
            }
            Event::Unattended { since } => {
                self.unattended.get_or_insert((*since, at));
            }
            Event::GoneOn { begin, found, .. } => self.go_on(begin, found, at),
            Event::CommandNotSent {
                unit,
                attempt,
                away,
                detail,
            } => {
                if let Some(unit) = self.units.get_mut(unit) {
                    unit.not_sent(*attempt, away, detail, at);
                }
            }
            Event::RunbookChanged { change, detail, .. } => {
                self.runbook.get_or_insert_with(|| (*change, detail.clone()));
            }
            Event::StartUnresolved { unit, detail } => {
                if let Some(unit) = self.units.get_mut(unit)
                    && let StartState::Intended(intent) = &unit.start
                {
                    unit.start = StartState::Unresolved {
                        intent: intent.clone(),
                        detail: detail.clone(),
                    };
                }
            }
            Event::SendAgain { unit, .. } => {
                if let Some(unit) = self.units.get_mut(unit) {
                    unit.send_again(at);
                }
            }
            Event::LocationObserved {
                unit,
                location,
                status,
                child,
                failure,
            } => {
                if let Some(location) = self.open_location(*unit, location) {
                    location.status = Some(status.clone());
                    if status.is_terminal() {
                        location.ended_at.get_or_insert(at);
                    }
                    location.failure.clone_from(failure);
                    if child.is_some() {
                        location.child.clone_from(child);
                        location.child_at.get_or_insert(at);
                    }
                }
            }
            Event::CommandObserved {
                unit,
                location,
                command,
                counts,
                expires_at,
            } => {
                if let Some(location) = self.open_location(*unit, location) {
                    location.commands.insert(command.clone(), *counts);
                    location.expires_at = location.expires_at.max(*expires_at);
                }
            }
            Event::WaitsAtAws { unit, location: None } => {
                if let Some(unit) = self.units.get_mut(unit) {
                    unit.waits = true;
                }
            }
            Event::WaitsAtAws {
                unit,
                location: Some(location),
            } => {
                if let Some(location) = self.open_location(*unit, location) {
                    location.waits = true;
                }
            }
            Event::StopIntended { unit, stop } => {
                if let Some(unit) = self.units.get_mut(unit)
                    && matches!(unit.start, StartState::Started { .. })
                    && unit.stop.as_ref().is_none_or(|known| known.kind != *stop)
                {
                    unit.stop = Some(Stop {
                        kind: *stop,
                        standing: StopStanding::Intended,
                    });
                }
            }
            Event::StopTaken { unit, stop } => self.stop_stands(*unit, *stop, StopStanding::Taken),
            Event::StopInVain { unit, stop } => self.stop_stands(*unit, *stop, StopStanding::InVain),
            Event::StopRefused {
                unit,
                stop,
                kind,
                detail,
            } => {
                let refused = StopStanding::Refused(*kind, detail.clone());
                self.stop_stands(*unit, *stop, refused);
            }
            Event::StopNotNeeded { unit, stop } => {
                if let Some(unit) = self.units.get_mut(unit)
                    && unit
                        .stop
                        .as_ref()
                        .is_some_and(|known| known.kind == *stop && known.standing == StopStanding::Intended)
                {
                    unit.stop = None;
                }
            }
            Event::LeftOut { units } => {
                if self.left_out_for.is_none() {
                    self.left_out_for = self.stop_reason();
                }
                for unit in units {
                    if let Some(unit) = self.units.get_mut(unit)
                        && !unit.is_begun()
                    {
                        unit.left_out = true;
                    }
                }
            }
            Event::CommandEnded { unit, location } => {
                if let Some(location) = self.open_location(*unit, location) {
                    location.command_ended_at.get_or_insert(at);
                }
            }
            Event::LocationSettled {
                unit,
                location,
                outcome,
                nodes,
                detail,
            } => {
                if *outcome == LocationOutcome::NotStarted
                    && self.left_out_for.is_none()
                    && self.units.get(unit).is_some_and(|unit| !unit.is_begun())
                {
                    self.left_out_for = self.stop_reason();
                }
                if let Some(location) = self.open_location(*unit, location) {
                    location.settled = Some(Settled {
                        outcome: *outcome,
                        nodes: nodes.clone(),
                        detail: detail.clone(),
                        at,
                    });
                }
            }
            Event::Recollected {
                unit,
                location,
                outcome,
                nodes,
                detail,
            } => self.recollect(*unit, location, *outcome, nodes, detail),
            Event::UnitEnded { unit, status } => {
                if let Some(unit) = self.units.get_mut(unit) {
                    unit.ended.get_or_insert_with(|| status.clone());
                }
            }
            Event::Finished { outcome } => {
                self.finished.get_or_insert((*outcome, at));
            }
        }
    }

    /// Notes what became of a unit's stop, if it is still this one that is waited for.
    fn stop_stands(&mut self, unit: UnitId, kind: StopType, standing: StopStanding) {
        if let Some(unit) = self.units.get_mut(&unit)
            && let Some(stop) = &mut unit.stop
            && stop.kind == kind
            && (stop.standing == StopStanding::Intended
                || (stop.standing == StopStanding::Taken && standing == StopStanding::InVain))
        {
            stop.standing = standing;
        }
    }

    /// Whether it is known that this was cancelled: what runs in the location, or the unit's execution.
    pub(super) fn knows_cancel(&self, unit: UnitId, location: Option<&Location>) -> bool {
        self.cancels.contains_key(&(unit, location.cloned()))
    }

    /// Puts results in place of those that could not be read.
    fn recollect(
        &mut self,
        unit: UnitId,
        location: &Location,
        outcome: LocationOutcome,
        nodes: &Tally,
        detail: &str,
    ) {
        let at = self
            .units
            .get_mut(&unit)
            .and_then(|unit| unit.locations.get_mut(location));
        let Some(settled) = at.and_then(|at| at.settled.as_mut()) else {
            return;
        };
        settled.outcome = outcome;
        settled.nodes = nodes.clone();
        detail.clone_into(&mut settled.detail);
    }

    /// How a campaign that is over ended, by results that were read since. One that was halted stays so.
    fn end_anew(&mut self) {
        if let Some((ended, at)) = self.finished
            && ended != FinishedOutcome::Halted
        {
            self.finished = Some((self.outcome(), at));
        }
    }

    /// Whether it is open and has its name: something was, or may be, sent.
    pub(super) fn is_under_way(&self) -> bool {
        self.finished.is_none() && self.next_seq() > 1 && self.name_taken_by.is_none()
    }

    /// The campaign that had the request's name when this one was to begin. Such a campaign has sent nothing and is
    /// not open. Whoever begins it again when the name is free has it go on.
    #[must_use]
    pub fn name_taken_by(&self) -> Option<CampaignId> {
        self.name_taken_by
    }

    /// The settled locations that have results which could not be read.
    pub(super) fn unread(&self) -> Vec<(UnitId, Location)> {
        let unread = self.locations().filter(|(unit, _, at)| {
            let started = |unit: &UnitState| matches!(unit.start, StartState::Started { .. });
            let settled = at.settled.as_ref().is_some_and(|settled| {
                settled.outcome == LocationOutcome::ResultsUnreadable
                    || settled.nodes.count(NodeOutcome::Unknown) > 0
            });
            settled && self.units.get(unit).is_some_and(started)
        });
        unread
            .map(|(unit, location, _)| (unit, location.clone()))
            .collect()
    }

    /// A location that has not settled: what settled stays as it is.
    fn open_location(&mut self, unit: UnitId, location: &Location) -> Option<&mut LocationState> {
        self.units
            .get_mut(&unit)?
            .locations
            .get_mut(location)
            .filter(|state| state.settled.is_none())
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
    pub fn is_writable(&self) -> bool {
        self.format == RECORD_FORMAT
    }

    /// When the plan was written down, by the clock of whoever did.
    #[must_use]
    pub fn planned_at(&self) -> Timestamp {
        self.planned_at
    }

    /// When the last record was appended.
    #[must_use]
    pub fn last_at(&self) -> Timestamp {
        self.last_at
    }

    /// When it was last driven, as far as the log tells: the last record that shows a driver to whom AWS
    /// answered. While something is left to begin, a driver gives such a sign at least every
    /// [`SIGN_OF_LIFE_EVERY`](super::SIGN_OF_LIFE_EVERY) or so. If nobody knows, because the clock of whoever drove
    /// it is ahead, when it was planned by that clock.
    #[must_use]
    pub fn driven_at(&self) -> Timestamp {
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
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Its units, in the order in which they are begun.
    #[must_use]
    pub fn units(&self) -> &BTreeMap<UnitId, UnitState> {
        &self.units
    }

    /// How it ended, and when.
    #[must_use]
    pub fn finished(&self) -> Option<(FinishedOutcome, Timestamp)> {
        self.finished
    }

    /// Every location with its unit, ordered by unit.
    pub fn locations(&self) -> impl Iterator<Item = (UnitId, &Location, &LocationState)> {
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
