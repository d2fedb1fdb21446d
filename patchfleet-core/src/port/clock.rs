//! Time, as core sees it.

use super::BoxFuture;
use jiff::Timestamp;

/// Rules polling, waiting and rate limits. On AWS it is the system's clock; against a simulator
/// it is the simulator's, which may run much faster.
///
/// Promises: [`now`](Clock::now) never goes back; [`sleep_until`](Clock::sleep_until) returns at
/// or after the instant, at once if it is past. Does not promise: exactness, or that time moves
/// while nobody sleeps.
pub trait Clock: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Waits until `at`.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()>;
}
