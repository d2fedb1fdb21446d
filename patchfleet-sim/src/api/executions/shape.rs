//! Executions and steps as the API shows them.

use crate::api::time::WireTime;
use crate::world::{
    AlarmConfiguration, Execution, Failure, FailureKind, FailureStage, LocationTargets, Shape, Status, Step,
    StepRule, Target, TargetUnit, TriggeredAlarm,
};
use patchfleet_core::id::{AccountId, Location, Region};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// The most steps that GetAutomationExecution shows. A flag says that there are more.
const SHOWN_STEPS: usize = 100;

/// Targets that are shown of a rate-control execution.
const SHOWN_TARGETS: usize = 100;

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
    #[serde(flatten)]
    pub(crate) rate: RateShape,
    pub(crate) target_locations: Option<Vec<Value>>,
    pub(crate) progress_counters: Option<ProgressCounters>,
    pub(crate) targets_summary: Option<TargetsSummary>,
    #[serde(flatten)]
    pub(crate) alarm: AlarmShape,
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
    #[serde(flatten)]
    pub(crate) rate: RateShape,
    pub(crate) automation_type: &'static str,
    /// The log's place in S3. AWS leaves it empty.
    pub(crate) log_file: &'static str,
    #[serde(flatten)]
    pub(crate) alarm: AlarmShape,
}

/// What both say about the alarm of an execution.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AlarmShape {
    pub(crate) alarm_configuration: Option<AlarmConfiguration>,
    pub(crate) triggered_alarms: Option<[TriggeredAlarm; 1]>,
}

/// What both say about targets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RateShape {
    pub(crate) target_parameter_name: Option<String>,
    pub(crate) targets: Vec<Target>,
    pub(crate) target_maps: Option<Vec<BTreeMap<String, Vec<String>>>>,
    pub(crate) resolved_targets: ResolvedTargets,
    pub(crate) max_concurrency: Option<String>,
    pub(crate) max_errors: Option<String>,
    pub(crate) target: Option<String>,
}

/// The targets that a rate-control execution found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ResolvedTargets {
    parameter_values: Vec<String>,
    truncated: bool,
}

/// How many steps of a parent of target locations ended, and how.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ProgressCounters {
    total_steps: usize,
    success_steps: usize,
    failed_steps: usize,
    cancelled_steps: usize,
    timed_out_steps: usize,
}

/// How many targets of a rate-control execution are through. `FailedCount` counts what failed, timed out
/// or was cancelled, as the model says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TargetsSummary {
    total_count: usize,
    started_count: usize,
    completed_count: usize,
    successful_count: usize,
    failed_count: usize,
}

/// Where a step of a parent of target locations runs its child, with what its entry says of that.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StepLocation {
    accounts: [AccountId; 1],
    regions: [Region; 1],
    #[serde(flatten)]
    entry: Option<StepEntry>,
}

/// An entry of target locations, as its steps show it. A parent has a step for each of thousands of locations,
/// so what they all show is shared and not copied.
#[derive(Debug)]
struct StepEntry(SharedEntry);

/// The targets of an entry of target locations, as its steps show them.
#[derive(Debug)]
pub(crate) struct StepTargets(SharedEntry);

/// All entries of target locations, and which of them is meant.
#[derive(Debug)]
struct SharedEntry(Arc<[LocationTargets]>, usize);

impl SharedEntry {
    fn get(&self) -> Option<&LocationTargets> {
        self.0.get(self.1)
    }
}

impl Serialize for StepEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Shown<'a> {
            target_location_max_concurrency: &'a str,
            target_location_max_errors: &'a str,
            execution_role_name: &'a str,
        }
        let shown = self.0.get().map(|entry| Shown {
            target_location_max_concurrency: &entry.max_concurrency,
            target_location_max_errors: &entry.max_errors,
            execution_role_name: &entry.role,
        });
        shown.serialize(serializer)
    }
}

impl Serialize for StepTargets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let targets = self.0.get().and_then(|entry| entry.said.targets.as_ref());
        targets.serialize(serializer)
    }
}

/// Shows what is shared as if it were not.
fn shared<T: Serialize, S: Serializer>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().serialize(serializer)
}

impl StepLocation {
    /// The location.
    pub(crate) fn location(self) -> Location {
        let ([account], [region]) = (self.accounts, self.regions);
        Location::new(account, region)
    }
}

/// A step.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StepShape {
    pub(crate) step_execution_id: String,
    pub(crate) step_name: String,
    pub(crate) action: String,
    pub(crate) timeout_seconds: Option<i64>,
    pub(crate) max_attempts: Option<i64>,
    pub(crate) execution_start_time: Option<WireTime>,
    pub(crate) execution_end_time: Option<WireTime>,
    pub(crate) step_status: &'static str,
    #[serde(serialize_with = "shared")]
    pub(crate) inputs: Arc<BTreeMap<String, String>>,
    #[serde(serialize_with = "shared")]
    pub(crate) outputs: Arc<BTreeMap<String, Vec<String>>>,
    pub(crate) failure_message: Option<String>,
    pub(crate) failure_details: Option<Value>,
    pub(crate) targets: Option<StepTargets>,
    pub(crate) target_location: Option<StepLocation>,
    pub(crate) is_end: Option<bool>,
    pub(crate) is_critical: Option<bool>,
    pub(crate) next_step: Option<String>,
    pub(crate) valid_next_steps: Option<Vec<String>>,
    pub(crate) on_failure: Option<String>,
    /// Always empty, and always there.
    pub(crate) overridden_parameters: BTreeMap<String, Vec<String>>,
}

pub(super) fn execution_shape(one: &Execution) -> ExecutionShape {
    let entries = one.order.targets.iter();
    let steps = one.steps.iter().enumerate().take(SHOWN_STEPS);
    ExecutionShape {
        automation_execution_id: one.id.clone(),
        document_name: one.order.document.clone(),
        document_version: one.version.clone(),
        execution_start_time: one.started.into(),
        execution_end_time: one.ended.map(WireTime),
        automation_execution_status: one.status.as_str(),
        step_executions: steps.map(|(index, step)| step_shape(one, index, step)).collect(),
        step_executions_truncated: one.steps.len() > SHOWN_STEPS,
        parameters: one.shown_parameters(),
        outputs: one.outputs.clone(),
        failure_message: one.failure.clone(),
        mode: one.order.mode.clone(),
        parent_automation_execution_id: one.parent().map(str::to_owned),
        executed_by: one.order.executed_by.clone(),
        current_step_name: current(one).map(|step| step.name.clone()),
        current_action: current(one).map(|step| step.action.clone()),
        rate: rate_shape(one),
        target_locations: one
            .is_cross_account()
            .then(|| entries.map(|entry| entry.given.clone()).collect()),
        progress_counters: one.is_cross_account().then(|| counters(one)),
        targets_summary: (one.shape() == Shape::RateControl).then(|| summary(one)),
        alarm: alarm_shape(one),
    }
}

pub(super) fn metadata(one: &Execution) -> ExecutionMetadata {
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
        rate: rate_shape(one),
        automation_type: automation_type(one),
        log_file: "",
        alarm: alarm_shape(one),
    }
}

fn alarm_shape(one: &Execution) -> AlarmShape {
    AlarmShape {
        alarm_configuration: one.order.alarm.clone(),
        triggered_alarms: one.triggered.clone().map(|alarm| [alarm]),
    }
}

pub(super) fn automation_type(one: &Execution) -> &'static str {
    if one.is_cross_account() {
        "CrossAccount"
    } else {
        "Local"
    }
}

/// The step that runs, or waits.
pub(super) fn current(one: &Execution) -> Option<&Step> {
    // Parents may have thousands of steps, none of which is shown as the current one.
    let steps = Some(&one.steps).filter(|_| one.shape() == Shape::Document);
    steps.into_iter().flatten().find(|step| step.is_open())
}

fn rate_shape(one: &Execution) -> RateShape {
    let said = &one.order.said;
    let targets: Vec<&TargetUnit> = one.steps.iter().filter_map(|step| step.target.as_ref()).collect();
    let shown = targets.iter().take(SHOWN_TARGETS);
    RateShape {
        target_parameter_name: said.target_parameter_name.clone(),
        targets: said.targets.clone().unwrap_or_default(),
        target_maps: said.target_maps.clone().filter(|maps| !maps.is_empty()),
        resolved_targets: ResolvedTargets {
            parameter_values: shown.map(|target| target.name.clone()).collect(),
            truncated: targets.len() > SHOWN_TARGETS,
        },
        max_concurrency: said.max_concurrency.clone(),
        max_errors: said.max_errors.clone(),
        target: one.target.clone(),
    }
}

fn counters(one: &Execution) -> ProgressCounters {
    let count = |status| one.steps.iter().filter(|step| step.status == status).count();
    ProgressCounters {
        total_steps: one.steps.len(),
        success_steps: count(Status::Success),
        failed_steps: count(Status::Failed),
        cancelled_steps: count(Status::Cancelled),
        timed_out_steps: count(Status::TimedOut),
    }
}

fn summary(one: &Execution) -> TargetsSummary {
    let count = |which: fn(&Step) -> bool| one.steps.iter().filter(|step| which(step)).count();
    TargetsSummary {
        total_count: one.steps.len(),
        started_count: count(|step| step.child.is_some()),
        completed_count: count(|step| step.status.is_terminal()),
        successful_count: count(|step| step.status == Status::Success),
        failed_count: count(|step| step.status.is_terminal() && step.status != Status::Success),
    }
}

pub(super) fn step_shape(execution: &Execution, index: usize, step: &Step) -> StepShape {
    let rules = &execution.runbook.main_steps;
    let rule = rules.get(index).filter(|_| execution.shape() == Shape::Document);
    let next = rule.and_then(|_| rules.get(execution.runbook.after(index)?));
    let next_step = next.map(|rule| rule.name.clone());
    StepShape {
        overridden_parameters: BTreeMap::new(),
        step_execution_id: step.id.clone(),
        step_name: step.name.clone(),
        action: step.action.clone(),
        timeout_seconds: step.timeout_seconds,
        // A member that the document does not give is not shown, even if AWS has a default.
        max_attempts: rule
            .filter(|rule| rule.max_attempts.is_some())
            .map(StepRule::attempts)
            .map(i64::from),
        execution_start_time: step.started.map(WireTime),
        execution_end_time: step.ended.map(WireTime),
        step_status: step.status.as_str(),
        inputs: step.inputs.clone(),
        outputs: step.outputs.clone(),
        failure_message: step.failure().map(str::to_owned),
        failure_details: step.failure.as_ref().map(failure_details),
        targets: location_targets(execution, step),
        target_location: target_location(execution, step),
        is_end: rule.map(|_| next_step.is_none()),
        is_critical: rule
            .filter(|rule| rule.is_critical.is_some())
            .map(StepRule::counts),
        valid_next_steps: next_step.clone().map(|name| vec![name]),
        next_step,
        on_failure: rule.and_then(|rule| rule.on_failure.as_ref().map(ToString::to_string)),
    }
}

fn location_targets(execution: &Execution, step: &Step) -> Option<StepTargets> {
    let (_, entry) = step.location.as_ref()?;
    let targets = &execution.order.targets;
    targets.get(*entry)?.said.targets.as_ref()?;
    Some(StepTargets(SharedEntry(targets.clone(), *entry)))
}

fn target_location(execution: &Execution, step: &Step) -> Option<StepLocation> {
    let (location, entry) = step.location.as_ref()?;
    let targets = &execution.order.targets;
    let is_there = targets.get(*entry).is_some();
    Some(StepLocation {
        accounts: [location.account.clone()],
        regions: [location.region.clone()],
        entry: is_there.then(|| StepEntry(SharedEntry(targets.clone(), *entry))),
    })
}

fn failure_details(failure: &Failure) -> Value {
    let stage = match failure.stage {
        FailureStage::InputValidation => "InputValidation",
        FailureStage::Invocation => "Invocation",
        FailureStage::PostVerification => "PostVerification",
    };
    let kind = match failure.kind {
        FailureKind::Action => "Action",
        FailureKind::Permission => "Permission",
        FailureKind::Throttling => "Throttling",
        FailureKind::Verification => "Verification",
    };
    json!({"FailureStage": stage, "FailureType": kind})
}
