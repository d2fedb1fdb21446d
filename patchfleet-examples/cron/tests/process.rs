//! The real process, against a simulated organisation.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect fails"
)]

use patchfleet_core::Campaigns;
use patchfleet_core::campaign::Store;
use patchfleet_core::id::{CampaignId, WriterId};
use patchfleet_core::plan::Planning;
use patchfleet_core::request::{Format, PatchRequest};
use patchfleet_sim::builtin::{CALM, TROUBLED};
use patchfleet_sim::world::World;
use patchfleet_sim::{ClockMode, MemoryPorts, Sim, SimClock, SimOptions};
use serde_json::Value;
use std::path::Path;
use std::process::Output;
use std::time::Duration;
use tokio::process::Command;
use uuid::Uuid;

async fn simulator(world: &str, speed: f64) -> Sim {
    let options = SimOptions {
        clock: ClockMode::Scaled(speed),
        ..SimOptions::default()
    };
    Sim::start(World::parse(world).unwrap(), options).await.unwrap()
}

/// The process in `dir`, with the simulator as AWS.
fn command(sim: &Sim, dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchfleet-cron"));
    command
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("AWS_ENDPOINT_URL", sim.endpoint())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "AKIDCRON")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("NO_PROXY", "127.0.0.1")
        .kill_on_drop(true);
    command
}

/// Runs it to its end.
async fn cron(sim: &Sim, dir: &Path, args: &[&str]) -> Output {
    command(sim, dir, args).output().await.unwrap()
}

/// What a campaign leaves behind in an organisation, apart from ids and times: the starts that it
/// asked for, and what every node has installed.
fn left_behind(world: &mut World) -> (Vec<Value>, Vec<String>) {
    world.run_until_idle();
    let starts = world
        .requests()
        .iter()
        .filter(|call| call.operation == "StartAutomationExecution");
    let starts = starts
        .map(|call| {
            let mut input = call.input.clone();
            for key in ["ClientToken", "Tags"] {
                input.as_object_mut().unwrap().remove(key).unwrap();
            }
            for key in ["CampaignId", "SnapshotId"] {
                input["Parameters"].as_object_mut().unwrap().remove(key).unwrap();
            }
            // The SDK spells this default out; the ports in memory have no need to.
            input["TargetLocations"][0]
                .as_object_mut()
                .unwrap()
                .remove("IncludeChildOrganizationUnits");
            input
        })
        .collect();
    let nodes = world
        .nodes()
        .map(|node| format!("{} {:?} {}", node.id(), node.patches(), node.installs()))
        .collect();
    (starts, nodes)
}

/// The same campaign, driven in this process over the ports in memory.
async fn in_memory(world: &str, request: &PatchRequest) -> (Vec<Value>, Vec<String>) {
    let clock = SimClock::new(World::parse(world).unwrap(), ClockMode::Jump);
    let access = &request.access;
    let ports = MemoryPorts::new(
        clock.clone(),
        "us-east-1".parse().unwrap(),
        access.discovery_role.clone(),
        access.session_name.clone(),
    )
    .into_ports();
    let campaigns = Campaigns::new(ports, Store::in_memory(), WriterId::from_uuid(Uuid::nil()));
    let campaign = CampaignId::from_uuid(Uuid::nil());
    campaigns
        .run(campaign, request, &Planning::default())
        .await
        .unwrap();
    clock.with_world(left_behind)
}

#[tokio::test(flavor = "multi_thread")]
async fn once_runs_a_campaign_and_leaves_the_record_that_any_driver_leaves() {
    // An offline node's command lives for half a day.
    for (world, speed, exit_code) in [(CALM, 2_000.0, 0), (TROUBLED, 20_000.0, 4)] {
        let (sim, dir) = (simulator(world.world, speed).await, tempfile::tempdir().unwrap());
        std::fs::write(dir.path().join("request.toml"), world.request).unwrap();
        let output = cron(
            &sim,
            dir.path(),
            &["--request", "request.toml", "--once", "--log", "log"],
        )
        .await;
        assert_eq!(
            output.status.code(),
            Some(exit_code),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );

        let request = PatchRequest::parse(world.request.as_bytes(), Format::Toml).unwrap();
        assert_eq!(
            sim.with_world(left_behind),
            in_memory(world.world, &request).await,
            "{}",
            world.name
        );
        assert!(
            dir.path().join("log/campaigns").is_dir(),
            "the campaign's log is kept"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_started_again_goes_on_with_its_campaign_and_begins_no_other() {
    let (sim, dir) = (simulator(CALM.world, 400.0).await, tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("request.toml"), CALM.request).unwrap();
    let once = ["--request", "request.toml", "--once", "--log", "log"];
    let executions =
        || sim.with_world(|world| world.executions().filter(|one| one.parent().is_none()).count());
    let mut first = command(&sim, dir.path(), &once).spawn().unwrap();
    // Bounded: a minute, if nothing is ever started.
    for _ in 0..30_000 {
        if executions() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    first.kill().await.unwrap(); // SIGKILL

    // Also if somebody deletes the claim of its name meanwhile.
    std::fs::remove_dir_all(dir.path().join("log/names")).unwrap();
    let again = cron(&sim, dir.path(), &once).await;
    let stderr = String::from_utf8_lossy(&again.stderr);
    assert_eq!(again.status.code(), Some(0), "{stderr}");
    let campaigns = std::fs::read_dir(dir.path().join("log/campaigns")).unwrap();
    assert_eq!(campaigns.count(), 1, "{stderr}");
    assert_eq!(executions(), 4, "the units of one plan");
}

#[tokio::test(flavor = "multi_thread")]
async fn once_with_a_request_that_has_changed_finishes_the_open_campaign_and_runs_the_new_one() {
    let (sim, dir) = (simulator(CALM.world, 400.0).await, tempfile::tempdir().unwrap());
    let request = dir.path().join("request.toml");
    std::fs::write(&request, CALM.request).unwrap();
    let once = ["--request", "request.toml", "--once", "--log", "log"];
    let started = || sim.with_world(|world| world.executions().any(|one| one.parent().is_none()));
    let mut first = command(&sim, dir.path(), &once).spawn().unwrap();
    // Bounded: a minute, if nothing is ever started.
    for _ in 0..30_000 {
        if started() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    first.kill().await.unwrap(); // SIGKILL

    // The same name, and a group that is nowhere: what the file asks for is refused, and says so.
    let edited = CALM.request.replace("WebServers", "Nowhere");
    assert_ne!(edited, CALM.request);
    std::fs::write(&request, edited).unwrap();
    let again = cron(&sim, dir.path(), &once).await;
    let stderr = String::from_utf8_lossy(&again.stderr);
    assert_eq!(again.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("was left open; it was finished first"),
        "{stderr}"
    );
    assert!(stderr.contains("nothing_selected"), "{stderr}");
    let open = sim.with_world(|world| {
        world
            .executions()
            .filter(|one| !one.status().is_terminal())
            .count()
    });
    assert_eq!(open, 0, "the open campaign was driven to its end: {stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_before_anything_is_waited_for() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("right.toml"), CALM.request).unwrap();
    std::fs::write(dir.path().join("wrong.toml"), "name = 1").unwrap();
    for (args, code, part) in [
        (&["--request", "wrong.toml", "--once"][..], 2, "wrong_type"),
        (&["--request", "nowhere.toml", "--once"][..], 2, "nowhere.toml"),
        (
            &["--request", "wrong.toml", "--schedule", "cron(15 22 ? * TUE *)"][..],
            2,
            "wrong_type",
        ),
        (
            &["--request", "right.toml", "--schedule", "cron(15 22 * * * *)"][..],
            2,
            "exactly one",
        ),
        (&["--request", "right.toml"][..], 2, "<--schedule <CRON>|--once>"),
        (
            &[
                "--request",
                "right.toml",
                "--once",
                "--schedule",
                "cron(15 22 ? * TUE *)",
            ][..],
            2,
            "cannot be used with",
        ),
        (
            &["--request", "right.toml", "--once", "--log", "s3://bucket/logs"][..],
            2,
            "logs are kept in folders",
        ),
        (
            &["--request", "right.toml", "--once", "--log", "right.toml"][..],
            2,
            "cannot read right.toml/names/",
        ),
        (
            &[
                "--request",
                "right.toml",
                "--schedule",
                "cron(15 22 ? * TUE *)",
                "--log",
                "right.toml",
            ][..],
            2,
            "--log (or PATCHFLEET_LOG): cannot list right.toml",
        ),
    ] {
        let output = cron(&sim, dir.path(), args).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert!(stderr.contains(part), "{args:?}: no {part} in {stderr}");
    }
    assert_eq!(sim.with_world(|world| world.executions().count()), 0);
}

#[tokio::test]
async fn a_schedule_does_not_wait_for_its_slot_to_say_that_aws_settings_are_wrong() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("request.toml"), CALM.request).unwrap();
    // Right settings find that the schedule has no slot, and say nothing of themselves.
    let args = [
        "-f",
        "request.toml",
        "--schedule",
        "cron(0 9 1 1 ? 1999)",
        "--log",
        "log",
    ];
    for (name, value, part) in [
        ("AWS_REGION", "", "AWS_REGION"),
        ("AWS_ENDPOINT_URL", "", "AWS_ENDPOINT_URL"),
        ("AWS_REGION", "us-east-1", "it has no slot from now on"),
    ] {
        let output = command(&sim, dir.path(), &args)
            .env(name, value)
            .output()
            .await
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {stderr}");
        assert!(stderr.contains(part), "{name}: no {part} in {stderr}");
        assert_eq!(stderr.contains("no slot"), part.contains("no slot"), "{stderr}");
    }
    // Others renew credentials, so the process goes on to its schedule.
    let mut without = command(&sim, dir.path(), &args);
    let without = without
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("HOME", dir.path())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let output = without.output().await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    for part in ["WARN", "no AWS credentials", "it has no slot from now on"] {
        assert!(stderr.contains(part), "no {part} in {stderr}");
    }
}

#[tokio::test]
async fn an_empty_variable_counts_as_not_set() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("request.toml"), CALM.request).unwrap();
    // The folder of logs is made before the schedule is found to have no slot.
    let args = ["-f", "request.toml", "--schedule", "cron(0 9 1 1 ? 1999)"];
    let mut command = command(&sim, dir.path(), &args);
    let output = command.env("PATCHFLEET_LOG", "").output().await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("it has no slot from now on"), "{stderr}");
    assert!(dir.path().join(".patchfleet").is_dir());

    // An empty RUST_LOG hides nothing that is shown without one.
    let args = ["-f", "request.toml", "--once", "--log", "log"];
    let mut command = crate::command(&sim, dir.path(), &args);
    let output = command.env("RUST_LOG", "").output().await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains(" INFO "), "{stderr}");
}

/// Sends a signal to the process once it has logged `line`, and gives its exit code and the rest.
#[cfg(unix)]
async fn signalled(sim: &Sim, dir: &Path, args: &[&str], line: &str, signal: &str) -> (Option<i32>, String) {
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
    let mut process = command(sim, dir, args)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(process.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains(line) {
        assert!(
            stderr.read_line(&mut text).await.unwrap() > 0,
            "no {line} in {text}"
        );
    }
    let id = process.id().unwrap().to_string();
    let sent = Command::new("kill").args([signal, &id]).status().await.unwrap();
    assert!(sent.success());
    stderr.read_to_string(&mut text).await.unwrap();
    (process.wait().await.unwrap().code(), text)
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_finishes_a_campaign_and_interrupted_it_leaves_it_open() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("request.toml"), CALM.request).unwrap();
    let waits = [
        "-f",
        "request.toml",
        "--schedule",
        "cron(0 0 1 1 ? 2199)",
        "--log",
        "log",
    ];
    let (code, text) = signalled(&sim, dir.path(), &waits, "next campaign at 2199", "-TERM").await;
    assert_eq!(code, Some(0), "{text}");

    let once = ["-f", "request.toml", "--once", "--log", "log"];
    let (code, text) = signalled(&sim, dir.path(), &once, "campaign ", "-INT").await;
    assert_eq!(code, Some(130), "{text}");
    assert!(text.contains("when it is run again"), "{text}");
    let (code, text) = signalled(&sim, dir.path(), &once, "campaign ", "-TERM").await;
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("followed to its end") && text.contains("succeeded"),
        "{text}"
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_it_leaves_at_once_though_somebody_else_holds_the_lock_of_its_log() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("request.toml"), CALM.request).unwrap();
    std::fs::create_dir_all(dir.path().join("log/names")).unwrap();
    let claims = std::fs::File::create(dir.path().join("log/names/calm-night.jsonl")).unwrap();
    claims.lock().unwrap();
    let once = ["-f", "request.toml", "--once", "--log", "log"];
    let blocked = command(&sim, dir.path(), &once)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The campaign is written down before its name is claimed.
    let campaigns = dir.path().join("log/campaigns");
    // Bounded: a minute, if it is never written down.
    for _ in 0..30_000 {
        if std::fs::read_dir(&campaigns).is_ok_and(|mut all| all.next().is_some()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let id = blocked.id().unwrap().to_string();
    Command::new("kill").args(["-INT", &id]).status().await.unwrap();
    let left = tokio::time::timeout(Duration::from_secs(60), blocked.wait_with_output()).await;
    let left = left.unwrap().unwrap();
    let text = String::from_utf8_lossy(&left.stderr);
    assert_eq!(left.status.code(), Some(130), "{text}");
    assert!(text.contains("interrupted: what was started goes on"), "{text}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_after_a_slot_begins_it_at_once_and_one_that_starts_again_does_not() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("request.toml"), CALM.request).unwrap();
    // One slot a day, half a day from now.
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let schedule = format!("cron(0 {} * * ? *)", (now.hour() + 12) % 24);
    let args = [
        "-f",
        "request.toml",
        "--schedule",
        &schedule,
        "--late",
        "24h",
        "--log",
        "log",
    ];
    let executions =
        || sim.with_world(|world| world.executions().filter(|one| one.parent().is_none()).count());
    let (code, text) = signalled(&sim, dir.path(), &args, "campaign ", "-TERM").await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("succeeded"), "{text}");
    assert_eq!(executions(), 4, "{text}");

    let (code, text) = signalled(&sim, dir.path(), &args, "next campaign at", "-TERM").await;
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("has run already") && !text.contains("missed"),
        "{text}"
    );
    assert_eq!(executions(), 4, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_codes_of_a_schedule_are_those_that_help_and_readme_list() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    let help = cron(&sim, dir.path(), &["--help"]).await;
    let help = String::from_utf8(help.stdout).unwrap();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let readme = include_str!("../README.md");
    for (code, why) in [
        ("0", "the schedule"),
        ("1", "the same, but a campaign is still open"),
        ("2", "bad usage, schedule or request"),
        ("3", "the request's list is a presigned URL"),
        ("130", "interrupted"),
    ] {
        assert!(
            help.contains(&format!(" {code} {why}")),
            "no {code} {why} in {help}"
        );
        assert!(
            readme.contains(&format!("| {code} | {why}")),
            "no {code} {why} in the README"
        );
    }
    // A wait ends a little after its time: with no tolerance no slot would ever begin.
    let never = cron(
        &sim,
        dir.path(),
        &[
            "-f",
            "request.toml",
            "--schedule",
            "cron(0 9 * * ? *)",
            "--late",
            "0s",
        ],
    )
    .await;
    let stderr = String::from_utf8_lossy(&never.stderr);
    assert_eq!(never.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("from 1m to 24h"), "{stderr}");
}

/// A request for this account of the built-in worlds.
fn request_for(accounts: &str) -> String {
    let right = "accounts = [\"r-hf01\"]\ninclude_child_ous = true";
    assert!(CALM.request.contains(right));
    CALM.request.replace(right, &format!("accounts = {accounts}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_outlives_the_cutoff() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("request.toml"), request_for("[\"222233334444\"]")).unwrap();
    let once = ["-f", "request.toml", "--once", "--log", "log", "--cutoff"];
    let near = cron(&sim, dir.path(), &[&once[..], &["2h"]].concat()).await;
    let stderr = String::from_utf8_lossy(&near.stderr);
    assert_eq!(near.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("cutoff_too_near"), "{stderr}");
    let wrong = cron(&sim, dir.path(), &[&once[..], &["soon"]].concat()).await;
    let stderr = String::from_utf8_lossy(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("--cutoff") && stderr.contains("9h"), "{stderr}");

    let ran = cron(&sim, dir.path(), &[&once[..], &["8h"]].concat()).await;
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("every command has expired by"), "{stderr}");
    let (starts, _) = sim.with_world(left_behind);
    assert!(!starts.is_empty());
    for start in starts {
        let timeout = start["Parameters"]["TimeoutSeconds"][0].as_str().unwrap();
        // 8 h less what the steps take (6 h as recorded) and what passes until a command is sent.
        assert!(timeout.parse::<u32>().unwrap() <= 2 * 3600 - 360, "{start}");
    }
}

/// What may not reach a log line.
fn is_forbidden(c: char) -> bool {
    let n = u32::from(c);
    (n < 0x20 && c != '\n') || (0x7f..=0x9f).contains(&n) || [0x200b, 0x202e, 0x2028, 0x2066].contains(&n)
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_others_wrote_has_no_effect_in_the_log() {
    let words = " \\u001b]0;owned\\u0007\\u009b31m\\u202e\\u2028\\u200b\\nFORGED next campaign";
    let world = format!(
        "{}\n[[faults]]\neffect = {{ words = \"{words}\" }}\n",
        TROUBLED.world
    );
    let (sim, dir) = (simulator(&world, 2_000.0).await, tempfile::tempdir().unwrap());
    let hostile = "x\u{1b}[2J\nFORGED\u{202e}\u{9b}31m";
    let file = format!("{hostile}.toml");
    // One of the two has no role that can be assumed.
    let request = request_for("[\"222233334444\", \"888899990000\"]");
    let skips = request.replace("[budget.nodes]", "[policy]\nunknown = \"skip\"\n[budget.nodes]");
    let cron = async |request: &str, args: &[&str], code: i32| {
        std::fs::write(dir.path().join(&file), request).unwrap();
        let output = cron(&sim, dir.path(), &[&["-f", &file], args].concat()).await;
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {log}");
        assert!(!log.contains(is_forbidden), "{args:?}: {log:?}");
        assert!(
            !log.lines().any(|line| line.starts_with("FORGED")),
            "{args:?}: {log}"
        );
        assert!(log.contains("FORGED"), "{args:?}: the words are shown\n{log}");
    };
    let once = ["--once", "--log", "log"];
    cron(&skips, &once, 4).await;
    cron(&request, &once, 3).await;
    cron("name = [\nFORGED\u{1b}[2J", &once, 2).await;
    cron(&format!("\"x\\u001b\\nFORGED\" = 1\n{request}"), &once, 2).await;
    cron(&request, &["--schedule", hostile], 2).await;
    cron(
        &request,
        &["--schedule", "cron(0 9 ? * MON *)", "--timezone", hostile],
        2,
    )
    .await;
    cron(&request, &["--once", "--late", hostile], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presigned_list_is_refused_because_it_would_be_kept_and_is_shown_nowhere() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    let url = "https://b.s3.amazonaws.com/list?X-Amz-Credential=AKIA&X-Amz-Signature=5ec7e7";
    let listed = format!("[patch]\ninstall_override_list = \"{url}\"");
    std::fs::write(
        dir.path().join("request.toml"),
        CALM.request.replacen("[patch]", &listed, 1),
    )
    .unwrap();
    for more in [&["--once"][..], &["--schedule", "cron(0 9 ? * MON *)"]] {
        let mut command = command(
            &sim,
            dir.path(),
            &[&["-f", "request.toml", "--log", "log"], more].concat(),
        );
        let output = command.env("RUST_LOG", "trace").output().await.unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{log}");
        assert!(
            log.contains("patch.install_override_list") && log.contains("s3://bucket/key"),
            "{log}"
        );
        assert!(!log.contains("5ec7e7"), "{log}");
    }
    assert!(!dir.path().join("log").exists(), "nothing was begun");
    assert_eq!(sim.with_world(|world| world.executions().count()), 0);
}
