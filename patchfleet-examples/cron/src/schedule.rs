//! AWS `cron()` expressions in a time zone. The calendar is croner's; here is only what AWS's
//! grammar has of its own.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::fmt;

/// When to run: `cron(minutes hours day-of-month month day-of-week year)`, as EventBridge takes
/// it, read in a time zone.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

/// What is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScheduleError(String);

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ScheduleError {}

/// One time at which the schedule fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// When.
    pub(crate) at: Timestamp,
    /// Names the slot by the zone and its wall clock, so that an hour that the clock shows twice in
    /// autumn is one slot and is patched once.
    pub(crate) id: String,
}

impl Schedule {
    /// Reads `expression` for the time zone `zone` (an IANA name).
    pub(crate) fn parse(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let wrong = |why: &str| {
            ScheduleError(format!(
                "--schedule = {expression:?}: {why}; right would be \
                 cron(minutes hours day-of-month month day-of-week year), such as cron(15 22 ? * TUE *)"
            ))
        };
        let inner = expression
            .trim()
            .strip_prefix("cron(")
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or_else(|| wrong("not of the form cron(…)"))?;
        let fields: Vec<&str> = inner.split_whitespace().collect();
        let [_, _, day_of_month, _, day_of_week, _] = fields.as_slice() else {
            return Err(wrong(&format!("{} fields, not 6", fields.len())));
        };
        if (*day_of_month == "?") == (*day_of_week == "?") {
            return Err(wrong("exactly one of day-of-month and day-of-week is ?"));
        }
        // AWS counts weekdays from 1 = Sunday, as Quartz does, takes `a/b` as "from a, every b",
        // and has no seconds.
        let cron = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Required)
            .alternative_weekdays(true)
            .sloppy_ranges(true)
            .build()
            .parse(&format!("0 {}", fields.join(" ")))
            .map_err(|error| wrong(&error.to_string()))?;
        let zone = TimeZone::get(zone).map_err(|_| {
            ScheduleError(format!(
                "--timezone = {zone:?}: right would be an IANA name such as Europe/Berlin"
            ))
        })?;
        Ok(Self { cron, zone })
    }

    /// The first slot after `after`; `None` if there is none before the year 5000.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Slot> {
        let after: Zoned = after.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&after, false).ok()?;
        Some(Slot {
            at: next.timestamp(),
            id: format!(
                "{} {}",
                next.datetime(),
                self.zone.iana_name().unwrap_or_default()
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(expression: &str, zone: &str, from: &str, n: usize) -> Vec<String> {
        let schedule = Schedule::parse(expression, zone).unwrap();
        let mut at: Timestamp = from.parse().unwrap();
        std::iter::from_fn(|| {
            let slot = schedule.next(at)?;
            at = slot.at;
            Some(at.to_string())
        })
        .take(n)
        .collect()
    }

    #[test]
    fn the_second_posts_example_is_tuesday_evening() {
        assert_eq!(
            slots("cron(15 22 ? * TUE *)", "UTC", "2026-03-01T00:00:00Z", 2),
            ["2026-03-03T22:15:00Z", "2026-03-10T22:15:00Z"]
        );
    }

    #[test]
    fn weekdays_count_from_sunday_as_one() {
        assert_eq!(
            slots("cron(0 4 ? * 1 *)", "UTC", "2026-03-02T00:00:00Z", 1),
            ["2026-03-08T04:00:00Z"]
        );
        assert_eq!(
            slots("cron(0 4 ? * 3#2 *)", "UTC", "2026-03-01T00:00:00Z", 1),
            ["2026-03-10T04:00:00Z"]
        );
        assert_eq!(
            slots("cron(0 4 ? * 6L *)", "UTC", "2026-03-01T00:00:00Z", 1),
            ["2026-03-27T04:00:00Z"]
        );
    }

    #[test]
    fn steps_last_days_and_nearest_weekdays_are_awss() {
        assert_eq!(
            slots("cron(0/20 8 ? * * *)", "UTC", "2026-03-01T00:00:00Z", 3),
            [
                "2026-03-01T08:00:00Z",
                "2026-03-01T08:20:00Z",
                "2026-03-01T08:40:00Z"
            ]
        );
        assert_eq!(
            slots("cron(0 8 L * ? *)", "UTC", "2026-02-01T00:00:00Z", 1),
            ["2026-02-28T08:00:00Z"]
        );
        assert_eq!(
            slots("cron(0 8 1W * ? *)", "UTC", "2026-02-01T00:00:00Z", 1),
            ["2026-02-02T08:00:00Z"]
        );
    }

    #[test]
    fn the_zone_rules_over_summer_time() {
        assert_eq!(
            slots(
                "cron(15 22 ? * SAT *)",
                "Europe/Berlin",
                "2026-03-22T00:00:00Z",
                2
            ),
            ["2026-03-28T21:15:00Z", "2026-04-04T20:15:00Z"]
        );
    }

    #[test]
    fn an_hour_that_comes_twice_is_one_slot_by_name() {
        let schedule = Schedule::parse("cron(30 2 25 10 ? *)", "Europe/Berlin").unwrap();
        let first = schedule.next("2026-10-24T00:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(first.id, "2026-10-25T02:30:00 Europe/Berlin");
        let second = schedule.next(first.at).unwrap();
        assert!(
            second.at.to_string().starts_with("2027") || second.id == first.id,
            "{second:?}"
        );
    }

    #[test]
    fn a_wrong_schedule_says_what_would_be_right() {
        for (expression, why) in [
            ("15 22 * * *", "not of the form"),
            ("cron(15 22 * * TUE)", "5 fields"),
            ("cron(15 22 * * * *)", "exactly one"),
            ("cron(15 22 ? * ? *)", "exactly one"),
            ("cron(75 22 ? * TUE *)", "cron(15 22 ? * TUE *)"),
            ("rate(1 day)", "not of the form"),
        ] {
            let error = Schedule::parse(expression, "UTC").unwrap_err().to_string();
            assert!(error.contains(why), "{expression}: {error}");
        }
        let error = Schedule::parse("cron(15 22 ? * TUE *)", "S/EasternU")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("S/EasternU") && error.contains("Europe/Berlin"),
            "{error}"
        );
    }
}
