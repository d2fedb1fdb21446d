//! `patchfleet plan`.

use crate::support::{Bench, SPEED, against, finish, simulator_of};
use patchfleet_sim::builtin::CALM;
use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn the_json_of_a_plan_has_the_promised_keys_and_its_sums_hold() {
    for world in ["calm", "troubled"] {
        let plan = Bench::new()
            .run(&["plan", "--sim", world, "--output", "json"])
            .exits(0)
            .json();
        let list = |key: &str| plan[key].as_array().unwrap().clone();
        let pair = |entry: &Value| {
            (
                entry["account"].as_str().unwrap().to_owned(),
                entry["region"].as_str().unwrap().to_owned(),
            )
        };
        assert!(plan["format"].is_u64());
        let mut pairs = BTreeSet::new();
        for location in list("locations") {
            assert!(pairs.insert(pair(&location)), "{location} stands twice");
            assert!(location["wave"].is_u64());
            let count = |key: &str| location["nodes"][key].as_u64().unwrap();
            assert_eq!(
                count("ec2") + count("hybrid"),
                count("online") + count("offline") + count("unmanaged")
            );
        }
        let planned = pairs.clone();
        for skip in list("skipped") {
            assert!(pairs.insert(pair(&skip)), "{skip} stands twice");
            assert!(skip["reason"].is_string() && skip["detail"].is_string());
        }
        assert_eq!(plan["candidates"].as_u64().unwrap(), pairs.len() as u64);

        let mut started = BTreeSet::new();
        for request in list("requests") {
            assert!(request["DocumentName"].is_string());
            for target in request["TargetLocations"].as_array().unwrap() {
                for account in target["Accounts"].as_array().unwrap() {
                    for region in target["Regions"].as_array().unwrap() {
                        let pair = (
                            account.as_str().unwrap().to_owned(),
                            region.as_str().unwrap().to_owned(),
                        );
                        assert!(started.insert(pair), "{account}/{region} is started twice");
                    }
                }
            }
        }
        assert_eq!(started, planned, "the rectangles are exactly the locations");
    }
}

#[test]
fn planning_again_gives_the_same_bytes() {
    let plan = || {
        Bench::new()
            .run(&["plan", "--sim", "troubled", "--output", "json"])
            .exits(0)
            .stdout
    };
    assert_eq!(plan(), plan());
}

#[test]
fn every_reason_for_a_skip_in_the_calm_world_is_told() {
    let ran = Bench::new().run(&["plan", "--sim"]).exits(0);
    for reason in [
        "empty",
        "group_missing",
        "account_not_active",
        "region_not_enabled",
    ] {
        assert!(ran.stdout.contains(reason), "no {reason} in\n{}", ran.stdout);
    }
}

#[test]
fn a_pipe_gets_no_colour() {
    let ran = Bench::new().run(&["plan", "--sim"]).exits(0);
    assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'));
}

/// The built-in world, whose account 222233334444 has a tag.
fn tagged_world(value: &str) -> String {
    let account = "id = \"222233334444\"\n";
    assert!(CALM.world.contains(account));
    CALM.world.replacen(
        account,
        &format!("{account}tags = {{ Stage = \"{value}\" }}\n"),
        1,
    )
}

#[test]
fn a_saved_plan_with_waves_by_tags_is_not_run_once_an_account_has_another_tag() {
    let bench = Bench::new();
    bench.file("world.toml", tagged_world("canary"));
    let waves = "[[waves]]\nname = \"canary\"\naccount_tags = { Stage = \"canary\" }\nif_empty = \"skip\"\n";
    bench.file("request.toml", format!("{}\n{waves}", CALM.request));
    let world = ["--sim", "world.toml"];
    let plan = ["plan", "-f", "request.toml", "--out", "plan.json"];
    bench.run(&[&plan[..], &world].concat()).exits(0);
    let run = [
        &["run", "--plan", "plan.json"][..],
        &world,
        &["--sim-speed", SPEED],
    ]
    .concat();
    bench.file("world.toml", tagged_world("production"));
    let drifted = bench.run(&run).exits(3);
    let moved = "222233334444/us-east-1: was in wave 1 (canary), is in wave 2 (rest)";
    assert!(drifted.stderr.contains("plan_drifted"), "{}", drifted.stderr);
    assert!(drifted.stderr.contains(moved), "{}", drifted.stderr);
    bench.file("world.toml", tagged_world("canary"));
    bench.run(&run).exits(0);
}

#[test]
fn a_saved_plan_runs_over_the_world_it_was_made_for_and_over_no_other() {
    let bench = Bench::new();
    bench.file("world.toml", CALM.world);
    bench.file("request.toml", CALM.request);
    let plan = [
        "plan",
        "-f",
        "request.toml",
        "--sim",
        "world.toml",
        "--out",
        "plan.json",
    ];
    bench.run(&plan).exits(0);
    let run = [
        "run",
        "--plan",
        "plan.json",
        "--sim",
        "world.toml",
        "--sim-speed",
        SPEED,
    ];
    bench.run(&run).exits(0);

    // One node more in one place.
    let grown = CALM.world.replacen("{ count = 2, tags", "{ count = 3, tags", 1);
    assert_ne!(grown, CALM.world);
    bench.file("world.toml", grown);
    let drifted = bench.run(&run).exits(3);
    assert!(
        drifted.stderr.contains("plan_drifted") && drifted.stderr.contains("111122223333"),
        "{}",
        drifted.stderr
    );

    let saved = std::fs::read_to_string(bench.path().join("plan.json")).unwrap();
    for (change, words) in [
        (saved.replacen('{', "{\"surprise\": 1,", 1), "the key surprise"),
        (
            saved.replacen('{', "{\"format\": 2,", 1),
            "duplicate key \"format\"",
        ),
        (
            saved.replacen("\"unknown\": \"refuse\"", "\"unknown\": \"keep\"", 1),
            "not what was saved",
        ),
        ("{}".to_owned(), "not a saved plan"),
    ] {
        assert_ne!(change, saved);
        bench.file("plan.json", change);
        let ran = bench.run(&run).exits(2);
        assert!(
            ran.stderr.contains("plan.json") && ran.stderr.contains(words),
            "{words}: {}",
            ran.stderr
        );
    }

    // What is printed can be saved as well.
    bench.file("world.toml", CALM.world);
    let printed = bench.run(&[
        "plan",
        "-f",
        "request.toml",
        "--sim",
        "world.toml",
        "--output",
        "json",
    ]);
    bench.file("plan.json", printed.exits(0).stdout);
    bench.run(&run).exits(0);
}

#[test]
fn a_plan_may_look_for_presence_alone() {
    let plan = Bench::new()
        .run(&["plan", "--sim", "--depth", "presence", "--output", "json"])
        .exits(0)
        .json();
    for location in plan["locations"].as_array().unwrap() {
        assert!(location["nodes"].is_null(), "{location}");
    }
}

#[test]
fn a_simulated_world_starts_from_aws_region_or_from_its_own_first_whatever_its_partition() {
    let world = |regions: [&str; 2]| {
        let [first, second] = regions;
        format!(
            "management_account = \"111122223333\"\nregions = [\"{first}\", \"{second}\"]\n\
             accounts = [{{ id = \"111122223333\", name = \"Main\" }}]\n\
             documents = [{{ name = \"Patchfleet-RunPatchBaseline\", builtin = \"patchfleet\" }}]\n\
             [[groups]]\nname = \"WebServers\"\naccounts = [\"111122223333\"]\nregions = [\"{first}\"]\n\
             nodes = [{{ count = 2 }}]\n"
        )
    };
    let request = |region| {
        format!("name = \"weekly\"\n[targets]\nresource_group = \"WebServers\"\nregions = [\"{region}\"]\n")
    };
    for (regions, aws_region, central) in [
        (["eu-central-1", "eu-west-1"], None, "eu-central-1"),
        (["eu-central-1", "eu-west-1"], Some("eu-west-1"), "eu-west-1"),
        (["eu-central-1", "eu-west-1"], Some("us-east-1"), "eu-central-1"),
        (["us-gov-west-1", "us-gov-east-1"], None, "us-gov-west-1"),
        (
            ["us-gov-west-1", "us-gov-east-1"],
            Some("us-gov-east-1"),
            "us-gov-east-1",
        ),
        (["cn-north-1", "cn-northwest-1"], Some("eu-west-1"), "cn-north-1"),
    ] {
        let bench = Bench::new();
        bench.file("world.toml", world(regions));
        bench.file("request.toml", request(regions[0]));
        let args = ["--sim", "world.toml", "-f", "request.toml", "--output", "json"];
        let command = |verb: &[&str]| {
            let mut command = bench.command(&[verb, &args].concat());
            command.envs(aws_region.map(|region| ("AWS_REGION", region)));
            crate::support::ran(&mut command).exits(0).json()
        };
        let plan = command(&["plan"]);
        assert_eq!(plan["central"]["region"], central, "{regions:?} {aws_region:?}");
        let report = command(&["run", "--sim-speed", SPEED]);
        assert_eq!(report["outcome"], "succeeded", "{regions:?} {aws_region:?}");
    }
}

/// One location with a node, which takes its five minutes.
const WORLD: &str = r#"
management_account = "111111111111"
documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
accounts = [{ id = "111111111111", name = "Main" }]
[[groups]]
name = "WebServers"
accounts = ["111111111111"]
regions = ["us-east-1"]
nodes = [{ count = 1 }]
"#;

const REQUEST: &str = r#"
name = "weekly"
patch = { operation = "Install" }
targets = { resource_group = "WebServers", regions = ["us-east-1"] }
"#;

#[tokio::test]
async fn a_plan_reckons_with_what_a_node_took_in_the_log_and_warns_if_that_cannot_be_read() {
    let (bench, aws) = (Bench::new(), simulator_of(WORLD, 2_000.0).await);
    bench.file("request.toml", REQUEST);
    let plan = async |more: &[&str]| {
        let plan = ["plan", "-f", "request.toml", "--log", "log"];
        let args = [&plan[..], more].concat();
        finish(against(&bench, &aws, "us-east-1", &args)).await.exits(0)
    };
    let run = async |what: [&str; 2]| {
        let args = ["run", what[0], what[1], "--log", "log", "--output", "json"];
        finish(against(&bench, &aws, "us-east-1", &args))
            .await
            .exits(0)
            .json()
    };
    let json = ["--output", "json"];
    let before = plan(&json).await.json();
    assert_eq!(before["forecast"]["minutes_per_node"], 15, "{before:#}");
    assert_eq!(before["forecast"]["learned_from"], Value::Null);
    assert!(!bench.path().join("log").exists(), "a plan makes no log");

    let campaign = run(["-f", "request.toml"]).await["campaign_id"].clone();
    let learned = plan(&[&json[..], &["--out", "saved"]].concat()).await.json();
    assert_eq!(learned["forecast"]["learned_from"], campaign, "{learned:#}");
    assert_ne!(learned["forecast"]["minutes_per_node"], 15);
    let text = plan(&[]).await.stdout;
    let named = format!("(as in campaign {};", campaign.as_str().unwrap());
    assert!(text.contains(&named), "{text}");
    // The plan that was saved is run, though the next one would learn from a newer campaign.
    for _ in 0..2 {
        run(["--plan", "saved"]).await;
    }

    let names = std::fs::read_dir(bench.path().join("log/names")).unwrap();
    for name in names {
        std::fs::write(name.unwrap().path(), "no log\n").unwrap();
    }
    let unread = plan(&json).await.json();
    assert_eq!(unread["forecast"]["minutes_per_node"], 15);
    let warnings = unread["warnings"].to_string();
    assert!(
        warnings.contains("how long a node took in earlier campaigns is not known, because the log in the folder log cannot be read"),
        "{warnings}"
    );
}
