//! Throttled calls are not the SDK's to retry: they go back to the queue of their operation, so that
//! the rate learns of each of them.

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority, RetryReason,
};
use aws_smithy_types::retry::ErrorKind;

/// Takes throttled attempts from the SDK's retries. All others stay the SDK's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThrottlesAreOurs;

impl ClassifyRetry for ThrottlesAreOurs {
    fn classify_retry(&self, _: &InterceptorContext) -> RetryAction {
        RetryAction::NoActionIndicated
    }

    fn classify_retry_v2(&self, _: &InterceptorContext, previous: &RetryAction) -> RetryAction {
        match previous {
            RetryAction::RetryIndicated(RetryReason::RetryableError {
                kind: ErrorKind::ThrottlingError,
                ..
            }) => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "PatchfleetThrottles"
    }

    fn priority(&self) -> RetryClassifierPriority {
        let last = RetryClassifierPriority::transient_error_classifier();
        RetryClassifierPriority::run_after(RetryClassifierPriority::run_after(last))
    }
}
