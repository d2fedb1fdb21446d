//! Bounds on the whole fleet, over the simulator: what a person is shown, and what holds at every instant.

use crate::scene::{Scene, group_in, world};
use jiff::Timestamp;
use patchfleet_core::{
    outcome::{LocationOutcome, NodeOutcome},
    plan::{FleetPace, Plan},
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

/// How many turns so many need, of which 1 begins first, then 2, then 4, up to `at_once`. They are played one by one.
fn turns(mut left: u32, at_once: u32) -> u32 {
    let (mut begins, mut turns) = (1, 0);
    while left > 0 {
        left = left.saturating_sub(at_once.min(begins));
        begins *= 2;
        turns += 1;
    }
    turns
}

/// What the page says of nodes in flight, by every pair of nodes of a location and locations at once.
fn said_of_nodes_in_flight(plan: &Plan) -> Vec<String> {
    let fleet = plan.fleet.unwrap();
    let locations = u32::try_from(plan.locations.len()).unwrap();
    let nodes = plan.locations[0].nodes.unwrap().online;
    assert_eq!(fleet.nodes, locations * nodes);
    let budget = &plan.request.budget;
    let most_nodes = budget.nodes.max_concurrency.as_count(nodes);
    let most_locations = budget.locations.max_concurrency.as_count(locations);
    let in_all = |(k, c): (u32, u32)| turns(nodes, k) * turns(locations, c);
    let best = (1..=most_nodes)
        .flat_map(|k| (1..=most_locations).map(move |c| (k, c)))
        .filter(|(k, c)| k * c <= fleet.max_in_flight.unwrap())
        .min_by_key(|pair| in_all(*pair))
        .unwrap();
    let pace = FleetPace::Aws {
        nodes_at_once: Some(best.0),
        locations_at_once: Some(best.1),
    };
    assert_eq!(fleet.pace, pace);
    let rounds: Vec<u32> = (1..=most_locations).map(|c| turns(locations, c)).collect();
    assert_eq!(rounds[1..], [rounds[1]; 3]);
    assert_eq!(in_all((3, 4)), in_all((5, 1)));
    vec![
        format!(
            "so {nodes} nodes need {} turns with k = 5, {} with k = 4, and {} with k = 3.",
            turns(nodes, 5),
            turns(nodes, 4),
            turns(nodes, 3)
        ),
        format!(
            "need {} rounds with c = 1, and {} with more (1, 2, 1).",
            rounds[0], rounds[1]
        ),
        format!(
            "That comes to {} turns with {} × {}, to {} with 4 × 3, and to {} with 3 × 4 or 5 × 1:",
            in_all(best),
            best.0,
            best.1,
            in_all((4, 3)),
            in_all((3, 4))
        ),
    ]
}

/// What the page says of damage, by the nodes that each start names.
fn said_of_damage(plan: &Plan) -> Vec<String> {
    let bound = plan.fleet.unwrap().max_damaged.unwrap();
    let named: BTreeSet<usize> = plan
        .units
        .iter()
        .map(|unit| unit.nodes.as_ref().unwrap().len())
        .collect();
    assert_eq!(named.len(), 1, "all starts are of one size");
    let named = u32::try_from(*named.first().unwrap()).unwrap();
    let locations = u32::try_from(plan.locations.len()).unwrap();
    assert_eq!(bound / locations, named, "room for so many in each location");
    let (damaged, in_flight) = (3, 2 * named);
    assert!(damaged + in_flight <= bound, "two starts are in flight");
    assert!(damaged + in_flight + named > bound, "the next one waits");
    assert!(damaged + named <= bound, "and is made once these have ended well");
    assert!(
        bound - 1 + named > bound,
        "beside one less than the bound a whole start has no room"
    );
    vec![
        format!(
            "With {damaged} damaged and {in_flight} in flight the next start waits: {damaged} + {in_flight} + {named} is {}.",
            damaged + in_flight + named
        ),
        format!(
            "If those {in_flight} end well it is made: {damaged} + {named} is {}.",
            damaged + named
        ),
        format!(
            "With {} damaged and nothing in flight only one more fits.",
            bound - 1
        ),
        format!("With {bound} damaged nothing more is begun."),
    ]
}

/// What the page says of a plan.
type Said = fn(&Plan) -> Vec<String>;

#[tokio::test]
async fn the_example_of_the_architecture_comes_to_what_the_page_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md");
    let page = std::fs::read_to_string(page).unwrap();
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let examples: [(&str, usize, Said); 2] = [
        ("max_in_flight = 12", 1, said_of_nodes_in_flight),
        ("max_damaged = 8", 40, said_of_damage),
    ];
    for (fleet, starts, said) in examples {
        let request = bounded(fleet);
        let scene = scene(&request, "{ count = 20 }");
        let plan = scene.begin(&request).await.plan;
        let text = plan.to_text();
        let from = text.find("Across the fleet").unwrap();
        let shown = text[from..].split("\n\n").next().unwrap().trim_end();
        assert!(page.contains(&format!("```text\n{shown}\n```")), "{shown}");
        assert_eq!(plan.units.len(), starts);
        for sentence in said(&plan) {
            assert!(words.contains(&sentence), "{sentence}");
        }
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
