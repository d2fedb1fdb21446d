//! A request with the id of its event.

use super::{Asked, Form, below, shown};
use crate::cutoff;
use crate::wish::{CARRY_OVER, SECOND_ATTEMPT, Wish};
use patchfleet_core::id::{EventId, EventSource};
use patchfleet_core::problem::{Problem, ProblemCode};
use patchfleet_core::request::PatchRequest;
use serde_json::{Map, Value};

/// Reads `{"event_id": "…", "request": {…}, "cutoff": "9h", "carry_over": true, "second_attempt": true}`; the last three may be left
/// out.
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
    let mut wished = |wish: &Wish| {
        wish.beside(fields).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        })
    };
    let (carry_over, second_attempt) = (wished(&CARRY_OVER), wished(&SECOND_ATTEMPT));
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
        let wishes = [CARRY_OVER.beside_request, SECOND_ATTEMPT.beside_request];
        if !matches!(key.as_str(), "event_id" | "request" | "cutoff") && !wishes.contains(&key.as_str()) {
            let expected = "no such field beside event_id, request, cutoff, carry_over and second_attempt: a request's fields stand in the request";
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
            second_attempt,
            asked_at: None,
            form: Form::Wrapped,
        }),
        _ => {
            problems.extend(of_request);
            Err(problems)
        }
    }
}
