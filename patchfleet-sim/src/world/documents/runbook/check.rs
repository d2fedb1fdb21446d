//! What is wrong with a document whatever it is given. It is found when the document is made.
//!
//! A step whose action is not known is not refused then. It fails when its turn comes.

use super::{Action, Jump, ParameterRule, Runbook, StepRule};
use crate::world::{automation::Branch, documents::parameters};
use serde_json::Value;

/// The actions to which `onCancel` may not lead, as the guide lists them.
const NOT_ON_CANCEL: [&str; 8] = [
    "aws:approve",
    "aws:copyImage",
    "aws:createImage",
    "aws:createStack",
    "aws:createTags",
    "aws:pause",
    "aws:runInstances",
    "aws:sleep",
];

impl Runbook {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.schema_version != "0.3" {
            return Err(format!(
                "Automation documents have schemaVersion 0.3, not {}",
                self.schema_version
            ));
        }
        if self.main_steps.is_empty() {
            return Err("mainSteps is empty".to_owned());
        }
        for (index, step) in self.main_steps.iter().enumerate() {
            self.check_step(index, step)?;
        }
        self.parameters
            .iter()
            .try_for_each(|(name, rule)| check_parameter(name, rule))
    }

    fn check_step(&self, index: usize, step: &StepRule) -> Result<(), String> {
        let well_named =
            !step.name.is_empty() && step.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !well_named {
            return Err(format!(
                "the step name {:?} is not letters, digits and _",
                step.name
            ));
        }
        if self.index_of(&step.name) != Some(index) {
            return Err(format!("two steps are named {}", step.name));
        }
        if let Some(seconds) = &step.timeout_seconds
            && !is_reference(seconds)
        {
            seconds_of_timeout(&step.name, seconds)?;
        }
        if step.on_cancel == Jump::Continue {
            return Err(format!("onCancel of the step {} cannot be Continue", step.name));
        }
        if let Jump::Step(name) = &step.on_cancel
            && let Some(target) = self.main_steps.iter().find(|one| one.name == *name)
            && NOT_ON_CANCEL.contains(&target.action.as_str())
        {
            return Err(format!(
                "onCancel of the step {} leads to {name}, whose action is {}",
                step.name, target.action
            ));
        }
        let mut targets: Vec<String> = step.next_step.iter().cloned().collect();
        for jump in step.on_failure.iter().chain([&step.on_cancel]) {
            if let Jump::Step(name) = jump {
                targets.push(name.clone());
            }
        }
        if Action::of(&step.action) == Action::Branch {
            let branch =
                Branch::read(&step.inputs).map_err(|error| format!("step {}: {error}", step.name))?;
            targets.extend(branch.targets().cloned());
        }
        match targets.iter().find(|name| self.index_of(name).is_none()) {
            Some(target) => Err(format!(
                "the step {} leads to {target}, which does not exist",
                step.name
            )),
            None => Ok(()),
        }
    }
}

/// Whether what it is turns out when its step begins.
fn is_reference(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains("{{"))
}

/// The seconds that a step's `timeoutSeconds` says, as a number or as text.
pub(crate) fn seconds_of_timeout(step: &str, value: &Value) -> Result<i64, String> {
    let text = parameters::plain(value);
    let seconds = text.trim().parse().ok().filter(|seconds| *seconds > 0);
    seconds.ok_or_else(|| {
        format!("timeoutSeconds of the step {step} is {text:.100}, which is no positive whole number")
    })
}

fn check_parameter(name: &str, rule: &ParameterRule) -> Result<(), String> {
    let known = matches!(
        rule.kind.as_str(),
        "String" | "StringList" | "Integer" | "Boolean" | "MapList" | "StringMap"
    );
    // Types of AWS's resources are texts with a check of their own in the console.
    if !known && !rule.kind.starts_with("AWS::") && !rule.kind.starts_with("List<AWS::") {
        return Err(format!(
            "the parameter {name} has the type {}, which Automation does not have",
            rule.kind
        ));
    }
    if let Some(pattern) = &rule.allowed_pattern {
        pattern
            .regex()
            .map_err(|error| format!("allowedPattern of {name} is not a pattern: {error}"))?;
    }
    match &rule.default {
        Some(default) if parameters::typed(&rule.kind, default).is_none() => Err(format!(
            "the default of the parameter {name} is not of its type {}",
            rule.kind
        )),
        _ => Ok(()),
    }
}
