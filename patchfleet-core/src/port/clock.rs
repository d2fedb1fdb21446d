//! Time, as core sees it.

use super::BoxFuture;
use jiff::Timestamp;

/// The clock by which core polls and waits, and by which rates are kept. On AWS it is the system's clock. Against a
/// simulator it is the simulator's, which may run much faster.
///
/// Promises: [`now`](Clock::now) never goes back. [`sleep_until`](Clock::sleep_until) returns at the instant or after
/// it, and at once if it is past.
///
/// Does not promise: that it is exact; that time moves while nobody sleeps.
pub trait Clock: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Waits until `at`.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()>;
}
