//! How many turns the nodes of one command need, and how many have one in a given number of turns.
//!
//! AWS begins with 1 node, then 2, then 4, up to the limit (User Guide, rate controls). A node that
//! does not answer holds its place until the command expires, so the other nodes share what is left.
//! Whether such a node also keeps the ramp from growing is not documented. Here the ramp grows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The nodes of one command, and how many of them have a place at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Nodes that answer.
    pub(crate) online: u32,
    /// Nodes that do not answer, each of which holds a place for good.
    pub(crate) offline: u32,
    /// Places.
    pub(crate) places: u32,
}

impl Queue {
    /// Whether the nodes that do not answer can hold every place while others wait.
    pub(crate) fn can_be_blocked(self) -> bool {
        self.online > 0 && self.offline >= self.places
    }

    /// How many turns the nodes that answer need, one after another. `None` if other nodes can hold every place, so they may
    /// never have a turn.
    pub(crate) fn turns(self) -> Option<u64> {
        if self.can_be_blocked() {
            return None;
        }
        let (mut left, mut turns) = (self.online, 0_u64);
        for size in Ramp::to(self.places) {
            if left == 0 {
                return Some(turns);
            }
            left = left.saturating_sub(size.saturating_sub(self.offline));
            turns += 1;
        }
        let width = self.places.saturating_sub(self.offline).max(1);
        Some(turns + u64::from(left.div_ceil(width)))
    }

    /// How many of the nodes that answer have had their turn after so many turns.
    pub(crate) fn served(self, turns: u64) -> u32 {
        if self.can_be_blocked() {
            return 0;
        }
        let (mut served, mut left) = (0_u32, turns);
        for size in Ramp::to(self.places) {
            if left == 0 {
                return served.min(self.online);
            }
            served = served.saturating_add(size.saturating_sub(self.offline));
            left -= 1;
        }
        let width = u64::from(self.places.saturating_sub(self.offline));
        let rest = u32::try_from(width.saturating_mul(left)).unwrap_or(u32::MAX);
        served.saturating_add(rest).min(self.online)
    }
}

/// 1, 2, 4, … below a limit.
struct Ramp {
    next: u32,
    limit: u32,
}

impl Ramp {
    fn to(limit: u32) -> Self {
        Self { next: 1, limit }
    }
}

impl Iterator for Ramp {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let size = self.next;
        self.next = size.saturating_mul(2);
        (size < self.limit).then_some(size)
    }
}

/// How long locations take that need so long each, in their order, so many at once. AWS begins with one, and has room for one more
/// with each that is through: 1, then 2, then 4 if all are alike (User Guide, rate controls).
pub(crate) fn one_after_another(locations: impl IntoIterator<Item = u64>, at_once: u32) -> u64 {
    let at_once = usize::try_from(at_once.max(1)).unwrap_or(usize::MAX);
    let mut open: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
    let (mut now, mut through) = (0_u64, 0_usize);
    for needs in locations {
        while open.len() >= at_once.min(through.saturating_add(1)) {
            let Some(Reverse(ends)) = open.pop() else { break };
            now = now.max(ends);
            through += 1;
        }
        open.push(Reverse(now.saturating_add(needs)));
    }
    open.into_iter().map(|Reverse(ends)| ends).max().unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn queue(online: u32, places: u32, offline: u32) -> Queue {
        Queue {
            online,
            offline,
            places,
        }
    }

    #[test]
    fn turns_follow_the_ramp() {
        for (online, places, turns) in [
            (0, 5, 0),
            (1, 5, 1),
            (7, 4, 3), // 1, 2, 4
            (8, 4, 4), // 1, 2, 4, 1
            (8, 5, 4), // 1, 2, 4, 1
            (10, 1, 10),
        ] {
            assert_eq!(
                queue(online, places, 0).turns(),
                Some(turns),
                "{online} by {places}"
            );
        }
        assert_eq!(queue(u32::MAX, 1, 0).turns(), Some(u64::from(u32::MAX)));
    }

    #[test]
    fn nodes_that_do_not_answer_take_their_places_away_from_the_others() {
        // 4 places, one held: 0, 1, then 3 at a time.
        assert_eq!(queue(10, 4, 1).turns(), Some(5));
        assert_eq!(queue(10, 4, 3).turns(), Some(2 + 10));
        assert_eq!(queue(10, 4, 4).turns(), None);
        assert!(queue(1, 1, 1).can_be_blocked());
        assert!(!queue(0, 1, 5).can_be_blocked(), "nobody waits");
    }

    proptest! {
        /// Plays the turns one by one.
        #[test]
        fn as_many_nodes_have_their_turn_as_a_game_of_turns_gives(
            online in 0_u32..80, places in 1_u32..12, offline in 0_u32..12, given in 0_u64..30,
        ) {
            let queue = queue(online, places, offline);
            let (mut waiting, mut turn, mut size) = (online, 0_u64, 1_u32);
            let mut needed = None;
            let mut after_given = 0;
            while turn < 200 {
                if waiting == 0 && needed.is_none() { needed = Some(turn); }
                if turn == given { after_given = online - waiting; }
                if !(online > 0 && offline >= places) {
                    waiting -= waiting.min(size.min(places).saturating_sub(offline));
                }
                size = (size * 2).min(places);
                turn += 1;
            }
            prop_assert_eq!(queue.turns(), needed);
            prop_assert_eq!(queue.served(given), after_given);
        }
    }
}
