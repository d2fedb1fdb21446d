//! How long commands live: long enough for every turn, and never past a cap, a cutoff or what the
//! request says.

use super::helpers::{attended, place, planned_with};
use crate::campaign::StopReason;
use crate::id::UnitId;
use crate::plan::{CUTOFF_MARGIN, Cutoff, Options, Plan};
use crate::refusal::{Refusal, RefusalCode};
use crate::request::PatchRequest;
use crate::runbook::StepTimeout;
use crate::tests::world::{CENTRAL, World, request_with};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// One location with so many nodes.
fn world(online: u64, offline: u64) -> World {
    let mut world = World::default();
    world.add(CENTRAL, &["us-east-1"]);
    *world.place(CENTRAL, "us-east-1") = place(online, offline, 0);
    world
}

fn asked(at_once: Value, patch: Value) -> PatchRequest {
    request_with(
        json!({"resource_group": "W", "regions": ["us-east-1"]}),
        json!({"budget": {"nodes": {"max_concurrency": at_once}}, "patch": patch}),
    )
}

fn parameter(plan: &Plan, name: &str) -> Option<u64> {
    let values = plan.units[0].start.parameters.get(name)?;
    assert_eq!(values.len(), 1);
    Some(values[0].parse().unwrap())
}

fn timeout(world: &World, request: &PatchRequest) -> u64 {
    let plan = planned_with(world, request, attended()).unwrap();
    parameter(&plan, "TimeoutSeconds").unwrap()
}

fn warnings(world: &World, request: &PatchRequest) -> String {
    planned_with(world, request, attended())
        .unwrap()
        .warnings
        .join("\n")
}

#[test]
fn a_command_lives_as_long_as_the_turns_of_its_worst_location_take() {
    let one = asked(json!(1), json!({}));
    // 7 h last for 2 turns of 3 h: the hour of AWS's own default, and 6 h for the document's steps.
    assert_eq!(timeout(&world(2, 0), &one), 3_600);
    assert_eq!(timeout(&world(3, 0), &one), 9 * 3_600 - 21_600);
    assert_eq!(timeout(&world(5, 0), &one), 15 * 3_600 - 21_600);
    // 1, 2 and 2 nodes.
    assert_eq!(
        timeout(&world(5, 0), &asked(json!(4), json!({}))),
        9 * 3_600 - 21_600
    );
    assert!(!warnings(&world(8, 0), &one).contains("no turn"));
}

#[test]
fn places_that_offline_nodes_hold_are_no_places_for_the_others() {
    let two = asked(json!(2), json!({}));
    assert_eq!(timeout(&world(4, 0), &two), 9 * 3_600 - 21_600);
    // The first turn has no place for anybody else, then there is one place.
    assert_eq!(timeout(&world(4, 1), &two), 15 * 3_600 - 21_600);
}

#[test]
fn no_command_lives_for_more_than_a_day_and_who_may_have_no_turn_is_counted() {
    let one = asked(json!(1), json!({}));
    assert_eq!(timeout(&world(21, 0), &one), 86_400 - 21_600);
    let words = warnings(&world(21, 0), &one);
    assert!(
        words.contains("13 nodes have no turn before their command expires, 24 h after it was sent")
            && words.contains("111111111111/us-east-1 (13 nodes, 21 turns are needed and 8 fit)")
            && words.contains("patch.delivery_timeout"),
        "{words}"
    );
    let plan = planned_with(&world(21, 0), &one, attended()).unwrap();
    assert_eq!(plan.worst_case.slowest_location_seconds, Some(86_400));
}

#[test]
fn a_person_may_say_less_or_more() {
    let said = |text: &str| asked(json!(1), json!({"delivery_timeout": text}));
    assert_eq!(timeout(&world(21, 0), &said("45s")), 45);
    let words = warnings(&world(21, 0), &said("45s"));
    assert!(
        words.contains("19 nodes have no turn before their command expires, 6 h 45 s after it was sent"),
        "{words}"
    );
    assert_eq!(timeout(&world(21, 0), &said("57h")), 57 * 3_600);
    assert!(!warnings(&world(21, 0), &said("57h")).contains("no turn"));
    // More than the runbook's step takes.
    let words = warnings(&world(1, 0), &said("163h"));
    assert!(
        words.contains("commands live for up to 169 h, and the runbook's step ends after 168 h"),
        "{words}"
    );
    let options = Options {
        step_timeout: StepTimeout::from_seconds(170 * 3_600).unwrap(),
        ..attended()
    };
    let plan = planned_with(&world(1, 0), &said("163h"), options).unwrap();
    assert!(!plan.warnings.iter().any(|words| words.contains("step ends")));
}

#[test]
fn the_sum_of_the_steps_is_read_from_the_document_that_is_there() {
    let one = asked(json!(1), json!({}));
    let mut there = world(5, 0);
    let plan = planned_with(&there, &one, attended()).unwrap();
    assert_eq!(parameter(&plan, "StepTimeoutSeconds"), None);

    there = there.takes_step_timeout();
    let plan = planned_with(&there, &one, attended()).unwrap();
    assert_eq!(parameter(&plan, "StepTimeoutSeconds"), Some(7_200));
    assert_eq!(parameter(&plan, "TimeoutSeconds"), Some(15 * 3_600 - 21_600));

    // Denied: the steps may add as little as 3 h, and as much as 6 h.
    there.command_document = None;
    let plan = planned_with(&there, &one, attended()).unwrap();
    assert_eq!(parameter(&plan, "StepTimeoutSeconds"), None);
    assert_eq!(parameter(&plan, "TimeoutSeconds"), Some(15 * 3_600 - 10_800));
    assert!(
        plan.warnings
            .iter()
            .any(|words| words.contains("AWS-RunPatchBaseline could not be read")),
        "{:?}",
        plan.warnings
    );
    let many = planned_with(&world(21, 0), &one, attended()).unwrap();
    assert!(parameter(&many, "TimeoutSeconds").unwrap() <= 86_400 - 21_600);
}

fn now() -> Timestamp {
    "2026-03-01T00:00Z".parse().unwrap()
}

fn until(minutes: i64) -> Options<'static> {
    let at = now() + SignedDuration::from_mins(minutes);
    Options {
        cutoff: Some(Cutoff { at, now: now() }),
        ..attended()
    }
}

#[test]
fn no_command_lives_past_the_cutoff_whenever_its_unit_is_begun() {
    let slow = asked(json!(1), json!({"delivery_timeout": "30h"}));
    let plan = planned_with(&world(21, 0), &slow, until(10 * 60)).unwrap();
    assert_eq!(
        parameter(&plan, "TimeoutSeconds"),
        Some(10 * 3_600 - 21_600 - CUTOFF_MARGIN.get())
    );
    assert!(
        plan.to_text()
            .contains("every command has expired by 2026-03-01T10:00:00Z")
    );
    assert!(
        plan.warnings.iter().any(|words| words.contains("a later cutoff")),
        "{:?}",
        plan.warnings
    );
    let lifetime = plan.lifetime.unwrap();
    let last = lifetime.begins_until().unwrap();
    assert_eq!(
        last,
        now() + SignedDuration::from_secs(10 * 3_600 - 21_600 - 360 - 30)
    );
    let unit = UnitId::from_index(0);
    for (later, seconds) in [(0, 14_040), (3_600, 10_440), (14_010, 30)] {
        let start = plan
            .start_at(unit, now() + SignedDuration::from_secs(later))
            .unwrap();
        assert_eq!(start.parameters["TimeoutSeconds"], [seconds.to_string()]);
    }
}

#[test]
fn a_cutoff_that_no_command_can_keep_is_refused() {
    let refused = |world: &World, minutes| -> Refusal {
        planned_with(world, &asked(json!(1), json!({})), until(minutes)).unwrap_err()
    };
    let refusal = refused(&world(1, 0), 6 * 60 + 6);
    assert_eq!(refusal.reasons.len(), 1);
    assert_eq!(refusal.reasons[0].code, RefusalCode::CutoffTooNear);
    assert!(
        refusal.reasons[0]
            .detail
            .contains("one lives for at least 6 h 30 s"),
        "{refusal}"
    );
    // Where the time of a node can be said, it is an hour before the plan is refused.
    let newer = world(1, 0).takes_step_timeout();
    let plan = planned_with(&newer, &asked(json!(1), json!({})), until(4 * 60)).unwrap();
    assert_eq!(parameter(&plan, "StepTimeoutSeconds"), Some(3_600));
    assert_eq!(parameter(&plan, "TimeoutSeconds"), Some(3_600 - 360));
    assert_eq!(
        refused(&newer, 3 * 60).reasons[0].code,
        RefusalCode::CutoffTooNear
    );
}

#[test]
fn locations_that_wait_for_a_place_are_warned_of_where_there_is_a_cutoff() {
    let regions = ["eu-west-1", "us-east-1", "us-west-2"];
    let mut world = World::default();
    world.add(CENTRAL, &regions);
    for region in regions {
        *world.place(CENTRAL, region) = place(1, 0, 0);
    }
    let told = |at_once: u32, options: Options| {
        let request = request_with(
            json!({"resource_group": "W", "regions": regions}),
            json!({"budget": {"nodes": {"max_concurrency": 1}, "locations": {"max_concurrency": at_once}}}),
        );
        let warnings = planned_with(&world, &request, options).unwrap().warnings;
        warnings
            .into_iter()
            .find(|warning| warning.contains("wait for a place"))
    };
    let warning = told(1, until(10 * 60)).unwrap();
    assert!(
        warning.starts_with("1 of 3 locations is patched at once, and none is begun after "),
        "{warning}"
    );
    assert!(warning.contains("the 2 that wait"), "{warning}");
    assert_eq!(told(3, until(10 * 60)), None, "none waits");
    assert_eq!(told(1, attended()), None, "no cutoff");
}

#[test]
fn starts_that_name_their_nodes_and_wait_for_a_place_are_warned_of_with_the_bound_that_is_in_the_way() {
    let world = world(12, 0);
    let budget = json!({"nodes": {"max_concurrency": 1}, "locations": {"max_concurrency": 9}, "fleet": {"max_damaged": 2}});
    let request = request_with(
        json!({"resource_group": "W", "regions": ["us-east-1"]}),
        json!({"budget": budget}),
    );
    let warnings = planned_with(&world, &request, until(10 * 60)).unwrap().warnings;
    let mut warnings = warnings.into_iter();
    let warning = warnings
        .find(|warning| warning.contains("wait for a place"))
        .unwrap();
    assert!(
        warning.starts_with("1 of 12 starts runs at once, and none is begun after "),
        "{warning}"
    );
    assert!(
        warning.contains("More at once (budget.fleet.max_damaged) begins"),
        "{warning}"
    );
}

#[test]
fn a_cutoff_is_shown_in_whole_seconds() {
    let world = world(3, 0);
    let within = |minutes, nanoseconds| {
        let mut options = until(minutes);
        if let Some(cutoff) = &mut options.cutoff {
            cutoff.at += SignedDuration::from_nanos(nanoseconds);
        }
        planned_with(&world, &asked(json!(1), json!({})), options)
    };
    let plan = within(12 * 60, 123_456_789).unwrap();
    let text = plan.to_text();
    assert!(
        text.contains("every command has expired by 2026-03-01T12:00:00Z, unless AWS begins it late\n"),
        "{text}"
    );
    let stop = StopReason::Cutoff {
        at: plan.lifetime.unwrap().cutoff.unwrap(),
    };
    assert!(
        stop.to_string().ends_with("past the cutoff 2026-03-01T12:00:00Z"),
        "{stop}"
    );
    let other = within(13 * 60, 123_456_789).unwrap();
    assert_eq!(
        plan.differences(&other),
        ["the cutoff was 2026-03-01T12:00:00Z, is 2026-03-01T13:00:00Z"]
    );
    let refusal = within(6 * 60 + 6, 123_456_789).unwrap_err().to_string();
    assert!(
        refusal.contains("the cutoff 2026-03-01T06:06:00Z:") && !refusal.contains(".123"),
        "{refusal}"
    );
}

#[test]
fn with_a_cutoff_no_location_waits_for_another_in_its_start() {
    let mut world = world(3, 0);
    world.add("222222222222", &["us-east-1"]);
    *world.place("222222222222", "us-east-1") = place(2, 0, 0);
    let request = request_with(
        json!({"resource_group": "W", "regions": ["us-east-1"], "accounts": [CENTRAL, "222222222222"]}),
        json!({}),
    );
    assert_eq!(planned_with(&world, &request, attended()).unwrap().units.len(), 1);
    let early = planned_with(&world, &request, until(12 * 60)).unwrap();
    assert_eq!(early.units.len(), 2);

    // A plan that is made again later would start the same, for a shorter time.
    let mut later = until(12 * 60);
    if let Some(cutoff) = &mut later.cutoff {
        cutoff.now += SignedDuration::from_hours(5);
    }
    let later = planned_with(&world, &request, later).unwrap();
    assert_ne!(early.units, later.units);
    assert_eq!(early.differences(&later), Vec::<String>::new());
    let other = planned_with(&world, &request, until(13 * 60)).unwrap();
    assert_eq!(
        early.differences(&other),
        ["the cutoff was 2026-03-01T12:00:00Z, is 2026-03-01T13:00:00Z"]
    );
    assert_eq!(Plan::from_json(&early.to_json()).unwrap(), early);
}

#[test]
fn a_runbook_of_ones_own_is_not_told_how_long_its_commands_live() {
    let own = |patch: Value| {
        request_with(
            json!({"resource_group": "W", "regions": ["us-east-1"]}),
            json!({"automation": {"document": "Ours"}, "patch": patch}),
        )
    };
    let plan = planned_with(&world(30, 0), &own(json!({})), attended()).unwrap();
    assert_eq!(plan.lifetime, None);
    assert!(plan.units[0].start.parameters.is_empty());
    assert_eq!(plan.worst_case.slowest_location_seconds, None);
    let refusal =
        planned_with(&world(30, 0), &own(json!({"delivery_timeout": "2h"})), until(600)).unwrap_err();
    let subjects: Vec<&str> = refusal
        .reasons
        .iter()
        .map(|reason| reason.subject.as_str())
        .collect();
    assert_eq!(
        subjects,
        ["patch.delivery_timeout", "the cutoff 2026-03-01T10:00:00Z"]
    );
}
