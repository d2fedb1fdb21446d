//! Where campaigns are remembered.

use super::{BoxFuture, PortResult};
use crate::campaign::Record;
use crate::id::{CampaignId, RequestName};
use std::fmt;

/// Ordered lists of records, one for each campaign and one for each request name.
///
/// Promises: "append record n if there is no record n" is atomic, among every process that uses
/// the same place; an appended record is durable once the call has returned; records are read in
/// order, without gaps. Does not promise: that a failed append had no effect (see
/// [`PortError::sent`](super::PortError::sent)): whoever appended finds out by reading.
pub trait CampaignLog: Send + Sync {
    /// Appends `record` to the log `key`, as number `record.seq`, if there is no such record and
    /// all before it are there.
    ///
    /// # Errors
    ///
    /// [`PortErrorKind::Incompatible`](super::PortErrorKind::Incompatible) if records before it are
    /// missing: the writer has read them, so the log was cut short. Otherwise whatever keeps the record
    /// from being kept.
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>>;

    /// The records of the log `key` from number `from` on; none if the log does not exist.
    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>>;
}

/// Which list of records.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogKey {
    /// A campaign's own.
    Campaign(CampaignId),
    /// Which campaigns a request's name had: its last record names the one that may be open.
    Name(RequestName),
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Campaign(id) => write!(f, "campaigns/{id}"),
            Self::Name(name) => write!(f, "names/{name}"),
        }
    }
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a record that was not appended must be decided anew"]
pub enum Appended {
    /// It is there, durably.
    Yes,
    /// Somebody else's record has this number. Read, fold and decide again.
    Conflict,
}
