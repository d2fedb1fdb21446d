//! AWS `cron()` expressions in a time zone, as EventBridge Scheduler reads them.
//!
//! The grammar is that of the EventBridge Scheduler User Guide ("Schedule types", "Cron-based
//! schedules"). A time that the clock skips in spring has no slot; one that it shows twice in
//! autumn has one, at the first.

mod days;
mod field;

use days::{DayOfMonth, DayOfWeek, Days};
use field::{Field, Set};
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use std::fmt;

/// When to run: `cron(minutes hours day-of-month month day-of-week year)`, read in a time zone.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    minutes: Set,
    hours: Set,
    days: Days,
    months: Set,
    years: Set,
    zone: TimeZone,
    /// How many days after each date that the fields name the slot is.
    days_after: u8,
    /// How long after its time each slot begins.
    delay: SignedDuration,
}

/// What is wrong with a schedule: every problem at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScheduleError {
    what: String,
    problems: Vec<String>,
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.problems.join("; "))
    }
}

impl std::error::Error for ScheduleError {}

/// One time at which the schedule fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// When it begins: its time, and the schedule's delay.
    pub(crate) at: Timestamp,
    /// Since when a cutoff counts: its time, without the delay.
    pub(crate) counts_from: Timestamp,
    /// Names the slot by the zone and its wall clock, so that an hour that the clock shows twice in
    /// autumn is one slot and is patched once.
    pub(crate) id: String,
}

const MINUTES: Field = Field::numbers("minutes", 0, 59);
const HOURS: Field = Field::numbers("hours", 0, 23);
const MONTH: Field = Field {
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
    ..Field::numbers("month", 1, 12)
};
const YEAR: Field = Field {
    goes_round: false,
    ..Field::numbers("year", 1970, 2199)
};

const FORM: &str = "cron(minutes hours day-of-month month day-of-week year), such as cron(15 22 ? * TUE *)";

impl Schedule {
    /// Reads `expression` for the time zone `zone` (an IANA name).
    pub(crate) fn parse(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let error = |problems: Vec<String>| ScheduleError {
            what: format!("--schedule = {expression:?}"),
            problems,
        };
        let fields = split(expression).map_err(|problem| error(vec![problem]))?;
        let [minutes, hours, day_of_month, month, day_of_week, year] = fields;
        let mut problems = vec![];
        let mut kept = |result: Result<Set, String>| result.map_err(|problem| problems.push(problem)).ok();
        let minutes = kept(MINUTES.read(minutes));
        let hours = kept(HOURS.read(hours));
        let months = kept(MONTH.read(month));
        let years = kept(YEAR.read(year));
        let days = match (day_of_month, day_of_week) {
            ("?", "?") | ("*", "*") => Err(both(day_of_month, day_of_week)),
            ("?", day) => DayOfWeek::read(day).map(Days::OfWeek),
            (day, "?") => DayOfMonth::read(day).map(Days::OfMonth),
            (of_month, of_week) => Err(both(of_month, of_week)),
        };
        let days = days.map_err(|problem| problems.push(problem)).ok();
        let zone = TimeZone::get(zone).map_err(|_| ScheduleError {
            what: format!("--timezone = {zone:?}"),
            problems: vec!["right would be an IANA name such as Europe/Berlin".to_owned()],
        })?;
        match (minutes, hours, days, months, years) {
            (Some(minutes), Some(hours), Some(days), Some(months), Some(years)) => Ok(Self {
                minutes,
                hours,
                days,
                months,
                years,
                zone,
                days_after: 0,
                delay: SignedDuration::ZERO,
            }),
            _ => Err(error(problems)),
        }
    }

    /// The same, so many days after each date that the fields name, at the same time of the clock.
    pub(crate) fn days_after(self, days_after: u8) -> Self {
        Self { days_after, ..self }
    }

    /// The same, where each slot begins so long after its time. Its id stays that of its time.
    pub(crate) fn delayed(self, delay: SignedDuration) -> Self {
        Self { delay, ..self }
    }

    /// The first slot after `after`; `None` if there is none before the year 2200.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Slot> {
        // A slot is the first instant at which the clock shows its time, so a later slot has a later
        // time on the clock as well, also while the clock shows an hour again.
        let shown_at = after.checked_sub(self.delay).unwrap_or(Timestamp::MIN);
        let shown = shown_at.to_zoned(self.zone.clone()).datetime();
        let days_after = i64::from(self.days_after).days();
        let mut named = shown.date().checked_sub(days_after).ok()?;
        loop {
            named = self.next_date(named)?;
            let date = named.checked_add(days_after).ok()?;
            if let Some(slot) = self.times(date, shown).find(|slot| slot.at > after) {
                return Some(slot);
            }
            named = named.tomorrow().ok()?;
        }
    }

    /// The first date from `date` on that the schedule names.
    fn next_date(&self, date: Date) -> Option<Date> {
        let mut date = date;
        while i32::from(date.year()) <= YEAR.max {
            if !self.years.has(date.year().into()) {
                date = Date::new(date.year().checked_add(1)?, 1, 1).ok()?;
            } else if !self.months.has(date.month().into()) {
                date = date.first_of_month().checked_add(1.month()).ok()?;
            } else if self.days.has(date) {
                return Some(date);
            } else {
                date = date.tomorrow().ok()?;
            }
        }
        None
    }

    /// The slots of a date, in order, whose time on the clock is after `shown`.
    fn times(&self, date: Date, shown: DateTime) -> impl Iterator<Item = Slot> {
        let hours = (0..=23_i8).filter(|hour| self.hours.has((*hour).into()));
        let times = hours.flat_map(move |hour| {
            let minutes = (0..=59_i8).filter(|minute| self.minutes.has((*minute).into()));
            minutes.map(move |minute| date.at(hour, minute, 0, 0))
        });
        times
            .filter(move |time| *time > shown)
            .filter_map(|time| self.slot(time))
    }

    /// The slot at this time of the zone's clock; `None` if the clock skips it.
    fn slot(&self, time: DateTime) -> Option<Slot> {
        let at = self.zone.to_ambiguous_timestamp(time);
        if let AmbiguousOffset::Gap { .. } = at.offset() {
            return None;
        }
        let zone = self.zone.iana_name().unwrap_or_default();
        let counts_from = at.earlier().ok()?;
        Some(Slot {
            at: counts_from.checked_add(self.delay).ok()?,
            counts_from,
            id: format!("{time} {zone}"),
        })
    }
}

/// The six fields of an expression.
fn split(expression: &str) -> Result<[&str; 6], String> {
    let expression = expression.trim();
    let inner = expression
        .strip_prefix("cron(")
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or_else(|| {
            let why = match expression.split('(').next() {
                Some("rate") => "rate(…) is not taken: a restart would begin its count anew",
                Some("at") => "at(…) is not taken: use --once for a single campaign",
                _ => "not of the form cron(…)",
            };
            format!("{why}; right would be {FORM}")
        })?;
    let fields: Vec<&str> = inner.split_whitespace().collect();
    let count = fields.len();
    let fields = <[&str; 6]>::try_from(fields);
    fields.map_err(|_| format!("{count} fields, not 6; right would be {FORM}"))
}

/// What is wrong with the two day fields together.
fn both(day_of_month: &str, day_of_week: &str) -> String {
    format!(
        "day-of-month = {day_of_month} and day-of-week = {day_of_week}: exactly one of them is ?, because a day is \
         named in one way"
    )
}

#[cfg(test)]
mod tests;
