//! The state of a campaign: a fold over its log's records.
//!
//! The fold takes every record of a log that was written by one driver, by two at once, or by one
//! that was killed: what is said twice counts once, and what a newer version says is passed over.

use super::start;
use super::{Event, FinishedOutcome, LocationOutcome, RECORD_FORMAT, Record};
use crate::id::{CampaignId, CommandId, ExecutionId, Location, NodeId, UnitId, WriterId};
use crate::plan::{Plan, PlannedLocation};
use crate::port::{CommandCounts, ExecutionStatus, PortErrorKind, StartRequest};
use crate::report::{NodeOutcome, Tally};
use crate::runbook::RunbookChange;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

mod shared;
mod verdict;

pub use verdict::StopReason;
pub(super) use verdict::ended_well;

/// How long a unit waits whose command was refused although each of its nodes is listed as online.
/// A node's status was seen to lag by a minute and a half (Systems Manager, recorded).
pub const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// How many attempts a unit has, if Run Command refuses each of its commands whole.
pub const COMMAND_ATTEMPTS: u32 = 4;

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
    /// Records are missing or out of order.
    #[error("record {expected} is missing: record {found} stands in its place")]
    Gap {
        /// The number that was due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
}

/// What has happened to a campaign so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    campaign: CampaignId,
    format: u32,
    plan: Plan,
    planned_at: Timestamp,
    last_at: Timestamp,
    next_seq: u64,
    units: BTreeMap<UnitId, UnitState>,
    runbook: Option<(RunbookChange, String)>,
    /// What somebody else cancelled, and whether a person has said that the campaign goes on.
    cancels: BTreeMap<(UnitId, Option<Location>), bool>,
    finished: Option<(FinishedOutcome, Timestamp)>,
}

/// What has happened to a unit so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitState {
    /// How far its start is.
    pub start: StartState,
    /// Its locations. Each settles exactly once.
    pub locations: BTreeMap<Location, LocationState>,
    /// The execution's last status, once it is over and every location has settled.
    pub ended: Option<ExecutionStatus>,
    /// The nodes that its plan names; empty if it says in another way which nodes it means.
    pub named: BTreeSet<NodeId>,
    /// Those of them that its next attempt leaves out, because Run Command refused the command that
    /// named them.
    pub away: BTreeSet<NodeId>,
    /// How many attempts were refused in this way, and so had no effect.
    pub refused_attempts: u32,
    /// AWS's words on the last of them.
    pub not_sent: Option<String>,
    /// When it is begun again at the earliest.
    pub not_before: Option<Timestamp>,
}

/// How far the start of a unit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartState {
    /// Nothing was sent.
    NotStarted,
    /// Sent, or about to be. Whether it took effect is not known while anything is in doubt.
    Intended(Box<Intent>),
    /// It took effect.
    Started {
        /// Which attempt, from 1.
        attempt: u32,
        /// AWS's execution.
        execution: ExecutionId,
        /// When the log said so first.
        at: Timestamp,
    },
    /// AWS refused it.
    Refused {
        /// Why.
        kind: PortErrorKind,
        /// AWS's words.
        detail: String,
    },
    /// Nobody knows, and it is not sent again.
    Unresolved {
        /// What is known.
        detail: String,
    },
}

/// A start that has no answer yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// From 1.
    pub attempt: u32,
    /// When this attempt was first intended.
    pub since: Timestamp,
    /// The exact request.
    pub request: StartRequest,
    /// Every sending without an answer, in the order of the log: who, and when. Empty: each
    /// sending so far was answered by "not now", so none took effect.
    pub in_doubt: Vec<(WriterId, Timestamp)>,
    /// AWS's last "not now".
    pub deferred: Option<(PortErrorKind, String)>,
}

/// What has happened to a location so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocationState {
    /// Its step's status; `None` before it was first seen.
    pub status: Option<ExecutionStatus>,
    /// When its step was first seen to be over, by the log's clock.
    pub ended_at: Option<Timestamp>,
    /// The execution there.
    pub child: Option<ExecutionId>,
    /// AWS's words on why the step failed; empty if it did not.
    pub failure: String,
    /// The command there, with its counts.
    pub command: Option<(CommandId, CommandCounts)>,
    /// What became of it, once that is known.
    pub settled: Option<Settled>,
}

/// What became of a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What became of it.
    pub outcome: LocationOutcome,
    /// What became of its nodes.
    pub nodes: Tally,
    /// The outcome in words; empty if it needs none.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}

impl State {
    /// Folds the records of a campaign's log, from record 0 on.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the records are not those of one campaign, from 0 and without a gap.
    pub fn from_records(records: &[Record]) -> Result<Self, StateError> {
        let (first, rest) = records.split_first().ok_or(StateError::Empty)?;
        if first.seq != 0 {
            return Err(StateError::Gap {
                expected: 0,
                found: first.seq,
            });
        }
        let planned = first.events.iter().find_map(|event| match event {
            Event::Planned {
                format,
                campaign,
                plan,
            } => Some((*format, *campaign, plan)),
            _ => None,
        });
        let (format, campaign, plan) = planned.ok_or(StateError::NoPlan)?;
        let mut state = Self {
            campaign,
            format,
            plan: (**plan).clone(),
            planned_at: first.at,
            last_at: first.at,
            next_seq: 0,
            units: plan
                .units()
                .map(|(unit, request)| (unit, UnitState::new(request)))
                .collect(),
            runbook: None,
            cancels: BTreeMap::new(),
            finished: None,
        };
        state.apply(first)?;
        for record in rest {
            state.apply(record)?;
        }
        Ok(state)
    }

    /// Adds the next record.
    ///
    /// # Errors
    ///
    /// [`StateError::Gap`] if it is not the next one; the state is then unchanged.
    pub fn apply(&mut self, record: &Record) -> Result<(), StateError> {
        if record.seq != self.next_seq {
            return Err(StateError::Gap {
                expected: self.next_seq,
                found: record.seq,
            });
        }
        self.next_seq += 1;
        self.last_at = self.last_at.max(record.at);
        for event in &record.events {
            self.fold(event, record);
        }
        Ok(())
    }

    fn fold(&mut self, event: &Event, record: &Record) {
        let at = record.at;
        match event {
            Event::Planned { .. } | Event::Claimed { .. } | Event::Unknown => {}
            Event::StartIntended {
                unit,
                attempt,
                request,
            } => {
                if let Some(unit) = self.units.get_mut(unit) {
                    unit.intend(*attempt, request, record);
                }
            }
            Event::Started { unit, execution } => {
                if let Some(unit) = self.units.get_mut(unit)
                    && let StartState::Intended(intent) = &unit.start
                {
                    unit.start = StartState::Started {
                        attempt: intent.attempt,
                        execution: execution.clone(),
                        at,
                    };
                }
            }
            Event::StartDeferred { unit, kind, detail } => {
                if let Some(unit) = self.units.get_mut(unit)
                    && let StartState::Intended(intent) = &mut unit.start
                    && let Some(answered) = intent.in_doubt.iter().rposition(|(w, _)| *w == record.writer)
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
            Event::CancelledElsewhere { unit, location } => {
                if !self.knows_cancel(*unit, location.as_ref()) {
                    self.cancels.insert((*unit, location.clone()), false);
                }
            }
            Event::GoneOn { .. } => self.go_on(),
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
                    && matches!(unit.start, StartState::Intended(_))
                {
                    unit.start = StartState::Unresolved {
                        detail: detail.clone(),
                    };
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
                    }
                }
            }
            Event::CommandObserved {
                unit,
                location,
                command,
                counts,
            } => {
                if let Some(location) = self.open_location(*unit, location) {
                    location.command = Some((command.clone(), *counts));
                }
            }
            Event::LocationSettled {
                unit,
                location,
                outcome,
                nodes,
                detail,
            } => {
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

    /// Whether it is known that this was cancelled: in its location, or with the whole unit once a
    /// person has said to go on.
    pub(super) fn knows_cancel(&self, unit: UnitId, location: Option<&Location>) -> bool {
        self.cancels.contains_key(&(unit, location.cloned()))
            || self.cancels.get(&(unit, None)) == Some(&true)
    }

    /// Puts results in place of those that could not be read. A campaign that was halted stays so.
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
        if let Some((ended, at)) = self.finished
            && ended != FinishedOutcome::Halted
        {
            self.finished = Some((self.outcome(), at));
        }
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

    /// Opens the campaign again, for what had not been begun.
    fn go_on(&mut self) {
        if self.cancels.values().all(|accepted| *accepted) {
            return;
        }
        for accepted in self.cancels.values_mut() {
            *accepted = true;
        }
        self.finished = None;
        for unit in self.units.values_mut().filter(|unit| !unit.is_begun()) {
            for location in unit.locations.values_mut() {
                if location.outcome() == Some(LocationOutcome::NotStarted) {
                    location.settled = None;
                }
            }
        }
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

    /// Its plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The format of its records. One that is newer than [`RECORD_FORMAT`] may be read and never
    /// appended to.
    #[must_use]
    pub fn format(&self) -> u32 {
        self.format
    }

    /// Whether this version may append to the log.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.format <= RECORD_FORMAT
    }

    /// When the plan was written down.
    #[must_use]
    pub fn planned_at(&self) -> Timestamp {
        self.planned_at
    }

    /// When the last record was appended.
    #[must_use]
    pub fn last_at(&self) -> Timestamp {
        self.last_at
    }

    /// The number of the next record.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
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
        self.plan
            .locations
            .iter()
            .find(|planned| planned.account == location.account && planned.region == location.region)
    }
}

impl UnitState {
    fn new(request: &StartRequest) -> Self {
        let rectangle = request.target_location();
        let locations = rectangle.accounts.iter().flat_map(|account| {
            rectangle.regions.iter().map(|region| {
                let location = Location::new(account.clone(), region.clone());
                (location, LocationState::default())
            })
        });
        Self {
            start: StartState::NotStarted,
            locations: locations.collect(),
            ended: None,
            named: start::planned_ids(request).into_iter().flatten().collect(),
            away: BTreeSet::new(),
            refused_attempts: 0,
            not_sent: None,
            not_before: None,
        }
    }

    /// Nothing was sent: as if it had not been begun, but for the nodes that are away.
    fn not_sent(&mut self, refused: u32, away: &[NodeId], detail: &str, at: Timestamp) {
        if !matches!(self.start, StartState::Started { attempt, .. } if attempt == refused) {
            return;
        }
        self.start = StartState::NotStarted;
        self.ended = None;
        for location in self.locations.values_mut() {
            *location = LocationState::default();
        }
        self.away.extend(away.iter().cloned());
        self.refused_attempts = refused;
        self.not_sent = Some(detail.to_owned());
        // Who is away may be seen only later: Systems Manager's list of nodes lags.
        self.not_before = away
            .is_empty()
            .then(|| at.checked_add(ASK_AGAIN_AFTER).unwrap_or(at));
    }

    /// Whether each node that it names is away.
    #[must_use]
    pub fn has_nobody_left(&self) -> bool {
        !self.named.is_empty() && self.named.is_subset(&self.away)
    }

    fn intend(&mut self, attempt: u32, request: &StartRequest, record: &Record) {
        let doubt = (record.writer, record.at);
        match &mut self.start {
            StartState::NotStarted => {
                self.start = StartState::Intended(Box::new(Intent {
                    attempt,
                    since: record.at,
                    request: request.clone(),
                    in_doubt: vec![doubt],
                    deferred: None,
                }));
            }
            StartState::Intended(intent) if intent.attempt == attempt => {
                if intent.in_doubt.is_empty() {
                    // Nothing that was sent before took effect, so this may differ from it.
                    intent.request = request.clone();
                }
                intent.in_doubt.push(doubt);
            }
            _ => {}
        }
    }

    /// Whether nothing more will happen in the unit.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let settled = self.locations.values().all(|location| location.settled.is_some());
        match self.start {
            StartState::Started { .. } => settled && self.ended.is_some(),
            StartState::Intended(_) => false,
            StartState::NotStarted | StartState::Refused { .. } | StartState::Unresolved { .. } => settled,
        }
    }

    /// Whether a start was intended.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        !matches!(self.start, StartState::NotStarted)
    }
}

impl LocationState {
    /// What became of it, once that is known.
    #[must_use]
    pub fn outcome(&self) -> Option<LocationOutcome> {
        self.settled.as_ref().map(|settled| settled.outcome)
    }
}
