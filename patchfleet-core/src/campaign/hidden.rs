//! Locations in which nobody can see what the log may have lost, for as long as a command lives.
//!
//! Where patchfleet sends commands itself, each location is looked at before anything is sent there, as the log may have lost
//! that something was. One that lets nobody look waits, and its nodes take room. But what was sent was sent before the log was
//! opened, and it expires. After that the location is given up: nothing of it is begun any more, nobody knows what its nodes came to,
//! and no other waits for it.

use super::memory::Memory;
use super::polls::Failures;
use super::state::{StartState, State};
use crate::id::{Location, UnitId};
use std::collections::BTreeSet;

impl Memory {
    /// Why the location of a unit was given up, if it was.
    pub(super) fn hidden(&self, state: &State, unit: UnitId) -> Option<&str> {
        let place = state.place_of(unit)?;
        self.sweeps.get(&place)?.given_up.as_deref()
    }

    /// Where it cannot be seen for now whether the log has lost a start. Nothing begins there, and elsewhere it does.
    pub(super) fn put_aside(&self, state: &State) -> BTreeSet<Location> {
        if !self.was_there_before || !state.is_swept() {
            return BTreeSet::new();
        }
        let failing = self.sweeps.iter().filter(|(_, sweep)| {
            let fails = sweep.failures != Failures::default();
            fails && !sweep.is_done && sweep.given_up.is_none()
        });
        failing.filter_map(|(place, _)| place.clone()).collect()
    }

    /// The units that have not settled in locations that were given up, and were not begun by the log.
    pub(super) fn hidden_units(&self, state: &State) -> Vec<UnitId> {
        let given_up = self.sweeps.iter().filter(|(_, sweep)| sweep.given_up.is_some());
        let places = given_up.filter_map(|(place, _)| place.as_ref());
        let units = places.flat_map(|location| state.units_at(location));
        let hidden =
            units.filter(|(_, unit)| matches!(unit.start, StartState::NotStarted) && !unit.is_over());
        hidden.map(|(id, _)| id).collect()
    }
}
