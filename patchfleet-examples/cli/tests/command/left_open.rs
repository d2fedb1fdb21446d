//! A campaign that its process has left, by a kill, a Ctrl-C or a lost folder, and what each command says of it then.

use crate::support::{Bench, SPEED, against, finish, kill_once, parents, ran, simulator_of, starts, until};
use jiff::Timestamp;
use patchfleet_sim::builtin::CALM;
use std::process::Stdio;

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
        &["override-list", "--log", "log"],
        &["abandon", &campaign, "--log", "log"],
    ] {
        let refused = finish(against(&bench, &aws, "us-east-1", command)).await.exits(3);
        let words = "it ran in the simulated organisation calm, which ends with its process";
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert_eq!(aws.with_world(|world| world.requests().len()), 0);

    let again = ["run", "--sim", "--sim-speed", SPEED, "--log", "log"];
    // Whoever runs it again is not sent to `resume`, which would send them back.
    let taken = bench.run(&again).exits(3);
    for words in [
        "it ran in the simulated organisation calm",
        &format!("remove log/campaigns/{campaign} and log/names/"),
    ] {
        assert!(taken.stderr.contains(words), "no {words} in {}", taken.stderr);
    }
    assert!(!taken.stderr.contains("patchfleet resume"), "{}", taken.stderr);
    let status = bench.run(&["status", "--log", "log"]).exits(0).stdout;
    assert!(
        status.contains("it ran in the simulated organisation calm"),
        "{status}"
    );
    assert!(!status.contains("patchfleet resume"), "{status}");
    // The organisation's clock stands in another year than this machine's.
    assert!(
        status.contains("its times are by the simulated organisation's own clock"),
        "{status}"
    );
    assert!(!status.contains(" ago"), "{status}");

    std::fs::remove_dir_all(bench.path().join("log/campaigns").join(&campaign)).unwrap();
    let name = bench.path().join("log/names");
    for claim in std::fs::read_dir(name).unwrap() {
        std::fs::remove_file(claim.unwrap().path()).unwrap();
    }
    bench.run(&again).exits(0);
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
    // The way out comes first, right after what is asked, and however much AWS knows, few lines say so.
    let mut lines = refused.stderr.lines();
    assert!(lines.next().unwrap().starts_with("AWS is asked about everything"));
    let way_out = lines.next().unwrap();
    assert!(way_out.contains("`patchfleet resume"), "{}", refused.stderr);
    assert!(lines.count() <= 4, "{}", refused.stderr);
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
    let command = against(&bench, &aws, "us-east-1", &run);
    // The campaign is written down before its name is claimed.
    let is_written =
        || std::fs::read_dir(bench.path().join("log/campaigns")).is_ok_and(|mut all| all.next().is_some());
    let told = crate::support::interrupt_once(command, is_written)
        .await
        .exits(130)
        .stderr;
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

#[tokio::test]
async fn a_campaign_that_was_left_before_it_had_its_name_says_that_nothing_of_it_was_begun_and_what_to_do() {
    let (bench, aws) = (Bench::new(), simulator_of(CALM.world, 400.0).await);
    bench.file("request.toml", CALM.request);
    let run = ["run", "-f", "request.toml", "--log", "log"];
    kill_once(against(&bench, &aws, "us-east-1", &run), || starts(&aws) > 0).await;
    let (campaign, _) = bench.newest();
    // Its process ended right after the plan was written down.
    let log = bench
        .path()
        .join("log/campaigns")
        .join(&campaign)
        .join("log.jsonl");
    let plan = std::fs::read_to_string(&log)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    std::fs::write(&log, plan + "\n").unwrap();
    std::fs::remove_dir_all(bench.path().join("log/names")).unwrap();
    let told = bench.run(&["status", "--log", "log"]).exits(0).stdout;
    for words in [
        "nothing of it was begun: its plan was written down".to_owned(),
        format!("`patchfleet resume {campaign} --log log` begins it now"),
        format!("`patchfleet stop {campaign} --log log` closes it"),
    ] {
        assert!(told.contains(&words), "no {words} in {told}");
    }
    let json = bench.run(&["status", "--log", "log", "--output", "json"]).json();
    assert_eq!(json[0]["has_begun"], false, "{json}");
}

#[tokio::test]
async fn a_wave_that_waits_for_a_person_is_approved_by_a_command_of_its_own_and_the_campaign_goes_on() {
    let (bench, aws) = (Bench::new(), simulator_of(CALM.world, 2_000.0).await);
    let wave = "[[waves]]\nname = \"canary\"\nlocations = 1\napproval = true\n";
    bench.file("request.toml", format!("{}\n{wave}", CALM.request));
    let run = ["run", "-f", "request.toml", "--log", "log"];
    let is_over = || {
        let campaigns = std::fs::read_dir(bench.path().join("log/campaigns"));
        let mut logs = campaigns.into_iter().flatten().flatten();
        logs.any(|campaign| {
            let log = std::fs::read_to_string(campaign.path().join("log.jsonl"));
            log.is_ok_and(|log| log.contains("unit_ended"))
        })
    };
    kill_once(against(&bench, &aws, "us-east-1", &run), is_over).await;
    assert_eq!(starts(&aws), 1, "the rest has not begun");
    let (campaign, _) = bench.newest();
    let status = bench.run(&["status", "--log", "log"]).exits(0).stdout;
    let way_on = format!("`patchfleet approve {campaign} --log log --wave canary`");
    assert!(status.contains(&way_on), "{status}");
    let report = bench.run(&["report", "--log", "log"]).exits(4).stdout;
    let waits = format!("wave 1 (canary) waits for a person to approve: {way_on}");
    assert!(report.lines().any(|line| line == waits), "{report}");
    let report = bench.run(&["report", "--log", "log", "--output", "json"]).json();
    assert_eq!(report["to_approve"]["name"], "canary");

    let other = ["approve", "--wave", "other", "--log", "log"];
    let refused = finish(against(&bench, &aws, "us-east-1", &other)).await.exits(3);
    assert!(
        refused.stderr.contains("names no wave other"),
        "{}",
        refused.stderr
    );
    let approve = ["approve", "--log", "log"];
    let said = finish(against(&bench, &aws, "us-east-1", &approve))
        .await
        .exits(0);
    let words = format!("wave canary of campaign {campaign} is approved");
    assert!(said.stdout.starts_with(&words), "{}", said.stdout);
    finish(against(&bench, &aws, "us-east-1", &["resume", "--log", "log"]))
        .await
        .exits(0);
    assert!(starts(&aws) > 1);
}

#[tokio::test]
async fn a_wave_of_a_simulated_campaign_is_approved_while_its_process_waits() {
    let bench = Bench::new();
    let wave = "[[waves]]\nname = \"canary\"\nlocations = 1\napproval = true\n";
    bench.file("request.toml", format!("{}\n{wave}", CALM.request));
    let run = [
        "run",
        "--sim",
        "--sim-speed",
        SPEED,
        "-f",
        "request.toml",
        "--log",
        "log",
    ];
    let mut run = bench.command(&run);
    run.stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = tokio::process::Command::from(run)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let waits = || {
        let status = bench.run(&["status", "--log", "log", "--output", "json"]);
        status.stdout.contains("\"approval\"")
    };
    until(waits).await;
    let said = bench.run(&["approve", "--log", "log"]).exits(0);
    let words = "begins the next wave within a minute, unless that waits for something else; if its process has ended: ";
    assert!(said.stdout.contains(words), "{}", said.stdout);
    assert!(run.wait().await.unwrap().success());
}
