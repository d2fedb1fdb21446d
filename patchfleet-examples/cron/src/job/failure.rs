//! Why a campaign has no report, and whether that may pass by itself.

use jiff::{SignedDuration, Timestamp};
use patchfleet_core::campaign::DriveError;
use patchfleet_core::id::CampaignId;
use patchfleet_core::port::{PortError, PortErrorKind};
use patchfleet_core::problem::chain;
use patchfleet_core::refusal::Refusal;
use patchfleet_core::text::one_line;
use patchfleet_core::{CampaignError, Remedy};
use std::error::Error;

/// Why there is no report.
pub(crate) enum Failure {
    /// Refused before anything was started.
    Refused(Refusal),
    /// AWS's settings are missing or wrong.
    Settings(PortError),
    /// The place of the logs cannot be used.
    Place(PortError),
    /// The id that was given names a campaign of another day, which is over.
    OldId {
        /// The campaign.
        campaign: CampaignId,
        /// When it was planned.
        planned_at: Timestamp,
        /// For how long the id may be given again.
        longest: SignedDuration,
    },
    /// Something that may pass, such as an AWS that denies or throttles, or a full disk.
    Passing(Box<dyn Error + Send + Sync>),
    /// Anything else.
    Unexpected(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// Whether it may pass by itself, or by somebody who is awake.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Passing(_) => true,
            // Others renew credentials.
            Self::Settings(error) | Self::Place(error) => error.kind() == PortErrorKind::Credentials,
            Self::Refused(_) | Self::OldId { .. } | Self::Unexpected(_) => false,
        }
    }

    /// What happened, in one line.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.to_string(),
            Self::Settings(error) => error.chain(),
            Self::Place(error) => format!("--log (or PATCHFLEET_LOG): {}", error.chain()),
            Self::OldId {
                campaign,
                planned_at,
                longest,
            } => format!(
                "--id: its campaign {campaign} was planned at {planned_at:.0}, over {longest:#} ago, and is over. Nothing was \
                 begun. Give each campaign an id of its own; `patchfleet report {campaign}` has that one's report"
            ),
            Self::Passing(error) | Self::Unexpected(error) => one_line(&chain(error.as_ref())),
        }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        CampaignError::from(error).into()
    }
}

impl From<DriveError> for Failure {
    fn from(error: DriveError) -> Self {
        CampaignError::from(error).into()
    }
}

impl From<CampaignError> for Failure {
    fn from(error: CampaignError) -> Self {
        match (error.remedy(), error) {
            (_, CampaignError::Refused(refusal)) => Self::Refused(refusal),
            (_, CampaignError::NoPlace(source)) => Self::Place(source),
            (Remedy::OtherPlace, CampaignError::Driving(DriveError::NotBegun { source, .. })) => {
                Self::Place(source)
            }
            (Remedy::TryLater, error) => Self::Passing(Box::new(error)),
            (_, error) => Self::Unexpected(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_the_logs_that_cannot_be_used_is_told_by_what_named_it() {
        let error = PortError::new(PortErrorKind::NotFound, "there is no bucket nosuch");
        let failure = Failure::from(CampaignError::NoPlace(error));
        assert_eq!(
            failure.words(),
            "--log (or PATCHFLEET_LOG): there is no bucket nosuch"
        );
        assert!(!failure.may_pass());
    }
}
