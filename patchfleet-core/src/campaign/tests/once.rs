//! Once: whatever is killed, fails or runs twice, no unit takes effect twice and no location is lost.

use super::world::*;
use crate::campaign::{DriveError, Event, StartState, State};
use crate::outcome::FinishedOutcome;
use jiff::SignedDuration;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Two units that share a location budget, so that the second is begun when the first is over.
pub(super) fn world() -> World {
    let well = || Script::Nodes(vec![Node::well(1), Node::well(2)]);
    World::new(
        &[
            &[("us-east-1", well()), ("us-west-1", Script::Emptied)],
            &[("us-east-1", well())],
        ],
        2,
        0,
    )
}

/// What must hold of any campaign that was driven to its end, told from AWS's side and the log's.
fn assert_once(world: &World, state: &State, case: &str) {
    let executions = world.executions();
    let mut effects: BTreeMap<_, u32> = BTreeMap::new();
    for execution in &executions {
        *effects
            .entry(execution.request.target_location().accounts.clone())
            .or_default() += 1;
    }
    assert!(
        effects.values().all(|&n| n == 1),
        "{case}: started twice: {effects:?}"
    );

    let records = world.records();
    let mut settled: BTreeMap<(u32, String), u32> = BTreeMap::new();
    let mut finished = 0;
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record.seq, index as u64, "{case}");
        for event in &record.events {
            match event {
                Event::LocationSettled { unit, location, .. } => {
                    *settled.entry((unit.number(), location.to_string())).or_default() += 1;
                }
                Event::Finished { .. } => finished += 1,
                _ => {}
            }
        }
    }
    assert!(
        records.is_sorted_by_key(|record| record.at),
        "{case}: time went back"
    );
    assert_eq!(settled.len(), world.plan.locations.len(), "{case}: {settled:?}");
    assert!(
        settled.values().all(|&n| n == 1),
        "{case}: settled twice: {settled:?}"
    );
    assert_eq!(finished, 1, "{case}");
    assert_eq!(State::from_records(&records).as_ref(), Ok(state), "{case}");
    for unit in state.units().values() {
        if let StartState::Started { execution, .. } = &unit.start {
            assert!(executions.iter().any(|known| known.id == *execution), "{case}");
        }
    }
}

pub(super) fn assert_all_well(world: &World, state: &State, case: &str) {
    assert_once(world, state, case);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded, "{case}");
    assert_eq!(world.executions().len(), 2, "{case}");
}

/// Polls a driver `polls` times and kills it; whether it was over by then.
pub(super) fn live(world: &World, writer: u128, polls: usize) -> bool {
    let mut driver = ByHand::new(whole_life(world, writer));
    (0..polls).any(|_| driver.poll())
}

#[test]
fn a_driver_killed_at_any_instant_is_followed_by_one_that_starts_nothing_twice() {
    let mut instants = 0;
    for polls in 0.. {
        let world = world();
        if live(&world, 1, polls) {
            break;
        }
        let state = finish(whole_life(&world, 2)).unwrap();
        assert_all_well(&world, &state, &format!("killed after {polls} polls"));
        instants += 1;
    }
    assert!(instants > 200, "only {instants} instants");
}

#[test]
fn a_start_that_nobody_followed_up_in_time_is_never_sent_again() {
    let mut unresolved = 0;
    for polls in 0.. {
        let world = world();
        if live(&world, 1, polls) {
            break;
        }
        world.clock.advance(SignedDuration::from_hours(1));
        let case = format!("killed after {polls} polls, and nobody came for an hour");
        let begun = world.executions().len();
        let state = match finish(whole_life(&world, 2)) {
            Ok(state) => state,
            Err(DriveError::Unresolved { holds, .. }) => {
                unresolved += 1;
                assert_eq!((holds.len(), world.executions().len()), (1, begun), "{case}");
                let open = finish(crate::campaign::load(&*world.log, world.campaign())).unwrap();
                assert_eq!(open.unwrap().finished(), None, "{case}");
                // Until a person says so.
                let units = holds.iter().map(|hold| hold.unit).collect();
                let driver = world.driver(3);
                finish(driver.send_again(world.campaign(), &units, "ops")).unwrap();
                finish(driver.run(world.campaign())).unwrap()
            }
            Err(other) => panic!("{case}: {other}"),
        };
        assert_all_well(&world, &state, &case);
    }
    assert!(
        unresolved > 0,
        "some instant lies between an intent and its start"
    );
}

#[test]
fn any_one_call_may_fail_or_lose_its_answer() {
    let undisturbed = world();
    undisturbed.run();
    let calls = *undisturbed.chaos.calls.lock().unwrap();
    for fault in [Fault::Before, Fault::After] {
        for call in 1..=calls {
            let world = world();
            *world.chaos.fault.lock().unwrap() = Some((call, fault));
            let state = finish(whole_life(&world, 1)).unwrap();
            assert_all_well(&world, &state, &format!("{fault:?} at call {call} of {calls}"));
        }
    }
}

#[test]
fn drivers_that_are_killed_again_and_again_come_to_the_same_end() {
    proptest!(ProptestConfig::with_cases(60), |(lives in prop::collection::vec(0_usize..400, 0..30))| {
        let world = world();
        let mut over = false;
        for (n, polls) in lives.iter().enumerate() {
            over = over || live(&world, n as u128 + 10, *polls);
        }
        let state = finish(whole_life(&world, 2)).unwrap();
        assert_all_well(&world, &state, &format!("{lives:?}"));
    });
}

#[test]
fn two_drivers_at_once_come_to_one_end_however_they_take_turns() {
    proptest!(ProptestConfig::with_cases(120), |(turns in prop::collection::vec((any::<bool>(), 1_usize..12), 0..300))| {
        let world = world();
        let (one, two) = two_whole_lives(&world, turns);
        prop_assert_eq!(but_for_instants(&one), but_for_instants(&two));
        assert_all_well(&world, &one, "two drivers");
    });
}

#[test]
fn the_same_event_twice_is_one_campaign_and_another_one_is_refused_while_it_is_open() {
    let world = world();
    let driver = world.driver(1);
    finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        assert_eq!(world.records().len(), 2, "its plan, and that it has its name");
        let other = world.campaign_of("another event");
        let refused = world.driver(2).begin(other, &world.plan).await.unwrap_err();
        assert!(
            matches!(refused, DriveError::NameTaken { open, .. } if open == world.campaign()),
            "{refused:?}"
        );
        assert!(
            crate::campaign::load(&*world.log, other).await.unwrap().is_none(),
            "a refused one leaves no trace"
        );
        let name = &world.plan.request.name;
        let open = || crate::campaign::open_campaign(&*world.log, name);
        assert_eq!(open().await.unwrap(), Some(world.campaign()));
        driver.run(world.campaign()).await.unwrap();
        assert_eq!(open().await.unwrap(), None);
        world.driver(2).begin(other, &world.plan).await.unwrap();
        assert_eq!(open().await.unwrap(), Some(other));
    });
}

#[test]
fn of_two_campaigns_of_one_name_at_most_one_ever_starts_anything() {
    proptest!(ProptestConfig::with_cases(100), |(turns in prop::collection::vec(any::<bool>(), 0..80))| {
        let world = world();
        let ids = ["a", "b"].map(|event| world.campaign_of(event));
        let life = |n: usize| {
            let (world, id) = (&world, ids[n]);
            async move {
                let driver = world.driver(n as u128);
                driver.begin(id, &world.plan).await?;
                driver.open(id).await?;
                Ok::<_, DriveError>(())
            }
        };
        let turns = turns.into_iter().map(|first| (first, 1));
        let (one, two) = in_turns(ByHand::new(life(0)), ByHand::new(life(1)), turns);
        let mut won = 0;
        for result in [one, two] {
            match result {
                Ok(()) => won += 1,
                Err(error) => prop_assert!(matches!(error, DriveError::NameTaken { .. }), "{error:?}"),
            }
        }
        prop_assert_eq!(won, 1);
    });
}
