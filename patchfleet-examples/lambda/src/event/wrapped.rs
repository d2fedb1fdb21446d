//! A request with the id of its event.

use super::{Asked, Form, below, shown};
use crate::{carry_over, cutoff};
use patchfleet_core::id::{EventId, EventSource};
use patchfleet_core::problem::{Problem, ProblemCode};
use patchfleet_core::request::PatchRequest;
use serde_json::{Map, Value};

/// Reads `{"event_id": "…", "request": {…}, "cutoff": "9h", "carry_over": true}`; the last two may be left out.
pub(super) fn read(fields: &Map<String, Value>) -> Result<Asked, Vec<Problem>> {
    const ID: &str = "the id of one event, as a text";
    let mut problems = vec![];
    let event = match fields.get("event_id") {
        Some(Value::String(id)) => EventId::new(EventSource::Event, id)
            .map_err(|error| {
                let problem = Problem::new(
                    ProblemCode::InvalidValue,
                    "event_id",
                    format!("{id:?}"),
                    error.to_string(),
                );
                problems.push(problem);
            })
            .ok(),
        Some(other) => {
            problems.push(Problem::new(
                ProblemCode::WrongType,
                "event_id",
                shown("event_id", other),
                ID,
            ));
            None
        }
        None => {
            problems.push(Problem::new(ProblemCode::Missing, "event_id", "", ID));
            None
        }
    };
    let cutoff = cutoff::of_field("cutoff", fields.get("cutoff").unwrap_or(&Value::Null));
    let cutoff = cutoff.unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    let carry_over = fields.get(carry_over::BESIDE_REQUEST).unwrap_or(&Value::Null);
    let carry_over = carry_over::of_field(carry_over::BESIDE_REQUEST, carry_over);
    let carry_over = carry_over.unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    let mut of_request = vec![];
    let request = match fields.get("request") {
        Some(request) => PatchRequest::from_value(request.clone())
            .map_err(|problems| of_request = below("request", problems.problems().to_vec()))
            .ok(),
        None => {
            problems.push(Problem::new(
                ProblemCode::Missing,
                "request",
                "",
                "the request, as a JSON object",
            ));
            None
        }
    };
    for (key, value) in fields {
        if !matches!(
            key.as_str(),
            "event_id" | "request" | "cutoff" | carry_over::BESIDE_REQUEST
        ) {
            let expected = "no such field beside event_id, request, cutoff and carry_over: a request's fields stand in the request";
            problems.push(Problem::new(
                ProblemCode::UnknownKey,
                key,
                shown(key, value),
                expected,
            ));
        }
    }
    match (event, request) {
        (Some(event), Some(request)) if problems.is_empty() => Ok(Asked {
            longest_retry: event.longest_retry(),
            request,
            event,
            cutoff,
            carry_over,
            asked_at: None,
            form: Form::Wrapped,
        }),
        _ => {
            problems.extend(of_request);
            Err(problems)
        }
    }
}
