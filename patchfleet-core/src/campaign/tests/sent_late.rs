//! A start is sent soon after the log took it, or not at all: another driver that sees it in the log waits for its tag
//! and then sends it itself, and AWS need not remember its client token.

use super::once::{assert_all_well, world};
use super::sent_again::assert_sent_once_by_two;
use super::unresolved::{aws_is, left_in};
use super::world::*;
use super::wrapped::{automation_within, log_within};
use crate::campaign::{Appended, CampaignLog, Driver, Event, LogKey, MemoryLog, Record};
use crate::id::{ClientToken, DocumentName, ExecutionId};
use crate::outcome::FinishedOutcome;
use crate::port::*;
use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// An AWS that has a start at the instant at which it is sent, and may take its time to say whether one is there.
struct AtOnce {
    aws: Arc<FakeAws>,
    /// How long each of the next looks takes.
    finds_take: Mutex<Vec<SignedDuration>>,
}

impl AtOnce {
    fn of(world: &World) -> Arc<Self> {
        Arc::new(Self {
            aws: Arc::clone(&world.aws),
            finds_take: Mutex::default(),
        })
    }
}

impl Automation for AtOnce {
    fn start(
        &self,
        request: &StartRequest,
        token: ClientToken,
        not_after: Timestamp,
    ) -> BoxFuture<'_, PortResult<ExecutionId>> {
        let request = request.clone();
        async move {
            // A driver whose process stands still is not between its look at the clock and the call.
            let started = finish(self.aws.start(&request, token, not_after));
            give_way().await;
            started
        }
        .boxed()
    }

    fn find(
        &self,
        document: &DocumentName,
        tag_key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        let found = self.aws.find(document, tag_key, page);
        async move {
            let found = found.await;
            let takes = self.finds_take.lock().unwrap().pop();
            self.aws.clock.advance(takes.unwrap_or_default());
            found
        }
        .boxed()
    }

    automation_within!(aws: execution steps child children stop stop_child);
}

/// An AWS that shows a tag after a minute and remembers no client token.
fn forgetful(mut world: World) -> World {
    aws_is(&mut world, 60, 0);
    world
}

#[test]
fn two_who_send_it_again_at_once_start_it_once_although_no_token_is_remembered() {
    proptest!(ProptestConfig::with_cases(100), |(turns in prop::collection::vec((any::<bool>(), 1_usize..9), 0..80))| {
        let world = unresolved();
        let aws = AtOnce::of(&world);
        let drivers = [3, 4].map(|writer| Driver { automation: aws.clone(), ..world.driver(writer) });
        assert_sent_once_by_two(&world, drivers, turns);
    });
}

/// Two units, of which the first is unresolved and was never sent.
fn unresolved() -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let units: [&[(&str, Script)]; 2] = [&[("us-east-1", well())], &[("us-east-1", well())]];
    left_in(forgetful(World::new(&units, 2, 0))).0
}

/// A log that has taken the first start, and says so only when it is let go.
struct Late {
    log: Arc<MemoryLog>,
    may_answer: Arc<AtomicBool>,
}

impl CampaignLog for Late {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        let is_start = |event: &Event| matches!(event, Event::StartIntended { .. });
        let is_late = record.events.iter().any(is_start);
        let appended = self.log.append(key, record);
        async move {
            let appended = appended.await;
            while is_late && !self.may_answer.load(Ordering::Relaxed) {
                give_way().await;
            }
            appended
        }
        .boxed()
    }

    log_within!(log: read keys request_name last);
}

#[test]
fn a_start_that_another_driver_has_sent_while_the_log_did_not_answer_is_not_sent_too() {
    let world = forgetful(world());
    let aws = AtOnce::of(&world);
    let may_answer = Arc::new(AtomicBool::new(false));
    let one = Driver {
        automation: aws.clone(),
        log: Arc::new(Late {
            log: Arc::clone(&world.log),
            may_answer: Arc::clone(&may_answer),
        }),
        ..world.driver(1)
    };
    let two = Driver {
        automation: aws,
        ..world.driver(2)
    };
    let mut first = ByHand::new(async {
        one.begin(world.campaign(), &world.plan).await.unwrap();
        one.run(world.campaign()).await.unwrap()
    });
    first.until(|| is_intended(&world));
    // Another driver waits for two minutes and sends it. Its execution has no tag yet that AWS shows.
    let mut second = ByHand::new(async { two.run(world.campaign()).await.unwrap() });
    second.until(|| !world.executions().is_empty());
    may_answer.store(true, Ordering::Relaxed);
    let (state, _) = both_ends(first, second);
    assert_all_well(&world, &state, "the log answered after three minutes");
}

#[test]
fn a_start_whose_look_takes_long_is_made_anew_for_the_time_that_is_left() {
    let mut world = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
    let cutoff = world.clock.now() + SignedDuration::from_secs(21_600 + 360 + 1_800);
    world.cut_off(cutoff);
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    let aws = AtOnce::of(&world);
    aws.finds_take.lock().unwrap().push(SignedDuration::from_mins(7));
    let driver = Driver {
        automation: aws.clone(),
        ..world.driver(2)
    };
    let state = finish(driver.run(world.campaign())).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let executions = world.executions();
    assert_eq!(executions.len(), 1);
    let execution = &executions[0];
    let timeout: i64 = execution.request.parameters["TimeoutSeconds"][0].parse().unwrap();
    let end = execution.started_at + SignedDuration::from_secs(timeout + 21_600);
    assert!(
        end < cutoff,
        "begun at {}, it lives until {end}",
        execution.started_at
    );
    let intents = world
        .events()
        .iter()
        .filter(|event| matches!(event, Event::StartIntended { .. }))
        .count();
    assert_eq!(intents, 2, "what was intended before the look was not sent");
}
