//! What a plan makes of `budget.fleet`.

use super::helpers::{OTHER, attended, place, planned, planned_with};
use crate::budget::MaxConcurrency;
use crate::budget::WorstCase;
use crate::campaign::require_no_driver;
use crate::census::Depth;
use crate::plan::{FleetPace, Options, Plan};
use crate::port::PortErrorKind;
use crate::refusal::RefusalCode;
use crate::request::PatchRequest;
use crate::tests::world::{CENTRAL, World, request_with};
use serde_json::{Value, json};

const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "us-west-2"];

/// Six locations of 40 nodes each.
fn world() -> World {
    let mut world = World::default();
    for id in [CENTRAL, OTHER] {
        world.add(id, &REGIONS);
        for name in REGIONS {
            *world.place(id, name) = place(40, 0, 0);
        }
    }
    world
}

fn asked(fleet: Value) -> PatchRequest {
    asked_with(fleet, json!({"max_concurrency": "25%", "max_errors": "10%"}))
}

fn asked_with(fleet: Value, nodes: Value) -> PatchRequest {
    request_with(
        json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL, OTHER]}),
        json!({
            "patch": {"operation": "Install"},
            "budget": {"fleet": fleet, "nodes": nodes, "locations": {"max_concurrency": 4, "max_errors": 1}},
        }),
    )
}

fn fleet_of(plan: &Plan) -> String {
    let text = plan.to_text();
    let from = text.find("Across the fleet").unwrap();
    let to = text.find("At worst").unwrap();
    text[from..to].trim_end().to_owned()
}

fn limits(plan: &Plan) -> Vec<(String, u32)> {
    plan.units
        .iter()
        .map(|unit| {
            (
                unit.start.parameters["MaxConcurrency"].join(" "),
                unit.locations_at_once(),
            )
        })
        .collect()
}

#[test]
fn a_bound_on_nodes_in_flight_is_kept_by_aws_with_counts_that_multiply_to_no_more() {
    let plan = planned(&world(), &asked(json!({"max_in_flight": 20}))).unwrap();
    insta::assert_snapshot!(fleet_of(&plan), @"
    Across the fleet
      at most 20 of 240 nodes in flight (max_in_flight = 20)
      kept by Systems Manager, also if patchfleet is dead: 6 nodes at once in each of 3 locations at once
    ");
    assert_eq!(limits(&plan), [("6".to_owned(), 3)]);
    assert_eq!(plan.location_budget(), 3);
    assert_eq!(plan.worst_case.nodes_at_once, Some(18));
    assert!(
        plan.units.iter().all(|unit| unit.nodes.is_none()),
        "the group is named"
    );
    assert_eq!(plan.check(), Ok(()));
    require_no_driver(&plan).unwrap();
}

#[test]
fn a_share_is_of_the_nodes_that_commands_are_sent_to_and_is_rounded_down_but_never_to_none() {
    let mut world = world();
    *world.place(OTHER, "us-west-2") = place(30, 3, 9);
    let in_flight = |share: &str| {
        let plan = planned(&world, &asked(json!({"max_in_flight": share}))).unwrap();
        let fleet = plan.fleet.unwrap();
        (fleet.nodes, fleet.max_in_flight)
    };
    assert_eq!(in_flight("10%"), (233, Some(23)));
    let mut small = World::default();
    small.add(CENTRAL, &REGIONS);
    *small.place(CENTRAL, "us-east-1") = place(3, 0, 0);
    let mut request = asked(json!({"max_in_flight": "10%"}));
    request.targets.accounts = vec![];
    let plan = planned(&small, &request).unwrap();
    assert_eq!(plan.fleet.unwrap().max_in_flight, Some(1));
}

#[test]
fn no_location_has_more_at_once_than_its_own_limit_allows_and_the_plan_says_which_one_it_is() {
    let mut world = world();
    *world.place(OTHER, "us-west-2") = place(8, 0, 0);
    let plan = planned(&world, &asked(json!({"max_in_flight": 40}))).unwrap();
    insta::assert_snapshot!(fleet_of(&plan), @"
    Across the fleet
      at most 40 of 208 nodes in flight (max_in_flight = 40)
      kept by Systems Manager, also if patchfleet is dead: 2 nodes at once in each of 4 locations at once
      no more at once, as 222222222222/us-west-2 allows no more: budget.nodes.max_concurrency = 25% of its 8 nodes; a count, such as 5, is no smaller in a small location
      in no more locations at once, as budget.locations.max_concurrency = 4 allows no more
    ");
    let wide = json!({"max_concurrency": "100%", "max_errors": "10%"});
    let plan = planned(&world, &asked_with(json!({"max_in_flight": 40}), wide)).unwrap();
    insta::assert_snapshot!(fleet_of(&plan), @"
    Across the fleet
      at most 40 of 208 nodes in flight (max_in_flight = 40)
      kept by Systems Manager, also if patchfleet is dead: 13 nodes at once in each of 3 locations at once
    ");
}

#[test]
fn a_bound_on_damage_has_each_start_name_its_nodes() {
    let plan = planned(
        &world(),
        &asked(json!({"max_damaged": 12, "max_in_flight": "50%"})),
    )
    .unwrap();
    insta::assert_snapshot!(fleet_of(&plan), @"
    Across the fleet
      at most 120 of 240 nodes in flight (max_in_flight = 50%)
      at most 12 of 240 nodes damaged (max_damaged = 12)
      kept by the campaign: each start names at most 3 nodes, and is made once there is room for them
    ");
    let FleetPace::Campaign { nodes_in_a_start } = plan.fleet.unwrap().pace else {
        panic!("{:?}", plan.fleet);
    };
    let named: Vec<usize> = plan
        .units
        .iter()
        .map(|unit| unit.nodes.as_ref().unwrap().len())
        .collect();
    assert!(named.iter().all(|n| *n <= nodes_in_a_start as usize), "{named:?}");
    assert_eq!(named.iter().sum::<usize>(), 240, "each node once");
    assert_eq!(
        (plan.worst_case.nodes_at_once, plan.worst_case.nodes_damaged),
        (Some(12), Some(12))
    );
    assert_eq!(
        (
            plan.worst_case.in_truth.nodes_damaged,
            plan.worst_case.driver_dead.nodes_damaged
        ),
        (Some(12), Some(12))
    );
    let text = plan.to_text();
    assert!(
        text.contains("no more nodes fail or are lost than budget.fleet.max_damaged allows"),
        "{text}"
    );
    assert!(!text.contains("With a driver"), "{text}");
    // Four starts of three nodes are twelve.
    assert!(text.contains("; 4 run side by side"), "{text}");
    let WorstCase {
        starts_at_once,
        locations_at_once,
        driver_dead,
        ..
    } = plan.worst_case;
    assert!(locations_at_once <= starts_at_once && driver_dead.locations_at_once <= starts_at_once);
    assert_eq!(plan.check(), Ok(()));
    assert!(
        require_no_driver(&plan)
            .unwrap_err()
            .to_string()
            .contains("max_in_flight alone")
    );
}

#[test]
fn a_bound_that_cannot_be_kept_refuses_the_plan() {
    let refused = |world: &World, fleet: Value| {
        let refusal = planned(world, &asked(fleet)).unwrap_err();
        let [reason] = refusal.reasons.as_slice() else {
            panic!("{refusal}");
        };
        assert_eq!(reason.code, RefusalCode::FleetBudget);
        reason.detail.clone()
    };
    let mut small = world();
    for (id, name) in small
        .places
        .keys()
        .map(|at| (at.account.clone(), at.region.clone()))
        .collect::<Vec<_>>()
    {
        *small.place(id.as_str(), name.as_str()) = place(9, 0, 0);
    }
    let mut unknown = world();
    unknown.place(OTHER, "us-west-2").members_fail = Some((0, PortErrorKind::Denied));
    let told = refused(&small, json!({"max_damaged": "1%"}));
    insta::assert_snapshot!(told, @"max_damaged: 1% of 54 nodes is less than one. Any node that is begun may be damaged, so with none allowed nothing could be begun: give a count, such as 1, or a larger share");
    let mut request = asked(json!({"max_in_flight": 10}));
    request.policy.unknown = crate::request::PolicyAction::Keep;
    request.policy.denied = crate::request::DeniedAction::Keep;
    let refusal = planned(&unknown, &request).unwrap_err();
    insta::assert_snapshot!(refusal, @r#"refused: [fleet_budget] budget.fleet: a bound on the nodes of the whole fleet needs to know how many there are, and they were not counted in 1 location: 222222222222/us-west-2. Have them skipped (policy.unknown = "skip", policy.denied) or leave the bound out"#);
}

#[test]
fn nodes_are_counted_for_a_bound_whatever_depth_is_asked_for() {
    let options = Options {
        depth: Depth::Presence,
        ..attended()
    };
    let plan = planned_with(&world(), &asked(json!({"max_in_flight": 20})), options).unwrap();
    assert!(plan.locations.iter().all(|at| at.nodes.is_some()));
}

#[test]
fn a_plan_whose_bounds_were_changed_is_not_begun() {
    let mut plan = planned(&world(), &asked(json!({"max_in_flight": 20}))).unwrap();
    let saved = serde_json::from_value::<Plan>(serde_json::to_value(&plan).unwrap()).unwrap();
    assert_eq!(saved, plan);
    plan.fleet = None;
    assert!(plan.check().is_err(), "the bound was taken out");
    let mut wider = saved.clone();
    wider.fleet.as_mut().unwrap().max_in_flight = Some(40);
    assert!(wider.check().is_err(), "the bound was widened");
    let mut more = saved;
    for unit in &mut more.units {
        unit.start
            .parameters
            .insert("MaxConcurrency".to_owned(), vec!["10".to_owned()]);
        unit.node_rates.max_concurrency = MaxConcurrency::from_count(10).unwrap();
    }
    assert!(more.check().is_err(), "a start was given more nodes at once");
}

#[test]
fn a_bound_on_unreached_nodes_alone_changes_no_start() {
    let mut request = asked(json!({"max_unreached": "10%"}));
    request.budget.fleet = None;
    let plain = planned(&world(), &request).unwrap();
    let plan = planned(&world(), &asked(json!({"max_unreached": "10%"}))).unwrap();
    let starts = |plan: &Plan| {
        plan.units
            .iter()
            .map(|unit| unit.start.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(starts(&plan), starts(&plain));
    insta::assert_snapshot!(fleet_of(&plan), @"
    Across the fleet
      nothing more is begun once more than 24 of 240 nodes were not reached (max_unreached = 10%)
    ");
}

#[test]
fn with_a_breaker_each_location_has_a_start_of_its_own_as_aws_would_begin_the_later_ones_after_it_has_tripped()
 {
    let starts = |breaker: Value| {
        let mut rest = json!({"budget": {"locations": {"max_concurrency": 1, "max_errors": 6}}});
        if !breaker.is_null() {
            rest["breaker"] = breaker;
        }
        let targets = json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL, OTHER]});
        let request = request_with(targets, rest);
        planned(&world(), &request).unwrap().units.len()
    };
    assert_eq!(starts(Value::Null), 1);
    assert_eq!(starts(json!({"consecutive_failures": 2})), 6);
    assert_eq!(starts(json!({"failure_share": "30%", "sample": 20})), 6);
}

#[test]
fn a_plan_says_what_its_breakers_come_to_and_which_never_trip() {
    let breakers = |breaker: Value, max_errors: u32| {
        let request = request_with(
            json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL, OTHER]}),
            json!({
                "budget": {"locations": {"max_concurrency": 4, "max_errors": max_errors}},
                "breaker": breaker,
            }),
        );
        let text = planned(&world(), &request).unwrap().to_text();
        let from = text.find("Breakers").unwrap();
        text[from..text.find("At worst").unwrap()].trim_end().to_owned()
    };
    let both = json!({"consecutive_failures": 2, "failure_share": "30%", "sample": 20});
    insta::assert_snapshot!(breakers(both, 3), @"
    Breakers
      nothing more is begun once 2 locations have failed one after another (consecutive_failures = 2)
      nothing more is begun once more than 30% of the last 20 nodes failed, were lost, or are unknown (failure_share = 30%, sample = 20)
    ");
    let neither = json!({"consecutive_failures": 7, "failure_share": "30%", "sample": 241});
    insta::assert_snapshot!(breakers(neither, 3), @"
    Breakers
      nothing more is begun once 7 locations have failed one after another (consecutive_failures = 7)
        it never trips, as there are 6 locations
      nothing more is begun once more than 30% of the last 241 nodes failed, were lost, or are unknown (failure_share = 30%, sample = 241)
        it never says anything, as there are 240 nodes
    ");
    insta::assert_snapshot!(breakers(json!({"alarm": "web errors"}), 1), @"
    Breakers
      nothing more is begun once the CloudWatch alarm web errors of the central account and Region is in the state ALARM (alarm)
    ");
    let handed = json!({"alarm": "web errors", "hand_alarm_to_aws": true});
    insta::assert_snapshot!(breakers(handed, 1), @"
    Breakers
      nothing more is begun once the CloudWatch alarm web errors of the central account and Region is in the state ALARM (alarm)
        Systems Manager then stops by itself what was started, also if nobody drives the campaign, and if it cannot read the alarm (hand_alarm_to_aws)
    ");
    insta::assert_snapshot!(breakers(json!({"consecutive_failures": 2}), 1), @"
    Breakers
      nothing more is begun once 2 locations have failed one after another (consecutive_failures = 2)
        budget.locations.max_errors = 1 ends it by then, as it allows 1
    ");
}
