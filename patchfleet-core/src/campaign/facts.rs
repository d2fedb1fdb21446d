//! What a driver learned from answers, and the events that say so.
//!
//! What was seen stays true whatever another driver appended meanwhile, so its events are made
//! anew for the newest state.

use super::collect::Settlement;
use super::observe::{Below, Observed};
use super::start::{others_in_doubt, request};
use super::state::{Intent, StartState, State, StopStanding, UnitState};
use super::{AlarmSaid, CalendarsSaid, Event};
use crate::id::{ExecutionId, Location, NodeId, UnitId, WriterId};
use crate::outcome::{LocationOutcome, NodeRow};
use crate::port::{ExecutionStatus, PortErrorKind, StopType};
use crate::runbook::Changed;
use jiff::Timestamp;

/// Something that a driver learned.
#[derive(Debug, Clone)]
pub(super) enum Fact {
    /// The unit, which attempt, and what it began.
    Started(UnitId, u32, ExecutionId),
    /// The unit, which attempt, and what that began before the log lost it.
    BegunBefore(UnitId, u32, ExecutionId),
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
    /// AWS has taken the stop of a unit's execution.
    StopTaken(UnitId, StopType),
    /// The execution was over before.
    StopNotNeeded(UnitId, StopType),
    /// The execution has begun something since.
    StopInVain(UnitId, StopType),
    /// AWS does not stop the unit's execution.
    NotStopped(UnitId, StopType, PortErrorKind, String),
    /// AWS does not stop what this attempt runs in a location.
    NotStoppedBelow {
        unit: UnitId,
        attempt: u32,
        location: Location,
        kind: PortErrorKind,
        detail: String,
    },
    /// What the change calendars say.
    Calendars(CalendarsSaid),
    /// What the CloudWatch alarm says.
    Alarm(AlarmSaid),
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

/// How far a unit's start is, without its particulars, and what is known of one of its locations. Results that were
/// read on another basis are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    /// After how many attempts that had no effect, and how often a person has said that the campaign goes on.
    NotStarted {
        refused: u32,
        gone_on: u32,
    },
    Intended(u32),
    /// Which attempt, and whether the execution in the location is known.
    Started {
        attempt: u32,
        is_named: bool,
    },
    Refused,
    Unresolved,
}

impl Basis {
    pub(super) fn of(state: &State, unit: &UnitState, location: &Location) -> Self {
        match unit.start {
            StartState::NotStarted => Self::NotStarted {
                refused: unit.refused_attempts,
                gone_on: state.times_gone_on(),
            },
            StartState::Intended(ref intent) => Self::Intended(intent.attempt),
            StartState::Started { attempt, .. } => Self::Started {
                attempt,
                is_named: unit.locations.get(location).is_some_and(|at| at.child.is_some()),
            },
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
                | Self::BegunBefore(..)
                | Self::NotTaken { .. }
                | Self::Observed(..)
                | Self::Seen(..)
                | Self::StopTaken(..)
                | Self::StopNotNeeded(..)
                | Self::StopInVain(..)
                | Self::NotStopped(..)
                | Self::NotStoppedBelow { .. }
                | Self::NotSent { .. }
                | Self::CommandEnded(..)
                | Self::Cancelled(..)
                | Self::Calendars(..)
                | Self::Alarm(..)
        ) || matches!(
            self,
            // That a unit is left out follows from the state, and may not from the newer one.
            Self::Settled { basis, .. } if !matches!(basis, Basis::NotStarted { .. })
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
            open && unit.is_to_be_collected() && Basis::of(state, unit, location) == *basis
        })
    }

    /// The location whose rows are kept before the log has it.
    pub(super) fn keeps_rows_at(&self, state: &State) -> Option<&Location> {
        match self {
            Self::Settled { location, .. } if self.settles(state) => Some(location),
            _ => None,
        }
    }

    /// Its events; none if the log says so already.
    pub(super) fn events(&self, state: &State, writer: WriterId, now: Timestamp) -> Vec<Event> {
        let intent = |unit: &UnitId| match &state.units().get(unit)?.start {
            StartState::Intended(intent) => Some(&**intent),
            _ => None,
        };
        // It may be found, or the answer to it may come, after it was given up.
        let sent = |unit: &UnitId| state.units().get(unit)?.intent();
        match self {
            // What an earlier attempt began is not what this one did.
            Self::Started(unit, attempt, execution)
                if sent(unit).is_some_and(|intent| intent.attempt == *attempt) =>
            {
                vec![Event::Started {
                    unit: *unit,
                    execution: execution.clone(),
                }]
            }
            Self::Calendars(said) => {
                let before = state.calendars().unwrap_or(&CalendarsSaid::Open);
                match before == said {
                    true => vec![],
                    false => vec![Event::CalendarsSaid { said: said.clone() }],
                }
            }
            Self::Alarm(said) => {
                let before = state.alarm().unwrap_or(&AlarmSaid::Quiet);
                let is_news = before != said && !matches!(before, AlarmSaid::Alarm { .. });
                is_news
                    .then(|| Event::AlarmSaid { said: said.clone() })
                    .into_iter()
                    .collect()
            }
            Self::BegunBefore(unit, attempt, execution) => {
                let started = Event::Started {
                    unit: *unit,
                    execution: execution.clone(),
                };
                begun_before(state, *unit, *attempt, started)
            }
            Self::NotSent {
                unit,
                attempt,
                away,
                detail,
            } if is_running(state, *unit, *attempt)
                || intent(unit).is_some_and(|intent| is_alone(intent, *attempt, writer)) =>
            {
                vec![Event::CommandNotSent {
                    unit: *unit,
                    attempt: *attempt,
                    away: away.clone(),
                    detail: detail.clone(),
                }]
            }
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
                        vec![match intent.sent_before {
                            false => Event::StartRefused { unit, kind, detail },
                            // That says nothing of what was sent before.
                            true => Event::StartUnresolved {
                                unit,
                                detail: format!(
                                    "what was sent before may have taken effect, and AWS refused it when it was sent \
                                     again: {detail}"
                                ),
                            },
                        }]
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
                    && state.stop_mode().is_none()
                    && !state.knows_cancel(*unit, Some(location))
                    && !state.units().get(unit).is_some_and(UnitState::may_cancel_below) =>
            {
                vec![Event::CancelledElsewhere {
                    unit: *unit,
                    location: Some(location.clone()),
                }]
            }
            Self::Observed(unit, observed) => observed.events(state, *unit, now),
            Self::Seen(unit, execution, below) => below.events(state, *unit, execution, now),
            Self::StopTaken(unit, stop) if stop_stands(state, *unit, *stop, StopStanding::Intended) => {
                vec![Event::StopTaken {
                    unit: *unit,
                    stop: *stop,
                }]
            }
            // Another driver was told that the execution is not running, and took it for over. It was stopped.
            Self::StopTaken(unit, stop) if is_started_without_stop(state, *unit) => vec![
                Event::StopIntended {
                    unit: *unit,
                    stop: *stop,
                },
                Event::StopTaken {
                    unit: *unit,
                    stop: *stop,
                },
            ],
            Self::StopNotNeeded(unit, stop) if stop_stands(state, *unit, *stop, StopStanding::Intended) => {
                vec![Event::StopNotNeeded {
                    unit: *unit,
                    stop: *stop,
                }]
            }
            Self::StopInVain(unit, stop) if stop_stands(state, *unit, *stop, StopStanding::Taken) => {
                vec![Event::StopInVain {
                    unit: *unit,
                    stop: *stop,
                }]
            }
            Self::NotStopped(unit, stop, kind, detail)
                if stop_stands(state, *unit, *stop, StopStanding::Intended) =>
            {
                vec![Event::StopRefused {
                    unit: *unit,
                    stop: *stop,
                    kind: *kind,
                    detail: detail.clone(),
                }]
            }
            Self::NotStoppedBelow {
                unit,
                attempt,
                location,
                kind,
                detail,
            } if is_running(state, *unit, *attempt) && !state.is_beyond_reach(*unit, location) => {
                vec![Event::NotStoppedBelow {
                    unit: *unit,
                    location: location.clone(),
                    kind: *kind,
                    detail: detail.clone(),
                }]
            }
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
                    offline_before: settlement.offline_before(state, location),
                    detail: settlement.detail.clone(),
                    not_well: state.not_well(&settlement.rows),
                    rows: NodeRow::digest(&settlement.rows),
                });
                events
            }
            Self::Started(..)
            | Self::NotSent { .. }
            | Self::CommandEnded(..)
            | Self::Cancelled(..)
            | Self::StopTaken(..)
            | Self::StopNotNeeded(..)
            | Self::StopInVain(..)
            | Self::NotStopped(..)
            | Self::NotStoppedBelow { .. }
            | Self::RunbookChanged(..)
            | Self::Settled { .. } => vec![],
        }
    }
}

/// Whether this sending of a start is the only one that may have taken effect. If it had none, none had.
fn is_alone(intent: &Intent, attempt: u32, writer: WriterId) -> bool {
    intent.attempt == attempt && !intent.sent_before && !others_in_doubt(intent, writer)
}

/// Whether a unit's stop is this one, and stands so.
fn stop_stands(state: &State, unit: UnitId, kind: StopType, standing: StopStanding) -> bool {
    let stop = state.units().get(&unit).and_then(|unit| unit.stop.as_ref());
    stop.is_some_and(|stop| stop.kind == kind && stop.standing == standing)
}

/// Whether the unit was started, and nobody means to stop it by the log.
fn is_started_without_stop(state: &State, unit: UnitId) -> bool {
    let unit = state.units().get(&unit);
    unit.is_some_and(|unit| matches!(unit.start, StartState::Started { .. }) && unit.stop.is_none())
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
    let is_own =
        state.units().get(&unit).is_some_and(UnitState::may_cancel_below) || state.stop_mode().is_some();
    (cancelled && !known && !is_own).then(|| Event::CancelledElsewhere {
        unit,
        location: Some(location.clone()),
    })
}

/// What became of a start that the log has lost, after the intent that it lost too; nothing if somebody has begun the
/// unit since. When it was sent is not known, so its commands are said to live as long as they would if it was sent
/// right after it was planned.
fn begun_before(state: &State, id: UnitId, attempt: u32, became: Event) -> Vec<Event> {
    let is_next = state.units().get(&id).is_some_and(|unit| {
        matches!(unit.start, StartState::NotStarted) && unit.refused_attempts.saturating_add(1) == attempt
    });
    let request = is_next
        .then(|| request(state, id, attempt, state.planned_at()))
        .flatten();
    request.map_or(vec![], |request| {
        let intended = Event::StartIntended {
            unit: id,
            attempt,
            request,
        };
        vec![intended, became]
    })
}

/// Whether this attempt of the unit was started, and no other was since.
fn is_running(state: &State, unit: UnitId, wanted: u32) -> bool {
    let unit = state.units().get(&unit);
    unit.is_some_and(|unit| matches!(unit.start, StartState::Started { attempt, .. } if attempt == wanted))
}
