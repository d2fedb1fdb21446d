//! Campaign logs of a given length.

use crate::Fallible;
use crate::fleet::{Fleet, Size, campaign_id};
use patchfleet_core::campaign::{Chain, LogKey, Record, Store};
use patchfleet_core::census::Depth;
use std::fs;
use tempfile::TempDir;

/// The log of a simulated campaign, cut into `len` records of one event each. It has a location
/// for about every five records.
///
/// # Errors
///
/// If the campaign fails, or its events are fewer than `len`.
pub fn of_length(len: usize) -> Fallible<Vec<Record>> {
    let fleet = Fleet::new(Size {
        accounts: len as u64 / 25,
        nodes: 1,
    })?;
    let records = fleet.campaign(&fleet.plan(Depth::Count)?)?;
    let events = records.into_iter().flat_map(|record| {
        let (at, writer) = (record.at, record.writer);
        record.events.into_iter().map(move |event| (at, writer, event))
    });
    let mut chain = Chain::of(&LogKey::Campaign(campaign_id()?));
    let mut cut = vec![];
    for (at, writer, event) in events.take(len) {
        let record = chain.record(at, writer, vec![event]);
        chain.take(&record)?;
        cut.push(record);
    }
    if cut.len() < len {
        return Err(format!("the campaign has only {} events of {len}", cut.len()).into());
    }
    Ok(cut)
}

/// The lines of a log, as `FileLog` writes them.
///
/// # Errors
///
/// Never: every record has a JSON.
pub fn lines(records: &[Record]) -> Fallible<Vec<String>> {
    records.iter().map(line).collect()
}

/// The line of a record, as a log in a folder writes it.
///
/// # Errors
///
/// Never: every record has a JSON.
pub fn line(record: &Record) -> Fallible<String> {
    Ok(format!("{}\n", String::from_utf8(record.encode()?)?))
}

/// A folder with one campaign's log, gone when the value is dropped.
pub struct LogDir {
    /// The store.
    pub store: Store,
    _dir: TempDir,
}

impl LogDir {
    /// Writes `records` where a `FileLog` looks for them, at once: appending them one by one
    /// would wait for the disk as often.
    ///
    /// # Errors
    ///
    /// If the disk fails.
    pub fn new(records: &[Record]) -> Fallible<Self> {
        let dir = tempfile::tempdir()?;
        let folder = dir.path().join("campaigns").join(campaign_id()?.to_string());
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("log.jsonl"), lines(records)?.concat())?;
        Ok(Self {
            store: Store::in_folder(dir.path()),
            _dir: dir,
        })
    }
}
