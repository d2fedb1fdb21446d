//! Which shape a bound on the whole fleet takes: how many nodes of a location at once, in how many locations at once.
//!
//! The bound is kept whatever the shape. The shape decides how long a campaign takes, and that is reckoned in turns: all nodes
//! are taken to need the same time. A command begins with 1 node, then 2, then 4 ([`Queue`]), and an execution with 1 location,
//! then 2, then 4 (User Guide, rate controls).

use super::Queue;
use std::collections::BTreeMap;

/// The locations by what counts here: how many there are of each size and limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sizes(BTreeMap<Size, u32>);

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
        let mut all: BTreeMap<Size, u32> = BTreeMap::new();
        for size in sizes.into_iter().filter(|size| size.nodes > 0) {
            let count = all.entry(size).or_default();
            *count = count.saturating_add(1);
        }
        Self(all)
    }
}

/// What AWS paces: so many nodes of each location, in so many locations at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AwsPaced {
    pub(crate) nodes_at_once: u32,
    pub(crate) locations_at_once: u32,
}

impl Sizes {
    fn locations(&self) -> u32 {
        self.0.values().fold(0, |sum: u32, n| sum.saturating_add(*n))
    }

    fn most_nodes(&self) -> u32 {
        self.0.keys().map(|size| size.nodes).max().unwrap_or_default()
    }

    /// The most nodes at once that the limit of every location allows. A location that may be patched whole allows any
    /// number.
    fn smallest_limit(&self) -> Option<u32> {
        let limits = self.0.keys().filter(|size| size.limit < size.nodes);
        limits.map(|size| size.limit).min()
    }

    /// The best shape for at most `budget` nodes at once (at least 1), in at most `places` locations. Nodes times locations
    /// at once are never more than the budget. Those are compared that have as many locations at once as there is room for. Of
    /// two that take equally long it is the one with fewer nodes at once in all, and then the one with fewer locations. It has
    /// at least `least` locations at once, if budget and places allow that.
    pub(crate) fn paced_by_aws(&self, budget: u32, places: u32, least: u32) -> AwsPaced {
        let budget = budget.max(1);
        let most = self
            .smallest_limit()
            .unwrap_or_else(|| self.most_nodes())
            .clamp(1, budget);
        let limit = places.min(budget).min(self.locations()).max(1);
        let mut best: Option<((u64, u64), AwsPaced)> = None;
        let mut locations_at_once = least.clamp(1, limit);
        while locations_at_once <= limit {
            let nodes_at_once = most.min(budget / locations_at_once);
            // As many locations as have room with as many nodes.
            locations_at_once = limit.min(budget / nodes_at_once);
            let shape = AwsPaced {
                nodes_at_once,
                locations_at_once,
            };
            let at_once = u64::from(nodes_at_once) * u64::from(locations_at_once);
            let cost = (self.turns(nodes_at_once, locations_at_once), at_once);
            if best.is_none_or(|(known, _)| cost < known) {
                best = Some((cost, shape));
            }
            locations_at_once += 1;
        }
        best.map_or(
            AwsPaced {
                nodes_at_once: 1,
                locations_at_once: 1,
            },
            |(_, shape)| shape,
        )
    }

    /// How many turns it takes, if every location needs as many as the average. Locations begin as nodes do: 1, then 2, then 4.
    fn turns(&self, nodes_at_once: u32, locations_at_once: u32) -> u64 {
        let (mut longest, mut all) = (0_u64, 0_u64);
        for (size, &n) in &self.0 {
            let turns = turns_of(size.nodes, nodes_at_once);
            longest = longest.max(turns);
            all = all.saturating_add(turns.saturating_mul(n.into()));
        }
        let locations = self.locations();
        let rounds = turns_of(locations, locations_at_once);
        longest.max(all.saturating_mul(rounds).div_ceil(u64::from(locations).max(1)))
    }

    /// The best number of nodes for a start that names its nodes: at most `most`, and in each location at most as many as its
    /// own limit. At most `room` nodes are open at once, in at most `places` locations, one start in each. Of two that take
    /// equally long it is the larger, which needs fewer starts.
    pub(crate) fn named_in_a_start(&self, room: u32, places: u32, most: u32) -> u32 {
        let most = most.min(room).max(1);
        let cost = |nodes: u32| {
            let (mut longest, mut all, mut starts) = (0_u64, 0_u64, 0_u64);
            for (size, &n) in &self.0 {
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

        /// Against every shape there is.
        #[test]
        fn no_other_shape_takes_fewer_turns(
            all in prop::collection::vec((1_u32..60, 1_u32..=60), 1..12),
            budget in 1_u32..80, places in 1_u32..14,
        ) {
            let all: Vec<(u32, u32)> = all.into_iter().map(|(n, limit)| (n, limit.min(n))).collect();
            let sizes = sizes(&all);
            let chosen = sizes.paced_by_aws(budget, places, 1);
            let turns = sizes.turns(chosen.nodes_at_once, chosen.locations_at_once);
            for nodes in 1..=budget {
                if all.iter().any(|(n, limit)| nodes.min(*n) > *limit) { continue; }
                for locations in 1..=(budget / nodes).min(places) {
                    prop_assert!(turns <= sizes.turns(nodes, locations), "{nodes} x {locations}");
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
