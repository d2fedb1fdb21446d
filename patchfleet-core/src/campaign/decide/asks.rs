//! What is asked right before a start: change calendars, and the CloudWatch alarm.

use super::{Agenda, Call};
use jiff::Timestamp;

/// What is known of one of them.
enum Known {
    /// Its last answer counts until then.
    Until(Timestamp),
    /// It has to be asked.
    Due,
    /// It is being asked.
    Asked,
}

impl Agenda<'_> {
    /// Whether the change calendars or the alarm, of which these matter, have to be asked first. What they said counts for a while
    /// only.
    pub(super) fn asks(&mut self, calendars: bool, alarm: bool) -> bool {
        let all = [(Call::Calendars, calendars), (Call::Alarm, alarm)];
        let mut until = vec![];
        let mut is_asked = false;
        for call in all
            .into_iter()
            .filter_map(|(call, matters)| matters.then_some(call))
        {
            match self.known(&call) {
                None => {}
                Some(Known::Until(at)) => until.push(at),
                Some(Known::Asked) => is_asked = true,
                Some(Known::Due) => {
                    is_asked = true;
                    if !self.decision.calls.contains(&call) {
                        self.decision.calls.push(call);
                    }
                }
            }
        }
        // The other is not asked anew while one is. Slow answers would make it go on like that.
        if !is_asked {
            until.into_iter().for_each(|at| self.wake(at));
        }
        is_asked
    }

    /// `None`: the request names none.
    fn known(&self, call: &Call) -> Option<Known> {
        let request = &self.state.plan().request;
        let (is_named, known) = match call {
            Call::Calendars => (!request.change_calendars.is_empty(), self.memory.calendars),
            Call::Alarm => (request.breaker.alarm.is_some(), self.memory.alarm),
            _ => (false, crate::campaign::memory::AskedBefore::default()),
        };
        if !is_named {
            return None;
        }
        if known.is_asked {
            return Some(Known::Asked);
        }
        let until = known.holds_until.filter(|until| self.now < *until);
        Some(until.map_or(Known::Due, Known::Until))
    }
}
