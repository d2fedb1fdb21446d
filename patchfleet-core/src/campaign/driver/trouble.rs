//! What a person is told of calls that fail, or have no answer for long.

use super::Drive;
use super::calls::Answer;
use super::sweep::subject_of;
use crate::campaign::decide::{Call, forgotten_from};
use crate::campaign::memory::{LocationTask, UnitTask};
use crate::campaign::notice::{Awaited, Failed, Tried};
use crate::campaign::polls::{Failures, LOOK_UP_AFTER, TAGS_SEEN_WITHIN, later};
use crate::campaign::start::{Failure, others_in_doubt};
use crate::campaign::state::StartState;
use crate::campaign::strays::Place;
use crate::campaign::{Event, Record};
use crate::id::{Location, UnitId};
use crate::port::{PortError, PortErrorKind};
use jiff::Timestamp;

/// What an answer says of what was tried.
pub(super) struct Told {
    what: Tried,
    subject: String,
    came: Came,
}

enum Came {
    /// It works.
    Well,
    /// It failed, and there is no further try.
    GivenUp,
    /// It failed, and may be tried again. With the task that tries it.
    Failed(Task, PortErrorKind, String),
}

enum Task {
    /// Finding out whether a start took effect whose answer is lost.
    Doubt(UnitId),
    Unit(UnitTask),
    Location(LocationTask),
    StopBelow((UnitId, Location)),
    Sweep(Place),
    Calendars,
    Alarm,
}

/// A unit, as notices name it.
pub(super) fn of_unit(unit: UnitId) -> String {
    format!("unit {unit}")
}

/// What a call tries, and of what.
pub(super) fn tried(call: &Call) -> (Tried, String) {
    match call {
        Call::Calendars => (Tried::Calendars, String::new()),
        Call::Alarm => (Tried::Alarm, String::new()),
        Call::Compare(unit) => (Tried::Runbook, of_unit(*unit)),
        Call::Start { unit, .. } => (Tried::Start, of_unit(*unit)),
        Call::Find(unit) => (Tried::LookUp, of_unit(*unit)),
        Call::Seek(unit) => (Tried::LookBefore, of_unit(*unit)),
        Call::Sweep(place) => (Tried::LookBefore, subject_of(place)),
        Call::Stop(unit, _) => (Tried::Stop, of_unit(*unit)),
        Call::Observe(unit) => (Tried::Execution, of_unit(*unit)),
        Call::StopBelow(_, location) => (Tried::StopBelow, location.to_string()),
        Call::Look(_, location) => (Tried::Location, location.to_string()),
        Call::Collect(_, location) => (Tried::Results, location.to_string()),
    }
}

/// What an answer says of what was tried.
pub(super) fn told_of(answer: &Answer) -> Told {
    let failed = |task, error: &PortError| Came::Failed(task, error.kind(), error.reason());
    let of = |error: Option<Came>| error.unwrap_or(Came::Well);
    let (call, came) = match answer {
        Answer::Calendars(said) => {
            let came = said.as_ref().err().map(|error| failed(Task::Calendars, error));
            (Call::Calendars, of(came))
        }
        Answer::Alarm(_, said) => {
            let came = match said {
                Ok(Some(_)) => None,
                Ok(None) => {
                    let gone = "there is no such alarm any more".to_owned();
                    Some(Came::Failed(Task::Alarm, PortErrorKind::NotFound, gone))
                }
                Err(error) => Some(failed(Task::Alarm, error)),
            };
            (Call::Alarm, of(came))
        }
        Answer::Compared(unit, compared) => {
            let error = compared
                .as_ref()
                .err()
                .and_then(|not| not.unread.first_where(|_, _| true));
            let came = error.map(|(_, error, _)| failed(Task::Unit(UnitTask::Start(*unit)), error));
            (Call::Compare(*unit), of(came))
        }
        Answer::Sent(unit, attempt, _, sent) => {
            let came = sent.as_ref().err().map(|error| match Failure::of(error) {
                Failure::Refused(_) | Failure::Mismatch => Came::GivenUp,
                Failure::InDoubt => failed(Task::Doubt(*unit), error),
                Failure::NotNow(_) => failed(Task::Unit(UnitTask::Start(*unit)), error),
            });
            let call = Call::Start {
                unit: *unit,
                attempt: *attempt,
            };
            (call, of(came))
        }
        Answer::Unseen(unit, _, error) => {
            let came = failed(Task::Unit(UnitTask::Start(*unit)), error);
            (Call::Seek(*unit), came)
        }
        Answer::NotSent(unit, attempt, _) | Answer::RefusedWhole(unit, attempt, ..) => {
            let call = Call::Start {
                unit: *unit,
                attempt: *attempt,
            };
            (call, Came::Well)
        }
        Answer::Looked(unit, .., found) | Answer::Sought(unit, .., found) => {
            let came = found.as_ref().err();
            let came = came.map(|error| failed(Task::Unit(UnitTask::Start(*unit)), error));
            let call = match answer {
                Answer::Sought(..) => Call::Seek(*unit),
                _ => Call::Find(*unit),
            };
            (call, of(came))
        }
        Answer::Swept(place, _, found) => {
            let came = found.as_ref().err();
            let came = came.map(|error| failed(Task::Sweep(place.clone()), error));
            (Call::Sweep(place.clone()), of(came))
        }
        Answer::Stopped(unit, kind, stopped) => {
            let came = stopped.as_ref().err().map(|error| match error.kind() {
                // It is over.
                PortErrorKind::NotRunning => Came::Well,
                _ => failed(Task::Unit(UnitTask::Stop(*unit)), error),
            });
            (Call::Stop(*unit, *kind), of(came))
        }
        Answer::StoppedBelow(unit, _, location, came) => {
            let task = || Task::StopBelow((*unit, location.clone()));
            let failed = came.failed.as_ref().map(|error| failed(task(), error));
            (Call::StopBelow(*unit, location.clone()), of(failed))
        }
        Answer::Observed(unit, observed) => {
            let came = observed.as_ref().err();
            let came = came.map(|error| failed(Task::Unit(UnitTask::Observe(*unit)), error));
            (Call::Observe(*unit), of(came))
        }
        Answer::Seen(unit, location, ..) => (Call::Look(*unit, location.clone()), Came::Well),
        Answer::Collected(unit, location, _, collected, _) => {
            let task = || Task::Location(LocationTask::Collect(*unit, location.clone()));
            let came = collected.as_ref().err().map(|error| failed(task(), error));
            (Call::Collect(*unit, location.clone()), of(came))
        }
        Answer::LockedOut(unit, location, error) => {
            let task = Task::Location(LocationTask::Collect(*unit, location.clone()));
            (Call::Collect(*unit, location.clone()), failed(task, error))
        }
    };
    let (what, subject) = tried(&call);
    Told { what, subject, came }
}

impl Drive<'_> {
    /// Tells what came of a call, once it is known when it is made again.
    pub(super) fn tell_answer(&mut self, told: Told) {
        let (now, notices) = (self.now(), &self.driver.notices);
        let Told { what, subject, came } = told;
        // Change calendars and the alarm are asked as long as it takes. They may keep the campaign waiting for days, and nobody has
        // to be there.
        let as_long_as_it_takes =
            matches!(what, Tried::Calendars | Tried::Alarm) || self.waits_for_its_end(&came);
        if !matches!(came, Came::Failed(..)) || as_long_as_it_takes {
            self.tried.open.remove(&(what, subject.clone()));
        }
        match came {
            Came::Well => notices.works(what, &subject, now),
            Came::GivenUp => notices.given_up(what, &subject, now),
            Came::Failed(task, kind, reason) => {
                let (next, until) = self.next_try(what, &task, kind, now);
                if until == Some(now) {
                    return notices.given_up(what, &subject, now); // by now
                }
                let failed = Failed { reason, next, until };
                notices.failed(what, &subject, failed, now);
            }
        }
    }

    /// Whether a look at a command failed that is looked at until the command has expired.
    fn waits_for_its_end(&self, came: &Came) -> bool {
        let Came::Failed(Task::Unit(UnitTask::Observe(unit)), kind, _) = came else {
            return false;
        };
        let asked = self.memory.of_unit(*unit);
        self.is_of_its_location(*kind) && asked.is_some_and(|asked| asked.observe_failures.are_too_many())
    }

    /// When a task is tried again, and until when.
    fn next_try(
        &self,
        what: Tried,
        task: &Task,
        kind: PortErrorKind,
        now: Timestamp,
    ) -> (Option<Timestamp>, Option<Timestamp>) {
        let until = |failures: &Failures| Some(failures.until(now, kind));
        match task {
            Task::Calendars => (self.memory.calendars.holds_until, None),
            Task::Alarm => (self.memory.alarm.holds_until, None),
            Task::Sweep(place) => {
                let sweep = self.memory.sweeps.get(place);
                (
                    sweep.and_then(|sweep| sweep.next),
                    sweep.and_then(|sweep| until(&sweep.failures)),
                )
            }
            Task::Doubt(unit) => match self.state.units().get(unit).map(|unit| &unit.start) {
                Some(StartState::Intended(intent)) => {
                    let last = intent.in_doubt.last();
                    (
                        last.map(|last| later(last.at, LOOK_UP_AFTER)),
                        intent.in_doubt.first().and_then(forgotten_from),
                    )
                }
                _ => (None, None),
            },
            Task::Location(task) => {
                let (LocationTask::Collect(unit, location) | LocationTask::Look(unit, location)) = task;
                let asked = self.memory.of_location(*unit, location);
                (
                    self.memory.location_tasks.when(task),
                    asked.and_then(|asked| until(&asked.failures)),
                )
            }
            Task::StopBelow(place) => {
                let asked = self.memory.of_location(place.0, &place.1);
                (
                    self.memory.stops_below.when(place),
                    asked.and_then(|asked| until(&asked.stop_failures)),
                )
            }
            Task::Unit(task) => {
                let (UnitTask::Start(unit) | UnitTask::Observe(unit) | UnitTask::Stop(unit)) = task;
                let Some(asked) = self.memory.of_unit(*unit) else {
                    return (None, None);
                };
                match what {
                    Tried::Stop => (asked.stop_at, until(&asked.stop_failures)),
                    Tried::Execution => {
                        let over_from = self.state.command_over_from(*unit);
                        let over_from = over_from.filter(|_| self.is_of_its_location(kind));
                        let until = until(&asked.observe_failures).max(over_from);
                        (self.memory.unit_tasks.when(task), until)
                    }
                    Tried::LookUp => (asked.find_at, until(&asked.find_failures)),
                    Tried::LookBefore => match self.start_is_tried_until(*unit) {
                        // Before a start, it is looked for as long as that is tried.
                        Some(start) => (asked.start_at, until(&asked.find_failures).max(Some(start))),
                        None => (asked.find_at, until(&asked.find_failures)),
                    },
                    Tried::Start => (asked.start_at, self.start_ends(*unit)),
                    _ => (asked.start_at, None),
                }
            }
        }
    }

    /// Until when a start is tried that AWS has just put off. As long as what was sent before may have taken effect, that is
    /// for as long as AWS is trusted to know its client token.
    fn start_ends(&self, unit: UnitId) -> Option<Timestamp> {
        match &self.state.units().get(&unit)?.start {
            StartState::Intended(intent) if others_in_doubt(intent, self.driver.writer) => {
                intent.in_doubt.first().and_then(forgotten_from)
            }
            _ => self.start_is_tried_until(unit),
        }
    }

    /// Tells that starts are waited for which other processes sent, and of which nobody knows whether they took
    /// effect.
    pub(super) fn tell_waits(&self) {
        let now = self.now();
        for unit in self.state.intended() {
            let start = self.state.units().get(&unit).map(|unit| &unit.start);
            let Some(StartState::Intended(intent)) = start else {
                continue;
            };
            let Some(last) = intent.in_doubt.last() else {
                continue;
            };
            // Whoever sent it while this driver lives may have its answer at any moment.
            let is_left = last.at <= self.opened_at || now >= later(last.at, LOOK_UP_AFTER);
            if last.writer != self.driver.writer && is_left {
                let until = later(last.at, TAGS_SEEN_WITHIN);
                self.driver
                    .notices
                    .waits(Awaited::Start, &of_unit(unit), until, now);
            }
        }
    }

    /// Says no more of what the log says is not tried any more.
    pub(super) fn tell_given_up(&self, record: &Record, now: Timestamp) {
        let notices = &self.driver.notices;
        let all_of_start = [Tried::Start, Tried::LookBefore, Tried::LookUp, Tried::Runbook];
        for event in &record.events {
            match event {
                Event::Started { unit, .. } => {
                    let subject = of_unit(*unit);
                    all_of_start
                        .iter()
                        .for_each(|what| notices.works(*what, &subject, now));
                }
                Event::StartRefused { unit, .. }
                | Event::StartUnresolved { unit, .. }
                | Event::StartWithdrawn { unit, .. }
                | Event::RunbookChanged { unit, .. } => {
                    let subject = of_unit(*unit);
                    all_of_start
                        .iter()
                        .for_each(|what| notices.given_up(*what, &subject, now));
                }
                Event::NotStoppedBelow { location, .. } => {
                    notices.given_up(Tried::StopBelow, &location.to_string(), now);
                }
                Event::StopRefused { unit, .. } => notices.given_up(Tried::Stop, &of_unit(*unit), now),
                Event::UnitEnded { unit, .. } => {
                    let subject = of_unit(*unit);
                    notices.given_up(Tried::Stop, &subject, now);
                    notices.given_up(Tried::Execution, &subject, now);
                }
                Event::LocationSettled { location, .. } => self.tell_settled(location, now),
                Event::CommandNotSent { unit, .. } => {
                    let unit = self.state.units().get(unit);
                    let locations = unit.into_iter().flat_map(|unit| unit.locations.keys());
                    locations.for_each(|location| self.tell_settled(location, now));
                }
                _ => {}
            }
        }
    }

    fn tell_settled(&self, location: &Location, now: Timestamp) {
        let subject = location.to_string();
        for what in [Tried::Results, Tried::Location, Tried::StopBelow] {
            self.driver.notices.given_up(what, &subject, now);
        }
    }
}
