//! When AWS gave an answer, by its own clock: the `Date` of the HTTP answer.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

/// Watches one call for the time of its last answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answered(Arc<Mutex<Option<Timestamp>>>);

impl Answered {
    /// When AWS gave the last answer, to the second. `None` if it did not say.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Answered {
    fn name(&self) -> &'static str {
        "PatchfleetAnswered"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context
            .response()
            .and_then(|response| response.headers().get("date"))
            .and_then(read_date);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
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
