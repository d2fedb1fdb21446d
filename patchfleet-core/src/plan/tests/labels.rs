//! What a plan makes of `budget.labels`.

use super::helpers::{OTHER, attended, planned, planned_with};
use crate::campaign::require_no_driver;
use crate::census::Depth;
use crate::id::{CampaignId, NodeId};
use crate::plan::{Cells, LeftBounds, LeftOfValue, Options, Plan, Retried};
use crate::port::{PingStatus, PortErrorKind};
use crate::refusal::RefusalCode;
use crate::request::{PatchRequest, Selector};
use crate::tests::world::{CENTRAL, Place, World, ec2, hybrid, request_with};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// A node of the number, which is hybrid if that is odd.
fn node(n: u64) -> NodeId {
    if n % 2 == 1 { hybrid(n) } else { ec2(n) }
}

/// Nodes from this number on, online, each with this value of the tag `Service`, if it has one.
fn place(first: u64, services: &[Option<&str>]) -> Place {
    let nodes: Vec<NodeId> = (first..).take(services.len()).map(node).collect();
    let tagged = nodes.iter().zip(services);
    let tagged = tagged.filter_map(|(node, value)| Some((node.clone(), (*value)?.to_owned())));
    // One that the selection does not have.
    let other = (node(first + 90), "mail".to_owned());
    Place {
        managed: nodes
            .iter()
            .map(|node| (node.clone(), PingStatus::Online))
            .collect(),
        tags: BTreeMap::from([("Service".to_owned(), tagged.chain([other]).collect())]),
        members: nodes,
        ..Place::default()
    }
}

/// Four locations, each with two nodes of `db`, three of `web` and one without the tag.
fn world() -> World {
    let mut world = World::default();
    let (db, web) = (Some("db"), Some("web"));
    let mut first = 0;
    for id in [CENTRAL, OTHER] {
        world.add(id, &REGIONS);
        for name in REGIONS {
            *world.place(id, name) = place(first, &[db, db, web, web, web, None]);
            first += 100;
        }
    }
    world
}

fn asked(labels: Value) -> PatchRequest {
    asked_with(json!({"labels": labels, "locations": {"max_concurrency": 4, "max_errors": 4}}))
}

fn asked_with(budget: Value) -> PatchRequest {
    request_with(
        json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL, OTHER]}),
        json!({"patch": {"operation": "Install"}, "budget": budget}),
    )
}

fn labels_of(plan: &Plan) -> String {
    let text = plan.to_text();
    let from = text.find("By ").unwrap();
    let to = text.find("At worst").unwrap();
    text[from..to].trim_end().to_owned()
}

fn sizes(plan: &Plan) -> Vec<usize> {
    plan.units
        .iter()
        .map(|unit| unit.nodes.as_ref().unwrap().len())
        .collect()
}

#[test]
fn each_start_names_no_more_of_a_value_than_may_be_in_flight() {
    let plan = planned(
        &world(),
        &asked(json!([{"by": "tag:Service", "max_in_flight": 1}])),
    )
    .unwrap();
    insta::assert_snapshot!(labels_of(&plan), @r#"
    By tag:Service
      at most 1 of the nodes of each value in flight (max_in_flight)
      3 values; tag:Service = "web" has the most nodes: of 12 nodes, at most 1 in flight
      4 nodes without it are one value (untagged = "together"): mi-00000000000000005, mi-00000000000000069, mi-000000000000000cd, mi-00000000000000131
      kept by the campaign: each start names its nodes, and is made once there is room for them
    "#);
    assert_eq!(
        sizes(&plan),
        [3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1],
        "the first of each location first"
    );
    assert_eq!(
        plan.worst_case.in_truth.nodes_at_once,
        Some(3),
        "one of each value"
    );
    assert_eq!(plan.check(), Ok(()));
    let told = require_no_driver(&plan).unwrap_err().to_string();
    assert!(told.contains("budget.labels"), "{told}");
    // Three values at once, and the largest has twelve nodes that follow each other: 15 minutes each, and 2 around it.
    assert_eq!(
        plan.forecast.map(|forecast| forecast.expected_seconds),
        None,
        "it was made at no time"
    );
    let at = "2026-03-01T22:00:00Z".parse().unwrap();
    let options = Options {
        now: Some(at),
        ..attended()
    };
    let plan = planned_with(
        &world(),
        &asked(json!([{"by": "tag:Service", "max_in_flight": 1}])),
        options,
    )
    .unwrap();
    let seconds = plan.forecast.unwrap().expected_seconds.unwrap();
    assert!(seconds >= 12 * 17 * 60, "{seconds}");
}

#[test]
fn shares_are_of_the_nodes_of_each_value_and_damage_is_bounded_by_their_sum() {
    let label =
        json!([{"by": "tag:Service", "max_in_flight": "30%", "max_damaged": "50%", "untagged": "unbounded"}]);
    let plan = planned(&world(), &asked(label)).unwrap();
    insta::assert_snapshot!(labels_of(&plan), @r#"
    By tag:Service
      at most 30% of the nodes of each value in flight (max_in_flight)
      at most 50% of the nodes of each value damaged (max_damaged)
      2 values; tag:Service = "web" has the most nodes: of 12 nodes, at most 3 in flight and 6 damaged
      4 nodes without it are not bounded by it (untagged = "unbounded"): mi-00000000000000005, mi-00000000000000069, mi-000000000000000cd, mi-00000000000000131
      kept by the campaign: each start names its nodes, and is made once there is room for them
    "#);
    let bounds = plan.labels[0].values.iter();
    let bounds: Vec<_> = bounds
        .map(|value| (value.value.as_deref(), value.max_in_flight, value.max_damaged))
        .collect();
    assert_eq!(
        bounds,
        [(Some("db"), Some(2), Some(4)), (Some("web"), Some(3), Some(6))]
    );
    assert_eq!(
        plan.worst_case.in_truth.nodes_damaged,
        Some(14),
        "4, 6 and the 4 that are not bounded"
    );
}

#[test]
fn accounts_and_regions_are_labels_too() {
    let both = json!([{"by": "account", "max_damaged": 3}, {"by": "region", "max_in_flight": 4}]);
    let world = world();
    let plan = planned(&world, &asked(both)).unwrap();
    insta::assert_snapshot!(labels_of(&plan), @r#"
    By account
      at most 3 of the nodes of each value damaged (max_damaged)
      2 values; account = "222222222222" has the most nodes: of 12 nodes, at most 3 damaged
      kept by the campaign: each start names its nodes, and is made once there is room for them

    By region
      at most 4 of the nodes of each value in flight (max_in_flight)
      2 values; region = "us-east-1" has the most nodes: of 12 nodes, at most 4 in flight
      kept by the campaign: each start names its nodes, and is made once there is room for them
    "#);
    assert_eq!(world.calls("tag_values"), 0, "no tag is asked for");
    assert!(sizes(&plan).iter().all(|n| *n <= 3));
}

#[test]
fn a_bound_on_the_fleet_beside_it_names_nodes_as_well() {
    let budget = json!({
        "labels": [{"by": "tag:Service", "max_in_flight": 1}], "fleet": {"max_in_flight": 2},
        "locations": {"max_concurrency": 4, "max_errors": 4},
    });
    let plan = planned(&world(), &asked_with(budget)).unwrap();
    assert!(plan.fleet.unwrap().nodes_in_a_start().is_some());
    assert!(sizes(&plan).iter().all(|n| *n <= 2), "{:?}", sizes(&plan));
    assert_eq!(plan.check(), Ok(()));
}

#[test]
fn what_cannot_be_kept_refuses_the_plan() {
    let refused = |world: &World, label: Value| {
        let refusal = planned(world, &asked(json!([label]))).unwrap_err();
        let codes = refusal.reasons.iter().map(|reason| reason.code);
        assert!(
            codes.clone().all(|code| code == RefusalCode::LabelBudget),
            "{refusal}"
        );
        refusal.to_string()
    };
    insta::assert_snapshot!(refused(&world(), json!({"by": "tag:service", "max_in_flight": 1})), @"refused: [label_budget] budget.labels[0]: none of 24 nodes that would be patched has the tag, so nothing tells them apart by tag:service: is the key spelt right, in upper and lower case too?");
    let both = json!({"by": "tag:Service", "max_damaged": "20%", "untagged": "refuse"});
    insta::assert_snapshot!(refused(&world(), both), @r#"
    refused: [label_budget] budget.labels[0]: 4 nodes do not have tag:Service (in 111111111111/eu-west-1, 111111111111/us-east-1, 222222222222/eu-west-1, 222222222222/us-east-1), and untagged = "refuse": give them the tag, or have them bounded as one value ("together") or not at all ("unbounded")
      [label_budget] budget.labels[0]: max_damaged: 20% is less than one node of 1 value: nodes without tag:Service (4 nodes). Any node that is begun may be damaged, so with none allowed none of these could be begun: give a count, such as 1, or a larger share
    "#);
}

#[test]
fn a_retry_of_nodes_without_the_tag_is_planned_as_the_first_campaign_had_nodes_with_it() {
    let mut request = asked(json!([{"by": "tag:Service", "max_in_flight": 1, "untagged": "together"}]));
    request.targets.selector = Selector::NodeIds(vec![node(5)]);
    let alone = planned(&world(), &request).unwrap_err();
    assert_eq!(alone.reasons[0].code, RefusalCode::LabelBudget, "{alone}");
    let retried = Retried {
        campaign: CampaignId::from_uuid(uuid::Uuid::nil()),
        request: Box::new(request.clone()),
        bounds: LeftBounds {
            labels: vec![vec![LeftOfValue::new(Some("db".to_owned()), None, None)]],
            ..LeftBounds::default()
        },
        passed: vec![],
        held: vec![],
        shown: vec![],
        unmanaged: vec![],
    };
    let options = Options {
        retries: Some(&retried),
        ..attended()
    };
    let plan = planned_with(&world(), &request, options).unwrap();
    assert_eq!(plan.labels[0].values.len(), 1, "{:?}", plan.labels);
    assert_eq!(plan.labels[0].values[0].value, None);
}

#[test]
fn a_tag_that_cannot_be_read_makes_its_location_unknown_and_not_untagged() {
    let mut world = world();
    world.place(OTHER, "us-east-1").tags_fail = Some(PortErrorKind::Denied);
    let request = asked(json!([{"by": "tag:Service", "max_in_flight": 1}]));
    let refusal = planned(&world, &request).unwrap_err();
    assert_eq!(refusal.reasons.len(), 1, "{refusal}");
    assert_eq!(refusal.reasons[0].code, RefusalCode::CensusUnknown);
    assert!(refusal.to_string().contains("GetResources"), "{refusal}");
    // A denial of the tags alone does not put a location out of scope: its nodes are there.
    let mut excludes = request.clone();
    excludes.policy.denied = crate::request::DeniedAction::Exclude;
    let refusal = planned(&world, &excludes).unwrap_err();
    assert_eq!(refusal.reasons[0].code, RefusalCode::CensusUnknown, "{refusal}");
    let mut ids = request.clone();
    ids.targets.selector = crate::request::Selector::NodeIds(vec![node(0), node(102)]);
    let plan = planned(&self::world(), &ids).unwrap();
    let values: Vec<_> = plan.labels[0]
        .values
        .iter()
        .map(|value| value.value.as_deref())
        .collect();
    assert_eq!(values, [Some("db"), Some("web")]);
}

#[test]
fn the_nodes_are_counted_whatever_depth_is_asked_for() {
    let options = Options {
        depth: Depth::Presence,
        ..attended()
    };
    let request = asked(json!([{"by": "region", "max_in_flight": 1}]));
    let plan = planned_with(&world(), &request, options).unwrap();
    assert!(plan.locations.iter().all(|at| at.nodes.is_some()));
}

#[test]
fn a_saved_plan_is_bound_to_the_values_of_its_nodes() {
    let request = asked(json!([{"by": "tag:Service", "max_in_flight": 12}]));
    let plan = planned(&world(), &request).unwrap();
    let saved = serde_json::from_value::<Plan>(serde_json::to_value(&plan).unwrap()).unwrap();
    assert_eq!(saved, plan);
    assert_eq!(saved.differences(&plan), Vec::<String>::new());
    let mut world = world();
    let place = world.place(CENTRAL, "eu-west-1");
    place.tags.get_mut("Service").unwrap()[0].1 = "cache".to_owned();
    let newer = planned(&world, &request).unwrap();
    insta::assert_snapshot!(saved.differences(&newer).join("\n"), @r#"tag:Service: 1 node has another value: i-00000000000000000 (was "db", is "cache")"#);
    let mut wider = saved.clone();
    wider.labels[0].values[0].max_in_flight = Some(99);
    assert!(wider.check().is_err(), "the bound was widened");
    let mut fewer = saved.clone();
    fewer.labels[0].values[0].nodes.pop();
    assert!(fewer.check().is_err(), "a node was taken out");
    let mut none = saved;
    none.labels.clear();
    assert!(none.check().is_err(), "the label was taken out");
}

proptest! {
    /// Each node once, no chunk larger than it may be, and none with more of a value than may be in flight.
    #[test]
    fn chunks_have_every_node_once_and_no_more_of_a_value_than_its_bounds(
        services in prop::collection::vec(prop::option::of(prop::sample::select(vec!["a", "b", "c", "d"])), 1..60),
        most in 1_usize..9, in_flight in 1_u32..4,
    ) {
        let services = [vec![Some("a")], services].concat();
        let mut world = World::default();
        world.add(CENTRAL, &["us-east-1"]);
        *world.place(CENTRAL, "us-east-1") = place(0, &services);
        let request = request_with(
            json!({"resource_group": "W", "regions": ["us-east-1"]}),
            json!({"budget": {"labels": [{"by": "tag:Service", "max_in_flight": in_flight}]}}),
        );
        let plan = planned(&world, &request).unwrap();
        let nodes: Vec<NodeId> = (0..services.len() as u64).map(node).collect();
        let chunks = Cells::of(&plan.labels).chunks(&nodes, most);
        let mut all = chunks.concat();
        all.sort();
        let mut wanted = nodes.clone();
        wanted.sort();
        prop_assert_eq!(all, wanted);
        let value = |node: &NodeId| services[nodes.iter().position(|other| other == node).unwrap()];
        for chunk in &chunks {
            prop_assert!(chunk.len() <= most);
            for node in chunk {
                let same = chunk.iter().filter(|other| value(other) == value(node)).count();
                prop_assert!(same <= in_flight as usize);
            }
        }
        // As few as the fullest value and the size of a chunk allow, or nearly so.
        let largest = ["a", "b", "c", "d"].map(|name| services.iter().filter(|value| **value == Some(name)).count());
        let largest = largest.into_iter().chain([services.iter().filter(|value| value.is_none()).count()]).max().unwrap();
        let least = services.len().div_ceil(most).max(largest.div_ceil(in_flight as usize));
        prop_assert!(chunks.len() <= 2 * least, "{} chunks, where {} might do", chunks.len(), least);
    }
}
