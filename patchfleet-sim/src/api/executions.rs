//! GetAutomationExecution, DescribeAutomationExecutions, DescribeAutomationStepExecutions.

mod filter;
mod shape;

pub(crate) use filter::Filter;
pub(crate) use shape::{ExecutionMetadata, ExecutionShape, StepLocation, StepShape};

use super::{
    ApiError, Caller, Operation, Service,
    check::{given, page_size},
    input,
    page::{Grows, listing_here, page},
};
use crate::world::{Execution, Step, World};
use patchfleet_core::id::Location;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;

/// The execution `id`, if it is in the caller's account and Region and is visible to calls that read.
fn find<'a>(world: &'a World, caller: &Caller, id: &str) -> Result<&'a Execution, ApiError> {
    let one = kept(world, caller, id)?;
    if world.is_visible(one) {
        Ok(one)
    } else {
        Err(not_found(id))
    }
}

/// The execution `id`, if it is in the caller's account and Region. Calls that change something
/// know it from the first moment.
pub(super) fn kept<'a>(world: &'a World, caller: &Caller, id: &str) -> Result<&'a Execution, ApiError> {
    world
        .execution_index()
        .get(id)
        .filter(|one| is_here(&one.order.location, caller) && world.is_kept(one))
        .ok_or_else(|| not_found(id))
}

fn not_found(id: &str) -> ApiError {
    ApiError::client(
        "AutomationExecutionNotFoundException",
        format!("Automation execution {id} was not found."),
    )
}

pub(super) fn is_here(location: &Location, caller: &Caller) -> bool {
    location.account == caller.account && location.region == caller.region
}

pub(super) fn bad_token() -> ApiError {
    ApiError::client("InvalidNextToken", "The specified token isn't valid.")
}

input! {
    /// GetAutomationExecution's input.
    GetAutomationExecution { automation_execution_id: String, }
}

/// GetAutomationExecution's output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Got {
    pub(crate) automation_execution: ExecutionShape,
}

impl Operation for GetAutomationExecution {
    type Output = Got;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "GetAutomationExecution";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Got, ApiError> {
        let one = find(world, caller, &given(self.automation_execution_id))?;
        Ok(Got {
            automation_execution: shape::execution_shape(one),
        })
    }
}

input! {
    /// DescribeAutomationStepExecutions' input.
    DescribeAutomationStepExecutions {
        automation_execution_id: String,
        filters: Vec<Filter>,
        next_token: String,
        max_results: i64,
        reverse_order: bool,
    }
}

/// DescribeAutomationStepExecutions' output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Steps {
    pub(crate) step_executions: Vec<StepShape>,
    pub(crate) next_token: Option<String>,
}

impl Operation for DescribeAutomationStepExecutions {
    type Output = Steps;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "DescribeAutomationStepExecutions";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Steps, ApiError> {
        let filters = given(self.filters);
        filter::check(&filters)?;
        let id = given(self.automation_execution_id);
        let one = find(world, caller, &id)?;
        let reverse = self.reverse_order.unwrap_or(false);
        let mut steps: Vec<(usize, &Step)> = one
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| filters.iter().all(|filter| filter.takes_step(step)))
            .collect();
        if reverse {
            steps.reverse();
        }
        let listing = format!("steps/{id}/{reverse}/{}", json!(filters));
        let (steps, next_token) = page(
            world,
            &listing,
            Grows::AtTheEnd,
            steps,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(bad_token)?;
        let shape = |(index, step)| shape::step_shape(one, index, step);
        Ok(Steps {
            step_executions: steps.into_iter().map(shape).collect(),
            next_token,
        })
    }
}

input! {
    /// DescribeAutomationExecutions' input.
    DescribeAutomationExecutions {
        filters: Vec<Filter>,
        max_results: i64,
        next_token: String,
    }
}

/// DescribeAutomationExecutions' output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Executions {
    pub(crate) automation_execution_metadata_list: Vec<ExecutionMetadata>,
    pub(crate) next_token: Option<String>,
}

/// A superset of the executions that match the filters, as small as an index makes it.
fn candidates<'a>(world: &'a World, caller: &Caller, filters: &[Filter]) -> Vec<&'a Execution> {
    let all = &world.execution_index();
    let values = |key: &str| {
        let filter = filters.iter().find(|filter| filter.key == key)?;
        // A repeated value must not repeat what it finds.
        Some(filter.values.iter().collect::<BTreeSet<&String>>())
    };
    if let Some(ids) = values("ExecutionId") {
        ids.into_iter().filter_map(|id| all.get(id)).collect()
    } else if let Some(parents) = values("ParentExecutionId") {
        parents.into_iter().flat_map(|id| all.below(id)).collect()
    } else if let Some(keys) = values("TagKey") {
        // An execution with several of the tags is found by each of them.
        let mut seen = BTreeSet::new();
        let tagged = keys.into_iter().flat_map(|key| all.tagged(key));
        tagged.filter(|one| seen.insert(&one.id)).collect()
    } else {
        all.at(&caller.location()).collect()
    }
}

impl Operation for DescribeAutomationExecutions {
    type Output = Executions;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "DescribeAutomationExecutions";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Executions, ApiError> {
        let filters = given(self.filters);
        filter::check(&filters)?;
        let listed = |one: &&Execution| {
            is_here(&one.order.location, caller) && world.is_kept(one) && world.is_visible(one)
        };
        let mut found = candidates(world, caller, &filters);
        found.retain(listed);
        found.retain(|one| filters.iter().all(|filter| filter.takes(world, one)));
        found.sort_by(|one, other| other.age().cmp(&one.age()));
        let listing = listing_here("executions", caller, json!(filters));
        let (found, next_token) = page(
            world,
            &listing,
            Grows::AtTheFront,
            found,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(bad_token)?;
        Ok(Executions {
            automation_execution_metadata_list: found.into_iter().map(shape::metadata).collect(),
            next_token,
        })
    }
}
