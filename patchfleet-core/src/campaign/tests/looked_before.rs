//! A start is looked for before it is sent for the first time by whoever finds its campaign written down. The look may
//! take long, or fail, and whatever happens meanwhile counts.

use super::late_starts::with_cutoff;
use super::world::*;
use crate::campaign::{DriveError, Event, LOOK_UP_AFTER, State, StopReason};
use crate::id::UnitId;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::PortErrorKind;
use jiff::SignedDuration;

fn well() -> Script {
    Script::Nodes(vec![Node::well(1)])
}

/// Two units that run side by side, of which the first was begun before its driver died. It runs for 55 s by now.
fn one_begun(first: Script) -> World {
    let mut world = World::new(&[&[("us-east-1", first)], &[("us-west-1", well())]], 2, 0);
    world.one_place_each();
    let is_started = |event: &Event| matches!(event, Event::Started { .. });
    killed_once(&world, |world| world.events().iter().any(is_started));
    assert_eq!(world.executions().len(), 1);
    world.clock.advance(SignedDuration::from_secs(55));
    world
}

/// Goes on with it while the look before the next start takes so many seconds.
fn gone_on(world: &World, seconds: i64) -> State {
    let until = *world.clock.0.lock().unwrap() + SignedDuration::from_secs(seconds);
    *world.aws.finds_slow.lock().unwrap() = Some(until);
    finish(world.driver(2).run(world.campaign())).unwrap()
}

fn assert_second_left_out(world: &World, state: &State) {
    let second = UnitId::from_index(1);
    let intended = world
        .events()
        .into_iter()
        .any(|event| matches!(event, Event::StartIntended { unit, .. } if unit == second));
    assert!(intended, "the look was under way");
    assert_eq!(world.executions().len(), 1, "nothing begins after the stop");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let outcome = state.units()[&second]
        .locations
        .values()
        .next()
        .unwrap()
        .outcome();
    assert_eq!(outcome, Some(LocationOutcome::NotStarted));
}

#[test]
fn nothing_begins_after_somebody_elses_cancel_that_is_seen_during_the_look() {
    let world = one_begun(well());
    world.aws.cancel();
    let state = gone_on(&world, 20);
    assert_second_left_out(&world, &state);
    let why = state.stop_reason();
    assert!(
        matches!(why, Some(StopReason::CancelledElsewhere { .. })),
        "{why:?}"
    );
}

#[test]
fn nothing_begins_after_one_failure_too_many_that_is_seen_during_the_look() {
    let world = one_begun(Script::Nodes(vec![Node {
        status: "Failed",
        patches: Some([1, 0, 0]),
        ..Node::well(1)
    }]));
    let state = gone_on(&world, 25);
    assert_second_left_out(&world, &state);
    let why = state.stop_reason();
    assert_eq!(
        why,
        Some(StopReason::Budget {
            failed: 1,
            allowed: 0
        })
    );
}

#[test]
fn nothing_begins_after_the_cutoff_that_comes_during_the_look() {
    let world = with_cutoff(21_600 + 360 + 900);
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    let begins_until = world.plan.lifetime.unwrap().begins_until().unwrap();
    *world.clock.0.lock().unwrap() = begins_until - SignedDuration::from_secs(5);
    let state = gone_on(&world, 12);
    let is_intended = |event: &Event| matches!(event, Event::StartIntended { .. });
    assert!(world.events().iter().any(is_intended), "the look was under way");
    assert!(world.aws.starts.lock().unwrap().is_empty());
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
}

#[test]
fn a_look_that_fails_for_hours_is_no_refusal_and_leaves_the_unit_as_it_was() {
    for kind in [
        PortErrorKind::Throttled,
        PortErrorKind::Unavailable,
        PortErrorKind::Denied,
    ] {
        let world = World::new(&[&[("us-east-1", well())]], 1, 0);
        finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
        *world.aws.finds_fail.lock().unwrap() = Some(kind);
        // Again and again, for eight hours.
        for writer in 2..18 {
            let open = finish(world.driver(writer).run(world.campaign())).unwrap_err();
            assert!(matches!(open, DriveError::Unsought { .. }), "{kind:?}: {open}");
            assert!(open.to_string().contains("stays open"), "{open}");
            world.clock.advance(LOOK_UP_AFTER);
        }
        let said = |event: &Event| {
            matches!(
                event,
                Event::StartRefused { .. } | Event::StartUnresolved { .. } | Event::LocationSettled { .. }
            )
        };
        assert!(!world.events().iter().any(said), "{kind:?}");
        assert!(world.aws.starts.lock().unwrap().is_empty());
        *world.aws.finds_fail.lock().unwrap() = None;
        let state = finish(world.driver(18).run(world.campaign())).unwrap();
        assert_eq!(
            state.finished().unwrap().0,
            FinishedOutcome::Succeeded,
            "{kind:?}"
        );
        assert_eq!(world.executions().len(), 1, "{kind:?}");
    }
}
