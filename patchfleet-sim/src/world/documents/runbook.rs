//! An Automation document, schema 0.3, as the interpreter sees it. Keys that it has no use for
//! (descriptions, files, variables) are passed over.

mod check;
mod jump;

pub(crate) use check::seconds_of_timeout;
pub(crate) use jump::Jump;

use crate::model::SearchPattern;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A document that has been read.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Runbook {
    pub(crate) schema_version: String,
    #[serde(default)]
    pub(crate) assume_role: Option<String>,
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, ParameterRule>,
    pub(crate) main_steps: Vec<StepRule>,
    #[serde(default)]
    pub(crate) outputs: Vec<String>,
}

/// A parameter's declaration.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParameterRule {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) default: Option<Value>,
    pub(crate) allowed_values: Option<Vec<Value>>,
    pub(crate) allowed_pattern: Option<SearchPattern>,
    pub(crate) min_items: Option<usize>,
    pub(crate) max_items: Option<usize>,
    pub(crate) min_chars: Option<usize>,
    pub(crate) max_chars: Option<usize>,
}

/// A step's declaration.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepRule {
    pub(crate) name: String,
    pub(crate) action: String,
    #[serde(default)]
    pub(crate) inputs: Value,
    pub(crate) max_attempts: Option<Value>,
    pub(crate) timeout_seconds: Option<Value>,
    /// What happens when it fails; `None`: it ends the execution.
    pub(crate) on_failure: Option<Jump>,
    #[serde(default)]
    pub(crate) on_cancel: Jump,
    #[serde(default)]
    pub(crate) is_end: Option<Value>,
    pub(crate) next_step: Option<String>,
    pub(crate) is_critical: Option<Value>,
}

/// The actions that the interpreter runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Approve,
    Branch,
    ExecuteAutomation,
    Pause,
    RunCommand,
    Sleep,
    /// Any other: its step fails when its turn comes.
    Unknown,
}

impl Action {
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "aws:approve" => Self::Approve,
            "aws:branch" => Self::Branch,
            "aws:executeAutomation" => Self::ExecuteAutomation,
            "aws:pause" => Self::Pause,
            "aws:runCommand" => Self::RunCommand,
            "aws:sleep" => Self::Sleep,
            _ => Self::Unknown,
        }
    }
}

impl StepRule {
    /// How often it is tried before it has failed.
    pub(crate) fn attempts(&self) -> u32 {
        let times = match &self.max_attempts {
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(value) => value.as_u64().and_then(|times| u32::try_from(times).ok()),
            None => None,
        };
        times.unwrap_or(1)
    }

    /// Whether the execution ends after this step.
    pub(crate) fn ends(&self) -> bool {
        is_true(self.is_end.as_ref()).unwrap_or(false)
    }

    /// Whether the execution fails with it. It does, unless the step says otherwise or goes on anyway.
    pub(crate) fn counts(&self) -> bool {
        is_true(self.is_critical.as_ref()).unwrap_or(self.on_failure != Some(Jump::Continue))
    }
}

/// Documents write booleans as such or as text.
fn is_true(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(value) => Some(*value),
        Value::String(text) => Some(text.eq_ignore_ascii_case("true")),
        _ => None,
    }
}

impl Runbook {
    pub(crate) fn parse(content: &str, format: &str) -> Result<Self, String> {
        let runbook: Self = if format == "YAML" {
            serde_saphyr::from_str(content).map_err(|error| error.to_string())?
        } else {
            serde_json::from_str(content).map_err(|error| error.to_string())?
        };
        runbook.check()?;
        Ok(runbook)
    }

    /// Where the step `name` stands.
    pub(crate) fn index_of(&self, name: &str) -> Option<usize> {
        self.main_steps.iter().position(|step| step.name == name)
    }

    /// Where the execution goes when the step at `index` has done what it was for; `None`: to the
    /// end.
    pub(crate) fn after(&self, index: usize) -> Option<usize> {
        let rule = self.main_steps.get(index)?;
        match &rule.next_step {
            _ if rule.ends() => None,
            Some(name) => self.index_of(name),
            None => Some(index + 1).filter(|next| *next < self.main_steps.len()),
        }
    }
}
