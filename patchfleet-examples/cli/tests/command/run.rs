//! `patchfleet run` and what follows it: `resume`, `status`, `report`.

use crate::support::{Bench, SPEED, against, finish, kill_once, parents, simulator_of, starts, until};
use patchfleet_sim::Sim;
use patchfleet_sim::builtin::CALM;
use serde_json::json;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

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
    let mut totals: BTreeMap<String, u64> = BTreeMap::new();
    for location in report["locations"].as_array().unwrap() {
        assert_eq!(location["outcome"], "succeeded", "{location}");
        for (outcome, n) in location["nodes"].as_object().unwrap() {
            *totals.entry(outcome.clone()).or_default() += n.as_u64().unwrap();
        }
    }
    assert_eq!(report["totals"]["nodes"], json!(totals));
}

#[test]
fn the_troubled_world_exits_4_and_names_each_node_that_needs_action_and_why() {
    let ran = Bench::new()
        .run(&["run", "--sim", "troubled", "--sim-speed", SPEED])
        .exits(4);
    let (_, needy) = ran.stdout.split_once("need action:").expect("a list of nodes");
    let (needy, skipped) = needy.split_once("skipped").expect("a list of locations");
    // What the world file says of its nodes, and nothing else. Of the nodes that Systems Manager does not
    // list, one is stopped and one was never registered.
    let expected = [("failed", 3), ("lost", 1), ("unreached", 2), ("unmanaged", 2)];
    for (outcome, n) in expected {
        let lines: Vec<&str> = needy
            .lines()
            .filter(|line| line.contains(&format!("  {outcome}  ")))
            .collect();
        assert_eq!(lines.len(), n, "{outcome} in\n{needy}");
        for line in lines {
            let (node, why) = line.split_once(outcome).unwrap();
            assert!(node.contains("i-") && why.trim().len() > 10, "{line}");
        }
    }
    let unknown = skipped.lines().filter(|line| line.contains("role_not_assumable"));
    assert_eq!(
        unknown.count(),
        5,
        "one for each Region of the account without the role\n{skipped}"
    );
}

#[test]
fn the_staged_world_goes_in_waves_and_a_canary_that_fails_keeps_all_else_from_being_begun() {
    let run =
        |world: &str| Bench::new().run(&["run", "--sim", world, "--sim-speed", SPEED, "--output", "json"]);
    let well = run("staged").exits(0);
    let report = well.json();
    assert_eq!(report["outcome"], "succeeded");
    let waits = well
        .stderr
        .matches("nothing runs, and nothing more begins yet")
        .count();
    assert_eq!(waits, 2, "{}", well.stderr);
    let report = run("staged-failing").exits(5).json();
    assert_eq!(report["outcome"], "halted");
    let locations = report["locations"].as_array().unwrap();
    let (canary, rest): (Vec<_>, Vec<_>) = locations
        .iter()
        .partition(|at| at["account"] == "777788889999" && at["region"] == "eu-west-1");
    assert_eq!(canary.len(), 1);
    assert!(
        rest.len() > 10 && rest.iter().all(|at| at["outcome"] == "not_started"),
        "{report}"
    );
    assert_eq!(report["totals"]["nodes"]["failed"], 2, "{report}");
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

/// A simulator in this process whose management account has opted into a Region.
async fn simulator(speed: f64) -> Sim {
    let with_opt_in = CALM.world.replacen(
        "name = \"Halden Freight Management\"",
        "name = \"Halden Freight Management\"\nopt_in_regions = [\"eu-south-1\"]",
        1,
    );
    assert_ne!(with_opt_in, CALM.world);
    simulator_of(&with_opt_in, speed).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_automation_is_not_started_from_an_opt_in_region_towards_a_default_one() {
    let (bench, sim) = (Bench::new(), simulator(1.0).await);
    bench.file("request.toml", CALM.request);
    let ran = finish(against(
        &bench,
        &sim,
        "eu-south-1",
        &["run", "-f", "request.toml"],
    ))
    .await
    .exits(3);
    assert!(ran.stderr.contains("opt_in_trap"), "{}", ran.stderr);
    assert_eq!(starts(&sim), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runbook_that_is_missing_is_refused_and_can_be_created() {
    let without = CALM.world.replacen(
        "[[documents]]\nname = \"Patchfleet-RunPatchBaseline\"\nbuiltin = \"patchfleet\"",
        "",
        1,
    );
    assert_ne!(without, CALM.world);
    let (bench, sim) = (Bench::new(), simulator_of(&without, 2000.0).await);
    bench.file("request.toml", CALM.request);
    let run = || against(&bench, &sim, "us-east-1", &["run", "-f", "request.toml"]);
    let ensure = || {
        against(
            &bench,
            &sim,
            "us-east-1",
            &["runbook", "ensure", "--output", "json"],
        )
    };
    let missing = finish(run()).await.exits(3);
    assert!(missing.stderr.contains("runbook_missing"), "{}", missing.stderr);
    assert_eq!(starts(&sim), 0);

    assert_eq!(finish(ensure()).await.exits(0).json()["done"], "created");
    assert_eq!(finish(ensure()).await.exits(0).json()["done"], "unchanged");
    finish(run()).await.exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runbook_is_brought_to_every_region_of_a_request_and_shared_if_that_is_asked_for() {
    // As today: in the central Region alone.
    let central = "builtin = \"patchfleet\"\nregions = [\"us-east-1\"]";
    let world = CALM.world.replacen("builtin = \"patchfleet\"", central, 1);
    assert_ne!(world, CALM.world);
    let (bench, sim) = (Bench::new(), simulator_of(&world, 2000.0).await);
    // The central account has not enabled all of the others.
    let all = "[\"us-east-1\", \"us-west-2\", \"eu-west-1\", \"ap-southeast-2\", \"eu-south-1\"]";
    let request = CALM.request.replacen(all, "[\"us-east-1\", \"us-west-2\"]", 1);
    assert_ne!(request, CALM.request);
    bench.file("request.toml", request);
    let ensure = |more: &[&str]| {
        let args = ["runbook", "ensure", "-f", "request.toml"];
        against(&bench, &sim, "us-east-1", &[&args[..], more].concat())
    };
    let plan = || against(&bench, &sim, "us-east-1", &["plan", "-f", "request.toml"]);
    let before = finish(plan()).await.exits(0).stdout;
    assert!(
        before.contains("`patchfleet runbook ensure --share -f REQUEST` shares it"),
        "{before}"
    );

    let made = finish(ensure(&["--output", "json"])).await.exits(0).json();
    let made = made.as_array().unwrap();
    assert_eq!(
        (&made[0]["region"], &made[0]["done"]),
        (&"us-east-1".into(), &"unchanged".into())
    );
    assert!(
        made.len() > 1 && made[1..].iter().all(|one| one["done"] == "created"),
        "{made:?}"
    );
    assert!(made.iter().all(|one| one.get("sharing").is_none()));

    let shared = finish(ensure(&["--share"])).await.exits(0).stdout;
    assert!(
        shared.contains("us-east-1: unchanged; version 1 is the default; shared with "),
        "{shared}"
    );
    let again = finish(ensure(&["--share"])).await.exits(0).stdout;
    assert!(
        again.contains(" already") && !again.contains("shared with 1 account\n"),
        "{again}"
    );
    let after = finish(plan()).await.exits(0).stdout;
    assert!(
        after.contains("it is shared with: ") && !after.contains("  have neither: "),
        "{after}"
    );
    finish(against(&bench, &sim, "us-east-1", &["run", "-f", "request.toml"]))
        .await
        .exits(0);
}

#[test]
fn the_runbook_is_shared_with_the_accounts_of_a_request_only_and_only_patchfleets_own() {
    let bench = Bench::new();
    let alone = bench.run(&["runbook", "ensure", "--share", "--sim"]).exits(2);
    assert!(alone.stderr.contains("--request <FILE>"), "{}", alone.stderr);
    bench.file(
        "own.toml",
        CALM.request.replace("Patchfleet-RunPatchBaseline", "Our-Runbook"),
    );
    let own = bench
        .run(&["runbook", "ensure", "-f", "own.toml", "--sim"])
        .exits(2);
    assert!(
        own.stderr.contains("automation.document = \"Our-Runbook\""),
        "{}",
        own.stderr
    );
    let wrong = bench
        .run(&["iam", "--for", "management", "-f", "own.toml", "--log", "logs"])
        .exits(2);
    assert!(
        wrong.stderr.contains("it has to be s3://BUCKET/PREFIX"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn iam_prints_what_a_log_and_a_share_take_and_notes_whose_role_writes_output() {
    let bench = Bench::new();
    bench.file(
        "request.toml",
        format!("{}\n[output]\ns3_bucket = \"ops-output\"\n", CALM.request),
    );
    let printed = |more: &[&str]| {
        let args = ["iam", "--for", "management", "-f", "request.toml"];
        bench.run(&[&args[..], more].concat()).exits(0)
    };
    let plain = printed(&[]);
    assert!(
        plain.stderr.contains("s3://ops-output") && plain.stderr.contains("instance profile"),
        "{}",
        plain.stderr
    );
    assert!(!plain.stdout.contains("s3:") && !plain.stdout.contains("ModifyDocumentPermission"));
    let more = printed(&["--log", "s3://ops-logs/a", "--share"]).stdout;
    for wanted in [
        "arn:aws:s3:::ops-logs/a/*",
        "s3:ListBucket",
        "ssm:ModifyDocumentPermission",
    ] {
        assert!(more.contains(wanted), "{wanted}: {more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_goes_on_only_from_where_it_was_planned() {
    let (bench, sim) = (Bench::new(), simulator(400.0).await);
    bench.file("request.toml", CALM.request);
    let run = ["run", "-f", "request.toml", "--log", "log"];
    kill_once(against(&bench, &sim, "us-east-1", &run), || starts(&sim) > 0).await;
    let started = starts(&sim);
    let elsewhere = finish(against(&bench, &sim, "us-west-2", &["resume", "--log", "log"]))
        .await
        .exits(3);
    assert!(elsewhere.stderr.contains("other_central"), "{}", elsewhere.stderr);
    assert_eq!(starts(&sim), started);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_in_mid_campaign_is_resumed_and_nothing_starts_twice() {
    let (bench, sim) = (Bench::new(), simulator(400.0).await);
    bench.file("request.toml", CALM.request);
    let run = ["run", "-f", "request.toml", "--log", "log"];
    kill_once(against(&bench, &sim, "us-east-1", &run), || starts(&sim) > 0).await;

    let taken = finish(against(&bench, &sim, "us-east-1", &run)).await.exits(3);
    assert!(taken.stderr.contains("campaign_open"), "{}", taken.stderr);

    let status = bench
        .run(&["status", "--log", "log", "--output", "json"])
        .exits(0)
        .json();
    let campaign = status[0]["campaign_id"].as_str().unwrap();
    let resume = ["resume", campaign, "--log", "log", "--output", "json"];
    for further_calls in [3, 8, 20] {
        let calls = || sim.with_world(|world| world.requests().len());
        let enough = calls() + further_calls;
        kill_once(against(&bench, &sim, "us-east-1", &resume), || calls() >= enough).await;
    }
    let report = finish(against(&bench, &sim, "us-east-1", &resume))
        .await
        .exits(0)
        .json();
    assert_eq!(report["outcome"], "succeeded");
    let executions = report["executions"].as_array().unwrap();
    assert_eq!(executions.len(), parents(&sim), "each unit took effect once");
    assert_eq!(report["totals"]["nodes"]["done"], 65);

    // Everything was read, and nobody cancelled anything: both change nothing.
    let collect = ["collect", "--log", "log", "--output", "json"];
    let collected = finish(against(&bench, &sim, "us-east-1", &collect))
        .await
        .exits(0);
    assert_eq!(collected.json(), report);
    let go_on = ["resume", "--go-on", "--log", "log"];
    let refused = finish(against(&bench, &sim, "us-east-1", &go_on)).await.exits(3);
    for words in ["nothing_to_go_on", "it is over (outcome succeeded)"] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert_eq!(parents(&sim), executions.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_deleted_or_cut_short_lets_no_second_campaign_of_the_name_begin() {
    let (bench, sim) = (Bench::new(), simulator(400.0).await);
    bench.file("request.toml", CALM.request);
    let run = ["run", "-f", "request.toml", "--log", "log"];
    finish(against(&bench, &sim, "us-east-1", &run)).await.exits(0);
    let before = starts(&sim);
    kill_once(against(&bench, &sim, "us-east-1", &run), || starts(&sim) > before).await;
    let started = starts(&sim);
    assert!(started > before);
    let status = bench
        .run(&["status", "--log", "log", "--output", "json"])
        .exits(0)
        .json();
    assert_eq!(status[0]["outcome"], "open");
    let open = status[0]["campaign_id"].as_str().unwrap();

    let names = bench.path().join("log/names");
    let claims = std::fs::read_dir(&names).unwrap().next().unwrap().unwrap().path();
    let two = std::fs::read_to_string(&claims).unwrap();
    assert_eq!(two.lines().count(), 2);
    let lost: [(&str, &dyn Fn()); 3] = [
        ("its last line cut away", &|| {
            let first = two.split_inclusive('\n').next().unwrap();
            std::fs::write(&claims, first).unwrap();
        }),
        ("emptied", &|| std::fs::write(&claims, "").unwrap()),
        ("deleted", &|| std::fs::remove_dir_all(&names).unwrap()),
    ];
    for (how, lose) in lost {
        lose();
        let refused = finish(against(&bench, &sim, "us-east-1", &run)).await.exits(3);
        assert!(
            refused.stderr.contains("campaign_open") && refused.stderr.contains(open),
            "{how}: {}",
            refused.stderr
        );
        assert_eq!(starts(&sim), started, "{how}");
    }
    let other = CALM.request.replacen("calm-night", "another-name", 1);
    assert_ne!(other, CALM.request);
    bench.file("other.toml", other);
    let other = ["plan", "-f", "other.toml"];
    finish(against(&bench, &sim, "us-east-1", &other)).await.exits(0);

    // The campaign is found without its claim, and goes on.
    let resume = ["resume", "--log", "log", "--output", "json"];
    let report = finish(against(&bench, &sim, "us-east-1", &resume))
        .await
        .exits(0)
        .json();
    assert_eq!(report["campaign_id"], open);
    finish(against(&bench, &sim, "us-east-1", &run)).await.exits(0);
}

#[test]
fn a_damaged_log_that_may_be_of_an_open_campaign_is_refused_with_its_file_and_what_to_do() {
    let bench = Bench::new();
    let run = ["run", "--sim", "--sim-speed", SPEED, "--log", "log"];
    bench.run(&run).exits(0);
    let campaigns = bench.path().join("log/campaigns");
    let campaign = std::fs::read_dir(&campaigns)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let log = campaign.join("log.jsonl");
    std::fs::write(&log, "nonsense\nnonsense\n").unwrap();
    for _ in 0..2 {
        let refused = bench.run(&run).exits(3);
        let file = log.strip_prefix(bench.path()).unwrap().display().to_string();
        for words in ["log_damaged", &file, "move its folder out of the log"] {
            assert!(refused.stderr.contains(words), "{words} in {}", refused.stderr);
        }
        let _ = std::fs::remove_dir_all(bench.path().join("log/names"));
    }
    std::fs::rename(campaign, bench.path().join("taken-away")).unwrap();
    bench.run(&run).exits(0);
}

#[test]
fn status_names_what_is_damaged_and_exits_1() {
    let bench = Bench::new();
    let run = ["run", "--sim", "--sim-speed", SPEED, "--log", "log"];
    bench.run(&run).exits(0);
    bench.run(&["status", "--log", "nowhere"]).exits(2);
    let status = ["status", "--log", "log", "--output", "json"];
    let whole = bench.run(&status).exits(0).json();
    let campaign = whole[0]["campaign_id"].as_str().unwrap().to_owned();
    let log = bench
        .path()
        .join("log/campaigns")
        .join(&campaign)
        .join("log.jsonl");
    // One bit of its last record.
    let mut bytes = std::fs::read(&log).unwrap();
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let damaged = bench.run(&status).exits(1).json();
    assert_eq!(damaged.as_array().unwrap().len(), 1);
    assert_eq!(damaged[0]["campaign_id"], campaign);
    assert_eq!(damaged[0]["outcome"], "damaged");
    let detail = damaged[0]["detail"].as_str().unwrap();
    assert!(detail.contains("log.jsonl: record"), "{detail}");
    assert!(detail.contains("checksum is wrong"), "{detail}");
    let text = bench.run(&["status", "--log", "log"]).exits(1);
    for words in ["damaged: campaigns/", "log.jsonl", "put a good copy there"] {
        assert!(text.stdout.contains(words), "{words} in {}", text.stdout);
    }
    let one = ["status", &campaign, "--log", "log"];
    bench.run(&one).exits(1);
    bench.run(&["resume", &campaign, "--log", "log"]).exits(1);
    bench.run(&run).exits(3);
    for command in ["report", "collect", "resume"] {
        let told = bench.run(&[command, "--log", "log"]).exits(1).stderr;
        assert!(
            told.contains("damaged, so which campaign is meant is not known"),
            "{told}"
        );
    }

    // A log of an older version is named as such.
    let old = r#"{"seq":0,"at":"2026-03-01T22:00:00Z","writer":"00000000-0000-0000-0000-000000000001","events":[{"event":"planned","format":2,"campaign":"#;
    std::fs::write(&log, format!("{old}\n")).unwrap();
    let text = bench.run(&["status", "--log", "log"]).exits(1);
    assert!(
        text.stdout
            .contains("an older version wrote it (format 2; this version writes format 3)")
    );

    // A claim whose campaign is gone.
    std::fs::rename(log.parent().unwrap(), bench.path().join("taken-away")).unwrap();
    let text = bench.run(&["status", "--log", "log"]).exits(1);
    assert!(text.stdout.contains("damaged: names/"), "{}", text.stdout);
}

#[test]
fn an_empty_log_setting_is_bad_usage() {
    let bench = Bench::new();
    for command in ["status", "report", "resume", "collect"] {
        let refused = bench.run(&[command, "--log", ""]).exits(2);
        assert!(refused.stderr.contains("--log"), "{}", refused.stderr);
    }
    let run = ["run", "--sim", "--log", ""];
    bench.run(&run).exits(2);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_exits_130_leaves_the_campaign_open_and_says_how_to_resume() {
    let (bench, sim) = (Bench::new(), simulator(400.0).await);
    bench.file("request.toml", CALM.request);
    let run = ["run", "-f", "request.toml", "--log", "log"];
    let mut command = against(&bench, &sim, "us-east-1", &run);
    let process = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until(|| starts(&sim) > 0).await;
    let id = process.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
    let ended = tokio::task::spawn_blocking(|| process.wait_with_output().unwrap())
        .await
        .unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{stderr}");
    let status = bench
        .run(&["status", "--log", "log", "--output", "json"])
        .exits(0)
        .json();
    let campaign = status[0]["campaign_id"].as_str().unwrap();
    let words = format!("patchfleet resume {campaign} --log log");
    assert!(stderr.contains(&words), "{stderr}");
    let resume = ["resume", campaign, "--log", "log"];
    finish(against(&bench, &sim, "us-east-1", &resume)).await.exits(0);
}
