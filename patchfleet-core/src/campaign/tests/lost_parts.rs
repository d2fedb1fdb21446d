//! A log that has lost its end, and with it that units were divided: no node gets a second command, and each is told what became
//! of it.

use super::fleet::{Bounds, Fate, assert_bounded, begun, life, world};
use super::world::*;
use crate::budget::Seconds;
use crate::campaign::{DriveError, Event, LogKey, State, StopMode};
use crate::id::{NodeId, UnitId};
use crate::outcome::{FinishedOutcome, NodeOutcome};
use crate::port::{Clock as _, CommandSettings, Commands as _, SendRequest, StartRequest};
use crate::request::Dispatch;
use crate::runbook;
use jiff::SignedDuration;
use std::collections::BTreeMap;

const BOUNDS: Bounds = Bounds {
    in_flight: None,
    damaged: Some(4),
    unreached: None,
};

/// Has patchfleet send the commands itself.
pub(super) fn send_commands(world: &mut World) {
    world.plan.request.automation.dispatch = Dispatch::RunCommand;
    for unit in &mut world.plan.units {
        let location = unit.locations().next().unwrap();
        let nodes = unit.nodes.clone().unwrap();
        let command = runbook::command(&world.plan.request, nodes, Seconds::new(3_600), None);
        unit.start = StartRequest::of_command(location, command);
    }
}

/// A location in which a command of three is divided after two failures, and another one that does well.
fn divided(by_command: bool) -> (World, BTreeMap<NodeId, Fate>) {
    let mut nodes = vec![Fate::Well; 9];
    nodes[1] = Fate::Fails;
    nodes[4] = Fate::Lost;
    let (mut world, fates) = world(&[nodes, vec![Fate::Well; 3]], 1, BOUNDS);
    if by_command {
        send_commands(&mut world);
    }
    (world, fates)
}

/// How many nodes came to this, by the log.
fn count(state: &State, outcome: NodeOutcome) -> u32 {
    let settled = state.locations().filter_map(|(.., at)| at.settled.as_ref());
    settled.map(|settled| settled.nodes.count(outcome)).sum()
}

/// Kills a driver once so much has begun, cuts its log, and goes on.
fn go_on_after_a_cut(by_command: bool, begins: usize, left: usize, is_late: bool) -> bool {
    let (world, fates) = divided(by_command);
    let mut first = ByHand::new(life(&world, 1));
    while begun(&world).len() < begins && !first.poll() {}
    drop(first);
    if begun(&world).len() < begins || world.records().len() <= left {
        return false;
    }
    let was_divided = world
        .events()
        .iter()
        .any(|event| matches!(event, Event::Divided { .. }));
    world.log.cut(&LogKey::Campaign(world.campaign()), left);
    match is_late {
        // AWS shows only later what was begun.
        true => *world.aws.hidden.lock().unwrap() = SignedDuration::from_secs(60),
        false => world.clock.advance(SignedDuration::from_mins(20)),
    }
    let case = format!("by command {by_command}, {begins} begun, {left} records left, late {is_late}");
    let state = finish(life(&world, 2)).unwrap_or_else(|| panic!("{case}: a person is needed"));
    assert_bounded(&world, &fates, BOUNDS, &case);
    let named: usize = begun(&world).iter().map(|one| one.nodes.len()).sum();
    assert_eq!(named, 12, "{case}: each node has its turn");
    let tallies = state.locations().filter_map(|(.., at)| at.settled.as_ref());
    let tallies: Vec<String> = tallies.map(|settled| format!("{:?}", settled.nodes)).collect();
    assert_eq!(count(&state, NodeOutcome::NotRun), 0, "{case}: {tallies:?}");
    // Where a command can be read only late, so can what became of some nodes.
    assert!(
        is_late || count(&state, NodeOutcome::Done) == 10,
        "{case}: {tallies:?}"
    );
    was_divided
}

#[test]
fn wherever_a_log_was_cut_no_node_of_a_divided_unit_gets_a_second_command() {
    for by_command in [false, true] {
        let mut cuts = 0;
        for begins in 4..7 {
            // Each number of starts with some of the cuts.
            for left in (2 + begins..60).step_by(7) {
                cuts += u32::from(go_on_after_a_cut(by_command, begins, left, left % 2 == 0));
            }
        }
        assert!(cuts > 4, "{cuts} cuts after a division");
    }
}

/// A command of the campaign for these nodes, which no log knows.
fn send_unknown(world: &World, nodes: &[NodeId]) {
    let unit = &world.plan.units[0];
    let (location, SendRequest { mut settings, .. }) = unit.start.to_send().unwrap();
    settings.instance_ids = nodes.to_vec();
    settings.comment = CommandSettings::comment_of(world.campaign(), UnitId::from_index(98), 1);
    let request = SendRequest {
        settings,
        ..unit.start.to_send().unwrap().1
    };
    finish(world.aws.send(&location, &request, jiff::Timestamp::MAX)).unwrap();
}

#[test]
fn a_command_for_which_the_log_leaves_no_room_is_named_and_nothing_more_begins() {
    let (world, _) = divided(true);
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    let named = |unit: usize| world.plan.units[unit].nodes.clone().unwrap();
    // It names nodes of two units.
    send_unknown(&world, &[named(0)[0].clone(), named(1)[0].clone()]);
    for _ in 0..2 {
        world.clock.advance(SignedDuration::from_mins(20));
        let error = finish(world.driver(2).run(world.campaign())).unwrap_err();
        assert!(matches!(error, DriveError::Strays { .. }), "{error}");
        let text = error.to_string();
        let words = format!("begun as unit 99 for 2 nodes ({}", named(0)[0]);
        assert!(text.contains(&words), "{text}");
    }
    // A stop says nothing of these nodes either.
    let stopped = finish(
        world
            .driver(3)
            .stop(world.campaign(), StopMode::CancelCommands, "ops"),
    );
    assert!(matches!(stopped, Err(DriveError::Strays { .. })), "{stopped:?}");
    assert_eq!(world.aws.sends.lock().unwrap().len(), 1);
    let settled = |event: &Event| matches!(event, Event::LocationSettled { .. });
    assert!(!world.events().iter().any(settled));
    // It is over by AWS, so a person may close the campaign. Of the units whose nodes it names it is not said that they were not
    // begun.
    let state = finish(world.driver(4).abandon(world.campaign(), "ops")).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    for (index, unit) in world.plan.units.iter().enumerate() {
        let at = state.units()[&unit.id].locations.values().next().unwrap();
        let nodes = &at.settled.as_ref().unwrap().nodes;
        let all = u32::try_from(named(index).len()).unwrap();
        let outcome = match index {
            0 | 1 => NodeOutcome::Unknown,
            _ => NodeOutcome::NotRun,
        };
        assert_eq!(nodes.count(outcome), all, "unit {index}: {nodes:?}");
    }
}

#[test]
fn nothing_is_closed_over_what_a_log_has_lost_and_runs() {
    for by_command in [false, true] {
        let (world, _) = divided(by_command);
        let mut first = ByHand::new(life(&world, 1));
        let was_divided = || {
            let events = world.events();
            events.iter().any(|event| matches!(event, Event::Divided { .. }))
        };
        // A part of the divided unit has begun, and what was begun before is in the log.
        while !was_divided() && !first.poll() {}
        let before = begun(&world).len();
        while begun(&world).len() == before && !first.poll() {}
        drop(first);
        let records = world.records();
        let divided = records.iter().position(|record| {
            let mut events = record.events.iter();
            events.any(|event| matches!(event, Event::Divided { .. }))
        });
        world
            .log
            .cut(&LogKey::Campaign(world.campaign()), divided.unwrap());
        // AWS shows it by now.
        world.clock.advance(SignedDuration::from_mins(1));
        let error = finish(world.driver(2).abandon(world.campaign(), "ops")).unwrap_err();
        let DriveError::NotAbandoned(refusal) = &error else {
            panic!("{error}")
        };
        let words = "AWS knows it, and the log has lost it";
        assert!(
            refusal.reasons.iter().any(|reason| reason.detail.contains(words)),
            "by command {by_command}: {refusal:?}"
        );
    }
}

#[test]
fn a_location_that_lets_nobody_look_ends_a_drive_whose_labels_keep_everything_waiting() {
    let nodes = || vec![(Fate::Well, Some("db"))];
    let mut world = super::labels::of_service(&[nodes(), nodes()], Some(1), None);
    send_commands(&mut world);
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    let denied = world.plan.locations[1].location();
    world.aws.listing_denied.lock().unwrap().insert(denied);
    let begun = world.clock.now();
    let driver = world.driver(2);
    let mut run = ByHand::new(driver.run(world.campaign()));
    while !run.poll() {
        let waited = world.clock.now().duration_since(begun);
        assert!(waited < SignedDuration::from_hours(24), "it never ends");
    }
    let error = run.end().unwrap_err();
    assert!(matches!(error, DriveError::Unsought { .. }), "{error}");
}

#[test]
fn a_location_that_lets_nobody_look_keeps_no_other_from_being_patched() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let places: Vec<[(&str, Script); 1]> = (0..4).map(|_| [("us-east-1", well())]).collect();
    let units: Vec<&[(&str, Script)]> = places.iter().map(|one| &one[..]).collect();
    let mut world = World::new(&units, 2, 0);
    world.send_commands(1);
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    let denied = world.plan.locations[1].location();
    world.aws.listing_denied.lock().unwrap().insert(denied.clone());
    let error = finish(world.driver(2).run(world.campaign())).unwrap_err();
    assert!(matches!(error, DriveError::Unsought { .. }), "{error}");
    assert!(crate::problem::chain(&error).contains("no ssm:ListCommands here"));
    let state = State::from_records(&world.records()).unwrap();
    assert_eq!(count(&state, NodeOutcome::Done), 3, "the others are patched");
    let sends = world.aws.sends.lock().unwrap().clone();
    assert!(sends.iter().all(|send| send.location != denied));
    world.aws.listing_denied.lock().unwrap().clear();
    let state = finish(world.driver(3).run(world.campaign())).unwrap();
    assert_eq!(count(&state, NodeOutcome::Done), 4);
}

#[test]
fn the_nodes_of_a_location_that_lets_nobody_look_take_room_under_a_bound() {
    // Two nodes there may be damaged, so the others have room one after another, or none.
    for (damaged, expected) in [(4, 4), (3, 0)] {
        let bounds = Bounds {
            damaged: Some(damaged),
            ..BOUNDS
        };
        let (mut world, _) = world(&vec![vec![Fate::Well; 2]; 3], 1, bounds);
        send_commands(&mut world);
        finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
        let denied = world.plan.locations[0].location();
        world.aws.listing_denied.lock().unwrap().insert(denied.clone());
        let error = finish(world.driver(2).run(world.campaign())).unwrap_err();
        assert!(matches!(error, DriveError::Unsought { .. }), "{error}");
        let sends = world.aws.sends.lock().unwrap();
        assert!(sends.iter().all(|send| send.location != denied));
        let nodes = sends.iter().map(|send| send.request.settings.instance_ids.len());
        assert_eq!(nodes.sum::<usize>(), expected, "{damaged} may be damaged");
    }
}
