//! What became of each attempt of a call. The SDK retries by itself and reports only the last attempt. An earlier attempt
//! whose answer was lost may have taken effect, even if the last one was refused. An attempt that waited for its credentials
//! until it timed out has sent nothing.

use super::classify::was_never_sent;
use super::error::TooLate;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::date_time::Format;
use jiff::Timestamp;
use patchfleet_core::port::{Clock, Sent};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whose credentials sign a call, if they are not its client's own. It travels with the call. The clients'
/// identity cache finds it there, so that the accounts of a Region share one client.
#[derive(Debug, Clone)]
pub(crate) struct SignedBy(pub(crate) SharedCredentialsProvider);

impl Storable for SignedBy {
    type Storer = StoreReplace<Self>;
}

/// Watches every attempt of one call, and says who signs it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
    signed_by: Option<SignedBy>,
    not_after: Option<NotAfter>,
}

/// Until when a call may be sent.
#[derive(Clone)]
struct NotAfter {
    at: Timestamp,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for NotAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotAfter({})", self.at)
    }
}

#[derive(Debug, Default)]
struct Seen {
    may_have_taken_effect: bool,
    /// Whether any attempt was handed to the connection.
    was_transmitted: bool,
    /// Whether the attempt under way was.
    is_transmitted: bool,
    answered_at: Option<Timestamp>,
    asked: Option<String>,
}

impl Watch {
    /// The watch of a call that these credentials sign.
    pub(super) fn signed_by(credentials: SharedCredentialsProvider) -> Self {
        Self {
            signed_by: Some(SignedBy(credentials)),
            ..Self::default()
        }
    }

    /// The same of a call that is not sent after this instant.
    pub(super) fn not_after(self, at: Timestamp, clock: Arc<dyn Clock>) -> Self {
        Self {
            not_after: Some(NotAfter { at, clock }),
            ..self
        }
    }

    /// Whether any attempt was handed to the connection. If none was, nothing was sent.
    pub(super) fn was_transmitted(&self) -> bool {
        self.seen().was_transmitted
    }

    /// Whether any attempt may have taken effect: it may have reached AWS, and AWS did not refuse it.
    pub(crate) fn may_have_taken_effect(&self) -> bool {
        self.seen().may_have_taken_effect
    }

    /// When AWS answered the last attempt, by AWS's own clock, to the second (the `Date` of the HTTP
    /// answer). `None` if the answer has no date.
    pub(super) fn answered_at(&self) -> Option<Timestamp> {
        self.seen().answered_at
    }

    /// Where the last attempt was sent: scheme, host and port. `None` if nothing was sent yet.
    pub(super) fn asked(&self) -> Option<String> {
        self.seen().asked.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "PatchfleetWatch"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(signed_by) = &self.signed_by {
            config.interceptor_state().store_put(signed_by.clone());
        }
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.seen().is_transmitted = false;
        Ok(())
    }

    /// The last step before the connection: the call has its turn, its credentials and its signature by now.
    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(NotAfter { at, clock }) = &self.not_after {
            let now = clock.now();
            if now > *at {
                return Err(TooLate { at: *at, now }.into());
            }
        }
        let mut seen = self.seen();
        seen.asked = origin(context.request().uri());
        seen.is_transmitted = true;
        seen.was_transmitted = true;
        Ok(())
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
        seen.may_have_taken_effect |= seen.is_transmitted && !had_no_effect;
        seen.answered_at = date;
        Ok(())
    }
}

/// The scheme, host and port of a URL.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?']).next()?;
    Some(format!("{scheme}://{host}"))
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
