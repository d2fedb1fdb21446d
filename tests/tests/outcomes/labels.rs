//! Bounds on the values of labels, over the simulator: what holds at every instant, by AWS's side alone.

use crate::scene::{Scene, group_in, world};
use jiff::Timestamp;
use patchfleet_core::{id::Location, outcome::NodeOutcome, report::ReportOutcome, request::PatchRequest};
use patchfleet_tests::request;
use serde_json::Value;
use std::collections::BTreeMap;

/// Two accounts in two Regions.
fn scene(request: &PatchRequest, nodes: &str) -> Scene {
    let places = ["111111111111", "222222222222"].map(|account| {
        ["eu-west-1", "us-east-1"]
            .map(|region| group_in(account, region, nodes))
            .concat()
    });
    let accounts =
        r#"accounts = [{ id = "111111111111", name = "Main" }, { id = "222222222222", name = "Two" }]"#;
    Scene::of(&world(&format!("{accounts}\n{}", places.concat())), request)
}

fn bounded(labels: &str, dispatch: &str) -> PatchRequest {
    let text = format!(
        r#"
        name = "labels"
        patch = {{ operation = "Install" }}
        automation = {{ dispatch = "{dispatch}" }}
        [targets]
        resource_group = "Web"
        accounts = ["111111111111", "222222222222"]
        regions = ["us-east-1", "eu-west-1"]
        [budget.nodes]
        max_concurrency = "100%"
        max_errors = "100%"
        [budget.locations]
        max_concurrency = 4
        max_errors = "100%"
        {labels}
        "#
    );
    request(&text).unwrap()
}

/// The service of each node that was at work, with from when to when.
fn at_work(scene: &Scene) -> Vec<(String, Timestamp, Timestamp)> {
    let state = scene.clock.with_world(|world| world.state());
    let nodes = state["nodes"].as_array().unwrap().iter();
    let services: BTreeMap<&str, &str> = nodes
        .map(|node| {
            (
                node["id"].as_str().unwrap(),
                node["tags"]["Service"].as_str().unwrap_or("none"),
            )
        })
        .collect();
    let commands = state["commands"].as_array().unwrap().iter();
    let invocations = commands.flat_map(|command| command["invocations"].as_array().unwrap());
    let time = |one: &Value, name: &str| one[name].as_str().unwrap().parse().unwrap();
    let invocations = invocations.filter(|one| !one["started"].is_null());
    invocations
        .map(|one| {
            let service = services[one["node"].as_str().unwrap()].to_owned();
            (service, time(one, "started"), time(one, "ended"))
        })
        .collect()
}

/// How many nodes of the service were at work at once at most.
fn most_at_once(at_work: &[(String, Timestamp, Timestamp)], service: &str) -> usize {
    let own = || at_work.iter().filter(|(other, ..)| other == service);
    let open = |at: Timestamp| own().filter(move |(_, from, to)| *from <= at && at < *to).count();
    own().map(|(_, from, _)| open(*from)).max().unwrap_or_default()
}

const NODES: &str =
    r#"{ count = 2, tags = { Service = "db" } }, { count = 3, tags = { Service = "web" } }, { count = 1 }"#;

#[tokio::test]
async fn a_service_loses_one_node_at_a_time_wherever_its_nodes_are() {
    for dispatch in ["automation", "run-command"] {
        let request = bounded(
            "[[budget.labels]]\nby = \"tag:Service\"\nmax_in_flight = 1",
            dispatch,
        );
        let scene = scene(&request, NODES);
        let (plan, ended) = scene.run(&request).await;
        assert_eq!(ended.report.outcome, ReportOutcome::Succeeded, "{dispatch}");
        let values: Vec<_> = plan.labels[0]
            .values
            .iter()
            .map(|value| value.value.as_deref())
            .collect();
        assert_eq!(values, [None, Some("db"), Some("web")]);
        let at_work = at_work(&scene);
        assert_eq!(at_work.len(), 24);
        for service in ["db", "web", "none"] {
            assert_eq!(most_at_once(&at_work, service), 1, "{dispatch}: {service}");
        }
        let together = at_work.iter().any(|(service, from, _)| {
            let mut others = at_work.iter().filter(|(other, ..)| other != service);
            others.any(|(_, begun, over)| begun <= from && from < over)
        });
        assert!(
            together,
            "{dispatch}: different services are patched side by side"
        );
    }
}

#[tokio::test]
async fn the_services_of_the_architecture_come_to_the_starts_that_the_page_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md");
    let page = std::fs::read_to_string(page).unwrap();
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = "three services of two nodes each with `max_in_flight = 1` are two starts of three nodes. The first starts of \
         all locations come before the second ones.";
    assert!(words.contains(sentence));
    let request = bounded(
        "[[budget.labels]]\nby = \"tag:Service\"\nmax_in_flight = 1",
        "automation",
    );
    let services = ["db", "mail", "web"];
    let nodes = services.map(|service| format!("{{ count = 2, tags = {{ Service = \"{service}\" }} }}"));
    let scene = scene(&request, &nodes.join(", "));
    let plan = scene.begin(&request).await.plan;
    let starts: Vec<(Location, usize)> = plan
        .units
        .iter()
        .map(|unit| {
            let at = unit.locations().next().unwrap();
            (at, unit.nodes.as_ref().unwrap().len())
        })
        .collect();
    let turn: Vec<(Location, usize)> = plan.locations.iter().map(|at| (at.location(), 3)).collect();
    assert_eq!(turn.len(), 4);
    assert_eq!(starts, [turn.clone(), turn].concat());
}

#[tokio::test]
async fn a_service_that_may_lose_no_more_is_left_and_the_others_go_on() {
    let request = bounded(
        "[[budget.labels]]\nby = \"tag:Service\"\nmax_damaged = 2",
        "automation",
    );
    let nodes = r#"{ count = 3, tags = { Service = "db" }, patch = { outcome = "succeeds_with_failed_patches" } },
                   { count = 2, tags = { Service = "web" } }"#;
    let scene = scene(&request, nodes);
    let (_, ended) = scene.run(&request).await;
    assert_eq!(ended.report.outcome, ReportOutcome::Partial);
    let totals = &ended.report.totals.nodes;
    let counts =
        [NodeOutcome::Done, NodeOutcome::Failed, NodeOutcome::NotRun].map(|outcome| totals.count(outcome));
    assert_eq!(counts, [8, 2, 10]);
    let text = ended.report.to_text();
    let words = "tag:Service = \"db\": 2 nodes are damaged, and its max_damaged in budget.labels allows 2";
    assert!(text.contains(words), "{text}");
}
