//! Names of patches that are late, and names that are kept late: nothing waits for them for long, and nothing is lost for them.

use super::patch_names::{asked, ids, outcomes, own_snapshot, place, rows, short, unread, with};
use super::world::*;
use crate::campaign::{Driver, Event, NodeRows, Progress};
use crate::id::{CampaignId, Location};
use crate::outcome::{LocationOutcome, NamesUnreadReason, NodeOutcome, NodeRow};
use crate::port::{BoxFuture, Clock, PortError, PortErrorKind, PortResult};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A clock of several sleepers, which goes on only once nothing has happened for some time, and then to the first of them.
#[derive(Default)]
struct Orderly {
    clock: Option<Arc<FakeClock>>,
    asleep: Mutex<BTreeMap<Timestamp, u32>>,
}

/// Somebody who sleeps until then, while he does.
struct Asleep<'c>(&'c Orderly, Timestamp);

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        let mut asleep = self.0.asleep.lock().unwrap();
        let count = asleep.get_mut(&self.1).unwrap();
        *count -= 1;
        if *count == 0 {
            asleep.remove(&self.1);
        }
    }
}

impl Orderly {
    fn of(world: &World) -> Arc<dyn Clock> {
        Arc::new(Self {
            clock: Some(world.clock.clone()),
            ..Self::default()
        })
    }

    fn clock(&self) -> &FakeClock {
        self.clock.as_ref().unwrap()
    }
}

impl Clock for Orderly {
    fn now(&self) -> Timestamp {
        self.clock().now()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            *self.asleep.lock().unwrap().entry(at).or_default() += 1;
            let asleep = Asleep(self, at);
            let (mut turns, mut seen_at) = (0, self.now());
            while self.now() < at {
                give_way().await;
                turns += 1;
                if std::mem::replace(&mut seen_at, self.now()) != seen_at {
                    turns = 0;
                }
                let is_first = self.asleep.lock().unwrap().keys().next() == Some(&at);
                if turns > 200 && is_first {
                    self.clock().sleep_until(at).await;
                }
            }
            drop(asleep);
        })
    }
}

/// A driver whose clock goes on in order.
pub(super) fn orderly(world: &World, writer: u128) -> Driver {
    Driver {
        clock: Orderly::of(world),
        ..world.driver(writer)
    }
}

/// When the location settled.
fn settled_at(world: &World) -> Timestamp {
    let records = world.records();
    let is_it = |event: &Event| matches!(event, Event::LocationSettled { .. });
    let record = records.iter().find(|record| record.events.iter().any(is_it));
    record.unwrap().at
}

#[test]
fn a_location_settles_at_most_ten_seconds_later_for_names_that_are_slow_or_never_come() {
    let nodes = || vec![short(1, 1, 0, None), short(2, 2, 0, None), short(3, 0, 1, None)];
    let run = |takes: SignedDuration, states_hang: bool| {
        let world = with(nodes());
        *world.aws.names_take.lock().unwrap() = takes;
        *world.aws.states_hang.lock().unwrap() = states_hang;
        let driver = orderly(&world, 1);
        let state = finish(async {
            driver.begin(world.campaign(), &world.plan).await.unwrap();
            driver.run(world.campaign()).await.unwrap()
        });
        let came_to = outcomes(&state, rows(&world));
        (settled_at(&world), came_to, state.finished().unwrap().0, world)
    };
    let (at_once, as_usual, verdict, world) = run(SignedDuration::ZERO, false);
    assert_eq!(ids(&rows(&world)[1]), ["KB1000", "KB1001"]);
    for (takes, hang, named) in [
        (SignedDuration::from_secs(2), false, true),
        (SignedDuration::from_secs(12), false, false),
        (SignedDuration::MAX, false, false),
        (SignedDuration::ZERO, true, false),
    ] {
        let (at, came_to, how, world) = run(takes, hang);
        let late = at.duration_since(at_once);
        assert!(late <= SignedDuration::from_secs(10), "{takes}: {late}");
        assert!(late > SignedDuration::from_secs(3), "{takes}: {late}");
        assert_eq!((came_to, how), (as_usual.clone(), verdict), "{takes}");
        let reason = (!named).then_some(NamesUnreadReason::NotRead);
        assert!(rows(&world).iter().all(|row| unread(row) == reason), "{takes}");
    }
}

#[test]
fn a_location_settles_in_short_drives_although_no_name_ever_comes() {
    for seconds in [2, 5, 50] {
        let world = with(vec![short(1, 1, 0, None)]);
        *world.aws.names_take.lock().unwrap() = SignedDuration::MAX;
        killed_once(&world, |world| !world.executions().is_empty());
        let mut outcome = None;
        for writer in 2..200 {
            let driver = orderly(&world, writer);
            let until = world.clock.now() + SignedDuration::from_secs(seconds);
            let progress = finish(driver.run_until(world.campaign(), until)).unwrap();
            let over = world.clock.now().duration_since(until);
            assert!(over <= SignedDuration::from_secs(1), "{seconds}: {over}");
            match progress {
                Progress::Finished(state) => {
                    outcome = Some(outcomes(&state, rows(&world)).0);
                    break;
                }
                Progress::Paused { wake_at, .. } => finish(world.clock.sleep_until(wake_at)),
            }
        }
        assert_eq!(outcome, Some(Some(LocationOutcome::NodesFailed)), "{seconds}");
        assert_eq!(unread(&rows(&world)[0]), Some(NamesUnreadReason::NotRead));
    }
}

/// A clock that goes on by some time whenever it is looked at.
struct Running(Arc<FakeClock>);

impl Clock for Running {
    fn now(&self) -> Timestamp {
        self.0.advance(SignedDuration::from_millis(30));
        self.0.now()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        self.0.sleep_until(at)
    }
}

#[test]
fn names_are_asked_for_also_where_what_is_late_never_comes_and_the_time_for_it_ends_in_a_call() {
    for late in 0..30 {
        let never = Node {
            late: SignedDuration::from_hours(9),
            ..Node::well(2)
        };
        let world = with(vec![short(1, 2, 0, None), never]);
        world.clock.advance(SignedDuration::from_millis(97 * late));
        let driver = Driver {
            clock: Arc::new(Running(world.clock.clone())),
            ..world.driver(1)
        };
        finish(async {
            driver.begin(world.campaign(), &world.plan).await.unwrap();
            driver.run(world.campaign()).await.unwrap()
        });
        assert_eq!(ids(&rows(&world)[0]), ["KB1000", "KB1001"], "{late}");
    }
}

/// Locations with a failed node each, whose names nobody could read.
fn nameless(locations: u32) -> World {
    let regions: Vec<String> = (1..=locations).map(|n| format!("us-east-{n}")).collect();
    let nodes = || Script::Nodes(vec![short(1, 2, 0, Some(own_snapshot()))]);
    let unit: Vec<(&str, Script)> = regions.iter().map(|region| (region.as_str(), nodes())).collect();
    let world = World::new(&[&unit], locations, locations + 1);
    *world.aws.names_fail.lock().unwrap() = Some(PortErrorKind::Denied);
    world.run();
    *world.aws.names_fail.lock().unwrap() = None;
    world.aws.names_asked.lock().unwrap().clear();
    world
}

#[test]
fn collect_asks_for_names_for_a_minute_at_most_and_fails_for_none() {
    for states_hang in [false, true] {
        let world = nameless(80);
        *world.aws.names_take.lock().unwrap() = SignedDuration::MAX;
        *world.aws.states_hang.lock().unwrap() = states_hang;
        let (began, records) = (world.clock.now(), world.records().len());
        finish(orderly(&world, 2).collect_again(world.campaign())).unwrap();
        let took = world.clock.now().duration_since(began);
        assert!(took <= SignedDuration::from_secs(60), "{took}");
        assert!(took > SignedDuration::from_secs(50), "{took}");
        assert_eq!(world.records().len(), records);
        assert!(ids(&rows(&world)[0]).is_empty());
    }
}

/// Each call for names takes three seconds, so the first nodes of a location take most of its time.
#[test]
fn collect_asks_for_the_names_of_all_nodes_and_goes_on_where_it_had_no_time_for_more() {
    let own = own_snapshot();
    let mut world = with((1..=95).map(|n| short(n, 1, 0, Some(own))).collect());
    world.plan.request.budget.nodes.max_errors = "100%".parse().unwrap();
    world.agree();
    world.run();
    let named = || rows(&world).iter().filter(|row| !ids(row).is_empty()).count();
    assert_eq!(named(), 10);
    assert_eq!(unread(&rows(&world)[94]), Some(NamesUnreadReason::TooManyNodes));
    *world.aws.names_take.lock().unwrap() = SignedDuration::from_secs(3);
    let (began, mut before, mut times) = (world.clock.now(), named(), 0);
    while named() < 95 {
        finish(orderly(&world, 2).collect_again(world.campaign())).unwrap();
        assert!(named() > before, "nothing comes of it: {before}");
        (before, times) = (named(), times + 1);
    }
    assert_eq!(times, 2);
    assert!(world.clock.now().duration_since(began) <= SignedDuration::from_secs(120));
    let mut all: Vec<_> = asked(&world).into_iter().map(|(node, _)| node).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 95);
}

/// Rows that cannot be kept, or not even be read.
struct Broken {
    inner: Arc<dyn NodeRows>,
    reads: bool,
}

impl NodeRows for Broken {
    fn put(&self, _: CampaignId, _: &Location, _: u32, _: Vec<NodeRow>) -> BoxFuture<'_, PortResult<()>> {
        Box::pin(async { Err(PortError::new(PortErrorKind::Other, "the disk is full")) })
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        match self.reads {
            true => self.inner.rows(campaign, location),
            false => Box::pin(async { Err(PortError::new(PortErrorKind::Other, "the disk is gone")) }),
        }
    }
}

#[test]
fn collect_does_not_fail_where_names_cannot_be_kept() {
    for reads in [true, false] {
        let world = nameless(2);
        let before = rows(&world);
        let driver = world.driver(2);
        let driver = Driver {
            rows: Arc::new(Broken {
                inner: driver.rows.clone(),
                reads,
            }),
            ..driver
        };
        let found = finish(driver.collect_again(world.campaign())).unwrap();
        // Nobody has seen whether all rows are there, in neither location.
        let unseen = if reads { 0 } else { 2 };
        assert_eq!((found.read, found.unread.len()), (0, unseen));
        assert_eq!(rows(&world), before);
    }
}

#[test]
fn names_are_kept_in_no_row_that_says_something_else_by_then() {
    let world = nameless(1);
    let driver = world.driver(2);
    let mut collect = ByHand::new(driver.collect_again(world.campaign()));
    collect.until(|| !asked(&world).is_empty());
    let mut other = rows(&world);
    other[0].outcome = NodeOutcome::Done;
    other[0].patches = None;
    finish(world.rows.put(world.campaign(), &place(), 1, other.clone())).unwrap();
    collect.end().unwrap();
    assert_eq!(rows(&world), other);
}

#[test]
fn names_are_not_kept_once_a_person_has_the_campaign_go_on() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let fails = Script::Nodes(vec![short(1, 2, 0, Some(own_snapshot()))]);
    let units = [
        [("us-east-1", fails)],
        [("us-east-1", well())],
        [("us-east-1", well())],
    ];
    let units: Vec<&[(&str, Script)]> = units.iter().map(|unit| &unit[..]).collect();
    let world = World::new(&units, 1, 5);
    *world.aws.names_fail.lock().unwrap() = Some(PortErrorKind::Denied);
    let mut first = ByHand::new(whole_life(&world, 1));
    first.until(|| world.executions().len() == 2);
    world.aws.cancel();
    first.end().unwrap();
    assert_eq!(world.executions().len(), 2);
    let before = rows(&world);
    *world.aws.names_fail.lock().unwrap() = None;
    world.aws.names_asked.lock().unwrap().clear();
    let driver = world.driver(2);
    let mut collect = ByHand::new(driver.collect_again(world.campaign()));
    collect.until(|| !asked(&world).is_empty());
    // It takes no time.
    let person = Driver {
        clock: Arc::new(FakeClock(Mutex::new(world.clock.now()))),
        ..world.driver(3)
    };
    finish(person.go_on(world.campaign(), "a person")).unwrap();
    let state = collect.end().unwrap().state;
    assert!(state.finished().is_none());
    assert_eq!(rows(&world), before);
}
