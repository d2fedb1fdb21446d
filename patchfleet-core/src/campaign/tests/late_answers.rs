//! An answer that comes so late that the unit is begun again meanwhile.

use super::world::*;
use super::wrapped::automation_within;
use crate::campaign::{Driver, Event};
use crate::id::{ExecutionId, NodeId, UnitId};
use crate::outcome::FinishedOutcome;
use crate::port::*;
use crate::request::Selector;
use futures_util::FutureExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An AWS that tells of the first execution only long after another one was started in its account.
struct Late {
    aws: Arc<FakeAws>,
    has_told: AtomicBool,
}

impl Late {
    fn starts_in_the_first_account(&self) -> usize {
        let executions = self.aws.executions.lock().unwrap();
        let accounts = |one: &Execution| one.request.target_location().accounts.clone();
        let first = executions.first().map(accounts);
        executions
            .iter()
            .filter(|one| Some(accounts(one)) == first)
            .count()
    }
}

impl Automation for Late {
    fn execution(&self, id: &ExecutionId) -> BoxFuture<'_, PortResult<ExecutionView>> {
        let id = id.clone();
        async move {
            let first = self
                .aws
                .executions
                .lock()
                .unwrap()
                .first()
                .map(|one| one.id.clone());
            if first.as_ref() == Some(&id) && !self.has_told.swap(true, Ordering::Relaxed) {
                let mut turns = 0;
                while turns < 200 {
                    give_way().await;
                    turns += usize::from(self.starts_in_the_first_account() > 1);
                }
            }
            self.aws.execution(&id).await
        }
        .boxed()
    }

    automation_within!(aws: start find steps child children stop stop_child);
}

/// Two units in two accounts that name their nodes. A node of the first one is stopped, so Run Command refuses its
/// first command whole.
pub(in crate::campaign) fn world() -> World {
    let nodes = |ids: &[u32]| Script::Nodes(ids.iter().copied().map(Node::well).collect());
    let units: [&[(&str, Script)]; 2] = [&[("us-east-1", nodes(&[1, 2]))], &[("us-east-1", nodes(&[3]))]];
    let mut world = World::new(&units, 2, 2);
    let ids: Vec<NodeId> = (1..=3).map(|n| Node::well(n).id).collect();
    let (one, other) = (world.template(), world.template());
    world.add_naming(one, &ids[..2]);
    world.add_naming(other, &ids[2..]);
    world.plan.request.targets.selector = Selector::NodeIds(ids.clone());
    world.agree();
    world.aws.stopped.lock().unwrap().insert(ids[1].clone());
    world
}

/// Whether the first unit was begun once more, by the log.
pub(in crate::campaign) fn is_begun_again(world: &World) -> bool {
    let events = world.events();
    let again = events
        .iter()
        .position(|event| matches!(event, Event::CommandNotSent { .. }));
    let started =
        |event: &Event| matches!(event, Event::Started { unit, .. } if *unit == UnitId::from_index(0));
    again.is_some_and(|again| events[again..].iter().any(started))
}

#[test]
fn what_is_told_late_of_an_earlier_attempt_is_not_taken_for_the_one_that_runs() {
    let world = world();
    let late = Arc::new(Late {
        aws: Arc::clone(&world.aws),
        has_told: AtomicBool::new(false),
    });
    let one = Driver {
        automation: late.clone(),
        ..world.driver(1)
    };
    let two = world.driver(2);
    let mut first = ByHand::new(async {
        one.begin(world.campaign(), &world.plan).await.unwrap();
        one.run(world.campaign()).await.unwrap()
    });
    // The first driver asks, and has no answer. Another one sees the refusal and begins the unit again.
    let mut second = ByHand::new(async {
        while !late.has_told.load(Ordering::Relaxed) {
            give_way().await;
        }
        two.run(world.campaign()).await
    });
    second.until(|| {
        assert!(!first.poll());
        is_begun_again(&world)
    });
    drop(second);
    assert_eq!(late.starts_in_the_first_account(), 2);
    let state = first.end();
    // The first attempt has failed, and the one that counts is well.
    let events = world.events();
    let again = events
        .iter()
        .position(|event| matches!(event, Event::CommandNotSent { .. }));
    for event in &events[again.unwrap()..] {
        if let Event::LocationObserved { unit, status, .. } = event {
            assert_ne!((*unit, status), (UnitId::from_index(0), &ExecutionStatus::Failed));
        }
    }
    let ended = Event::UnitEnded {
        unit: UnitId::from_index(0),
        status: ExecutionStatus::Success,
    };
    assert!(world.events().contains(&ended), "{:#?}", world.events());
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    assert_eq!(state.failed_locations(), 0);
}
