//! An execution that cannot be looked at, and a command that patchfleet sent itself in a location that cannot be read any more.
//!
//! Executions are looked at in the central account and Region, and while nobody may do that the campaign cannot go on. A command is
//! looked at in its own location. The account there may be suspended, or its role or its Region gone, and that is no affair of the
//! others. The command lives on by itself and expires by itself. So it is looked at now and again until then, as an execution would be
//! that waits for it. Then its location settles, with results that could not be read.

use super::{Drive, DriveError};
use crate::campaign::facts::{Basis, Fact};
use crate::campaign::memory::{UnitMemory, UnitTask};
use crate::campaign::observe;
use crate::campaign::polls::{Failures, UNRESOLVED_EVERY, later};
use crate::campaign::state::UnitState;
use crate::id::UnitId;
use crate::port::{PortError, PortErrorKind};
use jiff::Timestamp;

impl Drive<'_> {
    /// What is to be done about a look at a unit that failed.
    pub(super) fn learn_unobserved(
        &mut self,
        unit: UnitId,
        source: PortError,
        now: Timestamp,
    ) -> Result<Vec<Fact>, DriveError> {
        let task = UnitTask::Observe(unit);
        let kind = source.kind();
        let asked = self.memory.unit(unit);
        // It was started, so it is there: AWS is eventually consistent.
        asked.observe_failures.add(match kind {
            PortErrorKind::NotFound => PortErrorKind::Unavailable,
            kind => kind,
        });
        let failures = asked.observe_failures;
        let too_many = failures.are_too_many();
        self.memory.unit_tasks.set(&task, later(now, failures.backoff()));
        if self.state.is_sent_once() && kind != PortErrorKind::Credentials {
            if self.is_over_unread(unit, failures, kind, now) {
                return Ok(self.end_unread(unit, &source.reason()));
            }
            if too_many && (self.is_of_its_location(kind) || self.looks_well_elsewhere(unit)) {
                let over_from = self.state.command_over_from(unit).filter(|from| *from > now);
                let next = later(now, UNRESOLVED_EVERY);
                let next = over_from.map_or(next, |from| next.min(from));
                self.memory.unit_tasks.set(&task, next);
                return Ok(vec![]);
            }
        }
        // Stops that are still tried are not given up because nobody may look.
        let is_stopping = self.state.stop_mode().is_some()
            && self
                .state
                .going_on()
                .any(|unit| !self.memory.is_parent_over(unit));
        if too_many
            && !is_stopping
            && let Some(execution) = self.state.units().get(&unit).and_then(observe::execution_of)
        {
            if kind == PortErrorKind::Credentials {
                return Err(self.no_credentials(source));
            }
            return Err(DriveError::Observe {
                campaign: self.state.campaign(),
                execution: execution.clone(),
                source,
            });
        }
        Ok(vec![])
    }

    /// Whether a look at a command failed for a reason of its own location. What passes by itself may be of this machine.
    pub(super) fn is_of_its_location(&self, kind: PortErrorKind) -> bool {
        self.state.is_sent_once() && !kind.is_transient() && kind != PortErrorKind::Credentials
    }

    /// Whether another unit is followed whose looks are answered, or may be.
    fn looks_well_elsewhere(&self, unit: UnitId) -> bool {
        self.state.open().any(|other| {
            let unresolved = self.state.units().get(&other);
            let is_followed = unresolved.is_some_and(|other| !other.is_unresolved() && !other.is_over());
            let fails = |asked: &UnitMemory| asked.observe_failures.are_too_many();
            other != unit && is_followed && !self.memory.of_unit(other).is_some_and(fails)
        })
    }

    /// Whether a command is over that nobody may look at: its location has settled, or it has expired.
    fn is_over_unread(&self, unit: UnitId, failures: Failures, kind: PortErrorKind, now: Timestamp) -> bool {
        if self.state.units().get(&unit).is_some_and(UnitState::has_settled) {
            return failures.are_too_many();
        }
        let over_from = self.state.command_over_from(unit);
        over_from.is_some_and(|from| failures.are_enough(kind, from, now))
    }

    /// Ends a unit whose command is over and cannot be read.
    fn end_unread(&mut self, id: UnitId, why: &str) -> Vec<Fact> {
        self.memory.unit(id).is_over_unread = true;
        let Some(unit) = self.state.units().get(&id) else {
            return vec![];
        };
        let automation = self.driver.dispatcher(&self.state, id);
        let open = unit.locations.iter().filter(|(_, at)| at.settled.is_none());
        open.map(|(location, at)| {
            let job = self.job(&*automation, id, location);
            let mut settlement = job.unreadable(format!(
                "its command has expired by now, and it cannot be read: {why}"
            ));
            if at.child.is_none() {
                // So that whoever may read it later knows what to read.
                settlement.unnamed = observe::execution_of(unit).cloned();
            }
            Fact::Settled {
                unit: id,
                location: location.clone(),
                basis: Basis::of(&self.state, unit, location),
                settlement,
            }
        })
        .collect()
    }

    /// Whether a command is about to be given up that is over and cannot be read: the last looks at it have failed.
    pub(super) fn gives_up_unread(&self) -> bool {
        let now = self.now();
        self.state.open().any(|id| {
            let fails = |asked: &UnitMemory| asked.observe_failures != Failures::default();
            self.memory.of_unit(id).is_some_and(fails)
                && self.state.command_over_from(id).is_some_and(|from| now >= from)
        })
    }
}
