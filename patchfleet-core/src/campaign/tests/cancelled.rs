//! Somebody else's cancel is a stop, until a person says to go on.

use super::world::*;
use crate::campaign::LogKey;
use crate::campaign::{Drive, DriveError, Event, State, StopReason, Turn, open_campaign};
use crate::id::CampaignId;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::{Clock as _, PortError, PortErrorKind};
use jiff::SignedDuration;

/// Three units that are begun one after another. Nothing may fail.
fn world() -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    World::new(
        &[
            &[("us-east-1", well())],
            &[("us-east-1", well())],
            &[("us-east-1", well())],
        ],
        1,
        0,
    )
}

/// Runs the campaign, and cancels its first execution when it is there.
async fn cancelled(world: &World, writer: u128) -> Result<State, DriveError> {
    let driver = world.driver(writer);
    driver.begin(world.campaign(), &world.plan).await?;
    let mut drive = driver.open(world.campaign()).await?;
    while world.executions().is_empty() {
        drive.step().await?;
    }
    world.aws.cancel();
    driver.run(world.campaign()).await
}

/// Runs the campaign, and cancels its first execution and what runs below it when it is at work.
async fn cancelled_at_work(world: &World, writer: u128) -> Result<State, DriveError> {
    let driver = world.driver(writer);
    driver.begin(world.campaign(), &world.plan).await?;
    let mut drive = driver.open(world.campaign()).await?;
    for_seconds(world, &mut drive, 8).await;
    world.aws.cancel_in(&world.plan.locations[0].location());
    world.aws.cancel();
    driver.run(world.campaign()).await
}

pub(super) fn outcomes(state: &State) -> Vec<LocationOutcome> {
    state.locations().map(|(.., at)| at.outcome().unwrap()).collect()
}

#[test]
fn nothing_more_begins_after_a_cancel_from_outside_and_the_run_ends_halted() {
    let world = world();
    let state = finish(cancelled(&world, 1)).unwrap();
    assert_eq!(world.executions().len(), 1);
    assert_eq!(
        outcomes(&state),
        [
            LocationOutcome::Cancelled,
            LocationOutcome::NotStarted,
            LocationOutcome::NotStarted
        ]
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(matches!(
        state.stop_reason(),
        Some(StopReason::CancelledElsewhere { .. })
    ));
    let words = state.left_out_because().unwrap().to_string();
    assert!(words.contains("resume --go-on"), "{words}");
}

#[test]
fn a_person_who_says_go_on_has_the_rest_begun_and_what_was_cancelled_stays_so() {
    let world = world();
    finish(cancelled_at_work(&world, 1)).unwrap();
    let driver = world.driver(2);
    let state = finish(async {
        driver.go_on(world.campaign(), "somebody").await.unwrap();
        let name = &world.plan.request.name;
        assert_eq!(
            open_campaign(&*world.log, name).await.unwrap(),
            Some(world.campaign())
        );
        driver.run(world.campaign()).await.unwrap()
    });
    assert_eq!(world.executions().len(), 3);
    assert_eq!(
        outcomes(&state),
        [
            LocationOutcome::Cancelled,
            LocationOutcome::Succeeded,
            LocationOutcome::Succeeded
        ]
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    let said = world.records().into_iter().find(|record| {
        record
            .events
            .iter()
            .any(|event| matches!(event, Event::GoneOn { by, .. } if by == "somebody"))
    });
    assert_eq!(said.unwrap().writer, driver.writer);
    assert_eq!(State::from_records(&world.records()).unwrap(), state);
}

#[test]
fn going_on_needs_a_stop_of_that_kind_and_a_name_that_nobody_else_has() {
    let calm = world();
    calm.run();
    let refused = finish(calm.driver(2).go_on(calm.campaign(), "somebody")).unwrap_err();
    assert!(matches!(refused, DriveError::NothingToGoOn { .. }), "{refused}");
    let words = refused.refusal().unwrap().to_string();
    assert!(
        words.contains("it is over (outcome succeeded)") && !words.contains("without --go-on"),
        "{words}"
    );
    let begun = self::world();
    finish(begun.driver(1).begin(begun.campaign(), &begun.plan)).unwrap();
    let refused = finish(begun.driver(2).go_on(begun.campaign(), "somebody")).unwrap_err();
    let words = refused.refusal().unwrap().to_string();
    assert!(words.contains("Resume it without --go-on"), "{words}");

    let world = world();
    finish(cancelled(&world, 1)).unwrap();
    let next: CampaignId = "00000000-0000-4000-8000-00000000000a".parse().unwrap();
    finish(world.driver(2).begin(next, &world.plan)).unwrap();
    // Whatever becomes of the claims: one of each, the stopped one's alone, none.
    for left in [2, 1, 0] {
        world
            .log
            .cut(&LogKey::Name(world.plan.request.name.clone()), left);
        let refused = finish(world.driver(3).go_on(world.campaign(), "somebody")).unwrap_err();
        assert!(
            matches!(refused, DriveError::NameTaken { open, .. } if open == next),
            "{left} left: {refused}"
        );
    }
}

#[test]
fn a_driver_killed_at_any_instant_after_a_cancel_is_followed_by_one_that_begins_nothing() {
    let mut instants = 0;
    for polls in 0.. {
        let world = world();
        let mut first = ByHand::new(cancelled(&world, 1));
        if (0..polls).any(|_| first.poll()) {
            break;
        }
        drop(first);
        let begun = world.executions();
        if begun
            .first()
            .is_none_or(|execution| execution.cancelled_at.is_none())
        {
            continue;
        }
        let state = finish(world.driver(2).run(world.campaign())).unwrap();
        assert_eq!(world.executions().len(), 1, "killed after {polls} polls");
        assert_eq!(
            state.finished().unwrap().0,
            FinishedOutcome::Halted,
            "killed after {polls} polls"
        );
        finish(world.driver(3).go_on(world.campaign(), "somebody")).unwrap();
        let state = finish(world.driver(3).run(world.campaign())).unwrap();
        // The first one did not reach its location.
        assert_eq!(world.executions().len(), 4, "killed after {polls} polls");
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
        instants += 1;
    }
    assert!(instants > 20, "only {instants} instants");
}

#[test]
fn a_start_that_aws_had_put_off_when_the_cancel_came_is_sent_once_a_person_says_go_on() {
    let mut world = world();
    world.plan.request.budget.locations.max_concurrency = "2".parse().unwrap();
    let driver = world.driver(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while world.executions().is_empty() {
            drive.step().await.unwrap();
        }
        let put_off: fn() -> PortError = || PortError::new(PortErrorKind::LimitExceeded, "queue full");
        *world.aws.refusals.lock().unwrap() = vec![put_off; 1000];
        world.aws.cancel();
        driver.run(world.campaign()).await.unwrap()
    });
    let (cancelled, left_out) = (LocationOutcome::Cancelled, LocationOutcome::NotStarted);
    assert_eq!(outcomes(&state), [cancelled, left_out, left_out]);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let withdrawn = world.records().into_iter().flat_map(|record| record.events);
    let withdrawn: Vec<String> = withdrawn
        .filter_map(|event| match event {
            Event::StartWithdrawn { detail, .. } => Some(detail),
            _ => None,
        })
        .collect();
    assert_eq!(withdrawn.len(), 1);
    assert!(withdrawn[0].contains("queue full"), "{withdrawn:?}");
    world.aws.refusals.lock().unwrap().clear();
    let state = finish(async {
        driver.go_on(world.campaign(), "somebody").await.unwrap();
        driver.run(world.campaign()).await.unwrap()
    });
    assert_eq!(outcomes(&state), [LocationOutcome::Succeeded; 3]);
}

#[test]
fn a_cancel_that_only_a_later_reading_shows_stops_a_driver_that_still_has_units_to_begin() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let world = World::new(
        &[
            &[("us-east-1", Script::Sealed)],
            &[("us-east-1", well())],
            &[("us-east-1", well())],
        ],
        1,
        2,
    );
    let cancelled = Node {
        status: "Cancelled",
        patches: None,
        ..Node::well(1)
    };
    let state = finish(async {
        let driver = world.driver(1);
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while world.executions().len() < 2 {
            if let Turn::Wait(at) = drive.step().await.unwrap() {
                driver.clock.sleep_until(at).await;
            }
        }
        let sealed = world.plan.locations[0].location();
        let nodes = Script::Nodes(vec![cancelled, Node::well(2)]);
        world.aws.scripts.lock().unwrap().insert(sealed, nodes);
        let found = world.driver(2).collect_again(world.campaign()).await.unwrap();
        assert_eq!((found.read, found.unread.len()), (1, 0));
        let both = world.records().pop().unwrap().events;
        assert!(
            matches!(
                &both[..],
                [Event::CancelledElsewhere { .. }, Event::Recollected { .. }]
            ),
            "{both:?}"
        );
        driver.run(world.campaign()).await.unwrap()
    });
    assert_eq!(world.executions().len(), 2, "the third unit is not begun");
    assert_eq!(
        outcomes(&state),
        [
            LocationOutcome::Cancelled,
            LocationOutcome::Succeeded,
            LocationOutcome::NotStarted
        ]
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(matches!(
        state.stop_reason(),
        Some(StopReason::CancelledElsewhere { .. })
    ));
}

/// Drives until this much time has passed since the first start.
pub(super) async fn for_seconds(world: &World, drive: &mut Drive<'_>, seconds: i64) {
    loop {
        let started = world.executions().first().map(|first| first.started_at);
        let until = started.map(|at| at + SignedDuration::from_secs(seconds));
        if until.is_some_and(|until| world.clock.now() >= until) {
            return;
        }
        if let Turn::Wait(at) = drive.step().await.unwrap() {
            world.clock.sleep_until(at).await;
        }
    }
}
