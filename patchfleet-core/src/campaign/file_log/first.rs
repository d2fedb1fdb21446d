//! Whose a campaign is, by the first line of its log alone.

use super::{damaged, failed, is_torn};
use crate::id::RequestName;
use crate::port::PortResult;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

/// Record 0, as far as it says whose the campaign is. The rest of it, whatever version wrote it, is not
/// looked at.
#[derive(Deserialize)]
struct First {
    seq: u64,
    events: Vec<FirstEvent>,
}

#[derive(Deserialize)]
struct FirstEvent {
    plan: Option<FirstPlan>,
}

#[derive(Deserialize)]
struct FirstPlan {
    request: FirstRequest,
}

#[derive(Deserialize)]
struct FirstRequest {
    name: RequestName,
}

/// The name of the request of a campaign's log; `None` if it has no record. No more than its first line is
/// read.
#[expect(clippy::disallowed_methods, reason = "FileLog is core's one piece of I/O")]
pub(super) fn request_name(path: &Path) -> PortResult<Option<RequestName>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path, error)),
    };
    let (mut file, mut line) = (BufReader::new(file), vec![]);
    let read = file
        .read_until(b'\n', &mut line)
        .and_then(|_| file.fill_buf().map(<[u8]>::is_empty));
    let is_last = read.map_err(|error| failed("read", path, error))?;
    if is_last && !line.ends_with(b"\n") && is_torn(&line) {
        return Ok(None);
    }
    match serde_json::from_slice::<First>(&line) {
        Ok(first) if first.seq == 0 => {
            let plan = first.events.into_iter().find_map(|event| event.plan);
            let name = plan.map(|plan| plan.request.name);
            name.map(Some)
                .ok_or_else(|| damaged(path, "line 1", "it holds no plan"))
        }
        Ok(first) => {
            let wrong = format!("it is record {}, and should be record 0", first.seq);
            Err(damaged(path, "line 1", wrong))
        }
        Err(_) if is_last && is_torn(&line) => Ok(None),
        Err(error) => Err(damaged(path, "line 1", error)),
    }
}
