//! Copies of the runbook in target accounts: each location of a unit is looked at before its start.

use super::runbook::{OTHER, assert_halted, disturbed, words, world};
use super::world::*;
use crate::campaign::{Event, State};
use crate::id::Location;
use crate::outcome::FinishedOutcome;
use crate::port::{Clock as _, PortError, PortErrorKind};
use crate::request::RunbookPin;
use crate::runbook::RunbookChange;
use jiff::SignedDuration;

type Copy = Result<String, PortErrorKind>;

fn place(account: &str) -> Location {
    Location::new(account.parse().unwrap(), "us-east-1".parse().unwrap())
}

/// The location of the unit that is begun last.
fn second() -> Location {
    place("222222222222")
}

fn put(world: &World, at: Location, copy: Copy) {
    world.aws.copies.lock().unwrap().insert(at, copy);
}

fn same() -> Copy {
    Ok(RUNBOOK.to_owned())
}

fn other() -> Copy {
    Ok(OTHER.to_owned())
}

fn assert_all_begun(world: &World, state: &State) {
    assert_eq!(world.executions().len(), 2);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
}

#[test]
fn a_copy_that_appears_with_other_content_where_the_next_unit_runs_starts_nothing_more() {
    for pin in [RunbookPin::Default, RunbookPin::Version] {
        let world = world(pin);
        let state = disturbed(&world, |world| put(world, second(), other()));
        if pin == RunbookPin::Version {
            // The pinned version of the copy says what was planned.
            assert_all_begun(&world, &state);
            continue;
        }
        assert_halted(&world, &state, RunbookChange::Differs);
        let words = words(&state);
        for part in [
            "version 8 of the runbook Patchfleet-RunPatchBaseline in 222222222222/us-east-1",
            "there was none when the plan was made",
            "is not what version 7 was",
            "they differ in mainSteps",
        ] {
            assert!(words.contains(part), "{part:?} is not in {words}");
        }
    }
}

#[test]
fn a_copy_that_appears_with_the_same_content_halts_nothing() {
    let world = world(RunbookPin::Default);
    let again = "parameters: {Targets: {type: MapList}}\nschemaVersion: '0.3'\n";
    let state = disturbed(&world, |world| put(world, second(), Ok(again.to_owned())));
    assert_all_begun(&world, &state);
}

#[test]
fn a_copy_that_appears_where_everything_was_begun_halts_nothing() {
    let world = world(RunbookPin::Default);
    let state = disturbed(&world, |world| put(world, place("111111111111"), other()));
    assert_all_begun(&world, &state);
}

#[test]
fn a_copy_that_changes_in_a_unit_that_is_next_halts_and_one_that_is_removed_does_not() {
    let with_copy = || {
        let mut world = world(RunbookPin::Default);
        world.plan.runbook.as_mut().unwrap().copies = vec![second()];
        put(&world, second(), same());
        world
    };
    let world = with_copy();
    let state = disturbed(&world, |world| put(world, second(), other()));
    assert_halted(&world, &state, RunbookChange::Differs);
    let words = words(&state);
    assert!(words.contains("in 222222222222/us-east-1 is not what"), "{words}");

    let world = with_copy();
    let state = disturbed(&world, |world| world.aws.copies.lock().unwrap().clear());
    assert_all_begun(&world, &state);
}

#[test]
fn a_location_that_could_be_looked_at_and_no_longer_can_starts_nothing_more() {
    for (copies, said) in [
        (
            vec![],
            "was not there when the plan was made, and whether it is there now",
        ),
        (
            vec![second()],
            "could be read when the plan was made and no longer can",
        ),
    ] {
        let mut world = world(RunbookPin::Default);
        world.plan.runbook.as_mut().unwrap().copies = copies;
        let state = disturbed(&world, |world| put(world, second(), Err(PortErrorKind::Denied)));
        assert_halted(&world, &state, RunbookChange::Unreadable);
        let words = words(&state);
        assert!(
            words.contains("in 222222222222/us-east-1") && words.contains(said),
            "{words}"
        );
    }
}

#[test]
fn a_denial_that_is_mended_within_some_minutes_halts_nothing() {
    for copies in [vec![], vec![second()]] {
        let mut world = world(RunbookPin::Default);
        world.plan.runbook.as_mut().unwrap().copies = copies;
        let state = disturbed(&world, |world| {
            world.aws.reads.lock().unwrap().clear();
            put(world, second(), Err(PortErrorKind::Denied));
            // 2, 4, 8, 16, 32, 60, 60 and 60 seconds apart.
            *world.aws.copies_mend_after.lock().unwrap() = Some(9);
        });
        assert_all_begun(&world, &state);
        assert_eq!(world.aws.reads.lock().unwrap()[&Some(second())], 10);
    }
}

#[test]
fn a_denial_halts_no_sooner_than_after_five_minutes_of_tries() {
    let world = world(RunbookPin::Default);
    let mut denied_since = None;
    let state = disturbed(&world, |world| {
        denied_since = Some(world.clock.now());
        put(world, second(), Err(PortErrorKind::Denied));
    });
    assert_halted(&world, &state, RunbookChange::Unreadable);
    let halted = world.records().into_iter().find(|record| {
        let mut events = record.events.iter();
        events.any(|event| matches!(event, Event::RunbookChanged { .. }))
    });
    let tried = halted.unwrap().at.duration_since(denied_since.unwrap());
    assert!(tried >= SignedDuration::from_mins(5), "{tried:?}");
}

#[test]
fn a_location_that_could_not_be_looked_at_for_the_plan_either_is_started_unless_it_shows_other_content() {
    let unread = || {
        let mut world = world(RunbookPin::Default);
        world.plan.runbook.as_mut().unwrap().unread = vec![second()];
        put(&world, second(), Err(PortErrorKind::Denied));
        world
    };
    let world = unread();
    let state = world.run();
    assert_all_begun(&world, &state);

    let world = unread();
    let state = disturbed(&world, |world| put(world, second(), other()));
    assert_halted(&world, &state, RunbookChange::Differs);
    let words = words(&state);
    assert!(
        words.contains("it could not be read there when the plan was made"),
        "{words}"
    );
}

#[test]
fn a_look_that_is_throttled_is_made_again_and_only_after_many_tries_does_it_start_nothing_more() {
    let throttled = || {
        let world = world(RunbookPin::Default);
        put(&world, second(), Err(PortErrorKind::Throttled));
        world
    };
    let world = throttled();
    let state = finish(async {
        let driver = world.driver(1);
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let begun = driver.clock.now();
        let _ = driver
            .run_until(world.campaign(), begun + SignedDuration::from_mins(10))
            .await
            .unwrap();
        assert_eq!(world.executions().len(), 1);
        world.aws.copies.lock().unwrap().clear();
        driver.run(world.campaign()).await.unwrap()
    });
    assert_all_begun(&world, &state);

    let world = throttled();
    let state = world.run();
    assert_halted(&world, &state, RunbookChange::Unreadable);
    let words = words(&state);
    assert!(
        words.contains("in 222222222222/us-east-1 was not there when the plan was made"),
        "{words}"
    );
}

#[test]
fn where_looks_fail_at_one_place_after_another_each_is_counted_and_made_again_alone() {
    let expired: fn() -> PortError = || PortError::new(PortErrorKind::Credentials, "expired");
    let world = world(RunbookPin::Default);
    let state = disturbed(&world, |world| {
        world.aws.reads.lock().unwrap().clear();
        put(world, second(), Err(PortErrorKind::Credentials));
        // Four times in the central account, then four times in the target account.
        *world.aws.runbook_reads.lock().unwrap() = vec![expired; 4];
        *world.aws.copies_mend_after.lock().unwrap() = Some(4);
    });
    assert_all_begun(&world, &state);
    let reads = world.aws.reads.lock().unwrap();
    assert_eq!(reads[&Some(second())], 5);
}

#[test]
fn locations_that_were_as_planned_are_not_looked_at_again_while_another_one_fails() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let mut world = World::new(&[&[("us-east-1", well()), ("us-west-1", well())]], 2, 0);
    world.plan.runbook = super::runbook::world(RunbookPin::Default).plan.runbook;
    let [one, other] = [0, 1].map(|index: usize| world.plan.locations[index].location());
    put(&world, other.clone(), Err(PortErrorKind::Throttled));
    *world.aws.copies_mend_after.lock().unwrap() = Some(6);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let reads = world.aws.reads.lock().unwrap();
    assert_eq!((reads[&Some(one)], reads[&Some(other)]), (1, 7));
}

#[test]
fn each_location_is_looked_at_once_for_its_start_and_the_central_one_never_as_a_target() {
    let mut world = world(RunbookPin::Default);
    let state = world.run();
    assert_all_begun(&world, &state);
    let reads = world.aws.reads.lock().unwrap().clone();
    let once = [place("111111111111"), second()].map(|at| (Some(at), 1));
    assert_eq!(reads, once.into_iter().chain([(None, 2)]).collect());

    world.plan.central.account = second().account;
    world.agree();
    world.aws.reads.lock().unwrap().clear();
    world.aws.executions.lock().unwrap().clear();
    world.log = Default::default();
    world.run();
    assert!(!world.aws.reads.lock().unwrap().contains_key(&Some(second())));

    // Amazon's own document is the same in every account.
    world.plan.runbook.as_mut().unwrap().name = "AWS-Example".parse().unwrap();
    world.aws.reads.lock().unwrap().clear();
    world.aws.executions.lock().unwrap().clear();
    world.log = Default::default();
    world.run();
    assert_eq!(
        world.aws.reads.lock().unwrap().keys().collect::<Vec<_>>(),
        [&None]
    );
}
