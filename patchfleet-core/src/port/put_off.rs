//! What a call says of itself before it has an answer.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

/// Who hears that a call was put off, in the words of whoever was called.
pub(crate) type Hearer = Arc<dyn Fn(&str) + Send + Sync>;

thread_local! {
    /// Who hears of the call that this thread is polling.
    static HEARER: RefCell<Option<Hearer>> = const { RefCell::new(None) };
}

/// Says that the call which is under way was put off, because it is throttled, and is made again by itself. `words` are
/// those of whoever was called.
///
/// A port may wait and make a call again before it answers, for minutes. Whoever waits for it is told then that it is
/// throttled, and why, where they would be told that it has no answer. Say it from within the port's future: work
/// that the port has spawned is not known to belong to the call. If nobody listens, nothing happens.
pub fn put_off(words: &str) {
    let hearer = HEARER.with(|hearer| hearer.borrow().clone());
    if let Some(hearer) = hearer {
        hearer(words);
    }
}

/// The same call, of which `hearer` hears when it is put off.
pub(crate) async fn hearing<F: Future>(call: F, hearer: Hearer) -> F::Output {
    let mut call = pin!(call);
    poll_fn(|context| {
        let _polls = Polls::with(Arc::clone(&hearer));
        call.as_mut().poll(context)
    })
    .await
}

/// As long as a call is polled. Whoever heard before hears again afterwards.
struct Polls(Option<Hearer>);

impl Polls {
    fn with(hearer: Hearer) -> Self {
        Self(HEARER.with(|current| current.replace(Some(hearer))))
    }
}

impl Drop for Polls {
    fn drop(&mut self) {
        let before = self.0.take();
        HEARER.with(|current| current.replace(before));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt as _, future};
    use std::sync::Mutex;
    use std::task::Poll;

    /// Has no answer at first.
    async fn give_way() {
        let mut gave_way = false;
        let turn = poll_fn(|_| match std::mem::replace(&mut gave_way, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        turn.await;
    }

    #[test]
    fn of_two_calls_that_wait_side_by_side_each_is_heard_by_its_own_listener() {
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let hearer = |who: &'static str| -> Hearer {
            let heard = Arc::clone(&heard);
            Arc::new(move |words| heard.lock().unwrap().push(format!("{who}: {words}")))
        };
        let call = async |words: &'static str| {
            for _ in 0..2 {
                put_off(words);
                give_way().await;
            }
        };
        let inner = hearing(call("slow down"), hearer("inner"));
        let outer = async {
            inner.await;
            put_off("too many");
        };
        let mut both = Box::pin(future::join(
            hearing(outer, hearer("first")),
            hearing(call("rate exceeded"), hearer("second")),
        ));
        while (&mut both).now_or_never().is_none() {}
        put_off("nobody listens");
        assert_eq!(
            *heard.lock().unwrap(),
            [
                "inner: slow down",
                "second: rate exceeded",
                "inner: slow down",
                "second: rate exceeded",
                "first: too many",
            ]
        );
    }
}
