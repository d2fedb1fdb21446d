//! The wanted locations as a table: a row for each account, a column for each Region.

use super::{MAX_SIDE, Rectangle, bits::Bits};
use crate::id::{AccountId, Location, Region};
use std::collections::{BTreeMap, BTreeSet};

/// The wanted locations.
pub(super) struct Matrix {
    accounts: Vec<AccountId>,
    regions: Vec<Region>,
    /// For each account, its Regions.
    pub(super) rows: Vec<Bits>,
    /// For each Region, its accounts.
    pub(super) columns: Vec<Bits>,
}

/// Some rows with some columns, both ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) rows: Vec<usize>,
    pub(super) columns: Vec<usize>,
}

impl Matrix {
    pub(super) fn new(wanted: &BTreeSet<Location>) -> Self {
        let accounts: BTreeSet<&AccountId> = wanted.iter().map(|location| &location.account).collect();
        let regions: BTreeSet<&Region> = wanted.iter().map(|location| &location.region).collect();
        let row_of: BTreeMap<&AccountId, usize> = accounts.iter().copied().zip(0..).collect();
        let column_of: BTreeMap<&Region, usize> = regions.iter().copied().zip(0..).collect();
        let mut rows = vec![Bits::empty(regions.len()); accounts.len()];
        let mut columns = vec![Bits::empty(accounts.len()); regions.len()];
        for location in wanted {
            let (Some(&row), Some(&column)) =
                (row_of.get(&location.account), column_of.get(&location.region))
            else {
                continue; // both were indexed above
            };
            if let (Some(in_row), Some(in_column)) = (rows.get_mut(row), columns.get_mut(column)) {
                in_row.insert(column);
                in_column.insert(row);
            }
        }
        Self {
            accounts: accounts.into_iter().cloned().collect(),
            regions: regions.into_iter().cloned().collect(),
            rows,
            columns,
        }
    }

    /// The accounts that have the same Regions, taken together.
    pub(super) fn rows_alike(&self) -> Vec<Block> {
        alike(&self.rows)
            .into_iter()
            .map(|(columns, rows)| Block {
                rows,
                columns: columns.iter().collect(),
            })
            .collect()
    }

    /// The Regions that have the same accounts, taken together.
    pub(super) fn columns_alike(&self) -> Vec<Block> {
        alike(&self.columns)
            .into_iter()
            .map(|(rows, columns)| Block {
                rows: rows.iter().collect(),
                columns,
            })
            .collect()
    }

    pub(super) fn rectangle(&self, block: &Block) -> Rectangle {
        Rectangle {
            accounts: pick(&self.accounts, &block.rows),
            regions: pick(&self.regions, &block.columns),
        }
    }
}

/// Each different set with the lines that have it, in the order of the first of them.
pub(super) fn alike(lines: &[Bits]) -> Vec<(Bits, Vec<usize>)> {
    let mut groups: BTreeMap<&Bits, Vec<usize>> = BTreeMap::new();
    for (i, line) in lines.iter().enumerate() {
        groups.entry(line).or_default().push(i);
    }
    let mut groups: Vec<(Bits, Vec<usize>)> = groups.into_iter().map(|(set, of)| (set.clone(), of)).collect();
    groups.sort_by(|(_, a), (_, b)| a.cmp(b));
    groups
}

fn pick<T: Clone>(from: &[T], which: &[usize]) -> Vec<T> {
    which.iter().filter_map(|&i| from.get(i)).cloned().collect()
}

impl Block {
    /// The block in pieces that AWS takes.
    pub(super) fn cut(&self) -> impl Iterator<Item = Self> {
        self.rows.chunks(MAX_SIDE).flat_map(|rows| {
            self.columns.chunks(MAX_SIDE).map(|columns| Self {
                rows: rows.to_vec(),
                columns: columns.to_vec(),
            })
        })
    }

    /// Joins blocks with the same columns, then blocks with the same rows, as far as the result
    /// is one that AWS takes.
    pub(super) fn join(blocks: Vec<Self>) -> Vec<Self> {
        let by_columns = join_by(blocks.into_iter().map(|block| (block.columns, block.rows)));
        join_by(by_columns.into_iter().map(|(columns, rows)| (rows, columns)))
            .into_iter()
            .map(|(rows, columns)| Self { rows, columns })
            .collect()
    }
}

/// Joins the second sides of pairs whose first sides are the same, largest first into the first
/// place with room.
fn join_by(pairs: impl Iterator<Item = (Vec<usize>, Vec<usize>)>) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut groups: BTreeMap<Vec<usize>, Vec<Vec<usize>>> = BTreeMap::new();
    for (same, other) in pairs {
        groups.entry(same).or_default().push(other);
    }
    let mut joined = Vec::new();
    for (same, mut others) in groups {
        others.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        let mut places: Vec<Vec<usize>> = Vec::new();
        for other in others {
            match places
                .iter_mut()
                .find(|place| place.len() + other.len() <= MAX_SIDE)
            {
                Some(place) => place.extend(other),
                None => places.push(other),
            }
        }
        for mut place in places {
            place.sort_unstable();
            joined.push((same.clone(), place));
        }
    }
    joined
}
