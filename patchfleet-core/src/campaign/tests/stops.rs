//! Bounded: units run side by side, each with the whole error budget, and the driver stops the others once the total
//! is used up.

use super::world::*;
use crate::campaign::{DriveError, Event, State, StopReason, StopStanding};
use crate::id::{Location, UnitId};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::{PortErrorKind, StopType};
use crate::report::Report;

const REGIONS: [&str; 6] = [
    "eu-central-1",
    "eu-north-1",
    "eu-south-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
];

/// Two units side by side, one location at once in each. In the first, a node of the first location comes out with
/// failed patches, which AWS counts as a success, and nothing may fail.
pub(super) fn world() -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let failed = Script::Nodes(vec![Node {
        patches: Some([1, 0, 0]),
        ..Node::well(1)
    }]);
    let first: Vec<(&str, Script)> = REGIONS
        .iter()
        .enumerate()
        .map(|(n, region)| (*region, if n == 0 { failed.clone() } else { well() }))
        .collect();
    let second: Vec<(&str, Script)> = REGIONS.iter().map(|region| (*region, well())).collect();
    let mut world = World::new(&[&first, &second], 1, 0);
    world.plan.request.budget.locations.max_concurrency = "2".parse().unwrap();
    world
}

pub(super) fn begun(world: &World) -> Vec<Vec<Location>> {
    let executions = world.executions();
    executions
        .iter()
        .map(|execution| world.aws.begun(execution))
        .collect()
}

pub(super) fn stops_sent(world: &World) -> Vec<StopType> {
    let stops = world.aws.stops.lock().unwrap();
    stops.iter().map(|(_, kind)| *kind).collect()
}

fn outcomes(state: &State, wanted: LocationOutcome) -> usize {
    let all = state.locations().filter(|(.., at)| at.outcome() == Some(wanted));
    all.count()
}

#[test]
fn all_units_begin_at_once_if_each_can_have_a_place() {
    let world = world();
    let state = world.run();
    let starts: Vec<_> = world.executions().iter().map(|one| one.started_at).collect();
    assert_eq!(starts.len(), 2);
    assert!(starts[1].duration_since(starts[0]) < RUNS, "one after the other");
    assert!(state.finished().is_some());
}

#[test]
fn law_4_once_too_many_locations_have_failed_in_truth_no_unit_begins_another() {
    let world = world();
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(matches!(
        state.left_out_because(),
        Some(StopReason::Budget {
            failed: 1,
            allowed: 0
        })
    ));
    // The failure is seen while the second locations run.
    assert_eq!(begun(&world).iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(outcomes(&state, LocationOutcome::NotStarted), 8);
    assert_eq!(
        outcomes(&state, LocationOutcome::Succeeded),
        3,
        "what ran comes to its end"
    );
    let words: Vec<&str> = state
        .locations()
        .filter_map(|(.., at)| at.settled.as_ref())
        .filter(|settled| settled.outcome == LocationOutcome::NotStarted)
        .map(|settled| settled.detail.as_str())
        .collect();
    assert_eq!(
        words,
        ["patchfleet stopped the execution before it reached the location, as too many others failed"; 8]
    );
    let kinds = stops_sent(&world);
    assert_eq!(kinds, [StopType::Complete; 2]);
    let cancelled = world
        .events()
        .iter()
        .any(|event| matches!(event, Event::CancelledElsewhere { .. }));
    assert!(!cancelled, "nobody else cancelled anything");
}

#[test]
fn a_stop_that_changes_nothing_is_followed_by_a_cancel() {
    let world = world();
    world.aws.take_stops(TakesStops::CompleteInVain);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let begun: Vec<usize> = begun(&world).iter().map(Vec::len).collect();
    // It takes some minutes to see that it was in vain.
    assert!(begun.iter().all(|n| *n < REGIONS.len()), "{begun:?}");
    let kinds = stops_sent(&world);
    assert!(kinds.contains(&StopType::Cancel), "{kinds:?}");
}

#[test]
fn an_execution_that_may_not_be_stopped_is_told_of_and_followed_to_its_end() {
    let world = world();
    world.aws.take_stops(TakesStops::Denied);
    let state = world.run();
    assert_eq!(begun(&world).iter().map(Vec::len).collect::<Vec<_>>(), [6, 6]);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    let refused: Vec<Event> = world
        .events()
        .into_iter()
        .filter(|event| matches!(event, Event::StopRefused { .. }))
        .collect();
    assert!(!refused.is_empty());
    let told = state.warning(&refused[0]).unwrap();
    assert!(told.contains("AWS does not stop the execution of unit"), "{told}");
    assert!(told.contains("no StopAutomationExecution"), "{told}");
}

#[test]
fn law_5_whoever_takes_over_after_a_kill_at_any_instant_stops_the_others_as_well() {
    let mut instants = 0;
    for polls in (0..).step_by(7) {
        let world = world();
        let mut first = ByHand::new(whole_life(&world, 1));
        if (0..polls).any(|_| first.poll()) {
            break;
        }
        drop(first);
        let state: Result<State, DriveError> = finish(whole_life(&world, 2));
        let state = state.unwrap();
        let begun: Vec<usize> = begun(&world).iter().map(Vec::len).collect();
        assert!(
            begun.iter().all(|n| *n <= 2),
            "killed after {polls} polls: {begun:?}"
        );
        assert_eq!(
            state.finished().unwrap().0,
            FinishedOutcome::Halted,
            "killed after {polls} polls"
        );
        instants += 1;
    }
    assert!(instants > 30, "only {instants} instants");
}

#[test]
fn expired_credentials_say_nothing_about_a_stop_and_whoever_resumes_sends_it() {
    let world = world();
    world.aws.take_stops(TakesStops::NoCredentials);
    let error = finish(whole_life(&world, 1)).unwrap_err();
    assert!(matches!(error, DriveError::Credentials { .. }), "{error}");
    let refused = world
        .events()
        .iter()
        .any(|event| matches!(event, Event::StopRefused { .. }));
    assert!(!refused);
    world.aws.take_stops(TakesStops::Well);
    let state = finish(world.driver(2).run(world.campaign())).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let begun: Vec<usize> = begun(&world).iter().map(Vec::len).collect();
    assert!(begun.iter().all(|n| *n < REGIONS.len()), "{begun:?}");
}

#[test]
fn a_stop_that_came_too_late_is_not_said_to_have_done_anything() {
    let world = world();
    world.aws.take_stops(TakesStops::NotRunning);
    let state = world.run();
    assert_eq!(begun(&world).iter().map(Vec::len).collect::<Vec<_>>(), [6, 6]);
    assert!(state.units().values().all(|unit| {
        unit.stop
            .as_ref()
            .is_none_or(|stop| stop.standing == StopStanding::Intended)
    }));
    assert_eq!(outcomes(&state, LocationOutcome::NotStarted), 0);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
}

#[test]
fn what_is_said_of_one_stop_is_not_taken_for_another() {
    let world = world();
    let unit = UnitId::from_index(0);
    let intended = |stop| Event::StopIntended { unit, stop };
    let refused = |stop| Event::StopRefused {
        unit,
        stop,
        kind: PortErrorKind::Denied,
        detail: "no".to_owned(),
    };
    let events = vec![
        Event::StartIntended {
            unit,
            attempt: 1,
            request: world.plan.units[0].start.clone(),
        },
        Event::Started {
            unit,
            execution: "00000000-0000-4000-8000-000000000001".parse().unwrap(),
        },
        intended(StopType::Complete),
        refused(StopType::Complete),
        intended(StopType::Cancel),
        // Another driver's, which had failed as well.
        refused(StopType::Complete),
    ];
    let state = super::admission::after(&world, events);
    let stop = state.units()[&unit].stop.clone().unwrap();
    assert_eq!(
        (stop.kind, stop.standing),
        (StopType::Cancel, StopStanding::Intended)
    );
}

/// Two units of which one fails, and a driver that is killed after it sent a stop and before the log has the answer.
/// Both executions are over when somebody comes.
fn killed_within_a_stop() -> World {
    for polls in 1.. {
        let world = world();
        let mut first = ByHand::new(whole_life(&world, 1));
        (0..polls).any(|_| first.poll());
        drop(first);
        let is_answered = |event: &Event| matches!(event, Event::StopTaken { .. });
        if stops_sent(&world).len() == 2 && !world.events().iter().any(is_answered) {
            world.clock.advance(RUNS * 3);
            return world;
        }
    }
    unreachable!()
}

#[test]
fn law_5_a_stop_whose_sender_died_before_its_answer_is_not_blamed_on_somebody_else() {
    let world = killed_within_a_stop();
    let state = finish(world.driver(2).run(world.campaign())).unwrap();
    let events = world.events();
    let blamed = events.iter().filter(|event| {
        matches!(
            event,
            Event::CancelledElsewhere { .. } | Event::StopNotNeeded { .. }
        )
    });
    assert_eq!(blamed.count(), 0, "{events:?}");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let report = finish(Report::build(&state, &*world.rows, state.last_at())).unwrap();
    assert_eq!(report.exit_code(), 5);
    let because = report.left_out_because.clone().unwrap();
    assert_eq!(because, "1 location failed, and the budget allows 0");
    let text = report.to_text();
    assert!(!text.contains("not by patchfleet"), "{text}");
    assert!(
        text.contains("by patchfleet as far as it can tell: it meant to stop it"),
        "{text}"
    );
}

#[test]
fn law_5_a_stop_that_another_driver_sends_at_the_same_time_is_not_blamed_on_somebody_else() {
    for lead in 0..11 {
        let world = world();
        two_whole_lives(
            &world,
            (0..400).map(|turn| (turn % 2 == 0, 1 + lead % 7 * usize::from(turn > lead))),
        );
        let blamed = world.events().into_iter().any(|event| {
            matches!(
                event,
                Event::CancelledElsewhere { .. } | Event::StopNotNeeded { .. }
            )
        });
        assert!(!blamed, "lead {lead}");
    }
}
