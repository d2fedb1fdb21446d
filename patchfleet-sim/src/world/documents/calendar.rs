//! Change calendars: iCalendar texts (RFC 5545) that say when changes may be made.
//!
//! A calendar is open or closed by default (`X-CALENDAR-TYPE`), and the other way round during its
//! events. Recurrences are expanded by the `rrule` crate.

mod budget;
mod event;
mod lines;
mod rule;
mod time;

use budget::Budget;
use chrono::DateTime;
use event::Event;
use jiff::{SignedDuration, Timestamp};
use lines::{Component, Line, read};

/// How far ahead a transition is looked for. A calendar that stays as it is for longer has none.
const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 366 * 2);

/// A calendar.
#[derive(Debug)]
pub(crate) struct Calendar {
    open_by_default: bool,
    events: Vec<Event>,
}

/// Whether changes may be made, and when that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CalendarState {
    /// Whether they may be made.
    pub(crate) open: bool,
    /// When that changes; `None`: not within two years.
    pub(crate) next: Option<Timestamp>,
}

/// Checks a document of type ChangeCalendar. Its events are read only when its state is asked for, as
/// on AWS.
pub(in crate::world) fn check(content: &str) -> Result<(), String> {
    open_by_default(&read(content)?).map(drop)
}

fn open_by_default(calendar: &Component) -> Result<bool, String> {
    match calendar.value("X-CALENDAR-TYPE") {
        Some("DEFAULT_OPEN") => Ok(true),
        Some("DEFAULT_CLOSED") => Ok(false),
        _ => Err("the calendar's X-CALENDAR-TYPE is neither DEFAULT_OPEN nor DEFAULT_CLOSED".to_owned()),
    }
}

impl Calendar {
    /// Reads a calendar with its events.
    ///
    /// # Errors
    ///
    /// What is not understood.
    pub(crate) fn read(content: &str) -> Result<Self, String> {
        let calendar = read(content)?;
        let zone = calendar.value("X-WR-TIMEZONE");
        let events = calendar.parts.iter().filter(|part| part.name == "VEVENT");
        Ok(Self {
            open_by_default: open_by_default(&calendar)?,
            events: Event::of_all(&events.collect::<Vec<_>>(), zone)?,
        })
    }
}

/// The state of several calendars together at `at`: open only if all of them are.
///
/// # Errors
///
/// There are more occurrences than can be followed, or a recurrence comes to nothing.
pub(crate) fn state(calendars: &[Calendar], at: Timestamp) -> Result<CalendarState, String> {
    let horizon = crate::world::after(at, HORIZON).as_second();
    let mut changes = vec![];
    let mut budget = Budget::new();
    for (index, calendar) in calendars.iter().enumerate() {
        for event in &calendar.events {
            for (start, end) in event.during(at.as_second(), horizon, &mut budget)? {
                changes.push((start, index, 1_i32));
                changes.push((end, index, -1));
            }
        }
    }
    changes.sort_unstable();
    let mut running = vec![0_i32; calendars.len()];
    let is_open = |running: &[i32]| {
        let mut each = calendars.iter().zip(running);
        each.all(|(calendar, running)| calendar.open_by_default == (*running == 0))
    };
    let mut changes = changes.into_iter().peekable();
    let mut apply_until = |running: &mut Vec<i32>, until: i64| {
        while let Some((_, index, by)) = changes.next_if(|(time, _, _)| *time <= until) {
            if let Some(count) = running.get_mut(index) {
                *count += by;
            }
        }
        changes.peek().map(|(time, _, _)| *time)
    };
    let mut next = apply_until(&mut running, at.as_second());
    let open = is_open(&running);
    while let Some(time) = next.filter(|time| *time <= horizon) {
        next = apply_until(&mut running, time);
        if is_open(&running) != open {
            return Ok(CalendarState {
                open,
                next: Timestamp::from_second(time).ok(),
            });
        }
    }
    Ok(CalendarState { open, next: None })
}

/// A time with its zone, as the `rrule` crate has it.
type Time = DateTime<rrule::Tz>;

/// The value of the property `name`, and its line.
fn property<'a>(part: &'a Component, name: &str) -> Option<&'a Line> {
    part.lines.iter().find(|line| line.name == name)
}
