//! A campaign that nobody drove for long begins nothing more, if whoever finds it says so.

use super::world::*;
use crate::campaign::{Appended, CampaignLog as _, LogKey};
use crate::campaign::{DriveError, Event, SHORTEST_GAP, StartState, State, StopReason, UnitState};
use crate::id::UnitId;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::Clock as _;
use jiff::SignedDuration;
use std::collections::BTreeSet;

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

/// Why the campaign stays open, if it is found `later` by a driver that nobody watches.
fn open_after(world: &World, later: SignedDuration) -> DriveError {
    world.clock.advance(later);
    finish(world.driver(2).run_unless_left(world.campaign(), SHORTEST_GAP)).unwrap_err()
}

/// The campaign's end, if it is found `later` by a driver that nobody watches.
fn found_after(world: &World, later: SignedDuration) -> State {
    world.clock.advance(later);
    finish(world.driver(2).run_unless_left(world.campaign(), SHORTEST_GAP)).unwrap()
}

fn found_late(world: &World) -> State {
    found_after(world, SignedDuration::from_hours(2))
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
    let state = found_late(&world);
    assert_eq!(world.executions().len(), 1, "the second unit is never begun");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let ends: Vec<_> = state.locations().map(|(.., at)| at.outcome().unwrap()).collect();
    assert_eq!(ends, [LocationOutcome::Succeeded, LocationOutcome::NotStarted]);
    assert!(matches!(
        state.left_out_because(),
        Some(StopReason::Unattended { since, until }) if since == left.driven_at() && until > since
    ));
    let (.., at) = state.locations().last().unwrap();
    let detail = &at.settled.as_ref().unwrap().detail;
    assert!(
        detail.contains("nobody drove the campaign") && detail.contains("a new run"),
        "{detail}"
    );
    assert_eq!(times_written(&world), 1);
    let since = left.driven_at();
    let told = state.warning(&Event::Unattended { since }).unwrap();
    assert!(
        told.contains("nobody drove the campaign"),
        "a person is told at once: {told}"
    );
}

/// A campaign whose driver is gone between the intent of its only start and the sending, `after` so long.
fn left_before_the_start(after: SignedDuration) -> World {
    let lost = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
    let driver = lost.driver(1);
    finish(async {
        driver.begin(lost.campaign(), &lost.plan).await.unwrap();
        lost.clock.advance(after);
        let intended = Event::StartIntended {
            unit: UnitId::from_index(0),
            attempt: 1,
            request: crate::runbook::for_campaign(
                &lost.plan.units[0].start,
                None,
                lost.campaign(),
                UnitId::from_index(0),
                1,
            ),
        };
        let state = State::from_records(&lost.records()).unwrap();
        let record = state
            .chain()
            .record(driver.clock.now(), driver.writer, vec![intended]);
        let key = LogKey::Campaign(lost.campaign());
        assert_eq!(lost.log.append(&key, &record).await.unwrap(), Appended::Yes);
    });
    lost
}

#[test]
fn a_start_that_may_have_been_sent_is_sent_again_soon_after_and_not_by_a_driver_that_comes_late() {
    let (none, two) = (SignedDuration::ZERO, SignedDuration::from_mins(2));
    let soon = left_before_the_start(none);
    let state = found_after(&soon, two);
    assert_eq!((soon.executions().len(), times_written(&soon)), (1, 0));
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    // Young enough to be sent again, of a campaign that is not.
    let young = left_before_the_start(SHORTEST_GAP - SignedDuration::from_mins(1));
    let open = open_after(&young, two);
    assert!(matches!(open, DriveError::Unresolved { .. }), "{open}");
    assert_eq!((young.executions().len(), times_written(&young)), (0, 1));
    let old = left_before_the_start(none);
    let open = open_after(&old, SignedDuration::from_hours(2));
    assert!(matches!(open, DriveError::Unresolved { .. }), "{open}");
    assert!(old.executions().is_empty());
    // A person attends to it, however long nobody did.
    for world in [young, old] {
        let only = BTreeSet::from([UnitId::from_index(0)]);
        finish(world.driver(3).send_again(world.campaign(), &only, "ops")).unwrap();
        let state = finish(world.driver(3).run(world.campaign())).unwrap();
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
        assert_eq!(world.executions().len(), 1);
    }
}

#[test]
fn a_campaign_of_which_everything_was_begun_is_merely_followed_to_its_end() {
    let (world, _) = left_after(2);
    let state = found_late(&world);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(times_written(&world), 0);
}

/// Two units, of which AWS keeps the first waiting for 40 minutes, so that nothing changes.
fn quiet() -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
    *world.aws.waits.lock().unwrap() = SignedDuration::from_mins(40);
    world
}

async fn life(world: &World, writer: u128) -> State {
    let driver = world.driver(writer);
    driver.begin(world.campaign(), &world.plan).await.unwrap();
    let run = driver.run_unless_left(world.campaign(), SHORTEST_GAP).await;
    run.unwrap()
}

#[test]
fn a_living_driver_with_nothing_to_say_gives_signs_of_life_and_is_not_taken_for_dead() {
    let world = quiet();
    let state = finish(life(&world, 1));
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(times_written(&world), 0);
    let records = world.records();
    let signs = records.iter().filter(|record| record.events == [Event::Watched]);
    // The second unit is the last: nothing waits behind it.
    assert!((7..=8).contains(&signs.count()), "one in five minutes");
}

#[test]
fn a_process_that_is_replaced_within_seconds_or_beside_a_living_one_begins_the_rest() {
    let world = quiet();
    let mut old = ByHand::new(life(&world, 1));
    let begun = world.clock.now();
    while world.clock.now().duration_since(begun) < SignedDuration::from_mins(39) {
        assert!(!old.poll());
    }
    let state = found_after(&world, SignedDuration::from_secs(20));
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(times_written(&world), 0);
    while !old.poll() {}
    assert_eq!(old.1.unwrap().finished(), state.finished());
    assert_eq!(world.executions().len(), 2);
}

#[test]
fn whenever_the_machine_sleeps_for_hours_nothing_is_begun_after_it_wakes() {
    let mut halted = 0;
    for polls in 0.. {
        let world = quiet();
        *world.aws.waits.lock().unwrap() = SignedDuration::from_mins(2);
        let mut driver = ByHand::new(life(&world, 1));
        if (0..polls).any(|_| driver.poll()) {
            break;
        }
        let before = world.executions().len();
        let known = State::from_records(&world.records()).ok();
        // A call that is on its way is not called back.
        let sending = known.as_ref().is_some_and(|state| {
            let intended = |unit: &UnitState| matches!(unit.start, StartState::Intended(_));
            state.units().values().any(intended)
        });
        world.clock.advance(SignedDuration::from_hours(8));
        while !driver.poll() {}
        let began = world.executions().len() - before;
        let planned = known.is_some();
        assert!(
            !planned || began <= usize::from(sending),
            "asleep after {polls}: {began}"
        );
        let state = driver.1.unwrap();
        halted += usize::from(state.finished().unwrap().0 == FinishedOutcome::Halted);
    }
    assert!(halted > 10, "{halted}");
}

#[test]
fn after_hours_without_credentials_a_driver_that_tries_all_the_time_begins_nothing_more() {
    for (hours, person, executions) in [(2, false, 1), (2, true, 2)] {
        let (world, _) = left_after(1);
        let from = world.clock.now();
        let to = from + SignedDuration::from_hours(hours);
        *world.aws.locked_out.lock().unwrap() = Some((from, to));
        let tried = |writer| {
            finish(
                world
                    .driver(writer)
                    .run_unless_left(world.campaign(), SHORTEST_GAP),
            )
        };
        while world.clock.now() < to {
            tried(2).unwrap_err();
            world.clock.advance(SignedDuration::from_mins(5));
        }
        if person {
            // Somebody has mended it, and has the campaign go on, before the next try.
            let driver = world.driver(3);
            let soon = world.clock.now() + SignedDuration::from_secs(5);
            finish(driver.run_until(world.campaign(), soon)).unwrap();
        }
        let state = tried(4).unwrap();
        assert_eq!(world.executions().len(), executions, "person: {person}");
        let halted = state.finished().unwrap().0 == FinishedOutcome::Halted;
        assert_eq!(halted, !person);
    }
}

#[test]
fn what_a_person_has_sent_again_is_sent_and_nothing_else_of_what_nobody_drove() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 2, 2);
    let campaign = world.campaign();
    // The first start is in the log and was not sent. It is unresolved an hour later, while the second runs nowhere.
    killed_once(&world, is_intended);
    world.clock.advance(SignedDuration::from_hours(1));
    let key = LogKey::Campaign(campaign);
    let mut state = State::from_records(&world.records()).unwrap();
    let unit = UnitId::from_index(0);
    let (since, detail) = (state.driven_at(), "no execution has its tag".to_owned());
    let said = vec![
        Event::Unattended { since },
        Event::StartUnresolved { unit, detail },
    ];
    let driver = world.driver(2);
    let record = state.chain().record(world.clock.now(), driver.writer, said);
    assert_eq!(finish(world.log.append(&key, &record)).unwrap(), Appended::Yes);
    state.apply(&record).unwrap();
    let units = BTreeSet::from([unit]);
    finish(driver.send_again(campaign, &units, "ops")).unwrap();
    let state = finish(world.driver(3).run(campaign)).unwrap();
    let ends: Vec<_> = state.locations().map(|(.., at)| at.outcome().unwrap()).collect();
    assert_eq!(ends, [LocationOutcome::Succeeded, LocationOutcome::NotStarted]);
    assert_eq!(world.executions().len(), 1);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(matches!(
        state.left_out_because(),
        Some(StopReason::Unattended { .. })
    ));
}
