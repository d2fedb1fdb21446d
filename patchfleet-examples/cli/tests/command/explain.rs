//! `patchfleet explain`: what a log says of one location or node.

use crate::support::{Bench, Ran, SPEED};
use serde_json::Value;
use std::sync::OnceLock;

/// The log of one night in the troubled world, which every test reads.
fn night() -> &'static Bench {
    static NIGHT: OnceLock<Bench> = OnceLock::new();
    NIGHT.get_or_init(|| {
        let bench = Bench::new();
        bench
            .run(&["run", "--sim", "troubled", "--sim-speed", SPEED, "--log", "log"])
            .exits(4);
        bench
    })
}

fn explain(args: &[&str]) -> Ran {
    night().run(&[&["explain", "--log", "log"], args].concat())
}

fn report() -> Value {
    night()
        .run(&["report", "--log", "log", "--output", "json"])
        .exits(4)
        .json()
}

fn texts(values: &Value) -> Vec<&str> {
    values
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_str().unwrap())
        .collect()
}

#[test]
fn every_location_of_a_night_is_explained_as_the_report_has_it() {
    let report = report();
    for of in report["locations"].as_array().unwrap() {
        let subject = format!(
            "{}/{}",
            of["account"].as_str().unwrap(),
            of["region"].as_str().unwrap()
        );
        let said = explain(&[&subject, "--output", "json"]).exits(0).json();
        assert_eq!(said["campaign_id"], report["campaign_id"]);
        assert_eq!(said["at"][0]["report"], *of, "{subject}");
        let kinds: Vec<&Value> = said["at"][0]["units"][0]["aws"]
            .as_array()
            .unwrap()
            .iter()
            .collect();
        assert_eq!(kinds[0]["kind"], "execution", "{subject}");
        assert_eq!(kinds[0]["account"], "111122223333");
        let console = kinds[0]["console"].as_str().unwrap();
        assert!(console.contains(kinds[0]["id"].as_str().unwrap()), "{console}");
    }
    for of in report["skipped"].as_array().unwrap() {
        let subject = format!(
            "{}/{}",
            of["account"].as_str().unwrap(),
            of["region"].as_str().unwrap()
        );
        let said = explain(&[&subject, "--output", "json"]).exits(0).json();
        assert_eq!(said["at"][0]["standing"], "skipped");
        assert_eq!(said["at"][0]["skip"], *of, "{subject}");
    }
}

#[test]
fn every_node_that_needs_action_is_explained_in_the_words_of_the_report() {
    for of in report()["needs_action"].as_array().unwrap() {
        let node = of["node"].as_str().unwrap();
        let said = explain(&[node, "--output", "json"]).exits(0).json();
        let at = &said["at"][0];
        assert_eq!((&at["account"], &at["region"]), (&of["account"], &of["region"]));
        assert_eq!(at["node"]["row"]["outcome"], of["outcome"], "{node}");
        assert_eq!(texts(&at["why"])[0], of["detail"], "{node}");
        let text = explain(&[node]).exits(0).stdout;
        let head = format!("{node} in {}/", of["account"].as_str().unwrap());
        assert!(text.starts_with(&head), "{text}");
        assert!(text.contains("Records of the log\n"), "{text}");
    }
}

/// An account with one node, whose patches fail.
const FAILS: &str = r#"
management_account = "111122223333"

[[accounts]]
id = "111122223333"
name = "Main"

[[documents]]
name = "Patchfleet-RunPatchBaseline"
builtin = "patchfleet"

[[groups]]
name = "Web"
accounts = ["111122223333"]
regions = ["us-east-1"]
nodes = [{ count = 1, patch = { outcome = "fails" } }]
"#;

const FAILING: &str = r#"
name = "one-that-fails"

[patch]
operation = "Install"

[targets]
resource_group = "Web"
regions = ["us-east-1"]

[automation]
assume_role = "arn:aws:iam::111122223333:role/AWS-SystemsManager-AutomationAdministrationRole"
"#;

#[test]
fn the_patches_that_a_node_failed_to_install_are_named_for_the_node_and_for_its_location() {
    let bench = Bench::new();
    bench.file("world.toml", FAILS);
    bench.file("request.toml", FAILING);
    // Names are waited for for ten seconds of the simulated clock. In a faster night these are too short for a busy machine.
    let night = [
        "run",
        "--sim",
        "world.toml",
        "-f",
        "request.toml",
        "--sim-speed",
        "60",
        "--log",
        "log",
    ];
    bench.run(&night).exits(4);
    let explain = |args: &[&str]| {
        let all = [&["explain", "--log", "log"], args].concat();
        bench.run(&all).exits(0)
    };
    let report = bench
        .run(&["report", "--log", "log", "--output", "json"])
        .exits(4)
        .json();
    let node = report["needs_action"][0]["node"].as_str().unwrap();
    let said = explain(&[node, "--output", "json"]).json();
    let row = &said["at"][0]["node"]["row"];
    let patches = row["patches"]["named"].as_array().unwrap();
    assert_eq!(patches.len() as u64, row["failed"].as_u64().unwrap(), "{row}");
    for text in [
        explain(&[node]).stdout,
        explain(&["111122223333/us-east-1"]).stdout,
    ] {
        let (_, section) = text.split_once("\nPatches that failed to install\n").unwrap();
        let id = patches[0]["id"].as_str().unwrap();
        assert!(section.contains(&format!("  {id} ")), "no {id} in {text}");
    }
}

#[test]
fn what_the_newest_campaign_does_not_know_is_looked_for_in_those_before_it() {
    let bench = Bench::new();
    let run = |world: &str, code| {
        let args = [
            "run",
            "--sim",
            world,
            "--sim-speed",
            SPEED,
            "--log",
            "log",
            "--output",
            "json",
        ];
        let ran = bench.run(&args).exits(code).json();
        ran["campaign_id"].as_str().unwrap().to_owned()
    };
    let (bad, calm) = (run("troubled", 4), run("calm", 0));
    let of = |subject: &str, more: &[&str]| {
        let args = [&["explain", subject, "--log", "log", "--output", "json"], more].concat();
        bench.run(&args)
    };
    let both = "111122223333/us-east-1";
    // Both began at the same simulated time, so which is the newer depends on how long their planning took.
    let (newest, _) = bench.newest();
    assert_eq!(of(both, &[]).exits(0).json()["campaign_id"], newest.as_str());
    let named = of(both, &["--campaign", &bad[..8]]).exits(0).json();
    assert_eq!(named["campaign_id"], bad.as_str());
    // A node of the bad night alone.
    let report = bench
        .run(&["report", &bad, "--log", "log", "--output", "json"])
        .exits(4)
        .json();
    let lost = report["needs_action"].as_array().unwrap().iter();
    let lost = lost.map(|node| node["node"].as_str().unwrap());
    let of_calm = |node: &str| of(node, &["--campaign", &calm]).code == 0;
    if let Some(node) = lost.into_iter().find(|node| !of_calm(node)) {
        assert_eq!(of(node, &[]).exits(0).json()["campaign_id"], bad.as_str());
        let refused = of(node, &["--campaign", &calm]).exits(2);
        assert!(refused.stderr.contains(&calm), "{}", refused.stderr);
    }
    let unknown = of("999999999999/us-east-1", &[]).exits(2).stderr;
    for part in [
        "none of the 2 campaigns in the folder log knows 999999999999/us-east-1",
        &bad,
        &calm,
    ] {
        assert!(unknown.contains(part), "no {part} in {unknown}");
    }
}

#[test]
fn what_is_nearly_a_location_or_a_node_says_what_there_is() {
    for (wrong, parts) in [
        ("777788889999", ["is an account", "777788889999/us-east-1"]),
        ("ap-southeast-2", ["is a Region", "555566667777/ap-southeast-2"]),
        (
            "us-east-1/777788889999",
            ["the account comes first", "777788889999/us-east-1"],
        ),
        ("777788889999/us-east", ["is not a Region", "us-east-1"]),
        (
            "777788889999/us-gov-east-1",
            [
                "in the folder log does not know 777788889999/us-gov-east-1",
                "777788889999/us-east-1",
            ],
        ),
        (
            "i-00000000000000000",
            ["does not know i-00000000000000000", "the nodes of its plan"],
        ),
        ("web", ["is neither a location", "i-0123456789abcdef0"]),
    ] {
        let said = explain(&[wrong]).exits(2).stderr;
        for part in parts {
            assert!(said.contains(part), "{wrong}: no {part} in {said}");
        }
        let json = explain(&[wrong, "--output", "json"]).exits(2).json();
        assert_eq!(json["outcome"], "invalid");
    }
    let node = report()["needs_action"][0]["node"].as_str().unwrap().to_owned();
    let cut = &node[..node.len() - 3];
    let said = explain(&[cut]).exits(2).stderr;
    assert!(
        said.contains("is not a node id") && said.contains(&node),
        "{said}"
    );
}

#[test]
fn a_log_that_is_not_there_is_bad_usage_as_for_report() {
    let bench = Bench::new();
    let of = |command: &[&str]| {
        let ran = bench.run(&[command, &["--log", "nowhere"]].concat()).exits(2);
        ran.stderr
    };
    assert_eq!(of(&["explain", "111122223333/us-east-1"]), of(&["report"]));
}

#[test]
fn commands_that_an_explanation_tells_to_type_name_the_log() {
    let bench = night();
    let said = explain(&["777788889999/us-east-1"]).exits(0).stdout;
    assert!(said.contains("What to do\n"), "{said}");
    assert!(!bench.path().join(".patchfleet").exists());
    for command in said.split("`patchfleet ").skip(1) {
        let command = command.split('`').next().unwrap();
        assert!(command.contains("--log log"), "{command}");
    }
}
