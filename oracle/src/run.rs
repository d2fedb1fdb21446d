//! A draft that is planned and driven, by drivers that die, while others act; and the truth about
//! the world afterwards.

use crate::bug::Bug;
use crate::campaign::{Campaign, Ended, in_memory, plan_until};
use crate::draft::{Death, Draft, Wave};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::{
    campaign::{DriveError, LogKey, Rule, State, StopMode},
    id::WriterId,
    internals::{Driver, Turn, fold},
    outcome::FinishedOutcome,
    plan::{Plan, PlanError},
    refusal::Refusal,
    request::PatchRequest,
};
use patchfleet_sim::{ClockMode, SimClock, world::World};
use serde_json::Value;
use std::collections::BTreeMap;
use std::task::Poll;

/// A campaign that has not come to rest by then hangs.
const LONGEST_DAYS: i64 = 20;
/// So has one that takes more turns than this.
const MOST_TURNS: usize = 200_000;
/// A person who may approve looks this often.
const LOOKS_EVERY: SignedDuration = SignedDuration::from_mins(7);
/// How often a person says to go on with one campaign, at most.
const MOST_WORDS: usize = 5;

/// A draft that was planned and, unless it was refused, driven.
pub(crate) struct Run {
    pub(crate) draft: Draft,
    /// The simulator's state before anything was asked, after planning, and at the end.
    pub(crate) before: Value,
    pub(crate) planned: Value,
    pub(crate) after: Value,
    pub(crate) result: Result<Done, Refusal>,
}

pub(crate) struct Done {
    pub(crate) plan: Plan,
    pub(crate) ended: Ended,
    pub(crate) ending: Ending,
    /// When a person approved of a wave, and of which.
    pub(crate) approved: Vec<(Timestamp, String)>,
    /// When a person had it stopped, because nobody would approve.
    pub(crate) stopped: Option<Timestamp>,
    /// How many drivers were killed.
    pub(crate) killed: usize,
    /// When a person said to go on.
    pub(crate) gone_on: Vec<Timestamp>,
}

/// How driving ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The campaign is over.
    Finished,
    /// The driver gave up; the campaign stays open.
    Open(DriveError),
}

impl Run {
    pub(crate) fn of(draft: &Draft, bug: Option<Bug>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Bug::planted(bug, || runtime.block_on(Self::go(draft, bug)))
    }

    async fn go(draft: &Draft, bug: Option<Bug>) -> Self {
        let request = PatchRequest::from_value(Bug::request(bug, draft)).unwrap();
        let mut world = World::parse(&draft.world()).unwrap();
        // Nobody looks at the calls.
        world.keep_requests(0);
        let clock = SimClock::new(world, ClockMode::Jump);
        let ports = in_memory(&clock, &request.access).unwrap();
        let state = || clock.with_world(|world| world.state());
        let before = state();
        let (planned, result) = match plan_until(&ports, &request, Bug::cutoff(bug, draft)).await {
            Ok(plan) => {
                let planned = state();
                let idle = SignedDuration::from_secs(draft.idle.into());
                ports.clock.sleep_until(ports.clock.now() + idle).await;
                let campaign = Campaign::begin(&ports, plan.clone()).await.unwrap();
                let mut people = People::default();
                let (mut state, mut ending) = drive(draft, &campaign, &mut people).await;
                while draft.goes_on
                    && state
                        .finished()
                        .is_some_and(|(how, _)| how == FinishedOutcome::Halted)
                    && people.gone_on.len() < MOST_WORDS
                    && campaign.driver.go_on(campaign.id, "somebody").await.is_ok()
                {
                    people.gone_on.push(ports.clock.now());
                    (state, ending) = drive(draft, &campaign, &mut people).await;
                }
                let ended = campaign.account(&state).await.unwrap();
                let People {
                    approved,
                    stopped,
                    killed,
                    gone_on,
                    ..
                } = people;
                let done = Done {
                    plan,
                    ended,
                    ending,
                    approved,
                    stopped,
                    killed,
                    gone_on,
                };
                (planned, Ok(done))
            }
            Err(PlanError::Refused(refusal)) => (state(), Err(refusal)),
            Err(PlanError::Port(error)) => panic!("{error}"),
        };
        Self {
            draft: draft.clone(),
            before,
            planned,
            after: state(),
            result,
        }
    }

    /// The nodes of the world at its end, by id.
    pub(crate) fn nodes(&self) -> BTreeMap<&str, &Value> {
        let nodes = self.after["nodes"].as_array().unwrap().iter();
        nodes.map(|node| (node["id"].as_str().unwrap(), node)).collect()
    }
}

/// What people and the oracle did to the campaign so far.
#[derive(Default)]
struct People {
    approved: Vec<(Timestamp, String)>,
    stopped: Option<Timestamp>,
    killed: usize,
    gone_on: Vec<Timestamp>,
    /// When the person who may approve looked last.
    looked: Option<Timestamp>,
}

impl People {
    /// A person who looks every now and then whether the campaign waits for somebody.
    async fn look(&mut self, draft: &Draft, campaign: &Campaign) {
        let driver = Driver {
            writer: WriterId::from_uuid(uuid::Uuid::from_u128(u128::MAX)),
            ..campaign.driver.clone()
        };
        let now = driver.clock.now();
        let asks = |wave: &Wave| wave.approval || wave.gate.is_some();
        let is_soon = self
            .looked
            .is_some_and(|looked| now.duration_since(looked) < LOOKS_EVERY);
        if is_soon || self.stopped.is_some() || !draft.wish.waves.iter().any(asks) {
            return;
        }
        self.looked = Some(now);
        if draft.wish.approves {
            // It is refused as long as nobody is waited for.
            if let Ok(wave) = driver.approve(campaign.id, None, "somebody").await {
                self.approved.push((now, wave));
            }
            return;
        }
        let key = LogKey::Campaign(campaign.id);
        let state = fold(&driver.log.read(&key, 0).await.unwrap()).unwrap();
        let mut holds = state.holds(now).into_iter();
        if holds.any(|hold| matches!(hold.rule, Rule::Gate | Rule::Approval)) {
            self.stopped = Some(now);
            let stopped = driver
                .stop(campaign.id, StopMode::LetCommandsRun, "somebody")
                .await;
            // It is in the log. What cannot be looked for may run on.
            let is_blind = matches!(stopped, Err(DriveError::Unsought { .. })) && draft.wish.sends_itself;
            assert!(is_blind || stopped.is_ok(), "{stopped:?}");
        }
    }
}

/// Polls the future so many times at most, and then drops it where it stands.
async fn polled<F: Future>(future: F, polls: &mut usize) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if *polls == 0 => Poll::Ready(None),
        Poll::Pending => {
            *polls -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Drives the campaign to its end. The driver dies as often as the draft says, and another one goes on.
async fn drive(draft: &Draft, campaign: &Campaign, people: &mut People) -> (State, Ending) {
    let begun = campaign.driver.clock.now();
    let mut deaths = draft.deaths.iter().copied();
    let mut writer = 0_u128;
    loop {
        writer += 1;
        let driver = Driver {
            writer: WriterId::from_uuid(uuid::Uuid::from_u128(writer)),
            ..campaign.driver.clone()
        };
        let mut drive = match driver.open(campaign.id).await {
            Ok(drive) => drive,
            Err(error) => panic!("{error}"),
        };
        let (life, mut polls) = match deaths.next() {
            Some(Death::Turns(turns)) => (turns, usize::MAX),
            Some(Death::Polls(polls)) => (MOST_TURNS, polls),
            None => (MOST_TURNS, usize::MAX),
        };
        let mut turns = 0;
        while turns < life {
            turns += 1;
            match polled(drive.step(), &mut polls).await {
                // In the middle of whatever it did.
                None => break,
                Some(Ok(Turn::Done(_))) => return (drive.into_state(), Ending::Finished),
                Some(Ok(Turn::Acted)) => {}
                Some(Ok(Turn::Wait(at))) => {
                    driver.clock.sleep_until(at).await;
                    people.look(draft, campaign).await;
                }
                Some(Err(error)) => return (drive.into_state(), Ending::Open(error)),
            }
            let passed = driver.clock.now().duration_since(begun);
            assert!(
                passed.as_hours() < 24 * LONGEST_DAYS,
                "the campaign hangs: {draft:?}"
            );
        }
        assert!(
            turns < MOST_TURNS,
            "the campaign hangs: {MOST_TURNS} turns of {draft:?}"
        );
        people.killed += 1;
    }
}
