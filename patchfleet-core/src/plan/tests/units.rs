//! What each unit has: its limits, its share of the error budget, the nodes that it names.

use super::helpers::{OTHER, REGIONS, attended, place, planned, planned_with, world};
use crate::census::NodeCounts;
use crate::id::NodeId;
use crate::plan::{Followed, Options, Plan, Unit};
use crate::port::{PingStatus, PortErrorKind};
use crate::refusal::RefusalCode;
use crate::tests::world::{CENTRAL, World, ec2, hybrid, request, request_with};
use serde_json::{Value, json};

#[test]
fn location_limits_are_counts_resolved_against_all_planned_locations() {
    let mut world = World::default();
    for id in [CENTRAL, OTHER] {
        world.add(id, &REGIONS);
    }
    for name in REGIONS {
        *world.place(CENTRAL, name) = place(1, 0, 0);
    }
    *world.place(OTHER, "us-east-1") = place(1, 0, 0);
    let targets = json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL, OTHER]});
    let limits = json!({"locations": {"max_concurrency": "50%", "max_errors": "25%"}});
    let plan = planned(&world, &request_with(targets, json!({"budget": limits}))).unwrap();
    assert_eq!((plan.location_budget(), plan.location_errors()), (2, 1));
    let units: Vec<(u32, u32, u32)> = plan
        .units
        .iter()
        .map(|unit| {
            (
                unit.location_count(),
                unit.locations_at_once(),
                unit.location_errors(),
            )
        })
        .collect();
    assert_eq!(units, [(3, 1, 1), (1, 1, 1)]);
}

#[test]
fn a_plan_that_nobody_follows_shares_out_its_error_budget_and_says_so() {
    let mut world = World::default();
    for id in [CENTRAL, OTHER] {
        world.add(id, &REGIONS);
    }
    for name in REGIONS {
        *world.place(CENTRAL, name) = place(1, 0, 0);
    }
    *world.place(OTHER, "us-east-1") = place(1, 0, 0);
    let targets = json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL, OTHER]});
    let limits = json!({"locations": {"max_concurrency": 4, "max_errors": 1}});
    let asked = request_with(targets, json!({"budget": limits}));
    let plan = |followed| {
        let options = Options {
            followed,
            ..attended()
        };
        planned_with(&world, &asked, options).unwrap()
    };
    let errors = |plan: &Plan| -> Vec<u32> { plan.units.iter().map(Unit::location_errors).collect() };
    let (driven, fired) = (plan(Followed::ByDriver), plan(Followed::ByNobody));
    assert_eq!((errors(&driven), errors(&fired)), (vec![1, 1], vec![1, 0]));
    let failing = |plan: &Plan| plan.worst_case.locations_failing;
    assert_eq!((failing(&driven), failing(&fired)), (4, 4));
    let says = |plan: &Plan, words: &str| assert!(plan.to_text().contains(words), "{}", plan.to_text());
    says(
        &driven,
        "They share 4 locations at once. Each carries the whole error budget of 1",
    );
    says(
        &fired,
        "They share 4 locations at once and an error budget of 1, since nobody follows them",
    );
    let followed = |plan: &Plan| serde_json::to_value(plan).unwrap()["followed"].clone();
    assert_eq!(
        (followed(&driven), followed(&fired)),
        (json!("by_driver"), json!("by_nobody"))
    );
}

#[test]
fn node_ids_are_planned_where_they_are_twenty_at_a_time() {
    let mut world = world();
    let nodes: Vec<NodeId> = (100..145).map(ec2).collect();
    world.place(CENTRAL, "us-west-2").managed =
        nodes.iter().map(|id| (id.clone(), PingStatus::Online)).collect();
    world.place(OTHER, "us-west-2").managed = [(hybrid(7), PingStatus::Online)].into();
    let mut ids = nodes.clone();
    ids.push(hybrid(7));
    let targets = |ids: &[NodeId]| json!({"node_ids": ids, "regions": REGIONS, "accounts": [CENTRAL, OTHER]});
    let plan = planned(&world, &request(targets(&ids))).unwrap();
    assert_eq!((plan.locations.len(), plan.units.len()), (2, 4));
    let mut named: Vec<String> = plan
        .units
        .iter()
        .flat_map(|unit| {
            let target: Value = serde_json::from_str(&unit.start.parameters["Targets"][0]).unwrap();
            let values = target["Values"].as_array().unwrap().clone();
            values.into_iter().map(|id| id.as_str().unwrap().to_owned())
        })
        .collect();
    let mut wanted: Vec<String> = ids.iter().map(ToString::to_string).collect();
    named.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(named, wanted);
    assert_eq!(
        plan.locations[0].nodes,
        Some(NodeCounts {
            ec2: 45,
            online: 45,
            ..NodeCounts::default()
        })
    );

    ids.extend([ec2(900), ec2(901)]);
    let refusal = planned(&world, &request(targets(&ids))).unwrap_err();
    let lost: Vec<(RefusalCode, &str)> = refusal
        .reasons
        .iter()
        .map(|reason| (reason.code, reason.subject.as_str()))
        .collect();
    let (first, second) = (ec2(900).to_string(), ec2(901).to_string());
    assert_eq!(
        lost,
        [
            (RefusalCode::NodeNotFound, &*first),
            (RefusalCode::NodeNotFound, &*second)
        ]
    );

    let own = json!({"automation": {"document": "Our-Runbook"}});
    let refusal = planned(&world, &request_with(targets(&nodes), own)).unwrap_err();
    assert_eq!(refusal.reasons[0].code, RefusalCode::Unsupported);
}

#[test]
fn a_node_that_may_be_where_nobody_could_look_is_refused_in_these_words() {
    let mut world = world();
    world.place(CENTRAL, "us-east-1").managed = [(ec2(7), PingStatus::Online)].into();
    world.place(CENTRAL, "us-west-2").managed_fail = Some(PortErrorKind::Throttled);
    let targets = json!({"node_ids": [ec2(7), ec2(8)], "regions": ["us-east-1", "us-west-2"]});
    let refusal = planned(
        &world,
        &request_with(targets, json!({"policy": {"unknown": "skip"}})),
    )
    .unwrap_err();
    insta::assert_snapshot!(refusal.to_string(), @"refused: [node_not_found] i-00000000000000008: no location that gave a complete answer has it as a managed node. 1 location gave none, and it may be there: 111111111111/us-west-2");
}

#[test]
fn a_node_that_two_locations_claim_is_refused() {
    let mut world = world();
    for name in ["us-east-1", "eu-west-1"] {
        world.place(CENTRAL, name).managed = [(ec2(7), PingStatus::Online)].into();
    }
    let refusal = planned(
        &world,
        &request(json!({"node_ids": [ec2(7)], "regions": REGIONS})),
    )
    .unwrap_err();
    assert_eq!(refusal.reasons[0].code, RefusalCode::Unsupported);
    assert_eq!(refusal.reasons[0].subject, ec2(7).to_string());
}

#[test]
fn the_plan_says_where_the_output_goes_and_another_place_is_another_request() {
    let world = world();
    let more = |output: Value| {
        let policy = json!({"unknown": "skip", "group_missing": "skip"});
        let targets = json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL, OTHER]});
        request_with(targets, json!({"policy": policy, "output": output}))
    };
    let plan = planned(
        &world,
        &more(json!({"s3_bucket": "ops", "s3_prefix": "a/b", "cloudwatch_log_group": "/g"})),
    )
    .unwrap();
    let text = plan.to_text();
    assert!(
        text.contains("\n  the nodes' output goes to s3://ops/a/b and to the log group /g\n"),
        "{text}"
    );
    assert!(text.contains("OutputS3KeyPrefix = a/b"), "{text}");
    let other = planned(&world, &more(json!({"s3_bucket": "other"}))).unwrap();
    assert_eq!(plan.differences(&other), ["the request is another one"]);
    let none = planned(&world, &more(json!({}))).unwrap();
    assert!(!none.to_text().contains("output goes"));
}
