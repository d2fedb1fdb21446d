//! What tests of retries of retries do again and again.

use super::retry_waves::attended;
use super::{campaign, ports};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::{
    CampaignError, Campaigns, Planned, Retry, RetryPlan,
    campaign::{State, StopMode, Store},
    id::{NodeId, WriterId},
    outcome::NodeOutcome,
    port::{BoxFuture, Clock, Ports},
};
use patchfleet_sim::{SimClock, spec::Change};
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

pub(super) async fn state(store: &Store, number: u128) -> State {
    store.load(campaign(number)).await.unwrap().unwrap()
}

pub(super) async fn retry<'c>(campaigns: &'c Campaigns, of: &State) -> Result<Planned<'c>, CampaignError> {
    match campaigns.plan_retry(of, Retry::Failed, &attended()).await? {
        RetryPlan::Planned(planned) => Ok(planned),
        _ => panic!("something is left"),
    }
}

/// The nodes of a campaign that failed.
pub(super) async fn failed(store: &Store, number: u128) -> Vec<NodeId> {
    let state = state(store, number).await;
    let report = store.report(&state, state.planned_at()).await.unwrap();
    let failed = report.needs_action.iter();
    let failed = failed.filter(|one| one.outcome == NodeOutcome::Failed);
    failed.map(|one| one.node.clone()).collect()
}

/// A second campaign for what the first has left, of which a person stops all before it begins.
pub(super) async fn stopped_before_it_begins(campaigns: &Campaigns, store: &Store) {
    let planned = retry(campaigns, &state(store, 1).await).await.unwrap();
    planned.begin(campaign(2)).await.unwrap();
    let begun = state(store, 2).await;
    campaigns.stop(&begun, StopMode::LetCommandsRun).await.unwrap();
    let over = state(store, 2).await;
    assert!(over.finished().is_some());
    let totals = store.report(&over, over.planned_at()).await.unwrap().totals;
    assert_eq!(totals.nodes.count(NodeOutcome::NotRun), totals.nodes.total());
}

/// What becomes of the nodes of the canary.
pub(super) fn change(clock: &SimClock, what: &str) {
    let change: Change = serde_json::from_value(json!({ what: { "regions": ["us-east-1"] } })).unwrap();
    clock.with_world(|world| world.change(&change).unwrap());
}

pub(super) fn process_ahead(clock: &SimClock, store: &Store) -> Campaigns {
    let ports = ports(clock);
    let ahead = Ahead {
        of: ports.clock.clone(),
        by: SignedDuration::from_hours(3),
    };
    let ports = Ports {
        clock: Arc::new(ahead),
        ..ports
    };
    Campaigns::new(ports, store.clone(), WriterId::from_uuid(Uuid::from_u128(7)))
}

/// A clock that is so far ahead.
pub(super) struct Ahead {
    of: Arc<dyn Clock>,
    by: SignedDuration,
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.of.now() + self.by
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        self.of.sleep_until(at - self.by)
    }
}
