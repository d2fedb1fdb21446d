//! Stops: by an operation, by SNS, and by an alarm.

use super::killed::{served, served_until, small, small_on, small_request};
use super::*;

fn start(id: &str, name: &str) -> Value {
    let mut request = small_request();
    request["name"] = json!(name);
    json!({ "op": "start", "event": { "event_id": id, "request": request } })
}

fn published(message: &str) -> Value {
    json!({ "Records": [{ "EventSource": "aws:sns", "Sns": { "Message": message } }] })
}

/// A campaign of which one execution runs.
async fn under_way(sim: &Sim) -> Value {
    let begun = served(sim, start("e-1", "web")).await.unwrap();
    let advance = json!({ "op": "advance", "campaign_id": begun["campaign_id"] });
    tokio::select! {
        biased;
        () = async {
            while !sim.with_world(|world| world.commands().next().is_some()) {
                tokio::task::yield_now().await;
            }
        } => {}
        answer = served(sim, advance) => panic!("it is over: {answer:?}"),
    }
    begun
}

async fn is_stopped(sim: &Sim, campaign: &Value) {
    let report = served(sim, json!({ "op": "report", "campaign_id": campaign }))
        .await
        .unwrap();
    assert_eq!(
        (&report["outcome"], &report["exit_code"]),
        (&json!("halted"), &json!(5))
    );
    assert!(
        report["stop_asked"]["by"]
            .as_str()
            .unwrap()
            .contains("111111111111"),
        "{report}"
    );
    let before = starts(sim).len();
    sim.with_world(World::run_until_idle);
    assert_eq!(starts(sim).len(), before, "nothing is begun after it");
    let state = sim.with_world(|world| world.state());
    assert!(
        state["commands"].as_array().unwrap().len() < 4,
        "it was stopped half way"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_only_campaign_that_is_open_and_a_second_one_changes_nothing() {
    let sim = small().await;
    let begun = under_way(&sim).await;
    let stopped = served(&sim, json!({ "op": "stop" })).await.unwrap();
    assert_eq!(
        (
            &stopped["status"],
            &stopped["outcome"],
            &stopped["exit_code"],
            &stopped["campaign_id"]
        ),
        (&json!("over"), &json!("halted"), &json!(5), &begun["campaign_id"]),
        "{stopped}"
    );
    is_stopped(&sim, &begun["campaign_id"]).await;
    let again = json!({ "op": "stop", "campaign_id": begun["campaign_id"], "let_commands_run": true });
    let again = served(&sim, again).await.unwrap();
    assert_eq!(again["exit_code"], 5);
    let none = served(&sim, json!({ "op": "stop" })).await.unwrap();
    assert_eq!(none["status"], "none_open");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_and_a_message_stop_and_an_alarm_that_is_over_does_not() {
    for by_alarm in [true, false] {
        let sim = small().await;
        let begun = under_way(&sim).await;
        let calm = json!({ "AlarmName": "errors", "NewStateValue": "OK" });
        let ignored = served(&sim, published(&calm.to_string())).await.unwrap();
        assert_eq!(ignored["status"], "ignored");
        let message = match by_alarm {
            true => json!({ "AlarmName": "errors", "NewStateValue": "ALARM" }),
            false => json!({ "campaign_id": begun["campaign_id"] }),
        };
        let stopped = served(&sim, published(&message.to_string())).await.unwrap();
        assert_eq!(
            (&stopped["status"], &stopped["exit_code"]),
            (&json!("over"), &json!(5))
        );
        is_stopped(&sim, &begun["campaign_id"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_several_campaigns_are_open_a_stop_names_them_and_stops_none() {
    let sim = small().await;
    let one = served(&sim, start("e-1", "web")).await.unwrap();
    let other = served(&sim, start("e-1", "other")).await.unwrap();
    let failure = served(&sim, json!({ "op": "stop" })).await.unwrap_err();
    assert_eq!(failure.kind(), patchfleet_lambda::FailureKind::InvalidRequest);
    for part in [
        &one["campaign_id"],
        &other["campaign_id"],
        &json!("(web)"),
        &json!("(other)"),
    ] {
        assert!(failure.message().contains(part.as_str().unwrap()), "{failure}");
    }
    let wrong = published(&json!({ "campaign_id": "web", "let_commands_run": "yes", "why": 1 }).to_string());
    let failure = served(&sim, wrong).await.unwrap_err();
    for part in ["campaign_id = \"web\"", "let_commands_run", "why"] {
        let part = format!("Records[0].Sns.Message.{part}");
        assert!(failure.message().contains(&part), "no {part} in {failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_aws_denies_needs_a_person_and_the_campaign_stays_open() {
    let sim = small().await;
    let begun = under_way(&sim).await;
    sim.with_world(|world| {
        let denied = patchfleet_sim::spec::FaultSpec {
            operations: ["ssm:StopAutomationExecution", "ssm:CancelCommand"]
                .map(str::to_owned)
                .into(),
            ..patchfleet_sim::spec::FaultSpec::new(patchfleet_sim::spec::FaultEffect::Deny)
        };
        world.add_fault(denied).unwrap();
    });
    let failure = served(&sim, json!({ "op": "stop" })).await.unwrap_err();
    assert_eq!(
        failure.kind(),
        patchfleet_lambda::FailureKind::NeedsPerson,
        "{failure}"
    );
    // Whoever drives it hears it too.
    let advance = json!({ "op": "advance", "campaign_id": begun["campaign_id"] });
    let failure = served(&sim, advance).await.unwrap_err();
    assert_eq!(
        failure.kind(),
        patchfleet_lambda::FailureKind::NeedsPerson,
        "{failure}"
    );
    let report = json!({ "op": "report", "campaign_id": begun["campaign_id"] });
    assert_eq!(served(&sim, report.clone()).await.unwrap()["status"], "open");
    // It goes to its end by itself, and the last report still says what was not stopped, where and why.
    sim.with_world(World::run_until_idle);
    let advance = json!({ "op": "advance", "campaign_id": begun["campaign_id"] });
    let mut over = Value::Null;
    for _ in 0..5 {
        // What is not read yet may run on, as far as is known.
        over = served(&sim, advance.clone()).await.unwrap_or_default();
        if over["status"] == "over" {
            break;
        }
    }
    assert_eq!(
        (&over["status"], &over["exit_code"]),
        (&json!("over"), &json!(5)),
        "{over}"
    );
    assert!(over["not_stopped"].as_u64() > Some(0), "{over}");
    let report = served(&sim, report).await.unwrap();
    let not_stopped = report["not_stopped"].as_array().unwrap();
    assert!(!not_stopped.is_empty(), "{report}");
    for one in not_stopped {
        assert!(
            one["execution"].is_string() || one["location"]["region"].is_string(),
            "{one}"
        );
        assert!(one["reason"].as_str().unwrap().contains("AccessDenied"), "{one}");
    }
    let message = report["message"].as_str().unwrap();
    assert!(message.contains("was not stopped: AccessDenied"), "{message}");
}

/// SNS delivers at least once, and Lambda may keep an event for hours.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_again_stops_no_campaign_that_was_begun_after_it() {
    let sim = small().await;
    let begun = under_way(&sim).await;
    let said = |at: &str, campaign: Option<&Value>| {
        let message = match campaign {
            Some(campaign) => json!({ "campaign_id": campaign }),
            None => json!({ "op": "stop" }),
        };
        let sns = json!({ "Message": message.to_string(), "Timestamp": at });
        json!({ "Records": [{ "EventSource": "aws:sns", "Sns": sns }] })
    };
    let late = served(&sim, said("1999-12-31T23:59:59.000Z", None))
        .await
        .unwrap();
    assert_eq!(late["status"], "ignored", "{late}");
    assert!(
        late["reason"]
            .as_str()
            .unwrap()
            .contains(begun["campaign_id"].as_str().unwrap())
    );
    let report = json!({ "op": "report", "campaign_id": begun["campaign_id"] });
    let open = served(&sim, report.clone()).await.unwrap();
    assert_eq!(open["status"], "open");
    // Whoever names the campaign means it.
    served(
        &sim,
        said("1999-12-31T23:59:59.000Z", Some(&begun["campaign_id"])),
    )
    .await
    .unwrap();
    is_stopped(&sim, &begun["campaign_id"]).await;
}

/// A world in which an execution has locations that wait for their turn, so that it begins more unless it is stopped.
async fn with_locations_that_wait() -> (Sim, Value) {
    // A deadline is met by time that passes by itself.
    let sim = small_on(ClockMode::Scaled(120.0)).await;
    let mut event = start("e-1", "web");
    event["event"]["request"]["targets"]["accounts"] = json!(["222222222222"]);
    let begun = served(&sim, event).await.unwrap();
    let advance = json!({ "op": "advance", "campaign_id": begun["campaign_id"] });
    tokio::select! {
        biased;
        () = async {
            while !sim.with_world(|world| world.commands().next().is_some()) {
                tokio::task::yield_now().await;
            }
        } => {}
        answer = served(&sim, advance) => panic!("it is over: {answer:?}"),
    }
    (sim, begun["campaign_id"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_stops_nothing_is_no_success() {
    use patchfleet_lambda::FailureKind;
    use patchfleet_sim::spec::{FaultEffect, FaultSpec};
    for (effect, kind, words) in [
        (
            FaultEffect::Deny,
            FailureKind::NeedsPerson,
            "was not stopped: AccessDenied",
        ),
        (
            FaultEffect::Throttle,
            FailureKind::Failed,
            "stopping the execution of unit 1",
        ),
    ] {
        let (sim, campaign) = with_locations_that_wait().await;
        sim.with_world(|world| {
            let fault = FaultSpec {
                operations: ["ssm:StopAutomationExecution", "ssm:CancelCommand"]
                    .map(str::to_owned)
                    .into(),
                ..FaultSpec::new(effect)
            };
            world.add_fault(fault).unwrap();
        });
        let deadline = sim.with_world(|world| world.now()) + SignedDuration::from_mins(10);
        let message = published(&json!({ "campaign_id": campaign }).to_string());
        let failure = served_until(&sim, message, Some(deadline)).await.unwrap_err();
        assert_eq!(failure.kind(), kind, "{failure}");
        for part in [words, "may begin more nodes", "patchfleet stop"] {
            assert!(failure.message().contains(part), "no {part} in {failure}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_cannot_be_written_says_so_and_not_to_resume() {
    let sim = small().await;
    let begun = under_way(&sim).await;
    sim.with_world(|world| {
        let denied = patchfleet_sim::spec::FaultSpec {
            operations: vec!["s3:PutObject".to_owned()],
            ..patchfleet_sim::spec::FaultSpec::new(patchfleet_sim::spec::FaultEffect::Deny)
        };
        world.add_fault(denied).unwrap();
    });
    let stop = json!({ "op": "stop", "campaign_id": begun["campaign_id"] });
    let failure = served(&sim, stop).await.unwrap_err();
    let message = failure.message();
    assert!(
        message.contains("nothing was stopped") && message.contains("stopped once more"),
        "{message}"
    );
    assert!(!message.contains("resume"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_again_when_all_is_over_does_not_hide_what_was_not_stopped() {
    let sim = small().await;
    let begun = under_way(&sim).await;
    sim.with_world(|world| {
        let denied = patchfleet_sim::spec::FaultSpec {
            operations: ["ssm:StopAutomationExecution", "ssm:CancelCommand"]
                .map(str::to_owned)
                .into(),
            ..patchfleet_sim::spec::FaultSpec::new(patchfleet_sim::spec::FaultEffect::Deny)
        };
        world.add_fault(denied).unwrap();
    });
    let message = published(&json!({ "campaign_id": begun["campaign_id"] }).to_string());
    served(&sim, message.clone()).await.unwrap_err();
    sim.with_world(World::run_until_idle);
    let mut over = Value::Null;
    for _ in 0..5 {
        over = served(&sim, message.clone()).await.unwrap_or_default();
        if over["status"] == "over" {
            break;
        }
    }
    assert_eq!(over["exit_code"], 5, "{over}");
    assert!(over["not_stopped"].as_u64() > Some(0), "{over}");
    let report = json!({ "op": "report", "campaign_id": begun["campaign_id"] });
    let report = served(&sim, report).await.unwrap();
    assert!(!report["not_stopped"].as_array().unwrap().is_empty(), "{report}");
    let message = report["message"].as_str().unwrap();
    assert!(message.contains("patchfleet began nothing more"), "{message}");
}
