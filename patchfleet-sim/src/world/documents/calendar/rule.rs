//! One RRULE of an event: what it says, and its occurrences from a time on.

use super::{Time, budget::Budget, time::local};
use chrono::{Datelike, Days, NaiveDate, NaiveDateTime};
use rrule::{Frequency, RRule, RRuleSet, Unvalidated};

/// The last year that the crate follows a rule to.
const LAST_YEAR: i32 = 10_000;

/// A recurrence, no more often than daily.
#[derive(Debug)]
pub(super) struct Rule {
    /// The rule without its UNTIL, which is applied here. If a rule has no more dates the crate searches for
    /// long, and does not say whether it gave up or came to the end.
    rule: RRule,
    first: Time,
    until: Option<Time>,
}

impl Rule {
    /// Reads the rule of an event whose first occurrence is `first`.
    pub(super) fn read(text: &str, first: Time) -> Result<Self, String> {
        let wrong = |error: String| format!("RRULE {text} is not supported: {error}");
        let mut last = None;
        let mut parts = vec![];
        for part in text.trim().split(';') {
            match part.split_once('=') {
                Some((key, value)) if key.eq_ignore_ascii_case("UNTIL") => {
                    last = Some(until(value, first).map_err(wrong)?);
                }
                _ => parts.push(part),
            }
        }
        if last.is_some_and(|last| last < first) {
            return Err(wrong("it ends before it begins".to_owned()));
        }
        let rule: RRule<Unvalidated> = parts
            .join(";")
            .parse()
            .map_err(|error: rrule::RRuleError| wrong(error.to_string()))?;
        let often = [Frequency::Hourly, Frequency::Minutely, Frequency::Secondly];
        let times = [rule.get_by_hour(), rule.get_by_minute(), rule.get_by_second()];
        if often.contains(&rule.get_freq()) || times.iter().any(|values| values.len() > 1) {
            return Err(wrong("more often than daily".to_owned()));
        }
        let rule = rule.validate(first).map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            rule,
            first,
            until: last,
        })
    }

    /// The occurrences from `from` on, or from some time before it, that begin by `to`, in seconds
    /// since 1970.
    pub(super) fn starts(
        &self,
        from: Option<NaiveDate>,
        to: i64,
        budget: &mut Budget,
    ) -> Result<Vec<Time>, String> {
        let begin = from.and_then(|from| self.begin(from)).unwrap_or(self.first);
        let set = RRuleSet::new(begin).rrule(self.rule.clone()).limit();
        let period = self.period_days();
        let (mut found, mut last) = (vec![], begin);
        for start in &set {
            // What the rule steps over takes time as well.
            let over = start.signed_duration_since(last).num_days() / period;
            budget.take(over.saturating_mul(self.weight()).saturating_add(1))?;
            last = start;
            if start.timestamp() > to || self.until.is_some_and(|until| start > until) {
                return Ok(found);
            }
            found.push(start);
        }
        let whole = self
            .rule
            .get_count()
            .is_some_and(|count| u32::try_from(found.len()) == Ok(count));
        // A year may have a day more than a period of this rule is taken to have, a month three.
        let after_all = NaiveDate::from_ymd_opt(LAST_YEAR, 12, 31)
            .is_some_and(|end| (end - last.date_naive()).num_days() < period + period / 9 + 1);
        if whole || after_all {
            return Ok(found);
        }
        Err(format!("the RRULE {} has no more dates, and no end", self.rule))
    }

    /// What a period costs to look through. A year has many days, of which a rule takes few or many.
    fn weight(&self) -> i64 {
        match self.rule.get_freq() {
            Frequency::Yearly => 10,
            _ => 1,
        }
    }

    fn period_days(&self) -> i64 {
        let days = match self.rule.get_freq() {
            Frequency::Yearly => 365,
            Frequency::Monthly => 28,
            Frequency::Weekly => 7,
            _ => 1,
        };
        days * i64::from(self.rule.get_interval()).max(1)
    }

    /// A start that is whole periods later than the first occurrence. From `from` on the rule gives the same
    /// occurrences as from its first. `None` if there is no such start, or if the rule counts its occurrences.
    fn begin(&self, from: NaiveDate) -> Option<Time> {
        let first = self.first.naive_local();
        let interval = i64::from(self.rule.get_interval());
        if self.rule.get_count().is_some() || interval == 0 {
            return None;
        }
        // The period that it begins in is not whole: it is one that nobody asks for.
        let later = |gap: i64, period: i64| {
            let periods = (gap / period).checked_sub(1).filter(|periods| *periods > 0)?;
            periods.checked_mul(period)
        };
        let date = match self.rule.get_freq() {
            Frequency::Yearly | Frequency::Monthly => {
                let months = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
                let yearly = self.rule.get_freq() == Frequency::Yearly;
                let period = interval * if yearly { 12 } else { 1 };
                let gap = months(from) - months(first.date());
                let month = months(first.date()) + later(gap, period)?;
                let year = i32::try_from(month.div_euclid(12)).ok()?;
                NaiveDate::from_ymd_opt(year, u32::try_from(month.rem_euclid(12)).ok()? + 1, 1)?
            }
            _ => {
                let gap = from.signed_duration_since(first.date()).num_days();
                let days = later(gap, self.period_days())?;
                first
                    .date()
                    .checked_add_days(Days::new(u64::try_from(days).ok()?))?
            }
        };
        let begin = local(date.and_time(first.time()), self.first.timezone())?;
        // A day that a zone has left out would put the periods after it out of step.
        (begin.date_naive() == date).then_some(begin)
    }
}

/// The last moment of a recurrence. A date means the whole day; a time that names no zone is of the
/// event's own.
fn until(text: &str, first: Time) -> Result<Time, String> {
    let (time, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(time) => (time, rrule::Tz::UTC),
        None => (text, first.timezone()),
    };
    let time = match NaiveDate::parse_from_str(time, "%Y%m%d") {
        Ok(date) => date.and_hms_opt(23, 59, 59),
        Err(_) => NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%S").ok(),
    };
    time.and_then(|time| local(time, zone))
        .ok_or_else(|| format!("{text} is not a time"))
}
