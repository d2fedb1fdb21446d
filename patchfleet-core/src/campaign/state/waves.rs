//! How far the waves of a campaign are, and what their nodes came to.

use super::waves_shown::is_blind;
use super::{LocationState, State, StopReason};
use crate::budget::MaxErrors;
use crate::campaign::ledger::WaveCounts;
use crate::id::UnitId;
use crate::outcome::{LocationOutcome, NodeOutcome};
use crate::plan::{InconclusiveGate, Plan};
use crate::request::{EmptyWave, Gate, Wave};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What the gate of a wave that is over says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::campaign) enum Gated {
    /// It has none, or its nodes came to what it asks for.
    Passed,
    /// They did not.
    Failed {
        /// Whether too many failed; otherwise too many were not reached.
        are_failures: bool,
        found: u64,
        of: u64,
        allowed: MaxErrors,
    },
    /// The results of too few nodes are known, or of the nodes of so many locations nothing at all.
    Inconclusive { known: u64, needed: u32, blind: u64 },
}

/// The waves of a plan, with those of which a retry has nothing left.
pub(super) fn of(plan: &Plan) -> Vec<u32> {
    let there = plan.waves().into_iter().map(|wave| wave.number);
    let all: BTreeSet<u32> = there.chain(ended_before(plan).into_keys()).collect();
    all.into_iter().collect()
}

/// When those were over of which a retry has nothing left.
pub(super) fn ended_before(plan: &Plan) -> BTreeMap<u32, Timestamp> {
    let passed = plan.retries.iter().flat_map(|retried| &retried.passed);
    passed.map(|wave| (wave.number, wave.ended)).collect()
}

/// Those of them that need no approval any more.
pub(super) fn approved_before(plan: &Plan) -> BTreeSet<u32> {
    let passed = plan.retries.iter().flat_map(|retried| &retried.passed);
    let approved = passed.filter(|wave| wave.approved);
    approved.map(|wave| wave.number).collect()
}

impl State {
    /// The wave of a unit, from 1.
    pub(in crate::campaign) fn wave_of(&self, id: UnitId) -> u32 {
        self.plan.unit(id).map_or(1, |unit| unit.wave)
    }

    /// The first wave that has units which are not over, and how many they are. `None` once all are over.
    pub(in crate::campaign) fn first_open_wave(&self) -> Option<(u32, u32)> {
        let (wave, units) = self.ledger.open_waves.first_key_value()?;
        Some((*wave, *units))
    }

    /// The waves that are over and come before that of a unit.
    pub(in crate::campaign) fn waves_before(&self, id: UnitId) -> impl Iterator<Item = u32> {
        self.wave_ends.range(..self.wave_of(id)).map(|(wave, _)| *wave)
    }

    /// When a wave was over; `None` if it is not.
    pub(in crate::campaign) fn wave_ended(&self, wave: u32) -> Option<Timestamp> {
        self.wave_ends.get(&wave).copied()
    }

    /// Whether a person has approved of a wave since it was over, or an earlier campaign had gone on after it.
    pub(in crate::campaign) fn is_approved(&self, wave: u32) -> bool {
        self.approved.contains(&wave) || self.went_on_before(wave)
    }

    /// Whether a wave is over and a person has to approve of it, and nobody has.
    pub(in crate::campaign) fn needs_approval(&self, wave: u32) -> bool {
        let asks = self.plan.request.wave(wave).is_some_and(|wave| wave.approval);
        let is_open = matches!(self.gated(wave), Gated::Inconclusive { .. });
        self.wave_ends.contains_key(&wave) && (asks || is_open) && !self.is_approved(wave)
    }

    /// The first wave of which a person has to approve before the next one begins.
    pub(crate) fn to_approve(&self) -> Option<u32> {
        let last = self.waves.last()?;
        let mut over = self.wave_ends.range(..*last).map(|(wave, _)| *wave);
        over.find(|wave| self.needs_approval(*wave))
    }

    /// A person approves of a wave. Of one that is not over nobody can.
    pub(super) fn approve(&mut self, wave: u32) {
        if self.wave_ends.contains_key(&wave) {
            self.approved.insert(wave);
        }
    }

    /// Notes which waves are over. One that was over is not any more once a person has more of it begun.
    pub(super) fn note_waves(&mut self, at: Timestamp) {
        let open = &self.ledger.open_waves;
        if open.len() + self.wave_ends.len() == self.waves.len() {
            return;
        }
        self.wave_ends.retain(|wave, _| !open.contains_key(wave));
        self.approved.retain(|wave| !open.contains_key(wave));
        for wave in self.waves.iter().filter(|wave| !open.contains_key(wave)) {
            self.wave_ends.entry(*wave).or_insert(at);
        }
    }

    /// What the gate of a wave says, by the results that are known.
    pub(in crate::campaign) fn gated(&self, wave: u32) -> Gated {
        let retries = self.plan.retries.as_ref();
        if let Some(passed) = retries.and_then(|retried| retried.passed(wave)) {
            // Its results are in the log of an earlier campaign.
            return match passed.inconclusive {
                None => Gated::Passed,
                Some(InconclusiveGate { known, needed, blind }) => {
                    Gated::Inconclusive { known, needed, blind }
                }
            };
        }
        let Some(gate) = self.plan.request.wave(wave).and_then(|wave| wave.gate) else {
            let open = self.had_no_turn(wave).or_else(|| self.held_still(wave));
            return open.unwrap_or(Gated::Passed);
        };
        match Self::gated_by(gate, self.results_of_wave(wave)) {
            Gated::Passed => self.held_still(wave).unwrap_or(Gated::Passed),
            gated => gated,
        }
    }

    /// Whether no node of a wave had its turn, though the request does not let such a wave be skipped: its nodes may have gone, or been
    /// stopped, since it was planned. It has shown nothing then.
    fn had_no_turn(&self, wave: u32) -> Option<Gated> {
        let may_be_skipped = |wave: &Wave| wave.if_empty == EmptyWave::Skip;
        let has_to_show = self.plan.first_request().wave(wave);
        has_to_show.filter(|wave| !may_be_skipped(wave))?;
        let counts = self.results_of_wave(wave);
        (counts.patched == 0).then_some(Gated::Inconclusive {
            known: 0,
            needed: 1,
            blind: counts.blind,
        })
    }

    /// Whether a wave that kept the later ones back in an earlier campaign has nodes of which it is not known what they came to. A node
    /// that failed there, and is silent now, has not come well.
    fn held_still(&self, wave: u32) -> Option<Gated> {
        let held = self.plan.retries.as_ref()?.held(wave)?;
        let counts = self.ledger.results.get(&wave).copied().unwrap_or_default();
        // One that is gone, or not registered any more, has not come well either.
        let units = self.units.iter().filter(|(id, _)| self.wave_of(**id) == wave);
        let named: u64 = units.map(|(_, unit)| unit.named.len() as u64).sum();
        let all = named.saturating_add(held.unknown.into());
        let known = counts.patched.saturating_sub(counts.unknown);
        (known < all || counts.blind > 0).then(|| Gated::Inconclusive {
            known,
            needed: u32::try_from(all).unwrap_or(u32::MAX),
            blind: counts.blind,
        })
    }

    /// The same, if all that the window left comes to its goal: whoever tries that later adds its results. What fails a gate even then fails
    /// it for good.
    pub(super) fn gated_beside_window(&self, wave: u32) -> Gated {
        let Some(gate) = self.plan.request.wave(wave).and_then(|wave| wave.gate) else {
            return Gated::Passed;
        };
        let of_wave = self.locations().filter(|(unit, ..)| self.wave_of(*unit) == wave);
        let settled: Vec<_> = of_wave.filter_map(|(.., at)| at.settled.as_ref()).collect();
        let has_uncounted = settled
            .iter()
            .any(|settled| settled.outcome == LocationOutcome::NotStarted && settled.nodes.total() == 0);
        let not_run = |of_window: bool| -> u64 {
            let there = settled
                .iter()
                .filter(|settled| self.is_left_by_window(settled) == of_window);
            there
                .map(|settled| u64::from(settled.nodes.count(NodeOutcome::NotRun)))
                .sum()
        };
        let mut counts = self.results_of_wave(wave);
        // These are tried in the next window. Others are not, and show nothing.
        let (to_come, others) = (not_run(true), not_run(false));
        counts.patched = counts.patched.saturating_add(to_come);
        counts.targeted = counts.targeted.saturating_sub(others);
        counts.unreached = counts.unreached.saturating_sub(to_come.saturating_add(others));
        let known = counts.patched.saturating_sub(counts.unknown);
        match Self::gated_by(gate, counts) {
            // There may be so many nodes that the share is kept.
            Gated::Failed { allowed, .. } if has_uncounted && allowed.percent().is_some() => {
                Gated::Inconclusive {
                    known,
                    needed: gate.min_sample,
                    blind: counts.blind,
                }
            }
            gated => gated,
        }
    }

    fn gated_by(gate: Gate, counts: WaveCounts) -> Gated {
        let known = counts.patched.saturating_sub(counts.unknown);
        let measures = [
            (
                false,
                gate.max_unreached,
                counts.unreached,
                counts.targeted,
                counts.targeted.saturating_sub(counts.unknown),
            ),
            (true, gate.max_failed, counts.failed, counts.patched, known),
        ];
        let mut least = None;
        for (are_failures, allowed, found, of, known) in measures {
            let Some(allowed) = allowed else { continue };
            if known < u64::from(gate.min_sample) {
                least = Some(least.map_or(known, |least: u64| least.min(known)));
            } else if exceeds(found, of, allowed) {
                return Gated::Failed {
                    are_failures,
                    found,
                    of,
                    allowed,
                };
            }
        }
        if least.is_none() && counts.blind == 0 {
            return Gated::Passed;
        }
        Gated::Inconclusive {
            known: least.unwrap_or(known),
            needed: gate.min_sample,
            blind: counts.blind,
        }
    }

    /// Why nothing more is begun, if a wave that others come after has not passed its gate. What somebody else cancelled
    /// is a reason of its own, until a person says that the campaign goes on.
    pub(super) fn failed_gate(&self) -> Option<StopReason> {
        self.failed_gate_if(false)
    }

    /// The same, also of waves in which somebody else cancelled something, if all of that `is_accepted`.
    pub(super) fn failed_gate_if(&self, is_accepted: bool) -> Option<StopReason> {
        let last = self.waves.last()?;
        self.wave_ends.range(..*last).find_map(|(wave, _)| {
            let Gated::Failed {
                are_failures,
                found,
                of,
                allowed,
            } = self.gated(*wave)
            else {
                return None;
            };
            let mut cancels = self.cancels.iter().filter(|(_, accepted)| !**accepted);
            let waits_for_a_person =
                !is_accepted && cancels.any(|((unit, _), _)| self.wave_of(*unit) == *wave);
            (!waits_for_a_person).then(|| StopReason::Gate {
                wave: *wave,
                name: self.plan.request.wave_name(*wave).to_owned(),
                are_failures,
                found,
                of,
                allowed,
            })
        })
    }

    /// What a location adds to what is known of the nodes of its wave.
    pub(super) fn wave_counts(&self, wave: u32, at: &LocationState) -> WaveCounts {
        let mut counts = WaveCounts::default();
        let goal = self.plan.request.goal_in(wave);
        if let Some(settled) = &at.settled {
            counts.blind = is_blind(settled.outcome, &settled.nodes).into();
        }
        for (outcome, n) in at.settled.iter().flat_map(|settled| settled.nodes.iter()) {
            counts.add(WaveCounts::of_nodes(outcome, n.into(), goal));
        }
        counts
    }
}

/// Whether so many are more than may be. A share is not rounded.
fn exceeds(found: u64, of: u64, allowed: MaxErrors) -> bool {
    match allowed.percent() {
        Some(percent) => found.saturating_mul(100) > u64::from(percent).saturating_mul(of),
        None => found > u64::from(allowed.as_count(u32::MAX)),
    }
}
