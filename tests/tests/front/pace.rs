//! How long a node takes, by what earlier campaigns of the name took.

use super::{campaign, process, request, world};
use patchfleet_core::{
    campaign::Store,
    plan::{Plan, Planning},
    port::Clock as _,
    request::PatchRequest,
};
use patchfleet_sim::SimClock;

fn asked(operation: &str, more: &str) -> PatchRequest {
    request(&format!(
        r#"
        name = "weekly"
        patch = {{ operation = "{operation}" }}
        targets = {{ resource_group = "WebServers", regions = ["us-east-1", "eu-west-1"] }}
        budget = {{ nodes = {{ max_concurrency = 1, max_errors = 1 }} }}
        {more}
        "#
    ))
    .unwrap()
}

async fn planned(store: &Store, clock: &SimClock, request: &PatchRequest) -> Plan {
    let campaigns = process(clock, store, 9);
    let planned = campaigns.plan(request, &Planning::default()).await.unwrap();
    planned.plan().clone()
}

/// In this world a node takes five minutes and its reboots, and the plan of an Install reckons with fifteen unless it knows better.
#[tokio::test]
async fn a_plan_reckons_with_what_a_node_took_in_the_last_campaign_of_its_name() {
    let (clock, store) = (world(), Store::in_memory());
    let install = asked("Install", "");
    let first = planned(&store, &clock, &install).await.forecast.unwrap();
    assert_eq!((first.minutes_per_node, first.learned_from), (15, None));

    let begins = clock.now();
    let campaigns = process(&clock, &store, 1);
    let report = campaigns
        .run(campaign(1), &install, &Planning::default())
        .await
        .unwrap();
    assert_eq!(report.exit_code(), 0);
    let took = clock.now().duration_since(begins).as_secs();

    let plan = planned(&store, &clock, &install).await;
    let learned = plan.forecast.unwrap();
    assert_eq!(learned.learned_from, Some(campaign(1)));
    assert!((5..=9).contains(&learned.minutes_per_node), "{learned:?}");
    let expected = i64::try_from(learned.expected_seconds.unwrap()).unwrap();
    assert!(
        (took - expected).abs() <= took / 5,
        "{took} s, expected {expected} s"
    );
    let told = format!(
        "if a node takes {} minutes (as in campaign {}; forecast.minutes_per_node says otherwise)",
        learned.minutes_per_node,
        campaign(1)
    );
    assert!(plan.to_text().contains(&told), "{}", plan.to_text());
    assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
}

#[tokio::test]
async fn what_the_request_says_counts_more_and_another_operation_tells_nothing() {
    let (clock, store) = (world(), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    campaigns
        .run(campaign(1), &asked("Install", ""), &Planning::default())
        .await
        .unwrap();
    let minutes = async |request: &PatchRequest| {
        let forecast = planned(&store, &clock, request).await.forecast.unwrap();
        (forecast.minutes_per_node, forecast.learned_from)
    };
    let said = asked("Install", "forecast = { minutes_per_node = 40 }");
    assert_eq!(minutes(&said).await, (40, None));
    assert_eq!(minutes(&asked("Scan", "")).await, (3, None));
    // A Scan in between says nothing of an Install, and the Install before it still does.
    campaigns
        .run(campaign(2), &asked("Scan", ""), &Planning::default())
        .await
        .unwrap();
    assert_eq!(minutes(&asked("Install", "")).await.1, Some(campaign(1)));
    assert_eq!(minutes(&asked("Scan", "")).await.1, Some(campaign(2)));
}
