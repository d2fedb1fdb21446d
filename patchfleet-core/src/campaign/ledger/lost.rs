//! Lost nodes on which a script may run on, and until when each keeps its place. The log alone says so, and whoever asks says what time
//! it is: nobody has to do anything for a place to be free again.

use crate::outcome::LostAtWork;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

/// One such node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::campaign) struct Lost {
    pub(in crate::campaign) until: Timestamp,
    /// The numbers of the values of labels that it has.
    pub(in crate::campaign) cells: Vec<u32>,
}

/// All of them, by the instants until which they keep their places.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::campaign) struct AllLost {
    fleet: BTreeMap<Timestamp, u64>,
    /// The same of each value of a label, by its number.
    cells: BTreeMap<u32, BTreeMap<Timestamp, u64>>,
}

impl AllLost {
    pub(super) fn add(&mut self, nodes: &[Lost]) {
        for Lost { until, cells } in nodes {
            let all = self.fleet.entry(*until).or_default();
            *all = all.saturating_add(1);
            for number in cells {
                let of_cell = self.cells.entry(*number).or_default();
                let nodes = of_cell.entry(*until).or_default();
                *nodes = nodes.saturating_add(1);
            }
        }
    }

    /// Takes nodes out that were added so.
    pub(super) fn remove(&mut self, nodes: &[Lost]) {
        for Lost { until, cells } in nodes {
            take_one(&mut self.fleet, *until);
            for number in cells {
                if let Some(of_cell) = self.cells.get_mut(number) {
                    take_one(of_cell, *until);
                    if of_cell.is_empty() {
                        self.cells.remove(number);
                    }
                }
            }
        }
    }

    /// Those of the whole fleet that keep their places at this time.
    pub(in crate::campaign) fn in_fleet(&self, now: Timestamp) -> Option<LostAtWork> {
        after(&self.fleet, now)
    }

    /// Those of a value of a label.
    pub(in crate::campaign) fn in_cell(&self, number: u32, now: Timestamp) -> Option<LostAtWork> {
        after(self.cells.get(&number)?, now)
    }

    /// The values of labels that have any.
    pub(in crate::campaign) fn cells(&self, now: Timestamp) -> impl Iterator<Item = u32> {
        let any = self.cells.iter();
        any.filter(move |(_, all)| after(all, now).is_some())
            .map(|(number, _)| *number)
    }
}

fn take_one(all: &mut BTreeMap<Timestamp, u64>, until: Timestamp) {
    if let Some(nodes) = all.get_mut(&until) {
        *nodes = nodes.saturating_sub(1);
        if *nodes == 0 {
            all.remove(&until);
        }
    }
}

fn after(all: &BTreeMap<Timestamp, u64>, now: Timestamp) -> Option<LostAtWork> {
    let later = all.range((Excluded(now), Unbounded));
    LostAtWork::sum(later.filter_map(|(until, nodes)| LostAtWork::of(*nodes, *until)))
}
