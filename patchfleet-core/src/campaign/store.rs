//! Where campaigns are remembered: their logs, and the results of single nodes.
//!
//! The two traits may be implemented for any place. A folder and the process's own memory are here.

mod chain;
mod encoding;
#[cfg(feature = "file-log")]
mod file;
mod log;
mod memory;
mod rows;

pub use chain::{Chain, ChainError};
pub use encoding::RecordError;
#[cfg(feature = "file-log")]
pub use file::{FileLog, FileRows};
pub use log::{Appended, CampaignLog, LogKey};
pub use memory::{MemoryLog, MemoryRows};
pub use rows::NodeRows;
