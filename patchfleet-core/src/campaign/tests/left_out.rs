//! What was left out stays out, whatever becomes of the reason.

use super::world::*;
use crate::campaign::decide::{LOCATIONS_AT_ONCE, decide};
use crate::campaign::memory::Memory;
use crate::campaign::{Chain, LogKey};
use crate::campaign::{DriveError, Event, RECORD_FORMAT, Record, State, StopReason};
use crate::id::{ExecutionId, Location, UnitId, WriterId};
use crate::outcome::Tally;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::plan::PlannedLocation;
use crate::port::ExecutionStatus;
use jiff::SignedDuration;

fn well() -> Script {
    Script::Nodes(vec![Node::well(1)])
}

fn outcomes(state: &State) -> Vec<LocationOutcome> {
    state.locations().map(|(.., at)| at.outcome().unwrap()).collect()
}

fn unseal(world: &World) {
    for script in world.aws.scripts.lock().unwrap().values_mut() {
        if matches!(script, Script::Sealed) {
            *script = Script::Nodes(vec![Node::well(1), Node::well(2)]);
        }
    }
}

fn settled(location: &Location, unit: UnitId, outcome: LocationOutcome) -> Event {
    Event::LocationSettled {
        unit,
        location: location.clone(),
        outcome,
        nodes: Tally::default(),
        offline_before: 0,
        detail: String::new(),
        not_well: Default::default(),
        rows: None,
    }
}

#[test]
fn a_unit_that_settled_as_not_begun_is_not_begun_when_the_budget_has_room_again() {
    let world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
    let (one, two) = (UnitId::from_index(0), UnitId::from_index(1));
    let at: Vec<Location> = world
        .plan
        .locations
        .iter()
        .map(PlannedLocation::location)
        .collect();
    let execution: ExecutionId = "00000000-0000-4000-8000-00000000000a".parse().unwrap();
    let recollected = Event::Recollected {
        unit: one,
        location: at[0].clone(),
        outcome: LocationOutcome::Succeeded,
        nodes: Tally::default(),
        offline_before: 0,
        detail: String::new(),
        not_well: Default::default(),
        rows: None,
    };
    let events = vec![
        Event::Planned {
            format: RECORD_FORMAT,
            campaign: world.campaign(),
            plan: Box::new(world.plan.clone()),
        },
        Event::StartIntended {
            unit: one,
            attempt: 1,
            request: world.plan.units[0].start.clone(),
        },
        Event::Started { unit: one, execution },
        settled(&at[0], one, LocationOutcome::ResultsUnreadable),
        Event::UnitEnded {
            unit: one,
            status: ExecutionStatus::Success,
        },
        settled(&at[1], two, LocationOutcome::NotStarted),
        recollected,
    ];
    let mut chain = Chain::of(&LogKey::Campaign(world.campaign()));
    let record = |event| {
        let at = "2026-03-01T22:00:00Z".parse().unwrap();
        let record = chain.record(at, WriterId::from_uuid(uuid::Uuid::nil()), vec![event]);
        chain.take(&record).unwrap();
        record
    };
    let records: Vec<Record> = events.into_iter().map(record).collect();
    let state = State::from_records(&records).unwrap();
    assert_eq!(state.failed_locations(), 0);
    let decision = decide(&state, &Memory::of(&state, state.last_at()), state.last_at());
    let finished = Event::Finished {
        outcome: FinishedOutcome::Halted,
    };
    assert_eq!((decision.record, decision.calls), (vec![finished], vec![]));
    assert!(matches!(
        state.left_out_because(),
        Some(StopReason::Budget {
            failed: 1,
            allowed: 0
        })
    ));
}

#[test]
fn results_that_are_read_again_while_another_unit_runs_begin_nothing_that_was_left_out() {
    let slow = Script::Nodes(vec![Node {
        status: "DeliveryTimedOut",
        patches: None,
        dies: Some(SignedDuration::from_secs(20)),
        ..Node::well(1)
    }]);
    // One failure is allowed for the slow one.
    let units: [&[(&str, Script)]; 4] = [
        &[("us-east-1", Script::Sealed)],
        &[("us-east-1", Script::Sealed)],
        &[("us-east-1", slow)],
        &[("us-east-1", well())],
    ];
    let mut world = World::new(&units, 1, 1);
    world.plan.request.budget.locations.max_concurrency = "3".parse().unwrap();
    let driver = world.driver(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        let last = UnitId::from_index(3);
        while !drive.state().units()[&last].is_over() {
            if let crate::campaign::Turn::Wait(at) = drive.step().await.unwrap() {
                driver.clock.sleep_until(at).await;
            }
        }
        unseal(&world);
        let found = world.driver(2).collect_again(world.campaign()).await.unwrap();
        assert_eq!((found.read, found.state.failed_locations()), (2, 0));
        driver.run(world.campaign()).await.unwrap()
    });
    assert_eq!(world.executions().len(), 3);
    assert_eq!(
        outcomes(&state),
        [
            LocationOutcome::Succeeded,
            LocationOutcome::Succeeded,
            LocationOutcome::NodesFailed,
            LocationOutcome::NotStarted
        ]
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
}

#[test]
fn a_unit_that_is_left_out_in_part_is_left_out_whole() {
    let regions: Vec<String> = (1..=LOCATIONS_AT_ONCE + 8)
        .map(|n| format!("us-east-{n}"))
        .collect();
    let unit: Vec<(&str, Script)> = regions.iter().map(|region| (region.as_str(), well())).collect();
    let world = World::new(&[&[("us-east-1", Script::Sealed)], &unit], 100, 0);
    let driver = world.driver(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while !drive.state().units()[&UnitId::from_index(1)].is_left_out() {
            if let crate::campaign::Turn::Wait(at) = drive.step().await.unwrap() {
                driver.clock.sleep_until(at).await;
            }
        }
        assert!(!drive.state().units()[&UnitId::from_index(1)].is_over());
        unseal(&world);
        world.driver(2).collect_again(world.campaign()).await.unwrap();
        driver.run(world.campaign()).await.unwrap()
    });
    assert_eq!(world.executions().len(), 1);
    for (unit, _, at) in state
        .locations()
        .filter(|(unit, ..)| *unit == UnitId::from_index(1))
    {
        let settled = at.settled.as_ref().unwrap();
        let words = "not begun: 1 location failed, and the budget allows 0";
        assert_eq!(
            (settled.outcome, settled.detail.as_str()),
            (LocationOutcome::NotStarted, words),
            "{unit}"
        );
    }
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
}

/// A driver whose first execution somebody else cancels.
async fn cancelled_from_outside(world: &World) -> Result<State, DriveError> {
    let driver = world.driver(1);
    driver.begin(world.campaign(), &world.plan).await?;
    let mut drive = driver.open(world.campaign()).await?;
    while world.executions().is_empty() {
        drive.step().await?;
    }
    world.aws.cancel();
    driver.run(world.campaign()).await
}

#[test]
fn a_person_who_says_go_on_while_units_are_being_left_out_has_each_of_them_begun_and_collected() {
    let mut instants = 0;
    for polls in 0.. {
        let world = World::new(
            &[
                &[("us-east-1", well())],
                &[("us-east-1", well())],
                &[("us-east-1", well())],
            ],
            1,
            0,
        );
        let mut first = ByHand::new(cancelled_from_outside(&world));
        if (0..polls).any(|_| first.poll()) {
            break;
        }
        match finish(world.driver(2).go_on(world.campaign(), "somebody")) {
            Err(DriveError::NothingToGoOn { .. } | DriveError::NoSuchCampaign { .. }) => continue,
            said => said.unwrap(),
        }
        while !first.poll() {}
        let state = finish(world.driver(3).run(world.campaign())).unwrap();
        // The first one did not reach its location.
        assert_eq!(world.executions().len(), 4, "after {polls} polls");
        assert_eq!(
            outcomes(&state),
            [LocationOutcome::Succeeded; 3],
            "after {polls} polls"
        );
        instants += 1;
    }
    assert!(instants > 10, "only {instants} instants");
}

#[test]
fn a_person_who_says_go_on_while_answers_about_left_out_locations_are_under_way_loses_none_of_them() {
    let regions: Vec<String> = (1..=LOCATIONS_AT_ONCE + 8)
        .map(|n| format!("us-east-{n}"))
        .collect();
    let many: Vec<(&str, Script)> = regions.iter().map(|region| (region.as_str(), well())).collect();
    let mut instants = 0;
    for polls in (0..).step_by(11) {
        // The second one is begun first, while answers about the third are under way.
        let world = World::new(
            &[&[("us-east-1", well())], &[("us-east-1", well())], &many],
            100,
            0,
        );
        *world.aws.staggered.lock().unwrap() = true;
        let mut first = ByHand::new(cancelled_from_outside(&world));
        if (0..polls).any(|_| first.poll()) {
            break;
        }
        match finish(world.driver(2).go_on(world.campaign(), "somebody")) {
            Err(DriveError::NothingToGoOn { .. } | DriveError::NoSuchCampaign { .. }) => continue,
            said => said.unwrap(),
        }
        let over = (0..200_000).any(|_| first.poll());
        assert!(over, "after {polls} polls: it never ends");
        let state = finish(world.driver(3).run(world.campaign())).unwrap();
        assert!(
            outcomes(&state)
                .iter()
                .all(|outcome| *outcome == LocationOutcome::Succeeded),
            "after {polls} polls: {:?}",
            outcomes(&state)
        );
        instants += 1;
    }
    assert!(instants > 10, "only {instants} instants");
}
