//! What the function answers.

use patchfleet_core::Served;
use patchfleet_core::campaign::{FiredBefore, FiredUnit};
use patchfleet_core::id::{CampaignId, ExecutionId};
use patchfleet_core::plan::{Plan, Unit};
use patchfleet_core::refusal::Skip;
use patchfleet_core::text::{counted, one_line};
use serde::Serialize;
use std::collections::BTreeSet;

/// The answer to one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The campaign: the same for the same event.
    pub campaign_id: CampaignId,
    /// `started`, `already_started` or `nothing_to_do`.
    pub outcome: &'static str,
    /// The first execution, if there is one.
    pub execution_id: Option<ExecutionId>,
    /// Every execution of the campaign, whichever delivery of the event started it.
    pub executions: Vec<Execution>,
    /// How many locations were considered, both those that are patched and those that are skipped. `None` if an earlier
    /// delivery started the campaign, whose answer has it.
    pub candidates: Option<u32>,
    /// How many locations are patched. `None` if an earlier delivery started the campaign and AWS does not say where.
    pub locations: Option<usize>,
    /// What is not patched, and why. `None` if an earlier delivery started the campaign, whose answer has it.
    pub skipped: Option<Vec<Skip>>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// An execution, and its share of what the request allows for all locations together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Execution {
    /// The execution.
    pub execution_id: ExecutionId,
    /// How many locations it has. `None` if an earlier delivery started it and AWS does not say where.
    pub locations: Option<usize>,
    /// How many of its locations are patched at once. `None` if an earlier delivery started the campaign.
    pub max_concurrency: Option<u32>,
    /// How many of its locations may fail before no more of them are begun. `None` if an earlier delivery started the
    /// campaign.
    pub max_errors: Option<u32>,
}

impl Execution {
    fn of(fired: &FiredUnit, unit: Option<&Unit>) -> Self {
        Self {
            execution_id: fired.execution.clone(),
            locations: fired.locations.as_ref().map(BTreeSet::len),
            max_concurrency: unit.map(Unit::locations_at_once),
            max_errors: unit.map(Unit::location_errors),
        }
    }
}

impl Summary {
    /// What came of the event.
    pub(crate) fn of(served: Served) -> Self {
        match served {
            Served::Started {
                campaign,
                executions,
                plan,
            } => Self::planned(campaign, &plan, &executions),
            Served::NothingToDo { campaign, plan } => Self::planned(campaign, &plan, &[]),
            Served::Before { campaign, before } => Self::again(campaign, &before),
        }
    }

    /// What was planned, and the executions that run for it, if there was anything to do.
    fn planned(campaign: CampaignId, plan: &Plan, started: &[FiredUnit]) -> Self {
        let units = plan.units.iter().map(Some).chain(std::iter::repeat(None));
        Self {
            campaign_id: campaign,
            outcome: match started {
                [] => "nothing_to_do",
                _ => "started",
            },
            execution_id: started.first().map(|fired| fired.execution.clone()),
            executions: started
                .iter()
                .zip(units)
                .map(|(fired, unit)| Execution::of(fired, unit))
                .collect(),
            candidates: Some(plan.candidates),
            locations: Some(plan.locations.len()),
            skipped: Some(plan.skipped.iter().map(shown).collect()),
            warnings: plan.warnings.iter().map(|warning| one_line(warning)).collect(),
        }
    }

    /// What an earlier delivery of the event started.
    fn again(campaign: CampaignId, before: &FiredBefore) -> Self {
        let locations = before.locations().as_ref().map(BTreeSet::len);
        let first = format!(
            "an earlier delivery of this event started it{}{}. Nothing was started anew, and the answer to that \
             delivery says what was skipped",
            before
                .started_at()
                .map(|at| format!(" at {at:.0}"))
                .unwrap_or_default(),
            match locations {
                None => String::new(),
                Some(n) => format!(" in {}", counted(n, "location")),
            },
        );
        let changed = before.changed.iter().map(|changed| one_line(changed));
        Self {
            campaign_id: campaign,
            outcome: "already_started",
            execution_id: before.executions.first().map(|fired| fired.execution.clone()),
            executions: before
                .executions
                .iter()
                .map(|fired| Execution::of(fired, None))
                .collect(),
            candidates: None,
            locations,
            skipped: None,
            warnings: std::iter::once(first).chain(changed).collect(),
        }
    }
}

/// A skip whose words may be printed by whoever gets the answer.
pub(super) fn shown(skip: &Skip) -> Skip {
    Skip {
        detail: one_line(&skip.detail),
        ..skip.clone()
    }
}
