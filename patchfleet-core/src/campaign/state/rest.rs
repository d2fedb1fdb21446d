//! What is left of executions that somebody else cancelled, and going on with it.

use super::{StartState, State, UnitState};
use crate::campaign::{Replacement, TurnedUp};
use crate::id::{Location, UnitId};
use crate::outcome::LocationOutcome;
use crate::plan::Unit;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

impl State {
    /// The locations in which nothing was begun, as far as the log tells, of units that somebody else's
    /// cancel cut short: the execution itself was cancelled, or so much in its locations that it went no
    /// further.
    pub(in crate::campaign) fn rest(&self) -> BTreeSet<(UnitId, &Location)> {
        // Without a cancel, which is most often, nothing is looked at.
        let stopped: BTreeSet<UnitId> = self.cancels.keys().map(|(unit, _)| *unit).collect();
        let stopped = stopped.iter().filter_map(|id| Some((id, self.units.get(id)?)));
        stopped
            .filter(|(id, unit)| {
                let cancelled = self.knows_cancel(**id, None) || self.used_up_its_errors(**id, unit);
                cancelled && matches!(unit.start, StartState::Started { .. })
            })
            .flat_map(|(id, unit)| {
                let untouched = unit.locations.iter().filter(|(_, at)| at.is_untouched());
                untouched.map(|(location, _)| (*id, location))
            })
            .collect()
    }

    /// Whether there is a rest that has settled, so that only a person's word has it begun.
    pub(super) fn has_settled_rest(&self) -> bool {
        let settled = |(unit, location): &(UnitId, &Location)| {
            let at = self.units.get(unit).and_then(|unit| unit.locations.get(location));
            at.is_some_and(|at| at.settled.is_some())
        };
        self.rest().iter().any(settled)
    }

    /// Whether a person may say that the campaign goes on: it stopped for somebody else's cancel, or
    /// something is left of an execution that was cancelled. Whether anything may be begun then,
    /// [`keeps_the_rest`](Self::keeps_the_rest) says.
    pub(in crate::campaign) fn may_go_on(&self) -> bool {
        match self.stop_reason() {
            Some(super::StopReason::CancelledElsewhere { .. }) => true,
            None => self.has_settled_rest(),
            Some(_) => false,
        }
    }

    /// The units of which something was cancelled, and no person has said yet that the campaign goes on.
    pub(in crate::campaign) fn stopped_units(&self) -> BTreeSet<UnitId> {
        let open = self.cancels.iter().filter(|(_, accepted)| !**accepted);
        open.map(|((unit, _), _)| *unit).collect()
    }

    /// How often a person has said that the campaign goes on.
    pub(in crate::campaign) fn times_gone_on(&self) -> u32 {
        self.gone_on
    }

    /// Opens the campaign again, for what had not been begun.
    pub(super) fn go_on(&mut self, begin: &[Replacement], found: &[TurnedUp], at: Timestamp) {
        self.gone_on = self.gone_on.saturating_add(1);
        if begin.is_empty() && found.is_empty() && self.cancels.values().all(|accepted| *accepted) {
            return;
        }
        for accepted in self.cancels.values_mut() {
            *accepted = true;
        }
        self.finished = None;
        self.left_out_for = None;
        for unit in self.units.values_mut().filter(|unit| !unit.is_begun()) {
            unit.left_out = false;
            unit.kept_back = None;
            for location in unit.locations.values_mut() {
                if location.outcome() == Some(LocationOutcome::NotStarted) {
                    location.settled = None;
                }
            }
        }
        for replacement in begin {
            self.replace(replacement);
        }
        for found in found {
            self.turn_up(found, at);
        }
    }

    /// Opens a location again in which an execution turned up, so that it is read what became of it.
    fn turn_up(&mut self, found: &TurnedUp, at: Timestamp) {
        let Some(unit) = self.units.get_mut(&found.of) else {
            return;
        };
        let location = unit.locations.get_mut(&found.location);
        let Some(location) = location.filter(|location| location.is_untouched()) else {
            return;
        };
        location.child = Some(found.child.clone());
        location.child_at = Some(at);
        location.settled = None;
        unit.ended = None;
    }

    /// Adds a unit that has locations of another one from now on.
    fn replace(&mut self, replacement: &Replacement) {
        let (Ok(index), Some(planned), Some(other)) = (
            u32::try_from(self.plan.units.len()),
            self.plan.unit(replacement.of),
            self.units.get_mut(&replacement.of),
        ) else {
            return;
        };
        let id = UnitId::from_index(index);
        // A unit that names its nodes has one location, so all of it is taken over.
        let planned = Unit::new(
            id,
            planned.wave,
            planned.nodes.clone(),
            planned.node_rates,
            replacement.request.clone(),
        );
        let mut unit = UnitState::new(&planned);
        let StartState::Started { attempt, .. } = other.start else {
            return;
        };
        let theirs = |at: &Location| {
            other
                .locations
                .get(at)
                .is_some_and(super::LocationState::is_untouched)
        };
        if !unit.locations.keys().all(theirs) {
            return;
        }
        other.locations.retain(|at, _| !unit.locations.contains_key(at));
        unit.instead_of = other.instead_of.or(Some(replacement.of));
        unit.earlier_attempts = other.earlier_attempts.saturating_add(attempt);
        let locations = Vec::from_iter(unit.locations.keys().cloned());
        Arc::make_mut(&mut self.plan).units.push(planned);
        self.units.insert(id, unit);
        self.place_instead(id, replacement.of, &locations);
    }
}
