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
fn a_log_that_was_cut_short_or_deleted_under_its_writer_is_an_error_and_not_a_conflict() {
    let (_dir, log, path) = three_records();
    let whole = fs::read_to_string(&path).unwrap();
    let first = whole.split_inclusive('\n').next().unwrap();
    fs::write(&path, first).unwrap();
    let error = now(log.append(&key(), &record(3, 1))).unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Incompatible);
    assert!(
        error
            .to_string()
            .ends_with("it has 1 records, and 3 were read from it before"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
    let folder = path.parent().unwrap();
    fs::remove_dir_all(folder).unwrap();
    let error = now(log.append(&key(), &record(3, 1))).unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Incompatible);
    assert!(!folder.exists(), "nothing is made in its place");
}

#[test]
fn a_last_line_torn_at_any_byte_counts_for_nothing_and_is_written_over() {
    let (_dir, log, path) = three_records();
    let whole = fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|&b| b == b'\n')
        .unwrap()
        + 1;
    for cut in last..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let read = now(log.read(&key(), 0)).unwrap();
        assert_eq!(read, [record(0, 1), record(1, 1)], "cut at {cut}");
        assert_eq!(
            now(log.append(&key(), &record(1, 2))).unwrap(),
            Appended::Conflict,
            "cut at {cut}"
        );
        assert_eq!(
            now(log.append(&key(), &record(2, 2))).unwrap(),
            Appended::Yes,
            "cut at {cut}"
        );
        let read = now(log.read(&key(), 0)).unwrap();
        assert_eq!(read, [record(0, 1), record(1, 1), record(2, 2)], "cut at {cut}");
    }
}

#[test]
fn a_first_line_torn_at_any_byte_leaves_an_empty_log() {
    let (_dir, log, path) = three_records();
    let whole = fs::read(&path).unwrap();
    let first = whole.iter().position(|&b| b == b'\n').unwrap();
    for cut in 0..=first {
        fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(now(log.read(&key(), 0)).unwrap(), []);
        assert_eq!(now(log.append(&key(), &record(0, 2))).unwrap(), Appended::Yes);
        assert_eq!(now(log.read(&key(), 0)).unwrap(), [record(0, 2)]);
    }
}

#[test]
fn a_last_line_that_is_whole_and_no_record_is_damage_and_is_not_written_over() {
    let (_dir, log, path) = three_records();
    let whole = fs::read(&path).unwrap();
    // The newline stays; whatever else is changed leaves either the same records or an error.
    for at in 0..whole.len() - 1 {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let (read, appended) = (now(log.read(&key(), 0)), now(log.append(&key(), &record(2, 2))));
        if let (Ok(read), appended) = (&read, &appended) {
            assert_eq!(read.len(), 3, "byte {at} of {}", bytes.len());
            assert!(!matches!(appended, Ok(Appended::Yes)), "byte {at}");
        }
        assert!(!matches!(appended, Ok(Appended::Yes)), "byte {at}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "byte {at}");
    }
}

#[test]
fn a_foreign_file_is_not_written_over() {
    let (_dir, log, path) = three_records();
    for foreign in ["precious", "precious\n", "{\"a\": 1}\n"] {
        fs::write(&path, foreign).unwrap();
        for seq in [0, 1] {
            let error = now(log.append(&key(), &record(seq, 1))).unwrap_err();
            assert_eq!(error.kind(), PortErrorKind::Incompatible, "{foreign:?}");
        }
        assert!(now(log.read(&key(), 0)).is_err(), "{foreign:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), foreign);
    }
}

#[test]
fn a_tail_of_zero_bytes_is_torn_as_well_and_with_a_line_break_it_is_damage() {
    let (_dir, log, path) = three_records();
    let whole = fs::read(&path).unwrap();
    let zeros = [&whole[..], &[0; 40]].concat();
    fs::write(&path, &zeros).unwrap();
    for from in 0..4 {
        assert_eq!(now(log.read(&key(), from)).unwrap().len() as u64, 3 - from);
    }
    assert_eq!(now(log.append(&key(), &record(3, 1))).unwrap(), Appended::Yes);
    assert_eq!(now(log.read(&key(), 0)).unwrap().len(), 4);
    let broken = [&zeros[..], b"\n"].concat();
    fs::write(&path, &broken).unwrap();
    assert!(now(log.read(&key(), 0)).is_err());
    assert!(now(log.append(&key(), &record(3, 1))).is_err());
    assert_eq!(fs::read(&path).unwrap(), broken);
}

#[test]
fn a_damaged_line_in_the_middle_is_named_with_its_file() {
    let (_dir, log, path) = three_records();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for (wrong, why) in [
        ("{\"sequence\":1}", "it is no record"),
        ("{\"seq\":1}", "an older version wrote it"),
        (lines[0], "record 0 stands where record 1 should be"),
        (lines[2], "record 2 stands where record 1 should be"),
    ] {
        fs::write(&path, format!("{}\n{wrong}\n{}\n", lines[0], lines[2])).unwrap();
        let error = now(log.read(&key(), 0)).unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Incompatible);
        let message = error.chain();
        assert!(message.contains(path.to_str().unwrap()), "{message}");
        assert!(message.contains("record 1 cannot be read"), "{message}");
        assert!(message.contains(why), "{message}");
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
        detail: String::new(),
        installed: Some(1),
        missing: None,
        failed: None,
    };
    outcomes.iter().map(row).collect()
}

#[test]
fn rows_are_replaced_as_a_whole_and_never_by_an_older_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let kept = FileRows::new(dir.path());
    let campaign = CampaignId::from_uuid(uuid::Uuid::from_u128(1));
    let location = Location::new("111122223333".parse().unwrap(), "eu-west-1".parse().unwrap());
    assert_eq!(now(kept.rows(campaign, &location)).unwrap(), []);
    let first = rows(&[
        ("i-00000002", NodeOutcome::Done),
        ("i-00000001", NodeOutcome::Lost),
    ]);
    let second = rows(&[("i-00000003", NodeOutcome::Failed)]);
    now(kept.put(campaign, &location, 1, first.clone())).unwrap();
    let sorted: Vec<NodeRow> = first.iter().rev().cloned().collect();
    assert_eq!(now(kept.rows(campaign, &location)).unwrap(), sorted);
    now(kept.put(campaign, &location, 2, second.clone())).unwrap();
    now(kept.put(campaign, &location, 1, first)).unwrap();
    assert_eq!(now(kept.rows(campaign, &location)).unwrap(), second);
    let folder = campaign_dir(dir.path(), campaign).join("nodes");
    let names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["111122223333_eu-west-1.json"]);
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

#[test]
fn a_report_counts_the_nodes_whose_rows_are_lost_or_of_another_location() {
    let failing = |n| Node {
        status: "Failed",
        patches: None,
        ..Node::well(n)
    };
    let east = Script::Nodes(vec![failing(1), failing(2), Node::well(3)]);
    let world = World::new(
        &[&[
            ("us-east-1", east),
            ("us-west-1", Script::Nodes(vec![failing(4)])),
        ]],
        2,
        5,
    );
    let dir = tempfile::tempdir().unwrap();
    let rows = FileRows::new(dir.path());
    let driver = Driver {
        log: Arc::new(FileLog::new(dir.path())),
        rows: Arc::new(rows.clone()),
        ..world.driver(1)
    };
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        driver.run(world.campaign()).await.unwrap()
    });
    let nodes = campaign_dir(dir.path(), world.campaign()).join("nodes");
    let (east, west) = (
        nodes.join("111111111111_us-east-1.json"),
        nodes.join("111111111111_us-west-1.json"),
    );
    let whole = fs::read(&east).unwrap();
    let report = || finish(Report::build(&state, &rows, state.last_at())).unwrap();
    assert_eq!(report().needs_action.len(), 3);
    assert!(report().locations.iter().all(|one| one.unnamed == 0));
    let damages: [(&str, &dyn Fn()); 4] = [
        ("deleted", &|| fs::remove_file(&east).unwrap()),
        ("torn", &|| fs::write(&east, &whole[..whole.len() / 2]).unwrap()),
        ("emptied", &|| fs::write(&east, b"").unwrap()),
        ("another's", &|| {
            fs::copy(&west, &east).unwrap();
        }),
    ];
    for (name, damage) in damages {
        damage();
        let report = report();
        assert_eq!(report.needs_action.len(), 1, "{name}");
        assert_eq!(report.locations[0].unnamed, 2, "{name}");
        let text = report.to_text();
        assert!(text.contains("3 nodes need action"), "{name}: {text}");
        assert!(
            text.contains("us-east-1  2 nodes not named: no row of them is kept"),
            "{name}: {text}"
        );
        fs::write(&east, &whole).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn logs_and_rows_are_for_their_owner_alone_and_what_was_looser_is_tightened() {
    use std::os::unix::fs::PermissionsExt as _;

    fn modes(folder: &Path, of: &mut Vec<(bool, u32)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            of.push((
                path.is_dir(),
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            ));
            if path.is_dir() {
                modes(&path, of);
            }
        }
    }
    let (dir, log, path) = three_records();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(now(log.append(&key(), &record(3, 1))).unwrap(), Appended::Yes);
    let kept = FileRows::new(dir.path().join("deep/logs"));
    let campaign = CampaignId::from_uuid(uuid::Uuid::from_u128(1));
    let location = Location::new("111122223333".parse().unwrap(), "eu-west-1".parse().unwrap());
    let row = rows(&[("i-00000001", NodeOutcome::Done)]);
    now(kept.put(campaign, &location, 1, row)).unwrap();
    let mut seen = vec![];
    modes(dir.path(), &mut seen);
    assert!(seen.iter().any(|(is_dir, _)| !is_dir));
    for (is_dir, mode) in seen {
        assert_eq!(mode, if is_dir { 0o700 } else { 0o600 });
    }
}

#[cfg(unix)]
#[test]
fn a_link_a_pipe_or_a_file_of_another_user_in_the_place_of_a_log_is_refused_and_left_alone() {
    use std::os::unix::fs::symlink;

    let (dir, log, path) = three_records();
    let foreign = dir.path().join("precious");
    let refused = |what: &str| {
        for seq in [0, 3] {
            let error = now(log.append(&key(), &record(seq, 1))).unwrap_err();
            assert_eq!(error.kind(), PortErrorKind::Incompatible, "{what}");
            assert!(
                error.to_string().contains(path.to_str().unwrap()),
                "{what}: {error}"
            );
            assert!(error.to_string().contains(what), "{what}: {error}");
        }
        assert!(now(log.read(&key(), 0)).is_err(), "{what}");
        assert!(now(log.last(&key())).is_err(), "{what}");
    };
    let whole = fs::read(&path).unwrap();
    for there in [&b"precious"[..], b"", &whole] {
        fs::write(&foreign, there).unwrap();
        fs::remove_file(&path).unwrap();
        symlink(&foreign, &path).unwrap();
        refused("is a symbolic link");
        assert_eq!(fs::read(&foreign).unwrap(), there);
    }
    // To nothing: nothing is made there.
    fs::remove_file(&foreign).unwrap();
    refused("is a symbolic link");
    assert!(!foreign.exists());

    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if made.is_ok_and(|made| made.success()) {
        refused("is a pipe, a socket or a device");
        fs::remove_file(&path).unwrap();
    }
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    refused("is a pipe, a socket or a device");
    fs::remove_file(&path).unwrap();

    fs::write(&path, &whole).unwrap();
    assert_eq!(now(log.read(&key(), 0)).unwrap().len(), 3);
    // Only root may give files away.
    if std::os::unix::fs::chown(&path, Some(54_321), None).is_ok() {
        refused("belongs to user 54321");
        assert_eq!(fs::read(&path).unwrap(), whole);
        std::os::unix::fs::chown(&path, own::own_user(), None).unwrap();
    }

    // A folder below the log's own that is a link. The log's own may be one.
    let names = path.parent().unwrap().to_owned();
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&names, &elsewhere).unwrap();
    symlink(&elsewhere, &names).unwrap();
    assert!(
        now(log.read(&key(), 0))
            .unwrap_err()
            .to_string()
            .contains("is a symbolic link")
    );
    assert!(
        now(log.keys())
            .unwrap_err()
            .to_string()
            .contains("is a symbolic link")
    );
    fs::remove_file(&names).unwrap();
    fs::rename(&elsewhere, &names).unwrap();
    let link = dir.path().join("link");
    symlink(dir.path().join("deep/logs"), &link).unwrap();
    assert_eq!(now(FileLog::new(&link).read(&key(), 0)).unwrap().len(), 3);
}
