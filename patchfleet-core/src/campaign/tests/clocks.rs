//! Machines whose clocks differ: a driver waits by its own, and no start is sent again because a clock was wrong.

use super::world::*;
use crate::campaign::{
    CLOCKS_AGREE_WITHIN, DriveError, Driver, Event, LOOK_UP_AFTER, Notice, Notices, SHORTEST_GAP, StartState,
    State, StopReason, TAGS_SEEN_WITHIN,
};
use crate::outcome::FinishedOutcome;
use crate::port::{BoxFuture, Clock};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex};

/// A machine's clock that is wrong by so much.
struct Wrong(Arc<FakeClock>, SignedDuration);

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        self.0.now() + self.1
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        self.0.sleep_until(at - self.1)
    }
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// An hour ahead, some minutes, and the same behind.
fn errors() -> [SignedDuration; 4] {
    let some = SignedDuration::from_mins(8);
    [HOUR, some, -some, -HOUR]
}

fn world() -> World {
    let well = || Script::Nodes(vec![Node::well(1), Node::well(2)]);
    World::new(
        &[
            &[("us-east-1", well()), ("us-west-1", Script::Emptied)],
            &[("us-east-1", well())],
        ],
        2,
        0,
    )
}

type Told = Arc<Mutex<Vec<Notice>>>;

/// A driver whose clock is wrong by so much, and what it tells.
fn driver(world: &World, writer: u128, wrong: SignedDuration) -> (Driver, Told) {
    let told = Told::default();
    let notes = Arc::clone(&told);
    let driver = Driver {
        clock: Arc::new(Wrong(Arc::clone(&world.clock), wrong)),
        notices: Notices::new(Arc::new(move |notice: &Notice| {
            notes.lock().unwrap().push(notice.clone());
        })),
        ..world.driver(writer)
    };
    (driver, told)
}

async fn life(world: &World, driver: &Driver) -> State {
    driver.begin(world.campaign(), &world.plan).await.unwrap();
    match driver.run(world.campaign()).await {
        // A start in doubt that is too old waits for a person.
        Err(DriveError::Unresolved { .. }) => State::from_records(&world.records()).unwrap(),
        driven => driven.unwrap(),
    }
}

/// The world after a driver whose clock is wrong was killed after so many polls; `None` if it was over by then.
fn killed_after(polls: usize, wrong: SignedDuration) -> Option<World> {
    let world = world();
    let (first, _) = driver(&world, 1, wrong);
    let is_over = {
        let mut life = ByHand::new(life(&world, &first));
        (0..polls).any(|_| life.poll())
    };
    (!is_over).then_some(world)
}

fn starts_of_each_unit_take_effect_once(world: &World, case: &str) {
    let mut accounts: Vec<_> = world
        .executions()
        .iter()
        .map(|one| one.request.target_location().accounts.clone())
        .collect();
    let all = accounts.len();
    accounts.sort();
    accounts.dedup();
    assert_eq!(accounts.len(), all, "{case}: started twice");
}

#[test]
fn law_5_whoever_goes_on_after_a_driver_whose_clock_is_wrong_waits_by_its_own_clock() {
    for wrong in errors() {
        let mut told_of = 0;
        for polls in (0..).step_by(5) {
            let Some(world) = killed_after(polls, wrong) else {
                break;
            };
            let case = format!("a clock that is wrong by {wrong:#}, killed after {polls} polls");
            let left_at = world.clock.now();
            let is_in_doubt = State::from_records(&world.records()).is_ok_and(|state| {
                let starts = state.units().values().map(|unit| unit.start.clone());
                starts
                    .into_iter()
                    .any(|start| matches!(start, StartState::Intended(_)))
            });
            let (second, told) = driver(&world, 2, SignedDuration::ZERO);
            let state = finish(life(&world, &second));
            starts_of_each_unit_take_effect_once(&world, &case);
            let took = world.clock.now().duration_since(left_at);
            assert!(took < SignedDuration::from_mins(20), "{case}: took {took:#}");
            if !is_in_doubt {
                let ended = state.finished().unwrap().0;
                assert_eq!(ended, FinishedOutcome::Succeeded, "{case}");
            }
            told_of += told.lock().unwrap().len();
        }
        // What is behind looks like what is old.
        assert_eq!(told_of > 0, wrong > SignedDuration::ZERO, "wrong by {wrong:#}");
    }
}

#[test]
fn law_5_two_drivers_whose_clocks_differ_come_to_the_same_end_in_the_same_time() {
    let ends = |wrong| {
        let world = world();
        let (one, _) = driver(&world, 1, wrong);
        let (two, told) = driver(&world, 2, SignedDuration::ZERO);
        let began = world.clock.now();
        let (first, second) = both_ends(ByHand::new(life(&world, &one)), ByHand::new(life(&world, &two)));
        let case = format!("wrong by {wrong:#}");
        starts_of_each_unit_take_effect_once(&world, &case);
        for state in [first, second] {
            assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded, "{case}");
        }
        let took = world.clock.now().duration_since(began);
        let mut told = told.lock().unwrap().clone();
        told.retain(|notice| matches!(notice, Notice::ClocksDiffer { .. }));
        (took, told)
    };
    let (alike, told) = ends(SignedDuration::ZERO);
    assert_eq!(told, []);
    for wrong in errors() {
        let (took, told) = ends(wrong);
        assert!(
            took < alike + SignedDuration::from_mins(2),
            "{took:#} and not {alike:#}"
        );
        assert_eq!(told.len(), 1, "told once, ahead as well as behind: {told:?}");
    }
}

#[test]
fn a_difference_of_clocks_is_told_in_a_line_that_names_both_times_and_how_far_they_are_apart() {
    let ahead = killed_after(40, HOUR).unwrap();
    let (second, told) = driver(&ahead, 2, SignedDuration::ZERO);
    finish(life(&ahead, &second));
    let lines: Vec<String> = told.lock().unwrap().iter().map(ToString::to_string).collect();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    for words in [
        "clocks differ by 59m 54s",
        "of the log says 2026-03-01T23:00:0",
        "it was appended before 2026-03-01T22:00:06Z",
        "by this machine's clock",
        "waits by its own clock",
    ] {
        assert!(line.contains(words), "{words}: {line}");
    }
    let alike = killed_after(40, CLOCKS_AGREE_WITHIN).unwrap();
    let (second, told) = driver(&alike, 2, SignedDuration::ZERO);
    finish(life(&alike, &second));
    assert_eq!(*told.lock().unwrap(), [], "a minute is not told");
}

/// A start that took effect, was sent at an hour that nobody knows, and can no longer be told by its client token,
/// nor be seen yet.
fn start_in_doubt(wrong: SignedDuration, hidden: SignedDuration) -> World {
    for polls in 1.. {
        let world = killed_after(polls, wrong).unwrap();
        if !world.executions().is_empty() {
            let begun = world
                .events()
                .into_iter()
                .filter(|event| matches!(event, Event::Started { .. }));
            assert_eq!(begun.count(), 0, "the answer was lost");
            *world.aws.hidden.lock().unwrap() = hidden;
            world.clock.advance(SignedDuration::from_mins(20));
            return world;
        }
    }
    unreachable!()
}

#[test]
fn law_5_a_start_of_a_driver_whose_clock_is_ahead_is_not_taken_for_young_and_never_sent_again() {
    // By these clocks it was sent in some minutes, and in forty.
    for wrong in [23, 60].map(SignedDuration::from_mins) {
        let world = start_in_doubt(wrong, SignedDuration::from_hours(2));
        let (second, _) = driver(&world, 2, SignedDuration::ZERO);
        let began = world.clock.now();
        let state = finish(life(&world, &second));
        assert_eq!(world.executions().len(), 1, "{wrong:#}: sent again");
        let starts: Vec<_> = state.units().values().map(|unit| &unit.start).collect();
        assert!(matches!(starts[0], StartState::Unresolved { .. }), "{starts:?}");
        let took = world.clock.now().duration_since(began);
        assert!(
            took < TAGS_SEEN_WITHIN + LOOK_UP_AFTER,
            "it is looked for no longer than its tag may take: {took:#}"
        );
    }
}

#[test]
fn law_5_a_start_that_looks_young_and_is_old_is_found_before_it_could_be_sent_again() {
    // By these clocks it was sent just now, and three minutes ago.
    for wrong in [20, 17].map(SignedDuration::from_mins) {
        let world = start_in_doubt(wrong, SignedDuration::from_mins(10));
        let (second, _) = driver(&world, 2, SignedDuration::ZERO);
        let state = finish(life(&world, &second));
        starts_of_each_unit_take_effect_once(&world, "its client token is forgotten");
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    }
}

#[test]
fn nothing_more_is_begun_of_a_campaign_if_a_wrong_clock_hides_for_how_long_it_was_left() {
    let left = |wrong, later| {
        let world = killed_after(120, wrong).unwrap();
        assert_eq!(world.executions().len(), 1);
        world.clock.advance(later);
        let (second, _) = driver(&world, 2, SignedDuration::ZERO);
        let state = finish(second.run_unless_left(world.campaign(), SHORTEST_GAP)).unwrap();
        (world, state)
    };
    let (world, state) = left(HOUR, SignedDuration::from_mins(30));
    assert_eq!(world.executions().len(), 1, "the second unit is not begun");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let reason = state.left_out_because().unwrap();
    assert!(matches!(reason, StopReason::Unattended { .. }), "{reason}");
    let words = reason.to_string();
    assert!(
        words.contains("nobody knows for how long nobody drove it"),
        "{words}"
    );
    // A clock that is wrong by little hides nothing.
    let (world, state) = left(CLOCKS_AGREE_WITHIN, SignedDuration::ZERO);
    assert_eq!(world.executions().len(), 2);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
}

#[test]
fn a_listing_joins_no_writer_with_the_time_of_another_whose_clock_was_ahead() {
    let world = killed_after(120, HOUR).unwrap();
    world.clock.advance(SignedDuration::from_mins(3));
    let (right, _) = driver(&world, 2, SignedDuration::ZERO);
    let listed = finish(async {
        let mut drive = right.open(world.campaign()).await.unwrap();
        while world.records().last().unwrap().writer != right.writer {
            drive.step().await.unwrap();
        }
        crate::campaign::campaigns(&*world.log, world.clock.now())
            .await
            .unwrap()
    });
    let summary = &listed.campaigns[0];
    let last = world.records().pop().unwrap();
    assert_eq!((summary.last_at, summary.last_writer), (last.at, right.writer));
    let ago = |at| world.clock.now().duration_since(at);
    assert!(ago(summary.last_at) < SignedDuration::from_mins(1), "{summary:?}");
    assert!(!ago(summary.last_at).is_negative(), "{summary:?}");
    let mut signs = world.records().into_iter();
    let shown = signs.rfind(|record| record.seq == 0 || record.events.iter().any(Event::is_sign_of_life));
    assert_eq!(summary.driven_at, shown.unwrap().at);
    assert!(!ago(summary.driven_at).is_negative(), "{summary:?}");
    // The campaign's own time never goes back.
    let state = State::from_records(&world.records()).unwrap();
    assert!(state.last_at() > state.last_record_at());
}
