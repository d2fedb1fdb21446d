//! What the ledger keeps of each wave.

use crate::id::Location;
use crate::outcome::{Goal, NodeOutcome};
use std::collections::BTreeMap;

/// What is known of the nodes of a wave, as its gate counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::campaign) struct WaveCounts {
    /// Nodes that were to be patched, and were there.
    pub(in crate::campaign) targeted: u64,
    /// Those of them that were not: unreached, or not run.
    pub(in crate::campaign) unreached: u64,
    /// The others.
    pub(in crate::campaign) patched: u64,
    /// Those of these that did not come to their goal.
    pub(in crate::campaign) failed: u64,
    /// Those of these that failed or are lost.
    pub(in crate::campaign) damaged: u64,
    /// Those of these of which nothing is known.
    pub(in crate::campaign) unknown: u64,
    /// Locations that did not end well and of whose nodes not even the number is known.
    pub(in crate::campaign) blind: u64,
}

impl WaveCounts {
    /// What so many nodes of an outcome add.
    pub(in crate::campaign) fn of_nodes(outcome: NodeOutcome, n: u64, goal: Goal) -> Self {
        let if_it = |is: bool| if is { n } else { 0 };
        match outcome {
            NodeOutcome::Unmanaged => Self::default(),
            NodeOutcome::Gone if outcome.reaches_goal(goal) => Self::default(),
            NodeOutcome::Unreached | NodeOutcome::NotRun => Self {
                targeted: n,
                unreached: n,
                ..Self::default()
            },
            _ => Self {
                targeted: n,
                patched: n,
                failed: if_it(!outcome.reaches_goal(goal)),
                damaged: if_it(outcome.is_damaged()),
                unknown: if_it(outcome.is_unknown()),
                ..Self::default()
            },
        }
    }

    pub(in crate::campaign) fn add(&mut self, other: Self) {
        self.combine(other, u64::saturating_add);
    }

    pub(super) fn combine(&mut self, other: Self, with: fn(u64, u64) -> u64) {
        self.targeted = with(self.targeted, other.targeted);
        self.unreached = with(self.unreached, other.unreached);
        self.patched = with(self.patched, other.patched);
        self.failed = with(self.failed, other.failed);
        self.damaged = with(self.damaged, other.damaged);
        self.unknown = with(self.unknown, other.unknown);
        self.blind = with(self.blind, other.blind);
    }
}

/// Locations that failed, with how many units failed there, by wave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::campaign) struct FailedIn(BTreeMap<u32, BTreeMap<Location, u32>>);

impl FailedIn {
    pub(super) fn add(&mut self, wave: u32, location: &Location) {
        let of_wave = self.0.entry(wave).or_default();
        let failed = of_wave.entry(location.clone()).or_default();
        *failed = failed.saturating_add(1);
    }

    pub(super) fn remove(&mut self, wave: u32, location: &Location) {
        let Some(of_wave) = self.0.get_mut(&wave) else {
            return;
        };
        if let Some(failed) = of_wave.get_mut(location) {
            *failed = failed.saturating_sub(1);
            if *failed == 0 {
                of_wave.remove(location);
            }
        }
        if of_wave.is_empty() {
            self.0.remove(&wave);
        }
    }

    /// How many locations of a wave failed, each counted once.
    pub(in crate::campaign) fn locations(&self, wave: u32) -> u32 {
        let failed = self.0.get(&wave).map_or(0, BTreeMap::len);
        u32::try_from(failed).unwrap_or(u32::MAX)
    }
}
