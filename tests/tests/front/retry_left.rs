//! What a campaign has left and another one cannot simply try: it is neither dropped without a word, nor does it keep the rest from its
//! turn. Which nodes were sent what is the simulator's truth.

use super::fleets::nodes_in;
use super::retry_waves::{attended, now, sent, window};
use super::{campaign, ports, process, refused};
use jiff::SignedDuration;
use patchfleet_core::{
    Campaigns, Retry, RetryPlan,
    campaign::{Appended, CampaignLog, LogKey, Progress, Record, StopMode, Store},
    id::{CampaignId, RequestName},
    outcome::NodeOutcome,
    plan::Planning,
    port::{BoxFuture, PortResult},
    refusal::{RefusalCode, SkipReason},
    report::{Report, ReportOutcome},
    request::PatchRequest,
};
use patchfleet_sim::{SimClock, spec::Change, spec::FaultSpec};
use patchfleet_tests::request;
use serde_json::{Value, json};
use std::sync::Arc;

const SLOW: &str = "{ count = 1, patch = { minutes = 40.0 } }";
const FAILS: &str = "{ count = 1, patch = { minutes = 40.0, fails_first = 9 } }";

/// One location after the other.
fn one_by_one(more: &str) -> PatchRequest {
    request(&format!(
        r#"
        name = "weekly"
        patch = {{ operation = "Install" }}
        targets = {{ resource_group = "WebServers", regions = ["eu-west-1", "us-east-1", "us-east-2"] }}
        budget.nodes = {{ max_concurrency = "100%", max_errors = "100%" }}
        budget.locations = {{ max_concurrency = 1, max_errors = "100%" }}
        {more}
        "#
    ))
    .unwrap()
}

/// A window in which two locations have their turn.
fn short_window(clock: &SimClock) -> Planning {
    Planning {
        cutoff: Some(now(clock) + SignedDuration::from_hours(7)),
        ..window(clock, 8)
    }
}

async fn night(campaigns: &Campaigns, clock: &SimClock, number: u128, request: &PatchRequest) -> Report {
    let report = campaigns
        .run(campaign(number), request, &short_window(clock))
        .await;
    let next = now(clock) + SignedDuration::from_hours(12);
    ports(clock).clock.sleep_until(next).await;
    report.unwrap()
}

fn commands(clock: &SimClock) -> [usize; 3] {
    ["eu-west-1", "us-east-1", "us-east-2"].map(|region| sent(clock, region).len())
}

fn change(clock: &SimClock, change: Value) {
    let change: Change = serde_json::from_value(change).unwrap();
    clock.with_world(|world| world.change(&change).unwrap());
}

/// The second retry, of the first campaign.
async fn retry_of_the_first(campaigns: &Campaigns, store: &Store) -> Result<(), RefusalCode> {
    let first = store.load(campaign(1)).await.unwrap().unwrap();
    match campaigns.plan_retry(&first, Retry::Failed, &attended()).await {
        Ok(RetryPlan::Planned(planned)) => {
            planned.begin(campaign(3)).await.unwrap().run().await.unwrap();
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(refused(&error)),
    }
}

#[tokio::test]
async fn a_node_that_a_window_left_and_that_is_gone_by_the_next_one_is_told_and_no_success() {
    let clock = nodes_in(&[("eu-west-1", SLOW), ("us-east-1", SLOW), ("us-east-2", SLOW)]);
    let (store, request) = (Store::in_memory(), one_by_one(""));
    let campaigns = process(&clock, &store, 1);
    let planning = Planning {
        cutoff: Some(now(&clock) + SignedDuration::from_mins(6 * 60 + 30)),
        ..window(&clock, 8)
    };
    let first = campaigns.run(campaign(1), &request, &planning).await.unwrap();
    assert_eq!(
        first.totals.nodes.count(NodeOutcome::NotRun),
        2,
        "{}",
        first.to_text()
    );
    change(
        &clock,
        json!({ "terminate": { "group": "WebServers", "regions": ["us-east-2"] } }),
    );
    let second = night(&campaigns, &clock, 2, &request).await;
    assert_eq!(commands(&clock), [1, 1, 0]);
    let text = second.to_text();
    assert_eq!(
        (second.outcome, second.exit_code()),
        (ReportOutcome::Partial, 4),
        "{text}"
    );
    let told: Vec<_> = second
        .needs_action
        .iter()
        .map(|node| (node.region.as_str(), node.outcome))
        .collect();
    assert_eq!(told, [("us-east-2", NodeOutcome::Unmanaged)], "{text}");
    assert_eq!(second.totals.nodes.total(), 2);
    let skip = second
        .skipped
        .iter()
        .find(|skip| skip.region.as_str() == "us-east-2")
        .unwrap();
    assert_eq!(
        skip.detail,
        "1 node that was left there is not registered with Systems Manager"
    );
}

#[tokio::test]
async fn a_location_that_does_not_say_which_nodes_it_has_keeps_no_window_from_the_others() {
    let clock = nodes_in(&[("eu-west-1", SLOW), ("us-east-1", SLOW), ("us-east-2", SLOW)]);
    let denied: FaultSpec = serde_json::from_value(json!({
        "effect": "deny", "regions": ["us-east-2"], "operations": ["resource-groups:*"],
    }))
    .unwrap();
    clock.with_world(|world| world.add_fault(denied).unwrap());
    let (store, request) = (
        Store::in_memory(),
        one_by_one("policy.unknown = \"keep\"\npolicy.denied = \"keep\""),
    );
    let campaigns = process(&clock, &store, 1);
    let planning = Planning {
        cutoff: Some(now(&clock) + SignedDuration::from_mins(6 * 60 + 15)),
        ..window(&clock, 8)
    };
    let first = campaigns.run(campaign(1), &request, &planning).await.unwrap();
    assert_eq!(commands(&clock), [1, 0, 0], "{}", first.to_text());
    let second = night(&campaigns, &clock, 2, &request).await;
    let is_of_first = second.retries == Some(campaign(1));
    assert!(is_of_first, "{}", second.to_text());
    assert_eq!(commands(&clock), [1, 1, 0], "{}", second.to_text());
    let mut skipped = second.skipped.iter();
    let skip = skipped.find(|skip| skip.region.as_str() == "us-east-2").unwrap();
    assert_eq!(skip.reason, SkipReason::Unknown);
    assert_eq!(second.outcome, ReportOutcome::Partial);
}

#[tokio::test]
async fn a_share_of_a_wave_that_comes_to_one_node_at_first_comes_to_one_of_the_few_that_are_left() {
    let four = "{ count = 4, patch = { minutes = 40.0 } }";
    let clock = nodes_in(&[
        ("eu-west-1", four),
        ("us-east-1", four),
        ("us-east-2", "{ count = 1 }"),
    ]);
    let store = Store::in_memory();
    let request = one_by_one(
        r#"
        [[waves]]
        name = "production"
        regions = ["eu-west-1", "us-east-1", "us-east-2"]
        budget.fleet = { max_damaged = "34%" }
        "#,
    );
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns.plan(&request, &attended()).await.unwrap();
    planned.begin(campaign(1)).await.unwrap();
    let begun = store.load(campaign(1)).await.unwrap().unwrap();
    let two = campaigns.resume(&begun).await.unwrap();
    let both = now(&clock) + SignedDuration::from_mins(100);
    assert!(matches!(
        two.run_until(both).await.unwrap(),
        Progress::Paused { .. }
    ));
    let begun = store.load(campaign(1)).await.unwrap().unwrap();
    campaigns.stop(&begun, StopMode::LetCommandsRun).await.unwrap();
    assert_eq!(retry_of_the_first(&campaigns, &store).await, Ok(()));
    assert_eq!(sent(&clock, "us-east-2").len(), 1);
}

#[tokio::test]
async fn as_many_locations_may_fail_in_each_window_as_the_share_of_all_of_them_allows() {
    let regions = ["eu-west-1", "eu-west-2", "us-east-1", "us-east-2", "us-west-2"];
    let world = regions.map(|region| (region, if region == "us-east-2" { FAILS } else { SLOW }));
    let clock = nodes_in(&world);
    let request = request(
        r#"
        name = "weekly"
        patch = { operation = "Install" }
        targets = { resource_group = "WebServers", regions = ["eu-west-1", "eu-west-2", "us-east-1", "us-east-2", "us-west-2"] }
        budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
        budget.locations = { max_concurrency = 1, max_errors = "20%" }
        "#,
    )
    .unwrap();
    let store = Store::in_memory();
    let campaigns = process(&clock, &store, 1);
    for number in 1..=3 {
        night(&campaigns, &clock, number, &request).await;
    }
    // One of five may fail. Of the three that the first window left that would be none.
    assert_eq!(regions.map(|region| sent(&clock, region).len()), [1; 5]);
}

/// The node that failed is silent, so that its location is not tried.
#[tokio::test]
async fn a_location_that_failed_and_is_not_tried_again_uses_up_the_share_of_those_that_may_fail() {
    let regions = ["eu-west-1", "eu-west-2", "us-east-1", "us-east-2", "us-west-2"];
    let fails = ["eu-west-1", "us-east-1"];
    let world = regions.map(|region| (region, if fails.contains(&region) { FAILS } else { SLOW }));
    let clock = nodes_in(&world);
    let request = request(
        r#"
        name = "weekly"
        patch = { operation = "Install" }
        targets = { resource_group = "WebServers", regions = ["eu-west-1", "eu-west-2", "us-east-1", "us-east-2", "us-west-2"] }
        policy = { offline = "skip" }
        budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
        budget.locations = { max_concurrency = 1, max_errors = "20%" }
        "#,
    )
    .unwrap();
    let store = Store::in_memory();
    let campaigns = process(&clock, &store, 1);
    night(&campaigns, &clock, 1, &request).await;
    change(&clock, json!({ "lose_agent": { "regions": ["eu-west-1"] } }));
    let seen = now(&clock) + SignedDuration::from_mins(30);
    ports(&clock).clock.sleep_until(seen).await;
    assert_eq!(retry_of_the_first(&campaigns, &store).await, Ok(()));
    // The second one that fails ends the retry.
    assert_eq!(regions.map(|region| sent(&clock, region).len()), [1, 1, 1, 0, 0]);
}

#[tokio::test]
async fn a_campaign_that_another_one_has_gone_on_with_is_not_gone_on_with_after_a_cancel() {
    let clock = nodes_in(&[("eu-west-1", SLOW), ("us-east-1", SLOW), ("us-east-2", SLOW)]);
    let (store, request) = (Store::in_memory(), one_by_one(""));
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns.plan(&request, &attended()).await.unwrap();
    let begun = planned.begin(campaign(1)).await.unwrap();
    begun
        .run_until(now(&clock) + SignedDuration::from_mins(20))
        .await
        .unwrap();
    change(&clock, json!({ "cancel_executions": {} }));
    let report = begun.run().await.unwrap();
    assert_eq!(report.outcome, ReportOutcome::Halted, "{}", report.to_text());
    let first = store.load(campaign(1)).await.unwrap().unwrap();
    let RetryPlan::Planned(planned) = campaigns
        .plan_retry(&first, Retry::Failed, &attended())
        .await
        .unwrap()
    else {
        panic!("two locations had no turn")
    };
    planned.begin(campaign(2)).await.unwrap().run().await.unwrap();
    let before = commands(&clock);
    assert!(before.iter().all(|commands| *commands > 0), "{before:?}");
    let error = begun.go_on().await.unwrap_err();
    assert_eq!(refused(&error), RefusalCode::NothingToGoOn);
    assert!(error.to_string().contains(&campaign(2).to_string()), "{error}");
    begun.run().await.unwrap();
    assert_eq!(commands(&clock), before);
}

/// The canary fails when nothing more begins, so that the breaker ends nothing.
#[tokio::test]
async fn a_breaker_that_trips_after_the_window_has_closed_holds_production_back_in_retries_too() {
    let clock = nodes_in(&[("eu-west-1", SLOW), ("us-east-1", FAILS), ("us-east-2", FAILS)]);
    let store = Store::in_memory();
    let request = request(
        r#"
        name = "weekly"
        patch = { operation = "Install" }
        targets = { resource_group = "WebServers", regions = ["eu-west-1", "us-east-1", "us-east-2"] }
        budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
        budget.locations = { max_concurrency = 2, max_errors = "100%" }
        breaker.consecutive_failures = 2
        [[waves]]
        name = "canary"
        regions = ["us-east-1", "us-east-2"]
        "#,
    )
    .unwrap();
    let campaigns = process(&clock, &store, 1);
    let planning = Planning {
        cutoff: Some(now(&clock) + SignedDuration::from_mins(6 * 60 + 20)),
        ..window(&clock, 7)
    };
    let report = campaigns.run(campaign(1), &request, &planning).await.unwrap();
    assert_eq!(
        report.totals.nodes.count(NodeOutcome::Failed),
        2,
        "{}",
        report.to_text()
    );
    change(
        &clock,
        json!({ "terminate": { "group": "WebServers", "regions": ["us-east-1", "us-east-2"] } }),
    );
    assert_eq!(
        retry_of_the_first(&campaigns, &store).await,
        Err(RefusalCode::WaveEmpty)
    );
    assert_eq!(commands(&clock)[0], 0);
}

/// A log from which that of one campaign is gone.
struct Gone {
    log: Arc<dyn CampaignLog>,
    campaign: CampaignId,
}

impl Gone {
    fn is_it(&self, key: &LogKey) -> bool {
        *key == LogKey::Campaign(self.campaign)
    }
}

impl CampaignLog for Gone {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.log.append(key, record)
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        match self.is_it(key) {
            true => Box::pin(async { Ok(vec![]) }),
            false => self.log.read(key, from),
        }
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        let keys = self.log.keys();
        Box::pin(async move {
            let mut keys = keys.await?;
            keys.retain(|key| !self.is_it(key));
            Ok(keys)
        })
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        match campaign == self.campaign {
            true => Box::pin(async { Ok(None) }),
            false => self.log.request_name(campaign),
        }
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        match self.is_it(key) {
            true => Box::pin(async { Ok(None) }),
            false => self.log.last(key),
        }
    }
}

#[tokio::test]
async fn a_campaign_of_the_chain_whose_log_is_gone_is_missed() {
    let clock = nodes_in(&[("eu-west-1", SLOW), ("us-east-1", FAILS), ("us-east-2", SLOW)]);
    let (store, request) = (Store::in_memory(), one_by_one(""));
    let campaigns = process(&clock, &store, 1);
    campaigns.run(campaign(1), &request, &attended()).await.unwrap();
    for number in [1, 2] {
        let state = store.load(campaign(number)).await.unwrap().unwrap();
        let planned = campaigns
            .plan_retry(&state, Retry::Failed, &attended())
            .await
            .unwrap();
        let RetryPlan::Planned(planned) = planned else {
            panic!("a node fails each time")
        };
        planned
            .begin(campaign(number + 1))
            .await
            .unwrap()
            .run()
            .await
            .unwrap();
    }
    let log = Gone {
        log: store.log.clone(),
        campaign: campaign(2),
    };
    let store = Store::new(Arc::new(log), store.rows.clone());
    let other = process(&clock, &store, 2);
    assert_eq!(
        retry_of_the_first(&other, &store).await,
        Err(RefusalCode::NotRetried)
    );
}
