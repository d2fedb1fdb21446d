//! The commands: each wires ports, core and the terminal together.

pub(crate) mod campaigns;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod runbook;

use crate::exit::Failure;
use patchfleet_core::plan::Refusal;
use serde_json::json;
use std::io::Write as _;

/// Prints text for people, coloured where that is seen.
pub(crate) fn print_text(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(crate::style::paint(text).as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Prints JSON for scripts.
pub(crate) fn print_json<T: serde::Serialize>(value: &T) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, value)?;
    writeln!(stdout)?;
    Ok(())
}

/// Prints a refusal for scripts, in the shape of a report of nothing.
pub(crate) fn print_refusal(refusal: &Refusal) -> Result<(), Failure> {
    print_json(&json!({
        "outcome": "refused",
        "campaign_id": null,
        "executions": [],
        "locations": [],
        "totals": {},
        "reasons": refusal.reasons,
    }))
}
