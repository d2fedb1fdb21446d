//! Bounds on the whole fleet, over the simulator: what a person is shown, and what holds at every instant.

use crate::scene::{Scene, group_in, world};
use jiff::Timestamp;
use patchfleet_core::{
    outcome::{LocationOutcome, NodeOutcome},
    report::ReportOutcome,
    request::PatchRequest,
};
use patchfleet_tests::request;
use serde_json::Value;
use std::collections::BTreeSet;

const PLACES: [(&str, &str); 4] = [
    ("111111111111", "eu-west-1"),
    ("111111111111", "us-east-1"),
    ("222222222222", "eu-west-1"),
    ("222222222222", "us-east-1"),
];

/// Two accounts in two Regions, 20 nodes in each location.
fn scene(request: &PatchRequest, nodes: &str) -> Scene {
    let groups: String = PLACES
        .iter()
        .map(|(account, region)| group_in(account, region, nodes))
        .collect();
    let accounts =
        r#"accounts = [{ id = "111111111111", name = "Main" }, { id = "222222222222", name = "Two" }]"#;
    Scene::of(&world(&format!("{accounts}\n{groups}")), request)
}

fn bounded(fleet: &str) -> PatchRequest {
    let text = format!(
        r#"
        name = "example"
        patch = {{ operation = "Install" }}
        [targets]
        resource_group = "Web"
        accounts = ["111111111111", "222222222222"]
        regions = ["us-east-1", "eu-west-1"]
        [budget.nodes]
        max_concurrency = "25%"
        max_errors = "100%"
        [budget.locations]
        max_concurrency = 4
        max_errors = "100%"
        [budget.fleet]
        {fleet}
        "#
    );
    request(&text).unwrap()
}

/// From when to when each node was at work.
fn at_work(scene: &Scene) -> Vec<(String, Timestamp, Timestamp)> {
    let state = scene.clock.with_world(|world| world.state());
    let commands = state["commands"].as_array().unwrap().iter();
    let invocations = commands.flat_map(|command| command["invocations"].as_array().unwrap().clone());
    let time = |one: &Value, name: &str| one[name].as_str().unwrap().parse().unwrap();
    invocations
        .filter(|one| !one["started"].is_null())
        .map(|one| {
            let node = one["node"].as_str().unwrap().to_owned();
            (node, time(&one, "started"), time(&one, "ended"))
        })
        .collect()
}

fn most_at_once(at_work: &[(String, Timestamp, Timestamp)]) -> usize {
    let open = |at: Timestamp| {
        at_work
            .iter()
            .filter(move |(_, from, to)| *from <= at && at < *to)
    };
    at_work
        .iter()
        .map(|(_, from, _)| open(*from).count())
        .max()
        .unwrap()
}

#[tokio::test]
async fn the_example_of_the_architecture_comes_to_what_the_page_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md");
    let page = std::fs::read_to_string(page).unwrap();
    for (fleet, starts) in [("max_in_flight = 12", 1), ("max_damaged = 8", 40)] {
        let request = bounded(fleet);
        let scene = scene(&request, "{ count = 20 }");
        let plan = scene.begin(&request).await.plan;
        let text = plan.to_text();
        let from = text.find("Across the fleet").unwrap();
        let shown = text[from..].split("\n\n").next().unwrap().trim_end();
        assert!(page.contains(&format!("```text\n{shown}\n```")), "{shown}");
        assert_eq!(plan.units.len(), starts);
    }
}

#[tokio::test]
async fn aws_alone_keeps_the_nodes_in_flight_within_their_bound() {
    let request = bounded("max_in_flight = 12");
    let scene = scene(&request, "{ count = 20 }");
    let (plan, ended) = scene.run(&request).await;
    assert_eq!(ended.report.outcome, ReportOutcome::Succeeded);
    assert_eq!(plan.worst_case.nodes_at_once, Some(10));
    let at_work = at_work(&scene);
    assert_eq!(at_work.len(), 80);
    assert_eq!(most_at_once(&at_work), 10, "the room is used, and no more");
}

#[tokio::test]
async fn a_bound_on_damage_holds_where_aws_sees_no_error() {
    let request = bounded("max_damaged = 8\nmax_in_flight = 6");
    let scene = scene(
        &request,
        "{ count = 10 }, { count = 10, patch = { outcome = \"succeeds_with_failed_patches\" } }",
    );
    let (_, ended) = scene.run(&request).await;
    assert_eq!(ended.report.outcome, ReportOutcome::Halted);
    let at_work = at_work(&scene);
    assert!(most_at_once(&at_work) <= 6);
    let state = scene.clock.with_world(|world| world.state());
    let nodes = state["nodes"].as_array().unwrap().iter();
    let damaged = nodes
        .filter(|node| node["patches"]["failed"].as_u64() > Some(0))
        .count();
    assert_eq!(damaged, 8, "as many as may be, and no more");
    let begun: BTreeSet<&String> = at_work.iter().map(|(node, ..)| node).collect();
    assert_eq!(begun.len(), at_work.len(), "each node once");
    // Some of each location were begun, so no location is said to be one that never was, and its words are of all its starts.
    for at in &ended.report.locations {
        assert_eq!(at.outcome, Some(LocationOutcome::NodesFailed), "{at:?}");
        let short = at.nodes.total() - at.nodes.count(NodeOutcome::Done);
        let words = format!("{short} of 20 nodes did not reach their goal; not all of them were begun: ");
        assert!(at.detail.starts_with(&words), "{}", at.detail);
    }
    let text = ended.report.to_text();
    assert!(
        text.contains("8 nodes of the fleet are damaged, and budget.fleet.max_damaged allows 8"),
        "{text}"
    );
}
