//! The filters of executions and of their steps.

use super::shape::{automation_type, current};
use crate::{
    api::ApiError,
    world::{Execution, Step, World},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Every status that the API knows. A filter may name one that no execution here ever has.
const STATUSES: [&str; 19] = [
    "Pending",
    "InProgress",
    "Waiting",
    "Success",
    "TimedOut",
    "Cancelling",
    "Cancelled",
    "Failed",
    "PendingApproval",
    "Approved",
    "Rejected",
    "Scheduled",
    "RunbookInProgress",
    "PendingChangeCalendarOverride",
    "ChangeCalendarOverrideApproved",
    "ChangeCalendarOverrideRejected",
    "CompletedWithSuccess",
    "CompletedWithFailure",
    "Exited",
];

/// A filter: a key with its values, one of which has to match.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Filter {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) values: Vec<String>,
}

impl Filter {
    fn has(&self, text: &str) -> bool {
        self.values.iter().any(|value| value == text)
    }

    /// `StartTimeBefore` and `StartTimeAfter`, both including the instant.
    fn has_time(&self, at: Timestamp) -> bool {
        let mut limits = self
            .values
            .iter()
            .filter_map(|text| text.parse::<Timestamp>().ok());
        limits.any(|limit| {
            if self.key == "StartTimeBefore" {
                at <= limit
            } else {
                at >= limit
            }
        })
    }

    pub(super) fn takes_step(&self, step: &Step) -> bool {
        match self.key.as_str() {
            "StepExecutionStatus" => self.has(step.status.as_str()),
            "StepExecutionId" => self.has(&step.id),
            "StepName" => self.has(&step.name),
            "Action" => self.has(&step.action),
            "StartTimeBefore" | "StartTimeAfter" => step.started.is_some_and(|at| self.has_time(at)),
            // The other keys are about iterations of a loop, and no step here is one.
            _ => false,
        }
    }

    pub(super) fn takes(&self, world: &World, one: &Execution) -> bool {
        match self.key.as_str() {
            "DocumentNamePrefix" => {
                let mut prefixes = self.values.iter();
                prefixes.any(|prefix| one.order.document.starts_with(prefix))
            }
            "ExecutionStatus" => self.has(one.status.as_str()),
            "ExecutionId" => self.has(&one.id),
            "ParentExecutionId" => one.parent().is_some_and(|parent| self.has(parent)),
            "CurrentAction" => current(one).is_some_and(|step| self.has(&step.action)),
            "AutomationType" => self.has(automation_type(one)),
            "TagKey" => world.is_found_by_tags(one) && one.order.tags.iter().any(|(key, _)| self.has(key)),
            "TargetResourceGroup" => {
                let targets = one.order.said.targets.iter().flatten();
                let mut groups = targets.filter(|target| target.key == "ResourceGroup");
                groups.any(|target| target.values.iter().any(|group| self.has(group)))
            }
            "StartTimeBefore" | "StartTimeAfter" => self.has_time(one.started),
            // The other keys are about Change Manager and OpsCenter, which are not simulated.
            _ => false,
        }
    }
}

/// Checks values beyond what the model checks.
pub(super) fn check(filters: &[Filter]) -> Result<(), ApiError> {
    let sound = |filter: &Filter, value: &str| match filter.key.as_str() {
        "StartTimeBefore" | "StartTimeAfter" => value.parse::<Timestamp>().is_ok(),
        "ExecutionStatus" | "StepExecutionStatus" => STATUSES.contains(&value),
        "AutomationType" => matches!(value, "CrossAccount" | "Local"),
        "AutomationSubtype" => matches!(value, "ChangeRequest" | "AccessRequest"),
        _ => true,
    };
    let wrong = filters
        .iter()
        .find(|filter| filter.values.iter().any(|value| !sound(filter, value)));
    match wrong {
        Some(filter) => Err(ApiError::client(
            "InvalidFilterValue",
            format!("The filter value of {} isn't valid.", filter.key),
        )),
        None => Ok(()),
    }
}
