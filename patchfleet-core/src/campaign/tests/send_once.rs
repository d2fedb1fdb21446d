//! Campaigns whose commands patchfleet sends itself: whatever is killed, fails or runs twice, no node gets a command
//! twice.

use super::world::*;
use crate::campaign::{DriveError, Event, LogKey, Progress, State, StopMode};
use crate::id::{NodeId, UnitId};
use crate::outcome::{FinishedOutcome, NodeOutcome};
use crate::port::{Clock as _, CommandSettings, PortError, PortErrorKind};
use jiff::SignedDuration;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Two locations with three nodes each, both at once, and a command for two nodes at most.
fn world() -> World {
    let well = || Script::Nodes(vec![Node::well(1), Node::well(2), Node::well(3)]);
    let mut world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 2, 0);
    world.send_commands(2);
    world
}

/// One location with two nodes, which get a command each, one after another.
fn small_world() -> World {
    let well = Script::Nodes(vec![Node::well(1), Node::well(2)]);
    let mut world = World::new(&[&[("us-east-1", well)]], 1, 0);
    world.send_commands(1);
    world
}

/// One location with one node.
fn one_node() -> World {
    let mut world = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
    world.send_commands(1);
    world
}

/// That no node has got two commands, told by AWS alone.
fn assert_once(world: &World, case: &str) {
    let mut commands: BTreeMap<(String, NodeId), u32> = BTreeMap::new();
    for send in world.aws.sends.lock().unwrap().iter() {
        for node in &send.request.settings.instance_ids {
            *commands
                .entry((send.location.to_string(), node.clone()))
                .or_default() += 1;
        }
    }
    assert!(commands.values().all(|n| *n == 1), "{case}: {commands:?}");
}

/// From now on AWS lists a command so long after it was sent.
fn list_late(world: &World, late: SignedDuration) {
    let mut hidden_by = world.aws.hidden_by.lock().unwrap();
    hidden_by.insert("patchfleet campaign", late);
}

fn assert_all_well(world: &World, state: &State, case: &str) {
    assert_once(world, case);
    let sends = world.aws.sends.lock().unwrap();
    let nodes = sends.iter().map(|send| send.request.settings.instance_ids.len());
    let planned = world.plan.units.iter().flat_map(|unit| &unit.nodes).map(Vec::len);
    let planned: usize = planned.sum();
    assert_eq!(nodes.sum::<usize>(), planned, "{case}");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded, "{case}");
    assert_eq!(
        State::from_records(&world.records()).as_ref(),
        Ok(state),
        "{case}"
    );
    assert_eq!(count(state, NodeOutcome::Done) as usize, planned, "{case}");
}

/// How many nodes came to this, by the log.
fn count(state: &State, outcome: NodeOutcome) -> u32 {
    let units = state.units().values();
    let settled = units.flat_map(|unit| unit.locations.values().filter_map(|at| at.settled.as_ref()));
    settled.map(|settled| settled.nodes.count(outcome)).sum()
}

/// Polls a driver so many times and kills it; whether it was over by then.
fn live(world: &World, writer: u128, polls: usize) -> bool {
    let mut driver = ByHand::new(whole_life(world, writer));
    (0..polls).any(|_| driver.poll())
}

/// Has the campaign driven to its end, by a person's help if a send stays without an answer. Whether that was needed.
fn ended(world: &World, case: &str) -> (State, bool) {
    match finish(whole_life(world, 2)) {
        Ok(state) => (state, false),
        Err(DriveError::Unresolved { holds, .. }) => {
            assert_once(world, case);
            let units: BTreeSet<UnitId> = holds.into_iter().map(|hold| hold.unit).collect();
            let driver = world.driver(3);
            finish(driver.send_again(world.campaign(), &units, "ops")).unwrap();
            (finish(driver.run(world.campaign())).unwrap(), true)
        }
        Err(other) => panic!("{case}: {other}"),
    }
}

#[test]
fn each_node_gets_one_command_with_the_campaign_the_unit_and_the_attempt_in_its_comment() {
    let world = world();
    let state = world.run();
    assert_all_well(&world, &state, "undisturbed");
    assert!(world.aws.starts.lock().unwrap().is_empty(), "no automation");
    let sends = world.aws.sends.lock().unwrap();
    let comments: Vec<&str> = sends
        .iter()
        .map(|send| send.request.settings.comment.as_str())
        .collect();
    let of = |unit| CommandSettings::comment_of(world.campaign(), UnitId::from_index(unit), 1);
    let mut expected = [0, 1, 2, 3].map(of);
    expected.sort();
    let mut sorted = comments.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    let snapshot = world.campaign().snapshot_id().to_string();
    for send in sends.iter() {
        assert_eq!(
            send.request.parameters["SnapshotId"],
            std::slice::from_ref(&snapshot)
        );
        assert_eq!(send.request.parameters["Operation"], ["Install"]);
    }
    // What is in the log before a call is what the call sends.
    let intended: Vec<_> = world
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::StartIntended { request, .. } => request.to_send(),
            _ => None,
        })
        .collect();
    let sent: Vec<_> = sends
        .iter()
        .map(|send| (send.location.clone(), send.request.clone()))
        .collect();
    assert_eq!(intended, sent);
}

#[test]
fn wherever_a_driver_is_killed_no_node_gets_a_second_command_unless_a_person_says_so() {
    let (mut instants, mut helped) = (0, 0);
    for polls in 0.. {
        let world = one_node();
        if live(&world, 1, polls) {
            break;
        }
        let case = format!("killed after {polls} polls");
        let (state, was_helped) = ended(&world, &case);
        assert_all_well(&world, &state, &case);
        instants += 1;
        helped += u32::from(was_helped);
    }
    assert!(instants > 50, "only {instants} instants");
    assert!(helped > 0, "some instant lies between an intent and its call");
}

#[test]
fn any_one_call_may_fail_or_lose_its_answer() {
    let undisturbed = one_node();
    undisturbed.run();
    let calls = *undisturbed.chaos.calls.lock().unwrap();
    for fault in [Fault::Before, Fault::After] {
        for call in 1..=calls {
            let world = one_node();
            *world.chaos.fault.lock().unwrap() = Some((call, fault));
            // A lost answer is found by its comment, so nobody has to help.
            let state = finish(whole_life(&world, 1)).unwrap();
            assert_all_well(&world, &state, &format!("{fault:?} at call {call} of {calls}"));
        }
    }
}

#[test]
fn drivers_that_are_killed_again_and_again_send_nothing_twice() {
    proptest!(ProptestConfig::with_cases(40), |(lives in prop::collection::vec(0_usize..400, 0..20))| {
        let world = small_world();
        let mut over = false;
        for (n, polls) in lives.iter().enumerate() {
            over = over || live(&world, n as u128 + 10, *polls);
        }
        let case = format!("{lives:?}");
        let (state, _) = ended(&world, &case);
        assert_all_well(&world, &state, &case);
    });
}

#[test]
fn two_drivers_at_once_send_nothing_twice_however_they_take_turns() {
    proptest!(ProptestConfig::with_cases(60), |(turns in prop::collection::vec((any::<bool>(), 1_usize..12), 0..300))| {
        let world = small_world();
        let [one, two] = [1, 2].map(|writer| ByHand::new(whole_life(&world, writer)));
        let (one, two) = in_turns(one, two, turns);
        match (one, two) {
            (Ok(one), Ok(two)) => prop_assert_eq!(but_for_instants(&one), but_for_instants(&two)),
            // One was put aside for minutes between its intent and its call, and sends nothing after that.
            (one, two) => for end in [one, two] {
                prop_assert!(matches!(end, Ok(_) | Err(DriveError::Unresolved { .. })), "{:?}", end);
            }
        }
        let (state, _) = ended(&world, "two drivers");
        assert_all_well(&world, &state, "two drivers");
    });
}

#[test]
fn a_command_that_is_listed_too_late_is_left_to_a_person_and_never_sent_again() {
    let world = world();
    let late = SignedDuration::from_hours(1);
    list_late(&world, late);
    let mut first = ByHand::new(whole_life(&world, 1));
    first.until(|| !world.aws.sends.lock().unwrap().is_empty());
    drop(first);
    let open = finish(whole_life(&world, 2)).unwrap_err();
    let DriveError::Unresolved { holds, .. } = &open else {
        panic!("{open}");
    };
    let words = holds[0].reason.to_string();
    assert!(
        words.contains("no command in its location has its comment"),
        "{words}"
    );
    assert_once(&world, "not listed");
    let sent = world.aws.sends.lock().unwrap().len();
    // The next one finds it, and nobody has to say anything.
    world.clock.advance(SignedDuration::from_hours(1));
    let state = finish(whole_life(&world, 3)).unwrap();
    assert_all_well(&world, &state, "listed after an hour");
    assert!(sent < 4);
}

#[test]
fn a_command_that_aws_throttles_was_not_sent_and_is_sent_later() {
    let world = world();
    let throttled = || PortError::new(PortErrorKind::Throttled, "throttled");
    world
        .aws
        .refusals
        .lock()
        .unwrap()
        .extend([throttled as fn() -> PortError; 3]);
    assert_all_well(&world, &world.run(), "throttled three times");
}

#[test]
fn a_command_that_waits_for_its_turn_longer_than_its_record_allows_is_not_sent_and_is_intended_anew() {
    let world = one_node();
    *world.aws.sends_wait.lock().unwrap() = SignedDuration::from_secs(40);
    let state = world.run();
    assert_all_well(&world, &state, "too late at first");
    let events = world.events();
    let intended = events
        .iter()
        .filter(|event| matches!(event, Event::StartIntended { .. }));
    assert_eq!(intended.count(), 2);
    let late =
        |event: &&Event| matches!(event, Event::StartDeferred { detail, .. } if detail.contains("too late"));
    assert_eq!(events.iter().filter(late).count(), 1);
}

#[test]
fn a_command_that_is_refused_whole_for_a_stopped_node_is_sent_to_the_others() {
    let world = world();
    let stopped = Node::well(2).id;
    world.aws.stopped.lock().unwrap().insert(stopped.clone());
    let state = world.run();
    assert_once(&world, "one is stopped");
    let sends = world.aws.sends.lock().unwrap();
    let mut nodes = sends.iter().flat_map(|send| &send.request.settings.instance_ids);
    assert!(nodes.all(|node| *node != stopped));
    assert_eq!(sends.len(), 4);
    assert_eq!(count(&state, NodeOutcome::Done), 4);
    assert_eq!(count(&state, NodeOutcome::Unmanaged), 2);
    let refused = world.events().into_iter().filter_map(|event| match event {
        Event::CommandNotSent { attempt, away, .. } => Some((attempt, away)),
        _ => None,
    });
    let refused: Vec<_> = refused.collect();
    assert_eq!(refused, [(1, vec![stopped.clone()]), (1, vec![stopped])]);
}

#[test]
fn wherever_a_log_was_cut_no_node_gets_a_second_command() {
    let killed = |polls| {
        let world = small_world();
        let over = live(&world, 1, polls);
        (!over).then_some(world)
    };
    let mut cuts = 0;
    for polls in (0..).step_by(23) {
        let Some(records) = killed(polls).map(|world| world.records().len()) else {
            break;
        };
        for left in 1..records {
            let world = killed(polls).unwrap();
            world.log.cut(&LogKey::Campaign(world.campaign()), left);
            let case = format!("killed after {polls} polls, {left} records left");
            // Either somebody goes on at once, and commands are listed late, or he comes later.
            if left % 2 == 0 {
                let late = SignedDuration::from_secs(90);
                list_late(&world, late);
            } else {
                world.clock.advance(SignedDuration::from_mins(20));
            }
            let (state, _) = ended(&world, &case);
            assert_all_well(&world, &state, &case);
            cuts += 1;
        }
    }
    assert!(cuts > 20, "{cuts}");
}

#[test]
fn drives_of_less_than_a_minute_send_nothing_twice_after_a_log_has_lost_its_end() {
    let world = small_world();
    let late = SignedDuration::from_secs(90);
    list_late(&world, late);
    let mut first = ByHand::new(whole_life(&world, 1));
    first.until(|| !world.aws.sends.lock().unwrap().is_empty());
    drop(first);
    world.log.cut(&LogKey::Campaign(world.campaign()), 2);
    for writer in 2..500 {
        let until = world.clock.now() + SignedDuration::from_secs(50);
        let driver = world.driver(writer);
        match finish(driver.run_until(world.campaign(), until)).unwrap() {
            Progress::Finished(state) => return assert_all_well(&world, &state, "short drives"),
            Progress::Paused { wake_at, .. } => {
                let mut now = world.clock.0.lock().unwrap();
                *now = wake_at.max(*now);
            }
        }
    }
    panic!("it never ends");
}

#[test]
fn a_stop_cancels_the_commands_and_sends_no_more() {
    let mut world = world();
    world.plan.request.budget.locations.max_concurrency = "1".parse().unwrap();
    let mut first = ByHand::new(whole_life(&world, 1));
    first.until(|| world.aws.sends.lock().unwrap().len() == 1);
    drop(first);
    let driver = world.driver(2);
    let state = finish(driver.stop(world.campaign(), StopMode::CancelCommands, "ops")).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let sends = world.aws.sends.lock().unwrap();
    assert_eq!(sends.len(), 1);
    let cancelled = world.aws.stops_below.lock().unwrap();
    assert!(
        cancelled
            .iter()
            .any(|(at, below, _)| *at == sends[0].location && *below == Below::Command)
    );
}

#[test]
fn a_command_that_somebody_else_cancels_ends_the_campaign() {
    let mut world = world();
    world.plan.request.budget.locations.max_concurrency = "1".parse().unwrap();
    let mut first = ByHand::new(whole_life(&world, 1));
    first.until(|| world.aws.sends.lock().unwrap().len() == 1);
    drop(first);
    world.clock.advance(SignedDuration::from_secs(10));
    world.aws.cancel_first_send();
    let state = finish(whole_life(&world, 2)).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(world.aws.sends.lock().unwrap().len(), 1);
}

#[test]
fn a_send_that_a_cut_log_shows_as_put_off_is_not_sent_again_before_aws_would_list_it() {
    for late in [1, 60, 90] {
        let world = one_node();
        let throttled = || PortError::new(PortErrorKind::Throttled, "throttled");
        world
            .aws
            .refusals
            .lock()
            .unwrap()
            .push(throttled as fn() -> PortError);
        let late = SignedDuration::from_secs(late);
        list_late(&world, late);
        let mut first = ByHand::new(whole_life(&world, 1));
        first.until(|| !world.aws.sends.lock().unwrap().is_empty());
        drop(first);
        let put_off = |event: &Event| matches!(event, Event::StartDeferred { .. });
        let records = world.records();
        let deferred = records
            .iter()
            .position(|record| record.events.iter().any(put_off));
        world
            .log
            .cut(&LogKey::Campaign(world.campaign()), deferred.unwrap() + 1);
        let case = format!("listed after {late:#}");
        let (state, _) = ended(&world, &case);
        assert_all_well(&world, &state, &case);
    }
}

#[test]
fn a_command_that_aws_refuses_is_a_failure_of_its_location_and_the_others_go_on() {
    let denied = || PortError::new(PortErrorKind::Denied, "not authorized to perform ssm:SendCommand");
    let run = |may_fail| {
        let well = || Script::Nodes(vec![Node::well(1)]);
        let places: Vec<[(&str, Script); 1]> = (0..4).map(|_| [("us-east-1", well())]).collect();
        let units: Vec<&[(&str, Script)]> = places.iter().map(|one| &one[..]).collect();
        let mut world = World::new(&units, 1, may_fail);
        world.send_commands(1);
        world
            .aws
            .refusals
            .lock()
            .unwrap()
            .push(denied as fn() -> PortError);
        let state = world.run();
        (state.finished().unwrap().0, world.aws.sends.lock().unwrap().len())
    };
    assert_eq!(run(1), (FinishedOutcome::Partial, 3));
    assert_eq!(
        run(0),
        (FinishedOutcome::Halted, 0),
        "one failure more than may be"
    );
}

#[test]
fn a_location_whose_commands_cannot_be_looked_at_keeps_no_other_from_being_patched() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let places: Vec<[(&str, Script); 1]> = (0..5).map(|_| [("us-east-1", well())]).collect();
    let units: Vec<&[(&str, Script)]> = places.iter().map(|one| &one[..]).collect();
    let mut world = World::new(&units, 2, 5);
    world.send_commands(1);
    let sealed = world.plan.locations[0].location();
    world.aws.scripts.lock().unwrap().insert(sealed, Script::Sealed);
    // It is looked at until its command must have expired. The others are followed to their ends meanwhile.
    let others = || count(&State::from_records(&world.records()).unwrap(), NodeOutcome::Done);
    killed_once(&world, |world| {
        world.aws.sends.lock().unwrap().len() == 5 && others() == 4
    });
    // Once it can be looked at, it is followed as well.
    let sealed = world.plan.locations[0].location();
    world.aws.scripts.lock().unwrap().insert(sealed, well());
    let state = finish(whole_life(&world, 2)).unwrap();
    assert_all_well(&world, &state, "looked at later");
}
