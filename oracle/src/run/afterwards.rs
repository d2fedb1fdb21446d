//! What is done once a campaign is over: its results are read again, and further campaigns try what it left.

use super::drive::Driving;
use super::{Done, Ending, Run};
use crate::campaign::{Campaign, Ended};
use crate::draft::{Again, Course, Draft};
use patchfleet_core::{
    CampaignError, Campaigns, Retry, RetryPlan,
    campaign::Store,
    id::{CampaignId, WriterId},
    plan::{Attendance, Planning},
    port::Ports,
};
use patchfleet_sim::SimClock;
use serde_json::Value;
use uuid::Uuid;

/// The writers and the campaigns of retries are numbered from here on.
const RETRIES: u128 = 1_000_000;

/// That the results of a campaign were read again.
pub(crate) struct Collected {
    /// What the campaign had come to before.
    pub(crate) before: Ended,
    /// How many locations have all their results now.
    pub(crate) read: u32,
    /// How many executions there were before.
    pub(crate) executions: usize,
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
pub(super) async fn collect(campaign: &Campaign, before: Ended, clock: &SimClock) -> (Ended, Collected) {
    let executions = clock.with_world(|world| world.runs().0.len());
    let found = campaign.driver.collect_again(campaign.id).await.unwrap();
    let ended = campaign.account(&found.state).await.unwrap();
    let collected = Collected {
        before,
        read: found.read,
        executions,
    };
    (ended, collected)
}

/// Tries again what the campaigns left, each what the last one did.
pub(super) async fn retry(
    draft: &Draft,
    first: &Campaign,
    ports: &Ports,
    clock: &SimClock,
) -> Vec<(Again, Tried)> {
    let calm = Draft {
        course: Course::default(),
        ..draft.clone()
    };
    let store = Store::new(first.driver.log.clone(), first.driver.rows.clone());
    let (mut of, mut tried) = (first.id, vec![]);
    for (number, again) in (RETRIES..).zip(draft.course.retries.iter().copied()) {
        let writer = WriterId::from_uuid(Uuid::from_u128(number));
        let campaigns = Campaigns::new(ports.clone(), store.clone(), writer);
        let before = clock.with_world(|world| world.state());
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
                tried.push((again, Tried::Nothing));
                break;
            }
            Err(error) => {
                tried.push((again, Tried::Refused(error)));
                break;
            }
        };
        let plan = planned.plan().clone();
        let planned_state = clock.with_world(|world| world.state());
        planned.begin(id).await.unwrap();
        let campaign = Campaign {
            id,
            plan,
            driver: first.driver.clone(),
        };
        let driving = Driving::new(&calm, campaign, clock);
        let ending = driving.to_rest().await;
        let is_over = matches!(ending, Ending::Finished);
        let run = ran(&calm, driving, ending, before, planned_state, clock).await;
        tried.push((again, Tried::Ran(Box::new(run))));
        if !is_over {
            break;
        }
        of = id;
    }
    tried
}

async fn ran(
    draft: &Draft,
    driving: Driving<'_>,
    ending: Ending,
    before: Value,
    planned: Value,
    clock: &SimClock,
) -> Run {
    let ended = driving.campaign.account(&driving.state().await).await.unwrap();
    let plan = driving.campaign.plan.clone();
    let (befell, people, faults) = driving.into_parts();
    Run {
        draft: draft.clone(),
        before,
        planned,
        after: clock.with_world(|world| world.state()),
        result: Ok(Done::new(plan, ended, ending, people, befell, &faults)),
    }
}
