//! `patchfleet run --retry` and `--carry-over`: what a campaign has left is tried again, and nothing else.

use crate::support::{Bench, Ran, SPEED, against, finish, parents, simulator_of};
use serde_json::{Value, json};

/// One location with two nodes, one of which fails its first Install.
const WORLD: &str = r#"
management_account = "111111111111"
documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
accounts = [{ id = "111111111111", name = "Main" }]
[[groups]]
name = "WebServers"
accounts = ["111111111111"]
regions = ["us-east-1"]
nodes = [{ count = 1 }, { count = 1, patch = { fails_first = 1 } }]
"#;

const REQUEST: &str = r#"
name = "weekly"
patch = { operation = "Install" }
targets = { resource_group = "WebServers", regions = ["us-east-1"] }
budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
"#;

#[tokio::test]
async fn a_retry_patches_the_node_that_failed_and_a_retry_of_what_is_done_begins_nothing() {
    let (bench, aws) = (Bench::new(), simulator_of(WORLD, 2_000.0).await);
    bench.file("request.toml", REQUEST);
    let run = ["run", "-f", "request.toml", "--log", "log", "--output", "json"];
    finish(against(&bench, &aws, "us-east-1", &run)).await.exits(4);
    let (first, _) = bench.newest();
    let retry = |of: String| {
        let args = ["run", "--retry", &of, "--log", "log", "--output", "json"];
        finish(against(&bench, &aws, "us-east-1", &args))
    };
    let second = retry(first[..8].to_owned()).await.exits(0).json();
    assert_eq!(second["retries"], first.as_str());
    assert_eq!(second["totals"]["nodes"]["done"], 1, "{second}");
    assert_eq!(parents(&aws), 2);
    let nothing = retry(second["campaign_id"].as_str().unwrap().to_owned())
        .await
        .exits(0);
    assert_eq!(nothing.json()["outcome"], "nothing_to_do");
    assert_eq!(nothing.json()["campaign_id"], Value::Null);
    assert!(
        nothing.stderr.contains("nothing is left to try again"),
        "{}",
        nothing.stderr
    );
    // Nothing was left by a window, so this is a whole campaign.
    let carried = [&run[..], &["--carry-over"]].concat();
    let whole = finish(against(&bench, &aws, "us-east-1", &carried))
        .await
        .exits(0);
    assert_eq!(whole.json()["totals"]["nodes"]["done"], 2);
    assert_eq!(whole.json()["retries"], Value::Null);
}

/// The third node answers eight hours after the start.
const LATE: &str = r#"
management_account = "111111111111"
documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
accounts = [{ id = "111111111111", name = "Main" }]
[[groups]]
name = "WebServers"
accounts = ["111111111111"]
regions = ["us-east-1"]
nodes = [{ count = 2 }, { count = 1, reachability = "offline" }]
[[changes]]
at = "8h"
change = { gain_agent = { group = "WebServers" } }
"#;

/// Its commands live for six hours and a half.
const WAITING: &str = r#"
name = "weekly"
patch = { operation = "Install", delivery_timeout = "30m" }
targets = { resource_group = "WebServers", regions = ["us-east-1"] }
budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
policy.offline = "target"
"#;

fn second_attempt(bench: &Bench, world: &str, more: &[&str]) -> Ran {
    bench.file("world.toml", world);
    bench.file("request.toml", WAITING);
    let run = [
        "run",
        "--sim",
        "world.toml",
        "-f",
        "request.toml",
        "--sim-speed",
        SPEED,
    ];
    bench.run(&[&run[..], more].concat())
}

#[test]
fn a_second_attempt_reaches_the_node_that_was_away_and_no_other_node_is_patched_again() {
    let bench = Bench::new();
    let json = ["--output", "json"];
    let without = second_attempt(&bench, LATE, &json).exits(4).json();
    assert_eq!(without["totals"]["nodes"]["unreached"], 1, "{without}");
    assert_eq!(without["second_attempt"], Value::Null);

    let both = second_attempt(&bench, LATE, &["--second-attempt", "--output", "json"])
        .exits(0)
        .json();
    assert_eq!(both["totals"]["nodes"], without["totals"]["nodes"]);
    let second = &both["second_attempt"];
    assert_eq!(second["retries"], both["campaign_id"]);
    assert_eq!(second["totals"]["nodes"], json!({"done": 1}));
    let text = second_attempt(&bench, LATE, &["--second-attempt"])
        .exits(0)
        .stdout;
    let [first, again] =
        ["weekly (Install): partial", "weekly (Install): succeeded"].map(|part| text.find(part));
    assert!(first.is_some() && first < again, "{text}");
}

#[test]
fn a_second_attempt_leaves_alone_what_failed_and_the_exit_code_says_so() {
    let bench = Bench::new();
    let failing = LATE.replace(
        "{ count = 2 }",
        "{ count = 1 }, { count = 1, patch = { fails_first = 1 } }",
    );
    let both = second_attempt(&bench, &failing, &["--second-attempt", "--output", "json"])
        .exits(4)
        .json();
    let second = &both["second_attempt"];
    assert_eq!(second["totals"]["nodes"], json!({"done": 1}), "{both}");
    // It is away for good: the second attempt does not reach it either.
    let away = LATE.replace("8h", "50h");
    let both = second_attempt(&bench, &away, &["--second-attempt", "--output", "json"])
        .exits(4)
        .json();
    assert_eq!(both["second_attempt"]["totals"]["nodes"], json!({"unreached": 1}));
}

#[cfg(unix)]
#[tokio::test]
async fn a_second_attempt_that_is_interrupted_says_so_and_is_gone_on_with() {
    let later = LATE.replace("8h", "12h");
    let (bench, aws) = (Bench::new(), simulator_of(&later, 2_000.0).await);
    bench.file("request.toml", WAITING);
    let run = ["run", "-f", "request.toml", "--log", "log", "--second-attempt"];
    let command = against(&bench, &aws, "us-east-1", &run);
    let told = crate::support::interrupt_once(command, || parents(&aws) == 2)
        .await
        .exits(130)
        .stderr;
    let (second, outcome) = bench.newest();
    assert_eq!(outcome, "open");
    assert!(told.contains(&format!("patchfleet resume {second}")), "{told}");
    let resume = ["resume", &second, "--log", "log", "--output", "json"];
    let report = finish(against(&bench, &aws, "us-east-1", &resume))
        .await
        .exits(0)
        .json();
    assert_eq!(report["totals"]["nodes"], json!({"done": 1}), "{report}");
    assert_eq!(parents(&aws), 2);
}

#[test]
fn a_simulated_campaign_is_not_retried_and_a_retry_names_no_other_request() {
    let bench = Bench::new();
    for args in [
        &["run", "--sim", "--sim-speed", SPEED, "--retry", "b68a00a2"][..],
        &["run", "-f", "request.toml", "--retry", "b68a00a2"],
        &["run", "--carry-over", "--retry", "b68a00a2"],
    ] {
        bench.run(args).exits(2);
    }
}
