//! Waiting for one's turn: the token buckets and the number of calls at once, on the port's clock.

use crate::bucket::Bucket;
use crate::limits::{Limits, Operation};
use crate::place::Place;
use patchfleet_core::port::Clock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The buckets of every (account, Region, operation), and the slots for calls under way.
pub(crate) struct Pace {
    clock: Arc<dyn Clock>,
    limits: Limits,
    buckets: Mutex<BTreeMap<(Place, Operation), Bucket>>,
    slots: Semaphore,
}

impl Pace {
    pub(crate) fn new(clock: Arc<dyn Clock>, limits: Limits) -> Self {
        Self {
            clock,
            slots: Semaphore::new(limits.concurrency().get().min(Semaphore::MAX_PERMITS)),
            limits,
            buckets: Mutex::default(),
        }
    }

    /// The clock on which turns are waited for.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Waits for the turn of one call. The call holds what is given until it has ended.
    pub(crate) async fn turn(&self, operation: Operation, place: &Place) -> Option<SemaphorePermit<'_>> {
        let now = self.clock.now();
        let at = {
            let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            buckets
                .entry((place.clone(), operation))
                .or_insert_with(|| Bucket::new(self.limits.rate(operation)))
                .take(now)
        };
        if at > now {
            self.clock.sleep_until(at).await;
        }
        // The slot comes second, so that a call that waits for its bucket holds up no other.
        // `acquire` fails only once the semaphore is closed, which it never is.
        self.slots.acquire().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestClock;
    use jiff::{SignedDuration, Timestamp};

    fn place(account: &str, region: &str) -> Place {
        Place::new(Some(account.parse().unwrap()), region.parse().unwrap())
    }

    #[tokio::test]
    async fn each_account_region_and_operation_has_its_own_bucket_on_the_ports_clock() {
        let clock = Arc::new(TestClock::default());
        let pace = Pace::new(clock.clone(), Limits::default());
        let seconds = || clock.now().duration_since(Timestamp::UNIX_EPOCH);
        let here = place("111122223333", "us-east-1");
        let start = Operation::StartAutomationExecution;

        pace.turn(start, &here).await;
        pace.turn(Operation::ListRegions, &here).await;
        pace.turn(start, &place("111122223333", "eu-west-1")).await;
        pace.turn(start, &place("444455556666", "us-east-1")).await;
        assert_eq!(seconds(), SignedDuration::ZERO);

        pace.turn(start, &here).await;
        pace.turn(start, &here).await;
        assert_eq!(seconds(), SignedDuration::from_secs(2));
    }

    #[tokio::test]
    async fn no_more_calls_are_under_way_than_there_are_slots() {
        let clock = Arc::new(TestClock::default());
        let two = std::num::NonZeroUsize::new(2).unwrap();
        let pace = Pace::new(clock, Limits::default().with_concurrency(two));
        let here = place("111122223333", "us-east-1");
        let first = pace.turn(Operation::ListRegions, &here).await;
        let second = pace.turn(Operation::ListRegions, &here).await;
        assert!(first.is_some() && second.is_some());
        assert_eq!(pace.slots.available_permits(), 0);
        drop(first);
        assert!(pace.turn(Operation::ListRegions, &here).await.is_some());
    }
}
