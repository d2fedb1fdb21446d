//! What was done and what came of it, in words.

use crate::campaign::{Appended, CampaignLog, Chain, LogKey, Record, Store};
use crate::port::{BoxFuture, PortErrorKind, PortResult};

/// The answer of a call that has to succeed.
pub(super) trait Told<T> {
    /// The answer, or that `what` failed.
    fn told(self, what: &str) -> Result<T, String>;
}

impl<T> Told<T> for PortResult<T> {
    fn told(self, what: &str) -> Result<T, String> {
        self.map_err(|error| format!("{what} failed: {}", error.chain()))
    }
}

/// Opens a handle.
pub(super) async fn open(place: &dyn super::Place) -> Result<Store, String> {
    place.open().await.told("opening the store")
}

/// Appends a record that has to be taken.
pub(super) async fn append(log: &dyn CampaignLog, key: &LogKey, record: &Record) -> Result<(), String> {
    let what = format!("appending record {} to {key}", record.seq);
    match log.append(key, record).await.told(&what)? {
        Appended::Yes => Ok(()),
        Appended::Conflict => Err(format!("{what} gave Conflict, and there was no such record")),
    }
}

/// Appends them one after another.
pub(super) async fn append_all(
    log: &dyn CampaignLog,
    key: &LogKey,
    records: &[Record],
) -> Result<(), String> {
    for record in records {
        append(log, key, record).await?;
    }
    Ok(())
}

/// Sees that reading from `from` gives exactly these records.
pub(super) async fn reads(
    log: &dyn CampaignLog,
    key: &LogKey,
    from: u64,
    want: &[Record],
) -> Result<(), String> {
    let what = format!("reading {key} from {from}");
    let read = log.read(key, from).await.told(&what)?;
    same(&what, &read, want)
}

/// Sees that these are the same records, by their bytes.
pub(super) fn same(what: &str, found: &[Record], want: &[Record]) -> Result<(), String> {
    let numbers = |records: &[Record]| -> Vec<u64> { records.iter().map(|record| record.seq).collect() };
    if numbers(found) != numbers(want) {
        let (found, want) = (listed(&numbers(found)), listed(&numbers(want)));
        return Err(format!("{what} gave {found}, not {want}"));
    }
    for (one, other) in found.iter().zip(want) {
        let bytes = |record: &Record| record.encode().told("making bytes of a record");
        if bytes(one)? != bytes(other)? {
            return Err(format!(
                "{what} gave another record {} than was appended",
                one.seq
            ));
        }
    }
    Ok(())
}

fn listed(numbers: &[u64]) -> String {
    match numbers {
        [] => "no record".to_owned(),
        [first, .., last] if numbers.len() > 12 => {
            format!(
                "{} records, the first number {first} and the last {last}",
                numbers.len()
            )
        }
        _ => format!("records {numbers:?}"),
    }
}

/// Sees that a call says that the log is damaged, cut short or not the one that was read.
pub(super) async fn is_refused<T: std::fmt::Debug>(
    what: &str,
    call: BoxFuture<'_, PortResult<T>>,
) -> Result<(), String> {
    match call.await {
        Err(error) if error.kind() == PortErrorKind::Incompatible => Ok(()),
        Err(error) => Err(format!(
            "{what} failed as {}, which is tried again or taken for something else: it has to be incompatible ({})",
            error.kind(),
            error.chain()
        )),
        Ok(answer) => {
            let mut answer = format!("{answer:?}");
            if answer.len() > 200 {
                answer = answer.chars().take(200).chain("…".chars()).collect();
            }
            Err(format!(
                "{what} has to be refused as incompatible, and gave {answer}"
            ))
        }
    }
}

/// Whether reading the log and going through its records tells of damage. Whoever reads a log does both.
pub(super) async fn shows_damage(log: &dyn CampaignLog, key: &LogKey) -> Result<bool, String> {
    match log.read(key, 0).await {
        Err(error) if error.kind() == PortErrorKind::Incompatible => Ok(true),
        Err(error) => Err(format!(
            "reading a damaged log failed as {}, and has to as incompatible: {}",
            error.kind(),
            error.chain()
        )),
        Ok(records) => {
            let mut chain = Chain::of(key);
            Ok(records.iter().any(|record| chain.take(record).is_err()))
        }
    }
}
