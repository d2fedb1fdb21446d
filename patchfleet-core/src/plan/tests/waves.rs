//! Which location is in which wave, and what a plan makes of it.

use super::helpers::*;
use crate::census::Depth;
use crate::id::{Location, OrgParent, OuId};
use crate::plan::{Options, Plan, PlanFault, PlannedLocation};
use crate::refusal::{Refusal, RefusalCode};
use crate::request::PatchRequest;
use crate::tests::numbers::Numbers;
use crate::tests::world::{CENTRAL, World, account, request_with};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn with_waves(targets: Value, waves: Value) -> PatchRequest {
    request_with(
        targets,
        json!({
            "patch": {"operation": "Install"},
            "policy": {"unknown": "skip", "denied": "skip"},
            "budget": {"locations": {"max_concurrency": 3, "max_errors": 1}},
            "waves": waves,
        }),
    )
}

fn two_accounts(waves: Value) -> PatchRequest {
    let targets =
        json!({"resource_group": "WebServers", "regions": REGIONS, "accounts": [CENTRAL, OTHER, CLOSED]});
    with_waves(targets, waves)
}

/// An organization of so many accounts, each with a node in each of the Regions.
fn fleet(accounts: u64) -> World {
    let mut world = World::default();
    for n in 0..accounts {
        let id = (111_111_111_111 + n).to_string();
        world.add(&id, &REGIONS);
        for region in REGIONS {
            *world.place(&id, region) = place(1, 0, 0);
        }
    }
    world
}

/// A request for the first so many accounts of it.
fn all_of(accounts: u64, waves: Value) -> PatchRequest {
    let accounts: Vec<String> = (0..accounts).map(|n| (111_111_111_111 + n).to_string()).collect();
    let targets = json!({"resource_group": "WebServers", "regions": REGIONS, "accounts": accounts});
    with_waves(targets, waves)
}

fn in_wave(plan: &Plan, wave: u32) -> BTreeSet<Location> {
    let there = plan.locations.iter().filter(|at| at.wave == wave);
    there.map(PlannedLocation::location).collect()
}

fn codes(refusal: &Refusal) -> Vec<(RefusalCode, &str)> {
    let reasons = refusal.reasons.iter();
    reasons
        .map(|reason| (reason.code, reason.subject.as_str()))
        .collect()
}

#[test]
fn the_plan_shows_its_waves_and_their_units() {
    let waves = json!([
        {
            "name": "canary", "regions": ["eu-west-1"], "soak": "30m", "approval": true,
            "gate": {"max_failed": "5%", "max_unreached": 2, "min_sample": 10},
        },
        {"name": "own", "accounts": [CENTRAL]},
    ]);
    let plan = planned(&world(), &two_accounts(waves)).unwrap();
    insta::assert_snapshot!(plan.to_text());
    let units: Vec<(u32, u32)> = plan
        .units
        .iter()
        .map(|unit| (unit.id.number(), unit.wave))
        .collect();
    assert_eq!(units, [(1, 1), (2, 2), (3, 3)]);
    let again = Plan::from_json(&plan.to_json()).unwrap();
    assert_eq!(again, plan);
    let saved: Value = serde_json::from_str(&plan.to_json()).unwrap();
    assert_eq!(saved["units"][1]["wave"], 2);
    assert_eq!(saved["locations"][0]["wave"], 1);
}

#[test]
fn a_location_is_in_the_first_wave_that_names_it() {
    let waves = json!([
        {"name": "one", "accounts": [CENTRAL], "regions": ["eu-west-1"]},
        {"name": "two", "accounts": [CENTRAL]},
        {"name": "three", "regions": ["eu-west-1", "us-east-1"], "if_empty": "skip"},
    ]);
    let plan = planned(&world(), &two_accounts(waves)).unwrap();
    let waves: Vec<(String, u32)> = plan
        .locations
        .iter()
        .map(|at| (at.location().to_string(), at.wave))
        .collect();
    let expected = [
        ("111111111111/eu-west-1", 1),
        ("111111111111/us-east-1", 2),
        ("222222222222/us-east-1", 3),
    ];
    assert_eq!(waves, expected.map(|(at, wave)| (at.to_owned(), wave)));
}

/// Units: each has locations of one wave, the waves come in order, and each location is once in some unit.
fn assert_units(plan: &Plan) {
    plan.check().unwrap();
    let waves: BTreeMap<Location, u32> = plan.locations.iter().map(|at| (at.location(), at.wave)).collect();
    let mut seen = BTreeMap::new();
    for unit in &plan.units {
        for location in unit.locations() {
            assert_eq!(waves[&location], unit.wave, "{location} of unit {}", unit.id);
            assert_eq!(seen.insert(location, ()), None);
        }
    }
    assert_eq!(seen.len(), waves.len());
    assert!(plan.units.is_sorted_by_key(|unit| unit.wave));
    let at_once = |wave: u32| {
        let units = plan.units.iter().filter(|unit| unit.wave == wave);
        let shares: Vec<u32> = units.map(crate::plan::Unit::locations_at_once).collect();
        let sum: u32 = shares.iter().sum();
        // With more units than places each has one.
        assert!(sum <= plan.location_budget() || shares.len() as u32 > plan.location_budget());
        sum
    };
    let most = (1..=plan.request.wave_count()).map(at_once).max().unwrap();
    assert!(plan.worst_case.locations_at_once >= most.min(plan.location_budget()));
}

proptest! {
    #[test]
    fn no_unit_has_locations_of_two_waves_and_the_units_of_each_wave_come_after_those_before(
        seed in any::<u64>(), accounts in 2_u64..6,
    ) {
        let mut numbers = Numbers(seed);
        let waves: Vec<Value> = (0..numbers.below(4)).map(|n| {
            let mut wave = json!({"name": format!("w{n}"), "if_empty": "skip"});
            match numbers.below(4) {
                0 => wave["regions"] = json!([REGIONS[numbers.below(3) as usize]]),
                1 => wave["accounts"] = json!([(111_111_111_111 + numbers.below(accounts)).to_string()]),
                2 => wave["locations"] = json!(1 + numbers.below(6)),
                _ => wave["locations"] = json!(format!("{}%", 1 + numbers.below(100))),
            }
            wave
        }).collect();
        let mut request = all_of(accounts, json!([]));
        // Waves that take all of each other's locations are told when a request is read.
        let Ok(read) = PatchRequest::from_value(serde_json::to_value(&request).map(|mut value| {
            value["waves"] = json!(waves);
            value
        }).unwrap()) else { return Ok(()) };
        request.waves = read.waves;
        let plan = planned(&fleet(accounts), &request).unwrap();
        assert_units(&plan);
    }

    #[test]
    fn a_location_of_a_share_stays_in_it_whichever_accounts_are_added(
        percent in 1_u32..100, few in 1_u64..8, more in 1_u64..8,
    ) {
        let waves = json!([{"name": "canary", "locations": format!("{percent}%")}]);
        let small = planned(&fleet(few), &all_of(few, waves.clone()));
        let large = planned(&fleet(few + more), &all_of(few + more, waves)).unwrap();
        let (small, large) = (in_wave(&small.unwrap(), 1), in_wave(&large, 1));
        // With one location, it may be there because the wave would have none otherwise.
        if small.len() > 1 {
            prop_assert!(small.is_subset(&large), "{small:?} {large:?}");
        }
    }

    #[test]
    fn a_count_is_kept_and_each_new_location_takes_the_place_of_at_most_one(
        count in 1_usize..8, few in 3_u64..8,
    ) {
        let waves = json!([{"name": "canary", "locations": count}]);
        let small = planned(&fleet(few), &all_of(few, waves.clone())).unwrap();
        let large = planned(&fleet(few + 1), &all_of(few + 1, waves)).unwrap();
        let (small, large) = (in_wave(&small, 1), in_wave(&large, 1));
        prop_assert_eq!((small.len(), large.len()), (count, count));
        prop_assert!(small.difference(&large).count() <= REGIONS.len());
    }
}

#[test]
fn a_share_is_about_as_large_as_it_says() {
    let waves = json!([{"name": "canary", "locations": "20%"}]);
    let plan = planned(&fleet(100), &all_of(100, waves)).unwrap();
    let drawn = in_wave(&plan, 1).len();
    assert!((40..80).contains(&drawn), "{drawn} of 300");
}

#[test]
fn a_count_rather_takes_locations_where_something_can_be_patched() {
    for empty in 0..4 {
        let mut world = fleet(2);
        let only = Location::new(account("111111111112"), REGIONS[empty % 3].parse().unwrap());
        for (location, place) in &mut world.places {
            if *location != only {
                *place = super::helpers::place(0, 2, 0);
            }
        }
        let waves = json!([{"name": "canary", "locations": 1}]);
        let plan = planned(&world, &all_of(2, waves)).unwrap();
        assert_eq!(in_wave(&plan, 1), BTreeSet::from([only]));
    }
}

/// Two accounts below a unit, one of them deeper.
fn organization() -> (World, OrgParent) {
    let (unit, below): (OuId, OuId) = (
        "ou-ab12-canaries".parse().unwrap(),
        "ou-ab12-deepdown".parse().unwrap(),
    );
    let mut world = fleet(4);
    let [a, b] = ["111111111112", "111111111113"].map(account);
    let root = OrgParent::Root("r-ab12".parse().unwrap());
    let others = vec![account("111111111111"), account("111111111114")];
    world.units.insert(root, (others, vec![unit.clone()]));
    world
        .units
        .insert(OrgParent::Ou(unit.clone()), (vec![a], vec![below.clone()]));
    world.units.insert(OrgParent::Ou(below), (vec![b], vec![]));
    (world, OrgParent::Ou(unit))
}

#[test]
fn a_unit_in_a_wave_means_every_account_below_it_at_any_depth() {
    let (world, unit) = organization();
    let waves = json!([{"name": "canary", "accounts": [unit.to_string()], "regions": ["eu-west-1"]}]);
    let plan = planned(&world, &all_of(4, waves)).unwrap();
    let expected =
        ["111111111112", "111111111113"].map(|id| Location::new(account(id), "eu-west-1".parse().unwrap()));
    assert_eq!(in_wave(&plan, 1), BTreeSet::from(expected));
    assert_units(&plan);
}

#[test]
fn a_unit_of_a_wave_that_is_not_there_refuses_the_plan() {
    let (world, _) = organization();
    let waves = json!([{"name": "canary", "accounts": ["ou-ab12-misspelt"]}]);
    let refusal = planned(&world, &all_of(4, waves)).unwrap_err();
    assert_eq!(
        codes(&refusal),
        [(RefusalCode::TargetNotFound, "ou-ab12-misspelt")]
    );
}

#[test]
fn a_canary_without_a_node_refuses_the_plan_unless_the_request_says_otherwise() {
    let mut world = world();
    *world.place(CENTRAL, "us-west-2") = place(0, 2, 0);
    let ask = |wave: Value| two_accounts(json!([wave]));
    // Nothing is planned there.
    let empty = json!({"name": "canary", "accounts": [OTHER], "regions": ["eu-west-1"]});
    // All nodes are offline there.
    let silent = json!({"name": "canary", "regions": ["us-west-2"]});
    for (mut wave, why) in [
        (empty, "no location with a node is in it"),
        (silent, "no node answers Systems Manager in its 1 location"),
    ] {
        let refusal = planned(&world, &ask(wave.clone())).unwrap_err();
        assert_eq!(codes(&refusal), [(RefusalCode::WaveEmpty, "wave canary")]);
        let words = refusal.to_string();
        assert!(
            words.contains(why) && words.contains("waves[0].if_empty"),
            "{words}"
        );
        wave["if_empty"] = json!("skip");
        let plan = planned(&world, &ask(wave)).unwrap();
        let warned = |warning: &String| warning.starts_with(&format!("wave canary: {why}"));
        assert!(plan.warnings.iter().any(warned), "{:?}", plan.warnings);
        assert_units(&plan);
    }
}

#[test]
fn a_wave_that_comes_before_nothing_may_be_empty() {
    let waves = json!([
        {"name": "all", "accounts": [CENTRAL, OTHER, CLOSED]},
        {"name": "none", "locations": 1},
    ]);
    let plan = planned(&world(), &two_accounts(waves)).unwrap();
    assert_eq!(plan.waves().len(), 1);
}

#[test]
fn a_plan_in_which_a_later_wave_comes_first_is_not_taken() {
    let waves = json!([{"name": "canary", "regions": ["eu-west-1"]}]);
    let plan = planned(&world(), &two_accounts(waves)).unwrap();
    plan.check().unwrap();

    let mut swapped = plan.clone();
    swapped.units.swap(0, 1);
    for (index, unit) in (0..).zip(&mut swapped.units) {
        unit.id = crate::id::UnitId::from_index(index);
    }
    assert!(matches!(swapped.check(), Err(PlanFault::WaveOrder { .. })));

    // The units with their waves changed, and the locations not.
    let mut renumbered = plan.clone();
    for unit in &mut renumbered.units {
        unit.wave = 1;
    }
    assert!(matches!(renumbered.check(), Err(PlanFault::OtherWave { .. })));

    // Both changed, against the request.
    for wave in [1, 3] {
        let mut moved = plan.clone();
        for unit in &mut moved.units {
            unit.wave = wave;
        }
        for at in &mut moved.locations {
            at.wave = wave;
        }
        assert!(matches!(moved.check(), Err(PlanFault::Wave { .. })), "{wave}");
    }
    // The canary with the rest.
    let mut moved = plan;
    for unit in &mut moved.units {
        unit.wave = 2;
    }
    for at in &mut moved.locations {
        at.wave = 2;
    }
    assert!(matches!(moved.check(), Err(PlanFault::Wave { .. })));
}

#[test]
fn a_location_that_is_in_another_wave_by_now_is_a_difference_of_plans() {
    let at = |region: &str| {
        let waves = json!([{"name": "canary", "regions": [region]}]);
        planned(&world(), &two_accounts(waves)).unwrap()
    };
    let lines = at("eu-west-1").differences(&at("us-east-1"));
    let expected = "111111111111/eu-west-1: was in wave 1 (canary), is in wave 2 (rest)";
    assert!(lines.iter().any(|line| line == expected), "{lines:#?}");
}

#[test]
fn a_gate_that_needs_more_nodes_than_its_wave_has_is_warned_of() {
    let plan = |least: u32| {
        let gate = json!({"max_failed": 0, "min_sample": least});
        let waves = json!([{"name": "canary", "regions": ["eu-west-1"], "gate": gate}]);
        planned(&world(), &two_accounts(waves)).unwrap()
    };
    // Only those that answer can have results.
    let there = plan(1).locations.into_iter().filter(|at| at.wave == 1);
    let nodes: u32 = there.map(|at| at.nodes.unwrap().online).sum();
    let warned = |least: u32| {
        let warnings = plan(least).warnings;
        warnings
            .iter()
            .any(|words| words.contains("its gate is never conclusive"))
    };
    assert!(!warned(nodes));
    assert!(warned(nodes + 1));
}

/// An organization with so many nodes in each Region of one account after another.
fn sized(nodes: &[u32]) -> World {
    let mut world = fleet(nodes.len() as u64);
    for (place, nodes) in world.places.values_mut().zip(nodes.iter().flat_map(|n| [n; 3])) {
        *place = super::helpers::place((*nodes).into(), 0, 0);
    }
    world
}

fn nodes_in(plan: &Plan, wave: u32) -> u32 {
    let there = plan.waves().into_iter().find(|one| one.number == wave);
    there.map_or(0, |wave| wave.nodes.unwrap())
}

proptest! {
    #[test]
    fn a_wave_of_so_many_nodes_has_no_more_and_leaves_none_that_would_fit(
        nodes in prop::collection::vec(0_u32..12, 1..6), most in 1_u32..40,
    ) {
        let world = sized(&nodes);
        let waves = json!([{"name": "canary", "nodes": most, "if_empty": "skip"}]);
        let request = all_of(nodes.len() as u64, waves);
        let Ok(plan) = planned(&world, &request) else {
            prop_assert!(nodes.iter().all(|n| *n == 0), "only a fleet without a node is refused");
            return Ok(());
        };
        let (canary, rest) = (nodes_in(&plan, 1), in_wave(&plan, 2));
        let smallest = nodes.iter().copied().filter(|n| *n > 0).min().unwrap();
        let warned = plan.warnings.iter().any(|words| words.contains("no location has so few"));
        prop_assert_eq!(warned, smallest > most);
        if smallest > most {
            prop_assert_eq!(canary, smallest);
        } else {
            prop_assert!(canary <= most);
            for at in plan.locations.iter().filter(|at| rest.contains(&at.location())) {
                prop_assert!(canary + at.nodes.unwrap().total() > most, "{} would fit", at.location());
            }
        }
    }
}

#[test]
fn a_share_of_the_nodes_is_rounded_down_and_counts_those_that_the_wave_could_have() {
    let world = sized(&[10, 10]);
    let share = |share: &str| {
        let waves = json!([
            {"name": "first", "regions": ["us-east-1"]}, {"name": "canary", "nodes": share},
        ]);
        nodes_in(&planned(&world, &all_of(2, waves)).unwrap(), 2)
    };
    // The first wave leaves 40 nodes.
    assert_eq!(share("49%"), 10);
    assert_eq!(share("50%"), 20);
    assert_eq!(share("100%"), 40);
}

#[test]
fn a_wave_of_so_many_nodes_has_them_counted_although_a_plan_need_not() {
    let request = all_of(2, json!([{"name": "canary", "nodes": 1}]));
    let options = Options {
        depth: Depth::Presence,
        ..Options::default()
    };
    let plan = planned_with(&fleet(2), &request, options).unwrap();
    assert_eq!(nodes_in(&plan, 1), 1);
}

#[test]
fn a_wave_that_leaves_nothing_for_later_ones_is_warned_of_if_something_should_come_after_it() {
    let warned = |size: Value, soak: &str| {
        let mut wave = json!({"name": "canary", "locations": size});
        if !soak.is_empty() {
            wave["soak"] = soak.into();
        }
        let plan = planned(&fleet(2), &all_of(2, json!([wave]))).unwrap();
        plan.warnings
            .iter()
            .any(|words| words == "wave canary: no location is left for a later wave, so nothing waits for what comes after it: 30m of soak")
    };
    assert!(warned(json!("100%"), "30m"));
    assert!(warned(json!(100), "30m"));
    assert!(!warned(json!(1), "30m"));
    assert!(!warned(json!("100%"), ""));
}
