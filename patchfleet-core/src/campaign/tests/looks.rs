//! How often a running unit is looked at: rarely, as long as nothing hangs on it, and never too rarely.

use super::world::*;
use crate::campaign::polls::{POLL_AT_LEISURE, POLL_LONGEST};
use crate::id::ExecutionId;
use crate::outcome::FinishedOutcome;
use jiff::{SignedDuration, Timestamp};

/// So many locations one after the other, a minute each. The one with this number fails.
fn locations(n: usize, fails: Option<usize>) -> Vec<(&'static str, Script)> {
    let regions = (0..n).map(|n| &*String::leak(format!("eu-west-{n}")));
    let script = |n| match fails {
        Some(fails) if fails == n => Script::FailsEarly,
        _ => Script::Nodes(vec![Node::well(1)]),
    };
    regions
        .enumerate()
        .map(|(n, region)| (region, script(n)))
        .collect()
}

/// When an execution was looked at.
fn looks(world: &World, execution: &ExecutionId) -> Vec<Timestamp> {
    let looks = world.aws.looks.lock().unwrap();
    let of_it = looks.iter().filter(|(id, _)| id == execution);
    of_it.map(|(_, at)| *at).collect()
}

/// The longest time between two looks at an execution, of those in these minutes after its start.
fn longest_gap(world: &World, unit: usize, from: i64, to: i64) -> SignedDuration {
    let execution = &world.executions()[unit];
    let after = |minutes| execution.started_at + SignedDuration::from_mins(minutes);
    let (from, to) = (after(from), after(to));
    let looks = looks(world, &execution.id);
    let gaps = looks.windows(2).filter(|pair| from <= pair[0] && pair[1] <= to);
    gaps.map(|pair| pair[1].duration_since(pair[0])).max().unwrap()
}

#[test]
fn a_unit_on_which_nothing_hangs_is_looked_at_ever_more_rarely_and_no_end_is_seen_later_than_after_five_minutes()
 {
    let mut world = World::new(&[&locations(30, None)], 1, 0);
    world.plan.request.budget.locations.max_concurrency = "1".parse().unwrap();
    let waits = SignedDuration::from_mins(130);
    *world.aws.waits.lock().unwrap() = waits;
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let execution = &world.executions()[0];
    let looks = looks(&world, &execution.id).len();
    assert!(looks < 130, "{looks} looks in 160 minutes");
    assert!(
        longest_gap(&world, 0, 0, 10) <= POLL_LONGEST,
        "its end may be near"
    );
    assert!(longest_gap(&world, 0, 60, 160) > POLL_LONGEST);
    let late = |n: usize, ended: Timestamp| {
        let ends = execution.started_at + waits + RUNS * i32::try_from(n + 1).unwrap();
        ended.duration_since(ends)
    };
    let target = execution.request.target_location();
    for (n, location) in target.locations().enumerate() {
        let (.., at) = state
            .locations()
            .find(|(_, there, _)| **there == location)
            .unwrap();
        let late = late(n, at.ended_at.unwrap());
        assert!(
            late <= POLL_AT_LEISURE,
            "{location} ended {late} before it was seen"
        );
    }
    let ends = state.locations().filter_map(|(.., at)| at.ended_at);
    let last = state.finished().unwrap().1.duration_since(ends.max().unwrap());
    assert!(
        last <= POLL_LONGEST,
        "the execution's own end is seen {last} later"
    );
}

#[test]
fn while_a_unit_waits_for_its_turn_the_others_are_looked_at_every_half_minute() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let (long, short) = (locations(25, None), [("eu-north-1", well())]);
    let mut world = World::new(&[&long, &short], 1, 0);
    world.plan.request.budget.locations.max_concurrency = "1".parse().unwrap();
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert!(longest_gap(&world, 0, 0, 25) <= POLL_LONGEST);
    let starts: Vec<_> = world.executions().iter().map(|one| one.started_at).collect();
    let after = starts[1].duration_since(starts[0] + RUNS * 25);
    assert!(
        after <= SignedDuration::from_mins(1),
        "it begins {after} after its turn came"
    );
}

#[test]
fn where_a_failure_or_none_is_allowed_every_unit_is_looked_at_every_half_minute_from_the_beginning() {
    for allowed in [0, 1] {
        let units = [locations(40, None), locations(1, None)];
        let mut world = World::new(&[&units[0], &units[1]], 1, allowed);
        world.plan.request.budget.locations.max_concurrency = "2".parse().unwrap();
        world.run();
        let gap = longest_gap(&world, 0, 15, 25);
        assert!(gap <= POLL_LONGEST, "{allowed} allowed, {gap} between two looks");
    }
}

#[test]
fn once_half_of_the_failures_have_come_that_may_come_every_unit_is_looked_at_every_half_minute() {
    let units = [locations(40, Some(25)), locations(40, None)];
    let mut world = World::new(&[&units[0], &units[1]], 1, 2);
    world.plan.request.budget.locations.max_concurrency = "2".parse().unwrap();
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    assert!(
        longest_gap(&world, 1, 15, 25) > POLL_LONGEST,
        "nothing has failed yet"
    );
    // The failure is seen and read within minutes, and the other unit's next look comes half a minute after.
    assert!(longest_gap(&world, 1, 30, 39) <= POLL_LONGEST);
}
