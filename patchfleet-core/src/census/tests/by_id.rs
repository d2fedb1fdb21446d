//! Nodes that are asked for by their ids: how many calls it takes to find them.

use crate::census::{CensusAnswer, Depth, MAX_ID_CALLS, UnknownCause, id_calls, take::take};
use crate::id::{Location, NodeId};
use crate::plan::{Options, PlanError, make};
use crate::port::{PingStatus, PortErrorKind};
use crate::refusal::RefusalCode;
use crate::request::Selector;
use crate::tests::world::{CENTRAL, World, account, at, ec2, request, wait};
use serde_json::json;
use std::collections::BTreeSet;

const REGIONS: [&str; 4] = ["ap-south-1", "eu-west-1", "us-east-1", "us-west-2"];

/// Accounts with `nodes` managed nodes in each of four Regions, each node with a number of its own.
fn world(accounts: u64, nodes: u64) -> World {
    let mut world = World::default();
    for n in 0..accounts {
        let id = format!("{:012}", 111_111_111_111 + n);
        world.add(&id, &REGIONS);
        for (index, name) in (0..).zip(REGIONS) {
            let first = (n * 4 + index) * nodes;
            world.place(&id, name).managed = (first..first + nodes)
                .map(|n| (ec2(n), PingStatus::Online))
                .collect();
        }
    }
    world
}

/// Looks for the ids, one location after another, and gives where they are.
fn found(world: &World, ids: Vec<NodeId>) -> Vec<(Location, usize)> {
    let wanted: BTreeSet<Location> = world.places.keys().cloned().collect();
    let taken = wait(take(world, &wanted, &Selector::NodeIds(ids), Depth::Count, 1));
    assert_eq!(taken.answers.len(), wanted.len(), "every location has an answer");
    let found = taken.found.into_iter();
    found.map(|(location, ids)| (location, ids.len())).collect()
}

#[test]
fn an_id_that_is_found_is_looked_for_no_longer() {
    // The ids live in the second location of eighty.
    let world = world(20, 40);
    let ids: Vec<NodeId> = (40..80).map(ec2).collect();
    assert_eq!(found(&world, ids), [(at(CENTRAL, "eu-west-1"), 40)]);
    let asked: BTreeSet<String> = world.calls.lock().unwrap().iter().cloned().collect();
    let places = ["ap-south-1", "eu-west-1"].map(|name| format!("managed {CENTRAL}/{name}"));
    assert_eq!(asked, places.into());
}

#[test]
fn locations_that_are_like_those_of_the_ids_found_so_far_come_first() {
    // All in us-east-1, of accounts 0, 1, 2 and 3 of twenty.
    let world = world(20, 10);
    let ids: Vec<NodeId> = (0..4).map(|n| ec2((n * 4 + 2) * 10)).collect();
    assert_eq!(found(&world, ids).len(), 4);
    // Two locations before the first hit, then its Region in every account, or its account's others.
    let asked: BTreeSet<String> = world.calls.lock().unwrap().iter().cloned().collect();
    assert!(asked.len() <= 8, "{asked:?}");
}

#[test]
fn thousands_of_ids_cost_about_as_many_calls_as_the_fleet_has_pages() {
    // 20 locations with 250 nodes each, all of them asked for: 5,000 ids, 100 calls' worth of ids.
    let world = world(5, 250);
    let ids: Vec<NodeId> = (0..5_000).map(ec2).collect();
    assert_eq!(found(&world, ids).len(), 20);
    // This world has two nodes on each second page, so 251 pages in each location.
    let pages = 20 * 251;
    let asked_everywhere = 20 * 100 * 51;
    let calls = world.calls("managed");
    assert!(calls <= 2 * pages, "{calls} calls");
    assert!(calls < asked_everywhere, "{calls} calls");
}

#[test]
fn a_location_that_does_not_answer_does_not_matter_once_every_id_is_found() {
    let mut world = world(1, 1);
    world.place(CENTRAL, "ap-south-1").managed_fail = Some(PortErrorKind::Denied);
    let answer = |world: &World, id: u64| {
        let wanted: BTreeSet<Location> = world.places.keys().cloned().collect();
        let ids = Selector::NodeIds(vec![ec2(id)]);
        let mut taken = wait(take(world, &wanted, &ids, Depth::Count, 1));
        taken.answers.remove(&at(CENTRAL, "ap-south-1")).unwrap()
    };
    assert_eq!(answer(&world, 1), CensusAnswer::Empty);
    // But an id that is nowhere else may be there.
    let unknown = answer(&world, 999);
    assert!(
        matches!(
            unknown,
            CensusAnswer::Unknown {
                cause: UnknownCause::Denied,
                ..
            }
        ),
        "{unknown:?}"
    );
}

#[test]
fn more_ids_times_locations_than_can_be_asked_are_refused_before_anything_is_asked() {
    let mut world = world(0, 0);
    let mut accounts = Vec::new();
    for n in 0..130_u64 {
        let id = format!("{:012}", 111_111_111_111 + n);
        world.add(&id, &["us-east-1"]);
        accounts.push(account(&id));
    }
    let ids: Vec<NodeId> = (0..20_000).map(ec2).collect();
    assert!(id_calls(ids.len(), 125) <= MAX_ID_CALLS && id_calls(ids.len(), 130) > MAX_ID_CALLS);
    let request = request(json!({"node_ids": ids, "accounts": accounts, "regions": ["us-east-1"]}));
    let refused = wait(make(&world, &world, &world, &request, &Options::default()));
    let Err(PlanError::Refused(refusal)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(refusal.reasons.len(), 1);
    assert_eq!(refusal.reasons[0].code, RefusalCode::TooLarge);
    insta::assert_snapshot!(refusal.to_string(), @"refused: [too_large] targets.node_ids: 20000 ids may have to be looked for in each of 130 locations, which takes up to 52000 calls of 50 ids, and at most 50000 are made: name fewer accounts or Regions, or fewer ids, or use a resource group");
    assert_eq!(world.calls("managed"), 0);
}
