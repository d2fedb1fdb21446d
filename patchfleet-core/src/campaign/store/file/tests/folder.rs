//! A folder that is taken away while a campaign is driven.

use super::*;
use crate::campaign::tests::world::ByHand;
use crate::campaign::{DriveError, Notice, Notices, SILENT_FOR, State};
use crate::port::Clock as _;
use jiff::{SignedDuration, Timestamp};
use std::sync::Mutex;

struct Renamed {
    /// The campaign's end, unless it was polled too often for one that pauses between its tries.
    end: Result<State, DriveError>,
    told: Vec<(Timestamp, Notice)>,
    at: Timestamp,
    took: SignedDuration,
    folder: PathBuf,
}

/// A campaign whose folder is renamed once its start has an answer, and back after so long.
fn renamed_for(gone: Option<SignedDuration>) -> Renamed {
    let dir = tempfile::tempdir().unwrap();
    let (folder, elsewhere) = (dir.path().join("logs"), dir.path().join("elsewhere"));
    let well = Script::Nodes(vec![Node::well(1)]);
    let world = World::new(&[&[("us-east-1", well)]], 1, 0);
    let told = Arc::new(Mutex::new(vec![]));
    let (notes, clock) = (Arc::clone(&told), Arc::clone(&world.clock));
    let driver = Driver {
        log: Arc::new(FileLog::new(&folder)),
        rows: Arc::new(FileRows::new(&folder)),
        notices: Notices::new(Arc::new(move |notice: &Notice| {
            notes.lock().unwrap().push((clock.now(), notice.clone()));
        })),
        ..world.driver(1)
    };
    finish(driver.begin(world.campaign(), &world.plan)).unwrap();
    let mut run = ByHand::new(driver.run(world.campaign()));
    let log = FileLog::new(&folder);
    let is_started = || {
        let records = now(log.read(&LogKey::Campaign(world.campaign()), 0)).unwrap();
        let mut events = records.iter().flat_map(|record| &record.events);
        events.any(|event| matches!(event, Event::Started { .. }))
    };
    while !is_started() {
        assert!(!run.poll());
    }
    let at = world.clock.now();
    fs::rename(&folder, &elsewhere).unwrap();
    let mut polls = 0;
    while !run.poll() {
        polls += 1;
        assert!(polls < 2_000, "it does not pause between its tries");
        if gone.is_some_and(|gone| world.clock.now().duration_since(at) >= gone) && elsewhere.exists() {
            fs::rename(&elsewhere, &folder).unwrap();
        }
    }
    let told = told.lock().unwrap().clone();
    Renamed {
        end: run.1.take().unwrap(),
        told,
        at,
        took: world.clock.now().duration_since(at),
        folder,
    }
}

#[test]
fn a_folder_that_is_renamed_while_it_is_in_use_is_named_waited_for_and_given_up() {
    let renamed = renamed_for(None);
    let folder = renamed.folder.display().to_string();
    let error = renamed.end.unwrap_err();
    assert!(matches!(error, DriveError::Log { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("the campaign stays open, resume it later")
    );
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        why.contains(&format!(
            "the folder {folder} is not there any more: it was renamed"
        )),
        "{why}"
    );
    let took = renamed.took;
    assert!(
        SignedDuration::from_secs(20) < took && took < SignedDuration::from_mins(2),
        "{took:#}"
    );
    let [(first, line)] = &renamed.told[..] else {
        panic!("{:?}", renamed.told)
    };
    let Notice::Trouble(trouble) = line else {
        panic!("{line}")
    };
    assert!(*first <= trouble.since + SILENT_FOR);
    assert!(
        *first <= renamed.at + SignedDuration::from_mins(1),
        "it is noticed by the next look"
    );
    assert!(line.to_string().contains(&folder), "{line}");
}

#[test]
fn a_folder_that_comes_back_is_gone_on_with() {
    let renamed = renamed_for(Some(SignedDuration::from_secs(15)));
    assert_eq!(
        renamed.end.unwrap().finished().unwrap().0,
        FinishedOutcome::Succeeded
    );
    let last = renamed.told.last().unwrap();
    assert!(matches!(last.1, Notice::Over { .. }), "{last:?}");
}
