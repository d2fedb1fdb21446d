//! Everything that will be done, and everything that will not be and why.

use crate::budget::WorstCase;
use crate::census::{NodeCounts, UnknownCause};
use crate::id::{AccountId, Location, NodeId, NodeSet, NodesDigest, Region, UnitId};
use crate::port::{Caller, StartRequest};
use crate::request::PatchRequest;
use crate::runbook::PlannedRunbook;
use crate::text::one_line;
use serde::{Deserialize, Serialize};

mod build;
mod differences;
mod file;
mod lifetime;
mod make;
mod nowhere;
mod offline;
mod presigned;
mod reading;
mod render;
mod small;
mod units;

pub use build::build;
pub use file::PlanFileError;
pub(crate) use lifetime::timeout_of;
pub use lifetime::{CUTOFF_MARGIN, Cutoff, LIFETIME_CAP, Lifetime};
pub use make::{Attendance, Options, PlanError, make, require_central};
pub use presigned::refuse_presigned;

/// The version of the plan's JSON that this version writes.
pub const FORMAT: u32 = 2;

/// A plan. Its JSON is what `patchfleet plan --output json` prints and `--out` saves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// The JSON's version: [`FORMAT`].
    pub format: u32,
    /// What was asked for.
    pub request: PatchRequest,
    /// The central account and Region.
    pub central: Caller,
    /// How many locations were considered: `locations` and `skipped` together.
    pub candidates: u32,
    /// What will be patched, ordered by account and Region.
    pub locations: Vec<PlannedLocation>,
    /// What will not be, ordered by account and Region.
    pub skipped: Vec<Skip>,
    /// What a person should know before starting.
    pub warnings: Vec<String>,
    /// The expected starts, one for each unit, in the order of their units. The campaign adds its
    /// own id, the snapshot and the client token.
    pub requests: Vec<StartRequest>,
    /// The runbook that the plan was made for. `None` if it may not be read, which the warnings say
    /// then: nothing notices if it changes.
    #[serde(deserialize_with = "Option::deserialize")] // a plan that lacks the key is not whole
    pub runbook: Option<PlannedRunbook>,
    /// What can go wrong at most.
    pub worst_case: WorstCase,
    /// How long commands live; `None` if that is the affair of a runbook of one's own.
    #[serde(deserialize_with = "Option::deserialize")] // a plan that lacks the key is not whole
    pub lifetime: Option<Lifetime>,
}

impl Plan {
    /// The units with their expected starts.
    pub fn units(&self) -> impl Iterator<Item = (UnitId, &StartRequest)> {
        (0..).map(UnitId::from_index).zip(&self.requests)
    }

    /// How many locations may be patched at once, over all units: the request's
    /// `budget.locations.max_concurrency` of all planned locations. Each unit's own limit is at
    /// most this; those of the units that are open at the same time have to add up to at most
    /// this, which is the campaign's to keep.
    #[must_use]
    pub fn location_budget(&self) -> u32 {
        let rates = &self.request.budget.locations;
        rates.max_concurrency.as_count(self.location_count())
    }

    /// How many locations may fail, over all units, before no further unit is started: the
    /// request's `budget.locations.max_errors` of all planned locations.
    #[must_use]
    pub fn location_errors(&self) -> u32 {
        let rates = &self.request.budget.locations;
        rates.max_errors.as_count(self.location_count())
    }

    fn location_count(&self) -> u32 {
        u32::try_from(self.locations.len()).unwrap_or(u32::MAX)
    }

    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.locations.is_empty()
    }
}

/// A location that will be patched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedLocation {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// The wave, from 1.
    pub wave: u32,
    /// What the census counted; `None` if it did not count, or found nothing out.
    pub nodes: Option<NodeCounts>,
    /// Which nodes those are, managed or not; `None` as above. A later plan with another digest has
    /// other nodes, also where their number is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes_digest: Option<NodesDigest>,
    /// The same nodes by their ids, where the request names a group or tags; `None` as above. The
    /// report tells by them who left the selection after the plan, and who joined it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_ids: Option<NodeSet>,
    /// Why the location is planned although the census did not find a node there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<SkipReason>,
    /// Its nodes that do not answer and are left out, ascending, where the policy says so. The units
    /// there name the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<NodeId>,
}

impl PlannedLocation {
    /// Whether the census found for certain that no node is selected here, and the policy keeps the location.
    pub(crate) fn is_known_to_be_empty(&self) -> bool {
        matches!(self.kept, Some(SkipReason::Empty | SkipReason::GroupMissing))
    }

    /// The pair of account and Region.
    #[must_use]
    pub fn location(&self) -> Location {
        Location::new(self.account.clone(), self.region.clone())
    }
}

/// A location that will not be patched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// Why.
    pub reason: SkipReason,
    /// Why the answer is unknown, if that is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<UnknownCause>,
    /// The reason in words.
    pub detail: String,
}

impl Skip {
    /// The pair of account and Region.
    #[must_use]
    pub fn location(&self) -> Location {
        Location::new(self.account.clone(), self.region.clone())
    }
}

/// Why a location is not patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SkipReason {
    /// A complete answer without a node.
    Empty,
    /// No group of that name.
    GroupMissing,
    /// The request excludes the account or the Region.
    Excluded,
    /// The account is not ACTIVE.
    AccountNotActive,
    /// The Region is not enabled in the account.
    RegionNotEnabled,
    /// The caller may not ask there, and the policy takes such locations out of scope
    /// (`policy.denied = "exclude"`). Unlike `Unknown` it does not count against the exit code.
    Denied,
    /// No complete answer.
    Unknown,
    /// No node there answers Systems Manager, and the policy leaves such nodes out.
    Offline,
}

impl SkipReason {
    /// The reason in snake_case, as it stands in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::GroupMissing => "group_missing",
            Self::Excluded => "excluded",
            Self::AccountNotActive => "account_not_active",
            Self::RegionNotEnabled => "region_not_enabled",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
            Self::Offline => "offline",
        }
    }
}

/// How many names a line has at most. What there is more of is counted.
const NAMES: usize = 5;

/// Names in a line that stays short.
fn names(all: impl Iterator<Item = String>) -> String {
    let (mut shown, mut more) = (Vec::new(), 0_usize);
    for name in all {
        if shown.len() < NAMES {
            shown.push(name);
        } else {
            more += 1;
        }
    }
    let rest = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    format!("{}{rest}", shown.join(", "))
}

fn some_locations(n: usize) -> String {
    match n {
        1 => "1 location".to_owned(),
        n => format!("{n} locations"),
    }
}

/// A plan that was refused before anything was started: every reason at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("refused: {}", .reasons.iter().map(|reason| one_line(&reason.to_string())).collect::<Vec<_>>().join("\n  "))]
pub struct Refusal {
    /// Why, in the order of account and Region.
    pub reasons: Vec<RefusalReason>,
}

/// One reason to refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("[{}] {subject}: {detail}", .code.as_str())]
pub struct RefusalReason {
    /// Which kind of reason. Stable.
    pub code: RefusalCode,
    /// What it is about: an account, a unit, a Region, a location, a node.
    pub subject: String,
    /// Why, and what to do.
    pub detail: String,
}

/// The kinds of refusal. Their snake_case names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefusalCode {
    /// An organizational unit, root or account that is not there.
    TargetNotFound,
    /// The organization cannot be read.
    DirectoryUnavailable,
    /// A Region that no account has.
    NoSuchRegion,
    /// The central Region is not enabled in the central account.
    CentralRegionNotEnabled,
    /// The central Region is opt-in, and a target Region is enabled by default.
    OptInTrap,
    /// A Region or role of another partition than the central one.
    WrongPartition,
    /// The census answered unknown, and the policy is to refuse.
    CensusUnknown,
    /// There is no such group, and the policy is to refuse.
    GroupMissing,
    /// There is no node, and the policy is to refuse.
    Empty,
    /// No location has a node of the selection, and the policy is to refuse.
    NothingSelected,
    /// A node that was asked for by its id is in no location.
    NodeNotFound,
    /// The runbook is not there.
    RunbookMissing,
    /// The runbook there is not the one that this version starts, or one of one's own does not do what the
    /// request says.
    RunbookDiffers,
    /// Another campaign of the same request is open.
    CampaignOpen,
    /// A campaign's log or a claim is damaged, so another campaign of the same request may be open.
    LogDamaged,
    /// The campaign did not stop because somebody else cancelled something of it.
    NothingToGoOn,
    /// The world is no longer the one that the saved plan was made for.
    PlanDrifted,
    /// The campaign was planned from another central account or Region than the caller's.
    OtherCentral,
    /// Finding out what is asked for would take more calls than are made.
    TooLarge,
    /// The results of an Install could not be read afterwards: a call that collecting needs is denied.
    ResultsUnreadable,
    /// Nodes do not answer: the policy is to refuse, or to leave them out and there are no others, or they
    /// could hold every place of their location and nobody is there to see it. So it is if nobody is there
    /// and nodes were not counted.
    NodesOffline,
    /// No command that is started now is sure to have expired by the cutoff.
    CutoffTooNear,
    /// The plan needs something that this way of running cannot do.
    Unsupported,
}

impl RefusalCode {
    /// The code's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TargetNotFound => "target_not_found",
            Self::DirectoryUnavailable => "directory_unavailable",
            Self::NoSuchRegion => "no_such_region",
            Self::CentralRegionNotEnabled => "central_region_not_enabled",
            Self::OptInTrap => "opt_in_trap",
            Self::WrongPartition => "wrong_partition",
            Self::CensusUnknown => "census_unknown",
            Self::GroupMissing => "group_missing",
            Self::Empty => "empty",
            Self::NothingSelected => "nothing_selected",
            Self::NodeNotFound => "node_not_found",
            Self::RunbookMissing => "runbook_missing",
            Self::CampaignOpen => "campaign_open",
            Self::LogDamaged => "log_damaged",
            Self::NothingToGoOn => "nothing_to_go_on",
            Self::PlanDrifted => "plan_drifted",
            Self::OtherCentral => "other_central",
            Self::TooLarge => "too_large",
            Self::ResultsUnreadable => "results_unreadable",
            Self::RunbookDiffers => "runbook_differs",
            Self::NodesOffline => "nodes_offline",
            Self::CutoffTooNear => "cutoff_too_near",
            Self::Unsupported => "unsupported",
        }
    }
}
