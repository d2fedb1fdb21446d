//! An Automation document, schema 0.3, as the interpreter sees it. Keys that it has no use for
//! (descriptions, files, variables) are passed over.

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
    pub(crate) allowed_pattern: Option<String>,
}

/// A step's declaration.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepRule {
    pub(crate) name: String,
    pub(crate) action: String,
    #[serde(default)]
    pub(crate) inputs: Value,
    pub(crate) timeout_seconds: Option<Value>,
    pub(crate) on_failure: Option<String>,
    #[serde(default)]
    pub(crate) is_end: Option<Value>,
    pub(crate) next_step: Option<String>,
    pub(crate) is_critical: Option<Value>,
}

impl StepRule {
    /// Whether the execution ends after this step.
    pub(crate) fn ends(&self) -> bool {
        is_true(self.is_end.as_ref()).unwrap_or(false)
    }

    /// Whether its failure is the execution's: yes, unless it says otherwise or goes on anyway.
    pub(crate) fn counts(&self) -> bool {
        is_true(self.is_critical.as_ref()).unwrap_or(self.on_failure.as_deref() != Some("Continue"))
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

    fn check(&self) -> Result<(), String> {
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
            let jump = step
                .on_failure
                .as_deref()
                .and_then(|action| action.strip_prefix("step:"));
            for target in [step.next_step.as_deref(), jump].into_iter().flatten() {
                if self.index_of(target).is_none() {
                    return Err(format!(
                        "the step {} leads to {target}, which does not exist",
                        step.name
                    ));
                }
            }
        }
        for (name, rule) in &self.parameters {
            if let Some(pattern) = &rule.allowed_pattern {
                regex_lite::Regex::new(pattern)
                    .map_err(|error| format!("allowedPattern of {name} is not a pattern: {error}"))?;
            }
        }
        Ok(())
    }

    /// Where the step `name` stands.
    pub(crate) fn index_of(&self, name: &str) -> Option<usize> {
        self.main_steps.iter().position(|step| step.name == name)
    }
}
