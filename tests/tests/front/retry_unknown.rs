//! A retry of a campaign of some of whose nodes nobody knows what they came to: a command may be at work there still.

use super::{campaign, process, refused};
use jiff::SignedDuration;
use patchfleet_core::{
    CampaignError, Campaigns, Retry, RetryPlan,
    campaign::{State, Store},
    id::NodeId,
    outcome::NodeOutcome,
    plan::{Attendance, Plan, Planning},
    refusal::RefusalCode,
    report::{Report, ReportOutcome},
};
use patchfleet_sim::{
    ClockMode, SimClock,
    spec::FaultSpec,
    world::{Command, World},
};
use patchfleet_tests::request;
use serde_json::json;
use std::collections::BTreeMap;

/// Two Regions with two nodes each. In each so many fail their first Install, and never again.
fn world(failing: u32) -> SimClock {
    let text = format!(
        r#"
        management_account = "111111111111"
        documents = [{{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }}]
        accounts = [{{ id = "111111111111", name = "Main" }}]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1", "eu-west-1"]
        nodes = [{{ count = {} }}, {{ count = {failing}, patch = {{ fails_first = 1 }} }}]
        "#,
        2 - failing
    );
    SimClock::new(World::parse(&text).unwrap(), ClockMode::Jump)
}

fn planning() -> Planning {
    Planning {
        attendance: Attendance::Attended,
        ..Planning::default()
    }
}

/// Runs a campaign whose results in one Region may not be read.
async fn unread(campaigns: &Campaigns, clock: &SimClock) -> Report {
    let request = request(
        r#"
        name = "weekly"
        patch = { operation = "Install" }
        targets = { resource_group = "WebServers", regions = ["us-east-1", "eu-west-1"] }
        budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
        budget.locations = { max_concurrency = 2, max_errors = "100%" }
        "#,
    )
    .unwrap();
    let planned = campaigns.plan(&request, &planning()).await.unwrap();
    let begun = planned.begin(campaign(1)).await.unwrap();
    let denied = json!({
        "effect": "deny", "regions": ["eu-west-1"], "operations": ["ssm:DescribeInstancePatchStates"],
    });
    let denied: FaultSpec = serde_json::from_value(denied).unwrap();
    clock.with_world(|world| world.add_fault(denied).unwrap());
    begun.run().await.unwrap()
}

/// Reads the results of the first campaign again, now that they may be read.
async fn collected(campaigns: &Campaigns, clock: &SimClock, store: &Store) -> State {
    clock.with_world(World::clear_faults);
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let resumed = campaigns.resume(&state).await.unwrap();
    assert_eq!(resumed.collect_again().await.unwrap().read, 1);
    store.load(campaign(1)).await.unwrap().unwrap()
}

/// Plans a retry, and gives its plan and what it came to.
async fn retry(campaigns: &Campaigns, of: &State, number: u128) -> (Plan, Report) {
    let planned = campaigns
        .plan_retry(of, Retry::Failed, &planning())
        .await
        .unwrap();
    let RetryPlan::Planned(planned) = planned else {
        panic!("a node has failed")
    };
    let plan = planned.plan().clone();
    let begun = planned.begin(campaign(number)).await.unwrap();
    (plan, begun.run().await.unwrap())
}

fn words_of(error: &CampaignError) -> String {
    assert_eq!(refused(error), RefusalCode::NotRetried);
    error.to_string()
}

/// How many commands nodes were sent.
fn commands(clock: &SimClock) -> Vec<u32> {
    clock.with_world(|world| {
        let mut sent: BTreeMap<NodeId, u32> = world.nodes().map(|node| (node.id().clone(), 0)).collect();
        for invocation in world.commands().flat_map(Command::invocations) {
            *sent.entry(invocation.node().clone()).or_default() += 1;
        }
        sent.into_values().collect()
    })
}

#[tokio::test]
async fn a_node_of_which_nothing_is_known_is_tried_again_only_once_its_results_say_that_it_failed() {
    let (clock, store) = (world(1), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    let first = unread(&campaigns, &clock).await;
    let nodes = &first.totals.nodes;
    assert_eq!(nodes.count(NodeOutcome::Unknown), 2, "{}", first.to_text());
    assert_eq!(nodes.count(NodeOutcome::Failed), 1, "{}", first.to_text());

    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let (plan, second) = retry(&campaigns, &state, 2).await;
    assert_eq!(second.totals.nodes.total(), 1);
    let text = plan.to_text();
    for words in [
        "2 nodes (2 unknown) are not tried again".to_owned(),
        format!("`patchfleet collect {}` reads their results again", campaign(1)),
    ] {
        assert!(text.contains(&words), "no {words:?} in {text}");
    }
    // What could be tried has been, and these two are still left.
    let again = campaigns.plan_retry(&state, Retry::Failed, &planning()).await;
    let words = words_of(&again.unwrap_err());
    assert!(
        words.contains("has tried again what it left") && words.contains("2 unknown"),
        "{words}"
    );

    let state = collected(&campaigns, &clock, &store).await;
    let (plan, third) = retry(&campaigns, &state, 3).await;
    assert_eq!(third.outcome, ReportOutcome::Succeeded, "{}", third.to_text());
    assert_eq!(third.totals.nodes.total(), 1);
    assert!(!plan.to_text().contains("unknown"), "{}", plan.to_text());
    let mut sent = commands(&clock);
    sent.sort_unstable();
    assert_eq!(sent, [1, 1, 2, 2], "the nodes that were well are left alone");
}

#[tokio::test]
async fn a_retry_of_which_nothing_is_left_but_what_may_be_at_work_is_refused_and_says_what_to_do() {
    let (clock, store) = (world(0), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    let first = unread(&campaigns, &clock).await;
    assert_eq!(
        first.totals.nodes.count(NodeOutcome::Unknown),
        2,
        "{}",
        first.to_text()
    );
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let error = campaigns.plan_retry(&state, Retry::Failed, &planning()).await;
    let words = words_of(&error.unwrap_err());
    for part in ["2 nodes (2 unknown)", "patchfleet collect"] {
        assert!(words.contains(part), "{words}");
    }
    let state = collected(&campaigns, &clock, &store).await;
    let planned = campaigns.plan_retry(&state, Retry::Failed, &planning()).await;
    let RetryPlan::Nothing { told } = planned.unwrap() else {
        panic!("they were well")
    };
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(commands(&clock), [1, 1, 1, 1]);
}

#[tokio::test]
async fn a_windows_node_whose_command_expired_is_tried_again_only_once_nothing_can_be_at_work_there() {
    // Two nodes come back right before their command expires, and are at work for an hour. On Windows no step has a time by then.
    let text = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1"]
        nodes = [
            { count = 1, platform = "Windows" },
            { count = 2, platform = "Windows", reachability = "offline", patch = { minutes = 60.0 } },
        ]
        [[changes]]
        at = "6h"
        change = { gain_agent = { group = "WebServers", count = 2 } }
    "#;
    let (clock, store) = (
        SimClock::new(World::parse(text).unwrap(), ClockMode::Jump),
        Store::in_memory(),
    );
    let campaigns = process(&clock, &store, 1);
    let request = request(
        r#"
        name = "weekly"
        patch = { operation = "Install", delivery_timeout = "10m" }
        targets = { resource_group = "WebServers", regions = ["us-east-1"] }
        budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
        "#,
    )
    .unwrap();
    let report = campaigns.run(campaign(1), &request, &planning()).await.unwrap();
    let nodes = &report.totals.nodes;
    assert_eq!(nodes.count(NodeOutcome::Unknown), 2, "{}", report.to_text());
    let at_work = clock.with_world(|world| {
        let open = world.commands().flat_map(Command::invocations);
        open.filter(|one| one.at_work_until().is_none()).count()
    });
    assert_eq!(at_work, 2, "both are at work still");
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let error = campaigns
        .plan_retry(&state, Retry::Failed, &planning())
        .await
        .unwrap_err();
    let words = "a command may be at work there still";
    assert!(words_of(&error).contains(words), "{error}");

    let ports = super::ports(&clock);
    let later = ports.clock.now() + SignedDuration::from_hours(4);
    ports.clock.sleep_until(later).await;
    let state = collected(&campaigns, &clock, &store).await;
    let report = store.report(&state, later).await.unwrap();
    assert_eq!(
        report.totals.nodes.count(NodeOutcome::Done),
        3,
        "{}",
        report.to_text()
    );
    assert_eq!(commands(&clock), [1, 1, 1]);
}

/// Its agent falls silent while a command is at work on it, and is silent when the command expires.
#[tokio::test]
async fn a_lost_node_is_tried_again_only_once_nothing_can_be_at_work_there() {
    let text = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1"]
        nodes = [{ count = 1, patch = { minutes = 110.0 } }]
    "#;
    let clock = SimClock::new(World::parse(text).unwrap(), ClockMode::Jump);
    let (store, request) = (Store::in_memory(), request("name = \"weekly\"\npatch = { operation = \"Install\" }\ntargets = { resource_group = \"WebServers\", regions = [\"us-east-1\"] }").unwrap());
    let planning = Planning {
        attendance: Attendance::Attended,
        ..Planning::default()
    };
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns.plan(&request, &planning).await.unwrap();
    let begun = planned.begin(campaign(1)).await.unwrap();
    let now = || clock.with_world(|world| world.now());
    begun
        .run_until(now() + SignedDuration::from_hours(1))
        .await
        .unwrap();
    let change = |what: &str| {
        let change =
            serde_json::from_value(serde_json::json!({ what: { "regions": ["us-east-1"] } })).unwrap();
        clock.with_world(|world| world.change(&change).unwrap());
    };
    change("lose_agent");
    let report = begun.run().await.unwrap();
    assert_eq!(
        report.totals.nodes.count(NodeOutcome::Lost),
        1,
        "{}",
        report.to_text()
    );
    change("gain_agent");
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let error = campaigns
        .plan_retry(&state, Retry::Failed, &planning)
        .await
        .unwrap_err();
    assert_eq!(refused(&error), RefusalCode::NotRetried);
    let words = "1 lost node is not tried again before";
    assert!(error.to_string().contains(words), "{error}");
    let later = now() + SignedDuration::from_hours(4);
    super::ports(&clock).clock.sleep_until(later).await;
    let retry = campaigns.plan_retry(&state, Retry::Failed, &planning).await;
    assert!(matches!(retry, Ok(RetryPlan::Planned(_))), "{retry:?}");
}
