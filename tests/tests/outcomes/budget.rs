//! Several units under one location budget.

use crate::scene::{Scene, group_in, tally, took, world};
use jiff::Timestamp;
use patchfleet_core::{
    outcome::{LocationOutcome, NodeOutcome},
    plan::Unit,
    report::ReportOutcome,
    request::PatchRequest,
};
use patchfleet_tests::request;
use serde_json::Value;
use std::collections::BTreeSet;

/// Locations that no one rectangle covers: five units or so.
const SCATTERED: [(&str, &str); 9] = [
    ("222222222222", "us-east-1"),
    ("222222222222", "us-west-2"),
    ("333333333333", "us-west-2"),
    ("333333333333", "eu-west-1"),
    ("444444444444", "eu-west-1"),
    ("444444444444", "ap-south-1"),
    ("555555555555", "ap-south-1"),
    ("555555555555", "us-east-1"),
    ("555555555555", "ca-central-1"),
];

fn scattered(nodes: &str) -> String {
    let ids: BTreeSet<&str> = SCATTERED.iter().map(|(account, _)| *account).collect();
    let accounts: String = ids
        .iter()
        .map(|id| format!("{{ id = \"{id}\", name = \"{id}\" }}, "))
        .collect();
    let groups: String = SCATTERED
        .iter()
        .map(|(account, region)| group_in(account, region, nodes))
        .collect();
    world(&format!(
        "accounts = [{{ id = \"111111111111\", name = \"Main\" }}, {accounts}]\n{groups}"
    ))
}

fn everywhere(locations_concurrency: u32, locations_errors: &str) -> PatchRequest {
    let text = format!(
        r#"
        name = "scattered"
        patch = {{ operation = "Install" }}
        [targets]
        resource_group = "Web"
        accounts = ["222222222222", "333333333333", "444444444444", "555555555555"]
        regions = ["us-east-1", "us-west-2", "eu-west-1", "ap-south-1", "ca-central-1"]
        [budget.locations]
        max_concurrency = {locations_concurrency}
        max_errors = "{locations_errors}"
        "#
    );
    request(&text).unwrap()
}

#[tokio::test]
async fn a_budget_that_is_spent_in_one_unit_keeps_the_next_from_being_started() {
    // Nodes that fail in a way that AWS does not count: only patchfleet halts here.
    let toml = scattered("{ count = 1, patch = { outcome = \"succeeds_with_failed_patches\" } }");
    let request = everywhere(2, "1");
    let scene = Scene::of(&toml, &request);
    let (plan, ended) = scene.run(&request).await;
    let started = scene.parents();
    assert!(!started.is_empty() && started.len() < plan.units.len());
    assert!(
        started.iter().all(|one| one["status"] == "Success"),
        "AWS saw no failure"
    );
    assert_eq!(ended.report.outcome, ReportOutcome::Halted);
    assert_eq!(ended.report.exit_code(), 5);
    let named: BTreeSet<(&str, &str)> = started
        .iter()
        .flat_map(|one| rectangle(&one["target_locations"][0]))
        .collect();
    for location in &ended.report.locations {
        let pair = (location.account.as_str(), location.region.as_str());
        let (outcome, node) = if named.contains(&pair) {
            (LocationOutcome::NodesFailed, NodeOutcome::Failed)
        } else {
            (LocationOutcome::NotStarted, NodeOutcome::NotRun)
        };
        assert_eq!(location.outcome, Some(outcome), "{pair:?}");
        assert_eq!(location.nodes, tally(&[(node, 1)]), "{pair:?}");
    }
}

fn rectangle(target: &Value) -> Vec<(&str, &str)> {
    let texts = |name: &str| -> Vec<&str> {
        let values = target[name].as_array().unwrap().iter();
        values.map(|value| value.as_str().unwrap()).collect()
    };
    let regions = texts("Regions");
    let of = |account| regions.clone().into_iter().map(move |region| (account, region));
    texts("Accounts").into_iter().flat_map(of).collect()
}

#[tokio::test]
async fn open_units_together_never_exceed_the_location_budget() {
    for budget in [1, 2, 3, 5] {
        let request = everywhere(budget, "100%");
        let scene = Scene::of(&scattered("{ count = 2 }"), &request);
        let (plan, ended) = scene.run(&request).await;
        assert_eq!(ended.report.outcome, ReportOutcome::Succeeded);
        assert!(plan.units.len() >= 3, "{} units", plan.units.len());
        let units: Vec<Span> = scene.parents().iter().map(Span::of_unit).collect();
        assert_eq!(units.len(), plan.units.len());
        let most = most_at_once(&units);
        assert!(
            most <= budget,
            "{most} locations might run at once, allowed are {budget}"
        );
        let state = scene.clock.with_world(|world| world.state());
        let executions = state["executions"].as_array().unwrap().iter();
        let children: Vec<Span> = executions
            .filter(|one| !one["parent"].is_null())
            .map(|one| Span::of(one, 1))
            .collect();
        assert_eq!(children.len(), SCATTERED.len());
        let most = most_at_once(&children);
        assert!(
            most <= budget,
            "{most} locations ran at once, allowed are {budget}"
        );
        // Nor is it kept by running one unit after another.
        let parents: Vec<Span> = scene.parents().iter().map(|one| Span::of(one, 1)).collect();
        let side_by_side = most_at_once(&parents);
        assert_eq!(side_by_side, plan.worst_case.starts_at_once);
        assert_eq!(side_by_side > 1, budget > 1, "{side_by_side} units");
    }
}

/// The locations of a large organization: 300 accounts, 17 Regions, 598 locations with a node. No fewer
/// than six rectangles cover them.
#[tokio::test]
async fn six_units_of_300_accounts_and_17_regions_begin_together_and_run_side_by_side() {
    const REGIONS: [&str; 17] = [
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "ap-south-1",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "eu-north-1",
        "sa-east-1",
    ];
    // So many accounts, each with these Regions.
    let blocks: [(usize, &[&str]); 6] = [
        (30, &REGIONS),
        (20, &REGIONS[..2]),
        (10, &REGIONS[2..5]),
        (8, &REGIONS[5..6]),
        (5, &REGIONS[6..7]),
        (5, &REGIONS[7..8]),
    ];
    let ids: Vec<String> = (1..=300).map(|n| format!("{n:012}")).collect();
    let accounts: Vec<String> = ids
        .iter()
        .map(|id| format!("{{ id = \"{id}\", name = \"{id}\" }}"))
        .collect();
    let mut toml = format!("accounts = [{}]\n", accounts.join(", "));
    let mut rest = ids.as_slice();
    for (n, regions) in blocks {
        let (here, others) = rest.split_at(n);
        rest = others;
        toml += &format!(
            "[[groups]]\nname = \"Web\"\naccounts = {here:?}\nregions = {regions:?}\nnodes = [{{ count = 1 }}]\n"
        );
    }
    let request = request(&format!(
        r#"
        name = "large"
        patch = {{ operation = "Install" }}
        [targets]
        resource_group = "Web"
        accounts = {ids:?}
        regions = {REGIONS:?}
        [budget.locations]
        max_concurrency = "10%"
        max_errors = "10%"
        "#
    ))
    .unwrap();
    let toml = world(&toml).replace("\"111111111111\"", "\"000000000001\"");
    let scene = Scene::of(&toml, &request);
    let (plan, ended) = scene.run(&request).await;
    assert_eq!(ended.report.outcome, ReportOutcome::Succeeded);
    assert_eq!((plan.locations.len(), plan.units.len()), (598, 6));
    let shares: Vec<u32> = plan.units.iter().map(Unit::locations_at_once).collect();
    assert_eq!(shares.iter().sum::<u32>(), 59, "10 % of 598: {shares:?}");
    let units: Vec<Span> = scene.parents().iter().map(Span::of_unit).collect();
    assert_eq!(most_at_once(&units), 59);
    let (first, last) = (units[0].from, units[5].from);
    let apart = last.duration_since(first).as_secs();
    assert!(apart < 60, "the last unit began {apart} s after the first");
    // A location takes six minutes or so. One unit after another would take the sum of these turns.
    let turns = |unit: &Unit| unit.location_count().div_ceil(unit.locations_at_once());
    let (longest, sum) = plan
        .units
        .iter()
        .map(turns)
        .fold((0, 0), |(max, sum), n| (n.max(max), sum + n));
    assert!(
        longest <= 12 && sum > 40,
        "{longest} turns at most, {sum} together"
    );
    let minutes = took(&ended.report).as_mins();
    assert!(
        minutes < i64::from(longest) * 8,
        "{minutes} minutes for {longest} turns"
    );
}

/// From when to when something was open, and how much of the budget it may use.
struct Span {
    from: Timestamp,
    to: Timestamp,
    weight: u32,
}

impl Span {
    fn of(execution: &Value, weight: u32) -> Self {
        let time = |name: &str| execution[name].as_str().unwrap().parse().unwrap();
        Self {
            from: time("started"),
            to: time("ended"),
            weight,
        }
    }

    fn of_unit(execution: &Value) -> Self {
        let target = &execution["target_locations"][0];
        let most = target["TargetLocationMaxConcurrency"].as_str().unwrap();
        Self::of(execution, most.parse().unwrap())
    }
}

/// The most that was open at once: it grows only when something begins.
fn most_at_once(spans: &[Span]) -> u32 {
    let at = |now: Timestamp| -> u32 {
        let open = spans.iter().filter(|one| one.from <= now && now < one.to);
        open.map(|one| one.weight).sum()
    };
    spans.iter().map(|one| at(one.from)).max().unwrap_or(0)
}
