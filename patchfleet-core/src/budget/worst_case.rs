//! What can go wrong at most, in a campaign that AWS paces.
//!
//! Two figures stand side by side, because they differ: the errors that AWS counts, which its
//! limits bound, and the damage that may really be done, which they do not. A command that
//! succeeds with failed patches, and a node that does not come back from its reboot, are no errors
//! to AWS.

use super::{MaxConcurrency, MaxErrors};
use crate::request::RateControl;
use serde::{Deserialize, Serialize};

/// How long one node may take, in seconds: an hour until the command is delivered and 2 hours for
/// AWS-RunPatchBaseline (User Guide: a command expires after `TimeoutSeconds` and the document's
/// own timeout).
const SECONDS_PER_ROUND: u64 = 3 * 3_600;

/// The most that can go wrong. The figures on nodes follow from what the census counted, and are
/// `None` if it did not count everywhere: percentages are of the group as it is at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorstCase {
    /// Starts that the plan needs. AWS takes about one per second.
    pub starts: u32,
    /// Locations that are patched at the same time.
    pub locations_at_once: u32,
    /// Locations that fail before no more are begun.
    pub locations_failing: u32,
    /// Nodes that are patched, and may be rebooting, at the same time.
    pub nodes_at_once: Option<u32>,
    /// Nodes that fail as AWS counts it: in a location of n nodes at most min(n, e + c), since the
    /// c nodes in flight finish after the e allowed errors.
    pub node_errors: Option<u32>,
    /// Nodes that end damaged: all of them, because AWS does not count every damage.
    pub nodes_damaged: Option<u32>,
    /// Seconds until the slowest location is through, if each node takes the 3 hours that AWS
    /// gives it.
    pub slowest_location_seconds: Option<u64>,
}

/// What a plan is made of, as far as the worst case depends on it.
pub(crate) struct Paced<'a> {
    /// For each start, how many locations it has.
    pub(crate) units: &'a [u32],
    /// For each command that will be sent, its nodes; `None` if they were not counted.
    pub(crate) commands: &'a [Option<u32>],
    /// How many locations there are.
    pub(crate) locations: u32,
    /// Nodes within a location.
    pub(crate) nodes: RateControl,
    /// Locations at once, as the campaign resolved it.
    pub(crate) location_budget: u32,
    /// Locations that may fail, as the campaign resolved it.
    pub(crate) location_errors: u32,
}

impl Paced<'_> {
    pub(crate) fn worst_case(&self) -> WorstCase {
        let counted: Option<Vec<u32>> = self.commands.iter().copied().collect();
        let at_once = |c: MaxConcurrency| {
            counted.as_ref().map(|nodes| {
                let mut each: Vec<u32> = nodes.iter().map(|&n| c.upper_bound(n)).collect();
                largest(&mut each, self.location_budget)
            })
        };
        let RateControl {
            max_concurrency: c,
            max_errors: e,
        } = self.nodes;
        WorstCase {
            starts: count(self.units.len()),
            locations_at_once: self.location_budget.min(self.locations),
            locations_failing: self.locations_failing(),
            nodes_at_once: at_once(c),
            node_errors: counted
                .as_ref()
                .map(|nodes| sum(nodes.iter().map(|&n| errors(n, c, e)))),
            nodes_damaged: counted.as_ref().map(|nodes| sum(nodes.iter().copied())),
            slowest_location_seconds: counted.as_ref().map(|nodes| {
                nodes
                    .iter()
                    .map(|&n| rounds(n, c.as_count(n)) * SECONDS_PER_ROUND)
                    .max()
                    .unwrap_or_default()
            }),
        }
    }

    /// A unit of n locations ends with at most min(n, e + c) failed ones. The campaign opens no
    /// further unit once more than e have failed in all, so before that at most e had, and the
    /// units that are open then, at most as many as the location budget, each add their own.
    fn locations_failing(&self) -> u32 {
        let allowed = self.location_errors;
        let mut each: Vec<u32> = self
            .units
            .iter()
            .map(|&n| n.min(allowed.saturating_add(self.location_budget.min(n))))
            .collect();
        let units = each.len();
        let open = largest(&mut each, self.location_budget);
        if units <= 1 {
            open
        } else {
            allowed.saturating_add(open).min(self.locations)
        }
    }
}

/// AWS-counted errors among `n` nodes at most.
fn errors(n: u32, c: MaxConcurrency, e: MaxErrors) -> u32 {
    n.min(e.upper_bound(n).saturating_add(c.upper_bound(n)))
}

/// The sum of the `n` largest.
fn largest(values: &mut [u32], n: u32) -> u32 {
    values.sort_unstable_by(|a, b| b.cmp(a));
    sum(values.iter().copied().take(n as usize))
}

fn sum(values: impl Iterator<Item = u32>) -> u32 {
    values.fold(0, u32::saturating_add)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// How many rounds `n` nodes need at `c` at once, when AWS begins with 1, then 2, 4, … up to `c`
/// (User Guide, rate controls).
fn rounds(n: u32, c: u32) -> u64 {
    let (mut left, mut size, mut rounds) = (n, 1_u32, 0_u64);
    while left > 0 && size < c {
        left = left.saturating_sub(size);
        size = size.saturating_mul(2);
        rounds += 1;
    }
    rounds + u64::from(left.div_ceil(c.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rates(c: &str, e: &str) -> RateControl {
        RateControl {
            max_concurrency: c.parse().unwrap(),
            max_errors: e.parse().unwrap(),
        }
    }

    #[test]
    fn rounds_follow_the_ramp() {
        assert_eq!(rounds(0, 5), 0);
        assert_eq!(rounds(1, 5), 1);
        assert_eq!(rounds(7, 4), 3); // 1, 2, 4
        assert_eq!(rounds(8, 4), 4); // 1, 2, 4, 1
        assert_eq!(rounds(8, 5), 4); // 1, 2, 4, 1
        assert_eq!(rounds(10, 1), 10);
        assert_eq!(rounds(u32::MAX, 1), u64::from(u32::MAX));
    }

    #[test]
    fn the_two_figures_stand_side_by_side() {
        let worst = Paced {
            units: &[3],
            commands: &[Some(100), Some(20), Some(1)],
            locations: 3,
            nodes: rates("10%", "5"),
            location_budget: 2,
            location_errors: 1,
        }
        .worst_case();
        assert_eq!(worst.starts, 1);
        assert_eq!(worst.locations_at_once, 2);
        assert_eq!(worst.locations_failing, 3); // 1 allowed, 2 in flight
        assert_eq!(worst.nodes_at_once, Some(10 + 2));
        assert_eq!(worst.node_errors, Some(15 + 7 + 1));
        assert_eq!(worst.nodes_damaged, Some(121));
        // 1 + 2 + 4 + 8, then 85 by 10
        assert_eq!(worst.slowest_location_seconds, Some(13 * 10_800));
    }

    #[test]
    fn what_was_not_counted_has_no_figure() {
        let worst = Paced {
            units: &[2],
            commands: &[Some(1), None],
            locations: 2,
            nodes: rates("1", "0"),
            location_budget: 1,
            location_errors: 0,
        }
        .worst_case();
        assert_eq!(
            (
                worst.nodes_at_once,
                worst.node_errors,
                worst.nodes_damaged,
                worst.slowest_location_seconds
            ),
            (None, None, None, None)
        );
        assert_eq!(worst.locations_failing, 1);
    }

    proptest! {
        /// Plays a location in which every node fails: AWS starts nodes while it has counted at
        /// most e errors, c at once, and those in flight all fail too.
        #[test]
        fn a_location_that_fails_throughout_stays_within_the_bound(
            n in 1_u32..60, c in 1_u32..12, e in 0_u32..12,
        ) {
            let (mut waiting, mut flying, mut failed) = (n, 0, 0);
            loop {
                while failed <= e && flying < c && waiting > 0 {
                    waiting -= 1;
                    flying += 1;
                }
                if flying == 0 { break; }
                flying -= 1;
                failed += 1;
            }
            let bound = errors(n, c.to_string().parse().unwrap(), e.to_string().parse().unwrap());
            prop_assert!(failed <= bound, "{failed} > {bound}");
        }

        /// Plays units in which most locations fail, under a campaign that opens a unit only while at most
        /// e locations have failed and the budget has room.
        #[test]
        fn failing_locations_of_several_units_stay_within_the_bound(
            units in prop::collection::vec(1_u32..8, 1..6), budget in 1_u32..6, e in 0_u32..4,
            order in prop::collection::vec(0_usize..30, 0..80),
        ) {
            let bound = Paced {
                units: &units,
                commands: &[],
                locations: units.iter().sum(),
                nodes: rates("1", "0"),
                location_budget: budget,
                location_errors: e,
            }
            .worst_case()
            .locations_failing;
            let mut queue: Vec<u32> = units.clone();
            let mut open: Vec<(u32, u32, u32, u32)> = vec![]; // c, waiting, flying, failed
            let mut total = 0;
            let mut turn = order.into_iter().chain(std::iter::repeat(7));
            loop {
                // A unit is over when nothing flies in it and AWS would begin nothing more.
                open.retain(|&(_, waiting, flying, failed)| flying > 0 || (waiting > 0 && failed <= e));
                while let Some(&n) = queue.first() {
                    let c = n.min(budget);
                    if total > e || open.iter().map(|unit| unit.0).sum::<u32>() + c > budget { break; }
                    queue.remove(0);
                    open.push((c, n, 0, 0));
                }
                if open.is_empty() { break; }
                for (c, waiting, flying, failed) in &mut open {
                    while *failed <= e && flying < c && *waiting > 0 {
                        *waiting -= 1;
                        *flying += 1;
                    }
                }
                let next = turn.next().unwrap_or(0);
                let i = next % open.len();
                open[i].2 -= 1;
                if next / 6 != 0 {
                    open[i].3 += 1;
                    total += 1;
                }
            }
            prop_assert!(total <= bound, "{total} > {bound}");
        }
    }
}
