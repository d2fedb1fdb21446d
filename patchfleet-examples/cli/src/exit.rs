//! How a command ends: exit codes that scripts rely on, and what is said on standard error.

use patchfleet_core::campaign::DriveError;
use patchfleet_core::plan::PlanError;
use patchfleet_core::problem::{Problems, chain};
use patchfleet_core::refusal::{Refusal, RefusalReason};
use patchfleet_core::text::{counted, in_log, lines, one_line};
use patchfleet_core::{CampaignError, Remedy};
use serde_json::{Value, json};
use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Says something to a person on standard error.
pub(crate) fn say(words: &str) {
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(anstream::stderr(), "patchfleet: {}", lines(words));
}

/// Why a command did not do what it was asked for.
pub(crate) enum Failure {
    /// Bad usage: a file that cannot be read, a setting that is missing.
    Usage(String),
    /// An invalid world file, and its name.
    #[cfg(feature = "sim")]
    World(String, patchfleet_sim::spec::WorldError),
    /// An invalid request.
    Invalid(Problems),
    /// Refused before anything was started.
    Refused(Refusal),
    /// Refused, and what to do next, which is told first.
    RefusedThen(Refusal, String),
    /// A person said no before anything was started, or cannot be asked. What is told of it.
    Declined(&'static str),
    /// Anything else.
    Unexpected(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// 1 unexpected, 2 usage or request, 3 refused.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Unexpected(_) => 1,
            Self::Usage(_) | Self::Invalid(_) => 2,
            #[cfg(feature = "sim")]
            Self::World(..) => 2,
            Self::Refused(_) | Self::RefusedThen(..) | Self::Declined(_) => 3,
        })
    }

    /// The same failure. Each command that its words tell to type now names the log.
    pub(crate) fn in_log(mut self, log: Option<&Path>) -> Self {
        if let Self::RefusedThen(_, next) = &mut self {
            *next = in_log(next, log);
        }
        if let Self::Refused(refusal) | Self::RefusedThen(refusal, _) = &mut self {
            for reason in &mut refusal.reasons {
                reason.detail = in_log(&reason.detail, log);
            }
        }
        self
    }

    /// What is wrong with the input, for scripts, if that is why. A file that cannot be read at all has one problem, which
    /// names no field.
    pub(crate) fn problems(&self) -> Option<Vec<Value>> {
        match self {
            Self::Invalid(problems) => Some(problems.problems().iter().map(|one| json!(one)).collect()),
            #[cfg(feature = "sim")]
            Self::World(..) => Some(vec![unreadable(&self.message())]),
            Self::Usage(message) => Some(vec![unreadable(message)]),
            _ => None,
        }
    }

    /// What a person is told.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Usage(message) => one_line(message),
            #[cfg(feature = "sim")]
            Self::World(name, error) => format!("{}: {error}", one_line(name)),
            Self::Invalid(problems) => problems.to_string(),
            Self::Refused(refusal) => refusal.to_string(),
            Self::RefusedThen(refusal, next) => format!("{next}\n{}", few_of(refusal)),
            Self::Declined(why) => (*why).to_owned(),
            Self::Unexpected(error) => one_line(&chain(error.as_ref())),
        }
    }
}

/// A problem of the whole input.
fn unreadable(why: &str) -> Value {
    json!({ "code": "unreadable", "path": "", "value": "", "expected": "", "detail": one_line(why) })
}

/// How many reasons are told after what to do next.
const FEW: usize = 3;

/// The first reasons of a refusal, and how many more there are.
fn few_of(refusal: &Refusal) -> String {
    let reasons: Vec<RefusalReason> = refusal.reasons.iter().take(FEW).cloned().collect();
    let more = refusal.reasons.len() - reasons.len();
    let few = Refusal { reasons };
    match more {
        0 => few.to_string(),
        n => format!("{few}\n  and {}", counted(n, "more reason")),
    }
}

/// Makes errors of these types unexpected failures.
macro_rules! unexpected {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Unexpected(Box::new(error))
            }
        }
    )*};
}

unexpected!(
    std::io::Error,
    serde_json::Error,
    patchfleet_core::id::ParseIdError,
    patchfleet_core::port::PortError,
);

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Refused(refusal) => Self::Refused(refusal),
            PlanError::Port(error) => error.into(),
        }
    }
}

impl From<DriveError> for Failure {
    fn from(error: DriveError) -> Self {
        CampaignError::from(error).into()
    }
}

impl From<CampaignError> for Failure {
    fn from(error: CampaignError) -> Self {
        match error {
            CampaignError::Refused(refusal) => Self::Refused(refusal),
            CampaignError::NoPlace(error) => {
                Self::Usage(format!("--log (or PATCHFLEET_LOG): {}", error.chain()))
            }
            error if error.remedy() == Remedy::OtherPlace => Self::Usage(chain(&error)),
            error => Self::Unexpected(Box::new(error)),
        }
    }
}
