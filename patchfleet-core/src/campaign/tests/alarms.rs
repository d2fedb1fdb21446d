//! The CloudWatch alarm of a request: each start comes after an answer that it is not in the state ALARM, and none after one that
//! it is.

use super::admission::after;
use super::world::*;
use crate::campaign::admission::admit;
use crate::campaign::{
    AlarmSaid, BreakerStop, CalendarsSaid, DriveError, Driver, Event, Progress, Rule, SHORTEST_GAP, State,
    StopReason,
};
use crate::id::AlarmName;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::{Clock as _, PortError, PortErrorKind};
use crate::report::Report;
use jiff::{SignedDuration, Timestamp};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

pub(super) fn name() -> AlarmName {
    "web errors".parse().unwrap()
}

/// So many units, one after another, under an alarm. The campaign begins at 22:00 of 1 March.
pub(super) fn world(units: usize) -> World {
    let mut world = super::freezes::world(units, serde_json::json!([]));
    world.plan.request.breaker.alarm = Some(name());
    world
}

fn goes_off(world: &World, from: Timestamp, to: Timestamp) {
    world.aws.alarm_goes_off.lock().unwrap().push((from, to));
}

fn begun(world: &World) -> Vec<Timestamp> {
    let all = world.executions();
    all.iter().map(|one| one.started_at).collect()
}

fn said(world: &World) -> Vec<AlarmSaid> {
    let said = world.events().into_iter().filter_map(|event| match event {
        Event::AlarmSaid { said } => Some(said),
        _ => None,
    });
    said.collect()
}

fn went_off(since: Timestamp) -> AlarmSaid {
    AlarmSaid::Alarm {
        name: name(),
        reason: "Threshold Crossed: 1 datapoint [7.0]".to_owned(),
        since: Some(since),
    }
}

fn outcomes(state: &State) -> Vec<LocationOutcome> {
    state.locations().filter_map(|(.., at)| at.outcome()).collect()
}

#[test]
fn each_start_comes_within_a_minute_of_an_answer_that_all_is_well() {
    let world = world(4);
    assert_eq!(world.run().finished().unwrap().0, FinishedOutcome::Succeeded);
    let asked = world.aws.alarm_asked.lock().unwrap().clone();
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
fn once_the_alarm_goes_off_nothing_more_begins_and_log_and_report_say_why() {
    let world = world(3);
    let begins = world.clock.now();
    let from = begins + SignedDuration::from_secs(30);
    // It is well again long before the campaign is over.
    goes_off(&world, from, begins + MINUTE * 59);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(begun(&world).len(), 1);
    assert!(begun(&world)[0] < from);
    use LocationOutcome as O;
    assert_eq!(outcomes(&state), [O::Succeeded, O::NotStarted, O::NotStarted]);
    assert_eq!(said(&world), [went_off(from)]);
    assert!(matches!(
        state.stop_reason(),
        Some(StopReason::Breaker(BreakerStop::Alarm { .. }))
    ));
    let report = finish(Report::build(&state, &*world.rows, state.last_at())).unwrap();
    assert_eq!(report.exit_code(), 5);
    let told = state.left_out_because().unwrap().to_string();
    insta::assert_snapshot!(told, @"the CloudWatch alarm web errors is in the state ALARM since 2026-03-01T22:00:30Z (Threshold Crossed: 1 datapoint [7.0])");
    assert!(report.to_text().contains(&told), "{}", report.to_text());
}

#[test]
fn what_fails_after_the_alarm_went_off_does_not_hide_that_the_alarm_is_why() {
    let place = |node| [("us-east-1", Script::Nodes(vec![node]))];
    let failing = Node {
        status: "Failed",
        patches: Some([1, 0, 0]),
        ..Node::well(1)
    };
    // The budget allows no failure, and neither does the breaker.
    for in_a_row in [None, Some(1)] {
        let mut world = World::new(&[&place(failing.clone()), &place(Node::well(2))], 1, 0);
        world.plan.request.breaker.alarm = Some(name());
        world.plan.request.breaker.consecutive_failures = in_a_row;
        let soon = world.clock.now() + SignedDuration::from_secs(30);
        goes_off(&world, soon, Timestamp::MAX);
        let state = world.run();
        assert_eq!(
            outcomes(&state),
            [LocationOutcome::NodesFailed, LocationOutcome::NotStarted]
        );
        assert!(matches!(
            state.stop_reason(),
            Some(StopReason::Breaker(BreakerStop::Alarm { .. }))
        ));
    }
}

#[test]
fn an_alarm_that_went_off_before_the_first_start_lets_nothing_begin_and_it_stays_so() {
    let world = world(2);
    let begins = world.clock.now();
    goes_off(&world, begins - MINUTE, begins + MINUTE * 5);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(begun(&world).is_empty());
    world.clock.advance(MINUTE * 10);
    let refused = finish(world.driver(2).go_on(world.campaign(), "ops")).unwrap_err();
    assert!(matches!(refused, DriveError::NothingToGoOn { .. }), "{refused:?}");
    assert!(begun(&world).is_empty());
}

#[test]
fn whoever_reads_the_log_sees_that_it_went_off_whatever_it_said_later() {
    let world = world(2);
    let off = went_off(world.clock.now());
    let events = [off, AlarmSaid::Quiet].map(|said| Event::AlarmSaid { said });
    let state = after(&world, events.into());
    let admitted = admit(&state, state.last_at() + MINUTE * 60);
    assert_eq!((admitted.begin, admitted.never.len()), (None, 2));
    assert!(state.holds(state.last_at()).is_empty(), "nothing waits");
    assert!(state.stop_reason().unwrap().to_string().contains("web errors"));
}

#[test]
fn unknown_is_not_well() {
    for kind in [
        None,
        Some(PortErrorKind::Denied),
        Some(PortErrorKind::Throttled),
        Some(PortErrorKind::Credentials),
    ] {
        let world = world(1);
        let until = world.clock.now() + MINUTE * 10;
        *world.aws.alarm_fails.lock().unwrap() = Some((kind, until));
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
        let hold = state.holds(begins).remove(0);
        assert_eq!(hold.rule, Rule::Alarm);
        let words = match kind {
            None => "there is no alarm web errors in the central account and Region",
            Some(_) => "no alarm",
        };
        assert_eq!(
            hold.reason.to_string(),
            format!(
                "it is not known whether the CloudWatch alarm is in the state ALARM, so nothing begins \
                 (cloudwatch:DescribeAlarms): {words}"
            )
        );
        let state = finish(driver.run(world.campaign())).unwrap();
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
        assert!(begun(&world)[0] >= until, "{kind:?}");
    }
}

#[test]
fn a_start_that_was_put_off_is_not_sent_once_the_alarm_goes_off() {
    let world = world(1);
    let begins = world.clock.now();
    goes_off(&world, begins + MINUTE, begins + MINUTE * 60);
    for _ in 0..12 {
        let mut refusals = world.aws.refusals.lock().unwrap();
        refusals.push(|| PortError::new(PortErrorKind::Throttled, "slow down"));
    }
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let withdrawn = |event: &Event| matches!(event, Event::StartWithdrawn { .. });
    assert!(world.events().iter().any(withdrawn));
    assert!(begun(&world).is_empty());
}

#[test]
fn what_nobody_follows_is_not_begun_while_the_alarm_is_off_or_nobody_knows() {
    let world = world(1);
    let now = world.clock.now();
    goes_off(&world, now, now + MINUTE);
    assert_eq!(
        super::freezes::fire(&world).unwrap_err().to_string(),
        "nothing was started: the CloudWatch alarm web errors is in the state ALARM since 2026-03-01T22:00:00Z (Threshold \
         Crossed: 1 datapoint [7.0])"
    );
    *world.aws.alarm_fails.lock().unwrap() = Some((Some(PortErrorKind::Denied), now + MINUTE * 2));
    let unknown = super::freezes::fire(&world).unwrap_err().to_string();
    assert!(unknown.contains("cloudwatch:DescribeAlarms"), "{unknown}");
    assert!(world.executions().is_empty());
    world.clock.advance(MINUTE * 3);
    super::freezes::fire(&world).unwrap();
    assert_eq!(world.executions().len(), 1);
}

#[test]
fn one_failed_answer_of_the_alarm_leaves_no_start_unresolved() {
    let world = world(1);
    killed_once(&world, is_intended);
    // It is unreadable when the start would be sent again, and for a minute after that.
    let until = world.clock.now() + MINUTE * 3;
    *world.aws.alarm_fails.lock().unwrap() = Some((Some(PortErrorKind::Throttled), until));
    let state = finish(whole_life(&world, 2)).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(begun(&world).len(), 1);
}

#[test]
fn the_alarm_and_a_change_calendar_are_asked_side_by_side() {
    let mut world = world(2);
    world.plan.request.change_calendars = vec!["Freezes".parse().unwrap()];
    let begins = world.clock.now();
    let opens = begins + MINUTE * 20;
    world.aws.calendars_closed.lock().unwrap().push((begins, opens));
    assert_eq!(world.run().finished().unwrap().0, FinishedOutcome::Succeeded);
    assert!(begun(&world).iter().all(|at| *at >= opens), "{:?}", begun(&world));
    let asked = world.aws.alarm_asked.lock().unwrap().clone();
    for at in begun(&world) {
        let is_fresh = |asked: &&Timestamp| **asked <= at && at.duration_since(**asked) <= MINUTE;
        assert!(asked.iter().any(|asked| is_fresh(&asked)), "{at}, {asked:?}");
    }
    let closed = |event: &Event| {
        matches!(
            event,
            Event::CalendarsSaid {
                said: CalendarsSaid::Closed { .. }
            }
        )
    };
    assert!(world.events().iter().any(closed));
}

#[test]
fn an_alarm_that_goes_off_and_is_quiet_again_in_a_soak_lets_no_other_wave_begin() {
    let mut world = world(2);
    super::waves::put_in_waves(&mut world, &[1, 2]);
    world.plan.request.waves = super::waves::named(serde_json::json!([
        {"name": "canary", "locations": 1, "soak": "2h"},
    ]));
    let begins = world.clock.now();
    goes_off(&world, begins + MINUTE * 30, begins + MINUTE * 45);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(begun(&world).len(), 1);
    let asked = world.aws.alarm_asked.lock().unwrap().len();
    assert!(
        (30..=40).contains(&asked),
        "once a minute until it went off: {asked}"
    );
}

#[test]
fn an_alarm_that_is_gone_is_told_of() {
    let world = world(1);
    let until = world.clock.now() + MINUTE * 10;
    *world.aws.alarm_fails.lock().unwrap() = Some((None, until));
    let (notices, lines) = super::trouble::told_to(&world);
    let driver = Driver {
        notices,
        ..world.driver(1)
    };
    finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        driver.run(world.campaign()).await.unwrap()
    });
    let told = format!("{:?}", lines.lock().unwrap());
    assert!(told.contains("there is no such alarm any more"), "{told}");
}

#[test]
fn who_is_not_told_for_a_weekend_what_state_the_alarm_is_in_begins_nothing_on_monday() {
    let world = world(2);
    let until = world.clock.now() + MINUTE * 60 * 60;
    *world.aws.alarm_fails.lock().unwrap() = Some((Some(PortErrorKind::Denied), until));
    let state = finish(async {
        let driver = world.driver(1);
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        driver
            .run_unless_left(world.campaign(), SHORTEST_GAP)
            .await
            .unwrap()
    });
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(begun(&world).is_empty());
    assert!(
        matches!(state.left_out_because(), Some(StopReason::Unattended { .. })),
        "{:?}",
        state.left_out_because()
    );
}

#[test]
fn a_driver_that_waits_for_nothing_but_a_persons_word_on_a_start_gives_up_under_an_alarm_too() {
    let world = world(2);
    killed_once(&world, is_intended);
    world.clock.advance(SignedDuration::from_hours(1));
    let driver = world.driver(2);
    let tomorrow = world.clock.now() + SignedDuration::from_hours(24);
    let left = finish(driver.run_until(world.campaign(), tomorrow));
    assert!(matches!(left, Err(DriveError::Unresolved { .. })), "{left:?}");
}
