//! So many nodes of each value of a label in flight, so many that are damaged.

use super::{HoldReason, Keeps, Verdict};
use crate::campaign::State;
use crate::campaign::ledger::InCell;
use crate::campaign::state::UnitState;
use crate::id::{NodeId, UnitId};
use crate::outcome::LostAtWork;
use crate::plan::Cells;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A unit waits until there is room for each value of its nodes: under the bound on nodes in flight, and under that on damage
/// even if everything of the value that is in flight is damaged. A node of which nothing could be found out takes room until
/// somebody finds out more. A lost node on which a script may run on is in flight until that is over.
///
/// Once nothing of a value is in flight but such lost nodes, there will be no more room for it for a while. So a unit that has more of
/// it is divided: it keeps the nodes for which there is room. If there is room for none, it waits until the first lost node gives its
/// place up. Without these it is never begun. Units of other values go on.
pub(in crate::campaign) fn verdict(state: &State, unit: UnitId, now: Timestamp) -> Verdict {
    let cells = state.cells();
    if cells.is_empty() {
        return Verdict::Begin;
    }
    let Some(of_unit) = state.units().get(&unit) else {
        return Verdict::Begin;
    };
    // What is left for the values that have too little room and will have no more for a while, and what will be left for them.
    let (mut left, mut later) = (BTreeMap::new(), BTreeMap::new());
    let mut meanwhile: Option<Verdict> = None;
    for (number, needed) in cells.count(&of_unit.named) {
        let Some(cell) = cells.cell(number) else { continue };
        let (so_far, lost_at_work) = (state.in_cell(number), state.lost_in_cell(number, now));
        for (bound, taken_for_good, of_damage) in taken(so_far, cell.max_in_flight, cell.max_damaged) {
            // A lost node is damaged already.
            let lost = lost_at_work.filter(|_| !of_damage);
            let taken = taken_for_good.saturating_add(LostAtWork::count(lost));
            if taken.saturating_add(needed.into()) <= bound.into() {
                continue;
            }
            let Some((by, value)) = state.label_of(number) else {
                continue;
            };
            let hold = Verdict::Hold {
                reason: HoldReason::Label {
                    by,
                    value,
                    of_damage,
                    taken,
                    needed,
                    of: bound,
                    lost,
                },
                until: lost.map(|lost| lost.first_until),
            };
            if so_far.in_flight > 0 {
                return hold;
            }
            if lost.is_some() {
                meanwhile = Some(sooner(meanwhile, hold));
            }
            let room = |taken: u64| u64::from(bound).saturating_sub(taken);
            lower(&mut left, number, room(taken));
            lower(&mut later, number, room(taken_for_good));
        }
    }
    if left.is_empty() {
        return Verdict::Begin;
    }
    let keeps = with_room(cells, of_unit, left);
    match meanwhile {
        _ if !keeps.is_empty() => Verdict::Divide(Keeps::Nodes(keeps)),
        Some(hold) if !with_room(cells, of_unit, later).is_empty() => hold,
        _ => Verdict::Never,
    }
}

/// Of two holds the one that is looked at again first.
fn sooner(one: Option<Verdict>, other: Verdict) -> Verdict {
    let until = |hold: &Verdict| match hold {
        Verdict::Hold { until, .. } => *until,
        _ => None,
    };
    match one {
        Some(one) if until(&one) <= until(&other) => one,
        _ => other,
    }
}

fn lower(all: &mut BTreeMap<u32, u64>, number: u32, room: u64) {
    let least = all.entry(number).or_insert(room);
    *least = room.min(*least);
}

/// The nodes of a unit for which there is room, if so much is left for these values. Those that are away are not sent anything, so
/// the others have the room first.
fn with_room(cells: &Cells, unit: &UnitState, mut left: BTreeMap<u32, u64>) -> Vec<NodeId> {
    let is_away = |node: &&NodeId| unit.away.contains(*node);
    let there = unit.named.iter().filter(|node| !is_away(node));
    there
        .chain(unit.named.iter().filter(is_away))
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
        .collect()
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
