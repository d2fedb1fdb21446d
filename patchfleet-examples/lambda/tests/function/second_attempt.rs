//! The nodes that a campaign did not reach are tried once more, where that is asked for.

use super::every_call::{killed_once, one_thread};
use super::followed::LOG;
use super::killed::{cold, served};
use super::*;
use patchfleet_lambda::{Event, FailureKind};

/// Two nodes are patched for ten minutes. The third does not answer when the campaign is planned, and does five minutes later.
pub(crate) const WORLD: &str = r#"
management_account = "111111111111"
documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
buckets = ["ops-logs"]
accounts = [{ id = "111111111111", name = "Main" }]
[[groups]]
name = "Web"
accounts = ["111111111111"]
regions = ["us-east-1"]
nodes = [{ count = 2, patch = { minutes = 10.0 } }, { count = 1, reachability = "offline" }]
[[changes]]
at = "5m"
change = { gain_agent = { group = "Web" } }
"#;

pub(crate) fn event(id: &str) -> Value {
    let request = json!({
        "name": "web", "patch": { "operation": "Install" },
        "targets": { "resource_group": "Web", "regions": ["us-east-1"] },
        "budget": { "nodes": { "max_concurrency": "100%", "max_errors": "100%" } },
        "policy": { "offline": "skip" },
    });
    json!({ "event_id": id, "second_attempt": true, "request": request })
}

async fn world() -> Sim {
    let options = SimOptions {
        clock: ClockMode::Jump,
        ..SimOptions::default()
    };
    Sim::start(World::parse(WORLD).unwrap(), options).await.unwrap()
}

async fn started(sim: &Sim, event: Value) -> Value {
    served(sim, json!({ "op": "start", "event": event }))
        .await
        .unwrap()
}

async fn asked(sim: &Sim, operation: &str, campaign: &Value) -> Value {
    let event = json!({ "op": operation, "campaign_id": campaign });
    served(sim, event).await.unwrap()
}

/// Drives a campaign on, as its answers say, until this holds of one. Gives that one.
async fn driven(sim: &Sim, begun: &Value, until: impl Fn(&Value) -> bool) -> Value {
    let mut campaign = begun["campaign_id"].clone();
    for _ in 0..200 {
        let answer = asked(sim, "advance", &campaign).await;
        if until(&answer) {
            return answer;
        }
        campaign = answer["campaign_id"].clone();
        let seconds = answer["wait_seconds"].as_i64().unwrap();
        sim.clock().advance(SignedDuration::from_secs(seconds));
    }
    panic!("it does not end");
}

fn is_over(answer: &Value) -> bool {
    answer["status"] == "over"
}

/// A campaign that is over, and whose second attempt has not begun.
async fn first_over(sim: &Sim) -> Value {
    let begun = started(sim, event("e-1")).await;
    let answer = driven(sim, &begun, |answer| answer.get("running").is_none()).await;
    assert_eq!(
        (&answer["status"], &answer["campaign_id"]),
        (&json!("open"), &begun["campaign_id"])
    );
    begun["campaign_id"].clone()
}

fn installs(sim: &Sim) -> Vec<u32> {
    let mut installs: Vec<u32> =
        sim.with_world(|world| world.nodes().map(patchfleet_sim::world::Node::installs).collect());
    installs.sort_unstable();
    installs
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_answers_later_is_reached_by_the_second_attempt_and_the_report_is_of_both() {
    let sim = world().await;
    let begun = started(&sim, event("e-1")).await;
    assert_eq!(begun["second_attempt"], true, "{begun}");
    let first = &begun["campaign_id"];
    let over = driven(&sim, &begun, is_over).await;
    let second = &over["campaign_id"];
    assert_ne!(second, first);
    let ended = |answer: &Value| {
        (
            answer["status"].clone(),
            answer["outcome"].clone(),
            answer["exit_code"].clone(),
        )
    };
    let well = (json!("over"), json!("succeeded"), json!(0));
    assert_eq!(ended(&over), well, "{over}");
    assert_eq!((starts(&sim).len(), installs(&sim)), (2, vec![1, 1, 1]));

    let report = asked(&sim, "report", second).await;
    assert_eq!(ended(&report), well, "{report}");
    assert_eq!(
        (&report["campaign_id"], &report["totals"]["nodes"]),
        (first, &json!({ "done": 2, "unreached": 1 }))
    );
    assert_eq!(
        (
            &report["second_attempt"]["campaign_id"],
            &report["second_attempt"]["totals"]["nodes"]
        ),
        (second, &json!({ "done": 1 }))
    );
    assert_eq!(report["subject"], "patchfleet succeeded: web");
    let message = report["message"].as_str().unwrap();
    let parts =
        [first, second].map(|id| message.find(&format!("patchfleet report {}", id.as_str().unwrap())));
    assert!(parts[0].is_some() && parts[0] < parts[1], "{message}");
    let alone = asked(&sim, "report", first).await;
    assert_eq!(
        (&alone["exit_code"], alone.get("second_attempt")),
        (&json!(4), None)
    );

    // The same again, by either id or by the event, begins nothing and is answered the same.
    for again in [
        started(&sim, event("e-1")).await,
        asked(&sim, "advance", first).await,
        asked(&sim, "advance", second).await,
        asked(&sim, "stop", first).await,
    ] {
        assert_eq!(
            (&again["campaign_id"], ended(&again)),
            (second, well.clone()),
            "{again}"
        );
    }
    assert_eq!(starts(&sim).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_tries_again_unless_the_event_or_the_environment_says_so() {
    let sim = world().await;
    let plan = |says: Value| {
        let mut event = event("e-1");
        event["second_attempt"] = says;
        json!({ "op": "plan", "event": event })
    };
    let window = |says: &str| {
        json!({ "op": "plan", "event": {
        "Regions": "us-east-1", "ResourceGroup": "Web", "Offline": "skip", "SecondAttempt": says } })
    };
    let with = [("PATCHFLEET_LOG", LOG), ("PATCHFLEET_SECOND_ATTEMPT", "true")];
    for (variables, event, is_wanted) in [
        (&with[..1], plan(json!(null)), false),
        (&with[..], plan(json!(null)), true),
        (&with[..], plan(json!("false")), false),
        (&with[..1], plan(json!("true")), true),
        (&with[..1], window(""), false),
        (&with[..1], window("true"), true),
    ] {
        let answer = cold(&sim, variables)
            .handle(Event::from(event), "one", None)
            .await;
        let answer = serde_json::to_value(answer.unwrap()).unwrap();
        assert_eq!(answer.get("second_attempt").is_some(), is_wanted, "{answer}");
    }
    let mut unasked = event("e-1");
    unasked["second_attempt"] = json!(false);
    let begun = started(&sim, unasked).await;
    let over = driven(&sim, &begun, is_over).await;
    assert_eq!(
        (
            &over["campaign_id"],
            &over["exit_code"],
            over.get("not_tried_again")
        ),
        (&begun["campaign_id"], &json!(4), None)
    );
    assert_eq!(starts(&sim).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_follows_a_campaign_a_second_attempt_is_refused() {
    let sim = world().await;
    let plain = event("e-1");
    let mut request = plain["request"].clone();
    request["name"] = json!("other");
    let window = json!({ "Regions": "us-east-1", "ResourceGroup": "Web", "SecondAttempt": "true" });
    let of_sample = [("TargetRegionIds", "us-east-1"), ("ResourceGroupName", "Web")];
    let set = ("PATCHFLEET_SECOND_ATTEMPT", "true");
    for (variables, event, at) in [
        (vec![], plain.clone(), "second_attempt = true"),
        (
            vec![],
            json!({ "op": "plan", "event": plain }),
            "event.second_attempt = true",
        ),
        (vec![], window, "SecondAttempt = true"),
        (vec![set], request, "PATCHFLEET_SECOND_ATTEMPT = true"),
        (
            vec![set, of_sample[0], of_sample[1]],
            json!({}),
            "PATCHFLEET_SECOND_ATTEMPT = true",
        ),
    ] {
        let function = cold(&sim, &variables);
        let failure = function
            .handle(Event::from(event), "one", None)
            .await
            .unwrap_err();
        assert_eq!(failure.kind(), FailureKind::InvalidRequest);
        let words = format!("{at}: which nodes a campaign did not reach stands in its log");
        assert!(failure.message().contains(&words), "no {words:?} in {failure}");
        assert!(
            failure.message().contains("PATCHFLEET_LOG has to be set"),
            "{failure}"
        );
    }
    assert_eq!(sim.with_world(|world| world.requests().len()), 0);
}

/// The campaign is over, and its second attempt is not written down yet: nobody could stop it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_between_is_no_success_and_once_it_is_begun_it_is_stopped() {
    let sim = world().await;
    let first = first_over(&sim).await;
    let stop = json!({ "op": "stop", "campaign_id": first });
    let failure = served(&sim, stop.clone()).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Failed);
    assert!(
        failure.message().contains("its second attempt may be planned"),
        "{failure}"
    );

    let begun = asked(&sim, "advance", &first).await;
    assert_eq!(begun["status"], "open", "{begun}");
    let second = &begun["campaign_id"];
    assert_ne!(second, &first);
    let stopped = served(&sim, stop).await.unwrap();
    assert_eq!(&stopped["campaign_id"], second);
    let over = driven(&sim, &begun, is_over).await;
    assert_eq!(
        (&over["campaign_id"], &over["outcome"], &over["exit_code"]),
        (second, &json!("halted"), &json!(5))
    );
    sim.with_world(World::run_until_idle);
    assert_eq!((starts(&sim).len(), installs(&sim)), (1, vec![0, 1, 1]));
    let report = asked(&sim, "report", second).await;
    assert_eq!(
        (&report["outcome"], &report["exit_code"]),
        (&json!("halted"), &json!(5))
    );
}

/// A CloudWatch alarm and a person's topic name no campaign.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_names_no_campaign_stops_a_second_attempt_whenever_it_comes() {
    let sim = world().await;
    let now = || sim.with_world(|world| world.now()).to_string();
    let before = now();
    let begun = started(&sim, event("e-1")).await;
    let in_first = now();
    let answer = driven(&sim, &begun, |answer| answer.get("running").is_none()).await;
    let first = &answer["campaign_id"];
    assert_eq!(first, &begun["campaign_id"]);
    let stop = |published: String| {
        let alarm = json!({ "AlarmName": "web-errors", "NewStateValue": "ALARM" }).to_string();
        json!({ "Records": [{ "EventSource": "aws:sns", "Sns": { "Message": alarm, "Timestamp": published } }] })
    };
    let is_not_stopped = async |stop| {
        let failure = served(&sim, stop).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Failed);
        let words = "its second attempt may be planned";
        assert!(failure.message().contains(words), "{failure}");
    };
    is_not_stopped(json!({ "op": "stop" })).await;
    is_not_stopped(stop(now())).await;
    // One of another request that is open is stopped all the same.
    let mut other = event("e-2");
    other["request"]["name"] = json!("other");
    let other = started(&sim, other).await;
    is_not_stopped(stop(now())).await;
    let other = driven(&sim, &other, is_over).await;
    assert_eq!(
        (&other["status"], &other["exit_code"]),
        (&json!("over"), &json!(5))
    );

    let second = asked(&sim, "advance", first).await;
    assert_eq!(second["status"], "open", "{second}");
    assert_ne!(&second["campaign_id"], first);
    let late = served(&sim, stop(before)).await.unwrap();
    assert_eq!(late["status"], "ignored", "{late}");
    let stopped = served(&sim, stop(in_first)).await.unwrap();
    assert_eq!(stopped["campaign_id"], second["campaign_id"], "{stopped}");
    let over = driven(&sim, &second, is_over).await;
    assert_eq!(over["exit_code"], 5, "{over}");
    sim.with_world(World::run_until_idle);
    assert_eq!((starts(&sim).len(), installs(&sim)), (1, vec![0, 1, 1]));
    let none = served(&sim, json!({ "op": "stop" })).await.unwrap();
    assert_eq!(none["status"], "none_open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_of_the_first_campaign_leaves_no_second_attempt() {
    let sim = world().await;
    let begun = started(&sim, event("e-1")).await;
    asked(&sim, "stop", &begun["campaign_id"]).await;
    let over = driven(&sim, &begun, is_over).await;
    assert_eq!(
        (&over["campaign_id"], &over["exit_code"]),
        (&begun["campaign_id"], &json!(5))
    );
}

/// Another campaign of the request has begun in between.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_came_to_stands_where_the_second_attempt_is_refused() {
    let sim = world().await;
    let first = first_over(&sim).await;
    let mut other = event("e-2");
    other["second_attempt"] = json!(false);
    let other = started(&sim, other).await;
    for _ in 0..2 {
        let answer = asked(&sim, "advance", &first).await;
        assert_eq!(
            (&answer["campaign_id"], &answer["status"], &answer["exit_code"]),
            (&first, &json!("over"), &json!(4))
        );
        let why = answer["not_tried_again"].as_str().unwrap();
        assert!(why.contains(other["campaign_id"].as_str().unwrap()), "{why}");
    }
    let report = asked(&sim, "report", &first).await;
    assert_eq!(
        (&report["outcome"], &report["exit_code"]),
        (&json!("partial"), &json!(4))
    );
    let message = report["message"].as_str().unwrap();
    assert!(
        message.starts_with("What it did not reach was to be tried once more"),
        "{message}"
    );
}

/// The function died once the plan of the second attempt was written down, and then another campaign of the request began.
#[test]
fn what_the_first_came_to_stands_where_another_campaign_took_the_name_of_a_planned_second_attempt() {
    one_thread().block_on(async {
        let sim = world().await;
        let first = first_over(&sim).await;
        let second = first
            .as_str()
            .unwrap()
            .parse::<CampaignId>()
            .unwrap()
            .of_second_attempt();
        let is_planned = || {
            sim.with_world(|world| {
                let mut requests = world.requests().iter();
                requests.any(|call| {
                    call.operation == "PutObject" && call.input.to_string().contains(&second.to_string())
                })
            })
        };
        let advance = json!({ "op": "advance", "campaign_id": first });
        assert!(killed_once(&sim, &advance, is_planned).await, "it is killed");
        let mut other = event("e-2");
        other["second_attempt"] = json!(false);
        let other = started(&sim, other).await;
        for _ in 0..2 {
            let answer = asked(&sim, "advance", &first).await;
            assert_eq!(
                (&answer["campaign_id"], &answer["status"], &answer["exit_code"]),
                (&first, &json!("over"), &json!(4)),
                "{answer}"
            );
        }
        let over = driven(&sim, &other, is_over).await;
        assert_eq!(over["exit_code"], 0, "{over}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_after_the_end_of_the_first_no_second_attempt_begins() {
    let sim = world().await;
    let first = first_over(&sim).await;
    sim.clock().advance(SignedDuration::from_mins(61));
    let answer = asked(&sim, "advance", &first).await;
    assert_eq!(
        (&answer["campaign_id"], &answer["status"], &answer["exit_code"]),
        (&first, &json!("over"), &json!(4))
    );
    let why = answer["not_tried_again"].as_str().unwrap();
    assert!(
        why.contains("no second attempt begins more than 1h later"),
        "{why}"
    );
    assert_eq!(asked(&sim, "stop", &first).await["status"], "over");
    assert_eq!(starts(&sim).len(), 1);
}

/// A state machine tries a call again whose answer was lost, and another one may be under way.
#[tokio::test(flavor = "multi_thread")]
async fn two_calls_at_once_begin_one_second_attempt() {
    let sim = world().await;
    let first = first_over(&sim).await;
    let (one, other) = tokio::join!(asked(&sim, "advance", &first), asked(&sim, "advance", &first));
    assert_eq!(one["campaign_id"], other["campaign_id"]);
    assert_eq!(one["status"], "open", "{one}");
    assert_ne!(one["campaign_id"], first);
    let over = driven(&sim, &other, is_over).await;
    assert_eq!(over["exit_code"], 0, "{over}");
    assert_eq!((starts(&sim).len(), installs(&sim)), (2, vec![1, 1, 1]));
}
