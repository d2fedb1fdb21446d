//! The fault `words`. It adds foreign text wherever AWS answers with text of people or with words of
//! its own.

use super::Service;
use serde_json::Value;

/// Members that hold such text, in any answer.
const TEXTS: [&str; 11] = [
    "Comment",
    "ComputerName",
    "ErrorMessage",
    "FailureMessage",
    "InstanceName",
    "Message",
    "Output",
    "PlatformName",
    "StandardErrorContent",
    "StandardOutputContent",
    "message",
];

/// Adds `words` to the texts of an answer.
pub(super) fn add(service: Service, answer: &mut Value, words: &str) {
    match answer {
        Value::Object(members) => {
            for (name, value) in members {
                // In other services a `Name` is an id.
                let is_text =
                    TEXTS.contains(&name.as_str()) || (service == Service::Organizations && name == "Name");
                match value {
                    Value::String(text) if is_text => text.push_str(words),
                    below => add(service, below, words),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| add(service, item, words)),
        _ => {}
    }
}
