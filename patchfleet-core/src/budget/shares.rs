//! How a campaign's locations at once, and its error budget, are shared out among its units.
//!
//! AWS paces each unit by itself, and does not let anybody change a running one. So the shares are
//! counts that are known before the first start, and together they are never more than the budget.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The share of each unit in `places` locations at once. `sizes` says how many locations each unit has.
///
/// Where every unit can have a place, each has at least one and none more than it has locations. They
/// add up to `places`, or to all locations if those are fewer. So all units can run side by side. Each
/// place goes to the unit with the most locations for each place that it has, of equals to the first.
/// So the unit that takes longest takes as short as possible (this is Adams' method of apportionment).
///
/// Where there are more units than places, some have to wait. A unit then has its proportional part of
/// the places, rounded down, and at least one. It can begin when so many are free.
///
/// More places give no unit a smaller share, and no unit has a smaller share than one with fewer
/// locations.
pub(crate) fn of_places(places: u32, sizes: &[u32]) -> Vec<u32> {
    let total: u64 = sizes.iter().map(|&size| u64::from(size)).sum();
    let left = usize::try_from(places).unwrap_or(usize::MAX);
    if sizes.len() > left {
        let part = |size: u32| u64::from(places) * u64::from(size) / total.max(1);
        return sizes
            .iter()
            .map(|&size| u32::try_from(part(size)).unwrap_or(u32::MAX).max(1))
            .collect();
    }
    hand_out(places, sizes, 1, |share| share)
}

/// The share of each unit in an error budget of `errors` locations, if nobody watches over the sum. The
/// shares add up to the budget, and none is more than the unit's locations. One may be 0. They are as
/// proportional as whole numbers can be (Sainte-Laguë's method), of equals the first comes first.
pub(crate) fn of_errors(errors: u32, sizes: &[u32]) -> Vec<u32> {
    hand_out(errors, sizes, 0, |share| {
        share.saturating_mul(2).saturating_add(1)
    })
}

/// Gives every unit `least`, and then one each to the unit that has the most locations for each
/// `divisor` of its share, until `budget` is used up or every unit has as much as it has locations.
fn hand_out(budget: u32, sizes: &[u32], least: u32, divisor: impl Fn(u64) -> u64) -> Vec<u32> {
    let mut shares: Vec<u32> = sizes.iter().map(|&size| least.min(size)).collect();
    let given = shares
        .iter()
        .fold(0, |sum: u32, share| sum.saturating_add(*share));
    let mut queue: BinaryHeap<(Claim, Reverse<usize>)> = sizes
        .iter()
        .zip(&shares)
        .enumerate()
        .filter(|(_, (size, share))| share < size)
        .map(|(index, (&size, &share))| (Claim(size, divisor(u64::from(share))), Reverse(index)))
        .collect();
    for _ in given..budget {
        let Some((Claim(size, _), Reverse(index))) = queue.pop() else {
            break;
        };
        let Some(share) = shares.get_mut(index) else {
            break;
        };
        *share = share.saturating_add(1);
        if *share < size {
            queue.push((Claim(size, divisor(u64::from(*share))), Reverse(index)));
        }
    }
    shares
}

/// How many locations a unit has, by a divisor of at least 1. Ordered as a fraction.
#[derive(Clone, Copy)]
struct Claim(u32, u64);

impl PartialEq for Claim {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Claim {}

impl Ord for Claim {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let of = |size: u32, divisor: u64| u128::from(size) * u128::from(divisor);
        of(self.0, other.1).cmp(&of(other.0, self.1))
    }
}

impl PartialOrd for Claim {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests;
