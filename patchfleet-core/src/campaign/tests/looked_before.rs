//! A start is looked for before it is sent for the first time by whoever finds its campaign written down. The look may
//! take long, or fail, and whatever happens meanwhile counts.

use super::late_starts::with_cutoff;
use super::silence::heard;
use super::world::*;
use crate::campaign::{
    Awaited, DriveError, Event, LOOK_UP_AFTER, LogKey, Notice, State, StopReason, TAGS_SEEN_WITHIN,
};
use crate::id::UnitId;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::{Clock as _, PortError, PortErrorKind};
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

/// The log has lost that the last unit was begun, and AWS takes a minute to show what was.
fn lose(world: &World) {
    let is_start = |event: &Event| matches!(event, Event::StartIntended { .. });
    let records = world.records();
    let last = records
        .iter()
        .rposition(|record| record.events.iter().any(is_start));
    world.log.cut(&LogKey::Campaign(world.campaign()), last.unwrap());
    *world.aws.hidden.lock().unwrap() = SignedDuration::from_secs(60);
}

/// A driver dies right after it sent its first start, and the log loses it.
pub(super) fn first_lost(world: &World) {
    let mut dies = ByHand::new(whole_life(world, 1));
    while world.executions().is_empty() {
        assert!(!dies.poll());
    }
    drop(dies);
    lose(world);
}

fn outcome_of(state: &State, unit: u32) -> LocationOutcome {
    let locations = &state.units()[&UnitId::from_index(unit)].locations;
    locations.values().next().unwrap().outcome().unwrap()
}

/// Twenty seconds before nothing more may begin.
pub(super) fn near_the_cutoff() -> World {
    let world = with_cutoff(21_600 + 360 + 900);
    let begins_until = world.plan.lifetime.unwrap().begins_until().unwrap();
    *world.clock.0.lock().unwrap() = begins_until - SignedDuration::from_secs(20);
    world
}

pub(super) fn assert_followed_and_the_rest_left_out(world: &World, state: &State) {
    assert_eq!(world.executions().len(), 1);
    assert_eq!(outcome_of(state, 0), LocationOutcome::Succeeded);
    assert_eq!(outcome_of(state, 1), LocationOutcome::NotStarted);
    assert_eq!(outcome_of(state, 2), LocationOutcome::NotStarted);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
}

#[test]
fn what_runs_is_not_left_out_by_a_look_that_the_cutoff_overtook_before_aws_shows_what_was_begun() {
    let world = near_the_cutoff();
    first_lost(&world);
    let state = gone_on(&world, 22);
    let is_withdrawn = |event: &Event| matches!(event, Event::StartWithdrawn { .. });
    assert!(world.events().iter().any(is_withdrawn), "the look was under way");
    assert_followed_and_the_rest_left_out(&world, &state);
}

#[test]
fn what_runs_is_not_left_out_because_another_start_of_it_was_put_off_until_the_cutoff() {
    let world = near_the_cutoff();
    first_lost(&world);
    for _ in 0..8 {
        let throttled = || PortError::new(PortErrorKind::Throttled, "Rate exceeded");
        world.aws.refusals.lock().unwrap().push(throttled);
    }
    let state = finish(world.driver(2).run(world.campaign())).unwrap();
    assert_followed_and_the_rest_left_out(&world, &state);
}

#[test]
fn what_runs_is_not_left_out_by_any_stop_that_is_seen_during_a_look_that_comes_too_early() {
    let fails = Script::Nodes(vec![Node {
        status: "Failed",
        patches: Some([1, 0, 0]),
        ..Node::well(1)
    }]);
    for (first, is_cancelled) in [(well(), true), (fails, false)] {
        let world = one_begun(first);
        let driver = world.driver(3);
        let mut dies = ByHand::new(driver.run(world.campaign()));
        while world.executions().len() < 2 {
            assert!(!dies.poll());
        }
        drop(dies);
        lose(&world);
        if is_cancelled {
            let now = world.clock.now();
            world.aws.executions.lock().unwrap()[0].cancelled_at = Some(now);
        }
        let state = gone_on(&world, 25);
        let why = state.stop_reason();
        match is_cancelled {
            true => assert!(
                matches!(why, Some(StopReason::CancelledElsewhere { .. })),
                "{why:?}"
            ),
            false => assert!(matches!(why, Some(StopReason::Budget { .. })), "{why:?}"),
        }
        let is_withdrawn = |event: &Event| matches!(event, Event::StartWithdrawn { .. });
        assert!(
            world.events().iter().any(is_withdrawn),
            "the look was under way: {why:?}"
        );
        assert_eq!(world.executions().len(), 2);
        assert_eq!(outcome_of(&state, 1), LocationOutcome::Succeeded, "{why:?}");
    }
}

fn denied() -> PortError {
    PortError::new(PortErrorKind::Denied, "no longer allowed")
}

#[test]
fn what_runs_is_not_told_as_refused_because_another_start_of_it_is_denied() {
    let world = World::new(&[&[("us-east-1", well())]], 1, 0);
    first_lost(&world);
    world
        .aws
        .refusals
        .lock()
        .unwrap()
        .extend([denied as fn() -> _; 2]);
    let (state, told) = heard(&world, async |driver| driver.run(world.campaign()).await);
    let state = state.unwrap();
    let is_refused = |event: &Event| matches!(event, Event::StartRefused { .. });
    assert!(!world.events().iter().any(is_refused));
    assert_eq!(outcome_of(&state, 0), LocationOutcome::Succeeded);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let lost_end = |(_, notice): &(_, Notice)| {
        matches!(
            notice,
            Notice::Waits {
                what: Awaited::LostEnd,
                ..
            }
        )
    };
    assert!(told.iter().any(lost_end), "{told:?}");
}

#[test]
fn a_start_that_is_denied_of_what_does_not_run_is_refused_once_aws_would_show_it() {
    let world = World::new(&[&[("us-east-1", well())]], 1, 0);
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    world
        .aws
        .refusals
        .lock()
        .unwrap()
        .extend([denied as fn() -> _; 2]);
    let opened = world.clock.now();
    let state = finish(world.driver(2).run(world.campaign())).unwrap();
    let is_refused = |event: &Event| matches!(event, Event::StartRefused { .. });
    let records = world.records();
    let refused = records.iter().find(|record| record.events.iter().any(is_refused));
    let after = refused.unwrap().at.duration_since(opened);
    assert!(
        (TAGS_SEEN_WITHIN..TAGS_SEEN_WITHIN + SignedDuration::from_secs(5)).contains(&after),
        "{after}"
    );
    assert_eq!(world.executions().len(), 0);
    assert_eq!(outcome_of(&state, 0), LocationOutcome::StartRefused);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
}
