//! The function's real binary, with a stand-in for the Lambda Runtime API in front of it and a
//! simulated organisation behind it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets what it does not expect fails"
)]

#[path = "support/runtime_api.rs"]
mod runtime_api;

#[path = "function/carried_over.rs"]
mod carried_over;

#[path = "function/every_call.rs"]
mod every_call;

#[path = "function/followed.rs"]
mod followed;

#[path = "function/killed.rs"]
mod killed;

#[path = "function/places.rs"]
mod places;

#[path = "function/refused.rs"]
mod refused;

#[path = "function/retry.rs"]
mod retry;

#[path = "function/sample.rs"]
mod sample;

#[path = "function/second_attempt.rs"]
mod second_attempt;

#[path = "function/several.rs"]
mod several;

#[path = "function/stopped.rs"]
mod stopped;

use jiff::SignedDuration;
use patchfleet_core::Campaigns;
use patchfleet_core::campaign::Store;
use patchfleet_core::id::{CampaignId, WriterId};
use patchfleet_core::plan::Planning;
use patchfleet_core::request::{Format, PatchRequest};
use patchfleet_sim::builtin::CALM;
use patchfleet_sim::world::World;
use patchfleet_sim::{ClockMode, MemoryPorts, Sim, SimClock, SimOptions};
use runtime_api::{Answer, Function};
use serde_json::{Value, json};

/// Another campaign, and its driver.
const SOMEBODY: &str = "00000000-0000-4000-8000-000000000001";

async fn simulator() -> Sim {
    simulator_of(CALM.world).await
}

async fn simulator_of(world: &str) -> Sim {
    simulator_at(world, 60.0).await
}

/// A simulator whose time runs so many times faster.
async fn simulator_at(world: &str, speed: f64) -> Sim {
    let options = SimOptions {
        clock: ClockMode::Scaled(speed),
        ..SimOptions::default()
    };
    Sim::start(World::parse(world).unwrap(), options).await.unwrap()
}

/// A request whose locations form one rectangle: one account of the calm world.
fn request() -> Value {
    let request = PatchRequest::parse(CALM.request.as_bytes(), Format::Toml).unwrap();
    let mut request = serde_json::to_value(request).unwrap();
    request["targets"]["accounts"] = json!(["555566667777"]);
    request
}

/// The window's payload for the management account, as the first post has it.
fn payload() -> Value {
    json!({
        "Regions": "us-east-1, us-west-2,eu-west-1",
        "ResourceGroup": "WebServers",
        "AutomationAssumeRole": "arn:aws:iam::111122223333:role/AWS-SystemsManager-AutomationAdministrationRole",
        "MaxConcurrency": "10%",
        "MaxErrors": "10%",
        "Operation": "Scan",
        "WindowExecutionId": "0b3c9b1e-5a3c-4a63-9a0c-6f1f2a3b4c5d",
    })
}

/// The starts that the organisation saw, each as it was asked for.
fn starts(sim: &Sim) -> Vec<Value> {
    sim.with_world(|world| {
        let starts = world
            .requests()
            .iter()
            .filter(|call| call.operation == "StartAutomationExecution");
        starts.map(|call| call.input.clone()).collect()
    })
}

/// What a campaign leaves behind in an organisation, apart from ids and times: the starts that it
/// asked for, and what every node has installed.
fn left_behind(world: &mut World) -> (Vec<Value>, Vec<String>) {
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
        .map(|node| format!("{} {:?} {}", node.id(), node.patches(), node.installs()));
    (starts, nodes.collect())
}

/// The same request, planned, started and followed to its end over the ports in memory.
async fn followed(request: &Value) -> (Vec<Value>, Vec<String>) {
    let request = PatchRequest::from_value(request.clone()).unwrap();
    let clock = SimClock::new(World::parse(CALM.world).unwrap(), ClockMode::Jump);
    let access = &request.access;
    let region = "us-east-1".parse().unwrap();
    let ports = MemoryPorts::new(
        clock.clone(),
        region,
        access.discovery_role.clone(),
        access.session_name.clone(),
    )
    .into_ports();
    let writer = SOMEBODY.parse::<WriterId>().unwrap();
    let campaigns = Campaigns::new(ports, Store::in_memory(), writer);
    let campaign = SOMEBODY.parse::<CampaignId>().unwrap();
    campaigns
        .run(campaign, &request, &Planning::default())
        .await
        .unwrap();
    clock.with_world(left_behind)
}

#[track_caller]
fn response(answer: Answer) -> Value {
    match answer {
        Answer::Response(value) => value,
        Answer::Error(error) => panic!("{error}"),
    }
}

#[track_caller]
fn error(answer: Answer) -> (String, String) {
    let Answer::Error(error) = answer else {
        panic!("{answer:?}");
    };
    let text = |key: &str| error[key].as_str().unwrap().to_owned();
    (text("errorType"), text("errorMessage"))
}

#[test]
fn outside_of_lambda_the_program_says_so_in_one_line() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bootstrap"));
    let output = command.env_clear().output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("AWS_LAMBDA_RUNTIME_API is not set"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_root_certificates_are_read_where_no_call_needs_them() {
    let sim = simulator().await;
    // Whoever reads them finds none there, and logs that.
    let elsewhere = [
        ("SSL_CERT_FILE", "/nowhere/roots.pem"),
        ("SSL_CERT_DIR", "/nowhere"),
    ];
    let mut function = Function::start_with(&sim.endpoint(), &elsewhere).await;
    let summary = response(function.invoke("first", request()).await);
    assert_eq!(summary["outcome"], "started");
    let log = function.end().await;
    assert!(!log.contains("root CA"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_planned_started_and_summed_up() {
    let sim = simulator().await;
    let mut function = Function::start(&sim.endpoint()).await;
    let summary = response(function.invoke("first", request()).await);
    assert_eq!(summary["outcome"], "started");
    assert_eq!(summary["candidates"], 5);
    assert_eq!(summary["locations"], 5);
    assert_eq!(summary["skipped"], json!([]));

    let starts = starts(&sim);
    let [start] = starts.as_slice() else {
        panic!("{starts:?}");
    };
    assert_eq!(start["TargetLocations"][0]["Accounts"], json!(["555566667777"]));
    assert_eq!(start["Parameters"]["CampaignId"], json!([summary["campaign_id"]]));
    let execution = summary["execution_id"].as_str().unwrap();
    assert!(sim.with_world(|world| world.execution(execution).is_some()));

    // Systems Manager goes on without the function, and patches what any driver would have.
    let log = function.end().await;
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.iter().all(|line| line["level"].is_string()), "{log}");
    let started = lines.iter().find(|line| line["message"] == "started").unwrap();
    assert_eq!(started["execution"], execution);
    for campaign in [&started["campaign"], &started["span"]["campaign"]] {
        assert_eq!(campaign, &summary["campaign_id"], "{log}");
    }
    sim.with_world(World::run_until_idle);
    let status = sim.with_world(|world| world.execution(execution).unwrap().status().as_str());
    assert_eq!(status, "Success");
    assert_eq!(sim.with_world(left_behind), followed(&request()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presigned_list_is_sent_as_it_is_and_is_in_no_answer() {
    const URL: &str = "https://b.s3.amazonaws.com/list?X-Amz-Credential=AKIA&X-Amz-Signature=5ec7e7";
    let sim = simulator().await;
    let mut function = Function::start(&sim.endpoint()).await;
    let mut request = request();
    request["patch"] = json!({ "operation": "Install", "install_override_list": URL });
    let summary = response(function.invoke("first", request.clone()).await);
    assert_eq!(summary["outcome"], "started");
    assert!(!summary.to_string().contains("5ec7e7"), "{summary}");
    assert_eq!(starts(&sim)[0]["Parameters"]["InstallOverrideList"], json!([URL]));
    let again = response(function.invoke("first", request.clone()).await);
    assert_eq!(again["execution_id"], summary["execution_id"]);

    request["patch"]["operation"] = json!("Scan");
    let (_, message) = error(function.invoke("second", request).await);
    assert!(
        message.contains("presigned:sha256:") && !message.contains("5ec7e7"),
        "{message}"
    );
    assert_eq!(starts(&sim).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_delivered_twice_is_one_campaign() {
    let sim = simulator().await;
    // Two cold starts, so that nothing is remembered in between.
    let mut first = Function::start(&sim.endpoint()).await;
    let mut second = Function::start(&sim.endpoint()).await;
    let before = response(first.invoke("one", request()).await);
    let again = response(second.invoke("one", request()).await);
    assert_eq!(again["campaign_id"], before["campaign_id"]);
    assert_eq!(again["execution_id"], before["execution_id"]);
    assert_eq!(
        (&before["outcome"], &again["outcome"]),
        (&json!("started"), &json!("already_started"))
    );

    let wrapped = |id: &str| json!({"event_id": id, "request": request()});
    let named = response(first.invoke("two", wrapped("event-7")).await);
    let named_again = response(second.invoke("three", wrapped("event-7")).await);
    assert_eq!(named_again["execution_id"], named["execution_id"]);

    let other = response(first.invoke("four", request()).await);
    assert_ne!(
        other["campaign_id"], before["campaign_id"],
        "another event is another campaign"
    );
    assert_eq!(starts(&sim).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maintenance_windows_payload_starts_the_regions_that_have_nodes() {
    let sim = simulator().await;
    let mut function = Function::start(&sim.endpoint()).await;
    let summary = response(function.invoke("window", payload()).await);
    assert_eq!(summary["outcome"], "started");
    assert_eq!(summary["locations"], 2);
    assert_eq!(summary["skipped"][0]["region"], "us-west-2");
    assert_eq!(summary["skipped"][0]["reason"], "empty");
    let start = &starts(&sim)[0];
    assert_eq!(
        start["TargetLocations"][0]["Regions"],
        json!(["eu-west-1", "us-east-1"])
    );
    assert_eq!(start["Parameters"]["Operation"], json!(["Scan"]));

    let again = response(function.invoke("window-again", payload()).await);
    assert_eq!(
        again["execution_id"], summary["execution_id"],
        "one window execution is one campaign"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_one_window_are_campaigns_of_their_own_and_a_retry_of_one_is_the_same() {
    let sim = simulator().await;
    let mut function = Function::start(&sim.endpoint()).await;
    let mut other = payload();
    other["Regions"] = json!("eu-west-1");
    let mut install = payload();
    install["Operation"] = json!("Install");
    let mut executions = vec![];
    for (id, task) in [("one", payload()), ("two", other), ("three", install)] {
        let summary = response(function.invoke(id, task.clone()).await);
        assert_eq!(summary["outcome"], "started", "{task}");
        let again = response(function.invoke("again", task).await);
        assert_eq!(again["outcome"], "already_started");
        assert_eq!(again["execution_id"], summary["execution_id"]);
        executions.push(summary["execution_id"].to_string());
    }
    executions.sort();
    executions.dedup();
    assert_eq!(executions.len(), 3);
    assert_eq!(starts(&sim).len(), 3);
}
