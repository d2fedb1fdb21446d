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

/// The name of a file that stands for standard input.
const STDIN: &str = "-";

/// The request in `path`, or on standard input. Without `format` its language follows from the file's ending, or
/// from the content of standard input.
pub(crate) fn request(path: &Path, format: Option<Format>) -> Result<PatchRequest, Failure> {
    let stdin = path.as_os_str() == STDIN;
    // A file whose ending names no language is not opened.
    let format = match format {
        None if !stdin => Some(Format::of_path(path).map_err(|problem| Failure::Usage(problem.to_string()))?),
        format => format,
    };
    let at_most = MAX_REQUEST_BYTES as u64;
    let (text, name) = if stdin {
        let text = limited(std::io::stdin().lock(), at_most)
            .map_err(|error| Failure::Usage(format!("cannot read standard input: {error}")))?;
        (text, "the request on standard input".to_owned())
    } else {
        (bytes(path, at_most)?, format!("the request {}", path.display()))
    };
    let format = format.unwrap_or_else(|| Format::of_content(&text));
    PatchRequest::parse(&text, format).map_err(|problems| Failure::Invalid(problems.of(name)))
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

/// At most one byte more than is asked for. That byte tells that the file is too large, however large it is.
fn bytes(path: &Path, at_most: u64) -> Result<Vec<u8>, Failure> {
    File::open(path)
        .and_then(|file| limited(file, at_most))
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
}

fn limited(from: impl Read, at_most: u64) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.take(at_most + 1).read_to_end(&mut text)?;
    Ok(text)
}
