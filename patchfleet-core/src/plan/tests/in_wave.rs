//! What a plan makes of a wave that is patched otherwise than the rest.

use super::helpers::{OTHER, attended, place, planned, planned_with};
use crate::campaign::require_no_driver;
use crate::census::Depth;
use crate::plan::{FleetPace, Options, Plan, PlannedFleet, Unit};
use crate::refusal::RefusalCode;
use crate::request::{Operation, PatchRequest};
use crate::tests::world::{CENTRAL, World, request_with};
use proptest::prelude::*;
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

/// Two locations are the canary, which has these tables of its own.
fn asked(fleet: Value, own: Value) -> PatchRequest {
    asked_with(fleet, own, json!({}))
}

fn asked_with(fleet: Value, own: Value, tables: Value) -> PatchRequest {
    let mut canary = json!({"name": "canary", "regions": ["eu-west-1"]});
    canary
        .as_object_mut()
        .unwrap()
        .extend(own.as_object().unwrap().clone());
    let mut budget = json!({
        "nodes": {"max_concurrency": "25%", "max_errors": "10%"},
        "locations": {"max_concurrency": 4, "max_errors": 1},
    });
    if !fleet.is_null() {
        budget["fleet"] = fleet;
    }
    let mut all = json!({"patch": {"operation": "Install"}, "budget": budget, "waves": [canary]});
    all.as_object_mut()
        .unwrap()
        .extend(tables.as_object().unwrap().clone());
    request_with(
        json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL, OTHER]}),
        all,
    )
}

/// Of each unit: its wave, how many nodes it names, what it is told, its places and its errors.
fn told(plan: &Plan) -> Vec<(u32, Option<usize>, String, u32, u32)> {
    let units = plan.units.iter().map(|unit| {
        let of = ["Operation", "RebootOption", "MaxConcurrency", "MaxErrors"];
        let values = of.map(|name| unit.start.parameters[name].join(" "));
        let named = unit.nodes.as_ref().map(Vec::len);
        (
            unit.wave,
            named,
            values.join(" "),
            unit.locations_at_once(),
            unit.location_errors(),
        )
    });
    units.collect()
}

fn everything() -> Value {
    json!({
        "patch": {"operation": "Scan", "reboot_option": "NoReboot"},
        "budget": {
            "nodes": {"max_concurrency": 3, "max_errors": 0},
            "locations": {"max_concurrency": 1, "max_errors": 0},
            "fleet": {"max_in_flight": "5%"},
        },
    })
}

#[test]
fn the_plan_shows_what_is_different_in_a_wave() {
    let plan = planned(&world(), &asked(json!({"max_in_flight": "10%"}), everything())).unwrap();
    insta::assert_snapshot!(plan.to_text());
    let again = Plan::from_json(&plan.to_json()).unwrap();
    assert_eq!(again, plan);
}

#[test]
fn each_start_has_the_parameters_of_its_wave_and_its_budgets() {
    let own = json!({
        "patch": everything()["patch"],
        "budget": {"nodes": {"max_concurrency": 3}, "locations": {"max_concurrency": 1, "max_errors": 0}},
    });
    let plan = planned(&world(), &asked(json!(null), own)).unwrap();
    let expected = [
        (1, None, "Scan NoReboot 3 10%".to_owned(), 1, 0),
        (2, None, "Install RebootIfNeeded 25% 10%".to_owned(), 4, 1),
    ];
    assert_eq!(told(&plan), expected);
    assert_eq!(plan.units[0].node_rates.max_concurrency.to_string(), "3");
    plan.check().unwrap();
}

#[test]
fn a_scan_in_a_wave_is_not_told_of_the_list_of_patches() {
    let own = json!({"patch": {"operation": "Scan"}});
    let patch = json!({"patch": {"operation": "Install", "install_override_list": "s3://lists/a.yaml"}});
    let plan = planned(&world(), &asked_with(json!(null), own, patch)).unwrap();
    let lists = plan
        .units
        .iter()
        .map(|unit| unit.start.parameters.contains_key("InstallOverrideList"));
    assert_eq!(Vec::from_iter(lists), [false, true]);
}

#[test]
fn a_command_that_patchfleet_sends_itself_has_the_parameters_of_its_wave() {
    let own = json!({"patch": everything()["patch"], "budget": {"nodes": {"max_concurrency": 3}}});
    let dispatch = json!({"automation": {"dispatch": "run-command"}});
    let plan = planned(&world(), &asked_with(json!(null), own, dispatch)).unwrap();
    for unit in &plan.units {
        let command = unit.start.command.as_ref().unwrap();
        let operation = unit.start.to_send().unwrap().1.parameters["Operation"].join("");
        let said = (operation.as_str(), command.rates.max_concurrency.to_string());
        let expected = if unit.wave == 1 {
            ("Scan", "3")
        } else {
            ("Install", "25%")
        };
        assert_eq!(said, (expected.0, expected.1.to_owned()));
    }
    plan.check().unwrap();
}

fn fleet_in(plan: &Plan, wave: u32) -> PlannedFleet {
    plan.fleet_in(wave).unwrap()
}

#[test]
fn a_wave_with_a_bound_on_nodes_in_flight_is_paced_by_aws() {
    let own = json!({"budget": {"fleet": {"max_in_flight": 6}}});
    let plan = planned(&world(), &asked(json!(null), own)).unwrap();
    let expected = [
        (1, None, "Install RebootIfNeeded 6 10%".to_owned(), 1, 1),
        (2, None, "Install RebootIfNeeded 25% 10%".to_owned(), 4, 1),
    ];
    assert_eq!(told(&plan), expected);
    assert_eq!(plan.fleet, None);
    assert!(matches!(
        fleet_in(&plan, 1).pace,
        FleetPace::Aws {
            nodes_at_once: Some(6),
            locations_at_once: Some(1)
        }
    ));
    assert!(
        plan.to_text()
            .contains("of 80 nodes at most 6 in flight, 6 nodes at once in each location")
    );
}

#[test]
fn a_wave_with_a_bound_on_damage_has_every_start_name_its_nodes_and_the_plan_says_so() {
    let own = json!({"budget": {"fleet": {"max_damaged": 2}}});
    let plan = planned(&world(), &asked(json!(null), own)).unwrap();
    let most = |wave: u32| {
        let of_wave = plan.units.iter().filter(|unit| unit.wave == wave);
        of_wave
            .map(|unit| unit.nodes.as_ref().unwrap().len())
            .max()
            .unwrap()
    };
    assert!(most(1) <= 2, "{}", most(1));
    assert!(most(2) > 2, "{}", most(2));
    assert_eq!(fleet_in(&plan, 1).max_damaged, Some(2));
    assert_eq!(plan.fleet.unwrap().max_damaged, None);
    let text = plan.to_text();
    assert!(
        text.contains("of 80 nodes at most 2 damaged, each start names at most 1 node"),
        "{text}"
    );
    assert!(
        text.contains("Each start names its nodes, in every wave"),
        "{text}"
    );
    plan.check().unwrap();
    // At worst those two, and all others.
    assert_eq!(plan.worst_case.in_truth.nodes_damaged, Some(162));
}

#[test]
fn percentages_of_a_wave_are_of_its_own_nodes_and_locations() {
    let own = json!({"budget": {
        "fleet": {"max_in_flight": "10%", "max_damaged": "5%"},
        "locations": {"max_concurrency": "50%", "max_errors": "50%"},
    }});
    let plan = planned(&world(), &asked(json!(null), own)).unwrap();
    let (fleet, budget) = (fleet_in(&plan, 1), plan.wave_budgets[0]);
    assert_eq!(
        (fleet.nodes, fleet.max_in_flight, fleet.max_damaged),
        (80, Some(8), Some(4))
    );
    assert_eq!((budget.locations_at_once, budget.location_errors), (1, Some(1)));
}

#[test]
fn a_share_of_a_wave_that_comes_to_no_node_refuses() {
    let own = json!({"budget": {"fleet": {"max_damaged": "1%"}}});
    let refusal = planned(&world(), &asked(json!(null), own)).unwrap_err();
    let [reason] = &refusal.reasons[..] else {
        panic!("{refusal:?}")
    };
    assert_eq!(
        (reason.code, reason.subject.as_str()),
        (RefusalCode::FleetBudget, "waves[0].budget.fleet")
    );
    assert!(
        reason
            .detail
            .starts_with("max_damaged: 1% of 80 nodes is less than one."),
        "{reason:?}"
    );
}

#[test]
fn nodes_are_counted_for_a_bound_of_a_wave_whatever_the_caller_asked_for() {
    let own = json!({"budget": {"fleet": {"max_in_flight": 6}}});
    let options = Options {
        depth: Depth::Presence,
        ..attended()
    };
    let plan = planned_with(&world(), &asked(json!(null), own), options).unwrap();
    assert!(plan.locations.iter().all(|at| at.nodes.is_some()));
}

#[test]
fn a_wave_that_scans_is_expected_to_take_less_time() {
    let scans = planned(
        &world(),
        &asked(json!(null), json!({"patch": {"operation": "Scan"}})),
    )
    .unwrap();
    let installs = planned(&world(), &asked(json!(null), json!({}))).unwrap();
    let now = jiff::Timestamp::UNIX_EPOCH;
    let expected = |plan: &Plan| {
        plan.forecast_with(now, None, crate::budget::Seconds::new(0))
            .expected_seconds
            .unwrap()
    };
    // 25% of 40 at once, begun one, two, four at a time: six turns of 12 minutes less, in two rounds of locations.
    let less = expected(&installs) - expected(&scans);
    assert_eq!(less % (12 * 60), 0);
    assert!(less > 0);
}

#[test]
fn a_wave_with_limits_of_its_own_is_warned_of_by_its_own_key() {
    let own = json!({"budget": {"nodes": {"max_errors": "1%"}}});
    let plan = planned(&world(), &asked(json!(null), own)).unwrap();
    let warned = plan
        .warnings
        .iter()
        .any(|warning| warning.starts_with("waves[0].budget.nodes.max_errors: 1%"));
    assert!(warned, "{:?}", plan.warnings);
}

#[test]
fn an_edited_plan_is_not_loaded() {
    let plan = planned(&world(), &asked(json!(null), everything())).unwrap();
    let saved: Value = serde_json::from_str(&plan.to_json()).unwrap();
    let edits: [fn(&mut Value); 6] = [
        |plan| plan["requests"][0]["Parameters"]["Operation"] = json!(["Install"]),
        |plan| plan["requests"][0]["Parameters"]["RebootOption"] = json!(["RebootIfNeeded"]),
        |plan| plan["requests"][1]["Parameters"]["Operation"] = json!(["Scan"]),
        |plan| plan["wave_budgets"][0]["fleet"]["max_in_flight"] = json!(40),
        |plan| plan["wave_budgets"][0]["location_errors"] = json!(2),
        |plan| plan["wave_budgets"] = json!([]),
    ];
    assert!(Plan::from_json(&saved.to_string()).is_ok());
    for (n, edit) in edits.into_iter().enumerate() {
        let mut edited = saved.clone();
        edit(&mut edited);
        assert_ne!(edited, saved, "edit {n}");
        assert!(Plan::from_json(&edited.to_string()).is_err(), "edit {n}");
    }
}

#[test]
fn a_request_with_a_wave_of_its_own_kind_is_not_fired_and_forgotten() {
    let mut request = asked(json!(null), json!({"patch": {"operation": "Scan"}}));
    request.waves[0].regions = REGIONS.map(|region| region.parse().unwrap()).to_vec();
    request.waves[0].if_empty = crate::request::EmptyWave::Skip;
    let plan = planned(&world(), &request).unwrap();
    assert_eq!(plan.waves().len(), 1);
    let error = require_no_driver(&plan).unwrap_err().to_string();
    assert!(error.contains("a patch or a budget of its own"), "{error}");
}

fn bounds() -> impl Strategy<Value = Value> {
    let rate = || {
        prop::option::of(prop_oneof![
            (1_u32..60).prop_map(Value::from),
            (2_u32..=100).prop_map(|n| format!("{n}%").into())
        ])
    };
    (rate(), rate()).prop_map(|(in_flight, damaged)| {
        let mut fleet = json!({});
        if let Some(in_flight) = in_flight {
            fleet["max_in_flight"] = in_flight;
        }
        if let Some(damaged) = damaged {
            fleet["max_damaged"] = damaged;
        }
        fleet
    })
}

/// How many nodes a bound comes to, reckoned by hand; `None`: any number.
fn comes_to(bounds: &Value, key: &str, nodes: u64) -> Option<u64> {
    match &bounds[key] {
        Value::Number(count) => count.as_u64(),
        Value::String(share) => {
            let percent: u64 = share.trim_end_matches('%').parse().unwrap();
            Some((nodes * percent / 100).max(1))
        }
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn no_bound_of_a_wave_loosens_that_of_the_whole_and_no_start_is_larger_than_either(
        whole in bounds(), own in bounds(), at_once in 1_u32..50, locations in 1_u32..5
    ) {
        let fleet = if whole == json!({}) { json!(null) } else { whole.clone() };
        // A count that would loosen the request's is refused with the request.
        let looser = ["max_in_flight", "max_damaged"]
            .iter()
            .any(|key| own[key].as_u64().zip(whole[key].as_u64()).is_some_and(|(own, whole)| own > whole));
        prop_assume!(!looser);
        let own_tables = json!({"budget": {
            "fleet": own, "nodes": {"max_concurrency": at_once}, "locations": {"max_concurrency": locations},
        }});
        let plan = planned(&world(), &asked(fleet, own_tables)).unwrap();
        plan.check().unwrap();
        let most = |key| {
            let both = comes_to(&whole, key, 240).into_iter().chain(comes_to(&own, key, 80));
            both.min().unwrap_or(u64::MAX)
        };
        let (in_flight, damaged) = (most("max_in_flight"), most("max_damaged"));
        for unit in plan.units.iter().filter(|unit| unit.wave == 1) {
            let limit: u64 = unit.node_rates.max_concurrency.as_count(40).into();
            prop_assert!(limit <= u64::from(at_once));
            let open = match &unit.nodes {
                Some(nodes) => nodes.len() as u64,
                None => limit * u64::from(unit.locations_at_once()),
            };
            prop_assert!(open <= in_flight, "{open} of {in_flight}");
            prop_assert!(damaged == u64::MAX || unit.nodes.as_ref().is_some_and(|nodes| nodes.len() as u64 <= damaged));
        }
        let places: u32 = plan.units.iter().filter(|unit| unit.wave == 1).map(Unit::locations_at_once).sum();
        let names_nodes = plan.units[0].nodes.is_some();
        prop_assert!(names_nodes || places <= locations.min(2), "{places}");
        prop_assert_eq!(plan.request.operation_in(1), Operation::Install);
    }
}
