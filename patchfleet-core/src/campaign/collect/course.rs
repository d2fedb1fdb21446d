//! Whether anything was begun in a location, as far as the log and the execution tell.

use super::Job;
use crate::campaign::StopReason;
use crate::campaign::state::{LocationState, StartState, State, StopStanding, UnitState, ended_well};
use crate::outcome::LocationOutcome;
use crate::port::ExecutionStatus;

/// Why a location never ran, or that it did.
pub(super) enum Course {
    Ran,
    /// The step was begun and names no execution. This, unless there is one all the same: it is not
    /// documented that a step that failed names it, and nodes that were patched must not be
    /// reported as left alone.
    Unnamed(LocationOutcome, String),
    /// By its steps the execution did not reach the location. This, unless there is an execution all the same
    /// in which nodes may have been patched: a cancel may cross with a start. Nobody need be able to ask.
    Unreached(LocationOutcome, String),
    Never(LocationOutcome, String),
}

impl Job<'_> {
    /// Whether the campaign has stopped the unit's execution itself.
    pub(super) fn may_be_stopped(&self) -> bool {
        let unit = self.state.units().get(&self.unit);
        unit.is_some_and(UnitState::may_be_stopped)
    }

    /// Why the execution that the campaign has stopped, as far as it knows, did not reach the location.
    fn stopped_in_words(&self) -> String {
        let why = match self.state.stop_asked() {
            Some(asked) => asked.to_string(),
            None if let Some(stop) = self.state.stop_of_what_aws_paces() => stop.to_string(),
            None if let Some(stop @ StopReason::Wave(_)) = self.state.first_left_out_for() => {
                stop.to_string()
            }
            None => self.state.breaker_stop().map_or_else(
                || "too many others failed".to_owned(),
                |breaker| breaker.to_string(),
            ),
        };
        let unit = self.state.units().get(&self.unit);
        if let Some(alarm) = unit.and_then(|unit| unit.stopped_for_alarm.as_ref()) {
            return format!(
                "Systems Manager stopped the execution before it reached the location, as {alarm}"
            );
        }
        let stop = unit.and_then(|unit| unit.stop.as_ref());
        if stop.is_some_and(|stop| stop.standing == StopStanding::Intended) {
            format!(
                "the execution was stopped before it reached the location, by patchfleet as far as it can tell: it meant \
                 to stop it, as {why}, and has no answer to that"
            )
        } else {
            format!("patchfleet stopped the execution before it reached the location, as {why}")
        }
    }

    /// Whether anything was begun in the location, as far as the log and the execution tell.
    pub(super) fn course(&self, start: &StartState, at: &LocationState) -> Course {
        use LocationOutcome as O;
        match start {
            StartState::NotStarted | StartState::Intended(_) => {
                if let Some(detail) = self.state.kept_back(self.unit) {
                    return Course::Never(O::NodesFailed, detail);
                }
                return Course::Never(O::NotStarted, stop_in_words(self.state, self.unit));
            }
            StartState::Refused { detail, .. } => return Course::Never(O::StartRefused, detail.clone()),
            StartState::Unresolved { detail, .. } => return Course::Never(O::Unresolved, detail.clone()),
            StartState::Started { .. } => {}
        }
        if at.child.is_some() || !at.commands.is_empty() {
            return Course::Ran;
        }
        let is_idle = |status: &ExecutionStatus| {
            matches!(status, ExecutionStatus::Pending | ExecutionStatus::Cancelled)
        };
        if self.may_be_stopped() && at.status.as_ref().is_none_or(is_idle) {
            return Course::Unreached(O::NotStarted, self.stopped_in_words());
        }
        match at.status.as_ref().filter(|status| status.is_terminal()) {
            Some(status) if ended_well(status) => Course::Unnamed(
                O::ResultsUnreadable,
                "the step succeeded, and names no execution in the location".to_owned(),
            ),
            Some(status) => match (failed_early(status, &at.failure), words(status, &at.failure)) {
                // Without the role there is no execution, and most likely nobody to ask for it.
                (O::RoleNotAssumable, detail) => Course::Never(O::RoleNotAssumable, detail),
                (outcome, detail) => Course::Unnamed(outcome, detail),
            },
            // Begun, and cut off with the execution.
            None if at
                .status
                .as_ref()
                .is_some_and(|status| *status != ExecutionStatus::Pending) =>
            {
                let (status, failure) = self.parent.map_or((&ExecutionStatus::Failed, ""), |parent| {
                    (&parent.status, &parent.failure)
                });
                let detail = format!(
                    "the execution ended while the location was at work: {}",
                    words(status, failure)
                );
                Course::Unnamed(failed_early(status, ""), detail)
            }
            None => {
                let status = self.parent.map(|parent| &parent.status);
                let failure = self.parent.map_or("", |parent| &parent.failure);
                match status {
                    Some(ExecutionStatus::Cancelled) => Course::Unreached(
                        O::Cancelled,
                        "the execution was cancelled before it reached the location".to_owned(),
                    ),
                    Some(status) => Course::Unreached(
                        O::NotStarted,
                        format!(
                            "the execution ended before it reached the location: {}",
                            words(status, failure)
                        ),
                    ),
                    None => Course::Never(O::NotStarted, String::new()),
                }
            }
        }
    }
}

/// What a location came to whose execution ended before it sent a command. The words are those of
/// AWS's own samples; their case and what stands around them are not relied on.
pub(super) fn failed_early(status: &ExecutionStatus, failure: &str) -> LocationOutcome {
    if failure.to_ascii_lowercase().contains("unable to be assumed") {
        return LocationOutcome::RoleNotAssumable;
    }
    match status {
        ExecutionStatus::Cancelled => LocationOutcome::Cancelled,
        ExecutionStatus::TimedOut => LocationOutcome::TimedOut,
        _ => LocationOutcome::FailedBeforeCommand,
    }
}

pub(super) fn words(status: &ExecutionStatus, failure: &str) -> String {
    if failure.is_empty() {
        format!("ended as {}", status.as_str())
    } else {
        failure.to_owned()
    }
}

fn stop_in_words(state: &State, unit: crate::id::UnitId) -> String {
    let by_label = state.units().get(&unit).and_then(|unit| unit.kept_back.as_ref());
    if let Some(used_up) = by_label {
        return format!("not begun: {used_up}");
    }
    let reason = state.first_left_out_for();
    reason.map_or(String::new(), |reason| format!("not begun: {reason}"))
}
