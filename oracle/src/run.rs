//! A draft that is planned and driven, by drivers that die, while others act; and the truth about
//! the world afterwards.

mod afterwards;
mod drive;
mod faults;
mod people;

pub(crate) use afterwards::{Collected, Tried, Try};
pub(crate) use drive::Befell;

use crate::bug::Bug;
use crate::campaign::{Campaign, Ended, in_memory, plan_until};
use crate::draft::{Draft, How, Of};
use crate::starts::{Pair, id_of};
use drive::Driving;
use faults::Faults;
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::{
    campaign::DriveError,
    outcome::FinishedOutcome,
    plan::{Plan, PlanError},
    port::Ports,
    refusal::Refusal,
    request::PatchRequest,
};
use patchfleet_sim::{ClockMode, SimClock, world::World};
use people::People;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How often a person says to go on with one campaign, at most.
const MOST_WORDS: usize = 5;

/// A draft that was planned and, unless it was refused, driven.
pub(crate) struct Run {
    pub(crate) draft: Draft,
    /// What had been begun in the world before this campaign was planned, by id. Nothing, but for a further campaign.
    pub(crate) since: BTreeSet<String>,
    /// Where an answer to the census was struck by a fault.
    pub(crate) unread: BTreeSet<Pair>,
    /// What had been begun once it was planned.
    pub(crate) planned: BTreeSet<String>,
    /// When it was planned and written down.
    pub(crate) began: Timestamp,
    /// The simulator's state at the end.
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
    /// When a person said to go on.
    pub(crate) gone_on: Vec<Timestamp>,
    /// What befell its drivers.
    pub(crate) befell: Befell,
    /// How often each fault struck, whatever its seconds.
    pub(crate) struck: BTreeMap<(Of, How), usize>,
    /// That its results were read again, and what was tried again after it.
    pub(crate) collected: Option<Collected>,
    /// That they were read once more after the retries, and what it came to then.
    pub(crate) collected_last: Option<(Collected, Ended)>,
    pub(crate) retries: Vec<Try>,
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
        let planned = plan_until(&ports, &request, Bug::cutoff(bug, draft)).await;
        let unread = clock.with_world(|world| {
            let unread = draft.unread(world.faults());
            world.clear_faults();
            unread
        });
        let at_plan = begun_in(&clock);
        let idle = SignedDuration::from_secs(draft.idle.into());
        ports.clock.sleep_until(ports.clock.now() + idle).await;
        let began = ports.clock.now();
        let (after, result) = match planned {
            Ok(plan) => {
                let (after, done) = drive(draft, plan, &ports, &clock).await;
                (after, Ok(done))
            }
            Err(PlanError::Refused(refusal)) => (clock.with_world(|world| world.state()), Err(refusal)),
            Err(PlanError::Port(error)) => panic!("{error}"),
        };
        Self {
            draft: draft.clone(),
            since: BTreeSet::new(),
            unread,
            planned: at_plan,
            began,
            after,
            result,
        }
    }

    /// Whether it tries again what another campaign left.
    pub(crate) fn is_further(&self) -> bool {
        let done = self.result.as_ref();
        done.is_ok_and(|done| done.plan.retries.is_some())
    }

    /// Whether each start has to name its nodes.
    pub(crate) fn names_nodes(&self) -> bool {
        self.is_further() || self.draft.names_nodes()
    }

    /// The nodes of the world at its end, by id.
    pub(crate) fn nodes(&self) -> BTreeMap<&str, &Value> {
        let nodes = self.after["nodes"].as_array().unwrap().iter();
        nodes.map(|node| (node["id"].as_str().unwrap(), node)).collect()
    }
}

/// What has been begun in a world, by id.
fn begun_in(clock: &SimClock) -> BTreeSet<String> {
    let (executions, commands) = clock.with_world(|world| world.runs());
    let all = executions.iter().chain(&commands);
    all.map(|one| id_of(one).to_owned()).collect()
}

/// Drives the plan to its end, and does what is done afterwards. Gives the world's state at the end of the campaign itself.
async fn drive(draft: &Draft, plan: Plan, ports: &Ports, clock: &SimClock) -> (Value, Done) {
    let campaign = Campaign::begin(ports, plan.clone()).await.unwrap();
    let driving = Driving::new(draft, campaign, clock);
    let mut ending = driving.to_rest().await;
    let mut state = driving.state().await;
    while draft.goes_on
        && state
            .finished()
            .is_some_and(|(how, _)| how == FinishedOutcome::Halted)
        && driving.times_gone_on() < MOST_WORDS
        && driving.goes_on().await
    {
        ending = driving.to_rest().await;
        state = driving.state().await;
    }
    let campaign = &driving.campaign;
    let mut ended = campaign.account(&state).await.unwrap();
    let is_over = matches!(ending, Ending::Finished);
    let mut collected = None;
    if is_over && let Some(collects) = draft.course.collects {
        let (now, before) = afterwards::collect(draft, collects, campaign, ended, clock).await;
        (ended, collected) = (now, Some(before));
    }
    let after = clock.with_world(|world| world.state());
    let retries = match is_over {
        true => afterwards::retry(draft, campaign, ports, clock).await,
        false => vec![],
    };
    let mut collected_last = None;
    if let Some(collects) = draft.course.collects
        && retries.iter().any(|one| matches!(one.came, Tried::Ran(_)))
    {
        // Retries have written other patch states over those of nodes of which this campaign knows what became.
        let (now, before) = afterwards::collect(draft, collects, campaign, ended.clone(), clock).await;
        collected_last = Some((before, now));
    }
    let (befell, people, faults) = driving.into_parts();
    let done = Done {
        collected,
        collected_last,
        retries,
        ..Done::new(plan, ended, ending, people, befell, &faults)
    };
    (after, done)
}

impl Done {
    fn new(
        plan: Plan,
        ended: Ended,
        ending: Ending,
        people: People,
        befell: Befell,
        faults: &Faults,
    ) -> Self {
        let People {
            approved,
            stopped,
            gone_on,
            ..
        } = people;
        Self {
            plan,
            ended,
            ending,
            approved,
            stopped,
            gone_on,
            befell,
            struck: faults.struck(),
            collected: None,
            collected_last: None,
            retries: vec![],
        }
    }
}
