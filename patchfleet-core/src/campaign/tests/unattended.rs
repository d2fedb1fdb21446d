//! A campaign that nobody drove for long begins nothing more, if whoever finds it says so.

use super::world::*;
use crate::campaign::{Event, FinishedOutcome, LocationOutcome, Record, State, StopReason};
use crate::id::UnitId;
use crate::port::{Appended, CampaignLog as _, LogKey};
use jiff::SignedDuration;

/// Two units of which the second waits for the first, and the driver is gone once `units` are started.
fn left_after(units: usize) -> (World, State) {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
    let driver = world.driver(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while world.executions().len() < units {
            if let crate::campaign::Turn::Wait(at) = drive.step().await.unwrap() {
                driver.clock.sleep_until(at).await;
            }
        }
        drive.into_state()
    });
    (world, state)
}

/// The campaign's end, if it is found two hours later and nothing more of it is to begin.
fn found_late(world: &World, left: &State) -> State {
    world.clock.advance(SignedDuration::from_hours(2));
    let driver = world.driver(2);
    finish(async {
        driver
            .begin_no_more(world.campaign(), left.last_at())
            .await
            .unwrap();
        driver
            .begin_no_more(world.campaign(), left.last_at())
            .await
            .unwrap();
        driver.run(world.campaign()).await.unwrap()
    })
}

fn times_written(world: &World) -> usize {
    let records = world.records();
    let events = records.iter().flat_map(|record| &record.events);
    events
        .filter(|event| matches!(event, Event::Unattended { .. }))
        .count()
}

#[test]
fn what_was_begun_is_collected_and_what_was_not_is_left_out_with_the_reason() {
    let (world, left) = left_after(1);
    let state = found_late(&world, &left);
    assert_eq!(world.executions().len(), 1, "the second unit is never begun");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let ends: Vec<_> = state.locations().map(|(.., at)| at.outcome().unwrap()).collect();
    assert_eq!(ends, [LocationOutcome::Succeeded, LocationOutcome::NotStarted]);
    assert!(matches!(
        state.left_out_because(),
        Some(StopReason::Unattended { since, until }) if since == left.last_at() && until > since
    ));
    let (.., at) = state.locations().last().unwrap();
    let detail = &at.settled.as_ref().unwrap().detail;
    assert!(
        detail.contains("nobody drove the campaign") && detail.contains("a new run"),
        "{detail}"
    );
    assert_eq!(times_written(&world), 1);
}

#[test]
fn a_start_that_may_have_been_sent_is_looked_for_and_not_sent_again() {
    // The driver is gone between the intent and the start.
    let lost = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
    let driver = lost.driver(1);
    let state = finish(async {
        driver.begin(lost.campaign(), &lost.plan).await.unwrap();
        let mut state = State::from_records(&lost.records()).unwrap();
        let record = Record {
            seq: state.next_seq(),
            at: driver.clock.now(),
            writer: driver.writer,
            events: vec![Event::StartIntended {
                unit: UnitId::from_index(0),
                attempt: 1,
                request: lost.plan.requests[0].clone(),
            }],
        };
        let key = LogKey::Campaign(lost.campaign());
        assert_eq!(lost.log.append(&key, &record).await.unwrap(), Appended::Yes);
        state.apply(&record).unwrap();
        state
    });
    let state = found_late(&lost, &state);
    assert!(lost.executions().is_empty());
    assert_ne!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
}

#[test]
fn a_campaign_of_which_everything_was_begun_is_merely_followed_to_its_end() {
    let (world, left) = left_after(2);
    let state = found_late(&world, &left);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(times_written(&world), 0);
}
