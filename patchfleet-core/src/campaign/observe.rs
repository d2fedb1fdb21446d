//! Looking at a running unit: its execution, the step of each location, and what runs there.

use super::commands::{self, Patching};
use super::memory::Parent;
use super::polls::later;
use super::state::{StartState, State, UnitState};
use super::{AlarmStop, Event, READS_AT_ONCE};
use crate::id::{CommandId, ExecutionId, Location, UnitId};
use crate::port::{
    Automation, CommandView, ExecutionStatus, PortResult, ResultPorts, StepView, TriggeredAlarm, Walk,
};
use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// For how long an execution that was begun has to be Pending before it is said to wait at AWS: each is for a
/// moment.
const WAITS_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// What a look at a unit saw.
#[derive(Debug, Clone)]
pub(super) struct Observed {
    /// What was looked at.
    pub(super) execution: ExecutionId,
    pub(super) parent: Parent,
    /// Whether the execution was cancelled. Its status, which was read before the steps, may not say so yet.
    cancelled: bool,
    /// What its alarm has AWS stop it for.
    triggered: Option<TriggeredAlarm>,
    pub(super) steps: BTreeMap<Location, StepView>,
}

/// Looks at a unit's execution and at the steps of its locations. The execution is read before its steps, so the
/// steps of an execution that is over are its last.
///
/// What runs in the locations is not asked for: a location that runs costs nothing of its own until it ends, or
/// until somebody wants to know ([`below`]).
pub(super) async fn observe(automation: &dyn Automation, execution: &ExecutionId) -> PortResult<Observed> {
    let view = automation.execution(execution).await?;
    let mut steps: BTreeMap<Location, StepView> = BTreeMap::new();
    let mut walk = Walk::new("the execution's steps");
    while let Some(token) = walk.next() {
        let page = automation.steps(execution, token).await?;
        for step in page.items {
            let Some(location) = step.location.clone() else {
                continue;
            };
            match steps.get(&location) {
                Some(known) if rank(known) > rank(&step) => {}
                _ => {
                    steps.insert(location, step);
                }
            }
        }
        walk.advance(page.next)?;
    }
    // The steps of a cancelled execution end as Cancelled, whatever becomes of what they began.
    let mut cancelled = view.status.is_cancelled();
    let mut triggered = view.triggered;
    if !cancelled && steps.values().any(|step| step.status.is_cancelled()) {
        let newer = automation.execution(execution).await?;
        cancelled = newer.status.is_cancelled();
        triggered = newer.triggered.or(triggered);
    }
    Ok(Observed {
        execution: execution.clone(),
        parent: Parent {
            status: view.status,
            failure: view.failure,
        },
        cancelled,
        triggered,
        steps,
    })
}

/// Looks at what runs in every location of a unit whose step runs, by what `observed` has of them.
pub(super) async fn below_all(
    ports: ResultPorts<'_>,
    observed: &Observed,
    unit: &UnitState,
    one_command: bool,
) -> Vec<Below> {
    let running = observed.steps.iter().filter_map(|(location, step)| {
        let at = unit.locations.get(location).filter(|at| at.settled.is_none())?;
        let child = step.child.clone().filter(|_| !step.status.is_terminal())?;
        let known = at.commands.keys().cloned().collect();
        Some(below(ports, location.clone(), child, known, one_command))
    });
    let running: Vec<_> = running.collect();
    stream::iter(running)
        .buffer_unordered(READS_AT_ONCE)
        .collect()
        .await
}

/// Which of two steps of one location says what happens there: one that runs, then one that ran.
/// Automation is not documented to give a location two, unless a step is tried again.
fn rank(step: &StepView) -> u8 {
    match step.status {
        ExecutionStatus::Pending => 0,
        _ if step.status.is_terminal() => 1,
        _ => 2,
    }
}

/// What a child that is not over does in a location, as far as it can be read.
#[derive(Debug, Clone)]
pub(super) struct Below {
    pub(super) location: Location,
    /// Whether it waits at AWS.
    waits: bool,
    /// The commands by which it patches, as far as it has sent them.
    commands: Vec<(CommandId, CommandView)>,
    /// Whether another command of it was cancelled.
    hook_cancelled: bool,
}

/// Reads what a child that is not over does.
///
/// `one_command` is true if the runbook sends at most one command in each location: once that is known, no other
/// is looked for. It is false if the runbook may send several.
///
/// What cannot be read is left out: the location is settled when its step is over, and its results are asked for
/// then.
pub(super) async fn below(
    ports: ResultPorts<'_>,
    location: Location,
    child: ExecutionId,
    known: Vec<CommandId>,
    one_command: bool,
) -> Below {
    let mut waits = false;
    let mut others = vec![];
    let ids = if one_command && !known.is_empty() {
        known
    } else {
        match ports.automation.child(&location, &child).await {
            Ok(view) => {
                waits = view.status == ExecutionStatus::Pending;
                let patching = Patching::of(&view, one_command).commands;
                others = commands::others(&view, &patching);
                patching
            }
            Err(_) => known,
        }
    };
    let mut commands = vec![];
    for id in ids {
        if let Ok(view) = ports.commands.command(&location, &id).await {
            commands.push((id, view));
        }
    }
    let mut hook_cancelled = false;
    for id in others {
        let view = ports.commands.command(&location, &id).await;
        hook_cancelled |= view.is_ok_and(|view| view.is_cancelled());
    }
    Below {
        location,
        waits,
        commands,
        hook_cancelled,
    }
}

impl Observed {
    /// Whether an execution has been begun in a location that the log does not have.
    pub(super) fn has_begun_more(&self, unit: &UnitState) -> bool {
        self.steps.iter().any(|(location, step)| {
            let known = unit.locations.get(location);
            step.child.is_some() && known.is_some_and(|at| at.child.is_none() && at.settled.is_none())
        })
    }

    /// What is new in it at this time, as events.
    pub(super) fn events(&self, state: &State, id: UnitId, now: Timestamp) -> Vec<Event> {
        let unit = state.units().get(&id);
        // What an earlier attempt did says nothing about this one.
        let Some(unit) = unit.filter(|unit| execution_of(unit) == Some(&self.execution)) else {
            return vec![];
        };
        let mut events = vec![];
        let mut all = unit.locations.iter().peekable();
        for (location, step) in &self.steps {
            // Both are in order, so one walk over both finds each step's location.
            while all.next_if(|(earlier, _)| *earlier < location).is_some() {}
            let here = all.next_if(|(other, _)| *other == location);
            let Some((_, known)) = here.filter(|(_, at)| at.settled.is_none()) else {
                continue;
            };
            // A step that was not reached is as good as none.
            let status = known.status.as_ref().unwrap_or(&ExecutionStatus::Pending);
            let new_child = step.child.is_some() && step.child != known.child;
            if *status != step.status || new_child || known.failure != step.failure {
                events.push(Event::LocationObserved {
                    unit: id,
                    location: location.clone(),
                    status: step.status.clone(),
                    child: step.child.clone().or_else(|| known.child.clone()),
                    failure: step.failure.clone(),
                });
            }
        }
        events.extend(self.stopped_for_alarm(state, id));
        let cancels = self.cancels(state, id).into_iter();
        events.extend(cancels.map(|location| Event::CancelledElsewhere { unit: id, location }));
        if let StartState::Started { at, .. } = unit.start
            && self.parent.status == ExecutionStatus::Pending
            && !unit.waits
            && now >= later(at, WAITS_AFTER)
        {
            events.push(Event::WaitsAtAws {
                unit: id,
                location: None,
            });
        }
        events
    }

    /// That AWS has a reason to stop the execution for the alarm that it was started with, if the log does not say so yet.
    pub(super) fn stopped_for_alarm(&self, state: &State, unit: UnitId) -> Option<Event> {
        let is_news = state.units().get(&unit)?.stopped_for_alarm.is_none();
        let alarm = AlarmStop {
            name: state.plan().request.breaker.handed_alarm()?.clone(),
            triggered: self.triggered?,
        };
        is_news.then_some(Event::StoppedForAlarm { unit, alarm })
    }

    /// The cancels that the log does not have yet. They are somebody else's, as the campaign's own stops and those for an alarm are left
    /// out. The step of a cancelled execution says nothing of its location, in which everything may run on and be cancelled later.
    pub(super) fn cancels(&self, state: &State, unit: UnitId) -> BTreeSet<Option<Location>> {
        if self.stopped_for_alarm(state, unit).is_some() {
            return BTreeSet::new();
        }
        let execution = self.cancelled.then_some(None);
        let steps = self
            .steps
            .iter()
            .filter(|(_, step)| !self.cancelled && step.status.is_cancelled())
            // What the campaign has stopped itself never begins what waits.
            .filter(|(_, step)| step.child.is_some() || !is_own_stop(state, unit));
        execution
            .into_iter()
            .chain(steps.map(|(location, _)| Some(location.clone())))
            .filter(|place| is_news(state, unit, place.as_ref()))
            .collect()
    }
}

impl Below {
    /// What is new in it at this time, as events, if this execution is the unit's own.
    pub(super) fn events(
        &self,
        state: &State,
        id: UnitId,
        execution: &ExecutionId,
        now: Timestamp,
    ) -> Vec<Event> {
        let unit = state.units().get(&id);
        let Some(unit) = unit.filter(|unit| execution_of(unit) == Some(execution)) else {
            return vec![];
        };
        let location = &self.location;
        let Some(known) = unit.locations.get(location).filter(|at| at.settled.is_none()) else {
            return vec![];
        };
        let mut events: Vec<Event> = self.cancel(state, id).into_iter().collect();
        for (command, view) in &self.commands {
            let expires_at = state.expires(unit, view);
            if known.commands.get(command) != Some(&view.counts) || expires_at > known.expires_at {
                events.push(Event::CommandObserved {
                    unit: id,
                    location: location.clone(),
                    command: command.clone(),
                    counts: view.counts,
                    expires_at,
                });
            }
        }
        let long = known
            .child_at
            .is_some_and(|since| now >= later(since, WAITS_AFTER));
        if self.waits && !known.waits && long {
            events.push(Event::WaitsAtAws {
                unit: id,
                location: Some(location.clone()),
            });
        }
        events
    }

    /// The cancel that the log does not have yet.
    pub(super) fn cancel(&self, state: &State, unit: UnitId) -> Option<Event> {
        let cancelled = self.hook_cancelled || self.commands.iter().any(|(_, view)| view.is_cancelled());
        let location = Some(self.location.clone());
        (cancelled && is_news(state, unit, location.as_ref()))
            .then_some(Event::CancelledElsewhere { unit, location })
    }
}

/// Whether a cancel is in the unit, the log does not have it yet, and it is not the campaign's own stop.
fn is_news(state: &State, id: UnitId, place: Option<&Location>) -> bool {
    let Some(unit) = state.units().get(&id) else {
        return false;
    };
    // Once a person has the campaign stopped, a cancel is no other stop.
    if state.stop_mode().is_some() {
        return false;
    }
    let is_own = match place {
        None => unit.may_be_stopped(),
        Some(_) => unit.may_cancel_below(),
    };
    !is_own && place.is_none_or(|at| unit.locations.contains_key(at)) && !state.knows_cancel(id, place)
}

fn is_own_stop(state: &State, unit: UnitId) -> bool {
    state.units().get(&unit).is_some_and(UnitState::may_be_stopped)
}

/// The execution of a unit that was started.
pub(super) fn execution_of(unit: &UnitState) -> Option<&ExecutionId> {
    match &unit.start {
        StartState::Started { execution, .. } => Some(execution),
        _ => None,
    }
}
