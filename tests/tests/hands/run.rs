//! A draft that is planned and driven, by drivers that die, while others act; and the truth about
//! the world afterwards.

use crate::draft::Draft;
use jiff::Timestamp;
use patchfleet_core::{
    campaign::{DriveError, State},
    id::WriterId,
    internals::{Driver, Turn},
    outcome::FinishedOutcome,
    plan::{Plan, PlanError},
    refusal::Refusal,
    request::PatchRequest,
};
use patchfleet_sim::{ClockMode, SimClock, world::World};
use patchfleet_tests::{Campaign, Ended, in_memory, plan};
use serde_json::Value;
use std::collections::BTreeMap;

/// A campaign that has not come to rest by then hangs.
const LONGEST_DAYS: i64 = 20;
/// So has one that takes more turns than this.
const MOST_TURNS: usize = 200_000;
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
    pub(crate) fn of(draft: &Draft) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Self::go(draft))
    }

    async fn go(draft: &Draft) -> Self {
        let request = PatchRequest::from_value(draft.request()).unwrap();
        let clock = SimClock::new(World::parse(&draft.world()).unwrap(), ClockMode::Jump);
        let ports = in_memory(&clock, &request.access).unwrap();
        let state = || clock.with_world(|world| world.state());
        let before = state();
        let (planned, result) = match plan(&ports, &request).await {
            Ok(plan) => {
                let planned = state();
                let idle = jiff::SignedDuration::from_secs(draft.idle.into());
                ports.clock.sleep_until(ports.clock.now() + idle).await;
                let campaign = Campaign::begin(&ports, plan.clone()).await.unwrap();
                let (mut state, mut ending) = drive(draft, &campaign).await;
                let mut gone_on = vec![];
                while draft.goes_on
                    && state
                        .finished()
                        .is_some_and(|(how, _)| how == FinishedOutcome::Halted)
                    && gone_on.len() < MOST_WORDS
                    && campaign.driver.go_on(campaign.id, "somebody").await.is_ok()
                {
                    gone_on.push(ports.clock.now());
                    (state, ending) = drive(draft, &campaign).await;
                }
                let ended = campaign.account(&state).await.unwrap();
                let done = Done {
                    plan,
                    ended,
                    ending,
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

    /// The executions that were started in the central account.
    pub(crate) fn parents(&self) -> impl Iterator<Item = &Value> {
        let executions = self.after["executions"].as_array().unwrap().iter();
        executions.filter(|one| one["parent"].is_null())
    }
}

/// Drives the campaign to its end. The driver dies after so many turns, as often as the draft says,
/// and another one goes on.
async fn drive(draft: &Draft, campaign: &Campaign) -> (State, Ending) {
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
        let life = deaths.next().unwrap_or(MOST_TURNS);
        for _ in 0..life {
            match drive.step().await {
                Ok(Turn::Done(_)) => return (drive.into_state(), Ending::Finished),
                Ok(Turn::Acted) => {}
                Ok(Turn::Wait(at)) => driver.clock.sleep_until(at).await,
                Err(error) => return (drive.into_state(), Ending::Open(error)),
            }
            let passed = driver.clock.now().duration_since(begun);
            assert!(
                passed.as_hours() < 24 * LONGEST_DAYS,
                "the campaign hangs: {draft:?}"
            );
        }
        assert!(
            life < MOST_TURNS,
            "the campaign hangs: {MOST_TURNS} turns of {draft:?}"
        );
    }
}
