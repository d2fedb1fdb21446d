//! Waves by the tags that accounts have in the organization.

use super::{calls, open, refusal, wait};
use patchfleet_core::{outcome::NodeOutcome, plan::Plan, refusal::RefusalCode, request::PatchRequest};
use patchfleet_sim::world::Step;
use patchfleet_tests::{plan, plan_and_run, request};
use serde_json::json;

const WORLD: &str = r#"
    management_account = "111111111111"
    organization = { root = "r-pf01", delegated_administrators = ["444444444444"] }
    units = [{ id = "ou-pf01-aaaaaaaa", name = "Workloads" }]
    documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
    patch = { minutes = 2.0, reboot_minutes = 1.0 }
    short_pages = true
    accounts = [
        { id = "111111111111", name = "Main" },
        { id = "222222222222", name = "Web", parent = "ou-pf01-aaaaaaaa", tags = { Stage = "production", Team = "web" } },
        { id = "333333333333", name = "Lab", parent = "ou-pf01-aaaaaaaa", tags = { Stage = "canary", Team = "lab" } },
        { id = "444444444444", name = "Shop", parent = "ou-pf01-aaaaaaaa" },
    ]
    [[groups]]
    name = "WebServers"
    accounts = ["222222222222", "333333333333", "444444444444"]
    regions = ["us-east-1", "eu-west-1"]
    nodes = [{ count = 2 }]
"#;

fn asked() -> PatchRequest {
    let asked = request(
        r#"
        name = "by-tags"
        patch = { operation = "Install" }
        targets = { resource_group = "WebServers", accounts = ["ou-pf01-aaaaaaaa"], regions = ["us-east-1", "eu-west-1"] }
        budget = { locations = { max_concurrency = 10 } }
        waves = [{ name = "canary", account_tags = { Stage = ["canary", "pilot"] } }]
        "#,
    );
    asked.unwrap()
}

/// The accounts of a wave.
fn accounts(plan: &Plan, wave: u32) -> Vec<&str> {
    let there = plan.locations.iter().filter(|at| at.wave == wave);
    let mut accounts: Vec<&str> = there.map(|at| at.account.as_str()).collect();
    accounts.dedup();
    accounts
}

#[test]
fn the_canary_by_tag_is_over_before_anything_else_begins() {
    let request = asked();
    let (clock, ports) = open(WORLD, &request);
    let (plan, ended) = wait(plan_and_run(&ports, &request)).unwrap();
    assert_eq!(accounts(&plan, 1), ["333333333333"]);
    assert_eq!(accounts(&plan, 2), ["222222222222", "444444444444"]);
    assert_eq!(ended.report.totals.nodes.count(NodeOutcome::Done), 12);
    let (canary, others) = clock.with_world(|world| {
        let children = world.executions().filter(|one| one.parent().is_some());
        let (canary, others): (Vec<_>, Vec<_>) =
            children.partition(|one| one.location().account.as_str() == "333333333333");
        let ends = canary.iter().flat_map(|one| one.steps());
        let begins = others.iter().flat_map(|one| one.steps());
        (
            ends.filter_map(Step::ended).max(),
            begins.filter_map(Step::started).min(),
        )
    });
    assert!(canary.unwrap() <= others.unwrap(), "{canary:?} {others:?}");
}

#[test]
fn a_plan_is_refused_where_the_tags_may_not_be_read_and_nothing_is_started() {
    let request = asked();
    let (clock, ports) = open(WORLD, &request);
    let fault = json!({"effect": "deny", "operations": ["organizations:ListTagsForResource"]});
    let fault = serde_json::from_value(fault).unwrap();
    clock.with_world(|world| world.add_fault(fault)).unwrap();
    let refusal = refusal(wait(plan(&ports, &request)));
    let told: Vec<(RefusalCode, &str)> = refusal
        .reasons
        .iter()
        .map(|reason| (reason.code, reason.subject.as_str()))
        .collect();
    let accounts = ["222222222222", "333333333333", "444444444444"];
    assert_eq!(told, accounts.map(|account| (RefusalCode::AccountTags, account)));
    for reason in &refusal.reasons {
        assert!(
            reason.detail.contains("organizations:ListTagsForResource"),
            "{reason}"
        );
    }
    clock.with_world(|world| assert_eq!(world.executions().count(), 0));
}

#[test]
fn tags_are_asked_for_only_if_a_wave_needs_them() {
    let mut request = asked();
    request.waves.clear();
    let (clock, ports) = open(WORLD, &request);
    wait(plan(&ports, &request)).unwrap();
    let asked_for = |calls: Vec<(String, String)>| {
        calls
            .iter()
            .filter(|(operation, _)| operation == "ListTagsForResource")
            .count()
    };
    assert_eq!(asked_for(calls(&clock)), 0);
}

#[test]
fn an_account_that_is_tagged_after_the_plan_was_saved_is_a_difference() {
    let request = asked();
    let (clock, ports) = open(WORLD, &request);
    let saved = wait(plan(&ports, &request)).unwrap();
    let change = json!({"tag_account": {"id": "444444444444", "set": {"Stage": "pilot"}}});
    let change = serde_json::from_value(change).unwrap();
    clock.with_world(|world| world.change(&change)).unwrap();
    let now = wait(plan(&ports, &request)).unwrap();
    assert_eq!(
        saved.differences(&now),
        ["eu-west-1", "us-east-1"]
            .map(|region| { format!("444444444444/{region}: was in wave 2 (rest), is in wave 1 (canary)") })
    );
}
