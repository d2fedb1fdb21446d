//! AWS keeps an execution waiting, and its command lives longer than the plan said.

use super::world::*;
use crate::budget::Seconds;
use crate::campaign::{Event, State, StopReason};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::plan::Lifetime;
use crate::port::Clock as _;
use crate::report::Report;
use crate::request::AtCutoff;
use crate::runbook::{StepSum, TIMEOUT_PARAMETER};
use jiff::{SignedDuration, Timestamp};

/// One location after the other, and a cutoff so long after the plan. Commands live for 20 minutes.
fn world(units: usize, cutoff: SignedDuration) -> World {
    let well: &[(&str, Script)] = &[("us-east-1", Script::Nodes(vec![Node::well(1)]))];
    let mut world = World::new(&vec![well; units], 1, 0);
    for request in world.plan.units.iter_mut().map(|unit| &mut unit.start) {
        let timeout = vec!["600".to_owned()];
        request.parameters.insert(TIMEOUT_PARAMETER.to_owned(), timeout);
    }
    let steps = Seconds::new(600);
    world.plan.lifetime = Some(Lifetime {
        steps: StepSum {
            least: steps,
            most: steps,
        },
        step_timeout: None,
        node: steps,
        cutoff: Some(at(cutoff)),
    });
    *world.aws.expires_late.lock().unwrap() = SignedDuration::from_mins(19);
    world.plan.request.policy.at_cutoff = AtCutoff::Finish;
    world
}

fn at(after: SignedDuration) -> Timestamp {
    "2026-03-01T22:00:00Z".parse::<Timestamp>().unwrap() + after
}

/// The campaign's end, and what a person was told on the way, each once and when.
fn watched(world: &World) -> (State, Vec<(Timestamp, String)>) {
    let mut told: Vec<(Timestamp, String)> = vec![];
    let driver = world.driver(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        loop {
            let turn = drive.step().await.unwrap();
            for warning in drive.state().warnings() {
                if told.iter().all(|(_, known)| *known != warning) {
                    told.push((world.clock.now(), warning));
                }
            }
            match turn {
                crate::campaign::Turn::Acted => {}
                crate::campaign::Turn::Wait(at) => driver.clock.sleep_until(at).await,
                crate::campaign::Turn::Done(_) => return drive.into_state(),
            }
        }
    });
    (state, told)
}

fn outcomes(state: &State) -> Vec<LocationOutcome> {
    state.locations().map(|(.., at)| at.outcome().unwrap()).collect()
}

#[test]
fn a_command_that_aws_begins_after_the_cutoff_is_told_at_once_and_is_no_success() {
    let world = world(1, SignedDuration::from_hours(2));
    *world.aws.waits.lock().unwrap() = SignedDuration::from_hours(3);
    let (state, told) = watched(&world);
    let [(waits_at, waits), (lives_at, lives)] = &told[..] else {
        panic!("{told:?}")
    };
    assert!(*waits_at < at(SignedDuration::from_mins(3)), "{waits_at}");
    assert!(
        waits.contains("waits at AWS") && waits.contains("after 2026-03-01T23:40:00Z lives past the cutoff"),
        "{waits}"
    );
    assert!(*lives_at < at(SignedDuration::from_mins(182)), "{lives_at}");
    assert!(
        lives.contains("lives past the cutoff 2026-03-02T00:00:00Z") && lives.contains("cancels command"),
        "{lives}"
    );
    // Its node is patched, and that is not what was asked for.
    assert_eq!(outcomes(&state), [LocationOutcome::Succeeded]);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let report = finish(Report::build(&state, &*world.rows, state.last_at())).unwrap();
    assert_eq!(report.exit_code(), 5);
    let detail = &report.locations[0].detail;
    assert!(
        detail.contains("lived past the cutoff 2026-03-02T00:00:00Z") && detail.contains("AWS began it late"),
        "{detail}"
    );
    let observed = world.records().into_iter().flat_map(|record| record.events);
    let mut observed = observed
        .filter(|event| matches!(event, Event::CommandObserved { .. }))
        .collect::<Vec<_>>();
    let late = state.warning(&observed.pop().unwrap()).unwrap();
    assert!(
        late.contains("lived past the cutoff") && !late.contains("cancel"),
        "nothing is left to cancel: {late}"
    );
    assert!(report.left_out_because.unwrap().contains("past the cutoff"));
    assert_eq!(State::from_records(&world.records()).unwrap(), state);
}

#[test]
fn nothing_more_is_begun_while_a_command_may_live_past_the_cutoff() {
    let world = world(2, SignedDuration::from_mins(40));
    // It expires after the cutoff, and is over before.
    *world.aws.expires_late.lock().unwrap() = SignedDuration::from_hours(1);
    let (state, told) = watched(&world);
    assert_eq!(
        outcomes(&state),
        [LocationOutcome::Succeeded, LocationOutcome::NotStarted]
    );
    assert_eq!(world.executions().len(), 1);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(matches!(
        state.left_out_because(),
        Some(StopReason::PastCutoff { .. })
    ));
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn a_command_that_was_over_before_the_cutoff_did_not_pass_it_whenever_it_would_have_expired() {
    let world = world(1, SignedDuration::from_mins(40));
    *world.aws.expires_late.lock().unwrap() = SignedDuration::from_hours(1);
    let (state, _) = watched(&world);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let report = finish(Report::build(&state, &*world.rows, state.last_at())).unwrap();
    assert_eq!(report.locations[0].detail, "");
}

#[test]
fn a_command_that_nobody_watched_is_judged_by_when_it_expires() {
    let world = world(1, SignedDuration::from_hours(2));
    *world.aws.waits.lock().unwrap() = SignedDuration::from_hours(3);
    let driver = world.driver(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while world.executions().is_empty() {
            drive.step().await.unwrap();
        }
        world.clock.advance(SignedDuration::from_hours(9));
        world.driver(2).run(world.campaign()).await.unwrap()
    });
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
}

#[test]
fn an_execution_that_begins_at_once_is_not_said_to_wait() {
    let world = world(2, SignedDuration::from_hours(2));
    *world.aws.waits.lock().unwrap() = SignedDuration::from_secs(30);
    let (state, told) = watched(&world);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(told, []);
    let records = world.records();
    let mut events = records.iter().flat_map(|record| &record.events);
    assert!(!events.any(|event| matches!(event, Event::WaitsAtAws { .. })));
}

#[test]
fn what_aws_keeps_waiting_until_the_cutoff_is_cancelled_then_unless_it_may_finish() {
    let mut world = world(2, SignedDuration::from_hours(2));
    world.plan.request.policy.at_cutoff = AtCutoff::Cancel;
    *world.aws.waits.lock().unwrap() = SignedDuration::from_hours(3);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(!world.aws.stops.lock().unwrap().is_empty());
    let asked = state.stop_asked().unwrap();
    assert!(asked.at >= at(SignedDuration::from_hours(2)));
    assert!(
        asked
            .to_string()
            .starts_with("the cutoff had the campaign stopped at 2026-03-02T00:00:"),
        "{asked}"
    );
    assert!(asked.at < at(SignedDuration::from_mins(122)), "{asked}");
    assert_eq!(outcomes(&state)[1], LocationOutcome::NotStarted);
}

#[test]
fn a_campaign_that_is_through_before_its_cutoff_is_not_stopped_by_it() {
    let mut world = world(2, SignedDuration::from_hours(2));
    world.plan.request.policy.at_cutoff = AtCutoff::Cancel;
    let (state, told) = watched(&world);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(told, []);
}

#[test]
fn whoever_comes_after_the_cutoff_stops_nothing_that_was_over_before_it() {
    let mut world = world(1, SignedDuration::from_hours(2));
    world.plan.request.policy.at_cutoff = AtCutoff::Cancel;
    killed_once(&world, |world| {
        let mut events = world.events().into_iter();
        events.any(|event| matches!(event, Event::Started { .. }))
    });
    world.clock.advance(SignedDuration::from_hours(4));
    let state = finish(world.driver(2).run(world.campaign())).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert!(state.stop_asked().is_none());
    assert!(world.aws.stops.lock().unwrap().is_empty());
}

#[test]
fn a_command_that_was_sent_late_is_cancelled_at_the_cutoff() {
    let mut world = world(1, SignedDuration::from_mins(40));
    world.plan.request.policy.at_cutoff = AtCutoff::Cancel;
    // Its execution begins half a minute before, and its location takes a minute.
    *world.aws.waits.lock().unwrap() = SignedDuration::from_secs(40 * 60 - 30);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let below = world.aws.stops_below.lock().unwrap().clone();
    let stops = world.aws.stops.lock().unwrap().clone();
    assert!(!below.is_empty() || !stops.is_empty());
    assert!(
        below
            .iter()
            .all(|(.., stopped)| *stopped >= at(SignedDuration::from_mins(40)))
    );
}

#[test]
fn a_command_that_aws_begins_so_late_that_it_lives_into_a_freeze_is_told_at_once() {
    let mut world = world(1, SignedDuration::from_hours(2));
    world.plan.lifetime.as_mut().unwrap().cutoff = None;
    world.plan.request.freezes = super::freezes::freezes(serde_json::json!([super::freezes::on_the_second(
        "00:00", "06:00", "expire"
    )]));
    *world.aws.waits.lock().unwrap() = SignedDuration::from_mins(110);
    let (state, told) = watched(&world);
    let lives: Vec<&String> = told
        .iter()
        .map(|(_, words)| words)
        .filter(|words| words.contains("freeze"))
        .collect();
    assert_eq!(lives.len(), 1, "{told:?}");
    assert!(
        lives[0].contains(
            "lives into the freeze year end, which begins at 2026-03-02T00:00:00Z, as AWS began it late"
        ),
        "{lives:?}"
    );
    // The campaign goes on after the freeze, so it is not halted for it.
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
}
