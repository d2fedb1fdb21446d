//! The budget of locations: how many at once, and how many may fail before nothing more begins.

use super::outcomes::outcomes;
use super::world::*;
use crate::campaign::decide::LOCATIONS_AT_ONCE;
use crate::campaign::{Event, PATCH_STATE_LAG};
use crate::outcome::{FinishedOutcome, LocationOutcome};

#[test]
fn locations_that_aws_does_not_reach_after_too_many_errors_halt_the_campaign() {
    let world = World::new(
        &[&[
            ("us-east-1", Script::RoleMissing),
            ("us-west-1", Script::Nodes(vec![Node::well(1)])),
        ]],
        1,
        0,
    );
    let state = world.run();
    let found: Vec<_> = outcomes(&state).into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(
        found,
        [LocationOutcome::RoleNotAssumable, LocationOutcome::NotStarted]
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
}

#[test]
fn no_further_unit_is_begun_once_too_many_locations_failed() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let world = World::new(
        &[
            &[("us-east-1", Script::FailsEarly)],
            &[("us-east-1", well())],
            &[("us-east-1", well())],
        ],
        1,
        0,
    );
    let state = world.run();
    assert_eq!(world.executions().len(), 1);
    let found: Vec<_> = outcomes(&state).into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(
        found,
        [
            LocationOutcome::FailedBeforeCommand,
            LocationOutcome::NotStarted,
            LocationOutcome::NotStarted
        ]
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let nodes: u32 = state
        .locations()
        .map(|(_, _, at)| at.settled.clone().unwrap().nodes.total())
        .sum();
    assert_eq!(nodes, 4);
}

#[test]
fn a_failure_that_shows_late_in_the_patch_states_still_comes_before_the_next_unit() {
    let late = Node {
        patches: Some([1, 0, 0]),
        late: PATCH_STATE_LAG / 2,
        ..Node::well(1)
    };
    let well = || Script::Nodes(vec![Node::well(1)]);
    let mut world = World::new(
        &[
            &[("us-east-1", Script::Nodes(vec![late]))],
            &[("us-east-1", well())],
            &[("us-east-1", well())],
        ],
        1,
        0,
    );
    // The first two run side by side, and the end of the second makes room for the third.
    world.plan.request.budget.locations.max_concurrency = "2".parse().unwrap();
    let state = world.run();
    assert_eq!(world.executions().len(), 2);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
}

#[test]
fn units_share_the_location_budget() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let world = World::new(
        &[
            &[("us-east-1", well())],
            &[("us-east-1", well())],
            &[("us-east-1", well())],
        ],
        1,
        0,
    );
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let started: Vec<_> = world
        .executions()
        .iter()
        .map(|execution| execution.started_at)
        .collect();
    assert!(
        started.windows(2).all(|pair| pair[1] >= pair[0] + RUNS),
        "{started:?}"
    );
}

#[test]
fn many_locations_that_end_together_are_settled_a_few_at_a_time() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let regions: Vec<String> = (1..=100).map(|n| format!("us-east-{n}")).collect();
    let unit: Vec<(&str, Script)> = regions.iter().map(|region| (region.as_str(), well())).collect();
    let world = World::new(&[&unit], 100, 0);
    assert_eq!(world.run().finished().unwrap().0, FinishedOutcome::Succeeded);
    let settled: Vec<usize> = world
        .records()
        .iter()
        .map(|record| {
            let events = record.events.iter();
            events
                .filter(|event| matches!(event, Event::LocationSettled { .. }))
                .count()
        })
        .filter(|&settled| settled > 0)
        .collect();
    assert_eq!(settled.iter().sum::<usize>(), 100);
    assert!(
        settled.iter().all(|&settled| settled <= LOCATIONS_AT_ONCE),
        "{settled:?}"
    );
}
