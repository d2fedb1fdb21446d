//! The stop is said on another machine, which shares nothing with the one that drives the campaign but a bucket.

use super::{ask, runs, world_text};
use jiff::{SignedDuration, Timestamp};
use patchfleet_aws::{Aws, S3Uri, simulated_config};
use patchfleet_core::campaign::{Progress, State, StopMode, Store};
use patchfleet_core::id::{CampaignId, WriterId};
use patchfleet_core::plan::{Attendance, Planning};
use patchfleet_core::port::Clock as _;
use patchfleet_core::report::{Report, ReportOutcome};
use patchfleet_core::{Campaign, CampaignError, Campaigns};
use patchfleet_sim::spec::FaultSpec;
use patchfleet_sim::world::World;
use patchfleet_sim::{Sim, SimOptions};
use patchfleet_tests::{central_region, over_http};
use serde_json::{Value, json};
use uuid::Uuid;

/// The organization, and the campaign that one machine drives.
struct Scene {
    sim: Sim,
    campaign: Campaign,
    id: CampaignId,
}

impl Scene {
    /// Two locations are at work.
    async fn at_work() -> Self {
        let text = format!("buckets = [\"ops-logs\"]\n{}", world_text(false));
        let sim = Sim::start(World::parse(&text).unwrap(), SimOptions::default())
            .await
            .unwrap();
        let id = CampaignId::from_uuid(Uuid::from_u128(9));
        let process = machine(&sim, 1);
        let planning = Planning {
            attendance: Attendance::Attended,
            ..Planning::default()
        };
        let planned = process.plan(&ask(2), &planning).await.unwrap();
        let campaign = planned.begin(id).await.unwrap();
        let scene = Self { sim, campaign, id };
        let at_work = |state: &Value| {
            let commands = state["commands"].as_array().unwrap().iter();
            commands.filter(|one| one["ended"].is_null()).count()
        };
        while at_work(&scene.state()) < 2 {
            scene.drive_for(400).await;
        }
        scene
    }

    /// Drives it for so long, and gives when the driver wants to look again.
    async fn drive_for(&self, seconds: i64) -> Timestamp {
        let until = self.sim.clock().now() + SignedDuration::from_secs(seconds);
        match self.campaign.run_until(until).await.unwrap() {
            Progress::Paused { wake_at, .. } => wake_at,
            Progress::Finished(_) => panic!("the campaign was over too soon"),
        }
    }

    /// What another machine finds in the bucket.
    async fn found(&self, process: &Campaigns) -> State {
        process.store().load(self.id).await.unwrap().unwrap()
    }

    fn state(&self) -> Value {
        self.sim.with_world(|world| world.state())
    }

    /// When the last of the campaign ended in AWS, and when the last node began.
    fn last(&self) -> (Timestamp, Timestamp) {
        let state = self.state();
        assert!(!runs(&state), "{state:#}");
        let latest = |all: Vec<&Value>, what: &str| -> Timestamp {
            let times = all.iter().filter_map(|one| one[what].as_str());
            times.map(|at| at.parse().unwrap()).max().unwrap()
        };
        let of = |kind: &str| state[kind].as_array().unwrap().iter().collect::<Vec<_>>();
        let (commands, executions) = (of("commands"), of("executions"));
        let invocations = commands
            .iter()
            .flat_map(|one| one["invocations"].as_array().unwrap());
        let began = latest(invocations.collect(), "started");
        (latest([commands.clone(), executions].concat(), "ended"), began)
    }
}

/// A process on a machine of its own.
fn machine(sim: &Sim, number: u128) -> Campaigns {
    let ports = over_http(sim, &ask(2).access).unwrap();
    let config = simulated_config(&sim.endpoint(), &central_region().unwrap());
    let uri: S3Uri = "s3://ops-logs/prod".parse().unwrap();
    let store: Store = Aws::builder(&config).store(&uri).unwrap();
    Campaigns::new(ports, store, WriterId::from_uuid(Uuid::from_u128(number)))
}

/// Every location is accounted for, and no node was patched twice.
fn is_whole(scene: &Scene, report: &Report) {
    assert_eq!((report.outcome, report.exit_code()), (ReportOutcome::Halted, 5));
    assert_eq!((report.totals.locations, report.totals.nodes.total()), (6, 24));
    assert!(report.locations.iter().all(|at| at.outcome.is_some()));
    let state = scene.state();
    let nodes = state["nodes"].as_array().unwrap();
    assert!(nodes.iter().all(|node| node["installs"].as_u64() <= Some(1)));
}

#[tokio::test]
async fn a_machine_that_dies_once_it_has_said_stop_has_stopped_the_campaign_within_two_polls() {
    let scene = Scene::at_work().await;
    let asked = scene.sim.clock().now();
    // The longest that the driver waits, whose campaign is some minutes old.
    let poll = scene.drive_for(0).await.duration_since(asked);
    let other = machine(&scene.sim, 2);
    let found = scene.found(&other).await;
    // AWS is out of its reach from now on, so all that it does is to say so in the bucket.
    let fault: FaultSpec =
        serde_json::from_value(json!({ "effect": "deny", "operations": ["sts:GetCallerIdentity"] })).unwrap();
    scene.sim.with_world(|world| world.add_fault(fault).unwrap());
    let said = other.stop(&found, StopMode::CancelCommands).await;
    assert!(matches!(said, Err(CampaignError::Asking(_))), "{said:?}");
    scene.sim.with_world(World::clear_faults);
    let said_at = scene.sim.clock().now();
    assert!(runs(&scene.state()), "nothing is stopped yet");

    let report = scene.campaign.run().await.unwrap();
    let (ended, began) = scene.last();
    assert!(
        ended <= said_at + poll * 2,
        "it took {:#}, and a poll is {poll:#}",
        ended.duration_since(said_at)
    );
    assert!(began <= said_at, "a node began at {began}, after {said_at}");
    is_whole(&scene, &report);
}

#[tokio::test]
async fn a_machine_that_says_stop_and_the_one_that_drives_stop_it_together() {
    let scene = Scene::at_work().await;
    let other = machine(&scene.sim, 2);
    let found = scene.found(&other).await;
    let said_at = scene.sim.clock().now();
    let (driven, stopped) = tokio::join!(scene.campaign.run(), other.stop(&found, StopMode::CancelCommands));
    let (driven, stopped) = (driven.unwrap(), stopped.unwrap());
    let (_, began) = scene.last();
    assert!(
        began <= said_at + SignedDuration::from_secs(30),
        "a node began at {began}, after {said_at}"
    );
    is_whole(&scene, &driven);
    is_whole(&scene, &stopped);
    assert_eq!(driven.totals, stopped.totals);
    // Whoever asks a third machine hears the same.
    let third = machine(&scene.sim, 3);
    let again = third
        .resume(&scene.found(&third).await)
        .await
        .unwrap()
        .report()
        .await
        .unwrap();
    assert_eq!(again.totals, stopped.totals);
}
