//! A command that somebody cancels stops its campaign as a cancelled execution does.

use super::cancelled::outcomes;
use super::world::*;
use crate::campaign::{State, StopReason};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use jiff::SignedDuration;

/// Two units that are begun one after another. Nothing may fail, and the command of the first is
/// cancelled between two looks, so that its step is seen as Failed.
fn command_cancelled(script: Script) -> World {
    let well = Script::Nodes(vec![Node::well(1)]);
    World::new(&[&[("us-east-1", script)], &[("us-east-1", well)]], 1, 0)
}

#[test]
fn a_command_that_was_cancelled_is_a_stop_although_its_step_ends_as_failed() {
    let not_run = Node {
        status: "Cancelled",
        patches: None,
        ..Node::well(2)
    };
    let done = Node {
        status: "Cancelled",
        ..Node::well(1)
    };
    // It was dead before the command was sent.
    let dead = Node {
        dies: Some(SignedDuration::from_mins(30)),
        ..not_run.clone()
    };
    let cancelled = LocationOutcome::Cancelled;
    for (script, outcome, nodes) in [
        (vec![done.clone(), not_run], cancelled, "done 1, not_run 1"),
        (vec![done.clone(), dead], cancelled, "done 1, unreached 1"),
        (vec![done], LocationOutcome::Succeeded, "done 1"),
    ] {
        let world = command_cancelled(Script::Nodes(script));
        let state = world.run();
        assert_eq!(outcomes(&state), [outcome, LocationOutcome::NotStarted]);
        let settled = state.locations().next().unwrap().2.settled.clone().unwrap();
        let found: Vec<String> = settled
            .nodes
            .iter()
            .map(|(outcome, n)| format!("{} {n}", outcome.as_str()))
            .collect();
        assert_eq!(found.join(", "), nodes);
        assert_goes_on(&world, &state);
    }
}

#[test]
fn a_command_that_failed_on_one_node_and_was_cancelled_on_another_is_a_stop() {
    let failed = Node {
        status: "Failed",
        patches: None,
        ..Node::well(1)
    };
    let not_run = Node {
        status: "Cancelled",
        patches: None,
        ..Node::well(2)
    };
    let script = Script::Nodes(vec![failed, not_run]);
    let well = Script::Nodes(vec![Node::well(1)]);
    // Failures alone would not stop it.
    let world = World::new(&[&[("us-east-1", script)], &[("us-east-1", well)]], 1, 5);
    let state = world.run();
    assert_eq!(
        outcomes(&state),
        [LocationOutcome::Cancelled, LocationOutcome::NotStarted]
    );
    assert!(matches!(
        state.stop_reason(),
        Some(StopReason::CancelledElsewhere { .. })
    ));
}

#[test]
fn a_command_that_was_cancelled_before_it_was_sent_to_any_node_is_a_stop() {
    let world = command_cancelled(Script::CommandFails("Cancelled"));
    let state = world.run();
    assert_eq!(
        outcomes(&state),
        [LocationOutcome::Cancelled, LocationOutcome::NotStarted]
    );
    assert_goes_on(&world, &state);
}

/// The campaign stopped for the cancel, and begins the rest once a person says go on.
fn assert_goes_on(world: &World, state: &State) {
    assert!(matches!(
        state.stop_reason(),
        Some(StopReason::CancelledElsewhere {
            location: Some(_),
            ..
        })
    ));
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let driver = world.driver(2);
    let state = finish(async {
        driver.go_on(world.campaign(), "somebody").await.unwrap();
        driver.run(world.campaign()).await.unwrap()
    });
    assert_eq!(state.failed_locations(), 0);
    assert_eq!(outcomes(&state)[1], LocationOutcome::Succeeded);
}
