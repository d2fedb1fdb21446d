//! Whatever is sent, the answer is AWS's: a result or an error of the protocol, never a panic and
//! never silence.
//!
//! `PATCHFLEET_FUZZ` says how many random requests each operation gets (default 400).

use crate::{
    fleet::start_input,
    socket::{Connection, Reply, credential},
};
use patchfleet_sim::{Caller, ClockMode, Service, Sim, SimOptions, call, operations, world::World};
use serde_json::{Map, Value, json};
use std::time::Duration;

mod documents;
mod inputs;
mod random;

use inputs::Inputs;
use random::Random;

/// An answer that takes longer is none.
const NEVER: Duration = Duration::from_secs(10);

async fn sim() -> Sim {
    let world = World::parse(inputs::WORLD).unwrap();
    let options = SimOptions {
        clock: ClockMode::Scaled(0.0),
        ..SimOptions::default()
    };
    let sim = Sim::start(world, options).await.unwrap();
    sim.with_world(|world| {
        let caller = Caller::administrator(world, "us-east-1".parse().unwrap());
        let input = start_input(&["111111111111", "222222222222"], &["us-east-1"]);
        for input in [input, json!({"DocumentName": "Pauses"})] {
            call(world, &caller, Service::Ssm, "StartAutomationExecution", input).unwrap();
        }
        world.advance_by(jiff::SignedDuration::from_mins(1));
    });
    sim
}

/// Requests that one world gets.
const WORLD_CASES: usize = 400;

fn cases() -> usize {
    std::env::var("PATCHFLEET_FUZZ").map_or(400, |text| text.parse().unwrap())
}

/// A request with the headers of the service's protocol.
fn request(service: Service, operation: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let (kind, target) = match service {
        Service::Ssm => (
            "application/x-amz-json-1.1",
            format!("X-Amz-Target: AmazonSSM.{operation}\r\n"),
        ),
        Service::Organizations => (
            "application/x-amz-json-1.1",
            format!("X-Amz-Target: AWSOrganizationsV20161128.{operation}\r\n"),
        ),
        Service::Tagging => (
            "application/x-amz-json-1.1",
            format!("X-Amz-Target: ResourceGroupsTaggingAPI_20170126.{operation}\r\n"),
        ),
        Service::CloudWatch => (
            "application/x-amz-json-1.0",
            format!("X-Amz-Target: GraniteServiceVersion20100801.{operation}\r\n"),
        ),
        Service::Sts => ("application/x-www-form-urlencoded; charset=utf-8", String::new()),
        Service::ResourceGroups | Service::Account | Service::S3 => ("application/json", String::new()),
    };
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n{target}Authorization: {}\r\nContent-Length: {}\r\n\r\n",
        credential("AKID", service.name()),
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// What is wrong with the shape of an answer.
fn problem(reply: &Reply) -> Option<&'static str> {
    if !reply.head.contains("x-amzn-requestid: ") {
        return Some("no request id");
    }
    if reply.head.contains("content-type: text/xml") {
        let closed = reply.body.trim_end().ends_with("Response>");
        let coded = reply.status == 200 || reply.body.contains("<Error><Type>Sender</Type><Code>");
        return (!closed || !coded).then_some("not an answer of the query protocol");
    }
    let Ok(Value::Object(body)) = serde_json::from_str::<Value>(&reply.body) else {
        return Some("not a JSON object");
    };
    let coded = body
        .get("__type")
        .and_then(Value::as_str)
        .is_some_and(|code| !code.is_empty());
    match reply.status {
        200 if coded => Some("an error with status 200"),
        200 => None,
        400..=499 if coded => None,
        400..=499 => Some("an error without a code"),
        _ => Some("a status that nothing here can lead to"),
    }
}

async fn check(connection: &mut Connection, what: &str, request: &[u8]) -> Reply {
    let reply = tokio::time::timeout(NEVER, connection.exchange(request)).await;
    let shown = || {
        String::from_utf8_lossy(request)
            .chars()
            .take(3000)
            .collect::<String>()
    };
    let reply = reply.unwrap_or_else(|_| panic!("{what} is not answered: {}", shown()));
    if let Some(problem) = problem(&reply) {
        panic!("{what}: {problem}\n{}\n{}{}", shown(), reply.head, reply.body);
    }
    reply
}

/// The path and body of an input.
fn written(service: Service, inputs: &Inputs, operation: &str, input: &Value) -> (String, Vec<u8>) {
    match service {
        Service::Sts => {
            let mut fields = format!("Action={operation}&Version=2011-06-15");
            for (name, value) in input.as_object().into_iter().flatten() {
                add_fields(&mut fields, name, value);
            }
            ("/".to_owned(), fields.into_bytes())
        }
        Service::Ssm | Service::Organizations | Service::Tagging | Service::CloudWatch => {
            ("/".to_owned(), input.to_string().into_bytes())
        }
        Service::ResourceGroups | Service::Account | Service::S3 => (
            inputs.path(service, operation).to_owned(),
            input.to_string().into_bytes(),
        ),
    }
}

/// A member as the query protocol has it: `Tags.member.1.Key=…`.
fn add_fields(fields: &mut String, name: &str, value: &Value) {
    match value {
        Value::Array(items) if items.is_empty() => *fields += &format!("&{name}="),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                add_fields(fields, &format!("{name}.member.{}", index + 1), item);
            }
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                add_fields(fields, &format!("{name}.{key}"), value);
            }
        }
        other => {
            let text = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            *fields += &format!("&{name}={encoded}");
        }
    }
}

/// Starts a runbook that was made, or asks for a calendar's state; gives whether that was right.
async fn put_to_use(connection: &mut Connection, made: &Reply) -> bool {
    let made: Value = serde_json::from_str(&made.body).unwrap();
    let document = &made["DocumentDescription"];
    let (name, version) = (&document["Name"], &document["DocumentVersion"]);
    let uses = match document["DocumentType"].as_str().unwrap() {
        "Automation" => vec![(
            "StartAutomationExecution",
            json!({"DocumentName": name, "DocumentVersion": version}),
        )],
        "ChangeCalendar" => vec![
            (
                "UpdateDocumentDefaultVersion",
                json!({"Name": name, "DocumentVersion": version}),
            ),
            ("GetCalendarState", json!({"CalendarNames": [name]})),
        ],
        _ => vec![],
    };
    let mut right = false;
    for (operation, input) in uses {
        let request = request(Service::Ssm, operation, "/", input.to_string().as_bytes());
        right = check(connection, operation, &request).await.status == 200;
    }
    right
}

#[tokio::test]
async fn random_inputs_are_answered_in_awss_shape() {
    let inputs = Inputs::read();
    let mut successes = Map::new();
    let mut used = 0;
    for (service, operation) in operations() {
        let mut sim = sim().await;
        let mut connection = Connection::to(&sim);
        let mut random = Random::of(operation);
        let mut good = 0;
        for case in 0..cases() {
            // A world in which the quota of documents is used up takes no more of them.
            if case % WORLD_CASES == 0 {
                sim = self::sim().await;
                connection = Connection::to(&sim);
            }
            let input = inputs.random(&sim, service, operation, &mut random);
            let (path, body) = written(service, &inputs, operation, &input);
            let request = request(service, operation, &path, &body);
            let reply = check(&mut connection, operation, &request).await;
            good += usize::from(reply.status == 200);
            if reply.status == 200 && ["CreateDocument", "UpdateDocument"].contains(&operation) {
                used += usize::from(put_to_use(&mut connection, &reply).await);
            }
            if case % 50 == 49 {
                sim.clock().advance(jiff::SignedDuration::from_mins(7));
            }
        }
        successes.insert(operation.to_owned(), json!(good));
    }
    // Inputs of which none is right would try the checks alone.
    let without: Vec<&String> = successes
        .iter()
        .filter(|(_, good)| **good == 0)
        .map(|(name, _)| name)
        .collect();
    assert!(without.is_empty(), "no random input was right for {without:?}");
    assert!(used > cases() / 4, "{used} random documents were of use");
}

#[tokio::test]
async fn broken_bodies_types_targets_and_credentials_are_answered_in_awss_shape() {
    let inputs = Inputs::read();
    let sim = sim().await;
    let mut connection = Connection::to(&sim);
    let mut random = Random::of("broken");
    for _ in 0..cases() {
        for (service, operation) in [
            (Service::Ssm, "DescribeInstanceInformation"),
            (Service::Organizations, "ListRoots"),
            (Service::Sts, "AssumeRole"),
            (Service::ResourceGroups, "ListGroupResources"),
            (Service::Tagging, "GetResources"),
            (Service::Account, "ListRegions"),
            (Service::CloudWatch, "DescribeAlarms"),
        ] {
            let input = inputs.random(&sim, service, operation, &mut random);
            let (path, body) = written(service, &inputs, operation, &input);
            let good = request(service, operation, &path, &body);
            let broken = random.broken(&good);
            check(&mut connection, operation, &broken).await;
        }
    }
}

#[tokio::test]
async fn headers_of_any_size_are_answered() {
    let sim = sim().await;
    for (count, size) in [
        (1, 10_000),
        (1, 70_000),
        (1, 900_000),
        (150, 100),
        (1500, 10),
        (1500, 500),
        (19_000, 1),
    ] {
        let mut connection = Connection::to(&sim);
        let more: String = (0..count)
            .map(|n| format!("X-More-{n}: {}\r\n", "x".repeat(size)))
            .collect();
        let plain = String::from_utf8(request(Service::Ssm, "ListCommands", "/", b"{}")).unwrap();
        let request = plain.replacen("Host: x\r\n", &format!("Host: x\r\n{more}"), 1);
        let status = check(&mut connection, "ListCommands", request.as_bytes())
            .await
            .status;
        assert_eq!(
            status,
            if more.len() - count * ": \r\n".len() > 60_000 {
                431
            } else {
                200
            },
            "{count} of {size}"
        );
    }
}
