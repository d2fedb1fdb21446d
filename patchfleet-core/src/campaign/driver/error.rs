//! Why a campaign was not driven to its end, and what of that is a refusal.

use super::taken::how_to_free;
use crate::campaign::state::StateError;
use crate::campaign::{Hold, LogKey, RECORD_FORMAT, StopReason};
use crate::id::{CampaignId, ExecutionId, Location, RequestName, UnitId};
use crate::outcome::FinishedOutcome;
use crate::port::{PortError, PortErrorKind};
use crate::refusal::{Refusal, RefusalCode, RefusalReason};

/// Why a campaign was not driven to its end. It can be driven on, by any driver.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriveError {
    /// The request's name has another open campaign.
    #[error("the request {name} has an open campaign already: {open}")]
    NameTaken {
        /// The request's name.
        name: RequestName,
        /// The open campaign.
        open: CampaignId,
        /// Its units of which nobody knows whether they run. Then it is not over before a person has said what
        /// becomes of them.
        unresolved: Vec<UnitId>,
    },
    /// Nothing is started: it cannot be told whether a campaign of the request's name is open, or the plan
    /// cannot be written down. The log does not answer, is damaged ([`PortErrorKind::Incompatible`]), or
    /// cannot be where it is said to be ([`PortErrorKind::Invalid`]).
    #[error(
        "nothing{} is started for the request {name}{}",
        if under_way.is_some() { " more" } else { "" },
        under_way.map(|campaign| format!(", of which campaign {campaign} is under way")).unwrap_or_default(),
    )]
    NotBegun {
        /// The request's name.
        name: RequestName,
        /// The campaign that is known to have the name and to be under way. What it has begun runs on.
        under_way: Option<CampaignId>,
        /// Why; of damage, in which file or object, and what a person can do.
        source: PortError,
    },
    /// The plan carries a presigned URL, which may not stand in a log. Nothing was written.
    #[error(transparent)]
    Presigned(Refusal),
    /// There is no such campaign.
    #[error("there is no campaign {campaign}")]
    NoSuchCampaign {
        /// The campaign.
        campaign: CampaignId,
    },
    /// Nobody knows whether these units run, everything else of the campaign is done or waits for that, and a person
    /// has to say what becomes of them ([`Campaign::send_again`](crate::Campaign::send_again)(super::Driver::send_again)). The campaign stays open.
    #[error("campaign {campaign} stays open{}", .holds.iter().map(in_words).collect::<String>())]
    Unresolved {
        /// The campaign.
        campaign: CampaignId,
        /// The units, with what is known of each and what can be said.
        holds: Vec<Hold>,
    },
    /// Nothing is sent again.
    #[error(transparent)]
    NotSentAgain(Refusal),
    /// Nobody can approve of the wave.
    #[error(transparent)]
    NotApproved(Refusal),
    /// There is nothing to stop.
    #[error(transparent)]
    NotStopped(Refusal),
    /// A person has the campaign stopped, and nothing of it runs any more but this: AWS does not let anybody stop it. The
    /// campaign stays open. Whoever drives it follows that to its end.
    #[error(
        "campaign {campaign} stays open, as AWS does not let patchfleet stop all of it: {}",
        what.join("; ")
    )]
    RunsOn {
        /// The campaign.
        campaign: CampaignId,
        /// What runs on, each with AWS's words.
        what: Vec<String>,
    },
    /// The campaign is not closed.
    #[error(transparent)]
    NotAbandoned(Refusal),
    /// Whether a unit that is to be begun, or seems to be left out, was begun before the log lost that cannot be seen,
    /// and nothing else is left to do. Nothing of it was sent, and nothing is said of it: whoever drives the campaign
    /// next looks for it anew.
    #[error(
        "campaign {campaign} stays open: its log may have lost that unit {unit} was begun, and whether it runs cannot \
         be seen; resume it later"
    )]
    Unsought {
        /// The campaign.
        campaign: CampaignId,
        /// The unit.
        unit: UnitId,
        /// Why.
        source: PortError,
    },
    /// AWS shows commands or executions of the campaign that its log does not know and leaves no room for: they name nodes
    /// that no unit is left to begin for. Nothing more begins, so that no node gets a second command. What ran was followed to
    /// its end.
    #[error(
        "campaign {campaign} stays open and begins nothing more: its log may have lost its end, as AWS shows what it does not \
         know, and no unit that is left fits: {}; see what became of these nodes before anything else patches them. `patchfleet abandon {campaign}` closes the campaign \
         once AWS says that all of it is over",
        found.join("; ")
    )]
    Strays {
        /// The campaign.
        campaign: CampaignId,
        /// What was found, each with where it runs and for which nodes.
        found: Vec<String>,
    },
    /// Whether a unit runs cannot be seen, so it is not sent again.
    #[error("nothing is sent again: whether unit {unit} of campaign {campaign} runs cannot be seen")]
    Unlooked {
        /// The campaign.
        campaign: CampaignId,
        /// The unit.
        unit: UnitId,
        /// Why.
        source: PortError,
    },
    /// The campaign did not stop because somebody else cancelled something of it, or a person has said
    /// already that it goes on, and nothing is left to begin. Or something else keeps it from being begun.
    #[error("campaign {campaign} has nothing to go on with: {}", why_nothing(kept.as_deref()))]
    NothingToGoOn {
        /// The campaign.
        campaign: CampaignId,
        /// How it ended; `None` while it is open.
        ended: Option<FinishedOutcome>,
        /// What keeps the rest from being begun, whatever a person says; `None`: nothing does, or there is no
        /// rest.
        kept: Option<Box<StopReason>>,
    },
    /// Whether a cancelled execution reached some locations cannot be read, and nothing else is left to begin, or what is left
    /// is of a later wave. They are not begun, as they might be patched twice, and no later wave is begun before them.
    #[error("campaign {campaign} does not go on: whether anything was begun in {location} cannot be read")]
    Unseen {
        /// The campaign.
        campaign: CampaignId,
        /// One of the locations.
        location: Box<Location>,
        /// Why.
        source: PortError,
    },
    /// Another version writes the campaign's log: this one may only read it.
    #[error(
        "campaign {campaign} was written by {} version (format {format}; this version writes {RECORD_FORMAT}) and may \
         only be read: go on with the version that wrote it",
        if *format < RECORD_FORMAT { "an older" } else { "a newer" }
    )]
    ReadOnly {
        /// The campaign.
        campaign: CampaignId,
        /// Its format.
        format: u32,
    },
    /// The log is damaged, or not this campaign's. Nothing was started and nothing was written to it.
    #[error(
        "the log of campaign {campaign} is damaged, so nothing is begun and nothing is written to it; what runs in AWS \
         runs on. Put a good copy there and resume it; or, once you know that nothing of it runs, move it out of the log"
    )]
    Damaged {
        /// The campaign.
        campaign: CampaignId,
        /// What is wrong, and in which file or object.
        source: PortError,
    },
    /// The log cannot be read or appended to.
    #[error("the log of campaign {campaign} does not answer: the campaign stays open, resume it later")]
    Log {
        /// The campaign.
        campaign: CampaignId,
        /// Why.
        source: PortError,
    },
    /// The log does not answer, so a person's stop is not known to be written in it, and this stop has stopped nothing. If
    /// only the answer was lost, whoever drives the campaign stops it.
    #[error(
        "the log of campaign {campaign} does not answer, so nothing was stopped by this: what runs may go on, unless the \
         log says so already. Have it stopped once more"
    )]
    StopNotWritten {
        /// The campaign.
        campaign: CampaignId,
        /// Why.
        source: PortError,
    },
    /// The results of nodes cannot be kept.
    #[error(
        "the node results of campaign {campaign} cannot be kept: the campaign stays open, resume it later"
    )]
    Rows {
        /// The campaign.
        campaign: CampaignId,
        /// Why.
        source: PortError,
    },
    /// The caller's own credentials are missing or have expired, so nothing can be started or
    /// seen. What runs, runs on.
    #[error(
        "the AWS credentials no longer work for campaign {campaign}: the campaign stays open, renew them and resume it"
    )]
    Credentials {
        /// The campaign.
        campaign: CampaignId,
        /// Why.
        source: PortError,
    },
    /// An execution cannot be looked at.
    #[error(
        "execution {execution} of campaign {campaign} cannot be read: the campaign stays open, resume it later"
    )]
    Observe {
        /// The campaign.
        campaign: CampaignId,
        /// The execution.
        execution: ExecutionId,
        /// Why.
        source: PortError,
    },
}

impl DriveError {
    /// What a failure of a campaign's log comes to.
    pub(in crate::campaign) fn of_log(campaign: CampaignId, source: PortError) -> Self {
        match source.kind() {
            PortErrorKind::Incompatible => Self::Damaged { campaign, source },
            _ => Self::Log { campaign, source },
        }
    }

    /// What records come to that are not those of this campaign.
    pub(in crate::campaign) fn of_records(campaign: CampaignId, error: StateError) -> Self {
        if error == StateError::Empty {
            return Self::NoSuchCampaign { campaign };
        }
        let key = LogKey::Campaign(campaign);
        let message = format!("the log {key} is not what was written");
        let source = PortError::new(PortErrorKind::Incompatible, message).with_source(error);
        Self::Damaged { campaign, source }
    }

    /// The refusal that the error is, if nothing was started because another campaign of the
    /// request is open or may be, the plan may not be kept, or there is nothing to go on with, to send again, to stop,
    /// or to close.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        if let Self::Presigned(refusal)
        | Self::NotSentAgain(refusal)
        | Self::NotApproved(refusal)
        | Self::NotStopped(refusal)
        | Self::NotAbandoned(refusal) = self
        {
            return Some(refusal.clone());
        }
        if let Self::NothingToGoOn {
            campaign,
            ended,
            kept,
        } = self
        {
            let why = why_nothing(kept.as_deref());
            let detail = match ended {
                Some(ended) => format!(
                    "it is over (outcome {}): {why}. `patchfleet report {campaign}` says what became of it",
                    ended.as_str()
                ),
                None => format!("it is open: {why}. Resume it without --go-on"),
            };
            return Some(Refusal {
                reasons: vec![RefusalReason {
                    code: RefusalCode::NothingToGoOn,
                    subject: campaign.to_string(),
                    detail,
                }],
            });
        }
        if let Self::NotBegun { name, source, .. } = self
            && source.kind() == PortErrorKind::Incompatible
        {
            return Some(Refusal {
                reasons: vec![RefusalReason {
                    code: RefusalCode::LogDamaged,
                    subject: name.to_string(),
                    detail: source.chain(),
                }],
            });
        }
        let Self::NameTaken {
            name,
            open,
            unresolved,
        } = self
        else {
            return None;
        };
        Some(Refusal {
            reasons: vec![RefusalReason {
                code: RefusalCode::CampaignOpen,
                subject: name.to_string(),
                detail: how_to_free(*open, unresolved),
            }],
        })
    }
}

/// What a unit waits for.
fn in_words(hold: &Hold) -> String {
    format!("; unit {}: {}", hold.unit, hold.reason)
}

/// The words for why a campaign does not go on.
fn why_nothing(kept: Option<&StopReason>) -> String {
    match kept {
        Some(StopReason::Asked(asked)) => {
            format!(
                "{asked}, and it is closed for good; a new run of the request patches what is still missing"
            )
        }
        Some(kept) => {
            format!("what had not been begun when something was cancelled may not begin now: {kept}")
        }
        None => {
            "nobody has cancelled anything of it from outside, or what was left after that has been begun"
                .to_owned()
        }
    }
}
