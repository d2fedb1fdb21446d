//! The bytes of a log are held: one stored log has every event, and what it is read and folded to is known.
//!
//! A name or a field that changes would keep every campaign that is open from being resumed. So the file
//! `golden/format-3.jsonl` changes only to take in a new event. That is added to [`whole`], and the file is written
//! anew:
//!
//! ```sh
//! cargo test -p patchfleet-core --all-features --lib golden -- --ignored
//! INSTA_UPDATE=always cargo test -p patchfleet-core --all-features --lib golden
//! ```
//!
//! Read the difference before you commit it: the lines before the new event stay as they are.

use self::whole::whole;
use super::world::*;
use crate::campaign::{CampaignLog as _, Event, LogKey, MemoryLog, MemoryRows, Record, State, campaigns};
use crate::report::Report;
use std::collections::BTreeSet;

mod whole;

const STORED: &str = include_str!("golden/format-3.jsonl");

/// Names each event, and lists the names. An event that is missing here does not compile.
macro_rules! events {
    ($($event:ident)*) => {
        const EVENTS: &[&str] = &[$(stringify!($event)),*];

        fn name(event: &Event) -> &'static str {
            match event {
                $(Event::$event { .. } => stringify!($event),)*
            }
        }
    };
}

events! {
    Planned Claimed NameTaken Unattended Watched StillLooking StartIntended Started StartDeferred StartWithdrawn StartRefused
    CancelledElsewhere GoneOn CommandNotSent RunbookChanged StartUnresolved SendAgain LocationObserved CommandObserved
    WaitsAtAws CommandEnded LeftOut StopIntended StopTaken StopNotNeeded StopInVain StopRefused LocationSettled StopAsked Approved NotStoppedBelow
    RowsMissing Recollected Divided CalendarsSaid AlarmSaid StoppedForAlarm UnitEnded Abandoned Finished Unknown
}

/// The records of the stored log.
fn stored() -> Vec<Record> {
    let lines = STORED.lines().map(str::as_bytes);
    lines.map(|line| Record::decode(line).unwrap()).collect()
}

#[test]
fn the_stored_log_has_every_event() {
    let records = stored();
    let events = records.iter().flat_map(|record| &record.events);
    let found: BTreeSet<&str> = events.map(name).collect();
    // What only a newer version knows is no event that this one writes.
    let all: BTreeSet<&str> = EVENTS.iter().copied().filter(|name| *name != "Unknown").collect();
    let missing: Vec<&&str> = all.difference(&found).collect();
    assert!(
        missing.is_empty(),
        "add {missing:?} to `whole`, and see above how the file is written anew"
    );
}

#[test]
fn the_stored_log_is_written_as_it_was() {
    for (record, line) in stored().iter().zip(STORED.lines()) {
        assert_eq!(String::from_utf8(record.encode().unwrap()).unwrap(), line);
    }
}

/// How far the campaign is after a record, and why it begins nothing more.
fn line(record: &Record, state: &State) -> String {
    let names: Vec<&str> = record.events.iter().map(name).collect();
    let so_far = state.so_far();
    let stopped = state
        .stop_reason()
        .map_or_else(|| "goes on".to_owned(), |reason| reason.to_string());
    let stopped = stopped.split(';').next().unwrap_or_default();
    format!(
        "{:>2} {}: {} settled, {} running, {} of {} nodes through, {} holds; {stopped}",
        record.seq,
        names.join(" "),
        so_far.settled,
        so_far.running,
        so_far.through,
        so_far.nodes,
        state.holds(state.last_at()).len(),
    )
}

#[test]
fn the_stored_log_is_folded_record_by_record_as_it_was() {
    let (records, campaign) = (stored(), whole().world.campaign());
    let mut course = vec![];
    for count in 1..=records.len() {
        let state = State::of_campaign(campaign, &records[..count]).unwrap();
        assert_eq!(state.next_seq(), count as u64);
        course.push(line(&records[count - 1], &state));
    }
    insta::assert_snapshot!("course", course.join("\n"));
}

#[test]
fn the_stored_log_comes_to_the_same_status_and_report() {
    let (log, key) = (MemoryLog::new(), LogKey::Campaign(whole().world.campaign()));
    finish(async {
        for record in stored() {
            let _ = log.append(&key, &record).await.unwrap();
        }
        let list = campaigns(&log, jiff::Timestamp::MIN).await.unwrap();
        assert!(list.damaged.is_empty(), "{:?}", list.damaged);
        insta::assert_debug_snapshot!("status", list.campaigns[0]);
        let state = State::of_campaign(whole().world.campaign(), &stored()).unwrap();
        let report = Report::build(&state, &MemoryRows::new(), state.last_at())
            .await
            .unwrap();
        insta::assert_json_snapshot!("report", report);
        insta::assert_snapshot!("report_in_words", report.to_text());
    });
}

/// Writes the stored log anew, after an event was added.
#[test]
#[ignore = "it writes the file that the other tests hold"]
#[expect(clippy::disallowed_methods, reason = "a test writes its own golden file")]
fn the_stored_log_is_made() {
    let mut text = Vec::new();
    for record in whole().records {
        text.extend(record.encode().unwrap());
        text.push(b'\n');
    }
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/campaign/tests/golden/format-3.jsonl"
    );
    std::fs::write(path, text).unwrap();
}
