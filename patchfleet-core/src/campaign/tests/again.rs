//! Results that could not be read are read again, also when the campaign is over.

use super::world::*;
use crate::campaign::{CampaignLog as _, LogKey, NodeRows as _};
use crate::campaign::{DriveError, Driver, MemoryRows, Recollected};
use crate::id::Location;
use crate::outcome::NodeOutcome;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use std::sync::Arc;

/// A campaign that is over, of two locations, of which one could not be read.
pub(super) fn over() -> (World, Location) {
    let well = Script::Nodes(vec![Node::well(1), Node::well(2)]);
    let world = World::new(&[&[("us-east-1", well), ("us-west-1", Script::Sealed)]], 2, 5);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    let sealed = Location::new("111111111111".parse().unwrap(), "us-west-1".parse().unwrap());
    let (.., at) = state
        .locations()
        .find(|(_, location, _)| **location == sealed)
        .unwrap();
    assert_eq!(at.outcome(), Some(LocationOutcome::ResultsUnreadable));
    (world, sealed)
}

pub(super) fn unseal(world: &World, location: &Location) {
    let well = Script::Nodes(vec![Node::well(1), Node::well(2)]);
    world.aws.scripts.lock().unwrap().insert(location.clone(), well);
}

fn again(world: &World, writer: u128) -> Result<Recollected, DriveError> {
    finish(world.driver(writer).collect_again(world.campaign()))
}

fn assert_read(world: &World, location: &Location, case: &str) {
    let state = finish(crate::campaign::load(&*world.log, world.campaign()))
        .unwrap()
        .unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded, "{case}");
    let rows = finish(world.rows.rows(world.campaign(), location)).unwrap();
    let done = rows.iter().filter(|row| row.outcome == NodeOutcome::Done).count();
    assert_eq!((rows.len(), done), (2, 2), "{case}");
    assert_eq!(world.executions().len(), 1, "{case}: nothing is started");
}

#[test]
fn what_can_be_read_now_takes_the_place_of_what_could_not() {
    let (world, sealed) = over();
    unseal(&world, &sealed);
    let found = again(&world, 2).unwrap();
    assert_eq!((found.read, found.unread.len()), (1, 0));
    assert_read(&world, &sealed, "once");
    let records = world.records();
    assert_eq!(again(&world, 3).unwrap().read, 0);
    assert_eq!(world.records(), records, "there is nothing left to read");
}

#[test]
fn what_still_cannot_be_read_is_named_with_the_reason_and_changes_nothing() {
    let (world, sealed) = over();
    let records = world.records();
    let found = again(&world, 2).unwrap();
    assert_eq!(found.read, 0);
    assert_eq!(found.unread.len(), 1);
    assert_eq!(found.unread[0].location, sealed);
    assert_eq!(found.unread[0].reason, "may not read");
    assert_eq!(world.records(), records);
}

#[test]
fn whoever_collects_may_be_killed_at_any_instant() {
    let mut instants = 0;
    for polls in 0.. {
        let (world, sealed) = over();
        unseal(&world, &sealed);
        let driver = world.driver(2);
        let mut first = ByHand::new(driver.collect_again(world.campaign()));
        if (0..polls).any(|_| first.poll()) {
            break;
        }
        drop(first);
        again(&world, 3).unwrap();
        assert_read(&world, &sealed, &format!("killed after {polls} polls"));
        instants += 1;
    }
    assert!(instants > 15, "only {instants} instants");
}

#[test]
fn two_who_collect_at_once_say_it_once() {
    let (world, sealed) = over();
    unseal(&world, &sealed);
    let before = world.records().len();
    let (two, three) = (world.driver(2), world.driver(3));
    let _ = both_ends(
        ByHand::new(two.collect_again(world.campaign())),
        ByHand::new(three.collect_again(world.campaign())),
    );
    assert_read(&world, &sealed, "two at once");
    let key = LogKey::Campaign(world.campaign());
    assert_eq!(finish(world.log.read(&key, 0)).unwrap().len(), before + 1);
}

#[test]
fn a_campaign_that_was_halted_stays_halted_whatever_is_read_later() {
    let well = || Script::Nodes(vec![Node::well(1), Node::well(2)]);
    let world = World::new(
        &[&[("us-east-1", Script::Sealed)], &[("us-east-1", well())]],
        1,
        0,
    );
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let sealed = Location::new("111111111111".parse().unwrap(), "us-east-1".parse().unwrap());
    unseal(&world, &sealed);
    let found = again(&world, 2).unwrap();
    assert_eq!(found.read, 1);
    assert_eq!(found.state.finished().unwrap().0, FinishedOutcome::Halted);
}

/// A node of which nobody knows what became of it.
fn silent(n: u32) -> Node {
    Node {
        status: "Alarmed",
        patches: None,
        ..Node::well(n)
    }
}

/// A campaign of one location that is over. Then `later` is what can be read of its nodes.
fn read_as(first: Vec<Node>, later: Vec<Node>) -> World {
    let world = World::new(&[&[("us-east-1", Script::Nodes(first))]], 1, 5);
    world.run();
    let location = world.plan.locations[0].location();
    world
        .aws
        .scripts
        .lock()
        .unwrap()
        .insert(location, Script::Nodes(later));
    world
}

fn rows_of(world: &World) -> Vec<NodeOutcome> {
    let location = world.plan.locations[0].location();
    let rows = finish(world.rows.rows(world.campaign(), &location)).unwrap();
    rows.into_iter().map(|row| row.outcome).collect()
}

#[test]
fn what_was_known_of_a_node_stays_known_when_its_patch_state_is_written_over_since() {
    // As many are unknown again as become known, more of them, or fewer.
    for (first, later) in [
        (vec![Node::well(1), silent(2)], vec![silent(1), Node::well(2)]),
        (
            vec![Node::well(1), Node::well(2), silent(3)],
            vec![silent(1), silent(2), Node::well(3)],
        ),
        (
            vec![Node::well(1), silent(2), silent(3)],
            vec![silent(1), Node::well(2), Node::well(3)],
        ),
    ] {
        let n = first.len();
        let world = read_as(first, later);
        let found = again(&world, 2).unwrap();
        assert_eq!((found.read, found.unread.len()), (1, 0));
        let settled = found.state.locations().next().unwrap().2.settled.clone().unwrap();
        assert_eq!(settled.nodes.count(NodeOutcome::Done) as usize, n);
        assert_eq!(settled.nodes.total() as usize, n);
        assert_eq!(
            (settled.outcome, settled.detail.as_str()),
            (LocationOutcome::Succeeded, "")
        );
        assert_eq!(found.state.finished().unwrap().0, FinishedOutcome::Succeeded);
        assert_eq!(rows_of(&world), vec![NodeOutcome::Done; n]);
    }
}

#[test]
fn what_is_still_not_known_is_told_beside_what_was_known_before() {
    let world = read_as(
        vec![Node::well(1), silent(2), silent(3)],
        vec![silent(1), Node::well(2), silent(3)],
    );
    let found = again(&world, 2).unwrap();
    assert_eq!((found.read, found.unread.len()), (0, 1));
    let settled = found.state.locations().next().unwrap().2.settled.clone().unwrap();
    assert_eq!(
        (settled.outcome, settled.detail.as_str()),
        (
            LocationOutcome::NodesFailed,
            "1 of 3 nodes did not reach their goal"
        )
    );
    assert_eq!(
        rows_of(&world),
        [NodeOutcome::Done, NodeOutcome::Done, NodeOutcome::Unknown]
    );
}

#[test]
fn a_node_that_was_done_and_is_stopped_since_is_not_lost() {
    let stopped = Node {
        ping: None,
        ..Node::well(1)
    };
    let world = read_as(vec![Node::well(1), silent(2)], vec![stopped, Node::well(2)]);
    again(&world, 2).unwrap();
    assert_eq!(rows_of(&world), [NodeOutcome::Done, NodeOutcome::Done]);
}

#[test]
fn where_the_rows_are_lost_each_node_keeps_what_the_log_knows_of_it() {
    for (later, unknown) in [
        (vec![silent(1), Node::well(2), Node::well(3)], 0),
        (vec![silent(1), silent(2), silent(3)], 2),
    ] {
        let world = read_as(vec![Node::well(1), silent(2), silent(3)], later);
        let driver = Driver {
            rows: Arc::new(MemoryRows::new()),
            ..world.driver(2)
        };
        let found = finish(driver.collect_again(world.campaign())).unwrap();
        let settled = found.state.locations().next().unwrap().2.settled.clone().unwrap();
        assert_eq!(settled.nodes.count(NodeOutcome::Unknown), unknown);
        assert_eq!(settled.nodes.total(), 3);
    }
}
