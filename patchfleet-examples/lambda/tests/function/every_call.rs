//! Functions that are killed at each call that they make, in the simulator's own truth.
//!
//! A campaign runs undisturbed in calls of a minute, and the world is copied before each. Then each is run again from its copy
//! once for each call that it makes, killed at that one, delivered again twice at once, and the campaign driven to its end. A call
//! that asks the same as one before, with nothing changed by the function in between, is left out, as polls are.

use super::killed::{calls, pass, reported, served_until, truth};
use super::*;
use patchfleet_lambda::Failure;
use patchfleet_sim::world::RequestRecord;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Two locations, which form no rectangle: two executions, one after the other. The first has so many nodes, patched one after
/// the other, and a node takes so many minutes.
fn world(nodes: u32, minutes: f64) -> World {
    let text = format!(
        r#"
management_account = "111111111111"
documents = [{{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }}]
buckets = ["ops-logs"]
patch = {{ minutes = {minutes:?}, reboot_minutes = 0.1 }}
accounts = [
    {{ id = "111111111111", name = "Main" }},
    {{ id = "222222222222", name = "Two" }},
    {{ id = "333333333333", name = "Three" }},
]
[[groups]]
name = "Web"
accounts = ["222222222222"]
regions = ["us-east-1"]
nodes = [{{ count = {nodes} }}]
[[groups]]
name = "Web"
accounts = ["333333333333"]
regions = ["eu-west-1"]
nodes = [{{ count = 1 }}]
"#
    );
    World::parse(&text).unwrap()
}

fn start() -> Value {
    let request = json!({
        "name": "web", "patch": { "operation": "Install" },
        "targets": {
            "resource_group": "Web", "accounts": ["222222222222", "333333333333"],
            "regions": ["us-east-1", "eu-west-1"],
        },
        "policy": { "group_missing": "skip" },
        "budget": { "nodes": { "max_concurrency": 1 }, "locations": { "max_concurrency": 1 } },
    });
    json!({ "op": "start", "event": { "event_id": "e-1", "request": request } })
}

fn of(operation: &str, campaign: &Value) -> Value {
    json!({ "op": operation, "campaign_id": campaign })
}

async fn simulator_of(world: World) -> Sim {
    let options = SimOptions {
        clock: ClockMode::Jump,
        ..SimOptions::default()
    };
    Sim::start(world, options).await.unwrap()
}

/// Serves one event as a function that has a minute.
async fn served(sim: &Sim, event: Value) -> Result<Value, Failure> {
    let deadline = sim.with_world(|world| world.now()) + SignedDuration::from_mins(1);
    served_until(sim, event, Some(deadline)).await
}

/// A call of the function: its event, the world before it, and the numbers of its own calls at which it is killed.
struct Turn {
    event: Value,
    before: World,
    places: Vec<usize>,
}

/// The numbers of these calls, but for those that ask once more what was asked since something was last changed, as polls do.
fn places(calls: &[RequestRecord]) -> Vec<usize> {
    let (mut changes, mut asked) = (0, BTreeSet::new());
    let is_new = |call: &RequestRecord| {
        let looks = ["Get", "List", "Describe", "Head", "AssumeRole"];
        if !looks.iter().any(|verb| call.operation.starts_with(verb)) {
            changes += 1;
            return true;
        }
        let whom = (call.operation.clone(), call.account.clone(), call.region.clone());
        asked.insert((changes, whom, call.input.to_string()))
    };
    let new: Vec<_> = calls.iter().map(is_new).collect();
    (1..)
        .zip(new)
        .filter_map(|(number, is_new)| is_new.then_some(number))
        .collect()
}

/// A campaign that nothing disturbs.
struct Undisturbed {
    /// It, or its second attempt.
    campaign: Value,
    turns: Vec<Turn>,
    truth: Value,
    report: Value,
}

/// Serves an event, and is killed once this holds. The last call has taken effect, and most often its answer is lost. Gives
/// whether it was killed before it answered.
pub(crate) async fn killed_once(sim: &Sim, event: &Value, holds: impl Fn() -> bool) -> bool {
    tokio::select! {
        biased;
        () = async {
            while !holds() {
                tokio::task::yield_now().await;
            }
        } => true,
        _ = served(sim, event.clone()) => false,
    }
}

/// Serves an event, and keeps how the world was before.
async fn kept(sim: &Sim, event: Value, turns: &mut Vec<Turn>) -> Value {
    let before = sim.with_world(|world| world.clone());
    let made = calls(sim);
    let answer = served(sim, event.clone()).await.unwrap();
    turns.push(Turn {
        event,
        before,
        places: sim.with_world(|world| places(world.requests().get(made..).unwrap())),
    });
    answer
}

/// One thread for the function and the simulator. With more, the time that passes while a call is under way depends on the
/// machine: whoever waits beside the call moves the clock.
pub(crate) fn one_thread() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap()
}

/// Runs the campaign as the state machine does. If it is to be stopped, a person stops it once the first node is at work.
async fn undisturbed(world: World, start: Value, is_stopped: bool) -> Undisturbed {
    let sim = simulator_of(world).await;
    let mut turns = vec![];
    let begun = kept(&sim, start, &mut turns).await;
    let mut campaign = begun["campaign_id"].clone();
    let mut event = of("advance", &campaign);
    if is_stopped {
        let is_at_work = || nodes_begun(&sim.with_world(|world| world.state())) > 0;
        assert!(killed_once(&sim, &event, is_at_work).await);
        event = of("stop", &campaign);
    }
    for turn in 0.. {
        assert!(turn < 100, "it does not end");
        let answer = kept(&sim, event, &mut turns).await;
        // A campaign that is over may be followed by its second attempt.
        campaign = answer["campaign_id"].clone();
        if answer["status"] == "over" {
            break;
        }
        pass(&sim, &answer);
        event = of("advance", &campaign);
    }
    kept(&sim, of("report", &campaign), &mut turns).await;
    Undisturbed {
        truth: truth(&sim),
        report: reported(&sim, &campaign).await,
        campaign,
        turns,
    }
}

/// Runs a turn again from its copy of the world, kills it at its call of this number, and has it delivered again, twice at
/// once. Then the campaign goes on to its end.
async fn killed_at(all: &Undisturbed, turn: &Turn, call: usize) -> Left {
    let sim = simulator_of(turn.before.clone()).await;
    let at = calls(&sim) + call;
    let was_killed = killed_once(&sim, &turn.event, || calls(&sim) >= at).await;
    let (one, other) = tokio::join!(served(&sim, turn.event.clone()), served(&sim, turn.event.clone()));
    let (mut answer, _) = (one.unwrap(), other.unwrap());
    for turn in 0.. {
        assert!(turn < 100, "it does not end");
        if answer["status"] == "over" {
            break;
        }
        pass(&sim, &answer);
        answer = served(&sim, of("advance", &answer["campaign_id"])).await.unwrap();
    }
    Left {
        was_killed,
        place: format!("killed at call {call} of {}", turn.event),
        report: reported(&sim, &all.campaign).await,
        truth: truth(&sim),
    }
}

/// What a campaign left behind.
struct Left {
    was_killed: bool,
    place: String,
    truth: Value,
    report: Value,
}

/// Kills each of these turns at each of its places, of which there are so many at least, on as many threads as there are cores.
fn killed_everywhere(all: &Undisturbed, turns: &[Turn], least: usize, check: impl Fn(&Left) + Sync) {
    let places: Vec<(&Turn, usize)> = turns
        .iter()
        .flat_map(|turn| turn.places.iter().map(move |call| (turn, *call)))
        .collect();
    let (next, kills) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let runtime = one_thread();
        while let Some((turn, call)) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
            let left = runtime.block_on(killed_at(all, turn, *call));
            kills.fetch_add(usize::from(left.was_killed), Ordering::Relaxed);
            check(&left);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    // A turn may make a call less than before, and is then over.
    assert!(all.turns.iter().all(|turn| !turn.places.is_empty()));
    let (kills, places) = (kills.into_inner(), places.len());
    assert!(places >= least, "{places} places");
    assert!(kills * 20 >= places * 19, "{kills} kills at {places} places");
    println!("{kills} kills");
}

/// How many nodes were begun.
fn nodes_begun(truth: &Value) -> usize {
    let commands = truth["commands"].as_array().unwrap().iter();
    let invocations = commands.flat_map(|command| command["invocations"].as_array().unwrap());
    // The truth has no times. A node that was not begun has `null`.
    invocations
        .filter(|one| one.get("started") != Some(&Value::Null))
        .count()
}

/// How many executions were started in the central account.
fn parents(truth: &Value) -> usize {
    let executions = truth["executions"].as_array().unwrap().iter();
    executions.filter(|one| one["account"] == "111111111111").count()
}

/// The operations in turn.
fn course(all: &Undisturbed) -> Vec<&str> {
    let turns = all.turns.iter();
    turns.map(|turn| turn.event["op"].as_str().unwrap()).collect()
}

#[test]
fn killed_at_any_call_and_delivered_twice_the_function_leaves_the_same_behind() {
    let runtime = one_thread();
    let all = runtime.block_on(undisturbed(world(1, 0.5), start(), false));
    assert_eq!(course(&all), ["start", "advance", "advance", "report"]);
    assert_eq!(all.report["exit_code"], 0, "{}", all.report);
    assert_eq!(all.truth["commands"].as_array().unwrap().len(), 2);
    killed_everywhere(&all, &all.turns, 80, |left| {
        assert_eq!(left.truth, all.truth, "{}", left.place);
        assert_eq!(left.report, all.report, "{}", left.place);
    });
}

#[test]
fn killed_at_any_call_of_a_stop_and_after_it_the_function_begins_nothing_more() {
    let runtime = one_thread();
    let all = runtime.block_on(undisturbed(world(3, 0.3), start(), true));
    assert_eq!(
        course(&all),
        ["start", "stop", "advance", "advance", "advance", "report"]
    );
    // The first of three nodes was at work, and comes to its end. The others of its command are never begun, nor is the second
    // execution.
    let is_stopped = |truth: &Value, report: &Value| {
        let count = |list: &str| truth[list].as_array().map(Vec::len);
        let told = (
            &report["outcome"],
            &report["exit_code"],
            &report["totals"]["locations"],
        );
        told == (&json!("halted"), &json!(5), &json!(2))
            && count("commands") == Some(1)
            && nodes_begun(truth) == 1
            && parents(truth) == 1
    };
    assert!(is_stopped(&all.truth, &all.report), "{}", all.report);
    killed_everywhere(&all, &all.turns[1..], 80, |left| {
        assert!(
            is_stopped(&left.truth, &left.report),
            "{}: {} {}",
            left.place,
            left.report,
            left.truth
        );
    });
}

#[test]
fn killed_at_any_call_that_leads_to_a_second_attempt_the_function_leaves_the_same_behind() {
    let runtime = one_thread();
    // Quicker, as each look at what runs is a call of the function.
    let world = super::second_attempt::WORLD
        .replace("{ count = 2, patch = { minutes = 10.0 } }", "{ count = 1 }")
        .replace(
            "buckets =",
            "patch = { minutes = 0.5, reboot_minutes = 0.1 }\nbuckets =",
        )
        .replace("5m", "20s");
    let world = World::parse(&world).unwrap();
    let start = json!({ "op": "start", "event": super::second_attempt::event("e-1") });
    let all = runtime.block_on(undisturbed(world, start, false));
    assert_eq!(all.report["exit_code"], 0, "{}", all.report);
    assert_eq!(all.report["second_attempt"]["campaign_id"], all.campaign);
    // The call that began the second attempt. Those before and after it drive a campaign as any call does.
    let is_of_second = |turn: &Turn| turn.event["campaign_id"] == all.campaign;
    let drives = all.turns.iter().position(is_of_second).unwrap();
    killed_everywhere(&all, &all.turns[drives - 1..drives], 10, |left| {
        assert_eq!(left.truth, all.truth, "{}", left.place);
        assert_eq!(left.report, all.report, "{}", left.place);
    });
}
