//! What one campaign of a chain has tried no other one tries. Which nodes were sent what is the simulator's truth.

use super::chains::{failed, process_ahead, retry, state, stopped_before_it_begins};
use super::retry_waves::{ask, attended, sent, world};
use super::{campaign, process, refused};
use patchfleet_core::{
    campaign::{Appended, CampaignLog, LogKey, Record, StopMode, Store},
    id::{CampaignId, NodeId, RequestName},
    port::{BoxFuture, PortError, PortErrorKind, PortResult},
    refusal::RefusalCode,
    report::ReportOutcome,
};
use std::sync::Arc;

#[tokio::test]
async fn what_a_retry_did_not_begin_is_named_by_its_plan_whatever_became_of_the_rows() {
    let (clock, store, request) = (world(1), Store::in_memory(), ask("if_empty = \"skip\""));
    let campaigns = process(&clock, &store, 1);
    campaigns.run(campaign(1), &request, &attended()).await.unwrap();
    let failed = failed(&store, 1).await;
    stopped_before_it_begins(&campaigns, &store).await;
    let over = state(&store, 2).await;
    for planned in &over.plan().locations {
        store
            .rows
            .put(campaign(2), &planned.location(), 9, vec![])
            .await
            .unwrap();
    }
    let planned = retry(&campaigns, &over).await.unwrap();
    let canary = planned.plan().units.iter().filter(|unit| unit.wave == 1);
    let named: Vec<NodeId> = canary.flat_map(|unit| unit.nodes.clone().unwrap()).collect();
    assert_eq!(named, failed, "and no node that is done");
}

#[tokio::test]
async fn a_campaign_is_not_retried_once_its_request_has_run_again() {
    let (clock, store, request) = (world(1), Store::in_memory(), ask("if_empty = \"skip\""));
    let campaigns = process(&clock, &store, 1);
    campaigns.run(campaign(1), &request, &attended()).await.unwrap();
    let first = state(&store, 1).await;
    // One that was stopped before anything of it was begun has run nothing.
    campaigns
        .plan(&request, &attended())
        .await
        .unwrap()
        .begin(campaign(2))
        .await
        .unwrap();
    campaigns
        .stop(&state(&store, 2).await, StopMode::LetCommandsRun)
        .await
        .unwrap();
    let _ = retry(&campaigns, &first).await.unwrap();

    let report = campaigns.run(campaign(3), &request, &attended()).await.unwrap();
    assert_eq!(report.outcome, ReportOutcome::Succeeded);
    let error = retry(&campaigns, &first).await.unwrap_err();
    assert_eq!(refused(&error), RefusalCode::NotRetried);
    assert!(
        error
            .to_string()
            .contains("has run a request of the same name since"),
        "{error}"
    );
    assert_eq!(sent(&clock, "us-east-1").len(), 2);
}

#[tokio::test]
async fn what_a_retry_has_tried_no_other_one_tries_though_the_first_campaign_was_planned_by_a_clock_that_is_ahead()
 {
    let (clock, store, request) = (world(1), Store::in_memory(), ask("if_empty = \"skip\""));
    process_ahead(&clock, &store)
        .run(campaign(1), &request, &attended())
        .await
        .unwrap();
    let campaigns = process(&clock, &store, 1);
    let first = state(&store, 1).await;
    let planned = retry(&campaigns, &first).await.unwrap();
    planned.begin(campaign(2)).await.unwrap().run().await.unwrap();
    assert!(
        state(&store, 2).await.planned_at() < first.planned_at(),
        "by their clocks"
    );
    let before = [sent(&clock, "us-east-1"), sent(&clock, "eu-west-1")];
    let error = retry(&campaigns, &first).await.unwrap_err();
    assert_eq!(refused(&error), RefusalCode::NotRetried);
    assert_eq!([sent(&clock, "us-east-1"), sent(&clock, "eu-west-1")], before);
}

/// A log in which nobody can claim a name.
struct Unclaimed(Arc<dyn CampaignLog>);

impl CampaignLog for Unclaimed {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        match key {
            LogKey::Name(_) => {
                Box::pin(async { Err(PortError::new(PortErrorKind::Denied, "its process dies here")) })
            }
            LogKey::Campaign(_) => self.0.append(key, record),
        }
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        self.0.read(key, from)
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.0.keys()
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.0.request_name(campaign)
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.0.last(key)
    }
}

#[tokio::test]
async fn a_retry_whose_process_died_before_it_began_does_not_begin_once_another_one_has_tried_its_nodes() {
    let (clock, store, request) = (world(1), Store::in_memory(), ask("if_empty = \"skip\""));
    let campaigns = process(&clock, &store, 1);
    campaigns.run(campaign(1), &request, &attended()).await.unwrap();
    let first = state(&store, 1).await;
    let dying = Store::new(Arc::new(Unclaimed(store.log.clone())), store.rows.clone());
    let dies = process(&clock, &dying, 2);
    let planned = retry(&dies, &first).await.unwrap();
    planned.begin(campaign(2)).await.unwrap_err();
    let records = store.log.read(&LogKey::Campaign(campaign(2)), 0).await.unwrap();
    assert_eq!(records.len(), 1, "its plan alone was written down");

    let planned = retry(&campaigns, &first).await.unwrap();
    let report = planned.begin(campaign(3)).await.unwrap().run().await.unwrap();
    assert_eq!(report.outcome, ReportOutcome::Succeeded);
    let before = [sent(&clock, "us-east-1"), sent(&clock, "eu-west-1")];
    // However often somebody goes on with it, or has the same call made again.
    for _ in 0..2 {
        let error = campaigns.resume(&state(&store, 2).await).await.unwrap_err();
        assert_eq!(refused(&error), RefusalCode::NotRetried);
    }
    let over = state(&store, 2).await;
    assert_eq!(over.name_taken_by(), Some(campaign(3)), "it is open no more");
    assert_eq!([sent(&clock, "us-east-1"), sent(&clock, "eu-west-1")], before);
}

#[tokio::test]
async fn a_retry_whose_process_died_before_it_began_goes_on_if_nobody_has_tried_its_nodes() {
    let (clock, store, request) = (world(1), Store::in_memory(), ask("if_empty = \"skip\""));
    let campaigns = process(&clock, &store, 1);
    campaigns.run(campaign(1), &request, &attended()).await.unwrap();
    let dying = Store::new(Arc::new(Unclaimed(store.log.clone())), store.rows.clone());
    let dies = process(&clock, &dying, 2);
    let planned = retry(&dies, &state(&store, 1).await).await.unwrap();
    planned.begin(campaign(2)).await.unwrap_err();
    let resumed = campaigns.resume(&state(&store, 2).await).await.unwrap();
    assert_eq!(resumed.run().await.unwrap().outcome, ReportOutcome::Succeeded);
}
