//! Core's ports over AWS, one file each. A file says what a port asks and how it reads the answer.

mod alarms;
mod automation;
mod clients;
mod clock;
mod commands;
mod directory;
mod documents;
mod inventory;
mod patch_states;

pub use clock::SystemClock;

pub(crate) use clients::Clients;

use patchfleet_core::id::Region;
use std::fmt;
use std::sync::Arc;

/// The ports over AWS. [`Aws::builder`] and [`Aws::load`] make one.
#[derive(Clone)]
pub struct Aws {
    pub(crate) clients: Arc<Clients>,
    /// The Region whose documents are meant, if it is not the central one.
    documents_in: Option<Region>,
}

impl Aws {
    pub(crate) fn of(clients: Clients) -> Self {
        Self {
            clients: Arc::new(clients),
            documents_in: None,
        }
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod real_answers;
