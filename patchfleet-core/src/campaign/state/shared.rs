//! The budget within a location whose nodes travel in several commands.
//!
//! Run Command keeps a command's limits, and a location of many named nodes needs several commands,
//! one after another. So that its limits hold for the location, each command is given what the ones
//! before it left over.

use super::{State, UnitState};
use crate::id::{Location, UnitId};
use crate::outcome::NodeOutcome;
use std::collections::BTreeMap;

/// What the units that name the nodes of one location have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::campaign) struct Shared {
    /// How many units there are.
    pub(in crate::campaign) units: u32,
    /// How many nodes they name together: what the location's percentages are of.
    pub(in crate::campaign) nodes: u32,
    /// Nodes that failed so far, or may have: as AWS counts, or in truth, whichever is more. A command
    /// may succeed with failed patches, and AWS counts none of them. A node of which nothing is known
    /// counts, since it may be as bad as the rest of them.
    pub(in crate::campaign) errors: u32,
}

impl State {
    /// The locations whose nodes are named, each with what its units have in common.
    pub(in crate::campaign) fn shared(&self) -> BTreeMap<&Location, Shared> {
        let mut all: BTreeMap<&Location, Shared> = BTreeMap::new();
        for unit in self.units.values().filter(|unit| !unit.named.is_empty()) {
            for (location, at) in &unit.locations {
                let shared = all.entry(location).or_default();
                shared.units = shared.units.saturating_add(1);
                let named = u32::try_from(unit.named.len()).unwrap_or(u32::MAX);
                shared.nodes = shared.nodes.saturating_add(named);
                if let Some(settled) = &at.settled {
                    let counted = at.counts().map_or(0, |counts| counts.errors);
                    let bad = settled
                        .nodes
                        .iter()
                        .filter(|(outcome, _)| outcome.is_damaged() || *outcome == NodeOutcome::Unknown);
                    let bad = bad.map(|(_, n)| n).fold(0, u32::saturating_add);
                    shared.errors = shared.errors.saturating_add(counted.max(bad));
                }
            }
        }
        all
    }

    /// How many nodes of a location may fail.
    pub(in crate::campaign) fn errors_allowed(&self, shared: Shared) -> u32 {
        self.plan.request.budget.nodes.max_errors.as_count(shared.nodes)
    }

    /// Whether more nodes of the unit's location failed in earlier commands, or may have, than its budget
    /// allows.
    pub(in crate::campaign) fn used_up(&self, unit: &UnitState, all: &BTreeMap<&Location, Shared>) -> bool {
        !unit.named.is_empty()
            && unit.locations.keys().any(|location| {
                all.get(location)
                    .is_some_and(|shared| shared.units > 1 && shared.errors > self.errors_allowed(*shared))
            })
    }

    /// Why a unit is not begun, if that is for its own location alone.
    pub(in crate::campaign) fn kept_back(&self, id: UnitId) -> Option<String> {
        let unit = self.units.get(&id).filter(|unit| !unit.is_begun())?;
        if unit.has_nobody_left() {
            let words = unit.not_sent.as_deref().unwrap_or_default();
            return Some(format!(
                "no command was sent, and none of the nodes is there any more: {words}"
            ));
        }
        let all = self.shared();
        self.used_up(unit, &all).then(|| {
            let shared = unit.locations.keys().find_map(|location| all.get(location));
            let shared = shared.copied().unwrap_or_default();
            format!(
                "not begun: {} of the location's {} nodes failed or may have, and its budget allows {}",
                shared.errors,
                shared.nodes,
                self.errors_allowed(shared)
            )
        })
    }
}
