//! Locations without nodes that are kept, so that every unit has a place.

use super::helpers::{OTHER, REGIONS, attended, place, planned_with, reasons};
use crate::plan::{Gaps, Options, Plan, PlannedLocation};
use crate::port::PortErrorKind;
use crate::refusal::{RefusalCode, SkipReason};
use crate::tests::world::{CENTRAL, World, request_with};
use serde_json::json;

const THIRD: &str = "444444444444";

/// Two accounts in three Regions with one gap each, and a third one without any node.
fn world() -> World {
    let mut world = World::default();
    for id in [CENTRAL, OTHER, THIRD] {
        world.add(id, &REGIONS);
    }
    for name in REGIONS {
        *world.place(CENTRAL, name) = place(1, 0, 0);
        *world.place(OTHER, name) = place(1, 0, 0);
    }
    *world.place(CENTRAL, "us-west-2") = place(0, 0, 0);
    world.place(OTHER, "eu-west-1").members_fail = Some((0, PortErrorKind::NotFound));
    world
}

fn plan(world: &World, places: u32, gaps: Gaps) -> Plan {
    let targets = json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL, OTHER, THIRD]});
    let more = json!({
        "budget": {"locations": {"max_concurrency": places, "max_errors": 1}},
        "policy": {"unknown": "keep", "denied": "keep"},
    });
    let options = Options { gaps, ..attended() };
    planned_with(world, &request_with(targets, more), options).unwrap()
}

fn kept(plan: &Plan) -> Vec<String> {
    let kept = plan.locations.iter().filter(|at| at.kept.is_some());
    kept.map(|at| at.location().to_string()).collect()
}

#[test]
fn gaps_are_filled_only_where_units_have_no_place_and_each_is_told() {
    let world = world();
    let (left, enough) = (plan(&world, 1, Gaps::Leave), plan(&world, 3, Gaps::Fill));
    for unfilled in [&left, &enough] {
        assert!(unfilled.units.len() > 1);
        assert_eq!(kept(unfilled), Vec::<String>::new());
    }
    let filled = plan(&world, 1, Gaps::Fill);
    assert_eq!(filled.units.len(), 1);
    let gaps = ["111111111111/us-west-2", "222222222222/eu-west-1"];
    assert_eq!(kept(&filled), gaps);
    assert!(filled.locations.is_sorted_by_key(PlannedLocation::location));
    // An account without any node is no gap.
    let skipped = reasons(&filled);
    assert_eq!(skipped.len(), 3);
    assert!(
        skipped
            .iter()
            .all(|(at, reason)| at.starts_with(THIRD) && *reason == SkipReason::Empty)
    );
    assert_eq!(filled.candidates, 9);
    let told: Vec<&String> = filled
        .warnings
        .iter()
        .filter(|warning| warning.contains(gaps[0]))
        .collect();
    let [told] = told.as_slice() else {
        panic!("{:?}", filled.warnings);
    };
    assert!(
        told.contains("111111111111/us-west-2 (empty), 222222222222/eu-west-1 (group_missing)")
            && told.contains("2 executions for 1 location at once"),
        "{told}"
    );
}

#[test]
fn a_region_that_is_not_enabled_is_kept_only_where_nothing_else_does() {
    let mut world = World::default();
    world.add(CENTRAL, &REGIONS);
    world.add(OTHER, &["eu-west-1", "us-east-1"]);
    world.add(THIRD, &REGIONS);
    for (id, name) in [
        (CENTRAL, "eu-west-1"),
        (CENTRAL, "us-east-1"),
        (CENTRAL, "us-west-2"),
        (OTHER, "us-east-1"),
        (OTHER, "eu-west-1"),
    ] {
        *world.place(id, name) = place(1, 0, 0);
    }
    let two = plan(&world, 2, Gaps::Fill);
    assert_eq!((two.units.len(), kept(&two)), (2, vec![]));
    let one = plan(&world, 1, Gaps::Fill);
    assert_eq!(
        (one.units.len(), kept(&one)),
        (1, vec!["222222222222/us-west-2".to_owned()])
    );
    let told = one.warnings.join("\n");
    assert!(
        told.contains("counts against the locations that may fail"),
        "{told}"
    );
    assert!(
        !told.contains("is left out, because"),
        "it is kept, and not left out as well: {told}"
    );
    let told = two.warnings.join("\n");
    assert!(
        told.contains("because the Region is not enabled in the account: 222222222222/us-west-2"),
        "{told}"
    );
}

#[test]
fn a_location_that_cannot_be_looked_into_for_want_of_its_region_is_left_out() {
    let mut world = world();
    world.place(OTHER, "eu-west-1").members_fail = Some((0, PortErrorKind::RegionNotEnabled));
    let filled = plan(&world, 2, Gaps::Fill);
    let skipped = ("222222222222/eu-west-1".to_owned(), SkipReason::RegionNotEnabled);
    assert!(reasons(&filled).contains(&skipped), "{:?}", reasons(&filled));
    let told = filled.warnings.join("\n");
    let words =
        "1 location is left out, because the Region is not enabled in the account: 222222222222/eu-west-1";
    assert!(told.contains(words), "{told}");
    // Whoever asks for it keeps it.
    let kept = kept(&plan(&world, 2, Gaps::Leave));
    assert_eq!(kept, ["222222222222/eu-west-1"]);
}

#[test]
fn where_no_location_is_left_that_may_have_a_node_the_plan_is_refused_and_not_empty() {
    let mut world = World::default();
    world.add(CENTRAL, &REGIONS);
    world.place(CENTRAL, "us-east-1").members_fail = Some((0, PortErrorKind::RegionNotEnabled));
    world.place(CENTRAL, "us-west-2").members_fail = Some((0, PortErrorKind::RegionNotEnabled));
    let planned = |nothing: &str| {
        let targets = json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL]});
        let policy = json!({"unknown": "keep", "denied": "keep", "nothing_selected": nothing});
        let options = Options {
            gaps: Gaps::Fill,
            ..attended()
        };
        planned_with(
            &world,
            &request_with(targets, json!({ "policy": policy })),
            options,
        )
    };
    let refusal = planned("refuse").unwrap_err();
    let [reason] = refusal.reasons.as_slice() else {
        panic!("{refusal:?}");
    };
    assert_eq!(reason.code, RefusalCode::NothingSelected);
    let words = "of 3 locations, 1 without a node, 2 in a Region that is not enabled in its account";
    assert!(reason.detail.contains(words), "{}", reason.detail);
    // Whoever says so has nothing to do, and hears why.
    let empty = planned("succeed").unwrap();
    assert_eq!((empty.units.len(), empty.locations.len()), (0, 0));
    let told = empty.warnings.join("\n");
    assert!(told.contains("2 locations are left out"), "{told}");
}

#[test]
fn a_role_that_the_caller_can_assume_nowhere_is_warned_of_and_patched_with_as_the_sample_does() {
    let planned = |readable: bool| {
        let mut world = World::default();
        world.add(CENTRAL, &[]);
        world.add(OTHER, &REGIONS);
        for region in REGIONS {
            if !(readable && region == "us-west-2") {
                world.place(OTHER, region).members_fail = Some((0, PortErrorKind::RoleNotAssumable));
            }
        }
        if readable {
            *world.place(OTHER, "us-west-2") = place(1, 0, 0);
        }
        let targets = json!({"resource_group": "W", "regions": REGIONS, "accounts": [OTHER]});
        let policy = json!({"unknown": "keep", "denied": "keep"});
        let options = Options {
            gaps: Gaps::Fill,
            ..attended()
        };
        planned_with(
            &world,
            &request_with(targets, json!({ "policy": policy })),
            options,
        )
    };
    let warns = |plan: &Plan| {
        let told = |warning: &String| {
            warning.starts_with("no location could be looked into, because the caller can assume")
        };
        plan.warnings.iter().filter(|warning| told(warning)).count()
    };
    let unread = planned(false).unwrap();
    assert_eq!(
        (unread.locations.len(), warns(&unread)),
        (3, 1),
        "{:?}",
        unread.warnings
    );
    let read = planned(true).unwrap();
    assert_eq!((read.locations.len(), warns(&read)), (3, 0));
}
