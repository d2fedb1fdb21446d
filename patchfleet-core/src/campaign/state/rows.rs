//! Which unit has the row of which node, and whether rows are those that the log counts.

use super::State;
use crate::id::{Location, NodeId, UnitId};
use crate::outcome::NodeRow;
use std::collections::{BTreeMap, BTreeSet};

/// Which unit of a location has the row of which node.
pub(in crate::campaign) struct RowOwners<'s> {
    named: BTreeMap<&'s NodeId, UnitId>,
    /// Has the nodes that none names.
    rest: Option<UnitId>,
}

impl<'s> RowOwners<'s> {
    pub(in crate::campaign) fn of(state: &'s State, location: &Location) -> Self {
        let there = state.units_at(location);
        let named = there.flat_map(|(id, unit)| unit.named.iter().map(move |node| (node, id)));
        Self {
            named: named.collect(),
            rest: state.speaks_for(location),
        }
    }

    pub(in crate::campaign) fn owner(&self, node: &NodeId) -> Option<UnitId> {
        self.named.get(node).copied().or(self.rest)
    }
}

impl State {
    /// The rows of a location by the unit that has them. Each unit of the location is there, also one without a row.
    pub(crate) fn rows_by_unit(
        &self,
        location: &Location,
        rows: &[NodeRow],
    ) -> BTreeMap<UnitId, Vec<NodeRow>> {
        let owners = RowOwners::of(self, location);
        let units = self.units_at(location).map(|(id, _)| (id, vec![]));
        let mut own: BTreeMap<UnitId, Vec<NodeRow>> = units.collect();
        for row in rows {
            let unit = owners.owner(&row.node).and_then(|unit| own.get_mut(&unit));
            unit.into_iter().for_each(|rows| rows.push(row.clone()));
        }
        own
    }

    /// The attempt that rows of a location are of now: the newest of all units there, since their rows are kept together
    /// and older ones are not read.
    ///
    /// It never falls: a store would take what is learned later for something older. So it makes no difference whether the next
    /// start of a unit is under way, or was put off.
    pub(crate) fn rows_attempt(&self, location: &Location) -> u32 {
        let attempts = self.units_at(location).map(|(_, unit)| {
            let before = unit.earlier_attempts.saturating_add(unit.refused_attempts);
            before.saturating_add(1)
        });
        attempts.max().unwrap_or(1)
    }

    /// Whether these are the rows that the log counts of a unit in a location: each node with what it came to. Where the log counts no
    /// rows, any rows are.
    pub(crate) fn has_rows(&self, unit: UnitId, location: &Location, rows: &[NodeRow]) -> bool {
        let unit = self.units().get(&unit);
        let at = unit.and_then(|unit| unit.locations.get(location));
        let digest = at.and_then(|at| at.settled.as_ref()?.rows.as_ref());
        digest.is_none_or(|digest| NodeRow::digest(rows).as_ref() == Some(digest))
    }

    /// Of which of its nodes these rows of a location do not say what the log counts: all nodes of a unit whose rows are as many as the
    /// log counts, and not those, as two may have changed places. Where some rows are lost, the others are what they were.
    pub(crate) fn not_by_the_log(&self, location: &Location, rows: &[NodeRow]) -> BTreeSet<NodeId> {
        let of_units = self.rows_by_unit(location, rows).into_iter();
        let others = of_units.filter(|(unit, rows)| {
            let at = self.units().get(unit);
            let settled = at.and_then(|unit| unit.locations.get(location)?.settled.as_ref());
            let counted = settled.map_or(0, |settled| settled.nodes.total());
            let are_all = u32::try_from(rows.len()).unwrap_or(u32::MAX) >= counted;
            counted > 0 && are_all && !self.has_rows(*unit, location, rows)
        });
        others
            .flat_map(|(_, rows)| rows.into_iter().map(|row| row.node))
            .collect()
    }
}
