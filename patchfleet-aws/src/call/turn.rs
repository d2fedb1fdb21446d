//! Each call waits for its turn, on the port's clock. It waits for the rate of its operation, and then for a slot. A call
//! that AWS throttles waits for another turn.

use super::error::CallError;
use super::flow::{Flow, Passed};
use super::limits::Limits;
use super::operation::Operation;
use super::place::Place;
use super::slots::{Slot, Slots};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::port::{Clock, PortErrorKind, Sent, put_off};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The longest sleep of a call whose operation was slowed down. Then it looks at its turn again, since
/// the rate may have grown.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);

/// How often a throttled call is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// As long as AWS answers any call of the operation there, and [`Limits::patience`] longer.
    WhileAwsAnswers,
    /// This many times in all, and only if it has had no effect.
    Times(u32),
}

/// The rates of every (account, Region, operation), and the slots for calls under way.
pub(super) struct Pace {
    clock: Arc<dyn Clock>,
    limits: Limits,
    flows: Mutex<BTreeMap<(Place, Operation), Flow>>,
    slots: Slots,
}

/// The turn of one call, held until the call has ended.
struct Turn<'p> {
    passed: Passed,
    _slot: Slot<'p>,
}

impl Pace {
    pub(super) fn new(clock: Arc<dyn Clock>, limits: Limits) -> Self {
        Self {
            clock,
            slots: Slots::new(limits.concurrency()),
            limits,
            flows: Mutex::default(),
        }
    }

    /// The clock on which turns are waited for.
    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The same, to be kept.
    pub(super) fn shared_clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Makes a call in its turn, and again at a slower rate while AWS throttles it.
    pub(super) async fn paced<T, F>(
        &self,
        operation: Operation,
        place: &Place,
        again: Again,
        call: impl Fn() -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let patience = self.limits.patience();
        let mut made = 0;
        loop {
            let turn = self.turn(operation, place).await;
            made += 1;
            // Boxed, because the SDK's futures are large and a port's go several calls deep.
            let result = Box::pin(call()).await;
            let now = self.clock.now();
            let failure = match result {
                Err(failure) if failure.kind() == PortErrorKind::Throttled => failure,
                Err(failure) if failure.kind() == PortErrorKind::Unavailable => {
                    self.in_trouble(place, now);
                    return Err(failure);
                }
                result => {
                    self.on(operation, place, |flow| flow.answered(now));
                    self.slots.answered(place, now);
                    return result;
                }
            };
            self.in_trouble(place, now);
            let (dry_for, rate) = self.on(operation, place, |flow| {
                let dry_for = flow.throttled(turn.passed, now, patience);
                (dry_for, flow.calls_per_second())
            });
            tracing::info!(%operation, %place, calls_per_second = rate, "AWS throttles: slowing down");
            let goes_on = match again {
                Again::WhileAwsAnswers => dry_for < patience,
                Again::Times(times) => made < times && failure.sent() == Sent::No,
            };
            if !goes_on {
                return Err(match again {
                    Again::WhileAwsAnswers if !dry_for.is_zero() => {
                        failure.out_of_patience(operation, place, dry_for)
                    }
                    _ => failure,
                });
            }
            put_off(&failure.reason());
        }
    }

    /// Waits for the turn of one call.
    async fn turn(&self, operation: Operation, place: &Place) -> Turn<'_> {
        let passed = loop {
            let mut now = self.clock.now();
            let ticket = self.on(operation, place, |flow| flow.ticket(now));
            // A waiting call holds nothing that others wait for. If nobody polls its future for a
            // while, no other call is late.
            while now < ticket.at {
                self.clock
                    .sleep_until(self.look_again(operation, place, ticket.at, now))
                    .await;
                now = self.clock.now();
                if !self.on(operation, place, |flow| flow.is_good(ticket)) {
                    break;
                }
            }
            if let Some(passed) = self.on(operation, place, |flow| flow.pass(ticket, now)) {
                break passed;
            }
        };
        // The slot comes second, so that a call that waits for its rate delays no other.
        let _slot = self.slots.take().await;
        Turn { passed, _slot }
    }

    fn in_trouble(&self, place: &Place, now: Timestamp) {
        if let Some(calls) = self.slots.in_trouble(place, now) {
            tracing::info!(
                calls_at_once = calls,
                "calls of many places are in trouble: fewer at once"
            );
        }
    }

    fn look_again(&self, operation: Operation, place: &Place, at: Timestamp, now: Timestamp) -> Timestamp {
        if self.on(operation, place, |flow| flow.is_slowed()) {
            at.min(now.checked_add(LOOK_AGAIN).unwrap_or(at))
        } else {
            at
        }
    }

    fn on<T>(&self, operation: Operation, place: &Place, act: impl FnOnce(&mut Flow) -> T) -> T {
        let mut flows = self.flows();
        let flow = flows
            .entry((place.clone(), operation))
            .or_insert_with(|| Flow::new(self.limits.rate(operation), self.limits.fastest(operation)));
        act(flow)
    }

    fn flows(&self) -> MutexGuard<'_, BTreeMap<(Place, Operation), Flow>> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
