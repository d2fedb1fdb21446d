//! Reading the files that people name.

use crate::exit::Failure;
use patchfleet_core::plan::Plan;
use patchfleet_core::problem::chain;
use patchfleet_core::request::{Format, MAX_REQUEST_BYTES, PatchRequest};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Saved plans are larger than requests: they name every location.
const MAX_PLAN_BYTES: u64 = 64 << 20;

/// The request in `path`, whose ending says in which format it is.
pub(crate) fn request(path: &Path) -> Result<PatchRequest, Failure> {
    let format = Format::of_path(path).map_err(|problem| Failure::Usage(problem.to_string()))?;
    let text = bytes(path, MAX_REQUEST_BYTES as u64)?;
    PatchRequest::parse(&text, format).map_err(Failure::Invalid)
}

/// The saved plan in `path`.
pub(crate) fn plan(path: &Path) -> Result<Plan, Failure> {
    let text = text(path, MAX_PLAN_BYTES)?;
    Plan::from_json(&text).map_err(|error| Failure::Usage(format!("{}: {}", path.display(), chain(&error))))
}

/// A file's text.
pub(crate) fn text(path: &Path, at_most: u64) -> Result<String, Failure> {
    let text = bytes(path, at_most)?;
    if text.len() as u64 > at_most {
        return Err(Failure::Usage(format!(
            "{} is larger than {at_most} bytes",
            path.display()
        )));
    }
    String::from_utf8(text).map_err(|_| Failure::Usage(format!("{} is not UTF-8", path.display())))
}

/// At most one byte more than is asked for: enough to tell that it is too much, whatever the
/// file's size.
fn bytes(path: &Path, at_most: u64) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(at_most + 1).read_to_end(&mut text))
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
    Ok(text)
}
