//! What a campaign's state amounts to: how many locations failed, whether a further unit may be
//! begun, and how the campaign ends.

use super::{BreakerStop, LabelStop, LocationState, StartState, State, StopReason, UnitState};
use crate::campaign::rule::{Rule, is_asked};
use crate::id::{Location, UnitId};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::ExecutionStatus;
use jiff::Timestamp;

impl State {
    /// How many locations failed, in the sense of the location budget: the execution there did not
    /// end well, or a node there was damaged. What was never begun did not fail, nor did a
    /// location without a node; nodes that were offline before, or unmanaged, are no failure.
    #[must_use]
    pub(crate) fn failed_locations(&self) -> u32 {
        self.ledger.failed_locations()
    }

    /// Whether a location of a unit counts as failed.
    pub(crate) fn counts_as_failed(&self, unit: UnitId, location: &Location, at: &LocationState) -> bool {
        self.has_failed(at) && !self.is_harmless(unit, location, at, |accepted| accepted)
    }

    /// Whether a location failed, whoever cancelled something of it. A refused command is of its location alone, and so is a
    /// location that lets nobody see whether one was sent; a refused start of an execution stops the campaign.
    pub(super) fn has_failed(&self, at: &LocationState) -> bool {
        let of_location = || {
            matches!(
                at.outcome(),
                Some(LocationOutcome::StartRefused | LocationOutcome::Unresolved)
            )
        };
        at.has_failed() || (self.is_sent_once() && of_location())
    }

    /// How many locations failed, without those where a cancel did no damage, whether or not a person has
    /// accepted it.
    fn failed_beside_cancels(&self) -> u32 {
        let failed = self.ledger.failed.keys().filter(|location| {
            self.units_at(location).any(|(id, unit)| {
                let at = unit.locations.get(*location);
                at.is_some_and(|at| self.has_failed(at) && !self.is_harmless(id, location, at, |_| true))
            })
        });
        u32::try_from(failed.count()).unwrap_or(u32::MAX)
    }

    /// What somebody else cancelled, if no person has said yet that the campaign goes on.
    pub(super) fn cancelled_elsewhere(&self) -> Option<(UnitId, &Option<Location>)> {
        let open = self.cancels.iter().find(|(_, accepted)| !**accepted);
        open.map(|((unit, location), _)| (*unit, location))
    }

    /// Whether a cancel here did no damage and is accepted. Such a location does not count against the budget.
    pub(super) fn is_harmless(
        &self,
        unit: UnitId,
        location: &Location,
        at: &LocationState,
        is_accepted: impl Fn(bool) -> bool,
    ) -> bool {
        let accepted = |location: Option<Location>| {
            let known = self.cancels.get(&(unit, location));
            known.is_some_and(|accepted| is_accepted(*accepted))
        };
        let damaged = at
            .settled
            .as_ref()
            .is_some_and(|settled| settled.nodes.iter().any(|(outcome, _)| outcome.is_damaged()));
        matches!(
            at.outcome(),
            Some(LocationOutcome::Cancelled | LocationOutcome::Succeeded)
        ) && !damaged
            && (accepted(None) || accepted(Some(location.clone())))
    }

    /// The last instant at which a start may be made; `None` if the plan has no cutoff.
    pub(in crate::campaign) fn begins_until(&self) -> Option<Timestamp> {
        self.plan.lifetime.as_ref()?.begins_until()
    }

    /// The last instant at which a start may be sent that may be sent now; `None` if neither a cutoff nor a freeze says so.
    pub(in crate::campaign) fn sends_until(&self, now: Timestamp) -> Option<Timestamp> {
        let freeze = self
            .plan
            .freeze_allows_until(now)
            .filter(|_| is_asked(Rule::Freeze));
        self.begins_until().into_iter().chain(freeze).min()
    }

    /// Why no further unit is begun; `None` while there is no reason. The time is that of the last
    /// record.
    #[must_use]
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.stop_reason_at(self.last_at)
    }

    /// Whether more locations failed than the plan allows. Locations of which nobody knows whether they run hold what is
    /// to be begun ([`HoldReason::Unresolved`](crate::campaign::HoldReason::Unresolved)). They stop nothing that runs: a
    /// stop cannot be taken back, and what it was for may turn out well.
    pub(in crate::campaign) fn has_used_up_its_budget(&self) -> bool {
        self.failed_locations() > self.plan.location_errors() || self.failed_wave().is_some()
    }

    /// Whether what AWS paces is stopped: it would begin more, and knows of no reason not to. Or a person has all of it
    /// stopped.
    pub(in crate::campaign) fn stops_what_runs(&self) -> bool {
        self.has_used_up_its_budget()
            || self.stop_of_what_aws_paces().is_some()
            || self.breaker_stop().is_some()
            || self.stop_mode().is_some()
    }

    /// Whether no further unit is begun, at an instant that is not before the last record.
    pub(crate) fn is_stopped(&self, now: Timestamp) -> bool {
        is_asked(Rule::Stop) && self.has_reason_to_stop(now)
    }

    fn has_reason_to_stop(&self, now: Timestamp) -> bool {
        self.abandoned.is_some()
            || self.asked.is_some()
            || self.runbook.is_some()
            || self.cancelled_elsewhere().is_some()
            || self.has_used_up_its_budget()
            || self.fleet_stop().is_some()
            || self.wave_stop().is_some()
            || self.breaker_stop().is_some()
            || !self.ledger.stopping.is_empty()
            || !self.ledger.late.is_empty()
            || self.unattended.is_some()
            || self.begins_until().is_some_and(|until| now > until)
            || self.failed_gate().is_some()
    }

    /// Why no further unit is begun at an instant that is not before the last record.
    pub(crate) fn stop_reason_at(&self, now: Timestamp) -> Option<StopReason> {
        if let Some(by) = &self.abandoned {
            return Some(StopReason::Abandoned { by: by.clone() });
        }
        if let Some(asked) = &self.asked {
            return Some(StopReason::Asked(asked.clone()));
        }
        if let Some((change, detail)) = &self.runbook {
            return Some(StopReason::RunbookChanged {
                change: *change,
                detail: detail.clone(),
            });
        }
        if let Some((unit, location)) = self.cancelled_elsewhere() {
            return Some(StopReason::CancelledElsewhere {
                unit,
                location: location.clone(),
                left: self.is_something_left(now),
                until: self.begins_until(),
            });
        }
        self.other_reason(now, self.failed_locations(), self.breaker_stop())
    }

    /// Whether something is begun once a person says that the campaign goes on.
    fn is_something_left(&self, now: Timestamp) -> bool {
        self.is_something_unbegun() && self.reason_beside_cancels(now).is_none()
    }

    /// Why nothing more is begun, although something is left and a person says that the campaign goes on.
    pub(in crate::campaign) fn keeps_the_rest(&self, now: Timestamp) -> Option<StopReason> {
        if let Some(asked) = &self.asked {
            return Some(StopReason::Asked(asked.clone()));
        }
        let left = !self.cancels.is_empty() && self.is_something_unbegun();
        left.then(|| self.reason_beside_cancels(now)).flatten()
    }

    fn is_something_unbegun(&self) -> bool {
        let waits = |unit: &UnitState| {
            !unit.is_begun() && !unit.has_nobody_left() && !self.used_up(unit) && unit.kept_back.is_none()
        };
        self.units.values().any(waits) || !self.rest().is_empty()
    }

    /// Why no further unit is begun once a person has accepted every cancel.
    fn reason_beside_cancels(&self, now: Timestamp) -> Option<StopReason> {
        self.other_reason(now, self.failed_beside_cancels(), self.breaker_beside_cancels())
            .or_else(|| self.failed_gate_if(true))
    }

    /// Why no further unit is begun, other than a cancel or a changed runbook, when so many locations failed and this breaker
    /// has tripped.
    fn other_reason(&self, now: Timestamp, failed: u32, breaker: Option<BreakerStop>) -> Option<StopReason> {
        // Where both hold, the alarm is named: what is stopped for it may count as failed.
        if let Some(stop) = breaker.clone().filter(BreakerStop::is_for_alarm) {
            return Some(StopReason::Breaker(stop));
        }
        let allowed = self.plan.location_errors();
        if failed > allowed {
            return Some(StopReason::Budget { failed, allowed });
        }
        if let Some(stop) = self.fleet_stop() {
            return Some(StopReason::Fleet(stop));
        }
        if let Some(stop) = self.wave_stop() {
            return Some(StopReason::Wave(stop));
        }
        if let Some(stop) = breaker {
            return Some(StopReason::Breaker(stop));
        }
        self.why_it_stops()
            .or_else(|| {
                let (unit, location) = self.ledger.late.first()?;
                let at = self.units.get(unit)?.locations.get(location)?;
                Some(StopReason::PastCutoff {
                    location: location.clone(),
                    expires: at.expires_at?,
                    at: self.cutoff()?,
                })
            })
            .or_else(|| {
                let (since, until) = self.unattended?;
                Some(StopReason::Unattended { since, until })
            })
            .or_else(|| {
                let lifetime = self.plan.lifetime.as_ref()?;
                let (until, at) = (lifetime.begins_until()?, lifetime.cutoff?);
                (now > until).then_some(StopReason::Cutoff { at })
            })
            .or_else(|| self.failed_gate())
    }

    #[cfg(test)]
    pub(in crate::campaign) fn was_left_alone(&self) -> bool {
        self.unattended.is_some()
    }

    #[cfg(test)]
    pub(in crate::campaign) fn is_abandoned(&self) -> bool {
        self.abandoned.is_some()
    }

    #[cfg(test)]
    pub(in crate::campaign) fn runbook_has_changed(&self) -> bool {
        self.runbook.is_some()
    }

    /// Why the first unit that is a reason to begin nothing more is one.
    fn why_it_stops(&self) -> Option<StopReason> {
        let id = *self.ledger.stopping.first()?;
        Some(match self.units.get(&id)?.start {
            StartState::Refused { .. } => StopReason::Refused(id),
            _ => StopReason::BrokenOff(id),
        })
    }

    /// Whether the unit's execution ended without reaching its locations, and not because of its error limit or
    /// of a cancel.
    pub(in crate::campaign) fn broke_off(&self, id: UnitId, unit: &UnitState) -> bool {
        unit.counts.unreached > 0
            && unit.stop.is_none()
            && unit.stopped_for_alarm.is_none()
            && !self.used_up_its_errors(id, unit)
            && !self.knows_cancel(id, None)
    }

    /// Whether more steps of a unit failed than its own error limit allows, so that AWS went no further. A step
    /// that settled before it ended, because its command matched no node, ends as Success (recorded).
    pub(super) fn used_up_its_errors(&self, id: UnitId, unit: &UnitState) -> bool {
        let planned = self.plan.unit(id);
        planned.is_some_and(|planned| unit.counts.steps_failed > planned.location_errors())
    }

    /// Why locations were left out that had not been begun; `None` if none was.
    #[must_use]
    pub fn left_out_because(&self) -> Option<StopReason> {
        if self.stop_reason().is_none()
            && self.has_settled_rest()
            && let Some((unit, _)) = self.rest().first()
            && let Some((_, location)) = self.cancels.keys().find(|(of, _)| of == unit)
        {
            return Some(StopReason::CancelledElsewhere {
                unit: *unit,
                location: location.clone(),
                left: true,
                until: self.begins_until(),
            });
        }
        let left_out = self.abandoned.is_some()
            || self.asked.is_some()
            || self.runbook.is_some()
            || self.cancelled_elsewhere().is_some()
            || !self.ledger.late.is_empty()
            || self
                .units
                .iter()
                .any(|(id, unit)| unit.has_unreached() && self.is_cut_short(*id, unit));
        self.left_out_for().filter(|_| left_out)
    }

    /// Why locations were left out, or why those that have not been begun will be, although no driver has written that down yet.
    pub(crate) fn nothing_more_because(&self, now: Timestamp) -> Option<StopReason> {
        let will_be = self.finished.is_none() && self.is_something_unbegun();
        self.left_out_because()
            .or_else(|| self.stop_reason_at(now.max(self.last_at)).filter(|_| will_be))
    }

    /// Whether what the unit did not begin was left out for a reason of the campaign's own: it was not begun, the
    /// campaign stopped it, or AWS did for the failures that it counts.
    fn is_cut_short(&self, id: UnitId, unit: &UnitState) -> bool {
        match unit.start {
            StartState::Started { .. } => unit.may_be_stopped() || self.used_up_its_errors(id, unit),
            StartState::Intended(_) | StartState::Refused { .. } | StartState::Unresolved { .. } => false,
            StartState::NotStarted => true,
        }
    }

    /// Why the first unit was left out, as it was when that was decided.
    pub(in crate::campaign) fn first_left_out_for(&self) -> Option<&StopReason> {
        self.left_out_for.as_ref()
    }

    /// Why nothing more is begun, or why what was left out was.
    pub(in crate::campaign) fn left_out_for(&self) -> Option<StopReason> {
        self.stop_reason()
            .filter(|reason| !self.came_too_late(reason))
            .or_else(|| self.left_out_for.clone())
            .or_else(|| self.used_up_labels())
    }

    /// Whether values of labels have kept units from being begun.
    pub(crate) fn has_kept_back(&self) -> bool {
        self.units.values().any(|unit| unit.kept_back.is_some())
    }

    /// Whether a cutoff came when nothing was left that it could keep from being begun: only values of labels did.
    fn came_too_late(&self, reason: &StopReason) -> bool {
        let mut left = self.units.values().filter(|unit| !unit.is_begun()).peekable();
        matches!(reason, StopReason::Cutoff { .. })
            && left.peek().is_some()
            && left.all(|unit| unit.kept_back.is_some())
    }

    /// The values of labels for which units were left out.
    fn used_up_labels(&self) -> Option<StopReason> {
        let kept_back = self.units.values().filter_map(|unit| unit.kept_back.as_ref());
        let mut values: Vec<&LabelStop> = vec![];
        for stop in kept_back {
            if !values
                .iter()
                .any(|known| (&known.by, &known.value) == (&stop.by, &stop.value))
            {
                values.push(stop);
            }
        }
        let (first, others) = values.split_first()?;
        Some(StopReason::Label {
            first: (*first).clone(),
            others: others.len(),
        })
    }

    /// How the campaign ends, once every unit is over.
    ///
    /// Halted, if a person had it stopped, if a command lived past the cutoff, if somebody else cancelled something and no person has said to
    /// go on, if something is left of an execution that was cancelled, if AWS stopped an execution for the alarm and a location did
    /// not end well, if a start was withheld because the runbook had changed, or if a location was not begun because too many had
    /// failed, in its unit (AWS stopped) or before it, or because a wave had not passed its gate, or because the cutoff had come, or
    /// because nobody had driven the campaign for long. Otherwise Succeeded, if every location succeeded or had no node left and none
    /// was skipped as unknown. A plan without a location has nothing to do, unless locations were skipped as unknown or offline: then
    /// it is Partial, as those may hold nodes.
    #[must_use]
    pub fn outcome(&self) -> FinishedOutcome {
        use crate::refusal::SkipReason;
        // There may be nodes, or there are, and nobody has patched them.
        let retries = self.plan.retries.as_ref();
        let is_some_left = retries.is_some_and(|retried| !retried.unmanaged.is_empty());
        let mut skipped = self.plan.skipped.iter();
        let unknown_skipped = is_some_left
            || skipped.any(|skip| matches!(skip.reason, SkipReason::Unknown | SkipReason::Offline));
        if self.units.is_empty() {
            return if unknown_skipped {
                FinishedOutcome::Partial
            } else {
                FinishedOutcome::NothingToDo
            };
        }
        // A changed runbook is recorded only where a start was withheld.
        if self.abandoned.is_some()
            || self.asked.is_some()
            || self.runbook.is_some()
            || self.cancelled_elsewhere().is_some()
            || !self.rest().is_empty()
            || !self.ledger.late.is_empty()
        {
            return FinishedOutcome::Halted;
        }
        let now = self.stop_reason().filter(|reason| !self.came_too_late(reason));
        let by_budget = [now, self.left_out_for.clone()].iter().flatten().any(|reason| {
            matches!(
                reason,
                StopReason::Budget { .. }
                    | StopReason::Fleet(_)
                    | StopReason::Wave(_)
                    | StopReason::Breaker(_)
                    | StopReason::Gate { .. }
                    | StopReason::Cutoff { .. }
                    | StopReason::PastCutoff { .. }
                    | StopReason::Unattended { .. }
            )
        });
        let halted = self.units.iter().any(|(id, unit)| {
            unit.has_unreached()
                && match unit.start {
                    StartState::Started { .. } => unit.may_be_stopped() || self.used_up_its_errors(*id, unit),
                    _ => by_budget,
                }
        });
        let well = self.locations().all(|(_, _, location)| {
            location.outcome().is_some_and(|outcome| {
                matches!(outcome, LocationOutcome::Succeeded | LocationOutcome::Emptied)
            })
        });
        let halted = halted || (self.stopped_for_alarm.is_some() && !well);
        match (halted, well && !unknown_skipped) {
            (true, _) => FinishedOutcome::Halted,
            (false, true) => FinishedOutcome::Succeeded,
            (false, false) => FinishedOutcome::Partial,
        }
    }
}

impl UnitState {
    /// Whether a location of it was never begun.
    fn has_unreached(&self) -> bool {
        self.counts.unreached > 0
    }
}

impl LocationState {
    pub(super) fn has_failed(&self) -> bool {
        let Some(settled) = &self.settled else {
            return false;
        };
        let step_failed = self
            .status
            .as_ref()
            .is_some_and(|status| status.is_terminal() && !ended_well(status));
        match settled.outcome {
            // Without a node, or without an execution: nothing can have failed. The locations of a unit that is
            // unresolved are counted before they settle.
            LocationOutcome::Emptied
            | LocationOutcome::Vanished
            | LocationOutcome::NotStarted
            | LocationOutcome::StartRefused
            | LocationOutcome::Unresolved => false,
            LocationOutcome::Succeeded | LocationOutcome::NodesFailed => {
                step_failed || settled.nodes.iter().any(|(outcome, _)| outcome.is_damaged())
            }
            LocationOutcome::RoleNotAssumable
            | LocationOutcome::FailedBeforeCommand
            | LocationOutcome::CommandFailed
            | LocationOutcome::Cancelled
            | LocationOutcome::TimedOut
            | LocationOutcome::ResultsUnreadable => true,
        }
    }
}

/// Whether a terminal status is a good one.
pub(in crate::campaign) fn ended_well(status: &ExecutionStatus) -> bool {
    matches!(status.as_str(), "Success" | "CompletedWithSuccess")
}
