//! How far a campaign is, where several units share a location.

use super::outcomes::report;
use super::world::*;
use crate::campaign::{CampaignSummary, State};
use crate::id::NodeId;
use jiff::SignedDuration;

/// Two locations of four nodes each, with two units each.
fn world(sends: bool) -> World {
    let four = || Script::Nodes((1..=4).map(Node::well).collect());
    let mut world = World::new(&[&[("us-east-1", four())], &[("us-east-1", four())]], 2, 0);
    if sends {
        world.send_commands(2);
        return world;
    }
    let starts: Vec<_> = world.plan.units.drain(..).map(|unit| unit.start).collect();
    for start in starts {
        for first in [1, 3] {
            let nodes: Vec<NodeId> = (first..first + 2).map(|n| Node::well(n).id).collect();
            world.add_naming(start.clone(), &nodes);
        }
    }
    world.agree();
    world
}

#[test]
fn a_location_that_several_units_share_is_counted_once_after_every_record() {
    for sends in [false, true] {
        let world = world(sends);
        world.run();
        let records = world.records();
        let mut settled = vec![];
        for count in 1..=records.len() {
            let state = State::from_records(&records[..count]).unwrap();
            let so_far = state.locations_so_far();
            let locations = report(&world, &state).locations;
            let over = locations.iter().filter(|location| location.outcome.is_some());
            assert_eq!(so_far.locations, 2);
            assert_eq!(so_far.settled, over.count() as u64, "after record {}", count - 1);
            assert!(so_far.running + so_far.settled <= 2, "{so_far:?}");
            assert_eq!(state.so_far().locations, 4);
            assert_eq!(so_far.nodes, state.so_far().nodes);
            let summary = CampaignSummary::of(&state, state.last_at());
            assert_eq!(summary.so_far, so_far);
            settled.push(so_far.settled);
        }
        settled.dedup();
        assert_eq!(settled, [0, 1, 2]);
    }
}

#[test]
fn a_location_of_which_one_unit_is_unresolved_is_unresolved_once() {
    let mut world = world(false);
    world.one_place_each();
    killed_once(&world, is_intended);
    world.clock.advance(SignedDuration::from_hours(1));
    finish(whole_life(&world, 2)).unwrap_err();
    let state = State::from_records(&world.records()).unwrap();
    let so_far = state.locations_so_far();
    assert_eq!((so_far.locations, so_far.unresolved), (2, 1), "{so_far:?}");
}
