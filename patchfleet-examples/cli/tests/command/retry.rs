//! `patchfleet run --retry` and `--carry-over`: what a campaign has left is tried again, and nothing else.

use crate::support::{Bench, SPEED, against, finish, parents, simulator_of};
use serde_json::Value;

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
