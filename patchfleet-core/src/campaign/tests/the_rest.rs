//! What a cancelled execution never began is begun once a person says that the campaign goes on.

use super::world::*;
use crate::campaign::NodeRows as _;
use crate::campaign::{DriveError, Driver, Event, Replacement, State, StopReason, Turn};
use crate::id::{Location, UnitId};
use crate::outcome::NodeOutcome;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::Clock as _;
use crate::report::Report;
use jiff::SignedDuration;
use std::collections::BTreeMap;

pub(super) fn well() -> Script {
    Script::Nodes(vec![Node::well(1)])
}

/// One unit with four locations, two at once.
pub(super) fn world() -> World {
    let regions = ["ap-south-1", "eu-north-1", "eu-west-1", "us-east-1"];
    let unit: Vec<(&str, Script)> = regions.iter().map(|region| (*region, well())).collect();
    World::new(&[&unit], 2, 0)
}

/// Drives until the `nth` execution has run for half a minute, cancels it, and drives on to the end.
async fn cancelled(world: &World, driver: &Driver, nth: usize) -> Result<State, DriveError> {
    let mut drive = driver.open(world.campaign()).await?;
    loop {
        let begun = world.executions().get(nth).map(|one| one.started_at);
        let now = world.clock.now();
        if begun.is_some_and(|at| now >= at + SignedDuration::from_secs(30)) {
            break;
        }
        if let Turn::Wait(at) = drive.step().await? {
            world.clock.sleep_until(at).await;
        }
    }
    world.aws.cancel();
    driver.run(world.campaign()).await
}

/// A campaign whose only execution was cancelled while the first two of its locations were at work.
pub(super) async fn halted(world: &World, writer: u128) -> Result<State, DriveError> {
    let driver = world.driver(writer);
    driver.begin(world.campaign(), &world.plan).await?;
    cancelled(world, &driver, 0).await
}

pub(super) async fn go_on(world: &World, writer: u128) -> Result<State, DriveError> {
    let driver = world.driver(writer);
    driver.go_on(world.campaign(), "somebody").await?;
    driver.run(world.campaign()).await
}

/// How often something was begun in each location.
pub(super) fn begun(world: &World) -> BTreeMap<Location, usize> {
    let mut begun = BTreeMap::new();
    for execution in world.executions() {
        for slot in world.aws.begun(&execution) {
            *begun.entry(slot).or_insert(0) += 1;
        }
    }
    begun
}

/// The outcomes in the order of the plan. Each location has exactly one unit.
pub(super) fn outcomes(world: &World, state: &State) -> Vec<Option<LocationOutcome>> {
    let all: BTreeMap<&Location, Option<LocationOutcome>> = state
        .locations()
        .map(|(_, at, now)| (at, now.outcome()))
        .collect();
    assert_eq!(all.len(), state.locations().count(), "a location in two units");
    assert_eq!(all.len(), world.plan.locations.len(), "a location in no unit");
    all.into_values().collect()
}

pub(super) fn assert_all_done_once(world: &World, state: &State, context: &str) {
    let well = Some(LocationOutcome::Succeeded);
    let n = world.plan.locations.len();
    assert_eq!(outcomes(world, state), vec![well; n], "{context}");
    assert_eq!(
        begun(world).into_values().collect::<Vec<_>>(),
        vec![1; n],
        "{context}"
    );
    assert_eq!(
        state.finished().unwrap().0,
        FinishedOutcome::Succeeded,
        "{context}"
    );
    assert_eq!(
        State::from_records(&world.records()).unwrap(),
        *state,
        "{context}"
    );
    let report = finish(Report::build(state, &*world.rows, state.last_at())).unwrap();
    assert_eq!(
        report.totals.nodes.count(NodeOutcome::Done) as usize,
        n,
        "{context}"
    );
    assert_eq!(report.totals.nodes.total() as usize, n, "{context}");
    assert_eq!(report.executions.len(), world.executions().len(), "{context}");
    for planned in &world.plan.locations {
        let rows = finish(world.rows.rows(world.campaign(), &planned.location())).unwrap();
        let outcomes: Vec<_> = rows.iter().map(|row| row.outcome).collect();
        assert_eq!(outcomes, [NodeOutcome::Done], "{context}: {}", planned.location());
    }
}

#[test]
fn the_rest_of_the_only_rectangle_is_begun_in_one_start_and_each_location_once() {
    let world = world();
    let state = finish(halted(&world, 1)).unwrap();
    let (well, cancelled) = (LocationOutcome::Succeeded, LocationOutcome::Cancelled);
    assert_eq!(
        outcomes(&world, &state),
        [well, well, cancelled, cancelled].map(Some)
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let words = state.left_out_because().unwrap().to_string();
    assert!(
        words.ends_with("`patchfleet resume --go-on` starts what had not been begun"),
        "{words}"
    );

    let state = finish(go_on(&world, 2)).unwrap();
    assert_all_done_once(&world, &state, "");
    assert_eq!(state.left_out_because(), None);
    let [first, second] = &world.executions()[..] else {
        panic!("{:?}", world.executions());
    };
    let target = second.request.target_location();
    let regions: Vec<&str> = target.regions.iter().map(crate::id::Region::as_str).collect();
    assert_eq!(regions, ["eu-west-1", "us-east-1"]);
    assert_eq!(target.target_location_max_concurrency, 2);
    assert_eq!(
        second.request.parameters.get("Operation"),
        first.request.parameters.get("Operation")
    );
    assert_ne!(second.token, first.token);
    let added = &state.units()[&UnitId::from_index(1)];
    assert_eq!(added.instead_of, Some(UnitId::from_index(0)));
}

#[test]
fn rows_that_a_slow_driver_keeps_of_the_cancelled_unit_are_older_than_those_of_the_rest() {
    let world = world();
    finish(halted(&world, 1)).unwrap();
    let at = world.plan.locations[2].location();
    let of_the_cancelled = finish(world.rows.rows(world.campaign(), &at)).unwrap();
    assert_eq!(of_the_cancelled[0].outcome, NodeOutcome::NotRun);
    let state = finish(go_on(&world, 2)).unwrap();
    finish(world.rows.put(world.campaign(), &at, 1, of_the_cancelled)).unwrap();
    assert_all_done_once(&world, &state, "");
}

#[test]
fn nothing_is_begun_anew_of_an_execution_that_is_not_over() {
    let world = world();
    *world.aws.says_cancelling.lock().unwrap() = true;
    let driver = world.driver(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while drive.state().stop_reason().is_none() {
            if let Turn::Wait(at) = drive.step().await.unwrap() {
                world.clock.sleep_until(at).await;
            }
            if world.clock.now() >= world.executions()[0].started_at + SignedDuration::from_secs(30) {
                world.aws.cancel();
            }
        }
        driver.go_on(world.campaign(), "somebody").await.unwrap();
        let said = world.records().pop().unwrap().events;
        assert!(
            matches!(&said[..], [Event::GoneOn { begin, .. }] if begin.is_empty()),
            "{said:?}"
        );
        driver.run(world.campaign()).await.unwrap()
    });
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let state = finish(go_on(&world, 2)).unwrap();
    assert_all_done_once(&world, &state, "");
}

#[test]
fn a_rest_that_is_no_rectangle_becomes_several_units() {
    let mut world = world();
    // Two accounts with the same Regions, three locations of which are through when the cancel comes.
    let other: crate::id::AccountId = "222222222222".parse().unwrap();
    world.plan.units[0].start.target_locations[0]
        .accounts
        .push(other.clone());
    world.plan.units[0].start.target_locations[0].target_location_max_concurrency = 3;
    for mut planned in world.plan.locations.clone() {
        planned.account = other.clone();
        world
            .aws
            .scripts
            .lock()
            .unwrap()
            .insert(planned.location(), well());
        world.plan.locations.push(planned);
    }
    world.plan.request.budget.locations.max_concurrency = "3".parse().unwrap();
    finish(halted(&world, 1)).unwrap();
    let state = finish(go_on(&world, 2)).unwrap();
    assert_all_done_once(&world, &state, "");
    let sizes: Vec<(usize, u32)> = world.executions()[1..]
        .iter()
        .map(|one| one.request.target_location())
        .map(|target| (target.locations().count(), target.target_location_max_concurrency))
        .collect();
    assert_eq!(sizes, [(1, 1), (4, 2)]);
}

#[test]
fn an_execution_that_is_cancelled_again_is_gone_on_with_again() {
    let mut world = world();
    world.plan.units[0].start.target_locations[0].target_location_max_concurrency = 1;
    let state = finish(async {
        halted(&world, 1).await.unwrap();
        let driver = world.driver(2);
        driver.go_on(world.campaign(), "somebody").await.unwrap();
        cancelled(&world, &driver, 1).await.unwrap()
    });
    let (well, cancelled) = (LocationOutcome::Succeeded, LocationOutcome::Cancelled);
    assert_eq!(
        outcomes(&world, &state),
        [well, well, cancelled, cancelled].map(Some)
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let state = finish(go_on(&world, 3)).unwrap();
    assert_all_done_once(&world, &state, "");
    assert_eq!(world.executions().len(), 3);
    let last = &state.units()[&UnitId::from_index(2)];
    assert_eq!(
        (last.instead_of, last.earlier_attempts),
        (Some(UnitId::from_index(0)), 2)
    );
}

#[test]
fn once_the_cutoff_has_passed_nobody_is_told_that_the_rest_begins() {
    let mut world = world();
    let cutoff = world.clock.now() + SignedDuration::from_hours(24);
    world.cut_off(cutoff);
    let state = finish(halted(&world, 1)).unwrap();
    let words = state.left_out_because().unwrap().to_string();
    let until = state.begins_until().unwrap();
    let advice = "`patchfleet resume --go-on` starts what had not been begun, until ";
    assert!(words.contains(&format!("{advice}{until:.0}")), "{words}");

    world.clock.advance(SignedDuration::from_hours(24));
    let before = world.records();
    let error = finish(go_on(&world, 2)).unwrap_err();
    let DriveError::NothingToGoOn { kept, .. } = &error else {
        panic!("{error}");
    };
    assert!(
        matches!(kept.as_deref(), Some(StopReason::Cutoff { at }) if *at == cutoff),
        "{error}"
    );
    let refusal = error.refusal().unwrap().to_string();
    assert!(refusal.contains("may not begin now"), "{refusal}");
    assert_eq!(world.records(), before, "it is not opened again");
}

#[test]
fn where_everything_had_been_begun_going_on_closes_the_stop_and_the_advice_is_another_run() {
    let cancelled = Node {
        status: "Cancelled",
        patches: None,
        ..Node::well(1)
    };
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![cancelled]))]], 1, 0);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let reason = state.left_out_because().unwrap();
    assert!(
        matches!(reason, StopReason::CancelledElsewhere { left: false, .. }),
        "{reason:?}"
    );
    let words = reason.to_string();
    assert!(
        words.ends_with("a new run of the request patches what is still missing"),
        "{words}"
    );
    let state = finish(go_on(&world, 2)).unwrap();
    assert_eq!(outcomes(&world, &state), [Some(LocationOutcome::Cancelled)]);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    assert_eq!(world.executions().len(), 1);
    let error = finish(go_on(&world, 3)).unwrap_err();
    assert!(matches!(error, DriveError::NothingToGoOn { .. }), "{error}");
}

#[test]
fn what_an_execution_did_not_reach_because_a_location_was_cancelled_is_begun_too() {
    let cancelled = Node {
        status: "Cancelled",
        patches: None,
        ..Node::well(1)
    };
    let world = World::new(
        &[&[
            ("eu-west-1", Script::Nodes(vec![cancelled])),
            ("us-east-1", well()),
        ]],
        1,
        0,
    );
    let state = world.run();
    assert_eq!(
        outcomes(&world, &state),
        [LocationOutcome::Cancelled, LocationOutcome::NotStarted].map(Some)
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let state = finish(go_on(&world, 2)).unwrap();
    assert_eq!(
        outcomes(&world, &state),
        [LocationOutcome::Cancelled, LocationOutcome::Succeeded].map(Some)
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    assert_eq!(begun(&world).into_values().collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn the_log_carries_the_starts_of_the_rest_and_an_older_one_has_none() {
    let world = world();
    finish(halted(&world, 1)).unwrap();
    finish(go_on(&world, 2)).unwrap();
    let said = world.records().into_iter().flat_map(|record| record.events);
    let begins: Vec<Vec<Replacement>> = said
        .filter_map(|event| match event {
            Event::GoneOn { begin, .. } => Some(begin),
            _ => None,
        })
        .collect();
    assert_eq!(begins.len(), 1);
    assert_eq!(begins[0][0].of, UnitId::from_index(0));
    let old: Event = serde_json::from_str(r#"{"event":"gone_on","by":"somebody"}"#).unwrap();
    let by = "somebody".to_owned();
    let (begin, found) = (vec![], vec![]);
    assert_eq!(old, Event::GoneOn { by, begin, found });
}
