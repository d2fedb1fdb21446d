//! A calendar's events, once or again and again.

use super::{
    Component, Line, Time,
    budget::Budget,
    property,
    rule::Rule,
    time::{local, named},
};
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta};
use rrule::Tz;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// An event with all its occurrences.
#[derive(Debug)]
pub(super) struct Event {
    rules: Vec<Rule>,
    /// Occurrences that no rule gives.
    dates: Vec<Time>,
    /// When it does not take place, in seconds since 1970.
    never: BTreeSet<i64>,
    /// The same, because events of their own stand for these occurrences.
    moved: Arc<BTreeSet<i64>>,
    length: Length,
}

/// How long an occurrence takes.
#[derive(Debug, Clone, Copy)]
enum Length {
    /// So many days of the calendar, whatever clocks do meanwhile.
    Days(u64),
    /// A span of time.
    Exact(TimeDelta),
}

/// A date, or a date with a time.
#[derive(Debug, Clone, Copy)]
enum When {
    Date(NaiveDate, Tz),
    Time(Time),
}

impl Event {
    /// The events that change a calendar's state: advisory ones and cancelled ones do not. `zone` is
    /// that of times that name none.
    pub(super) fn of_all(parts: &[&Component], zone: Option<&str>) -> Result<Vec<Self>, String> {
        let zone = zone.map_or(Ok(Tz::UTC), named)?;
        let mut moved: BTreeMap<Option<&str>, BTreeSet<i64>> = BTreeMap::new();
        for part in parts {
            // What changes one occurrence of an event stands in an event of its own.
            if let Some(line) = property(part, "RECURRENCE-ID") {
                let start = When::read(line, zone)?.start()?.timestamp();
                moved.entry(part.value("UID")).or_default().insert(start);
            }
        }
        let moved: BTreeMap<_, _> = moved
            .into_iter()
            .map(|(uid, starts)| (uid, Arc::new(starts)))
            .collect();
        let mut events = vec![];
        for part in parts {
            let is =
                |name: &str, value: &str| part.value(name).is_some_and(|v| v.eq_ignore_ascii_case(value));
            if is("X-EVENT-TYPE", "ADVISORY") || is("STATUS", "CANCELLED") {
                continue;
            }
            let mut event = Self::read(part, zone)?;
            if property(part, "RECURRENCE-ID").is_none()
                && let Some(moved) = moved.get(&part.value("UID"))
            {
                event.moved = Arc::clone(moved);
            }
            events.push(event);
        }
        Ok(events)
    }

    fn read(part: &Component, zone: Tz) -> Result<Self, String> {
        let start = property(part, "DTSTART").ok_or("an event has no DTSTART")?;
        let start = When::read(start, zone)?;
        let first = start.start()?;
        let length = match (property(part, "DTEND"), part.value("DURATION"), start) {
            (Some(end), _, _) => start.until(When::read(end, zone)?)?,
            (None, Some(text), _) => duration(text)?,
            (None, None, When::Date(..)) => Length::Days(1),
            (None, None, When::Time(_)) => Length::Exact(TimeDelta::zero()),
        };
        let (mut rules, mut dates, mut never) = (vec![], vec![], BTreeSet::new());
        for line in &part.lines {
            match line.name.as_str() {
                "RRULE" => rules.push(Rule::read(&line.value, first)?),
                "EXDATE" | "RDATE" => {
                    for value in line.values() {
                        let at = When::read(&value, zone)?.start()?;
                        if line.name == "RDATE" {
                            dates.push(at);
                        } else {
                            never.insert(at.timestamp());
                        }
                    }
                }
                "EXRULE" => return Err("EXRULE is not supported".to_owned()),
                _ => (),
            }
        }
        if rules.is_empty() {
            dates.push(first);
        }
        Ok(Self {
            rules,
            dates,
            never,
            moved: Arc::default(),
            length,
        })
    }

    /// The occurrences that are not over at `from` and begin by `to`, in seconds since 1970.
    pub(super) fn during(&self, from: i64, to: i64, budget: &mut Budget) -> Result<Vec<(i64, i64)>, String> {
        budget.take(i64::try_from(self.dates.len()).unwrap_or(i64::MAX))?;
        let mut starts = self.dates.clone();
        let since = self.length.before(from);
        for rule in &self.rules {
            starts.extend(rule.starts(since, to, budget)?);
        }
        let mut found = vec![];
        for start in starts {
            let at = start.timestamp();
            if at > to || self.never.contains(&at) || self.moved.contains(&at) {
                continue;
            }
            let end = self.length.after(start)?.timestamp();
            if end > from && end > at {
                found.push((at, end));
            }
        }
        Ok(found)
    }
}

impl Length {
    fn after(self, start: Time) -> Result<Time, String> {
        let end = match self {
            Self::Exact(span) => start.checked_add_signed(span),
            Self::Days(days) => start
                .naive_local()
                .checked_add_days(Days::new(days))
                .and_then(|end| local(end, start.timezone())),
        };
        end.ok_or_else(|| "an event ends after all times".to_owned())
    }

    /// A day so early that whatever begins before it is over at `end`, in any zone.
    fn before(self, end: i64) -> Option<NaiveDate> {
        let days = match self {
            Self::Days(days) => days,
            Self::Exact(span) => u64::try_from(span.num_days()).ok()?,
        };
        let end = DateTime::from_timestamp(end, 0)?.date_naive();
        // A day that has begun, and another for clocks that are not UTC's.
        end.checked_sub_days(Days::new(days.checked_add(3)?))
    }
}

impl When {
    fn read(line: &Line, zone: Tz) -> Result<Self, String> {
        let text = line.value.trim();
        let wrong = || format!("{} is not a time: {text}", line.name);
        let zone = line.parameter("TZID").map_or(Ok(zone), named)?;
        if line.parameter("VALUE") == Some("DATE") || text.len() == 8 {
            let date = NaiveDate::parse_from_str(text, "%Y%m%d").map_err(|_| wrong())?;
            return Ok(Self::Date(date, zone));
        }
        let (text, zone) = text
            .strip_suffix('Z')
            .map_or((text, zone), |text| (text, Tz::UTC));
        let time = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").map_err(|_| wrong())?;
        local(time, zone).map(Self::Time).ok_or_else(wrong)
    }

    fn start(self) -> Result<Time, String> {
        match self {
            Self::Time(time) => Ok(time),
            Self::Date(date, zone) => date
                .and_hms_opt(0, 0, 0)
                .and_then(|midnight| local(midnight, zone))
                .ok_or_else(|| format!("{date} has no beginning")),
        }
    }

    fn until(self, end: Self) -> Result<Length, String> {
        let length = match (self, end) {
            (Self::Date(start, _), Self::Date(end, _)) => {
                u64::try_from(end.signed_duration_since(start).num_days())
                    .ok()
                    .map(Length::Days)
            }
            _ => {
                let span = end.start()?.signed_duration_since(self.start()?);
                (span >= TimeDelta::zero()).then_some(Length::Exact(span))
            }
        };
        length.ok_or_else(|| "an event ends before it begins".to_owned())
    }
}

/// `P1D`, `PT1H30M`, `P2W`.
fn duration(text: &str) -> Result<Length, String> {
    let wrong = || format!("{text} is not a duration");
    let span: jiff::Span = text.parse().map_err(|_| wrong())?;
    let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
    let seconds = i64::from(span.get_hours()) * 3600 + span.get_minutes() * 60 + span.get_seconds();
    if span.get_years() != 0 || span.get_months() != 0 || days < 0 || seconds < 0 {
        return Err(wrong());
    }
    if seconds == 0 {
        return u64::try_from(days).map(Length::Days).map_err(|_| wrong());
    }
    let span = TimeDelta::try_seconds(days * 86_400 + seconds);
    span.map(Length::Exact).ok_or_else(wrong)
}
