//! The place of the second post's function: its environment variables, and the bare event of its schedule.

use patchfleet_core::id::{EventId, EventIdError, EventSource};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The variables of the sample's function, by which its environment is known.
pub(crate) const VARIABLES: [&str; 13] = [
    "AutomationDocumentMamrRunPatchBaseline",
    "ExecutionRoleName",
    "MasterAccountID",
    "MaximumConcurrency",
    "MaximumErrors",
    "ResourceGroupName",
    "RunPatchBaselineInstallOverrideList",
    "RunPatchBaselineOperation",
    "RunPatchBaselineRebootOption",
    "TargetAccounts",
    "TargetLocationMaxConcurrency",
    "TargetLocationMaxErrors",
    "TargetRegionIds",
];

/// Those of the sample's variables that the environment has.
pub(crate) fn variables(read: &impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let has = |name: &str| Some((name.to_owned(), read(name)?));
    VARIABLES.into_iter().filter_map(has).collect()
}

/// What identifies an event that is known by what stands in it.
pub(crate) type Identity = Result<EventId, EventIdError>;

/// What identifies an event that says nothing of what to patch. `None` if it is no such event. `Some(None)`: it says
/// nothing at all.
///
/// A rule's event has an id, which stays the same when the event is delivered again. An event of EventBridge Scheduler
/// has an id as well, of which that is not documented, so its schedule and its time stand for it.
pub(crate) fn bare(event: &Value) -> Option<Option<Identity>> {
    let fields = match event {
        Value::Null => return Some(None),
        Value::Object(fields) if fields.is_empty() => return Some(None),
        Value::Object(fields) => fields,
        _ => return None,
    };
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    let identity = match text("source")? {
        "aws.events" => text("id")?.to_owned(),
        "aws.scheduler" => format!("{} {}", schedule(fields)?, text("time")?),
        _ => return None,
    };
    Some(Some(EventId::new(EventSource::Event, &identity)))
}

/// The ARN of the schedule that an event is of.
fn schedule(fields: &Map<String, Value>) -> Option<&str> {
    fields.get("resources")?.as_array()?.first()?.as_str()
}
