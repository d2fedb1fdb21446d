//! Plans of several executions, which are all started and left to Systems Manager.

use super::*;
use std::collections::BTreeMap;

/// The whole organization of the calm world, whose 19 locations with nodes form no rectangle.
pub(crate) fn everything() -> Value {
    let request = PatchRequest::parse(CALM.request.as_bytes(), Format::Toml).unwrap();
    serde_json::to_value(request).unwrap()
}

/// How often each location was started, by what Systems Manager runs.
fn started(sim: &Sim) -> BTreeMap<String, u32> {
    let executions = sim.with_world(|world| world.state()["executions"].clone());
    let mut started = BTreeMap::new();
    for execution in executions.as_array().unwrap() {
        for target in execution["target_locations"].as_array().unwrap() {
            for account in target["Accounts"].as_array().unwrap() {
                for region in target["Regions"].as_array().unwrap() {
                    let place = format!("{}/{}", account.as_str().unwrap(), region.as_str().unwrap());
                    *started.entry(place).or_default() += 1;
                }
            }
        }
    }
    started
}

/// The locations in which some node was patched.
pub(crate) fn patched(sim: &Sim) -> usize {
    sim.with_world(|world| {
        let patched = world.nodes().filter(|node| node.installs() > 0);
        let places: std::collections::BTreeSet<String> =
            patched.map(|node| node.location().to_string()).collect();
        places.len()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_location_of_a_plan_without_a_rectangle_is_patched() {
    let sim = simulator().await;
    let mut function = Function::start(&sim.endpoint()).await;
    let summary = response(function.invoke("first", everything()).await);
    assert_eq!(summary["outcome"], "started");
    assert_eq!(summary["locations"], 19);
    let executions = summary["executions"].as_array().unwrap();
    assert_eq!(executions.len(), 4);
    let sum = |field: &str| {
        executions
            .iter()
            .map(|one| one[field].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(
        (sum("locations"), sum("max_concurrency"), sum("max_errors")),
        (19, 10, 1)
    );
    assert!(
        summary["warnings"].to_string().contains("shared out"),
        "{}",
        summary["warnings"]
    );
    assert_eq!(started(&sim).len(), 19);
    assert!(started(&sim).values().all(|&n| n == 1));

    let again = response(function.invoke("first", everything()).await);
    assert_eq!(again["outcome"], "already_started");
    assert_eq!(again["locations"], 19);
    assert_eq!(again["executions"].as_array().unwrap().len(), 4);
    assert_eq!(starts(&sim).len(), 4);
    sim.with_world(World::run_until_idle);
    assert_eq!(patched(&sim), 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_ends_half_way_says_what_is_not_begun_and_the_next_one_begins_it() {
    let sim = simulator_of(&format!(
        "{}\n[[faults]]\neffect = \"deny\"\noperations = [\"ssm:StartAutomationExecution\"]\n\
         accounts = [\"111122223333\"]\ncalls = [3, 4]\n",
        CALM.world
    ))
    .await;
    let mut function = Function::start(&sim.endpoint()).await;
    let event = json!({ "event_id": "event-7", "request": everything() });
    let (kind, message) = error(function.invoke("one", event.clone()).await);
    assert_eq!(kind, "Unfinished");
    for words in [
        "not everything was started: 2 executions run",
        "AccessDenied",
        "Not begun: 555566667777/ap-southeast-2",
        "666677778888/eu-west-1",
    ] {
        assert!(message.contains(words), "no {words} in {message}");
    }
    let patched_first = started(&sim);
    assert!(patched_first.len() < 19);
    for place in patched_first.keys() {
        let (_, not_begun) = message.split_once("Not begun: ").unwrap();
        assert!(!not_begun.contains(place), "{place} in {message}");
    }

    sim.with_world(World::clear_faults);
    let summary = response(Function::start(&sim.endpoint()).await.invoke("two", event).await);
    assert_eq!(summary["outcome"], "started");
    assert_eq!(summary["executions"].as_array().unwrap().len(), 4);
    assert!(started(&sim).values().all(|&n| n == 1));
    assert_eq!(started(&sim).len(), 19);
    sim.with_world(World::run_until_idle);
    assert_eq!(patched(&sim), 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_has_no_time_starts_nothing_and_says_so() {
    let sim = simulator().await;
    let mut function = Function::start(&sim.endpoint()).await;
    let (kind, message) = error(function.invoke_within("short", everything(), 0).await);
    assert_eq!(kind, "Failed");
    assert!(
        message.contains("nothing was started") && message.contains("a longer timeout"),
        "{message}"
    );
    assert_eq!(starts(&sim), Vec::<Value>::new());
}
