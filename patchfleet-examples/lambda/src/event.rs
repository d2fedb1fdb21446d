//! What the function is asked: a request, and which event asked for it.

mod wrapped;

use crate::cutoff;
use crate::sample;
use crate::wish::{CARRY_OVER, SECOND_ATTEMPT};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::id::{CampaignId, EventId, EventSource};
use patchfleet_core::problem::{Problem, ProblemCode, Problems};
use patchfleet_core::request::PatchRequest;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A request, and the event that carried it. The same event of the same request is the same
/// campaign.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What to do.
    pub(crate) request: PatchRequest,
    /// Which event asked for it.
    pub(crate) event: EventId,
    /// How long after its campaign was begun the event may come again.
    pub(crate) longest_retry: SignedDuration,
    /// When every command must have expired, from when the function is called, if the event says so.
    pub(crate) cutoff: Option<SignedDuration>,
    /// Whether its campaign begins with what the last one could not begin before its cutoff, if the event says so.
    pub(crate) carry_over: Option<bool>,
    /// Whether the nodes that its campaign does not reach are tried once more when it is over, if the event says so.
    pub(crate) second_attempt: Option<bool>,
    /// When the caller was asked for it, if the caller says so.
    pub(crate) asked_at: Option<Timestamp>,
    /// In which form it came.
    pub(crate) form: Form,
}

/// The forms of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The request alone.
    Request,
    /// The request with the id of its event.
    Wrapped,
    /// A maintenance window's payload.
    Window,
    /// The second post's variables say what to do.
    Sample,
}

impl Form {
    /// Where the administration role stands.
    pub(crate) fn administration_role(self) -> &'static str {
        match self {
            Self::Request => "automation.assume_role",
            Self::Wrapped => "request.automation.assume_role",
            Self::Window => "AutomationAssumeRole",
            Self::Sample => "MasterAccountID",
        }
    }
}

impl Asked {
    /// Its campaign.
    pub(crate) fn campaign(&self) -> CampaignId {
        CampaignId::of_event(&self.request.digest(), &self.event)
    }
}

/// What an event is read with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// The path of the event in what was delivered, for problems; empty if it is all of it.
    pub(crate) path: &'a str,
    /// What an event is known by that names no id of its own, and where that stands.
    pub(crate) invocation: (&'a str, &'a str),
    /// The second post's variables, as far as the environment has them.
    pub(crate) variables: &'a BTreeMap<String, String>,
}

impl Reading<'_> {
    /// Reads an event in any of its forms:
    ///
    /// - the request as JSON (an EventBridge rule's or Scheduler's constant input);
    /// - `{"event_id": "…", "request": {…}}`, for a schedule or rule that passes on what identifies
    ///   its event;
    /// - a maintenance window's payload (`{"Regions": …, "ResourceGroup": …}`);
    /// - an empty event, or that of a rule or schedule without an input, if the environment has the second post's
    ///   `variables`.
    ///
    /// An event that names no id of its own is known by the `invocation`, which Lambda keeps when it
    /// tries an asynchronous invocation again.
    ///
    /// # Errors
    ///
    /// Every problem of the event at once. An id in which a placeholder was not filled in is one, because every event
    /// would have it.
    pub(crate) fn read(self, event: &Value) -> Result<Asked, Vec<Problem>> {
        match event {
            Value::Object(fields)
                if fields.contains_key("ResourceGroup") || fields.contains_key("Regions") =>
            {
                self.window(fields)
            }
            Value::Object(fields) if fields.contains_key("event_id") || fields.contains_key("request") => {
                wrapped::read(fields).map_err(|problems| below(self.path, problems))
            }
            _ => match sample::bare(event) {
                Some(identity) if !self.variables.is_empty() => self.in_samples_place(identity),
                Some(None) => Err(vec![self.says_nothing()]),
                _ => {
                    let request = PatchRequest::from_value(event.clone());
                    let request = request.map_err(|problems| below(self.path, problems.problems().to_vec()));
                    let (request, event) = (request?, self.invocation().map_err(|problem| vec![problem])?);
                    Ok(Asked {
                        longest_retry: event.longest_retry(),
                        request,
                        event,
                        cutoff: None,
                        carry_over: None,
                        second_attempt: None,
                        asked_at: None,
                        form: Form::Request,
                    })
                }
            },
        }
    }

    fn window(self, fields: &Map<String, Value>) -> Result<Asked, Vec<Problem>> {
        const CUTOFF: &str = "Cutoff";
        let mut fields = fields.clone();
        let cutoff = fields.remove(CUTOFF).unwrap_or_default();
        let cutoff = cutoff::of_field(CUTOFF, &cutoff);
        let carry_over = CARRY_OVER.taken_from(&mut fields);
        let second_attempt = SECOND_ATTEMPT.taken_from(&mut fields);
        let payload = Value::Object(fields).to_string();
        let read = PatchRequest::from_window_payload(payload.as_bytes());
        let (cutoff, carry_over, second_attempt, (request, window)) =
            match (cutoff, carry_over, second_attempt, read) {
                (Ok(cutoff), Ok(carry), Ok(second), Ok(read)) => (cutoff, carry, second, read),
                (cutoff, carry, second, read) => {
                    let of_payload = read.err().map(|problems| problems.problems().to_vec());
                    let of_keys = cutoff.err().into_iter().chain(carry.err()).chain(second.err());
                    let problems = of_payload.into_iter().flatten().chain(of_keys);
                    return Err(below(self.path, problems));
                }
            };
        let event = match window {
            Some(window) => window,
            None => self.invocation().map_err(|problem| vec![problem])?,
        };
        Ok(Asked {
            longest_retry: event.longest_retry(),
            request,
            event,
            cutoff,
            carry_over,
            second_attempt,
            asked_at: None,
            form: Form::Window,
        })
    }

    fn in_samples_place(self, identity: Option<sample::Identity>) -> Result<Asked, Vec<Problem>> {
        let request = PatchRequest::from_sample_env(self.variables);
        let event = match identity {
            Some(id) => id.map_err(|error| {
                let id = Problem::new(ProblemCode::InvalidValue, "id", "", error.to_string());
                below(self.path, vec![id])
            })?,
            None => self.invocation().map_err(|problem| vec![problem])?,
        };
        Ok(Asked {
            longest_retry: event.longest_retry(),
            request: request.map_err(|problems| problems.problems().to_vec())?,
            event,
            cutoff: None,
            carry_over: None,
            second_attempt: None,
            asked_at: None,
            form: Form::Sample,
        })
    }

    fn invocation(self) -> Result<EventId, Problem> {
        let (path, id) = self.invocation;
        EventId::new(EventSource::Invocation, id)
            .map_err(|error| Problem::new(ProblemCode::InvalidValue, path, id, error.to_string()))
    }

    /// The problem of an event that says nothing, where the environment does not say it either.
    fn says_nothing(self) -> Problem {
        let words = format!(
            "it says nothing of what to patch, and the function's environment has none of the second post's \
             variables ({}). Give it a request ({{\"name\": …, \"targets\": {{…}}}}), a request with the id of its event \
             ({{\"event_id\": …, \"request\": {{…}}}}), a maintenance window's payload ({{\"Regions\": …, \
             \"ResourceGroup\": …}}), or an operation ({{\"op\": …}})",
            sample::VARIABLES.join(", ")
        );
        Problem::new(ProblemCode::NotARequest, self.path, "", words)
    }
}

/// The same problems of what stands at `path`.
pub(crate) fn below(path: &str, problems: impl IntoIterator<Item = Problem>) -> Vec<Problem> {
    let problems = problems.into_iter().map(|problem| Problem {
        path: match (path, problem.path.as_str()) {
            ("", inner) | (inner, "") => inner.to_owned(),
            (path, inner) => format!("{path}.{inner}"),
        },
        ..problem
    });
    problems.collect()
}

/// All of these problems, as those of the event.
pub(crate) fn problems(problems: Vec<Problem>) -> Problems {
    Problems::new("the event", problems)
}

/// What is shown of a value that stands where none should. Lists and tables are not shown. Somebody may have put a part
/// of a request there, and that may hold an external id.
pub(crate) fn shown(key: &str, value: &Value) -> String {
    match value {
        Value::Object(_) | Value::Array(_) => "(not shown)".to_owned(),
        _ if key.to_lowercase().contains("external") => "(not shown)".to_owned(),
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests;
