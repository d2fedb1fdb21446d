//! When a request lets nothing begin: freezes, change calendars, a cutoff. What the clocks of a time zone show at an instant is
//! reckoned here by comparing dates and times, and not by turning a freeze into instants.

use jiff::civil::{DateTime, Time};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The days as a request names them, from Monday on.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A time in which nothing is begun.
#[derive(Debug, Clone)]
pub(crate) struct Freeze {
    pub(crate) zone: &'static str,
    pub(crate) period: Period,
    /// Whether what was begun before has expired by then. Otherwise it may finish.
    pub(crate) expires: bool,
}

/// Its clocks are those of the zone at so many minutes after the start of the world.
#[derive(Debug, Clone)]
pub(crate) enum Period {
    Once {
        from: i32,
        to: i32,
    },
    /// Each day, or, without `hours`, on the day of the week on which `from` is.
    Daily {
        from: i32,
        to: i32,
    },
    /// The whole day of the week on which `on` is.
    Weekly {
        on: i32,
    },
}

/// A change calendar, and what somebody puts in its place.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    /// Whether it is open except in its events.
    pub(crate) is_open: bool,
    /// From when to when its events last, in minutes after the start of the world.
    pub(crate) events: Vec<(u32, u32)>,
    /// The second after the start at which it gets other events, and these.
    pub(crate) then: Option<(u32, Vec<(u32, u32)>)>,
}

fn after(start: Timestamp, minutes: i32) -> Timestamp {
    start
        .checked_add(SignedDuration::from_mins(minutes.into()))
        .unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap()
}

/// What the clocks show, to the minute.
fn clocks(zone: &TimeZone, start: Timestamp, minutes: i32) -> DateTime {
    let at = zone.to_datetime(after(start, minutes));
    at.date().at(at.hour(), at.minute(), 0, 0)
}

impl Freeze {
    /// Whether it holds at an instant, by what the clocks of its zone show then.
    pub(crate) fn holds(&self, start: Timestamp, at: Timestamp) -> bool {
        let zone = zone(self.zone);
        let now = zone.to_datetime(at);
        match self.period {
            Period::Once { .. } => {
                let (from, to) = self.once(start);
                from <= now && now < to
            }
            Period::Daily { .. } => {
                let (from, to) = self.hours(start);
                let time = now.time();
                match from < to {
                    true => from <= time && time < to,
                    false => from <= time || time < to,
                }
            }
            Period::Weekly { on } => now.date().weekday() == clocks(&zone, start, on).date().weekday(),
        }
    }

    /// Whether it holds at any instant between two.
    pub(crate) fn holds_between(&self, start: Timestamp, from: Timestamp, to: Timestamp) -> bool {
        if from >= to {
            return false;
        }
        self.holds(start, from) || self.begins(start, from).is_some_and(|begins| begins < to)
    }

    /// When it begins next, later than at an instant.
    fn begins(&self, start: Timestamp, later_than: Timestamp) -> Option<Timestamp> {
        let zone = zone(self.zone);
        let today = zone.to_datetime(later_than).date();
        let dates = || (0..9).map(|days| today.saturating_add(jiff::Span::new().days(days)));
        let all: Vec<DateTime> = match self.period {
            Period::Once { .. } => vec![self.once(start).0],
            Period::Daily { .. } => dates()
                .map(|date| date.to_datetime(self.hours(start).0))
                .collect(),
            Period::Weekly { on } => {
                let day = clocks(&zone, start, on).date().weekday();
                let those = dates().filter(|date| date.weekday() == day);
                those.map(|date| date.at(0, 0, 0, 0)).collect()
            }
        };
        let instants = all.into_iter().map(|at| zone.to_timestamp(at).unwrap());
        instants.filter(|at| *at > later_than).min()
    }

    fn once(&self, start: Timestamp) -> (DateTime, DateTime) {
        let Period::Once { from, to } = self.period else {
            panic!("{self:?} is not once");
        };
        let zone = zone(self.zone);
        let (from, to) = (clocks(&zone, start, from), clocks(&zone, start, to));
        // Where clocks go back the end may show no later time than the beginning.
        let least = from.checked_add(SignedDuration::from_mins(10)).unwrap();
        (from, to.max(least))
    }

    fn hours(&self, start: Timestamp) -> (Time, Time) {
        let Period::Daily { from, to } = self.period else {
            panic!("{self:?} is not daily");
        };
        let zone = zone(self.zone);
        let (from, to) = (clocks(&zone, start, from).time(), clocks(&zone, start, to).time());
        let is_same = from == to;
        let later = || from.wrapping_add(SignedDuration::from_mins(30));
        (from, if is_same { later() } else { to })
    }

    /// It as a request has it.
    pub(super) fn asked(&self, name: &str, start: Timestamp) -> Value {
        let minute = |at: DateTime| at.strftime("%Y-%m-%dT%H:%M").to_string();
        let time = |at: Time| at.strftime("%H:%M").to_string();
        let running = if self.expires { "expire" } else { "finish" };
        let mut asked = json!({ "name": name, "time_zone": self.zone, "running": running });
        match self.period {
            Period::Once { .. } => {
                let (from, to) = self.once(start);
                asked["from"] = json!(minute(from));
                asked["to"] = json!(minute(to));
            }
            Period::Daily { .. } => {
                let (from, to) = self.hours(start);
                asked["from"] = json!(time(from));
                asked["to"] = json!(time(to));
            }
            Period::Weekly { on } => {
                let day = clocks(&zone(self.zone), start, on).date().weekday();
                asked["days"] = json!([DAYS[usize::try_from(day.to_monday_zero_offset()).unwrap()]]);
            }
        }
        asked
    }
}

impl Calendar {
    /// Its name in the central account.
    pub(super) fn name(index: usize) -> String {
        format!("Calendar-{index}")
    }

    /// Whether changes may be made at an instant.
    pub(crate) fn is_open_at(&self, start: Timestamp, at: Timestamp) -> bool {
        let replaced = self.then.as_ref().filter(|(second, _)| {
            let from = start.checked_add(SignedDuration::from_secs((*second).into()));
            from.unwrap() <= at
        });
        let events = replaced.map_or(&self.events, |(_, events)| events);
        let minute = |minutes: u32| after(start, i32::try_from(minutes).unwrap());
        let is_during = events
            .iter()
            .any(|(from, to)| minute(*from) <= at && at < minute(*to));
        self.is_open != is_during
    }

    /// The instants at which it may change.
    pub(crate) fn turns(&self, start: Timestamp) -> impl Iterator<Item = Timestamp> {
        let (second, events) = self.then.clone().unwrap_or_default();
        let all = self.events.iter().copied().chain(events).collect::<Vec<_>>();
        let replaced = start
            .checked_add(SignedDuration::from_secs(second.into()))
            .unwrap();
        all.into_iter()
            .flat_map(|(from, to)| [from, to])
            .map(move |minutes| after(start, i32::try_from(minutes).unwrap()))
            .chain([replaced])
    }

    /// The document in the central account.
    pub(super) fn document(&self, index: usize, start: Timestamp) -> Value {
        json!({
            "name": Self::name(index), "type": "ChangeCalendar", "content": self.text(start, &self.events),
        })
    }

    /// What somebody else does to it.
    pub(super) fn change(&self, index: usize, start: Timestamp) -> Option<Value> {
        let (second, events) = self.then.as_ref()?;
        Some(json!({ "at": second, "change": { "update_document": {
            "document": { "name": Self::name(index) }, "content": self.text(start, events),
        } } }))
    }

    fn text(&self, start: Timestamp, events: &[(u32, u32)]) -> String {
        let kind = if self.is_open {
            "DEFAULT_OPEN"
        } else {
            "DEFAULT_CLOSED"
        };
        let at = |minutes: u32| {
            let at = after(start, i32::try_from(minutes).unwrap());
            at.strftime("%Y%m%dT%H%M%SZ").to_string()
        };
        let events = events.iter().enumerate().map(|(uid, (from, to))| {
            format!(
                "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTART:{}\r\nDTEND:{}\r\nEND:VEVENT\r\n",
                at(*from),
                at(*to)
            )
        });
        let events: String = events.collect();
        format!("BEGIN:VCALENDAR\r\nX-CALENDAR-TYPE:{kind}\r\n{events}END:VCALENDAR\r\n")
    }
}
