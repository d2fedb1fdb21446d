//! How often something may be called, and the token bucket that keeps to it. The bucket is told the time,
//! and says when a call may be made.

use jiff::{SignedDuration, Timestamp};
use std::num::NonZeroU32;
use std::time::Duration;

/// How often something may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    interval: Duration,
    burst: NonZeroU32,
}

impl Rate {
    /// `calls` each second, evenly spaced. No second ever sees more.
    #[must_use]
    pub const fn per_second(calls: NonZeroU32) -> Self {
        // Rounded up, so that the calls of a second take no less than a second.
        Self::every(Duration::from_nanos(
            1_000_000_000_u64.div_ceil(calls.get() as u64),
        ))
    }

    /// One call each `interval`, one at a time. An interval of zero sets no limit.
    ///
    /// ```
    /// use patchfleet_aws::Rate;
    /// use std::time::Duration;
    /// let gentle = Rate::every(Duration::from_secs(5));
    /// assert_eq!(gentle.interval(), Duration::from_secs(5));
    /// assert_eq!(gentle.burst().get(), 1);
    /// ```
    #[must_use]
    pub const fn every(interval: Duration) -> Self {
        Self {
            interval,
            burst: NonZeroU32::MIN,
        }
    }

    /// The same rate, with up to `burst` calls at once after a rest.
    #[must_use]
    pub const fn with_burst(self, burst: NonZeroU32) -> Self {
        Self { burst, ..self }
    }

    /// The same rate, this many times as fast.
    pub(super) const fn times(self, times: u32) -> Self {
        let nanos = self.interval.as_nanos() as u64;
        match nanos.checked_div(times as u64) {
            Some(nanos) => Self {
                interval: Duration::from_nanos(nanos),
                ..self
            },
            None => self,
        }
    }

    /// The same rate, and a burst of one call less, if there is one. Calls do not arrive as evenly as they
    /// are made. Without a reserve, one that is a little early after a burst would be throttled.
    pub(super) fn with_a_call_in_reserve(self) -> Self {
        let burst = self.burst.get().saturating_sub(1);
        NonZeroU32::new(burst).map_or(self, |burst| self.with_burst(burst))
    }

    /// The time between two calls in the long run.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// How many calls may come at once after a rest.
    #[must_use]
    pub const fn burst(&self) -> NonZeroU32 {
        self.burst
    }
}

/// The bucket of a [`Rate`]. Each taker is given an instant of its own, in the order of asking, so
/// nobody overtakes and nobody starves. An instant that its taker does not use is lost.
#[derive(Debug)]
pub(super) struct Bucket {
    /// One call's worth, in nanoseconds.
    interval: i128,
    /// How far ahead of time the bucket may be drawn, in nanoseconds.
    slack: i128,
    /// When the bucket is full again, in nanoseconds since 1970.
    full_at: i128,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(rate: Rate) -> Self {
        let interval = SignedDuration::try_from(rate.interval)
            .unwrap_or(SignedDuration::MAX)
            .as_nanos();
        Self {
            interval,
            slack: interval * (i128::from(rate.burst.get()) - 1),
            full_at: i128::MIN,
        }
    }

    /// A bucket that is empty, because AWS was last called at `last`. The next call may follow one
    /// interval after that. There is no burst until the bucket has filled up again.
    pub(super) fn drained(rate: Rate, last: Timestamp) -> Self {
        let mut bucket = Self::new(rate);
        bucket.full_at = last.as_nanosecond() + bucket.interval + bucket.slack;
        bucket
    }

    /// Puts the calls after those that were taken out closer together. The burst stays as long as it was.
    pub(super) fn quicken(&mut self, interval: Duration) {
        self.interval = SignedDuration::try_from(interval)
            .unwrap_or(SignedDuration::MAX)
            .as_nanos();
    }

    /// Takes one call out. Gives the instant, `now` or later, at which the call may be made.
    pub(super) fn take(&mut self, now: Timestamp) -> Timestamp {
        let now = now.as_nanosecond();
        let begin = self.full_at.max(now);
        self.full_at = begin + self.interval;
        let at = now.max(begin - self.slack);
        Timestamp::from_nanosecond(at).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    fn take_all(bucket: &mut Bucket, asked: &[i64]) -> Vec<i64> {
        asked
            .iter()
            .map(|ms| bucket.take(at(*ms)).as_millisecond() - 1_700_000_000_000)
            .collect()
    }

    #[test]
    fn calls_at_one_a_second_are_a_second_apart() {
        let mut bucket = Bucket::new(Rate::per_second(NonZeroU32::MIN));
        assert_eq!(take_all(&mut bucket, &[0, 0, 0, 100]), [0, 1000, 2000, 3000]);
        assert_eq!(
            take_all(&mut bucket, &[10_000, 10_500, 10_500]),
            [10_000, 11_000, 12_000]
        );
    }

    #[test]
    fn after_a_rest_a_burst_goes_at_once_and_the_rest_follows_at_the_rate() {
        let four = NonZeroU32::new(4).unwrap();
        let mut bucket = Bucket::new(Rate::per_second(four).with_burst(four));
        assert_eq!(
            take_all(&mut bucket, &[0, 0, 0, 0, 0, 0, 0]),
            [0, 0, 0, 0, 250, 500, 750]
        );
    }

    #[test]
    fn no_second_ever_sees_more_than_the_rate() {
        let mut bucket = Bucket::new(Rate::per_second(NonZeroU32::new(3).unwrap()));
        let asked: Vec<i64> = (0..400).map(|n| (n * n * 37) % 90_000).collect();
        let mut sorted = asked.clone();
        sorted.sort_unstable();
        let given: Vec<Timestamp> = sorted.iter().map(|ms| bucket.take(at(*ms))).collect();
        assert!(
            given.windows(2).all(|pair| pair[0] <= pair[1]),
            "first come, first served"
        );
        assert!(
            given
                .iter()
                .zip(&sorted)
                .all(|(given, asked)| *given >= at(*asked))
        );
        for begin in &given {
            let second = *begin..*begin + SignedDuration::from_secs(1);
            let seen = given.iter().filter(|t| second.contains(t)).count();
            assert!(seen <= 3, "{seen} calls in the second from {begin}");
        }
    }

    #[test]
    fn a_drained_bucket_gives_one_call_an_interval_later_and_no_burst() {
        let four = NonZeroU32::new(4).unwrap();
        let mut bucket = Bucket::drained(Rate::per_second(four).with_burst(four), at(1000));
        assert_eq!(take_all(&mut bucket, &[1000, 1000, 1000]), [1250, 1500, 1750]);
    }

    #[test]
    fn an_interval_of_zero_is_no_limit() {
        let mut bucket = Bucket::new(Rate::every(Duration::ZERO));
        assert_eq!(take_all(&mut bucket, &[5, 5, 5, 5]), [5, 5, 5, 5]);
    }

    #[test]
    fn an_interval_beyond_all_time_does_not_overflow() {
        let mut bucket = Bucket::new(Rate::every(Duration::MAX).with_burst(NonZeroU32::MAX));
        let mut single = Bucket::new(Rate::every(Duration::MAX));
        assert_eq!(bucket.take(at(0)), at(0));
        assert_eq!(single.take(at(0)), at(0));
        assert_eq!(single.take(at(0)), Timestamp::MAX);
    }
}
