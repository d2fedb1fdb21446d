//! The `patchfleet` command, as a person or a script meets it: what it prints, what it exits with.

mod bad_input;
mod plan;
mod run;
mod support;
