//! What the waves of a campaign that is over ask of a retry in which nothing of them is left.
//!
//! A wave guards those after it: by its gate, an approval, a soak, and by ending the campaign when too much of it fails. All of
//! that was to hold before the next wave began. Whoever tries again what a campaign has left begins the next wave where the last one
//! stood, so it holds there as well.

use super::{Gated, State, StopReason};
use crate::campaign::AT_CUTOFF;
use crate::id::Location;
use crate::plan::{InconclusiveGate, PassedWave};
use jiff::Timestamp;
use std::collections::BTreeSet;

impl State {
    /// The waves that are over, as a retry has them that has nothing left of them.
    pub(crate) fn passed_waves(&self) -> Vec<PassedWave> {
        let ended = self.wave_ends.iter();
        ended
            .map(|(number, ended)| {
                let went_on = self.has_begun_after(*number);
                let mut passed = PassedWave::new(*number, *ended);
                passed.approved = went_on || self.is_approved(*number);
                passed.inconclusive = match self.gated(*number) {
                    Gated::Inconclusive { known, needed, blind } if !passed.approved => {
                        Some(InconclusiveGate::new(known, needed, blind))
                    }
                    _ => None,
                };
                passed
            })
            .collect()
    }

    /// Why a retry in which nothing of a wave is left may not begin the waves after it; `None`: as far as it is known, it may, once
    /// what the wave asks for holds.
    pub(crate) fn keeps_later_waves_back(&self, wave: u32) -> Option<String> {
        if !self.waves.contains(&wave) {
            return None;
        }
        if matches!(self.gated(wave), Gated::Failed { .. }) {
            return Some("it had not passed its gate".to_owned());
        }
        if self.has_begun_after(wave) {
            return None;
        }
        if self.wave_ended(wave).is_none() {
            return Some("it was not over".to_owned());
        }
        let results = self.ledger.results.get(&wave).copied().unwrap_or_default();
        let is_well = results.failed == 0 && results.unreached == 0 && results.blind == 0;
        // What was left out for failures stays so, whoever ended the campaign after that.
        let reason = self.left_out_for.clone().or_else(|| self.left_out_because());
        let reason = reason.filter(|_| !is_well)?;
        is_for_failures(&reason).then(|| format!("the campaign ended before the next one began: {reason}"))
    }

    /// What a wave that is over asks for still before the next one may begin; `None`: nothing.
    pub(crate) fn asks_still(&self, wave: u32, now: Timestamp) -> Option<String> {
        let asked = self.plan.request.wave(wave)?;
        let passed = self
            .passed_waves()
            .into_iter()
            .find(|passed| passed.number == wave)?;
        if passed.inconclusive.is_some() {
            return Some("its gate was inconclusive, and nobody has approved of it".to_owned());
        }
        if asked.approval && !passed.approved {
            return Some("nobody has approved of it".to_owned());
        }
        let until = passed.ended.checked_add(asked.soak?.duration()).ok()?;
        (until > now && !self.has_begun_after(wave))
            .then(|| format!("its soak is not over before {until:.0}"))
    }

    /// Whether a window alone kept from being begun what was not. It is not so if units were left out for another reason before, if a
    /// person has to look at the campaign, or if what failed in it would have ended it had the window stayed open. What is cancelled at a
    /// cutoff counts as failed by then, and is no reason.
    pub(crate) fn is_left_by_window_alone(&self) -> bool {
        let by_window = |reason: &StopReason| match reason {
            StopReason::Cutoff { .. } | StopReason::PastCutoff { .. } => true,
            StopReason::Asked(asked) => asked.by == AT_CUTOFF,
            _ => false,
        };
        let is_ended_by_window = self.left_out_because().as_ref().is_some_and(by_window)
            && self.left_out_for.as_ref().is_none_or(by_window);
        let needs_a_person =
            self.breaker_stop().is_some() || self.runbook.is_some() || self.cancelled_elsewhere().is_some();
        let mut waves = self.wave_ends.keys();
        let failed_a_gate = waves.any(|wave| matches!(self.gated_beside_window(*wave), Gated::Failed { .. }));
        is_ended_by_window && !needs_a_person && !failed_a_gate && !self.has_damaged_too_many()
    }

    /// Whether more locations have damaged nodes than may fail: of all waves, or of one that has a budget of its own.
    fn has_damaged_too_many(&self) -> bool {
        let damaged = self.locations().filter(|(.., at)| {
            let settled = at.settled.as_ref();
            settled.is_some_and(|settled| {
                let mut nodes = settled.nodes.iter();
                nodes.any(|(outcome, n)| outcome.is_damaged() && n > 0)
            })
        });
        let damaged: BTreeSet<(u32, &Location)> = damaged
            .map(|(unit, location, _)| (self.wave_of(unit), location))
            .collect();
        let are_too_many = |n: usize, allowed: u32| u32::try_from(n).is_ok_and(|n| n > allowed);
        let all: BTreeSet<&Location> = damaged.iter().map(|(_, location)| *location).collect();
        let mut own = self.plan.wave_budgets.iter();
        are_too_many(all.len(), self.plan.location_errors())
            || own.any(|own| {
                let there = damaged.iter().filter(|(wave, _)| *wave == own.wave);
                own.location_errors
                    .is_some_and(|allowed| are_too_many(there.count(), allowed))
            })
    }

    /// Whether something of a later wave was begun, or may have been.
    fn has_begun_after(&self, wave: u32) -> bool {
        let mut later = self.units.iter().filter(|(id, _)| self.wave_of(**id) > wave);
        later.any(|(_, unit)| unit.is_begun() || unit.refused_attempts > 0)
    }
}

/// Whether a campaign ended for what became of its nodes, and not because a person or a window ended it.
fn is_for_failures(reason: &StopReason) -> bool {
    match reason {
        StopReason::Budget { .. }
        | StopReason::Fleet(_)
        | StopReason::Wave(_)
        | StopReason::Label { .. }
        | StopReason::Breaker(_)
        | StopReason::Gate { .. }
        | StopReason::Refused(_)
        | StopReason::BrokenOff(_)
        | StopReason::Abandoned { .. } => true,
        StopReason::RunbookChanged { .. }
        | StopReason::CancelledElsewhere { .. }
        | StopReason::Asked(_)
        | StopReason::PastCutoff { .. }
        | StopReason::Unattended { .. }
        | StopReason::Cutoff { .. }
        | StopReason::Frozen(_) => false,
    }
}
