//! One execution for every location, which somebody cancels in mid-run, and a person who says to go on. Over
//! HTTP through the real SDK; what is right is what the simulator says of its nodes.

use crate::scene::{ACCOUNTS, adds_up, group_in, world};
use patchfleet_core::{
    outcome::{FinishedOutcome, NodeOutcome},
    port::Ports,
    report::ReportOutcome,
    request::PatchRequest,
};
use patchfleet_sim::{Sim, SimOptions, spec::Change, world::World};
use patchfleet_tests::{Campaign, Ended, over_http, plan, request};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
const TWO: [&str; 2] = ["222222222222", "333333333333"];

/// Two nodes in each of four locations.
fn four_locations(more: &str) -> String {
    let groups = TWO
        .iter()
        .flat_map(|account| REGIONS.map(|region| group_in(account, region, "{ count = 2 }")));
    world(&format!("{more}\n{ACCOUNTS}{}", groups.collect::<String>()))
}

/// One location at a time.
fn ask() -> PatchRequest {
    request(
        r#"
        name = "gone-on"
        patch = { operation = "Install" }
        [targets]
        resource_group = "Web"
        accounts = ["222222222222", "333333333333"]
        regions = ["eu-west-1", "us-east-1"]
        [budget.nodes]
        max_concurrency = "100%"
        max_errors = "100%"
        [budget.locations]
        max_concurrency = 1
        max_errors = 0
        "#,
    )
    .unwrap()
}

async fn begin(toml: &str) -> (Sim, Campaign) {
    let (request, options) = (ask(), SimOptions::default());
    let sim = Sim::start(World::parse(toml).unwrap(), options).await.unwrap();
    let ports: Ports = over_http(&sim, &request.access).unwrap();
    let plan = plan(&ports, &request).await.unwrap();
    assert_eq!(plan.units.len(), 1, "one rectangle");
    let campaign = Campaign::begin(&ports, plan).await.unwrap();
    (sim, campaign)
}

fn state(sim: &Sim) -> Value {
    sim.with_world(|world| world.state())
}

/// How many executions were begun in each account and Region, below those of the central account.
fn begun(sim: &Sim) -> BTreeMap<(String, String), usize> {
    let mut begun = BTreeMap::new();
    let state = state(sim);
    for one in state["executions"].as_array().unwrap() {
        if !one["parent"].is_null() {
            let text = |name: &str| one[name].as_str().unwrap().to_owned();
            *begun.entry((text("account"), text("region"))).or_insert(0) += 1;
        }
    }
    begun
}

/// How often each node was installed on.
fn installs(sim: &Sim) -> Vec<u64> {
    let state = state(sim);
    let nodes = state["nodes"].as_array().unwrap().iter();
    nodes.map(|node| node["installs"].as_u64().unwrap()).collect()
}

/// Drives until so many locations were begun and the last of them patches its nodes, cancels the newest
/// execution and drives on to the end.
async fn cancelled_in(sim: &Sim, campaign: &Campaign, locations: usize) -> Ended {
    let at_work = |world: &World| {
        let invocations = world
            .commands()
            .flat_map(patchfleet_sim::world::Command::invocations);
        invocations.filter(|one| !one.state().is_terminal()).count()
    };
    while begun(sim).len() < locations || sim.with_world(|world| at_work(world)) == 0 {
        campaign.run_for(20).await.unwrap();
    }
    let cancel = json!({ "cancel_executions": { "accounts": ["111111111111"], "regions": ["us-east-1"] } });
    let cancel: Change = serde_json::from_value(cancel).unwrap();
    assert_eq!(sim.with_world(|world| world.change(&cancel).unwrap()), 1);
    let ended = campaign.run().await.unwrap();
    adds_up(&campaign.plan, &ended);
    assert_eq!(
        (ended.report.outcome, ended.report.exit_code()),
        (ReportOutcome::Halted, 5)
    );
    assert_eq!(begun(sim).len(), locations, "nothing more began");
    let why = ended.report.left_out_because.clone().unwrap();
    assert!(
        why.contains("resume --go-on` starts what had not been begun"),
        "{why}"
    );
    ended
}

async fn go_on(campaign: &Campaign) -> Ended {
    campaign.driver.go_on(campaign.id, "somebody").await.unwrap();
    let ended = campaign.run().await.unwrap();
    adds_up(&campaign.plan, &ended);
    ended
}

#[tokio::test]
async fn the_rest_of_the_only_execution_is_begun_and_each_node_is_installed_on_once() {
    // What is at work when the cancel comes runs on to its end.
    let (sim, campaign) = begin(&four_locations("automation = { stop_cascades = false }")).await;
    cancelled_in(&sim, &campaign, 2).await;
    let ended = go_on(&campaign).await;
    assert_eq!(installs(&sim), [1; 8]);
    assert_eq!(begun(&sim).into_values().collect::<Vec<_>>(), [1; 4]);
    assert_eq!(ended.report.totals.nodes.count(NodeOutcome::Done), 8);
    assert_eq!(
        (ended.report.outcome, ended.report.exit_code()),
        (ReportOutcome::Succeeded, 0)
    );
    let statuses: Vec<&str> = ended
        .report
        .executions
        .iter()
        .map(|one| one.status.as_str())
        .collect();
    assert_eq!(statuses[0], "Cancelled");
    assert!(
        statuses[1..].iter().all(|status| *status == "Success"),
        "{statuses:?}"
    );
    assert_eq!(ended.report.left_out_because, None);
}

#[tokio::test]
async fn what_was_cancelled_at_work_stays_so_when_the_rest_is_begun_even_after_a_second_cancel() {
    let (sim, campaign) = begin(&four_locations("")).await;
    cancelled_in(&sim, &campaign, 1).await;
    campaign.driver.go_on(campaign.id, "somebody").await.unwrap();
    cancelled_in(&sim, &campaign, 2).await;
    let ended = go_on(&campaign).await;
    assert!(installs(&sim).iter().all(|n| *n <= 1), "{:?}", installs(&sim));
    assert_eq!(begun(&sim).into_values().collect::<Vec<_>>(), [1; 4]);
    let nodes = &ended.report.totals.nodes;
    assert_eq!((nodes.count(NodeOutcome::Done), nodes.total()), (4, 8));
    // Two locations were cut off at work, and nothing waits to be begun.
    assert_eq!(
        (ended.report.outcome, ended.report.exit_code()),
        (ReportOutcome::Partial, 4)
    );
    let state = campaign.driver.run(campaign.id).await.unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
}
