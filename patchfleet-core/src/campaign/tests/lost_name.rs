//! A campaign that lost the race for its request's name and began nothing is closed, and may begin later.

use super::world::*;
use crate::campaign::{CampaignLog, Chain, DriveError, Event, LogKey, State, campaigns, load, open_campaign};
use crate::id::CampaignId;
use crate::outcome::FinishedOutcome;
use crate::report::{Report, ReportOutcome};
use proptest::prelude::*;

fn world() -> World {
    World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0)
}

async fn begin(world: &World, writer: u128, id: CampaignId) -> Result<State, DriveError> {
    world.driver(writer).begin(id, &world.plan).await
}

/// Two campaigns that are both written down before either has the name: the winner, and the loser.
fn raced() -> (World, CampaignId, CampaignId) {
    for polls in 1..200 {
        let world = world();
        let ids = ["a", "b"].map(|event| world.campaign_of(event));
        let (one, two) = {
            let (mut one, mut two) = (
                ByHand::new(begin(&world, 1, ids[0])),
                ByHand::new(begin(&world, 2, ids[1])),
            );
            (0..polls).any(|_| one.poll());
            while !(two.poll() & one.poll()) {}
            (one.1.take().unwrap(), two.1.take().unwrap())
        };
        let both = ids
            .iter()
            .all(|id| finish(load(&*world.log, *id)).unwrap().is_some());
        if both {
            let lost = usize::from(one.is_ok());
            assert_ne!(one.is_ok(), two.is_ok(), "one wins");
            let (winner, loser) = (ids[1 - lost], ids[lost]);
            return (world, winner, loser);
        }
    }
    panic!("they never race");
}

fn state(world: &World, id: CampaignId) -> State {
    finish(load(&*world.log, id)).unwrap().unwrap()
}

#[test]
fn the_loser_is_closed_with_the_winners_name_and_hinders_nobody() {
    let (world, winner, loser) = raced();
    let lost = state(&world, loser);
    assert_eq!(lost.name_taken_by(), Some(winner));
    assert_eq!(lost.holds(lost.last_at()), []);
    let listed = finish(campaigns(&*world.log, jiff::Timestamp::MIN))
        .unwrap()
        .campaigns;
    let told: Vec<_> = listed
        .iter()
        .map(|one| (one.campaign, one.finished, one.name_taken_by))
        .collect();
    assert!(told.contains(&(winner, None, None)), "{told:?}");
    assert!(told.contains(&(loser, None, Some(winner))), "{told:?}");
    let report = finish(Report::build(&lost, &*world.rows, lost.last_at())).unwrap();
    assert_eq!((report.outcome, report.exit_code()), (ReportOutcome::Refused, 3));
    // The name is the winner's until that is over, and nobody's then.
    let name = &world.plan.request.name;
    assert_eq!(finish(open_campaign(&*world.log, name)).unwrap(), Some(winner));
    finish(world.driver(3).run(winner)).unwrap();
    assert_eq!(finish(open_campaign(&*world.log, name)).unwrap(), None);
    let third = world.campaign_of("c");
    finish(begin(&world, 4, third)).unwrap();
    assert_eq!(finish(open_campaign(&*world.log, name)).unwrap(), Some(third));
}

#[test]
fn the_loser_begins_when_it_is_begun_again_and_the_name_is_free() {
    let (world, winner, loser) = raced();
    let records = |world: &World| state(world, loser).next_seq();
    let before = records(&world);
    // As for an event that is delivered again. It is said once.
    for _ in 0..3 {
        let refused = finish(begin(&world, 5, loser)).unwrap_err();
        assert!(matches!(refused, DriveError::NameTaken { open, .. } if open == winner));
    }
    assert_eq!(records(&world), before);
    finish(world.driver(3).run(winner)).unwrap();
    let begun = finish(begin(&world, 6, loser)).unwrap();
    assert_eq!((begun.name_taken_by(), begun.finished()), (None, None));
    let name = &world.plan.request.name;
    assert_eq!(finish(open_campaign(&*world.log, name)).unwrap(), Some(loser));
    let ended = finish(world.driver(6).run(loser)).unwrap();
    assert_eq!(ended.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(world.executions().len(), 2);
}

#[test]
fn two_processes_of_one_campaign_never_close_what_the_other_begins() {
    proptest!(ProptestConfig::with_cases(150), |(turns in prop::collection::vec(any::<bool>(), 0..120))| {
        let (world, winner, loser) = raced();
        // The winner ends while two processes begin the loser again.
        let mut end = ByHand::new(async { world.driver(3).run(winner).await });
        let life = |writer| { let world = &world; async move {
            begin(world, writer, loser).await?;
            world.driver(writer).run(loser).await
        } };
        let (mut one, mut two) = (ByHand::new(life(7)), ByHand::new(life(8)));
        for first in turns {
            end.poll();
            if first { one.poll(); } else { two.poll(); }
        }
        while !(end.poll() & one.poll() & two.poll()) {}
        let ends = [one.1.take().unwrap(), two.1.take().unwrap()];
        let lost = state(&world, loser);
        if ends.iter().any(Result::is_ok) {
            prop_assert_eq!(lost.name_taken_by(), None);
            prop_assert_eq!(lost.finished().unwrap().0, FinishedOutcome::Succeeded);
            prop_assert_eq!(world.executions().len(), 2);
        } else {
            prop_assert_eq!(lost.name_taken_by(), Some(winner));
            prop_assert_eq!(world.executions().len(), 1);
        }
        let refused = |event: &Event| matches!(event, Event::NameTaken { .. });
        let key = crate::campaign::LogKey::Campaign(loser);
        let records = finish(crate::campaign::CampaignLog::read(&*world.log, &key, 0)).unwrap();
        prop_assert_eq!(records.iter().flat_map(|record| &record.events).filter(|event| refused(event)).count(), 1);
    });
}

#[test]
fn the_report_of_a_loser_that_was_closed_afterwards_says_how_it_was_closed() {
    let (world, winner, loser) = raced();
    let key = LogKey::Campaign(loser);
    let mut records = finish(CampaignLog::read(&*world.log, &key, 0)).unwrap();
    let mut chain = Chain::of(&key);
    for record in &records {
        chain.take(record).unwrap();
    }
    let closed = vec![
        Event::Abandoned { by: "ops".to_owned() },
        Event::Finished {
            outcome: FinishedOutcome::Halted,
        },
    ];
    let last = records.last().unwrap();
    records.push(chain.record(last.at, last.writer, closed));
    let closed = State::from_records(&records).unwrap();
    assert_eq!(closed.name_taken_by(), Some(winner));
    let report = finish(Report::build(&closed, &*world.rows, closed.last_at())).unwrap();
    assert_eq!((report.outcome, report.exit_code()), (ReportOutcome::Halted, 5));
}

#[test]
fn the_results_of_a_loser_are_asked_for_and_it_begins_nothing_and_claims_nothing() {
    let (world, winner, loser) = raced();
    finish(world.driver(3).run(winner)).unwrap();
    let before = state(&world, loser);
    let read = finish(world.driver(4).collect_again(loser)).unwrap();
    assert_eq!((read.read, read.unread.len()), (0, 0));
    assert_eq!(state(&world, loser), before);
    let name = &world.plan.request.name;
    assert_eq!(finish(open_campaign(&*world.log, name)).unwrap(), None);
}

#[cfg(feature = "file-log")]
#[test]
fn a_loser_whose_name_is_damaged_hinders_no_other_name() {
    #![expect(clippy::disallowed_methods, reason = "the test damages the file by hand")]
    use crate::campaign::{Appended, FileLog};
    use std::{fs, sync::Arc};
    let (world, winner, loser) = raced();
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(FileLog::new(dir.path()));
    for id in [winner, loser] {
        let key = LogKey::Campaign(id);
        for record in finish(world.log.read(&key, 0)).unwrap() {
            assert_eq!(finish(log.append(&key, &record)).unwrap(), Appended::Yes);
        }
    }
    let path = dir
        .path()
        .join("campaigns")
        .join(loser.to_string())
        .join("log.jsonl");
    let whole = fs::read(&path).unwrap();
    let name = world.plan.request.name.as_str();
    let at = whole
        .windows(name.len())
        .position(|bytes| bytes == name.as_bytes())
        .unwrap();
    let mut other = world.plan.clone();
    other.request.name = "weekly-windows".parse().unwrap();
    for bit in 0..name.len() {
        let mut bytes = whole.clone();
        // Another letter, so that it is a name still.
        bytes[at + bit] = if bytes[at + bit] == b'x' { b'y' } else { b'x' };
        fs::write(&path, bytes).unwrap();
        let driver = crate::campaign::Driver {
            log: log.clone(),
            ..world.driver(5)
        };
        let event = format!("of another name {bit}");
        finish(driver.begin(world.campaign_of(&event), &other)).unwrap();
        let begun = dir
            .path()
            .join("campaigns")
            .join(world.campaign_of(&event).to_string());
        fs::remove_dir_all(begun).unwrap();
        fs::remove_dir_all(dir.path().join("names")).unwrap();
    }
}
