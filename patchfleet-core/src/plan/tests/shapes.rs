//! In which shape a bound on nodes in flight is kept, and that a plan is held to the bound and not to the choice.

use super::helpers::{OTHER, place, planned};
use crate::budget::MaxConcurrency;
use crate::plan::{FleetPace, Plan, PlannedFleet, PlannedWaveBudget};
use crate::request::PatchRequest;
use crate::tests::world::{CENTRAL, World, request_with};
use serde_json::{Value, json};
use std::collections::BTreeSet;

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

/// At most 20 nodes in flight, and such a share of a location's.
fn asked(share: &str, waves: Value) -> PatchRequest {
    request_with(
        json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL, OTHER]}),
        json!({
            "patch": {"operation": "Install"},
            "budget": {
                "fleet": {"max_in_flight": 20},
                "nodes": {"max_concurrency": share, "max_errors": "10%"},
                "locations": {"max_concurrency": 4, "max_errors": 1},
            },
            "waves": waves,
        }),
    )
}

fn canary() -> Value {
    json!([{"name": "canary", "locations": 1}])
}

#[test]
fn each_wave_has_the_shape_that_is_best_for_it_and_the_plan_says_so() {
    let plan = planned(&world(), &asked("50%", canary())).unwrap();
    let of = |wave: u32| {
        let units = plan.units.iter().filter(|unit| unit.wave == wave);
        let at_once: BTreeSet<String> = units
            .map(|unit| unit.start.parameters["MaxConcurrency"].join(" "))
            .collect();
        Vec::from_iter(at_once)
    };
    assert_eq!(of(1), ["20"], "half of its 40 nodes, all of them in flight");
    assert_eq!(of(2), ["10"], "in 2 of its 5 locations");
    let text = plan.to_text();
    let from = text.find("Across the fleet").unwrap();
    insta::assert_snapshot!(text[from..text.find("At worst").unwrap()].trim_end(), @"
    Across the fleet
      at most 20 of 240 nodes in flight (max_in_flight = 20)
      kept by Systems Manager, also if patchfleet is dead: 10 nodes at once in each of 2 locations at once (a wave with another shape: below)

    Budgets of single waves
      1  canary  1 location at once, of 40 nodes at most 20 in flight, 20 nodes at once in each location
    ");
    assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
}

#[test]
fn a_location_with_a_small_limit_bounds_the_nodes_at_once_in_its_own_wave_alone() {
    let mut world = world();
    *world.place(CENTRAL, "eu-west-1") = place(8, 0, 0);
    let canary = json!([{"name": "canary", "regions": ["eu-west-1"]}]);
    let plan = planned(&world, &asked("25%", canary)).unwrap();
    let of = |wave: u32| plan.fleet_in(wave).unwrap().nodes_at_once();
    assert_eq!(of(1), Some(2), "25% of its 8 nodes");
    assert!(of(2) > Some(2), "{:?}", of(2));
    let text = plan.to_text();
    assert!(!text.contains("no more at once"), "{text}");
    plan.check().unwrap();
}

#[test]
fn a_bound_on_nodes_in_flight_holds_in_every_wave_whatever_its_shape() {
    let plan = planned(
        &world(),
        &asked(
            "25%",
            json!([
                {"name": "canary", "locations": 1},
                {"name": "early", "locations": "50%"},
            ]),
        ),
    )
    .unwrap();
    for wave in 1..=3 {
        let FleetPace::Aws {
            nodes_at_once: Some(nodes),
            locations_at_once: Some(locations),
        } = plan.fleet_in(wave).unwrap().pace
        else {
            panic!("wave {wave}: {:?}", plan.fleet_in(wave));
        };
        assert!(
            nodes * locations <= 20 && nodes <= 10 && locations <= 4,
            "{nodes} x {locations}"
        );
        let at_once: u32 = plan
            .units
            .iter()
            .filter(|unit| unit.wave == wave)
            .map(crate::plan::Unit::locations_at_once)
            .max()
            .unwrap();
        assert!(at_once <= locations, "{at_once}");
    }
}

/// The plan with this shape across the fleet, which every start of its only wave is given.
fn reshaped(plan: &Plan, nodes: u32, locations: u32) -> Plan {
    let mut plan = plan.clone();
    plan.fleet = plan.fleet.map(|fleet| PlannedFleet {
        pace: paced(nodes, locations),
        ..fleet
    });
    for unit in &mut plan.units {
        let count = MaxConcurrency::from_count(nodes).unwrap();
        unit.node_rates.max_concurrency = count;
        unit.start
            .parameters
            .insert("MaxConcurrency".to_owned(), vec![nodes.to_string()]);
        unit.start.target_locations[0].target_location_max_concurrency =
            locations.min(unit.locations_at_once());
    }
    plan
}

fn paced(nodes: u32, locations: u32) -> FleetPace {
    FleetPace::Aws {
        nodes_at_once: Some(nodes),
        locations_at_once: Some(locations),
    }
}

#[test]
fn a_plan_in_another_shape_is_driven_on_if_that_keeps_the_bound() {
    let plan = planned(&world(), &asked("25%", json!([]))).unwrap();
    for (nodes, locations) in [(1, 1), (5, 4), (10, 2), (10, 1), (2, 3)] {
        reshaped(&plan, nodes, locations)
            .check()
            .unwrap_or_else(|fault| panic!("{nodes} x {locations}: {fault}"));
    }
    for (nodes, locations, why) in [
        (7, 3, "21 nodes at once"),
        (4, 5, "one location more than the request allows"),
        (11, 1, "one more than the limit within a location"),
        (0, 4, "none at all"),
    ] {
        let Ok(_) = MaxConcurrency::from_count(nodes) else {
            let mut none = plan.clone();
            none.fleet = none.fleet.map(|fleet| PlannedFleet {
                pace: paced(nodes, locations),
                ..fleet
            });
            assert!(none.check().is_err(), "{why}");
            continue;
        };
        assert!(reshaped(&plan, nodes, locations).check().is_err(), "{why}");
    }
    let mut open = plan.clone();
    open.fleet = open.fleet.map(|fleet| PlannedFleet {
        pace: FleetPace::Aws {
            nodes_at_once: None,
            locations_at_once: None,
        },
        ..fleet
    });
    assert!(open.check().is_err(), "no shape at all");
}

#[test]
fn what_a_plan_says_of_the_shape_of_a_wave_is_held_to_the_bound_as_well() {
    let plan = planned(&world(), &asked("50%", canary())).unwrap();
    let with = |change: &dyn Fn(&mut PlannedWaveBudget)| {
        let mut plan = plan.clone();
        change(&mut plan.wave_budgets[0]);
        plan.check()
    };
    with(&|_| {}).unwrap();
    let wider = |own: &mut PlannedWaveBudget| {
        own.locations_at_once = 2;
        own.fleet.as_mut().unwrap().pace = paced(10, 2);
    };
    assert!(with(&wider).is_err(), "it has one location");
    assert!(with(&|own| own.fleet.as_mut().unwrap().pace = paced(21, 1)).is_err());
    assert!(with(&|own| own.fleet.as_mut().unwrap().max_in_flight = Some(30)).is_err());
    assert!(with(&|own| own.fleet = None).is_err());
    assert!(with(&|own| own.location_errors = Some(1)).is_err());
    assert!(with(&|own| own.wave = 2).is_err(), "the last wave has none");
    let mut twice = plan.clone();
    twice.wave_budgets.push(twice.wave_budgets[0]);
    assert!(twice.check().is_err());
}
