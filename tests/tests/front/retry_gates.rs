//! Waves of which a retry tries only some nodes: their gates count what the campaigns before have shown as well. Which nodes were sent
//! what is the simulator's truth.

use super::fleets::nodes_in;
use super::retry_waves::{attended, now, sent, window};
use super::{campaign, ports, process};
use jiff::SignedDuration;
use patchfleet_core::{
    Retry, RetryPlan,
    campaign::{Progress, Store},
    outcome::NodeOutcome,
    plan::Planning,
    report::{Report, ReportOutcome},
    request::PatchRequest,
};
use patchfleet_sim::{SimClock, spec::Change, spec::FaultSpec};
use patchfleet_tests::request;
use serde_json::json;

/// One location after the other, the American ones before `eu-west-1`.
fn canary_in_america(of_patch: &str, of_wave: &str) -> PatchRequest {
    request(&format!(
        r#"
        name = "weekly"
        patch = {{ operation = "Install"{of_patch} }}
        targets = {{ resource_group = "WebServers", regions = ["us-east-1", "us-east-2", "us-west-2", "eu-west-1"] }}
        budget.nodes = {{ max_concurrency = "100%", max_errors = "100%" }}
        budget.locations = {{ max_concurrency = 1, max_errors = "100%" }}
        [[waves]]
        name = "canary"
        regions = ["us-east-1", "us-east-2", "us-west-2"]
        {of_wave}
        "#
    ))
    .unwrap()
}

const WELL: &str = "{ count = 1, patch = { minutes = 40.0 } }";
const FAILS: &str = "{ count = 1, patch = { minutes = 40.0, fails_first = 9 } }";

/// The reports of so many nights, in each of which two locations have their turn.
async fn nights(clock: &SimClock, request: &PatchRequest, store: &Store, n: u128) -> Vec<Report> {
    let campaigns = process(clock, store, 1);
    let mut reports = vec![];
    for night in 1..=n {
        let planning = Planning {
            cutoff: Some(now(clock) + SignedDuration::from_hours(7)),
            ..window(clock, 8)
        };
        reports.push(campaigns.run(campaign(night), request, &planning).await.unwrap());
        let next = now(clock) + SignedDuration::from_hours(12);
        ports(clock).clock.sleep_until(next).await;
    }
    reports
}

fn commands_in_each(clock: &SimClock) -> [usize; 4] {
    ["us-east-1", "us-east-2", "us-west-2", "eu-west-1"].map(|region| sent(clock, region).len())
}

#[tokio::test]
async fn a_gate_counts_what_earlier_windows_have_shown_of_its_wave() {
    let clock = nodes_in(&[
        ("us-east-1", WELL),
        ("us-east-2", WELL),
        ("us-west-2", WELL),
        ("eu-west-1", WELL),
    ]);
    let request = canary_in_america("", "gate = { max_failed = 0, min_sample = 3 }");
    let store = Store::in_memory();
    let reports = nights(&clock, &request, &store, 2).await;
    assert_eq!(commands_in_each(&clock), [1, 1, 1, 1], "nobody has to approve");
    assert_eq!(reports[1].outcome, ReportOutcome::Succeeded);
    let second = store.load(campaign(2)).await.unwrap().unwrap();
    let warnings = &second.plan().warnings;
    assert!(
        !warnings.iter().any(|one| one.contains("min_sample")),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn a_gate_is_one_for_all_windows_of_its_wave_in_which_some_nodes_fail() {
    for (gate, begins) in [("40%", true), ("30%", false)] {
        let clock = nodes_in(&[
            ("us-east-1", WELL),
            ("us-east-2", WELL),
            ("us-west-2", FAILS),
            ("eu-west-1", WELL),
        ]);
        let request = canary_in_america("", &format!("gate = {{ max_failed = \"{gate}\" }}"));
        let reports = nights(&clock, &request, &Store::in_memory(), 2).await;
        let production = usize::from(begins);
        // One of three has failed, though it was the only one of its night.
        assert_eq!(commands_in_each(&clock), [1, 1, 1, production], "{gate}");
        let text = reports[1].to_text();
        assert_eq!(text.contains("1 of 3 nodes"), !begins, "{gate}: {text}");
    }
}

/// A node of the canary and one of production answer once the campaign is over.
#[tokio::test]
async fn a_second_attempt_asks_no_second_time_for_what_a_canary_has_shown() {
    let away = format!("{WELL}, {{ count = 1, reachability = \"offline\" }}");
    let clock = nodes_in(&[
        ("us-east-1", &away),
        ("us-east-2", WELL),
        ("us-west-2", WELL),
        ("eu-west-1", &away),
    ]);
    let request = canary_in_america(
        ", delivery_timeout = \"30m\"",
        "approval = true\ngate = { max_failed = 0, min_sample = 3 }",
    );
    let store = Store::in_memory();
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns.plan(&request, &attended()).await.unwrap();
    let begun = planned.begin(campaign(1)).await.unwrap();
    let at_work = begun
        .run_until(now(&clock) + SignedDuration::from_hours(30))
        .await;
    let Progress::Paused { state, .. } = at_work.unwrap() else {
        panic!("nobody has approved")
    };
    assert_eq!(commands_in_each(&clock)[3], 0);
    campaigns.approve(&state, None).await.unwrap();
    assert!(begun.run().await.unwrap().left_unreached());
    let answers: Change = serde_json::from_value(json!({ "gain_agent": {} })).unwrap();
    clock.with_world(|world| world.change(&answers).unwrap());
    let seen = now(&clock) + SignedDuration::from_mins(30);
    ports(&clock).clock.sleep_until(seen).await;

    let first = store.load(campaign(1)).await.unwrap().unwrap();
    let second = campaigns.plan_retry(&first, Retry::Unreached, &attended()).await;
    let RetryPlan::Planned(planned) = second.unwrap() else {
        panic!("two nodes were not reached")
    };
    let begun = planned.begin(campaign(1).of_second_attempt()).await.unwrap();
    let ended = begun
        .run_until(now(&clock) + SignedDuration::from_hours(30))
        .await;
    let Progress::Finished(state) = ended.unwrap() else {
        panic!("it waits for a person")
    };
    let report = store.report(&state, state.planned_at()).await.unwrap();
    let nodes = report.totals.nodes;
    assert_eq!((nodes.count(NodeOutcome::Done), nodes.total()), (2, 2));
}

/// One of the four nodes of a canary fails, in the first window or in the second one.
#[tokio::test]
async fn a_gate_of_a_wave_that_a_window_cut_is_not_failed_while_the_rest_may_keep_its_share() {
    for (first, last) in [(FAILS, WELL), (WELL, FAILS)] {
        let clock = nodes_in(&[
            ("us-east-1", first),
            ("us-east-2", WELL),
            ("us-west-2", last),
            ("eu-west-1", WELL),
        ]);
        let request = canary_in_america("", "gate = { max_failed = \"40%\" }");
        nights(&clock, &request, &Store::in_memory(), 2).await;
        assert_eq!(commands_in_each(&clock), [1, 1, 1, 1]);
    }
}

/// What a node came to cannot be read in the first window.
#[tokio::test]
async fn a_gate_remembers_the_nodes_of_which_nothing_was_known_in_an_earlier_window() {
    let clock = nodes_in(&[
        ("us-east-1", WELL),
        ("us-east-2", WELL),
        ("us-west-2", WELL),
        ("eu-west-1", WELL),
    ]);
    let denied: FaultSpec = serde_json::from_value(json!({
        "effect": "deny", "regions": ["us-east-1"], "operations": ["ssm:DescribeInstancePatchStates"],
    }))
    .unwrap();
    clock.with_world(|world| world.add_fault(denied).unwrap());
    let request = canary_in_america("", "gate = { max_failed = \"10%\" }");
    let reports = nights(&clock, &request, &Store::in_memory(), 2).await;
    assert_eq!(commands_in_each(&clock)[3], 0, "{}", reports[1].to_text());
}

/// The window closes while the canary is at work. After that its location stops at its limit of errors, or nothing of what had no turn is
/// left by the next window.
#[tokio::test]
async fn nodes_that_had_no_turn_do_not_dilute_a_gate_that_all_others_fail() {
    for (limits, is_gone) in [
        ("max_concurrency = 1, max_errors = 1", false),
        ("max_concurrency = \"100%\", max_errors = \"100%\"", true),
    ] {
        let failing = "{ count = 10, patch = { minutes = 40.0, fails_first = 9 } }";
        let few = "{ count = 3, patch = { minutes = 40.0, fails_first = 9 } }";
        let clock = match is_gone {
            false => nodes_in(&[("us-east-1", failing), ("eu-west-1", WELL)]),
            true => nodes_in(&[
                ("us-east-1", few),
                ("us-east-2", few),
                ("us-west-2", failing),
                ("eu-west-1", WELL),
            ]),
        };
        let request = request(&format!(
            r#"
            name = "weekly"
            patch = {{ operation = "Install" }}
            targets = {{ resource_group = "WebServers", regions = ["us-east-1", "us-east-2", "us-west-2", "eu-west-1"] }}
            budget.nodes = {{ {limits} }}
            budget.locations = {{ max_concurrency = 1, max_errors = "100%" }}
            [[waves]]
            name = "canary"
            regions = ["us-east-1", "us-east-2", "us-west-2"]
            gate = {{ max_failed = "40%" }}
            "#
        ))
        .unwrap();
        let store = Store::in_memory();
        let first = nights(&clock, &request, &store, 1).await;
        let nodes = &first[0].totals.nodes;
        assert!(nodes.count(NodeOutcome::NotRun) > 1, "{}", first[0].to_text());
        if is_gone {
            let gone: Change =
                serde_json::from_value(json!({ "terminate": { "regions": ["us-west-2"] } })).unwrap();
            clock.with_world(|world| world.change(&gone).unwrap());
        }
        let campaigns = process(&clock, &store, 1);
        let planning = Planning {
            cutoff: Some(now(&clock) + SignedDuration::from_hours(7)),
            ..window(&clock, 8)
        };
        let second = campaigns.run(campaign(2), &request, &planning).await;
        assert_eq!(sent(&clock, "eu-west-1"), [], "{limits}: {second:?}");
    }
}
