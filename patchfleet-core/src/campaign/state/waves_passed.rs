//! What the waves of a campaign that is over ask of a retry in which nothing of them is left.
//!
//! A wave guards those after it: by its gate, an approval, a soak, and by ending the campaign when too much of it fails. All of
//! that was to hold before the next wave began. Whoever tries again what a campaign has left begins the next wave where the last one
//! stood, so it holds there as well.

use super::{Gated, State, StopReason};
use crate::campaign::AT_CUTOFF;
use crate::id::{Location, NodeId};
use crate::plan::{InconclusiveGate, PassedWave};
use std::collections::{BTreeMap, BTreeSet};

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
                    _ if passed.approved => None,
                    Gated::Inconclusive { known, needed, blind } => {
                        Some(InconclusiveGate::new(known, needed, blind))
                    }
                    Gated::Passed => self.not_known_in(*number),
                    // It has not while what had no turn may do well. That is tried no more where nothing of the wave is left.
                    Gated::Failed { .. } => Some(self.lacks_the_rest(*number)),
                };
                passed
            })
            .collect()
    }

    /// What the gate of a wave lacks that a window cut short: the results of the nodes that had no turn.
    fn lacks_the_rest(&self, wave: u32) -> InconclusiveGate {
        let counts = self.results_of_wave(wave);
        let known = counts.patched.saturating_sub(counts.unknown);
        let needed = counts.targeted.max(known.saturating_add(1));
        InconclusiveGate::new(known, u32::try_from(needed).unwrap_or(u32::MAX), counts.blind)
    }

    /// The nodes that the units of each location name. A location is missing if one of its units names none.
    pub(crate) fn named_by_location(&self) -> BTreeMap<&Location, BTreeSet<&NodeId>> {
        let (mut all, mut unnamed) = (BTreeMap::<&Location, BTreeSet<&NodeId>>::new(), BTreeSet::new());
        for unit in self.units.values() {
            for location in unit.locations.keys() {
                all.entry(location).or_default().extend(&unit.named);
                if unit.named.is_empty() {
                    unnamed.insert(location);
                }
            }
        }
        all.retain(|location, _| !unnamed.contains(location));
        all
    }

    /// Whether a person may still approve of a wave although the campaign is over: what it left begins in a retry, or in the next window,
    /// as soon as somebody has approved. All of the wave has had its turn, and it does not keep the later ones back.
    pub(crate) fn may_approve_when_over(&self, wave: u32) -> bool {
        let of_wave = || self.units.iter().filter(|(id, _)| self.wave_of(**id) == wave);
        let has_had_its_turn = of_wave().all(|(_, unit)| unit.is_begun());
        let by_a_person = self.stop_asked().is_some_and(|asked| asked.by != AT_CUTOFF);
        has_had_its_turn
            && !by_a_person
            && self.needs_approval(wave)
            && self.keeps_later_waves_back(wave).is_none()
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
    pub(super) fn has_damaged_too_many(&self) -> bool {
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
    pub(in crate::campaign) fn has_begun_after(&self, wave: u32) -> bool {
        let mut later = self.units.iter().filter(|(id, _)| self.wave_of(**id) > wave);
        later.any(|(_, unit)| unit.is_begun() || unit.refused_attempts > 0)
    }
}
