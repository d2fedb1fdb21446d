//! `[[freezes]]`: when nothing is begun.

mod period;

use super::fields::{Collector, Field, Fields};
use super::named::{self, Names};
use crate::id::FreezeName;
use crate::problem::ProblemCode;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use period::{DAYS, Period, Zone};
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;
use std::fmt;

/// A time in which nothing is begun: one period, or some that come again each week.
///
/// Its times are those of the clocks in its time zone, by the rules of the IANA database that is built into this crate.
/// Where clocks are changed a time may come twice or not at all: then the longer period counts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Freeze {
    /// Its name, which no other freeze of the request has.
    pub name: FreezeName,
    /// What becomes of commands that were sent before it. Default: they have expired when it begins.
    pub running: Running,
    period: Period,
    zone: Zone,
}

/// What becomes of commands that were sent before a freeze began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Running {
    /// They have expired when it begins: each lives only as long as that allows, and none is sent that might not
    /// have expired.
    #[default]
    Expire,
    /// They may finish. So nodes of locations that were begun before may begin to be patched in the freeze.
    Finish,
}

impl Freeze {
    /// From when to when it holds: each period that is not over at an instant, in the order of time. Of those that come
    /// again it gives those of the next week, at least.
    #[must_use]
    pub fn periods_after(&self, at: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        self.period.after(at, &self.zone)
    }
}

impl fmt::Display for Freeze {
    /// Its name, and when it holds: `year end, from 2026-12-20T00:00 to 2027-01-03T00:00 (Europe/Berlin)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} ({})", self.name, self.period, self.zone.name())
    }
}

impl Serialize for Freeze {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Keys<'a> {
            name: &'a FreezeName,
            #[serde(skip_serializing_if = "Option::is_none")]
            days: Option<Vec<&'static str>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            from: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            to: Option<String>,
            time_zone: &'a str,
            running: Running,
        }
        let (from, to, days) = self.period.keys();
        let keys = Keys {
            name: &self.name,
            days,
            from,
            to,
            time_zone: self.zone.name(),
            running: self.running,
        };
        keys.serialize(serializer)
    }
}

/// Reads `freezes`. Gives those without a problem of their own, each with its index.
pub(super) fn read(root: &mut Fields<'_>, out: &mut Collector) -> Vec<(usize, Freeze)> {
    named::list(
        "freezes",
        "a table with a name, and when it is",
        root,
        out,
        read_one,
    )
}

fn read_one(mut fields: Fields<'_>, names: &mut Names<FreezeName>, out: &mut Collector) -> Option<Freeze> {
    let name = named::name(&mut fields, names, out, |_| None);
    let period = read_period(&mut fields, out);
    let zone = read_zone(&mut fields, out);
    let words = [("expire", Running::Expire), ("finish", Running::Finish)];
    let running = fields.take("running").and_then(|field| field.choice(&words, out));
    fields.finish(out);
    Some(Freeze {
        name: name?,
        running: running.unwrap_or_default(),
        period: period?,
        zone: zone?,
    })
}

fn read_zone(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Zone> {
    const SHAPE: &str = "a time zone of the IANA database, such as \"Europe/Berlin\" or \"UTC\"";
    let Some(field) = fields.take("time_zone") else {
        out.missing(&fields.path_of("time_zone"), SHAPE);
        return None;
    };
    let zone = Zone::named(field.text(SHAPE, out)?);
    if zone.is_none() {
        out.add(field.problem(ProblemCode::InvalidValue, SHAPE));
    }
    zone
}

/// One of the two times of a freeze.
enum When {
    Date(DateTime),
    Time(Time),
}

/// `from`, `to` and `days`.
fn read_period(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Period> {
    const MISSING: &str = "from and to, which say when it is, or days";
    const ALL: [&str; 6] = ["name", "from", "to", "days", "time_zone", "running"];
    let before = out.len();
    let from_field = fields.take("from");
    let to_field = fields.take("to");
    let days_field = fields.take("days");
    let from = from_field.as_ref().and_then(|field| read_when(field, out));
    let to = to_field.as_ref().and_then(|field| read_when(field, out));
    let days = days_field.as_ref().map(|field| read_days(field, out));
    match (&from_field, &to_field) {
        (None, None) if days.is_none() && !fields.has_misspelt(&["from", "to", "days"], &ALL) => {
            out.missing(fields.path(), MISSING);
        }
        (Some(_), None) if !fields.has_misspelt(&["to"], &ALL) => {
            out.missing(&fields.path_of("to"), "when it ends, as from says when it begins");
        }
        (None, Some(_)) if !fields.has_misspelt(&["from"], &ALL) => {
            out.missing(&fields.path_of("from"), "when it begins, as to says when it ends");
        }
        _ => {}
    }
    if out.len() > before {
        return None;
    }
    match (from, to, days) {
        (None, None, days) => {
            let days = days??;
            if days.len() == DAYS.len() {
                let expected = "at most six days without from and to, as nothing would ever begin";
                out.add(days_field?.problem(ProblemCode::OutOfRange, expected));
                return None;
            }
            Some(Period::Weekly { days, hours: None })
        }
        (Some(When::Date(from)), Some(When::Date(to)), None) => {
            if to > from {
                return Some(Period::Once { from, to });
            }
            let field = to_field?;
            out.add(field.problem(ProblemCode::InvalidValue, "a time after from"));
            None
        }
        (Some(When::Time(from)), Some(When::Time(to)), days) => {
            if from != to {
                let days = days.unwrap_or_else(|| Some((0..DAYS.len()).collect()));
                return Some(Period::Weekly {
                    days: days?,
                    hours: Some((from, to)),
                });
            }
            let field = to_field?;
            let expected =
                "another time than from; with days and without from and to it holds for whole days";
            out.add(field.problem(ProblemCode::InvalidValue, expected));
            None
        }
        (Some(When::Date(_)), Some(When::Date(_)), Some(_)) => {
            let expected =
                "times of the day such as from = \"08:00\" beside days: a freeze with dates is only once";
            out.add(days_field?.problem(ProblemCode::Conflict, expected));
            None
        }
        _ => {
            let expected = "a time of the same kind as from: both with a date, or both without one";
            out.add(to_field?.problem(ProblemCode::Conflict, expected));
            None
        }
    }
}

fn read_when(field: &Field<'_>, out: &mut Collector) -> Option<When> {
    const SHAPE: &str =
        "a local time such as \"2026-12-20T00:00\", or one of the day such as \"18:00\", in quotes";
    let text = field.text(SHAPE, out)?;
    let when = when(text);
    if when.is_none() {
        out.add(field.problem(ProblemCode::InvalidValue, SHAPE));
    }
    when
}

/// Exactly these two forms: jiff's own parser would take a zone or an offset, and drop it.
fn when(text: &str) -> Option<When> {
    let time = |text: &str| -> Option<Time> {
        let (hour, minute) = text.split_once(':')?;
        let two = |text: &str| -> Option<i8> {
            let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        };
        Time::new(two(hour)?, two(minute)?, 0, 0).ok()
    };
    match text.split_once('T') {
        None => time(text).map(When::Time),
        Some((date, at)) => {
            let is_plain = date.len() == 10 && date.bytes().all(|b| b.is_ascii_digit() || b == b'-');
            let date: Date = is_plain.then(|| date.parse().ok()).flatten()?;
            Some(When::Date(date.to_datetime(time(at)?)))
        }
    }
}

/// `days`.
fn read_days(field: &Field<'_>, out: &mut Collector) -> Option<BTreeSet<usize>> {
    const SHAPE: &str = "a list of days such as [\"sat\", \"sun\"]";
    let before = out.len();
    let items = field.list(SHAPE, out)?;
    if items.is_empty() {
        out.add(field.problem(ProblemCode::OutOfRange, "at least one day"));
    }
    let places: Vec<(&str, usize)> = DAYS
        .iter()
        .enumerate()
        .map(|(place, (word, _))| (*word, place))
        .collect();
    let mut days = BTreeSet::new();
    for item in items {
        if let Some(day) = item.choice(&places, out)
            && !days.insert(day)
        {
            out.add(item.problem(ProblemCode::Duplicate, "each day only once"));
        }
    }
    (out.len() == before).then_some(days)
}

#[cfg(test)]
mod tests;
