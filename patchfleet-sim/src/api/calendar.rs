//! GetCalendarState: whether change calendars let changes be made.

use super::{ApiError, Caller, Operation, Service, check::given, documents::no_document, input};
use crate::{
    spec::DocumentKind,
    world::{Calendar, World, calendar_state},
};
use jiff::{Timestamp, civil, tz::TimeZone};
use serde::Serialize;
use std::collections::BTreeSet;

input! {
    /// GetCalendarState's input.
    GetCalendarState {
        calendar_names: Vec<String>,
        at_time: String,
    }
}

/// GetCalendarState's output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct State {
    state: &'static str,
    at_time: String,
    next_transition_time: Option<String>,
}

impl State {
    /// Whether every calendar is open.
    pub(crate) fn is_open(&self) -> bool {
        self.state == "OPEN"
    }

    /// When that changes.
    pub(crate) fn changes_at(&self) -> Option<Timestamp> {
        self.next_transition_time.as_deref().and_then(time)
    }
}

/// A time in ISO 8601; one that names no zone is UTC.
fn time(text: &str) -> Option<Timestamp> {
    let zoned = text.parse::<Timestamp>().ok();
    zoned.or_else(|| {
        let civil: civil::DateTime = text.parse().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Operation for GetCalendarState {
    type Output = State;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "GetCalendarState";

    fn run(self, world: &mut World, caller: &Caller) -> Result<State, ApiError> {
        let invalid = |message: String| ApiError::client("ValidationException", message);
        let names = given(self.calendar_names);
        if names.is_empty() {
            return Err(invalid("CalendarNames names no calendar.".to_owned()));
        }
        let at = match &self.at_time {
            None => world.now(),
            Some(text) => time(text).ok_or_else(|| invalid(format!("{text} is not an ISO 8601 time.")))?,
        };
        let unsupported = |problem: String| ApiError::client("UnsupportedCalendarException", problem);
        let mut calendars = vec![];
        // A calendar that is named again changes nothing.
        let mut seen = BTreeSet::new();
        for name in names.iter().filter(|name| seen.insert(*name)) {
            let found = world
                .find_document(&caller.location(), name)
                .ok_or_else(|| no_document(name))?;
            if found.document.kind != DocumentKind::ChangeCalendar {
                return Err(ApiError::client(
                    "InvalidDocumentType",
                    format!("The document {name} is not of type ChangeCalendar."),
                ));
            }
            let (_, version) = found.version(None, None).ok_or_else(|| no_document(name))?;
            calendars.push(Calendar::read(&version.content).map_err(unsupported)?);
        }
        let state = calendar_state(&calendars, at).map_err(unsupported)?;
        Ok(State {
            state: if state.open { "OPEN" } else { "CLOSED" },
            at_time: shown(at),
            next_transition_time: state.next.map(shown),
        })
    }
}
