//! What is asked before each start, by the log: change calendars, and the CloudWatch alarm.

use super::State;
use crate::campaign::rule::{Rule, is_asked};
use crate::campaign::{AlarmSaid, CalendarsSaid};

impl State {
    /// What the change calendars of the request said last, if they were asked.
    pub(in crate::campaign) fn calendars(&self) -> Option<&CalendarsSaid> {
        self.calendars.as_ref()
    }

    /// The same, unless they were open.
    pub(in crate::campaign) fn closed_calendars(&self) -> Option<&CalendarsSaid> {
        self.calendars()
            .filter(|said| **said != CalendarsSaid::Open && is_asked(Rule::Calendars))
    }

    /// What the CloudWatch alarm of the request said last, if it was asked. That it was in the state ALARM once stays so.
    pub(in crate::campaign) fn alarm(&self) -> Option<&AlarmSaid> {
        self.alarm.as_ref().filter(|_| is_asked(Rule::Alarm))
    }

    /// The same if nobody knows what state it is in.
    pub(in crate::campaign) fn unknown_alarm(&self) -> Option<&AlarmSaid> {
        self.alarm()
            .filter(|said| matches!(said, AlarmSaid::Unknown { .. }))
    }
}
