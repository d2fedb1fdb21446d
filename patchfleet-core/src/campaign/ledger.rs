//! The counters that the fold keeps, so that nobody walks over units and locations to learn where a
//! campaign stands.
//!
//! Each event changes the entry of the unit or the location that it is about. A test counts all of it
//! anew after every record.

use super::state::FleetSoFar;
use crate::id::{Location, UnitId};
use std::collections::{BTreeMap, BTreeSet};

mod lost;
mod results;
mod waves;

pub(super) use lost::{AllLost, Lost};
pub(super) use results::{Results, Settling};
pub(super) use waves::{FailedIn, WaveCounts};

/// Where a unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not begun, and it may be.
    Waiting,
    /// Not begun, and it never will be, but some location of it is to settle still.
    LeftOut,
    /// A start was intended, and has no answer.
    Intended,
    /// It runs, or its locations are to settle still.
    Open,
    /// Nothing more happens in it.
    Over,
}

/// What a unit adds to the counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnitEntry {
    pub(super) standing: Standing,
    /// Its wave, from 1.
    pub(super) wave: u32,
    /// How many locations it has in work at once.
    pub(super) at_once: u32,
    /// How many locations it has.
    pub(super) locations: u32,
    /// Whether every location of it has settled, and its execution has not ended by the log.
    pub(super) is_ending: bool,
    /// Whether locations of it wait for their turn in an execution that could still be stopped. If a person has the
    /// campaign stopped, whether its execution is to be stopped still.
    pub(super) could_be_stopped: bool,
    /// Whether it is a reason to begin nothing more.
    pub(super) stops: bool,
    /// Whether nobody knows if it runs.
    pub(super) is_unresolved: bool,
    /// The location whose nodes it names, if it names nodes. Such a unit has one location.
    pub(super) names_nodes_of: Option<Location>,
    /// How many nodes it names.
    pub(super) nodes: u32,
    /// How many of them are in flight, or may be.
    pub(super) in_flight: u32,
    /// What it adds to the values of its nodes, if the plan has labels.
    pub(super) in_cells: Vec<(u32, InCell)>,
    /// The lost ones of its nodes on which a script may run on.
    pub(super) lost: Vec<Lost>,
}

/// How many nodes of one value of a label count against its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct InCell {
    /// Named by starts that were sent, or may have been, and whose truth is not known yet.
    pub(super) in_flight: u64,
    /// Failed or lost.
    pub(super) damaged: u64,
    /// Of which nothing could be found out.
    pub(super) unknown: u64,
    /// Those of them on which nothing can be at work any more.
    pub(super) at_rest: u64,
}

impl InCell {
    /// How many of those of which nothing could be found out may be at work still.
    pub(super) fn may_be_at_work(&self) -> u64 {
        self.unknown.saturating_sub(self.at_rest)
    }
}

/// What a location of a unit adds to the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LocationEntry {
    pub(super) is_settled: bool,
    /// It has not settled, and nothing is known to run or to have run there.
    pub(super) is_waiting: bool,
    /// It ended, and is not settled: it may be one failure too many.
    pub(super) is_undecided: bool,
    /// Its step ended badly.
    pub(super) step_failed: bool,
    /// It settled without having been begun.
    pub(super) is_unreached: bool,
    /// It counts against the budget of locations.
    pub(super) has_failed: bool,
    /// Its command lives past the cutoff, or did.
    pub(super) is_late: bool,
    /// Nodes that count against the budget within the location, if its nodes are named.
    pub(super) errors: u32,
    /// Nodes that are damaged.
    pub(super) damaged: u32,
    /// Nodes of which nothing could be found out.
    pub(super) unknown: u32,
    /// Those of them on which nothing can be at work any more.
    pub(super) at_rest: u32,
    /// Those of them whose command expired while they were at work.
    pub(super) running_at_expiry: u32,
    /// Nodes that were not reached, without those that did not answer when the plan was made.
    pub(super) unreached_nodes: u32,
    pub(super) progress: SoFar,
    /// Its wave, from 1.
    pub(super) wave: u32,
    /// What is known of its nodes.
    pub(super) results: WaveCounts,
    /// What it says to the breakers, if there are any and it has settled.
    pub(super) settling: Option<Settling>,
}

/// How far a campaign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct SoFar {
    /// Locations of all units. A location whose nodes several units name counts once for each
    /// ([`State::so_far`](super::State::so_far)), or once ([`State::locations_so_far`](super::State::locations_so_far)).
    pub locations: u64,
    /// Those that have settled.
    pub settled: u64,
    /// Those in which something is known to run, and that have not settled.
    pub running: u64,
    /// The nodes there: what the results say of a location that has settled, otherwise what the census and
    /// the command say.
    pub nodes: u64,
    /// Nodes that are through, well or not.
    pub through: u64,
    /// Locations of units of which nobody knows whether they run.
    pub unresolved: u64,
}

impl SoFar {
    fn add(&mut self, other: Self) {
        self.locations = self.locations.saturating_add(other.locations);
        self.settled = self.settled.saturating_add(other.settled);
        self.running = self.running.saturating_add(other.running);
        self.nodes = self.nodes.saturating_add(other.nodes);
        self.through = self.through.saturating_add(other.through);
    }

    fn remove(&mut self, other: Self) {
        self.locations = self.locations.saturating_sub(other.locations);
        self.settled = self.settled.saturating_sub(other.settled);
        self.running = self.running.saturating_sub(other.running);
        self.nodes = self.nodes.saturating_sub(other.nodes);
        self.through = self.through.saturating_sub(other.through);
    }
}

/// How many locations of one unit are how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct UnitCounts {
    pub(super) settled: u32,
    pub(super) waiting: u32,
    pub(super) steps_failed: u32,
    pub(super) unreached: u32,
}

/// What the units that name the nodes of one location have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shared {
    /// How many units there are.
    pub(super) units: u32,
    /// How many nodes they name together: what the location's percentages are of.
    pub(super) nodes: u32,
    /// Nodes that failed so far, or may have: as AWS counts, or in truth, whichever is more. A command
    /// may succeed with failed patches, and AWS counts none of them. A node of which nothing is known
    /// counts, since it may be as bad as the rest of them.
    pub(super) errors: u32,
    /// How many of the units are at work.
    at_work: u32,
}

/// The counters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ledger {
    /// Not begun, in the order in which they are begun.
    pub(super) waiting: BTreeSet<UnitId>,
    /// Units whose start has no answer.
    pub(super) intended: BTreeSet<UnitId>,
    /// Units that were begun and are not over, those without an answer among them.
    pub(super) open: BTreeSet<UnitId>,
    /// Units of which every location has settled, and whose execution has not ended by the log.
    pub(super) ending: BTreeSet<UnitId>,
    /// Units whose executions have locations that wait for their turn, and could still be stopped.
    pub(super) going_on: BTreeSet<UnitId>,
    /// Units that are a reason to begin nothing more.
    pub(super) stopping: BTreeSet<UnitId>,
    /// Units of which nobody knows whether they run.
    pub(super) unresolved: BTreeSet<UnitId>,
    /// How many locations they have.
    pub(super) unresolved_locations: u64,
    /// How many units are over.
    pub(super) over: usize,
    /// How many locations the open units have in work at once, together.
    pub(super) at_once: u64,
    /// How many locations the open units have, together.
    pub(super) locations_open: u64,
    /// How many locations ended, and are not settled.
    pub(super) undecided: u32,
    /// How many of them ended badly.
    pub(super) undecided_badly: u32,
    /// How far the campaign is.
    pub(super) progress: SoFar,
    /// Locations that failed, with how many units failed there.
    pub(super) failed: BTreeMap<Location, u32>,
    /// Locations that failed, with how many units failed there, by wave.
    pub(super) failed_in: FailedIn,
    /// Where a command lives past the cutoff, or did.
    pub(super) late: BTreeSet<(UnitId, Location)>,
    /// Where the campaign stands with the bounds on its fleet.
    pub(super) fleet: FleetSoFar,
    /// How many nodes count against the bounds of each value of a label, by the value's number. Without those that have none.
    pub(super) labels: BTreeMap<u32, InCell>,
    /// Lost nodes on which a script may run on.
    pub(super) lost: AllLost,
    /// Locations whose nodes are named.
    pub(super) shared: BTreeMap<Location, Shared>,
    /// The waiting units that name nodes of a location.
    waiting_for: BTreeMap<Location, BTreeSet<UnitId>>,
    /// The waiting units, without those that name nodes of a location in which another is at work, each after its wave.
    /// The first of them is begun next.
    pub(super) ready: BTreeSet<(u32, UnitId)>,
    /// The waves that have units which are not over, with their number.
    pub(super) open_waves: BTreeMap<u32, u32>,
    /// The waves that have units which wait, with their number.
    pub(super) waiting_waves: BTreeMap<u32, u32>,
    /// What is known of the nodes of each wave.
    pub(super) results: BTreeMap<u32, WaveCounts>,
    /// What each location said to the breakers, if there are any.
    pub(super) settlings: Results,
}

impl Ledger {
    /// A ledger that knows no more than what the units of one location have in common.
    pub(super) fn of_shared(location: &Location, shared: Option<Shared>) -> Self {
        Self {
            shared: shared
                .into_iter()
                .map(|shared| (location.clone(), shared))
                .collect(),
            ..Self::default()
        }
    }

    /// Adds a unit that is new, with nothing of it begun.
    pub(super) fn introduce(&mut self, unit: &UnitEntry) {
        if let Some(location) = &unit.names_nodes_of {
            let shared = self.shared.entry(location.clone()).or_default();
            shared.units = shared.units.saturating_add(1);
            shared.nodes = shared.nodes.saturating_add(unit.nodes);
        }
    }

    /// A unit names so many nodes fewer than it did.
    pub(super) fn take_names(&mut self, unit: &UnitEntry, nodes: u32) {
        let location = unit.names_nodes_of.as_ref();
        if let Some(shared) = location.and_then(|location| self.shared.get_mut(location)) {
            shared.nodes = shared.nodes.saturating_sub(nodes);
        }
    }

    /// Adds where a unit stands.
    pub(super) fn add_unit(&mut self, id: UnitId, unit: &UnitEntry) {
        if unit.standing != Standing::Over {
            let open = self.open_waves.entry(unit.wave).or_default();
            *open = open.saturating_add(1);
        }
        match unit.standing {
            Standing::Waiting => {
                self.waiting.insert(id);
                let waiting = self.waiting_waves.entry(unit.wave).or_default();
                *waiting = waiting.saturating_add(1);
                if let Some(location) = &unit.names_nodes_of {
                    self.waiting_for.entry(location.clone()).or_default().insert(id);
                }
                if !unit
                    .names_nodes_of
                    .as_ref()
                    .is_some_and(|location| self.is_busy(location))
                {
                    self.ready.insert((unit.wave, id));
                }
            }
            Standing::LeftOut => {}
            Standing::Intended => {
                self.intended.insert(id);
                self.add_open(id, unit);
            }
            Standing::Open => self.add_open(id, unit),
            Standing::Over => self.over += 1,
        }
        self.change_cells(unit, u64::saturating_add);
        self.lost.add(&unit.lost);
        if unit.is_ending {
            self.ending.insert(id);
        }
        if unit.could_be_stopped {
            self.going_on.insert(id);
        }
        if unit.stops {
            self.stopping.insert(id);
        }
        if unit.is_unresolved && self.unresolved.insert(id) {
            self.unresolved_locations = self.unresolved_locations.saturating_add(unit.locations.into());
        }
    }

    /// Takes out where a unit stands, which is as it was added.
    pub(super) fn remove_unit(&mut self, id: UnitId, unit: &UnitEntry) {
        if unit.standing != Standing::Over
            && let Some(open) = self.open_waves.get_mut(&unit.wave)
        {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.open_waves.remove(&unit.wave);
            }
        }
        match unit.standing {
            Standing::Waiting => {
                self.waiting.remove(&id);
                if let Some(waiting) = self.waiting_waves.get_mut(&unit.wave) {
                    *waiting = waiting.saturating_sub(1);
                    if *waiting == 0 {
                        self.waiting_waves.remove(&unit.wave);
                    }
                }
                self.ready.remove(&(unit.wave, id));
                if let Some(location) = &unit.names_nodes_of
                    && let Some(waiting) = self.waiting_for.get_mut(location)
                {
                    waiting.remove(&id);
                    if waiting.is_empty() {
                        self.waiting_for.remove(location);
                    }
                }
            }
            Standing::LeftOut => {}
            Standing::Intended => {
                self.intended.remove(&id);
                self.remove_open(id, unit);
            }
            Standing::Open => self.remove_open(id, unit),
            Standing::Over => self.over = self.over.saturating_sub(1),
        }
        self.change_cells(unit, u64::saturating_sub);
        self.lost.remove(&unit.lost);
        self.ending.remove(&id);
        self.going_on.remove(&id);
        self.stopping.remove(&id);
        if self.unresolved.remove(&id) {
            self.unresolved_locations = self.unresolved_locations.saturating_sub(unit.locations.into());
        }
    }

    fn change_cells(&mut self, unit: &UnitEntry, change: fn(u64, u64) -> u64) {
        for (number, entry) in &unit.in_cells {
            let cell = self.labels.entry(*number).or_default();
            cell.in_flight = change(cell.in_flight, entry.in_flight);
            cell.damaged = change(cell.damaged, entry.damaged);
            cell.unknown = change(cell.unknown, entry.unknown);
            cell.at_rest = change(cell.at_rest, entry.at_rest);
            if *cell == InCell::default() {
                self.labels.remove(number);
            }
        }
    }

    fn add_open(&mut self, id: UnitId, unit: &UnitEntry) {
        self.fleet.in_flight = self.fleet.in_flight.saturating_add(unit.in_flight.into());
        self.open.insert(id);
        self.at_once = self.at_once.saturating_add(u64::from(unit.at_once));
        self.locations_open = self.locations_open.saturating_add(u64::from(unit.locations));
        if let Some(location) = &unit.names_nodes_of {
            let shared = self.shared.entry(location.clone()).or_default();
            shared.at_work = shared.at_work.saturating_add(1);
            // A location is in one wave.
            for waiting in self.waiting_for.get(location).into_iter().flatten() {
                self.ready.remove(&(unit.wave, *waiting));
            }
        }
    }

    fn remove_open(&mut self, id: UnitId, unit: &UnitEntry) {
        self.fleet.in_flight = self.fleet.in_flight.saturating_sub(unit.in_flight.into());
        self.open.remove(&id);
        self.at_once = self.at_once.saturating_sub(u64::from(unit.at_once));
        self.locations_open = self.locations_open.saturating_sub(u64::from(unit.locations));
        if let Some(location) = &unit.names_nodes_of
            && let Some(shared) = self.shared.get_mut(location)
        {
            shared.at_work = shared.at_work.saturating_sub(1);
        }
        if let Some(location) = &unit.names_nodes_of
            && !self.is_busy(location)
            && let Some(freed) = self.waiting_for.get(location)
        {
            self.ready.extend(freed.iter().map(|freed| (unit.wave, *freed)));
        }
    }

    /// Whether a unit is at work in the location, of those that name its nodes.
    fn is_busy(&self, location: &Location) -> bool {
        self.shared.get(location).is_some_and(|shared| shared.at_work > 0)
    }

    /// Adds how far a location of a unit is.
    pub(super) fn add_location(&mut self, unit: UnitId, location: &Location, at: LocationEntry) {
        self.progress.add(at.progress);
        if at.results != WaveCounts::default() {
            let results = self.results.entry(at.wave).or_default();
            results.combine(at.results, u64::saturating_add);
        }
        if at.is_undecided {
            self.undecided = self.undecided.saturating_add(1);
            self.undecided_badly = self.undecided_badly.saturating_add(at.step_failed.into());
        }
        if at.has_failed {
            let failed = self.failed.entry(location.clone()).or_default();
            *failed = failed.saturating_add(1);
            self.failed_in.add(at.wave, location);
        }
        if at.is_late {
            self.late.insert((unit, location.clone()));
        }
        self.fleet.damaged = self.fleet.damaged.saturating_add(at.damaged.into());
        self.fleet.unknown = self.fleet.unknown.saturating_add(at.unknown.into());
        self.fleet.at_rest = self.fleet.at_rest.saturating_add(at.at_rest.into());
        let running_on = self
            .fleet
            .running_at_expiry
            .saturating_add(at.running_at_expiry.into());
        self.fleet.running_at_expiry = running_on;
        self.fleet.unreached = self.fleet.unreached.saturating_add(at.unreached_nodes.into());
        if at.errors > 0 {
            let shared = self.shared.entry(location.clone()).or_default();
            shared.errors = shared.errors.saturating_add(at.errors);
        }
    }

    /// Takes out how far a location of a unit is, which is as it was added.
    pub(super) fn remove_location(&mut self, unit: UnitId, location: &Location, at: LocationEntry) {
        self.progress.remove(at.progress);
        if let Some(results) = self.results.get_mut(&at.wave) {
            results.combine(at.results, u64::saturating_sub);
            if *results == WaveCounts::default() {
                self.results.remove(&at.wave);
            }
        }
        if at.is_undecided {
            self.undecided = self.undecided.saturating_sub(1);
            self.undecided_badly = self.undecided_badly.saturating_sub(at.step_failed.into());
        }
        if at.has_failed
            && let Some(failed) = self.failed.get_mut(location)
        {
            *failed = failed.saturating_sub(1);
            if *failed == 0 {
                self.failed.remove(location);
            }
        }
        if at.has_failed {
            self.failed_in.remove(at.wave, location);
        }
        if at.is_late {
            self.late.remove(&(unit, location.clone()));
        }
        self.fleet.damaged = self.fleet.damaged.saturating_sub(at.damaged.into());
        self.fleet.unknown = self.fleet.unknown.saturating_sub(at.unknown.into());
        self.fleet.at_rest = self.fleet.at_rest.saturating_sub(at.at_rest.into());
        let running_on = self
            .fleet
            .running_at_expiry
            .saturating_sub(at.running_at_expiry.into());
        self.fleet.running_at_expiry = running_on;
        self.fleet.unreached = self.fleet.unreached.saturating_sub(at.unreached_nodes.into());
        if at.errors > 0
            && let Some(shared) = self.shared.get_mut(location)
        {
            shared.errors = shared.errors.saturating_sub(at.errors);
        }
    }

    /// How many locations failed, each counted once.
    pub(super) fn failed_locations(&self) -> u32 {
        u32::try_from(self.failed.len()).unwrap_or(u32::MAX)
    }
}

impl UnitCounts {
    pub(super) fn add(&mut self, at: LocationEntry) {
        self.settled = self.settled.saturating_add(at.is_settled.into());
        self.waiting = self.waiting.saturating_add(at.is_waiting.into());
        self.steps_failed = self.steps_failed.saturating_add(at.step_failed.into());
        self.unreached = self.unreached.saturating_add(at.is_unreached.into());
    }

    pub(super) fn remove(&mut self, at: LocationEntry) {
        self.settled = self.settled.saturating_sub(at.is_settled.into());
        self.waiting = self.waiting.saturating_sub(at.is_waiting.into());
        self.steps_failed = self.steps_failed.saturating_sub(at.step_failed.into());
        self.unreached = self.unreached.saturating_sub(at.is_unreached.into());
    }
}
