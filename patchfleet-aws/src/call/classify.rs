//! From the SDK's errors to the port's: what kind it is, whether it may have taken effect, and
//! AWS's own words, once.

use crate::call::attempts::Attempts;
use crate::call::limits::Operation;
use crate::call::place::Place;
use crate::credentials::role::AssumeFailure;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use jiff::SignedDuration;
use patchfleet_core::port::{AwsError, PortError, PortErrorKind, Sent};
use std::error::Error;
use std::fmt;

/// A failed call: the port's error, and AWS's code for those who make something of it.
#[derive(Debug)]
pub(crate) struct Failure {
    error: PortError,
    code: Option<String>,
    says_expired: bool,
}

impl Failure {
    /// Whether AWS answered with this code.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether AWS refused the credentials because they have expired, and nothing has happened: the
    /// same call may do with new ones.
    pub(crate) fn asks_for_new_credentials(&self) -> bool {
        self.says_expired && self.error.sent() == Sent::No
    }

    /// What kind of failure it is.
    pub(crate) fn kind(&self) -> PortErrorKind {
        self.error.kind()
    }

    /// Whether the call may have taken effect.
    pub(crate) fn sent(&self) -> Sent {
        self.error.sent()
    }

    /// The failure of a call that was throttled, after AWS had answered no such call for `dry_for`.
    pub(crate) fn out_of_patience(
        self,
        operation: Operation,
        place: &Place,
        dry_for: SignedDuration,
    ) -> Self {
        let seconds = dry_for.as_secs();
        let what = format!(
            "AWS throttled every {operation} in {place} for {seconds} s, however slowly patchfleet asked"
        );
        let error = PortError::new(self.error.kind(), what);
        let error = match self.error.sent() {
            Sent::No => error,
            Sent::Maybe => error.maybe_sent(),
        };
        Self {
            error: error.with_words(self.error.reason()).with_source(self.error),
            ..self
        }
    }
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// AWS's refusal, in its own words.
#[derive(Debug, thiserror::Error)]
struct Refusal {
    code: Option<String>,
    message: Option<String>,
    status: u16,
    request_id: Option<String>,
}

impl Refusal {
    /// What AWS says every time.
    fn words(&self) -> String {
        let code = self.code.as_deref().unwrap_or("an error without a code");
        match self.message.as_deref() {
            None | Some("") => code.to_owned(),
            Some(message) => format!("{code}: {message}"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (status {}", self.words(), self.status)?;
        if let Some(id) = &self.request_id {
            write!(f, ", request {id}")?;
        }
        f.write_str(")")
    }
}

/// Reads an error of the SDK. `what` says what failed and where, `is_central` whether the call went to
/// the central Region, and `attempts`, for calls that change something, what became of the attempts
/// before the last.
pub(crate) fn failure<E>(
    what: impl Into<String>,
    is_central: bool,
    error: SdkError<E, HttpResponse>,
    attempts: Option<&Attempts>,
) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let (kind, mut sent) = verdict(&error, is_central);
    if attempts.is_some_and(Attempts::may_have_taken_effect) {
        sent = Sent::Maybe;
    }
    let mut port_error = PortError::new(kind, what);
    if sent == Sent::Maybe {
        port_error = port_error.maybe_sent();
    }
    let code = error.code().map(str::to_owned);
    let says_expired = AwsError {
        code: code.as_deref(),
        status: 0,
        is_central,
    }
    .says_expired();
    let port_error = match &error {
        SdkError::ServiceError(answer) => {
            let refusal = Refusal {
                code: code.clone(),
                message: answer.err().message().map(str::to_owned),
                status: answer.raw().status().as_u16(),
                request_id: error.request_id().map(str::to_owned),
            };
            port_error.with_words(refusal.words()).with_source(refusal)
        }
        _ => port_error.with_source(error),
    };
    Failure {
        error: port_error,
        says_expired,
        code,
    }
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
        SdkError::DispatchFailure(failure) if failure.is_user() => (PortErrorKind::Invalid, Sent::No),
        SdkError::ServiceError(answer) => {
            let code = answer.err().code();
            let answered = answered(code, answer.raw(), is_central);
            (answered.kind(), answered.sent())
        }
        SdkError::ResponseError(answer) => {
            let kind = match answered(None, answer.raw(), is_central).kind() {
                // A status of success or a refusal without words: an answer, and not a readable one.
                PortErrorKind::Other => PortErrorKind::Unavailable,
                kind => kind,
            };
            (kind, Sent::Maybe)
        }
        // Timeouts, connections that broke, and whatever the SDK adds.
        _ => (PortErrorKind::Unavailable, Sent::Maybe),
    }
}

/// The answer as core's table of AWS's errors takes it.
fn answered<'a>(code: Option<&'a str>, response: &HttpResponse, is_central: bool) -> AwsError<'a> {
    AwsError {
        code,
        status: response.status().as_u16(),
        is_central,
    }
}

/// Whether the cause lies before the request left: no credentials to sign it with, or nobody there
/// to connect to.
pub(crate) fn was_never_sent(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        cause.is::<CredentialsError>()
            || cause.is::<AssumeFailure>()
            || cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused)
    })
}

/// What kind of failure it is that there are no credentials, if that is the cause.
pub(crate) fn kind_of_credentials(error: &(dyn Error + 'static)) -> Option<PortErrorKind> {
    // The innermost says most: a role's provider wraps its own failure.
    causes(error)
        .filter_map(|cause| {
            if let Some(failure) = cause.downcast_ref::<AssumeFailure>() {
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
