//! What to do next: a pure function of the state, of what this driver asked before, and of the time.

use super::admission::{Hold, Keeps, admit_beside, admitted_from, may_be_begun_beside};
use super::memory::{LocationTask, Memory, UnitTask};
use super::polls::{POLL_LONGEST, later};
use super::rule::Rule;
use super::start;
use super::state::{Sending, StartState, State, Stop};
use super::strays::Place;
use super::{AT_CUTOFF, Event, StopMode};
use crate::id::{Location, UnitId};
use crate::outcome::FinishedOutcome;
use crate::port::StopType;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

mod asks;
mod unanswered;
mod unseen;

/// How long after a start was first sent a driver may send it again, with the same client token, once it has been
/// looked for in vain for [`TAGS_SEEN_WITHIN`](super::polls::TAGS_SEEN_WITHIN). AWS does not say how long it remembers a
/// token; every idempotent AWS call that does say remembers it for longer than this. So a start takes effect twice
/// only if AWS both forgets the token sooner and shows the tag later than is assumed.
pub(crate) const RESEND_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// How long a start that AWS puts off (throttled, queue full) is tried again.
pub(crate) const START_PATIENCE: SignedDuration = SignedDuration::from_hours(6);

/// How many locations are read at once. This bounds the results of nodes that are held in memory, and what is
/// read again if the driver is stopped meanwhile.
pub(super) const LOCATIONS_AT_ONCE: usize = 32;

/// How many units are asked about at once.
pub(super) const UNITS_AT_ONCE: usize = 16;

/// How many units have their runbook compared at once, beside those that are slow.
const COMPARED_AT_ONCE: usize = 4;

/// How many units are looked at to find one that can be begun, while those before it are compared.
const LOOKED_AHEAD: usize = 64;

/// How long a unit whose runbook is being compared keeps the places that it needs from those after it. The largest
/// unit takes half of that (2,500 locations, 16 at once, 0.1 s a call). One that takes longer, because a location does
/// not answer, holds nobody up.
const KEEPS_ITS_PLACE: SignedDuration = SignedDuration::from_secs(30);

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Decision {
    /// What is to be appended first. If somebody else has appended meanwhile, everything is decided again.
    pub(super) record: Vec<Event>,
    /// The calls to make then. No call waits for another's answer.
    pub(super) calls: Vec<Call>,
    /// When something is due that is not due now.
    pub(super) wake: Option<Timestamp>,
    /// When units need not wait any more for one whose runbook is being compared.
    pub(super) overtake: Option<Timestamp>,
    /// Why the next unit is not begun.
    pub(super) hold: Option<Hold>,
    /// How the campaign ended, if it has.
    pub(super) ended: Option<FinishedOutcome>,
    /// Whether nothing more happens until a person says what becomes of starts that are unresolved.
    pub(super) needs_person: bool,
}

/// A call to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    /// Ask whether the change calendars are open.
    Calendars,
    /// Ask what state the CloudWatch alarm is in.
    Alarm,
    /// Compare the runbook of a unit that is about to be started with the planned one.
    Compare(UnitId),
    /// Send the start of a unit. That it is sent is in the log.
    Start {
        /// The unit.
        unit: UnitId,
        /// From 1.
        attempt: u32,
    },
    /// Look for the execution that an unanswered start may have begun.
    Find(UnitId),
    /// Look whether a unit was begun all the same, and the log has lost it: one that is left out, or whose start was put
    /// off.
    Seek(UnitId),
    /// Look in one place for everything of the campaign that its log does not know.
    Sweep(Place),
    /// Stop the execution of a unit. That it is stopped is in the log.
    Stop(UnitId, StopType),
    /// Look at the execution of a unit, and at the steps of its locations.
    Observe(UnitId),
    /// Look at what runs in a location.
    Look(UnitId, Location),
    /// Stop what runs in a location, as a person has the campaign stopped.
    StopBelow(UnitId, Location),
    /// Read what became of a location, and of its nodes.
    Collect(UnitId, Location),
}

/// Decides what to do next. The same arguments always give the same answer, at a cost in proportion to what is
/// due.
///
/// Units are begun as the rules of admission allow. None is begun once there is a reason to stop, and none that is
/// left out, whatever becomes of that reason: its nodes are told to have been left out, and nobody would collect
/// it. A start that may have been sent is looked for before it is sent again, and sent again only while it is
/// young. Then it is unresolved: whether it took effect is looked for once more by each driver, and said by a person.
pub(super) fn decide(state: &State, memory: &Memory, now: Timestamp) -> Decision {
    if let Some((outcome, _)) = state.finished() {
        return Decision {
            ended: Some(outcome),
            ..Decision::default()
        };
    }
    let mut agenda = Agenda {
        state,
        memory,
        now,
        decision: Decision::default(),
        asks_alarm_meanwhile: false,
    };
    for unit in state.intended() {
        agenda.intended(unit, state.keeps_from_sending(unit, now));
    }
    let has_strays = memory.has_strays(state);
    if !has_strays {
        agenda.admit();
    }
    agenda.cancel_at_cutoff();
    if state.stops_what_runs() {
        agenda.stop_all();
    }
    for unit in state.ending() {
        agenda.end(unit);
    }
    agenda.tasks();
    let look_again = agenda.unresolved();
    if state.all_over() {
        let outcome = state.outcome();
        agenda.decision.record.push(Event::Finished { outcome });
    }
    let Decision { record, calls, .. } = &agenda.decision;
    let tasks = [
        memory.unit_tasks.under_way(),
        memory.location_tasks.under_way(),
        memory.stops_below.under_way(),
        memory.sweeps_under_way(),
    ];
    let is_asked = memory.calendars.is_asked || memory.alarm.is_asked;
    let is_busy = tasks.into_iter().any(|under_way| under_way > 0) || is_asked;
    if record.is_empty() && calls.is_empty() && agenda.decision.wake.is_none() && !is_busy {
        if has_strays || state.unresolved().next().is_some() {
            agenda.decision.needs_person = true;
            return agenda.decision;
        }
        // The next wave waits for a person. Otherwise a unit that is not over always has something due.
        agenda.wake(later(now, POLL_LONGEST));
    }
    // Only now: a driver that waits for a person's word alone gives up, and does not stay for the alarm.
    if agenda.asks_alarm_meanwhile {
        agenda.ask_alarm_meanwhile();
    }
    if let Some(at) = look_again {
        agenda.wake(at);
    }
    agenda.decision
}

/// From when on AWS may have forgotten the client token of what was sent, so that nothing with this token may be
/// sent. `None`: it may have by now, as nobody knows when it was sent.
pub(super) fn forgotten_from(sending: &Sending) -> Option<Timestamp> {
    Some(later(sending.not_before?, RESEND_WITHIN))
}

/// A decision that is being made.
struct Agenda<'a> {
    state: &'a State,
    memory: &'a Memory,
    now: Timestamp,
    decision: Decision,
    /// Whether the alarm matters, and nobody has asked it because of a start.
    asks_alarm_meanwhile: bool,
}

impl Agenda<'_> {
    fn wake(&mut self, at: Timestamp) {
        self.decision.wake = Some(self.decision.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Whether it is time. If it is not, it will be looked at again then.
    fn is_time(&mut self, at: Option<Timestamp>) -> bool {
        match at {
            Some(at) if at > self.now => {
                self.wake(at);
                false
            }
            _ => true,
        }
    }

    /// Begins the next unit, leaves units out, or says why the next unit waits.
    fn admit(&mut self) {
        if self.leaves_out_hidden() {
            return;
        }
        let aside = self.memory.put_aside(self.state);
        if !aside.is_empty() {
            for unit in self.memory.unseen(self.state) {
                self.seek(unit);
            }
        }
        let admitted = admit_beside(self.state, &aside, self.now);
        let (unseen, units): (Vec<UnitId>, Vec<UnitId>) = admitted
            .never
            .iter()
            .partition(|unit| self.memory.may_be_begun(self.state, **unit));
        if !units.is_empty() {
            self.decision.record.push(Event::LeftOut { units });
        }
        for unit in unseen {
            self.seek(unit);
        }
        // What waits for room for a value of its nodes may wait for a time, too.
        for until in admitted
            .hold
            .iter()
            .chain(&admitted.passed)
            .filter_map(|hold| hold.until)
        {
            self.wake(until);
        }
        let would_begin = admitted.divide.is_some() || admitted.begin.is_some();
        let held_by = admitted.hold.as_ref().map(|hold| hold.rule);
        self.decision.hold = admitted.hold;
        let calendars = would_begin || held_by == Some(Rule::Calendars);
        let alarm = would_begin || held_by == Some(Rule::Alarm);
        if self.asks(calendars, alarm) {
            return;
        }
        self.asks_alarm_meanwhile = !alarm;
        if (admitted.divide.is_some() || admitted.begin.is_some()) && self.looks_for_lost_starts() {
            return;
        }
        if let Some((unit, keeps)) = admitted.divide {
            self.divide(unit, keeps);
        }
        for (_, until) in admitted.later {
            self.wake(until);
        }
        if let Some(first) = admitted.begin {
            self.begin_one_from(first);
        }
    }

    /// Asks the alarm where nothing asks it right before a start: it may go off and be quiet again while something else holds what is to
    /// be begun, as in a soak.
    fn ask_alarm_meanwhile(&mut self) {
        if self.state.may_begin_more() && self.asks(false, true) {
            self.wake(later(self.now, SignedDuration::from_mins(1)));
        }
    }

    /// Has what still runs cancelled at the cutoff. Every command has expired by then, unless AWS began it late.
    fn cancel_at_cutoff(&mut self) {
        // Nothing is woken for it: what runs is looked at every half minute where a cutoff has to be kept.
        let Some(at) = self.state.cancels_at().filter(|at| self.now >= *at) else {
            return;
        };
        // Whoever comes later than the cutoff does not know by the log what was over by then.
        let mut open = self.state.open();
        let is_at_work = open.any(|unit| {
            let asked = self.memory.of_unit(unit);
            asked
                .and_then(|asked| asked.at_work_at)
                .is_some_and(|seen| seen >= at)
        });
        if is_at_work && self.state.may_run() {
            self.decision.record.push(Event::StopAsked {
                by: AT_CUTOFF.to_owned(),
                mode: StopMode::CancelCommands,
            });
        }
    }

    /// Whether it has to be known first which starts the log has lost. A bound that the campaign keeps counts what is in flight
    /// and what is damaged, and what the log has forgotten would be missing from the sum.
    fn looks_for_lost_starts(&mut self) -> bool {
        if !self.memory.begins_once_looked {
            return false;
        }
        for unit in self.memory.unseen(self.state) {
            self.seek(unit);
        }
        self.memory.waits_for_looks(self.state)
    }

    /// Has a unit name as many of its nodes as there is room for. The others are named by a unit of their own.
    fn divide(&mut self, unit: UnitId, keeps: Keeps) {
        let keeps = match keeps {
            Keeps::Count(keeps) => keeps,
            Keeps::Nodes(keeps) => {
                self.decision.record.push(Event::Divided { unit, keeps });
                return;
            }
        };
        let Some(of) = self.state.units().get(&unit) else {
            return;
        };
        let keeps = usize::try_from(keeps).unwrap_or(usize::MAX);
        // Those that are away are not sent anything, so they go with the others.
        let there = of.named.iter().filter(|node| !of.away.contains(*node));
        let away = of.named.iter().filter(|node| of.away.contains(*node));
        let keeps = there.chain(away).take(keeps).cloned().collect();
        self.decision.record.push(Event::Divided { unit, keeps });
    }

    /// Begins the first unit that may be begun and whose runbook is known to be the planned one. The others before it
    /// are compared meanwhile: a location that answers late holds its own unit up, and no other.
    fn begin_one_from(&mut self, first: UnitId) {
        let state = self.state;
        let of = u64::from(state.plan().location_budget_in(state.wave_of(first)));
        let (mut compared, mut kept, mut kept_until) = (0, 0, None);
        let aside = self.memory.put_aside(state);
        for unit in admitted_from(state, first, self.now).take(LOOKED_AHEAD) {
            if !may_be_begun_beside(state, unit, &aside, self.now) {
                continue;
            }
            let needed = u64::from(state.at_once(unit));
            let taken = state.places_taken().saturating_add(kept);
            if kept > 0 && taken.saturating_add(needed) > of {
                self.decision.overtake = kept_until;
                return;
            }
            let asked = self.memory.of_unit(unit);
            let is_known =
                state.plan().runbook.is_none() || asked.is_some_and(|asked| asked.is_compared(self.now));
            let (next_try, since) = (
                asked.and_then(|asked| asked.start_at),
                asked.and_then(|asked| asked.comparing_since),
            );
            let is_under_way = self.memory.unit_tasks.is_under_way(&UnitTask::Start(unit));
            let is_slow = since.is_some_and(|since| self.now >= later(since, KEEPS_ITS_PLACE));
            if !is_under_way && self.is_time(next_try) {
                let Some(begun) = state.units().get(&unit) else {
                    continue;
                };
                if !is_known && !is_slow && compared >= COMPARED_AT_ONCE {
                    self.decision.overtake = kept_until;
                    return;
                }
                self.start(unit, begun.refused_attempts.saturating_add(1));
                if is_known {
                    return;
                }
            }
            if !is_slow {
                compared += 1;
                kept = kept.saturating_add(needed);
                let until = later(since.unwrap_or(self.now), KEEPS_ITS_PLACE);
                kept_until = Some(kept_until.map_or(until, |first: Timestamp| first.min(until)));
            }
        }
    }

    /// Looks whether a unit was begun, before it is said that it was left out.
    fn seek(&mut self, unit: UnitId) {
        if let Some(place) = self.state.place_of(unit) {
            return self.sweep(place);
        }
        let free = UNITS_AT_ONCE.saturating_sub(self.memory.unit_tasks.under_way());
        let call = Call::Seek(unit);
        let sought = self
            .decision
            .calls
            .iter()
            .filter(|call| matches!(call, Call::Seek(_)));
        if self.memory.unit_tasks.is_under_way(&UnitTask::Start(unit))
            || sought.count() >= free
            || self.decision.calls.contains(&call)
        {
            return;
        }
        let next = self.memory.of_unit(unit).and_then(|asked| asked.find_at);
        if self.is_time(next) {
            self.decision.calls.push(call);
        }
    }

    /// Looks in one place for everything that the log does not know.
    fn sweep(&mut self, place: Place) {
        let known = self.memory.sweeps.get(&place);
        let call = Call::Sweep(place);
        let sweeps = self.decision.calls.iter();
        let made = sweeps.filter(|call| matches!(call, Call::Sweep(_))).count();
        let free = UNITS_AT_ONCE.saturating_sub(self.memory.sweeps_under_way());
        let is_known =
            known.is_some_and(|sweep| sweep.is_under_way || sweep.is_done || sweep.given_up.is_some());
        if is_known || made >= free || self.decision.calls.contains(&call) {
            return;
        }
        if self.is_time(known.and_then(|sweep| sweep.next)) {
            self.decision.calls.push(call);
        }
    }

    /// Sends a start, once its runbook is known to be the planned one.
    fn start(&mut self, unit: UnitId, attempt: u32) {
        if self.asks(true, true) {
            return;
        }
        // Where units name nodes, only a look at everything tells whether one of them has a command already.
        if !self.memory.permits_start(self.state, unit) {
            return self.seek(unit);
        }
        if self.memory.has_strays(self.state) {
            return;
        }
        let asked = self.memory.of_unit(unit);
        let is_compared = asked.is_some_and(|asked| asked.is_compared(self.now));
        if self.state.plan().runbook.is_some() && !is_compared {
            self.decision.calls.push(Call::Compare(unit));
            return;
        }
        if let Some(request) = start::request(self.state, unit, attempt, self.now) {
            self.decision.record.push(Event::StartIntended {
                unit,
                attempt,
                request,
            });
            self.decision.calls.push(Call::Start { unit, attempt });
        }
    }

    /// Stops executions, as many at once as may be asked about. One that is over, or is tried again later, keeps no other
    /// from being stopped, and each is tried before one of them is tried again.
    fn stop_all(&mut self) {
        let free = UNITS_AT_ONCE.saturating_sub(self.memory.asked_about());
        let mut due = BTreeSet::new();
        for unit in self.state.going_on() {
            let is_busy = self.memory.unit_tasks.is_under_way(&UnitTask::Stop(unit));
            if is_busy || self.memory.is_parent_over(unit) {
                continue;
            }
            let stop_at = self.memory.of_unit(unit).and_then(|asked| asked.stop_at);
            if self.is_time(stop_at) {
                due.insert((stop_at, unit));
            }
        }
        for (_, unit) in due.into_iter().take(free) {
            self.stop(unit);
        }
    }

    /// Stops an execution that would begin more locations although too many have failed. Each unit carries the whole
    /// error budget, and AWS counts neither what failed in the others nor the nodes that a command reports as
    /// successes. Or a person has the campaign stopped.
    fn stop(&mut self, unit: UnitId) {
        let known = self.state.units().get(&unit).and_then(|unit| unit.stop.as_ref());
        let Some(stop) = Stop::next(known, self.state.stop_mode()) else {
            return;
        };
        if known.is_none_or(|known| known.kind != stop) {
            self.decision.record.push(Event::StopIntended { unit, stop });
        }
        self.decision.calls.push(Call::Stop(unit, stop));
    }

    /// Every location of a unit has settled: it is over with its execution.
    fn end(&mut self, unit: UnitId) {
        let parent = self.memory.parent(unit).map(|parent| &parent.status);
        let status = parent.filter(|status| status.is_terminal()).cloned();
        let status = status.or_else(|| self.end_of_unread(unit));
        self.decision
            .record
            .extend(status.map(|status| Event::UnitEnded { unit, status }));
    }

    /// Whether the unit seems not to have been begun, and no look has told yet.
    fn is_unseen(&self, unit: UnitId) -> bool {
        let start = self.state.units().get(&unit).map(|unit| &unit.start);
        let may_be_begun =
            || self.memory.may_be_begun(self.state, unit) || self.memory.has_strays(self.state);
        matches!(start, Some(StartState::NotStarted)) && may_be_begun()
    }

    /// What is due by itself.
    fn tasks(&mut self) {
        let (units, locations) = (&self.memory.unit_tasks, &self.memory.location_tasks);
        let free = UNITS_AT_ONCE.saturating_sub(self.memory.asked_about());
        for task in units.due(self.now).take(free) {
            if let UnitTask::Observe(unit) = task {
                self.decision.calls.push(Call::Observe(*unit));
            }
        }
        let stops = &self.memory.stops_below;
        let free = LOCATIONS_AT_ONCE.saturating_sub(stops.under_way());
        for (unit, location) in stops.due(self.now).take(free) {
            self.decision.calls.push(Call::StopBelow(*unit, location.clone()));
        }
        let mut free = LOCATIONS_AT_ONCE.saturating_sub(locations.under_way());
        let mut unseen = BTreeSet::new();
        for task in locations.due(self.now) {
            // What is left out by a log that may have lost its end is not said to be before it was looked for. It
            // makes no call, so it keeps no other location's results from being read.
            if let LocationTask::Collect(unit, _) = task
                && self.is_unseen(*unit)
            {
                unseen.insert(*unit);
                continue;
            }
            if free == 0 {
                break;
            }
            free -= 1;
            self.decision.calls.push(match task {
                LocationTask::Collect(unit, location) => Call::Collect(*unit, location.clone()),
                LocationTask::Look(unit, location) => Call::Look(*unit, location.clone()),
            });
        }
        let next = [
            units.next_after(self.now),
            locations.next_after(self.now),
            stops.next_after(self.now),
        ];
        next.into_iter().flatten().for_each(|at| self.wake(at));
        for unit in unseen {
            self.seek(unit);
        }
    }
}
