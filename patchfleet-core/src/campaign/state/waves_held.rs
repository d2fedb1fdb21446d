//! Which waves of a campaign that is over keep those after them back in its retries, for what became of their nodes.
//!
//! What failed in a wave may be gone or silent by then for that very reason. So a retry begins later waves only if it tries again all that
//! speaks against the wave, and the retries of that one as well.

use super::{Gated, Settled, State, StopReason};
use crate::campaign::AT_CUTOFF;
use crate::id::Location;
use crate::outcome::{Goal, LocationOutcome, NodeOutcome};
use crate::plan::InconclusiveGate;
use std::collections::BTreeMap;

/// A wave that keeps those after it back in every campaign to come, until what did not do well in it has been tried again.
#[derive(Debug)]
pub(crate) struct KeptBack {
    /// Its number.
    pub(crate) wave: u32,
    /// Why all that did not do well in it has to be tried again. `None`: nothing is known to have failed, and a person may approve of it.
    pub(crate) why: Option<String>,
    /// How many of its nodes did not come to their goal, by location; one in a location of which nothing is known.
    pub(crate) not_well: BTreeMap<Location, u32>,
    /// Whether an earlier campaign had left them to be tried again, so that those that were not run are among them.
    was_held: bool,
    /// For how many nodes the waves after it wait, as nobody knows what they came to and no retry tries them.
    pub(crate) unknown: u32,
}

/// Whether what a node came to speaks against its wave. What was not run, or is not there any more, says nothing of it, unless it
/// was to be tried again: then it stands as the campaign before left it.
fn is_not_well(outcome: NodeOutcome, goal: Goal, to_be_tried_again: bool) -> bool {
    match outcome {
        NodeOutcome::NotRun | NodeOutcome::Unmanaged | NodeOutcome::Gone if to_be_tried_again => true,
        NodeOutcome::NotRun | NodeOutcome::Unmanaged => false,
        outcome => !outcome.reaches_goal(goal),
    }
}

impl KeptBack {
    /// Whether a node that came to this is one of those that did not come to their goal.
    pub(crate) fn counts(&self, outcome: NodeOutcome, goal: Goal) -> bool {
        is_not_well(outcome, goal, self.was_held)
    }
}

impl State {
    /// Why a retry may not go past a wave before all that did not do well in it is tried again. `None`: it may, as far as is known, once
    /// what the wave asks for holds.
    pub(crate) fn keeps_later_waves_back(&self, wave: u32) -> Option<String> {
        if !self.waves.contains(&wave) {
            return None;
        }
        // What a window kept from its turn is tried now, and says nothing of the others.
        let gated = match self.is_left_by_window_alone() {
            true => self.gated_beside_window(wave),
            false => self.gated(wave),
        };
        if matches!(gated, Gated::Failed { .. }) {
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
        // Whoever ended the campaign before that was known.
        if results.damaged > 0 && self.has_damaged_too_many() {
            return Some("more locations had failed by then than may".to_owned());
        }
        let breaker = self.breaker_stop().filter(|stop| !stop.is_for_alarm());
        if let Some(stop) = breaker.filter(|_| results.damaged > 0) {
            return Some(format!(
                "a breaker had tripped by then: {}",
                StopReason::Breaker(stop)
            ));
        }
        // What was left out for failures stays so, whoever ended the campaign after that.
        let reason = self.left_out_for.clone().or_else(|| self.left_out_because());
        let reason = reason.filter(|_| !is_well)?;
        is_for_failures(&reason).then(|| format!("the campaign ended before the next one began: {reason}"))
    }

    /// Whether the nodes of a location that were not run are left because the window closed: it was not begun, or what ran there was
    /// cancelled then and nothing had failed. Whatever else keeps nodes from their turn, such as a role that is missing or a limit of errors,
    /// would do so in the next window as well, or is for a person to judge.
    pub(crate) fn is_left_by_window(&self, settled: &Settled) -> bool {
        let is_cancelled = self.stop_asked().is_some_and(|asked| asked.by == AT_CUTOFF);
        match settled.outcome {
            LocationOutcome::NotStarted => true,
            LocationOutcome::Cancelled | LocationOutcome::NodesFailed => {
                is_cancelled && settled.nodes.iter().all(|(outcome, _)| !outcome.is_damaged())
            }
            _ => false,
        }
    }

    /// What is not known of a wave that has no gate, and of which more locations failed than may, as they count whose results are not
    /// known. Whoever ended the campaign meanwhile, the next wave would not have begun.
    pub(super) fn not_known_in(&self, wave: u32) -> Option<InconclusiveGate> {
        let has_gate = self.plan.request.wave(wave)?.gate.is_some();
        let allowed = self.plan.location_errors_in(wave);
        let too_many = self.failed_locations() > self.plan.location_errors()
            || allowed.is_some_and(|allowed| self.ledger.failed_in.locations(wave) > allowed);
        if has_gate || !too_many || self.has_begun_after(wave) {
            return None;
        }
        let counts = self.ledger.results.get(&wave).copied().unwrap_or_default();
        (counts.unknown > 0 || counts.blind > 0).then(|| {
            let needed = u32::try_from(counts.targeted).unwrap_or(u32::MAX);
            let known = counts.targeted.saturating_sub(counts.unknown);
            InconclusiveGate::new(known, needed, counts.blind)
        })
    }

    /// For how many nodes of a wave the waves after it wait, as nobody knows what they came to and no retry tries them.
    fn unknown_in(&self, wave: u32) -> u32 {
        if self.is_approved(wave) || self.has_begun_after(wave) {
            return 0;
        }
        let before = self.plan.retries.as_ref().and_then(|retried| retried.held(wave));
        let own = self.not_known_in(wave).map_or(0, |lacks| {
            let counts = u64::from(lacks.needed)
                .saturating_sub(lacks.known)
                .saturating_add(lacks.blind);
            u32::try_from(counts).unwrap_or(u32::MAX)
        });
        own.saturating_add(before.map_or(0, |held| held.unknown))
    }

    /// The waves that a retry may not go past before what did not do well in them has been tried again.
    pub(crate) fn held_waves(&self) -> Vec<KeptBack> {
        let retries = self.plan.retries.as_ref();
        let held = (1..=self.plan.request.wave_count()).filter_map(|wave| {
            let held_before = retries.is_some_and(|retried| retried.held(wave).is_some());
            let own = self.keeps_later_waves_back(wave);
            let not_well = self.not_well_in(wave, held_before);
            let unknown = self.unknown_in(wave);
            let why = own.or_else(|| {
                let goes_on = self.has_begun_after(wave) || self.is_approved(wave);
                // One that passed its gate here, with all of its nodes known, has done well.
                let has_passed = self.wave_ended(wave).is_some() && self.gated(wave) == Gated::Passed;
                (held_before && !not_well.is_empty() && !has_passed && !goes_on).then(|| {
                    "it had kept those after it back in an earlier campaign, and not all of it has done well since".to_owned()
                })
            });
            (why.is_some() || unknown > 0).then_some(KeptBack {
                wave,
                why,
                not_well,
                was_held: held_before,
                unknown,
            })
        });
        held.collect()
    }

    /// How many nodes of a wave had no turn, if the wave has shown nothing: no other node of it has a result, no later wave was begun, and
    /// nobody has approved of it. A location that was not begun, and whose nodes are not known, counts as one.
    pub(crate) fn not_run_alone_in(&self, wave: u32) -> u32 {
        let results = self.ledger.results.get(&wave).copied().unwrap_or_default();
        if results.patched > results.unknown || self.has_begun_after(wave) || self.is_approved(wave) {
            return 0;
        }
        let sum = |to_be_tried_again| {
            let all = self.not_well_in(wave, to_be_tried_again).into_values();
            all.fold(0, u32::saturating_add)
        };
        sum(true).saturating_sub(sum(false))
    }

    /// How many nodes of a wave did not come to their goal, by location ([`is_not_well`]).
    fn not_well_in(&self, wave: u32, to_be_tried_again: bool) -> BTreeMap<Location, u32> {
        let mut all: BTreeMap<Location, u32> = BTreeMap::new();
        let goal = self.plan.request.goal_in(wave);
        for (_, location, at) in self.locations().filter(|(unit, ..)| self.wave_of(*unit) == wave) {
            let Some(settled) = &at.settled else {
                let n = all.entry(location.clone()).or_default();
                *n = n.saturating_add(1);
                continue;
            };
            let counts = settled
                .nodes
                .iter()
                .filter(|(outcome, _)| is_not_well(*outcome, goal, to_be_tried_again));
            let not_well = counts.fold(0_u32, |sum, (_, n)| sum.saturating_add(n));
            let is_blind = settled.nodes.total() == 0
                && match settled.outcome {
                    LocationOutcome::Succeeded | LocationOutcome::Emptied | LocationOutcome::Vanished => {
                        false
                    }
                    LocationOutcome::NotStarted
                    | LocationOutcome::StartRefused
                    | LocationOutcome::RoleNotAssumable => to_be_tried_again,
                    _ => true,
                };
            let not_well = not_well.saturating_add(u32::from(is_blind));
            if not_well > 0 {
                let n = all.entry(location.clone()).or_default();
                *n = n.saturating_add(not_well);
            }
        }
        all
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
