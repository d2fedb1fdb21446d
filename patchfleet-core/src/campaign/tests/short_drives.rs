//! Many drives of less than a minute, each by a new process, come to what one long drive comes to: so a function drives
//! that a state machine calls.

use super::fleet::Fate;
use super::labels;
use super::world::*;
use crate::campaign::decide::START_PATIENCE;
use crate::campaign::{DriveError, Event, Progress, SHORTEST_GAP, State, StopReason};
use crate::id::Location;
use crate::outcome::{FinishedOutcome, LocationOutcome, NodeOutcome};
use crate::port::{Clock as _, PortError, PortErrorKind};
use jiff::{SignedDuration, Timestamp};
use std::sync::Mutex;

const SHORT: SignedDuration = SignedDuration::from_secs(50);

fn well() -> Script {
    Script::Nodes(vec![Node::well(1)])
}

fn fails() -> Script {
    Script::Nodes(vec![Node {
        status: "Failed",
        patches: Some([1, 0, 0]),
        ..Node::well(1)
    }])
}

/// How the campaign is driven after it was written down by somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driven {
    AtOnce,
    InShortDrives,
}

/// Drives it until it is over or cannot be driven on. `meanwhile` sees the time again and again.
fn drive(world: &World, how: Driven, meanwhile: impl Fn(Timestamp)) -> Result<State, DriveError> {
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    go_on(world, how, meanwhile)
}

fn go_on(world: &World, how: Driven, meanwhile: impl Fn(Timestamp)) -> Result<State, DriveError> {
    if how == Driven::AtOnce {
        let driver = world.driver(2);
        let mut run = ByHand::new(driver.run(world.campaign()));
        while !run.poll() {
            meanwhile(world.clock.now());
        }
        return run.1.take().unwrap();
    }
    for writer in 2..5_000 {
        let driver = world.driver(writer);
        let now = world.clock.now();
        meanwhile(now);
        match finish(driver.run_until(world.campaign(), now + SHORT))? {
            Progress::Finished(state) => return Ok(*state),
            Progress::Paused { wake_at, .. } => {
                let mut now = world.clock.0.lock().unwrap();
                *now = wake_at.max(*now);
            }
        }
    }
    panic!("it never ends");
}

const NOTHING: fn(Timestamp) = |_| {};

/// What became of each location.
fn account(state: &State) -> Vec<(Location, LocationOutcome)> {
    let locations = state.locations();
    locations
        .map(|(_, location, at)| (location.clone(), at.outcome().unwrap()))
        .collect()
}

fn minutes_since(world: &World, begun: Timestamp) -> i64 {
    world.clock.now().duration_since(begun).as_mins()
}

#[test]
fn a_look_before_a_start_that_fails_for_ever_leaves_the_campaign_open_after_as_long_and_the_log_short() {
    for kind in [
        PortErrorKind::Denied,
        PortErrorKind::Throttled,
        PortErrorKind::Unavailable,
    ] {
        let ended = [Driven::AtOnce, Driven::InShortDrives].map(|how| {
            let world = World::new(&[&[("us-east-1", well())]], 1, 0);
            let begun = world.clock.now();
            *world.aws.finds_fail.lock().unwrap() = Some(kind);
            let open = drive(&world, how, NOTHING).unwrap_err();
            assert!(
                matches!(open, DriveError::Unsought { .. }),
                "{kind:?}, {how:?}: {open}"
            );
            assert!(world.aws.starts.lock().unwrap().is_empty());
            let events = world.events();
            let starts = events.iter().filter(is_of_a_start).count();
            assert_eq!(
                starts, 2,
                "one intent, and that it was put off: {kind:?}, {how:?}"
            );
            (minutes_since(&world, begun), world.records().len())
        });
        let [(at_once, records), (in_short, records_in_short)] = ended;
        assert!((360..400).contains(&at_once), "{kind:?}: {at_once} min");
        assert!(
            (at_once - in_short).abs() <= 10,
            "{kind:?}: {at_once} and {in_short} min"
        );
        // Who throttles answers, and that is written down every five minutes, for six hours.
        let signs = 6 * 12 + 6;
        let signs_of_life = if kind == PortErrorKind::Throttled {
            signs
        } else {
            0
        };
        assert!(records <= 6 + signs_of_life, "{kind:?}: {records}");
        // Short drives also say as often that they look.
        let longest = 6 + signs_of_life + signs;
        assert!(records_in_short <= longest, "{kind:?}: {records_in_short}");
    }
}

fn is_of_a_start(event: &&Event) -> bool {
    matches!(event, Event::StartIntended { .. } | Event::StartDeferred { .. })
}

#[test]
fn a_look_that_is_denied_for_a_while_only_puts_the_start_off() {
    let accounts = [Driven::AtOnce, Driven::InShortDrives].map(|how| {
        let world = World::new(&[&[("us-east-1", well())], &[("eu-west-1", well())]], 1, 0);
        let until = world.clock.now() + SignedDuration::from_hours(2);
        *world.aws.finds_fail.lock().unwrap() = Some(PortErrorKind::Denied);
        let state = drive(&world, how, |now| {
            if now >= until {
                *world.aws.finds_fail.lock().unwrap() = None;
            }
        });
        let state = state.unwrap();
        assert_eq!(world.executions().len(), 2, "{how:?}");
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded, "{how:?}");
        let events = world.events();
        let starts = events.iter().filter(is_of_a_start).count();
        // The first is intended once more when it can be seen that nothing runs.
        assert_eq!(starts, 4, "{how:?}");
        account(&state)
    });
    assert_eq!(accounts[0], accounts[1]);
}

#[test]
fn what_is_left_out_is_told_although_no_drive_is_as_long_as_aws_may_take_to_show_what_runs() {
    let accounts = [Driven::AtOnce, Driven::InShortDrives].map(|how| {
        let world = World::new(&[&[("us-east-1", fails())], &[("eu-west-1", well())]], 1, 0);
        let state = drive(&world, how, NOTHING).unwrap();
        assert_eq!(world.executions().len(), 1, "{how:?}");
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted, "{how:?}");
        let account = account(&state);
        assert_eq!(account[1].1, LocationOutcome::NotStarted, "{how:?}");
        account
    });
    assert_eq!(accounts[0], accounts[1]);
}

#[test]
fn what_seems_to_be_left_out_and_cannot_be_looked_for_leaves_the_campaign_open_after_as_long() {
    for kind in [PortErrorKind::Denied, PortErrorKind::Throttled] {
        let minutes = [Driven::AtOnce, Driven::InShortDrives].map(|how| {
            let world = World::new(&[&[("us-east-1", fails())], &[("eu-west-1", well())]], 1, 0);
            let is_over = |event: &Event| matches!(event, Event::UnitEnded { .. });
            killed_once(&world, |world| world.events().iter().any(is_over));
            *world.aws.finds_fail.lock().unwrap() = Some(kind);
            let begun = world.clock.now();
            let open = go_on(&world, how, NOTHING).unwrap_err();
            assert!(
                matches!(open, DriveError::Unsought { .. }),
                "{kind:?}, {how:?}: {open}"
            );
            let records = world.records().len();
            assert!(records < 25, "{kind:?}, {how:?}: {records}");
            minutes_since(&world, begun)
        });
        assert!((20..40).contains(&minutes[0]), "{kind:?}: {minutes:?}");
        assert!((minutes[0] - minutes[1]).abs() <= 10, "{kind:?}: {minutes:?}");
    }
}

#[test]
fn a_start_that_aws_refuses_is_told_as_refused() {
    let denied = || PortError::new(PortErrorKind::Denied, "not allowed");
    let accounts = [Driven::AtOnce, Driven::InShortDrives].map(|how| {
        let world = World::new(&[&[("us-east-1", well())]], 1, 0);
        world
            .aws
            .refusals
            .lock()
            .unwrap()
            .extend([denied as fn() -> _; 100]);
        let state = drive(&world, how, NOTHING).unwrap();
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial, "{how:?}");
        assert!(world.records().len() < 20, "{how:?}: {}", world.records().len());
        account(&state)
    });
    assert_eq!(accounts[0], accounts[1]);
    assert_eq!(accounts[0][0].1, LocationOutcome::StartRefused);
}

/// A campaign whose first unit has run, and whose second waits to be begun. For 40 minutes no look before its start is
/// answered, but with this error. Whoever has nobody watching drives it then, or all the time.
fn rest_after_40_minutes(kind: PortErrorKind, how: Driven) -> (usize, State) {
    let world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
    let is_over = |event: &Event| matches!(event, Event::UnitEnded { .. });
    killed_once(&world, |world| world.events().iter().any(is_over));
    let until = world.clock.now() + SignedDuration::from_mins(40);
    *world.aws.finds_fail.lock().unwrap() = Some(kind);
    let mut writer = 2;
    while how == Driven::InShortDrives && world.clock.now() < until {
        writer += 1;
        let (driver, deadline) = (world.driver(writer), world.clock.now() + SHORT);
        let Progress::Paused { wake_at, .. } = finish(driver.run_until(world.campaign(), deadline)).unwrap()
        else {
            panic!("it was over too soon");
        };
        let mut now = world.clock.0.lock().unwrap();
        *now = wake_at.max(*now);
    }
    let driver = world.driver(1_000);
    let mut run = ByHand::new(driver.run_unless_left(world.campaign(), SHORTEST_GAP));
    while !run.poll() {
        if world.clock.now() >= until {
            *world.aws.finds_fail.lock().unwrap() = None;
        }
    }
    let state = run.1.take().unwrap().unwrap();
    (world.executions().len(), state)
}

#[test]
fn who_has_nobody_watching_begins_nothing_after_looks_that_were_denied_for_longer_than_it_may_be_late() {
    for how in [Driven::AtOnce, Driven::InShortDrives] {
        let (executions, state) = rest_after_40_minutes(PortErrorKind::Denied, how);
        assert_eq!(executions, 1, "{how:?}");
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted, "{how:?}");
        let why = state.left_out_because();
        assert!(
            matches!(why, Some(StopReason::Unattended { .. })),
            "{how:?}: {why:?}"
        );
        assert_eq!(account(&state)[1].1, LocationOutcome::NotStarted, "{how:?}");
        // Who throttles answers, and puts the start off.
        let (executions, state) = rest_after_40_minutes(PortErrorKind::Throttled, how);
        assert_eq!(executions, 2, "{how:?}");
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded, "{how:?}");
    }
}

#[test]
fn what_the_log_lost_is_found_by_short_drives_and_not_left_out() {
    let world = super::looked_before::near_the_cutoff();
    super::looked_before::first_lost(&world);
    let state = go_on(&world, Driven::InShortDrives, NOTHING).unwrap();
    super::looked_before::assert_followed_and_the_rest_left_out(&world, &state);
}

/// How long a function lives that is called with a limit of 60 s. It makes no new calls in its last ten.
const LIVES: SignedDuration = SignedDuration::from_secs(59);

/// Drives it as a function does that is called again at once, and is killed when its time is over.
fn go_on_in_functions(world: &World, meanwhile: impl Fn(Timestamp)) -> Result<State, DriveError> {
    for writer in 2..500 {
        let (driver, begun) = (world.driver(writer), world.clock.now());
        meanwhile(begun);
        let longest_wait = SignedDuration::from_secs(5);
        let mut run = ByHand::new(driver.run_while_busy(world.campaign(), begun + SHORT, longest_wait));
        while world.clock.now() < begun + LIVES && !run.poll() {}
        match run.1.transpose()? {
            Some(Progress::Finished(state)) => return Ok(*state),
            Some(Progress::Paused { wake_at, .. }) => {
                let mut now = world.clock.0.lock().unwrap();
                *now = wake_at.max(*now);
            }
            None => world.clock.advance(SignedDuration::from_secs(1)),
        }
    }
    panic!("it never ends");
}

#[test]
fn a_start_is_tried_by_one_function_after_another_however_long_aws_throttles_the_look_before_it() {
    for minutes in [5, 20, 90] {
        let world = World::new(&[&[("us-east-1", well())], &[("eu-west-1", well())]], 1, 0);
        finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
        // The port waits and asks again, for longer than a function lives.
        let throttled = world.clock.now() + SignedDuration::from_mins(minutes);
        *world.aws.finds_slow.lock().unwrap() = Some(throttled);
        let state = go_on_in_functions(&world, NOTHING).unwrap();
        assert_eq!(
            state.finished().unwrap().0,
            FinishedOutcome::Succeeded,
            "{minutes} min"
        );
        assert_eq!(world.executions().len(), 2, "{minutes} min");
        assert_eq!(world.aws.starts.lock().unwrap().len(), 2, "each is sent once");
        let is_doubtful = |event: &Event| matches!(event, Event::StartUnresolved { .. });
        assert!(!world.events().iter().any(is_doubtful), "{minutes} min");
    }
}

#[test]
fn a_start_that_aws_throttles_is_tried_by_one_function_after_another_and_takes_effect_once() {
    for minutes in [5, 20] {
        let world = World::new(&[&[("us-east-1", well())]], 1, 0);
        finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
        let until = world.clock.now() + SignedDuration::from_mins(minutes);
        let throttled: fn() -> PortError = || PortError::new(PortErrorKind::Throttled, "slow down");
        world.aws.refusals.lock().unwrap().extend([throttled; 1000]);
        let state = go_on_in_functions(&world, |now| {
            if now >= until {
                world.aws.refusals.lock().unwrap().clear();
            }
        });
        assert_eq!(
            state.unwrap().finished().unwrap().0,
            FinishedOutcome::Succeeded,
            "{minutes} min"
        );
        assert_eq!(world.executions().len(), 1, "{minutes} min");
    }
}

#[test]
fn a_start_that_aws_throttles_for_six_hours_is_refused_and_no_work_for_a_person() {
    let world = World::new(&[&[("us-east-1", well())]], 1, 0);
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    let throttled: fn() -> PortError = || PortError::new(PortErrorKind::Throttled, "slow down");
    world.aws.refusals.lock().unwrap().extend([throttled; 10_000]);
    let (begun, is_late) = (world.clock.now(), Mutex::new(false));
    let state = go_on_in_functions(&world, |now| {
        // The functions between are of no interest.
        let mut is_late = is_late.lock().unwrap();
        if !*is_late && now >= begun + SignedDuration::from_mins(10) {
            world
                .clock
                .advance(START_PATIENCE - SignedDuration::from_mins(15));
            *is_late = true;
        }
    });
    let state = state.unwrap();
    let minutes = minutes_since(&world, begun);
    assert!((360..365).contains(&minutes), "{minutes} min");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    assert_eq!(account(&state)[0].1, LocationOutcome::StartRefused);
}

#[test]
fn what_is_never_begun_for_its_own_sake_is_left_out_in_short_drives_too() {
    // A value with a damaged node has no room for the other one, and other values go on.
    let nodes = [
        (Fate::Fails, Some("db")),
        (Fate::Well, Some("db")),
        (Fate::Well, Some("web")),
    ];
    let world = labels::of_service(&[nodes.to_vec()], Some(1), Some(1));
    let state = drive(&world, Driven::InShortDrives, NOTHING).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    let settled = state.locations().filter_map(|(.., at)| at.settled.as_ref());
    let not_run: u32 = settled
        .map(|settled| settled.nodes.count(NodeOutcome::NotRun))
        .sum();
    assert_eq!(not_run, 1);
}
