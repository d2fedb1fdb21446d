//! CloudWatch alarms, and what state they are in at a time.

use crate::spec::AlarmState;
use jiff::Timestamp;
use patchfleet_core::id::Location;
use std::collections::BTreeMap;

/// Every alarm, by location and name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alarms {
    at: BTreeMap<Location, BTreeMap<String, Alarm>>,
}

/// An alarm.
#[derive(Debug, Clone)]
pub(crate) struct Alarm {
    /// Whether it is a composite alarm.
    pub(crate) is_composite: bool,
    /// When it was made.
    pub(in crate::world) made: Timestamp,
    /// The states that it comes to, in the order of time.
    pub(in crate::world) states: Vec<InState>,
}

/// A state that an alarm is in.
#[derive(Debug, Clone)]
pub(crate) struct InState {
    /// Since when.
    pub(crate) since: Timestamp,
    /// The state.
    pub(crate) state: AlarmState,
    /// CloudWatch's words on why.
    pub(crate) reason: String,
}

impl Alarms {
    /// Adds one, and gives whichever had its name.
    pub(in crate::world) fn insert(&mut self, at: &Location, name: String, alarm: Alarm) -> Option<Alarm> {
        self.at.entry(at.clone()).or_default().insert(name, alarm)
    }

    /// The alarms in a location, by name.
    pub(crate) fn at(&self, at: &Location) -> impl Iterator<Item = (&String, &Alarm)> {
        self.at.get(at).into_iter().flatten()
    }
}

impl Alarm {
    /// The state that it is in.
    pub(crate) fn state(&self, now: Timestamp) -> InState {
        let reached = self.states.iter().rfind(|state| state.since <= now);
        reached.cloned().unwrap_or(InState {
            since: self.made,
            state: AlarmState::Ok,
            reason: String::new(),
        })
    }
}
