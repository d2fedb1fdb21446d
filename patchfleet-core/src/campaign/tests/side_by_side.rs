//! No call waits for another's: a location that does not answer for minutes holds up its own unit, and no other.

use super::world::*;
use crate::campaign::{Event, HoldReason, State};
use crate::id::{Location, UnitId};
use crate::outcome::FinishedOutcome;
use crate::port::{Clock as _, PortErrorKind};
use crate::request::RunbookPin;
use jiff::{SignedDuration, Timestamp};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// So many units of one location each, so many of them at once, of which so many locations may fail.
fn world(units: usize, at_once: u32, errors: u32) -> World {
    let well: &[(&str, Script)] = &[("us-east-1", Script::Nodes(vec![Node::well(1)]))];
    let mut world = World::new(&vec![well; units], 1, errors);
    world.plan.runbook = super::runbook::world(RunbookPin::Default).plan.runbook;
    world.plan.request.budget.locations.max_concurrency = at_once.to_string().parse().unwrap();
    world
}

/// The location of a unit.
fn place(world: &World, unit: usize) -> Location {
    world.plan.units[unit].locations().next().unwrap()
}

/// How long after the campaign began the start of each unit was sent.
fn starts(world: &World, began: Timestamp) -> Vec<SignedDuration> {
    let units = 0..world.plan.units.len();
    let executions = world.executions();
    let of = |unit| {
        let at = place(world, unit);
        let mut one = executions.iter();
        let one = one.find(|one| one.request.target_location().locations().any(|there| there == at));
        one.unwrap().started_at.duration_since(began)
    };
    units.map(of).collect()
}

fn succeeded(state: &State) -> bool {
    state.finished().unwrap().0 == FinishedOutcome::Succeeded
}

#[test]
fn units_begin_within_a_minute_while_the_runbook_of_another_cannot_be_read_for_minutes() {
    // One place is left for all the others, who take it in turn.
    for at_once in [5, 2] {
        let world = world(5, at_once, 0);
        let began = world.clock.now();
        let slow = place(&world, 0);
        let answers = began + MINUTE * 20;
        world.aws.slow.lock().unwrap().insert(slow, answers);
        assert!(succeeded(&world.run()));
        let starts = starts(&world, began);
        assert!(starts[0] >= MINUTE * 20, "{starts:?}");
        let others = &starts[1..];
        if at_once == 5 {
            assert!(others.iter().all(|start| *start < MINUTE), "{starts:?}");
        } else {
            assert!(others[0] < MINUTE, "{starts:?}");
            assert!(
                others[3] < MINUTE * 15,
                "they do not wait for the first: {starts:?}"
            );
        }
    }
}

#[test]
fn units_begin_within_a_minute_while_the_account_of_another_throttles_every_look() {
    let world = world(4, 4, 0);
    let began = world.clock.now();
    let throttled = place(&world, 1);
    world
        .aws
        .copies
        .lock()
        .unwrap()
        .insert(throttled, Err(PortErrorKind::Throttled));
    *world.aws.copies_mend_after.lock().unwrap() = Some(10);
    assert!(succeeded(&world.run()));
    let starts = starts(&world, began);
    assert!(starts[1] > MINUTE * 3, "{starts:?}");
    for unit in [0, 2, 3] {
        assert!(starts[unit] < MINUTE, "{starts:?}");
    }
}

#[test]
fn a_unit_whose_runbook_is_read_within_seconds_keeps_its_turn() {
    let world = world(3, 1, 0);
    let began = world.clock.now();
    let first = place(&world, 0);
    world
        .aws
        .slow
        .lock()
        .unwrap()
        .insert(first, began + SignedDuration::from_secs(1));
    assert!(succeeded(&world.run()));
    let starts = starts(&world, began);
    assert!(starts[0] < starts[1] && starts[1] < starts[2], "{starts:?}");
}

#[test]
fn results_that_are_late_hold_a_start_only_if_one_more_failure_would_be_too_many() {
    for errors in [0, 1] {
        let world = world(3, 2, errors);
        let began = world.clock.now();
        let slow = place(&world, 0);
        let driver = world.driver(1);
        let state = finish(async {
            driver.begin(world.campaign(), &world.plan).await.unwrap();
            let two = began + SignedDuration::from_secs(40);
            let _ = driver.run_until(world.campaign(), two).await.unwrap();
            assert_eq!(world.executions().len(), 2);
            // From its end on, the first answers nothing more.
            world.aws.slow.lock().unwrap().insert(slow, began + MINUTE * 20);
            driver.run(world.campaign()).await.unwrap()
        });
        assert!(succeeded(&state));
        let starts = starts(&world, began);
        let expected = if errors == 0 {
            MINUTE * 20..MINUTE * 22
        } else {
            MINUTE..MINUTE * 3
        };
        assert!(expected.contains(&starts[2]), "{errors}: {starts:?}");
    }
}

#[test]
fn a_unit_whose_nodes_may_be_back_later_keeps_no_other_from_being_begun() {
    let mut world = world(3, 3, 0);
    let node = Node::well(1);
    let first = place(&world, 0);
    let start = world.plan.units[0].start.clone();
    let units = world.plan.units.split_off(1);
    world.plan.units.clear();
    world.add_naming(start, std::slice::from_ref(&node.id));
    world.plan.units.extend(units);
    world.agree();
    let unit = UnitId::from_index(0);
    let request = world.plan.units[0].start.clone();
    let state = super::admission::after(
        &world,
        vec![
            Event::StartIntended {
                unit,
                attempt: 1,
                request,
            },
            Event::Started {
                unit,
                execution: "11111111-1111-4111-8111-111111111111".parse().unwrap(),
            },
            Event::CommandNotSent {
                unit,
                attempt: 1,
                away: vec![],
                detail: "not in a valid state".to_owned(),
            },
        ],
    );
    assert_eq!(state.units()[&unit].locations.keys().next(), Some(&first));
    let holds = state.holds(state.last_at());
    let [own, other] = &holds[..] else {
        unreachable!("{holds:?}")
    };
    assert_eq!((own.unit, &own.reason), (unit, &HoldReason::NextAttempt));
    let second = UnitId::from_index(1);
    assert_eq!(
        other.reason,
        HoldReason::Turn { after: second },
        "the second is begun now"
    );
}
