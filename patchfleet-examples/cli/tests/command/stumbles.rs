//! What a newcomer runs into: each answer says what is wrong, where, and what to type.

use crate::support::{Bench, SPEED, ran};
use patchfleet_sim::builtin::{CALM, TROUBLED};

#[tokio::test]
async fn a_saved_plan_has_its_own_cutoff_and_takes_no_other() {
    let bench = Bench::new();
    let refused = bench
        .run(&["run", "--sim", "--plan", "plan.json", "--cutoff", "9h"])
        .exits(2);
    assert!(
        refused.stderr.contains("cannot be used with '--cutoff"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_log_without_a_campaign_names_its_folder_and_how_to_name_another() {
    let bench = Bench::new();
    let place = "in the folder nowhere, which is not there. --log (or PATCHFLEET_LOG) names another one";
    for (command, what) in [
        (&["status"][..], "campaign"),
        (&["status", "--output", "json"], "campaign"),
        (&["report"], "campaign"),
        (&["collect"], "campaign"),
        (&["explain", "111122223333/us-east-1"], "campaign"),
        (&["resume"], "open campaign"),
        (&["abandon", "5b6c7d8e"], "campaign whose id begins with 5b6c7d8e"),
        (&["report", "5b6c7d8e"], "campaign whose id begins with 5b6c7d8e"),
    ] {
        let refused = bench.run(&[command, &["--log", "nowhere"]].concat()).exits(2);
        assert!(
            refused.stderr.contains(&format!("there is no {what} {place}")),
            "{}",
            refused.stderr
        );
        assert_eq!(refused.stdout.is_empty(), !command.contains(&"json"));
    }
    // A folder without a campaign is one where nothing has run yet.
    std::fs::create_dir(bench.path().join("empty")).unwrap();
    let status = bench.run(&["status", "--log", "empty"]).exits(0);
    assert!(
        status
            .stdout
            .contains("there is no campaign in the folder empty. "),
        "{}",
        status.stdout
    );
}

#[test]
fn an_empty_variable_for_the_log_counts_as_not_set() {
    let bench = Bench::new();
    for empty in ["", " "] {
        let status = ran(bench.command(&["status"]).env("PATCHFLEET_LOG", empty)).exits(2);
        let place = "there is no campaign in the folder .patchfleet, which is not there.";
        assert!(status.stderr.contains(place), "{}", status.stderr);
    }
    let named = ran(bench.command(&["status"]).env("PATCHFLEET_LOG", "elsewhere")).exits(2);
    assert!(
        named.stderr.contains("in the folder elsewhere,"),
        "{}",
        named.stderr
    );
    let first = ran(bench
        .command(&["status", "--log", "here"])
        .env("PATCHFLEET_LOG", "elsewhere"))
    .exits(2);
    assert!(first.stderr.contains("in the folder here,"), "{}", first.stderr);
}

#[test]
fn the_help_of_each_command_says_which_campaign_is_meant_by_default() {
    let bench = Bench::new();
    let help = |command: &str| bench.run(&[command, "--help"]).exits(0).stdout;
    let words = |help: String| help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(help("resume")).contains("Default: the newest of the log that is open"));
    for command in ["report", "collect", "override-list"] {
        let help = words(help(command));
        assert!(
            help.contains("Default: the newest of the log") && !help.contains("is open"),
            "{help}"
        );
    }
    let all = [
        "resume",
        "report",
        "collect",
        "status",
        "abandon",
        "explain",
        "override-list",
    ];
    for command in all {
        assert!(
            words(help(command)).contains("its id, or the beginning of it, of 4 characters"),
            "{command}"
        );
    }
    let exit_codes = words(bench.run(&["--help"]).exits(0).stdout);
    assert!(
        exit_codes.contains("or closed by `patchfleet abandon`"),
        "{exit_codes}"
    );
}

#[test]
fn a_campaign_is_found_by_the_beginning_of_its_id() {
    let bench = Bench::new();
    bench
        .run(&["run", "--sim", "--sim-speed", SPEED, "--log", "log"])
        .exits(0);
    let (campaign, _) = bench.newest();
    for id in [&campaign[..8], &campaign] {
        let report = bench.run(&["report", id, "--log", "log"]).exits(0);
        assert!(report.stdout.contains(&campaign), "{}", report.stdout);
        let status = bench.run(&["status", id, "--log", "log"]).exits(0);
        assert!(status.stdout.contains(&campaign), "{}", status.stdout);
    }
    let short = bench.run(&["report", &campaign[..3], "--log", "log"]).exits(2);
    assert!(
        short.stderr.contains("at least the first 4 characters"),
        "{}",
        short.stderr
    );
}

#[test]
fn the_help_of_each_command_says_of_its_log_only_what_holds_there() {
    let bench = Bench::new();
    for command in [
        "resume",
        "status",
        "report",
        "collect",
        "explain",
        "override-list",
    ] {
        let help = bench.run(&[command, "--help"]).exits(0);
        assert!(!help.stdout.contains("--sim"), "{}", help.stdout);
    }
    let help = bench.run(&["run", "-h"]).exits(0);
    assert!(help.stdout.contains("with --sim, none"), "{}", help.stdout);
}

#[test]
fn a_cutoff_in_the_past_is_refused_with_the_least_that_would_do() {
    let bench = Bench::new();
    let refused = bench
        .run(&["plan", "--sim", "--cutoff", "2020-01-01T06:00Z"])
        .exits(3);
    assert!(
        refused.stderr.contains("Name a cutoff that is more than "),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains(" from now"), "{}", refused.stderr);
}

#[test]
fn a_role_that_cannot_be_assumed_is_refused_with_what_to_create() {
    let bench = Bench::new();
    bench.file(
        "world.toml",
        r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }, { id = "222222222222", name = "Web", roles = [
            { name = "AWS-SystemsManager-AutomationExecutionRole", state = "missing" },
        ] }]
        "#,
    );
    bench.file(
        "request.toml",
        r#"
        name = "weekly"
        [targets]
        resource_group = "WebServers"
        accounts = ["222222222222"]
        regions = ["us-east-1"]
        "#,
    );
    let refused = bench
        .run(&["plan", "--sim", "world.toml", "-f", "request.toml"])
        .exits(3);
    for words in [
        "role_not_assumable",
        "needs a role of that name (access.discovery_role)",
        "sts:AssumeRole",
    ] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
}

#[test]
fn a_plan_does_not_promise_to_stop_after_more_failures_than_it_has_locations() {
    let bench = Bench::new();
    let plan = bench.run(&["plan", "--sim", "troubled"]).exits(0);
    let words = "With a driver no fewer fail: the error budget allows for failures in all 16 locations.";
    assert!(plan.stdout.contains(words), "{}", plan.stdout);
}

#[tokio::test]
async fn a_plan_of_the_root_without_its_units_warns_of_what_that_leaves_out_in_text_and_in_json() {
    let bench = Bench::new();
    let direct = CALM.request.replace("include_child_ous = true\n", "");
    assert_ne!(direct, CALM.request);
    bench.file("request.toml", direct);
    let words = "targets.include_child_ous = true would include them";
    let text = bench.run(&["plan", "--sim", "-f", "request.toml"]);
    assert!(text.stdout.contains(words), "{}{}", text.stdout, text.stderr);
    let json = ["plan", "--sim", "-f", "request.toml", "--output", "json"];
    let json = bench.run(&json).exits(0).json();
    let warnings = json["warnings"].as_array().unwrap();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.as_str().unwrap().contains(words)),
        "{json}"
    );
}

#[test]
fn a_bad_day_says_at_its_head_what_is_unknown_and_tells_the_same_denial_once() {
    let bench = Bench::new();
    let denial = "is not authorized to perform: sts:AssumeRole";
    let ran = bench
        .run(&["run", "--sim", "troubled", "--sim-speed", "20000"])
        .exits(4);
    let (plan, report) = ran.stdout.split_once("\nbad-night (Install): ").unwrap();
    assert!(
        plan.contains("16 to patch, 29 skipped, 5 of them unknown\n"),
        "{plan}"
    );
    let head = report.split("\n\n").next().unwrap();
    assert!(head.contains("\n29 locations skipped: 5 × unknown, "), "{head}");
    assert_eq!(report.matches(denial).count(), 1, "{report}");
    assert_eq!(report.matches("(in 5 locations)").count(), 1, "{report}");

    bench.file("request.toml", TROUBLED.request.replace("unknown = \"skip\"", ""));
    let plan = ["plan", "--sim", "troubled", "-f", "request.toml"];
    let refused = bench.run(&plan).exits(3);
    assert_eq!(refused.stderr.matches(denial).count(), 1, "{}", refused.stderr);
    for region in [
        "ap-southeast-2",
        "eu-south-1",
        "eu-west-1",
        "us-east-1",
        "us-west-2",
    ] {
        let location = format!("888899990000/{region}");
        assert!(refused.stderr.contains(&location), "{}", refused.stderr);
    }
}
