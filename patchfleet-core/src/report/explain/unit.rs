//! What the log says of a unit's part of a location.

use super::Standing;
use super::aws::{self, AwsId};
use super::place::Place;
use crate::campaign::{Hold, LocationState, StartState, UnitState};
use crate::id::UnitId;
use crate::outcome::LocationOutcome;
use crate::plan::Unit;
use crate::report::build::WAITS_AT_AWS;
use crate::text::{by_number, counted};
use serde::{Deserialize, Serialize};

/// What a campaign's log says of a unit's part of a location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UnitExplanation {
    /// The unit.
    pub unit: UnitId,
    /// Which attempt its start is, from 1; `None` if it was not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The unit whose execution was cancelled before it reached the location, if this one was added in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<UnitId>,
    /// How far it is here.
    pub standing: Standing,
    /// What became of its part; `None` until that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<LocationOutcome>,
    /// Why, in words.
    pub why: String,
    /// The rule that holds it and its numbers, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Why nothing more of the campaign is begun, if the unit waits or was left out for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// What AWS has of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aws: Vec<AwsId>,
}

impl Place<'_> {
    pub(super) fn unit(&self, id: UnitId, unit: &UnitState) -> UnitExplanation {
        let none = LocationState::default();
        let at = unit.locations.get(self.location).unwrap_or(&none);
        let hold = self.summary.holds.iter().find(|hold| hold.unit == id).cloned();
        let stopped = self.stopped(unit, at);
        let standing = match &at.settled {
            Some(_) => Standing::Settled,
            None if unit.is_unresolved() => Standing::Unresolved,
            None if at.is_waiting() || self.state.waits_in(id, at) => Standing::Waiting,
            None => Standing::Running,
        };
        let row = self
            .node
            .and_then(|node| self.kept.rows.iter().find(|row| row.node == *node));
        UnitExplanation {
            unit: id,
            attempt: match &unit.start {
                StartState::Started { attempt, .. } => Some(*attempt),
                StartState::Intended(intent) | StartState::Unresolved { intent, .. } => Some(intent.attempt),
                StartState::NotStarted | StartState::Refused { .. } => None,
            },
            instead_of: unit.instead_of,
            standing,
            outcome: at.outcome(),
            why: self.why_of_unit(id, unit, at, hold.as_ref(), stopped.as_deref()),
            aws: aws::ids(self.state, id, self.location, at, row, self.node),
            hold,
            stopped,
        }
    }

    /// Why nothing more is begun, if that is why nothing was begun here.
    fn stopped(&self, unit: &UnitState, at: &LocationState) -> Option<String> {
        match at.outcome() {
            Some(LocationOutcome::NotStarted) => {
                let reason = self.state.left_out_because();
                reason.map(|reason| reason.to_string())
            }
            None if matches!(unit.start, StartState::NotStarted) => self
                .state
                .stop_reason_at(self.now)
                .map(|reason| reason.to_string()),
            _ => None,
        }
    }

    fn why_of_unit(
        &self,
        id: UnitId,
        unit: &UnitState,
        at: &LocationState,
        hold: Option<&Hold>,
        stopped: Option<&str>,
    ) -> String {
        if let Some(settled) = &at.settled {
            return match (&settled.detail, settled.outcome, stopped) {
                (detail, ..) if !detail.is_empty() => detail.clone(),
                (_, LocationOutcome::Succeeded, _) => "every targeted node reached its goal".to_owned(),
                (_, _, Some(reason)) => format!("not begun: {reason}"),
                _ => String::new(),
            };
        }
        if let Some(hold) = hold {
            return hold.reason.to_string();
        }
        match &unit.start {
            StartState::Refused { detail, .. } | StartState::Unresolved { detail, .. } => detail.clone(),
            StartState::NotStarted => match (self.state.kept_back(id), stopped) {
                (Some(why), _) => why,
                (None, Some(reason)) => format!("nothing more is begun: {reason}"),
                (None, None) => "nothing holds it: whoever drives the campaign begins it next".to_owned(),
            },
            StartState::Intended(_) => stopped.unwrap_or_default().to_owned(),
            StartState::Started { .. } => self.why_it_runs(id, unit, at),
        }
    }

    /// How far an execution is that was started and has not settled here.
    fn why_it_runs(&self, id: UnitId, unit: &UnitState, at: &LocationState) -> String {
        if self.state.waits_in(id, at) {
            return WAITS_AT_AWS.to_owned();
        }
        if at.is_waiting() {
            let all = unit.locations.len();
            let busy = unit
                .locations
                .values()
                .filter(|at| at.settled.is_none() && !at.is_waiting());
            let busy = busy.count();
            let at_once = self.state.plan().unit(id).map_or(0, Unit::locations_at_once);
            return match all {
                1 if self.state.is_sent_once() => {
                    "its command was sent, and nothing of it is known yet".to_owned()
                }
                1 => "its execution was started, and nothing is known to run here yet".to_owned(),
                _ => format!(
                    "its execution has not come to it yet: it works in {busy} of its {} now, in {at_once} at once",
                    counted(all, "location")
                ),
            };
        }
        if let Some(status) = at.status.as_ref().filter(|status| status.is_terminal()) {
            return format!(
                "it ended here as {}, and its results are not read yet",
                status.as_str()
            );
        }
        match at.counts() {
            None => "it is at work here, and no command of it is known yet".to_owned(),
            Some(counts) => format!(
                "it is at work here: {} of {} {} through, {} failed",
                counts.completed,
                counted(counts.targets, "node"),
                by_number(counts.completed, "is", "are"),
                counts.errors
            ),
        }
    }
}
