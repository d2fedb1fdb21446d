//! A draft that is planned and run, and the truth about it afterwards.

use crate::draft::{Draft, Selector, Truth, id};
use patchfleet_core::plan::{Plan, PlanError};
use patchfleet_core::refusal::Refusal;
use patchfleet_sim::{ClockMode, SimClock, world::World};
use patchfleet_tests::{Campaign, Ended, in_memory, plan, request};
use serde_json::Value;
use std::collections::BTreeMap;

/// An account and a Region, as texts.
pub(crate) type Pair = (String, String);

/// A draft that was planned and, unless it was refused, run.
pub(crate) struct Run {
    pub(crate) draft: Draft,
    /// The simulator's state before anything was asked, after planning, and at the end.
    pub(crate) before: Value,
    pub(crate) planned: Value,
    pub(crate) after: Value,
    /// Operation and input of every call.
    pub(crate) calls: Vec<(String, Value)>,
    pub(crate) result: Result<Done, Refusal>,
}

pub(crate) struct Done {
    pub(crate) plan: Plan,
    pub(crate) ended: Ended,
}

impl Run {
    pub(crate) fn of(draft: &Draft) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Self::go(draft))
    }

    async fn go(draft: &Draft) -> Self {
        let request = request(&draft.request()).unwrap();
        let clock = SimClock::new(World::parse(&draft.world()).unwrap(), ClockMode::Jump);
        let ports = in_memory(&clock, &request.access).unwrap();
        let state = || clock.with_world(|world| world.state());
        let before = state();
        let (planned, result) = match plan(&ports, &request).await {
            Ok(plan) => {
                let planned = state();
                let campaign = Campaign::begin(&ports, plan.clone()).await.unwrap();
                let ended = campaign.run().await.unwrap();
                (planned, Ok(Done { plan, ended }))
            }
            Err(PlanError::Refused(refusal)) => (state(), Err(refusal)),
            Err(PlanError::Port(error)) => panic!("{error}"),
        };
        Self {
            draft: draft.clone(),
            before,
            planned,
            after: state(),
            calls: clock.with_world(|world| {
                let calls = world.requests().iter();
                calls
                    .map(|one| (one.operation.clone(), one.input.clone()))
                    .collect()
            }),
            result,
        }
    }

    /// What each candidate truly is.
    pub(crate) fn truths(&self) -> BTreeMap<Pair, Truth> {
        let candidates = self.draft.candidates().into_iter();
        candidates
            .map(|(index, region, truth)| ((id(index), region.to_owned()), truth))
            .collect()
    }

    /// The nodes that the request selects in a location, by the world at the end.
    pub(crate) fn selected(&self, pair: &Pair) -> BTreeMap<&str, &Value> {
        let nodes = self.after["nodes"].as_array().unwrap().iter();
        nodes
            .filter(|node| place(node) == *pair)
            .filter(|node| match self.draft.wish.selector {
                Selector::Group => node["groups"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|group| group == "Web"),
                Selector::Tags => node["tags"]["Env"] == "prod",
                Selector::AllManaged => node["managed"] == true,
            })
            .map(|node| (node["id"].as_str().unwrap(), node))
            .collect()
    }

    /// The executions that were started in the central account.
    pub(crate) fn parents(&self) -> Vec<&Value> {
        let executions = self.after["executions"].as_array().unwrap().iter();
        executions.filter(|one| one["parent"].is_null()).collect()
    }

    /// The nodes of a location to which a command was sent, or would have been.
    pub(crate) fn sent_to(&self, pair: &Pair) -> Vec<&str> {
        let commands = self.after["commands"].as_array().unwrap().iter();
        commands
            .filter(|command| place(command) == *pair)
            .flat_map(|command| command["invocations"].as_array().unwrap())
            .map(|one| one["node"].as_str().unwrap())
            .collect()
    }

    /// Whether it can be found out who is selected in a location.
    pub(crate) fn is_readable(&self, pair: &Pair) -> bool {
        !matches!(self.truths()[pair], Truth::Unreadable | Truth::Partial)
    }
}

pub(crate) fn place(of: &Value) -> Pair {
    let text = |name: &str| of[name].as_str().unwrap().to_owned();
    (text("account"), text("region"))
}

pub(crate) fn pair(account: impl ToString, region: impl ToString) -> Pair {
    (account.to_string(), region.to_string())
}

/// Plans a draft, drives it for so many seconds, and leaves it: the plan, and the world at the end.
/// `None` if it is refused, or over before.
pub(crate) fn abandoned(draft: &Draft, seconds: i64) -> Option<(Plan, Value)> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let request = request(&draft.request()).unwrap();
        let clock = SimClock::new(World::parse(&draft.world()).unwrap(), ClockMode::Jump);
        let ports = in_memory(&clock, &request.access).unwrap();
        let plan = plan(&ports, &request).await.ok()?;
        let campaign = Campaign::begin(&ports, plan.clone()).await.unwrap();
        campaign.run_for(seconds).await.ok()?;
        clock.with_world(World::run_until_idle);
        Some((plan, clock.with_world(|world| world.state())))
    })
}
