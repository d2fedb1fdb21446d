//! Covering the wanted account–Region pairs exactly with few rectangles.
//!
//! A start has one target location: each of its accounts with each of its Regions, at most 50 × 50 (SSM model,
//! `TargetLocation`). Locations rarely form one such rectangle, and AWS takes about one start a second. So [`pack`] looks
//! for few rectangles. They never overlap, because a location that is started twice is patched twice.
//!
//! The fewest rectangles are hard to find, since that is a minimum biclique partition. So four ways are tried, and the
//! best result is taken:
//!
//! * Accounts that have the same Regions form one rectangle.
//! * Regions that have the same accounts form one rectangle.
//! * The largest rectangle that is left is taken, again and again.
//! * A search looks for the fewest, within a fixed number of steps. It is tried if few different accounts and Regions are
//!   left after alike ones were taken together.
//!
//! The first two bound the result. Without AWS's limit there are never more rectangles than accounts, nor more than
//! Regions. The limit cuts larger ones.

use crate::id::{AccountId, Location, Region};
use std::collections::BTreeSet;

mod bits;
mod exact;
mod greedy;
mod matrix;
#[cfg(test)]
mod tests;

use matrix::{Block, Matrix};

/// Most accounts, and most Regions, that one target location takes (SSM model).
pub(crate) const MAX_SIDE: usize = 50;

/// Every account with every Region: what one start can name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rectangle {
    /// 1 to 50 accounts, in ascending order.
    pub accounts: Vec<AccountId>,
    /// 1 to 50 Regions, in ascending order.
    pub regions: Vec<Region>,
}

impl Rectangle {
    /// The locations of the rectangle, ordered by account, then Region.
    pub(crate) fn locations(&self) -> impl Iterator<Item = Location> {
        self.accounts.iter().flat_map(|account| {
            self.regions
                .iter()
                .map(|region| Location::new(account.clone(), region.clone()))
        })
    }

    /// How many locations it has.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.accounts.len() * self.regions.len()
    }
}

/// Covers exactly the `wanted` locations, each once, with few rectangles of at most 50 × 50. The same
/// locations always give the same rectangles, ordered by their accounts, then Regions.
#[must_use]
pub fn pack(wanted: &BTreeSet<Location>) -> Vec<Rectangle> {
    let matrix = Matrix::new(wanted);
    let mut best = finish(matrix.rows_alike());
    for blocks in [matrix.columns_alike(), greedy::largest_first(&matrix)] {
        let candidate = finish(blocks);
        if candidate.len() < best.len() {
            best = candidate;
        }
    }
    if let Some(blocks) = exact::search(&matrix, best.len()) {
        let candidate = finish(blocks);
        if candidate.len() < best.len() {
            best = candidate;
        }
    }
    let mut rectangles: Vec<Rectangle> = best.iter().map(|block| matrix.rectangle(block)).collect();
    rectangles.sort_unstable();
    rectangles
}

/// Cuts blocks to the size that AWS takes, then joins those that together are one.
fn finish(blocks: Vec<Block>) -> Vec<Block> {
    let mut cut: Vec<Block> = blocks.iter().flat_map(Block::cut).collect();
    loop {
        let before = cut.len();
        cut = Block::join(cut);
        if cut.len() == before {
            return cut;
        }
    }
}
