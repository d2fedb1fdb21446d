//! A location that lets nobody see whether the log has lost a command keeps the others waiting, and the campaign open, for no longer
//! than such a command could live.

use super::fleet::{Bounds, Fate, world as fleet_of};
use super::gone_accounts::{came_to, count, hours_since, lose, place, world};
use super::lost_parts::send_commands;
use super::world::*;
use crate::campaign::{DriveError, Event, LogKey, Progress, State, StopMode};
use crate::id::{Location, UnitId};
use crate::outcome::{FinishedOutcome, LocationOutcome, NodeOutcome};
use crate::port::{Clock as _, PortErrorKind};
use jiff::SignedDuration;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn run(world: &World, writer: u128) -> Result<State, DriveError> {
    finish(world.driver(writer).run(world.campaign()))
}

fn begun(world: &World) {
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
}

#[track_caller]
fn assert_open(ended: Result<State, DriveError>) {
    assert!(matches!(ended, Err(DriveError::Unsought { .. })), "{ended:?}");
}

/// Where commands were sent.
fn sent_to(world: &World) -> Vec<Location> {
    let sends = world.aws.sends.lock().unwrap();
    sends.iter().map(|send| send.location.clone()).collect()
}

/// Three accounts with a node each under bounds, of which the second is gone before its turn.
fn bounded(in_flight: u32, damaged: u32) -> World {
    let bounds = Bounds {
        in_flight: Some(in_flight),
        damaged: Some(damaged),
        unreached: None,
    };
    let (mut world, _) = fleet_of(&vec![vec![Fate::Well]; 3], 1, bounds);
    send_commands(&mut world);
    world.commands_live();
    begun(&world);
    lose(&world, 1, PortErrorKind::RoleNotAssumable);
    world
}

#[test]
fn a_location_that_takes_the_only_place_gives_it_back_after_a_day_and_the_others_are_patched() {
    let world = bounded(1, 3);
    assert_open(run(&world, 2));
    world.clock.advance(HOUR * 12);
    assert_open(run(&world, 3));
    assert_eq!(sent_to(&world), [], "its node may be in flight");
    world.clock.advance(HOUR * 13);
    let state = run(&world, 4).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    assert_eq!(sent_to(&world), [place(&world, 0), place(&world, 2)]);
    assert_eq!(came_to(&state, &world, 1), Some(LocationOutcome::Unresolved));
    assert_eq!(count(&state, NodeOutcome::Unknown), 1);
    assert_eq!(count(&state, NodeOutcome::Done), 2);
    let (.., at) = state.locations().nth(1).unwrap();
    let detail = &at.settled.as_ref().unwrap().detail;
    assert_eq!(
        detail,
        "not begun by its log; whether the unit was begun before cannot be seen: the account is gone; what may have been \
         begun there all the same has expired"
    );
    assert_eq!(State::from_records(&world.records()).as_ref(), Ok(&state));
}

#[test]
fn its_node_may_have_been_damaged_for_good() {
    // One node there may be damaged, and no other may.
    let world = bounded(3, 1);
    assert_open(run(&world, 2));
    world.clock.advance(DAY + HOUR);
    let state = run(&world, 3).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(sent_to(&world), []);
    assert_eq!(count(&state, NodeOutcome::NotRun), 2);
}

#[test]
fn without_bounds_the_others_are_patched_at_once_and_the_campaign_ends_after_a_day() {
    for kind in [
        PortErrorKind::Denied,
        PortErrorKind::RoleNotAssumable,
        PortErrorKind::RegionNotEnabled,
        PortErrorKind::Throttled,
        PortErrorKind::Other,
    ] {
        let world = world(3, 1);
        begun(&world);
        lose(&world, 0, kind);
        assert_open(run(&world, 2));
        assert_eq!(sent_to(&world).len(), 2, "{kind}");
        world.clock.advance(HOUR * 20);
        assert_open(run(&world, 3));
        world.clock.advance(HOUR * 5);
        let state = run(&world, 4).unwrap();
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial, "{kind}");
        assert_eq!(sent_to(&world).len(), 2, "{kind}");
        assert_eq!(count(&state, NodeOutcome::Done), 2, "{kind}");
        assert_eq!(count(&state, NodeOutcome::Unknown), 1, "{kind}");
    }
}

#[test]
fn what_may_be_this_machines_own_trouble_is_left_a_day_longer() {
    let world = world(2, 1);
    begun(&world);
    lose(&world, 0, PortErrorKind::Unavailable);
    for (writer, hours) in [(2, 0), (3, 26), (4, 20)] {
        world.clock.advance(HOUR * hours);
        assert_open(run(&world, writer));
    }
    world.clock.advance(HOUR * 3);
    run(&world, 5).unwrap();
}

#[test]
fn credentials_of_ones_own_that_have_expired_give_nothing_up() {
    let world = world(1, 1);
    begun(&world);
    lose(&world, 0, PortErrorKind::Credentials);
    for writer in 2..5 {
        let open = run(&world, writer).unwrap_err();
        assert!(matches!(open, DriveError::Credentials { .. }), "{open}");
        world.clock.advance(DAY * 2);
    }
}

#[test]
fn a_location_that_failed_like_that_counts_against_the_budget_of_locations() {
    let mut world = world(3, 1);
    world.plan.request.budget.locations.max_errors = "0".parse().unwrap();
    begun(&world);
    lose(&world, 0, PortErrorKind::Denied);
    assert_open(run(&world, 2));
    world.clock.advance(DAY + HOUR);
    let state = run(&world, 3).unwrap();
    assert_eq!(state.failed_locations(), 1);
}

#[test]
fn a_location_that_can_be_looked_at_in_time_is_begun() {
    let world = bounded(1, 3);
    assert_open(run(&world, 2));
    world.clock.advance(DAY * 2);
    world.aws.gone.lock().unwrap().clear();
    let state = run(&world, 3).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(sent_to(&world).len(), 3);
}

#[test]
fn it_counts_from_the_last_start_that_anybody_wrote_down() {
    let world = world(3, 1);
    begun(&world);
    lose(&world, 0, PortErrorKind::Denied);
    lose(&world, 1, PortErrorKind::Denied);
    assert_open(run(&world, 2));
    world.clock.advance(HOUR * 20);
    // The log may lose what is begun now.
    world.aws.gone.lock().unwrap().remove(&place(&world, 1));
    assert_open(run(&world, 3));
    assert_eq!(sent_to(&world).len(), 2);
    world.clock.advance(HOUR * 20);
    assert_open(run(&world, 4));
    world.clock.advance(HOUR * 5);
    run(&world, 5).unwrap();
}

#[test]
fn one_long_drive_that_follows_another_command_gives_it_up_too() {
    let world = world(2, 2);
    begun(&world);
    lose(&world, 0, PortErrorKind::Denied);
    // The other one is at work for two days.
    *world.aws.waits.lock().unwrap() = DAY * 2;
    let state = run(&world, 2).unwrap();
    assert_eq!(count(&state, NodeOutcome::Unknown), 1);
    let settled = |event: &Event| matches!(event, Event::LocationSettled { .. });
    let records = world.records();
    let first = records.iter().find(|record| record.events.iter().any(settled));
    let after = first.unwrap().at.duration_since(records[0].at);
    assert!(after < DAY + HOUR, "{after:#}");
}

#[test]
fn drives_of_a_minute_wait_for_it_and_end_by_themselves() {
    let world = bounded(1, 3);
    let begun = world.clock.now();
    for writer in 2..2_000 {
        let (driver, until) = (
            world.driver(writer),
            world.clock.now() + SignedDuration::from_secs(50),
        );
        let waits = SignedDuration::from_secs(5);
        match finish(driver.run_while_busy(world.campaign(), until, waits)).unwrap() {
            Progress::Finished(state) => {
                assert_eq!(count(&state, NodeOutcome::Done), 2);
                assert_eq!(count(&state, NodeOutcome::Unknown), 1);
                let hours = hours_since(&world, begun);
                assert!((24..27).contains(&hours), "{hours}");
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
fn a_stop_closes_it_once_what_was_lost_has_expired() {
    let world = bounded(1, 3);
    assert_open(run(&world, 2));
    let stop = |writer| {
        finish(
            world
                .driver(writer)
                .stop(world.campaign(), StopMode::CancelCommands, "ops"),
        )
    };
    assert_open(stop(3));
    world.clock.advance(DAY + HOUR);
    let state = stop(4).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(came_to(&state, &world, 1), Some(LocationOutcome::Unresolved));
    assert_eq!(count(&state, NodeOutcome::NotRun), 2);
    assert_eq!(sent_to(&world), []);
}

#[test]
fn whoever_closes_it_takes_a_denial_for_an_answer_once_what_was_lost_has_expired() {
    let world = bounded(1, 3);
    let abandon = |writer| finish(world.driver(writer).abandon(world.campaign(), "ops"));
    assert_open(run(&world, 2));
    assert!(matches!(abandon(3), Err(DriveError::NotAbandoned(_))));
    world.clock.advance(DAY + HOUR);
    let state = abandon(4).unwrap();
    assert_eq!(came_to(&state, &world, 1), Some(LocationOutcome::Unresolved));
    assert_eq!(count(&state, NodeOutcome::Unknown), 1);
    assert_eq!(count(&state, NodeOutcome::NotRun), 2);
}

#[test]
fn a_campaign_that_nobody_has_touched_for_a_month_can_be_closed_although_an_account_is_gone() {
    let world = bounded(1, 3);
    let abandon = |writer| finish(world.driver(writer).abandon(world.campaign(), "ops"));
    world.clock.advance(DAY * 29);
    assert!(matches!(abandon(2), Err(DriveError::NotAbandoned(_))));
    world.clock.advance(DAY * 3);
    abandon(3).unwrap();
}

#[test]
fn collect_says_that_nothing_was_begun_once_the_account_is_back() {
    let world = bounded(1, 3);
    assert_open(run(&world, 2));
    world.clock.advance(DAY + HOUR);
    run(&world, 3).unwrap();
    let collect = |writer| finish(world.driver(writer).collect_again(world.campaign())).unwrap();
    let still = collect(4);
    assert_eq!((still.read, still.unread.len()), (0, 1));
    world.aws.gone.lock().unwrap().clear();
    let read = collect(5);
    assert_eq!((read.read, read.unread), (1, vec![]));
    assert_eq!(came_to(&read.state, &world, 1), Some(LocationOutcome::NotStarted));
    assert_eq!(count(&read.state, NodeOutcome::NotRun), 1);
    assert_eq!(count(&read.state, NodeOutcome::Unknown), 0);
}

#[test]
fn what_the_log_has_lost_there_is_never_said_not_to_have_been_begun() {
    let world = world(1, 1);
    killed_once(&world, |world| !world.aws.sends.lock().unwrap().is_empty());
    world.log.cut(&LogKey::Campaign(world.campaign()), 2);
    lose(&world, 0, PortErrorKind::Denied);
    assert_open(run(&world, 2));
    world.clock.advance(DAY + HOUR);
    let state = run(&world, 3).unwrap();
    assert_eq!(count(&state, NodeOutcome::Unknown), 1);
    world.aws.gone.lock().unwrap().clear();
    let read = finish(world.driver(4).collect_again(world.campaign())).unwrap();
    assert_eq!(read.read, 0);
    assert!(
        read.unread[0].reason.contains("the log has lost what became of"),
        "{read:?}"
    );
    assert_eq!(count(&read.state, NodeOutcome::Unknown), 1);
    assert_eq!(sent_to(&world).len(), 1, "nothing is sent twice");
}

#[test]
fn a_start_that_was_put_off_is_given_up_with_its_location() {
    let world = world(2, 1);
    // AWS throttles the first start, and the driver dies.
    let throttled = || crate::port::PortError::new(PortErrorKind::Throttled, "throttled");
    world.aws.refusals.lock().unwrap().push(throttled);
    let is_deferred = |event: &Event| matches!(event, Event::StartDeferred { .. });
    killed_once(&world, |world| world.events().iter().any(is_deferred));
    lose(&world, 0, PortErrorKind::Denied);
    let mut ended = run(&world, 2);
    for writer in 3..6 {
        if ended.is_ok() {
            break;
        }
        assert_open(ended);
        world.clock.advance(DAY + HOUR);
        ended = run(&world, writer);
    }
    let state = ended.unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    assert_eq!(sent_to(&world), [place(&world, 1)]);
    assert_eq!(count(&state, NodeOutcome::Unknown), 1);
    assert_eq!(count(&state, NodeOutcome::Done), 1);
    assert!(state.units()[&UnitId::from_index(0)].is_over());
}

#[test]
fn bounds_on_labels_wait_no_longer_either() {
    let nodes = || vec![(Fate::Well, Some("db"))];
    let mut world = super::labels::of_service(&[nodes(), nodes()], Some(1), None);
    send_commands(&mut world);
    world.commands_live();
    begun(&world);
    lose(&world, 1, PortErrorKind::Denied);
    assert_open(run(&world, 2));
    assert_eq!(sent_to(&world), []);
    world.clock.advance(DAY + HOUR);
    let state = run(&world, 3).unwrap();
    assert_eq!(sent_to(&world), [place(&world, 0)]);
    assert_eq!(count(&state, NodeOutcome::Done), 1);
    assert_eq!(count(&state, NodeOutcome::Unknown), 1);
}
