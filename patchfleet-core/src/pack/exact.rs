//! The fewest rectangles, searched for within a fixed number of steps.
//!
//! Accounts with the same Regions are one row here, and Regions with the same accounts are one column. A rectangle that
//! covers one account of such a class can cover all of them, so nothing is lost as long as no side is over AWS's limit.
//! Over the limit the cover is still exact, and perhaps not the smallest.

use super::{
    MAX_SIDE,
    bits::Bits,
    matrix::{Block, Matrix, alike},
};

/// The most rows, and the most columns, after alike ones were taken together.
const MAX_CLASSES: usize = 10;
/// The most positions that are looked at.
const MAX_POSITIONS: usize = 3_000;
/// The most rectangles that are tried for one cell.
const MAX_OPTIONS: usize = 1_024;

/// A cover with fewer than `best` rectangles, if one is found.
pub(super) fn search(matrix: &Matrix, best: usize) -> Option<Vec<Block>> {
    let rows = alike(&matrix.rows);
    let columns = alike(&matrix.columns);
    if rows.len() > MAX_CLASSES || columns.len() > MAX_CLASSES {
        return None;
    }
    let masks: Vec<u32> = rows
        .iter()
        .map(|(regions, _)| mask_of(&columns, regions))
        .collect();
    let mut search = Search {
        row_sizes: rows.iter().map(|(_, members)| members.len()).collect(),
        column_sizes: columns.iter().map(|(_, members)| members.len()).collect(),
        positions: 0,
        chosen: Vec::new(),
        best_cost: best,
        best: None,
    };
    search.visit(&masks, 0);
    let blocks = search.best?.into_iter().map(|(row_set, column_set)| Block {
        rows: members(&rows, row_set),
        columns: members(&columns, column_set),
    });
    Some(blocks.collect())
}

/// The column classes that a row has. Its Regions are whole classes, so the first member tells.
fn mask_of(columns: &[(Bits, Vec<usize>)], regions: &Bits) -> u32 {
    columns
        .iter()
        .enumerate()
        .filter(|(_, (_, members))| members.first().is_some_and(|&column| regions.contains(column)))
        .fold(0, |mask, (class, _)| mask | 1 << class)
}

fn members(classes: &[(Bits, Vec<usize>)], set: u32) -> Vec<usize> {
    let mut all: Vec<usize> = classes
        .iter()
        .enumerate()
        .filter(|(class, _)| set >> class & 1 == 1)
        .flat_map(|(_, (_, members))| members.iter().copied())
        .collect();
    all.sort_unstable();
    all
}

struct Search {
    row_sizes: Vec<usize>,
    column_sizes: Vec<usize>,
    positions: usize,
    chosen: Vec<(u32, u32)>,
    best_cost: usize,
    best: Option<Vec<(u32, u32)>>,
}

impl Search {
    /// Looks for a cover of `left`, which has the columns of each row. The cover has to cost less than `best_cost`, and
    /// `cost` of that is spent already.
    fn visit(&mut self, left: &[u32], cost: usize) {
        self.positions += 1;
        if self.positions > MAX_POSITIONS {
            return;
        }
        // A cover with k rectangles is a sum of k matrices of rank one.
        let rank = rank(left);
        if cost + rank >= self.best_cost {
            return;
        }
        if rank == 0 {
            self.best_cost = cost;
            self.best = Some(self.chosen.clone());
            return;
        }
        for (rows, columns) in self.options(left) {
            let mut rest = left.to_vec();
            for (row, mask) in rest.iter_mut().enumerate() {
                if rows >> row & 1 == 1 {
                    *mask &= !columns;
                }
            }
            self.chosen.push((rows, columns));
            self.visit(&rest, cost + self.cost(rows, columns));
            self.chosen.pop();
        }
    }

    /// Every rectangle that covers one cell, the largest first. The cell is one that few can cover.
    fn options(&self, left: &[u32]) -> Vec<(u32, u32)> {
        let Some((row, &mask)) = left
            .iter()
            .enumerate()
            .filter(|(_, mask)| **mask != 0)
            .min_by_key(|(_, mask)| mask.count_ones())
        else {
            return Vec::new();
        };
        let with = |column: u32| left.iter().filter(|mask| *mask >> column & 1 == 1).count();
        let Some(column) = (0..u32::BITS)
            .filter(|column| mask >> column & 1 == 1)
            .min_by_key(|&column| with(column))
        else {
            return Vec::new();
        };
        let mut options = Vec::new();
        let (row_bit, column_bit) = (1_u32 << row, 1_u32 << column);
        for columns in subsets(mask & !column_bit).map(|subset| subset | column_bit) {
            let rows = left
                .iter()
                .enumerate()
                .filter(|(_, mask)| **mask & columns == columns)
                .fold(0_u32, |set, (row, _)| set | 1 << row);
            options.extend(subsets(rows & !row_bit).map(|subset| (subset | row_bit, columns)));
            if options.len() > MAX_OPTIONS {
                break;
            }
        }
        options.sort_by_key(|&(rows, columns)| {
            std::cmp::Reverse(size(&self.row_sizes, rows) * size(&self.column_sizes, columns))
        });
        options.truncate(MAX_OPTIONS);
        options
    }

    /// How many starts a rectangle needs.
    fn cost(&self, rows: u32, columns: u32) -> usize {
        size(&self.row_sizes, rows).div_ceil(MAX_SIDE) * size(&self.column_sizes, columns).div_ceil(MAX_SIDE)
    }
}

fn size(sizes: &[usize], set: u32) -> usize {
    sizes
        .iter()
        .enumerate()
        .filter(|(class, _)| set >> class & 1 == 1)
        .map(|(_, size)| size)
        .sum()
}

/// Every subset of a set of bits, the set itself first, the empty one last.
fn subsets(set: u32) -> impl Iterator<Item = u32> {
    let mut next = Some(set);
    std::iter::from_fn(move || {
        let subset = next?;
        next = subset.checked_sub(1).map(|below| below & set);
        Some(subset)
    })
}

/// The rank of a 0/1 matrix over the integers modulo a prime. No partition of its ones has fewer
/// rectangles.
fn rank(masks: &[u32]) -> usize {
    const PRIME: u64 = 1_000_003;
    let mut lines: Vec<[u64; MAX_CLASSES]> = masks
        .iter()
        .filter(|mask| **mask != 0)
        .map(|mask| std::array::from_fn(|column| u64::from(mask >> column & 1)))
        .collect();
    let mut rank = 0;
    for column in 0..MAX_CLASSES {
        let at = |line: &[u64; MAX_CLASSES]| line.get(column).copied().unwrap_or_default();
        let Some(pivot) = lines.iter().position(|line| at(line) != 0) else {
            continue;
        };
        let pivot = lines.swap_remove(pivot);
        rank += 1;
        for line in &mut lines {
            let (a, b) = (at(&pivot), at(line));
            for (value, head) in line.iter_mut().zip(pivot) {
                // value·a − head·b, which is 0 in this column
                *value = (*value * a + (PRIME - head) * b) % PRIME;
            }
        }
    }
    rank
}
