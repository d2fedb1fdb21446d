//! Calls that are lost, refused or late, as the draft has it.

mod ports;
mod store;

pub(super) use store::FaultyStore;

use crate::draft::{Fault, How, Of};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::port::{BoxFuture, Clock, PortError, PortErrorKind, PortResult};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The faults of a campaign at work. Clones share them.
#[derive(Clone)]
pub(super) struct Faults {
    shared: Arc<Shared>,
}

struct Shared {
    seed: u64,
    faults: Vec<Fault>,
    clock: Arc<dyn Clock>,
    /// When the first driver began.
    began: Timestamp,
    calls: AtomicU64,
    struck: Mutex<BTreeMap<(Of, How), usize>>,
    /// From when and until when each fault struck, by its place in the draft.
    spans: Mutex<BTreeMap<usize, (Timestamp, Timestamp)>>,
    /// What was handed to AWS's port once its time was over.
    late: Mutex<Vec<String>>,
    /// The start of which nobody may know yet whether it took effect, and when it was handed to AWS's port.
    in_doubt: Mutex<Option<(String, Timestamp)>>,
    /// What was handed to AWS's port meanwhile.
    beside: Mutex<Vec<String>>,
}

impl Faults {
    pub(super) fn new(seed: u32, faults: &[Fault], clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            seed: seed.into(),
            faults: faults.to_vec(),
            began: clock.now(),
            clock,
            calls: AtomicU64::new(0),
            struck: Mutex::default(),
            spans: Mutex::default(),
            late: Mutex::default(),
            in_doubt: Mutex::default(),
            beside: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The same clock, and no fault.
    fn none(&self) -> Self {
        Self::new(0, &[], self.shared.clock.clone())
    }

    /// When the first driver began.
    pub(super) fn began(&self) -> Timestamp {
        self.shared.began
    }

    /// When the last of them is over.
    pub(super) fn end_at(&self) -> Timestamp {
        let ends = self.shared.faults.iter().map(|fault| self.span(fault).1);
        ends.max().unwrap_or(self.shared.began)
    }

    /// From when and until when each struck, as far as it did.
    pub(super) fn spans(&self) -> Vec<(Timestamp, Timestamp)> {
        self.shared.spans.lock().unwrap().values().copied().collect()
    }

    /// What was handed to AWS's port once its time was over.
    pub(super) fn late(&self) -> Vec<String> {
        self.shared.late.lock().unwrap().clone()
    }

    /// What was handed to AWS's port while nobody knew whether another start had taken effect.
    pub(super) fn beside(&self) -> Vec<String> {
        self.shared.beside.lock().unwrap().clone()
    }

    /// The log has lost its end, and maybe the start that is in doubt. Whether it is looked for shows in what takes effect twice.
    pub(super) fn forget(&self) {
        self.shared.in_doubt.lock().unwrap().take();
    }

    fn span(&self, fault: &Fault) -> (Timestamp, Timestamp) {
        let from = self.shared.began + SignedDuration::from_secs(fault.from.into());
        (from, from + SignedDuration::from_secs(fault.lasts.into()))
    }

    /// How often each has struck, whatever its seconds.
    pub(super) fn struck(&self) -> BTreeMap<(Of, How), usize> {
        self.shared.struck.lock().unwrap().clone()
    }

    /// What becomes of the next call of this kind.
    fn strike(&self, of: Of) -> Option<How> {
        let shared = &*self.shared;
        let now = shared.clock.now();
        let mut strikes = shared.faults.iter().enumerate().filter(|(index, fault)| {
            let (from, to) = self.span(fault);
            if fault.of != of || now < from || now >= to {
                return false;
            }
            let call = shared.calls.fetch_add(1, Ordering::Relaxed);
            crate::trial::mixed(shared.seed.wrapping_add(*index as u64), call) % 100
                < u64::from(fault.percent)
        });
        let (index, Fault { how, .. }) = strikes.next()?;
        let how = *how;
        let (kind, seconds) = match how {
            How::Lost(seconds) => (How::Lost(0), seconds),
            How::Late(seconds) => (How::Late(0), seconds),
            How::Delayed(seconds) => (How::Delayed(0), seconds),
            other => (other, 0),
        };
        let until = now + SignedDuration::from_secs(seconds.into());
        let mut spans = shared.spans.lock().unwrap();
        let span = spans.entry(index).or_insert((now, until));
        span.1 = span.1.max(until);
        drop(spans);
        *shared.struck.lock().unwrap().entry((of, kind)).or_default() += 1;
        Some(how)
    }

    /// Makes a call, which a fault may strike.
    fn call<'a, T: Send + 'a>(
        &'a self,
        of: Of,
        call: impl FnOnce() -> BoxFuture<'a, PortResult<T>>,
    ) -> BoxFuture<'a, PortResult<T>> {
        match self.strike(of) {
            None => call(),
            Some(how) => self.befall(how, call),
        }
    }

    /// Makes a call, unless it is lost before that. What is called here takes effect when it is waited for, and so at the end of a
    /// delay.
    fn befall<'a, T: Send + 'a>(
        &'a self,
        how: How,
        call: impl FnOnce() -> BoxFuture<'a, PortResult<T>>,
    ) -> BoxFuture<'a, PortResult<T>> {
        match how {
            How::Unsent => return refused(unanswered()),
            How::Throttled => return refused(PortError::new(PortErrorKind::Throttled, "slow down")),
            How::Denied => return refused(PortError::new(PortErrorKind::Denied, "not allowed just now")),
            _ => (),
        }
        let call = call();
        Box::pin(async move {
            match how {
                How::Delayed(seconds) => {
                    self.wait(seconds).await;
                    call.await
                }
                How::Late(seconds) => {
                    let answer = call.await;
                    self.wait(seconds).await;
                    answer
                }
                How::Lost(seconds) => {
                    let _ = call.await;
                    self.wait(seconds).await;
                    Err(unanswered())
                }
                _ => {
                    let _ = call.await;
                    Err(unanswered())
                }
            }
        })
    }

    async fn wait(&self, seconds: u32) {
        let clock = &self.shared.clock;
        let until = clock.now() + SignedDuration::from_secs(seconds.into());
        clock.sleep_until(until).await;
    }
}

fn unanswered() -> PortError {
    PortError::new(PortErrorKind::Unavailable, "no answer").maybe_sent()
}

fn refused<'a, T: Send + 'a>(error: PortError) -> BoxFuture<'a, PortResult<T>> {
    Box::pin(std::future::ready(Err(error)))
}
