//! Functions that are killed, and called twice at once, in the simulator's own truth.

use super::followed::LOG;
use super::*;
use jiff::Timestamp;
use patchfleet_aws::simulated_config;
use patchfleet_lambda::{Event, Failure, Settings};
use std::sync::Arc;
use std::time::Duration;

/// Four locations with nodes that form no rectangle, so there are two executions. They run one after the other.
pub(crate) const WORLD: &str = r#"
management_account = "111111111111"
documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
buckets = ["ops-logs"]
patch = { minutes = 3.0, reboot_minutes = 1.0 }
accounts = [
    { id = "111111111111", name = "Main" },
    { id = "222222222222", name = "Two" },
    { id = "333333333333", name = "Three" },
]
[[groups]]
name = "Web"
accounts = ["222222222222", "333333333333"]
regions = ["us-east-1"]
nodes = [{ count = 2 }]
[[groups]]
name = "Web"
accounts = ["222222222222"]
regions = ["eu-west-1", "us-west-2"]
nodes = [{ count = 2 }]
"#;

pub(crate) fn small_request() -> Value {
    json!({
        "name": "web", "patch": { "operation": "Install" },
        "targets": {
            "resource_group": "Web", "accounts": ["222222222222", "333333333333"],
            "regions": ["us-east-1", "us-west-2", "eu-west-1"],
        },
        "policy": { "group_missing": "skip" },
        "budget": { "nodes": { "max_concurrency": "50%", "max_errors": 1 },
                    "locations": { "max_concurrency": 1, "max_errors": 1 } },
    })
}

/// A simulator whose time moves when somebody waits.
pub(crate) async fn small() -> Sim {
    small_on(ClockMode::Jump).await
}

/// The same, whose time moves so.
pub(crate) async fn small_on(clock: ClockMode) -> Sim {
    let options = SimOptions {
        clock,
        ..SimOptions::default()
    };
    Sim::start(World::parse(WORLD).unwrap(), options).await.unwrap()
}

/// A function in this process, as after a cold start. It waits by the simulator's clock.
pub(crate) fn cold(sim: &Sim, variables: &[(&str, &str)]) -> patchfleet_lambda::Function {
    let settings = Settings::of(|name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    });
    let retries = aws_config::retry::RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
    let config = simulated_config(&sim.endpoint(), &"us-east-1".parse().unwrap());
    let config = config.to_builder().retry_config(retries).build();
    patchfleet_lambda::Function::new(config, settings).on_clock(Arc::new(sim.clock()))
}

/// Serves one event.
pub(crate) async fn served(sim: &Sim, event: Value) -> Result<Value, Failure> {
    served_until(sim, event, None).await
}

/// Serves one event as a function whose time is over then.
pub(crate) async fn served_until(
    sim: &Sim,
    event: Value,
    deadline: Option<Timestamp>,
) -> Result<Value, Failure> {
    let function = cold(sim, &[("PATCHFLEET_LOG", LOG)]);
    let answer = function.handle(Event::from(event), "one", deadline).await?;
    Ok(serde_json::to_value(answer).unwrap())
}

pub(crate) fn calls(sim: &Sim) -> usize {
    sim.with_world(|world| world.requests().len())
}

/// Serves one event, and is killed once the simulator has had so many calls in all. The last one has taken effect, and
/// most often its answer is lost.
async fn killed(sim: &Sim, event: &Value, at: usize) -> Option<Value> {
    tokio::select! {
        biased;
        () = async {
            while calls(sim) < at {
                tokio::task::yield_now().await;
            }
        } => None,
        answer = served(sim, event.clone()) => Some(answer.unwrap()),
    }
}

/// Delivers an event twice at once, again and again, and kills both functions some calls later each time. Gives an answer of those that were not killed.
async fn killed_ever_later(sim: &Sim, event: &Value, from: usize, step: usize, grows: bool) -> Value {
    let (mut budget, mut step) = (from, step);
    loop {
        let at = calls(sim) + budget;
        let (one, other) = tokio::join!(killed(sim, event, at), killed(sim, event, at));
        if let Some(answer) = one.or(other) {
            return answer;
        }
        budget += step;
        if grows {
            step *= 2;
        }
    }
}

/// What is left of the simulator's truth without what AWS makes up, such as ids, and without times.
pub(crate) fn truth(sim: &Sim) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|key, value| {
                    let is_time = value
                        .as_str()
                        .is_some_and(|text| text.parse::<Timestamp>().is_ok());
                    let is_made_up =
                        ["execution_id", "command_id", "parent", "child", "command"].contains(&&**key);
                    !is_time && !is_made_up
                });
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => {
                items.iter_mut().for_each(strip);
                items.sort_by_key(Value::to_string);
            }
            _ => {}
        }
    }
    let state = sim.with_world(|world| {
        world.run_until_idle();
        world.state()
    });
    let mut truth = json!({
        "executions": state["executions"], "commands": state["commands"], "nodes": state["nodes"],
    });
    strip(&mut truth);
    truth
}

pub(crate) fn pass(sim: &Sim, answer: &Value) {
    let seconds = answer["wait_seconds"].as_i64().unwrap();
    sim.clock().advance(SignedDuration::from_secs(seconds));
}

/// The report, without its times.
pub(crate) async fn reported(sim: &Sim, campaign: &Value) -> Value {
    let mut report = served(sim, json!({ "op": "report", "campaign_id": campaign }))
        .await
        .unwrap();
    for key in ["message", "executions"] {
        report.as_object_mut().unwrap().remove(key);
        let second = report.get_mut("second_attempt").and_then(Value::as_object_mut);
        second.map(|second| second.remove(key));
    }
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_killed_ever_later_and_called_twice_each_time_leaves_the_same_behind() {
    let start = json!({ "op": "start", "event": { "event_id": "e-1", "request": small_request() } });
    let advance = |campaign: &Value| json!({ "op": "advance", "campaign_id": campaign });

    let sim = small().await;
    let begun = served(&sim, start.clone()).await.unwrap();
    let campaign = &begun["campaign_id"];
    loop {
        let answer = served(&sim, advance(campaign)).await.unwrap();
        if answer["status"] == "over" {
            assert_eq!(answer["exit_code"], 0, "{answer}");
            break;
        }
        pass(&sim, &answer);
    }
    let (undisturbed, report) = (truth(&sim), reported(&sim, campaign).await);
    assert_eq!(undisturbed["commands"].as_array().unwrap().len(), 4);

    let sim = small().await;
    let begun = killed_ever_later(&sim, &start, 1, 2, false).await;
    assert_eq!(&begun["campaign_id"], campaign);
    for turn in 0.. {
        assert!(turn < 200, "it does not end");
        // The first turns begin something. Together with the different beginnings, no call is passed over for long.
        let step = if turn < 3 { 8 } else { 32 };
        let from = 1 + turn * 7 % step;
        let answer = killed_ever_later(&sim, &advance(campaign), from, step, turn >= 3).await;
        if answer["status"] == "over" {
            break;
        }
        pass(&sim, &answer);
    }
    assert_eq!(starts(&sim).len(), 2, "each start was sent once");
    assert_eq!(truth(&sim), undisturbed);
    assert_eq!(reported(&sim, campaign).await, report);
}
