//! The system's clock.

use jiff::{SignedDuration, Timestamp};
use patchfleet_core::port::{BoxFuture, Clock};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// The system's clock, which never goes back: where the system's does, time stands still until it
/// has caught up.
///
/// Waiting needs tokio's timer.
#[derive(Debug)]
pub struct SystemClock {
    /// The latest time that was given, in nanoseconds since 1970.
    latest: AtomicI64,
}

impl SystemClock {
    /// Longest single wait. A clock that is set forward meanwhile, or a machine that wakes from
    /// sleep, is noticed after at most this long.
    const NAP: Duration = Duration::from_secs(30);

    /// A clock.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            latest: AtomicI64::new(i64::MIN),
        }
    }

    /// The later of `reading` and every reading before it.
    fn advance_to(&self, reading: Timestamp) -> Timestamp {
        // An i64 of nanoseconds lasts until 2262.
        let reading = i64::try_from(reading.as_nanosecond()).unwrap_or(i64::MAX);
        let latest = self.latest.fetch_max(reading, Ordering::Relaxed).max(reading);
        Timestamp::from_nanosecond(latest.into()).unwrap_or(Timestamp::MAX)
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.advance_to(Timestamp::now())
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let left = at.duration_since(self.now());
                if left <= SignedDuration::ZERO {
                    return;
                }
                tokio::time::sleep(left.unsigned_abs().min(Self::NAP)).await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stands_still_while_the_systems_clock_is_behind() {
        let clock = SystemClock::new();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(clock.advance_to(at(100)), at(100));
        assert_eq!(clock.advance_to(at(40)), at(100));
        assert_eq!(clock.advance_to(at(101)), at(101));
    }

    #[tokio::test]
    async fn an_instant_that_is_past_is_not_waited_for() {
        let clock = SystemClock::new();
        clock.sleep_until(Timestamp::UNIX_EPOCH).await;
        let soon = clock.now() + SignedDuration::from_millis(5);
        clock.sleep_until(soon).await;
        assert!(clock.now() >= soon);
    }
}
