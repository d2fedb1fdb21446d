//! What is not to be sent any more, although its call is under way.

use super::{Driver, begun_before};
use crate::campaign::notice::Tried;
use crate::id::{ClientToken, DocumentName, ExecutionId, UnitId};
use crate::port::{Automation, Hearer, PortError, PortErrorKind, PortResult, hearing};
use futures_util::future::{Either, select};
use futures_util::task::AtomicWaker;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

/// What a look for a start asks while it has no answer, and a start right before it is sent.
#[derive(Debug, Default)]
pub(super) struct CallOff {
    is_called_off: AtomicBool,
    is_out_of_time: AtomicBool,
    waker: AtomicWaker,
}

impl CallOff {
    /// The start is not to be sent any more. What was sent by now runs.
    pub(super) fn call_off(&self) {
        self.is_called_off.store(true, Ordering::SeqCst);
    }

    /// The same. The look before it is not waited for either.
    pub(super) fn run_out_of_time(&self) {
        self.call_off();
        self.is_out_of_time.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Whether the start is not to be sent any more.
    pub(super) fn is_called_off(&self) -> bool {
        self.is_called_off.load(Ordering::SeqCst)
    }

    /// Waits until there is no more time.
    fn out_of_time(&self) -> impl Future<Output = ()> + Unpin {
        poll_fn(|context| {
            self.waker.register(context.waker());
            match self.is_out_of_time.load(Ordering::SeqCst) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
    }
}

/// [`begun_before::find`], for as long as the driver has time. A look that the port makes again and again, because AWS
/// throttles it, may last longer than a function lives.
pub(super) async fn find_in_time(
    driver: &Driver,
    automation: &dyn Automation,
    document: &DocumentName,
    token: ClientToken,
    unit: UnitId,
    off: &CallOff,
) -> PortResult<Option<ExecutionId>> {
    let find = begun_before::find(automation, document, token);
    in_time(driver, &super::trouble::of_unit(unit), off, find).await
}

/// A look before a start, for as long as the driver has time.
pub(super) async fn in_time<T>(
    driver: &Driver,
    subject: &str,
    off: &CallOff,
    look: impl Future<Output = PortResult<T>>,
) -> PortResult<T> {
    let throttled = Arc::<Mutex<Option<String>>>::default();
    let (heard, tell) = (
        Arc::clone(&throttled),
        driver.notices.hearer(Tried::LookBefore, subject, 0),
    );
    let hearer: Hearer = Arc::new(move |words| {
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(words.to_owned());
        tell(words);
    });
    // First the answer.
    if let Either::Left((found, _)) = select(pin!(hearing(look, hearer)), off.out_of_time()).await {
        return found;
    }
    let words = throttled.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (kind, why) = match words {
        Some(words) => (PortErrorKind::Throttled, words),
        None => (
            PortErrorKind::Unavailable,
            "AWS did not answer as long as the driver had time".to_owned(),
        ),
    };
    Err(PortError::new(kind, begun_before::unseen(&why)))
}
