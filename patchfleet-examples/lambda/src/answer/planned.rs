//! What is planned, for people and for scripts.

use super::cut;
use super::summary::shown;
use patchfleet_core::budget::WorstCase;
use patchfleet_core::id::CampaignId;
use patchfleet_core::plan::{Plan, Unit};
use patchfleet_core::refusal::Skip;
use patchfleet_core::text::one_line;
use serde::Serialize;

/// What is planned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Planned {
    /// The campaign whose nodes these are, if the plan is for what its window has left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<CampaignId>,
    /// Whether the nodes that are not reached are tried once more when the campaign is over.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub second_attempt: bool,
    /// How many locations were considered, both those that are patched and those that are skipped.
    pub candidates: u32,
    /// How many locations are patched.
    pub locations: usize,
    /// The executions that it takes, in the order in which they are begun.
    pub units: Vec<PlannedUnit>,
    /// What can go wrong at most.
    pub worst_case: WorstCase,
    /// What is not patched, and why.
    pub skipped: Vec<Skip>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// How many entries of these lists are left out, since the answer would be too large with them.
    #[serde(skip_serializing_if = "NotShown::is_nothing")]
    pub not_shown: NotShown,
}

/// An execution that is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedUnit {
    /// How many locations it has.
    pub locations: usize,
    /// How many of them are patched at once.
    pub max_concurrency: u32,
    /// How many of them may fail before no more of them are begun.
    pub max_errors: u32,
}

/// How many entries of the lists of an answer are left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct NotShown {
    /// Of `units`.
    pub units: usize,
    /// Of `skipped`.
    pub skipped: usize,
    /// Of `warnings`.
    pub warnings: usize,
}

impl NotShown {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Planned {
    /// What this plan says.
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut room = cut::Room::of_an_answer();
        let (warnings, no_warnings) = room.fit(plan.warnings.iter().map(|warning| one_line(warning)));
        let (units, no_units) = room.fit(plan.units.iter().map(PlannedUnit::of));
        let (skipped, no_skips) = room.fit(plan.skipped.iter().map(shown));
        Self {
            retries: plan.retries.as_ref().map(|retried| retried.campaign),
            second_attempt: plan.second_attempt,
            candidates: plan.candidates,
            locations: plan.locations.len(),
            units,
            worst_case: plan.worst_case,
            skipped,
            warnings,
            not_shown: NotShown {
                units: no_units,
                skipped: no_skips,
                warnings: no_warnings,
            },
        }
    }
}

impl PlannedUnit {
    fn of(unit: &Unit) -> Self {
        Self {
            locations: unit.locations().count(),
            max_concurrency: unit.locations_at_once(),
            max_errors: unit.location_errors(),
        }
    }
}
