//! Times on the wire: seconds since 1970 with three decimals.

use jiff::Timestamp;
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
