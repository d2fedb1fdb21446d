//! The two day fields: which dates they name.

use super::field::{Field, Set, digits};
use jiff::civil::{Date, Weekday};

const DAY_OF_MONTH: Field = Field::numbers("day-of-month", 1, 31);
const DAY_OF_WEEK: Field = Field {
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    ..Field::numbers("day-of-week", 1, 7)
};

/// The days that a schedule names, in one of the two fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Days {
    OfMonth(DayOfMonth),
    OfWeek(DayOfWeek),
}

impl Days {
    /// Whether they have `date` among them.
    pub(super) fn has(&self, date: Date) -> bool {
        match self {
            Self::OfMonth(days) => days.has(date),
            Self::OfWeek(days) => days.has(date),
        }
    }
}

/// A day-of-month field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DayOfMonth {
    Days(Set),
    /// `L`, `L-n`: so many days before the last.
    BeforeLast(i8),
    /// `LW`: the last weekday of the month.
    LastWeekday,
    /// `nW`: the weekday that is nearest to this day, within the month. None in a month that has
    /// no such day.
    NearestWeekday(i8),
}

impl DayOfMonth {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        let small = |number: &str, range: std::ops::RangeInclusive<i32>| {
            let number = digits(number).filter(|number| range.contains(number))?;
            i8::try_from(number).ok()
        };
        if upper == "L" {
            return Ok(Self::BeforeLast(0));
        }
        if upper == "LW" {
            return Ok(Self::LastWeekday);
        }
        if let Some(days) = upper.strip_prefix("L-") {
            let wrong = || DAY_OF_MONTH.wrong(text, &format!("{days} is no number of days before the last"));
            return small(days, 1..=30).map(Self::BeforeLast).ok_or_else(wrong);
        }
        if let Some(day) = upper.strip_suffix('W') {
            let wrong = || DAY_OF_MONTH.wrong(text, "W stands behind one day of the month, and alone");
            return small(day, 1..=31).map(Self::NearestWeekday).ok_or_else(wrong);
        }
        if upper.contains('L') {
            return Err(DAY_OF_MONTH.wrong(text, "L stands alone in the field"));
        }
        DAY_OF_MONTH.read(text).map(Self::Days)
    }

    fn has(&self, date: Date) -> bool {
        match self {
            Self::Days(days) => days.has(date.day().into()),
            Self::BeforeLast(days) => date.day() == date.days_in_month() - days,
            Self::LastWeekday => nearest_weekday(date, date.days_in_month()) == Some(date.day()),
            Self::NearestWeekday(day) => nearest_weekday(date, *day) == Some(date.day()),
        }
    }
}

/// The weekday nearest to `day` in the month of `date`.
fn nearest_weekday(date: Date, day: i8) -> Option<i8> {
    let last = date.days_in_month();
    let wanted = Date::new(date.year(), date.month(), day).ok()?;
    Some(match wanted.weekday() {
        Weekday::Saturday if day == 1 => 3,
        Weekday::Saturday => day - 1,
        Weekday::Sunday if day == last => day - 2,
        Weekday::Sunday => day + 1,
        _ => day,
    })
}

/// A day-of-week field. Days count from 1 = SUN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DayOfWeek {
    Days(Set),
    /// `6L`: the last such day of the month.
    Last(i32),
    /// `3#2`: the second such day of the month.
    Nth(i32, i8),
}

impl DayOfWeek {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let field = DAY_OF_WEEK;
        if text.eq_ignore_ascii_case("L") {
            // The last day of the week.
            return field.read("7").map(Self::Days);
        }
        if let Some((day, nth)) = text.split_once('#') {
            let day = field.value(text, day)?;
            let nth = digits(nth)
                .filter(|nth| (1..=5).contains(nth))
                .and_then(|nth| i8::try_from(nth).ok());
            let wrong = || {
                field.wrong(
                    text,
                    "behind # stands which one of the month, 1 to 5, and nothing else",
                )
            };
            return nth.map(|nth| Self::Nth(day, nth)).ok_or_else(wrong);
        }
        if let Some(day) = text.strip_suffix(['L', 'l'])
            && !text.contains([',', '-', '/'])
        {
            return field.value(text, day).map(Self::Last);
        }
        field.read(text).map(Self::Days)
    }

    fn has(&self, date: Date) -> bool {
        let day = i32::from(date.weekday().to_sunday_one_offset());
        match self {
            Self::Days(days) => days.has(day),
            Self::Last(last) => day == *last && date.day() > date.days_in_month() - 7,
            Self::Nth(wanted, nth) => day == *wanted && (date.day() - 1) / 7 + 1 == *nth,
        }
    }
}
