//! Everything that will be done, and everything that will not be and why.

use crate::budget::WorstCase;
use crate::census::NodeCounts;
use crate::id::{AccountId, Location, NodeId, NodeSet, NodesDigest, Region};
use crate::port::Caller;
use crate::refusal::{Skip, SkipReason};
use crate::request::{PatchRequest, Policy, PolicyAction};
use crate::runbook::PlannedRunbook;
use serde::{Deserialize, Serialize};

mod alarm;
mod breaker;
pub(crate) mod build;
mod calendars;
mod check;
mod copies;
mod differences;
mod dispatch;
mod file;
mod fleet;
mod forecast;
mod freezes;
mod gaps;
mod in_wave;
mod labels;
mod lifetime;
pub(crate) mod make;
mod nowhere;
mod offline;
mod presigned;
mod reading;
mod render;
mod retried;
mod sight;
mod small;
mod snapshot;
#[cfg(test)]
pub(crate) mod tests;
mod unit;
mod units;
mod wave_tags;
mod waves;
mod written;

pub(crate) use alarm::{in_alarm_in_words, shown_reason};
pub(crate) use build::build;
pub(crate) use check::PlanFault;
pub(crate) use dispatch::nobody_follows;
pub use dispatch::{ByRunCommand, PlannedAutomation, PlannedDispatch};
pub use file::PlanFileError;
#[cfg(test)]
pub(crate) use fleet::resolve as resolve_fleet;
pub use fleet::{FleetPace, PlannedFleet};
pub(crate) use forecast::AROUND;
pub use forecast::{Forecast, LearnedPace};
pub(crate) use freezes::frozen_in_words;
pub use gaps::Gaps;
pub use in_wave::PlannedWaveBudget;
#[cfg(test)]
pub(crate) use in_wave::for_tests as resolve_in_waves;
#[cfg(test)]
pub(crate) use labels::resolve as resolve_labels;
pub(crate) use labels::{Cells, in_words as value_in_words};
pub use labels::{PlannedLabel, PlannedValue};
pub(crate) use lifetime::{CUTOFF_MARGIN, Cutoff};
pub(crate) use lifetime::{LIFETIME_CAP, set_timeout, timeout_of};
pub use lifetime::{Lifetime, shortest_cutoff, sufficient_cutoff};
pub(crate) use make::Options;
#[cfg(test)]
pub(crate) use make::make;
pub(crate) use make::require_central;
pub use make::{Attendance, Followed, PlanError, Planning};
pub(crate) use offline::left_out_in_words;
pub use presigned::refuse_presigned;
pub use retried::{
    HeldWave, InconclusiveGate, LeftBound, LeftBounds, LeftOfFleet, LeftOfValue, PassedWave, Retried,
    ShownWave, UnmanagedNodes,
};
pub(crate) use snapshot::SNAPSHOT_LIVES;
pub use unit::Unit;
pub use waves::PlannedWave;

/// The version of the plan's JSON that this version writes.
pub const FORMAT: u32 = 3;

/// A plan. Its JSON is what `patchfleet plan --output json` prints and `--out` saves. There the starts
/// stand as `requests`, beside the `units` that they belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The JSON's version: [`FORMAT`].
    pub format: u32,
    /// What was asked for.
    pub request: PatchRequest,
    /// The central account and Region.
    pub central: Caller,
    /// Who watches over the units once they are begun.
    pub followed: Followed,
    /// How many locations were considered: `locations` and `skipped` together.
    pub candidates: u32,
    /// What will be patched, ordered by account and Region.
    pub locations: Vec<PlannedLocation>,
    /// What will not be, ordered by account and Region.
    pub skipped: Vec<Skip>,
    /// What a person should know before starting.
    pub warnings: Vec<String>,
    /// The units, in the order in which they are begun. Their numbers count from 1.
    pub units: Vec<Unit>,
    /// The runbook that the plan was made for. `None` if it may not be read, which the warnings say
    /// then: nothing notices if it changes.
    pub runbook: Option<PlannedRunbook>,
    /// What `budget.fleet` comes to; `None` if the request has none.
    pub fleet: Option<PlannedFleet>,
    /// What the budgets come to that waves have of their own, in the order of the waves.
    pub wave_budgets: Vec<PlannedWaveBudget>,
    /// What `budget.labels` comes to, in its order.
    pub labels: Vec<PlannedLabel>,
    /// How long it takes; `None` if it was not reckoned when the plan was made, or there is nothing to do.
    pub forecast: Option<Forecast>,
    /// How it compares with the same plan by Automation, where patchfleet sends the commands itself; `None` where
    /// Automation does.
    pub dispatch: Option<PlannedDispatch>,
    /// What AWS's rates and quotas make of its starts, where Automation sends the commands, and how it compares with the same plan
    /// by run-command; `None` where patchfleet sends them, if there is nothing to do, and in plans of earlier versions.
    pub automation: Option<PlannedAutomation>,
    /// What can go wrong at most.
    pub worst_case: WorstCase,
    /// How long commands live; `None` if that is the affair of a runbook of one's own.
    pub lifetime: Option<Lifetime>,
    /// The campaign whose nodes it tries again; `None` if it is no retry.
    pub retries: Option<Retried>,
    /// Whether the nodes that are not reached are to be tried once more when the campaign is over. It stands in the log, so that
    /// whoever drives the campaign call by call need not remember it. Nothing in core acts on it.
    pub second_attempt: bool,
}

impl Plan {
    /// How many locations may be patched at once, over all units: the request's
    /// `budget.locations.max_concurrency` of all planned locations, or fewer if a bound on the whole fleet says so
    /// ([`PlannedFleet`]).
    ///
    /// The plan shares this budget out among the units ([`Unit::locations_at_once`]). Where every unit can
    /// have a place, the shares add up to the budget, or to all locations if those are fewer. Each unit then
    /// has at least one place, and all can run side by side. Where there are more units than places, a
    /// unit's share is its proportional part, rounded down, and at least one place. The campaign begins a
    /// unit when the shares of all open units, with its own, are at most this budget.
    #[must_use]
    pub fn location_budget(&self) -> u32 {
        let rates = &self.request.budget.locations;
        let budget = rates.max_concurrency.as_count(self.location_count());
        let fleet = self.fleet.and_then(|fleet| fleet.locations_at_once());
        budget.min(fleet.unwrap_or(u32::MAX))
    }

    /// How many locations may fail, over all units, before no further unit is started: the request's
    /// `budget.locations.max_errors` of all planned locations.
    ///
    /// AWS counts the failures of each unit apart. Under a driver, which adds them up, each unit carries
    /// this whole budget. Where nobody follows the plan it is shared out ([`Followed`]).
    #[must_use]
    pub fn location_errors(&self) -> u32 {
        let rates = &self.request.budget.locations;
        rates.max_errors.as_count(self.location_count())
    }

    fn location_count(&self) -> u32 {
        u32::try_from(self.locations.len()).unwrap_or(u32::MAX)
    }

    /// The request of the first campaign, where this is a retry or the retry of one. Otherwise the plan's own. A retry's own
    /// request names the nodes that are tried again.
    #[must_use]
    pub fn first_request(&self) -> &PatchRequest {
        self.retries
            .as_ref()
            .map_or(&self.request, |retried| &retried.request)
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
    /// The wave, from 1. What no wave of the request names is in the last one.
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
    /// Its nodes that do not answer and are sent to all the same, ascending, where the request says how many nodes of the
    /// fleet may not be reached. These do not count towards it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offline: Vec<NodeId>,
}

/// Why a location is planned in which no node was found.
const KEPT_EMPTY: &str = "planned although no node was found there, as the policy says";

/// Why a location is planned of which nobody knows what is there.
const KEPT_UNKNOWN: &str = "planned without knowing what is there, as the policy says";

impl PlannedLocation {
    /// How many of the `unreached` nodes there, of which these are known by their ids, did not answer when the plan was made.
    pub(crate) fn offline_before<'a>(&self, unreached: u32, named: impl Iterator<Item = &'a NodeId>) -> u32 {
        let (mut all, mut offline) = (0_u32, 0_u32);
        for node in named {
            let was_offline =
                self.left_out.binary_search(node).is_ok() || self.offline.binary_search(node).is_ok();
            all = all.saturating_add(1);
            offline = offline.saturating_add(was_offline.into());
        }
        // The others are as many as the census counted, whoever they are.
        let counted = self.nodes.map_or(0, |nodes| nodes.offline);
        let unnamed = unreached.saturating_sub(all);
        offline.saturating_add(unnamed.min(counted.saturating_sub(offline)))
    }

    /// Why it is planned although the census found no node there, in words, if it is so by the request's policy.
    /// Otherwise a warning of the plan says why.
    pub(crate) fn kept_in_words(&self, policy: &Policy) -> Option<&'static str> {
        let words = |action| (action == PolicyAction::Keep).then_some(KEPT_EMPTY);
        match self.kept? {
            SkipReason::Empty => words(policy.empty),
            SkipReason::GroupMissing => words(policy.group_missing),
            SkipReason::Unknown => Some(KEPT_UNKNOWN),
            _ => None,
        }
    }

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
