//! What AWS does not let anybody stop.

use super::*;

#[test]
fn what_may_not_be_stopped_is_named_and_not_called_stopped() {
    let world = world_of(2);
    drop(at_work(&world));
    *world.aws.takes_stops_below.lock().unwrap() = TakesStops::Denied;
    let error = finish(stop(&world, 2, StopMode::CancelCommands)).unwrap_err();
    let DriveError::RunsOn { what, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(what.len(), 2, "{what:?}");
    assert!(
        what.iter().all(|what| what.contains("StopAutomationExecution")),
        "{what:?}"
    );
    let refused: Vec<Event> = world
        .events()
        .into_iter()
        .filter(|event| {
            matches!(
                event,
                Event::NotStoppedBelow {
                    kind: PortErrorKind::Denied,
                    ..
                }
            )
        })
        .collect();
    assert_eq!(refused.len(), 2, "each location once");
    let state = State::from_records(&world.records()).unwrap();
    assert!(state.finished().is_none(), "it runs, so it is open");
    let told = state.warning(&refused[0]).unwrap();
    assert!(
        told.contains("AWS does not let patchfleet stop what runs there"),
        "{told}"
    );
    // Once that is allowed, it is said again.
    *world.aws.takes_stops_below.lock().unwrap() = TakesStops::Well;
    let state = finish(stop(&world, 3, StopMode::CancelCommands)).unwrap();
    assert_stopped(&world, &state);
    assert_eq!(outcomes(&state, 0)[0], LocationOutcome::Cancelled);
}

#[test]
fn what_may_not_be_stopped_is_followed_to_its_end_by_whoever_drives_the_campaign() {
    let world = world();
    let first = at_work(&world);
    *world.aws.takes_stops_below.lock().unwrap() = TakesStops::Denied;
    world.aws.take_stops(TakesStops::Denied);
    let second = ByHand::new(stop(&world, 2, StopMode::CancelCommands));
    let (one, two) = both_ends(first, second);
    let what = match two {
        Err(DriveError::RunsOn { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    // Each location that began later was tried as well, and the executions themselves are named.
    assert_eq!(places_not_stopped(&world), 6, "{what:?}");
    let executions = what.iter().filter(|what| what.starts_with("the execution "));
    assert_eq!((executions.count(), what.len()), (2, 4), "{what:?}");
    let state = one.unwrap();
    assert_stopped(&world, &state);
    let report = report_of(&world, &state);
    assert_eq!(report.exit_code(), 5);
    assert_eq!(
        report.totals.nodes.count(NodeOutcome::Done),
        12,
        "what ran is told as it is"
    );
    assert_eq!(report.totals.nodes.count(NodeOutcome::NotRun), 6);
    // Who reads only the report knows what was not stopped, and why.
    let executions = report.not_stopped.iter().filter(|one| one.execution.is_some());
    assert_eq!((executions.count(), report.not_stopped.len()), (2, 8));
    let reasons_known = report.not_stopped.iter().all(|one| !one.reason.is_empty());
    assert!(reasons_known, "{:?}", report.not_stopped);
    let text = report.to_text();
    for execution in &report.executions {
        let line = format!("the execution {} of unit", execution.execution_id);
        assert!(text.contains(&line), "{text}");
    }
    let below = text.lines().filter(|line| line.starts_with("what ran in "));
    assert_eq!(below.count(), 1, "{text}");
    assert!(text.contains(" and 1 more location was not stopped: "), "{text}");
    let said_there = |line: &&str| line.ends_with("AWS did not let patchfleet stop what ran here");
    assert_eq!(text.lines().filter(said_there).count(), 6, "{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["not_stopped"].as_array().unwrap().len(), 8);
    assert_eq!(
        serde_json::from_value::<crate::report::Report>(json).unwrap(),
        report
    );
    let refused = world
        .events()
        .into_iter()
        .find(|event| matches!(event, Event::StopRefused { .. }));
    let told = state.warning(&refused.unwrap()).unwrap();
    assert!(
        told.contains("AWS does not let patchfleet stop the execution of unit"),
        "{told}"
    );
}

#[test]
fn stops_that_are_still_tried_are_not_given_up_because_nobody_may_look() {
    let world = world();
    drop(at_work(&world));
    *world.aws.looks_denied.lock().unwrap() = true;
    world.aws.take_stops(TakesStops::Throttled);
    let mut stopping = ByHand::new(stop(&world, 2, StopMode::CancelCommands));
    let asked = world.clock.now();
    stopping.until(|| world.clock.now() > asked + SignedDuration::from_mins(2));
    *world.aws.looks_denied.lock().unwrap() = false;
    world.aws.take_stops(TakesStops::Well);
    let state = stopping.end().unwrap();
    assert_stopped(&world, &state);
    assert!(!state.has_refused_stops());
}

fn places_not_stopped(world: &World) -> usize {
    let events = world.events().into_iter();
    events
        .filter(|event| matches!(event, Event::NotStoppedBelow { .. }))
        .count()
}

#[test]
fn what_an_execution_begins_that_may_not_be_stopped_is_stopped_as_it_begins() {
    let world = world_of(1);
    let mut first = ByHand::new(life(&world, 1));
    let begun = world.clock.now();
    first.until(|| world.clock.now() > begun + SignedDuration::from_secs(22));
    drop(first);
    *world.aws.takes_stops_below.lock().unwrap() = TakesStops::Denied;
    world.aws.take_stops(TakesStops::Denied);
    let mut second = ByHand::new(stop(&world, 2, StopMode::CancelCommands));
    second.until(|| places_not_stopped(&world) == 1);
    *world.aws.takes_stops_below.lock().unwrap() = TakesStops::Well;
    let state = second.end().unwrap();
    assert_stopped(&world, &state);
    assert_eq!(outcomes(&state, 0)[1..], [LocationOutcome::Cancelled; 2]);
}

#[test]
fn what_can_neither_be_stopped_nor_read_is_not_called_stopped_before_its_command_has_expired() {
    let mut world = world_of(1);
    let sealed = world.plan.locations[0].location();
    world
        .aws
        .scripts
        .lock()
        .unwrap()
        .insert(sealed.clone(), Script::Sealed);
    *world.aws.runs_below.lock().unwrap() = true;
    let lives = SignedDuration::from_hours(7);
    world.cut_off(world.clock.now() + SignedDuration::from_hours(48));
    let mut first = ByHand::new(life(&world, 1));
    let begun = world.clock.now();
    first.until(|| world.clock.now() > begun + SignedDuration::from_secs(22));
    drop(first);
    let asked = world.clock.now();
    let error = finish(stop(&world, 2, StopMode::CancelCommands)).unwrap_err();
    let DriveError::RunsOn { what, .. } = &error else {
        panic!("{error}");
    };
    assert!(what[0].contains(&sealed.to_string()), "{what:?}");
    assert_eq!(places_not_stopped(&world), 1);
    let took = world.clock.now().duration_since(asked);
    assert!(took < SignedDuration::from_mins(10), "{took:#}");
    let state = State::from_records(&world.records()).unwrap();
    assert_eq!(report_of(&world, &state).exit_code(), 4, "it is open");
    // Whoever resumes it follows that until nothing can run any more.
    let state = finish(driver(&world, 3).run(world.campaign())).unwrap();
    assert_stopped(&world, &state);
    assert_eq!(outcomes(&state, 0)[0], LocationOutcome::ResultsUnreadable);
    assert!(
        world.clock.now() >= asked + lives,
        "its command may have run until then"
    );
}

#[test]
fn a_command_that_may_not_be_cancelled_is_told_at_once_where_its_execution_is_over() {
    let world = world_of(1);
    let mut first = ByHand::new(life(&world, 1));
    let begun = world.clock.now();
    first.until(|| world.clock.now() > begun + SignedDuration::from_secs(22));
    drop(first);
    world.aws.cancel();
    *world.aws.takes_stops_below.lock().unwrap() = TakesStops::Denied;
    *world.aws.runs_on.lock().unwrap() = SignedDuration::from_hours(6);
    let asked = world.clock.now();
    let error = finish(stop(&world, 2, StopMode::CancelCommands)).unwrap_err();
    assert!(matches!(error, DriveError::RunsOn { .. }), "{error}");
    let took = world.clock.now().duration_since(asked);
    assert!(took < SignedDuration::from_mins(10), "{took:#}");
}

#[test]
fn no_unit_waits_for_its_stop_until_others_that_cannot_be_stopped_are_given_up() {
    let units = 24;
    let mut world = world_of(units);
    world.plan.request.budget.locations.max_concurrency = "24".parse().unwrap();
    let mut first = ByHand::new(life(&world, 1));
    let is_start = |event: &Event| matches!(event, Event::Started { .. });
    first.until(|| world.events().into_iter().filter(is_start).count() == units);
    drop(first);
    world.aws.take_stops(TakesStops::Denied);
    let mut second = ByHand::new(stop(&world, 2, StopMode::CancelCommands));
    let tried = || {
        let stops = world.aws.stops.lock().unwrap();
        let all: BTreeSet<ExecutionId> = stops.iter().map(|(execution, _)| execution.clone()).collect();
        all.len()
    };
    second.until(|| tried() == units);
    let stops = world.aws.stops.lock().unwrap().len();
    assert_eq!(stops, units, "none is tried again before each was tried");
}
