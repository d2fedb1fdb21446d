//! Time zones, and times of their clocks.

use super::Time;
use chrono::{NaiveDateTime, TimeDelta, TimeZone};
use rrule::Tz;

/// The zone of IANA's that is named so.
pub(super) fn named(zone: &str) -> Result<Tz, String> {
    let known = zone.trim().parse::<chrono_tz::Tz>();
    known
        .map(Tz::from)
        .map_err(|_| format!("{zone} is not a time zone"))
}

/// A time that clocks show twice is the first of the two; one that they leap over is as much later
/// as they leap.
pub(super) fn local(time: NaiveDateTime, zone: Tz) -> Option<Time> {
    zone.from_local_datetime(&time).earliest().or_else(|| {
        let before = time.checked_sub_signed(TimeDelta::hours(3))?;
        let before = zone.from_local_datetime(&before).earliest()?;
        before.checked_add_signed(TimeDelta::hours(3))
    })
}
