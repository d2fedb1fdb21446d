//! The one error of all ports. It has a kind to act on, says whether the request may have taken effect, and keeps the
//! source.

use crate::presigned::concealed_within;
use crate::text::one_line;
use std::{error::Error, fmt};

/// Why a port's call failed, as far as core acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PortErrorKind {
    /// The caller may not do this here.
    Denied,
    /// The role in the account could not be assumed. It is missing, or it does not trust the caller.
    RoleNotAssumable,
    /// AWS throttled the call and every retry of it.
    Throttled,
    /// What was named is not there.
    NotFound,
    /// The Region is not enabled in the account, or there is no such Region.
    RegionNotEnabled,
    /// A quota is used up, such as running and queued automations.
    LimitExceeded,
    /// AWS refused the input. From a log, or from node rows, it means that their place cannot be used as it is.
    Invalid,
    /// The execution is over already, or cannot be stopped in its present state.
    NotRunning,
    /// The same client token was used before with other parameters.
    TokenMismatch,
    /// The caller's own credentials are missing, wrong or expired.
    Credentials,
    /// No answer, or a server-side failure, after every retry.
    Unavailable,
    /// The account is in no organization, or the caller may not see it.
    NotInOrganization,
    /// Saved state was written by a newer version, or is damaged.
    Incompatible,
    /// Anything else.
    Other,
}

impl PortErrorKind {
    /// The kind in snake_case, as it stands in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::RoleNotAssumable => "role_not_assumable",
            Self::Throttled => "throttled",
            Self::NotFound => "not_found",
            Self::RegionNotEnabled => "region_not_enabled",
            Self::LimitExceeded => "limit_exceeded",
            Self::Invalid => "invalid",
            Self::NotRunning => "not_running",
            Self::TokenMismatch => "token_mismatch",
            Self::Credentials => "credentials",
            Self::Unavailable => "unavailable",
            Self::NotInOrganization => "not_in_organization",
            Self::Incompatible => "incompatible",
            Self::Other => "other",
        }
    }

    /// Whether the same call may succeed later, although nobody changes anything.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable | Self::LimitExceeded)
    }

    /// Whether the same call for another node of the same location would fail for the same reason.
    pub(crate) fn is_of_location(self) -> bool {
        matches!(
            self,
            Self::Denied | Self::RoleNotAssumable | Self::Credentials | Self::RegionNotEnabled
        )
    }
}

impl fmt::Display for PortErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether a failed request may have taken effect. The difference decides whether a start may be
/// sent again without looking first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sent {
    /// It had no effect. It was never sent, or AWS refused it.
    No,
    /// Nobody knows. It was sent, and no readable answer came.
    Maybe,
}

/// A failed call of a port. `Display` says what failed; the cause is in [`Error::source`].
#[derive(Debug)]
pub struct PortError {
    kind: PortErrorKind,
    sent: Sent,
    message: String,
    words: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl PortError {
    /// An error of `kind` that had no effect. `message` names the operation and where it was
    /// tried, and repeats nothing of the source.
    #[must_use]
    pub fn new(kind: PortErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            sent: Sent::No,
            message: message.into(),
            words: None,
            source: None,
        }
    }

    /// Says that the request may have taken effect.
    #[must_use]
    pub fn maybe_sent(mut self) -> Self {
        self.sent = Sent::Maybe;
        self
    }

    /// Keeps AWS's own words, which are its code and message. Leave out what differs from call to call, such as a
    /// request id. The words stand in plans, records and reports, where a presigned URL is replaced by its digest.
    #[must_use]
    pub fn with_words(mut self, words: impl Into<String>) -> Self {
        self.words = Some(concealed_within(&words.into()).into_owned());
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> PortErrorKind {
        self.kind
    }

    /// Whether the request may have taken effect.
    #[must_use]
    pub fn sent(&self) -> Sent {
        self.sent
    }

    /// The reason, for plans, records and reports. It is AWS's own words, which are the same every time. Without such
    /// words it is all that is known.
    #[must_use]
    pub fn reason(&self) -> String {
        self.words.clone().unwrap_or_else(|| self.chain())
    }

    /// The message and every cause below it, joined by `: `, for logs and for people.
    #[must_use]
    pub fn chain(&self) -> String {
        crate::problem::chain(self)
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&self.message))
    }
}

impl Error for PortError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
