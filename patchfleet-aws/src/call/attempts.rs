//! Watches the attempts of one call. The SDK retries by itself and tells of the last attempt only;
//! a refused last attempt says nothing of a first one whose answer was lost.

use crate::call::classify::was_never_sent;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use patchfleet_core::port::Sent;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What became of a call's attempts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts(Arc<AtomicBool>);

impl Attempts {
    /// Whether some attempt may have taken effect: it may have reached AWS, and AWS did not
    /// answer that it refuses it.
    pub(crate) fn may_have_taken_effect(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "PatchfleetAttempts"
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
        if !had_no_effect {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
