//! What becomes of locations and nodes: each named outcome, and an account of every node.

use super::world::*;
use crate::campaign::NodeRows;
use crate::campaign::{PATCH_STATE_LAG, State};
use crate::outcome::NodeOutcome;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::PingStatus;
use jiff::SignedDuration;

pub(super) fn outcomes(state: &State) -> Vec<(String, LocationOutcome)> {
    state
        .locations()
        .map(|(_, location, at)| (location.region.to_string(), at.outcome().expect("settled")))
        .collect()
}

pub(super) fn detail(state: &State, region: &str) -> String {
    let found = state
        .locations()
        .find(|(_, location, _)| location.region.as_str() == region);
    found.unwrap().2.settled.clone().unwrap().detail
}

#[test]
fn a_calm_world_ends_with_every_node_at_its_goal() {
    let world = World::new(
        &[&[
            ("us-east-1", Script::Nodes((1..=120).map(Node::well).collect())),
            ("eu-west-1", Script::Nodes(vec![Node::well(1)])),
        ]],
        2,
        0,
    );
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let tallies: Vec<_> = state
        .locations()
        .map(|(_, _, at)| at.settled.clone().unwrap().nodes)
        .collect();
    assert_eq!(
        tallies
            .iter()
            .map(|nodes| nodes.count(NodeOutcome::Done))
            .sum::<u32>(),
        121
    );
    assert_eq!(tallies.iter().map(crate::outcome::Tally::total).sum::<u32>(), 121);
    for (_, location, at) in state.locations() {
        let rows = finish(world.rows.rows(world.campaign(), location)).unwrap();
        let counted: crate::outcome::Tally = rows.iter().map(|row| row.outcome).collect();
        assert_eq!(counted, at.settled.clone().unwrap().nodes);
        assert!(rows.is_sorted_by(|a, b| a.node < b.node));
    }
    let ended = &state.units().values().next().unwrap().ended;
    assert_eq!(*ended, Some(crate::port::ExecutionStatus::Success));
}

#[test]
fn each_way_to_fail_has_its_own_name() {
    let stuck = Node {
        status: "ExecutionTimedOut",
        patches: None,
        ..Node::well(1)
    };
    let world = World::new(
        &[&[
            ("us-east-1", Script::RoleMissing),
            ("us-east-2", Script::FailsEarly),
            ("us-west-1", Script::Emptied),
            ("us-west-2", Script::Sealed),
            ("eu-west-1", Script::Nodes(vec![stuck, Node::well(2)])),
            ("eu-west-2", Script::Nodes(vec![Node::well(1)])),
        ]],
        6,
        5,
    );
    let state = world.run();
    let expected = [
        ("eu-west-1", LocationOutcome::NodesFailed),
        ("eu-west-2", LocationOutcome::Succeeded),
        ("us-east-1", LocationOutcome::RoleNotAssumable),
        ("us-east-2", LocationOutcome::FailedBeforeCommand),
        ("us-west-1", LocationOutcome::Emptied),
        ("us-west-2", LocationOutcome::ResultsUnreadable),
    ];
    assert_eq!(
        outcomes(&state),
        expected.map(|(region, outcome)| (region.to_owned(), outcome))
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    assert_eq!(detail(&state, "us-east-2"), "Step fails when it is verifying.");
    assert_eq!(
        detail(&state, "eu-west-1"),
        "1 of 2 nodes did not reach their goal"
    );
    let tally = |region: &str| {
        let found = state
            .locations()
            .find(|(_, location, _)| location.region.as_str() == region);
        found.unwrap().2.settled.clone().unwrap().nodes
    };
    assert_eq!(tally("us-east-1").count(NodeOutcome::NotRun), 2);
    assert_eq!(tally("us-west-2").count(NodeOutcome::Unknown), 2);
    assert_eq!(tally("us-west-1").total(), 0);
}

#[test]
fn a_location_without_a_node_is_settled_when_its_step_ends() {
    let world = World::new(
        &[&[
            ("us-east-1", Script::Emptied),
            ("eu-west-1", Script::Nodes(vec![Node::well(1)])),
        ]],
        2,
        1,
    );
    let state = world.run();
    let settled = |region: &str| {
        let found = state
            .locations()
            .find(|(_, location, _)| location.region.as_str() == region);
        found.unwrap().2.settled.clone().unwrap().at
    };
    let started = world.executions()[0].started_at;
    assert!(settled("us-east-1") >= started + RUNS);
    assert!(settled("eu-west-1") >= started + RUNS);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
}

#[test]
fn every_node_is_named_with_what_became_of_it() {
    let node = |n, change: fn(&mut Node)| {
        let mut node = Node::well(n);
        change(&mut node);
        node
    };
    let nodes = vec![
        node(1, |_| {}),
        node(2, |n| n.patches = Some([1, 0, 0])),
        node(3, |n| n.patches = Some([0, 2, 0])),
        node(4, |n| n.patches = Some([0, 0, 3])),
        node(5, |n| n.ping = Some(PingStatus::Offline)),
        node(6, |n| {
            n.status = "DeliveryTimedOut";
            n.patches = None;
        }),
        node(7, |n| n.status = "Terminated"),
        node(8, |n| {
            n.status = "";
            n.ping = None;
        }),
        node(9, |n| {
            n.selected = false;
            n.ping = None;
        }),
        node(10, |n| n.ping = None),
        node(11, |n| n.status = ""),
    ];
    let world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 0);
    let state = world.run();
    let location = state.locations().next().unwrap().1.clone();
    let rows = finish(world.rows.rows(world.campaign(), &location)).unwrap();
    let found: Vec<&str> = rows.iter().map(|row| row.outcome.as_str()).collect();
    assert_eq!(
        found,
        [
            "done",
            "failed",
            "missing",
            "pending_reboot",
            "lost",
            "unreached",
            "not_run",
            "unmanaged",
            "gone",
            "lost",
            "not_run",
        ]
    );
    assert_eq!(outcomes(&state)[0].1, LocationOutcome::NodesFailed);
}

#[test]
fn a_patch_state_that_comes_late_is_waited_for_and_one_that_never_comes_is_a_failure() {
    for (late, expected) in [
        (
            PATCH_STATE_LAG - SignedDuration::from_secs(30),
            LocationOutcome::Succeeded,
        ),
        (PATCH_STATE_LAG * 10, LocationOutcome::NodesFailed),
    ] {
        let node = Node {
            late,
            ..Node::well(1)
        };
        let world = World::new(&[&[("us-east-1", Script::Nodes(vec![node]))]], 1, 0);
        let state = world.run();
        assert_eq!(outcomes(&state)[0].1, expected);
        let waited = state
            .finished()
            .unwrap()
            .1
            .duration_since(world.executions()[0].started_at + RUNS);
        assert!(
            waited <= PATCH_STATE_LAG + SignedDuration::from_secs(40),
            "{waited:?}"
        );
    }
}

#[test]
fn a_unit_that_somebody_cancels_ends_and_its_unreached_locations_are_cancelled() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let world = World::new(&[&[("us-east-1", well()), ("us-west-1", well())]], 1, 0);
    let driver = world.driver(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        loop {
            if world.executions().len() == 1 {
                world.aws.cancel();
                break;
            }
            drive.step().await.unwrap();
        }
        world.clock.advance(SignedDuration::from_secs(1));
        driver.run(world.campaign()).await.unwrap()
    });
    let found: Vec<_> = outcomes(&state).into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(found[1], LocationOutcome::Cancelled);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
}

#[test]
fn an_empty_plan_has_nothing_to_do_unless_something_is_unknown() {
    let mut world = World::new(&[], 1, 0);
    assert_eq!(world.run().finished().unwrap().0, FinishedOutcome::NothingToDo);
    world = World::new(&[], 1, 0);
    world.plan.skipped.push(crate::refusal::Skip {
        account: "111122223333".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        reason: crate::refusal::SkipReason::Unknown,
        cause: Some(crate::census::UnknownCause::Denied),
        detail: "denied".to_owned(),
    });
    assert_eq!(world.run().finished().unwrap().0, FinishedOutcome::Partial);
}

#[test]
fn units_that_share_a_location_by_node_ids_each_account_for_their_own_nodes() {
    let nodes: Vec<Node> = (1..=3).map(Node::well).collect();
    let gone = Node {
        status: "",
        ping: None,
        ..Node::well(4)
    };
    let all: Vec<Node> = nodes.into_iter().chain([gone]).collect();
    let ids: Vec<_> = all.iter().map(|node| node.id.clone()).collect();
    let mut world = World::new(&[&[("us-east-1", Script::Nodes(all))]], 1, 0);
    let start = world.template();
    for ids in ids.chunks(2) {
        world.add_naming(start.clone(), ids);
    }
    world.plan.request.targets.selector = crate::request::Selector::NodeIds(ids.clone());
    let state = world.run();
    let found: Vec<_> = outcomes(&state).into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(found, [LocationOutcome::Succeeded, LocationOutcome::NodesFailed]);
    let location = world.plan.locations[0].location();
    let rows = finish(world.rows.rows(world.campaign(), &location)).unwrap();
    assert_eq!(rows.iter().map(|row| row.node.clone()).collect::<Vec<_>>(), ids);
    let named: Vec<&str> = rows.iter().map(|row| row.outcome.as_str()).collect();
    assert_eq!(named, ["done", "done", "done", "unmanaged"]);
}

#[test]
fn a_caller_whose_credentials_expire_ends_nothing_and_whoever_resumes_loses_nothing() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let calm = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0).run();
    let end = calm
        .finished()
        .unwrap()
        .1
        .duration_since(calm.planned_at())
        .as_secs();
    for from in 0..end {
        let world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
        let at = |second| calm.planned_at() + SignedDuration::from_secs(second);
        let back = at(from + 3600);
        *world.aws.locked_out.lock().unwrap() = Some((at(from), back));
        let state = finish(async {
            world
                .driver(1)
                .begin(world.campaign(), &world.plan)
                .await
                .unwrap();
            let error = world.driver(1).run(world.campaign()).await.unwrap_err();
            assert!(
                matches!(error, crate::campaign::DriveError::Credentials { .. }),
                "locked out from second {from}: {error}"
            );
            crate::port::Clock::sleep_until(&*world.clock, back).await;
            world.driver(2).run(world.campaign()).await.unwrap()
        });
        assert_eq!(
            state.finished().unwrap().0,
            FinishedOutcome::Succeeded,
            "from {from}"
        );
        assert_eq!(world.executions().len(), 2);
    }
}

#[test]
fn a_command_that_is_over_before_its_results_are_listed_is_not_taken_for_one_that_ran_nowhere() {
    for (late, expected, node) in [
        (PATCH_STATE_LAG / 2, LocationOutcome::Succeeded, NodeOutcome::Done),
        (
            PATCH_STATE_LAG * 10,
            LocationOutcome::ResultsUnreadable,
            NodeOutcome::Unknown,
        ),
    ] {
        let world = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
        *world.aws.lists_late.lock().unwrap() = late;
        let state = world.run();
        assert_eq!(outcomes(&state)[0].1, expected);
        let settled = state.locations().next().unwrap().2.settled.clone().unwrap();
        assert_eq!((settled.nodes.count(node), settled.nodes.total()), (1, 1));
    }
}

#[test]
fn nodes_of_a_step_that_names_no_execution_are_accounted_for_by_the_execution_that_there_is() {
    let failed = Node {
        status: "Failed",
        patches: Some([1, 0, 0]),
        ..Node::well(1)
    };
    let world = World::new(
        &[&[
            ("us-east-1", Script::Nodes(vec![failed, Node::well(2)])),
            ("us-east-2", Script::Nodes(vec![Node::well(1)])),
            ("us-west-1", Script::FailsEarly),
            ("us-west-2", Script::Sealed),
            ("eu-west-1", Script::RoleMissing),
            ("eu-west-2", Script::NeverBegins),
        ]],
        6,
        5,
    );
    *world.aws.unnamed.lock().unwrap() = true;
    let state = world.run();
    let found: Vec<_> = state
        .locations()
        .map(|(_, location, at)| {
            let settled = at.settled.as_ref().unwrap();
            let nodes: Vec<_> = settled
                .nodes
                .iter()
                .map(|(outcome, n)| (outcome.as_str(), n))
                .collect();
            (location.region.as_str(), settled.outcome, nodes)
        })
        .collect();
    let expected = [
        (
            "eu-west-1",
            LocationOutcome::RoleNotAssumable,
            vec![("not_run", 2)],
        ),
        (
            "eu-west-2",
            LocationOutcome::FailedBeforeCommand,
            vec![("not_run", 2)],
        ),
        (
            "us-east-1",
            LocationOutcome::NodesFailed,
            vec![("done", 1), ("failed", 1)],
        ),
        ("us-east-2", LocationOutcome::Succeeded, vec![("done", 1)]),
        (
            "us-west-1",
            LocationOutcome::FailedBeforeCommand,
            vec![("not_run", 2)],
        ),
        (
            "us-west-2",
            LocationOutcome::ResultsUnreadable,
            vec![("unknown", 2)],
        ),
    ];
    assert_eq!(found, expected);
}

#[test]
fn drivers_that_run_for_seconds_only_come_to_the_same_end() {
    let silent = Node {
        patches: None,
        ..Node::well(1)
    };
    for (script, outcome) in [
        (Script::Nodes(vec![silent]), LocationOutcome::NodesFailed),
        (Script::Sealed, LocationOutcome::ResultsUnreadable),
    ] {
        let world = World::new(&[&[("us-east-1", script)]], 1, 0);
        let state = finish(async {
            use crate::campaign::Progress;
            use crate::port::Clock as _;
            world
                .driver(1)
                .begin(world.campaign(), &world.plan)
                .await
                .unwrap();
            for writer in 2..2000 {
                let deadline = world.clock.now() + SignedDuration::from_secs(5);
                let driver = world.driver(writer);
                match driver.run_until(world.campaign(), deadline).await.unwrap() {
                    Progress::Finished(state) => return *state,
                    Progress::Paused { wake_at, .. } => world.clock.sleep_until(wake_at).await,
                }
            }
            panic!("no driver ends it");
        });
        assert_eq!(outcomes(&state)[0].1, outcome);
    }
}

#[test]
fn an_execution_that_was_started_and_cannot_be_seen_for_minutes_is_waited_for() {
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
    *world.aws.hidden.lock().unwrap() = SignedDuration::from_mins(5);
    assert_eq!(world.run().finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(world.executions().len(), 1);
}

pub(super) fn report(world: &World, state: &State) -> crate::report::Report {
    finish(crate::report::Report::build(state, &*world.rows, state.last_at())).unwrap()
}
