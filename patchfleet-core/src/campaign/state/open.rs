//! Where a campaign stands, for whoever decides what comes next. Each answer costs the same however large the
//! campaign is.

use super::State;
use crate::campaign::ledger::SoFar;
use crate::id::{Location, UnitId};
use crate::plan::Unit;

impl State {
    /// How far the campaign is.
    #[must_use]
    pub fn so_far(&self) -> SoFar {
        SoFar {
            unresolved: self.ledger.unresolved_locations,
            ..self.ledger.progress
        }
    }

    /// The units that may be begun still, in their order.
    pub(in crate::campaign) fn waiting(&self) -> impl Iterator<Item = UnitId> {
        self.ledger.waiting.iter().copied()
    }

    /// Those of them that name no nodes of a location in which another unit is at work.
    pub(in crate::campaign) fn ready(&self) -> impl Iterator<Item = UnitId> {
        self.ledger.ready.iter().copied()
    }

    /// The units whose start has no answer.
    pub(in crate::campaign) fn intended(&self) -> impl Iterator<Item = UnitId> {
        self.ledger.intended.iter().copied()
    }

    /// The units of which every location has settled, and whose execution has not ended by the log.
    pub(in crate::campaign) fn ending(&self) -> impl Iterator<Item = UnitId> {
        self.ledger.ending.iter().copied()
    }

    /// The units whose executions have locations that wait for their turn, and could still be stopped.
    pub(in crate::campaign) fn going_on(&self) -> impl Iterator<Item = UnitId> {
        self.ledger.going_on.iter().copied()
    }

    /// Whether every unit is over.
    pub(in crate::campaign) fn all_over(&self) -> bool {
        self.ledger.over == self.units.len()
    }

    /// How many locations ended whose results are not read.
    pub(in crate::campaign) fn undecided(&self) -> u32 {
        self.ledger.undecided
    }

    /// How many locations the open units have in work at once, together.
    pub(in crate::campaign) fn places_taken(&self) -> u64 {
        self.ledger.at_once
    }

    /// How many units are open, and how many locations they have together.
    pub(in crate::campaign) fn open_counts(&self) -> (usize, u64) {
        (self.ledger.open.len(), self.ledger.locations_open)
    }

    /// How many locations a unit has in work at once.
    pub(in crate::campaign) fn at_once(&self, id: UnitId) -> u32 {
        self.plan.unit(id).map_or(0, Unit::locations_at_once)
    }

    /// The location in which another unit is at work, if the unit names nodes of it and waits.
    pub(in crate::campaign) fn busy_location(&self, id: UnitId) -> Option<&Location> {
        let unit = self.units.get(&id).filter(|unit| !unit.named.is_empty())?;
        let waits = self.ledger.waiting.contains(&id) && !self.ledger.ready.contains(&id);
        unit.locations.keys().next().filter(|_| waits)
    }
}
