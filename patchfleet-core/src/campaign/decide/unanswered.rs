//! What becomes of a start that is intended and was not taken yet: it is looked for, sent again, withdrawn, refused, or
//! left unresolved.

use super::{Agenda, Call, START_PATIENCE, forgotten_from};
use crate::campaign::Event;
use crate::campaign::memory::{UnitMemory, UnitTask};
use crate::campaign::polls::{LOOK_UP_AFTER, TAGS_SEEN_WITHIN, UNRESOLVED_EVERY, later};
use crate::campaign::state::{Intent, StartState};
use crate::id::UnitId;
use crate::port::PortErrorKind;
use jiff::Timestamp;

impl Agenda<'_> {
    /// A start that has no answer.
    pub(super) fn intended(&mut self, unit: UnitId, is_stopped: bool) {
        if self.memory.unit_tasks.is_under_way(&UnitTask::Start(unit)) {
            return;
        }
        let Some(StartState::Intended(intent)) = self.state.units().get(&unit).map(|unit| &unit.start) else {
            return;
        };
        // What closed calendars said, or that nobody knew of the alarm, the log may have from days ago.
        let calendars = self.state.closed_calendars().is_some();
        let alarm = self.state.unknown_alarm().is_some();
        if self.asks(calendars, alarm) {
            return;
        }
        let none = UnitMemory::default();
        let asked = self.memory.of_unit(unit).unwrap_or(&none);
        let (Some(first), Some(last)) = (intent.in_doubt.first(), intent.in_doubt.last()) else {
            return self.put_off(unit, intent, asked, is_stopped);
        };
        if let Some(reason) = &asked.find_given_up {
            let detail = format!("the start has no answer, and it cannot be looked up: {reason}");
            return self.leave_unresolved(unit, detail);
        }
        let (look_up, seen_by) = (later(last.at, LOOK_UP_AFTER), later(last.at, TAGS_SEEN_WITHIN));
        let looked = asked.not_found_at.is_some_and(|at| at >= seen_by);
        if !looked {
            if self.is_time(Some(asked.find_at.map_or(look_up, |at| at.max(look_up)))) {
                self.decision.calls.push(Call::Find(unit));
            }
            return;
        }
        if let Some(words) = &asked.mismatch {
            let detail =
                format!("AWS knows the client token with another request, and no execution has it: {words}");
            return self.leave_unresolved(unit, detail);
        }
        // Once it was looked for, if nobody knows when it was sent.
        let too_late = match self.state.is_sent_once() {
            true => seen_by,
            false => forgotten_from(first).unwrap_or(seen_by),
        };
        if self.now < too_late {
            if is_stopped {
                // Nothing more may begin, and sending again may. The first sending may still turn up.
                self.wake(too_late);
            } else if self.is_time(asked.start_at) {
                self.start(unit, intent.attempt);
            }
            return;
        }
        if is_stopped && asked.not_found_at.is_none_or(|at| at < too_late) {
            if self.is_time(asked.find_at) {
                self.decision.calls.push(Call::Find(unit));
            }
            return;
        }
        let detail = match self.state.is_sent_once() {
            true => {
                "the command has no answer, and no command in its location has its comment. AWS takes no client token for a \
                 command, so if it is sent again its nodes may get it twice"
            }
            false => {
                "the start has no answer, no execution has its tag, and AWS may have forgotten its client token"
            }
        };
        self.leave_unresolved(unit, detail.to_owned());
    }

    fn leave_unresolved(&mut self, unit: UnitId, detail: String) {
        self.decision.record.push(Event::StartUnresolved { unit, detail });
    }

    /// A start that had no effect so far.
    fn put_off(&mut self, unit: UnitId, intent: &Intent, asked: &UnitMemory, is_stopped: bool) {
        let (kind, words) = intent
            .deferred
            .clone()
            .unwrap_or((PortErrorKind::Unavailable, String::new()));
        if intent.sent_before {
            let kept = self.state.keeps_from_sending_again(unit, self.now);
            if kept.is_some() || self.now >= later(intent.since, START_PATIENCE) {
                let why = kept.map_or(words, |kept| kept.to_string());
                let detail = format!(
                    "what was sent before may have taken effect, and what a person had sent again was not taken: {why}"
                );
                return self.leave_unresolved(unit, detail);
            }
        } else if is_stopped
            || self.memory.hidden(self.state, unit).is_some()
            || self
                .state
                .room_at_aws(unit)
                .is_some_and(|room| room.has_to_wait())
        {
            let event = Event::StartWithdrawn { unit, detail: words };
            return self.decision.record.push(event);
        } else if self.now >= later(intent.since, START_PATIENCE)
            && !self.memory.may_be_begun(self.state, unit)
        {
            // AWS spoke of the start itself: where it was not even seen whether the unit had been begun before, that
            // is tried once more.
            let detail = format!("AWS put the start off, and it is not sent any more: {words}");
            return self
                .decision
                .record
                .push(Event::StartRefused { unit, kind, detail });
        }
        if !self.is_time(asked.start_at) {
            return;
        }
        // Where AWS takes no token, only a look that counts permits a send, and after that the unit is none that may be begun.
        let is_seen = asked.seen_just_now(self.now).is_some() && !self.state.is_sent_once();
        let is_swept = self.state.is_swept() && self.memory.permits_start(self.state, unit);
        if self.memory.may_be_begun(self.state, unit) && !intent.sent_before && !is_seen && !is_swept {
            // It is intended once more when that can be seen. The log need not say each time that it cannot.
            if self.state.is_swept() {
                return self.seek(unit);
            }
            self.decision.calls.push(Call::Seek(unit));
            return;
        }
        self.start(unit, intent.attempt);
    }

    /// Looks for the starts that are unresolved: once in this driver's life, and then now and again while other
    /// units are followed. Gives when that is next.
    pub(super) fn unresolved(&mut self) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        for unit in self.state.unresolved() {
            let none = UnitMemory::default();
            let asked = self.memory.of_unit(unit).unwrap_or(&none);
            let is_busy = self.memory.unit_tasks.is_under_way(&UnitTask::Start(unit));
            if is_busy || asked.find_given_up.is_some() {
                continue;
            }
            match asked
                .not_found_at
                .map(|at| later(at, UNRESOLVED_EVERY))
                .max(asked.find_at)
            {
                Some(at) if asked.not_found_at.is_some() && at > self.now => {
                    next = Some(next.map_or(at, |next| next.min(at)));
                }
                at => {
                    if self.is_time(at) {
                        self.decision.calls.push(Call::Find(unit));
                    }
                }
            }
        }
        next
    }
}
