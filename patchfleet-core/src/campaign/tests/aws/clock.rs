//! Time of the small AWS, which passes only when somebody waits, and futures that are polled by hand.

use crate::port::{BoxFuture, Clock};
use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use std::future::Future;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// Polls a future to its end. What never ends fails the test.
pub(crate) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    for _ in 0..1_000_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
    panic!("it never ends");
}

/// Gives way once.
pub(crate) async fn give_way() {
    let mut gave = false;
    std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut gave, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

pub(crate) struct FakeClock(pub(in super::super) Mutex<Timestamp>);

impl FakeClock {
    pub(crate) fn advance(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        async move {
            give_way().await;
            let mut now = self.0.lock().unwrap();
            *now = at.max(*now);
        }
        .boxed()
    }
}
