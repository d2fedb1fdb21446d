//! What is done once a campaign is over: its results are read again, and further campaigns try what it left.

use super::drive::Driving;
use super::{Done, Ending, Run};
use crate::campaign::{Campaign, Ended};
use crate::draft::{Again, Collects, Course, Draft};
use crate::starts::id_of;
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::{
    CampaignError, Campaigns, Retry, RetryPlan,
    campaign::Store,
    id::{CampaignId, WriterId},
    plan::{Attendance, Planning},
    port::Ports,
};
use patchfleet_sim::SimClock;
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The writers and the campaigns of retries are numbered from here on.
const RETRIES: u128 = 1_000_000;

/// That the results of a campaign were read again.
pub(crate) struct Collected {
    /// What the campaign had come to before.
    pub(crate) before: Ended,
    /// How many locations have all their results now.
    pub(crate) read: u32,
    /// What the campaign itself had begun once they were read.
    pub(crate) begun_since: Vec<Value>,
}

/// A further campaign.
pub(crate) struct Try {
    pub(crate) which: Again,
    /// The simulator's state when it was to be planned.
    pub(crate) at: Value,
    pub(crate) came: Tried,
}

/// What came of a further campaign.
pub(crate) enum Tried {
    /// It was not planned.
    Refused(CampaignError),
    /// Nothing was left for it.
    Nothing,
    /// It was planned and driven.
    Ran(Box<Run>),
}

/// Reads the results again. Gives what the campaign comes to now.
pub(super) async fn collect(
    draft: &Draft,
    collects: Collects,
    campaign: &Campaign,
    before: Ended,
    clock: &SimClock,
) -> (Ended, Collected) {
    if collects == Collects::Late {
        let last = draft.hands.iter().map(|hand| hand.at).max().unwrap_or(0);
        let all_is_done = draft.start() + SignedDuration::from_secs(i64::from(last) + 1);
        let clock = &campaign.driver.clock;
        clock.sleep_until(all_is_done.max(clock.now())).await;
    }
    let begun = super::begun_in(clock);
    let found = campaign.driver.collect_again(campaign.id).await.unwrap();
    let ended = campaign.account(&found.state).await.unwrap();
    let collected = Collected {
        before,
        read: found.read,
        begun_since: begun_by_itself(clock, &begun),
    };
    (ended, collected)
}

/// What is not among these and was not begun by something that runs in AWS.
fn begun_by_itself(clock: &SimClock, before: &BTreeSet<String>) -> Vec<Value> {
    let (executions, commands) = clock.with_world(|world| world.runs());
    let executions = executions.into_iter().filter(|one| one["parent"].is_null());
    let commands = commands.into_iter().filter(|one| one["execution"].is_null());
    executions
        .chain(commands)
        .filter(|one| !before.contains(id_of(one)))
        .collect()
}

/// Tries again what the campaigns left, each what the last one did.
pub(super) async fn retry(draft: &Draft, first: &Campaign, ports: &Ports, clock: &SimClock) -> Vec<Try> {
    let mut calm = Draft {
        course: Course::default(),
        ..draft.clone()
    };
    // It has no window.
    calm.wish.cutoff = None;
    let store = Store::new(first.driver.log.clone(), first.driver.rows.clone());
    let (mut of, mut tried) = (first.id, vec![]);
    for (number, again) in (RETRIES..).zip(draft.course.retries.iter().copied()) {
        let writer = WriterId::from_uuid(Uuid::from_u128(number));
        let campaigns = Campaigns::new(ports.clone(), store.clone(), writer);
        let at = clock.with_world(|world| world.state());
        let all = [&at["executions"], &at["commands"]].map(|all| all.as_array().unwrap());
        let since = all
            .into_iter()
            .flatten()
            .map(|one| id_of(one).to_owned())
            .collect();
        let state = store.load(of).await.unwrap().unwrap();
        let planning = Planning {
            attendance: Attendance::Attended,
            ..Planning::default()
        };
        let (which, id) = match again {
            Again::Failed => (Retry::Failed, CampaignId::from_uuid(Uuid::from_u128(number))),
            Again::NotRun => (Retry::NotRun, CampaignId::from_uuid(Uuid::from_u128(number))),
            Again::Unreached => (Retry::Unreached, of.of_second_attempt()),
        };
        let planned = match campaigns.plan_retry(&state, which, &planning).await {
            Ok(RetryPlan::Planned(planned)) => planned,
            Ok(_) => {
                let (which, came) = (again, Tried::Nothing);
                tried.push(Try { which, at, came });
                break;
            }
            Err(error) => {
                let (which, came) = (again, Tried::Refused(error));
                tried.push(Try { which, at, came });
                break;
            }
        };
        let plan = planned.plan().clone();
        let begins = Begins {
            since,
            planned: super::begun_in(clock),
            began: ports.clock.now(),
        };
        planned.begin(id).await.unwrap();
        let campaign = Campaign {
            id,
            plan,
            driver: first.driver.clone(),
        };
        let driving = Driving::new(&calm, campaign, clock);
        let ending = driving.to_rest().await;
        let is_over = matches!(ending, Ending::Finished);
        let run = ran(&calm, driving, ending, begins, clock).await;
        let (which, came) = (again, Tried::Ran(Box::new(run)));
        tried.push(Try { which, at, came });
        if !is_over {
            break;
        }
        of = id;
    }
    tried
}

/// What had been begun before a further campaign, and when it began.
struct Begins {
    since: BTreeSet<String>,
    planned: BTreeSet<String>,
    began: Timestamp,
}

async fn ran(draft: &Draft, driving: Driving<'_>, ending: Ending, begins: Begins, clock: &SimClock) -> Run {
    let ended = driving.campaign.account(&driving.state().await).await.unwrap();
    let plan = driving.campaign.plan.clone();
    let (befell, people, faults) = driving.into_parts();
    Run {
        draft: draft.clone(),
        since: begins.since,
        unread: BTreeSet::new(),
        planned: begins.planned,
        began: begins.began,
        after: clock.with_world(|world| world.state()),
        result: Ok(Done::new(plan, ended, ending, people, befell, &faults)),
    }
}
