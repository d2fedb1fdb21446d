//! Whoever is killed or joined by another one while a person says go on, the rest is begun once.

use super::the_rest::{assert_all_done_once, begun, go_on, halted, world};
use super::world::*;
use crate::campaign::{Appended, CampaignLog as _, Chain, LogKey};
use crate::campaign::{DriveError, Event};
use crate::id::UnitId;
use crate::outcome::FinishedOutcome;
use crate::port::BoxFuture;

#[test]
fn two_who_say_go_on_at_once_have_the_rest_begun_once() {
    for ahead in 0..60 {
        let world = world();
        finish(halted(&world, 1)).unwrap();
        let [one, two] = [2, 3].map(|writer| ByHand::new(go_on(&world, writer)));
        let ends: [_; 2] = in_turns(one, two, [(true, ahead)]).into();
        let told = ends.iter().filter(|end| end.is_ok()).count();
        assert!(told > 0, "{ahead}");
        for end in ends {
            match end {
                Ok(state) => assert_all_done_once(&world, &state, &format!("{ahead} ahead")),
                Err(error) => assert!(matches!(error, DriveError::NothingToGoOn { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn who_says_go_on_is_told_so_only_if_it_is_written() {
    let mut refused = 0;
    for polls in 0..200 {
        let world = world();
        finish(halted(&world, 1)).unwrap();
        let driver = world.driver(2);
        let mut saying = ByHand::new(driver.go_on(world.campaign(), "somebody"));
        let done = (0..polls).any(|_| saying.poll());
        // Meanwhile another driver sees another runbook.
        let records = world.records();
        let last = records.last().unwrap();
        let change = Event::RunbookChanged {
            unit: UnitId::from_index(0),
            change: crate::runbook::RunbookChange::Differs,
            detail: "another runbook".to_owned(),
        };
        let record = Chain::after(last).record(last.at, last.writer, vec![change]);
        let key = LogKey::Campaign(world.campaign());
        assert_eq!(finish(world.log.append(&key, &record)).unwrap(), Appended::Yes);
        while saying.1.is_none() {
            saying.poll();
        }
        let told = saying.1.take().unwrap();
        let mut said = world.records().into_iter().flat_map(|record| record.events);
        let written = said.any(|event| matches!(event, Event::GoneOn { .. }));
        assert_eq!(told.is_ok(), written, "{polls} ahead: {told:?}");
        refused += usize::from(!written);
        if done {
            assert!(refused > 5, "only {refused}");
            return;
        }
    }
    panic!("it never ended");
}

#[test]
fn who_is_killed_while_going_on_is_followed_by_somebody_who_begins_the_rest_once() {
    let mut instants = 0;
    for polls in 0.. {
        let world = world();
        finish(halted(&world, 1)).unwrap();
        let mut first = ByHand::new(go_on(&world, 2));
        if (0..polls).any(|_| first.poll()) {
            break;
        }
        drop(first);
        let context = format!("killed after {polls} polls");
        let driver = world.driver(3);
        match finish(driver.go_on(world.campaign(), "somebody")) {
            Ok(()) | Err(DriveError::NothingToGoOn { .. }) => {}
            Err(error) => panic!("{context}: {error}"),
        }
        let state = finish(driver.run(world.campaign())).unwrap();
        assert_all_done_once(&world, &state, &context);
        instants += 1;
    }
    assert!(instants > 20, "only {instants} instants");
}

#[test]
fn a_person_who_says_go_on_while_a_driver_runs_has_each_location_begun_once() {
    for ahead in (0..400).step_by(3) {
        let world = world();
        let mut first = ByHand::new(halted(&world, 1));
        if (0..ahead).any(|_| first.poll()) {
            break;
        }
        let _ = both_ends(first, ByHand::new(world_goes_on(&world)));
        let state = finish(world.driver(4).run(world.campaign())).unwrap();
        let context = format!("{ahead} ahead");
        let begun = begun(&world);
        assert!(begun.values().all(|n| *n == 1), "{context}: {begun:?}");
        if state.finished().unwrap().0 == FinishedOutcome::Halted {
            let state = finish(go_on(&world, 5)).unwrap();
            assert_all_done_once(&world, &state, &context);
        } else {
            assert_all_done_once(&world, &state, &context);
        }
    }
}

/// Somebody says go on as soon as there is a stop.
fn world_goes_on(world: &World) -> BoxFuture<'_, ()> {
    Box::pin(async {
        loop {
            match world.driver(2).go_on(world.campaign(), "somebody").await {
                Ok(()) => return,
                Err(DriveError::NothingToGoOn { .. } | DriveError::NoSuchCampaign { .. }) => give_way().await,
                Err(error) => panic!("{error}"),
            }
        }
    })
}
