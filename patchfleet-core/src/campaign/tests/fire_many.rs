//! A plan of several units, fired and forgotten. Whatever the world does between two deliveries of one event, and
//! wherever a delivery is killed, no location is started twice, and none of those that the first delivery planned is
//! forgotten.

use super::world::*;
use crate::budget::shares;
use crate::campaign::{FireError, Fired, FiredUnit, NeedsDriver, UnfinishedReason};
use crate::id::{EventId, EventSource, ExecutionId, Location, UnitId};
use crate::pack::pack;
use crate::plan::{Plan, PlannedLocation, Unit};
use crate::port::{PortError, PortErrorKind};
use crate::refusal::{Skip, SkipReason};
use crate::runbook::TIMEOUT_PARAMETER;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

mod story;

const REGIONS: [&str; 4] = ["eu-west-1", "us-east-1", "us-east-2", "us-west-1"];
const ACCOUNTS: usize = 4;

fn longest_retry() -> SignedDuration {
    EventId::new(EventSource::Event, "event").unwrap().longest_retry()
}

/// Four accounts with four Regions each, 16 locations at once.
fn world() -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let account: Vec<(&str, Script)> = REGIONS.iter().map(|region| (*region, well())).collect();
    let mut world = World::new(&[account.as_slice(); ACCOUNTS], 16, 3);
    let aws = Arc::get_mut(&mut world.aws).unwrap();
    *aws.one_token.get_mut().unwrap() = OneToken::Mismatch;
    aws.remembers = SignedDuration::from_mins(5);
    world
}

/// Every location there is.
fn everywhere(world: &World) -> Vec<Location> {
    world
        .plan
        .locations
        .iter()
        .map(PlannedLocation::location)
        .collect()
}

/// What is planned while these locations have nodes. The others are skipped as empty. `timeout` is how long commands
/// live, which follows from how many nodes answer.
fn plan_of(world: &World, populated: &BTreeSet<Location>, timeout: u32) -> Plan {
    let mut plan = world.plan.clone();
    plan.locations.retain(|at| populated.contains(&at.location()));
    let skipped = everywhere(world).into_iter().filter(|at| !populated.contains(at));
    plan.skipped = skipped
        .map(|at| Skip {
            account: at.account,
            region: at.region,
            reason: SkipReason::Empty,
            cause: None,
            detail: "no node".to_owned(),
        })
        .collect();
    let rectangles = pack(populated);
    let sizes: Vec<u32> = rectangles.iter().map(|part| part.len() as u32).collect();
    let (places, errors) = (shares::of_places(16, &sizes), shares::of_errors(3, &sizes));
    let template = world.plan.units[0].clone();
    plan.units = rectangles
        .into_iter()
        .zip(places.into_iter().zip(errors))
        .zip(0..)
        .map(|((part, (places, errors)), index)| {
            let mut start = template.start.clone();
            let value = vec![timeout.to_string()];
            start.parameters.insert(TIMEOUT_PARAMETER.to_owned(), value);
            let [target] = &mut start.target_locations;
            target.accounts = part.accounts;
            target.regions = part.regions;
            target.target_location_max_concurrency = places;
            target.target_location_max_errors = errors;
            Unit::new(UnitId::from_index(index), 1, None, template.node_rates, start)
        })
        .collect();
    plan
}

fn deliver(world: &World, plan: &Plan) -> Result<Fired, FireError> {
    deliver_until(world, plan, None)
}

fn deliver_until(world: &World, plan: &Plan, deadline: Option<Timestamp>) -> Result<Fired, FireError> {
    let ports = world.fire_ports();
    finish(ports.fire(world.campaign(), plan, longest_retry(), deadline))
}

/// How often each location was started, by what AWS runs.
fn starts(world: &World) -> BTreeMap<Location, u32> {
    let mut starts = BTreeMap::new();
    for execution in world.executions() {
        for location in execution.request.target_location().locations() {
            *starts.entry(location).or_default() += 1;
        }
    }
    starts
}

/// The locations without these, by their place in [`everywhere`].
fn without(world: &World, out: &[usize]) -> BTreeSet<Location> {
    let all = everywhere(world).into_iter().enumerate();
    all.filter(|(index, _)| !out.contains(index))
        .map(|(_, location)| location)
        .collect()
}

/// A plan of several units: two locations are empty that are in no line.
fn several(world: &World) -> Plan {
    let plan = plan_of(world, &without(world, &[0, 5]), 3600);
    assert!(plan.units.len() >= 3);
    plan
}

#[test]
fn every_unit_of_a_plan_is_started_in_its_order_and_the_answer_lists_them_all() {
    let world = world();
    let plan = several(&world);
    let Ok(Fired::Started(units)) = deliver(&world, &plan) else {
        panic!("not started");
    };
    let executions = world.executions();
    assert_eq!(units.len(), plan.units.len());
    for ((fired, execution), unit) in units.iter().zip(&executions).zip(&plan.units) {
        assert_eq!(fired.execution, execution.id);
        assert_eq!(fired.locations, Some(unit.locations().collect()));
        assert_eq!(execution.token, world.campaign().client_token(unit.id, 1));
        assert!(execution.request.tags.len() <= 5);
    }
    assert!(starts(&world).values().all(|&n| n == 1));
    assert_eq!(starts(&world).len(), 14);
    let errors: u32 = plan.units.iter().map(Unit::location_errors).sum();
    assert_eq!(errors, 3, "the error budget is shared out");

    // Later on, with another census, it is all of it, and no plan is compared.
    world.clock.advance(SignedDuration::from_mins(10));
    let other = plan_of(&world, &without(&world, &[1, 2, 3, 4]), 7200);
    let Ok(Fired::AlreadyStarted(before)) = deliver(&world, &other) else {
        panic!("not known");
    };
    assert_eq!(before.executions.len(), plan.units.len());
    assert_eq!(before.locations().unwrap().len(), 14);
    assert_eq!(before.changed.len(), 2, "{:?}", before.changed);
    assert_eq!(world.executions().len(), plan.units.len());
}

/// Starts the first unit of a plan, and refuses the second.
fn begin_one(world: &World, plan: &Plan) -> FireError {
    let denied = || PortError::new(PortErrorKind::Denied, "not authorized");
    *world.aws.refusals.lock().unwrap() = vec![denied];
    let mut first = plan.clone();
    first.units.truncate(1);
    // The refusal is for the start after the first one's.
    let ports = world.fire_ports();
    let mut firing = ByHand::new(ports.fire(world.campaign(), plan, longest_retry(), None));
    world.aws.refusals.lock().unwrap().clear();
    firing.until(|| world.executions().len() == 1);
    *world.aws.refusals.lock().unwrap() = vec![denied];
    firing.end().unwrap_err()
}

#[test]
fn a_start_that_fails_ends_the_delivery_with_what_was_begun_and_what_was_not_and_a_retry_begins_the_rest() {
    let world = world();
    let plan = several(&world);
    let error = begin_one(&world, &plan);
    let FireError::Unfinished(unfinished) = &error else {
        panic!("{error:?}");
    };
    assert!(matches!(unfinished.reason, UnfinishedReason::Port(_)));
    assert_eq!(unfinished.begun.len(), 1);
    let rest: BTreeSet<Location> = plan.units.iter().skip(1).flat_map(Unit::locations).collect();
    assert_eq!(unfinished.not_begun, rest);
    let words = error.to_string();
    for location in &rest {
        assert!(words.contains(&location.to_string()), "no {location} in {words}");
    }
    assert!(
        words.contains("not everything was started: 1 execution runs"),
        "{words}"
    );
    assert!(words.contains("not authorized"), "{words}");

    // The census counts otherwise by then, which is no other cut.
    world.clock.advance(SignedDuration::from_mins(7));
    let again = plan_of(&world, &without(&world, &[0, 5]), 7200);
    let Ok(Fired::Started(units)) = deliver(&world, &again) else {
        panic!("not started");
    };
    assert_eq!(units.len(), plan.units.len());
    assert_eq!(units[0].execution, unfinished.begun[0].execution);
    assert_eq!(starts(&world).len(), 14);
    assert!(starts(&world).values().all(|&n| n == 1));
}

#[test]
fn a_retry_that_plans_other_units_starts_none_and_names_what_was_not_begun() {
    // Where both plans begin alike, it waits until AWS would list what was begun by its plan's key. By then the other
    // delivery begins no more.
    for (minutes, begins_alike) in [(1, false), (1, true), (7, false), (7, true)] {
        let world = world();
        let plan = several(&world);
        let FireError::Unfinished(first) = begin_one(&world, &plan) else {
            panic!("the second start fails");
        };
        world.clock.advance(SignedDuration::from_mins(minutes));
        let of_the_first = plan.units[0].locations().next();
        let of_the_first = everywhere(&world)
            .iter()
            .position(|at| Some(at) == of_the_first.as_ref());
        let out = if begins_alike { 6 } else { of_the_first.unwrap() };
        let populated = without(&world, &[0, out]);
        let error = deliver(&world, &plan_of(&world, &populated, 3600)).unwrap_err();
        let FireError::Unfinished(unfinished) = &error else {
            panic!("{error:?}");
        };
        let UnfinishedReason::OtherPlan { may_go_on } = unfinished.reason else {
            panic!("{unfinished:?}");
        };
        assert_eq!(
            may_go_on,
            minutes == 1 && !begins_alike,
            "the other delivery may still be at work"
        );
        let begun = first.begun[0].locations.clone().unwrap();
        let named: BTreeSet<Location> = populated.difference(&begun).cloned().collect();
        assert_eq!(unfinished.not_begun, named);
        let skipped: BTreeSet<Location> = unfinished.skipped.iter().map(Skip::location).collect();
        let out: BTreeSet<Location> = everywhere(&world)
            .into_iter()
            .filter(|at| !populated.contains(at) && !begun.contains(at))
            .collect();
        assert_eq!(skipped, out);
        let words = error.to_string();
        assert!(words.contains("could be patched twice"), "{words}");
        assert!(words.contains("(empty)"), "{words}");
        assert_eq!(world.executions().len(), 1);
    }
}

#[test]
fn nothing_is_begun_at_the_deadline_and_a_retry_begins_the_rest() {
    let world = world();
    let plan = several(&world);
    let now = world.clock.0.lock().unwrap().to_owned();
    let error = deliver_until(&world, &plan, Some(now)).unwrap_err();
    assert!(matches!(error, FireError::OutOfTime), "{error:?}");
    assert_eq!(world.executions().len(), 0);

    // Its time is over while the second start has no answer.
    let ports = world.fire_ports();
    let deadline = now + SignedDuration::from_mins(1);
    let mut firing = ByHand::new(ports.fire(world.campaign(), &plan, longest_retry(), Some(deadline)));
    // The clock of this world jumps to whatever somebody waits for, here the deadline.
    let fired = (0..1_000_000).find_map(|_| {
        *world.clock.0.lock().unwrap() = now;
        firing.poll().then(|| firing.1.take().unwrap())
    });
    match fired.unwrap() {
        Err(FireError::Unfinished(unfinished)) => {
            assert!(matches!(unfinished.reason, UnfinishedReason::OutOfTime));
        }
        Err(FireError::OutOfTime) => {}
        other => panic!("{other:?}"),
    }
    world.clock.advance(SignedDuration::from_mins(3));
    assert!(matches!(deliver(&world, &plan), Ok(Fired::Started(_))));
    assert_eq!(starts(&world).len(), 14);
    assert!(starts(&world).values().all(|&n| n == 1));
}

#[test]
fn a_delivery_that_was_held_up_between_two_starts_looks_again_before_the_next_one() {
    let world = world();
    let plan = several(&world);
    let ports = world.fire_ports();
    let mut slow = ByHand::new(ports.fire(world.campaign(), &plan, longest_retry(), None));
    slow.until(|| world.executions().len() == 1);
    // The answer to its first start takes longer than AWS remembers a token. Meanwhile another delivery begins the rest.
    world.clock.advance(SignedDuration::from_mins(1));
    assert!(matches!(deliver(&world, &plan), Ok(Fired::Started(_))));
    world.clock.advance(SignedDuration::from_mins(6));
    let Ok(Fired::Started(units)) = slow.end() else {
        panic!("it started the first");
    };
    assert_eq!(units.len(), plan.units.len());
    assert!(starts(&world).values().all(|&n| n == 1), "{:?}", starts(&world));
}

/// AWS lists what is started by the event's key at once, and by the plan's key a minute later.
fn list_the_plan_late(world: &World) {
    *world.aws.hidden.lock().unwrap() = SignedDuration::ZERO;
    let late = [("patchfleet:plan:", SignedDuration::from_mins(1))];
    *world.aws.hidden_by.lock().unwrap() = late.into();
}

#[test]
fn what_a_delivery_started_itself_is_no_other_plans_while_aws_does_not_list_it_by_the_plans_key() {
    let world = world();
    let plan = several(&world);
    list_the_plan_late(&world);
    let ports = world.fire_ports();
    let mut firing = ByHand::new(ports.fire(world.campaign(), &plan, longest_retry(), None));
    firing.until(|| world.executions().len() == 1);
    // The second start is throttled, so the delivery waits and looks again.
    let throttled = || PortError::new(PortErrorKind::Throttled, "slow down");
    *world.aws.refusals.lock().unwrap() = vec![throttled];
    let Ok(Fired::Started(units)) = firing.end() else {
        panic!("not started");
    };
    assert_eq!(units.len(), plan.units.len());
    assert_eq!(starts(&world).len(), 14);
    assert!(starts(&world).values().all(|&n| n == 1));
}

#[test]
fn a_retry_waits_until_aws_can_say_whether_this_plan_began_what_it_finds() {
    let world = world();
    let plan = several(&world);
    list_the_plan_late(&world);
    let FireError::Unfinished(first) = begin_one(&world, &plan) else {
        panic!("the second start fails");
    };
    // It has no time to wait. It says what runs, once, and what does not.
    let soon = world.clock.0.lock().unwrap().to_owned() + SignedDuration::from_secs(5);
    let error = deliver_until(&world, &plan, Some(soon)).unwrap_err();
    let FireError::Unfinished(unfinished) = &error else {
        panic!("{error:?}");
    };
    assert!(
        matches!(unfinished.reason, UnfinishedReason::OutOfTime),
        "{error:?}"
    );
    let ids = |units: &[FiredUnit]| {
        let ids = units.iter().map(|unit| unit.execution.clone());
        ids.collect::<Vec<ExecutionId>>()
    };
    assert_eq!(ids(&unfinished.begun), ids(&first.begun));
    assert_eq!(unfinished.not_begun, first.not_begun);
    assert_eq!(world.executions().len(), 1);
    // It has the time.
    let Ok(Fired::Started(units)) = deliver(&world, &plan) else {
        panic!("not started");
    };
    assert_eq!(units.len(), plan.units.len());
    assert_eq!(starts(&world).len(), 14);
    assert!(starts(&world).values().all(|&n| n == 1));
}

#[test]
fn what_another_plan_began_long_ago_is_not_said_to_have_been_begun_just_now() {
    let world = world();
    let other = plan_of(&world, &without(&world, &[0, 6]), 3600);
    *world.aws.hidden.lock().unwrap() = SignedDuration::from_hours(1);
    begin_one(&world, &other);
    // Its delivery is long dead, and AWS has forgotten its token.
    world.clock.advance(SignedDuration::from_mins(7));
    let ports = world.fire_ports();
    let plan = several(&world);
    let mut firing = ByHand::new(ports.fire(world.campaign(), &plan, longest_retry(), None));
    firing.until(|| world.executions().len() == 2);
    *world.aws.hidden.lock().unwrap() = SignedDuration::ZERO;
    let throttled = || PortError::new(PortErrorKind::Throttled, "slow down");
    *world.aws.refusals.lock().unwrap() = vec![throttled];
    let Err(FireError::Unfinished(unfinished)) = firing.end() else {
        panic!("another plan began something");
    };
    assert!(
        matches!(
            unfinished.reason,
            UnfinishedReason::OtherPlan { may_go_on: false }
        ),
        "{unfinished:?}"
    );
    assert_eq!(world.executions().len(), 2);
}

#[test]
fn a_plan_whose_units_cannot_all_begin_at_once_is_refused_with_what_would_do() {
    let world = world();
    let refused = |change: &dyn Fn(&mut Plan)| {
        let mut plan = several(&world);
        change(&mut plan);
        let error = deliver(&world, &plan).unwrap_err();
        assert_eq!(world.executions().len(), 0);
        match error {
            FireError::NeedsDriver { units, reason } => {
                assert_eq!(units, plan.units.len());
                let words = FireError::NeedsDriver {
                    units,
                    reason: reason.clone(),
                }
                .to_string();
                (reason, words)
            }
            other => panic!("{other:?}"),
        }
    };
    let (reason, words) = refused(&|plan| {
        plan.request.budget.locations.max_concurrency = "2".parse().unwrap();
    });
    assert_eq!(
        reason,
        NeedsDriver::Places {
            places: 2,
            kept: Some(1),
            by_fleet: false,
        }
    );
    assert!(
        words.contains("lets 2 locations be patched at once")
            && words.contains("policy.empty = \"keep\" (then it needs 1;")
            && words.contains("the command or the cron process"),
        "{words}"
    );
    let cutoff = world.clock.0.lock().unwrap().to_owned() + SignedDuration::from_hours(9);
    let (reason, words) = refused(&|plan| {
        plan.lifetime = serde_json::from_value(serde_json::json!({
            "steps": {"least": 21_600, "most": 21_600}, "node": 10_800, "cutoff": cutoff,
        }))
        .unwrap();
    });
    assert_eq!(reason, NeedsDriver::Cutoff);
    assert!(words.contains("name one location for each event"), "{words}");
    let (reason, words) = refused(&|plan| plan.locations[0].wave = 2);
    assert_eq!(reason, NeedsDriver::Waves { waves: 2 });
    assert!(words.contains("leave [[waves]] out, or run it where"), "{words}");
    let (reason, words) = refused(&|plan| plan.units[1] = plan.units[0].clone());
    assert!(matches!(reason, NeedsDriver::SharedLocation { .. }), "{reason:?}");
    assert!(words.contains("by a resource group or by tags"), "{words}");
}
