//! From the SDK's error to core's error, with its kind, whether the call may have taken effect, and AWS's own words.

use super::error::{CallError, Refusal, RoleError, TooLate};
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use patchfleet_core::port::{AwsError, PortError, PortErrorKind, Sent};
use std::error::Error;

/// Reads the SDK's error, which is that of the call's last attempt. `what` says what failed and where.
/// `is_central` says whether the call went to the central Region.
pub(crate) fn failure<E>(
    what: impl Into<String>,
    is_central: bool,
    error: SdkError<E, HttpResponse>,
) -> CallError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let (kind, sent) = verdict(&error, is_central);
    let failed = match sent {
        Sent::No => PortError::new(kind, what),
        Sent::Maybe => PortError::new(kind, what).maybe_sent(),
    };
    let SdkError::ServiceError(answer) = &error else {
        return failed.with_source(error).into();
    };
    let code = answer.err().code();
    let refusal = Refusal {
        code: code.map(str::to_owned),
        message: answer.err().message().map(str::to_owned),
        status: answer.raw().status().as_u16(),
        request_id: error.request_id().map(str::to_owned),
    };
    let says_expired = answered(code, answer.raw(), is_central).says_expired();
    CallError::answered(
        failed.with_words(refusal.words()).with_source(refusal),
        code,
        says_expired,
    )
}

/// Whether no connection came about: there is no such host, or nobody listens there. A connection that broke, and an
/// answer that did not come in time, are no such thing: AWS may have taken the request.
pub(super) fn found_nobody(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        cause
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(hyper_util::client::legacy::Error::is_connect)
    })
}

fn verdict<E>(error: &SdkError<E, HttpResponse>, is_central: bool) -> (PortErrorKind, Sent)
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) => (
            kind_of_credentials(error).unwrap_or(PortErrorKind::Invalid),
            Sent::No,
        ),
        SdkError::DispatchFailure(_) if was_never_sent(error) => (
            kind_of_credentials(error).unwrap_or(PortErrorKind::Unavailable),
            Sent::No,
        ),
        SdkError::DispatchFailure(_) if causes(error).any(<dyn Error>::is::<TooLate>) => {
            (PortErrorKind::Unavailable, Sent::No)
        }
        SdkError::DispatchFailure(failure) if failure.is_user() => (PortErrorKind::Invalid, Sent::No),
        SdkError::ServiceError(answer) => {
            let code = answer.err().code();
            let answered = answered(code, answer.raw(), is_central);
            (answered.kind(), answered.sent())
        }
        SdkError::ResponseError(answer) => {
            let kind = match answered(None, answer.raw(), is_central).kind() {
                // A success or a refusal whose body cannot be read.
                PortErrorKind::Other => PortErrorKind::Unavailable,
                kind => kind,
            };
            (kind, Sent::Maybe)
        }
        // Timeouts, broken connections, and whatever the SDK adds.
        _ => (PortErrorKind::Unavailable, Sent::Maybe),
    }
}

/// The answer, in the shape that core's table of AWS's errors takes.
fn answered<'a>(code: Option<&'a str>, response: &HttpResponse, is_central: bool) -> AwsError<'a> {
    AwsError {
        code,
        status: response.status().as_u16(),
        is_central,
    }
}

/// Whether the request was never sent, because there were no credentials to sign it with, or no connection came about.
pub(super) fn was_never_sent(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        cause.is::<CredentialsError>()
            || cause.is::<RoleError>()
            || cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused)
    })
}

/// The kind of the failure, if its cause is that there are no credentials.
fn kind_of_credentials(error: &(dyn Error + 'static)) -> Option<PortErrorKind> {
    // The innermost cause says most, since a role's provider wraps its own failure.
    causes(error)
        .filter_map(|cause| {
            if let Some(failure) = cause.downcast_ref::<RoleError>() {
                return Some(failure.kind());
            }
            cause.downcast_ref::<CredentialsError>().map(|error| match error {
                CredentialsError::ProviderTimedOut(_) => PortErrorKind::Unavailable,
                _ => PortErrorKind::Credentials,
            })
        })
        .last()
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests;
