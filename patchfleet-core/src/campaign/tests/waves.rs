//! No location of a wave begins before each one of the wave before it has ended, by AWS's own record.

use super::admission::after;
use super::once::live;
use super::world::*;
use crate::campaign::{DriveError, Event, HoldReason, Rule, State};
use crate::id::{Location, UnitId};
use crate::outcome::FinishedOutcome;
use crate::request::{PatchRequest, Wave};
use jiff::SignedDuration;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn well() -> Script {
    Script::Nodes(vec![Node::well(1), Node::well(2)])
}

fn fails() -> Script {
    Script::Nodes(vec![Node {
        status: "Failed",
        patches: Some([1, 0, 0]),
        ..Node::well(1)
    }])
}

/// Named waves, which could have any location.
pub(super) fn named(tables: serde_json::Value) -> Vec<Wave> {
    let request = serde_json::json!({
        "name": "waves",
        "targets": {"all_managed": true, "regions": ["us-east-1"]},
        "waves": tables,
    });
    PatchRequest::from_value(request).unwrap().waves
}

/// Puts each unit into a wave. The numbers do not fall.
pub(super) fn put_in_waves(world: &mut World, waves: &[u32]) {
    let mut places: BTreeMap<Location, u32> = BTreeMap::new();
    for (unit, wave) in world.plan.units.iter_mut().zip(waves) {
        unit.wave = *wave;
        places.extend(unit.locations().map(|location| (location, *wave)));
    }
    for planned in &mut world.plan.locations {
        planned.wave = places[&planned.location()];
    }
    let names = 1..*waves.iter().max().unwrap();
    let tables = names.map(|n| serde_json::json!({"name": format!("wave-{n}"), "locations": "50%"}));
    world.plan.request.waves = named(tables.collect());
    world.plan.check().unwrap();
}

/// The wave of each location, by the plan.
fn waves(world: &World) -> BTreeMap<Location, u32> {
    let planned = world.plan.locations.iter();
    planned.map(|at| (at.location(), at.wave)).collect()
}

/// What AWS ran, against the plan's waves and what the request wants between them. Gives in how many waves it ran
/// something.
fn assert_one_after_another(world: &World, case: &str) -> usize {
    let waves = waves(world);
    let request = &world.plan.request;
    let soak = request.waves.first().and_then(|wave| wave.soak);
    let soak = soak.map_or(0, crate::request::Soak::seconds);
    let has_gates = request.waves.first().is_some_and(|wave| wave.gate.is_some());
    let mut spans: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for (location, begins, ends) in world.aws.spans() {
        let wave = waves[&location];
        spans.entry(wave).or_default().push((location, begins, ends));
    }
    for (wave, later) in &spans {
        for (_, earlier) in spans.range(..wave) {
            for (before, _, ended) in earlier {
                let fails = || world.aws.has_failing_node(before);
                assert!(
                    !has_gates || !fails(),
                    "{case}: wave {wave} began although {before} failed"
                );
                for (location, began, _) in later {
                    assert!(
                        *began >= *ended + SignedDuration::from_secs(soak.into()),
                        "{case}: {location} of wave {wave} began at {began}, and {before} ended at {ended}"
                    );
                }
            }
        }
    }
    spans.len()
}

/// The log, against the plan's waves: what is sent for a wave comes after all of the one before it has settled.
fn assert_settled_first(world: &World, case: &str) {
    let mut open = waves(world);
    let wave_of = |unit: &UnitId| world.plan.unit(*unit).unwrap().wave;
    for event in world.events() {
        match event {
            Event::LocationSettled { location, .. } => {
                open.remove(&location);
            }
            Event::StartIntended { unit, .. } => {
                let first = open.values().min().unwrap();
                assert!(*first >= wave_of(&unit), "{case}: unit {unit} of a later wave");
            }
            _ => {}
        }
    }
}

#[derive(Debug, Clone)]
struct Case {
    /// Of each unit how many more waves there are before it, and its locations.
    units: Vec<(bool, Vec<u8>)>,
    at_once: u32,
    errors: u32,
    lists_late: i64,
    runs_on: i64,
    lives: Vec<usize>,
    two: Option<Vec<(bool, usize)>>,
    soak: Option<&'static str>,
    has_gates: bool,
}

const REGIONS: [&str; 3] = ["us-east-1", "us-west-1", "eu-west-1"];

fn cases() -> impl Strategy<Value = Case> {
    let unit = (any::<bool>(), prop::collection::vec(0_u8..12, 1..=3));
    let turns = prop::collection::vec((any::<bool>(), 1_usize..12), 0..200);
    (
        prop::collection::vec(unit, 2..7),
        2_u32..6,
        0_u32..8,
        prop::sample::select(vec![0_i64, 0, 30, 200]),
        prop::sample::select(vec![0_i64, 0, 90, 400]),
        prop::collection::vec(0_usize..300, 0..12),
        (
            prop::option::of(turns),
            prop::option::of(Just("20m")),
            any::<bool>(),
        ),
    )
        .prop_map(
            |(units, at_once, errors, lists_late, runs_on, lives, (two, soak, has_gates))| Case {
                units,
                at_once,
                errors,
                lists_late,
                runs_on,
                lives,
                two,
                soak,
                has_gates,
            },
        )
}

/// A driver begins it, and follows it for twelve hours at most: what waits for a person is never over.
async fn half_a_day(world: &World, writer: u128) {
    let driver = world.driver(writer);
    let until = crate::port::Clock::now(&*world.clock) + SignedDuration::from_hours(12);
    if driver.begin(world.campaign(), &world.plan).await.is_ok() {
        let _ = driver.run_until(world.campaign(), until).await;
    }
}

fn script(n: u8) -> Script {
    match n {
        0 => fails(),
        1 => Script::Emptied,
        2 => Script::RoleMissing,
        3 => Script::FailsEarly,
        _ => well(),
    }
}

fn world_of(case: &Case) -> World {
    let units: Vec<Vec<(&str, Script)>> = case
        .units
        .iter()
        .map(|(_, scripts)| {
            REGIONS
                .into_iter()
                .zip(scripts.iter().map(|n| script(*n)))
                .collect()
        })
        .collect();
    let units: Vec<&[(&str, Script)]> = units.iter().map(Vec::as_slice).collect();
    let mut world = World::new(&units, case.at_once, case.errors);
    // So that units run side by side as far as their waves let them.
    world.one_place_each();
    let mut wave = 1;
    let waves: Vec<u32> = case
        .units
        .iter()
        .enumerate()
        .map(|(n, (next, _))| {
            wave += u32::from(*next && n > 0);
            wave
        })
        .collect();
    put_in_waves(&mut world, &waves);
    let tables = world.plan.request.waves.iter().map(|wave| {
        let mut wave = serde_json::to_value(wave).unwrap();
        if let Some(soak) = case.soak {
            wave["soak"] = soak.into();
        }
        if case.has_gates {
            wave["gate"] = serde_json::json!({"max_failed": 0});
        }
        wave
    });
    world.plan.request.waves = named(tables.collect());
    *world.aws.lists_late.lock().unwrap() = SignedDuration::from_secs(case.lists_late);
    *world.aws.runs_on.lock().unwrap() = SignedDuration::from_secs(case.runs_on);
    world
}

#[test]
fn no_location_of_a_wave_begins_before_every_one_of_the_wave_before_has_ended_whoever_is_killed() {
    let ran = std::cell::Cell::new([0; 8]);
    proptest!(ProptestConfig::with_cases(150), |(case in cases())| {
        let world = world_of(&case);
        for (n, polls) in case.lives.iter().enumerate() {
            if live(&world, n as u128 + 10, *polls) {
                break;
            }
            // Whoever drove it last was killed. What AWS did meanwhile counts as well.
            assert_one_after_another(&world, &format!("{case:?}"));
        }
        match &case.two {
            Some(turns) => {
                let lives = [21, 22].map(|writer| ByHand::new(half_a_day(&world, writer)));
                let [one, two] = lives;
                let _ = in_turns(one, two, turns.clone());
            }
            None => {
                finish(half_a_day(&world, 2));
            }
        }
        let words = format!("{case:?}");
        let waves = assert_one_after_another(&world, &words);
        assert_settled_first(&world, &words);
        let mut counted = ran.get();
        counted[waves] += 1;
        ran.set(counted);
    });
    let several: u32 = ran.get()[2..].iter().sum();
    assert!(
        several > 30,
        "a campaign that stops early shows little: {:?}",
        ran.get()
    );
}

#[test]
fn waves_are_run_one_after_another_to_a_good_end() {
    let mut world = World::new(
        &[
            &[("us-east-1", well())],
            &[("us-east-1", well()), ("us-west-1", well())],
            &[("us-east-1", well())],
        ],
        5,
        0,
    );
    world.one_place_each();
    put_in_waves(&mut world, &[1, 2, 2]);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(assert_one_after_another(&world, "well"), 2);
}

#[test]
fn a_wave_whose_failures_use_up_the_budget_keeps_the_later_ones_from_beginning() {
    let mut world = World::new(&[&[("us-east-1", fails())], &[("us-east-1", well())]], 5, 0);
    put_in_waves(&mut world, &[1, 2]);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(world.executions().len(), 1);
}

#[test]
fn a_unit_of_a_later_wave_is_told_which_wave_it_waits_for_and_of_how_many_units() {
    let unit: &[(&str, Script)] = &[("us-east-1", well())];
    let mut world = World::new(&[unit, unit, unit], 5, 0);
    put_in_waves(&mut world, &[1, 1, 2]);
    let state = after(&world, vec![]);
    let hold = state.holds(state.last_at()).pop().unwrap();
    assert_eq!((hold.unit, hold.rule), (UnitId::from_index(2), Rule::Wave));
    assert_eq!(
        hold.reason.to_string(),
        "wave 1 (wave-1) comes first, and 2 units of it are not over"
    );
}

#[test]
fn what_is_begun_in_place_of_a_cancelled_unit_keeps_the_next_wave_waiting() {
    let mut world = World::new(
        &[
            &[("us-east-1", well()), ("us-west-1", well())],
            &[("us-east-1", well())],
        ],
        1,
        2,
    );
    put_in_waves(&mut world, &[1, 2]);
    let driver = world.driver(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let soon = crate::port::Clock::now(&*world.clock) + SignedDuration::from_secs(40);
        let _ = driver.run_until(world.campaign(), soon).await.unwrap();
        world.aws.cancel();
        driver.run(world.campaign()).await.unwrap()
    });
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(world.executions().len(), 1, "a cancel stops everything");
    let state = finish(async {
        driver.go_on(world.campaign(), "ops").await.unwrap();
        driver.run(world.campaign()).await.unwrap()
    });
    // The replacement has the highest number and is of the first wave.
    let units: Vec<(u32, u32)> = state
        .plan()
        .units
        .iter()
        .map(|unit| (unit.id.number(), unit.wave))
        .collect();
    assert_eq!(units, [(1, 1), (2, 2), (3, 1)]);
    assert_eq!(world.executions().len(), 3);
    assert_eq!(assert_one_after_another(&world, "gone on"), 2);
}

#[test]
fn nothing_goes_on_while_it_cannot_be_seen_what_an_earlier_wave_has_left() {
    let mut world = World::new(
        &[
            &[("us-east-1", well()), ("us-west-1", well())],
            &[("us-east-1", well())],
        ],
        1,
        2,
    );
    put_in_waves(&mut world, &[1, 2]);
    let driver = world.driver(1);
    finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let soon = crate::port::Clock::now(&*world.clock) + SignedDuration::from_secs(40);
        let _ = driver.run_until(world.campaign(), soon).await.unwrap();
        world.aws.cancel();
        driver.run(world.campaign()).await.unwrap()
    });
    let left = world.plan.locations[1].location();
    let sealed = world
        .aws
        .scripts
        .lock()
        .unwrap()
        .insert(left.clone(), Script::Sealed);
    let error = finish(driver.go_on(world.campaign(), "ops")).unwrap_err();
    assert!(
        matches!(&error, DriveError::Unseen { location, .. } if **location == left),
        "{error}"
    );
    assert_eq!(world.executions().len(), 1);
    world.aws.scripts.lock().unwrap().insert(left, sealed.unwrap());
    finish(async {
        driver.go_on(world.campaign(), "ops").await.unwrap();
        driver.run(world.campaign()).await.unwrap()
    });
    assert_eq!(world.executions().len(), 3);
    assert_eq!(assert_one_after_another(&world, "gone on"), 2);
}

/// The reason why a unit of the second wave waits, if it does.
fn waits_for_the_first(state: &State) -> bool {
    let holds = state.holds(state.last_at());
    holds
        .iter()
        .any(|hold| matches!(hold.reason, HoldReason::Wave { before: 1, .. }))
}

#[test]
fn a_start_of_which_nobody_knows_whether_it_runs_keeps_the_next_wave_waiting() {
    let unit: &[(&str, Script)] = &[("us-east-1", well())];
    let mut world = World::new(&[unit, unit], 5, 2);
    put_in_waves(&mut world, &[1, 2]);
    let first = UnitId::from_index(0);
    let request = world.plan.units[0].start.clone();
    let events = vec![
        Event::StartIntended {
            unit: first,
            attempt: 1,
            request,
        },
        Event::StartUnresolved {
            unit: first,
            detail: "nobody knows".to_owned(),
        },
    ];
    let state = after(&world, events);
    assert!(waits_for_the_first(&state));
}
