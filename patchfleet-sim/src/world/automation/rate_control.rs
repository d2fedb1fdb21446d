//! Rate-control executions: a child for each target, so many at once.
//!
//! Targets are looked for when the execution begins, and percentages are of what is found. Steps
//! are named after their targets and show the target as their input, as AWS's guide prints them.
//!
//! Where AWS says nothing, the simulator does this. No target at all fails the execution, as Run
//! Command fails for a group without nodes. `MaxErrors` is 0 if nobody says it.

use crate::world::{
    Node, Place, StartRefusal, Status, Step, Target, World,
    automation::execution::{Failure, TargetUnit},
    automation::fan_out::Child,
    automation::lifecycle::pacer,
    automation::locations::SEE_GUIDE,
    documents::parameters::WireParameters,
    documents::runbook::Runbook,
    time::Event,
};
use patchfleet_core::id::{Location, NodeKind};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// What a start says about targets, as the API has it.
#[derive(Debug, Clone, Default)]
pub(crate) struct RateInput {
    pub(crate) target_parameter_name: Option<String>,
    pub(crate) targets: Option<Vec<Target>>,
    pub(crate) target_maps: Option<Vec<BTreeMap<String, Vec<String>>>>,
    pub(crate) max_concurrency: Option<String>,
    pub(crate) max_errors: Option<String>,
}

/// The targets of an execution, and their pace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateControl {
    /// What they are.
    pub selection: Selection,
    /// How many at once.
    pub max_concurrency: String,
    /// How many may fail.
    pub max_errors: String,
}

/// How targets are said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// What a key with its values selects.
    Target {
        /// The parameter that takes the target.
        parameter: String,
        /// Key and values.
        target: Target,
    },
    /// Parameters, target by target.
    Maps(Vec<BTreeMap<String, Vec<String>>>),
}

impl RateControl {
    /// What `input` says; `None` if it names no target.
    ///
    /// # Errors
    ///
    /// Members that need or exclude one another, or a key that Automation does not have.
    pub(crate) fn of(input: &RateInput) -> Result<Option<Self>, StartRefusal> {
        let wrong = |text: &str| Err(StartRefusal::Parameters(text.to_owned()));
        let target = input.targets.iter().flatten().next();
        let maps = input.target_maps.as_ref().filter(|maps| !maps.is_empty());
        let selection = match (target, maps, &input.target_parameter_name) {
            (Some(_), Some(_), _) => {
                return wrong("Targets and TargetMaps cannot both be specified.");
            }
            (Some(_), None, None) => {
                return wrong("TargetParameterName is required if Targets are specified.");
            }
            (None, None, Some(_)) => {
                return wrong("Targets are required if TargetParameterName is specified.");
            }
            (None, None, None) => return Ok(None),
            (None, Some(maps), _) => Selection::Maps(maps.clone()),
            (Some(target), None, Some(parameter)) => {
                check_key(target)?;
                Selection::Target {
                    parameter: parameter.clone(),
                    target: target.clone(),
                }
            }
        };
        let or = |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| usual.to_owned());
        Ok(Some(Self {
            selection,
            max_concurrency: or(&input.max_concurrency, "10"),
            max_errors: or(&input.max_errors, "0"),
        }))
    }

    /// The parameters that the targets give.
    pub(crate) fn parameters(&self) -> Vec<String> {
        match &self.selection {
            Selection::Target { parameter, .. } => vec![parameter.clone()],
            Selection::Maps(maps) => maps.iter().flat_map(|map| map.keys().cloned()).collect(),
        }
    }

    /// Whether the runbook has those parameters. A target cannot give the role to assume.
    pub(in crate::world) fn check(&self, runbook: &Runbook) -> Result<(), StartRefusal> {
        for name in self.parameters() {
            if !runbook.parameters.contains_key(&name) || name == "AutomationAssumeRole" {
                return Err(StartRefusal::Parameters(format!(
                    "The target parameter {name} is not one that the runbook can be given targets by."
                )));
            }
        }
        Ok(())
    }

    fn group(&self) -> Option<&String> {
        match &self.selection {
            Selection::Target { target, .. } if target.key == "ResourceGroup" => target.values.first(),
            _ => None,
        }
    }
}

/// Automation's own keys, which are not Run Command's.
fn check_key(target: &Target) -> Result<(), StartRefusal> {
    let all = target.values.as_slice() == ["*"];
    let known = match target.key.as_str() {
        "ResourceGroup" => target.values.len() == 1,
        "ParameterValues" => !target.values.is_empty(),
        "AWS::EC2::Instance" | "InstanceIds" => all,
        key => key.strip_prefix("tag:").is_some_and(|tag| !tag.is_empty()) && !target.values.is_empty(),
    };
    if known {
        return Ok(());
    }
    Err(StartRefusal::Target(format!(
        "Unsupported Target Type: {} with {} values.",
        target.key,
        target.values.len()
    )))
}

/// Whether `target` means the node. It need not be managed: the runbook says what it is for.
fn selects(target: &Target, place: &Place, node: &Node) -> bool {
    if node.forgotten {
        return false;
    }
    match target.key.as_str() {
        "ResourceGroup" => target.values.iter().any(|group| place.is_member(group, node)),
        "AWS::EC2::Instance" => node.id.kind() == NodeKind::Ec2,
        "InstanceIds" => node.is_managed(),
        key => key
            .strip_prefix("tag:")
            .and_then(|tag| node.tags.get(tag))
            .is_some_and(|value| target.values.contains(value)),
    }
}

impl World {
    /// A group that is named has to be there.
    pub(in crate::world) fn check_group(
        &self,
        at: &Location,
        rate: &RateControl,
    ) -> Result<(), StartRefusal> {
        let Some(group) = rate.group() else {
            return Ok(());
        };
        let place = self.place(at);
        if place.is_some_and(|place| place.groups.contains_key(group)) {
            return Ok(());
        }
        Err(StartRefusal::Target(format!("Cannot find group {group}.")))
    }

    /// The targets as they are now, in the order in which they are reached. The order is arbitrary, and always
    /// the same.
    fn find_targets(&self, at: &Location, rate: &RateControl) -> Vec<TargetUnit> {
        match &rate.selection {
            Selection::Maps(maps) => maps
                .iter()
                .map(|map| TargetUnit {
                    name: json!(map).to_string(),
                    parameters: map.clone(),
                })
                .collect(),
            Selection::Target { parameter, target } => {
                let values = if target.key == "ParameterValues" {
                    target.values.clone()
                } else {
                    let place = self.place(at).into_iter();
                    let mut ids: Vec<String> = place
                        .flat_map(|place| self.nodes.of(place).map(move |node| (place, node)))
                        .filter(|(place, node)| selects(target, place, node))
                        .map(|(_, node)| node.id.to_string())
                        .collect();
                    ids.sort_by_cached_key(|id| self.seed.number(&[id, "order"]));
                    ids
                };
                let unit = |value: String| TargetUnit {
                    parameters: WireParameters::from([(parameter.clone(), vec![value.clone()])]),
                    name: value,
                };
                values.into_iter().map(unit).collect()
            }
        }
    }

    /// A rate-control execution looks for its targets and begins with the first.
    pub(in crate::world) fn begin_targets(&mut self, id: &str) {
        let Some(execution) = self.executions.get(id) else {
            return;
        };
        let Some(rate) = execution.order.rate.clone() else {
            return;
        };
        let at = execution.order.location.clone();
        let units = self.find_targets(&at, &rate);
        if units.is_empty() {
            let failure = format!("No targets were found. {SEE_GUIDE}");
            return self.end_execution(id, Status::Failed, Some(failure));
        }
        let pacer = pacer(&rate.max_concurrency, &rate.max_errors, units.len());
        let step = |(index, unit): (usize, TargetUnit)| {
            let step_id = self.seed.uuid(&["step", id, &unit.name, &index.to_string()]);
            let mut step = Step::new(step_id, unit.name.clone(), "aws:executeAutomation");
            let inputs = unit.parameters.iter();
            let inputs = inputs.map(|(name, values)| (name.clone(), values.join(",")));
            step.inputs = Arc::new(inputs.collect());
            step.target = Some(unit);
            step
        };
        let steps: Vec<Step> = units.into_iter().enumerate().map(step).collect();
        if let Some(execution) = self.executions.get_mut(id) {
            execution.pacers = vec![pacer];
            execution.unbegun = std::iter::once(0..steps.len()).collect();
            execution.steps = steps;
        }
        self.pump_units(id);
    }

    /// A target's turn has come: its child begins.
    pub(in crate::world) fn target_begins(&mut self, id: &str, index: usize) {
        let Some(execution) = self
            .executions
            .get(id)
            .filter(|one| one.status == Status::InProgress)
        else {
            return;
        };
        let Some(unit) = execution.steps.get(index).and_then(|step| step.target.clone()) else {
            return;
        };
        let mut order = execution.order.clone();
        order.rate = None;
        order.said = RateInput::default();
        order.token = None;
        order.alarm = None;
        // As with target locations: whether a child has its parent's tags is undocumented.
        order.tags = vec![];
        Arc::make_mut(&mut order.parameters).extend(unit.parameters.clone());
        let child = Child {
            order,
            target: Some(unit),
            copy: None,
        };
        if let Err(failure) = self.start_child(id, index, child) {
            self.end_unit(id, index, Status::Failed, Some(failure));
        }
    }

    /// The delay between when a target may begin and when it does.
    pub(in crate::world) fn target_follows(&mut self, id: &str, step: usize) {
        self.after_seconds(
            1,
            Event::TargetBegins {
                execution: id.to_owned(),
                step,
            },
        );
    }
}

impl From<StartRefusal> for Failure {
    /// Why a step's child was not started, in the words of the API that refused it.
    fn from(refusal: StartRefusal) -> Self {
        let text = match refusal {
            StartRefusal::NoDocument => {
                "AutomationDefinitionNotFoundException: the Automation definition could not be found."
                    .to_owned()
            }
            StartRefusal::NoVersion => {
                "AutomationDefinitionVersionNotFoundException: the Automation definition has no such version."
                    .to_owned()
            }
            StartRefusal::Parameters(text) => {
                format!("InvalidAutomationExecutionParametersException: {text}")
            }
            StartRefusal::Target(text) => format!("InvalidTarget: {text}"),
            StartRefusal::Limit => {
                let text = "AutomationExecutionLimitExceededException: too many executions run and wait.";
                return Self::throttled(format!("{text} {SEE_GUIDE}"));
            }
        };
        Self::action(format!("{text} {SEE_GUIDE}"))
    }
}
