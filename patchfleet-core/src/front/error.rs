//! Why there is no report, and what can be done about it.

use crate::campaign::{DriveError, FireError, UnfinishedReason};
use crate::id::{CampaignId, RequestName};
use crate::plan::PlanError;
use crate::port::{PortError, PortErrorKind};
use crate::refusal::Refusal;
use std::error::Error;

/// Why a campaign was not planned, not begun, or not followed to its end. [`remedy`](Self::remedy) says what can
/// be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CampaignError {
    /// Refused before anything was started, with every reason.
    #[error(transparent)]
    Refused(Refusal),
    /// The store has a campaign of this id, and it is of another request. Nothing was started.
    #[error(
        "campaign {campaign} is one of the request {name}, and not as it is asked for now: give each campaign an \
         id of its own"
    )]
    OtherRequest {
        /// The campaign.
        campaign: CampaignId,
        /// Its request's name.
        name: RequestName,
    },
    /// Nothing can be kept where the store is. Nothing was started.
    #[error(transparent)]
    NoPlace(PortError),
    /// A port or the store did not answer. If nothing was begun before, nothing was started.
    #[error(transparent)]
    Asking(PortError),
    /// The campaign cannot be begun, or followed further.
    #[error(transparent)]
    Driving(DriveError),
    /// An event was not served, because what it asks for cannot be started and left to itself.
    #[error(transparent)]
    Serving(FireError),
}

/// What whoever gets a [`CampaignError`] can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remedy {
    /// Change what the error names: the request, a role, or the way to run it. Trying again alone does not help.
    Change,
    /// Name another place for the store, or make that place usable. Nothing was started.
    OtherPlace,
    /// Wait, or renew the credentials, and call it again. A campaign that has begun stays open meanwhile, and
    /// goes on where it was.
    TryLater,
    /// Have a person look: a log is damaged or belongs to another version, or nobody knows whether a start took effect.
    Look,
}

impl CampaignError {
    /// What can be done.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Refused(_) | Self::OtherRequest { .. } => Remedy::Change,
            Self::NoPlace(_) => Remedy::OtherPlace,
            Self::Asking(error) | Self::Serving(FireError::Port(error)) => of_port(error),
            Self::Serving(FireError::Unfinished(unfinished)) => of_unfinished(&unfinished.reason),
            Self::Serving(FireError::OutOfTime) => Remedy::TryLater,
            Self::Serving(_) => Remedy::Change,
            Self::Driving(error) => of_driving(error),
        }
    }
}

fn of_port(error: &PortError) -> Remedy {
    match error.kind() {
        PortErrorKind::Invalid | PortErrorKind::Incompatible => Remedy::Look,
        _ => Remedy::TryLater,
    }
}

fn of_unfinished(reason: &UnfinishedReason) -> Remedy {
    match reason {
        UnfinishedReason::Port(error) => of_port(error),
        UnfinishedReason::OutOfTime
        | UnfinishedReason::NotListed(_)
        | UnfinishedReason::OtherPlan { may_go_on: true }
        | UnfinishedReason::NotPlanned(None) => Remedy::TryLater,
        UnfinishedReason::OtherPlan { may_go_on: false } => Remedy::Look,
        UnfinishedReason::RunbookChanged { .. } => Remedy::Change,
        UnfinishedReason::NotPlanned(Some(error)) => match &**error {
            PlanError::Refused(_) => Remedy::Change,
            PlanError::Port(error) => of_port(error),
        },
    }
}

fn of_driving(error: &DriveError) -> Remedy {
    use DriveError as E;
    let port = error
        .source()
        .and_then(|source| source.downcast_ref::<PortError>());
    match (error, port) {
        (E::NotBegun { .. }, Some(port)) if port.kind() == PortErrorKind::Invalid => Remedy::OtherPlace,
        (E::Log { .. } | E::StopNotWritten { .. } | E::Rows { .. }, Some(port)) => of_port(port),
        (
            E::NotBegun { .. }
            | E::Credentials { .. }
            | E::Observe { .. }
            | E::Unlooked { .. }
            | E::Unsought { .. },
            _,
        ) => Remedy::TryLater,
        (E::RunsOn { .. }, _) => Remedy::Change,
        _ => Remedy::Look,
    }
}

impl From<PlanError> for CampaignError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Refused(refusal) => Self::Refused(refusal),
            PlanError::Port(error) => Self::Asking(error),
        }
    }
}

impl From<DriveError> for CampaignError {
    fn from(error: DriveError) -> Self {
        match error.refusal() {
            Some(refusal) => Self::Refused(refusal),
            None => Self::Driving(error),
        }
    }
}

impl From<PortError> for CampaignError {
    fn from(error: PortError) -> Self {
        Self::Asking(error)
    }
}

impl From<FireError> for CampaignError {
    fn from(error: FireError) -> Self {
        Self::Serving(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::NeedsDriver;

    fn port(kind: PortErrorKind) -> PortError {
        PortError::new(kind, "why")
    }

    fn not_begun(kind: PortErrorKind) -> CampaignError {
        let name = "weekly".parse().unwrap();
        let source = port(kind);
        DriveError::NotBegun {
            name,
            under_way: None,
            source,
        }
        .into()
    }

    #[test]
    fn an_error_says_whether_to_change_something_to_wait_or_to_have_a_person_look() {
        let campaign = CampaignId::from_uuid(uuid::Uuid::nil());
        let log = |kind| {
            CampaignError::from(match kind {
                PortErrorKind::Incompatible => DriveError::Damaged {
                    campaign,
                    source: port(kind),
                },
                _ => DriveError::Log {
                    campaign,
                    source: port(kind),
                },
            })
        };
        let credentials = DriveError::Credentials {
            campaign,
            source: port(PortErrorKind::Credentials),
        };
        let needs_driver = FireError::NeedsDriver {
            units: 2,
            reason: NeedsDriver::Cutoff,
        };
        for (error, remedy) in [
            (not_begun(PortErrorKind::Invalid), Remedy::OtherPlace),
            (
                CampaignError::NoPlace(port(PortErrorKind::Other)),
                Remedy::OtherPlace,
            ),
            (not_begun(PortErrorKind::Incompatible), Remedy::Change),
            (not_begun(PortErrorKind::Unavailable), Remedy::TryLater),
            (log(PortErrorKind::Unavailable), Remedy::TryLater),
            (log(PortErrorKind::Invalid), Remedy::Look),
            (log(PortErrorKind::Incompatible), Remedy::Look),
            (credentials.into(), Remedy::TryLater),
            (DriveError::NoSuchCampaign { campaign }.into(), Remedy::Look),
            (port(PortErrorKind::Throttled).into(), Remedy::TryLater),
            (port(PortErrorKind::Invalid).into(), Remedy::Look),
            (needs_driver.into(), Remedy::Change),
            (
                FireError::Port(port(PortErrorKind::Unavailable)).into(),
                Remedy::TryLater,
            ),
        ] {
            assert_eq!(error.remedy(), remedy, "{error:?}");
        }
    }
}
