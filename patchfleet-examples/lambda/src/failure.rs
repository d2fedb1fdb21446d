//! Why an event was not served.

use lambda_runtime::Diagnostic;
use patchfleet_core::id::CampaignId;
use patchfleet_core::problem::chain;
use patchfleet_core::text::lines;
use std::error::Error;
use std::fmt;

/// Why an event was not served. Lambda answers it as the function's error, and the runtime logs it once.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    kind: &'static str,
    message: String,
    campaign: Option<CampaignId>,
}

impl Failure {
    /// The error and its causes in one message.
    pub(crate) fn new(kind: &'static str, error: &(dyn Error + 'static)) -> Self {
        Self {
            kind,
            message: lines(&chain(error)),
            campaign: None,
        }
    }

    /// The same, of an event whose campaign is known.
    pub(crate) fn of(self, campaign: CampaignId) -> Self {
        Self {
            campaign: Some(campaign),
            ..self
        }
    }

    /// `InvalidRequest`, `Refused`, `Unfinished` or `Failed`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Every problem, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

/// As it is displayed, with the campaign. The runtime logs errors in this form, outside of the span that has the campaign.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        match self.campaign {
            Some(campaign) => write!(f, " (campaign {campaign})"),
            None => Ok(()),
        }
    }
}

impl Error for Failure {}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self {
            error_type: failure.kind.to_owned(),
            error_message: failure.message,
        }
    }
}
