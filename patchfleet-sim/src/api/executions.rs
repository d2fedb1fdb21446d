//! GetAutomationExecution, DescribeAutomationExecutions, DescribeAutomationStepExecutions.

use super::{
    ApiError, Caller, Operation, Service,
    check::{Checks, given, page_size},
    input,
    page::{Grows, page},
    time::WireTime,
};
use crate::world::{Execution, Status, Step, World};
use jiff::Timestamp;
use patchfleet_core::id::Location;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Steps that GetAutomationExecution shows; of more it says that there are.
const SHOWN_STEPS: usize = 100;

/// A filter: a key with its values, one of which has to match.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Filter {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) values: Vec<String>,
}

/// The execution `id`, if it is in the caller's account and Region.
pub(super) fn find<'a>(world: &'a World, caller: &Caller, id: &str) -> Result<&'a Execution, ApiError> {
    world
        .executions
        .get(id)
        .filter(|one| is_here(&one.order.location, caller))
        .ok_or_else(|| {
            ApiError::client(
                "AutomationExecutionNotFoundException",
                format!("Automation execution {id} was not found."),
            )
        })
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

/// An execution.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ExecutionShape {
    pub(crate) automation_execution_id: String,
    pub(crate) document_name: String,
    pub(crate) document_version: String,
    pub(crate) execution_start_time: WireTime,
    pub(crate) execution_end_time: Option<WireTime>,
    pub(crate) automation_execution_status: &'static str,
    pub(crate) step_executions: Vec<StepShape>,
    pub(crate) step_executions_truncated: bool,
    pub(crate) parameters: BTreeMap<String, Vec<String>>,
    pub(crate) outputs: BTreeMap<String, Vec<String>>,
    pub(crate) failure_message: Option<String>,
    pub(crate) mode: String,
    pub(crate) parent_automation_execution_id: Option<String>,
    pub(crate) executed_by: String,
    pub(crate) current_step_name: Option<String>,
    pub(crate) current_action: Option<String>,
    pub(crate) targets: Vec<Value>,
    pub(crate) resolved_targets: Value,
    pub(crate) target_locations: Option<Vec<Value>>,
    pub(crate) progress_counters: Value,
}

/// A step.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StepShape {
    pub(crate) step_execution_id: String,
    pub(crate) step_name: String,
    pub(crate) action: String,
    pub(crate) timeout_seconds: Option<i64>,
    pub(crate) execution_start_time: Option<WireTime>,
    pub(crate) execution_end_time: Option<WireTime>,
    pub(crate) step_status: &'static str,
    pub(crate) response_code: Option<String>,
    pub(crate) inputs: BTreeMap<String, String>,
    pub(crate) outputs: BTreeMap<String, Vec<String>>,
    pub(crate) failure_message: Option<String>,
    pub(crate) failure_details: Option<Value>,
    pub(crate) target_location: Option<Value>,
    pub(crate) is_end: Option<bool>,
    pub(crate) is_critical: Option<bool>,
    pub(crate) next_step: Option<String>,
    pub(crate) on_failure: Option<String>,
}

fn step_shape(execution: &Execution, index: usize, step: &Step) -> StepShape {
    let rule = execution
        .runbook
        .main_steps
        .get(index)
        .filter(|_| step.location.is_none());
    let target_location = step.location.as_ref().map(|(location, entry)| {
        let entry = execution.order.targets.get(*entry);
        json!({
            "Accounts": [location.account],
            "Regions": [location.region],
            "TargetLocationMaxConcurrency": entry.map(|entry| &entry.max_concurrency),
            "TargetLocationMaxErrors": entry.map(|entry| &entry.max_errors),
            "ExecutionRoleName": entry.map(|entry| &entry.role),
        })
    });
    StepShape {
        step_execution_id: step.id.clone(),
        step_name: step.name.clone(),
        action: step.action.clone(),
        timeout_seconds: step.timeout_seconds,
        execution_start_time: step.started.map(WireTime),
        execution_end_time: step.ended.map(WireTime),
        step_status: step.status.as_str(),
        response_code: step.outputs.get("ResponseCode").and_then(|codes| codes.first().cloned()),
        inputs: step.inputs.clone(),
        outputs: step.outputs.clone(),
        failure_message: step.failure.clone(),
        failure_details: step.failure.as_ref().map(|_| {
            json!({"FailureStage": "Invocation", "FailureType": if step.location.is_some() && step.child.is_none() { "Permission" } else { "Action" }})
        }),
        target_location,
        is_end: rule.map(crate::world::StepRule::ends),
        is_critical: rule.map(crate::world::StepRule::counts),
        next_step: rule.and_then(|rule| rule.next_step.clone()),
        on_failure: rule.map(|rule| rule.on_failure.clone().unwrap_or_else(|| "Abort".to_owned())),
    }
}

fn counters(execution: &Execution) -> Value {
    let count = |status| {
        execution
            .steps
            .iter()
            .filter(|step| step.status == status)
            .count()
    };
    json!({
        "TotalSteps": execution.steps.len(),
        "SuccessSteps": count(Status::Success),
        "FailedSteps": count(Status::Failed),
        "CancelledSteps": count(Status::Cancelled),
        "TimedOutSteps": count(Status::TimedOut),
    })
}

fn current(execution: &Execution) -> Option<&Step> {
    execution
        .steps
        .iter()
        .find(|step| step.status == Status::InProgress && step.location.is_none())
}

impl Operation for GetAutomationExecution {
    type Output = Got;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "GetAutomationExecution";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Got, ApiError> {
        let mut checks = Checks::default();
        checks.required("automationExecutionId", &self.automation_execution_id);
        checks.text(
            "automationExecutionId",
            self.automation_execution_id.as_deref(),
            36..=36,
        );
        checks.done()?;
        let one = find(world, caller, &given(self.automation_execution_id))?;
        let given_locations: Vec<Value> = one
            .order
            .targets
            .iter()
            .map(|entry| entry.given.clone())
            .collect();
        Ok(Got {
            automation_execution: ExecutionShape {
                automation_execution_id: one.id.clone(),
                document_name: one.order.document.clone(),
                document_version: one.version.clone(),
                execution_start_time: one.started.into(),
                execution_end_time: one.ended.map(WireTime),
                automation_execution_status: one.status.as_str(),
                step_executions: one
                    .steps
                    .iter()
                    .enumerate()
                    .take(SHOWN_STEPS)
                    .map(|(i, step)| step_shape(one, i, step))
                    .collect(),
                step_executions_truncated: one.steps.len() > SHOWN_STEPS,
                parameters: one.shown_parameters(),
                outputs: one.outputs.clone(),
                failure_message: one.failure.clone(),
                mode: one.order.mode.clone(),
                parent_automation_execution_id: one.parent().map(str::to_owned),
                executed_by: one.order.executed_by.clone(),
                current_step_name: current(one).map(|step| step.name.clone()),
                current_action: current(one).map(|step| step.action.clone()),
                targets: vec![],
                resolved_targets: json!({"ParameterValues": [], "Truncated": false}),
                target_locations: one.is_cross_account().then_some(given_locations),
                progress_counters: counters(one),
            },
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
        let mut checks = Checks::default();
        checks.required("automationExecutionId", &self.automation_execution_id);
        checks.text(
            "automationExecutionId",
            self.automation_execution_id.as_deref(),
            36..=36,
        );
        checks.range("maxResults", self.max_results, 1..=50);
        checks.length("filters", self.filters.as_ref().map(Vec::len), 1..=6);
        checks.done()?;
        let filters = given(self.filters);
        let known = [
            "StepExecutionStatus",
            "StepExecutionId",
            "StepName",
            "Action",
            "StartTimeBefore",
            "StartTimeAfter",
        ];
        check_filters(&filters, &known)?;
        let id = given(self.automation_execution_id);
        let one = find(world, caller, &id)?;
        let reverse = self.reverse_order.unwrap_or(false);
        let mut steps: Vec<StepShape> = one
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| filters.iter().all(|filter| step_matches(filter, step)))
            .map(|(index, step)| step_shape(one, index, step))
            .collect();
        if reverse {
            steps.reverse();
        }
        let listing = format!("steps/{id}/{reverse}/{}", json!(filters));
        let (step_executions, next_token) = page(
            world,
            &listing,
            Grows::AtTheEnd,
            steps,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(bad_token)?;
        Ok(Steps {
            step_executions,
            next_token,
        })
    }
}

fn step_matches(filter: &Filter, step: &Step) -> bool {
    let is = |text: &str| filter.values.iter().any(|value| value == text);
    match filter.key.as_str() {
        "StepExecutionStatus" => is(step.status.as_str()),
        "StepExecutionId" => is(&step.id),
        "StepName" => is(&step.name),
        "Action" => is(&step.action),
        _ => step.started.is_some_and(|at| time_matches(filter, at)),
    }
}

/// `StartTimeBefore` and `StartTimeAfter`, both including the instant.
fn time_matches(filter: &Filter, at: Timestamp) -> bool {
    filter
        .values
        .iter()
        .filter_map(|text| text.parse::<Timestamp>().ok())
        .any(|limit| {
            if filter.key == "StartTimeBefore" {
                at <= limit
            } else {
                at >= limit
            }
        })
}

fn check_filters(filters: &[Filter], known: &[&str]) -> Result<(), ApiError> {
    for filter in filters {
        if !known.contains(&filter.key.as_str()) {
            return Err(ApiError::client(
                "InvalidFilterKey",
                format!("The specified key {} isn't valid.", filter.key),
            ));
        }
        let is_time = filter.key.starts_with("StartTime");
        let wrong = |text: &&String| text.is_empty() || (is_time && text.parse::<Timestamp>().is_err());
        if filter.values.is_empty()
            || filter.values.len() > 10
            || filter.values.iter().any(|text| wrong(&text))
        {
            return Err(ApiError::client(
                "InvalidFilterValue",
                format!("The filter value of {} isn't valid.", filter.key),
            ));
        }
    }
    Ok(())
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

/// An execution, as it is listed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ExecutionMetadata {
    pub(crate) automation_execution_id: String,
    pub(crate) document_name: String,
    pub(crate) document_version: String,
    pub(crate) automation_execution_status: &'static str,
    pub(crate) execution_start_time: WireTime,
    pub(crate) execution_end_time: Option<WireTime>,
    pub(crate) executed_by: String,
    pub(crate) outputs: BTreeMap<String, Vec<String>>,
    pub(crate) mode: String,
    pub(crate) parent_automation_execution_id: Option<String>,
    pub(crate) current_step_name: Option<String>,
    pub(crate) current_action: Option<String>,
    pub(crate) failure_message: Option<String>,
    pub(crate) automation_type: &'static str,
}

fn automation_type(one: &Execution) -> &'static str {
    if one.is_cross_account() {
        "CrossAccount"
    } else {
        "Local"
    }
}

impl Operation for DescribeAutomationExecutions {
    type Output = Executions;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "DescribeAutomationExecutions";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Executions, ApiError> {
        let mut checks = Checks::default();
        checks.range("maxResults", self.max_results, 1..=50);
        checks.length("filters", self.filters.as_ref().map(Vec::len), 1..=10);
        checks.done()?;
        let filters = given(self.filters);
        let known = [
            "DocumentNamePrefix",
            "ExecutionStatus",
            "ExecutionId",
            "ParentExecutionId",
            "CurrentAction",
            "StartTimeBefore",
            "StartTimeAfter",
            "AutomationType",
            "TagKey",
        ];
        check_filters(&filters, &known)?;
        let mut found: Vec<&Execution> = world
            .executions
            .values()
            .filter(|one| {
                is_here(&one.order.location, caller) && filters.iter().all(|filter| matches(filter, one))
            })
            .collect();
        found.sort_by_key(|one| std::cmp::Reverse(one.number));
        let listing = format!(
            "executions/{}/{}/{}",
            caller.account,
            caller.region,
            json!(filters)
        );
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
            automation_execution_metadata_list: found.into_iter().map(metadata).collect(),
            next_token,
        })
    }
}

fn metadata(one: &Execution) -> ExecutionMetadata {
    ExecutionMetadata {
        automation_execution_id: one.id.clone(),
        document_name: one.order.document.clone(),
        document_version: one.version.clone(),
        automation_execution_status: one.status.as_str(),
        execution_start_time: one.started.into(),
        execution_end_time: one.ended.map(WireTime),
        executed_by: one.order.executed_by.clone(),
        outputs: one.outputs.clone(),
        mode: one.order.mode.clone(),
        parent_automation_execution_id: one.parent().map(str::to_owned),
        current_step_name: current(one).map(|step| step.name.clone()),
        current_action: current(one).map(|step| step.action.clone()),
        failure_message: one.failure.clone(),
        automation_type: automation_type(one),
    }
}

fn matches(filter: &Filter, one: &Execution) -> bool {
    let is = |text: &str| filter.values.iter().any(|value| value == text);
    match filter.key.as_str() {
        "DocumentNamePrefix" => filter
            .values
            .iter()
            .any(|prefix| one.order.document.starts_with(prefix)),
        "ExecutionStatus" => is(one.status.as_str()),
        "ExecutionId" => is(&one.id),
        "ParentExecutionId" => one.parent().is_some_and(is),
        "CurrentAction" => current(one).is_some_and(|step| is(&step.action)),
        "AutomationType" => is(automation_type(one)),
        "TagKey" => one.order.tags.iter().any(|(key, _)| is(key)),
        _ => time_matches(filter, one.started),
    }
}
