//! The Command documents that the simulator knows, all of them AWS's own: their parameters, their
//! platforms, their steps and how long they may take.

use super::CommandRefusal;
use crate::{
    spec::{PatchBaselineDocument, Platform},
    world::documents::parameters::WireParameters,
};

/// Seconds of each step of AWS-RunPatchBaseline.
const BASELINE_STEP_SECONDS: i64 = 7200;
/// Seconds that a step timeout counts with if it is a parameter that is not given.
const UNKNOWN_STEP_SECONDS: i64 = 3600;

/// A Command document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandDocument {
    /// AWS-RunPatchBaseline, whose three steps have 7,200 seconds each.
    Baseline,
    /// AWS-RunPatchBaseline with the parameter StepTimeoutSeconds, which its three steps have.
    BaselineWithStepTimeout,
    /// AWS-RunShellScript.
    Shell,
    /// AWS-RunPowerShellScript.
    PowerShell,
}

impl CommandDocument {
    /// The document with this name or ARN; of AWS-RunPatchBaseline the one that the world has.
    pub(crate) fn named(document: &str, baseline: PatchBaselineDocument) -> Option<Self> {
        let baseline = match baseline {
            PatchBaselineDocument::Of2021 => Self::Baseline,
            PatchBaselineDocument::StepTimeoutSeconds => Self::BaselineWithStepTimeout,
        };
        let name = document
            .rsplit_once("document/")
            .map_or(document, |(_, name)| name);
        [baseline, Self::Shell, Self::PowerShell]
            .into_iter()
            .find(|one| one.name() == name)
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Baseline | Self::BaselineWithStepTimeout => "AWS-RunPatchBaseline",
            Self::Shell => "AWS-RunShellScript",
            Self::PowerShell => "AWS-RunPowerShellScript",
        }
    }

    /// Whether it runs on such a node, as its `PlatformTypes` say.
    pub(crate) fn runs_on(self, platform: Platform) -> bool {
        match self {
            Self::Baseline | Self::BaselineWithStepTimeout | Self::PowerShell => true,
            Self::Shell => platform != Platform::Windows,
        }
    }

    /// Its steps, in order.
    pub(crate) fn plugins(self) -> &'static [&'static str] {
        match self {
            Self::Baseline | Self::BaselineWithStepTimeout => &["PatchWindows", "PatchLinux", "PatchMacOS"],
            Self::Shell => &["aws:runShellScript"],
            Self::PowerShell => &["aws:runPowerShellScript"],
        }
    }

    /// The step that does the work on such a node. The others skip it.
    pub(crate) fn plugin_on(self, platform: Platform) -> &'static str {
        match (self, platform) {
            (Self::Baseline | Self::BaselineWithStepTimeout, Platform::Windows) => "PatchWindows",
            (Self::Baseline | Self::BaselineWithStepTimeout, Platform::Linux) => "PatchLinux",
            (Self::Baseline | Self::BaselineWithStepTimeout, Platform::MacOS) => "PatchMacOS",
            (Self::Shell, _) => "aws:runShellScript",
            (Self::PowerShell, _) => "aws:runPowerShellScript",
        }
    }

    /// Whether there is such a version. Each has one.
    pub(crate) fn has_version(version: &str) -> bool {
        matches!(version, "" | "1" | "$DEFAULT" | "$LATEST")
    }

    /// The parameter that says how long a step may take, and its default in the document; `None` where
    /// the document itself says it.
    fn step_timeout_parameter(self) -> Option<(&'static str, i64)> {
        match self {
            Self::Baseline => None,
            Self::BaselineWithStepTimeout => Some(("StepTimeoutSeconds", BASELINE_STEP_SECONDS)),
            Self::Shell | Self::PowerShell => Some(("executionTimeout", UNKNOWN_STEP_SECONDS)),
        }
    }

    /// Seconds that a node may take: those of the one step that works on it.
    pub(crate) fn execution_timeout(self, parameters: &WireParameters) -> i64 {
        match self.step_timeout_parameter() {
            None => BASELINE_STEP_SECONDS,
            Some((name, default)) => number(parameters, name).unwrap_or(default),
        }
    }

    /// Seconds of all its steps together, by which a command expires later than its delivery timeout.
    /// A step timeout that is a parameter counts with the value that is given, and with 3,600 if none
    /// is, whatever the parameter's default.
    pub(crate) fn step_timeouts(self, parameters: &WireParameters) -> i64 {
        let one = match self.step_timeout_parameter() {
            None => BASELINE_STEP_SECONDS,
            Some((name, _)) => number(parameters, name).unwrap_or(UNKNOWN_STEP_SECONDS),
        };
        let steps = i64::try_from(self.plugins().len()).unwrap_or(1);
        one.saturating_mul(steps)
    }

    /// Checks what it is given, as SendCommand does before there is a command.
    pub(crate) fn check(self, parameters: &WireParameters) -> Result<(), CommandRefusal> {
        let name = self.name();
        let refused = |message: String| Err(CommandRefusal::new("InvalidParameters", message));
        let required = match self {
            Self::Baseline | Self::BaselineWithStepTimeout => "Operation",
            Self::Shell | Self::PowerShell => "commands",
        };
        if !parameters.contains_key(required) {
            return refused(format!("{required} is required by {name}."));
        }
        for (parameter, values) in parameters {
            let Some(allowed) = self.allows(parameter, values) else {
                return refused(format!("{name} has no parameter {parameter}."));
            };
            if !allowed {
                return refused(format!(
                    "The value of {parameter} does not match what {name} allows."
                ));
            }
        }
        Ok(())
    }

    /// Whether a parameter may have these values; `None` if there is no such parameter.
    fn allows(self, parameter: &str, values: &[String]) -> Option<bool> {
        let text = |ok: fn(&str) -> bool| matches!(values, [value] if ok(value));
        let between = |first, last| {
            matches!(values, [value] if value.parse().is_ok_and(|seconds: u32| {
                (first..=last).contains(&seconds) && seconds.to_string() == *value
            }))
        };
        Some(match (self, parameter) {
            (Self::BaselineWithStepTimeout, "StepTimeoutSeconds") => between(1, 36_000),
            (Self::Baseline | Self::BaselineWithStepTimeout, name) => match name {
                "Operation" => text(|value| matches!(value, "Scan" | "Install")),
                "RebootOption" => text(|value| matches!(value, "RebootIfNeeded" | "NoReboot")),
                "SnapshotId" | "AssociationId" => text(is_id_or_empty),
                "InstallOverrideList" | "BaselineOverride" => text(is_override),
                _ => return None,
            },
            (Self::Shell | Self::PowerShell, "commands") => !values.is_empty(),
            (Self::Shell | Self::PowerShell, "workingDirectory") => text(|_| true),
            (Self::Shell | Self::PowerShell, "executionTimeout") => between(1, 172_800),
            _ => return None,
        })
    }
}

fn number(parameters: &WireParameters, name: &str) -> Option<i64> {
    parameters.get(name)?.first()?.parse().ok()
}

fn is_id_or_empty(value: &str) -> bool {
    value.is_empty() || (value.len() == 36 && uuid::Uuid::try_parse(value).is_ok())
}

/// `(^$)|^https://.+$|^s3://([^/]+)/(.*?([^/]+))$`
fn is_override(value: &str) -> bool {
    let of_bucket = |rest: &str| {
        rest.split_once('/')
            .is_some_and(|(bucket, key)| !bucket.is_empty() && !key.is_empty() && !key.ends_with('/'))
    };
    value.is_empty()
        || value
            .strip_prefix("https://")
            .is_some_and(|rest| !rest.is_empty())
        || value.strip_prefix("s3://").is_some_and(of_bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn override_lists_have_the_documents_pattern() {
        for right in ["", "https://x", "s3://bucket/list.yaml", "s3://bucket/a/b"] {
            assert!(is_override(right), "{right}");
        }
        for wrong in [
            "https://",
            "s3://bucket",
            "s3://bucket/",
            "s3:///x",
            "http://x",
            "list.yaml",
        ] {
            assert!(!is_override(wrong), "{wrong}");
        }
    }
}
