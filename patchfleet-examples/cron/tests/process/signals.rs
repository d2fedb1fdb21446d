//! A process that is told to stop, and one that is started again after a slot.

use crate::support::{command, simulator};
use patchfleet_sim::Sim;
use patchfleet_sim::builtin::CALM;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// Sends a signal to the process once it has logged `line`, and gives its exit code and the rest.
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
async fn two_machines_with_one_schedule_and_one_bucket_run_one_campaign_a_slot() {
    let (sim, here, there) = (
        simulator(CALM.world, 2_000.0).await,
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    for dir in [&here, &there] {
        std::fs::write(dir.path().join("request.toml"), CALM.request).unwrap();
    }
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
        "s3://ops-logs/cron",
    ];
    let (one, other) = tokio::join!(
        signalled(&sim, here.path(), &args, "campaign ", "-TERM"),
        signalled(&sim, there.path(), &args, "campaign ", "-TERM")
    );
    for (code, text) in [&one, &other] {
        assert_eq!(*code, Some(0), "{text}");
        assert!(text.contains("succeeded"), "{text}");
    }
    let executions = sim.with_world(|world| world.executions().filter(|one| one.parent().is_none()).count());
    assert_eq!(executions, 4, "{}\n{}", one.1, other.1);
    let campaigns = sim.with_world(|world| {
        let firsts = world
            .object_keys("ops-logs")
            .filter(|key| key.starts_with("cron/campaigns/") && key.ends_with("/00000000000000000000.json"));
        firsts.count()
    });
    assert_eq!(campaigns, 1, "{}\n{}", one.1, other.1);
}
