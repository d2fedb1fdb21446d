//! What is left of a file by killed, racing and broken writers.

#![expect(clippy::disallowed_methods, reason = "the tests tear the files apart by hand")]

use super::*;
use crate::campaign::NodeRows as _;
use crate::campaign::tests::world::{Node, Script, World, finish};
use crate::campaign::{CampaignList, Chain, Driver, Event, MemoryLog, campaigns, load};
use crate::id::{Location, WriterId};
use crate::outcome::{FinishedOutcome, NodeOutcome, NodeRow};
use crate::report::Report;
use std::sync::Arc;
use std::sync::Barrier;

mod damage;
mod folder;
#[cfg(unix)]
mod owner;
mod rows;
mod torn;

fn key() -> LogKey {
    LogKey::Name("weekly-linux".parse().unwrap())
}

/// Record `seq` by this writer, after those of writer 1.
fn record(seq: u64, writer: u128) -> Record {
    let mut chain = Chain::of(&key());
    let of = |chain: &Chain, writer| {
        let campaign = CampaignId::from_uuid(uuid::Uuid::from_u128(chain.next_seq().into()));
        let at = "2026-03-01T22:00:00.123456789Z".parse().unwrap();
        let writer = WriterId::from_uuid(uuid::Uuid::from_u128(writer));
        chain.record(at, writer, vec![Event::Claimed { campaign }])
    };
    while chain.next_seq() < seq {
        let before = of(&chain, 1);
        chain.take(&before).unwrap();
    }
    of(&chain, writer)
}

/// The record by this writer that comes after these.
fn next(before: &[Record], writer: u128) -> Record {
    let seq = before.len() as u64;
    let chain = before.last().map_or_else(|| Chain::of(&key()), Chain::after);
    let one = record(seq, writer);
    chain.record(one.at, one.writer, one.events)
}

fn now<T>(future: BoxFuture<'_, PortResult<T>>) -> PortResult<T> {
    future.now_or_never().expect("files answer at once")
}

fn listed(log: &dyn CampaignLog) -> CampaignList {
    finish(campaigns(log, jiff::Timestamp::MIN)).unwrap()
}

fn three_records() -> (tempfile::TempDir, FileLog, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let log = FileLog::new(dir.path().join("deep/logs"));
    for seq in 0..3 {
        assert_eq!(now(log.append(&key(), &record(seq, 1))).unwrap(), Appended::Yes);
    }
    let path = log.path(&key());
    (dir, log, path)
}

#[test]
fn a_log_in_a_folder_answers_as_one_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (file, memory) = (FileLog::new(dir.path()), MemoryLog::new());
    for (seq, writer) in [(1, 1), (0, 1), (0, 2), (1, 2), (3, 1), (2, 1), (1, 1)] {
        let record = record(seq, writer);
        let told = |log: &dyn CampaignLog| now(log.append(&key(), &record)).map_err(|error| error.kind());
        assert_eq!(told(&file), told(&memory), "{seq} by {writer}");
    }
    for from in 0..5 {
        let read = |log: &dyn CampaignLog| now(log.read(&key(), from)).map_err(|error| error.kind());
        assert_eq!(read(&file), read(&memory), "from {from}");
        assert_eq!(read(&file).is_ok(), from < 3, "from {from}");
    }
}

#[test]
fn records_longer_than_a_block_are_found_from_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let log = FileLog::new(dir.path());
    let mut all: Vec<Record> = vec![];
    for seq in 0..4 {
        let mut one = next(&all, 1);
        if seq % 2 == 0 {
            one.events = vec![one.events.remove(0); 2000];
        }
        assert_eq!(now(log.append(&key(), &one)).unwrap(), Appended::Yes);
        all.push(one);
    }
    assert!(fs::metadata(log.path(&key())).unwrap().len() > 2 * BLOCK);
    for from in 0..=4 {
        assert_eq!(
            now(log.read(&key(), from as u64)).unwrap(),
            all[from..],
            "from {from}"
        );
    }
}

#[test]
fn of_writers_that_race_for_a_record_exactly_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    const WRITERS: u128 = 4;
    const RECORDS: u64 = 25;
    let start = Barrier::new(WRITERS as usize);
    let won: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (start, dir) = (&start, dir.path());
                scope.spawn(move || {
                    let log = FileLog::new(dir);
                    start.wait();
                    (0..RECORDS)
                        .filter(|&seq| {
                            // Whoever is ahead has appended every record before.
                            let before = &now(log.read(&key(), 0)).unwrap()[..seq as usize];
                            now(log.append(&key(), &next(before, writer))).unwrap() == Appended::Yes
                        })
                        .collect()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let records = now(FileLog::new(dir.path()).read(&key(), 0)).unwrap();
    assert_eq!(records.len(), RECORDS as usize);
    for (writer, mine) in won.iter().enumerate() {
        for &seq in mine {
            let seq = seq as usize;
            assert_eq!(records[seq], next(&records[..seq], writer as u128));
        }
    }
    let mut all: Vec<u64> = won.concat();
    all.sort_unstable();
    assert_eq!(all, (0..RECORDS).collect::<Vec<_>>());
}

fn rows(outcomes: &[(&str, NodeOutcome)]) -> Vec<NodeRow> {
    let row = |&(node, outcome): &(&str, NodeOutcome)| NodeRow {
        node: node.parse().unwrap(),
        outcome,
        joined: false,
        away: false,
        may_run_until: None,
        detail: String::new(),
        installed: Some(1),
        missing: None,
        failed: None,
        patches: None,
    };
    outcomes.iter().map(row).collect()
}

#[test]
fn a_folder_that_is_not_there_has_no_campaign_and_foreign_files_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let log = FileLog::new(dir.path().join("nowhere"));
    assert!(listed(&log).campaigns.is_empty());
    let log = FileLog::new(dir.path());
    fs::create_dir_all(dir.path().join("campaigns/README")).unwrap();
    let id = CampaignId::from_uuid(uuid::Uuid::from_u128(1));
    let path = log.path(&LogKey::Campaign(id));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "nonsense\nmore\n").unwrap();
    let list = listed(&log);
    assert!(list.campaigns.is_empty());
    assert_eq!(list.damaged.len(), 1);
    assert_eq!(list.damaged[0].log, LogKey::Campaign(id));
    assert!(list.damaged[0].error.to_string().contains(&id.to_string()));
}

#[test]
fn a_campaign_in_a_folder_is_the_same_as_in_memory_and_is_listed_with_how_it_ended() {
    let world = || {
        let well = || Script::Nodes(vec![Node::well(1)]);
        World::new(&[&[("us-east-1", well()), ("eu-west-1", Script::Emptied)]], 2, 0)
    };
    let in_memory = world().run();
    let (world, dir) = (world(), tempfile::tempdir().unwrap());
    let log = FileLog::new(dir.path());
    let driver = Driver {
        log: Arc::new(log.clone()),
        rows: Arc::new(FileRows::new(dir.path())),
        ..world.driver(1)
    };
    let told = || {
        let list = listed(&log);
        assert!(list.damaged.is_empty(), "{:?}", list.damaged);
        list.campaigns
            .iter()
            .map(|c| (c.campaign, c.request.to_string(), c.finished))
            .collect::<Vec<_>>()
    };
    let name = || "weekly-linux".to_owned();
    finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        assert_eq!(told(), [(world.campaign(), name(), None)]);
        let state = driver.run(world.campaign()).await.unwrap();
        assert_eq!(state, in_memory);
        assert_eq!(load(&log, world.campaign()).await.unwrap(), Some(state));
        assert_eq!(
            told(),
            [(world.campaign(), name(), Some(FinishedOutcome::Succeeded))]
        );

        let later = world.campaign_of("a later event");
        driver.begin(later, &world.plan).await.unwrap();
        assert_eq!(
            told(),
            [
                (later, name(), None),
                (world.campaign(), name(), Some(FinishedOutcome::Succeeded))
            ]
        );
    });
}
