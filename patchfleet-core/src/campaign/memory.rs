//! What a driver remembers of its own calls, and does not log: what was asked when, how often in vain, and what
//! is to be asked next. A driver that starts anew knows nothing of it and simply asks at once.

use super::polls::{Failures, Looks, later};
use super::state::{LocationState, StartState, State, StopStanding, UnitState};
use super::strays::{Fits, Place, Sweep};
use super::timers::Timers;
use super::{Event, Record};
use crate::id::{Location, UnitId};
use crate::port::{ExecutionStatus, PortErrorKind, StopType};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// For how long a runbook that was found to be the planned one counts as that. A start follows at once, unless the
/// log takes its time.
const COMPARED_HOLDS: SignedDuration = SignedDuration::from_secs(30);

/// For how long a look before a start counts that did not find it. The start follows at once, unless the log takes its
/// time or its runbook is compared. What the log lost was sent before it was opened, so this look may be the last before
/// the start as long as AWS knows the client token that was sent then.
const SEEN_HOLDS: SignedDuration = SignedDuration::from_secs(30);

/// How long after an execution was first seen in a location it is looked at, where a cutoff has to be kept: its
/// command is sent by then, unless AWS keeps it waiting.
const FIRST_LOOK_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// What a driver does of its own accord for a unit. Each is done by one call after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum UnitTask {
    /// Everything between the unit's turn and the answer to its start.
    Start(UnitId),
    /// Looking at its execution.
    Observe(UnitId),
    /// Stopping its execution.
    Stop(UnitId),
}

/// What a driver does of its own accord for a location of a unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LocationTask {
    /// Reading what became of it.
    Collect(UnitId, Location),
    /// Looking at what runs there.
    Look(UnitId, Location),
}

/// What a driver remembers of its own calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Memory {
    /// Whether somebody else has written into the log. Its end may have been lost since.
    pub(super) was_there_before: bool,
    /// Whether nothing is begun before it is known which starts the log has lost, if it has lost any.
    pub(super) begins_once_looked: bool,
    units: BTreeMap<UnitId, UnitMemory>,
    locations: BTreeMap<(UnitId, Location), LocationMemory>,
    pub(super) unit_tasks: Timers<UnitTask>,
    pub(super) location_tasks: Timers<LocationTask>,
    /// Where what runs is to be stopped. They have calls of their own, so no result that is read holds them up.
    pub(super) stops_below: Timers<(UnitId, Location)>,
    /// How often looks for starts that the log may have lost had failed when it was opened, by the log.
    pub(super) looks_failed: Failures,
    /// What came last of such a look, if that is no answer that counts: why it failed, or `None` if it came too early.
    pub(super) still_looking: Option<Option<(PortErrorKind, String)>>,
    /// What is known of the change calendars.
    pub(super) calendars: AskedBefore,
    /// What is known of the CloudWatch alarm.
    pub(super) alarm: AskedBefore,
    /// What it knows of looking for all that the log may have lost, by place.
    pub(super) sweeps: BTreeMap<Place, Sweep>,
    /// Whether such a look permits a start also if AWS may not have shown by then what was sent last: as for a function that
    /// drives for a short time, and cannot wait. That a unit was not begun it never tells.
    pub(super) sweeps_permit_at_once: bool,
    /// Whether something hung on the looks at units when they were last planned.
    pub(super) looks_matter: bool,
}

/// What a driver remembers of what it asks before each start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct AskedBefore {
    /// Whether it is being asked.
    pub(super) is_asked: bool,
    /// Until when the last answer counts.
    pub(super) holds_until: Option<Timestamp>,
}

/// What a driver remembers of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct UnitMemory {
    /// Whether its start was looked for, as the log may have lost that it was sent, and so late that the answer counts.
    pub(super) looked_before: bool,
    /// When it was last looked for in that way and not found, before a start that was put off.
    pub(super) seen_at: Option<Timestamp>,
    /// The next try of a start that was put off.
    pub(super) start_at: Option<Timestamp>,
    pub(super) start_failures: Failures,
    /// Since when its runbook is being compared in vain, or for the first time.
    pub(super) comparing_since: Option<Timestamp>,
    /// When its runbook was last found to be the planned one.
    pub(super) compared_at: Option<Timestamp>,
    /// The looks at the runbook before the start, while some fail.
    pub(super) looks: Looks,
    /// Whether AWS said that the client token belongs to another request.
    pub(super) mismatch: Option<String>,
    /// When the start was last looked for, and not found.
    pub(super) not_found_at: Option<Timestamp>,
    /// The next look for it.
    pub(super) find_at: Option<Timestamp>,
    pub(super) find_failures: Failures,
    /// Why looking for it was given up.
    pub(super) find_given_up: Option<String>,
    /// When AWS took the stop of the execution, and how many looks at it have been answered since.
    pub(super) stop_taken: Option<(Timestamp, u32)>,
    /// The stop whose answer was lost or put off, or that another driver may have sent. An execution that is over by
    /// now may have been stopped by it.
    pub(super) stop_sent: Option<StopType>,
    /// The next try of a stop.
    pub(super) stop_at: Option<Timestamp>,
    pub(super) stop_failures: Failures,
    pub(super) observe_failures: Failures,
    /// Whether it is over, and cannot be looked at any more.
    pub(super) is_over_unread: bool,
    /// The execution, as it was last seen.
    pub(super) parent: Option<Parent>,
    /// When it was last seen to be at work.
    pub(super) at_work_at: Option<Timestamp>,
}

impl UnitMemory {
    /// Forgets what was asked of the start, as it is sent again.
    fn begin_anew(&mut self) {
        *self = Self {
            looks: std::mem::take(&mut self.looks),
            ..Self::default()
        };
    }

    /// When it was looked for and not found just now, as the log may have lost that it was sent.
    pub(super) fn seen_just_now(&self, now: Timestamp) -> Option<Timestamp> {
        self.seen_at.filter(|at| now <= later(*at, SEEN_HOLDS))
    }

    /// Whether the runbook was found to be the planned one just now.
    pub(super) fn is_compared(&self, now: Timestamp) -> bool {
        self.compared_at
            .is_some_and(|at| now <= later(at, COMPARED_HOLDS))
    }
}

/// An execution, as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parent {
    pub(super) status: ExecutionStatus,
    pub(super) failure: String,
}

/// What a driver remembers of a location.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LocationMemory {
    /// When its results were first asked for.
    pub(super) first_asked: Option<Timestamp>,
    pub(super) failures: Failures,
    /// When what runs there was first stopped.
    pub(super) first_stopped: Option<Timestamp>,
    /// Whether nothing ran there any more when it was last stopped.
    pub(super) is_stopped: bool,
    pub(super) stop_failures: Failures,
}

impl Memory {
    /// Remembers nothing, and plans what the state calls for.
    pub(super) fn of(state: &State, now: Timestamp) -> Self {
        let mut memory = Self::default();
        memory.plan_anew(state, now);
        for (id, unit) in state.units() {
            // Whoever intended it may have sent it, and died before it could say so.
            let stop = unit
                .stop
                .as_ref()
                .filter(|stop| stop.standing == StopStanding::Intended);
            if let Some(stop) = stop {
                memory.unit(*id).stop_sent = Some(stop.kind);
            }
        }
        memory
    }

    /// Remembers what another driver intends: it may have sent it.
    pub(super) fn follow_other(&mut self, record: &Record) {
        for event in &record.events {
            if let Event::StopIntended { unit, stop } = event {
                self.unit(*unit).stop_sent = Some(*stop);
            }
        }
    }

    pub(super) fn unit(&mut self, unit: UnitId) -> &mut UnitMemory {
        self.units.entry(unit).or_default()
    }

    /// Whether the log may have lost that the unit's start was sent, and no look has told yet, and one may.
    pub(super) fn may_be_begun(&self, state: &State, unit: UnitId) -> bool {
        let is_told = || match state.place_of(unit) {
            Some(place) => {
                let sweep = self.sweeps.get(&place);
                sweep.is_some_and(|sweep| sweep.is_done || sweep.given_up.is_some())
            }
            None => self.of_unit(unit).is_some_and(|asked| asked.looked_before),
        };
        self.was_there_before && !is_told()
    }

    /// Whether a unit may be sent, as far as looks for what the log may have lost go.
    pub(super) fn permits_start(&self, state: &State, unit: UnitId) -> bool {
        if self.hidden(state, unit).is_some() {
            return false;
        }
        let Some(place) = state.place_of(unit).filter(|_| self.may_be_begun(state, unit)) else {
            return true;
        };
        self.sweeps_permit_at_once && self.sweeps.get(&place).is_some_and(|sweep| sweep.is_answered)
    }

    /// Whether AWS shows what the log does not know.
    pub(super) fn has_strays(&self, state: &State) -> bool {
        let mut strays = self.sweeps.values().flat_map(|sweep| &sweep.strays);
        strays.any(|stray| state.fits(stray) != Fits::Known)
    }

    /// How many places are being looked at for that.
    pub(super) fn sweeps_under_way(&self) -> usize {
        self.sweeps.values().filter(|sweep| sweep.is_under_way).count()
    }

    /// The first unit of each location that waits, if the log may have lost that its start was sent. Units of one location are begun
    /// one after another, so while the first was not begun none of the others was.
    pub(super) fn unseen(&self, state: &State) -> Vec<UnitId> {
        let mut seen: BTreeSet<&Location> = BTreeSet::new();
        let waiting = state
            .waiting()
            .filter_map(|id| Some((id, state.units().get(&id)?)));
        let first = waiting.filter(|(_, unit)| {
            let mut locations = unit.locations.keys();
            locations.all(|location| seen.insert(location))
        });
        first
            .map(|(id, _)| id)
            .filter(|id| self.may_be_begun(state, *id))
            .collect()
    }

    /// Whether nothing may begin anywhere before it is known which starts the log has lost. One location that does not let anybody
    /// look keeps none of the others waiting. Of which values its nodes are that may be in flight is not counted, so it does where
    /// labels have bounds.
    pub(super) fn waits_for_looks(&self, state: &State) -> bool {
        if !self.begins_once_looked {
            return false;
        }
        let (unseen, aside) = (self.unseen(state), self.put_aside(state));
        let counts_labels = !state.plan().labels.is_empty();
        let are_aside = || unseen.iter().all(|unit| state.is_aside(*unit, &aside));
        !unseen.is_empty() && (counts_labels || !are_aside())
    }

    /// Whether there is a unit of which that has to be known still.
    pub(super) fn looks_for_any(&self, state: &State) -> bool {
        let is_open = |unit: &UnitState| {
            !unit.is_over() && matches!(unit.start, StartState::NotStarted | StartState::Intended(_))
        };
        state
            .units()
            .iter()
            .any(|(id, unit)| is_open(unit) && self.may_be_begun(state, *id))
    }

    pub(super) fn of_unit(&self, unit: UnitId) -> Option<&UnitMemory> {
        self.units.get(&unit)
    }

    pub(super) fn location(&mut self, unit: UnitId, location: &Location) -> &mut LocationMemory {
        self.locations.entry((unit, location.clone())).or_default()
    }

    /// How many units are asked about now that were begun.
    pub(super) fn asked_about(&self) -> usize {
        let is_begun = |task: &&UnitTask| !matches!(task, UnitTask::Start(_));
        self.unit_tasks.all_under_way().filter(is_begun).count()
    }

    pub(super) fn of_location(&self, unit: UnitId, location: &Location) -> Option<&LocationMemory> {
        self.locations.get(&(unit, location.clone()))
    }

    pub(super) fn parent(&self, unit: UnitId) -> Option<&Parent> {
        self.units.get(&unit)?.parent.as_ref()
    }

    /// Whether the unit's execution is known to be over.
    pub(super) fn is_parent_over(&self, unit: UnitId) -> bool {
        self.parent(unit)
            .is_some_and(|parent| parent.status.is_terminal())
    }

    /// Until when what was asked before a start counts; `None`: nothing is asked.
    pub(super) fn holds_until(&self, state: &State) -> Option<Timestamp> {
        let request = &state.plan().request;
        let calendars = self.calendars.holds_until;
        let calendars = calendars.filter(|_| !request.change_calendars.is_empty());
        let alarm = self.alarm.holds_until;
        let alarm = alarm.filter(|_| request.breaker.alarm.is_some());
        [calendars, alarm].into_iter().flatten().min()
    }

    /// Plans what follows from a record that the state has just taken in.
    pub(super) fn follow(&mut self, state: &State, record: &Record, now: Timestamp) {
        for event in &record.events {
            self.follow_event(state, event, now);
        }
    }

    fn follow_event(&mut self, state: &State, event: &Event, now: Timestamp) {
        match event {
            Event::Started { unit, .. } => self.unit_tasks.set_if_none(&UnitTask::Observe(*unit), now),
            Event::StartRefused { unit, .. } => self.collect_all(state, *unit, now),
            Event::SendAgain { unit, .. } => self
                .units
                .get_mut(unit)
                .into_iter()
                .for_each(UnitMemory::begin_anew),
            Event::LeftOut { units } => {
                for unit in units {
                    self.collect_all(state, *unit, now);
                }
            }
            Event::LocationObserved { unit, location, .. } => {
                if let Some(at) = location_of(state, *unit, location) {
                    self.follow_location(state, *unit, location, at, now);
                }
            }
            Event::CommandObserved {
                unit,
                location,
                expires_at: Some(_),
                ..
            } => self
                .location_tasks
                .clear(&LocationTask::Look(*unit, location.clone())),
            Event::LocationSettled { unit, location, .. } => self.forget_location(*unit, location),
            Event::UnitEnded { unit, .. } => self.unit_tasks.clear(&UnitTask::Observe(*unit)),
            Event::StopAsked { .. } => {
                for id in state.open() {
                    self.unit_tasks.hasten(&UnitTask::Observe(id), now);
                    self.unit(id).stop_at = None;
                    self.stop_all_below(state, id, now);
                }
            }
            Event::StopTaken { unit, .. }
            | Event::StopNotNeeded { unit, .. }
            | Event::StopInVain { unit, .. }
            | Event::StopRefused { unit, .. } => self.stop_all_below(state, *unit, now),
            Event::CommandNotSent { unit, .. } => self.forget_unit(state, *unit),
            Event::GoneOn { .. } => self.plan_anew(state, now),
            _ => {}
        }
    }

    /// Plans everything that the state calls for.
    fn plan_anew(&mut self, state: &State, now: Timestamp) {
        self.unit_tasks.forget();
        self.location_tasks.forget();
        self.stops_below.forget();
        for (id, unit) in state.units() {
            if unit.is_over() {
                continue;
            }
            match unit.start {
                StartState::Started { .. } => {
                    if self.is_parent_over(*id) {
                        self.collect_all(state, *id, now);
                    } else {
                        self.unit_tasks.set(&UnitTask::Observe(*id), now);
                    }
                    for (location, at) in &unit.locations {
                        self.follow_location(state, *id, location, at, now);
                    }
                }
                StartState::Refused { .. } => self.collect_all(state, *id, now),
                StartState::NotStarted if unit.is_left_out() => self.collect_all(state, *id, now),
                StartState::NotStarted | StartState::Intended(_) | StartState::Unresolved { .. } => {}
            }
        }
    }

    /// Plans to read what became of each location of a unit.
    pub(super) fn collect_all(&mut self, state: &State, id: UnitId, now: Timestamp) {
        for location in state.units().get(&id).into_iter().flat_map(open_locations) {
            let task = LocationTask::Collect(id, location.clone());
            self.location_tasks.set_if_none(&task, now);
        }
    }

    /// Plans what a location of a unit that runs calls for.
    fn follow_location(
        &mut self,
        state: &State,
        unit: UnitId,
        location: &Location,
        at: &LocationState,
        now: Timestamp,
    ) {
        let Some(status) = at.status.as_ref().filter(|_| at.settled.is_none()) else {
            return;
        };
        self.stop_below(state, unit, location, at, now);
        let look = LocationTask::Look(unit, location.clone());
        if status.is_terminal() {
            self.location_tasks.clear(&look);
            let collect = LocationTask::Collect(unit, location.clone());
            self.location_tasks.set_if_none(&collect, now);
        } else if let Some(seen) = at.child_at
            && state.is_to_be_looked_at(at)
        {
            self.location_tasks
                .set_if_none(&look, later(seen, FIRST_LOOK_AFTER));
        }
    }

    /// Plans to stop what runs in the locations of a unit, if a person has the campaign stopped.
    pub(super) fn stop_all_below(&mut self, state: &State, id: UnitId, now: Timestamp) {
        if state.stop_mode().is_none() {
            return;
        }
        for (location, at) in state
            .units()
            .get(&id)
            .into_iter()
            .flat_map(|unit| &unit.locations)
        {
            self.stop_below(state, id, location, at, now);
        }
    }

    fn stop_below(
        &mut self,
        state: &State,
        unit: UnitId,
        location: &Location,
        at: &LocationState,
        now: Timestamp,
    ) {
        // An execution that is not stopped twice for a reason that lasts holds nothing up.
        let fails = || {
            self.of_unit(unit)
                .is_some_and(|asked| asked.stop_failures.are_lasting())
        };
        let may = || self.is_parent_over(unit) || state.may_stop_below(unit) || fails();
        if state.is_to_be_stopped(unit, location, at) && may() {
            self.stops_below.set_if_none(&(unit, location.clone()), now);
        }
    }

    fn forget_location(&mut self, unit: UnitId, location: &Location) {
        self.stops_below.clear(&(unit, location.clone()));
        self.locations.remove(&(unit, location.clone()));
        self.location_tasks
            .clear(&LocationTask::Collect(unit, location.clone()));
        self.location_tasks
            .clear(&LocationTask::Look(unit, location.clone()));
    }

    /// Forgets a unit that is begun again.
    fn forget_unit(&mut self, state: &State, id: UnitId) {
        self.units.remove(&id);
        self.unit_tasks.clear(&UnitTask::Observe(id));
        let locations = state
            .units()
            .get(&id)
            .into_iter()
            .flat_map(|unit| unit.locations.keys());
        for location in locations {
            self.forget_location(id, location);
        }
    }
}

fn open_locations(unit: &UnitState) -> impl Iterator<Item = &Location> {
    let open = unit.locations.iter().filter(|(_, at)| at.settled.is_none());
    open.map(|(location, _)| location)
}

fn location_of<'s>(state: &'s State, unit: UnitId, location: &Location) -> Option<&'s LocationState> {
    state.units().get(&unit)?.locations.get(location)
}
