//! Where campaigns are remembered: their logs, and the results of single nodes.
//!
//! The two traits may be implemented for any place. A folder and the process's own memory are here.

use std::fmt;
use std::sync::Arc;

mod chain;
#[cfg(feature = "store-tests")]
pub mod conformance;
mod encoding;
#[cfg(feature = "file-log")]
mod file;
mod kept;
mod log;
mod memory;
mod named;
mod rows;

pub use chain::{Chain, ChainError};
pub use encoding::RecordError;
#[cfg(feature = "file-log")]
pub use file::{FileLog, FileRows};
pub use log::{Appended, CampaignLog, LogKey};
pub(crate) use memory::{MemoryLog, MemoryRows};
pub use rows::NodeRows;

/// A place where campaigns are remembered: their logs, and the results of their nodes.
///
/// Whoever keeps campaigns somewhere else makes one of their own two types, and whatever takes a `Store` works
/// on it.
#[derive(Clone)]
pub struct Store {
    /// What happened.
    pub log: Arc<dyn CampaignLog>,
    /// What became of the nodes.
    pub rows: Arc<dyn NodeRows>,
}

impl Store {
    /// A store of these two.
    #[must_use]
    pub fn new(log: Arc<dyn CampaignLog>, rows: Arc<dyn NodeRows>) -> Self {
        Self { log, rows }
    }

    /// The same store, of which this process keeps the records that it has read or appended. It reads only those that are
    /// new then, as long as the value and its clones live. Records never change once they are written, and what is new has
    /// to follow what is kept. That is for a process that opens the same campaign again and again, as a function does.
    ///
    /// At most `bytes` of records are kept, as they are encoded; in memory they take two to three times as much. The
    /// log that was used longest ago is forgotten first, and one that is larger than that is not kept.
    ///
    /// Damage to a record that was read before is not seen by this process: another one sees it, which reads the log
    /// whole.
    #[must_use]
    pub fn keeping(self, bytes: usize) -> Self {
        Self::new(Arc::new(kept::KeptLog::new(self.log, bytes)), self.rows)
    }

    /// An empty store that lasts as long as the value and its clones, which share it.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Arc::new(MemoryLog::new()), Arc::new(MemoryRows::new()))
    }

    /// The store in this folder, which is made when something is first written.
    #[cfg(feature = "file-log")]
    #[must_use]
    pub fn in_folder(dir: impl Into<std::path::PathBuf>) -> Self {
        let dir = dir.into();
        Self::new(Arc::new(FileLog::new(dir.clone())), Arc::new(FileRows::new(dir)))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
