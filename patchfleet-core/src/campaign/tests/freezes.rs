//! Freezes: nothing begins in one, and no command lives into one.

use super::world::*;
use crate::campaign::{
    Event, FireError, HoldReason, NeedsDriver, Progress, Rule, State, StopMode, StopReason,
};
use crate::outcome::FinishedOutcome;
use crate::port::{Clock as _, PortError, PortErrorKind};
use crate::request::{Freeze, PatchRequest};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The freezes that a request has under this key.
pub(super) fn freezes(freezes: Value) -> Vec<Freeze> {
    let request = json!({
        "name": "web", "targets": {"resource_group": "Web", "regions": ["us-east-1"]}, "freezes": freezes,
    });
    PatchRequest::from_value(request).unwrap().freezes
}

/// A period of 2 March 2026, by UTC. A campaign begins at 22:00 of the day before.
pub(super) fn on_the_second(from: &str, to: &str, running: &str) -> Value {
    json!({
        "name": "year end", "from": format!("2026-03-02T{from}"), "to": format!("2026-03-02T{to}"), "time_zone": "UTC",
        "running": running,
    })
}

pub(super) fn at(time: &str) -> Timestamp {
    format!("2026-03-02T{time}:00Z").parse().unwrap()
}

/// So many units of one location, one after another, whose commands live for up to seven hours: one for delivery, six for
/// the steps.
pub(super) fn world(units: usize, freezes: Value) -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let all: Vec<[(&str, Script); 1]> = (0..units).map(|_| [("us-east-1", well())]).collect();
    let all: Vec<&[(&str, Script)]> = all.iter().map(|unit| &unit[..]).collect();
    let mut world = World::new(&all, 1, 0);
    world.cut_off(Timestamp::MAX);
    world.plan.lifetime.as_mut().unwrap().cutoff = None;
    world.plan.request.freezes = self::freezes(freezes);
    world
}

/// For each start that was sent, when, and until when its command may live.
fn lives(world: &World) -> Vec<(Timestamp, Timestamp)> {
    let lives = world.executions().into_iter().map(|one| {
        let timeout: i64 = one.request.parameters["TimeoutSeconds"][0].parse().unwrap();
        assert!((30..=3_600).contains(&timeout), "{timeout}");
        let life = SignedDuration::from_secs(timeout + 21_600);
        (one.started_at, one.started_at + life)
    });
    lives.collect()
}

fn hold(state: &State, now: Timestamp) -> (Rule, HoldReason) {
    let hold = state.holds(now).remove(0);
    (hold.rule, hold.reason)
}

#[test]
fn a_campaign_that_is_begun_in_a_freeze_begins_its_first_unit_at_the_end() {
    let world = world(2, json!([on_the_second("00:00", "04:00", "finish")]));
    world.clock.advance(HOUR * 3);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let lives = lives(&world);
    assert_eq!(lives.len(), 2);
    let waited = lives[0].0.duration_since(at("04:00"));
    assert!(
        waited >= SignedDuration::ZERO && waited < SignedDuration::from_mins(1),
        "{waited:#}"
    );
}

#[test]
fn no_command_is_sent_that_may_live_into_a_freeze_and_each_expires_before_it() {
    // 6 h 6 min 30 s are needed before a freeze, and 7 h 6 min for a command that lives as long as it may.
    let office = json!([{"name": "office", "from": "05:06", "to": "13:00", "time_zone": "UTC"}]);
    let world = world(3, office);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let lives = lives(&world);
    assert_eq!(lives.len(), 3);
    let bounds = [("05:06", "13:00")].map(|(from, to)| (at(from), at(to)));
    for (from, to) in &lives {
        for (begins, ends) in bounds {
            assert!(*to <= begins || *from >= ends, "{lives:?}");
        }
    }
    assert!(lives[0].0 < at("00:00") && lives[2].0 >= at("13:00") || lives[2].1 <= at("05:06"));
    // The later ones have less time than the first.
    let spans: Vec<SignedDuration> = lives.iter().map(|(from, to)| to.duration_since(*from)).collect();
    assert!(spans[1] < spans[0], "{spans:?}");
}

#[test]
fn a_hold_says_which_freeze_and_until_when_and_the_driver_wakes_then() {
    let world = world(1, json!([on_the_second("00:00", "04:00", "expire")]));
    let driver = world.driver(1);
    let begun = world.clock.now();
    let paused = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        driver.run_until(world.campaign(), begun + HOUR).await.unwrap()
    });
    let Progress::Paused { wake_at, state } = paused else {
        unreachable!()
    };
    assert_eq!(wake_at, at("04:00"));
    let (rule, reason) = hold(&state, begun);
    assert_eq!(rule, Rule::Freeze);
    assert_eq!(
        reason.to_string(),
        "what is started now may not be through when the freeze year end begins, at 2026-03-02T00:00:00Z; the next start \
         may be made at 2026-03-02T04:00:00Z"
    );
    assert_eq!(
        hold(&state, at("03:59")).1.to_string(),
        "the freeze year end holds; the next start may be made at 2026-03-02T04:00:00Z"
    );
    assert!(lives(&world).is_empty());
    // Another driver, in the freeze, and after it.
    *world.clock.0.lock().unwrap() = at("02:00");
    finish(world.driver(2).run(world.campaign())).unwrap();
    assert!(lives(&world)[0].0 >= at("04:00"));
}

#[test]
fn freezes_that_follow_each_other_are_one_and_nothing_begins_between_them_where_the_time_is_too_short() {
    let freezes = json!([
        on_the_second("00:00", "04:00", "expire"),
        {"name": "second", "from": "2026-03-02T04:00", "to": "2026-03-02T06:00", "time_zone": "UTC"},
        {"name": "third", "from": "2026-03-02T12:00", "to": "2026-03-02T14:00", "time_zone": "UTC"},
    ]);
    let world = world(1, freezes);
    world.run();
    assert!(lives(&world)[0].0 >= at("14:00"), "{:?}", lives(&world));
}

#[test]
fn a_driver_that_waits_for_the_end_of_a_freeze_was_there_all_the_time() {
    let world = world(1, json!([on_the_second("00:00", "04:00", "expire")]));
    let driver = world.driver(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let gap = crate::campaign::SHORTEST_GAP;
        driver.run_unless_left(world.campaign(), gap).await.unwrap()
    });
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
}

#[test]
fn a_start_that_was_put_off_is_not_sent_in_a_freeze_and_begins_after_it() {
    let world = world(1, json!([on_the_second("00:00", "04:00", "finish")]));
    *world.clock.0.lock().unwrap() = at("00:00") - SignedDuration::from_secs(370);
    // AWS throttles each start for a while, into the freeze.
    for _ in 0..12 {
        let mut refusals = world.aws.refusals.lock().unwrap();
        refusals.push(|| PortError::new(PortErrorKind::Throttled, "slow down"));
    }
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let withdrawn = |event: &Event| matches!(event, Event::StartWithdrawn { .. });
    assert!(world.events().iter().any(withdrawn));
    let lives = lives(&world);
    assert_eq!(lives.len(), 1);
    assert!(lives[0].0 >= at("04:00"), "{lives:?}");
}

#[test]
fn a_cutoff_that_comes_in_the_freeze_ends_the_campaign() {
    let mut world = world(2, json!([on_the_second("00:00", "20:00", "finish")]));
    world.cut_off(at("19:00"));
    world.clock.advance(HOUR * 3);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(lives(&world).is_empty());
    assert!(
        world.clock.now() < at("13:00"),
        "it ends once nothing can begin any more"
    );
}

#[test]
fn a_stop_is_taken_while_a_freeze_holds() {
    let world = world(1, json!([on_the_second("00:00", "04:00", "expire")]));
    let (first, second) = (world.driver(1), world.driver(2));
    let mut drive = ByHand::new(async {
        first.begin(world.campaign(), &world.plan).await.unwrap();
        first.run(world.campaign()).await.unwrap()
    });
    drive.until(|| world.clock.now() > at("01:00"));
    finish(second.stop(world.campaign(), StopMode::CancelCommands, "somebody")).unwrap();
    let state = drive.end();
    assert!(matches!(state.stop_reason(), Some(StopReason::Asked(_))));
    assert!(world.clock.now() < at("04:00"));
    assert!(lives(&world).is_empty());
}

/// Fires the world's plan for its event.
pub(super) fn fire(world: &World) -> Result<crate::campaign::Fired, FireError> {
    let retry = SignedDuration::from_hours(24);
    let ports = world.fire_ports();
    finish(ports.fire(world.campaign(), &world.plan, retry, None))
}

#[test]
fn what_nobody_follows_is_begun_outside_of_freezes_alone_and_only_if_it_is_one_start() {
    let one = world(1, json!([on_the_second("00:00", "04:00", "finish")]));
    *one.clock.0.lock().unwrap() = at("02:00");
    assert_eq!(
        fire(&one).unwrap_err().to_string(),
        "nothing was started: the freeze year end holds; the next start may be made at 2026-03-02T04:00:00Z"
    );
    assert!(one.executions().is_empty());
    *one.clock.0.lock().unwrap() = at("04:00");
    fire(&one).unwrap();
    assert_eq!(one.executions().len(), 1);
    let mut two = world(2, json!([on_the_second("00:00", "04:00", "finish")]));
    two.plan.request.budget.locations.max_concurrency = "2".parse().unwrap();
    assert!(matches!(
        fire(&two),
        Err(FireError::NeedsDriver {
            reason: NeedsDriver::Freezes,
            ..
        })
    ));
}
