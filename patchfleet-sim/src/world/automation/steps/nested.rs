//! `aws:executeAutomation`: starts another runbook and waits for its end. It may have targets and
//! target locations of its own.
//!
//! Sources: "aws:executeAutomation" of the Systems Manager guide; five levels of nesting (quotas).
//! Where AWS says nothing: `Output` holds the values of the other runbook's outputs, in their order.

use super::{Begun, command::command_parameters};
use crate::{
    error::ApiError,
    model::ServiceModel,
    service::Service,
    world::{
        StartOrder, StartRefusal, Status, Tag, Target, World,
        automation::execution::Failure,
        automation::lifecycle::{Checked, Origin},
        automation::locations::SEE_GUIDE,
        automation::rate_control::{RateControl, RateInput},
        automation::target_location::TargetLocation,
        documents::parameters::{WireParameters, plain},
        time::Event,
    },
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// How many runbooks may start one another.
const MAX_LEVELS: u32 = 5;

impl World {
    pub(super) fn execute_automation(
        &mut self,
        id: &str,
        index: usize,
        inputs: &Value,
    ) -> Result<Begun, Failure> {
        let Some(execution) = self.executions.get(id) else {
            return Ok(Begun::Runs);
        };
        let home = execution.home.clone();
        if execution.level >= MAX_LEVELS {
            return Err(Failure::action(format!(
                "Automations may start one another over {MAX_LEVELS} levels at most. {SEE_GUIDE}"
            )));
        }
        let request = request(inputs);
        let problems = ServiceModel::of(Service::Ssm).check("StartAutomationExecution", &request);
        if !problems.is_empty() {
            let error = ApiError::invalid(Service::Ssm, &problems);
            return Err(Failure::input(format!("{error} {SEE_GUIDE}")));
        }
        let request: Request =
            serde_json::from_value(request).map_err(|error| Failure::input(error.to_string()))?;
        let rate = RateInput {
            target_parameter_name: request.target_parameter_name,
            targets: Some(request.targets),
            target_maps: Some(request.target_maps),
            max_concurrency: request.max_concurrency,
            max_errors: request.max_errors,
        };
        let entries = request.target_locations;
        if entries
            .iter()
            .any(|entry| entry.target_location_alarm_configuration.is_some())
        {
            return Err(Failure::input("Alarms of target locations are not simulated."));
        }
        let own = match entries.is_empty() {
            true => RateControl::of(&rate)?,
            false => None,
        };
        let order = StartOrder {
            document: request.document_name,
            version: request.document_version,
            parameters: Arc::new(request.parameters),
            targets: self
                .expand(&execution.order.location.account, &entries, &rate)?
                .into(),
            rate: own,
            said: rate,
            tags: request.tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
            alarm: None,
            token: None,
            mode: "Auto".to_owned(),
            ..execution.order.clone()
        };
        if order.tags.len() > 5 {
            return Err(StartRefusal::Parameters("An execution has at most 5 tags.".to_owned()).into());
        }
        self.check_may_start(&order)?;
        let checked = self.check_start(order, Some(&home))?;
        if let Some(run) = self.step_mut(id, index).map(|step| step.runs) {
            self.after_seconds(
                0,
                Event::ChildComes {
                    execution: id.to_owned(),
                    step: index,
                    run,
                    child: Box::new(checked),
                },
            );
        }
        Ok(Begun::Runs)
    }

    /// Starts the other runbook's execution, if there is a place for it. That does not happen as soon as its
    /// step begins, because others may come to that place at the same instant.
    pub(in crate::world) fn child_comes(&mut self, id: &str, index: usize, run: u32, child: Checked) {
        let Some(execution) = self.executions.get(id).filter(|one| one.takes_steps()) else {
            return;
        };
        let step = execution.steps.get(index);
        if !step.is_some_and(|step| step.is_open() && step.runs == run) {
            return;
        }
        let origin = Origin {
            parent: Some((id.to_owned(), index)),
            level: execution.level + 1,
            target: None,
        };
        match self.add_execution(child, origin, id) {
            Ok(child) => {
                if let Some(step) = self.step_mut(id, index) {
                    step.outputs_mut()
                        .insert("ExecutionId".to_owned(), vec![child.clone()]);
                    step.child = Some(child);
                }
            }
            Err(refusal) => self.end_step(id, index, Status::Failed, Some(refusal.into())),
        }
    }
}

/// What StartAutomationExecution is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    document_name: String,
    document_version: Option<String>,
    #[serde(default)]
    parameters: WireParameters,
    target_parameter_name: Option<String>,
    #[serde(default)]
    targets: Vec<Target>,
    #[serde(default)]
    target_maps: Vec<WireParameters>,
    max_concurrency: Option<String>,
    max_errors: Option<String>,
    #[serde(default)]
    target_locations: Vec<TargetLocation>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// A step's inputs as the API's own request, so that the API's own model can be held against it.
fn request(inputs: &Value) -> Value {
    let mut request = Map::new();
    for (name, value) in inputs.as_object().into_iter().flatten() {
        if value.is_null() {
            continue;
        }
        let (name, value) = match name.as_str() {
            "RuntimeParameters" => ("Parameters", json!(command_parameters(Some(value)))),
            "TargetMaps" => {
                let maps = value.as_array().into_iter().flatten();
                (
                    "TargetMaps",
                    maps.map(|map| json!(command_parameters(Some(map)))).collect(),
                )
            }
            "TargetLocations" => {
                let entries = value.as_array().into_iter().flatten();
                ("TargetLocations", entries.map(with_texts).collect())
            }
            "Targets" | "Tags" => (name.as_str(), value.clone()),
            _ => (name.as_str(), Value::String(plain(value))),
        };
        request.insert(name.to_owned(), value);
    }
    Value::Object(request)
}

/// Documents write a number where the API has a text of digits.
fn with_texts(entry: &Value) -> Value {
    match entry {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let value = if value.is_number() {
                    Value::String(plain(value))
                } else {
                    value.clone()
                };
                (name.clone(), value)
            })
            .collect(),
        other => other.clone(),
    }
}
