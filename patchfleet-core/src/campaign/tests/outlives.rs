//! Commands that are over long after their step, or long before they would expire.

use super::outcomes::outcomes;
use super::world::*;
use crate::campaign::{PATCH_STATE_LAG, Progress, State};
use crate::outcome::NodeOutcome;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use jiff::SignedDuration;

/// Lets a new driver run for some seconds, as a function does.
fn for_seconds(world: &World, writer: u128, seconds: i64) -> Option<State> {
    let driver = world.driver(writer);
    let deadline = driver.clock.now() + SignedDuration::from_secs(seconds);
    match finish(driver.run_until(world.campaign(), deadline)).unwrap() {
        Progress::Finished(state) => Some(*state),
        Progress::Paused { wake_at, .. } => {
            finish(driver.clock.sleep_until(wake_at));
            None
        }
    }
}

#[test]
fn a_patch_state_that_comes_late_after_a_command_that_outlived_its_step_is_waited_for_by_new_drivers() {
    let runs_on = SignedDuration::from_hours(3);
    for (late, outcome, location) in [
        (PATCH_STATE_LAG / 2, NodeOutcome::Done, LocationOutcome::Succeeded),
        (
            PATCH_STATE_LAG * 10,
            NodeOutcome::Failed,
            LocationOutcome::NodesFailed,
        ),
    ] {
        let node = Node {
            late: runs_on + late,
            ..Node::well(1)
        };
        let world = World::new(&[&[("us-east-1", Script::Nodes(vec![node]))]], 1, 0);
        *world.aws.runs_on.lock().unwrap() = runs_on;
        finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
        assert!(for_seconds(&world, 1, 600).is_none());
        // Its end is seen by somebody who never saw it run.
        let ends = world.executions()[0].started_at + RUNS + runs_on;
        world
            .clock
            .advance(ends.duration_since(world.driver(2).clock.now()));
        let state = (2..100)
            .find_map(|writer| for_seconds(&world, writer, 10))
            .unwrap();
        assert_eq!(outcomes(&state)[0].1, location);
        let settled = state.locations().next().unwrap().2.settled.clone().unwrap();
        assert_eq!(settled.nodes.count(outcome), 1, "{:?}", settled.nodes);
        let waited = settled.at.duration_since(ends);
        assert!(
            waited <= PATCH_STATE_LAG + SignedDuration::from_secs(40),
            "a new driver does not begin to wait anew: {waited:?}"
        );
    }
}

#[test]
fn a_node_that_answers_is_not_lost_because_its_command_could_have_lived_for_hours() {
    let waiting = Node {
        status: "DeliveryTimedOut",
        patches: None,
        ..Node::well(1)
    };
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![waiting]))]], 1, 0);
    *world.aws.expires_late.lock().unwrap() = SignedDuration::from_hours(10);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    let settled = state.locations().next().unwrap().2.settled.clone().unwrap();
    assert_eq!(
        settled.nodes.count(NodeOutcome::Unreached),
        1,
        "{:?}",
        settled.nodes
    );
}
