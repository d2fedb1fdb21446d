//! An account that is suspended, or whose role or Region is gone, while a command of it is at work: it keeps nothing open once the
//! command has expired.

use super::world::*;
use crate::campaign::{DriveError, Event, Progress, SHORTEST_GAP, State, StopMode};
use crate::id::{Location, UnitId};
use crate::outcome::{FinishedOutcome, LocationOutcome, NodeOutcome};
use crate::port::{Clock as _, ExecutionStatus, PortErrorKind};
use jiff::{SignedDuration, Timestamp};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What AWS answers where an account is gone, and a driver sees that it is of that account.
const REFUSALS: [PortErrorKind; 6] = [
    PortErrorKind::Denied,
    PortErrorKind::RoleNotAssumable,
    PortErrorKind::RegionNotEnabled,
    PortErrorKind::Invalid,
    PortErrorKind::NotFound,
    PortErrorKind::Other,
];

/// So many accounts with a node each, so many at once, whose commands patchfleet sends itself. Each may fail.
pub(super) fn world(accounts: usize, at_once: u32) -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let places: Vec<[(&str, Script); 1]> = (0..accounts).map(|_| [("us-east-1", well())]).collect();
    let units: Vec<&[(&str, Script)]> = places.iter().map(|one| &one[..]).collect();
    let mut world = World::new(&units, at_once, u32::try_from(accounts).unwrap());
    world.send_commands(1);
    world.commands_live();
    world
}

pub(super) fn place(world: &World, account: usize) -> Location {
    world.plan.locations[account].location()
}

/// Takes an account away.
pub(super) fn lose(world: &World, account: usize, kind: PortErrorKind) {
    world.aws.gone.lock().unwrap().insert(place(world, account), kind);
}

/// What a location came to, if it has settled.
pub(super) fn came_to(state: &State, world: &World, account: usize) -> Option<LocationOutcome> {
    let here = place(world, account);
    let mut at = state.locations().filter(|(_, location, _)| **location == here);
    at.find_map(|(.., at)| at.outcome())
}

/// How many nodes came to this, by the log.
pub(super) fn count(state: &State, outcome: NodeOutcome) -> u32 {
    let settled = state.locations().filter_map(|(.., at)| at.settled.as_ref());
    settled.map(|settled| settled.nodes.count(outcome)).sum()
}

pub(super) fn hours_since(world: &World, then: Timestamp) -> i64 {
    world.clock.now().duration_since(then).as_hours()
}

fn now_of(world: &World) -> State {
    State::from_records(&world.records()).unwrap()
}

/// The first command is sent, and its driver is killed.
fn killed_with_one_sent(world: &World) {
    killed_once(world, |world| {
        let is_started = |event: &Event| matches!(event, Event::Started { .. });
        world.events().iter().any(is_started)
    });
    assert_eq!(world.aws.sends.lock().unwrap().len(), 1);
}

/// Begins the campaign and runs it, and takes the first account away once its command was sent.
fn run_and_lose(world: &World, kind: PortErrorKind) -> Result<State, DriveError> {
    let mut run = ByHand::new(whole_life(world, 1));
    run.until(|| !world.aws.sends.lock().unwrap().is_empty());
    lose(world, 0, kind);
    run.end()
}

#[test]
fn an_account_that_goes_away_at_work_settles_as_unread_once_its_command_has_expired() {
    for kind in REFUSALS {
        let world = world(4, 2);
        let begun = world.clock.now();
        let state = run_and_lose(&world, kind).unwrap();
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial, "{kind}");
        let unread = Some(LocationOutcome::ResultsUnreadable);
        assert_eq!(came_to(&state, &world, 0), unread, "{kind}");
        assert_eq!(count(&state, NodeOutcome::Done), 3, "{kind}");
        assert_eq!(count(&state, NodeOutcome::Unknown), 1, "{kind}");
        assert_eq!(hours_since(&world, begun), 7, "{kind}");
        let (.., at) = state.locations().next().unwrap();
        let detail = &at.settled.as_ref().unwrap().detail;
        assert_eq!(
            detail, "its command has expired by now, and it cannot be read: the account is gone",
            "{kind}"
        );
        let (unit, status) = (UnitId::from_index(0), ExecutionStatus::Other("Unread".to_owned()));
        assert!(
            world.events().contains(&Event::UnitEnded { unit, status }),
            "{kind}"
        );
        assert_eq!(
            State::from_records(&world.records()).as_ref(),
            Ok(&state),
            "{kind}"
        );
        // The next night has the name.
        let next = world.campaign_of("the next night");
        finish(world.driver(2).begin(next, &world.plan)).unwrap();
    }
}

#[test]
fn the_others_are_begun_and_read_while_an_account_that_went_away_is_waited_for() {
    let world = world(4, 2);
    let begun = world.clock.now();
    let mut run = ByHand::new(whole_life(&world, 1));
    run.until(|| !world.aws.sends.lock().unwrap().is_empty());
    lose(&world, 0, PortErrorKind::Denied);
    run.until(|| count(&now_of(&world), NodeOutcome::Done) == 3);
    assert!(hours_since(&world, begun) < 1);
    assert_eq!(came_to(&now_of(&world), &world, 0), None);
}

#[test]
fn an_account_that_comes_back_before_its_command_has_expired_is_read() {
    let world = world(2, 1);
    let mut run = ByHand::new(whole_life(&world, 1));
    run.until(|| !world.aws.sends.lock().unwrap().is_empty());
    lose(&world, 0, PortErrorKind::RoleNotAssumable);
    let until = world.clock.now() + HOUR * 5;
    run.until(|| world.clock.now() >= until);
    world.aws.gone.lock().unwrap().clear();
    let state = run.end().unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(count(&state, NodeOutcome::Done), 2);
}

#[test]
fn what_was_not_read_in_time_is_read_by_collect_once_the_account_is_back() {
    let world = world(2, 1);
    run_and_lose(&world, PortErrorKind::Denied).unwrap();
    world.aws.gone.lock().unwrap().clear();
    let read = finish(world.driver(2).collect_again(world.campaign())).unwrap();
    assert_eq!((read.read, read.unread), (1, vec![]));
    assert_eq!(count(&read.state, NodeOutcome::Done), 2);
    assert_eq!(read.state.finished().unwrap().0, FinishedOutcome::Succeeded);
}

#[test]
fn the_next_wave_begins_although_nobody_watches_the_hours_in_which_an_account_cannot_be_read() {
    let world = world(2, 1);
    let driver = world.driver(1);
    finish(driver.begin(world.campaign(), &world.plan)).unwrap();
    let mut run = ByHand::new(driver.run_unless_left(world.campaign(), SHORTEST_GAP));
    run.until(|| !world.aws.sends.lock().unwrap().is_empty());
    lose(&world, 0, PortErrorKind::RoleNotAssumable);
    let state = run.end().unwrap();
    assert_eq!(
        count(&state, NodeOutcome::Done),
        1,
        "it waited for the only place"
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
}

#[test]
fn drives_of_a_minute_come_to_the_same_end() {
    let world = world(2, 1);
    killed_with_one_sent(&world);
    lose(&world, 0, PortErrorKind::Denied);
    let begun = world.clock.now();
    for writer in 2..2_000 {
        let (driver, until) = (
            world.driver(writer),
            world.clock.now() + SignedDuration::from_secs(50),
        );
        let waits = SignedDuration::from_secs(5);
        match finish(driver.run_while_busy(world.campaign(), until, waits)).unwrap() {
            Progress::Finished(state) => {
                assert_eq!(
                    came_to(&state, &world, 0),
                    Some(LocationOutcome::ResultsUnreadable)
                );
                assert_eq!(count(&state, NodeOutcome::Done), 1);
                assert_eq!(hours_since(&world, begun), 7);
                assert!(writer < 7 * 12 + 20, "it is called every five minutes: {writer}");
                return;
            }
            Progress::Paused { wake_at, .. } => {
                let mut now = world.clock.0.lock().unwrap();
                *now = wake_at.max(*now);
            }
        }
    }
    panic!("it never ends");
}

#[test]
fn what_may_be_this_machines_own_trouble_ends_a_drive_and_is_no_end_before_another_day() {
    for (kind, enough) in [(PortErrorKind::Throttled, 8), (PortErrorKind::Unavailable, 32)] {
        let world = world(1, 1);
        killed_with_one_sent(&world);
        lose(&world, 0, kind);
        let begun = world.clock.now();
        for (writer, hours) in [(2, 0), (3, 5), (4, enough - 2), (5, enough)] {
            *world.clock.0.lock().unwrap() = begun + HOUR * hours;
            let ended = finish(world.driver(writer).run(world.campaign()));
            match hours == enough {
                false => assert!(
                    matches!(ended, Err(DriveError::Observe { .. })),
                    "{kind} after {hours} h: {ended:?}"
                ),
                true => {
                    let state = ended.unwrap();
                    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial, "{kind}");
                }
            }
        }
    }
}

#[test]
fn credentials_of_ones_own_that_have_expired_are_no_end_however_long_ago_the_command_expired() {
    let world = world(1, 1);
    killed_with_one_sent(&world);
    lose(&world, 0, PortErrorKind::Credentials);
    world.clock.advance(HOUR * 24 * 40);
    let open = finish(world.driver(2).run(world.campaign())).unwrap_err();
    assert!(matches!(open, DriveError::Credentials { .. }), "{open}");
    let open = finish(world.driver(2).abandon(world.campaign(), "ops")).unwrap_err();
    assert!(matches!(open, DriveError::Credentials { .. }), "{open}");
}

#[test]
fn a_location_that_has_settled_keeps_nothing_open_when_its_account_goes_away_before_the_unit_ended() {
    let world = world(1, 1);
    let is_settled = |event: &Event| matches!(event, Event::LocationSettled { .. });
    killed_once(&world, |world| world.events().iter().any(is_settled));
    let is_ended = |event: &Event| matches!(event, Event::UnitEnded { .. });
    assert!(!world.events().iter().any(is_ended));
    lose(&world, 0, PortErrorKind::Denied);
    let state = finish(world.driver(2).run(world.campaign())).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let (unit, status) = (UnitId::from_index(0), ExecutionStatus::Success);
    assert!(world.events().contains(&Event::UnitEnded { unit, status }));
}

#[test]
fn a_stop_leaves_an_account_that_went_away_open_until_its_command_has_expired_and_no_longer() {
    for by_stop in [true, false] {
        let world = world(2, 1);
        killed_with_one_sent(&world);
        lose(&world, 0, PortErrorKind::RoleNotAssumable);
        let mode = StopMode::CancelCommands;
        let stop = |writer| finish(world.driver(writer).stop(world.campaign(), mode, "ops"));
        let open = stop(2).unwrap_err();
        assert!(matches!(open, DriveError::RunsOn { .. }), "{open}");
        world.clock.advance(HOUR * 8);
        let state = match by_stop {
            true => stop(3),
            false => finish(world.driver(3).run(world.campaign())),
        };
        assert_stopped_unread(&world, &state.unwrap());
    }
}

#[test]
fn a_stop_that_lets_commands_run_waits_for_one_that_nobody_can_see_until_it_has_expired() {
    let world = world(2, 1);
    killed_with_one_sent(&world);
    lose(&world, 0, PortErrorKind::RoleNotAssumable);
    let asked = world.clock.now();
    let stopped = finish(
        world
            .driver(2)
            .stop(world.campaign(), StopMode::LetCommandsRun, "ops"),
    );
    assert_stopped_unread(&world, &stopped.unwrap());
    assert_eq!(hours_since(&world, asked), 7);
}

fn assert_stopped_unread(world: &World, state: &State) {
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(came_to(state, world, 0), Some(LocationOutcome::ResultsUnreadable));
    assert_eq!(count(state, NodeOutcome::NotRun), 1);
    assert_eq!(world.aws.sends.lock().unwrap().len(), 1);
}

#[test]
fn a_stop_that_comes_weeks_later_waits_for_no_command() {
    let world = world(1, 1);
    // It was seen to be over, and its results were not read.
    let is_over =
        |event: &Event| matches!(event, Event::LocationObserved { status, .. } if status.is_terminal());
    killed_once(&world, |world| world.events().iter().any(is_over));
    lose(&world, 0, PortErrorKind::Denied);
    world.clock.advance(HOUR * 24 * 20);
    let asked = world.clock.now();
    let stopped = finish(
        world
            .driver(2)
            .stop(world.campaign(), StopMode::CancelCommands, "ops"),
    );
    assert_eq!(stopped.unwrap().finished().unwrap().0, FinishedOutcome::Halted);
    assert!(hours_since(&world, asked) < 1);
}

#[test]
fn whoever_closes_it_takes_a_denial_for_an_answer_once_the_command_has_expired() {
    for kind in REFUSALS {
        let world = world(1, 1);
        killed_with_one_sent(&world);
        lose(&world, 0, kind);
        world.clock.advance(HOUR * 6);
        let abandon = |writer| finish(world.driver(writer).abandon(world.campaign(), "ops"));
        assert!(matches!(abandon(2), Err(DriveError::NotAbandoned(_))), "{kind}");
        world.clock.advance(HOUR * 2);
        let state = abandon(3).unwrap();
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted, "{kind}");
        assert_eq!(count(&state, NodeOutcome::Unknown), 1, "{kind}");
    }
    for kind in [PortErrorKind::Throttled, PortErrorKind::Unavailable] {
        let world = world(1, 1);
        killed_with_one_sent(&world);
        lose(&world, 0, kind);
        let abandon = |writer| finish(world.driver(writer).abandon(world.campaign(), "ops"));
        world.clock.advance(HOUR * 12);
        assert!(matches!(abandon(2), Err(DriveError::NotAbandoned(_))), "{kind}");
        world.clock.advance(HOUR * 24);
        abandon(3).unwrap();
    }
}

#[test]
fn a_start_of_which_nobody_knows_can_be_closed_although_its_account_is_gone() {
    let world = world(1, 1);
    killed_once(&world, is_intended);
    lose(&world, 0, PortErrorKind::RoleNotAssumable);
    let open = finish(world.driver(2).run(world.campaign())).unwrap_err();
    assert!(matches!(open, DriveError::Unresolved { .. }), "{open}");
    let abandon = |writer| finish(world.driver(writer).abandon(world.campaign(), "ops"));
    let early = abandon(3).unwrap_err().to_string();
    assert!(early.contains("it is over by 2026-03-02T05:15"), "{early}");
    world.clock.advance(HOUR * 8);
    let state = abandon(4).unwrap();
    assert_eq!(came_to(&state, &world, 0), Some(LocationOutcome::Unresolved));
    assert_eq!(count(&state, NodeOutcome::Unknown), 1);
}
