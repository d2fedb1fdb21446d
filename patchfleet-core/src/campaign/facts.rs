//! What a driver learned from answers, and the events that say so.
//!
//! What was seen stays true whatever another driver appended meanwhile, so its events are made
//! anew for the newest state.

use super::Event;
use super::collect::Settlement;
use super::observe::{Below, Observed};
use super::start::others_in_doubt;
use super::state::{StartState, State, UnitState};
use crate::id::{ExecutionId, Location, NodeId, UnitId, WriterId};
use crate::outcome::LocationOutcome;
use crate::port::{ExecutionStatus, PortErrorKind};
use crate::runbook::Changed;
use jiff::Timestamp;

/// Something that a driver learned.
#[derive(Debug, Clone)]
pub(super) enum Fact {
    /// The unit, which attempt, and what it began.
    Started(UnitId, u32, ExecutionId),
    /// What this writer sent last had no effect.
    NotTaken {
        unit: UnitId,
        attempt: u32,
        kind: PortErrorKind,
        detail: String,
        for_good: bool,
    },
    Observed(UnitId, Observed),
    /// What runs in a location, with the unit's execution that began it.
    Seen(UnitId, ExecutionId, Below),
    /// AWS does not stop the unit's execution.
    NotStopped(UnitId, PortErrorKind, String),
    /// What would run is not what was planned.
    RunbookChanged(UnitId, Changed),
    /// What this execution was to send was refused whole.
    NotSent {
        unit: UnitId,
        attempt: u32,
        away: Vec<NodeId>,
        detail: String,
    },
    /// The command of this attempt is over.
    CommandEnded(UnitId, u32, Location),
    /// What this attempt runs in a location was cancelled, and runs still.
    Cancelled(UnitId, u32, Location),
    Settled {
        unit: UnitId,
        location: Location,
        /// How the unit's start stood when the location was looked at.
        basis: Basis,
        settlement: Settlement,
    },
}

/// How far a unit's start is, without its particulars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    /// With how many attempts that had no effect.
    NotStarted(u32),
    Intended(u32),
    Started(u32),
    Refused,
    Unresolved,
}

impl Basis {
    pub(super) fn of(unit: &UnitState) -> Self {
        match unit.start {
            StartState::NotStarted => Self::NotStarted(unit.refused_attempts),
            StartState::Intended(ref intent) => Self::Intended(intent.attempt),
            StartState::Started { attempt, .. } => Self::Started(attempt),
            StartState::Refused { .. } => Self::Refused,
            StartState::Unresolved { .. } => Self::Unresolved,
        }
    }
}

impl Fact {
    /// Whether it holds whatever another driver appended meanwhile.
    pub(super) fn outlives_conflict(&self) -> bool {
        matches!(
            self,
            Self::Started(..)
                | Self::NotTaken { .. }
                | Self::Observed(..)
                | Self::Seen(..)
                | Self::NotStopped(..)
                | Self::NotSent { .. }
                | Self::CommandEnded(..)
                | Self::Cancelled(..)
        ) || matches!(
            self,
            // That a unit is left out follows from the state, and may not from the newer one.
            Self::Settled { basis, .. } if !matches!(basis, Basis::NotStarted(_))
        )
    }

    /// Whether it would settle a location that is open still.
    pub(super) fn settles(&self, state: &State) -> bool {
        let Self::Settled {
            unit,
            location,
            basis,
            ..
        } = self
        else {
            return false;
        };
        state.units().get(unit).is_some_and(|unit| {
            let open = unit
                .locations
                .get(location)
                .is_some_and(|at| at.settled.is_none());
            open && Basis::of(unit) == *basis
        })
    }

    /// Its events; none if the log says so already.
    pub(super) fn events(&self, state: &State, writer: WriterId, now: Timestamp) -> Vec<Event> {
        let intent = |unit: &UnitId| match &state.units().get(unit)?.start {
            StartState::Intended(intent) => Some(&**intent),
            _ => None,
        };
        match self {
            // What an earlier attempt began is not what this one did.
            Self::Started(unit, attempt, execution)
                if intent(unit).is_some_and(|intent| intent.attempt == *attempt) =>
            {
                vec![Event::Started {
                    unit: *unit,
                    execution: execution.clone(),
                }]
            }
            Self::NotSent {
                unit,
                attempt,
                away,
                detail,
            } if is_running(state, *unit, *attempt) => vec![Event::CommandNotSent {
                unit: *unit,
                attempt: *attempt,
                away: away.clone(),
                detail: detail.clone(),
            }],
            Self::NotTaken {
                unit,
                attempt,
                kind,
                detail,
                for_good,
            } => {
                let (unit, kind, detail) = (*unit, *kind, detail.clone());
                match intent(&unit).filter(|intent| intent.attempt == *attempt) {
                    None => vec![],
                    Some(intent) if *for_good && !others_in_doubt(intent, writer) => {
                        vec![Event::StartRefused { unit, kind, detail }]
                    }
                    Some(_) => vec![Event::StartDeferred { unit, kind, detail }],
                }
            }
            Self::CommandEnded(unit, attempt, location) if is_running(state, *unit, *attempt) => {
                let unit_state = state.units().get(unit);
                let at = unit_state.and_then(|unit| unit.locations.get(location));
                let is_news = at.is_some_and(|at| at.settled.is_none() && at.command_ended_at.is_none());
                let event = is_news.then(|| Event::CommandEnded {
                    unit: *unit,
                    location: location.clone(),
                });
                event.into_iter().collect()
            }
            Self::Cancelled(unit, attempt, location)
                if is_running(state, *unit, *attempt)
                    && !state.knows_cancel(*unit, Some(location))
                    && state.units().get(unit).is_none_or(|unit| unit.stop.is_none()) =>
            {
                vec![Event::CancelledElsewhere {
                    unit: *unit,
                    location: Some(location.clone()),
                }]
            }
            Self::Observed(unit, observed) => observed.events(state, *unit, now),
            Self::Seen(unit, execution, below) => below.events(state, *unit, execution, now),
            Self::NotStopped(unit, kind, detail) => vec![Event::StopRefused {
                unit: *unit,
                kind: *kind,
                detail: detail.clone(),
            }],
            Self::RunbookChanged(unit, changed) if may_start(state, *unit) => vec![Event::RunbookChanged {
                unit: *unit,
                change: changed.change,
                detail: changed.detail.clone(),
            }],
            Self::Settled {
                unit,
                location,
                settlement,
                ..
            } if self.settles(state) => {
                let known = state
                    .units()
                    .get(unit)
                    .and_then(|unit| unit.locations.get(location));
                let mut events: Vec<Event> = cancel_seen(state, *unit, location, settlement)
                    .into_iter()
                    .collect();
                if let (Some(child), Some(at)) = (&settlement.unnamed, known.filter(|at| at.child.is_none()))
                {
                    events.push(Event::LocationObserved {
                        unit: *unit,
                        location: location.clone(),
                        status: at.status.clone().unwrap_or(ExecutionStatus::Pending),
                        child: Some(child.clone()),
                        failure: at.failure.clone(),
                    });
                }
                let news = settlement.commands.iter().filter(|(command, counts)| {
                    known.is_some_and(|at| {
                        let is_late = settlement.expires_at > at.expires_at;
                        is_late || at.commands.get(command) != Some(counts)
                    })
                });
                for (command, counts) in news {
                    events.push(Event::CommandObserved {
                        unit: *unit,
                        location: location.clone(),
                        command: command.clone(),
                        counts: *counts,
                        expires_at: settlement.expires_at,
                    });
                }
                events.push(Event::LocationSettled {
                    unit: *unit,
                    location: location.clone(),
                    outcome: settlement.outcome,
                    nodes: settlement.nodes.clone(),
                    detail: settlement.detail.clone(),
                });
                events
            }
            Self::Started(..)
            | Self::NotSent { .. }
            | Self::CommandEnded(..)
            | Self::Cancelled(..)
            | Self::RunbookChanged(..)
            | Self::Settled { .. } => vec![],
        }
    }
}

/// Whether the unit has not been started, by the log.
fn may_start(state: &State, unit: UnitId) -> bool {
    let start = state.units().get(&unit).map(|unit| &unit.start);
    matches!(start, Some(StartState::NotStarted | StartState::Intended(_)))
}

/// The cancel by somebody else that the results of a location show, if the log does not have it.
pub(super) fn cancel_seen(
    state: &State,
    unit: UnitId,
    location: &Location,
    settlement: &Settlement,
) -> Option<Event> {
    let cancelled = settlement.cancelled || settlement.outcome == LocationOutcome::Cancelled;
    // What was not begun because its execution was cancelled is no further cancel.
    let with_the_execution = !settlement.cancelled && state.knows_cancel(unit, None);
    let known = with_the_execution || state.knows_cancel(unit, Some(location));
    let is_own = state.units().get(&unit).is_some_and(|unit| unit.stop.is_some());
    (cancelled && !known && !is_own).then(|| Event::CancelledElsewhere {
        unit,
        location: Some(location.clone()),
    })
}

/// Whether this attempt of the unit was started, and no other was since.
fn is_running(state: &State, unit: UnitId, wanted: u32) -> bool {
    let unit = state.units().get(&unit);
    unit.is_some_and(|unit| matches!(unit.start, StartState::Started { attempt, .. } if attempt == wanted))
}
