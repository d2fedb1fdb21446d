//! A log that has lost its end, or says another thing than its plan, starts nothing that nobody planned and
//! nothing twice.

use super::world::*;
use crate::campaign::{
    Appended, CampaignLog as _, Chain, DriveError, Event, LogKey, MemoryLog, Record, StartState, State,
    UnitState,
};
use crate::id::UnitId;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::{Clock as _, PortErrorKind};
use crate::request::Operation;
use jiff::SignedDuration;
use std::sync::Arc;

fn world() -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0)
}

/// A world in which a driver was killed after so many polls; `None` if it was over by then.
fn killed_after(polls: usize) -> Option<World> {
    let world = world();
    let mut first = ByHand::new(whole_life(&world, 1));
    let over = (0..polls).any(|_| first.poll());
    drop(first);
    (!over).then_some(world)
}

fn starts_of_each_unit(world: &World) -> Vec<usize> {
    let of = |unit: usize| {
        let accounts = world.plan.units[unit].start.target_location().accounts.clone();
        let executions = world.executions();
        let own = executions
            .iter()
            .filter(|one| one.request.target_location().accounts == accounts);
        own.count()
    };
    (0..world.plan.units.len()).map(of).collect()
}

#[test]
fn wherever_a_log_was_cut_and_however_late_it_is_gone_on_with_each_unit_is_started_once() {
    let mut cuts = 0;
    for polls in (0..).step_by(7) {
        let Some(world) = killed_after(polls) else {
            break;
        };
        for left in 1..world.records().len() {
            let world = killed_after(polls).unwrap();
            world.log.cut(&LogKey::Campaign(world.campaign()), left);
            // AWS has forgotten every client token by then.
            world.clock.advance(SignedDuration::from_mins(20));
            let case = format!("killed after {polls} polls, {left} records left");
            for writer in 2..4 {
                let state = finish(world.driver(writer).run(world.campaign())).unwrap();
                assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded, "{case}");
            }
            assert_eq!(starts_of_each_unit(&world), [1, 1], "{case}");
            cuts += 1;
        }
    }
    assert!(cuts > 50, "{cuts}");
}

/// What the log says of the only location of a unit.
fn outcome(state: &State, unit: usize) -> LocationOutcome {
    let unit = state.units().values().nth(unit).unwrap();
    let settled = unit.locations.values().next().unwrap().settled.clone();
    settled.unwrap().outcome
}

#[test]
fn wherever_a_log_was_cut_what_is_left_out_is_looked_for_first() {
    let (mut found, mut left_out) = (0, 0);
    for polls in (0..).step_by(5) {
        let Some(world) = killed_after(polls) else {
            break;
        };
        for left in 1..world.records().len() {
            let world = killed_after(polls).unwrap();
            world.log.cut(&LogKey::Campaign(world.campaign()), left);
            // So long that nothing more may begin.
            world.clock.advance(SignedDuration::from_hours(2));
            let case = format!("killed after {polls} polls, {left} records left");
            let driver = world.driver(2);
            let gap = SignedDuration::from_mins(20);
            let state = finish(driver.run_unless_left(world.campaign(), gap)).unwrap();
            for (unit, starts) in starts_of_each_unit(&world).into_iter().enumerate() {
                let is_told = outcome(&state, unit) != LocationOutcome::NotStarted;
                assert_eq!(
                    is_told,
                    starts == 1,
                    "{case}: unit {unit} was started {starts} times"
                );
                if is_told { found += 1 } else { left_out += 1 }
            }
        }
    }
    assert!(found > 50 && left_out > 50, "{found} found, {left_out} left out");
}

#[test]
fn what_a_shortened_log_had_left_out_before_somebody_went_on_is_looked_for_too() {
    // Both units ran, and of the log no more is left than that the second was not to be begun.
    let mut world = world();
    finish(whole_life(&world, 1)).unwrap();
    let records = world.records();
    let (key, log) = (LogKey::Campaign(world.campaign()), MemoryLog::new());
    let (at, writer) = (records[1].at, records[1].writer);
    let units = vec![UnitId::from_index(1)];
    let since = records[1].at;
    let mut chain = Chain::of(&key);
    let cut = [Event::Unattended { since }, Event::LeftOut { units }];
    let events = [records[0].events.clone(), records[1].events.clone(), cut.to_vec()];
    for events in events {
        let record = chain.record(at, writer, events);
        chain.take(&record).unwrap();
        assert_eq!(finish(log.append(&key, &record)).unwrap(), Appended::Yes);
    }
    world.log = Arc::new(log);
    let state = finish(world.driver(2).run(world.campaign())).unwrap();
    assert_eq!(starts_of_each_unit(&world), [1, 1]);
    assert_eq!(outcome(&state, 0), LocationOutcome::Succeeded);
    assert_eq!(outcome(&state, 1), LocationOutcome::Succeeded);
}

#[test]
fn a_unit_that_cannot_be_looked_for_is_not_said_to_have_been_left_out() {
    let world = killed_after(0).unwrap();
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    *world.aws.finds_fail.lock().unwrap() = Some(PortErrorKind::Denied);
    world.clock.advance(SignedDuration::from_hours(2));
    let gap = SignedDuration::from_mins(20);
    let open = finish(world.driver(2).run_unless_left(world.campaign(), gap)).unwrap_err();
    assert!(matches!(open, DriveError::Unsought { .. }), "{open:?}");
    let text = crate::problem::chain(&open);
    assert!(
        text.contains("stays open") && text.contains("not authorized to look"),
        "{text}"
    );
    // Nothing is said of a unit that nobody has sent.
    let state = State::of_campaign(world.campaign(), &world.records()).unwrap();
    assert_eq!(state.finished(), None);
    let starts: Vec<_> = state.units().values().map(|unit| &unit.start).collect();
    assert_eq!(starts, [&StartState::NotStarted, &StartState::NotStarted]);
    assert!(!state.units().values().any(UnitState::is_left_out));
    // The next driver may look, and sees that nothing was sent.
    *world.aws.finds_fail.lock().unwrap() = None;
    let state = finish(world.driver(3).run_unless_left(world.campaign(), gap)).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(outcome(&state, 0), LocationOutcome::NotStarted);
    assert!(world.executions().is_empty());
}

#[test]
fn units_that_cannot_be_looked_for_keep_no_results_from_being_read() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let units: Vec<[(&str, Script); 1]> = (0..41).map(|_| [("us-east-1", well())]).collect();
    let units: Vec<&[(&str, Script)]> = units.iter().map(|unit| &unit[..]).collect();
    let world = World::new(&units, 1, 0);
    // Its only location ends after the others have come due.
    *world.aws.waits.lock().unwrap() = SignedDuration::from_hours(2);
    let soon = world.clock.now() + SignedDuration::from_secs(20);
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    finish(world.driver(1).run_until(world.campaign(), soon)).unwrap();
    assert_eq!(world.executions().len(), 1, "the others wait for their turn");
    // It says that it begins none of them, and is killed.
    let key = LogKey::Campaign(world.campaign());
    let mut chain = Chain::of(&key);
    for record in world.records() {
        chain.take(&record).unwrap();
    }
    world.clock.advance(SignedDuration::from_hours(2));
    let opened = world.clock.now();
    let units = (1..41).map(UnitId::from_index).collect();
    let events = vec![Event::Unattended { since: soon }, Event::LeftOut { units }];
    let record = chain.record(opened, world.records()[1].writer, events);
    assert_eq!(finish(world.log.append(&key, &record)).unwrap(), Appended::Yes);
    *world.aws.finds_fail.lock().unwrap() = Some(PortErrorKind::Throttled);
    let _in_the_end = finish(world.driver(2).run(world.campaign()));
    let records = world.records();
    let settles = |event: &Event| {
        matches!(event, Event::LocationSettled { unit, outcome: LocationOutcome::Succeeded, .. }
            if *unit == UnitId::from_index(0))
    };
    let settled = records.iter().find(|record| record.events.iter().any(settles));
    let after = settled.unwrap().at.duration_since(opened);
    assert!(after < SignedDuration::from_mins(10), "{after:#}");
}

#[test]
fn what_runs_is_followed_to_its_end_while_others_cannot_be_looked_for() {
    // The first unit is started, and the second one was to be left out.
    let world = (0..)
        .filter_map(killed_after)
        .find(|world| {
            let is_started = |event: &Event| matches!(event, Event::Started { .. });
            world.events().iter().any(is_started)
        })
        .unwrap();
    world.clock.advance(SignedDuration::from_hours(2));
    *world.aws.finds_fail.lock().unwrap() = Some(PortErrorKind::Throttled);
    let gap = SignedDuration::from_mins(20);
    let open = finish(world.driver(2).run_unless_left(world.campaign(), gap)).unwrap_err();
    assert!(matches!(open, DriveError::Unsought { .. }), "{open:?}");
    let state = State::of_campaign(world.campaign(), &world.records()).unwrap();
    assert_eq!(outcome(&state, 0), LocationOutcome::Succeeded);
    assert_eq!(state.unresolved().count(), 0);
}

#[test]
fn what_was_sent_just_before_the_log_lost_it_is_not_left_out_before_aws_shows_its_tag() {
    let mut found = 0;
    for polls in (0..).step_by(3) {
        let Some(world) = killed_after(polls) else {
            break;
        };
        let (left, lost) = (2, starts_of_each_unit(&world) == [1, 0]);
        if !lost || world.records().len() <= left {
            continue;
        }
        // The cut is at once, and so is the next driver. AWS shows a tag after a minute.
        *world.aws.hidden.lock().unwrap() = SignedDuration::from_secs(60);
        world.log.cut(&LogKey::Campaign(world.campaign()), left);
        let key = LogKey::Campaign(world.campaign());
        let records = world.records();
        let mut chain = Chain::of(&key);
        records.iter().for_each(|record| chain.take(record).unwrap());
        let since = records[1].at;
        let stop = chain.record(since, records[1].writer, vec![Event::Unattended { since }]);
        assert_eq!(finish(world.log.append(&key, &stop)).unwrap(), Appended::Yes);
        let state = finish(world.driver(2).run(world.campaign())).unwrap();
        assert_eq!(
            outcome(&state, 0),
            LocationOutcome::Succeeded,
            "killed after {polls} polls"
        );
        assert_eq!(outcome(&state, 1), LocationOutcome::NotStarted);
        found += 1;
    }
    assert!(found > 5, "{found}");
}

#[test]
fn what_is_found_after_the_cutoff_was_sent_with_the_time_that_it_was_planned_with() {
    let mut world = world();
    let cutoff = world.clock.now() + SignedDuration::from_hours(8);
    world.cut_off(cutoff);
    killed_once(&world, |world| !world.executions().is_empty());
    world.log.cut(&LogKey::Campaign(world.campaign()), 2);
    world.clock.advance(SignedDuration::from_hours(3));
    let state = finish(world.driver(2).run(world.campaign())).unwrap();
    let unit = state.units().values().next().unwrap();
    assert!(matches!(unit.start, StartState::Started { .. }));
    assert_eq!(unit.timeout.map(crate::budget::Seconds::get), Some(3_600));
}

#[test]
fn a_unit_is_not_started_while_it_cannot_be_seen_whether_it_was_before() {
    let world = killed_after(0).unwrap();
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    *world.aws.finds_fail.lock().unwrap() = Some(PortErrorKind::Denied);
    let began = world.clock.now();
    let until = began + SignedDuration::from_mins(30);
    finish(world.driver(2).run_until(world.campaign(), until)).unwrap();
    assert!(world.executions().is_empty());
    let text = serde_json::to_string(&world.records()).unwrap();
    assert!(
        text.contains("whether the unit was begun before cannot be seen: not authorized to look"),
        "{text}"
    );
    *world.aws.finds_fail.lock().unwrap() = None;
    finish(world.driver(3).run(world.campaign())).unwrap();
    assert_eq!(starts_of_each_unit(&world), [1, 1]);
}

/// The log with these changes and with every checksum and digest made again.
fn forged(world: &World, change: impl Fn(&mut Event)) -> Arc<MemoryLog> {
    let (key, log) = (LogKey::Campaign(world.campaign()), MemoryLog::new());
    let mut chain = Chain::of(&key);
    for Record {
        at,
        writer,
        mut events,
        ..
    } in world.records()
    {
        events.iter_mut().for_each(&change);
        let record = chain.record(at, writer, events);
        chain.take(&record).unwrap();
        assert_eq!(finish(log.append(&key, &record)).unwrap(), Appended::Yes);
    }
    let claims = LogKey::Name(world.plan.request.name.clone());
    for record in finish(world.log.read(&claims, 0)).unwrap() {
        let _ = finish(log.append(&claims, &record)).unwrap();
    }
    Arc::new(log)
}

#[track_caller]
fn assert_refused(world: &World, words: &str) {
    let error = finish(world.driver(2).run(world.campaign())).unwrap_err();
    assert!(matches!(error, DriveError::Damaged { .. }), "{error:?}");
    let text = crate::problem::chain(&error);
    assert!(text.contains(words), "{text}");
    assert!(world.executions().is_empty());
}

#[test]
fn a_scan_that_was_edited_to_an_install_is_refused_although_every_checksum_is_right() {
    let mut world = world();
    world.plan.request.patch.operation = Operation::Scan;
    world.agree();
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    let honest = Arc::clone(&world.log);
    let install = |text: &mut Vec<String>| *text = vec!["Install".to_owned()];
    world.log = forged(&world, |event| {
        if let Event::Planned { plan, .. } = event {
            plan.request.patch.operation = Operation::Install;
        }
    });
    assert_refused(
        &world,
        "the start of unit 1 does not follow from the plan's request",
    );
    world.log = Arc::clone(&honest);
    world.log = forged(&world, |event| {
        if let Event::Planned { plan, .. } = event {
            install(plan.units[1].start.parameters.get_mut("Operation").unwrap());
        }
    });
    assert_refused(
        &world,
        "the start of unit 2 does not follow from the plan's request",
    );
}

#[test]
fn locations_that_the_plan_does_not_have_or_not_for_this_unit_are_refused() {
    let honest = world();
    finish(honest.driver(1).begin(honest.campaign(), &honest.plan)).unwrap();
    let begun = honest.records();
    let mut case = 0;
    let mut refused = |change: &dyn Fn(&mut crate::plan::Plan), words: &str| {
        let mut world = world();
        finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
        assert_eq!(world.records(), begun);
        world.log = forged(&world, |event| {
            if let Event::Planned { plan, .. } = event {
                change(plan);
            }
        });
        assert_refused(&world, words);
        case += 1;
    };
    refused(
        &|plan| plan.units[1].start = plan.units[0].start.clone(),
        "unit 2 starts in 111111111111/us-east-1, which the plan does not leave to it",
    );
    refused(
        &|plan| {
            plan.locations.pop();
        },
        "unit 2 starts in 222222222222/us-east-1, which the plan does not leave to it",
    );
    refused(
        &|plan| {
            plan.units.pop();
        },
        "no unit starts in 222222222222/us-east-1, which is planned",
    );
    refused(
        &|plan| plan.units.swap(0, 1),
        "unit 2 stands where unit 1 should be",
    );
}

#[test]
fn an_intent_that_was_edited_in_the_log_is_never_sent() {
    let mut world = (0..)
        .filter_map(killed_after)
        .find(|world| world.records().len() == 3)
        .unwrap();
    world.aws.executions.lock().unwrap().clear();
    world.clock.advance(SignedDuration::from_secs(30));
    world.log = forged(&world, |event| {
        if let Event::StartIntended { request, .. } = event {
            let scan = vec!["Scan".to_owned()];
            request.parameters.insert("Operation".to_owned(), scan);
        }
    });
    assert_refused(
        &world,
        "the start of unit 1 that the log intends is not the one of the plan",
    );
}
