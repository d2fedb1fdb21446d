//! Whoever waits for a command hears within ten seconds that something does not work, and until when it is tried.

use super::trouble::{Full, OUTAGE, assert_told, told_to};
use super::world::*;
use super::{abandon, again, late_starts, the_rest, unresolved};
use crate::campaign::decide::START_PATIENCE;
use crate::campaign::{
    Awaited, Driver, Event, NodeRows, Notice, RESEND_WITHIN, SILENT_FOR, TAGS_SEEN_WITHIN, Tried,
};
use crate::id::{CampaignId, Location, UnitId};
use crate::outcome::{FinishedOutcome, NodeRow};
use crate::port::{BoxFuture, Clock, PortError, PortErrorKind, PortResult};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// AWS throttles everything for a while from now on.
fn throttle(world: &World) -> Timestamp {
    let from = world.clock.now();
    *world.aws.throttled.lock().unwrap() = Some((from, from + OUTAGE));
    from
}

/// What is told while somebody does something and is watched, and what comes of it.
pub(super) fn heard<T>(world: &World, doing: impl AsyncFnOnce(Driver) -> T) -> (T, Vec<(Timestamp, Notice)>) {
    let (notices, lines) = told_to(world);
    let driver = Driver {
        notices: notices.clone(),
        ..world.driver(7)
    };
    let mut doing = ByHand::new(doing(driver));
    while !doing.poll() {
        notices.look(world.clock.now());
    }
    let lines = lines.lock().unwrap().clone();
    (doing.1.take().unwrap(), lines)
}

const WORDS: [&str; 3] = ["Rate exceeded", "the next try is at", "it is tried until"];

#[test]
fn a_wait_that_takes_a_little_longer_is_told_once_and_a_later_one_again() {
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
    let (notices, lines) = told_to(&world);
    let from = world.clock.now();
    let after = |seconds| from + SignedDuration::from_secs(seconds);
    for (now, until) in [(0, 120), (110, 125), (121, 136), (200, 320)] {
        notices.waits(Awaited::LostEnd, "", after(until), after(now));
    }
    let told: Vec<String> = lines
        .lock()
        .unwrap()
        .iter()
        .map(|(_, line)| line.to_string())
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with(
            "waiting until 2026-03-01T22:02:00Z: AWS may take until then to show whether more was started"
        ),
        "{told:?}"
    );
    assert!(
        told[1].starts_with("waiting until 2026-03-01T22:05:20Z"),
        "{told:?}"
    );
}

#[test]
fn nothing_more_is_told_to_a_person_who_waits_no_longer() {
    let (world, _) = unresolved::left(2, 0);
    throttle(&world);
    let units = BTreeSet::from([UnitId::from_index(0)]);
    let (notices, lines) = told_to(&world);
    let driver = Driver {
        notices: notices.clone(),
        ..world.driver(7)
    };
    let mut says = ByHand::new(driver.send_again(world.campaign(), &units, "ops"));
    while lines.lock().unwrap().is_empty() {
        assert!(!says.poll());
    }
    drop(says);
    world.clock.advance(SignedDuration::from_hours(1));
    notices.look(world.clock.now());
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn who_has_a_start_sent_again_hears_that_aws_throttles() {
    let (world, _) = unresolved::left(2, 0);
    let from = throttle(&world);
    let units = BTreeSet::from([UnitId::from_index(0)]);
    let (sent, told) = heard(&world, async |driver| {
        driver.send_again(world.campaign(), &units, "ops").await
    });
    assert_eq!(sent.unwrap().said.len(), 1);
    assert_told(&told, from, &WORDS);
    assert!(
        told[0].1.to_string().contains("the start of unit 1"),
        "{}",
        told[0].1
    );
}

#[test]
fn who_closes_a_campaign_hears_that_aws_throttles_and_that_it_waits_for_what_is_shown_late() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let world = abandon::forgotten(&[("us-east-1", well())]);
    let from = throttle(&world);
    let (closed, told) = heard(&world, async |driver| {
        driver.abandon(world.campaign(), "ops").await
    });
    assert_eq!(closed.unwrap().finished().unwrap().0, FinishedOutcome::Halted);
    assert_told(&told, from, &WORDS);
    // The second unit may have been begun, and the log have lost it. Two minutes are waited for that, once.
    let world = abandon::forgotten(&[("us-east-1", well())]);
    let now = world.clock.now();
    let (_, told) = heard(&world, async |driver| {
        driver.abandon(world.campaign(), "ops").await
    });
    let waits = Notice::Waits {
        what: Awaited::LostEnd,
        subject: String::new(),
        until: now + TAGS_SEEN_WITHIN,
    };
    assert_eq!(told, [(now, waits.clone())]);
    assert_eq!(
        waits.to_string(),
        "waiting until 2026-04-01T22:02:06Z: AWS may take until then to show whether more was started than the log says"
    );
}

#[test]
fn who_says_that_a_campaign_goes_on_hears_that_aws_throttles() {
    let world = the_rest::world();
    finish(the_rest::halted(&world, 1)).unwrap();
    let from = throttle(&world);
    let (said, told) = heard(&world, async |driver| driver.go_on(world.campaign(), "ops").await);
    said.unwrap();
    assert_told(&told, from, &WORDS);
    assert!(
        told[0].1.to_string().contains("the execution of unit 1"),
        "{}",
        told[0].1
    );
}

#[test]
fn who_has_results_read_again_hears_that_aws_throttles() {
    let (world, sealed) = again::over();
    again::unseal(&world, &sealed);
    let from = throttle(&world);
    let (read, told) = heard(&world, async |driver| {
        driver.collect_again(world.campaign()).await
    });
    assert_eq!(read.unwrap().read, 1);
    assert_told(&told, from, &WORDS);
    assert!(
        told[0]
            .1
            .to_string()
            .contains("the results of 111111111111/us-west-1"),
        "{}",
        told[0].1
    );
}

/// Kept rows that cannot be read for a while.
struct Unreadable {
    inner: Arc<dyn NodeRows>,
    clock: Arc<FakeClock>,
    until: Timestamp,
}

impl NodeRows for Unreadable {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        self.inner.put(campaign, location, attempt, rows)
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        if self.clock.now() < self.until {
            let error = PortError::new(PortErrorKind::Unavailable, "/logs/x: Stale file handle");
            return Box::pin(std::future::ready(Err(error)));
        }
        self.inner.rows(campaign, location)
    }
}

#[test]
fn who_has_results_read_again_hears_that_those_of_before_cannot_be_read() {
    let (world, sealed) = again::over();
    again::unseal(&world, &sealed);
    let from = world.clock.now();
    let (read, told) = heard(&world, async |driver| {
        let rows = Arc::new(Unreadable {
            inner: driver.rows.clone(),
            clock: world.clock.clone(),
            until: from + OUTAGE,
        });
        Driver { rows, ..driver }.collect_again(world.campaign()).await
    });
    assert_eq!(read.unwrap().read, 1);
    let words = [
        "reading the kept results of 111111111111/us-west-1",
        "Stale file handle",
        "it is tried until",
    ];
    assert_told(&told, from, &words);
}

#[test]
fn who_goes_on_with_a_start_that_has_no_answer_hears_at_once_until_when_it_is_looked_for() {
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
    // AWS took it, and the process died.
    killed_once(&world, |world| !world.executions().is_empty());
    *world.aws.hidden.lock().unwrap() = SignedDuration::from_secs(100);
    let from = world.clock.now();
    let (state, told) = heard(&world, async |driver| driver.run(world.campaign()).await);
    assert_eq!(state.unwrap().finished().unwrap().0, FinishedOutcome::Succeeded);
    let (at, line) = &told[0];
    assert!(*at <= from + SILENT_FOR, "{at}");
    assert_eq!(
        line.to_string(),
        "waiting until 2026-03-01T22:02:00Z: the start of unit 1 has no answer, and AWS may take until then to show whether it runs"
    );
    let waits = told
        .iter()
        .filter(|(_, notice)| matches!(notice, Notice::Waits { .. }));
    assert_eq!(waits.count(), 1, "told once: {told:?}");
}

#[test]
fn a_start_whose_answer_is_lost_is_told_with_when_it_is_looked_for_and_given_up() {
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
    let lost = || PortError::new(PortErrorKind::Unavailable, "no answer").maybe_sent();
    world.aws.refusals.lock().unwrap().push(lost);
    let (state, told) = heard(&world, async |driver| {
        driver.begin(world.campaign(), &world.plan).await?;
        driver.run(world.campaign()).await
    });
    assert_eq!(state.unwrap().finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(
        told[0].1.to_string(),
        "starting unit 1 has not worked since 2026-03-01T22:00:00Z (0s): no answer; the next try is at \
         2026-03-01T22:00:15Z, and it is tried until 2026-03-01T22:05:00Z"
    );
}

/// A clock that goes second by second.
struct Ticking(Arc<FakeClock>);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            while self.now() < at {
                let next = self.now() + SignedDuration::from_secs(1);
                self.0.sleep_until(next.min(at)).await;
            }
        })
    }
}

#[test]
fn while_results_cannot_be_kept_nobody_says_that_aws_does_not_answer_and_no_answer_is_lost() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let mut world = World::new(&[&[("us-east-1", well())], &[("us-west-1", well())]], 2, 0);
    world.one_place_each();
    let (one, other) = (
        world.plan.locations[0].location(),
        world.plan.locations[1].location(),
    );
    // The results of the one cannot be kept, and the other answers while that is tried again.
    let from = world.clock.now();
    let answers = from + SignedDuration::from_secs(250);
    let first = from + SignedDuration::from_secs(100);
    *world.aws.slow.lock().unwrap() = BTreeMap::from([(one.clone(), first), (other.clone(), answers)]);
    let (state, told) = heard(&world, async |driver| {
        let driver = Driver {
            clock: Arc::new(Ticking(world.clock.clone())),
            rows: Arc::new(Full {
                inner: driver.rows.clone(),
                clock: world.clock.clone(),
                from,
            }),
            ..driver
        };
        driver.begin(world.campaign(), &world.plan).await?;
        driver.run(world.campaign()).await
    });
    assert_eq!(state.unwrap().finished().unwrap().0, FinishedOutcome::Succeeded);
    let lines: Vec<String> = told.iter().map(|(at, notice)| format!("{at} {notice}")).collect();
    let blamed = told.iter().filter(|(at, notice)| {
        let aws = matches!(notice, Notice::Trouble(trouble) if trouble.what != Tried::Rows);
        aws && *at > answers + SignedDuration::from_secs(1)
    });
    assert_eq!(blamed.count(), 0, "{lines:#?}");
    let kept = format!("keeping the results of {one}");
    assert!(lines.iter().any(|line| line.contains(&kept)), "{lines:#?}");
    let settled: Vec<_> = world
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::LocationSettled { location, .. } => Some(location),
            _ => None,
        })
        .collect();
    assert_eq!(settled, [one, other], "each is settled once");
}

/// What was told of calls that fail or have no answer: what was tried, and until when it is.
fn troubles(told: &[(Timestamp, Notice)]) -> Vec<(Tried, Option<Timestamp>)> {
    let troubles = told.iter().filter_map(|(_, notice)| match notice {
        Notice::Trouble(trouble) => Some((trouble.what, trouble.until)),
        _ => None,
    });
    troubles.collect()
}

/// The time of the first intent of a start.
fn intended_at(world: &World) -> Timestamp {
    let is_intent = |event: &Event| matches!(event, Event::StartIntended { .. });
    let records = world.records();
    let first = records.iter().find(|record| record.events.iter().any(is_intent));
    first.unwrap().at
}

#[test]
fn of_a_start_whose_look_fails_it_is_told_that_it_is_looked_for_and_for_how_long() {
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    *world.aws.finds_fail.lock().unwrap() = Some(PortErrorKind::Denied);
    let (open, told) = heard(&world, async |driver| driver.run(world.campaign()).await);
    assert!(open.is_err());
    let troubles = troubles(&told);
    let until = Some(intended_at(&world) + START_PATIENCE);
    assert_eq!(troubles[0], (Tried::LookBefore, until));
    assert!(
        troubles.iter().all(|(what, _)| *what == Tried::LookBefore),
        "nothing was started: {troubles:?}"
    );
    let line = told[0].1.to_string();
    assert!(
        line.starts_with("looking whether unit 1 was begun before has not worked"),
        "{line}"
    );
}

fn throttled() -> PortError {
    PortError::new(PortErrorKind::Throttled, "Rate exceeded")
}

#[test]
fn a_start_that_may_have_been_sent_before_is_said_to_be_tried_as_long_as_aws_knows_its_token() {
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
    killed_once(&world, is_intended);
    world
        .aws
        .refusals
        .lock()
        .unwrap()
        .extend([throttled as fn() -> _; 40]);
    let (open, told) = heard(&world, async |driver| driver.run(world.campaign()).await);
    assert!(open.is_err(), "a person decides");
    let start: Vec<_> = troubles(&told)
        .into_iter()
        .filter(|(what, _)| *what == Tried::Start)
        .collect();
    let until = Some(intended_at(&world) + RESEND_WITHIN);
    assert!(
        !start.is_empty() && start.iter().all(|(_, tried)| *tried == until),
        "{start:?}"
    );
}

#[test]
fn a_start_that_is_put_off_is_said_to_be_tried_until_the_cutoff_and_no_longer() {
    let world = late_starts::with_cutoff(21_600 + 360 + 900);
    world
        .aws
        .refusals
        .lock()
        .unwrap()
        .extend([throttled as fn() -> _; 40]);
    finish(world.driver(7).begin(world.campaign(), &world.plan)).unwrap();
    let (_, told) = heard(&world, async |driver| driver.run(world.campaign()).await);
    let until = world.plan.lifetime.unwrap().begins_until();
    assert_eq!(troubles(&told)[0], (Tried::Start, until));
}
