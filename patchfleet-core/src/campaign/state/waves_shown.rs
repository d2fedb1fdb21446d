//! What a chain of campaigns has shown of each wave, for its gate.
//!
//! A campaign and its retries are one piece of work: what the first one has shown of a wave still counts in a retry that tries the rest
//! of it. Each node counts once, as the last campaign left it.

use super::State;
use crate::campaign::ledger::WaveCounts;
use crate::id::{Location, NodeId};
use crate::outcome::{LocationOutcome, NodeOutcome, Tally};
use crate::plan::ShownWave;
use std::collections::BTreeMap;

/// The nodes that are tried again, by location, each with what it came to before, as far as that is known.
pub(crate) type TriedAgain = BTreeMap<Location, BTreeMap<NodeId, NodeOutcome>>;

impl State {
    /// What is known of the nodes of a wave, with those that earlier campaigns have patched and this one does not try again.
    pub(super) fn results_of_wave(&self, wave: u32) -> WaveCounts {
        let mut counts = self.ledger.results.get(&wave).copied().unwrap_or_default();
        let retries = self.plan.retries.as_ref();
        if let Some(shown) = retries.and_then(|retried| retried.shown(wave)) {
            counts.add(WaveCounts {
                targeted: shown.patched.saturating_add(shown.unreached),
                unreached: shown.unreached,
                patched: shown.patched,
                failed: shown.failed,
                damaged: 0,
                unknown: shown.unknown,
                blind: shown.blind,
            });
        }
        counts
    }

    /// Whether a wave after this one had begun in an earlier campaign, so that this one needs no approval any more.
    pub(super) fn went_on_before(&self, wave: u32) -> bool {
        let retries = self.plan.retries.as_ref();
        let shown = retries.and_then(|retried| retried.shown(wave));
        shown.is_some_and(|shown| shown.went_on)
    }

    /// What this campaign, and those before it, have shown of its waves, without the nodes that a retry tries again.
    pub(crate) fn shown_waves(&self, tried: &TriedAgain) -> Vec<ShownWave> {
        let held = self.held_waves();
        let retries = self.plan.retries.as_ref();
        let mut left: BTreeMap<u32, BTreeMap<&Location, (Tally, u64)>> = BTreeMap::new();
        for (unit, location, at) in self.locations() {
            let Some(settled) = &at.settled else { continue };
            let of_wave = left.entry(self.wave_of(unit)).or_default();
            let (nodes, blind) = of_wave.entry(location).or_default();
            nodes.merge(&settled.nodes);
            // What was not begun has shown nothing.
            let is_begun = !matches!(
                settled.outcome,
                LocationOutcome::NotStarted
                    | LocationOutcome::StartRefused
                    | LocationOutcome::RoleNotAssumable
            );
            let counts =
                is_begun && is_blind(settled.outcome, &settled.nodes) && !tried.contains_key(location);
            *blind = blind.saturating_add(counts.into());
        }
        let shown = left.into_iter().map(|(wave, locations)| {
            let before = retries.and_then(|retried| retried.shown(wave)).copied();
            let mut shown = before.unwrap_or_default();
            shown.number = wave;
            let holds = held.iter().any(|held| held.wave == wave && held.why.is_some());
            shown.went_on = !holds && (shown.went_on || self.has_begun_after(wave));
            let goal = self.plan.request.goal_in(wave);
            for (location, (nodes, blind)) in locations {
                shown.blind = shown.blind.saturating_add(blind);
                let again = tried.get(location);
                for (outcome, n) in nodes.iter() {
                    let again =
                        again.map_or(0, |nodes| nodes.values().filter(|one| **one == outcome).count());
                    let n = u64::from(n).saturating_sub(again as u64);
                    // Its turn may come in the retry, or the wave is held back for it.
                    if outcome == NodeOutcome::NotRun {
                        continue;
                    }
                    let counts = WaveCounts::of_nodes(outcome, n, goal);
                    shown.patched = shown.patched.saturating_add(counts.patched);
                    shown.failed = shown.failed.saturating_add(counts.failed);
                    shown.unknown = shown.unknown.saturating_add(counts.unknown);
                    shown.unreached = shown.unreached.saturating_add(counts.unreached);
                }
            }
            shown
        });
        shown.collect()
    }
}

/// Whether a location did not end well, and not even the number of its nodes is known.
pub(super) fn is_blind(outcome: LocationOutcome, nodes: &Tally) -> bool {
    let is_well = matches!(
        outcome,
        LocationOutcome::Succeeded | LocationOutcome::Emptied | LocationOutcome::Vanished
    );
    nodes.total() == 0 && !is_well
}
