//! What became of each attempt of a call. The SDK retries by itself, and reports the last attempt only.
//! But a first attempt whose answer was lost may have taken effect, even if the last one was refused.

use super::classify::was_never_sent;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use jiff::Timestamp;
use patchfleet_core::port::Sent;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Watches every attempt of one call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    may_have_taken_effect: bool,
    answered_at: Option<Timestamp>,
}

impl Watch {
    /// Whether any attempt may have taken effect: it may have reached AWS, and AWS did not refuse it.
    pub(super) fn may_have_taken_effect(&self) -> bool {
        self.seen().may_have_taken_effect
    }

    /// When AWS answered the last attempt, by AWS's own clock, to the second (the `Date` of the HTTP
    /// answer). `None` if the answer has no date.
    pub(super) fn answered_at(&self) -> Option<Timestamp> {
        self.seen().answered_at
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "PatchfleetWatch"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let had_no_effect = match context.response() {
            Some(response) => Sent::of_status(response.status().as_u16()) == Sent::No,
            None => matches!(context.output_or_error(), Some(Err(error)) if was_never_sent(error)),
        };
        let date = context
            .response()
            .and_then(|response| response.headers().get("date"))
            .and_then(read_date);
        let mut seen = self.seen();
        seen.may_have_taken_effect |= !had_no_effect;
        seen.answered_at = date;
        Ok(())
    }
}

fn read_date(text: &str) -> Option<Timestamp> {
    let date = DateTime::from_str(text, Format::HttpDate).ok()?;
    Timestamp::from_second(date.secs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_http_answer_is_read_to_the_second() {
        let read = read_date("Fri, 27 Nov 2026 02:25:14 GMT").unwrap();
        assert_eq!(read.to_string(), "2026-11-27T02:25:14Z");
        assert_eq!(read_date("yesterday"), None);
    }
}
