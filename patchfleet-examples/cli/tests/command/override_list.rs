//! `patchfleet override-list`, as whoever rolls out over weeks meets it.

use crate::support::{Bench, against, finish, simulator_of, starts};
use patchfleet_sim::builtin::CALM;
use patchfleet_sim::spec::FaultSpec;
use serde_json::json;

/// The calm world's request for two accounts, one of them a canary.
fn request(more: &str) -> String {
    let request = CALM
        .request
        .replace(
            "accounts = [\"r-hf01\"]\ninclude_child_ous = true",
            "accounts = [\"222233334444\", \"777788889999\"]",
        )
        .replace("max_concurrency = 10\n", "max_concurrency = 2\n");
    assert_ne!(request, CALM.request);
    format!("{request}\n{more}")
}

const WAVES: &str = "[[waves]]\nname = \"canary\"\naccounts = [\"222233334444\"]\n";

/// The ids of a list.
fn ids(list: &str) -> Vec<&str> {
    let ids = list.lines().filter_map(|line| line.strip_prefix("        id: "));
    ids.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_the_canary_is_yaml_alone_and_what_cannot_be_read_is_said_beside_it() {
    let (bench, sim) = (Bench::new(), simulator_of(CALM.world, 2_000.0).await);
    bench.file("request.toml", request(WAVES));
    let run = ["run", "-f", "request.toml", "--log", "log"];
    finish(against(&bench, &sim, "us-east-1", &run)).await.exits(0);
    let (campaign, _) = bench.newest();
    let before = starts(&sim);
    let log = |bench: &Bench| std::fs::read(bench.path().join(format!("log/campaigns/{campaign}/log.jsonl")));
    let written = log(&bench).unwrap();
    let list = async |more: &[&str]| {
        let args = [&["override-list", "--log", "log"], more].concat();
        finish(against(&bench, &sim, "us-east-1", &args)).await
    };

    let canary = list(&["--wave", "canary"]).await.exits(0);
    let (comment, patches) = canary.stdout.split_once("\npatches:\n").unwrap();
    let of = format!("of wave canary of campaign {campaign} (calm-night)");
    assert!(
        comment.starts_with("# What ") && comment.contains(&of),
        "{comment}"
    );
    let mut lines = patches.lines();
    assert_eq!(lines.next(), Some("    -"));
    assert!(lines.next().unwrap().starts_with("        id: '"), "{patches}");
    assert!(lines.next().unwrap().starts_with("        title: '"), "{patches}");
    assert!(ids(&canary.stdout).len() > 100, "{}", canary.stdout);
    assert_eq!(canary.stderr, "");
    let patches_again = list(&["--wave", "canary"]).await.exits(0);
    let (_, again) = patches_again.stdout.split_once("\npatches:\n").unwrap();
    assert_eq!(again, patches, "the same order");

    let denied = json!({
        "effect": "deny", "accounts": ["777788889999"], "operations": ["ssm:DescribeInstancePatches"],
    });
    let denied: FaultSpec = serde_json::from_value(denied).unwrap();
    sim.with_world(|world| world.add_fault(denied).unwrap());
    let all = list(&[]).await.exits(4);
    let (comment, some) = all.stdout.split_once("\npatches:\n").unwrap();
    assert_eq!(some, patches, "what can be read is listed");
    assert!(comment.contains("It is not whole"), "{comment}");
    let said = all.stderr.lines();
    let said: Vec<&str> = said.filter(|line| line.contains("not in the list")).collect();
    assert!(!said.is_empty(), "{}", all.stderr);
    for line in said {
        assert!(
            line.starts_with("patchfleet: 777788889999/") && line.contains("ssm:DescribeInstancePatches"),
            "{line}"
        );
    }
    let none = list(&["--wave", "rest"]).await.exits(4);
    assert_eq!(none.stdout, "");
    assert!(
        none.stderr.contains("could be read, so there is no list"),
        "{}",
        none.stderr
    );
    let other = list(&["--wave", "other"]).await.exits(2);
    assert!(
        other.stderr.contains("It has locations in: canary, rest"),
        "{}",
        other.stderr
    );
    assert_eq!(starts(&sim), before, "nothing is started");
    assert_eq!(log(&bench).unwrap(), written, "nothing is written down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_that_scanned_has_no_list() {
    let (bench, sim) = (Bench::new(), simulator_of(CALM.world, 2_000.0).await);
    bench.file(
        "request.toml",
        request("").replace("operation = \"Install\"", "operation = \"Scan\""),
    );
    let run = ["run", "-f", "request.toml", "--log", "log"];
    finish(against(&bench, &sim, "us-east-1", &run)).await;
    let list = ["override-list", "--log", "log"];
    let refused = finish(against(&bench, &sim, "us-east-1", &list)).await.exits(2);
    assert_eq!(refused.stdout, "");
    assert!(refused.stderr.contains("only scans"), "{}", refused.stderr);
}
