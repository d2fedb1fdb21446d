//! A unit of which nobody knows whether it runs keeps its share of every budget. That it may be begun beside others, and
//! keeps its places, is held in `unresolved`.

use super::unresolved::{holds, left_in, state};
use super::world::*;
use crate::campaign::{Event, State};
use crate::id::{NodeId, UnitId};
use crate::report::Report;

const SECOND: UnitId = UnitId::from_index(1);

fn well() -> Script {
    Script::Nodes(vec![Node::well(1)])
}

/// A unit whose start has no answer, and one of these locations that was begun beside it. So many locations may fail.
fn beside(regions: &[&str], errors: u32) -> World {
    let second: Vec<(&str, Script)> = regions.iter().map(|region| (*region, well())).collect();
    let mut world = World::new(&[&[("us-east-1", well())], &second], 2, errors);
    world.one_place_each();
    let (world, _) = left_in(world);
    assert_eq!(state(&world).unresolved().count(), 1);
    world
}

/// The state as of the first record that says this.
fn once(world: &World, is_said: impl Fn(&Event) -> bool) -> State {
    let records = world.records();
    let at = records
        .iter()
        .position(|record| record.events.iter().any(&is_said));
    State::from_records(&records[..=at.unwrap()]).unwrap()
}

#[test]
fn results_are_waited_for_if_the_locations_that_may_run_could_be_failures_too_many() {
    let ended = |event: &Event| matches!(event, Event::LocationObserved { unit: SECOND, status, .. } if status.is_terminal());
    // One may fail: the one that ended and is not read, and the one that may run, are two.
    assert_eq!(once(&beside(&["us-west-1"], 1), ended).undecided(), 1);
    assert_eq!(once(&beside(&["us-west-1"], 2), ended).undecided(), 0);
}

#[test]
fn what_runs_is_looked_at_as_often_as_if_the_locations_that_may_run_had_failed() {
    let regions = ["eu-west-1", "us-west-1", "us-west-2"];
    let begun = |event: &Event| matches!(event, Event::Started { unit: SECOND, .. });
    // Two may fail, and one may have: half of them.
    let close = once(&beside(&regions, 2), begun);
    assert!(close.going_on().next().is_some() && !close.may_begin_more());
    assert!(close.hangs_on_looks());
    assert!(!once(&beside(&regions, 3), begun).hangs_on_looks());
}

#[test]
fn what_may_have_failed_stops_nothing_that_runs_and_its_locations_are_told_apart_in_every_sum() {
    let world = beside(&["eu-west-1", "us-west-1"], 1);
    assert!(world.aws.stops.lock().unwrap().is_empty());
    let state = state(&world);
    let so_far = state.so_far();
    assert_eq!(
        (
            so_far.locations,
            so_far.settled,
            so_far.running,
            so_far.unresolved
        ),
        (3, 2, 0, 1)
    );
    let report = finish(Report::build(&state, &*world.rows, state.last_at())).unwrap();
    let unresolved = report.locations.iter().filter(|at| at.unresolved).count();
    let settled = report.locations.iter().filter(|at| at.outcome.is_some()).count();
    assert_eq!((report.locations.len(), settled, unresolved), (3, 2, 1));
}

#[test]
fn other_nodes_of_a_location_wait_while_a_command_there_may_be_at_work() {
    let ids: Vec<NodeId> = (1..=2).map(|n| Node::well(n).id).collect();
    let nodes = (1..=2).map(Node::well).collect();
    let mut world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 1);
    let template = world.template();
    for id in ids {
        world.add_naming(template.clone(), &[id]);
    }
    world.agree();
    let (world, _) = left_in(world);
    assert_eq!(
        holds(&state(&world))[1],
        (2, "another unit is at work in 111111111111/us-east-1".to_owned())
    );
    assert!(world.executions().is_empty());
}
