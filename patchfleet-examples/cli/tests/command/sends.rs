//! A request whose commands patchfleet sends itself.

use crate::support::{Bench, SPEED};
use patchfleet_sim::builtin::CALM;
use serde_json::json;

/// The request of the calm world, without a word of a runbook and its roles.
fn request() -> String {
    let (before, _) = CALM.request.split_once("[automation]").unwrap();
    format!("{before}[automation]\ndispatch = \"run-command\"\n")
}

#[test]
fn the_calm_world_is_planned_and_patched_by_commands_that_patchfleet_sends_itself() {
    let bench = Bench::new();
    bench.file("sends.toml", request());
    let plan = bench.run(&["plan", "--sim", "-f", "sends.toml"]).exits(0);
    assert!(plan.stdout.contains("Dispatch: run-command"), "{}", plan.stdout);
    assert!(!plan.stdout.contains("xecution"), "{}", plan.stdout);
    let plan = bench.run(&["plan", "--sim", "-f", "sends.toml", "--output", "json"]);
    let plan = plan.exits(0).json();
    let requests = plan["requests"].as_array().unwrap();
    assert_eq!(plan["dispatch"]["commands"], json!(requests.len()));
    assert!(
        requests
            .iter()
            .all(|one| one["SendCommand"]["InstanceIds"].is_array()),
        "{plan}"
    );
    let args = [
        "run",
        "--sim",
        "--sim-speed",
        SPEED,
        "-f",
        "sends.toml",
        "--output",
        "json",
    ];
    let ran = bench.run(&args).exits(0);
    assert!(!ran.stderr.contains("xecution"), "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(report["outcome"], "succeeded");
    assert_eq!(report["executions"].as_array().unwrap().len(), requests.len());
}

#[test]
fn the_policy_that_it_takes_is_that_of_the_one_role_that_is_left() {
    let bench = Bench::new();
    bench.file("sends.toml", request());
    let discovery = bench
        .run(&["iam", "--for", "discovery", "-f", "sends.toml"])
        .exits(0);
    assert!(
        discovery.stdout.contains("ssm:SendCommand"),
        "{}",
        discovery.stdout
    );
    assert!(!discovery.stdout.contains("Automation"), "{}", discovery.stdout);
    let none = bench
        .run(&["iam", "--for", "sending", "-f", "sends.toml"])
        .exits(2);
    assert!(none.stderr.contains("access.send_role"), "{}", none.stderr);
    for nobody in ["execution", "administration"] {
        let none = bench.run(&["iam", "--for", nobody, "-f", "sends.toml"]).exits(2);
        assert!(
            none.stderr.contains("the discovery role sends the commands"),
            "{}",
            none.stderr
        );
    }
}
