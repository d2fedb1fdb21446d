//! Automation's quotas. In each Region an account has a number of executions that may run at once, and a number
//! that may wait. Further ones are refused. Children count, and rate-control executions have quotas of their
//! own.
//!
//! Sources: the Systems Manager endpoints and quotas page. That a rate-control execution counts
//! only in its own quota is not said there.

use crate::world::{Shape, StartRefusal, Status, World, lookup::Lookup, time::Event};
use patchfleet_core::id::Location;
use std::collections::BTreeSet;

/// Who waits, by [`crate::world::Execution::age`].
type Waiting = BTreeSet<(jiff::Timestamp, u64, String)>;

/// Executions of one location and kind that have not ended.
#[derive(Debug, Clone, Default)]
struct Line {
    open: u32,
    running: u32,
    waiting: Waiting,
}

/// Who runs and who waits, by location; those of rate control apart.
#[derive(Debug, Clone, Default)]
pub(in crate::world) struct Lines {
    at: Lookup<(Location, bool), Line>,
}

/// Which quotas an execution counts in: those of rate control, or the others.
fn is_rate_control(shape: Shape) -> bool {
    shape == Shape::RateControl
}

impl World {
    /// How many may run, and how many may wait.
    fn limits(&self, shape: Shape) -> (u32, u32) {
        if is_rate_control(shape) {
            (
                self.rules.quotas.running_rate_control,
                self.rules.quotas.queued_rate_control,
            )
        } else {
            (
                self.rules.quotas.running_automations,
                self.rules.quotas.queued_automations,
            )
        }
    }

    fn line(&mut self, location: &Location, shape: Shape) -> &mut Line {
        self.lines.at.made((location.clone(), is_rate_control(shape)))
    }

    /// Lets a new execution in, if there is room for one more. Children come here when it is their
    /// turn among those of the instant (see [`crate::world::turn`]).
    pub(in crate::world) fn join_line(
        &mut self,
        location: &Location,
        shape: Shape,
    ) -> Result<(), StartRefusal> {
        let (running, waiting) = self.limits(shape);
        let line = self.line(location, shape);
        if line.open >= running.saturating_add(waiting) {
            return Err(StartRefusal::Limit);
        }
        line.open += 1;
        Ok(())
    }

    /// An execution may begin when its turn comes. Turns are given once everybody who comes at this instant is
    /// in line, because who is first must not depend on the order of calls to different accounts.
    pub(in crate::world) fn stand_in_line(&mut self, id: &str) {
        let Some(execution) = self.executions.get(id) else {
            return;
        };
        let (location, shape) = (execution.order.location.clone(), execution.shape());
        let (started, number, _) = execution.age();
        self.line(&location, shape)
            .waiting
            .insert((started, number, id.to_owned()));
        self.after_seconds(0, Event::LineMoves { location, shape });
    }

    /// Whoever has waited longest begins, as long as there is a place.
    pub(in crate::world) fn move_line(&mut self, location: &Location, shape: Shape) {
        let (limit, _) = self.limits(shape);
        while self.line(location, shape).running < limit {
            let Some((_, _, next)) = self.line(location, shape).waiting.pop_first() else {
                return;
            };
            // It may have been stopped while it waited.
            let waits = |one: &&mut crate::world::Execution| one.status == Status::Pending;
            if let Some(execution) = self.executions.get_mut(&next).filter(waits) {
                execution.has_slot = true;
                self.line(location, shape).running += 1;
                self.begin_execution(&next);
            }
        }
    }

    /// An execution has ended: its place is another's.
    pub(in crate::world) fn leave_line(&mut self, id: &str) {
        let Some(execution) = self.executions.get_mut(id) else {
            return;
        };
        let (location, shape) = (execution.order.location.clone(), execution.shape());
        let had_slot = std::mem::take(&mut execution.has_slot);
        let line = self.line(&location, shape);
        line.open = line.open.saturating_sub(1);
        line.running = line.running.saturating_sub(u32::from(had_slot));
        if had_slot && !line.waiting.is_empty() {
            self.after_seconds(0, Event::LineMoves { location, shape });
        }
    }
}
