//! Calls that have no effect, and answers that are lost.

use super::give_way;
use crate::port::{BoxFuture, PortError, PortErrorKind, PortResult};
use futures_util::FutureExt as _;
use std::sync::Mutex;

/// What goes wrong with calls, by their number over all ports together.
#[derive(Default)]
pub(crate) struct Chaos {
    pub(crate) calls: Mutex<u32>,
    pub(crate) fault: Mutex<Option<(u32, Fault)>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// The call has no effect, and says so.
    Before,
    /// The call has its effect, and its answer is lost.
    After,
}

impl Chaos {
    pub(in super::super) fn call<'a, T: Send + 'a>(
        &'a self,
        effect: impl FnOnce() -> PortResult<T> + Send + 'a,
    ) -> BoxFuture<'a, PortResult<T>> {
        async move {
            give_way().await;
            let number = {
                let mut calls = self.calls.lock().unwrap();
                *calls += 1;
                *calls
            };
            let fault = self
                .fault
                .lock()
                .unwrap()
                .filter(|(at, _)| *at == number)
                .map(|(_, fault)| fault);
            let unavailable = || PortError::new(PortErrorKind::Unavailable, "no answer");
            if fault == Some(Fault::Before) {
                return Err(unavailable());
            }
            let answer = effect();
            give_way().await;
            if fault == Some(Fault::After) {
                Err(unavailable().maybe_sent())
            } else {
                answer
            }
        }
        .boxed()
    }
}
