//! Stopping what runs in a location, once a person has the campaign stopped.
//!
//! Whether AWS stops what an execution has begun along with it is undocumented. So the execution in the location is
//! stopped by itself, and each of its commands is cancelled. Each call may be made any number of times, by any number
//! of drivers. They are repeated until nothing runs there any more, because a command may be sent while its execution
//! is being stopped.

use super::calls::Answer;
use super::{Drive, Driver};
use crate::campaign::StopMode;
use crate::campaign::facts::Fact;
use crate::campaign::observe;
use crate::campaign::polls::{Failures, later, poll_interval};
use crate::campaign::state::StartState;
use crate::fleet;
use crate::id::{CommandId, ExecutionId, Location, UnitId};
use crate::port::{
    Automation, BoxFuture, ChildView, CommandStatus, ExecutionStatus, PortError, PortErrorKind, StopType,
};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What came of stopping what runs in a location.
#[derive(Default)]
pub(super) struct StoppedBelow {
    /// Whether something is to be stopped there still.
    runs: bool,
    /// What first kept something of it from being stopped or seen.
    pub(super) failed: Option<PortError>,
}

/// What runs in a location, as far as the log tells.
struct Below<'d> {
    driver: &'d Driver,
    automation: Arc<dyn Automation>,
    location: Location,
    parent: ExecutionId,
    child: Option<ExecutionId>,
    commands: BTreeSet<CommandId>,
    mode: StopMode,
}

impl<'d> Drive<'d> {
    /// Stops what runs in a location.
    pub(super) fn stop_below(&self, unit: UnitId, location: &Location) -> Option<BoxFuture<'d, Answer>> {
        let of = self.state.units().get(&unit)?;
        let StartState::Started { attempt, .. } = of.start else {
            return None;
        };
        let at = of.locations.get(location).filter(|at| at.settled.is_none())?;
        let below = Below {
            driver: self.driver,
            automation: self.driver.dispatcher(&self.state, unit),
            location: location.clone(),
            parent: observe::execution_of(of)?.clone(),
            child: at.child.clone(),
            commands: at.commands.keys().cloned().collect(),
            mode: self.state.stop_mode()?,
        };
        Some(Box::pin(async move {
            let location = below.location.clone();
            Answer::StoppedBelow(unit, attempt, location, below.stop().await)
        }))
    }

    /// What came of it, and when it is done again.
    pub(super) fn learn_stopped_below(
        &mut self,
        unit: UnitId,
        attempt: u32,
        location: Location,
        came: StoppedBelow,
    ) -> Option<Fact> {
        let now = self.now();
        let place = (unit, location.clone());
        self.memory.stops_below.end(&place);
        let of = self.state.units().get(&unit);
        let is_open = of
            .and_then(|of| of.locations.get(&location))
            .is_some_and(|at| at.settled.is_none());
        if !is_open {
            return None;
        }
        let asked = self.memory.location(unit, &location);
        let first = *asked.first_stopped.get_or_insert(now);
        let Some(error) = came.failed else {
            asked.stop_failures = Failures::default();
            asked.is_stopped = !came.runs;
            if came.runs {
                let next = later(now, poll_interval(now.duration_since(first)));
                self.memory.stops_below.set(&place, next);
            }
            return None;
        };
        asked.is_stopped = false;
        // It was begun, so it is there: AWS is eventually consistent.
        let kind = match error.kind() {
            PortErrorKind::NotFound => PortErrorKind::Unavailable,
            kind => kind,
        };
        asked.stop_failures.add(kind);
        let next = later(now, asked.stop_failures.backoff());
        if !asked.stop_failures.are_too_many() {
            self.memory.stops_below.set(&place, next);
            return None;
        }
        asked.stop_failures = Failures::default();
        Some(Fact::NotStoppedBelow {
            unit,
            attempt,
            location,
            kind,
            detail: error.reason(),
        })
    }

    /// Until when something may run in a location of which nothing can be read, although a person has the campaign
    /// stopped. `None` if that is over, or it was seen to be stopped there.
    pub(super) fn may_run_unstopped_until(&self, unit: UnitId, location: &Location) -> Option<Timestamp> {
        let asked = self.memory.of_location(unit, location);
        if asked.is_some_and(|asked| asked.is_stopped) {
            return None;
        }
        let until = self.state.may_run_on_until(unit, location)?;
        (self.now() < until).then_some(until)
    }

    /// Something was seen to run in a location when its results were read. A person who lets commands run has it stopped
    /// once, as it is known by then what it had sent.
    pub(super) fn stop_what_runs(&mut self, unit: UnitId, location: &Location, now: Timestamp) {
        let asked = self.memory.of_location(unit, location);
        let is_due = match self.state.stop_mode() {
            None => false,
            Some(StopMode::CancelCommands) => true,
            Some(StopMode::LetCommandsRun) => asked.is_none_or(|asked| asked.first_stopped.is_none()),
        };
        if is_due && !self.state.is_beyond_reach(unit, location) {
            let place = (unit, location.clone());
            self.memory.stops_below.set_if_none(&place, now);
        }
    }
}

impl Below<'_> {
    async fn stop(self) -> StoppedBelow {
        let mut came = StoppedBelow::default();
        let child = match self.child.clone() {
            Some(child) => Some(child),
            None => {
                let listed = |page| self.automation.children(&self.location, &self.parent, page);
                match fleet::first("the executions in a location", listed).await {
                    Ok(child) => child,
                    Err(error) => return came.with(error),
                }
            }
        };
        let mut commands = self.commands.clone();
        if let Some(child) = &child {
            commands.extend(self.stop_child(child, &mut came).await);
        }
        if self.mode == StopMode::CancelCommands {
            for command in &commands {
                self.cancel(command, &mut came).await;
            }
        }
        came
    }

    /// Stops the execution in the location. Gives the commands that it has sent, as far as they are known.
    async fn stop_child(&self, child: &ExecutionId, came: &mut StoppedBelow) -> BTreeSet<CommandId> {
        let automation = &*self.automation;
        let sent = |view: ChildView| view.commands.into_iter().map(|sent| sent.id);
        let seen = automation.child(&self.location, child).await;
        let (is_over, is_stopping, has_sent) = match &seen {
            Ok(view) => (
                view.status.is_terminal(),
                view.status == ExecutionStatus::Cancelling,
                !view.commands.is_empty(),
            ),
            // It may have sent something, which is not to be cancelled unseen if commands may run.
            Err(_) => (false, false, true),
        };
        if is_over || is_stopping {
            came.runs |= is_stopping;
            return seen.into_iter().flat_map(sent).collect();
        }
        let kind = match self.mode {
            StopMode::LetCommandsRun if has_sent => StopType::Complete,
            StopMode::LetCommandsRun | StopMode::CancelCommands => StopType::Cancel,
        };
        match automation.stop_child(&self.location, child, kind).await {
            // Whoever goes to its end by itself is not stopped again and again.
            Ok(()) => came.runs |= kind == StopType::Cancel,
            // It is over, most often.
            Err(error) if error.kind() == PortErrorKind::NotRunning => came.runs = true,
            Err(error) => came.fail(error),
        }
        // What it sent before the stop was taken.
        let again = match self.mode {
            StopMode::CancelCommands => automation.child(&self.location, child).await,
            StopMode::LetCommandsRun => return BTreeSet::new(),
        };
        let was_seen = seen.is_ok();
        let mut commands: BTreeSet<CommandId> = seen.into_iter().flat_map(sent).collect();
        match again {
            Ok(view) => commands.extend(sent(view)),
            Err(error) if !was_seen => came.fail(error),
            Err(_) => {}
        }
        commands
    }

    /// Cancels a command, unless it is over.
    async fn cancel(&self, command: &CommandId, came: &mut StoppedBelow) {
        let commands = &*self.driver.commands;
        if let Ok(view) = commands.command(&self.location, command).await {
            if view.is_terminal() {
                return;
            }
            if view.status == CommandStatus::Cancelling {
                came.runs = true;
                return;
            }
        }
        match commands.cancel(&self.location, command).await {
            Ok(()) => came.runs = true,
            Err(error) => came.fail(error),
        }
    }
}

impl StoppedBelow {
    fn fail(&mut self, error: PortError) {
        self.runs = true;
        self.failed.get_or_insert(error);
    }

    fn with(mut self, error: PortError) -> Self {
        self.fail(error);
        self
    }
}
