//! A hook that somebody cancels is a stop as well.

use super::world::*;
use crate::campaign::StopReason;
use crate::outcome::{FinishedOutcome, LocationOutcome};

/// Two units, of which the second is begun when the first is over, with a runbook of one's own. Before it
/// patches it runs a script, which ended with this status in the first location.
fn with_hook(status: &'static str) -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let mut world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 5);
    world.plan.request.automation.document = "Our-Runbook".parse().unwrap();
    world.agree();
    let first = world.plan.locations[0].location();
    world.aws.hooks.lock().unwrap().insert(first, status);
    world
}

#[test]
fn a_hook_that_somebody_cancels_stops_the_campaign_as_the_patching_does() {
    let world = with_hook("Cancelled");
    let state = world.run();
    assert_eq!(world.executions().len(), 1, "nothing more is begun");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(matches!(
        state.stop_reason(),
        Some(StopReason::CancelledElsewhere { .. })
    ));
    let outcomes: Vec<_> = state.locations().map(|(.., at)| at.outcome().unwrap()).collect();
    assert_eq!(
        outcomes,
        [LocationOutcome::Cancelled, LocationOutcome::NotStarted]
    );
}

#[test]
fn a_hook_whose_cancel_is_seen_only_at_the_end_of_its_location_stops_the_campaign() {
    let world = with_hook("Cancelled");
    // Nobody looks at the location before it is over.
    let state = finish(async {
        let driver = world.driver(1);
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while world.executions().is_empty() {
            drive.step().await.unwrap();
        }
        drop(drive);
        world.clock.advance(RUNS * 2);
        driver.run(world.campaign()).await.unwrap()
    });
    assert_eq!(world.executions().len(), 1, "nothing more is begun");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
}

#[test]
fn a_hook_that_ran_well_stops_nothing() {
    for status in ["Success", "Failed"] {
        let world = with_hook(status);
        let state = world.run();
        assert_eq!(world.executions().len(), 2, "{status}");
        assert_eq!(
            state.finished().unwrap().0,
            FinishedOutcome::Succeeded,
            "{status}"
        );
    }
}
