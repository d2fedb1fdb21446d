//! Change calendars: each start comes after an answer that they are open.

use super::world::*;
use crate::campaign::{CalendarsSaid, DriveError, Event, HoldReason, Progress, Rule};
use crate::outcome::FinishedOutcome;
use crate::port::{Clock as _, PortError, PortErrorKind};
use jiff::{SignedDuration, Timestamp};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// So many units, one after another, under a change calendar. The campaign begins at 22:00 of 1 March.
pub(super) fn world(units: usize) -> World {
    let mut world = super::freezes::world(units, serde_json::json!([]));
    world.plan.request.change_calendars = vec!["Freezes".parse().unwrap()];
    world
}

fn close(world: &World, from: Timestamp, to: Timestamp) {
    world.aws.calendars_closed.lock().unwrap().push((from, to));
}

fn begun(world: &World) -> Vec<Timestamp> {
    let all = world.executions();
    all.iter().map(|one| one.started_at).collect()
}

fn said(world: &World) -> Vec<CalendarsSaid> {
    let said = world.events().into_iter().filter_map(|event| match event {
        Event::CalendarsSaid { said } => Some(said),
        _ => None,
    });
    said.collect()
}

#[test]
fn each_start_comes_within_a_minute_of_an_answer_that_they_are_open() {
    let world = world(4);
    assert_eq!(world.run().finished().unwrap().0, FinishedOutcome::Succeeded);
    let asked = world.aws.calendars_asked.lock().unwrap().clone();
    let begun = begun(&world);
    assert_eq!(begun.len(), 4);
    for at in begun {
        let last = asked.iter().filter(|asked| **asked <= at).max().unwrap();
        assert!(at.duration_since(*last) <= MINUTE, "{at}, {asked:?}");
    }
    assert!(
        said(&world).is_empty(),
        "what does not change is not written down"
    );
}

#[test]
fn nothing_begins_while_one_is_closed_and_the_driver_wakes_when_that_changes() {
    let world = world(2);
    let begins = world.clock.now();
    let opens = begins + MINUTE * 3;
    close(&world, begins, opens);
    let driver = world.driver(1);
    let paused = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        driver.run_until(world.campaign(), begins + MINUTE).await.unwrap()
    });
    let Progress::Paused { wake_at, state } = paused else {
        unreachable!()
    };
    assert_eq!(wake_at, opens);
    let hold = state.holds(begins).remove(0);
    assert_eq!(hold.rule, Rule::Calendars);
    assert!(matches!(
        &hold.reason,
        HoldReason::Calendars { said: CalendarsSaid::Closed { until: Some(until) } } if *until == opens
    ));
    assert_eq!(
        hold.reason.to_string(),
        "a change calendar is closed until 2026-03-01T22:03:00Z, as far as AWS says"
    );
    finish(world.driver(2).run(world.campaign())).unwrap();
    assert!(begun(&world).iter().all(|at| *at >= opens));
    assert_eq!(
        said(&world),
        [CalendarsSaid::Closed { until: Some(opens) }, CalendarsSaid::Open]
    );
}

#[test]
fn what_closes_between_two_starts_holds_the_second() {
    let world = world(2);
    let begins = world.clock.now();
    let (from, to) = (begins + SignedDuration::from_secs(30), begins + MINUTE * 90);
    close(&world, from, to);
    assert_eq!(world.run().finished().unwrap().0, FinishedOutcome::Succeeded);
    let begun = begun(&world);
    assert!(begun[0] < from && begun[1] >= to, "{begun:?}");
}

#[test]
fn a_calendar_that_a_person_opens_before_its_time_is_seen_within_five_minutes() {
    let world = world(1);
    let begins = world.clock.now();
    close(&world, begins, begins + MINUTE * 600);
    let driver = world.driver(1);
    let mut drive = ByHand::new(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        driver.run(world.campaign()).await.unwrap()
    });
    drive.until(|| world.clock.now() > begins + MINUTE * 20);
    world.aws.calendars_closed.lock().unwrap().clear();
    let opened = world.clock.now();
    drive.end();
    let waited = begun(&world)[0].duration_since(opened);
    assert!(waited <= MINUTE * 6, "{waited:#}");
}

#[test]
fn unknown_is_not_open() {
    for kind in [
        PortErrorKind::Denied,
        PortErrorKind::NotFound,
        PortErrorKind::Throttled,
        PortErrorKind::Credentials,
    ] {
        let world = world(1);
        let until = world.clock.now() + MINUTE * 10;
        *world.aws.calendars_fail.lock().unwrap() = Some((kind, until));
        let driver = world.driver(1);
        let begins = world.clock.now();
        let state = finish(async {
            driver.begin(world.campaign(), &world.plan).await.unwrap();
            match driver
                .run_until(world.campaign(), begins + MINUTE * 5)
                .await
                .unwrap()
            {
                Progress::Paused { state, .. } => state,
                _ => unreachable!(),
            }
        });
        assert!(begun(&world).is_empty());
        assert_eq!(
            state.holds(begins).remove(0).reason.to_string(),
            "it is not known whether the change calendars are open, so nothing begins (ssm:GetCalendarState): no calendar"
        );
        finish(driver.run(world.campaign())).unwrap();
        assert!(begun(&world)[0] >= until, "{kind:?}");
    }
}

#[test]
fn a_start_that_was_put_off_is_not_sent_once_a_calendar_is_closed() {
    let world = world(1);
    let begins = world.clock.now();
    close(&world, begins + MINUTE, begins + MINUTE * 60);
    for _ in 0..12 {
        let mut refusals = world.aws.refusals.lock().unwrap();
        refusals.push(|| PortError::new(PortErrorKind::Throttled, "slow down"));
    }
    assert_eq!(world.run().finished().unwrap().0, FinishedOutcome::Succeeded);
    let withdrawn = |event: &Event| matches!(event, Event::StartWithdrawn { .. });
    assert!(world.events().iter().any(withdrawn));
    assert!(begun(&world)[0] >= begins + MINUTE * 60);
}

#[test]
fn what_nobody_follows_is_not_begun_while_one_is_closed_or_nobody_knows() {
    let world = world(1);
    let now = world.clock.now();
    close(&world, now, now + MINUTE);
    assert_eq!(
        super::freezes::fire(&world).unwrap_err().to_string(),
        "nothing was started: a change calendar is closed until 2026-03-01T22:01:00Z, as far as AWS says"
    );
    *world.aws.calendars_fail.lock().unwrap() = Some((PortErrorKind::Denied, now + MINUTE * 2));
    let unknown = super::freezes::fire(&world).unwrap_err().to_string();
    assert!(unknown.contains("ssm:GetCalendarState"), "{unknown}");
    assert!(world.executions().is_empty());
    world.clock.advance(MINUTE * 3);
    super::freezes::fire(&world).unwrap();
    assert_eq!(world.executions().len(), 1);
}

#[test]
fn a_person_may_have_a_start_sent_again_once_a_calendar_is_open_whatever_the_log_says_of_it() {
    let world = world(1);
    killed_once(&world, is_intended);
    let closes = world.clock.now();
    close(&world, closes, closes + SignedDuration::from_hours(24));
    let error = finish(whole_life(&world, 2)).unwrap_err();
    let DriveError::Unresolved { holds, .. } = &error else {
        panic!("{error}");
    };
    let units = holds.iter().map(|hold| hold.unit).collect();
    assert!(begun(&world).is_empty());
    assert!(matches!(said(&world)[..], [CalendarsSaid::Closed { .. }]));
    world.clock.advance(SignedDuration::from_hours(48));
    let driver = world.driver(3);
    finish(driver.send_again(world.campaign(), &units, "ops")).unwrap();
    let state = finish(driver.run(world.campaign())).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(begun(&world).len(), 1);
}

#[test]
fn one_failed_answer_of_a_calendar_leaves_no_start_unresolved() {
    let world = world(1);
    killed_once(&world, is_intended);
    // It is unreadable when the start would be sent again, and for a minute after that.
    let until = world.clock.now() + MINUTE * 3;
    *world.aws.calendars_fail.lock().unwrap() = Some((PortErrorKind::Throttled, until));
    let state = finish(whole_life(&world, 2)).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(begun(&world).len(), 1);
}
