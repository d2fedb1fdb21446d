//! One run of one plan, as a list of what happened.
//!
//! The log is an ordered list of [`Record`]s; the [`state`](State) is a fold over it; deciding is
//! pure: [`decide`] takes the state and the time and says what to do, or when to wake, or that it
//! is done. The [`driver`] is a thin loop around the two that calls the ports.

mod event;

pub use event::{Event, FinishedOutcome, LocationOutcome, RECORD_FORMAT, Record};
