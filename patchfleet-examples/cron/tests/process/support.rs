//! The process, the simulated organisation that it runs against, and what it leaves behind there.

use patchfleet_sim::builtin::CALM;
use patchfleet_sim::world::World;
use patchfleet_sim::{ClockMode, Sim, SimOptions};
use serde_json::Value;
use std::path::Path;
use std::process::Output;
use tokio::process::Command;

pub(crate) async fn simulator(world: &str, speed: f64) -> Sim {
    let options = SimOptions {
        clock: ClockMode::Scaled(speed),
        ..SimOptions::default()
    };
    Sim::start(World::parse(world).unwrap(), options).await.unwrap()
}

/// The process in `dir`, with the simulator as AWS.
pub(crate) fn command(sim: &Sim, dir: &Path, args: &[&str]) -> Command {
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
pub(crate) async fn cron(sim: &Sim, dir: &Path, args: &[&str]) -> Output {
    command(sim, dir, args).output().await.unwrap()
}

/// What a campaign leaves behind in an organisation, apart from ids and times: the starts that it
/// asked for, and what every node has installed.
pub(crate) fn left_behind(world: &mut World) -> (Vec<Value>, Vec<String>) {
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

/// A request for this account of the built-in worlds.
pub(crate) fn request_for(accounts: &str) -> String {
    let right = "accounts = [\"r-hf01\"]\ninclude_child_ous = true";
    assert!(CALM.request.contains(right));
    CALM.request.replace(right, &format!("accounts = {accounts}"))
}
