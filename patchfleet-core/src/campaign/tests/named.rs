//! Units that name their nodes: a command that is refused whole, and a budget that several share.

use super::world::*;
use crate::campaign::NodeRows;
use crate::campaign::{COMMAND_ATTEMPTS, Driver, Event, MemoryRows, State};
use crate::id::{CampaignId, Location, NodeId};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::outcome::{NodeOutcome, NodeRow};
use crate::port::{BoxFuture, PortError, PortErrorKind, PortResult};
use crate::report::Report;
use crate::request::Selector;
use crate::runbook::named_nodes;
use std::collections::BTreeMap;
use std::sync::Arc;

fn id(n: u32) -> NodeId {
    Node::well(n).id
}

/// One location with these nodes, which travel in units of `size`; `errors` nodes may fail there, and
/// `locations` locations.
fn world(nodes: Vec<Node>, size: usize, errors: u32, locations: u32) -> World {
    let mut world = World::new(&[&[("us-east-1", Script::Nodes(nodes.clone()))]], 1, locations);
    let ids: Vec<NodeId> = nodes.iter().map(|node| node.id.clone()).collect();
    let template = world.template();
    for chunk in ids.chunks(size) {
        world.add_naming(template.clone(), chunk);
    }
    world.plan.request.targets.selector = Selector::NodeIds(ids);
    world.plan.request.budget.nodes.max_concurrency = "50%".parse().unwrap();
    world.plan.request.budget.nodes.max_errors = errors.to_string().parse().unwrap();
    world.agree();
    world
}

fn well(n: u32) -> Vec<Node> {
    (1..=n).map(Node::well).collect()
}

fn failing(n: u32) -> Node {
    Node {
        status: "Failed",
        patches: Some([1, 0, 0]),
        ..Node::well(n)
    }
}

fn outcomes(world: &World) -> BTreeMap<NodeId, NodeOutcome> {
    let location = world.plan.locations.first().unwrap().location();
    let rows = finish(crate::campaign::NodeRows::rows(
        &*world.rows,
        world.campaign(),
        &location,
    ))
    .unwrap();
    rows.into_iter().map(|row| (row.node, row.outcome)).collect()
}

/// The executions that sent a command, each with the ids that it named.
fn sent(world: &World) -> Vec<Vec<NodeId>> {
    let sent = world
        .executions()
        .into_iter()
        .filter(|execution| !execution.refused);
    sent.map(|execution| named_nodes(&execution.request.parameters).unwrap())
        .collect()
}

fn refusals(world: &World) -> Vec<(u32, Vec<NodeId>)> {
    let events = world.records().into_iter().flat_map(|record| record.events);
    events
        .filter_map(|event| match event {
            Event::CommandNotSent { attempt, away, .. } => Some((attempt, away)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_command_that_is_refused_because_of_a_stopped_node_is_sent_to_the_others() {
    let world = world(well(3), 20, 0, 0);
    world.aws.stopped.lock().unwrap().insert(id(2));
    let state = world.run();
    assert_eq!(refusals(&world), [(1, vec![id(2)])]);
    assert_eq!(sent(&world), [vec![id(1), id(3)]]);
    let tokens: Vec<_> = world
        .executions()
        .into_iter()
        .map(|started| started.token)
        .collect();
    assert_ne!(tokens[0], tokens[1], "a new start has a client token of its own");
    assert_eq!(
        outcomes(&world),
        [
            (id(1), NodeOutcome::Done),
            (id(2), NodeOutcome::Unmanaged),
            (id(3), NodeOutcome::Done)
        ]
        .into()
    );
    assert_eq!(state.failed_locations(), 0, "a node that is away is no failure");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
}

#[test]
fn a_unit_none_of_whose_nodes_is_there_settles_without_a_further_start() {
    let world = world(well(2), 20, 0, 0);
    world.aws.stopped.lock().unwrap().extend([id(1), id(2)]);
    let state = world.run();
    assert_eq!(world.executions().len(), 1);
    let settled = state.locations().next().unwrap().2.settled.clone().unwrap();
    assert_eq!(settled.outcome, LocationOutcome::NodesFailed);
    assert!(
        settled.detail.contains("Instances not in a valid state"),
        "{}",
        settled.detail
    );
    assert_eq!(settled.nodes.count(NodeOutcome::Unmanaged), 2);
    assert_eq!(state.failed_locations(), 0);
}

#[test]
fn a_command_that_is_refused_though_all_are_listed_is_tried_a_few_times_and_no_more() {
    let world = world(well(2), 20, 0, 0);
    world.aws.stopped.lock().unwrap().insert(id(2));
    *world.aws.still_listed.lock().unwrap() = true;
    let state = world.run();
    assert_eq!(
        world.executions().len(),
        usize::try_from(COMMAND_ATTEMPTS).unwrap()
    );
    assert_eq!(sent(&world), Vec::<Vec<NodeId>>::new());
    let settled = state.locations().next().unwrap().2.settled.clone().unwrap();
    assert_eq!(settled.outcome, LocationOutcome::FailedBeforeCommand);
    assert_eq!(settled.nodes.count(NodeOutcome::NotRun), 2);
}

fn with_a_stopped_node() -> World {
    let world = world(well(3), 20, 0, 0);
    world.aws.stopped.lock().unwrap().insert(id(2));
    world
}

fn assert_once(world: &World, state: &State, case: &str) {
    assert_eq!(sent(world), [vec![id(1), id(3)]], "{case}");
    assert_eq!(world.executions().len(), 2, "{case}");
    assert_eq!(refusals(world), [(1, vec![id(2)])], "{case}");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial, "{case}");
    assert_eq!(
        State::from_records(&world.records()).as_ref(),
        Ok(state),
        "{case}"
    );
}

#[test]
fn a_driver_killed_at_any_instant_around_a_refused_command_sends_the_rest_once() {
    let mut instants = 0;
    for polls in 0.. {
        let world = with_a_stopped_node();
        let mut first = ByHand::new(whole_life(&world, 1));
        if (0..polls).any(|_| first.poll()) {
            break;
        }
        drop(first);
        let state = finish(whole_life(&world, 2)).unwrap();
        assert_once(&world, &state, &format!("killed after {polls} polls"));
        instants += 1;
    }
    assert!(instants > 100, "only {instants} instants");
}

#[test]
fn two_drivers_around_a_refused_command_send_the_rest_once_however_they_take_turns() {
    use proptest::prelude::*;
    proptest!(ProptestConfig::with_cases(100), |(turns in prop::collection::vec((any::<bool>(), 1_usize..12), 0..300))| {
        let world = with_a_stopped_node();
        let (one, two) = two_whole_lives(&world, turns);
        prop_assert_eq!(but_for_instants(&one), but_for_instants(&two));
        assert_once(&world, &one, "two drivers");
    });
}

#[test]
fn any_call_around_a_refused_command_may_fail_or_lose_its_answer() {
    let undisturbed = with_a_stopped_node();
    undisturbed.run();
    let calls = *undisturbed.chaos.calls.lock().unwrap();
    for fault in [Fault::Before, Fault::After] {
        for call in 1..=calls {
            let world = with_a_stopped_node();
            *world.chaos.fault.lock().unwrap() = Some((call, fault));
            let state = finish(whole_life(&world, 1)).unwrap();
            assert_once(&world, &state, &format!("{fault:?} at call {call} of {calls}"));
        }
    }
}

#[test]
fn each_further_command_of_a_location_gets_what_is_left_of_its_budget() {
    let mut nodes = well(9);
    nodes[0] = failing(1);
    let world = world(nodes, 3, 2, 9);
    let state = world.run();
    let limits: Vec<(String, String)> = world
        .executions()
        .iter()
        .map(|started| {
            let of = |name: &str| started.request.parameters[name].concat();
            (of("MaxConcurrency"), of("MaxErrors"))
        })
        .collect();
    // Half of the location's nine nodes, not of the three of a command.
    let expected = [("4", "2"), ("4", "1"), ("4", "1")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(limits, expected);
    assert_eq!(state.failed_locations(), 1);
}

#[test]
fn bad_nodes_in_several_commands_are_stopped_by_the_budget_of_their_location() {
    let nodes: Vec<Node> = (1..=80).map(failing).collect();
    let world = world(nodes, 20, 1, 0);
    let state = world.run();
    assert_eq!(world.executions().len(), 1, "the other commands are never begun");
    let outcomes = outcomes(&world);
    let of = |wanted| outcomes.values().filter(|&&outcome| outcome == wanted).count();
    assert_eq!((of(NodeOutcome::Failed), of(NodeOutcome::NotRun)), (20, 60));
    let last = state.locations().last().unwrap().2.settled.clone().unwrap();
    assert_eq!(
        last.detail,
        "not begun: 20 of the location's 80 nodes failed or may have, and its budget allows 1"
    );
}

#[test]
fn a_location_that_failed_counts_once_however_many_units_it_has() {
    let mut nodes = well(6);
    nodes[0] = failing(1);
    nodes[2] = failing(3);
    let world = world(nodes, 2, 5, 1);
    let state = world.run();
    assert_eq!(world.executions().len(), 3);
    assert_eq!(state.failed_locations(), 1);
}

#[test]
fn an_early_empty_list_of_invocations_settles_nothing() {
    let world = world(well(2), 20, 0, 0);
    *world.aws.lists_late.lock().unwrap() = jiff::SignedDuration::from_secs(20);
    *world.aws.counts_late.lock().unwrap() = true;
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
}

#[test]
fn a_location_keeps_the_rows_of_all_its_units_whatever_their_attempts() {
    let world = world(well(5), 3, 5, 5);
    world.aws.stopped.lock().unwrap().insert(id(2));
    world.run();
    let found: Vec<(NodeId, NodeOutcome)> = outcomes(&world).into_iter().collect();
    let expected = (1..=5).map(|n| {
        let outcome = if n == 2 {
            NodeOutcome::Unmanaged
        } else {
            NodeOutcome::Done
        };
        (id(n), outcome)
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
}

/// Rows that take whatever is put, and are damaged whenever somebody reads them.
struct DamagedRows(Arc<MemoryRows>);

impl NodeRows for DamagedRows {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        self.0.put(campaign, location, attempt, rows)
    }

    fn rows(&self, _: CampaignId, _: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        let damaged = PortError::new(PortErrorKind::Incompatible, "it is damaged");
        Box::pin(std::future::ready(Err(damaged)))
    }
}

#[test]
fn damaged_rows_keep_no_campaign_from_going_on() {
    let world = world(vec![failing(1), Node::well(2), failing(3)], 1, 3, 3);
    let rows = Arc::new(DamagedRows(Arc::clone(&world.rows)));
    let driver = Driver {
        rows: Arc::clone(&rows) as Arc<dyn NodeRows>,
        ..world.driver(1)
    };
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        driver.run(world.campaign()).await.unwrap()
    });
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    let settled = state.locations().map(|(_, _, at)| at.settled.clone().unwrap());
    let nodes: u32 = settled.map(|settled| settled.nodes.total()).sum();
    assert_eq!(nodes, 3, "the tallies in the log are whole");
    let kept: Vec<NodeOutcome> = outcomes(&world).into_values().collect();
    let all = [NodeOutcome::Failed, NodeOutcome::Done, NodeOutcome::Failed];
    assert_eq!(kept, all, "they are read once more in the end");
    let report = finish(Report::build(&state, &*rows, state.last_at())).unwrap();
    assert_eq!(
        report.locations[0].unnamed, 2,
        "of the two that failed nobody has the name"
    );
}

#[test]
fn what_the_reads_of_one_locations_units_are_given_grows_with_the_nodes_and_not_with_their_square() {
    let given = |nodes: u32| {
        let world = world(well(nodes), 5, 0, 0);
        let state = super::admission::after(&world, vec![]);
        let location = world.plan.locations.first().unwrap().location();
        let units = state.units().keys();
        let excerpts = units.map(|unit| state.excerpt(*unit, &location));
        let named = excerpts.map(|excerpt| {
            let units = excerpt.units().values();
            units.map(|unit| 1 + unit.named.len()).sum::<usize>()
        });
        named.sum::<usize>()
    };
    let (some, tenfold) = (given(50), given(500));
    assert!(tenfold <= some * 11, "{some} for 50 nodes, {tenfold} for 500");
}
