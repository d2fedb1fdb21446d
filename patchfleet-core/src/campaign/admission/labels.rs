//! So many nodes of each value of a label in flight, so many that are damaged.

use super::{HoldReason, Keeps, Verdict};
use crate::campaign::State;
use crate::campaign::ledger::InCell;
use crate::id::{NodeId, UnitId};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A unit waits until there is room for each value of its nodes: under the bound on nodes in flight, and under that on damage
/// even if everything of the value that is in flight is damaged. A node of which nothing could be found out takes room until
/// somebody finds out more.
///
/// Once nothing of a value is in flight there will be no more room for it than there is. So a unit that has more of it is
/// divided: it keeps the nodes for which there is room. If there is room for none, it is never begun. Units of other values go on.
pub(in crate::campaign) fn verdict(state: &State, unit: UnitId, _now: Timestamp) -> Verdict {
    let cells = state.cells();
    if cells.is_empty() {
        return Verdict::Begin;
    }
    let Some(named) = state.units().get(&unit).map(|unit| &unit.named) else {
        return Verdict::Begin;
    };
    // What is left for the values that have too little room and will have no more.
    let mut left: BTreeMap<u32, u64> = BTreeMap::new();
    for (number, needed) in cells.count(named) {
        let Some(cell) = cells.cell(number) else { continue };
        let so_far = state.in_cell(number);
        for (bound, taken, of_damage) in taken(so_far, cell.max_in_flight, cell.max_damaged) {
            if taken.saturating_add(needed.into()) <= bound.into() {
                continue;
            }
            if so_far.in_flight > 0 {
                let Some((by, value)) = state.label_of(number) else {
                    continue;
                };
                return Verdict::Hold {
                    reason: HoldReason::Label {
                        by,
                        value,
                        of_damage,
                        taken,
                        needed,
                        of: bound,
                    },
                    until: None,
                };
            }
            let room = u64::from(bound).saturating_sub(taken);
            let least = left.entry(number).or_insert(room);
            *least = room.min(*least);
        }
    }
    if left.is_empty() {
        return Verdict::Begin;
    }
    // Those that are away are not sent anything, so the others have the room first.
    let away = state.units().get(&unit).map(|unit| &unit.away);
    let is_away = |node: &&NodeId| away.is_some_and(|away| away.contains(*node));
    let there = named.iter().filter(|node| !is_away(node));
    let keeps: Vec<NodeId> = there
        .chain(named.iter().filter(is_away))
        .filter(|node| {
            let of_node = cells.of_node(node);
            let has_room = of_node
                .iter()
                .all(|number| left.get(number).is_none_or(|room| *room > 0));
            if has_room {
                for number in of_node {
                    if let Some(room) = left.get_mut(number) {
                        *room -= 1;
                    }
                }
            }
            has_room
        })
        .cloned()
        .collect();
    match keeps.is_empty() {
        true => Verdict::Never,
        false => Verdict::Divide(Keeps::Nodes(keeps)),
    }
}

/// The bounds that there are, and what counts against each.
fn taken(
    so_far: InCell,
    max_in_flight: Option<u32>,
    max_damaged: Option<u32>,
) -> impl Iterator<Item = (u32, u64, bool)> {
    let at_work = so_far.in_flight.saturating_add(so_far.may_be_at_work());
    let open = so_far.in_flight.saturating_add(so_far.unknown);
    let of_flight = max_in_flight.map(|bound| (bound, at_work, false));
    let of_damage = max_damaged.map(|bound| (bound, open.saturating_add(so_far.damaged), true));
    of_flight.into_iter().chain(of_damage)
}
