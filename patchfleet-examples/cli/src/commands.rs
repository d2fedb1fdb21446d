//! The commands: each wires ports, core and the terminal together.

pub(crate) mod approve;
pub(crate) mod campaigns;
pub(crate) mod explain;
pub(crate) mod iam;
pub(crate) mod override_list;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod runbook;
mod second_attempt;
pub(crate) mod stop;

use crate::exit::Failure;
use patchfleet_core::text::lines;
use serde_json::{Value, json};
use std::io::{self, Write as _};

/// Prints text for people, coloured where that is seen.
pub(crate) fn print_text(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    let written = stdout.write_all(crate::style::paint(&lines(text)).as_bytes());
    unless_closed(written.and_then(|()| stdout.flush()))
}

/// A reader that has seen enough (`| head`) is no failure.
fn unless_closed(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Prints JSON for scripts.
pub(crate) fn print_json<T: serde::Serialize>(value: &T) -> Result<(), Failure> {
    let json = patchfleet_core::text::json(&serde_json::to_string_pretty(value)?);
    unless_closed(writeln!(io::stdout().lock(), "{json}"))
}

/// Prints for scripts why there is no report, in the shape of a report of nothing.
pub(crate) fn print_failure(failure: &Failure) -> Result<(), Failure> {
    let (outcome, key, why) = match failure {
        Failure::Refused(refusal) | Failure::RefusedThen(refusal, _) => {
            ("refused", "reasons", json!(refusal.reasons))
        }
        Failure::Declined(why) => (
            "refused",
            "reasons",
            json!([{ "code": "declined", "detail": why }]),
        ),
        failure => match failure.problems() {
            Some(problems) => ("invalid", "problems", Value::Array(problems)),
            None => ("error", "error", json!(failure.message())),
        },
    };
    print_json(&json!({
        "outcome": outcome,
        "campaign_id": null,
        "executions": [],
        "locations": [],
        "totals": {},
        key: why,
    }))
}
