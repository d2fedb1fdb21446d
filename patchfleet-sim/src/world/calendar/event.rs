//! A calendar's events, once or again and again.

use super::{Component, Line, Time, property};
use chrono::{Days, NaiveDate, NaiveDateTime, TimeDelta, TimeZone};
use rrule::{Frequency, RRule, RRuleSet, Tz, Unvalidated};

/// Occurrences of one event that are followed, from its first on: a century of days.
const MOST: usize = 36_600;

/// An event with all its occurrences.
#[derive(Debug)]
pub(super) struct Event {
    set: RRuleSet,
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
        let mut events = vec![];
        for part in parts {
            let is =
                |name: &str, value: &str| part.value(name).is_some_and(|v| v.eq_ignore_ascii_case(value));
            if is("X-EVENT-TYPE", "ADVISORY") || is("STATUS", "CANCELLED") {
                continue;
            }
            let mut event = Self::read(part, zone)?;
            // What changes one occurrence of this event stands in an event of its own.
            for other in parts {
                if let Some(line) = property(other, "RECURRENCE-ID")
                    && property(part, "RECURRENCE-ID").is_none()
                    && other.value("UID") == part.value("UID")
                {
                    event.set = event.set.exdate(When::read(line, zone)?.start()?);
                }
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
        let mut set = RRuleSet::new(first).limit();
        let mut recurs = false;
        for line in &part.lines {
            match line.name.as_str() {
                "RRULE" => {
                    recurs = true;
                    set = set.rrule(rule(&line.value, start)?);
                }
                "EXDATE" | "RDATE" => {
                    for value in line.values() {
                        let at = When::read(&value, zone)?.start()?;
                        set = if line.name == "RDATE" {
                            set.rdate(at)
                        } else {
                            set.exdate(at)
                        };
                    }
                }
                "EXRULE" => return Err("EXRULE is not supported".to_owned()),
                _ => (),
            }
        }
        if !recurs {
            set = set.rdate(first);
        }
        Ok(Self { set, length })
    }

    /// The occurrences that are not over at `from` and begin by `to`, in seconds since 1970.
    pub(super) fn during(&self, from: i64, to: i64) -> Result<Vec<(i64, i64)>, String> {
        let mut found = vec![];
        for (number, start) in (&self.set).into_iter().enumerate() {
            if start.timestamp() > to {
                break;
            }
            if number >= MOST {
                return Err(format!("an event recurs more than {MOST} times"));
            }
            let end = self.length.after(start)?.timestamp();
            if end > from && end > start.timestamp() {
                found.push((start.timestamp(), end));
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

fn named(zone: &str) -> Result<Tz, String> {
    let known = zone.trim().parse::<chrono_tz::Tz>();
    known
        .map(Tz::from)
        .map_err(|_| format!("{zone} is not a time zone"))
}

/// A time that clocks show twice is the first of the two; one that they leap over is as much later
/// as they leap.
fn local(time: NaiveDateTime, zone: Tz) -> Option<Time> {
    zone.from_local_datetime(&time).earliest().or_else(|| {
        let before = time.checked_sub_signed(TimeDelta::hours(3))?;
        let before = zone.from_local_datetime(&before).earliest()?;
        before.checked_add_signed(TimeDelta::hours(3))
    })
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

/// A recurrence, no more often than daily.
fn rule(text: &str, start: When) -> Result<RRule, String> {
    let wrong = |error: String| format!("RRULE {text} is not supported: {error}");
    let parts = text.trim().split(';').map(|part| match part.split_once('=') {
        // The end is a date or a time of the event's own zone; the crate wants it in UTC.
        Some((key, value)) if key.eq_ignore_ascii_case("UNTIL") && !value.ends_with('Z') => {
            until(value, start).map(|until| format!("UNTIL={until}"))
        }
        _ => Ok(part.to_owned()),
    });
    let parts = parts.collect::<Result<Vec<_>, _>>().map_err(wrong)?.join(";");
    let rule: RRule<Unvalidated> = parts
        .parse()
        .map_err(|error: rrule::RRuleError| wrong(error.to_string()))?;
    let often = [Frequency::Hourly, Frequency::Minutely, Frequency::Secondly];
    if often.contains(&rule.get_freq()) {
        return Err(wrong("more often than daily".to_owned()));
    }
    rule.validate(start.start()?)
        .map_err(|error| wrong(error.to_string()))
}

/// The last moment of a recurrence, in UTC. A date means the whole day.
fn until(text: &str, start: When) -> Result<String, String> {
    let zone = start.start()?.timezone();
    let wrong = || format!("{text} is not a time");
    let time = match NaiveDate::parse_from_str(text, "%Y%m%d") {
        Ok(date) => date.and_hms_opt(23, 59, 59),
        Err(_) => NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").ok(),
    };
    let time = time.and_then(|time| local(time, zone)).ok_or_else(wrong)?;
    Ok(time.to_utc().format("%Y%m%dT%H%M%SZ").to_string())
}
