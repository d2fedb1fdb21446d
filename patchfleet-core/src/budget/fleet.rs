//! Which shape a bound on the whole fleet takes: how many nodes of a location at once, in how many locations at once.
//!
//! The bound is kept whatever the shape. The shape decides how long a campaign takes, and that is reckoned in turns: all nodes
//! are taken to need the same time. A command begins with 1 node, then 2, then 4 ([`Queue`]), and an execution with 1 location,
//! then 2, then 4 (User Guide, rate controls).

use super::{Queue, turns};
use std::collections::BTreeMap;

/// The locations by what counts here, in the order in which they are begun.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sizes(Vec<Size>);

/// One location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size {
    /// Nodes that commands are sent to, at least 1.
    pub(crate) nodes: u32,
    /// How many of them at once the limit within the location allows, at least 1.
    pub(crate) limit: u32,
}

impl FromIterator<Size> for Sizes {
    fn from_iter<I: IntoIterator<Item = Size>>(sizes: I) -> Self {
        Self(sizes.into_iter().filter(|size| size.nodes > 0).collect())
    }
}

/// What AWS paces: so many nodes of each location, in so many locations at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AwsPaced {
    pub(crate) nodes_at_once: u32,
    pub(crate) locations_at_once: u32,
}

impl AwsPaced {
    const ONE_BY_ONE: Self = Self {
        nodes_at_once: 1,
        locations_at_once: 1,
    };

    /// How many nodes at once in all.
    pub(crate) fn at_once(self) -> u64 {
        u64::from(self.nodes_at_once) * u64::from(self.locations_at_once)
    }
}

/// How many turns a location of each size needs, and all of them together.
struct Turns {
    of_size: BTreeMap<u32, u64>,
    /// No number of locations at once does it in fewer than the longest needs, and so many do it in no fewer than an equal share
    /// of all.
    longest: u64,
    all: u64,
}

impl Turns {
    fn at_least(&self, locations_at_once: u32) -> u64 {
        self.longest
            .max(self.all.div_ceil(locations_at_once.max(1).into()))
    }
}

impl Sizes {
    fn locations(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    fn most_nodes(&self) -> u32 {
        self.0.iter().map(|size| size.nodes).max().unwrap_or_default()
    }

    /// How many locations there are of each size and limit.
    fn counts(&self) -> BTreeMap<Size, u32> {
        let mut counts: BTreeMap<Size, u32> = BTreeMap::new();
        for size in &self.0 {
            let count = counts.entry(*size).or_default();
            *count = count.saturating_add(1);
        }
        counts
    }

    /// The most nodes at once that the limit of every location allows; `None`: any number. A location that may be patched whole
    /// allows any number.
    pub(crate) fn smallest_limit(&self) -> Option<u32> {
        let limits = self.0.iter().filter(|size| size.limit < size.nodes);
        limits.map(|size| size.limit).min()
    }

    /// The best shape for at most `budget` nodes at once (at least 1), in at most `places` locations. Nodes times locations
    /// at once are never more than the budget. Those are compared that have as many locations at once as there is room for, as
    /// fewer are never faster. Of two that take equally long it is the one with fewer nodes at once in all, and then the one with
    /// fewer locations. It has at least `least` locations at once, if budget and places allow that.
    pub(crate) fn paced_by_aws(&self, budget: u32, places: u32, least: u32) -> AwsPaced {
        let counts = self.counts();
        let mut shapes: Vec<(u64, AwsPaced)> = self
            .shapes(budget.max(1), places, least)
            .into_iter()
            .map(|shape| {
                let turns = Self::turns_of_each(&counts, shape.nodes_at_once);
                (turns.at_least(shape.locations_at_once), shape)
            })
            .collect();
        shapes.sort_by_key(|(at_least, shape)| (*at_least, shape.at_once(), shape.locations_at_once));
        let mut best: Option<((u64, u64, u32), AwsPaced)> = None;
        for (at_least, shape) in shapes {
            if best.is_some_and(|((turns, ..), _)| turns < at_least) {
                break;
            }
            let cost = (
                self.turns_played(&Self::turns_of_each(&counts, shape.nodes_at_once), shape),
                shape.at_once(),
                shape.locations_at_once,
            );
            if best.is_none_or(|(known, _)| cost < known) {
                best = Some((cost, shape));
            }
        }
        best.map_or(AwsPaced::ONE_BY_ONE, |(_, shape)| shape)
    }

    /// For each number of nodes at once, as many locations at once as have room with so many.
    fn shapes(&self, budget: u32, places: u32, least: u32) -> Vec<AwsPaced> {
        let most = self
            .smallest_limit()
            .unwrap_or_else(|| self.most_nodes())
            .clamp(1, budget);
        let limit = places.min(budget).min(self.locations()).max(1);
        let mut shapes = vec![];
        let mut locations_at_once = least.clamp(1, limit);
        while locations_at_once <= limit {
            let nodes_at_once = most.min(budget / locations_at_once);
            locations_at_once = limit.min(budget / nodes_at_once);
            shapes.push(AwsPaced {
                nodes_at_once,
                locations_at_once,
            });
            locations_at_once += 1;
        }
        shapes
    }

    /// How many turns it takes in this shape.
    pub(crate) fn turns(&self, shape: AwsPaced) -> u64 {
        self.turns_played(&Self::turns_of_each(&self.counts(), shape.nodes_at_once), shape)
    }

    fn turns_of_each(counts: &BTreeMap<Size, u32>, nodes_at_once: u32) -> Turns {
        let (mut of_size, mut longest, mut all) = (BTreeMap::new(), 0_u64, 0_u64);
        for (size, &n) in counts {
            let turns = *of_size
                .entry(size.nodes)
                .or_insert_with(|| turns_of(size.nodes, nodes_at_once));
            longest = longest.max(turns);
            all = all.saturating_add(turns.saturating_mul(n.into()));
        }
        Turns {
            of_size,
            longest,
            all,
        }
    }

    fn turns_played(&self, turns: &Turns, shape: AwsPaced) -> u64 {
        let of_each = self.0.iter().filter_map(|size| turns.of_size.get(&size.nodes));
        turns::one_after_another(of_each.copied(), shape.locations_at_once)
    }

    /// The best number of nodes for a start that names its nodes: at most `most`, and in each location at most as many as its
    /// own limit. At most `room` nodes are open at once, in at most `places` locations, one start in each. Of two that take
    /// equally long it is the larger, which needs fewer starts.
    pub(crate) fn named_in_a_start(&self, room: u32, places: u32, most: u32) -> u32 {
        let most = most.min(room).max(1);
        let counts = self.counts();
        let cost = |nodes: u32| {
            let (mut longest, mut all, mut starts) = (0_u64, 0_u64, 0_u64);
            for (size, &n) in &counts {
                let nodes = nodes.min(size.limit).max(1);
                let of_location = u64::from(size.nodes.div_ceil(nodes));
                let turns = of_location.saturating_mul(turns_of(nodes, nodes));
                longest = longest.max(turns);
                all = all.saturating_add(turns.saturating_mul(n.into()));
                starts = starts.saturating_add(of_location.saturating_mul(n.into()));
            }
            let most = self.locations().clamp(1, AUTOMATIONS);
            let at_once = places.min(room / nodes).clamp(1, most);
            longest
                .max(all.div_ceil(at_once.into()))
                .max(starts.div_ceil(STARTS_IN_A_TURN))
        };
        (1..=most).rev().min_by_key(|nodes| cost(*nodes)).unwrap_or(1)
    }
}

/// Executions of Automation that run at once in an account and Region: the quota (Automation service quotas, 100).
const AUTOMATIONS: u32 = 100;

/// Starts that AWS takes while a node is patched, which is taken to need half an hour: one a second.
const STARTS_IN_A_TURN: u64 = 1_800;

/// The turns that a command to so many nodes needs with so many places.
fn turns_of(nodes: u32, places: u32) -> u64 {
    let queue = Queue {
        online: nodes,
        offline: 0,
        places: places.min(nodes),
    };
    queue.turns().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sizes(of: &[(u32, u32)]) -> Sizes {
        of.iter().map(|&(nodes, limit)| Size { nodes, limit }).collect()
    }

    fn shape(of: &[(u32, u32)], budget: u32, places: u32) -> (u32, u32) {
        let shape = sizes(of).paced_by_aws(budget, places, 1);
        (shape.nodes_at_once, shape.locations_at_once)
    }

    /// Plays a campaign turn by turn: in each, so many locations have a place, the first ones that are not through, and each of
    /// them so many nodes. Both begin with one, and have one place more for each that is through.
    fn played(nodes: &[u32], nodes_at_once: u32, locations_at_once: u32) -> u64 {
        let mut left = nodes.to_vec();
        let (mut open, mut next, mut through, mut turns) = (Vec::<(usize, u32)>::new(), 0, 0, 0_u64);
        loop {
            while next < nodes.len() && (open.len() as u32) < locations_at_once.min(through + 1) {
                open.push((next, 1));
                next += 1;
            }
            if open.is_empty() {
                return turns;
            }
            turns += 1;
            for (location, size) in &mut open {
                left[*location] = left[*location].saturating_sub((*size).min(nodes_at_once));
                *size = size.saturating_mul(2);
            }
            let before = open.len();
            open.retain(|(location, _)| left[*location] > 0);
            through += (before - open.len()) as u32;
        }
    }

    #[test]
    fn unequal_locations_have_the_shape_that_is_through_first_and_not_the_one_that_is_so_on_average() {
        // One large location among small ones: on average 4 x 3 would do.
        let all = [(60, 60), (2, 2), (2, 2), (2, 2), (2, 2), (2, 2)];
        let (nodes, locations) = shape(&all, 12, 6);
        let sizes: Vec<u32> = all.iter().map(|(n, _)| *n).collect();
        assert_eq!(
            (nodes, locations),
            (12, 1),
            "{}",
            played(&sizes, nodes, locations)
        );
        assert!(played(&sizes, 12, 1) < played(&sizes, 4, 3));
        // The large one last: the small ones share a place before it.
        let last: Vec<u32> = sizes.iter().rev().copied().collect();
        assert_eq!(played(&last, 12, 1), played(&sizes, 12, 1));
    }

    #[test]
    fn many_locations_share_the_budget_with_few_nodes_each() {
        assert_eq!(shape(&[(10, 5); 20], 10, 20), (2, 5));
    }

    #[test]
    fn few_locations_at_once_have_several_nodes_each() {
        assert_eq!(shape(&[(100, 50); 20], 10, 2), (5, 2));
        assert_eq!(shape(&[(100, 100)], 10, 4), (10, 1));
    }

    #[test]
    fn of_shapes_that_take_equally_long_it_is_the_one_with_fewer_nodes_at_once_and_then_with_fewer_locations()
    {
        assert_eq!(
            shape(&[(2, 2); 3], 4, 3),
            (1, 3),
            "3 nodes at once, where (2, 2) has 4"
        );
        assert_eq!(
            shape(&[(2, 2); 2], 2, 2),
            (2, 1),
            "(1, 2) has 2 nodes at once as well"
        );
    }

    #[test]
    fn a_location_without_nodes_that_are_sent_to_counts_for_nothing() {
        assert_eq!(sizes(&[(0, 0), (5, 5)]), sizes(&[(5, 5)]));
    }

    #[test]
    fn the_smallest_limit_bounds_the_nodes_at_once() {
        assert_eq!(shape(&[(100, 10), (20, 2)], 50, 2), (2, 2));
        assert_eq!(
            shape(&[(100, 10), (3, 3)], 50, 2),
            (10, 2),
            "a location that may be patched whole bounds nothing"
        );
    }

    #[test]
    fn as_many_locations_have_a_place_as_there_are_starts_where_nobody_begins_a_later_one() {
        let shape = |budget, places| sizes(&[(100, 100); 3]).paced_by_aws(budget, places, 2);
        for budget in [2, 4, 20] {
            assert!(shape(budget, 3).locations_at_once >= 2, "{budget}");
        }
        assert_eq!(shape(1, 3).locations_at_once, 1, "the budget allows no more");
        assert_eq!(shape(20, 1).locations_at_once, 1, "nor do the places");
    }

    #[test]
    fn a_start_names_few_nodes_where_many_locations_wait_and_many_where_few_do() {
        // 20 in 100 locations at once: one node each, since a command of several begins with one.
        assert_eq!(sizes(&[(50, 25); 100]).named_in_a_start(20, 100, 20), 1);
        // One location at a time: as many as a start can name.
        assert_eq!(sizes(&[(500, 250); 10]).named_in_a_start(1_000, 1, 20), 20);
        assert_eq!(sizes(&[(500, 250); 10]).named_in_a_start(7, 1, 20), 7);
    }

    proptest! {
        #[test]
        fn no_shape_is_over_its_budget_or_over_a_limit(
            all in prop::collection::vec((1_u32..400, 1_u32..=100), 1..40),
            budget in 1_u32..3_000, places in 1_u32..60,
        ) {
            let all: Vec<(u32, u32)> =
                all.into_iter().map(|(n, percent)| (n, (n * percent / 100).max(1))).collect();
            let (nodes, locations) = shape(&all, budget, places);
            prop_assert!(nodes >= 1 && locations >= 1);
            prop_assert!(u64::from(nodes) * u64::from(locations) <= u64::from(budget));
            prop_assert!(locations <= places);
            for (n, limit) in &all {
                prop_assert!(nodes.min(*n) <= *limit);
            }
        }

        /// Against every shape there is, played turn by turn.
        #[test]
        fn no_other_shape_takes_fewer_turns(
            all in prop::collection::vec((1_u32..60, 1_u32..=60), 1..12),
            budget in 1_u32..60, places in 1_u32..14, least in 1_u32..4,
        ) {
            let all: Vec<(u32, u32)> = all.into_iter().map(|(n, limit)| (n, limit.min(n))).collect();
            let chosen = sizes(&all).paced_by_aws(budget, places, least);
            let nodes: Vec<u32> = all.iter().map(|(n, _)| *n).collect();
            let turns = played(&nodes, chosen.nodes_at_once, chosen.locations_at_once);
            prop_assert_eq!(sizes(&all).turns(chosen), turns);
            let least = least.min(budget).min(places).min(nodes.len() as u32);
            for at_once in 1..=budget {
                if all.iter().any(|(n, limit)| at_once.min(*n) > *limit) { continue; }
                for locations in least..=(budget / at_once).min(places) {
                    prop_assert!(turns <= played(&nodes, at_once, locations), "{at_once} x {locations}");
                }
            }
        }

        #[test]
        fn a_start_never_names_more_than_there_is_room_for(
            all in prop::collection::vec((1_u32..400, 1_u32..=400), 0..40),
            room in 1_u32..50, places in 1_u32..60,
        ) {
            let named = sizes(&all).named_in_a_start(room, places, 20);
            prop_assert!((1..=room.min(20)).contains(&named));
        }
    }
}
