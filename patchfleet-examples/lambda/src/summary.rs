//! What the function answers.

use patchfleet_core::campaign::Fired;
use patchfleet_core::id::{CampaignId, ExecutionId};
use patchfleet_core::plan::{Plan, Skip};
use patchfleet_core::text::one_line;
use serde::Serialize;

/// The answer to one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The campaign: the same for the same event.
    pub campaign_id: CampaignId,
    /// `started`, `already_started` or `nothing_to_do`.
    pub outcome: &'static str,
    /// The execution, if there is one.
    pub execution_id: Option<ExecutionId>,
    /// Locations considered: those that are patched and those skipped.
    pub candidates: u32,
    /// Locations that are patched.
    pub locations: usize,
    /// What is not patched, and why.
    pub skipped: Vec<Skip>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

impl Summary {
    pub(crate) fn of(campaign: CampaignId, plan: &Plan, fired: &Fired) -> Self {
        let (outcome, execution_id) = match fired {
            Fired::Started(id) => ("started", Some(id.clone())),
            Fired::AlreadyStarted(id) => ("already_started", Some(id.clone())),
            Fired::NothingToDo => ("nothing_to_do", None),
        };
        Self {
            campaign_id: campaign,
            outcome,
            execution_id,
            candidates: plan.candidates,
            locations: plan.locations.len(),
            skipped: plan.skipped.iter().map(shown).collect(),
            warnings: plan.warnings.iter().map(|warning| one_line(warning)).collect(),
        }
    }
}

/// A skip whose words may be printed by whoever gets the answer.
fn shown(skip: &Skip) -> Skip {
    Skip {
        detail: one_line(&skip.detail),
        ..skip.clone()
    }
}
