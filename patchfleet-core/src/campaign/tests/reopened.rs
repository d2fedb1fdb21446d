//! A campaign that was over and is gone on with, while another of its name begins: one of them goes on.

use super::world::*;
use crate::campaign::{
    Appended, CampaignLog, DriveError, Driver, Event, LogKey, MemoryLog, Record, State, Turn,
};
use crate::id::{CampaignId, RequestName};
use crate::port::{BoxFuture, Clock as _, PortResult};
use jiff::SignedDuration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A campaign of three units, of which the first is at work.
fn at_work() -> Arc<World> {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let units = [
        [("us-east-1", well())],
        [("us-east-1", well())],
        [("us-east-1", well())],
    ];
    let units: Vec<&[(&str, Script)]> = units.iter().map(|unit| &unit[..]).collect();
    let world = World::new(&units, 1, 0);
    finish(async {
        let driver = world.driver(1);
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        let end = world.clock.now() + SignedDuration::from_secs(8);
        while world.clock.now() < end {
            if let Turn::Wait(at) = drive.step().await.unwrap() {
                world.clock.sleep_until(at).await;
            }
        }
    });
    Arc::new(world)
}

/// Somebody cancels the first unit, and the campaign ends. The others are left out.
fn cancel(world: &World) {
    world.aws.cancel_in(&world.plan.locations[0].location());
    world.aws.cancel();
    let state = finish(world.driver(1).run(world.campaign())).unwrap();
    assert!(state.finished().is_some());
    assert_eq!(world.executions().len(), 1);
}

fn cancelled() -> Arc<World> {
    let world = at_work();
    cancel(&world);
    world
}

/// A log in which something happens right before a record is appended.
struct Before {
    log: Arc<MemoryLog>,
    record: fn(&LogKey, &Record) -> bool,
    happens: Box<dyn Fn() + Send + Sync>,
    happened: AtomicBool,
}

impl CampaignLog for Before {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        if (self.record)(key, record) && !self.happened.swap(true, Ordering::Relaxed) {
            (self.happens)();
        }
        self.log.append(key, record)
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        self.log.read(key, from)
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.log.keys()
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.log.request_name(campaign)
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.log.last(key)
    }
}

/// A driver before whose first such record something happens.
fn disturbed(
    world: &Arc<World>,
    writer: u128,
    record: fn(&LogKey, &Record) -> bool,
    happens: impl Fn() + Send + Sync + 'static,
) -> Driver {
    let mut driver = world.driver(writer);
    driver.log = Arc::new(Before {
        log: Arc::clone(&world.log),
        record,
        happens: Box::new(happens),
        happened: AtomicBool::new(false),
    });
    driver
}

fn is_plan(key: &LogKey, record: &Record) -> bool {
    matches!(key, LogKey::Campaign(_)) && record.seq == 0
}

fn is_claim(key: &LogKey, _: &Record) -> bool {
    matches!(key, LogKey::Name(_))
}

fn goes_on(_: &LogKey, record: &Record) -> bool {
    record
        .events
        .iter()
        .any(|event| matches!(event, Event::GoneOn { .. }))
}

#[track_caller]
fn assert_taken<T: std::fmt::Debug>(began: Result<T, DriveError>, by: CampaignId) {
    assert!(
        matches!(&began, Err(DriveError::NameTaken { open, .. }) if *open == by),
        "{began:?}"
    );
}

fn executions_after(world: &World, went_on: Result<State, DriveError>) -> usize {
    went_on.unwrap();
    world.executions().len()
}

#[test]
fn a_campaign_that_found_the_name_free_does_not_begin_beside_one_that_was_gone_on_with_since() {
    for record in [is_plan as fn(&LogKey, &Record) -> bool, is_claim] {
        let world = cancelled();
        let other = world.campaign_of("the next event");
        let inner = Arc::clone(&world);
        let late = disturbed(&world, 2, record, move || {
            let person = inner.driver(3);
            finish(async {
                person.go_on(inner.campaign(), "somebody").await.unwrap();
                let mut drive = person.open(inner.campaign()).await.unwrap();
                while inner.executions().len() < 2 {
                    drive.step().await.unwrap();
                }
            });
        });
        assert_taken(finish(late.begin(other, &world.plan)), world.campaign());
        // The one that was gone on with ends, and then the name is free.
        let ended = finish(world.driver(4).run(world.campaign()));
        assert_eq!(executions_after(&world, ended), 3);
        finish(world.driver(5).begin(other, &world.plan)).unwrap();
    }
}

#[test]
fn nobody_goes_on_with_a_campaign_beside_a_younger_one_of_its_name_whose_claim_came_first() {
    let world = cancelled();
    let other = world.campaign_of("the next event");
    let inner = Arc::clone(&world);
    let late = disturbed(&world, 2, is_claim, move || {
        finish(inner.driver(3).begin(other, &inner.plan)).unwrap();
    });
    assert_taken(finish(late.go_on(world.campaign(), "somebody")), other);
    let said = world.records();
    assert!(
        !said
            .iter()
            .any(|record| goes_on(&LogKey::Campaign(other), record))
    );
}

/// Another campaign of the name begins between the claim of one that is gone on with and the record that opens that one
/// again.
fn both_open(world: &Arc<World>) -> CampaignId {
    let other = world.campaign_of("the next event");
    let inner = Arc::clone(world);
    let person = disturbed(world, 2, goes_on, move || {
        finish(inner.driver(3).begin(other, &inner.plan)).unwrap();
    });
    finish(person.go_on(world.campaign(), "somebody")).unwrap();
    other
}

#[test]
fn of_two_campaigns_of_a_name_that_are_open_the_one_with_the_last_claim_goes_first() {
    let world = cancelled();
    let other = both_open(&world);
    assert_taken(finish(world.driver(4).run(world.campaign())), other);
    assert_eq!(world.executions().len(), 1);
    let ended = finish(world.driver(5).run(other));
    assert_eq!(executions_after(&world, ended), 4);
    let ended = finish(world.driver(4).run(world.campaign()));
    assert_eq!(executions_after(&world, ended), 6);
}

#[test]
fn a_driver_that_slept_while_its_campaign_ended_and_was_opened_again_sees_that_another_has_the_name() {
    let world = at_work();
    let slept = world.driver(6);
    let mut drive = finish(slept.open(world.campaign())).unwrap();
    cancel(&world);
    let other = both_open(&world);
    let ended = finish(async {
        loop {
            if let Turn::Done(outcome) = drive.step().await? {
                return Ok(outcome);
            }
        }
    });
    assert_taken(ended, other);
    assert_eq!(world.executions().len(), 1);
}
