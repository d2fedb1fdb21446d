//! Waves with an operation and budgets of their own, against what the small AWS was sent.

use super::admission::after;
use super::fleet::{Bounds, Fate, begun};
use super::once::live;
use super::waves::named;
use super::world::*;
use crate::campaign::{Event, HoldReason, Rule, State, StopReason, WaveBudgetStop};
use crate::id::{Location, UnitId};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::plan::resolve_in_waves;
use crate::report::Report;
use crate::request::Operation;
use crate::runbook;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Puts units into waves, as they are numbered, where each of the named waves has these tables of its own.
fn put_in_waves(world: &mut World, waves: &[u32], own: &[Value]) {
    let mut places: BTreeMap<Location, u32> = BTreeMap::new();
    let plan = &mut world.plan;
    for (unit, wave) in plan.units.iter_mut().zip(waves) {
        unit.wave = *wave;
        places.extend(unit.locations().map(|location| (location, *wave)));
    }
    for planned in &mut plan.locations {
        planned.wave = places[&planned.location()];
    }
    let tables = own.iter().enumerate().map(|(n, own)| {
        let mut table = json!({"name": format!("wave-{}", n + 1), "locations": "50%"});
        table
            .as_object_mut()
            .unwrap()
            .extend(own.as_object().unwrap().clone());
        table
    });
    plan.request.waves = named(tables.collect());
    let budgets = resolve_in_waves(&plan.request, &plan.locations, plan.fleet.as_ref());
    plan.wave_budgets = budgets;
    let mut units = std::mem::take(&mut plan.units);
    for unit in &mut units {
        let mut request = plan.request.in_wave(unit.wave).into_owned();
        request.budget.nodes = plan.node_rates_in(unit.wave);
        unit.node_rates = request.budget.nodes;
        unit.start.parameters = runbook::parameters(&request, &plan.central, unit.nodes.as_deref()).unwrap();
        let [target] = &mut unit.start.target_locations;
        let errors = plan.location_errors_in(unit.wave).unwrap_or(u32::MAX);
        target.target_location_max_errors = target.target_location_max_errors.min(errors);
        let places = plan.location_budget_in(unit.wave);
        target.target_location_max_concurrency = target.target_location_max_concurrency.min(places);
    }
    plan.units = units;
    plan.check().unwrap();
}

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

/// A node that was scanned: patches are missing, and nothing was installed.
fn scanned() -> Script {
    Script::Nodes(vec![Node {
        patches: Some([0, 4, 0]),
        ..Node::well(7)
    }])
}

fn scan() -> Value {
    json!({"patch": {"operation": "Scan", "reboot_option": "NoReboot"}, "budget": {"nodes": {"max_concurrency": 1}}})
}

/// What AWS was told of each execution.
fn told(world: &World) -> Vec<String> {
    let executions = world.executions().into_iter();
    executions
        .map(|one| {
            let of = ["Operation", "RebootOption", "MaxConcurrency"];
            of.map(|name| one.request.parameters[name].join("")).join(" ")
        })
        .collect()
}

pub(super) fn one_that_scans() -> World {
    let mut world = World::new(&[&[("us-east-1", scanned())], &[("us-east-1", well())]], 5, 0);
    put_in_waves(&mut world, &[1, 2], &[scan()]);
    world
}

#[test]
fn a_wave_that_scans_is_sent_a_scan_and_what_it_scanned_does_not_count_as_patched() {
    let world = one_that_scans();
    let state = world.run();
    assert_eq!(told(&world), ["Scan NoReboot 1", "Install RebootIfNeeded 10%"]);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let report = finish(Report::build(&state, &*world.rows, state.last_at())).unwrap();
    assert_eq!((report.totals.nodes.total(), report.totals.scanned), (3, 1));
    let operations = report
        .locations
        .iter()
        .map(|at| at.operation.map(Operation::as_str));
    assert_eq!(Vec::from_iter(operations), [Some("Scan"), None]);
    let text = report.to_text();
    assert!(
        text.contains("1 node of these is scanned only, and nothing was installed there"),
        "{text}"
    );
    assert!(text.contains("succeeded (Scan)"), "{text}");
}

#[test]
fn a_start_that_is_replayed_after_a_crash_has_the_parameters_of_its_wave() {
    let whole = one_that_scans();
    whole.run();
    let starts = |world: &World| {
        let executions = world.executions().into_iter();
        Vec::from_iter(executions.map(|one| (one.request.parameters, one.token)))
    };
    for polls in 0..40 {
        let world = one_that_scans();
        live(&world, 10, polls);
        world.run();
        assert_eq!(starts(&world).len(), 2, "killed after {polls}");
        let of = |starts: Vec<(BTreeMap<String, Vec<String>>, _)>| {
            let mut all = Vec::from_iter(starts.into_iter().map(|(parameters, _)| parameters));
            for one in &mut all {
                // They have the campaign's own id, which is each world's.
                one.retain(|name, _| !["CampaignId", "SnapshotId"].contains(&name.as_str()));
            }
            all
        };
        assert_eq!(of(starts(&world)), of(starts(&whole)), "killed after {polls}");
        let intended = world.events().into_iter().filter_map(|event| match event {
            Event::StartIntended { unit, request, .. } => Some((unit, request.parameters)),
            _ => None,
        });
        let mut first: BTreeMap<UnitId, BTreeMap<String, Vec<String>>> = BTreeMap::new();
        for (unit, parameters) in intended {
            let known = first.entry(unit).or_insert_with(|| parameters.clone());
            assert_eq!(*known, parameters, "killed after {polls}: unit {unit}");
        }
    }
}

#[test]
fn more_failed_locations_than_a_wave_may_have_stop_what_the_whole_could_bear() {
    let unit: &[(&str, Script)] = &[("us-east-1", fails())];
    let last: &[(&str, Script)] = &[("us-east-1", well())];
    let mut world = World::new(&[unit, last], 5, 2);
    let own = json!({"budget": {"locations": {"max_errors": 0}}});
    put_in_waves(&mut world, &[1, 2], &[own]);
    let state = world.run();
    assert_eq!(world.executions().len(), 1);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let why = state.left_out_because().unwrap();
    assert_eq!(
        why.to_string(),
        "1 location of wave 1 (wave-1) failed, and its budget allows 0"
    );
    let StopReason::Wave(stop) = why else {
        panic!("{why}")
    };
    assert_eq!(
        stop.budget,
        WaveBudgetStop::Locations {
            failed: 1,
            allowed: 0
        }
    );
    // The same failure in a wave without a budget of its own.
    let mut world = World::new(&[unit, last], 5, 2);
    put_in_waves(
        &mut world,
        &[1, 2],
        &[json!({"patch": {"reboot_option": "NoReboot"}})],
    );
    world.run();
    assert_eq!(world.executions().len(), 2);
}

#[test]
fn a_wave_has_as_many_locations_at_once_as_it_says() {
    let unit: &[(&str, Script)] = &[("us-east-1", well())];
    let mut world = World::new(&[unit, unit, unit, unit], 5, 0);
    world.one_place_each();
    let own = json!({"budget": {"locations": {"max_concurrency": 1}}});
    put_in_waves(&mut world, &[1, 1, 2, 2], &[own]);
    let first = UnitId::from_index(0);
    let request = world.plan.units[0].start.clone();
    let state = after(
        &world,
        vec![
            Event::StartIntended {
                unit: first,
                attempt: 1,
                request,
            },
            Event::Started {
                unit: first,
                execution: "12345678-1234-1234-1234-123456789012".parse().unwrap(),
            },
        ],
    );
    let holds = state.holds(state.last_at());
    let reason = HoldReason::Places {
        taken: 1,
        needed: 1,
        of: 1,
    };
    assert!(
        holds
            .iter()
            .any(|hold| hold.rule == Rule::Budget && hold.reason == reason),
        "{holds:?}"
    );
    world.run();
    let spans = world.aws.spans();
    let open = |n: usize| {
        spans
            .iter()
            .filter(|(_, from, to)| *from <= spans[n].1 && spans[n].1 < *to)
            .count()
    };
    assert_eq!([open(0), open(1)], [1, 1], "of the first wave");
    assert_eq!(open(3), 2, "of the second");
}

/// Two waves of locations with these nodes, under these bounds of the first. The whole has none but what makes starts name nodes.
pub(super) fn bounded(first: &[Vec<Fate>], second: &[Vec<Fate>], own: Value) -> World {
    let all: Vec<Vec<Fate>> = first.iter().chain(second).cloned().collect();
    let bounds = Bounds {
        damaged: Some(50),
        ..Bounds::default()
    };
    let (mut world, _) = super::fleet::world(&all, 5, bounds);
    let size = |world: &World, n: usize| world.plan.locations[n].location();
    let early: Vec<Location> = (0..first.len()).map(|n| size(&world, n)).collect();
    // Each node alone, so that a start is never larger than a bound of the wave.
    let waves: Vec<u32> = world
        .plan
        .units
        .iter()
        .map(|unit| {
            if unit.locations().all(|at| early.contains(&at)) {
                1
            } else {
                2
            }
        })
        .collect();
    put_in_waves(&mut world, &waves, &[json!({"budget": {"fleet": own}})]);
    world
}

fn why(state: &State) -> String {
    state
        .left_out_because()
        .map(|why| why.to_string())
        .unwrap_or_default()
}

#[test]
fn damage_in_a_wave_ends_the_campaign_before_one_node_more_of_it_is_damaged() {
    let bad = vec![Fate::FailsQuietly];
    let first = vec![bad; 5];
    let world = bounded(&first, &[vec![Fate::Well]], json!({"max_damaged": 2}));
    let state = world.run();
    assert_eq!(begun(&world).len(), 2);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(
        why(&state),
        "2 nodes of wave 1 (wave-1) are damaged; its bound on damaged nodes is 2"
    );
    let of = |outcome| {
        state
            .locations()
            .filter(|(.., at)| at.outcome() == Some(outcome))
            .count()
    };
    assert_eq!(of(LocationOutcome::NotStarted), 4);
}

#[test]
fn a_wave_that_has_used_up_its_damage_with_its_last_node_lets_the_next_begin() {
    let bad = vec![Fate::FailsQuietly];
    let world = bounded(&vec![bad; 2], &[vec![Fate::Well]], json!({"max_damaged": 2}));
    let state = world.run();
    assert_eq!(begun(&world).len(), 3, "{}", why(&state));
}

#[test]
fn what_was_damaged_in_an_earlier_wave_takes_no_room_of_a_later_one() {
    let bad = vec![Fate::FailsQuietly];
    let mut world = bounded(&vec![bad.clone(); 3], &vec![bad; 4], json!({"max_in_flight": 1}));
    let waves: Vec<u32> = world.plan.units.iter().map(|unit| unit.wave).collect();
    let own = [
        json!({"budget": {"fleet": {"max_in_flight": 1}}}),
        json!({"budget": {"fleet": {"max_damaged": 2}}}),
    ];
    put_in_waves(&mut world, &waves, &own);
    let state = world.run();
    // All three of the first, one at a time, and two of the second.
    let begun = begun(&world);
    assert_eq!(begun.len(), 5, "{}", why(&state));
    assert!(begun[..3].windows(2).all(|two| two[0].to <= two[1].from));
    assert_eq!(
        why(&state),
        "2 nodes of wave 2 (wave-2) are damaged; its bound on damaged nodes is 2"
    );
}

#[test]
fn a_bound_of_a_wave_holds_a_start_by_its_name_and_is_not_left_out() {
    use crate::campaign::rule::planted::without;
    let first = vec![vec![Fate::FailsQuietly]; 5];
    let world = bounded(&first, &[], json!({"max_damaged": 2}));
    let starts = world.plan.units.iter().take(2).flat_map(|unit| {
        let execution = format!("12345678-1234-1234-1234-12345678901{}", unit.id.number());
        [
            Event::StartIntended {
                unit: unit.id,
                attempt: 1,
                request: unit.start.clone(),
            },
            Event::Started {
                unit: unit.id,
                execution: execution.parse().unwrap(),
            },
        ]
    });
    let state = after(&world, starts.collect());
    let standing = state.wave_standing(state.last_at()).unwrap().to_string();
    assert_eq!(standing, "wave 1 of 1 (wave-1): damaged 0 of 2 (2 left)");
    let hold = state.holds(state.last_at());
    let hold = hold.iter().find(|hold| hold.rule == Rule::Fleet).unwrap();
    assert_eq!(
        hold.reason.to_string(),
        "2 of the 2 nodes that may be damaged in wave wave-1 are damaged or in flight, and it needs 1"
    );
    without(Rule::Fleet, || {
        let world = bounded(&first, &[], json!({"max_damaged": 2}));
        world.run();
        assert!(begun(&world).len() > 2, "the planted bug shows");
    });
}
