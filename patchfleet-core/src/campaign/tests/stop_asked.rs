//! A person has a campaign stopped: nothing of it is begun after that, what was begun is stopped, and every location is
//! told of.

use super::world::*;
use crate::campaign::{DriveError, Driver, Event, State, StopMode, StopReason, TAGS_SEEN_WITHIN};
use crate::id::{ExecutionId, UnitId};
use crate::outcome::{FinishedOutcome, LocationOutcome, NodeOutcome};
use crate::port::{BoxFuture, Clock, PortErrorKind, StopType};
use crate::report::Report;
use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

mod not_stopped;

const REGIONS: [&str; 3] = ["eu-central-1", "eu-north-1", "eu-west-1"];

/// Three units of three locations each, one location at once in each. Two units have a place.
fn world() -> World {
    world_of(3)
}

fn world_of(units: usize) -> World {
    let well = || Script::Nodes(vec![Node::well(1), Node::well(2)]);
    let unit: Vec<(&str, Script)> = REGIONS.iter().map(|region| (*region, well())).collect();
    let mut world = World::new(&vec![&unit[..]; units], 1, 9);
    world.plan.request.budget.locations.max_concurrency = "2".parse().unwrap();
    world
}

/// The world's clock, for drivers whose calls are answered before anybody has slept.
struct Patient(Arc<FakeClock>);

impl Clock for Patient {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        async move {
            for _ in 0..60 {
                give_way().await;
            }
            self.0.sleep_until(at).await;
        }
        .boxed()
    }
}

fn driver(world: &World, writer: u128) -> Driver {
    Driver {
        clock: Arc::new(Patient(Arc::clone(&world.clock))),
        ..world.driver(writer)
    }
}

async fn stop(world: &World, writer: u128, mode: StopMode) -> Result<State, DriveError> {
    let driver = driver(world, writer);
    driver.stop(world.campaign(), mode, "somebody").await
}

async fn life(world: &World, writer: u128) -> Result<State, DriveError> {
    let driver = driver(world, writer);
    driver.begin(world.campaign(), &world.plan).await?;
    driver.run(world.campaign()).await
}

/// A driver that runs the campaign until its first units are at work and their commands are sent, and lives on.
fn at_work(world: &World) -> ByHand<'_, Result<State, DriveError>> {
    let mut first = ByHand::new(life(world, 1));
    let begun = world.clock.now();
    first.until(|| {
        let is_sent = world.clock.now() > begun + SignedDuration::from_secs(22);
        world.executions().len() == 2 && is_sent
    });
    first
}

fn asked_at(world: &World) -> Option<usize> {
    let events = world.events();
    events
        .iter()
        .position(|event| matches!(event, Event::StopAsked { .. }))
}

fn is_asked(world: &World) -> bool {
    asked_at(world).is_some()
}

/// The starts that the log says are about to be sent, before and after the stop's record.
fn intents(world: &World) -> (usize, usize) {
    let (events, asked) = (world.events(), asked_at(world).unwrap());
    let is_start = |event: &&Event| matches!(event, Event::StartIntended { .. });
    let (before, after) = events.split_at(asked);
    (
        before.iter().filter(is_start).count(),
        after.iter().filter(is_start).count(),
    )
}

/// The law: nothing is begun after the stop's record, by anybody, and each location has its outcome.
fn assert_stopped(world: &World, state: &State) {
    let (before, after) = intents(world);
    assert_eq!(after, 0, "law 5: a start was intended after the stop");
    let sent = world.aws.starts.lock().unwrap().len();
    assert!(
        sent <= before,
        "law 5: {sent} starts were sent, and {before} intended before the stop"
    );
    assert_eq!(
        state.finished().map(|(outcome, _)| outcome),
        Some(FinishedOutcome::Halted)
    );
    assert!(
        state.locations().all(|(.., at)| at.settled.is_some()),
        "law 2: a location has no outcome"
    );
    let blamed = |event: &Event| matches!(event, Event::CancelledElsewhere { .. });
    assert!(
        !world.events().iter().any(blamed),
        "nobody else cancelled anything"
    );
}

/// What became of the locations of a unit.
fn outcomes(state: &State, unit: u32) -> Vec<LocationOutcome> {
    let unit = &state.units()[&UnitId::from_index(unit)];
    unit.locations.values().map(|at| at.outcome().unwrap()).collect()
}

fn report_of(world: &World, state: &State) -> Report {
    finish(Report::build(state, &*world.rows, state.last_at())).unwrap()
}

#[test]
fn a_campaign_that_runs_is_stopped_and_neither_process_begins_anything_more() {
    use LocationOutcome::{Cancelled, NotStarted};
    let world = world();
    let first = at_work(&world);
    let second = ByHand::new(stop(&world, 2, StopMode::CancelCommands));
    let (one, two) = both_ends(first, second);
    let (one, two) = (one.unwrap(), two.unwrap());
    for state in [&one, &two] {
        assert_stopped(&world, state);
        for unit in [0, 1] {
            assert_eq!(outcomes(state, unit), [Cancelled, NotStarted, NotStarted]);
        }
        assert_eq!(outcomes(state, 2), [NotStarted; 3], "the unit that waited");
    }
    assert!(
        world.executions().iter().all(|one| one.cancelled_at.is_some()),
        "each execution is stopped"
    );
    let below = world.aws.stops_below.lock().unwrap();
    let children = below
        .iter()
        .filter(|(_, what, _)| *what == Below::Child(StopType::Cancel))
        .count();
    let commands = below
        .iter()
        .filter(|(_, what, _)| *what == Below::Command)
        .count();
    assert!(children >= 2 && commands >= 2, "{below:?}");
}

#[test]
fn the_report_says_who_had_it_stopped_and_why_each_location_was_not_begun() {
    let world = world();
    drop(at_work(&world));
    let state = finish(stop(&world, 2, StopMode::CancelCommands)).unwrap();
    let report = report_of(&world, &state);
    assert_eq!(report.exit_code(), 5);
    let asked = report.stop_asked.clone().unwrap();
    assert_eq!(
        (asked.by.as_str(), asked.mode),
        ("somebody", StopMode::CancelCommands)
    );
    let text = report.to_text();
    let at = format!("{:.0}", asked.at);
    assert!(
        text.contains(&format!(
            "nothing more was begun: somebody had the campaign stopped at {at}"
        )),
        "{text}"
    );
    assert!(
        text.contains(&format!(
            "patchfleet stopped the execution before it reached the location, as somebody had the campaign stopped at {at}"
        )),
        "{text}"
    );
    assert!(
        text.contains(&format!("not begun: somebody had the campaign stopped at {at}")),
        "{text}"
    );
    let not_run: u32 = report.totals.nodes.count(NodeOutcome::NotRun);
    assert_eq!(not_run, 18, "nobody was patched: {text}");
}

#[test]
fn commands_that_were_sent_run_on_if_that_is_asked_for_and_nothing_else_begins() {
    use LocationOutcome::{NotStarted, Succeeded};
    let world = world();
    drop(at_work(&world));
    let state = finish(stop(&world, 2, StopMode::LetCommandsRun)).unwrap();
    assert_stopped(&world, &state);
    for unit in [0, 1] {
        assert_eq!(outcomes(&state, unit), [Succeeded, NotStarted, NotStarted]);
    }
    let stops = super::stops::stops_sent(&world);
    assert!(stops.iter().all(|kind| *kind == StopType::Complete), "{stops:?}");
    let below = world.aws.stops_below.lock().unwrap();
    let harsh = below
        .iter()
        .filter(|(_, what, _)| *what != Below::Child(StopType::Complete));
    assert_eq!(harsh.count(), 0, "{below:?}");
    drop(below);
    assert_eq!(
        report_of(&world, &state).exit_code(),
        5,
        "it was stopped all the same"
    );
}

#[test]
fn an_execution_that_has_sent_no_command_yet_is_stopped_even_if_commands_may_run() {
    let world = world();
    let mut first = ByHand::new(life(&world, 1));
    let begun = world.clock.now();
    let secs = SignedDuration::from_secs;
    first.until(|| world.executions().len() == 2 && world.clock.now() >= begun + secs(8));
    assert!(world.clock.now() < begun + secs(18), "nothing is sent yet");
    drop(first);
    let state = finish(stop(&world, 2, StopMode::LetCommandsRun)).unwrap();
    assert_stopped(&world, &state);
    let nodes = report_of(&world, &state).totals.nodes;
    assert_eq!(nodes.count(NodeOutcome::NotRun), 18, "{nodes:?}");
}

#[test]
fn law_5_a_start_whose_sender_died_is_found_and_stopped() {
    let world = world();
    // It took effect, and nobody heard of that.
    let mut first = ByHand::new(life(&world, 1));
    first.until(|| world.executions().len() == 1);
    drop(first);
    let state = finish(stop(&world, 2, StopMode::CancelCommands)).unwrap();
    assert_stopped(&world, &state);
    assert_eq!(world.executions().len(), 1);
    assert!(world.executions()[0].cancelled_at.is_some(), "it is stopped");
    assert_eq!(report_of(&world, &state).executions.len(), 1, "and told of");
}

#[test]
fn a_start_of_which_nobody_knows_whether_it_took_effect_is_not_called_stopped() {
    let world = world();
    killed_once(&world, is_intended);
    assert_eq!(world.executions().len(), 0, "it was not sent");
    let begun = world.clock.now();
    let error = finish(stop(&world, 2, StopMode::CancelCommands)).unwrap_err();
    assert!(matches!(error, DriveError::Unresolved { .. }), "{error}");
    assert!(
        world.clock.now() > begun + TAGS_SEEN_WITHIN,
        "it was looked for in vain"
    );
    assert!(
        error.to_string().contains("somebody had the campaign stopped"),
        "{error}"
    );
    assert_eq!(world.executions().len(), 0, "and it is never sent");
    let state = finish(world.driver(3).run(world.campaign())).unwrap_err();
    assert!(matches!(state, DriveError::Unresolved { .. }), "{state}");
}

#[test]
fn law_5_whoever_is_killed_at_any_instant_of_a_stop_is_followed_by_one_that_ends_it() {
    let mut instants = 0;
    for polls in (0..).step_by(11) {
        let world = world();
        drop(at_work(&world));
        let mut one = ByHand::new(stop(&world, 2, StopMode::CancelCommands));
        if (0..polls).any(|_| one.poll()) {
            break;
        }
        drop(one);
        let was_asked = is_asked(&world);
        // A second stop, or whoever resumes it.
        let state = match polls % 2 == 1 && was_asked {
            true => finish(world.driver(3).run(world.campaign())).unwrap(),
            false => finish(stop(&world, 3, StopMode::CancelCommands)).unwrap(),
        };
        assert_stopped(&world, &state);
        assert!(
            world.executions().iter().all(|one| one.cancelled_at.is_some()),
            "killed after {polls} polls"
        );
        instants += 1;
    }
    assert!(instants > 30, "only {instants} instants");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// A driver that runs, another one beside it, and a person's stop, at any instants, with a call that fails and
    /// processes that die.
    #[test]
    fn law_5_nothing_is_begun_after_a_stop_however_drivers_starts_answers_and_deaths_come(
        before in 0..400_usize,
        turns in proptest::collection::vec((0..3_usize, 1..40_usize), 0..60),
        dies in proptest::option::of((0..2_usize, 0..60_usize)),
        fault in proptest::option::of((1..200_u32, prop_oneof![Just(Fault::Before), Just(Fault::After)])),
        gently in any::<bool>(),
    ) {
        let world = world();
        let mode = if gently { StopMode::LetCommandsRun } else { StopMode::CancelCommands };
        *world.chaos.fault.lock().unwrap() = fault;
        let mut lives = [
            Some(ByHand::new(life(&world, 1))),
            Some(ByHand::new(life(&world, 2))),
        ];
        for _ in 0..before {
            let [one, two] = &mut lives;
            one.as_mut().map(ByHand::poll);
            two.as_mut().map(ByHand::poll);
        }
        let mut asking = ByHand::new(stop(&world, 3, mode));
        for (turn, (who, polls)) in turns.into_iter().enumerate() {
            if let Some((who, at)) = dies
                && turn == at
            {
                lives[who] = None;
            }
            for _ in 0..polls {
                match lives.get_mut(who) {
                    Some(life) => { life.as_mut().map(ByHand::poll); }
                    None => { asking.poll(); }
                }
            }
        }
        for _ in 0..1_000_000 {
            let mut over = asking.poll();
            for life in lives.iter_mut().flatten() {
                over &= life.poll();
            }
            if over {
                break;
            }
        }
        let ended = asking.1.expect("the stop comes to its end");
        match ended {
            Ok(state) => {
                prop_assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
                assert_stopped(&world, &state);
            }
            // It was over before anybody asked, or not begun yet, or a start is in doubt.
            Err(DriveError::NotStopped(_) | DriveError::NoSuchCampaign { .. }) => {
                prop_assert!(!is_asked(&world));
            }
            Err(DriveError::Unresolved { .. }) => prop_assert_eq!(intents(&world).1, 0),
            Err(error) => prop_assert!(false, "{}", error),
        }
        if is_asked(&world) {
            prop_assert_eq!(intents(&world).1, 0, "law 5: a start was intended after the stop");
        }
    }
}

#[test]
fn a_campaign_that_is_over_is_not_stopped_and_one_that_was_stopped_may_be_told_so_again() {
    let over = world();
    over.run();
    let error = finish(stop(&over, 2, StopMode::CancelCommands)).unwrap_err();
    let words = error.refusal().unwrap().to_string();
    assert!(words.contains("it is over (outcome succeeded)"), "{words}");
    assert!(!is_asked(&over), "and its log says nothing of it");

    let world = world();
    drop(at_work(&world));
    let first = finish(stop(&world, 2, StopMode::CancelCommands)).unwrap();
    let records = world.records().len();
    let again = finish(stop(&world, 3, StopMode::CancelCommands)).unwrap();
    assert_eq!((again, world.records().len()), (first, records));
}

#[test]
fn a_stopped_campaign_is_closed_for_good_and_its_name_is_free() {
    let world = world();
    drop(at_work(&world));
    finish(stop(&world, 2, StopMode::CancelCommands)).unwrap();
    let refused = finish(world.driver(3).go_on(world.campaign(), "somebody")).unwrap_err();
    let words = refused.refusal().unwrap().to_string();
    assert!(
        words.contains("somebody had the campaign stopped at") && words.contains("it is closed for good"),
        "{words}"
    );
    let next = world.campaign_of("the next event");
    finish(world.driver(4).begin(next, &world.plan)).unwrap();
}

#[test]
fn a_campaign_that_was_written_down_and_never_begun_is_closed_with_everything_left_out() {
    let world = world();
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    let state = finish(stop(&world, 2, StopMode::CancelCommands)).unwrap();
    assert_eq!(world.executions().len(), 0);
    assert_stopped(&world, &state);
    let asked = |reason| matches!(reason, Some(StopReason::Asked(_)));
    assert!(asked(state.left_out_because()));
    assert_eq!(report_of(&world, &state).exit_code(), 5);
}

#[test]
fn the_harsher_of_two_stops_counts() {
    let world = world();
    drop(at_work(&world));
    let mut gentle = ByHand::new(stop(&world, 2, StopMode::LetCommandsRun));
    gentle.until(|| is_asked(&world));
    let (gentle, harsh) = both_ends(gentle, ByHand::new(stop(&world, 3, StopMode::CancelCommands)));
    let (gentle, harsh) = (gentle.unwrap(), harsh.unwrap());
    assert_eq!(gentle.stop_asked().unwrap().mode, StopMode::CancelCommands);
    assert_stopped(&world, &harsh);
    assert_eq!(outcomes(&harsh, 0)[0], LocationOutcome::Cancelled);
}
