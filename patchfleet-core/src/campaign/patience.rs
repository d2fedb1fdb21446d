//! A call that is made again while what keeps it from an answer may pass by itself. A person is told of it. The log has
//! its own way, as an append that failed may have succeeded (`journal.rs`).

use super::notice::{Failed, Notices, Tried};
use super::polls::{Failures, later};
use crate::port::{Clock, PortError, PortErrorKind, PortResult, hearing};
use std::future::Future;

/// How a call is made again.
pub(super) struct Patience<'a> {
    /// What is waited by.
    pub(super) clock: &'a dyn Clock,
    /// Who is told.
    pub(super) notices: &'a Notices,
    /// What is tried.
    pub(super) what: Tried,
    /// Of what.
    pub(super) subject: &'a str,
}

impl Patience<'_> {
    /// Makes a call until it has an answer, fails for a reason that `lasts`, or has failed too often.
    pub(super) async fn call<T, F: Future<Output = PortResult<T>>>(
        &self,
        call: impl Fn() -> F,
        lasts: impl Fn(PortErrorKind) -> bool,
    ) -> PortResult<T> {
        let Self {
            clock,
            notices,
            what,
            subject,
        } = *self;
        let _tries = Tries {
            clock,
            notices,
            what,
            subject,
        };
        let mut failures = Failures::default();
        loop {
            notices.asked(what, subject, clock.now());
            let call = hearing(call(), notices.hearer(what, subject, 0));
            let error = match call.await {
                Ok(answer) => {
                    notices.works(what, subject, clock.now());
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let (kind, now) = (error.kind(), clock.now());
            failures.add(kind);
            if lasts(kind) || failures.are_too_many() {
                notices.given_up(what, subject, now);
                return Err(error);
            }
            let next = later(now, failures.backoff());
            let failed = Failed {
                reason: words(what, &error),
                next: Some(next),
                until: Some(failures.until(now, kind)),
            };
            notices.failed(what, subject, failed, now);
            clock.sleep_until(next).await;
        }
    }
}

/// Something that is tried, again and again. Whoever drops it tries no more, and nothing more is told of it.
pub(super) struct Tries<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) notices: &'a Notices,
    pub(super) what: Tried,
    pub(super) subject: &'a str,
}

impl Drop for Tries<'_> {
    fn drop(&mut self) {
        self.notices.given_up(self.what, self.subject, self.clock.now());
    }
}

/// Why it failed: in AWS's words, or in all that a store says.
fn words(what: Tried, error: &PortError) -> String {
    match what {
        Tried::Rows | Tried::KeptRows => error.chain(),
        _ => error.reason(),
    }
}
