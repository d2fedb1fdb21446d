//! The budget within a location whose nodes travel in several commands.
//!
//! Run Command keeps a command's limits, and a location of many named nodes needs several commands,
//! one after another. So that its limits hold for the location, each command is given what the ones
//! before it left over.

use super::{State, UnitState};
use crate::campaign::ledger::Shared;
use crate::id::{Location, UnitId};

impl State {
    /// What the units that name the nodes of a location have in common.
    pub(in crate::campaign) fn shared(&self, location: &Location) -> Option<Shared> {
        self.ledger.shared.get(location).copied()
    }

    /// How many nodes of a location may fail.
    pub(in crate::campaign) fn errors_allowed(&self, location: &Location, shared: Shared) -> u32 {
        self.node_rates_at(location).max_errors.as_count(shared.nodes)
    }

    /// Whether more nodes of the unit's location failed in earlier commands, or may have, than its budget
    /// allows.
    pub(in crate::campaign) fn used_up(&self, unit: &UnitState) -> bool {
        !unit.named.is_empty()
            && unit.locations.keys().any(|location| {
                self.shared(location).is_some_and(|shared| {
                    shared.units > 1 && shared.errors > self.errors_allowed(location, shared)
                })
            })
    }

    /// Why a unit is not begun, if that is for its own location alone.
    pub(crate) fn kept_back(&self, id: UnitId) -> Option<String> {
        let unit = self.units.get(&id).filter(|unit| !unit.is_begun())?;
        if unit.has_nobody_left() {
            let words = unit.not_sent.as_deref().unwrap_or_default();
            return Some(format!(
                "no command was sent, and none of the nodes is there any more: {words}"
            ));
        }
        self.used_up(unit).then(|| {
            let mut all = unit.locations.keys();
            let shared = all.find_map(|location| {
                let shared = self.shared(location)?;
                Some((shared, self.errors_allowed(location, shared)))
            });
            let (shared, allowed) = shared.unwrap_or_default();
            format!(
                "not begun: {} of the location's {} nodes failed or may have, and its budget allows {allowed}",
                shared.errors, shared.nodes,
            )
        })
    }
}
