//! Trouble of any kind is told before a person begins to wonder, and not again and again.

use super::world::*;
use super::wrapped::log_within;
use crate::campaign::{
    Appended, CampaignLog, DriveError, Driver, LogKey, NodeRows, Notice, Notices, Record, SILENT_FOR, State,
};
use crate::id::{CampaignId, Location};
use crate::outcome::{FinishedOutcome, NodeRow};
use crate::port::{BoxFuture, Clock, PortError, PortErrorKind, PortResult};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex};

pub(super) const OUTAGE: SignedDuration = SignedDuration::from_mins(15);

fn world() -> World {
    World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0)
}

/// A store on a disk that is full from the first instant that is asked for, for a while.
pub(super) struct Full<T> {
    pub(super) inner: T,
    pub(super) clock: Arc<FakeClock>,
    pub(super) from: Timestamp,
}

impl<T> Full<T> {
    fn error(&self) -> Option<PortError> {
        let now = self.clock.now();
        let is_full = self.from <= now && now < self.from + OUTAGE;
        let words = "cannot write /logs/x: No space left on device";
        is_full.then(|| PortError::new(PortErrorKind::LimitExceeded, words))
    }
}

impl CampaignLog for Full<Arc<dyn CampaignLog>> {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        match self.error() {
            Some(error) => Box::pin(std::future::ready(Err(error))),
            None => self.inner.append(key, record),
        }
    }

    log_within!(inner: read keys request_name last);
}

impl NodeRows for Full<Arc<dyn NodeRows>> {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        match self.error() {
            Some(error) => Box::pin(std::future::ready(Err(error))),
            None => self.inner.put(campaign, location, attempt, rows),
        }
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        self.inner.rows(campaign, location)
    }
}

pub(super) type Lines = Arc<Mutex<Vec<(Timestamp, Notice)>>>;

pub(super) fn told_to(world: &World) -> (Notices, Lines) {
    let (lines, clock) = (Lines::default(), Arc::clone(&world.clock));
    let notes = Arc::clone(&lines);
    let notices = Notices::new(Arc::new(move |notice: &Notice| {
        notes.lock().unwrap().push((clock.now(), notice.clone()));
    }));
    (notices, lines)
}

/// The campaign's end and what was told, with a driver that `trouble` makes.
fn run(
    world: &World,
    trouble: impl FnOnce(Driver) -> Driver,
) -> (Result<State, DriveError>, Vec<(Timestamp, Notice)>) {
    let (notices, lines) = told_to(world);
    let driver = trouble(Driver {
        notices,
        ..world.driver(1)
    });
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await?;
        driver.run(world.campaign()).await
    });
    let lines = lines.lock().unwrap().clone();
    (state, lines)
}

/// Sees that trouble which began at `from` was told in time, in `words`, seldom, and to its end.
pub(super) fn assert_told(told: &[(Timestamp, Notice)], from: Timestamp, words: &[&str]) {
    let (first, line) = told.first().expect("something is told");
    assert!(
        *first <= from + SILENT_FOR,
        "{first} is later than ten seconds after {from}"
    );
    let line = line.to_string();
    for words in words {
        assert!(line.contains(words), "{words}: {line}");
    }
    assert!(told.len() <= 9, "no repeated spam: {told:?}");
    let last = &told.last().unwrap().1;
    assert!(matches!(last, Notice::Over { .. }), "{last:?}");
}

#[test]
fn nothing_more_is_told_of_what_nobody_tries_any_more() {
    for is_disk in [true, false] {
        let world = world();
        let from = world.clock.now() + SignedDuration::from_secs(30);
        let (notices, lines) = told_to(&world);
        let mut driver = Driver {
            notices: notices.clone(),
            ..world.driver(1)
        };
        match is_disk {
            true => {
                driver.log = Arc::new(Full {
                    inner: driver.log.clone(),
                    clock: world.clock.clone(),
                    from,
                });
            }
            false => *world.aws.throttled.lock().unwrap() = Some((from, from + OUTAGE)),
        }
        let mut run = ByHand::new(async {
            driver.begin(world.campaign(), &world.plan).await?;
            driver.run(world.campaign()).await
        });
        while lines.lock().unwrap().is_empty() {
            assert!(!run.poll());
        }
        drop(run);
        world.clock.advance(SignedDuration::from_hours(1));
        notices.look(world.clock.now());
        let lines = lines.lock().unwrap();
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}

#[test]
fn a_disk_that_is_full_while_the_log_is_written_is_told_within_ten_seconds_and_so_is_its_end() {
    let world = world();
    let from = world.clock.now() + SignedDuration::from_secs(30);
    let (state, told) = run(&world, |driver| Driver {
        log: Arc::new(Full {
            inner: driver.log.clone(),
            clock: world.clock.clone(),
            from,
        }),
        ..driver
    });
    assert_eq!(state.unwrap().finished().unwrap().0, FinishedOutcome::Succeeded);
    // It is written when there is something to write.
    let since = told.iter().find_map(|(_, notice)| match notice {
        Notice::Trouble(trouble) => Some(trouble.since),
        _ => None,
    });
    let words = [
        "campaign's log",
        "No space left on device",
        "the next try is at",
        "it is tried until",
    ];
    assert_told(&told, since.unwrap(), &words);
}

#[test]
fn a_disk_that_is_full_while_results_are_kept_is_told_within_ten_seconds_and_so_is_its_end() {
    let world = world();
    let from = world.clock.now();
    let (state, told) = run(&world, |driver| Driver {
        rows: Arc::new(Full {
            inner: driver.rows.clone(),
            clock: world.clock.clone(),
            from,
        }),
        ..driver
    });
    assert_eq!(state.unwrap().finished().unwrap().0, FinishedOutcome::Succeeded);
    let Notice::Trouble(first) = &told[0].1 else {
        panic!("{told:?}")
    };
    let words = [
        "keeping the results of 111111111111/us-east-1",
        "No space left on device",
    ];
    assert_told(&told, first.since, &words);
}

#[test]
fn an_execution_that_cannot_be_read_is_told_within_ten_seconds_and_so_is_its_end() {
    let world = world();
    *world.aws.hidden.lock().unwrap() = OUTAGE;
    let from = world.clock.now();
    let (state, told) = run(&world, |driver| driver);
    assert_eq!(state.unwrap().finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_told(
        &told,
        from,
        &[
            "looking at the execution of unit 1",
            "no such execution",
            "it is tried until",
        ],
    );
}

#[test]
fn a_start_that_aws_puts_off_is_told_within_ten_seconds_and_so_is_its_end() {
    let world = world();
    let throttled: fn() -> PortError =
        || PortError::new(PortErrorKind::Throttled, "start").with_words("ThrottlingException: Rate exceeded");
    *world.aws.refusals.lock().unwrap() = vec![throttled; 12];
    let from = world.clock.now();
    let (state, told) = run(&world, |driver| driver);
    assert_eq!(state.unwrap().finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_told(
        &told,
        from,
        &[
            "starting unit 1",
            "Rate exceeded",
            "it is tried until 2026-03-02T04:00:0",
        ],
    );
}

#[test]
fn results_that_may_not_be_read_are_told_and_are_not_said_to_be_read_when_they_are_given_up() {
    let world = World::new(&[&[("us-east-1", Script::Sealed)]], 1, 0);
    let (state, told) = run(&world, |driver| driver);
    assert!(state.is_ok());
    let lines: Vec<String> = told.iter().map(|(_, notice)| notice.to_string()).collect();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(
        line.contains("reading the results of 111111111111/us-east-1"),
        "{line}"
    );
    assert!(
        line.contains("may not read") && line.contains("it is tried until"),
        "{line}"
    );
}

#[test]
fn a_campaign_without_trouble_tells_nothing() {
    let (state, told) = run(&world(), |driver| driver);
    assert!(state.is_ok());
    assert_eq!(told, []);
}

#[test]
fn a_call_without_an_answer_is_told_after_ten_seconds_by_whoever_watches() {
    let world = world();
    let (notices, lines) = told_to(&world);
    let driver = Driver {
        notices: notices.clone(),
        ..world.driver(1)
    };
    finish(driver.begin(world.campaign(), &world.plan)).unwrap();
    // The start is under way, and nobody answers.
    let mut drive = ByHand::new(driver.run(world.campaign()));
    while world.aws.starts.lock().unwrap().is_empty() {
        drive.poll();
    }
    for _ in 0..9 {
        world.clock.advance(SignedDuration::from_secs(1));
        notices.look(world.clock.now());
        assert!(lines.lock().unwrap().is_empty());
    }
    world.clock.advance(SignedDuration::from_secs(1));
    notices.look(world.clock.now());
    let line = lines.lock().unwrap()[0].1.to_string();
    assert!(
        line.starts_with("starting unit 1 has had no answer since"),
        "{line}"
    );
}
