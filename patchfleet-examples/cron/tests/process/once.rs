//! `--once`: one campaign, begun or gone on with.

use crate::support::{command, cron, left_behind, request_for, simulator};
use patchfleet_core::Campaigns;
use patchfleet_core::campaign::Store;
use patchfleet_core::id::{CampaignId, WriterId};
use patchfleet_core::plan::Planning;
use patchfleet_core::request::{Format, PatchRequest};
use patchfleet_sim::builtin::{CALM, TROUBLED};
use patchfleet_sim::world::World;
use patchfleet_sim::{ClockMode, MemoryPorts, SimClock};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

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
async fn a_job_that_is_tried_again_after_its_campaign_is_over_begins_no_second_one() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("request.toml"), CALM.request).unwrap();
    let once = [
        "-f",
        "request.toml",
        "--once",
        "--log",
        "log",
        "--id",
        "job-29539995",
    ];
    for _ in 0..2 {
        let output = cron(&sim, dir.path(), &once).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert!(stderr.contains("succeeded"), "{stderr}");
        let executions =
            sim.with_world(|world| world.executions().filter(|one| one.parent().is_none()).count());
        assert_eq!(executions, 4, "{stderr}");
    }
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
