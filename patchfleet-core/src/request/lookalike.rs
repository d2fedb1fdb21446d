//! Inputs that are not a request, and look like something else that people send by mistake.

use super::node::Node;
use crate::problem::{Problem, ProblemCode};
use crate::text::is_hidden;
use std::collections::BTreeMap;

/// A request to copy and change.
const REQUEST: &str = r#"{"name": "weekly", "patch": {"operation": "Scan"}, "targets": {"resource_group": "WebServers", "regions": ["us-east-1"]}}"#;

/// What `node` looks like, if it is nothing that has a request's fields.
pub(super) fn lookalike(node: &Node) -> Option<Problem> {
    let words = match node {
        Node::Text(text) if is_object(text) => {
            "this is a text that holds JSON, not the JSON itself: it was encoded twice. Pass the object without the \
             quotes around it"
                .to_owned()
        }
        Node::Table(entries) => in_table(entries)?,
        _ => return None,
    };
    Some(Problem::new(ProblemCode::NotARequest, "", "", words))
}

fn is_object(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('{') && text.ends_with('}')
}

fn in_table(entries: &BTreeMap<String, Node>) -> Option<String> {
    let has = |key: &str| entries.contains_key(key);
    let text = |key: &str| match entries.get(key) {
        Some(Node::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    // A request that merely has one key too many is told which.
    if has("name") || has("targets") || has("ResourceGroup") {
        return None;
    }
    if has("detail-type") || (has("detail") && has("source")) {
        let source = text("source").map_or_else(String::new, |source| {
            let source: String = source.chars().filter(|c| !is_hidden(*c)).take(64).collect();
            format!(" from {source}")
        });
        if text("source") == Some("aws.scheduler") {
            return Some(format!(
                "this looks like an EventBridge event{source}, which says what happened and not what to patch. Set the \
                 schedule target's Input to {{\"event_id\": \"<aws.scheduler.schedule-arn> \
                 <aws.scheduler.scheduled-time>\", \"request\": {REQUEST}}}, with your request in place of this one. \
                 Scheduler fills in what stands in angle brackets"
            ));
        }
        let kept = match entries.get("detail") {
            Some(Node::Table(detail)) if !detail.is_empty() => {
                "If its detail is the request, set the rule target's InputPath to $.detail. If not, set"
            }
            _ => "Set",
        };
        return Some(format!(
            "this looks like an EventBridge event{source}, which says what happened and not what to patch. {kept} the \
             rule target's input transformer to the paths {{\"id\": \"$.id\"}} and the template {{\"event_id\": \
             \"<id>\", \"request\": {REQUEST}}}, with your request in place of this one"
        ));
    }
    if has("Records") {
        return Some(
            "this looks like a batch of messages (SQS, SNS or S3: it has Records), and not like a request. Invoke with the \
             request itself"
                .to_owned(),
        );
    }
    if has("body") && (has("requestContext") || has("headers")) {
        return Some(
            "this looks like an HTTP request (of a function URL or API Gateway: it has a body). Invoke with the request \
             itself"
                .to_owned(),
        );
    }
    if has("Type") && has("Message") {
        return Some(
            "this looks like an SNS message. Invoke with the request itself, or deliver the message raw"
                .to_owned(),
        );
    }
    None
}
