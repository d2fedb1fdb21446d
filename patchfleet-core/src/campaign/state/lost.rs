//! Lost nodes that keep their places under a bound on nodes in flight that the campaign keeps.
//!
//! A node is lost if its agent is silent when its command has expired. What the command began may run on there for as long as one turn
//! takes at most, and nobody tells. So until then it is in flight as far as such a bound goes, as one that is `running_at_expiry` is for
//! good. Its place is free once that time is past, or once results that are read again say what it came to.

use super::{StartState, State, UnitState};
use crate::campaign::NotWell;
use crate::campaign::ledger::Lost;
use crate::id::{Location, UnitId};
use crate::outcome::{LostAtWork, NodeOutcome, NodeRow};
use crate::slip::{Slip, slips};
use jiff::Timestamp;
use std::collections::BTreeSet;

impl State {
    /// The nodes that do not end well, as the log is to have them: those that a bound has to know.
    pub(in crate::campaign) fn not_well(&self, rows: &[NodeRow]) -> NotWell {
        let not_well = match self.plan.labels.is_empty() {
            true => NotWell::default(),
            false => NotWell::of(rows),
        };
        match self.plan.counts_in_flight() {
            true => not_well.with_lost(rows),
            false => not_well,
        }
    }

    /// The lost nodes that keep their places at this time.
    pub(in crate::campaign) fn lost_at_work(&self, now: Timestamp) -> Option<LostAtWork> {
        let lost = self.ledger.lost.in_fleet(now);
        lost.filter(|_| !slips(Slip::LostTakesNoRoom))
    }

    /// Those that have a value of a label.
    pub(in crate::campaign) fn lost_in_cell(&self, number: u32, now: Timestamp) -> Option<LostAtWork> {
        let lost = self.ledger.lost.in_cell(number, now);
        lost.filter(|_| !slips(Slip::LostTakesNoRoom))
    }

    /// The values of labels that some of them have.
    pub(super) fn cells_of_lost(&self, now: Timestamp) -> impl Iterator<Item = u32> {
        let cells = self.ledger.lost.cells(now);
        cells.filter(|_| !slips(Slip::LostTakesNoRoom))
    }

    /// The settled locations that have lost nodes, whose agents may answer again, without those that are unread for another reason.
    pub(in crate::campaign) fn with_lost_nodes(&self) -> Vec<(UnitId, Location)> {
        let unread: BTreeSet<(UnitId, Location)> = self.unread().into_iter().collect();
        let lost = self.locations().filter(|(unit, _, at)| {
            let started = |unit: &UnitState| matches!(unit.start, StartState::Started { .. });
            let settled = at.settled.as_ref();
            settled.is_some_and(|settled| settled.nodes.count(NodeOutcome::Lost) > 0)
                && self.units.get(unit).is_some_and(started)
        });
        lost.map(|(unit, location, _)| (unit, location.clone()))
            .filter(|at| !unread.contains(at))
            .collect()
    }

    /// What a unit adds to them, once it has settled.
    pub(super) fn lost_of(&self, unit: &UnitState) -> Vec<Lost> {
        if unit.named.is_empty() || !unit.is_begun() {
            return vec![];
        }
        let settled = unit.locations.values().filter_map(|at| at.settled.as_ref());
        let lost = settled.flat_map(|settled| &settled.not_well.may_run_until);
        let of_unit = lost.filter(|(node, _)| unit.named.contains(*node));
        of_unit
            .map(|(node, until)| Lost {
                until: *until,
                cells: self.cells.of_node(node).to_vec(),
            })
            .collect()
    }
}
