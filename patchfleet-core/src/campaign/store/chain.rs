//! That each record of a log follows the one before it.

use super::LogKey;
use crate::campaign::{Event, Record, RecordDigest};
use crate::id::WriterId;
use jiff::Timestamp;

/// How far a log was read: what its next record has to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    next: u64,
    last: RecordDigest,
}

/// A record that is not the next one of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Records are missing, doubled or out of order.
    #[error("record {found} stands where record {expected} should be")]
    Number {
        /// The number that was due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The record was written after another record than the one that stands before it, or is of another log.
    #[error("record {seq} does not follow what stands before it: a record was changed, or is of another log")]
    Follows {
        /// Its number.
        seq: u64,
    },
}

impl Chain {
    /// The beginning of a log. Its first record follows the log's own name, so the records of one log are
    /// never taken for another's.
    #[must_use]
    pub fn of(key: &LogKey) -> Self {
        Self {
            next: 0,
            last: RecordDigest::of(key.to_string().as_bytes()),
        }
    }

    /// Where a log stands after `record`, whatever came before it.
    #[must_use]
    pub fn after(record: &Record) -> Self {
        Self {
            next: record.seq.saturating_add(1),
            last: record.digest(),
        }
    }

    /// The number of the next record.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next
    }

    /// Sees that `record` may stand here.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if it is not the next one.
    pub fn check(&self, record: &Record) -> Result<(), ChainError> {
        if record.seq != self.next {
            return Err(ChainError::Number {
                expected: self.next,
                found: record.seq,
            });
        }
        if record.after != self.last {
            return Err(ChainError::Follows { seq: record.seq });
        }
        Ok(())
    }

    /// Takes the next record.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if it is not the next one; nothing has changed then.
    pub fn take(&mut self, record: &Record) -> Result<(), ChainError> {
        self.check(record)?;
        *self = Self::after(record);
        Ok(())
    }

    /// Where the log stands after its next record, whose digest this is.
    #[cfg(feature = "file-log")]
    pub(super) fn passed(&self, digest: RecordDigest) -> Self {
        Self {
            next: self.next.saturating_add(1),
            last: digest,
        }
    }

    /// The next record, to be appended.
    #[must_use]
    pub fn record(&self, at: Timestamp, writer: WriterId, events: Vec<Event>) -> Record {
        Record {
            seq: self.next,
            after: self.last,
            at,
            writer,
            events,
        }
    }
}
