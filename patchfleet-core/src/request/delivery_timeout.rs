//! How long a command waits for a node.

use jiff::SignedDuration;
use serde::{Serialize, Serializer};
use std::{fmt, str::FromStr};

/// Run Command's `TimeoutSeconds`, in whole seconds. A command that has waited so long for a node gives the
/// node up.
///
/// From 30 seconds to 30 days (SSM model: 30 to 2,592,000). As text it has units, `"2h"` or
/// `"1h 30m"`.
///
/// ```
/// use patchfleet_core::request::DeliveryTimeout;
/// let timeout: DeliveryTimeout = "1h30m".parse()?;
/// assert_eq!(timeout.seconds(), 5_400);
/// assert_eq!(timeout.to_string(), "1h 30m");
/// assert!("10s".parse::<DeliveryTimeout>().is_err());
/// # Ok::<(), patchfleet_core::request::DeliveryTimeoutError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryTimeout(u32);

/// A text, or a number of seconds, that is no [`DeliveryTimeout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", DeliveryTimeout::SHAPE)]
pub struct DeliveryTimeoutError;

impl DeliveryTimeout {
    /// The shortest, in seconds.
    pub const MIN_SECONDS: u32 = 30;
    /// The longest, in seconds: 30 days.
    pub const MAX_SECONDS: u32 = 2_592_000;
    pub(super) const SHAPE: &str =
        "a time with units such as \"2h\" or \"90m\", of 30s to 720h (30 days), in whole seconds";

    /// A timeout of this many seconds.
    ///
    /// # Errors
    ///
    /// [`DeliveryTimeoutError`] if it is out of range.
    pub fn from_seconds(seconds: u32) -> Result<Self, DeliveryTimeoutError> {
        if (Self::MIN_SECONDS..=Self::MAX_SECONDS).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(DeliveryTimeoutError)
        }
    }

    /// The timeout in seconds.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.0
    }
}

impl FromStr for DeliveryTimeout {
    type Err = DeliveryTimeoutError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let duration: SignedDuration = text.parse().map_err(|_| DeliveryTimeoutError)?;
        if duration.subsec_nanos() != 0 {
            return Err(DeliveryTimeoutError);
        }
        let seconds = u32::try_from(duration.as_secs()).map_err(|_| DeliveryTimeoutError)?;
        Self::from_seconds(seconds)
    }
}

impl fmt::Display for DeliveryTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", SignedDuration::from_secs(i64::from(self.0)))
    }
}

impl Serialize for DeliveryTimeout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_taken_with_units_and_in_range_alone() {
        let seconds = |text: &str| text.parse().map(DeliveryTimeout::seconds).ok();
        assert_eq!(seconds("30s"), Some(30));
        assert_eq!(seconds("720h"), Some(2_592_000));
        assert_eq!(seconds("1h 30m"), Some(5_400));
        for wrong in [
            "", "2", "29s", "721h", "-2h", "2h ago", "30.5s", "1 month", "soon",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
