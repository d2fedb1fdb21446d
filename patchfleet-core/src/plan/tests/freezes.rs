//! What a plan makes of freezes: a start for each location, and what they leave of the time.

use super::helpers::{OTHER, attended, place, planned_with};
use crate::plan::{Cutoff, Followed, Options, Plan};
use crate::refusal::{Refusal, RefusalCode};
use crate::request::PatchRequest;
use crate::tests::world::{CENTRAL, World, request_with};
use jiff::Timestamp;
use serde_json::{Value, json};

fn world() -> World {
    let mut world = World::default();
    for id in [CENTRAL, OTHER] {
        world.add(id, &["eu-west-1", "us-east-1"]);
        for region in ["eu-west-1", "us-east-1"] {
            *world.place(id, region) = place(2, 0, 0);
        }
    }
    world
}

fn asked(freezes: Value) -> PatchRequest {
    request_with(
        json!({
            "resource_group": "WebServers", "regions": ["eu-west-1", "us-east-1"], "accounts": [CENTRAL, OTHER],
        }),
        json!({"freezes": freezes, "budget": {
            "locations": {"max_concurrency": 4}, "nodes": {"max_concurrency": 2, "max_errors": 1},
        }}),
    )
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn options(now: &str) -> Options<'static> {
    Options {
        now: Some(at(now)),
        ..attended()
    }
}

fn plan(freezes: Value, options: Options<'_>) -> Result<Plan, Refusal> {
    planned_with(&world(), &asked(freezes), options)
}

fn year_end() -> Value {
    json!({
        "name": "year end", "from": "2026-12-20T00:00", "to": "2027-01-03T00:00", "time_zone": "Europe/Berlin",
    })
}

fn refused(freezes: Value, options: Options<'_>) -> String {
    let refusal = plan(freezes, options).unwrap_err();
    assert_eq!(refusal.reasons.len(), 1);
    assert_eq!(refusal.reasons[0].code, RefusalCode::Frozen);
    refusal.to_string()
}

#[test]
fn with_a_freeze_each_location_has_a_start_of_its_own_as_aws_would_begin_the_later_ones_in_it() {
    let none = plan(json!([]), options("2026-12-01T00:00:00Z")).unwrap();
    assert_eq!(none.units.len(), 1);
    let plan = plan(json!([year_end()]), options("2026-12-01T00:00:00Z")).unwrap();
    assert_eq!(plan.units.len(), 4);
    assert!(plan.units.iter().all(|unit| unit.locations().count() == 1));
    let text = plan.to_text();
    assert!(
        text.contains(
            "nothing begins in the freeze year end, from 2026-12-20T00:00 to 2027-01-03T00:00 (Europe/Berlin); every \
             command has expired by then"
        ),
        "{text}"
    );
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}

#[test]
fn a_command_that_is_planned_before_a_freeze_lives_no_longer_than_until_then() {
    let timeout = |now: &str| {
        let plan = plan(json!([year_end()]), options(now)).unwrap();
        let text = plan.units[0].start.parameters["TimeoutSeconds"][0].clone();
        text.parse::<i64>().unwrap()
    };
    assert_eq!(timeout("2026-12-19T00:00:00Z"), 3_600);
    // 6 h for the steps and 6 min until it is sent leave half an hour.
    assert_eq!(timeout("2026-12-19T16:24:00Z"), 1_800);
}

#[test]
fn a_plan_in_a_freeze_says_until_when_nothing_begins() {
    let plan = plan(json!([year_end()]), options("2026-12-24T18:00:00Z")).unwrap();
    assert_eq!(
        plan.warnings,
        ["the freeze year end holds; the next start may be made at 2027-01-02T23:00:00Z"]
    );
    let over = super::freezes::plan(json!([year_end()]), options("2027-02-01T00:00:00Z")).unwrap();
    assert_eq!(
        over.warnings,
        [
            "the freeze year end, from 2026-12-20T00:00 to 2027-01-03T00:00 (Europe/Berlin) is over, so it has no effect"
        ]
    );
}

#[test]
fn a_cutoff_that_comes_before_a_start_can_be_made_refuses() {
    let now = at("2026-12-24T18:00:00Z");
    let until = |cutoff: &str| Options {
        cutoff: Some(Cutoff { at: at(cutoff), now }),
        ..options("2026-12-24T18:00:00Z")
    };
    insta::assert_snapshot!(refused(json!([year_end()]), until("2027-01-03T05:00:00Z")));
    assert!(plan(json!([year_end()]), until("2027-01-03T06:00:00Z")).is_ok());
}

#[test]
fn freezes_that_never_leave_time_enough_refuse() {
    let day = |from: &str, to: &str| json!([{"name": "day", "from": from, "to": to, "time_zone": "Europe/Berlin", "running": "expire"}]);
    insta::assert_snapshot!(refused(day("06:00", "00:10"), options("2026-12-01T00:00:00Z")));
    assert!(plan(day("06:00", "23:30"), options("2026-12-01T00:00:00Z")).is_ok());
    let mut finish = day("06:00", "05:50");
    finish[0]["running"] = json!("finish");
    assert!(plan(finish, options("2026-12-01T00:00:00Z")).is_ok());
}

#[test]
fn what_nobody_follows_is_refused_in_a_freeze() {
    let fired = |now| Options {
        followed: Followed::ByNobody,
        ..options(now)
    };
    insta::assert_snapshot!(refused(json!([year_end()]), fired("2026-12-24T18:00:00Z")));
    assert!(plan(json!([year_end()]), fired("2026-12-01T00:00:00Z")).is_ok());
}

#[test]
fn a_runbook_of_ones_own_respects_a_freeze_in_which_what_runs_may_finish() {
    let mut freeze = year_end();
    freeze["running"] = json!("finish");
    let mut request = asked(json!([freeze]));
    request.automation.document = "Ours".parse().unwrap();
    let now = options("2026-12-24T18:00:00Z");
    let plan = planned_with(&world(), &request, now);
    let plan = plan.unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(plan.units.len(), 4);
    assert!(plan.frozen(at("2026-12-24T18:00:00Z")).is_some());
}
