//! Every sample of `tests/real-answers` goes through the SDK and is read by the ports, or stands in
//! [`NOT_READ`] with the reason why not.

mod automation;
mod commands;
mod fleet;

use crate::Aws;
use crate::testing::{FakeHttp, json_error, response};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Samples that are no answer of a call that this crate makes.
const NOT_READ: &[(&str, &str)] = &[
    (
        "17.json",
        "SendCommand is not called: a runbook sends the command",
    ),
    ("21.json", "spans between two times of SendCommand, no answer"),
    (
        "32.json",
        "SendCommand is not called: a runbook sends the command",
    ),
    (
        "33.json",
        "SendCommand is not called: a runbook sends the command",
    ),
    (
        "37-sns-run-command.json",
        "a notification, which nothing of patchfleet receives",
    ),
    (
        "39-scheduler-default-event.json",
        "an event, which the Lambda function reads",
    ),
    (
        "40-list-nodes.json",
        "ListNodes is not called: it needs a resource data sync",
    ),
    (
        "41-execution-preview.json",
        "previews are not asked for: they take no shared runbook",
    ),
    (
        "42-resource-compliance.json",
        "compliance summaries are not asked for: patch states are",
    ),
    (
        "44-window-executions.json",
        "maintenance windows are not asked for: they ask patchfleet",
    ),
    (
        "45-data-sync-layout.json",
        "objects in S3, which nothing of patchfleet reads",
    ),
    (
        "46-runpatchbaseline-output.json",
        "output of a node, no answer of a call",
    ),
    (
        "47-eventbridge-events.json",
        "events, which nothing of patchfleet receives",
    ),
    ("48-iam-actions.json", "reference data, no answer"),
];

/// Reads one sample, and holds what was read to what it says. Whether there is a reading of it.
async fn read(name: &str, data: &Value) -> bool {
    match name {
        "01.json" => automation::a_local_execution(data).await,
        "02.json" => automation::an_execution_with_a_command(data).await,
        "03.json" => automation::a_rate_control_parent(data).await,
        "04.json" => automation::a_listing_of_executions(data).await,
        "05.json" => automation::a_failed_execution(data).await,
        "06.json" => automation::a_failed_step_names_its_command(data).await,
        "08.json" => automation::a_location_whose_role_cannot_be_assumed(data).await,
        "09.json" => automation::a_refused_start(data).await,
        "10.json" => commands::sent_commands(data).await,
        "11.json" => commands::listed_commands(data).await,
        "12.json" => commands::a_sent_command(data).await,
        "13.json" => commands::the_output_of_a_step(data).await,
        "14.json" | "15.json" => commands::a_command_that_matched_nothing(data).await,
        "16.json" => commands::a_command_whose_sender_may_not_list_the_group(data).await,
        "18.json" => commands::an_execution_timeout(data).await,
        "19.json" => commands::a_delivery_timeout(data).await,
        "22.json" => fleet::a_region_that_is_not_enabled(data).await,
        "23.json" => fleet::members_of_groups(data).await,
        "25.json" => fleet::nodes_of_both_kinds(data).await,
        "26.json" => fleet::patch_states(data).await,
        "27.json" => commands::invocations_of_two_nodes(data).await,
        "28.json" => commands::an_invocation_as_it_went_over_the_wire(data).await,
        "29.json" => fleet::an_account_of_2021(data).await,
        "30.json" => fleet::refused_roles(data).await,
        "31.json" => fleet::a_caller_and_a_session(data).await,
        "34-concurrency-one.json" => commands::a_command_of_two_nodes_in_turn(data).await,
        "35-send-to-a-stopped-node.json" => fleet::a_stopped_node_is_not_listed(data).await,
        "38-document-sharing.json" => fleet::a_document(data).await,
        "43-patches-and-group-state.json" => fleet::patches_of_a_node(data).await,
        "49-organizations-paths.json" => fleet::an_organization(data).await,
        _ => return false,
    }
    true
}

#[tokio::test]
async fn every_real_answer_is_read_by_a_port_or_listed_with_a_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/real-answers");
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            names.insert(path);
        }
    }
    let mut listed: BTreeMap<&str, &str> = NOT_READ.iter().copied().collect();
    let (mut was_read, mut was_listed) = (0, 0);
    for path in names {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let sample: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        if let Some(reason) = listed.remove(name.as_str()) {
            assert!(!reason.is_empty());
            was_listed += 1;
        } else {
            assert!(
                read(&name, &wire(&sample["data"])).await,
                "{name} is neither read nor listed"
            );
            was_read += 1;
        }
    }
    assert!(listed.is_empty(), "listed, and not there: {listed:?}");
    println!("real answers: {was_read} read, {was_listed} listed with a reason");
}

/// A sample's data as AWS sends it: times are numbers, and `EXAMPLE` in an id stands for digits.
fn wire(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.contains_key("__class__") => moment(members),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let time = value
                    .as_str()
                    .filter(|_| is_time(name))
                    .and_then(|text| text.parse().ok());
                (name.clone(), time.map_or_else(|| wire(value), seconds))
            })
            .collect(),
        Value::Array(items) => items.iter().map(wire).collect(),
        Value::String(text) => text.replace("EXAMPLE", "0000000").into(),
        other => other.clone(),
    }
}

fn is_time(name: &str) -> bool {
    ["Time", "Date", "ExpiresAfter", "Timestamp", "Expiration"]
        .iter()
        .any(|end| name.ends_with(end))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 stay far below 2^53"
)]
fn seconds(at: Timestamp) -> Value {
    (at.as_millisecond() as f64 / 1000.0).into()
}

/// A time as placebo keeps it.
fn moment(parts: &serde_json::Map<String, Value>) -> Value {
    let part = |name: &str| parts[name].as_i64().unwrap();
    let text = format!(
        "{}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        part("year"),
        part("month"),
        part("day"),
        part("hour"),
        part("minute"),
        part("second"),
        part("microsecond")
    );
    seconds(text.parse().unwrap())
}

/// An AWS that answers each operation with one body, and everything else with a refusal.
fn serving(answers: &[(&str, Value)]) -> Aws {
    let answers: BTreeMap<String, Value> = answers
        .iter()
        .map(|(operation, body)| ((*operation).to_owned(), body.clone()))
        .collect();
    let answer = move |call: &crate::testing::Call| match answers.get(&call.operation) {
        Some(body) => response(200, body.to_string()),
        None => json_error(400, "UnknownOperationException", &call.operation),
    };
    FakeHttp::new(move |call, _| Ok(answer(call))).aws()
}

/// An AWS that gives every call the same answer.
fn refusing(refusal: impl Fn() -> HttpResponse + Send + Sync + 'static) -> Aws {
    FakeHttp::new(move |_, _| Ok(refusal())).aws()
}

/// A time in a sample, which [`wire`] has made a number.
fn at(value: &Value) -> Timestamp {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds since 1970 are small enough"
    )]
    let millis = (value.as_f64().unwrap() * 1000.0).round() as i64;
    Timestamp::from_millisecond(millis).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
