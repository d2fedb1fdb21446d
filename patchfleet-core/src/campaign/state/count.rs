//! What each unit and location adds to the ledger, and keeping that true as events come.

use super::{LocationState, Place, StartState, State, UnitState};
use crate::campaign::Event;
use crate::campaign::ledger::{
    Ledger, LocationEntry, Results, Settling, SoFar, Standing, UnitCounts, UnitEntry,
};
use crate::id::{Location, UnitId};
use crate::outcome::{LocationOutcome, NodeOutcome};
use crate::slip::{Slip, slips};

/// What an event is about: whose entries it changes.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'e> {
    Nothing,
    Unit(UnitId),
    Units(&'e [UnitId]),
    Location(UnitId, &'e Location),
    /// A unit and all of its locations.
    WholeUnit(UnitId),
    /// A unit that names nodes of one location, and the unit that is added for some of them.
    Divided(UnitId),
    Everything,
}

/// What the ledger has of that.
pub(super) enum Entries {
    Nothing,
    Units(Vec<(UnitId, UnitEntry)>),
    Location(UnitEntry, LocationEntry),
    WholeUnit(UnitEntry, Vec<(Location, LocationEntry)>),
}

impl State {
    /// Looks up where each location stands, and adds each unit.
    pub(super) fn find_places(&mut self) {
        for (index, planned) in self.plan.locations.iter().enumerate() {
            let place = self.places.entry(planned.location()).or_default();
            place.planned.get_or_insert(index);
        }
        for (id, unit) in &self.units {
            for location in unit.locations.keys() {
                self.places.entry(location.clone()).or_default().units.push(*id);
            }
        }
    }

    /// Notes that a unit has locations of another from now on.
    pub(super) fn place_instead(&mut self, id: UnitId, of: UnitId, locations: &[Location]) {
        for location in locations {
            let Place { units, .. } = self.places.entry(location.clone()).or_default();
            units.retain(|unit| *unit != of);
            units.push(id);
        }
    }

    /// The units that have a location.
    pub(crate) fn units_at(&self, location: &Location) -> impl Iterator<Item = (UnitId, &UnitState)> {
        let units = self
            .places
            .get(location)
            .into_iter()
            .flat_map(|place| &place.units);
        units.filter_map(|id| Some((*id, self.units.get(id)?)))
    }

    /// Of the units that have a location, the first by the plan. Where several name nodes, it speaks for those that
    /// none names, so that each node has one row. A unit that was added stands where the planned one stood.
    pub(crate) fn speaks_for(&self, location: &Location) -> Option<UnitId> {
        let there = self.units_at(location);
        let first = there.min_by_key(|(id, unit)| (unit.instead_of.unwrap_or(*id), *id));
        first.map(|(id, _)| id)
    }

    /// Whether an event is about a unit as a whole, or about what it does in this location.
    pub(crate) fn concerns(&self, event: &Event, id: UnitId, at: &Location) -> bool {
        match self.about(event) {
            About::Nothing => false,
            About::Everything => true,
            // It says something of every unit of the location.
            About::Divided(unit) => {
                let there = self.units.get(&unit).map(|unit| &unit.locations);
                there.is_some_and(|there| there.contains_key(at)) && self.units.contains_key(&id)
            }
            About::Units(units) => units.contains(&id),
            About::Location(unit, location) => unit == id && location == at,
            About::Unit(unit) | About::WholeUnit(unit) => {
                let elsewhere = match event {
                    Event::CancelledElsewhere { location, .. } => {
                        location.as_ref().is_some_and(|it| it != at)
                    }
                    _ => false,
                };
                unit == id && !elsewhere
            }
        }
    }

    /// What an event is about.
    pub(super) fn about<'e>(&self, event: &'e Event) -> About<'e> {
        match event {
            Event::Planned { .. }
            | Event::Claimed { .. }
            | Event::Unattended { .. }
            | Event::Watched
            | Event::CalendarsSaid { .. }
            | Event::AlarmSaid { .. }
            | Event::StillLooking { .. }
            | Event::NameTaken { .. }
            | Event::Abandoned { .. }
            | Event::Approved { .. }
            | Event::RunbookChanged { .. }
            | Event::Finished { .. }
            | Event::Unknown => About::Nothing,
            // What was cancelled of an earlier attempt is forgotten with it.
            Event::StartIntended { unit, .. } if !self.cancels.is_empty() => About::WholeUnit(*unit),
            Event::StartIntended { unit, .. }
            | Event::Started { unit, .. }
            | Event::StartDeferred { unit, .. }
            | Event::StartWithdrawn { unit, .. }
            | Event::StartRefused { unit, .. }
            | Event::StartUnresolved { unit, .. }
            | Event::SendAgain { unit, .. }
            | Event::CancelledElsewhere { unit, .. }
            | Event::WaitsAtAws { unit, location: None }
            | Event::StopIntended { unit, .. }
            | Event::StopTaken { unit, .. }
            | Event::StopNotNeeded { unit, .. }
            | Event::StopInVain { unit, .. }
            | Event::StopRefused { unit, .. }
            | Event::UnitEnded { unit, .. } => About::Unit(*unit),
            Event::CommandNotSent { unit, .. } | Event::StoppedForAlarm { unit, .. } => {
                About::WholeUnit(*unit)
            }
            Event::LocationObserved { unit, location, .. }
            | Event::CommandObserved { unit, location, .. }
            | Event::CommandEnded { unit, location }
            | Event::WaitsAtAws {
                unit,
                location: Some(location),
            }
            | Event::LocationSettled { unit, location, .. }
            | Event::NotStoppedBelow { unit, location, .. }
            | Event::RowsMissing { unit, location, .. }
            | Event::Recollected { unit, location, .. } => About::Location(*unit, location),
            Event::LeftOut { units } => About::Units(units),
            Event::Divided { unit, .. } => About::Divided(*unit),
            Event::GoneOn { .. } | Event::StopAsked { .. } => About::Everything,
        }
    }

    /// What the ledger has of what an event is about, before the event.
    pub(super) fn entries(&self, about: About<'_>) -> Entries {
        match about {
            About::Nothing | About::Everything => Entries::Nothing,
            About::Unit(unit) => self.unit_entries(&[unit]),
            About::Units(units) => self.unit_entries(units),
            About::WholeUnit(id) | About::Divided(id) => {
                let (Some(entry), Some(unit)) = (self.unit_entry(id), self.units.get(&id)) else {
                    return Entries::Nothing;
                };
                let locations = unit.locations.keys().filter_map(|location| {
                    let at = self.location_entry(id, location)?;
                    Some((location.clone(), at))
                });
                Entries::WholeUnit(entry, locations.collect())
            }
            About::Location(unit, location) => {
                let entries = self.unit_entry(unit).zip(self.location_entry(unit, location));
                entries.map_or(Entries::Nothing, |(unit, at)| Entries::Location(unit, at))
            }
        }
    }

    fn unit_entries(&self, units: &[UnitId]) -> Entries {
        let entries = units.iter().filter_map(|id| Some((*id, self.unit_entry(*id)?)));
        Entries::Units(entries.collect())
    }

    /// Puts what holds after an event in place of what held before it.
    pub(super) fn count(&mut self, about: About<'_>, before: Entries) {
        match (about, before) {
            (About::Everything, _) => self.count_anew(),
            (_, Entries::Nothing) => {}
            (_, Entries::Units(before)) => {
                for (unit, before) in before {
                    self.count_unit(unit, &before);
                }
            }
            (About::Location(unit, location), Entries::Location(before, at)) => {
                self.count_location(unit, location, at);
                self.count_unit(unit, &before);
            }
            (About::WholeUnit(unit) | About::Divided(unit), Entries::WholeUnit(before, locations)) => {
                for (location, at) in locations {
                    self.count_location(unit, &location, at);
                }
                self.count_unit(unit, &before);
                if matches!(about, About::Divided(_)) {
                    self.count_added(unit, &before);
                }
            }
            _ => {}
        }
    }

    fn count_unit(&mut self, id: UnitId, before: &UnitEntry) {
        if let Some(after) = self.unit_entry(id)
            && after != *before
        {
            self.ledger.remove_unit(id, before);
            self.ledger.add_unit(id, &after);
        }
    }

    fn count_location(&mut self, unit: UnitId, location: &Location, before: LocationEntry) {
        self.ledger.remove_location(unit, location, before);
        if let Some(state) = self.units.get_mut(&unit) {
            state.counts.remove(before);
        }
        let settling = self.add_location(unit, location);
        let limits = &self.plan.request.breaker;
        self.ledger.settlings.change(limits, before.settling, settling);
    }

    /// Adds how far a location of a unit is, but for what it says to the breakers, which is returned.
    fn add_location(&mut self, unit: UnitId, location: &Location) -> Option<Settling> {
        let at = self.location_entry(unit, location)?;
        self.ledger.add_location(unit, location, at);
        if let Some(state) = self.units.get_mut(&unit) {
            state.counts.add(at);
        }
        at.settling
    }

    /// Counts the unit that was added for nodes that another one named before.
    fn count_added(&mut self, divided: UnitId, before: &UnitEntry) {
        let named = self.unit_entry(divided).map_or(0, |after| after.nodes);
        let Some(added) = self.plan.units.last().map(|unit| unit.id) else {
            return;
        };
        // An event that divides nothing adds none.
        let Some(entry) = self.unit_entry(added).filter(|_| named < before.nodes) else {
            return;
        };
        self.ledger.take_names(before, before.nodes - named);
        let locations: Vec<Location> = self
            .units
            .get(&added)
            .into_iter()
            .flat_map(|unit| unit.locations.keys().cloned())
            .collect();
        for location in &locations {
            self.add_location(added, location);
        }
        self.ledger.introduce(&entry);
        self.ledger.add_unit(added, &entry);
    }

    /// Counts everything.
    pub(super) fn count_anew(&mut self) {
        self.ledger = Ledger::default();
        let ids: Vec<UnitId> = self.units.keys().copied().collect();
        let mut settlings = vec![];
        for id in &ids {
            let Some(unit) = self.units.get_mut(id) else {
                continue;
            };
            unit.counts = UnitCounts::default();
            let locations: Vec<Location> = unit.locations.keys().cloned().collect();
            for location in &locations {
                settlings.extend(self.add_location(*id, location));
            }
            if let Some(unit) = self.unit_entry(*id) {
                self.ledger.introduce(&unit);
            }
        }
        for id in ids {
            if let Some(unit) = self.unit_entry(id) {
                self.ledger.add_unit(id, &unit);
            }
        }
        self.ledger.settlings = Results::of(&self.plan.request.breaker, settlings);
    }

    fn unit_entry(&self, id: UnitId) -> Option<UnitEntry> {
        let unit = self.units.get(&id)?;
        let standing = match unit.start {
            _ if unit.is_over() => Standing::Over,
            StartState::NotStarted if unit.is_left_out() => Standing::LeftOut,
            StartState::NotStarted => Standing::Waiting,
            StartState::Intended(_) => Standing::Intended,
            StartState::Started { .. } | StartState::Refused { .. } | StartState::Unresolved { .. } => {
                Standing::Open
            }
        };
        let is_started = matches!(unit.start, StartState::Started { .. });
        let names_nodes = !unit.named.is_empty();
        let is_in_flight = matches!(standing, Standing::Intended | Standing::Open) && !unit.has_settled();
        Some(UnitEntry {
            standing,
            wave: self.wave_of(id),
            at_once: self.at_once(id),
            locations: u32::try_from(unit.locations.len()).unwrap_or(u32::MAX),
            is_ending: is_started && unit.ended.is_none() && unit.has_settled(),
            could_be_stopped: unit.could_be_stopped(self.stop_mode()),
            stops: match unit.start {
                // A command that is refused is an affair of its location, as a role there may be missing.
                StartState::Refused { .. } => !self.is_sent_once(),
                StartState::Started { .. } => self.broke_off(id, unit),
                StartState::NotStarted | StartState::Intended(_) | StartState::Unresolved { .. } => false,
            },
            is_unresolved: unit.is_unresolved(),
            names_nodes_of: unit.locations.keys().next().filter(|_| names_nodes).cloned(),
            nodes: u32::try_from(unit.named.len()).unwrap_or(u32::MAX),
            in_flight: match is_in_flight {
                true => u32::try_from(unit.named.len()).unwrap_or(u32::MAX),
                false => 0,
            },
            in_cells: self.in_cells(unit, is_in_flight),
            lost: self.lost_of(unit),
        })
    }

    fn location_entry(&self, id: UnitId, location: &Location) -> Option<LocationEntry> {
        let unit = self.units.get(&id)?;
        let at = unit.locations.get(location)?;
        let ended = at.status.as_ref().filter(|status| status.is_terminal());
        let unknown = nodes(at, |outcome| {
            outcome.is_unknown() && !slips(Slip::UnknownTakesNoRoom)
        });
        Some(LocationEntry {
            is_settled: at.settled.is_some(),
            is_waiting: at.is_waiting(),
            is_undecided: at.settled.is_none() && ended.is_some(),
            step_failed: ended.is_some_and(|status| !super::ended_well(status)),
            is_unreached: at.outcome() == Some(LocationOutcome::NotStarted),
            has_failed: self.counts_as_failed(id, location, at),
            is_late: self.may_pass_cutoff(at),
            errors: if unit.named.is_empty() { 0 } else { errors(at) },
            damaged: nodes(at, NodeOutcome::is_damaged),
            unknown,
            at_rest: if unit.is_begun() { 0 } else { unknown },
            running_at_expiry: nodes(at, |outcome| {
                outcome == NodeOutcome::RunningAtExpiry && !slips(Slip::UnknownTakesNoRoom)
            }),
            unreached_nodes: nodes(at, |outcome| outcome == NodeOutcome::Unreached)
                .saturating_sub(at.settled.as_ref().map_or(0, |settled| settled.offline_before)),
            progress: self.progress_of(unit, location, at),
            wave: self.wave_of(id),
            results: self.wave_counts(self.wave_of(id), at),
            settling: self.settling(id, location, at),
        })
    }

    fn progress_of(&self, unit: &UnitState, location: &Location, at: &LocationState) -> SoFar {
        let expected = match self.planned(location).and_then(|planned| planned.nodes) {
            _ if !unit.named.is_empty() => u64::try_from(unit.named.len()).unwrap_or(u64::MAX),
            Some(nodes) => u64::from(nodes.total()),
            None => 0,
        };
        let (settled, running, nodes, through) = match (&at.settled, at.counts()) {
            (Some(settled), _) => {
                let total = u64::from(settled.nodes.total());
                (1, 0, total, total)
            }
            (None, Some(counts)) => (
                0,
                1,
                expected.max(u64::from(counts.targets)),
                u64::from(counts.completed),
            ),
            (None, None) => (0, u64::from(at.child.is_some()), expected, 0),
        };
        SoFar {
            locations: 1,
            settled,
            running,
            nodes,
            through,
            unresolved: 0,
        }
    }
}

/// How many nodes of a location came to such an outcome, once it has settled.
fn nodes(at: &LocationState, is: fn(NodeOutcome) -> bool) -> u32 {
    let settled = at.settled.iter().flat_map(|settled| settled.nodes.iter());
    settled
        .filter(|(outcome, _)| is(*outcome))
        .fold(0, |sum, (_, n)| sum.saturating_add(n))
}

/// Nodes that count against the budget within their location.
fn errors(at: &LocationState) -> u32 {
    let Some(settled) = &at.settled else {
        return 0;
    };
    let counted = at.counts().map_or(0, |counts| counts.errors);
    let bad = settled
        .nodes
        .iter()
        .filter(|(outcome, _)| outcome.is_damaged() || outcome.is_unknown());
    counted.max(bad.map(|(_, n)| n).fold(0, u32::saturating_add))
}
