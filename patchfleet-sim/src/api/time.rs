//! Times on the wire: seconds since 1970 with three decimals, or text in a few answers.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time, as the JSON protocols write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WireTime(pub(crate) Timestamp);

impl Serialize for WireTime {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 stay far below 2^53"
    )]
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(self.0.as_millisecond() as f64 / 1000.0)
    }
}

impl<'de> Deserialize<'de> for WireTime {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(from)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float cast saturates, and from_millisecond checks the range"
        )]
        Timestamp::from_millisecond((seconds * 1000.0).round() as i64)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

impl From<Timestamp> for WireTime {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

/// `2026-03-01T00:00:07.000Z`, and nothing for what has not happened.
pub(crate) fn iso(at: Option<Timestamp>) -> String {
    let text = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    at.map(text).unwrap_or_default()
}

/// `PT0.091S`, `PT12M3S`.
pub(crate) fn iso_span(span: SignedDuration) -> String {
    let millis = u64::try_from(span.as_millis()).unwrap_or(0);
    let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
    let (seconds, rest) = (millis / 1000 % 60, millis % 1000);
    let part = |number: u64, unit: &str| match number {
        0 => String::new(),
        _ => format!("{number}{unit}"),
    };
    let seconds = match (seconds, rest) {
        (0, 0) if millis > 0 => String::new(),
        (_, 0) => format!("{seconds}S"),
        _ => format!("{seconds}.{rest:03}S"),
    };
    format!("PT{}{}{seconds}", part(hours, "H"), part(minutes, "M"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_iso_8601_has_them() {
        for (millis, text) in [
            (0, "PT0S"),
            (91, "PT0.091S"),
            (7_000, "PT7S"),
            (723_000, "PT12M3S"),
            (3_600_000, "PT1H"),
            (3_661_250, "PT1H1M1.250S"),
        ] {
            assert_eq!(iso_span(SignedDuration::from_millis(millis)), text);
        }
    }
}
