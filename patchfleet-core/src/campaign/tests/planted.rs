//! What holds a law notices that a rule of admission is missing. Each test plants that bug, and runs a campaign in which the small
//! AWS alone shows what went wrong.

use super::admission::after;
use super::world::*;
use super::{alarms, calendars, freezes};
use crate::campaign::admission::admit;
use crate::campaign::rule::planted::without;
use crate::campaign::{AlarmSaid, CalendarsSaid, Event, Rule};
use crate::id::UnitId;

/// How many executions were begun, and the most that ran at once.
fn begun(world: &World) -> (usize, usize) {
    let all = world.executions();
    let open = |at| {
        all.iter()
            .filter(move |one| one.started_at <= at && at < one.started_at + RUNS)
    };
    let most = all.iter().map(|one| open(one.started_at).count()).max();
    (all.len(), most.unwrap_or_default())
}

/// Three units, the first of which fails, one location at once.
fn failing_first() -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    World::new(
        &[
            &[("us-east-1", Script::FailsEarly)],
            &[("us-east-1", well())],
            &[("us-east-1", well())],
        ],
        1,
        0,
    )
}

#[test]
fn without_the_rule_of_stopping_a_unit_is_begun_after_too_many_have_failed() {
    let world = failing_first();
    world.run();
    assert_eq!(begun(&world).0, 1);
    let world = failing_first();
    without(Rule::Stop, || {
        let mut driver = ByHand::new(whole_life(&world, 1));
        let _ = (0..20_000).any(|_| driver.poll());
    });
    assert!(begun(&world).0 > 1, "the bug shows");
}

#[test]
fn without_the_rule_of_budgets_more_locations_are_at_work_at_once() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let three = || {
        World::new(
            &[
                &[("us-east-1", well())],
                &[("us-east-1", well())],
                &[("us-east-1", well())],
            ],
            1,
            0,
        )
    };
    let world = three();
    world.run();
    assert_eq!(begun(&world), (3, 1));
    let world = three();
    without(Rule::Budget, || world.run());
    assert_eq!(begun(&world), (3, 3), "the bug shows");
}

#[test]
fn without_the_rule_of_order_a_start_is_sent_while_another_has_no_answer() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let mut world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 2, 0);
    world.one_place_each();
    let intended = Event::StartIntended {
        unit: UnitId::from_index(0),
        attempt: 1,
        request: world.plan.units[0].start.clone(),
    };
    let begins = || {
        let state = after(&world, vec![intended.clone()]);
        admit(&state, state.last_at()).begin
    };
    assert_eq!(begins(), None);
    let bug = without(Rule::Order, begins);
    assert_eq!(bug, Some(UnitId::from_index(1)), "the bug shows");
}

#[test]
fn without_the_rule_of_freezes_a_unit_is_begun_in_one() {
    let in_freeze = || freezes::on_the_second("00:00", "04:00", "finish");
    let (from, to) = (freezes::at("00:00"), freezes::at("04:00"));
    let begun_in_it = |world: &World| {
        let all = world.executions();
        all.iter()
            .filter(|one| from <= one.started_at && one.started_at < to)
            .count()
    };
    let world = || {
        let world = freezes::world(1, serde_json::json!([in_freeze()]));
        *world.clock.0.lock().unwrap() = freezes::at("01:00");
        world
    };
    let held = world();
    held.run();
    assert_eq!((begun(&held).0, begun_in_it(&held)), (1, 0));
    let world = world();
    without(Rule::Freeze, || world.run());
    assert_eq!((begun(&world).0, begun_in_it(&world)), (1, 1), "the bug shows");
}

#[test]
fn without_the_rule_of_the_alarm_a_unit_is_begun_once_it_went_off_and_while_nobody_knows() {
    let off = AlarmSaid::Alarm {
        name: alarms::name(),
        reason: String::new(),
        since: None,
    };
    let unknown = AlarmSaid::Unknown {
        kind: crate::port::PortErrorKind::Denied,
        detail: "no".to_owned(),
    };
    for said in [off, unknown] {
        let state = after(&alarms::world(1), vec![Event::AlarmSaid { said }]);
        let begins = || admit(&state, state.last_at()).begin;
        assert_eq!(begins(), None);
        assert_eq!(
            without(Rule::Alarm, begins),
            Some(UnitId::from_index(0)),
            "the bug shows"
        );
    }
}

#[test]
fn without_the_rule_of_calendars_a_unit_is_begun_while_one_is_closed() {
    let closed = Event::CalendarsSaid {
        said: CalendarsSaid::Closed { until: None },
    };
    let state = after(&calendars::world(1), vec![closed]);
    let begins = || admit(&state, state.last_at()).begin;
    assert_eq!(begins(), None);
    assert_eq!(
        without(Rule::Calendars, begins),
        Some(UnitId::from_index(0)),
        "the bug shows"
    );
}
