//! What a newcomer runs into: each answer says what is wrong, where, and what to type.

use crate::support::{Bench, SPEED, against, finish, kill_once, parents, ran, simulator_of, starts, until};
use jiff::Timestamp;
use patchfleet_sim::builtin::{CALM, TROUBLED};
use std::time::Duration;

/// A campaign of a simulated organisation whose process was killed in mid-campaign, and its id.
async fn interrupted_simulation(bench: &Bench) -> String {
    let log = bench.path().join("log");
    let command = bench.command(&["run", "--sim", "--sim-speed", "60", "--log", "log"]);
    let is_under_way = || {
        let campaigns = std::fs::read_dir(log.join("campaigns"))
            .into_iter()
            .flatten()
            .flatten();
        let mut logs = campaigns.map(|campaign| campaign.path().join("log.jsonl"));
        // Its plan, that it has its name, and what it begins.
        logs.any(|log| std::fs::read_to_string(log).is_ok_and(|log| log.lines().count() > 2))
    };
    kill_once(command, is_under_way).await;
    let (campaign, outcome) = bench.newest();
    assert_eq!(outcome, "open");
    campaign
}

#[tokio::test]
async fn an_interrupted_simulation_is_not_resumed_against_aws_and_says_how_its_request_may_run_again() {
    let bench = Bench::new();
    let campaign = interrupted_simulation(&bench).await;
    let aws = simulator_of(CALM.world, 2_000.0).await;
    for command in [
        &["resume", "--log", "log"][..],
        &["collect", "--log", "log"],
        &["abandon", &campaign, "--log", "log"],
    ] {
        let refused = finish(against(&bench, &aws, "us-east-1", command)).await.exits(3);
        let words = "it ran in the simulated organisation calm, which ended with its process";
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert_eq!(aws.with_world(|world| world.requests().len()), 0);

    let again = ["run", "--sim", "--sim-speed", SPEED, "--log", "log"];
    let taken = bench.run(&again).exits(3);
    let command = format!("`patchfleet resume {campaign} --log log`");
    assert!(taken.stderr.contains(&command), "{}", taken.stderr);

    std::fs::remove_dir_all(bench.path().join("log/campaigns").join(&campaign)).unwrap();
    let name = bench.path().join("log/names");
    for claim in std::fs::read_dir(name).unwrap() {
        std::fs::remove_file(claim.unwrap().path()).unwrap();
    }
    bench.run(&again).exits(0);
}

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

#[tokio::test]
async fn the_report_of_an_open_campaign_says_that_its_figures_are_of_what_is_over() {
    let (bench, aws) = (Bench::new(), simulator_of(CALM.world, 400.0).await);
    bench.file("request.toml", CALM.request);
    let run = ["run", "-f", "request.toml", "--log", "log"];
    kill_once(against(&bench, &aws, "us-east-1", &run), || starts(&aws) > 0).await;
    let report = bench.run(&["report", "--log", "log"]).exits(4);
    let words = "so far: the figures above are of the locations that are over; ";
    assert!(report.stdout.contains(words), "{}", report.stdout);
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
        assert_eq!(refused.stdout, "");
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

#[tokio::test]
async fn resume_says_where_to_look_when_every_campaign_is_over() {
    let (bench, aws) = (Bench::new(), simulator_of(CALM.world, 2_000.0).await);
    bench.file("request.toml", CALM.request);
    let run = ["run", "-f", "request.toml", "--log", "log"];
    finish(against(&bench, &aws, "us-east-1", &run)).await.exits(0);
    let resumed = finish(against(&bench, &aws, "us-east-1", &["resume", "--log", "log"]))
        .await
        .exits(2);
    assert_eq!(
        resumed.stderr,
        "patchfleet: no campaign in the folder log is open: `patchfleet report --log log` says how the newest ended\n"
    );
    // What is over cannot be closed, by whatever name the campaign is meant.
    let (campaign, _) = bench.newest();
    let abandon = ["abandon", &campaign[..8], "--log", "log"];
    let refused = finish(against(&bench, &aws, "us-east-1", &abandon))
        .await
        .exits(3);
    let next =
        format!("nothing is left to close: `patchfleet report {campaign} --log log` says what became of it");
    assert!(refused.stderr.contains(&next), "{}", refused.stderr);
}

#[tokio::test]
async fn abandon_says_what_to_do_while_aws_still_knows_the_campaign() {
    let (bench, aws) = (Bench::new(), simulator_of(CALM.world, 400.0).await);
    bench.file("request.toml", CALM.request);
    let run = ["run", "-f", "request.toml", "--log", "log"];
    kill_once(against(&bench, &aws, "us-east-1", &run), || starts(&aws) > 0).await;
    let (campaign, _) = bench.newest();
    let abandon = ["abandon", &campaign[..8], "--log", "log"];
    let refused = finish(against(&bench, &aws, "us-east-1", &abandon))
        .await
        .exits(3);
    for words in [
        format!(
            "the campaign stays open: `patchfleet resume {campaign} --log log` follows what AWS still knows of it"
        ),
        format!("`patchfleet abandon {campaign} --log log` again once AWS knows nothing of it"),
    ] {
        assert!(refused.stderr.contains(&words), "{}", refused.stderr);
    }
}

#[test]
fn the_help_of_each_command_says_which_campaign_is_meant_by_default() {
    let bench = Bench::new();
    let help = |command: &str| bench.run(&[command, "--help"]).exits(0).stdout;
    let words = |help: String| help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(help("resume")).contains("Default: the newest of the log that is open"));
    for command in ["report", "collect"] {
        let help = words(help(command));
        assert!(
            help.contains("Default: the newest of the log") && !help.contains("is open"),
            "{help}"
        );
    }
    for command in ["resume", "report", "collect", "status", "abandon"] {
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
    for command in ["resume", "status", "report", "collect"] {
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

#[tokio::test]
async fn a_log_folder_that_is_renamed_in_mid_campaign_is_named_and_the_campaign_goes_on_once_it_is_back() {
    let (bench, aws) = (Bench::new(), simulator_of(CALM.world, 400.0).await);
    bench.file("request.toml", CALM.request);
    let run = ["run", "-f", "request.toml", "--log", "log"];
    let mut command = against(&bench, &aws, "us-east-1", &run);
    let running = tokio::task::spawn_blocking(move || ran(&mut command));
    until(|| starts(&aws) > 0).await;
    std::fs::rename(bench.path().join("log"), bench.path().join("moved")).unwrap();
    // Half a minute later: it may have been put back.
    let left = running.await.unwrap().exits(1);
    let told: Vec<&str> = left
        .stderr
        .lines()
        .filter(|line| line.contains("the folder log is not there"))
        .collect();
    let [first, .., last] = &told[..] else {
        panic!("{}", left.stderr)
    };
    assert!(
        first.contains("the next try is at") && first.contains("it is tried until"),
        "{first}"
    );
    assert!(
        last.contains("the campaign stays open, resume it later"),
        "{last}"
    );
    std::fs::rename(bench.path().join("moved"), bench.path().join("log")).unwrap();
    let resume = ["resume", "--log", "log", "--output", "json"];
    let report = finish(against(&bench, &aws, "us-east-1", &resume))
        .await
        .exits(0)
        .json();
    let executions = report["executions"].as_array().unwrap().len();
    assert_eq!(
        (starts(&aws), parents(&aws)),
        (executions, executions),
        "nothing is started twice"
    );
}

#[tokio::test]
async fn an_open_campaign_tells_when_and_by_whom_its_log_was_last_written_and_what_resume_goes_on_with() {
    let (bench, aws) = (Bench::new(), simulator_of(CALM.world, 400.0).await);
    bench.file("request.toml", CALM.request);
    let run = ["run", "-f", "request.toml", "--log", "log"];
    kill_once(against(&bench, &aws, "us-east-1", &run), || starts(&aws) > 0).await;
    let status = bench
        .run(&["status", "--log", "log", "--output", "json"])
        .exits(0)
        .json();
    let of = |field: &str| status[0][field].as_str().unwrap().to_owned();
    let (campaign, writer) = (of("campaign_id"), of("last_writer"));
    assert_eq!(
        of("last_at").parse::<Timestamp>().unwrap(),
        last_record(&bench, &campaign, "at").parse().unwrap()
    );
    assert_eq!(writer, last_record(&bench, &campaign, "writer"));
    of("driven_at").parse::<Timestamp>().unwrap();
    let text = bench.run(&["status", "--log", "log"]).exits(0).stdout;
    let line = text
        .lines()
        .find(|line| line.contains(&writer))
        .unwrap_or_else(|| panic!("{text}"));
    assert!(
        line.starts_with("      last record ") && line.contains(&format!("s ago by process {writer}")),
        "{line}"
    );
    let next = format!("if no process drives it, `patchfleet resume {campaign} --log log` goes on with it");
    assert!(text.contains(&next), "{text}");
    let resumed = finish(against(&bench, &aws, "us-east-1", &["resume", "--log", "log"]))
        .await
        .exits(0);
    let first = resumed.stderr.lines().next().unwrap();
    assert!(
        first.starts_with(&format!("going on with campaign {campaign} (")),
        "{first}"
    );
    assert!(
        first.contains(" of 19 locations through, ") && first.contains("; its last record was appended "),
        "{first}"
    );

    // Once it is over nothing is gone on with.
    let again = ["resume", &campaign, "--log", "log"];
    let over = finish(against(&bench, &aws, "us-east-1", &again)).await.exits(0);
    assert!(!over.stderr.contains("going on with"), "{}", over.stderr);
    let words = format!("campaign {campaign} (calm-night) is over, and nothing of it is left to do");
    assert!(over.stderr.contains(&words), "{}", over.stderr);
    let shown = format!("`patchfleet report {campaign} --log log`");
    assert!(over.stderr.contains(&shown), "{}", over.stderr);

    // What is refused is not announced.
    let again = ["resume", &campaign, "--log", "log", "--send-again", "1"];
    let refused = finish(against(&bench, &aws, "us-east-1", &again)).await.exits(3);
    assert!(!refused.stderr.contains("looked for"), "{}", refused.stderr);
    let abandon = ["abandon", &campaign, "--log", "log"];
    let refused = finish(against(&bench, &aws, "us-east-1", &abandon))
        .await
        .exits(3);
    assert!(!refused.stderr.contains("AWS is asked"), "{}", refused.stderr);
    let elsewhere = finish(against(
        &bench,
        &aws,
        "us-west-2",
        &["resume", &campaign, "--log", "log"],
    ))
    .await
    .exits(3);
    assert!(
        !elsewhere.stderr.contains("going on with"),
        "{}",
        elsewhere.stderr
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_at_once_though_somebody_else_holds_the_lock_of_the_log() {
    let (bench, aws) = (Bench::new(), simulator_of(CALM.world, 2_000.0).await);
    bench.file("request.toml", CALM.request);
    std::fs::create_dir_all(bench.path().join("log/names")).unwrap();
    let claims = std::fs::File::create(bench.file("log/names/calm-night.jsonl", "")).unwrap();
    claims.lock().unwrap();
    let run = ["run", "-f", "request.toml", "--log", "log"];
    let mut command = against(&bench, &aws, "us-east-1", &run);
    let mut process = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The campaign is written down before its name is claimed.
    until(|| std::fs::read_dir(bench.path().join("log/campaigns")).is_ok_and(|mut all| all.next().is_some()))
        .await;
    let id = process.id().to_string();
    std::process::Command::new("kill")
        .args(["-INT", &id])
        .status()
        .unwrap();
    let mut code = None;
    // Bounded: a minute, if the process never leaves.
    for _ in 0..30_000 {
        code = process.try_wait().unwrap();
        if code.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    drop(process.kill());
    let told = std::io::read_to_string(process.stderr.take().unwrap()).unwrap();
    assert_eq!(code.and_then(|code| code.code()), Some(130), "{told}");
    assert!(told.contains("interrupted: nothing was started"), "{told}");
    assert_eq!(starts(&aws), 0);
}

/// A field of the last record of a campaign, as its file has it.
fn last_record(bench: &Bench, campaign: &str, field: &str) -> String {
    let file = bench
        .path()
        .join("log/campaigns")
        .join(campaign)
        .join("log.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().last().unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let field = line.pointer(&format!("/record/{field}"));
    field.and_then(|field| field.as_str()).unwrap().to_owned()
}
