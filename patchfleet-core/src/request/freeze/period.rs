//! When a freeze holds: one period, or some that come again each week.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp};
use std::collections::BTreeSet;
use std::fmt;

/// The days as a request names them, from Monday on.
pub(super) const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Of how many days before an instant a period may hold at it. It lasts for a day at most, and a day of 25 hours is one.
const DAYS_BEFORE: i32 = 2;

/// In how many days after an instant the next period begins at the latest: each day comes again within a week.
const DAYS_AFTER: i32 = 9;

/// When a freeze holds, by the clocks of its time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Period {
    /// Once.
    Once {
        from: DateTime,
        /// After `from`.
        to: DateTime,
    },
    /// On each of these days, of which there is at least one.
    Weekly {
        /// By their places in [`DAYS`].
        days: BTreeSet<usize>,
        /// From when to when. `None`: the whole day. If it ends no later than it begins, it ends on the day after.
        hours: Option<(Time, Time)>,
    },
}

/// A time zone, with its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zone(TimeZone);

impl Zone {
    /// The zone with this name in the IANA database that is built in, in any case of letters.
    pub(super) fn named(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        zone.iana_name().is_some().then_some(Self(zone))
    }

    pub(super) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// From when to when something holds. Where clocks are changed a time may come twice or not at all: then
    /// the longer period counts.
    fn instants(&self, from: DateTime, to: DateTime) -> (Timestamp, Timestamp) {
        let begins = self.0.to_ambiguous_timestamp(from).earlier();
        let ends = self.0.to_ambiguous_timestamp(to).later();
        (begins.unwrap_or(Timestamp::MIN), ends.unwrap_or(Timestamp::MAX))
    }

    fn date_at(&self, at: Timestamp) -> Date {
        self.0.to_datetime(at).date()
    }
}

impl Period {
    /// The periods that are not over at an instant, in the order of time, those of the next week at least.
    pub(super) fn after(&self, at: Timestamp, zone: &Zone) -> Vec<(Timestamp, Timestamp)> {
        let mut periods = match self {
            Self::Once { from, to } => vec![zone.instants(*from, *to)],
            Self::Weekly { days, hours } => {
                let today = zone.date_at(at);
                let dates = (-DAYS_BEFORE..=DAYS_AFTER)
                    .filter_map(|n| today.checked_add(Span::new().try_days(n).ok()?).ok());
                let is_one = |date: &Date| {
                    let place = DAYS.iter().position(|(_, day)| *day == date.weekday());
                    place.is_some_and(|place| days.contains(&place))
                };
                let of = |date: Date| {
                    let next = date.tomorrow().unwrap_or(Date::MAX);
                    match *hours {
                        None => zone.instants(date.at(0, 0, 0, 0), next.at(0, 0, 0, 0)),
                        Some((from, to)) => {
                            let last = if to > from { date } else { next };
                            zone.instants(date.to_datetime(from), last.to_datetime(to))
                        }
                    }
                };
                dates.filter(is_one).map(of).collect()
            }
        };
        periods.retain(|(_, ends)| *ends > at);
        periods
    }

    /// `from`, `to` and `days`, as a request has them.
    pub(super) fn keys(&self) -> (Option<String>, Option<String>, Option<Vec<&'static str>>) {
        match self {
            Self::Once { from, to } => (Some(minutes(from)), Some(minutes(to)), None),
            Self::Weekly { days, hours } => {
                let names = days.iter().filter_map(|day| Some(DAYS.get(*day)?.0));
                let (from, to) = hours.map(|(from, to)| (time(from), time(to))).unzip();
                (from, to, Some(names.collect()))
            }
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to, days) = self.keys();
        match days {
            Some(days) if days.len() == DAYS.len() => f.write_str("each day")?,
            Some(days) => write!(f, "each {}", days.join(", "))?,
            None => {}
        }
        match (from, to) {
            (Some(from), Some(to)) if matches!(self, Self::Once { .. }) => write!(f, "from {from} to {to}"),
            (Some(from), Some(to)) => write!(f, " from {from} to {to}"),
            _ => Ok(()),
        }
    }
}

/// A date with its time, as a request has it.
fn minutes(at: &DateTime) -> String {
    format!("{}T{}", at.date(), time(at.time()))
}

fn time(at: Time) -> String {
    format!("{:02}:{:02}", at.hour(), at.minute())
}
