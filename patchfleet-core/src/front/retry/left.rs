//! What a campaign that is over has left, by location.

use super::Retry;
use crate::campaign::State;
use crate::id::Location;
use crate::outcome::{Goal, LocationOutcome, NodeOutcome, Tally};
use std::collections::BTreeMap;

/// What a campaign that is over has left in a location.
#[derive(Debug, Default)]
pub(in crate::front) struct Left {
    pub(super) nodes: Tally,
    /// Whether no command was sent there.
    pub(super) is_unbegun: bool,
    /// Whether a part of it did not end well, and not even the number of its nodes is known.
    is_blind: bool,
    /// Whether what was not run there is left because the window closed.
    is_of_window: bool,
}

impl Left {
    /// How many nodes are tried again.
    pub(super) fn count(&self, which: Retry, goal: Goal) -> u32 {
        let taken = self
            .nodes
            .iter()
            .filter(|(outcome, _)| which.takes(*outcome, goal));
        taken.fold(0, |sum, (_, n)| sum.saturating_add(n))
    }

    pub(in crate::front) fn has_any(&self, goal: Goal, which: Retry) -> bool {
        let is_taken = match which {
            Retry::Failed => true,
            Retry::NotRun => self.is_unbegun,
            Retry::Unreached => false,
        };
        let matters = which != Retry::NotRun || self.is_of_window;
        matters && ((self.is_blind && is_taken) || self.count(which, goal) > 0)
    }
}

/// What a campaign has left, by location. Several units may each have a part of one.
pub(in crate::front) fn left(of: &State) -> BTreeMap<Location, Left> {
    let mut all: BTreeMap<Location, Left> = BTreeMap::new();
    for (_, location, at) in of.locations() {
        let Some(settled) = &at.settled else { continue };
        let is_unbegun = matches!(
            settled.outcome,
            LocationOutcome::NotStarted | LocationOutcome::StartRefused | LocationOutcome::RoleNotAssumable
        );
        let is_well = matches!(
            settled.outcome,
            LocationOutcome::Succeeded | LocationOutcome::Emptied | LocationOutcome::Vanished
        );
        let is_blind = !is_well && settled.nodes.total() == 0;
        let leaves = is_blind || settled.nodes.count(NodeOutcome::NotRun) > 0;
        let is_of_window = !leaves || of.is_left_by_window(settled);
        match all.get_mut(location) {
            Some(left) => {
                left.is_of_window &= is_of_window;
                left.nodes.merge(&settled.nodes);
                left.is_unbegun &= is_unbegun;
                left.is_blind |= is_blind;
            }
            None => {
                let nodes = settled.nodes.clone();
                let left = Left {
                    nodes,
                    is_unbegun,
                    is_blind,
                    is_of_window,
                };
                all.insert(location.clone(), left);
            }
        }
    }
    all
}

/// How many of the nodes that were not reached did not answer when the campaign was planned. They count against no bound.
pub(super) fn offline_before(of: &State) -> u32 {
    let settled = of.locations().filter_map(|(_, _, at)| at.settled.as_ref());
    settled.fold(0, |sum, settled| sum.saturating_add(settled.offline_before))
}
