//! A bound on nodes in flight that AWS keeps, where scripts run on after their commands have expired. What AWS began, and what each
//! node comes to, is the small AWS's own.

use super::fleet::{Bounds, stopped_for};
use super::world::*;
use crate::campaign::state::RoomAtAws;
use crate::campaign::{Event, FleetStop, Rule, State};
use crate::id::UnitId;
use crate::outcome::{FinishedOutcome, LocationOutcome, NodeOutcome};
use crate::plan::resolve_fleet;
use crate::port::StartRequest;
use crate::request::PatchRequest;
use crate::runbook;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Its command expires while it is at work, and it answers.
fn runs_on(n: u32) -> Node {
    Node {
        status: "DeliveryTimedOut",
        patches: None,
        begun: true,
        ..Node::well(n)
    }
}

/// So many nodes, of which the first so many run on.
fn location(number: usize, nodes: u32, running_on: u32) -> Script {
    let first = u32::try_from(number).unwrap() * 100;
    let node = |n: u32| match n < running_on {
        true => runs_on(first + n),
        false => Node::well(first + n),
    };
    Script::Nodes((0..nodes).map(node).collect())
}

/// Units of these locations, which have so many nodes each and of which so many run on, under a bound that AWS keeps.
fn world(units: &[&[u32]], nodes: u32, at_once: u32, in_flight: u32) -> World {
    let regions = [
        "ap-south-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "us-east-1",
        "us-east-2",
        "us-west-2",
    ];
    let mut number = 0;
    let mut scripts = vec![];
    for unit in units {
        let mut one = vec![];
        for (region, running_on) in regions.iter().zip(*unit) {
            one.push((*region, location(number, nodes, *running_on)));
            number += 1;
        }
        scripts.push(one);
    }
    let units: Vec<&[(&str, Script)]> = scripts.iter().map(|one| &one[..]).collect();
    let mut world = World::new(&units, at_once, 9);
    bound(&mut world, in_flight);
    world
}

fn bound(world: &mut World, in_flight: u32) {
    let bounds = Bounds {
        in_flight: Some(in_flight),
        ..Bounds::default()
    };
    let asked = PatchRequest {
        budget: crate::request::Budget {
            fleet: Some(bounds.budget()),
            ..world.plan.request.budget.clone()
        },
        ..world.plan.request.clone()
    };
    let mut asked = asked;
    asked.budget.nodes.max_concurrency = "100%".parse().unwrap();
    asked.budget.nodes.max_errors = "100%".parse().unwrap();
    let fleet = resolve_fleet(&asked, None, &world.plan.locations, Some(1))
        .unwrap()
        .unwrap();
    // The starts have the limits that keep the bound.
    world.plan.request = asked.clone();
    world.plan.request.budget.nodes = fleet.node_rates(asked.budget.nodes);
    world.agree();
    let rates = world.plan.request.budget.nodes;
    world.plan.request = asked;
    world.plan.fleet = Some(fleet);
    for unit in &mut world.plan.units {
        unit.node_rates = rates;
        let [target] = &mut unit.start.target_locations;
        let places = u32::try_from(target.regions.len()).unwrap();
        let at_once = fleet.locations_at_once().unwrap();
        target.target_location_max_concurrency = at_once.min(places);
    }
    world.plan.check().unwrap();
}

/// Of each unit's start, how many nodes of a location and how many locations at once it was given.
fn given(world: &World) -> Vec<(u32, u32)> {
    let of = |request: &StartRequest| {
        let locations = request.target_location().target_location_max_concurrency;
        (runbook::at_once(request).unwrap(), locations)
    };
    let events = world.events();
    let requests = events.iter().filter_map(|event| match event {
        Event::StartIntended { unit, request, .. } => Some((*unit, of(request))),
        _ => None,
    });
    let last: BTreeMap<UnitId, (u32, u32)> = requests.collect();
    last.into_values().collect()
}

/// How many starts were open at most when one was made from this instant on, itself among them.
fn most_beside(world: &World, from: Timestamp) -> usize {
    let all = world.executions();
    let late = all.iter().filter(|one| one.started_at >= from);
    let open = |at: Timestamp| {
        let open = all
            .iter()
            .filter(|one| one.started_at <= at && at < one.started_at + RUNS);
        open.count()
    };
    late.map(|one| open(one.started_at)).max().unwrap()
}

fn running_on(state: &State) -> u32 {
    let settled = state.locations().filter_map(|(.., at)| at.settled.as_ref());
    settled
        .map(|settled| settled.nodes.count(NodeOutcome::RunningAtExpiry))
        .sum()
}

#[test]
fn a_node_that_runs_on_keeps_its_place_from_every_start_that_comes_after_it() {
    let alone = [1, 0, 0, 0, 0, 0].map(|n| [n]);
    let units: Vec<&[u32]> = alone.iter().map(|unit| &unit[..]).collect();
    let world = world(&units, 2, 2, 4);
    assert_eq!(given(&world), []);
    let state = world.run();
    assert_eq!(running_on(&state), 1);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    assert_eq!(given(&world), [(2, 1); 6], "each is given what the plan says");
    // Two of two nodes each would be four, beside the one that runs on.
    let known = world.records().into_iter().find_map(|record| {
        let settled =
            |event: &Event| matches!(event, Event::LocationSettled { unit, .. } if unit.number() == 1);
        record.events.iter().any(settled).then_some(record.at)
    });
    assert_eq!(most_beside(&world, world.executions()[0].started_at), 2);
    assert_eq!(most_beside(&world, known.unwrap()), 1);
}

#[test]
fn a_start_that_waits_for_such_a_place_says_so() {
    let alone = [1, 0, 0, 0, 0, 0].map(|n| [n]);
    let units: Vec<&[u32]> = alone.iter().map(|unit| &unit[..]).collect();
    let world = world(&units, 2, 2, 4);
    let state = world.run();
    assert_eq!(
        state
            .fleet(state.last_at())
            .unwrap()
            .at_aws
            .unwrap()
            .running_at_expiry,
        1
    );
    let records = world.records();
    let told = (1..records.len()).find_map(|n| {
        let state = State::from_records(&records[..n]).unwrap();
        let holds = state.holds(state.last_at());
        let held = holds.into_iter().find(|hold| hold.rule == Rule::Fleet);
        Some((
            held?.reason.to_string(),
            state.fleet(state.last_at()).unwrap().to_string(),
        ))
    });
    let (why, standing) = told.unwrap();
    assert_eq!(
        why,
        "3 of the 4 nodes that may be in flight across the fleet are, and it needs 2"
    );
    assert!(
        standing.contains("(AWS keeps 2 at once in a location, 1 runs on)"),
        "{standing}"
    );
}

#[test]
fn where_nothing_else_is_open_a_start_is_given_what_is_left() {
    // Two nodes of a location at once, two locations.
    let of = |running_on: u32| {
        let first = [running_on, 0, 0, 0];
        let world = world(&[&first, &[0, 0, 0, 0]], 4, 2, 4);
        let state = world.run();
        assert_eq!(running_on, self::running_on(&state));
        // A log with a smaller start is gone on with.
        assert_eq!(State::from_records(&world.records()).as_ref(), Ok(&state));
        given(&world)
    };
    let whole = of(0);
    let (k, c) = whole[0];
    assert_eq!((k * c, whole.len()), (4, 2));
    for running_on in 1..4 {
        let given = of(running_on);
        assert_eq!(given[0], (k, c));
        let (nodes, locations) = given[1];
        assert!((1..=k).contains(&nodes) && (1..=c).contains(&locations));
        assert!(running_on + nodes * locations <= 4, "{running_on}: {given:?}");
    }
    assert_eq!(of(3)[1], (1, 1));
}

#[test]
fn a_command_that_patchfleet_sends_is_given_what_is_left_too() {
    let alone = [1, 0, 0].map(|n| [n]);
    let units: Vec<&[u32]> = alone.iter().map(|unit| &unit[..]).collect();
    let mut world = world(&units, 3, 1, 3);
    let k = world.plan.fleet.unwrap().nodes_at_once().unwrap();
    assert_eq!(k, 3);
    world.send_commands(50);
    let rates = world
        .plan
        .fleet
        .unwrap()
        .node_rates(world.plan.request.budget.nodes);
    for unit in &mut world.plan.units {
        unit.node_rates = rates;
        unit.start.command.as_mut().unwrap().rates = rates;
    }
    let state = world.run();
    assert_eq!(running_on(&state), 1);
    assert_eq!(given(&world), [(3, 1), (2, 1), (2, 1)]);
}

#[test]
fn once_what_runs_on_takes_up_the_bound_nothing_more_is_begun() {
    let alone = [2, 0, 0].map(|n| [n]);
    let units: Vec<&[u32]> = alone.iter().map(|unit| &unit[..]).collect();
    let world = world(&units, 2, 1, 2);
    let state = world.run();
    assert_eq!(world.executions().len(), 1);
    let used_up = FleetStop::InFlight {
        unknown: 2,
        allowed: 2,
    };
    assert_eq!(stopped_for(&state), Some(used_up));
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(
        state.left_out_because().unwrap().to_string(),
        "2 nodes of the fleet may be at work still (unknown or running_at_expiry), and budget.fleet.max_in_flight allows 2"
    );
}

#[test]
fn an_execution_that_would_begin_more_is_stopped_then() {
    let world = world(&[&[2, 0, 0, 0, 0, 0, 0, 0]], 2, 1, 2);
    let state = world.run();
    assert!(!world.aws.stops.lock().unwrap().is_empty(), "it is stopped");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let left = state.locations().filter_map(|(.., at)| at.settled.as_ref());
    let left: Vec<&str> = left
        .filter(|settled| settled.outcome == LocationOutcome::NotStarted)
        .map(|settled| settled.detail.as_str())
        .collect();
    assert!(!left.is_empty());
    for words in left {
        assert!(words.ends_with("budget.fleet.max_in_flight allows 2"), "{words}");
    }
}

#[test]
fn whoever_goes_on_with_a_log_holds_the_same_places_back() {
    let alone = [1, 0, 0].map(|n| [n]);
    let units: Vec<&[u32]> = alone.iter().map(|unit| &unit[..]).collect();
    let undisturbed = world(&units, 2, 1, 2);
    undisturbed.run();
    let expected = given(&undisturbed);
    assert_eq!(expected, [(2, 1), (1, 1), (1, 1)]);
    for appends in 2..undisturbed.records().len() {
        let world = world(&units, 2, 1, 2);
        killed_once(&world, |world| world.records().len() >= appends);
        let state = finish(world.driver(2).run(world.campaign())).unwrap();
        assert_eq!(given(&world), expected, "killed after {appends} records");
        assert_eq!(running_on(&state), 1);
    }
}

#[test]
fn a_log_whose_start_was_given_more_than_the_plan_says_is_refused() {
    let alone = [0, 0].map(|n| [n]);
    let units: Vec<&[u32]> = alone.iter().map(|unit| &unit[..]).collect();
    let world = world(&units, 4, 1, 2);
    world.run();
    let state = State::from_records(&world.records()).unwrap();
    let unit = world.plan.units[0].id;
    let sent = crate::campaign::start::request(&state, unit, 1, state.last_at()).unwrap();
    let fits = |at_once: u32| {
        let mut request = sent.clone();
        runbook::limit_at_once(&mut request, at_once);
        crate::campaign::start::is_planned(&state, unit, 1, &request)
    };
    assert!(fits(1) && fits(2));
    assert!(!fits(3) && !fits(4));
}

#[test]
fn a_retry_has_what_those_that_run_on_leave_of_the_bound() {
    let alone = [1, 0].map(|n| [n]);
    let units: Vec<&[u32]> = alone.iter().map(|unit| &unit[..]).collect();
    let world = world(&units, 3, 1, 3);
    let state = world.run();
    let left = state
        .bounds_left(BTreeSet::new(), 0, state.last_at())
        .fleet
        .unwrap()
        .max_in_flight
        .unwrap();
    assert_eq!((left.allowed, left.used), (3, 1));
}

#[test]
fn the_example_in_architecture_md_is_what_is_computed() {
    let given = |running_on: u64| {
        let room = RoomAtAws {
            open: 0,
            running_on,
            needed: 10,
            of: 12,
            nodes_at_once: 5,
            locations_at_once: 2,
        };
        let narrowed = room.narrowed()?;
        Some((narrowed.nodes_at_once, narrowed.locations_at_once))
    };
    assert_eq!(
        [2, 3, 8, 11].map(given),
        [None, Some((5, 1)), Some((4, 1)), Some((1, 1))]
    );
}
