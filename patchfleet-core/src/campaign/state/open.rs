//! Where a campaign stands, for whoever decides what comes next. Each answer costs the same however large the
//! campaign is.

use super::State;
use crate::campaign::ledger::SoFar;
use crate::id::{Location, UnitId};
use crate::plan::Unit;

impl State {
    /// How far the campaign is. A location whose nodes several units name counts once for each:
    /// [`locations_so_far`](Self::locations_so_far) counts it once.
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

    /// Those of them that name no nodes of a location in which another unit is at work, wave by wave. A unit that was
    /// added after the others may be of an early wave.
    pub(in crate::campaign) fn ready(&self) -> impl Iterator<Item = UnitId> {
        self.ledger.ready.iter().map(|(_, unit)| *unit)
    }

    /// The units whose start has no answer.
    pub(in crate::campaign) fn intended(&self) -> impl Iterator<Item = UnitId> {
        self.ledger.intended.iter().copied()
    }

    /// The units that were begun and are not over.
    pub(in crate::campaign) fn open(&self) -> impl Iterator<Item = UnitId> {
        self.ledger.open.iter().copied()
    }

    /// Whether what a look at a running unit sees may decide what is begun or stopped: something is left to begin, a
    /// cutoff has to be kept, or half of the failures have come that the budget allows, so that units may soon have
    /// to be stopped. Where one or none is allowed, the next ones may do that from the beginning. The locations of
    /// units of which nobody knows whether they run may have failed.
    pub(in crate::campaign) fn hangs_on_looks(&self) -> bool {
        let (failed, allowed) = self.error_budget();
        let allowed = u64::from(allowed);
        let failed = self.unresolved_locations().saturating_add(failed.into());
        let few = allowed <= 1 && self.units.len() > 1;
        let is_close = few || (failed > 0 && failed.saturating_mul(2) >= allowed);
        let may_stop = is_close && self.going_on().next().is_some();
        // What was not reached, or runs on, may take up a bound that AWS does not keep.
        let by_nodes = self
            .plan
            .fleet
            .is_some_and(|fleet| fleet.max_unreached.is_some() || fleet.nodes_at_once().is_some());
        let has_breaker = !self.plan.request.breaker.is_none();
        let may_stop = may_stop || ((by_nodes || has_breaker) && self.going_on().next().is_some());
        self.cutoff().is_some() || may_stop || self.may_begin_more()
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

    /// How many locations ended whose results have to be read before anything more is begun, because they may be a
    /// reason to stop.
    ///
    /// Those that ended badly always are: somebody may have cancelled what ran there. Those that ended well may show
    /// failed nodes all the same. So all count once the budget could not bear it if each of them had failed; where a
    /// cutoff has to be kept, as a command may have been late; and with a runbook of one's own, as one of its several
    /// commands may have been cancelled.
    pub(in crate::campaign) fn undecided(&self) -> u32 {
        let all = self.ledger.undecided;
        let (failed, allowed) = self.error_budget();
        let may_have_failed = u64::from(failed)
            .saturating_add(all.into())
            .saturating_add(self.unresolved_locations());
        let may_be_too_many = may_have_failed > allowed.into();
        if may_be_too_many || self.cutoff().is_some() || !self.runs_own_runbook() {
            all
        } else {
            self.ledger.undecided_badly
        }
    }

    /// How many locations ended and are not settled, and how many of these ended badly.
    #[cfg(test)]
    pub(in crate::campaign) fn unread_so_far(&self) -> (u32, u32) {
        (self.ledger.undecided, self.ledger.undecided_badly)
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
        let waits = self.ledger.waiting.contains(&id) && !self.ledger.ready.contains(&(self.wave_of(id), id));
        unit.locations.keys().next().filter(|_| waits)
    }
}
