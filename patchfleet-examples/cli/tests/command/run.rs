//! `patchfleet run` and what follows it: `resume`, `status`, `report`.

use crate::support::{Bench, SPEED, ran};
use patchfleet_sim::{Builtin, Options, Sim};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

#[test]
fn the_calm_world_is_patched_and_accounted_for() {
    let report = Bench::new()
        .run(&["run", "--sim", "--sim-speed", SPEED, "--output", "json"])
        .exits(0)
        .json();
    assert_eq!(report["outcome"], "succeeded");
    assert!(report["campaign_id"].is_string());
    for execution in report["executions"].as_array().unwrap() {
        assert_eq!(execution["status"], "Success");
        assert!(execution["execution_id"].is_string());
    }
    let mut totals: std::collections::BTreeMap<String, u64> = Default::default();
    for location in report["locations"].as_array().unwrap() {
        assert_eq!(location["outcome"], "succeeded", "{location}");
        for (outcome, n) in location["nodes"].as_object().unwrap() {
            *totals.entry(outcome.clone()).or_default() += n.as_u64().unwrap();
        }
    }
    assert_eq!(report["totals"], json!(totals));
}

#[test]
fn the_troubled_world_exits_4_and_names_each_node_that_needs_action() {
    let ran = Bench::new()
        .run(&["run", "--sim", "troubled", "--sim-speed", SPEED])
        .exits(4);
    for word in ["failed", "lost", "unreached", "unmanaged", "unknown"] {
        assert!(ran.stdout.contains(word), "no {word} in\n{}", ran.stdout);
    }
    assert!(
        ran.stdout.contains("i-") && ran.stdout.contains("role_not_assumable"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_log_answers_status_and_report_without_aws() {
    let bench = Bench::new();
    let run = bench
        .run(&[
            "run",
            "--sim",
            "troubled",
            "--sim-speed",
            SPEED,
            "--log",
            "log",
            "--output",
            "json",
        ])
        .exits(4)
        .json();
    let report = bench
        .run(&["report", "--log", "log", "--output", "json"])
        .exits(4)
        .json();
    assert_eq!(report, run);
    let status = bench.run(&["status", "--log", "log"]).exits(0);
    assert!(
        status.stdout.contains(run["campaign_id"].as_str().unwrap()),
        "{}",
        status.stdout
    );
}

#[test]
fn a_refusal_says_so_in_json_too() {
    let bench = Bench::new();
    bench.file(
        "request.json",
        r#"{"name": "x", "targets": {"resource_group": "WebServers", "regions": ["us-east-9"]}}"#,
    );
    let refused = bench
        .run(&["run", "-f", "request.json", "--sim", "--output", "json"])
        .exits(3)
        .json();
    assert_eq!(refused["outcome"], "refused");
    assert_eq!(refused["reasons"][0]["code"], "no_such_region");
}

/// A command against a simulator in this process.
fn against(bench: &Bench, sim: &Sim, region: &str, args: &[&str]) -> Command {
    let mut command = bench.command(args);
    command
        .env("AWS_ENDPOINT_URL", sim.endpoint())
        .env("AWS_REGION", region)
        .env("AWS_ACCESS_KEY_ID", "AKIDCOMMANDLINE")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    command
}

/// How often an operation was called.
fn calls(sim: &Sim, operation: &str) -> usize {
    sim.requests()
        .iter()
        .filter(|request| request.operation == operation)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_automation_is_not_started_from_an_opt_in_region_towards_a_default_one() {
    let bench = Bench::new();
    let sim = Sim::start(Builtin::Calm.world().unwrap(), Options::scaled(1.0))
        .await
        .unwrap();
    bench.file("request.toml", Builtin::Calm.request_toml());
    let opt_in = sim.opt_in_region_of_management_account();
    let ran = ran(&mut against(
        &bench,
        &sim,
        opt_in.as_str(),
        &["run", "-f", "request.toml"],
    ))
    .exits(3);
    assert!(ran.stderr.contains("opt_in_trap"), "{}", ran.stderr);
    assert_eq!(calls(&sim, "StartAutomationExecution"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_in_mid_campaign_is_resumed_and_nothing_starts_twice() {
    let bench = Bench::new();
    let sim = Sim::start(Builtin::Calm.world().unwrap(), Options::scaled(60.0))
        .await
        .unwrap();
    bench.file("request.toml", Builtin::Calm.request_toml());
    let mut first = against(
        &bench,
        &sim,
        "us-east-1",
        &["run", "-f", "request.toml", "--log", "log"],
    )
    .spawn()
    .unwrap();
    while calls(&sim, "StartAutomationExecution") == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    first.kill().unwrap(); // SIGKILL
    first.wait().unwrap();

    let taken = ran(&mut against(
        &bench,
        &sim,
        "us-east-1",
        &["run", "-f", "request.toml", "--log", "log"],
    ))
    .exits(3);
    assert!(taken.stderr.contains("campaign_open"), "{}", taken.stderr);

    sim.set_speed(2000.0);
    let report = ran(&mut against(
        &bench,
        &sim,
        "us-east-1",
        &["resume", "--log", "log", "--output", "json"],
    ))
    .exits(0)
    .json();
    let parents: Vec<Value> = report["executions"].as_array().unwrap().clone();
    assert_eq!(
        parents.len(),
        sim.parent_executions().len(),
        "each unit took effect once"
    );
}
