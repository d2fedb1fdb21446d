//! `aws:executeAutomation`: starts another runbook and waits for its end. It may have targets and
//! target locations of its own.
//!
//! Sources: "aws:executeAutomation" of the Systems Manager guide; five levels of nesting (quotas).
//! Where AWS says nothing: `Output` holds the values of the other runbook's outputs, in their order.

use super::{
    Begun,
    command::{command_parameters, texts},
};
use crate::world::{
    StartOrder, StartRefusal, World,
    automation::Failure,
    lifecycle::Origin,
    locations::SEE_GUIDE,
    parameters::plain,
    rate_control::{RateControl, RateInput},
    target_location::TargetLocation,
};
use serde_json::Value;
use std::collections::BTreeMap;

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
        let (level, home) = (execution.level + 1, execution.home.clone());
        if level > MAX_LEVELS {
            return Err(Failure::action(format!(
                "Automations may start one another over {MAX_LEVELS} levels at most. {SEE_GUIDE}"
            )));
        }
        let text = |name: &str| inputs.get(name).filter(|value| !value.is_null()).map(plain);
        let rate = rate_input(inputs).map_err(Failure::input)?;
        let entries: Vec<TargetLocation> = list(inputs, "TargetLocations").map_err(Failure::input)?;
        let own = match entries.is_empty() {
            true => RateControl::of(&rate)?,
            false => None,
        };
        let order = StartOrder {
            document: text("DocumentName")
                .ok_or_else(|| Failure::input("DocumentName of aws:executeAutomation is required."))?,
            version: text("DocumentVersion"),
            parameters: command_parameters(inputs.get("RuntimeParameters")),
            targets: self.expand(&execution.order.location.account, &entries, &rate)?,
            rate: own,
            said: rate,
            tags: tags(inputs),
            token: None,
            mode: "Auto".to_owned(),
            ..execution.order.clone()
        };
        if order.tags.len() > 5 {
            return Err(StartRefusal::Parameters("An execution has at most 5 tags.".to_owned()).into());
        }
        self.check_may_start(&order)?;
        let checked = self.check_start(order, Some(&home))?;
        let origin = Origin {
            parent: Some((id.to_owned(), index)),
            level,
            target: None,
        };
        let child = self.add_execution(checked, origin, id)?;
        if let Some(step) = self.step_mut(id, index) {
            step.outputs.insert("ExecutionId".to_owned(), vec![child.clone()]);
            step.child = Some(child);
        }
        Ok(Begun::Runs)
    }
}

fn rate_input(inputs: &Value) -> Result<RateInput, String> {
    let text = |name: &str| inputs.get(name).filter(|value| !value.is_null()).map(plain);
    let maps: Vec<Value> = list(inputs, "TargetMaps")?;
    let rate = RateInput {
        target_parameter_name: text("TargetParameterName"),
        targets: Some(list(inputs, "Targets")?),
        target_maps: Some(maps.iter().map(|map| command_parameters(Some(map))).collect()),
        max_concurrency: text("MaxConcurrency"),
        max_errors: text("MaxErrors"),
    };
    let sound = rate
        .max_concurrency
        .as_deref()
        .is_none_or(crate::world::is_concurrency)
        && rate.max_errors.as_deref().is_none_or(crate::world::is_errors);
    if !sound {
        return Err("MaxConcurrency or MaxErrors is not in AWS's grammar.".to_owned());
    }
    Ok(rate)
}

/// A list of the inputs, empty if it is not there.
fn list<T: serde::de::DeserializeOwned>(inputs: &Value, name: &str) -> Result<Vec<T>, String> {
    match inputs.get(name) {
        None | Some(Value::Null) => Ok(vec![]),
        Some(given) => {
            serde_json::from_value(given.clone()).map_err(|error| format!("{name} cannot be read: {error}."))
        }
    }
}

/// Tags, each a map of `Key` and `Value`.
fn tags(inputs: &Value) -> Vec<(String, String)> {
    let given = inputs.get("Tags").and_then(Value::as_array).into_iter().flatten();
    let tag = |tag: &Value| {
        let text = |name: &str| tag.get(name).map(texts).unwrap_or_default().concat();
        (text("Key"), text("Value"))
    };
    let tags: BTreeMap<String, String> = given.map(tag).collect();
    tags.into_iter().collect()
}
