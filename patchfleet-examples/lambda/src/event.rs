//! What the function is asked: a request, and which event asked for it.

use patchfleet_core::problem::Problems;
use patchfleet_core::request::PatchRequest;
use serde_json::Value;

/// A request, and the name of the event that carried it. The same name is the same campaign.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What to do.
    pub(crate) request: PatchRequest,
    /// Which event asked for it.
    pub(crate) event_id: String,
}

/// Reads an event in any of its forms:
///
/// - the request as JSON (an EventBridge rule's or Scheduler's constant input);
/// - `{"event_id": "…", "request": {…}}`, for a rule that passes its event's id on;
/// - a maintenance window's payload (`{"Regions": …, "ResourceGroup": …}`).
///
/// An event that names no id of its own is known by `invocation_id`, which Lambda keeps when it
/// tries an asynchronous invocation again.
///
/// # Errors
///
/// Every problem of the request at once.
pub(crate) fn read(event: &Value, invocation_id: &str) -> Result<Asked, Problems> {
    let by_invocation = |request| Asked {
        request,
        event_id: format!("invocation/{invocation_id}"),
    };
    let has = |key| event.get(key).is_some();
    if has("ResourceGroup") || has("Regions") {
        let (request, window_execution) = PatchRequest::from_window_payload(event.to_string().as_bytes())?;
        return Ok(match window_execution {
            Some(id) => Asked {
                request,
                event_id: format!("window/{id}"),
            },
            None => by_invocation(request),
        });
    }
    if let (Some(Value::String(id)), Some(request)) = (event.get("event_id"), event.get("request")) {
        return Ok(Asked {
            request: PatchRequest::from_value(request.clone())?,
            event_id: format!("event/{id}"),
        });
    }
    PatchRequest::from_value(event.clone()).map(by_invocation)
}
