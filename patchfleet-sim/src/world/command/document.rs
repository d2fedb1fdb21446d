//! The Command documents that the simulator knows, all of them AWS's own: their parameters, their
//! platforms, their steps and how long they may take.

use super::CommandRefusal;
use crate::{spec::Platform, world::parameters::WireParameters};

/// A Command document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandDocument {
    /// AWS-RunPatchBaseline.
    Baseline,
    /// AWS-RunShellScript.
    Shell,
    /// AWS-RunPowerShellScript.
    PowerShell,
}

impl CommandDocument {
    const ALL: [Self; 3] = [Self::Baseline, Self::Shell, Self::PowerShell];

    /// The document with this name or ARN.
    pub(crate) fn named(document: &str) -> Option<Self> {
        let name = document
            .rsplit_once("document/")
            .map_or(document, |(_, name)| name);
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Baseline => "AWS-RunPatchBaseline",
            Self::Shell => "AWS-RunShellScript",
            Self::PowerShell => "AWS-RunPowerShellScript",
        }
    }

    /// Whether it runs on such a node, as its `PlatformTypes` say.
    pub(crate) fn runs_on(self, platform: Platform) -> bool {
        match self {
            Self::Baseline | Self::PowerShell => true,
            Self::Shell => platform != Platform::Windows,
        }
    }

    /// Its steps, in order.
    pub(crate) fn plugins(self) -> &'static [&'static str] {
        match self {
            Self::Baseline => &["PatchWindows", "PatchLinux", "PatchMacOS"],
            Self::Shell => &["aws:runShellScript"],
            Self::PowerShell => &["aws:runPowerShellScript"],
        }
    }

    /// The step that does the work on such a node. The others skip it.
    pub(crate) fn plugin_on(self, platform: Platform) -> &'static str {
        match (self, platform) {
            (Self::Baseline, Platform::Windows) => "PatchWindows",
            (Self::Baseline, Platform::Linux) => "PatchLinux",
            (Self::Baseline, Platform::MacOS) => "PatchMacOS",
            (Self::Shell, _) => "aws:runShellScript",
            (Self::PowerShell, _) => "aws:runPowerShellScript",
        }
    }

    /// Whether there is such a version. Each has one.
    pub(crate) fn has_version(version: &str) -> bool {
        matches!(version, "" | "1" | "$DEFAULT" | "$LATEST")
    }

    /// Seconds that a node may take: fixed for the patch baseline, a parameter of the scripts.
    pub(crate) fn execution_timeout(self, parameters: &WireParameters) -> i64 {
        match self {
            Self::Baseline => 7200,
            Self::Shell | Self::PowerShell => parameters
                .get("executionTimeout")
                .and_then(|values| values.first()?.parse().ok())
                .unwrap_or(3600),
        }
    }

    /// Checks what it is given, as SendCommand does before there is a command.
    pub(crate) fn check(self, parameters: &WireParameters) -> Result<(), CommandRefusal> {
        let name = self.name();
        let refused = |message: String| Err(CommandRefusal::new("InvalidParameters", message));
        let required = match self {
            Self::Baseline => "Operation",
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
        Some(match (self, parameter) {
            (Self::Baseline, "Operation") => text(|value| matches!(value, "Scan" | "Install")),
            (Self::Baseline, "RebootOption") => text(|value| matches!(value, "RebootIfNeeded" | "NoReboot")),
            (Self::Baseline, "SnapshotId" | "AssociationId") => text(is_id_or_empty),
            (Self::Baseline, "InstallOverrideList" | "BaselineOverride") => text(is_override),
            (Self::Shell | Self::PowerShell, "commands") => !values.is_empty(),
            (Self::Shell | Self::PowerShell, "workingDirectory") => text(|_| true),
            (Self::Shell | Self::PowerShell, "executionTimeout") => text(|value| {
                value.parse().is_ok_and(|seconds: u32| {
                    (1..=172_800).contains(&seconds) && seconds.to_string() == value
                })
            }),
            _ => return None,
        })
    }
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
