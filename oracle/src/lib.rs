//! The laws of patchfleet, held against random campaigns while other people act in the accounts: nodes that come and go, groups
//! that are deleted, roles that are taken away, executions and commands that are cancelled, runbooks that are replaced, drivers
//! that die.
//!
//! A campaign may also have two drivers at once, a machine that sleeps, calls that are lost, refused or late, a store whose appends
//! fail, or a log that loses its end. Once it is over its results may be read again, and further campaigns may try what it left.
//!
//! What is right follows from the draft from which the world was written and from the simulator's own state at the end. Neither
//! shares code with what is checked. Everything runs in memory and on a virtual clock, and nothing here needs the AWS SDK, so the
//! program `patchfleet-oracle` runs thousands of campaigns in a minute.
//!
//! A campaign follows from a seed and its number alone, on every machine.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "an oracle panics where a law is broken"
)]

mod bug;
mod campaign;
mod counts;
mod draft;
mod laws;
mod run;
mod starts;
mod trial;

pub use bug::{Bug, Part};
pub use campaign::{Campaign, Ended, Failure, central_region, in_memory, plan, plan_and_run};
pub use counts::Counts;
pub use patchfleet_core::internals::Slip;
pub use trial::{Mix, Trials, Violation};
