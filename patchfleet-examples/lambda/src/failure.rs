//! Why an event was not served.

use crate::event::Form;
use lambda_runtime::Diagnostic;
use patchfleet_aws::S3Uri;
use patchfleet_core::campaign::{DriveError, FireError};
use patchfleet_core::id::CampaignId;
use patchfleet_core::port::{PortError, PortErrorKind};
use patchfleet_core::problem::{Problems, chain};
use patchfleet_core::text::{in_log, lines};
use patchfleet_core::{CampaignError, Remedy};
use std::error::Error;
use std::fmt;

/// What whoever gets a failure can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// What was delivered, or a setting of the function, is wrong. Nothing was started, and trying again does not help.
    InvalidRequest,
    /// The plan is refused, or something stands against the campaign. Trying again alone does not help.
    Refused,
    /// A part was done. The same event, delivered again, does the rest.
    Unfinished,
    /// The campaign stays open, and only a person can go on with it.
    NeedsPerson,
    /// Anything else. Trying again is safe.
    Failed,
}

impl FailureKind {
    /// Its name, as a function error's type.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "InvalidRequest",
            Self::Refused => "Refused",
            Self::Unfinished => "Unfinished",
            Self::NeedsPerson => "NeedsPerson",
            Self::Failed => "Failed",
        }
    }
}

/// How the function takes a plan of which a part has to wait.
const WITH_A_DRIVER: &str = "The function takes it as it is once it has a log (PATCHFLEET_LOG) and a state machine that \
                             follows campaigns (PATCHFLEET_STATE_MACHINE)";

/// Why an event was not served. Lambda answers it as the function's error, and the function logs it once.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    kind: FailureKind,
    message: String,
    campaign: Option<CampaignId>,
}

impl Failure {
    /// The error and its causes in one message.
    pub(crate) fn new(kind: FailureKind, error: &(dyn Error + 'static)) -> Self {
        Self::said(kind, &chain(error))
    }

    /// A failure in these words.
    pub(crate) fn said(kind: FailureKind, words: &str) -> Self {
        Self {
            kind,
            message: lines(words),
            campaign: None,
        }
    }

    /// A failure of AWS's settings, or of whatever the port asked for.
    pub(crate) fn of_port(error: &PortError) -> Self {
        Self::new(kind_of(error), error)
    }

    /// A failure to read or write the log there.
    pub(crate) fn of_log(error: &PortError, log: &S3Uri) -> Self {
        Self::said(
            kind_of(error),
            &format!("PATCHFLEET_LOG = {log}: {}", chain(error)),
        )
    }

    /// A failure to keep anything there, before a campaign is written down.
    pub(crate) fn of_place(error: &PortError, log: &S3Uri) -> Self {
        let failure = Self::of_log(error, log);
        Self {
            kind: match error.kind() {
                PortErrorKind::Denied => FailureKind::InvalidRequest,
                _ => failure.kind,
            },
            ..failure
        }
    }

    /// Why a campaign that is written down there was not begun or not driven on.
    pub(crate) fn of_campaign(error: &CampaignError, log: &S3Uri) -> Self {
        let kind = match error {
            CampaignError::NoPlace(error) => return Self::of_place(error, log),
            CampaignError::Driving(DriveError::NoSuchCampaign { .. }) => FailureKind::InvalidRequest,
            CampaignError::Driving(DriveError::RunsOn { .. }) => FailureKind::NeedsPerson,
            error => match error.remedy() {
                Remedy::Change => FailureKind::Refused,
                Remedy::OtherPlace => FailureKind::InvalidRequest,
                Remedy::Look => FailureKind::NeedsPerson,
                _ => FailureKind::Failed,
            },
        };
        let failure = Self::new(kind, error);
        Self {
            message: in_log(&failure.message, Some(log.to_string().as_ref())),
            ..failure
        }
    }

    /// Why a campaign that nobody follows was not started.
    pub(crate) fn of_fired(error: &CampaignError) -> Self {
        let kind = match (error, error.remedy()) {
            (CampaignError::Serving(FireError::Unfinished(_)), _) => FailureKind::Unfinished,
            (_, Remedy::Change) => FailureKind::Refused,
            _ => FailureKind::Failed,
        };
        let failure = Self::new(kind, error);
        match error {
            CampaignError::Serving(FireError::NeedsDriver { .. }) => Self {
                message: format!("{}. {WITH_A_DRIVER}", failure.message.trim_end_matches('.')),
                ..failure
            },
            _ => failure,
        }
    }

    /// The same. If a policy would settle it and the event has no place for one, it says what to do.
    pub(crate) fn with_the_way_out(self, form: Form) -> Self {
        let (what, id) = match form {
            Form::Window => ("A maintenance window's payload", "{{WINDOW_EXECUTION_ID}}"),
            Form::Sample => ("The second post's environment", "<id>"),
            Form::Request | Form::Wrapped => return self,
        };
        if self.kind != FailureKind::Refused || !self.message.contains("policy.") {
            return self;
        }
        if form == Form::Window && self.message.contains("policy.offline") {
            let way_out = "In a maintenance window's payload that is the key Offline: target, skip or refuse";
            return Self {
                message: format!("{}\n{way_out}", self.message),
                ..self
            };
        }
        let none = match form {
            Form::Window => "no policy but Offline",
            _ => "no policy",
        };
        let way_out = format!(
            "{what} can set {none}. Give the function a request in its place, which can set every policy: \
             {{\"event_id\": \"{id}\", \"request\": {{…, \"policy\": {{…}}}}}}"
        );
        Self {
            message: format!("{}\n{way_out}", self.message),
            ..self
        }
    }

    /// The same, of an event whose campaign is known.
    pub(crate) fn of(self, campaign: CampaignId) -> Self {
        Self {
            campaign: Some(campaign),
            ..self
        }
    }

    /// What can be done.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Every problem, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// A setting that is wrong stays so. What is damaged is for a person to see. Anything else may pass.
fn kind_of(error: &PortError) -> FailureKind {
    match error.kind() {
        PortErrorKind::Invalid => FailureKind::InvalidRequest,
        PortErrorKind::Incompatible => FailureKind::NeedsPerson,
        _ => FailureKind::Failed,
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::new(FailureKind::InvalidRequest, &problems)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.message)
    }
}

/// As it is displayed, with the campaign. Errors are logged in this form, outside of the span that has the campaign.
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
            error_type: failure.kind.as_str().to_owned(),
            error_message: failure.message,
        }
    }
}
