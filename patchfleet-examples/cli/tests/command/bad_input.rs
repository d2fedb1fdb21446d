//! Each mistake has one clear message. All problems of a file come at once, and nothing is started. The exit code is 2
//! for what is wrong in itself, and 3 for what is refused after AWS was asked.

use crate::support::{Bench, ran};
use patchfleet_sim::builtin::CALM;
use std::io::Write as _;
use std::process::Stdio;

/// A request that is right but for what `change` makes of it.
fn request(change: impl Fn(&str) -> String) -> String {
    change(
        r#"name = "bad"
[targets]
resource_group = "WebServers"
accounts = ["111122223333"]
regions = ["us-east-1"]
[budget.nodes]
max_concurrency = "10%"
"#,
    )
}

/// Plans a request on the calm world and gives what was said.
#[track_caller]
fn said(text: &str, code: i32) -> String {
    let bench = Bench::new();
    bench.file("request.toml", text);
    let planned = bench.run(&["plan", "-f", "request.toml", "--sim"]).exits(code);
    let ran = bench.run(&["run", "-f", "request.toml", "--sim"]).exits(code);
    assert_eq!(ran.stdout, "", "nothing for standard output");
    assert_eq!(planned.stderr, ran.stderr);
    ran.stderr
}

#[test]
fn each_mistake_is_named_with_its_field_and_value() {
    let cases: [(&str, &str, &[&str]); 8] = [
        ("[targets]", "colour = 1\n[targets]", &["unknown_key", "colour"]),
        (r#"["us-east-1"]"#, "5", &["wrong_type", "targets.regions", "5"]),
        (
            r#""111122223333""#,
            r#""1111222233334""#,
            &["targets.accounts[0]", "1111222233334", "12 digits"],
        ),
        (r#""10%""#, "0", &["budget.nodes.max_concurrency", "0"]),
        (r#""10%""#, r#""101%""#, &["budget.nodes.max_concurrency", "101%"]),
        (r#""10%""#, r#""05%""#, &["budget.nodes.max_concurrency", "05%"]),
        (r#"["us-east-1"]"#, "[]", &["targets.regions"]),
        (
            r#"["us-east-1"]"#,
            r#"["us-east-1", "cn-north-1"]"#,
            &["targets.regions", "partition"],
        ),
    ];
    for (right, wrong, expected) in cases {
        let stderr = said(&request(|text| text.replacen(right, wrong, 1)), 2);
        for part in expected {
            assert!(stderr.contains(part), "{wrong}: no {part} in\n{stderr}");
        }
    }
    let both = request(|text| text.replace("accounts =", "tags = { Env = [\"prod\"] }\naccounts ="));
    let stderr = said(&both, 2);
    assert!(
        stderr.contains("resource_group") && stderr.contains("tags"),
        "{stderr}"
    );
}

#[test]
fn a_script_that_asks_for_json_gets_one_object_with_every_problem_of_its_request() {
    let bench = Bench::new();
    let wrong = request(|text| text.replacen("111122223333", "1", 1).replacen("10%", "101%", 1));
    bench.file("request.toml", &wrong);
    for (command, file) in [("plan", "request.toml"), ("run", "request.toml")] {
        let args = [command, "-f", file, "--sim", "--output", "json"];
        let said = bench.run(&args).exits(2);
        let told: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(told["outcome"], "invalid", "{told}");
        let problems = told["problems"].as_array().unwrap();
        let fields: Vec<_> = problems
            .iter()
            .map(|one| (one["path"].as_str().unwrap(), one["value"].as_str().unwrap()))
            .collect();
        assert_eq!(
            fields,
            [
                ("targets.accounts[0]", "\"1\""),
                ("budget.nodes.max_concurrency", "\"101%\"")
            ]
        );
        assert!(
            problems[0]["expected"].as_str().unwrap().contains("12 digits"),
            "{told}"
        );
        assert!(
            said.stderr.contains("targets.accounts[0]"),
            "a person is told as before"
        );
        // A file that is not there is one problem.
        let said = bench
            .run(&[command, "-f", "gone.toml", "--sim", "--output", "json"])
            .exits(2);
        let told: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(told["problems"].as_array().unwrap().len(), 1, "{told}");
        assert!(
            told["problems"][0]["detail"]
                .as_str()
                .unwrap()
                .contains("gone.toml"),
            "{told}"
        );
    }
}

#[test]
fn all_problems_of_a_file_come_at_once() {
    let stderr = said(
        "name = \"\"\n[targets]\nresource_group = \"a b\"\naccounts = [\"1\"]\nregions = []\n[budget.nodes]\nmax_concurrency = 0\n",
        2,
    );
    for path in [
        "name",
        "targets.resource_group",
        "targets.accounts[0]",
        "targets.regions",
        "budget.nodes.max_concurrency",
    ] {
        assert!(stderr.contains(path), "no {path} in\n{stderr}");
    }
}

#[test]
fn a_bound_on_the_fleet_that_nobody_could_keep_and_waves_that_name_nothing_are_refused_by_name() {
    let stderr = said(
        &request(|text| format!("{text}[budget.fleet]\nmax_damaged = 0\n")),
        2,
    );
    assert!(
        stderr.contains("budget.fleet.max_damaged = 0") && stderr.contains("a count from 1"),
        "{stderr}"
    );
    let stderr = said(
        &request(|text| format!("{text}[[waves]]\nname = \"canary\"\n")),
        2,
    );
    assert!(stderr.contains("waves[0]"), "{stderr}");
}

#[test]
fn a_file_that_is_missing_not_text_or_huge_is_one_clear_message() {
    let bench = Bench::new();
    let ran = bench.run(&["plan", "-f", "nowhere.toml", "--sim"]).exits(2);
    assert!(ran.stderr.contains("nowhere.toml"), "{}", ran.stderr);

    bench.file("latin.toml", b"name = \"caf\xe9\"\n");
    let ran = bench.run(&["plan", "-f", "latin.toml", "--sim"]).exits(2);
    assert!(ran.stderr.contains("UTF-8"), "{}", ran.stderr);

    let mut huge = std::fs::File::create(bench.path().join("huge.toml")).unwrap();
    let line = [b'#'; 1 << 20];
    for _ in 0..100 {
        huge.write_all(&line).unwrap();
    }
    let ran = bench.run(&["plan", "-f", "huge.toml", "--sim"]).exits(2);
    assert!(ran.stderr.contains("too_large"), "{}", ran.stderr);

    bench.file("request.txt", "");
    let ran = bench.run(&["plan", "-f", "request.txt", "--sim"]).exits(2);
    assert!(ran.stderr.contains(".toml"), "{}", ran.stderr);
}

#[test]
fn a_mistake_is_said_with_its_file_and_its_line() {
    let stderr = said(&request(|text| text.replace("us-east-1", "Frankfurt")), 2);
    assert!(
        stderr.contains("the request request.toml has 1 problem")
            && stderr.contains("targets.regions[0] = \"Frankfurt\" (line 5, column 12)"),
        "{stderr}"
    );
}

#[test]
fn a_request_may_come_on_standard_input_in_any_language() {
    let bench = Bench::new();
    let planned = |text: &str, args: &[&str], code: i32| {
        let args = [&["plan", "--sim", "--output", "json", "-f", "-"], args].concat();
        let mut command = bench.command(&args);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        (String::from_utf8(output.stdout).unwrap(), stderr)
    };
    let toml = request(str::to_owned);
    let json = r#"{"name": "bad", "targets": {"resource_group": "WebServers", "accounts": ["111122223333"],
        "regions": ["us-east-1"]}, "budget": {"nodes": {"max_concurrency": "10%"}}}"#;
    let yaml = "name: bad\ntargets:\n  resource_group: WebServers\n  accounts: [\"111122223333\"]\n  regions: [us-east-1]\n";
    let (plan, _) = planned(&toml, &[], 0);
    assert_eq!(planned(json, &[], 0).0, plan);
    assert_eq!(planned(yaml, &[], 0).0, plan);
    assert_eq!(planned(yaml, &["--format", "yaml"], 0).0, plan);
    let (_, stderr) = planned(yaml, &["--format", "toml"], 2);
    assert!(
        stderr.contains("the request on standard input") && stderr.contains("not valid TOML at line 1"),
        "{stderr}"
    );
    let (_, stderr) = planned("", &[], 2);
    assert!(stderr.contains("[syntax] the text is empty"), "{stderr}");
}

#[test]
fn usage_mistakes_exit_2() {
    let bench = Bench::new();
    bench.run(&["plan"]).exits(2);
    bench.run(&["fly"]).exits(2);
    bench.run(&["plan", "--sim", "no-such-world"]).exits(2);
    bench.run(&["report", "--log", "nowhere"]).exits(2);
    bench.file("a-file", "");
    for args in [&["report"][..], &["status"], &["resume"], &["collect"]] {
        let ran = bench.run(&[args, &["--log", "a-file"]].concat()).exits(2);
        assert!(ran.stderr.contains("this is a file"), "{args:?}: {}", ran.stderr);
    }
    let wrong = bench.run(&["report", "1f7"]).exits(2).stderr;
    assert!(wrong.contains("\"1f7\" is not a campaign's id"), "{wrong}");
    assert!(!wrong.contains("CampaignId"), "{wrong}");
}

#[cfg(unix)]
#[test]
fn a_log_that_can_be_kept_nowhere_is_one_message_that_names_the_path_and_nothing_is_planned() {
    let bench = Bench::new();
    bench.file("a-file", "");
    std::os::unix::fs::symlink("nowhere", bench.path().join("dangling")).unwrap();
    for (log, words) in [
        ("dangling", "dangling is a link that leads nowhere"),
        ("a-file", "cannot list a-file"),
        ("a-file/log", "cannot list a-file/log"),
    ] {
        let ran = bench.run(&["run", "--sim", "--log", log]).exits(2);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{log}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{log}: no plan was made");
    }
}

#[test]
fn aws_settings_that_are_missing_are_named() {
    let bench = Bench::new();
    bench.file("request.toml", request(str::to_owned));
    let ran = bench.run(&["plan", "-f", "request.toml"]).exits(2);
    assert!(ran.stderr.contains("AWS_REGION"), "{}", ran.stderr);
}

#[test]
fn a_unit_that_does_not_exist_is_refused() {
    let stderr = said(
        &request(|text| text.replace("111122223333", "ou-zzzz-zzzzzzzz")),
        3,
    );
    assert!(
        stderr.contains("target_not_found") && stderr.contains("ou-zzzz-zzzzzzzz"),
        "{stderr}"
    );
}

#[test]
fn a_region_nobody_has_is_refused() {
    let stderr = said(&request(|text| text.replace("us-east-1", "us-east-9")), 3);
    assert!(
        stderr.contains("no_such_region") && stderr.contains("us-east-9"),
        "{stderr}"
    );
}

#[test]
fn rates_and_calls_at_once_that_cannot_be_are_said_with_the_variable_and_what_would_be_right() {
    let bench = Bench::new();
    bench.file("request.toml", request(str::to_owned));
    let ran = bench
        .command(&["plan", "-f", "request.toml", "--sim"])
        .env("PATCHFLEET_CALLS_AT_ONCE", "none")
        .env("PATCHFLEET_RATES", "sts:AssumeRole=0")
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(ran.stderr).unwrap(),
        "patchfleet: PATCHFLEET_CALLS_AT_ONCE = \"none\": expected a whole number of calls from 1 to 1000; \
         PATCHFLEET_RATES: \"sts:AssumeRole=0\": expected calls a second from 0.01 to 10000, such as 0.5 or 3\n"
    );
}

#[test]
fn nothing_that_others_wrote_reaches_the_terminal_as_a_control_or_a_bidi_character() {
    const HOSTILE: &str = "a\u{1b}]0;x\u{7}b\u{202e}c\u{9b}31m\u{2028}d\u{200b}";
    let bench = Bench::new();
    let key = request(|text| {
        format!("\"{HOSTILE}\" = 1\n{text}")
            .replace("\u{1b}", "\\u001b")
            .replace('\u{7}', "\\u0007")
    });
    bench.file("key.toml", key);
    bench.file(
        "value.toml",
        request(|text| text.replace("us-east-1", "\\u001b[2Jmoon\u{202e}")),
    );
    bench.file("good.toml", request(str::to_owned));
    let missing = format!("{HOSTILE}.toml");
    let settings = [("PATCHFLEET_RATES", HOSTILE)];
    for (file, env, code) in [
        ("key.toml", &[][..], 2),
        ("value.toml", &[], 2),
        (&missing, &[], 2),
        ("good.toml", &settings, 2),
    ] {
        for output in ["text", "json"] {
            let mut command = bench.command(&["plan", "-f", file, "--sim", "--output", output]);
            let ran = command.envs(env.iter().copied()).output().unwrap();
            assert_eq!(ran.status.code(), Some(code), "{file:?}");
            let said = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
            assert!(!said.is_empty());
            let hidden = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2028}\u{200b}".contains(c));
            assert!(!said.contains(hidden), "{file:?}: {said:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_saved_plan_is_for_its_owner_alone_and_an_external_id_is_not_in_it() {
    use std::os::unix::fs::PermissionsExt as _;

    let bench = Bench::new();
    bench.file(
        "request.toml",
        request(|text| format!("{text}[access]\nexternal_id = \"very-secret-1\"\n")),
    );
    bench
        .run(&["plan", "-f", "request.toml", "--sim", "--out", "plan.json"])
        .exits(0);
    let plan = bench.path().join("plan.json");
    assert_eq!(
        std::fs::metadata(&plan).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(!std::fs::read_to_string(&plan).unwrap().contains("very-secret-1"));
    let ran = bench.run(&["run", "--plan", "plan.json", "--sim"]).exits(2);
    assert!(
        ran.stderr.contains("PATCHFLEET_EXTERNAL_ID is not set"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_presigned_list_is_refused_where_it_would_be_kept_and_shown_nowhere() {
    let bench = Bench::new();
    bench.file(
        "request.toml",
        request(|text| {
            format!(
                "{text}[patch]\noperation = \"Install\"\ninstall_override_list = \
                 \"https://b.s3.amazonaws.com/list?X-Amz-Signature=5ec7e7\"\n"
            )
        }),
    );
    for more in [
        &["plan"][..],
        &["plan", "--out", "plan.json"],
        &["plan", "--output", "json"],
        &["run", "--yes", "--log", "log"],
    ] {
        let args = [more, &["-f", "request.toml", "--sim"]].concat();
        let ran = bench.run(&args).exits(3);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            said.contains("patch.install_override_list") && said.contains("s3://bucket/key"),
            "{said}"
        );
        assert!(!said.contains("5ec7e7"), "{said}");
    }
    assert!(!bench.path().join("plan.json").exists());
    assert!(!bench.path().join("log").exists());
    // Nor what libraries log, nor what is said of it where it is wrong.
    let mut traced = bench.command(&["plan", "-f", "request.toml", "--sim"]);
    let traced = ran(traced.env("RUST_LOG", "trace")).exits(3);
    assert!(!traced.stderr.contains("5ec7e7"), "{}", traced.stderr);
    bench.file(
        "wrong.toml",
        request(|text| {
            format!("{text}[patch]\ninstall_override_list = \"https://b.s3.amazonaws.com/list?X-Amz-Signature=5ec7e7\"\n")
        }),
    );
    let wrong = bench.run(&["plan", "-f", "wrong.toml", "--sim"]).exits(2);
    assert!(
        wrong.stderr.contains("a Scan ignores it") && !wrong.stderr.contains("5ec7e7"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn a_location_that_is_denied_refuses_and_the_policy_that_leaves_it_out_is_named() {
    let bench = Bench::new();
    let denied =
        "[[faults]]\neffect = \"deny\"\noperations = [\"resource-groups:*\"]\nregions = [\"eu-west-1\"]\n";
    bench.file("world.toml", format!("{}\n{denied}", CALM.world));
    let asked = request(|text| text.replace("[\"us-east-1\"]", "[\"us-east-1\", \"eu-west-1\"]"));
    bench.file("request.toml", &asked);
    let plan = ["plan", "-f", "request.toml", "--sim", "world.toml"];
    let refused = bench.run(&plan).exits(3);
    assert!(
        refused
            .stderr
            .contains("[census_unknown] 111122223333/eu-west-1: denied: AccessDeniedException")
            && refused.stderr.contains("policy.denied = \"exclude\""),
        "{}",
        refused.stderr
    );
    bench.file("request.toml", format!("{asked}[policy]\ndenied = \"exclude\"\n"));
    let planned = bench.run(&plan).exits(0);
    assert!(
        planned.stdout.contains("1 to patch, 1 skipped"),
        "{}",
        planned.stdout
    );
}

#[test]
fn every_command_that_prints_json_prints_one_object_where_it_fails() {
    let bench = Bench::new();
    let campaign = "11111111-2222-4333-8444-555555555555";
    for args in [
        &["resume"][..],
        &["stop"],
        &["collect"],
        &["report"],
        &["status"],
        &["abandon", campaign],
        &["stop", campaign],
    ] {
        let args = [args, &["--log", "nowhere", "--output", "json"]].concat();
        let said = bench.run(&args).exits(2);
        let json = said.json();
        assert_eq!(json["outcome"], "invalid", "{args:?}");
        assert_eq!(json["campaign_id"], serde_json::Value::Null, "{args:?}");
        let told = json["problems"][0]["detail"].as_str().unwrap();
        assert!(told.contains("nowhere") && said.stderr.contains(told), "{told}");
    }
    // A campaign whose log cannot be read is neither refused nor bad input.
    bench
        .run(&["run", "--sim", "--log", "log", "--output", "json"])
        .exits(0);
    let (campaign, _) = bench.newest();
    let log = bench
        .path()
        .join("log/campaigns")
        .join(&campaign)
        .join("log.jsonl");
    assert!(log.exists(), "{}", log.display());
    std::fs::write(&log, "no record\n").unwrap();
    let said = bench
        .run(&["report", &campaign, "--log", "log", "--output", "json"])
        .exits(1);
    let json = said.json();
    assert_eq!(json["outcome"], "error");
    assert!(said.stderr.contains(json["error"].as_str().unwrap()), "{json}");
}
