//! What was found in each location.

use crate::census::{CensusAnswer, CensusTaken, Depth, NodeCounts, UnknownCause, take::take};
use crate::id::NodeId;
use crate::port::{PingStatus, PortErrorKind};
use crate::request::Selector;
use crate::tests::world::{CENTRAL, Place, World, at, ec2, hybrid, request, wait};
use serde_json::json;

fn selector(targets: serde_json::Value) -> Selector {
    let mut targets = targets;
    targets["regions"] = json!(["us-east-1"]);
    request(targets).targets.selector
}

fn group() -> Selector {
    selector(json!({"resource_group": "WebServers"}))
}

fn taken(world: &World, selector: &Selector, depth: Depth, concurrency: usize) -> CensusTaken {
    let wanted = world.places.keys().cloned().collect();
    wait(take(world, &wanted, selector, depth, concurrency))
}

/// The answer of the only location.
fn answer(place: Place, selector: &Selector, depth: Depth) -> CensusAnswer {
    let mut world = World::default();
    *world.place(CENTRAL, "us-east-1") = place;
    let mut taken = taken(&world, selector, depth, 4);
    taken.answers.remove(&at(CENTRAL, "us-east-1")).unwrap()
}

fn unknown_because(answer: &CensusAnswer) -> UnknownCause {
    match answer {
        CensusAnswer::Unknown { cause, detail } if !detail.is_empty() => *cause,
        other => panic!("{other:?}"),
    }
}

/// Three EC2 nodes and two hybrid ones, over several pages, one of them twice.
fn mixed() -> Place {
    Place {
        members: vec![ec2(1), ec2(2), hybrid(1), ec2(1), ec2(3), hybrid(2)],
        managed: [
            (ec2(1), PingStatus::Online),
            (ec2(2), PingStatus::Offline),
            (hybrid(1), PingStatus::Online),
            (ec2(9), PingStatus::Online),
        ]
        .into(),
        ..Place::default()
    }
}

#[test]
fn members_are_counted_to_the_last_page_by_kind_and_by_reachability() {
    for selector in [group(), selector(json!({"tags": {"Env": ["prod"]}}))] {
        let nodes = NodeCounts {
            ec2: 3,
            hybrid: 2,
            online: 2,
            offline: 1,
            unmanaged: 2,
        };
        assert_eq!(
            answer(mixed(), &selector, Depth::Count),
            CensusAnswer::Populated { nodes: Some(nodes) }
        );
    }
}

#[test]
fn all_managed_counts_what_systems_manager_has() {
    let nodes = NodeCounts {
        ec2: 3,
        hybrid: 1,
        online: 3,
        offline: 1,
        unmanaged: 0,
    };
    let all = selector(json!({"all_managed": true}));
    assert_eq!(
        answer(mixed(), &all, Depth::Count),
        CensusAnswer::Populated { nodes: Some(nodes) }
    );
    assert_eq!(
        answer(mixed(), &all, Depth::Presence),
        CensusAnswer::Populated { nodes: Some(nodes) },
        "their ids are needed whatever the depth"
    );
    assert_eq!(answer(Place::default(), &all, Depth::Count), CensusAnswer::Empty);
}

#[test]
fn only_a_whole_answer_without_a_node_is_empty() {
    for depth in [Depth::Count, Depth::Presence] {
        assert_eq!(answer(Place::default(), &group(), depth), CensusAnswer::Empty);
        let partial = Place {
            partial_at: Some(0),
            ..Place::default()
        };
        assert_eq!(
            unknown_because(&answer(partial, &group(), depth)),
            UnknownCause::Partial
        );
        for (kind, cause) in [
            (PortErrorKind::Denied, UnknownCause::Denied),
            (PortErrorKind::RoleNotAssumable, UnknownCause::RoleNotAssumable),
            (PortErrorKind::Throttled, UnknownCause::Throttled),
            (PortErrorKind::RegionNotEnabled, UnknownCause::RegionNotEnabled),
            (PortErrorKind::Unavailable, UnknownCause::Unavailable),
            (PortErrorKind::Other, UnknownCause::Other),
        ] {
            let place = Place {
                members_fail: Some((0, kind)),
                ..Place::default()
            };
            let answer = answer(place, &group(), depth);
            assert_eq!(unknown_because(&answer), cause);
            assert!(
                format!("{answer:?}").contains("because of"),
                "the cause's own words: {answer:?}"
            );
        }
    }
}

#[test]
fn a_group_that_is_not_there_is_missing_and_tags_have_no_group() {
    let missing = Place {
        members_fail: Some((0, PortErrorKind::NotFound)),
        ..Place::default()
    };
    assert_eq!(
        answer(missing.clone(), &group(), Depth::Count),
        CensusAnswer::GroupMissing
    );
    let tags = selector(json!({"tags": {"Env": ["prod"]}}));
    assert_eq!(
        unknown_because(&answer(missing, &tags, Depth::Count)),
        UnknownCause::Other
    );
    let gone = Place {
        members_fail: Some((2, PortErrorKind::NotFound)),
        ..mixed()
    };
    assert_eq!(
        unknown_because(&answer(gone, &group(), Depth::Count)),
        UnknownCause::Other
    );
}

#[test]
fn an_error_after_the_first_members_leaves_the_count_unknown_and_the_presence_known() {
    // Page 1 has the first members.
    for place in [
        Place {
            members_fail: Some((2, PortErrorKind::Throttled)),
            ..mixed()
        },
        Place {
            partial_at: Some(3),
            ..mixed()
        },
        Place {
            managed_fail: Some(PortErrorKind::Denied),
            ..mixed()
        },
    ] {
        unknown_because(&answer(place.clone(), &group(), Depth::Count));
        assert_eq!(
            answer(place, &group(), Depth::Presence),
            CensusAnswer::Populated { nodes: None }
        );
    }
    let at_once = Place {
        partial_at: Some(1),
        ..mixed()
    };
    assert_eq!(
        unknown_because(&answer(at_once, &group(), Depth::Presence)),
        UnknownCause::Partial
    );
}

#[test]
fn presence_stops_at_the_first_node() {
    let mut world = World::default();
    *world.place(CENTRAL, "us-east-1") = mixed();
    taken(&world, &group(), Depth::Presence, 1);
    assert_eq!((world.calls("members"), world.calls("managed")), (2, 0));
}

#[test]
fn node_ids_are_found_where_they_are_in_calls_of_at_most_fifty() {
    let mut world = World::default();
    let nodes: Vec<NodeId> = (0..120).map(ec2).collect();
    world.place(CENTRAL, "us-east-1").managed = nodes[..70]
        .iter()
        .map(|id| (id.clone(), PingStatus::Online))
        .collect();
    world.place(CENTRAL, "eu-west-1").managed = nodes[70..119]
        .iter()
        .map(|id| (id.clone(), PingStatus::Offline))
        .collect();
    world.place(CENTRAL, "us-west-2");
    world.place(CENTRAL, "eu-west-2").managed_fail = Some(PortErrorKind::Denied);
    for depth in [Depth::Count, Depth::Presence] {
        let taken = taken(&world, &Selector::NodeIds(nodes.clone()), depth, 2);
        assert_eq!(taken.found.len(), 2);
        assert_eq!(taken.found[&at(CENTRAL, "us-east-1")], nodes[..70]);
        assert_eq!(taken.found[&at(CENTRAL, "eu-west-1")], nodes[70..119]);
        assert_eq!(taken.answers[&at(CENTRAL, "us-west-2")], CensusAnswer::Empty);
        let denied = &taken.answers[&at(CENTRAL, "eu-west-2")];
        assert_eq!(unknown_because(denied), UnknownCause::Denied);
        let nodes = NodeCounts {
            ec2: 49,
            offline: 49,
            ..NodeCounts::default()
        };
        assert_eq!(
            taken.answers[&at(CENTRAL, "eu-west-1")],
            CensusAnswer::Populated { nodes: Some(nodes) }
        );
    }
    assert_eq!(world.calls("members"), 0);
}

#[test]
fn how_many_are_asked_at_once_changes_nothing() {
    let mut world = World::default();
    for (n, name) in ["us-east-1", "eu-west-1", "us-west-2", "eu-west-2"]
        .into_iter()
        .enumerate()
    {
        let place = world.place(CENTRAL, name);
        place.members = (0..n as u64 * 3).map(ec2).collect();
    }
    let one = taken(&world, &group(), Depth::Count, 0);
    assert_eq!(one.answers.len(), 4);
    for concurrency in [1, 2, 3, 100] {
        assert_eq!(taken(&world, &group(), Depth::Count, concurrency), one);
    }
}

#[test]
fn a_listing_without_end_is_unknown() {
    let mut world = World {
        endless: true,
        ..World::default()
    };
    world.place(CENTRAL, "us-east-1");
    let taken = taken(&world, &group(), Depth::Count, 1);
    assert_eq!(
        unknown_because(&taken.answers[&at(CENTRAL, "us-east-1")]),
        UnknownCause::Other
    );
}
