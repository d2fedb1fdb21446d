//! The limits within a location hold for the location, however many commands its nodes travel in. The
//! oracle reads the commands as Run Command would, and knows which nodes are bad from the world alone.

use super::world::*;
use crate::campaign::Turn;
use crate::id::{NodeId, UnitId};
use crate::outcome::LocationOutcome;
use crate::port::{PingStatus, StartRequest};
use crate::request::Selector;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Well,
    Failed,
    /// Run Command counts no error, and patches failed.
    Quiet,
    /// Nobody ever knows what became of it.
    Silent,
    /// It is stopped when its command is sent, which is refused whole.
    Stopped,
}

fn node(n: u32, kind: Kind) -> Node {
    let well = Node::well(n);
    match kind {
        Kind::Well | Kind::Stopped => well,
        Kind::Failed => Node {
            status: "Failed",
            patches: Some([1, 0, 0]),
            ..well
        },
        Kind::Quiet => Node {
            patches: Some([2, 0, 0]),
            ..well
        },
        Kind::Silent => Node {
            status: "Alarmed",
            patches: None,
            ping: Some(PingStatus::Online),
            ..well
        },
    }
}

/// So many of `of`, as Run Command reads a text such as `10%` or `3`.
fn read(text: &str, of: usize, least: usize) -> usize {
    match text.strip_suffix('%') {
        Some(percent) => (of * percent.parse::<usize>().unwrap() / 100).max(least),
        None => text.parse().unwrap(),
    }
}

fn named(request: &StartRequest) -> BTreeSet<NodeId> {
    let targets: serde_json::Value = serde_json::from_str(&request.parameters["Targets"][0]).unwrap();
    assert_eq!(targets["Key"], "InstanceIds");
    let ids = targets["Values"].as_array().unwrap().iter();
    ids.map(|id| id.as_str().unwrap().parse().unwrap()).collect()
}

fn kinds() -> impl Strategy<Value = Vec<Kind>> {
    let kind = prop_oneof![
        6 => Just(Kind::Well),
        1 => Just(Kind::Failed),
        1 => Just(Kind::Quiet),
        1 => Just(Kind::Silent),
        1 => Just(Kind::Stopped),
    ];
    prop::collection::vec(kind, 1..30)
}

fn limit(least: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        (1_u32..=100).prop_map(|percent| format!("{percent}%")),
        (least..8).prop_map(|n| n.to_string()),
    ]
}

/// One location whose nodes travel in commands of `size`.
fn world(kinds: &[Kind], size: usize, concurrency: &str, errors: &str) -> World {
    let nodes: Vec<Node> = (1..).zip(kinds).map(|(n, kind)| node(n, *kind)).collect();
    let ids: Vec<NodeId> = nodes.iter().map(|node| node.id.clone()).collect();
    let mut world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 9);
    let template = world.template();
    for chunk in ids.chunks(size) {
        let mut request = template.clone();
        for (name, values) in [
            ("MaxConcurrency", vec![concurrency.to_owned()]),
            ("MaxErrors", vec![errors.to_owned()]),
        ] {
            request.parameters.insert(name.to_owned(), values);
        }
        world.add_naming(request, chunk);
    }
    let stopped = ids.iter().zip(kinds).filter(|(_, kind)| **kind == Kind::Stopped);
    world
        .aws
        .stopped
        .lock()
        .unwrap()
        .extend(stopped.map(|(id, _)| id.clone()));
    world.plan.request.targets.selector = Selector::NodeIds(ids);
    world.plan.request.budget.nodes.max_concurrency = concurrency.parse().unwrap();
    world.plan.request.budget.nodes.max_errors = errors.parse().unwrap();
    world.agree();
    world
}

#[test]
fn a_command_that_was_kept_back_is_not_sent_when_the_results_before_it_are_read_again() {
    let world = world(&[Kind::Silent, Kind::Well], 1, "1", "0");
    let driver = world.driver(1);
    let second = UnitId::from_index(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while !drive.state().units()[&second].is_over() {
            if let Turn::Wait(at) = drive.step().await.unwrap() {
                driver.clock.sleep_until(at).await;
            }
        }
        for script in world.aws.scripts.lock().unwrap().values_mut() {
            *script = Script::Nodes(vec![Node::well(1), Node::well(2)]);
        }
        let found = world.driver(2).collect_again(world.campaign()).await.unwrap();
        assert_eq!(found.read, 1);
        driver.run(world.campaign()).await.unwrap()
    });
    assert_eq!(world.executions().len(), 1);
    let outcomes: Vec<_> = state.locations().map(|(.., at)| at.outcome().unwrap()).collect();
    assert_eq!(
        outcomes,
        [LocationOutcome::Succeeded, LocationOutcome::NodesFailed]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_commands_of_a_location_keep_its_limits_together(
        kinds in kinds(),
        size in 1_usize..9,
        concurrency in limit(1),
        errors in limit(0),
    ) {
        let world = world(&kinds, size, &concurrency, &errors);
        world.run();
        let total = kinds.len();
        let at_once = read(&concurrency, total, 1);
        let allowed = read(&errors, total, 0);
        let kind_of = |id: &NodeId| {
            let n: usize = id.as_str().trim_start_matches("i-").parse().unwrap();
            kinds[n - 1]
        };
        let (mut bad, mut over, mut seen) = (0, None, BTreeSet::new());
        for execution in world.executions() {
            let nodes = named(&execution.request);
            let of = |name: &str| execution.request.parameters[name].concat();
            // A start that is refused has sent nothing, and what it asked for had to be right as well.
            let sent_at_once = read(&of("MaxConcurrency"), nodes.len(), 1).min(nodes.len());
            prop_assert!(sent_at_once <= at_once, "{sent_at_once} at once, of {at_once}");
            let may_fail = read(&of("MaxErrors"), nodes.len(), 0);
            prop_assert!(bad <= allowed, "begun after {bad} bad nodes, of {allowed}");
            prop_assert!(bad + may_fail <= allowed, "{bad} bad, {may_fail} more may be, of {allowed}");
            if let Some(over) = over {
                prop_assert!(execution.started_at >= over, "two commands at once");
            }
            if execution.refused {
                continue;
            }
            over = Some(execution.started_at + RUNS);
            for id in nodes {
                let kind = kind_of(&id);
                prop_assert!(kind != Kind::Stopped && seen.insert(id), "once, and none that is stopped");
                bad += usize::from([Kind::Failed, Kind::Quiet, Kind::Silent].contains(&kind));
            }
        }
        // Where nothing goes wrong, everybody has a turn.
        if bad == 0 {
            let there = kinds.iter().filter(|kind| **kind != Kind::Stopped).count();
            prop_assert_eq!(seen.len(), there);
        }
    }
}
