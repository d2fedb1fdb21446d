//! Results that could not be read are read again, also when the campaign is over.

use super::world::*;
use crate::campaign::{DriveError, FinishedOutcome, LocationOutcome, Recollected};
use crate::id::Location;
use crate::port::{CampaignLog as _, LogKey, NodeRows as _};
use crate::report::NodeOutcome;

/// A campaign that is over, of two locations, of which one could not be read.
fn over() -> (World, Location) {
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

fn unseal(world: &World, location: &Location) {
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
    let mut one = ByHand::new(two.collect_again(world.campaign()));
    let mut other = ByHand::new(three.collect_again(world.campaign()));
    while !(one.poll() & other.poll()) {}
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
