//! What keeps the plan from an answer about a location.

use super::{Draft, MAIN, Selector};
use patchfleet_sim::world::Fault;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Calls of the census that get no complete answer in a location, as long as the plan is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Obstacle {
    /// Which location: an index into [`Draft::places`], taken modulo.
    place: usize,
    how: Hindered,
}

#[derive(Debug, Clone, Copy)]
enum Hindered {
    /// The members of the group, or the nodes with the tags, may not be listed.
    MembersDenied,
    /// The listing of the group or the tags is throttled, and stays so.
    MembersThrottled,
    /// The nodes that Systems Manager manages may not be listed.
    ManagedDenied,
    /// The same listing fails.
    ManagedFails,
    /// The answer says that it is not complete, with status 200.
    Partial,
    /// The connection breaks in the middle of an answer.
    Truncated,
    /// No role can be assumed, so nothing is known of any account but the central one.
    NoRole,
}

/// What the request says of such locations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IfUnknown {
    /// `refuse` or `skip`.
    pub(crate) unknown: &'static str,
    /// `refuse`, `skip` or `exclude`.
    pub(crate) denied: &'static str,
}

impl Default for IfUnknown {
    fn default() -> Self {
        Self {
            unknown: "refuse",
            denied: "refuse",
        }
    }
}

impl Obstacle {
    /// The fault of the world.
    pub(super) fn fault(&self, places: usize) -> Value {
        let (account, region) = Draft::location(self.place % places);
        let members = ["resource-groups:ListGroupResources", "tag:GetResources"];
        let managed = ["ssm:DescribeInstanceInformation"];
        let of = |operations: &[&str], effect: Value| {
            json!({
                "effect": effect, "operations": operations, "accounts": [account], "regions": [region],
            })
        };
        match self.how {
            Hindered::MembersDenied => of(&members, json!("deny")),
            Hindered::MembersThrottled => of(&members, json!("throttle")),
            Hindered::ManagedDenied => of(&managed, json!("deny")),
            Hindered::ManagedFails => of(&managed, json!("internal_error")),
            Hindered::Partial => of(
                &members[..1],
                json!({ "query_errors": ["CLOUDFORMATION_STACK_INACTIVE"] }),
            ),
            Hindered::Truncated => of(&[members[0], members[1], managed[0]], json!("truncate")),
            Hindered::NoRole => json!({
                "effect": "deny", "operations": ["sts:AssumeRole"], "accounts": [MAIN],
            }),
        }
    }

    /// Whether it is in this location.
    fn is_in(&self, draft: &Draft, at: &(String, String)) -> bool {
        match self.how {
            Hindered::NoRole => at.0 != MAIN,
            _ => Draft::location(self.place % draft.places.len()) == *at,
        }
    }
}

impl Draft {
    /// Where the census had no complete answer, by the faults that the world has of the obstacles.
    pub(crate) fn unread(&self, faults: &[Fault]) -> BTreeSet<(String, String)> {
        let places = (0..self.places.len()).map(Self::location);
        let is_unread = |at: &(String, String)| {
            let mut all = self.obstacles.iter().zip(faults);
            all.any(|(obstacle, fault)| fault.struck > 0 && obstacle.is_in(self, at))
        };
        places.filter(is_unread).collect()
    }

    /// Whether a census that a fault has struck in a location may say that nothing is there: only if each node that is asked for by
    /// its id was found elsewhere.
    pub(crate) fn is_known_to_be_empty(&self, at: &(String, String)) -> bool {
        let mut there = self
            .selected()
            .into_iter()
            .map(|(_, place)| Self::location(place));
        self.wish.selector == Selector::NodeIds && there.all(|other| other != *at)
    }
}

/// Few plans meet with one.
pub(super) fn obstacles() -> impl Strategy<Value = (Vec<Obstacle>, IfUnknown)> {
    let how = prop_oneof![
        2 => Just(Hindered::MembersDenied),
        1 => Just(Hindered::MembersThrottled),
        1 => Just(Hindered::ManagedDenied),
        1 => Just(Hindered::ManagedFails),
        1 => Just(Hindered::Partial),
        1 => Just(Hindered::Truncated),
        1 => Just(Hindered::NoRole),
    ];
    let obstacle = (any::<u8>(), how).prop_map(|(place, how)| Obstacle {
        place: place.into(),
        how,
    });
    let unknown = prop_oneof![1 => Just("refuse"), 5 => Just("skip")];
    let denied = prop_oneof![1 => Just("refuse"), 3 => Just("skip"), 2 => Just("exclude")];
    let some = (prop::collection::vec(obstacle, 1..3), unknown, denied)
        .prop_map(|(obstacles, unknown, denied)| (obstacles, IfUnknown { unknown, denied }));
    prop_oneof![9 => Just((vec![], IfUnknown::default())), 1 => some]
}
