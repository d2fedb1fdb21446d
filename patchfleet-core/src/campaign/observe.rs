//! Looking at a running unit: its execution, the step of each location, and what runs there.

use super::commands::{self, Patching};
use super::polls::{Parent, Polls, later};
use super::state::{StartState, State, UnitState};
use super::{Event, READS_AT_ONCE};
use crate::id::{CommandId, ExecutionId, Location, UnitId};
use crate::port::{CommandView, ExecutionStatus, PortResult, ResultPorts, StepView, Walk};
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
    pub(super) steps: BTreeMap<Location, StepView>,
    /// The commands that patch.
    pub(super) commands: Vec<(Location, CommandId, CommandView)>,
    /// Where a command was cancelled that does not patch.
    hooks_cancelled: BTreeSet<Location>,
    /// As it was given to [`observe`].
    one_command: bool,
    /// Where the execution waits at AWS.
    waiting: BTreeSet<Location>,
}

/// Looks at a unit. The execution is read before its steps, so the steps of an execution that is over are its
/// last.
///
/// `one_command` is true if the runbook sends at most one command in each location: once that is known, no other
/// is looked for. It is false if the runbook may send several.
///
/// What runs in a location and cannot be read is left out: the location is settled when its step
/// is over, and its results are asked for then.
pub(super) async fn observe(
    ports: ResultPorts<'_>,
    execution: &ExecutionId,
    unit: &UnitState,
    one_command: bool,
) -> PortResult<Observed> {
    let view = ports.automation.execution(execution).await?;
    let mut steps: BTreeMap<Location, StepView> = BTreeMap::new();
    let mut walk = Walk::new("the execution's steps");
    while let Some(token) = walk.next() {
        let page = ports.automation.steps(execution, token).await?;
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
    if !cancelled && steps.values().any(|step| step.status.is_cancelled()) {
        cancelled = ports.automation.execution(execution).await?.status.is_cancelled();
    }
    let running = steps.iter().filter_map(|(location, step)| {
        let at = unit.locations.get(location).filter(|at| at.settled.is_none())?;
        let child = step.child.clone().filter(|_| !step.status.is_terminal())?;
        let known = at.commands.keys().cloned().collect();
        Some(below(ports, location.clone(), child, known, one_command))
    });
    let running: Vec<_> = running.collect();
    let seen = stream::iter(running)
        .buffer_unordered(READS_AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let waiting = seen.iter().filter(|below| below.waits);
    let waiting = waiting.map(|below| below.location.clone()).collect();
    let hooks_cancelled = seen.iter().filter(|below| below.hook_cancelled);
    let hooks_cancelled = hooks_cancelled.map(|below| below.location.clone()).collect();
    let commands = seen.into_iter().flat_map(|below| {
        let location = below.location;
        below
            .commands
            .into_iter()
            .map(move |(id, view)| (location.clone(), id, view))
    });
    Ok(Observed {
        execution: execution.clone(),
        parent: Parent {
            status: view.status,
            failure: view.failure,
        },
        cancelled,
        steps,
        commands: commands.collect(),
        hooks_cancelled,
        one_command,
        waiting,
    })
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
struct Below {
    location: Location,
    /// Whether it waits at AWS.
    waits: bool,
    /// The commands by which it patches, as far as it has sent them.
    commands: Vec<(CommandId, CommandView)>,
    /// Whether another command of it was cancelled.
    hook_cancelled: bool,
}

/// Reads what a child that is not over does.
async fn below(
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
    /// What is new in it at this time, as events.
    pub(super) fn events(&self, state: &State, id: UnitId, now: Timestamp) -> Vec<Event> {
        let unit = state.units().get(&id);
        // What an earlier attempt did says nothing about this one.
        let Some(unit) = unit.filter(|unit| execution_of(unit) == Some(&self.execution)) else {
            return vec![];
        };
        let mut events = vec![];
        for (location, step) in &self.steps {
            let Some(known) = unit.locations.get(location).filter(|at| at.settled.is_none()) else {
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
        let cancels = self.cancels(state, id).into_iter();
        events.extend(cancels.map(|location| Event::CancelledElsewhere { unit: id, location }));
        for (location, command, view) in &self.commands {
            let known = unit.locations.get(location).filter(|at| at.settled.is_none());
            if known.is_some_and(|at| at.commands.get(command) != Some(&view.counts)) {
                events.push(Event::CommandObserved {
                    unit: id,
                    location: location.clone(),
                    command: command.clone(),
                    counts: view.counts,
                    expires_at: state.expires(unit, view),
                });
            }
        }
        events.extend(self.waits(unit, id, now));
        events
    }

    /// The executions that have waited at AWS for long enough to say so, and are not known to.
    fn waits(&self, unit: &UnitState, id: UnitId, now: Timestamp) -> Vec<Event> {
        let long = |since: Option<Timestamp>| since.is_some_and(|since| now >= later(since, WAITS_AFTER));
        let mut events = vec![];
        if let StartState::Started { at, .. } = unit.start
            && self.parent.status == ExecutionStatus::Pending
            && !unit.waits
            && long(Some(at))
        {
            events.push(Event::WaitsAtAws {
                unit: id,
                location: None,
            });
        }
        for location in &self.waiting {
            let known = unit.locations.get(location).filter(|at| at.settled.is_none());
            if known.is_some_and(|at| !at.waits && long(at.child_at)) {
                events.push(Event::WaitsAtAws {
                    unit: id,
                    location: Some(location.clone()),
                });
            }
        }
        events
    }

    /// The cancels that the log does not have yet. They are somebody else's, since patchfleet cancels nothing. The step of a
    /// cancelled execution says
    /// nothing of its location, in which everything may run on and be cancelled later.
    pub(super) fn cancels(&self, state: &State, unit: UnitId) -> BTreeSet<Option<Location>> {
        let execution = self.cancelled.then_some(None);
        let steps = self
            .steps
            .iter()
            .filter(|(_, step)| !self.cancelled && step.status.is_cancelled());
        let commands = self.commands.iter().filter(|(_, _, view)| view.is_cancelled());
        execution
            .into_iter()
            .chain(steps.map(|(location, _)| Some(location.clone())))
            .chain(commands.map(|(location, ..)| Some(location.clone())))
            .chain(self.hooks_cancelled.iter().cloned().map(Some))
            .filter(|place| {
                let units = state.units().get(&unit);
                let locations = units.map(|unit| &unit.locations);
                place
                    .as_ref()
                    .is_none_or(|at| locations.is_some_and(|all| all.contains_key(at)))
                    && !state.knows_cancel(unit, place.as_ref())
            })
            .collect()
    }

    /// Keeps what is not logged. A command that matched no node is the end of its location only if no other
    /// may follow.
    pub(super) fn remember(&self, polls: &mut Polls, unit: UnitId) {
        polls.unit(unit).parent = Some(self.parent.clone());
        for (location, _, view) in &self.commands {
            if self.one_command && view.matched_nothing() {
                polls.location(unit, location).matched_nothing = true;
            }
        }
    }
}

/// The execution of a unit that was started.
pub(super) fn execution_of(unit: &UnitState) -> Option<&ExecutionId> {
    match &unit.start {
        StartState::Started { execution, .. } => Some(execution),
        _ => None,
    }
}
