//! How long a campaign takes, as a plan says it.

use super::helpers::{OTHER, attended, place, planned_with};
use crate::census::Depth;
use crate::plan::{Cutoff, Options, Plan};
use crate::request::PatchRequest;
use crate::tests::world::{CENTRAL, World, request_with};
use jiff::Timestamp;
use serde_json::{Value, json};

const NOW: &str = "2026-03-01T22:00:00Z";

/// Two accounts in two Regions, 20 nodes in each of the four locations.
fn world() -> World {
    let mut world = World::default();
    for id in [CENTRAL, OTHER] {
        world.add(id, &["eu-west-1", "us-east-1"]);
        for region in ["eu-west-1", "us-east-1"] {
            *world.place(id, region) = place(20, 0, 0);
        }
    }
    world
}

fn asked(at_once: u32, more: Value) -> PatchRequest {
    let mut keys = json!({
        "patch": {"operation": "Install"},
        "budget": {
            "locations": {"max_concurrency": at_once}, "nodes": {"max_concurrency": 5, "max_errors": 1},
        },
    });
    keys.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let targets = json!({
        "resource_group": "WebServers", "regions": ["eu-west-1", "us-east-1"], "accounts": [CENTRAL, OTHER],
    });
    request_with(targets, keys)
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn options() -> Options<'static> {
    Options {
        now: Some(now()),
        ..attended()
    }
}

fn plan(request: &PatchRequest, options: Options<'_>) -> Plan {
    planned_with(&world(), request, options).unwrap()
}

fn words(plan: &Plan) -> String {
    let text = plan.to_text();
    let (_, after) = text.split_once("How long it takes").unwrap();
    after.split("\n\n").next().unwrap().to_owned()
}

#[test]
fn a_plan_says_how_long_it_takes_and_from_what_that_was_reckoned() {
    // 6 turns of 15 minutes and 2 minutes around them, in 3 rounds of locations: 1, 2, 1.
    let by_default = plan(&asked(4, json!({})), options());
    let forecast = by_default.forecast.unwrap();
    assert_eq!(forecast.minutes_per_node, 15);
    assert_eq!(forecast.expected_seconds, Some(3 * (6 * 15 + 2) * 60));
    let waves = json!({
        "forecast": {"minutes_per_node": 10},
        "waves": [{"name": "canary", "locations": 1, "soak": "30m", "approval": true}],
    });
    let staged = plan(&asked(1, waves), options());
    assert_eq!(
        staged.forecast.unwrap().expected_seconds,
        Some(4 * (6 * 10 + 2) * 60 + 30 * 60)
    );
    insta::assert_snapshot!(format!("{}\n{}", words(&by_default), words(&staged)));
}

#[test]
fn the_forecast_is_in_the_json_and_a_saved_plan_keeps_it() {
    let plan = plan(&asked(4, json!({})), options());
    let json: Value = serde_json::from_str(&plan.to_json()).unwrap();
    assert_eq!(json["forecast"]["expected_seconds"], 16_560);
    assert_eq!(json["forecast"]["minutes_per_node"], 15);
    assert!(json["forecast"]["worst_seconds"].as_u64().unwrap() > 16_560);
    assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
}

#[test]
fn a_plan_that_does_not_fit_before_its_cutoff_warns_of_what_is_not_begun() {
    let until = |hours: i64| {
        let at = now() + jiff::SignedDuration::from_hours(hours);
        Options {
            cutoff: Some(Cutoff { at, now: now() }),
            ..options()
        }
    };
    let warned = |hours| {
        let plan = plan(&asked(1, json!({})), until(hours));
        let forecast = plan.forecast.unwrap();
        let late = forecast.after_cutoff.unwrap();
        // All is over by the cutoff, but for two minutes in which the last results are read.
        let closes = u64::try_from(hours).unwrap() * 3_600 + 2 * 60;
        assert_eq!(forecast.worst_seconds, Some(closes));
        assert!(forecast.expected_seconds.unwrap() <= closes);
        let of_forecast = |words: &&String| words.starts_with("if a node takes 15 minutes, ");
        (late, plan.warnings.iter().find(of_forecast).cloned())
    };
    // The last start is made six hours before. A location takes an hour and a half.
    let (late, words) = warned(10);
    assert_eq!(late, 1);
    assert_eq!(
        words.unwrap(),
        "if a node takes 15 minutes, 1 of 4 starts is not begun before the cutoff 2026-03-02T08:00:00Z: set a later one, or \
         let more be patched at once"
    );
    assert_eq!(warned(12), (0, None));
}

#[test]
fn a_freeze_in_between_takes_its_time() {
    let freeze = json!({"freezes": [{
        "name": "day", "from": "2026-03-01T23:00", "to": "2026-03-02T12:00", "time_zone": "UTC", "running": "finish",
    }]});
    let frozen = plan(&asked(1, freeze), options()).forecast.unwrap();
    // The first is begun at once, and the other three from noon on.
    assert_eq!(frozen.expected_seconds, Some(14 * 3_600 + 3 * (6 * 15 + 2) * 60));
}

#[test]
fn where_nodes_were_not_counted_nobody_knows_how_long_it_takes() {
    let presence = Options {
        depth: Depth::Presence,
        ..options()
    };
    let plan = plan(&asked(4, json!({})), presence);
    assert_eq!(plan.forecast.unwrap().expected_seconds, None);
    assert!(words(&plan).contains("expected  not known"));
}

#[test]
fn minutes_are_read_in_range_alone() {
    let read = |minutes: Value| {
        PatchRequest::from_value(json!({
            "name": "web", "targets": {"resource_group": "Web", "regions": ["us-east-1"]},
            "forecast": {"minutes_per_node": minutes},
        }))
        .map_err(|problems| problems.to_string())
    };
    assert!(read(json!(1)).is_ok() && read(json!(1_440)).is_ok());
    for wrong in [json!(0), json!(1_441), json!("15m")] {
        let words = read(wrong).unwrap_err();
        assert!(
            words.contains("forecast.minutes_per_node") && words.contains("from 1 to 1440, such as 15"),
            "{words}"
        );
    }
}
