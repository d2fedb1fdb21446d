//! A call that failed, and what AWS said about it.

use super::operation::Operation;
use super::place::Place;
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::id::Region;
use patchfleet_core::port::{PortError, PortErrorKind, Sent};
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A call that had waited for so long that it was not sent any more.
#[derive(Debug, thiserror::Error)]
#[error(
    "it was to be sent by {at:.3} and had waited until {now:.3}, for its turn or for credentials, so it was not sent"
)]
pub(super) struct TooLate {
    pub(super) at: Timestamp,
    pub(super) now: Timestamp,
}

/// A failed call: core's error, and AWS's code for callers that act on a single code.
#[derive(Debug)]
pub(crate) struct CallError {
    error: PortError,
    code: Option<String>,
    says_expired: bool,
}

impl CallError {
    /// A call that AWS answered with an error.
    pub(super) fn answered(error: PortError, code: Option<&str>, says_expired: bool) -> Self {
        Self {
            error,
            code: code.map(str::to_owned),
            says_expired,
        }
    }

    /// Why it failed, in AWS's words.
    pub(super) fn reason(&self) -> String {
        self.error.reason()
    }

    /// Says that the call may have taken effect.
    pub(super) fn maybe_sent(self) -> Self {
        Self {
            error: self.error.maybe_sent(),
            ..self
        }
    }

    /// Says that nothing was sent. What it waited for in vain may be there another time.
    pub(super) fn never_sent(self) -> Self {
        if self.error.sent() == Sent::No {
            return self;
        }
        let error = PortError::new(self.error.kind(), "nothing was sent").with_words(self.error.reason());
        Self {
            error: error.with_source(self.error),
            ..self
        }
    }

    /// Whether AWS answered with this code.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether AWS refused the credentials because they have expired, and nothing has happened. The
    /// same call may succeed with new ones.
    pub(super) fn asks_for_new_credentials(&self) -> bool {
        self.says_expired && self.error.sent() == Sent::No
    }

    /// The error of a call that asked who the caller is. AWS answers a wrong key as it answers a Region that the key's
    /// account has not enabled (recorded), so the error names both.
    pub(crate) fn of_who_calls(self, central: &Region) -> Self {
        let is_unknown = self.kind() == PortErrorKind::Credentials && !self.says_expired;
        if !is_unknown || self.code.is_none() {
            return self;
        }
        let what = format!(
            "AWS does not take these credentials in {central}: see that they are right, and that {central} (from AWS_REGION, or the profile's region) is a Region that their account has enabled"
        );
        let error = PortError::new(self.error.kind(), what).with_words(self.error.reason());
        Self {
            error: error.with_source(self.error),
            ..self
        }
    }

    /// What kind of failure it is.
    pub(crate) fn kind(&self) -> PortErrorKind {
        self.error.kind()
    }

    /// Whether the call may have taken effect.
    pub(super) fn sent(&self) -> Sent {
        self.error.sent()
    }

    /// The error of a throttled call that is given up. AWS has answered no call of this operation there for `dry_for`.
    pub(super) fn out_of_patience(
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

/// A failure of which AWS has said nothing, such as a listing without end.
impl From<PortError> for CallError {
    fn from(error: PortError) -> Self {
        Self::answered(error, None, false)
    }
}

impl From<CallError> for PortError {
    fn from(failure: CallError) -> Self {
        failure.error
    }
}

/// AWS's refusal, in its own words.
#[derive(Debug, thiserror::Error)]
pub(super) struct Refusal {
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) status: u16,
    pub(super) request_id: Option<String>,
}

impl Refusal {
    /// The part of it that does not differ from call to call.
    pub(super) fn words(&self) -> String {
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

/// Why a role could not be assumed. Every call that waited for the role gets this answer.
#[derive(Debug, Clone)]
pub(crate) struct RoleError {
    kind: PortErrorKind,
    error: Arc<PortError>,
}

impl RoleError {
    pub(crate) fn new(kind: PortErrorKind, error: PortError) -> Self {
        Self {
            kind,
            error: Arc::new(error),
        }
    }

    /// The failure of AssumeRole.
    pub(crate) fn of(failure: CallError) -> Self {
        // STS gives one answer for a role that does not exist and for one that does not trust the caller.
        let kind = match failure.kind() {
            PortErrorKind::Denied | PortErrorKind::NotFound => PortErrorKind::RoleNotAssumable,
            kind => kind,
        };
        Self::new(kind, failure.into())
    }

    /// What kind of failure it was.
    pub(crate) fn kind(&self) -> PortErrorKind {
        self.kind
    }

    /// The error of a call that was not made because it needed this role.
    pub(crate) fn of_call(self, operation: Operation, place: &Place) -> PortError {
        PortError::new(self.kind, format!("{operation} in {place} was not tried"))
            .with_words(self.error.reason())
            .with_source(self)
    }
}

impl fmt::Display for RoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for RoleError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
