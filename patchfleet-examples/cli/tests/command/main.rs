//! The `patchfleet` command, as a person or a script meets it: what it prints, what it exits with.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets what it does not expect fails"
)]

mod bad_input;
mod bucket;
mod explain;
mod hostile;
mod killed;
mod left_open;
mod other_hands;
mod override_list;
mod plan;
mod progress;
mod quiet;
mod retry;
mod run;
mod sends;
mod stumbles;
mod support;
