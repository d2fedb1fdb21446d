//! The real process, against a simulated organisation.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect fails"
)]

#[cfg(unix)]
mod hostile;
mod once;
mod settings;
#[cfg(unix)]
mod signals;
mod support;
