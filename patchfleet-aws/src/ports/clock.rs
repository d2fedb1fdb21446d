//! The system's clock.

use jiff::{SignedDuration, Timestamp};
use patchfleet_core::port::{BoxFuture, Clock};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The system's clock, which never goes back and never stands still. If somebody sets the system's clock back by more than
/// a second, this one runs on at its own pace until the system's has caught up. So nobody waits longer because the
/// system's clock was wrong.
///
/// Waiting needs tokio's timer.
#[derive(Debug)]
pub struct SystemClock {
    /// The latest time that was given, and the reading of a clock that nobody sets at that moment.
    latest: Mutex<Option<(Timestamp, Instant)>>,
}

impl SystemClock {
    /// The longest single wait. Within this time it is noticed that the clock was set forward, or that the machine woke
    /// from sleep.
    const NAP: Duration = Duration::from_secs(30);

    /// A clock that is being slowed down, to agree with others, lags by no more than this.
    const STANDS_STILL: SignedDuration = SignedDuration::from_secs(1);

    /// A clock.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            latest: Mutex::new(None),
        }
    }

    /// The time when the system's clock reads so, and one that nobody sets reads so.
    fn advance_to(&self, reading: Timestamp, elapsed: Instant) -> Timestamp {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let now = match *latest {
            Some((last, at)) if last.duration_since(reading) > Self::STANDS_STILL => {
                let since = elapsed.saturating_duration_since(at);
                last.saturating_add(since).unwrap_or(last)
            }
            Some((last, _)) if last > reading => return last,
            _ => reading,
        };
        *latest = Some((now, elapsed));
        now
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.advance_to(Timestamp::now(), Instant::now())
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
    fn time_runs_on_while_the_systems_clock_is_behind() {
        let clock = SystemClock::new();
        let began = Instant::now();
        let at = |second| Timestamp::from_second(second).unwrap();
        let read = |system, elapsed| clock.advance_to(at(system), began + Duration::from_secs(elapsed));
        assert_eq!(read(4_000, 0), at(4_000));
        assert_eq!(read(4_010, 10), at(4_010));
        assert_eq!(read(411, 11), at(4_011), "it was set back by an hour");
        assert_eq!(read(420, 20), at(4_020));
        assert_eq!(read(4_019, 21), at(4_020), "a little behind: it stands still");
        assert_eq!(read(4_022, 22), at(4_022));
        assert_eq!(read(9_000, 23), at(9_000), "it was set forward");
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
