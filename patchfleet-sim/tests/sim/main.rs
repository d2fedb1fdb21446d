//! The simulator's tests: one file for each side of it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

mod actions;
mod alarms;
#[cfg(feature = "cli")]
mod binary;
mod builtin_worlds;
mod calendars;
mod cancels;
mod changes;
mod commands;
mod determinism;
mod documents;
mod down;
mod endings;
mod faults;
mod filters;
mod fleet;
mod fuzz;
mod groups;
mod idle;
mod inputs;
mod instances;
mod invocations;
mod jumps;
mod limits;
mod locations;
mod nodes;
mod objects;
mod organizations;
mod paging;
mod patching;
mod ports;
mod pre_checks;
mod rate_control;
mod record;
mod runbooks;
mod sharing;
mod signals;
mod slow;
mod socket;
mod starts;
mod stopped_by_alarm;
mod stops;
mod wire;
mod world_errors;
mod world_files;
