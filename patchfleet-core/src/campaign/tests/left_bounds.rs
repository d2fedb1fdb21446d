//! What a campaign that is over leaves of its bounds to a retry.

use super::fleet::{Bounds, Fate, world};
use super::labels::of_service;
use super::world::*;
use crate::campaign::State;
use crate::id::NodeId;
use crate::outcome::NodeOutcome;
use crate::plan::{LeftBound, LeftBounds, LeftOfFleet, Retried, resolve_fleet};
use crate::request::Selector;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

fn named(
    state: &State,
    outcome: fn(NodeOutcome) -> bool,
    fates: &[(NodeId, NodeOutcome)],
) -> BTreeSet<NodeId> {
    let taken = fates.iter().filter(|(_, of)| outcome(*of));
    taken
        .map(|(node, of)| {
            assert!(state.is_counted(node, Some(*of)));
            node.clone()
        })
        .collect()
}

fn node(n: u32) -> NodeId {
    Node::well(n).id
}

/// Once nothing of it can be at work any more.
fn later(state: &State) -> Timestamp {
    state.last_at() + SignedDuration::from_hours(4)
}

fn damaged(left: &LeftBounds) -> (u32, u32) {
    let LeftBound { allowed, used } = left.fleet.unwrap().max_damaged.unwrap();
    (used, allowed)
}

#[test]
fn what_is_damaged_counts_against_a_retry_and_what_was_not_run_does_not() {
    let bounds = Bounds {
        damaged: Some(3),
        unreached: Some(9),
        ..Bounds::default()
    };
    let nodes = vec![
        Fate::Fails,
        Fate::Lost,
        Fate::Silent,
        Fate::Fails,
        Fate::Well,
        Fate::Well,
    ];
    let (world, _) = world(&[nodes], 1, bounds);
    let state = world.run();
    let fates = [(node(0), NodeOutcome::Failed), (node(1), NodeOutcome::Lost)];
    let again = named(&state, NodeOutcome::is_damaged, &fates);
    let left = state.bounds_left(again.clone(), 1, later(&state));
    assert_eq!(damaged(&left), (3, 3));
    assert_eq!(left.again, Vec::from_iter(again));
    let unreached = left.fleet.unwrap().max_unreached.unwrap();
    assert_eq!(
        (unreached.used, unreached.allowed),
        (0, 6),
        "a bound is no more than there are nodes"
    );
    let kept_out = state
        .bounds_left(BTreeSet::new(), 0, later(&state))
        .fleet
        .unwrap();
    assert_eq!(kept_out.max_unreached.unwrap().used, 1, "nobody tries it again");
    assert_eq!(kept_out.nodes, 6);
    assert!(state.has_used_up_bounds(later(&state)));
    for outcome in [
        NodeOutcome::NotRun,
        NodeOutcome::Unreached,
        NodeOutcome::PendingReboot,
    ] {
        assert!(!state.is_counted(&node(4), Some(outcome)));
    }
    assert!(!state.is_counted(&node(4), None));
}

#[test]
fn a_campaign_with_room_left_has_used_no_bound_up() {
    let bounds = Bounds {
        damaged: Some(3),
        in_flight: Some(2),
        ..Bounds::default()
    };
    let (world, _) = world(
        &[vec![Fate::Fails, Fate::Well, Fate::Fails, Fate::Well]],
        1,
        bounds,
    );
    let state = world.run();
    assert!(!state.has_used_up_bounds(later(&state)));
    let left = state.bounds_left(BTreeSet::new(), 0, later(&state));
    assert_eq!(damaged(&left), (2, 3));
    let in_flight = left.fleet.unwrap().max_in_flight.unwrap();
    assert_eq!(
        (in_flight.used, in_flight.allowed),
        (0, 2),
        "nothing is at work any more"
    );
}

/// A retry of these nodes, `again` of which count as damaged already, with 4 of 5 used.
fn retry(fates: Vec<Fate>, again: &[u32]) -> State {
    let bounds = Bounds {
        damaged: Some(5),
        ..Bounds::default()
    };
    let (mut world, fates) = world(&[fates], 1, bounds);
    let campaign = world.campaign();
    let plan = &mut world.plan;
    plan.request.targets.selector = Selector::NodeIds(fates.keys().cloned().collect());
    let fleet = LeftOfFleet {
        nodes: 50,
        max_in_flight: None,
        lost_at_work: None,
        max_damaged: Some(LeftBound::new(5, 4)),
        max_unreached: None,
    };
    let left = LeftBounds {
        again: again.iter().copied().map(node).collect(),
        fleet: Some(fleet),
        labels: vec![],
    };
    let retried = Retried {
        campaign,
        request: Box::new(plan.request.clone()),
        bounds: left,
        passed: vec![],
        held: vec![],
        shown: vec![],
        unmanaged: vec![],
    };
    plan.fleet = resolve_fleet(&plan.request, Some(&retried), &plan.locations, Some(1)).unwrap();
    plan.retries = Some(retried);
    // One node a start, as there may be room for one only.
    let template = plan.units[0].start.clone();
    plan.units.clear();
    for node in fates.keys() {
        world.add_naming(template.clone(), std::slice::from_ref(node));
    }
    world.one_place_each();
    world.plan.check().unwrap();
    world.run()
}

#[test]
fn a_retry_of_a_retry_has_the_bounds_of_the_first_campaign_and_counts_no_node_twice() {
    // Of the two that were damaged one is well now, and one failed again.
    let state = retry(vec![Fate::Well, Fate::Fails], &[0, 1]);
    assert_eq!(state.plan().fleet.unwrap().max_damaged, Some(2), "room for both");
    let left = state.bounds_left([node(1)].into(), 0, later(&state));
    assert_eq!(damaged(&left), (3, 5));
    assert_eq!(left.fleet.unwrap().nodes, 50);
}

#[test]
fn a_damaged_node_that_a_retry_did_not_come_to_counts_still() {
    // The first that is tried fails, and then there is no room for the two that were damaged before.
    let state = retry(vec![Fate::Fails, Fate::Well, Fate::Well, Fate::Well], &[2, 3]);
    assert_eq!(state.plan().fleet.unwrap().max_damaged, Some(1));
    let again: BTreeSet<NodeId> = [0, 2, 3].into_iter().map(node).collect();
    assert!(state.is_counted(&node(0), Some(NodeOutcome::Failed)));
    assert!(!state.is_counted(&node(1), Some(NodeOutcome::NotRun)));
    for n in [2, 3] {
        assert!(state.is_counted(&node(n), Some(NodeOutcome::NotRun)));
        assert!(state.is_counted(&node(n), None));
        assert!(!state.is_counted(&node(n), Some(NodeOutcome::PendingReboot)));
    }
    assert_eq!(damaged(&state.bounds_left(again, 0, later(&state))), (5, 5));
}

#[test]
fn each_value_of_a_label_has_what_the_first_campaign_left_of_it() {
    let (a, b) = (Some("a"), Some("b"));
    let locations = [
        vec![(Fate::Fails, a), (Fate::Well, a), (Fate::Well, b)],
        vec![(Fate::Well, b)],
    ];
    let state = of_service(&locations, Some(2), Some(2)).run();
    let left = state.bounds_left([node(0)].into(), 0, later(&state));
    assert!(left.fleet.is_none());
    let values: Vec<_> = left.labels[0]
        .iter()
        .map(|left| {
            let (damaged, in_flight) = (left.max_damaged.unwrap(), left.max_in_flight.unwrap());
            (
                left.value.as_deref().unwrap(),
                damaged.used,
                in_flight.used,
                left.again.len(),
            )
        })
        .collect();
    assert_eq!(values, [("a", 1, 0, 1), ("b", 0, 0, 0)]);
    assert!(!state.has_used_up_bounds(later(&state)));
}

#[test]
fn a_value_that_is_used_up_matters_where_nodes_of_it_were_not_run() {
    let (a, b) = (Some("a"), Some("b"));
    let all_run = [vec![(Fate::Fails, a)], vec![(Fate::Well, b)]];
    let state = of_service(&all_run, None, Some(1)).run();
    assert!(!state.has_used_up_bounds(later(&state)));
    let one_left = [vec![(Fate::Fails, a), (Fate::Well, a)], vec![(Fate::Well, b)]];
    let state = of_service(&one_left, None, Some(1)).run();
    assert!(state.has_used_up_bounds(later(&state)));
}
