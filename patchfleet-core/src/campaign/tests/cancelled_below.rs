//! A cancel below an execution that was cancelled before is another stop, unless a person saw it when they said go on.

use super::cancelled::{for_seconds, outcomes};
use super::world::*;
use crate::campaign::{Driver, Event, StopReason, Turn};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::Clock as _;

/// Two units that are begun one after another, the first in two locations at once. A cancel of its execution
/// does not reach what runs in them.
fn without_cascade() -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let first: &[(&str, Script)] = &[("eu-west-1", well()), ("us-east-1", well())];
    let world = World::new(&[first, &[("us-east-1", well())]], 2, 0);
    *world.aws.runs_below.lock().unwrap() = true;
    world
}

/// Cancels the first execution before it has sent a command, and drives until the log says so.
async fn stopped_in_mid_run(world: &World, driver: &Driver) {
    driver.begin(world.campaign(), &world.plan).await.unwrap();
    let mut drive = driver.open(world.campaign()).await.unwrap();
    for_seconds(world, &mut drive, 8).await;
    world.aws.cancel();
    while drive.state().stop_reason().is_none() {
        if let Turn::Wait(at) = drive.step().await.unwrap() {
            world.clock.sleep_until(at).await;
        }
    }
}

#[test]
fn what_is_cancelled_after_a_person_said_go_on_is_another_stop() {
    let world = without_cascade();
    let driver = world.driver(1);
    let at = world.plan.locations[0].location();
    let state = finish(async {
        stopped_in_mid_run(&world, &driver).await;
        driver.go_on(world.campaign(), "somebody").await.unwrap();
        world.aws.cancel_in(&at);
        driver.run(world.campaign()).await.unwrap()
    });
    let (cancelled, well) = (LocationOutcome::Cancelled, LocationOutcome::Succeeded);
    assert_eq!(outcomes(&state), [cancelled, well, LocationOutcome::NotStarted]);
    assert_eq!(world.executions().len(), 1, "nothing more begins");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(
        matches!(
            state.stop_reason(),
            Some(StopReason::CancelledElsewhere { location: Some(there), .. }) if there == at
        ),
        "{:?}",
        state.stop_reason()
    );
    let state = finish(async {
        driver.go_on(world.campaign(), "somebody").await.unwrap();
        driver.run(world.campaign()).await.unwrap()
    });
    assert_eq!(outcomes(&state), [cancelled, well, well]);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
}

#[test]
fn what_can_be_seen_to_be_cancelled_when_a_person_says_go_on_is_accepted_with_the_rest() {
    let world = without_cascade();
    let driver = world.driver(1);
    let at = world.plan.locations[0].location();
    let state = finish(async {
        stopped_in_mid_run(&world, &driver).await;
        // The driver has not seen it yet.
        world.aws.cancel_in(&at);
        driver.go_on(world.campaign(), "somebody").await.unwrap();
        driver.run(world.campaign()).await.unwrap()
    });
    let (cancelled, well) = (LocationOutcome::Cancelled, LocationOutcome::Succeeded);
    assert_eq!(outcomes(&state), [cancelled, well, well]);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    assert_eq!(state.stop_reason(), None);
}

#[test]
fn whenever_the_execution_was_cancelled_a_later_cancel_below_it_is_another_stop() {
    let mut instants = 0;
    for polls in 0.. {
        let world = without_cascade();
        let mut first = ByHand::new(whole_life(&world, 1));
        if (0..polls).any(|_| first.poll()) {
            break;
        }
        if world.executions().is_empty() {
            continue;
        }
        world.aws.cancel();
        if world.aws.begun(&world.executions()[0]).is_empty() {
            continue;
        }
        let noticed = |world: &World| {
            let events = world.records().into_iter().flat_map(|record| record.events);
            events
                .filter(|event| matches!(event, Event::CancelledElsewhere { .. }))
                .count()
        };
        while noticed(&world) == 0 && !first.poll() {}
        drop(first);
        let at = world.plan.locations[0].location();
        let over = |world: &World| world.clock.now() >= world.executions()[0].started_at + RUNS;
        let driver = world.driver(2);
        if noticed(&world) == 0 || finish(driver.go_on(world.campaign(), "somebody")).is_err() || over(&world)
        {
            continue;
        }
        world.aws.cancel_in(&at);
        let state = finish(driver.run(world.campaign())).unwrap();
        let context = format!("cancelled after {polls} polls");
        assert!(
            matches!(
                state.stop_reason(),
                Some(StopReason::CancelledElsewhere { location: Some(there), .. }) if there == at
            ),
            "{context}: {:?}",
            state.stop_reason()
        );
        assert_eq!(world.executions().len(), 1, "{context}");
        instants += 1;
    }
    assert!(instants > 20, "only {instants} instants");
}
