//! A person's stop: what it asks for, and what AWS does not let it do.

use super::{LocationState, StartState, State, StopStanding, UnitState, ended_well};
use crate::campaign::polls::later;
use crate::campaign::{NotStopped, StopAsked, StopMode};
use crate::id::{Location, UnitId};
use crate::outcome::LocationOutcome;
use crate::port::StopType;
use jiff::Timestamp;

impl State {
    /// Who had the campaign stopped, when and how, if somebody did.
    #[must_use]
    pub fn stop_asked(&self) -> Option<&StopAsked> {
        self.asked.as_ref()
    }

    /// Whether AWS may begin something more of it, as far as the log says: a start has no answer, or an execution has
    /// locations that wait for their turn. While a person has the campaign stopped, that is left to be stopped.
    #[must_use]
    pub fn is_left_to_stop(&self) -> bool {
        self.finished.is_none() && (self.intended().next().is_some() || self.going_on().next().is_some())
    }

    /// How a person has the campaign stopped.
    pub(in crate::campaign) fn stop_mode(&self) -> Option<StopMode> {
        self.asked.as_ref().map(|asked| asked.mode)
    }

    /// Takes in that a person has it stopped. What AWS refused before is tried once more.
    pub(super) fn ask_to_stop(&mut self, by: &str, mode: StopMode, at: Timestamp) {
        if self.finished.is_some() {
            return;
        }
        let asked = self.asked.get_or_insert_with(|| StopAsked::new(by, at, mode));
        asked.mode = asked.mode.max(mode);
        self.refused_before = self.not_stopped();
        self.not_stopped.clear();
        for unit in self.units.values_mut() {
            if let Some(stop) = &unit.stop
                && matches!(stop.standing, StopStanding::Refused(..))
            {
                unit.stop = None;
            }
        }
    }

    /// Whether AWS has refused something of a person's stop since that was last asked for.
    pub(in crate::campaign) fn has_refused_stops(&self) -> bool {
        let refused = |unit: &UnitState| {
            let stop = unit.stop.as_ref();
            stop.is_some_and(|stop| matches!(stop.standing, StopStanding::Refused(..)))
        };
        !self.not_stopped.is_empty() || self.units.values().any(refused)
    }

    /// Whether what runs in the locations of a unit may be stopped by now. A location that is stopped while its
    /// execution goes on would only have that begin the next one, so the execution comes first.
    pub(in crate::campaign) fn may_stop_below(&self, id: UnitId) -> bool {
        let Some(unit) = self.units.get(&id) else {
            return false;
        };
        let by = |stop: &super::Stop| {
            let is_late = stop.standing != StopStanding::Intended;
            is_late && (stop.kind == StopType::Cancel || self.stop_mode() == Some(StopMode::LetCommandsRun))
        };
        unit.counts.waiting == 0 || unit.stop.as_ref().is_some_and(by)
    }

    /// Whether something may run in a location that a person's stop has to reach.
    pub(in crate::campaign) fn is_to_be_stopped(
        &self,
        unit: UnitId,
        location: &Location,
        at: &LocationState,
    ) -> bool {
        let is_over = at.status.as_ref().is_some_and(ended_well);
        self.asked.is_some()
            && at.settled.is_none()
            && self.is_begun_at(unit, at)
            && !is_over
            && !self.is_beyond_reach(unit, location)
    }

    /// Whether something was begun in a location, as far as is known: where patchfleet sends commands itself, the unit's own is there
    /// before it was seen.
    fn is_begun_at(&self, unit: UnitId, at: &LocationState) -> bool {
        let is_started = || {
            let unit = self.units.get(&unit);
            unit.is_some_and(|unit| matches!(unit.start, StartState::Started { .. }))
        };
        at.child.is_some() || !at.is_waiting() || (self.is_sent_once() && is_started())
    }

    /// Until when the command of a location may run that a person's stop has not reached: until it expires, as AWS has
    /// told, or at the latest one that was sent when the stop was asked for, or when its step was seen to be over. Under a
    /// runbook of one's own nobody knows how long commands live, so it is as long as AWS keeps executions. `None` if
    /// nothing is known to have been begun there, or it is over.
    pub(in crate::campaign) fn may_run_on_until(&self, id: UnitId, location: &Location) -> Option<Timestamp> {
        let asked = self.asked.as_ref()?;
        let unit = self.units.get(&id)?;
        let at = unit.locations.get(location)?;
        let is_over = at.status.as_ref().is_some_and(ended_well);
        if at.settled.is_some() || is_over || !self.is_begun_at(id, at) {
            return None;
        }
        if let Some(told) = at.expires_at {
            return Some(told);
        }
        if self.is_sent_once() {
            // It was sent when its unit was started, and nothing is sent after it.
            return self.runs_until(id);
        }
        let lives = self.lives(unit.timeout, 1);
        let last_sent = at.ended_at.map_or(asked.at, |ended| ended.max(asked.at));
        Some(later(last_sent, lives))
    }

    /// Whether AWS does not let a person's stop reach what runs in a location.
    pub(in crate::campaign) fn is_beyond_reach(&self, unit: UnitId, location: &Location) -> bool {
        !self.not_stopped.is_empty() && self.not_stopped.contains_key(&(unit, location.clone()))
    }

    /// What AWS did not let patchfleet stop, whether it runs still or not. What it refused before somebody asked once more
    /// counts, unless it has taken the stop since then: it may have run to its end meanwhile.
    #[must_use]
    pub fn not_stopped(&self) -> Vec<NotStopped> {
        let mut all = self.refused_since();
        let has = |known: &[NotStopped], one: &NotStopped| {
            known
                .iter()
                .any(|other| (other.unit, &other.location) == (one.unit, &one.location))
        };
        let before = self
            .refused_before
            .iter()
            .filter(|one| !self.is_stopped_since(one) && !has(&all, one));
        let before: Vec<NotStopped> = before.cloned().collect();
        all.extend(before);
        all
    }

    /// What AWS has refused to stop since that was last asked for, and is not over.
    #[must_use]
    pub fn not_stopped_yet(&self) -> Vec<NotStopped> {
        let runs = |one: &NotStopped| match (&one.location, self.units.get(&one.unit)) {
            (_, None) => false,
            (Some(at), Some(unit)) => unit.locations.get(at).is_some_and(|at| at.settled.is_none()),
            (None, Some(unit)) => unit.locations.values().any(|at| at.settled.is_none()),
        };
        self.refused_since().into_iter().filter(runs).collect()
    }

    /// Whether AWS has let patchfleet stop this since it refused.
    fn is_stopped_since(&self, one: &NotStopped) -> bool {
        let Some(unit) = self.units.get(&one.unit) else {
            return false;
        };
        match &one.location {
            None => unit
                .stop
                .as_ref()
                .is_some_and(|stop| stop.standing == StopStanding::Taken),
            Some(at) => {
                let outcome = unit.locations.get(at).and_then(|at| at.settled.as_ref());
                outcome.is_some_and(|settled| settled.outcome == LocationOutcome::Cancelled)
            }
        }
    }

    /// What AWS has refused since the stop was last asked for.
    fn refused_since(&self) -> Vec<NotStopped> {
        let executions = self.units.iter().filter_map(|(id, unit)| {
            let execution = match &unit.start {
                StartState::Started { execution, .. } => execution,
                _ => return None,
            };
            let why = why_not_stopped(&unit.stop.as_ref()?.standing)?;
            Some(NotStopped::execution(*id, execution, self.is_sent_once(), why))
        });
        let below = self.not_stopped.iter();
        let below = below.map(|((unit, location), why)| NotStopped::below(*unit, location, why));
        executions.chain(below).collect()
    }

    /// What runs on although a person has the campaign stopped, each in a sentence, if nothing else of it does: AWS does
    /// not let anybody stop it. Empty as long as something else is left to be stopped or read. That is so too as long as
    /// an execution that AWS does not stop has locations to begin: what begins in them is to be stopped. `is_over` tells
    /// whether a unit's execution is known to be over.
    pub(in crate::campaign) fn runs_on(&self, is_over: impl Fn(UnitId) -> bool) -> Vec<String> {
        let nothing_refused = self.not_stopped.is_empty();
        let is_busy = self.intended().next().is_some() || self.going_on().any(|unit| !is_over(unit));
        if self.asked.is_none() || self.finished.is_some() || nothing_refused || is_busy {
            return vec![];
        }
        let mut what = vec![];
        for (id, unit) in self.units.iter().filter(|(_, unit)| !unit.is_unresolved()) {
            let stop = unit.stop.as_ref();
            let is_stopped = stop.is_some_and(|stop| stop.standing == StopStanding::Taken) && !is_over(*id);
            let mut left = unit.locations.iter().filter(|(_, at)| at.settled.is_none());
            let left = left.any(|(at, state)| {
                let is_not_begun = is_stopped && state.is_waiting();
                !(is_not_begun || self.is_beyond_reach(*id, at))
            });
            if left {
                return vec![];
            }
            let Some(why) = stop.and_then(|stop| why_not_stopped(&stop.standing)) else {
                continue;
            };
            if let StartState::Started { execution, .. } = &unit.start
                && !unit.has_settled()
                && !is_over(*id)
            {
                what.push(format!(
                    "the execution {execution} of unit {id} may not be stopped: {why}"
                ));
            }
        }
        let below = self.not_stopped.iter().filter(|((unit, location), _)| {
            let at = self.units.get(unit).and_then(|unit| unit.locations.get(location));
            at.is_some_and(|at| at.settled.is_none())
        });
        what.extend(
            below.map(|((_, location), detail)| {
                format!("what runs in {location} may not be stopped: {detail}")
            }),
        );
        what
    }
}

/// Why a stop did not stop an execution, if it is known not to have.
fn why_not_stopped(standing: &StopStanding) -> Option<&str> {
    match standing {
        StopStanding::Refused(_, detail) => Some(detail),
        StopStanding::InVain => Some("AWS has taken its stop, and it went on"),
        StopStanding::Intended | StopStanding::Taken => None,
    }
}
