//! Starts that are sent late: by the log, by AWS, or near the cutoff. A command lives no longer than was planned.

use super::starting::outcomes;
use super::world::*;
use super::wrapped::log_within;
use crate::campaign::{Appended, CampaignLog, Driver, Event, LogKey, MemoryLog, Record, State};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::{BoxFuture, Clock as _, PortError, PortErrorKind, PortResult};
use crate::request::RunbookPin;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn well() -> Script {
    Script::Nodes(vec![Node::well(1)])
}

/// Three units that run one after another, under a cutoff that is so many seconds away.
pub(super) fn with_cutoff(seconds: i64) -> World {
    let units = [
        [("us-east-1", well())],
        [("us-east-1", well())],
        [("us-east-1", well())],
    ];
    let units: Vec<&[(&str, Script)]> = units.iter().map(|unit| &unit[..]).collect();
    let mut world = World::new(&units, 1, 0);
    let cutoff = world.clock.now() + SignedDuration::from_secs(seconds);
    world.cut_off(cutoff);
    world
}

/// For each start that was intended, when, and until when its command may live.
fn lives(world: &World) -> Vec<(Timestamp, Timestamp)> {
    let mut lives = vec![];
    for record in world.records() {
        for event in &record.events {
            if let Event::StartIntended { request, .. } = event {
                let timeout: i64 = request.parameters["TimeoutSeconds"][0].parse().unwrap();
                assert!((30..=3_600).contains(&timeout), "{timeout}");
                lives.push((record.at, record.at + SignedDuration::from_secs(timeout + 21_600)));
            }
        }
    }
    lives
}

#[test]
fn no_command_outlives_the_cutoff_and_what_could_is_not_begun() {
    let without = with_cutoff(10_000_000);
    assert_eq!(without.run().finished().unwrap().0, FinishedOutcome::Succeeded);
    let lasted: Vec<i64> = lives(&without)
        .windows(2)
        .map(|pair| pair[1].0.duration_since(pair[0].0).as_secs())
        .collect();
    // There is time for the second unit, shortened, and none for the third.
    let seconds = 21_600 + 360 + 30 + lasted[0] + lasted[1] / 2;
    let world = with_cutoff(seconds);
    let cutoff = world.plan.lifetime.unwrap().cutoff.unwrap();
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(
        outcomes(&state),
        [
            LocationOutcome::Succeeded,
            LocationOutcome::Succeeded,
            LocationOutcome::NotStarted
        ]
    );
    let third = state.locations().last().unwrap().2.settled.clone().unwrap();
    assert_eq!(
        third.detail,
        format!("not begun: a command that is started now may live past the cutoff {cutoff}")
    );
    let lives = lives(&world);
    assert_eq!(lives.len(), 2);
    assert!(lives.iter().all(|(_, end)| *end < cutoff), "{lives:?}");
    let spans: Vec<SignedDuration> = lives.iter().map(|(from, to)| to.duration_since(*from)).collect();
    assert!(spans[1] < spans[0], "{spans:?}");
}

/// A log that takes its time for the first start, in which something happens.
struct Slow {
    log: Arc<MemoryLog>,
    meanwhile: Box<dyn Fn() + Send + Sync>,
    was_slow: AtomicBool,
}

impl CampaignLog for Slow {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        let is_start = |event: &Event| matches!(event, Event::StartIntended { .. });
        let appended = self.log.append(key, record);
        if record.events.iter().any(is_start) && !self.was_slow.swap(true, Ordering::Relaxed) {
            (self.meanwhile)();
        }
        appended
    }

    log_within!(log: read keys request_name last);
}

/// Runs the campaign while the log takes 20 minutes for its first start, in which this happens as well.
fn run_slowly(world: &World, meanwhile: impl Fn() + Send + Sync + 'static) -> State {
    let clock = Arc::clone(&world.clock);
    let driver = Driver {
        log: Arc::new(Slow {
            log: Arc::clone(&world.log),
            meanwhile: Box::new(move || {
                clock.advance(SignedDuration::from_mins(20));
                meanwhile();
            }),
            was_slow: AtomicBool::new(false),
        }),
        ..world.driver(1)
    };
    finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        driver.run(world.campaign()).await.unwrap()
    })
}

#[test]
fn a_start_that_the_log_takes_late_is_made_anew_for_the_time_that_is_left() {
    let world = with_cutoff(21_600 + 360 + 1_800);
    let cutoff = world.plan.lifetime.unwrap().cutoff.unwrap();
    run_slowly(&world, || {});
    let executions = world.executions();
    assert!(!executions.is_empty());
    for execution in executions {
        let timeout: i64 = execution.request.parameters["TimeoutSeconds"][0].parse().unwrap();
        let end = execution.started_at + SignedDuration::from_secs(timeout + 21_600);
        assert!(
            end < cutoff,
            "begun at {}, it lives until {end}",
            execution.started_at
        );
    }
}

#[test]
fn a_start_that_the_log_takes_after_the_cutoff_is_not_sent() {
    let world = with_cutoff(21_600 + 360 + 900);
    let state = run_slowly(&world, || {});
    assert!(world.executions().is_empty());
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(
        outcomes(&state)
            .iter()
            .all(|one| *one == LocationOutcome::NotStarted)
    );
}

#[test]
fn a_start_that_the_log_takes_late_is_not_sent_once_the_runbook_has_changed() {
    let world = super::runbook::world(RunbookPin::Default);
    let aws = Arc::clone(&world.aws);
    let state = run_slowly(&world, move || {
        *aws.runbook.lock().unwrap() = Some(super::runbook::OTHER.to_owned());
    });
    assert!(world.executions().is_empty());
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
}

#[test]
fn a_start_that_is_put_off_is_made_anew_for_the_time_that_is_left() {
    let world = with_cutoff(21_600 + 360 + 3_600);
    for _ in 0..12 {
        let later = || PortError::new(PortErrorKind::LimitExceeded, "queue full");
        world.aws.refusals.lock().unwrap().push(later);
    }
    let cutoff = world.plan.lifetime.unwrap().cutoff.unwrap();
    world.run();
    let lives = lives(&world);
    assert!(lives.len() > 12);
    assert!(lives.iter().all(|(_, end)| *end < cutoff), "{lives:?}");
}
