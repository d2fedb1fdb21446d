//! A location's nodes have one row each, by name, whoever says which nodes they are: also where nobody
//! may read the results, and where several commands carry the nodes of one group.

use super::outcomes::report;
use super::world::*;
use crate::campaign::NodeRows as _;
use crate::campaign::State;
use crate::id::{Location, NodeId, NodeSet};
use crate::outcome::LocationOutcome;
use crate::outcome::{NodeOutcome, NodeRow};
use crate::port::PortErrorKind;

fn id(n: u32) -> NodeId {
    Node::well(n).id
}

fn location() -> Location {
    Location::new("111111111111".parse().unwrap(), "us-east-1".parse().unwrap())
}

/// A node of the group that was stopped when the plan was made.
fn stopped(n: u32) -> Node {
    Node {
        status: "",
        patches: None,
        ping: None,
        ..Node::well(n)
    }
}

/// One location whose plan names these nodes of a group.
fn group(nodes: &[Node]) -> World {
    World::new(&[&[("us-east-1", Script::Nodes(nodes.to_vec()))]], 1, 1)
}

/// The same, and the starts name these nodes, one command each, as they do for an inventory of one's
/// own and where nodes that are offline are left out.
fn named_group(nodes: &[Node], commands: &[&[u32]]) -> World {
    let mut world = group(nodes);
    let template = world.template();
    for command in commands {
        let ids: Vec<NodeId> = command.iter().map(|n| id(*n)).collect();
        world.add_naming(template.clone(), &ids);
    }
    // Nodes that nothing is known of may have failed, and are to keep nobody else back here.
    world.plan.request.budget.nodes.max_errors = "100%".parse().unwrap();
    world.agree();
    world
}

/// Nobody may read anything there: no result, nor who is in the group, nor who is managed.
fn deny(world: &World) {
    let mut scripts = world.aws.scripts.lock().unwrap();
    scripts.insert(location(), Script::Sealed);
    *world.aws.members_denied.lock().unwrap() = true;
    *world.aws.look_up_fails.lock().unwrap() = Some(PortErrorKind::Denied);
}

fn allow(world: &World, nodes: &[Node]) {
    let mut scripts = world.aws.scripts.lock().unwrap();
    scripts.insert(location(), Script::Nodes(nodes.to_vec()));
    *world.aws.members_denied.lock().unwrap() = false;
    *world.aws.look_up_fails.lock().unwrap() = None;
}

fn rows(world: &World) -> Vec<NodeRow> {
    finish(world.rows.rows(world.campaign(), &location())).unwrap()
}

fn outcomes(world: &World) -> Vec<(NodeId, NodeOutcome)> {
    rows(world)
        .into_iter()
        .map(|row| (row.node, row.outcome))
        .collect()
}

/// The totals are those of the rows, and each node has one row.
fn assert_adds_up(world: &World, state: &State) {
    let rows = rows(world);
    let ids = NodeSet::of(rows.iter().map(|row| &row.node)).nodes();
    assert_eq!(ids.len(), rows.len(), "each node has one row");
    let totals = report(world, state).totals;
    let of_rows = rows.iter().map(|row| row.outcome).collect();
    assert_eq!(totals.nodes, of_rows, "{rows:?}");
}

#[test]
fn where_nobody_may_read_anything_the_nodes_of_the_plan_are_named_and_later_read() {
    let nodes = [Node::well(1), Node::well(2), stopped(3)];
    let world = group(&nodes);
    deny(&world);
    let state = world.run();
    assert_adds_up(&world, &state);
    let unknown = [1, 2, 3].map(|n| (id(n), NodeOutcome::Unknown));
    assert_eq!(outcomes(&world), unknown);
    let report_of = report(&world, &state);
    let named: Vec<_> = report_of
        .needs_action
        .iter()
        .map(|node| (node.node.clone(), node.detail.as_str()))
        .collect();
    let words = "what became of it is not known: may not read";
    assert_eq!(named, [1, 2, 3].map(|n| (id(n), words)));
    assert_eq!(report_of.exit_code(), 4);
    assert!(
        report_of.to_text().contains("i-00000002"),
        "{}",
        report_of.to_text()
    );

    allow(&world, &nodes);
    let again = finish(world.driver(2).collect_again(world.campaign())).unwrap();
    assert_eq!((again.read, again.unread.len()), (1, 0));
    assert_adds_up(&world, &again.state);
    assert_eq!(
        outcomes(&world),
        [
            (id(1), NodeOutcome::Done),
            (id(2), NodeOutcome::Done),
            (id(3), NodeOutcome::Unmanaged)
        ]
    );
}

#[test]
fn a_plan_that_names_no_nodes_has_them_by_number_and_each_gets_a_row_once_it_is_read() {
    let nodes = [Node::well(1), Node::well(2), stopped(3)];
    let mut world = group(&nodes);
    world.plan.locations[0].node_ids = None;
    deny(&world);
    let state = world.run();
    assert_eq!(outcomes(&world), []);
    let totals = report(&world, &state).totals.nodes;
    assert_eq!(totals.count(NodeOutcome::Unknown), 2);
    assert_eq!(totals.count(NodeOutcome::Unmanaged), 1);
    allow(&world, &nodes);
    let again = finish(world.driver(2).collect_again(world.campaign())).unwrap();
    assert_adds_up(&world, &again.state);
    assert_eq!(outcomes(&world).len(), 3);
}

#[test]
fn where_several_commands_name_the_nodes_of_a_group_none_is_named_twice_though_nothing_can_be_read() {
    let nodes: Vec<Node> = (1..=3).map(Node::well).chain([stopped(4)]).collect();
    let world = named_group(&nodes, &[&[1, 2], &[3]]);
    deny(&world);
    let state = world.run();
    assert_adds_up(&world, &state);
    assert_eq!(
        outcomes(&world),
        [
            (id(1), NodeOutcome::Unknown),
            (id(2), NodeOutcome::Unknown),
            (id(3), NodeOutcome::Unknown),
            (id(4), NodeOutcome::Unmanaged)
        ]
    );
    allow(&world, &nodes);
    let again = finish(world.driver(2).collect_again(world.campaign())).unwrap();
    assert_eq!((again.read, again.unread.len()), (2, 0));
    assert_adds_up(&world, &again.state);
    let done = [1, 2, 3].map(|n| (id(n), NodeOutcome::Done));
    assert_eq!(outcomes(&world)[..3], done);
    assert_eq!(outcomes(&world)[3], (id(4), NodeOutcome::Unmanaged));
}

#[test]
fn of_several_commands_for_one_group_each_speaks_for_its_own_nodes_and_one_for_the_rest() {
    let left = Node {
        left: true,
        ..Node::well(4)
    };
    let moved = Node {
        moved: true,
        status: "",
        patches: None,
        ..Node::well(5)
    };
    let joined = Node {
        joined: true,
        ..Node::well(6)
    };
    let nodes = [
        Node::well(1),
        Node::well(2),
        Node::well(3),
        left,
        moved,
        joined,
        stopped(7),
    ];
    let world = named_group(&nodes, &[&[1, 2], &[3]]);
    let state = world.run();
    assert_adds_up(&world, &state);
    let found: Vec<_> = rows(&world)
        .into_iter()
        .map(|row| (row.node, row.outcome, row.joined))
        .collect();
    assert_eq!(
        found,
        [
            (id(1), NodeOutcome::Done, false),
            (id(2), NodeOutcome::Done, false),
            (id(3), NodeOutcome::Done, false),
            (id(4), NodeOutcome::Gone, false),
            (id(5), NodeOutcome::NotRun, false),
            (id(7), NodeOutcome::Unmanaged, false),
        ]
    );
    let report = report(&world, &state);
    assert_eq!((report.totals.planned, report.totals.joined), (6, 0));
    assert_eq!(report.locations[0].outcome, Some(LocationOutcome::NodesFailed));
    let detail = &report.locations[0].detail;
    assert!(
        detail.contains("1 node joined the selection after the plan"),
        "{detail}"
    );
}

#[test]
fn what_is_known_of_a_node_stays_though_other_runs_have_written_over_its_state_since() {
    // The state of the second one has not come in time.
    let late = Node {
        late: jiff::SignedDuration::from_hours(1),
        snapshot: Some("0d4a8a2e-0000-4000-8000-000000000000"),
        ..Node::well(3)
    };
    let alarmed = |n, late| Node {
        status: "Alarmed",
        late: jiff::SignedDuration::from_mins(late),
        ..Node::well(n)
    };
    let world = group(&[alarmed(1, 0), alarmed(2, 60), alarmed(3, 60)]);
    let state = world.run();
    let outcomes_of = |ns: [NodeOutcome; 3]| (1..=3).map(id).zip(ns).collect::<Vec<_>>();
    use NodeOutcome::{Done, Unknown};
    assert_eq!(outcomes(&world), outcomes_of([Done, Unknown, Unknown]));
    assert_adds_up(&world, &state);

    // An hour later the second has a state, and the third one's is somebody else's.
    world.clock.advance(jiff::SignedDuration::from_hours(2));
    let third = Node {
        status: "Alarmed",
        ..late
    };
    allow(&world, &[alarmed(1, 0), alarmed(2, 0), third.clone()]);
    let again = finish(world.driver(2).collect_again(world.campaign())).unwrap();
    assert_eq!(
        (again.read, again.unread.len()),
        (0, 1),
        "the third is still unknown"
    );
    assert_eq!(
        again.unread[0].reason,
        "what became of 1 node is not known: i-00000003: the command ended as FailedDueToAlarm; what it began on the \
         node may run on"
    );
    assert_eq!(outcomes(&world), outcomes_of([Done, Done, Unknown]));
    assert_adds_up(&world, &again.state);

    // Somebody else has patched all of them since.
    let others = |n| Node {
        status: "Success",
        snapshot: third.snapshot,
        ..Node::well(n)
    };
    allow(&world, &[others(1), others(2), others(3)]);
    let again = finish(world.driver(3).collect_again(world.campaign())).unwrap();
    assert_eq!((again.read, again.unread.len()), (0, 1));
    assert_eq!(outcomes(&world), outcomes_of([Done, Done, Unknown]));
}

#[test]
fn a_node_that_is_not_listed_may_have_been_reached_and_lost_where_its_results_cannot_be_read() {
    let world = group(&[Node::well(1), Node::well(2)]);
    let mut scripts = world.aws.scripts.lock().unwrap();
    scripts.insert(location(), Script::Sealed);
    drop(scripts);
    world.aws.stopped.lock().unwrap().insert(id(2));
    let state = world.run();
    assert_adds_up(&world, &state);
    let found: Vec<_> = rows(&world)
        .into_iter()
        .map(|row| (row.outcome, row.detail))
        .collect();
    let words = "what became of it is not known: may not read";
    let not_listed =
        "; it is selected, and not listed by Systems Manager: stopped, terminated, or never registered";
    assert_eq!(
        found,
        [
            (NodeOutcome::Unknown, words.to_owned()),
            (NodeOutcome::Unknown, format!("{words}{not_listed}"))
        ]
    );
}

#[test]
fn each_node_has_one_row_after_a_cancelled_command_of_its_location_was_begun_anew() {
    let nodes = [Node::well(1), Node::well(2), Node::well(3), stopped(4)];
    let world = named_group(&nodes, &[&[1, 2], &[3]]);
    let driver = world.driver(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while world.executions().is_empty() {
            drive.step().await.unwrap();
        }
        // Before it has reached the location.
        world.aws.cancel();
        driver.run(world.campaign()).await.unwrap()
    });
    assert_adds_up(&world, &state);
    let left = [1, 2, 3].map(|n| (id(n), NodeOutcome::NotRun));
    let away = [(id(4), NodeOutcome::Unmanaged)];
    assert_eq!(outcomes(&world), [&left[..], &away].concat());
    let state = finish(async {
        driver.go_on(world.campaign(), "somebody").await.unwrap();
        driver.run(world.campaign()).await.unwrap()
    });
    assert_adds_up(&world, &state);
    let done = [1, 2, 3].map(|n| (id(n), NodeOutcome::Done));
    assert_eq!(outcomes(&world), [&done[..], &away].concat());
    assert_eq!(world.executions().len(), 3);
}
