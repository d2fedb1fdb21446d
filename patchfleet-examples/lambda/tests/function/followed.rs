//! Campaigns that are written down, and driven call by call.

use super::killed::{cold, pass, served, small_on, small_request};
use super::several::{everything, patched};
use super::*;
use patchfleet_core::port::Clock as _;
use patchfleet_lambda::{Event, FailureKind};
use patchfleet_sim::spec::FaultSpec;
use std::collections::BTreeSet;

/// A place in a bucket of the calm world.
pub(crate) const LOG: &str = "s3://ops-logs/patchfleet/prod";

/// The time that the function has for a turn, in milliseconds.
const A_TURN: u128 = 3_500;

pub(crate) async fn with_log(sim: &Sim) -> Function {
    Function::start_with(&sim.endpoint(), &[("PATCHFLEET_LOG", LOG)]).await
}

/// Drives a campaign to its end, and gives the last answer. The simulated time passes as the answers say.
pub(crate) async fn drive(sim: &Sim, function: &mut Function, campaign: &Value) -> Value {
    for turn in 0..1_000 {
        let event = json!({ "op": "advance", "campaign_id": campaign, "turn": turn });
        let answer = response(function.invoke_within("advance", event, A_TURN).await);
        assert_eq!(answer["campaign_id"], *campaign);
        assert_eq!(answer["turn"], turn + 1);
        if answer["status"] == "over" {
            return answer;
        }
        let seconds = answer["wait_seconds"].as_i64().unwrap();
        assert!((1..=3_600).contains(&seconds), "{answer}");
        sim.clock().advance(SignedDuration::from_secs(seconds));
    }
    panic!("it does not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_started_driven_and_reported_by_operations() {
    let sim = simulator_at(CALM.world, 2_000.0).await;
    let mut function = with_log(&sim).await;
    // Fewer places than executions, which cannot be fired and forgotten.
    let mut request = everything();
    request["budget"]["locations"]["max_concurrency"] = json!(2);
    let start = json!({ "op": "start", "event": request, "invocation": "execution-1" });
    let begun = response(function.invoke("one", start.clone()).await);
    assert_eq!(begun["status"], "open", "{begun}");
    assert_eq!(begun["wait_seconds"], 1);
    assert_eq!(
        (&begun["candidates"], &begun["locations"]),
        (&json!(45), &json!(19))
    );
    assert_eq!(begun["units"].as_array().unwrap().len(), 4);
    assert!(begun["worst_case"]["starts"].is_u64());
    assert_eq!(starts(&sim), Vec::<Value>::new(), "nothing is started yet");

    // Whoever tries again, in whatever invocation, gets the same campaign.
    let campaign = &begun["campaign_id"];
    let again = response(with_log(&sim).await.invoke("two", start.clone()).await);
    assert_eq!(
        (&again["campaign_id"], &again["status"]),
        (campaign, &json!("open"))
    );

    let over = drive(&sim, &mut function, campaign).await;
    assert_eq!(
        (&over["outcome"], &over["exit_code"]),
        (&json!("succeeded"), &json!(0))
    );
    assert_eq!((starts(&sim).len(), patched(&sim)), (4, 19));

    let after = response(function.invoke("three", start).await);
    assert_eq!(
        (&after["status"], &after["outcome"], &after["exit_code"]),
        (&json!("over"), &json!("succeeded"), &json!(0))
    );
    let report = json!({ "op": "report", "campaign_id": campaign });
    let report = response(function.invoke("four", report).await);
    assert_eq!(
        (&report["status"], &report["exit_code"]),
        (&json!("over"), &json!(0))
    );
    assert_eq!(report["totals"]["locations"], 19);
    assert_eq!(report["locations"].as_array().unwrap().len(), 19);
    let (subject, message) = (
        report["subject"].as_str().unwrap(),
        report["message"].as_str().unwrap(),
    );
    assert!(
        subject.is_ascii() && subject.len() <= 100 && subject.contains("succeeded"),
        "{subject}"
    );
    let whole = format!("`patchfleet report {} --log {LOG}`", campaign.as_str().unwrap());
    assert!(message.contains(&whole), "{message}");
    assert_eq!(starts(&sim).len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_with_nothing_to_do_is_over_once_it_is_started_and_its_log_says_so() {
    let sim = simulator().await;
    let mut function = with_log(&sim).await;
    let mut request = request();
    request["targets"]["accounts"] = json!(["333344445555"]);
    request["policy"] = json!({ "nothing_selected": "succeed" });
    let start = json!({ "op": "start", "event": { "event_id": "e-1", "request": request } });
    let begun = response(function.invoke("one", start).await);
    assert_eq!(
        (&begun["status"], &begun["outcome"], &begun["exit_code"]),
        (&json!("over"), &json!("nothing_to_do"), &json!(0)),
        "{begun}"
    );
    let report = json!({ "op": "report", "campaign_id": begun["campaign_id"] });
    let report = response(function.invoke("two", report).await);
    assert_eq!(
        (&report["status"], &report["outcome"]),
        (&json!("over"), &json!("nothing_to_do"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_event_begins_its_campaign_where_there_is_a_log() {
    let sim = simulator().await;
    let mut function = with_log(&sim).await;
    let begun = response(function.invoke("window", payload()).await);
    assert_eq!(
        (&begun["status"], &begun["locations"]),
        (&json!("open"), &json!(2))
    );
    assert_eq!(starts(&sim), Vec::<Value>::new());
    let again = response(function.invoke("again", payload()).await);
    assert_eq!(again["campaign_id"], begun["campaign_id"]);
    assert_eq!(
        drive(&sim, &mut function, &begun["campaign_id"]).await["exit_code"],
        0
    );
    assert_eq!(starts(&sim).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_campaign_of_an_open_ones_name_is_refused_and_named() {
    let sim = simulator().await;
    let mut function = with_log(&sim).await;
    let event = |id: &str| json!({ "op": "start", "event": { "event_id": id, "request": request() } });
    let first = response(function.invoke("one", event("e-1")).await);
    let (kind, message) = error(function.invoke("two", event("e-2")).await);
    assert_eq!(kind, "Refused");
    let open = first["campaign_id"].as_str().unwrap();
    assert!(
        message.contains(open) && message.contains(&format!("--log {LOG}")),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_last_week_starts_nothing_where_there_is_a_log_and_is_no_success() {
    let sim = simulator().await;
    let world = sim.with_world(|world| world.now());
    let clock = std::sync::Arc::new(sim.clock());
    let settings = patchfleet_lambda::Settings::of(|name| (name == "PATCHFLEET_LOG").then(|| LOG.to_owned()));
    let config = patchfleet_aws::simulated_config(&sim.endpoint(), &"us-east-1".parse().unwrap());
    let function = patchfleet_lambda::Function::new(config, settings).on_clock(clock);
    let event = json!({ "op": "start", "event": { "event_id": "weekly", "request": request() } });
    function.handle(event.clone().into(), "one", None).await.unwrap();
    sim.clock().advance(SignedDuration::from_hours(7 * 24));
    let failure = function.handle(event.into(), "two", None).await.unwrap_err();
    assert_eq!(failure.kind(), patchfleet_lambda::FailureKind::Refused);
    assert!(failure.message().contains("7d"), "{failure}");
    assert!(sim.with_world(|world| world.now()) > world);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_operation_is_told_at_once_and_nothing_is_begun() {
    let sim = simulator().await;
    let mut function = Function::start(&sim.endpoint()).await;
    let mut told = async |event: Value, parts: &[&str]| {
        let (kind, message) = error(function.invoke("one", event.clone()).await);
        assert_eq!(kind, "InvalidRequest", "{event}: {message}");
        for part in parts {
            assert!(message.contains(part), "no {part} in {message}");
        }
    };
    let names = ["one of plan, start, advance"];
    told(json!({ "op": "begin", "campaign_id": 1 }), &names).await;
    told(json!({ "op": 7 }), &names).await;
    let wrong = json!({ "op": "start", "event": { "event_id": 7, "request": { "name": "x" } }, "invocation": {}, "campaign_id": "x" });
    let parts = [
        "PATCHFLEET_LOG",
        "event.event_id = 7",
        "event.request.targets",
        "invocation",
        "campaign_id = \"x\": no such field",
    ];
    told(wrong, &parts).await;
    let parts = [
        "campaign_id = \"weekly\"",
        "turn = -1",
        "colour",
        "PATCHFLEET_LOG",
    ];
    told(
        json!({ "op": "advance", "campaign_id": "weekly", "turn": -1, "colour": "red" }),
        &parts,
    )
    .await;
    told(json!({ "op": "start" }), &["[missing] event"]).await;
    told(json!({ "op": "plan", "event": { "op": "plan" } }), &["event.op"]).await;
    let mut function = with_log(&sim).await;
    let unknown = json!({ "op": "advance", "campaign_id": SOMEBODY });
    let (kind, message) = error(function.invoke("two", unknown).await);
    assert_eq!(kind, "InvalidRequest");
    assert!(message.contains(SOMEBODY) && message.contains(LOG), "{message}");
    assert_eq!(starts(&sim), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_planned_and_nothing_is_begun_or_written_down() {
    let sim = simulator().await;
    let mut function = Function::start(&sim.endpoint()).await;
    let planned = json!({ "op": "plan", "event": { "event_id": "e-1", "request": everything() } });
    let planned = response(function.invoke("one", planned).await);
    assert_eq!(
        (&planned["candidates"], &planned["locations"]),
        (&json!(45), &json!(19))
    );
    let skipped = planned["skipped"].as_array().unwrap();
    let reasons: BTreeSet<&str> = skipped
        .iter()
        .map(|skip| skip["reason"].as_str().unwrap())
        .collect();
    assert!(reasons.contains("empty"), "{reasons:?}");
    assert_eq!(starts(&sim), Vec::<Value>::new());
    let written = sim.with_world(|world| world.object_keys("ops-logs").count());
    assert_eq!(written, 0);

    // What the event alone could not begin here is no plan: nobody would begin the executions that wait.
    let mut waits = everything();
    waits["budget"]["locations"]["max_concurrency"] = json!(1);
    let event = json!({ "event_id": "e-1", "request": waits });
    let alone = error(function.invoke("alone", event.clone()).await);
    let planned = error(
        function
            .invoke("planned", json!({ "op": "plan", "event": event }))
            .await,
    );
    assert_eq!(
        (&*planned.0, planned.1.contains("PATCHFLEET_LOG")),
        ("Refused", true),
        "{}",
        planned.1
    );
    assert_eq!(planned, alone);

    let mut nowhere = request();
    nowhere["targets"]["regions"] = json!(["us-east-9"]);
    let (kind, _) = error(
        function
            .invoke("two", json!({ "op": "plan", "event": nowhere }))
            .await,
    );
    assert_eq!(kind, "Refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_over_an_hour_ago_is_not_begun_and_what_was_begun_in_time_goes_on() {
    let sim = simulator().await;
    let asked = |asked_at: Value| json!({ "op": "start", "asked_at": asked_at, "event": { "event_id": "e-1", "request": request() } });
    let (now, hour) = (sim.clock().now(), SignedDuration::from_hours(1));
    let mut function = with_log(&sim).await;
    // The function goes by the system's clock.
    let system = jiff::Timestamp::now();
    let late = (system - hour - SignedDuration::from_secs(60)).to_string();
    let (kind, message) = error(function.invoke("one", asked(json!(late))).await);
    assert_eq!(kind, "Refused");
    assert!(message.contains("it was asked 1h 1m ago"), "{message}");
    assert_eq!(sim.with_world(|world| world.object_keys("ops-logs").count()), 0);
    let (kind, message) = error(function.invoke("two", asked(json!("tonight"))).await);
    assert_eq!(kind, "InvalidRequest");
    assert!(message.contains("asked_at = \"tonight\""), "{message}");
    let begun = response(function.invoke("three", asked(json!(system.to_string()))).await);
    assert_eq!(begun["status"], "open");
    let again = response(function.invoke("four", asked(json!(late))).await);
    assert_eq!(again["campaign_id"], begun["campaign_id"]);
    assert!(sim.clock().now() >= now);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_plan_warned_of_stands_in_the_message_that_a_person_gets() {
    let sim = simulator().await;
    let mut function = with_log(&sim).await;
    let begun = response(function.invoke("window", payload()).await);
    let warnings = begun["warnings"].as_array().unwrap();
    assert!(!warnings.is_empty(), "{begun}");
    let report = json!({ "op": "report", "campaign_id": begun["campaign_id"] });
    let report = response(function.invoke("report", report).await);
    let message = report["message"].as_str().unwrap();
    let (_, warned) = message.split_once("\nThe plan warned:\n").unwrap();
    assert_eq!(warned.lines().count(), warnings.len(), "{warned}");
    let first = warnings[0].as_str().unwrap();
    let beginning: String = first.chars().take(60).collect();
    assert!(warned.starts_with(&format!("- {beginning}")), "{warned}");
}

/// A driver gives up what fails for long enough. It counts anew in each call, so a campaign whose calls are shorter than that
/// would stay open, and whoever calls the function would hear that all is well.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_which_a_campaign_came_no_further_because_something_fails_is_a_failure_that_names_it() {
    let sim = small_on(ClockMode::Scaled(20.0)).await;
    let start = json!({ "op": "start", "event": { "event_id": "e-1", "request": small_request() } });
    let begun = served(&sim, start).await.unwrap();
    let advance = json!({ "op": "advance", "campaign_id": begun["campaign_id"] });
    let advance = async || {
        let function = cold(&sim, &[("PATCHFLEET_LOG", LOG)]);
        let deadline = sim.clock().now() + SignedDuration::from_secs(100);
        function
            .handle(Event::from(advance.clone()), "one", Some(deadline))
            .await
    };
    let fails: FaultSpec =
        serde_json::from_value(json!({ "effect": "internal_error", "operations": ["ssm:GetDocument"] }))
            .unwrap();
    sim.with_world(|world| world.add_fault(fails).unwrap());
    for _ in 0..2 {
        let failure = advance().await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Failed, "{failure}");
        for part in [
            "came no further in this call",
            "comparing the runbook of unit 1",
            LOG,
        ] {
            assert!(failure.message().contains(part), "no {part} in {failure}");
        }
    }
    assert_eq!(starts(&sim), Vec::<Value>::new());
    // Once it works, so does the campaign.
    sim.with_world(World::clear_faults);
    let answer = serde_json::to_value(advance().await.unwrap()).unwrap();
    assert_eq!(answer["status"], "open", "{answer}");
    assert_eq!(starts(&sim).len(), 1);
}

/// Nobody watches a function that waits, so whoever calls it has to hear that nothing begins.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_whose_campaign_waits_for_an_alarm_that_cannot_be_read_fails_its_call() {
    let world = format!("{}[[alarms]]\nname = \"web errors\"\n", super::killed::WORLD);
    let options = SimOptions {
        clock: ClockMode::Jump,
        ..SimOptions::default()
    };
    let sim = Sim::start(World::parse(&world).unwrap(), options).await.unwrap();
    let mut request = small_request();
    request["breaker"] = json!({ "alarm": "web errors" });
    let start = json!({ "op": "start", "event": { "event_id": "e-1", "request": request } });
    let begun = served(&sim, start).await.unwrap();
    let advance = json!({ "op": "advance", "campaign_id": begun["campaign_id"] });
    let denied: FaultSpec =
        serde_json::from_value(json!({ "effect": "deny", "operations": ["cloudwatch:DescribeAlarms"] }))
            .unwrap();
    sim.with_world(|world| world.add_fault(denied).unwrap());
    for _ in 0..2 {
        let failure = served(&sim, advance.clone()).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Failed, "{failure}");
        for part in ["came no further in this call", "cloudwatch:DescribeAlarms", LOG] {
            assert!(failure.message().contains(part), "no {part} in {failure}");
        }
    }
    assert_eq!(starts(&sim), Vec::<Value>::new());
    // Once it can be read, the campaign goes on.
    sim.with_world(World::clear_faults);
    sim.clock().advance(SignedDuration::from_mins(2));
    loop {
        // How far one call comes depends on the machine.
        let answer = served(&sim, advance.clone()).await.unwrap();
        if answer["status"] == "over" {
            assert_eq!(answer["exit_code"], 0, "{answer}");
            break;
        }
        pass(&sim, &answer);
    }
}

/// What a campaign took that is driven by calls of a minute.
#[derive(Debug)]
#[expect(dead_code, reason = "all of it is shown")]
struct Took {
    calls: usize,
    longest: std::time::Duration,
    /// Objects that were read of the bucket.
    read: usize,
    /// Objects that were written.
    written: usize,
    listed: usize,
}

/// Drives a campaign of so many accounts with five Regions each by calls that have 60 s, in a world that is so many times
/// faster.
async fn with_a_minute_a_call(accounts: u64, speed: f64) -> Took {
    let world = format!("buckets = [\"ops-logs\"]\n{}", sample::large_of(accounts));
    let sim = simulator_at(&world, speed).await;
    let mut function = with_log(&sim).await;
    let (mut calls, mut longest) = (0, std::time::Duration::ZERO);
    let mut call = async |event: Value| {
        let began = std::time::Instant::now();
        let answer = response(function.invoke_within("call", event, 60_000).await);
        calls += 1;
        longest = longest.max(began.elapsed());
        answer
    };
    let request = json!({
        "name": "large", "patch": { "operation": "Install" },
        "targets": { "resource_group": "WebServers", "accounts": ["r-la01"], "exclude_accounts": ["111111111111"],
                     "regions": ["us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1"] },
        "budget": { "nodes": { "max_concurrency": 1, "max_errors": 1 },
                    "locations": { "max_concurrency": "25%", "max_errors": "10%" } },
    });
    let begun = call(json!({ "op": "start", "event": { "event_id": "e-1", "request": request } })).await;
    assert!(begun["units"].as_array().unwrap().len() > 2, "{begun}");
    let advance = json!({ "op": "advance", "campaign_id": begun["campaign_id"] });
    loop {
        let answer = call(advance.clone()).await;
        if answer["status"] == "over" {
            assert_eq!(answer["exit_code"], 0, "{answer}");
            break;
        }
        sim.clock().advance(SignedDuration::from_secs(
            answer["wait_seconds"].as_i64().unwrap(),
        ));
    }
    let report = call(json!({ "op": "report", "campaign_id": begun["campaign_id"] })).await;
    assert!(report.to_string().len() < 200 * 1024);
    assert_eq!(report["totals"]["locations"], begun["locations"]);
    assert_eq!(
        patched(&sim),
        usize::try_from(begun["locations"].as_u64().unwrap()).unwrap()
    );
    let asked = |operation: &str| {
        sim.with_world(|world| {
            let requests = world.requests().iter();
            requests.filter(|request| request.operation == operation).count()
        })
    };
    Took {
        calls,
        longest,
        read: asked("GetObject"),
        written: asked("PutObject"),
        listed: asked("ListObjectsV2"),
    }
}

/// A function that is called again reads of the log only what is new.
#[tokio::test(flavor = "multi_thread")]
async fn many_locations_are_patched_by_calls_of_a_minute_and_each_reads_only_what_is_new() {
    let took = with_a_minute_a_call(6, 600.0).await;
    println!("{took:?}");
    // Each call looks a few times beyond the end of the campaign's log and of its name's. Without what is kept, each
    // reads all records twice that were written before it.
    assert!(took.read <= 10 * took.calls, "{took:?}");
}

/// What 600 locations take: `cargo test --test function six_hundred -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; the test before this one does the same with 30 locations"]
async fn six_hundred_locations_are_patched_by_calls_of_a_minute() {
    let took = with_a_minute_a_call(120, 60.0).await;
    println!("{took:?}");
    assert!(took.read <= 10 * took.calls, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_bucket_takes_nothing_a_start_that_runs_out_of_time_says_so() {
    let sim = small_on(ClockMode::Scaled(60.0)).await;
    sim.with_world(|world| {
        let fault = FaultSpec {
            operations: vec!["s3:PutObject".to_owned()],
            calls: (3..1_000).collect(),
            ..FaultSpec::new(patchfleet_sim::spec::FaultEffect::InternalError)
        };
        world.add_fault(fault).unwrap();
    });
    let start = json!({ "op": "start", "event": { "event_id": "e-1", "request": small_request() } });
    let deadline = sim.with_world(|world| world.now()) + SignedDuration::from_mins(3);
    let failure = super::killed::served_until(&sim, start, Some(deadline))
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Failed, "{failure}");
    let message = failure.message();
    assert!(
        message.contains("PutObject") && !message.contains("longer timeout"),
        "{message}"
    );
}
