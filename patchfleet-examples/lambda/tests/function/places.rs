//! What the environment says and is wrong, and a campaign that is handed over.

use super::followed::LOG;
use super::killed::{cold, small, small_request};
use super::*;
use axum::body::Bytes;
use patchfleet_lambda::FailureKind::{InvalidRequest, Unfinished};
use patchfleet_lambda::{Failure, FailureKind};
use patchfleet_sim::spec::{FaultEffect, FaultSpec};
use std::sync::{Arc, Mutex};

const MACHINE: &str = "arn:aws:states:us-east-1:111111111111:stateMachine:patchfleet";

async fn failed(sim: &Sim, variables: &[(&str, &str)], event: Value) -> (FailureKind, String) {
    let function = cold(sim, variables);
    let failure: Failure = function.handle(event.into(), "one", None).await.unwrap_err();
    (failure.kind(), failure.message().to_owned())
}

fn event() -> Value {
    json!({ "event_id": "e-1", "request": small_request() })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_that_is_wrong_is_told_with_what_is_wrong_with_the_event() {
    let sim = small().await;
    for (variables, parts) in [
        (
            vec![("PATCHFLEET_LOG", " ")],
            vec!["PATCHFLEET_LOG", "s3://BUCKET/PREFIX"],
        ),
        (
            vec![("PATCHFLEET_LOG", "https://b/x"), ("PATCHFLEET_CUTOFF", "soon")],
            vec!["PATCHFLEET_LOG = \"https://b/x\"", "PATCHFLEET_CUTOFF = \"soon\""],
        ),
        (
            vec![("PATCHFLEET_STATE_MACHINE", MACHINE)],
            vec!["PATCHFLEET_STATE_MACHINE", "PATCHFLEET_LOG has to be set as well"],
        ),
        (
            vec![
                ("PATCHFLEET_LOG", LOG),
                ("PATCHFLEET_STATE_MACHINE", "patchfleet"),
            ],
            vec!["PATCHFLEET_STATE_MACHINE = \"patchfleet\"", "arn:aws:states:"],
        ),
        (
            vec![("PATCHFLEET_LOG", LOG), ("PATCHFLEET_STATE_MACHINE", "")],
            vec!["PATCHFLEET_STATE_MACHINE = \"\""],
        ),
    ] {
        let mut wrong = event();
        wrong["event_id"] = json!(7);
        wrong["cutoff"] = json!("late");
        let (kind, message) = failed(&sim, &variables, wrong).await;
        assert_eq!(kind, InvalidRequest);
        for part in parts.iter().chain(&["event_id = 7", "cutoff = \"late\""]) {
            assert!(message.contains(part), "no {part} in {message}");
        }
    }
    assert_eq!(sim.with_world(|world| world.requests().len()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_cannot_be_used_is_told_by_its_place_and_nothing_is_asked_of_systems_manager() {
    let world = "buckets = [\"ops-logs\", \"far-logs\"]\nbucket_regions = { far-logs = \"eu-west-1\" }\n";
    let sim = simulator_of(&format!("{world}{}", CALM.world)).await;
    let start = json!({ "op": "start", "event": { "event_id": "e-1", "request": request() } });
    for (log, why) in [
        ("s3://ops-log/patchfleet", "there is no bucket ops-log"),
        ("s3://far-logs/patchfleet", "the bucket far-logs is in eu-west-1"),
    ] {
        let (kind, message) = failed(&sim, &[("PATCHFLEET_LOG", log)], start.clone()).await;
        assert_eq!(kind, InvalidRequest, "{message}");
        assert!(
            message.contains(why) && message.contains(&format!("PATCHFLEET_LOG = {log}")),
            "{message}"
        );
    }
    sim.with_world(|world| {
        let denied = FaultSpec {
            operations: vec!["s3:PutObject".to_owned()],
            ..FaultSpec::new(FaultEffect::Deny)
        };
        world.add_fault(denied).unwrap();
    });
    let (kind, message) = failed(&sim, &[("PATCHFLEET_LOG", LOG)], start).await;
    assert_eq!(kind, InvalidRequest, "{message}");
    assert!(
        message.contains("the caller needs s3:GetObject and s3:PutObject"),
        "{message}"
    );
    let asked = sim.with_world(|world| {
        let mut others = world.requests().iter().filter(|request| request.service == "ssm");
        others.next().is_some()
    });
    assert!(!asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administration_role_of_another_account_is_an_invalid_request_and_nothing_is_started() {
    let sim = small().await;
    let role = "arn:aws:iam::222222222222:role/Administration";
    let mut wrong = event();
    wrong["request"]["automation"] = json!({ "assume_role": role });
    for variables in [vec![], vec![("PATCHFLEET_LOG", LOG)]] {
        let (kind, message) = failed(&sim, &variables, wrong.clone()).await;
        assert_eq!(kind, InvalidRequest, "{message}");
        let place = format!("request.automation.assume_role = \"{role}\"");
        assert!(
            message.contains(&place) && message.contains("111111111111"),
            "{message}"
        );
    }
    assert_eq!(starts(&sim), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_says_nothing_is_told_what_the_function_can_be_given() {
    let sim = small().await;
    for nothing in [json!({}), Value::Null] {
        let (kind, message) = failed(&sim, &[], nothing).await;
        assert_eq!(kind, InvalidRequest);
        for part in [
            "TargetAccounts",
            "TargetRegionIds",
            "event_id",
            "ResourceGroup",
            "\"op\"",
        ] {
            assert!(message.contains(part), "no {part} in {message}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_that_is_not_handed_over_is_named_with_what_to_do() {
    // Nobody answers for Step Functions there.
    let sim = small().await;
    let variables = [("PATCHFLEET_LOG", LOG), ("PATCHFLEET_STATE_MACHINE", MACHINE)];
    let (kind, message) = failed(&sim, &variables, event()).await;
    assert_eq!(kind, Unfinished, "{message}");
    for part in [MACHINE, LOG, "nobody drives it", "`patchfleet resume "] {
        assert!(message.contains(part), "no {part} in {message}");
    }
    assert_eq!(starts(&sim), Vec::<Value>::new());
}

/// A stand-in for Step Functions that keeps what it was asked for.
async fn step_functions() -> (String, Arc<Mutex<Vec<Value>>>) {
    let asked = Arc::new(Mutex::new(vec![]));
    let kept = asked.clone();
    let answer = move |body: Bytes| async move {
        kept.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        let arn = "arn:aws:states:us-east-1:111111111111:execution:patchfleet:x";
        json!({ "executionArn": arn, "startDate": 1.0 }).to_string()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (endpoint, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_handed_over_to_the_state_machine_and_one_with_nothing_to_do_is_not() {
    let sim = simulator().await;
    let (endpoint, asked) = step_functions().await;
    let variables = [
        ("PATCHFLEET_LOG", LOG),
        ("PATCHFLEET_STATE_MACHINE", MACHINE),
        ("AWS_ENDPOINT_URL_SFN", endpoint.as_str()),
    ];
    let mut function = Function::start_with(&sim.endpoint(), &variables).await;
    let handed = response(function.invoke("one", payload()).await);
    assert_eq!(
        (&handed["outcome"], &handed["status"]),
        (&json!("handed_over"), &json!("open"))
    );
    let campaign = handed["campaign_id"].as_str().unwrap();
    let calls = asked.lock().unwrap().clone();
    let [call] = calls.as_slice() else {
        panic!("{calls:?}");
    };
    assert_eq!(
        (&call["name"], &call["stateMachineArn"]),
        (&json!(campaign), &json!(MACHINE))
    );
    assert_eq!(call["input"], json!({ "campaign_id": campaign }).to_string());
    assert_eq!(starts(&sim), Vec::<Value>::new(), "the state machine starts it");

    let mut nothing = request();
    nothing["name"] = json!("nothing");
    nothing["targets"]["accounts"] = json!(["333344445555"]);
    nothing["policy"] = json!({ "nothing_selected": "succeed" });
    let over = response(function.invoke("two", nothing).await);
    assert_eq!(
        (&over["outcome"], &over["status"]),
        (&json!("nothing_to_do"), &json!("over"))
    );
    // What the machine itself asks for is not handed over.
    let mut own = request();
    own["name"] = json!("own");
    let start = json!({ "op": "start", "event": own, "invocation": "execution-1" });
    assert_eq!(response(function.invoke("three", start).await)["wait_seconds"], 1);
    assert_eq!(asked.lock().unwrap().len(), 1);
}
