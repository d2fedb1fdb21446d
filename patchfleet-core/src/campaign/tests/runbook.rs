//! The runbook is bound by content: what would run is compared before each start.

use super::world::*;
use crate::campaign::{DriveError, Event, State, StopReason};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::{PortError, PortErrorKind};
use crate::request::RunbookPin;
use crate::runbook::{ContentDigest, PlannedRunbook, RunbookChange};
use jiff::SignedDuration;

pub(super) const OTHER: &str = r#"{"schemaVersion": "0.3", "mainSteps": [{"action": "aws:runCommand"}]}"#;

/// Two units, of which the second is begun when the first is over.
pub(super) fn world(pin: RunbookPin) -> World {
    let well = || Script::Nodes(vec![Node::well(1), Node::well(2)]);
    let mut world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
    world.plan.request.automation.pin = pin;
    world.plan.runbook = Some(PlannedRunbook {
        name: world.plan.request.automation.document.clone(),
        version: "7".to_owned(),
        digest: ContentDigest::of(RUNBOOK),
        parameters: vec!["Targets".to_owned()],
        own: true,
        copies: vec![],
        unread: vec![],
        sight: None,
    });
    if pin == RunbookPin::Version {
        for request in world.plan.units.iter_mut().map(|unit| &mut unit.start) {
            request.document_version = Some("7".parse().unwrap());
        }
    }
    world
}

/// Begins the campaign, drives it until its first unit runs, lets `meanwhile` happen, and drives it
/// to its end.
pub(super) fn disturbed(world: &World, meanwhile: impl FnOnce(&World)) -> State {
    finish(async {
        let driver = world.driver(1);
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while world.executions().is_empty() {
            drive.step().await.unwrap();
        }
        meanwhile(world);
        driver.run(world.campaign()).await.unwrap()
    })
}

pub(super) fn words(state: &State) -> String {
    let rest = state.locations().last().unwrap().2.settled.clone().unwrap();
    assert_eq!(rest.outcome, LocationOutcome::NotStarted);
    rest.detail
}

pub(super) fn assert_halted(world: &World, state: &State, change: RunbookChange) {
    assert_eq!(world.executions().len(), 1, "nothing more is started");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(
        matches!(state.stop_reason(), Some(StopReason::RunbookChanged { change: found, .. }) if found == change),
        "{:?}",
        state.stop_reason()
    );
    let first = state.locations().next().unwrap().2.outcome();
    assert_eq!(first, Some(LocationOutcome::Succeeded), "what ran is collected");
    let changes = world.records().into_iter().flat_map(|record| record.events);
    let changes = changes.filter(|event| matches!(event, Event::RunbookChanged { .. }));
    assert_eq!(changes.count(), 1);
}

#[test]
fn a_runbook_that_stays_as_it_was_halts_nothing() {
    for pin in [RunbookPin::Default, RunbookPin::Version] {
        let world = world(pin);
        let state = world.run();
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
        assert_eq!(world.executions().len(), 2);
    }
}

#[test]
fn content_that_differs_in_mid_run_starts_nothing_more_and_says_what_is_different() {
    let world = world(RunbookPin::Default);
    let state = disturbed(&world, |world| {
        *world.aws.runbook.lock().unwrap() = Some(OTHER.to_owned());
    });
    assert_halted(&world, &state, RunbookChange::Differs);
    let words = words(&state);
    assert!(
        words.starts_with("not begun: version 8 of the runbook Patchfleet-RunPatchBaseline"),
        "{words}"
    );
    assert!(
        words.contains("is not what version 7 was when the plan was made"),
        "{words}"
    );
}

#[test]
fn a_runbook_that_is_gone_in_mid_run_starts_nothing_more() {
    let world = world(RunbookPin::Default);
    let state = disturbed(&world, |world| {
        *world.aws.runbook.lock().unwrap() = None;
    });
    assert_halted(&world, &state, RunbookChange::Gone);
    assert!(words(&state).contains("is no longer in the central account and Region"));
}

#[test]
fn the_same_content_written_in_another_way_halts_nothing() {
    let world = world(RunbookPin::Default);
    let again = if cfg!(feature = "yaml") {
        "parameters: {Targets: {type: MapList}}\nschemaVersion: '0.3'\n"
    } else {
        r#"{"parameters":{"Targets":{"type":"MapList"}},"schemaVersion":"0.3"}"#
    };
    let state = disturbed(&world, |world| {
        *world.aws.runbook.lock().unwrap() = Some(again.to_owned());
    });
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
}

#[test]
fn a_newer_default_version_halts_nothing_where_the_version_is_pinned() {
    let world = world(RunbookPin::Version);
    let state = disturbed(&world, |world| {
        *world.aws.runbook.lock().unwrap() = Some(OTHER.to_owned());
    });
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let pinned = world.executions().iter().all(|started| {
        started
            .request
            .document_version
            .map(|version| version.to_string())
            == Some("7".to_owned())
    });
    assert!(pinned);
}

#[test]
fn a_read_that_fails_for_some_minutes_is_tried_again_and_one_that_fails_for_longer_halts() {
    let throttled: fn() -> PortError = || PortError::new(PortErrorKind::Throttled, "slow down");
    let denied: fn() -> PortError = || PortError::new(PortErrorKind::Denied, "may not");
    let world_of = |answers: Vec<fn() -> PortError>| {
        let world = world(RunbookPin::Default);
        let state = disturbed(&world, |world| {
            *world.aws.runbook_reads.lock().unwrap() = answers;
        });
        (world, state)
    };
    for answers in [vec![throttled; 10], vec![denied; 9]] {
        let (_, state) = world_of(answers);
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    }
    for answers in [vec![denied; 10], vec![throttled; 40]] {
        let (world, state) = world_of(answers);
        assert_halted(&world, &state, RunbookChange::Unreadable);
    }
}

/// Kills a driver after `polls` polls, changes the runbook, and lets another one finish.
#[test]
fn a_runbook_that_changes_while_a_driver_is_dead_starts_nothing_more_whenever_it_died() {
    let mut instants = 0;
    for polls in 0.. {
        let world = world(RunbookPin::Default);
        let life = |writer| {
            let world = &world;
            async move {
                let driver = world.driver(writer);
                driver.begin(world.campaign(), &world.plan).await?;
                driver.run(world.campaign()).await
            }
        };
        let mut first = ByHand::new(life(1));
        if (0..polls).any(|_| first.poll()) {
            break;
        }
        drop(first);
        let before = world.executions().len();
        *world.aws.runbook.lock().unwrap() = Some(OTHER.to_owned());
        let state: Result<State, DriveError> = finish(life(2));
        assert_eq!(world.executions().len(), before, "killed after {polls} polls");
        instants += 1;
        let state = match state {
            // Killed between the intent and the start: a person has to say whether it was made.
            Err(DriveError::Unresolved { .. }) if before < 2 => continue,
            state => state.unwrap(),
        };
        if before < 2 {
            assert_eq!(
                state.finished().unwrap().0,
                FinishedOutcome::Halted,
                "killed after {polls} polls"
            );
        }
    }
    assert!(instants > 100, "only {instants} instants");
}

#[test]
fn a_start_in_doubt_is_looked_for_and_not_sent_again_once_the_runbook_has_changed() {
    let world = world(RunbookPin::Default);
    let lost = || PortError::new(PortErrorKind::Unavailable, "no answer").maybe_sent();
    *world.aws.refusals.lock().unwrap() = vec![lost];
    let state = finish(async {
        let driver = world.driver(1);
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while world.aws.starts.lock().unwrap().is_empty() {
            drive.step().await.unwrap();
        }
        *world.aws.runbook.lock().unwrap() = Some(OTHER.to_owned());
        let begun = world.clock.0.lock().unwrap().to_owned();
        let open = driver.run(world.campaign()).await.unwrap_err();
        assert!(matches!(open, DriveError::Unresolved { .. }), "{open}");
        let waited = world.clock.0.lock().unwrap().duration_since(begun);
        assert!(
            waited >= SignedDuration::from_mins(5),
            "it may still turn up: {waited:?}"
        );
        State::from_records(&world.records()).unwrap()
    });
    assert_eq!(world.aws.starts.lock().unwrap().len(), 1);
    let outcomes: Vec<_> = state.locations().map(|(.., at)| at.outcome()).collect();
    assert_eq!(outcomes, [None, Some(LocationOutcome::NotStarted)]);
    let again = finish(
        world
            .driver(1)
            .send_again(world.campaign(), &state.unresolved().collect(), "ops"),
    );
    let words = again.unwrap_err().to_string();
    assert!(
        words.contains("nothing more may be begun") && words.contains("version 8"),
        "{words}"
    );
}
