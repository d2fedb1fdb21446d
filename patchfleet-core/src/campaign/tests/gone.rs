//! Nodes that leave the selection after the plan was made, and nodes that join it.

use super::outcomes::{detail, outcomes, report};
use super::world::*;
use crate::campaign::NodeRows as _;
use crate::campaign::State;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::outcome::{NodeOutcome, NodeRow};
use crate::port::PortErrorKind;
use crate::request::GoneAction;

#[test]
fn nodes_of_the_plan_that_are_gone_are_counted_and_shown() {
    let left = |n| Node {
        left: true,
        ..Node::well(n)
    };
    let nodes: Vec<Node> = (1..=6).map(Node::well).chain([left(7), left(8)]).collect();
    for (gone, outcome, exit) in [
        (GoneAction::Accept, FinishedOutcome::Succeeded, 0),
        (GoneAction::Fail, FinishedOutcome::Partial, 4),
    ] {
        for named in [true, false] {
            let mut world = World::new(&[&[("us-east-1", Script::Nodes(nodes.clone()))]], 1, 0);
            world.plan.request.policy.gone = gone;
            if !named {
                world.plan.locations[0].node_ids = None;
            }
            let state = world.run();
            assert_eq!(state.finished().unwrap().0, outcome);
            assert_eq!(
                detail(&state, "us-east-1"),
                "2 of 8 nodes planned are not in the selection any more"
            );
            let gone: Vec<String> = rows_by_id(&world, &state)
                .into_iter()
                .filter(|row| row.outcome == NodeOutcome::Gone)
                .map(|row| row.node.to_string())
                .collect();
            let expected: &[&str] = if named { &["i-00000007", "i-00000008"] } else { &[] };
            assert_eq!(gone, expected);
            let report = report(&world, &state);
            assert_eq!(report.exit_code(), exit);
            assert_eq!(report.totals.planned, 8);
            assert!(
                report.to_text().contains("8 nodes: 6 done, 2 gone"),
                "{}",
                report.to_text()
            );
        }
    }
}

fn rows_by_id(world: &World, state: &State) -> Vec<NodeRow> {
    let location = state.locations().next().unwrap().1;
    finish(world.rows.rows(world.campaign(), location)).unwrap()
}

/// A node that left the selection after the census, before the command, and still answers.
fn moved(n: u32) -> Node {
    Node {
        moved: true,
        status: "",
        patches: None,
        ..Node::well(n)
    }
}

#[test]
fn a_node_that_left_the_group_online_and_unpatched_is_named_and_is_no_success() {
    let nodes: Vec<Node> = (1..=7).map(Node::well).chain([moved(8)]).collect();
    let world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 0);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    assert_eq!(outcomes(&state)[0].1, LocationOutcome::NodesFailed);
    assert_eq!(
        detail(&state, "us-east-1"),
        "1 of 8 nodes planned are not in the selection any more; 1 of them was not patched"
    );
    let report = report(&world, &state);
    assert_eq!(report.exit_code(), 4);
    let named: Vec<_> = report
        .needs_action
        .iter()
        .map(|node| (node.node.as_str(), node.outcome, node.detail.as_str()))
        .collect();
    let words = "left the selection after the plan, and was not patched";
    assert_eq!(named, [("i-00000008", NodeOutcome::NotRun, words)]);
    assert!(
        report.to_text().contains("8 nodes: 7 done, 1 not_run"),
        "{}",
        report.to_text()
    );
}

#[test]
fn a_node_that_leaves_while_another_joins_is_told_from_it() {
    let joined = Node {
        joined: true,
        ..Node::well(3)
    };
    let left = Node {
        left: true,
        ..Node::well(2)
    };
    for (leaver, outcome, exit) in [(moved(2), NodeOutcome::NotRun, 4), (left, NodeOutcome::Gone, 0)] {
        let nodes = vec![Node::well(1), leaver, joined.clone()];
        let world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 0);
        let state = world.run();
        let found: Vec<_> = rows_by_id(&world, &state)
            .into_iter()
            .map(|row| (row.node.to_string(), row.outcome, row.joined))
            .collect();
        assert_eq!(
            found,
            [
                ("i-00000001".to_owned(), NodeOutcome::Done, false),
                ("i-00000002".to_owned(), outcome, false),
                ("i-00000003".to_owned(), NodeOutcome::Done, true),
            ]
        );
        let report = report(&world, &state);
        assert_eq!((report.totals.planned, report.totals.joined), (2, 1));
        assert_eq!(report.exit_code(), exit);
    }
}

#[test]
fn a_patched_node_that_left_the_group_afterwards_is_judged_by_its_patch_state() {
    let node = |n, patches| Node {
        moved: true,
        patches: Some(patches),
        ..Node::well(n)
    };
    let nodes = vec![Node::well(1), node(2, [0, 0, 0]), node(3, [0, 4, 0])];
    let world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 0);
    let state = world.run();
    let found: Vec<NodeOutcome> = rows_by_id(&world, &state).iter().map(|row| row.outcome).collect();
    assert_eq!(
        found,
        [NodeOutcome::Done, NodeOutcome::Done, NodeOutcome::Missing]
    );
    assert_eq!(
        detail(&state, "us-east-1"),
        "1 of 3 nodes did not reach their goal"
    );
}

#[test]
fn a_location_whose_whole_group_was_given_to_another_names_every_node_that_was_not_patched() {
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![moved(1), moved(2)]))]], 1, 0);
    let state = world.run();
    assert_eq!(outcomes(&state)[0].1, LocationOutcome::Vanished);
    assert_eq!(
        detail(&state, "us-east-1"),
        "2 nodes planned, and none of them is in the selection any more; 2 of them were not patched"
    );
    let report = report(&world, &state);
    assert_eq!((report.exit_code(), report.needs_action.len()), (4, 2));
}

#[test]
fn whoever_cannot_be_looked_up_is_unknown_and_not_gone() {
    let left = Node {
        left: true,
        ..Node::well(2)
    };
    for kind in [PortErrorKind::Denied, PortErrorKind::Throttled] {
        let world = World::new(
            &[&[("us-east-1", Script::Nodes(vec![Node::well(1), left.clone()]))]],
            1,
            0,
        );
        *world.aws.look_up_fails.lock().unwrap() = Some(kind);
        let state = world.run();
        let report = report(&world, &state);
        assert_eq!(report.exit_code(), 4, "{kind:?}");
        assert_eq!(report.totals.nodes.count(NodeOutcome::Gone), 0, "{kind:?}");
        assert_eq!(report.totals.nodes.count(NodeOutcome::Unknown), 2, "{kind:?}");
    }
}

#[test]
fn where_nobody_can_say_who_is_selected_a_node_that_was_sent_nothing_is_unknown() {
    let world = World::new(
        &[&[("us-east-1", Script::Nodes(vec![Node::well(1), moved(2)]))]],
        1,
        0,
    );
    *world.aws.members_denied.lock().unwrap() = true;
    let state = world.run();
    let found: Vec<_> = rows_by_id(&world, &state)
        .into_iter()
        .map(|row| (row.outcome, row.detail))
        .collect();
    assert_eq!(found[0].0, NodeOutcome::Done);
    assert_eq!(
        found[1],
        (
            NodeOutcome::Unknown,
            "the command was not sent to it, and whether it is still selected is not known: may not list"
                .to_owned()
        )
    );
    assert_eq!(report(&world, &state).exit_code(), 4);
}

#[test]
fn a_selection_of_which_nobody_is_left_is_no_success() {
    let left = |n| Node {
        left: true,
        ..Node::well(n)
    };
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![left(1), left(2)]))]], 1, 0);
    let state = world.run();
    assert_eq!(outcomes(&state)[0].1, LocationOutcome::Vanished);
    assert_eq!(
        detail(&state, "us-east-1"),
        "2 nodes planned, and none of them is in the selection any more"
    );
    let report = report(&world, &state);
    assert_eq!(report.exit_code(), 4);
    assert!(
        report.to_text().contains("2 nodes: 2 gone"),
        "{}",
        report.to_text()
    );
}

#[test]
fn nodes_that_joined_after_the_census_are_counted_beside_the_plans() {
    let joined = |n| Node {
        joined: true,
        ..Node::well(n)
    };
    let nodes: Vec<Node> = (1..=8).map(Node::well).chain([joined(9), joined(10)]).collect();
    let world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 0);
    let state = world.run();
    let report = report(&world, &state);
    assert_eq!((report.totals.planned, report.totals.joined), (8, 2));
    assert_eq!(report.locations[0].joined, 2);
    let text = report.to_text();
    assert!(
        text.contains("10 nodes: 10 done\n8 planned; 2 nodes joined the selection later\n"),
        "{text}"
    );
    assert_eq!(report.exit_code(), 0);
}

#[test]
fn a_node_that_came_after_the_command_is_told_and_fails_nobody() {
    let late = Node {
        joined: true,
        status: "",
        patches: None,
        ..Node::well(3)
    };
    let nodes = vec![Node::well(1), Node::well(2), late];
    let world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 0);
    let state = world.run();
    let report = report(&world, &state);
    assert_eq!(report.exit_code(), 0);
    assert_eq!(report.totals.nodes.total(), 2);
    assert_eq!((report.totals.planned, report.totals.joined), (2, 0));
    assert_eq!(
        report.locations[0].detail,
        "1 node joined the selection after the plan, and was not patched"
    );
}
