//! A CloudWatch alarm that each start hands to AWS: what AWS stops for it is no cancel by somebody else, and nothing more begins.

use super::admission::after;
use super::alarms;
use super::world::*;
use crate::campaign::{AlarmStop, BreakerStop, DriveError, Event, Progress, State, StopReason};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::{Clock as _, StopType, TriggeredAlarm};
use crate::report::Report;
use jiff::SignedDuration;

/// So many units, one after another, each of which is started with the alarm.
fn world(units: usize) -> World {
    let mut world = alarms::world(units);
    world.plan.request.breaker.hand_alarm_to_aws = true;
    for unit in &mut world.plan.units {
        unit.start.alarm = Some(alarms::name());
    }
    world
}

/// Begins the campaign, and drives it until its first location is at work.
fn begun(world: &World) {
    let driver = world.driver(1);
    let until = world.clock.now() + SignedDuration::from_secs(30);
    finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        match driver.run_until(world.campaign(), until).await.unwrap() {
            Progress::Paused { .. } => {}
            _ => unreachable!(),
        }
    });
    assert_eq!(world.executions().len(), 1);
}

/// Drives the campaign to its end.
fn driven_on(world: &World, writer: u128) -> State {
    finish(world.driver(writer).run(world.campaign())).unwrap()
}

fn stop(triggered: TriggeredAlarm) -> AlarmStop {
    AlarmStop {
        name: alarms::name(),
        triggered,
    }
}

fn stops(world: &World) -> Vec<AlarmStop> {
    let stops = world.events().into_iter().filter_map(|event| match event {
        Event::StoppedForAlarm { alarm, .. } => Some(alarm),
        _ => None,
    });
    stops.collect()
}

fn cancels(world: &World) -> usize {
    let is_cancel = |event: &&Event| matches!(event, Event::CancelledElsewhere { .. });
    world.events().iter().filter(is_cancel).count()
}

#[test]
fn each_start_has_the_alarm_only_if_the_request_hands_it_to_aws() {
    for handed in [true, false] {
        let world = if handed { world(2) } else { alarms::world(2) };
        assert_eq!(world.run().finished().unwrap().0, FinishedOutcome::Succeeded);
        let told: Vec<_> = world
            .executions()
            .into_iter()
            .map(|one| one.request.alarm)
            .collect();
        assert_eq!(told, vec![handed.then(alarms::name); 2]);
    }
}

#[test]
fn a_plan_whose_starts_do_not_have_the_alarm_of_its_request_is_not_run() {
    let (mut without, mut with) = (world(1), alarms::world(1));
    without.plan.units[0].start.alarm = None;
    with.plan.units[0].start.alarm = Some(alarms::name());
    for world in [without, with] {
        let told = world.plan.check().unwrap_err().to_string();
        assert!(told.contains("its alarm"), "{told}");
    }
}

#[test]
fn what_aws_stopped_while_nobody_drove_the_campaign_is_the_alarms_doing_and_nothing_more_begins() {
    // Whether what runs in the location is stopped as well is not documented.
    for stops_below in [true, false] {
        let world = world(3);
        begun(&world);
        if stops_below {
            world.aws.cancel_in(&world.plan.locations[0].location());
        }
        world.aws.stop_for_alarm(TriggeredAlarm::Alarm);
        world.clock.advance(SignedDuration::from_mins(5));
        // By then the alarm is well again.
        let state = driven_on(&world, 2);
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
        assert_eq!(world.executions().len(), 1);
        assert_eq!(
            (stops(&world), cancels(&world)),
            (vec![stop(TriggeredAlarm::Alarm)], 0)
        );
        use LocationOutcome as O;
        let outcomes: Vec<O> = state.locations().filter_map(|(.., at)| at.outcome()).collect();
        let first = if stops_below { O::Cancelled } else { O::Succeeded };
        assert_eq!(outcomes, [first, O::NotStarted, O::NotStarted]);
        assert!(matches!(
            state.stop_reason(),
            Some(StopReason::Breaker(BreakerStop::StoppedForAlarm { .. }))
        ));
        let report = finish(Report::build(&state, &*world.rows, state.last_at())).unwrap();
        assert_eq!(report.exit_code(), 5);
        let told = state.left_out_because().unwrap().to_string();
        insta::allow_duplicates! {
            insta::assert_snapshot!(told, @"Systems Manager stopped the execution of unit 1, as the CloudWatch alarm web errors was in the state ALARM");
        }
        assert!(report.to_text().contains(&told), "{}", report.to_text());
        if stops_below {
            let detail =
                "Systems Manager stopped it, as the CloudWatch alarm web errors was in the state ALARM";
            assert!(report.to_text().contains(detail), "{}", report.to_text());
        }
        let refused = finish(world.driver(3).go_on(world.campaign(), "ops")).unwrap_err();
        assert!(matches!(refused, DriveError::NothingToGoOn { .. }), "{refused:?}");
        assert_eq!(State::from_records(&world.records()).unwrap(), state);
    }
}

#[test]
fn an_alarm_that_aws_cannot_read_stops_the_campaign_and_the_words_say_what_the_role_needs() {
    let world = world(2);
    begun(&world);
    world.aws.cancel_in(&world.plan.locations[0].location());
    world.aws.stop_for_alarm(TriggeredAlarm::Unknown);
    let state = driven_on(&world, 1);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!((world.executions().len(), cancels(&world)), (1, 0));
    insta::assert_snapshot!(state.left_out_because().unwrap(), @"Systems Manager stopped the execution of unit 1, as it could not read the CloudWatch alarm web errors (the role that Automation runs with needs cloudwatch:DescribeAlarms)");
}

#[test]
fn what_aws_stops_of_the_last_unit_halts_the_campaign_as_well() {
    let world = world(1);
    begun(&world);
    world.aws.cancel_in(&world.plan.locations[0].location());
    world.aws.stop_for_alarm(TriggeredAlarm::Alarm);
    let state = driven_on(&world, 2);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
}

#[test]
fn locations_that_aws_did_not_reach_for_the_alarm_say_so() {
    let mut world = World::new(
        &[&[
            ("us-east-1", Script::Nodes(vec![Node::well(1)])),
            ("eu-west-1", Script::Nodes(vec![Node::well(2)])),
        ]],
        1,
        0,
    );
    world.plan.request.breaker.alarm = Some(alarms::name());
    world.plan.request.breaker.hand_alarm_to_aws = true;
    world.plan.units[0].start.alarm = Some(alarms::name());
    begun(&world);
    world.aws.stop_for_alarm(TriggeredAlarm::Alarm);
    let state = driven_on(&world, 2);
    let details: Vec<String> = state
        .locations()
        .filter(|(.., at)| at.outcome() == Some(LocationOutcome::NotStarted))
        .map(|(.., at)| at.settled.as_ref().unwrap().detail.clone())
        .collect();
    assert_eq!(
        details,
        [
            "Systems Manager stopped the execution before it reached the location, as the CloudWatch alarm web errors was in the \
          state ALARM"
        ]
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let is_stop = |event: &Event| {
        matches!(
            event,
            Event::StopTaken {
                stop: StopType::Cancel,
                ..
            }
        )
    };
    assert!(!world.events().iter().any(is_stop));
}

#[test]
fn a_cancel_that_was_seen_before_its_reason_is_the_alarms_doing_whichever_the_log_has_first() {
    let world = world(2);
    let unit = world.plan.units[0].id;
    let seen = Event::CancelledElsewhere {
        unit,
        location: Some(world.plan.locations[0].location()),
    };
    let alarm = stop(TriggeredAlarm::Alarm);
    let why = Event::StoppedForAlarm { unit, alarm };
    for events in [vec![seen.clone(), why.clone()], vec![why.clone(), seen.clone()]] {
        let state = after(&world, events);
        assert!(
            matches!(
                state.stop_reason(),
                Some(StopReason::Breaker(BreakerStop::StoppedForAlarm { .. }))
            ),
            "{:?}",
            state.stop_reason()
        );
        assert!(!state.may_go_on());
    }
    assert!(
        after(&world, vec![seen]).may_go_on(),
        "without the reason it is somebody's cancel"
    );
}

#[test]
fn nobody_goes_on_after_a_cancel_that_turns_out_to_be_the_alarms_doing() {
    let world = world(2);
    begun(&world);
    world.aws.cancel_in(&world.plan.locations[0].location());
    world.aws.cancel();
    // AWS shows only later why.
    let state = driven_on(&world, 2);
    assert!(matches!(
        state.stop_reason(),
        Some(StopReason::CancelledElsewhere { .. })
    ));
    world.aws.executions.lock().unwrap()[0].triggered = Some(TriggeredAlarm::Alarm);
    let refused = finish(world.driver(3).go_on(world.campaign(), "ops")).unwrap_err();
    assert!(matches!(refused, DriveError::NothingToGoOn { .. }), "{refused:?}");
    assert_eq!(stops(&world), [stop(TriggeredAlarm::Alarm)]);
    assert_eq!(world.executions().len(), 1);
}
