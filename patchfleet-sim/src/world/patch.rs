//! AWS-RunPatchBaseline on a node: scan or install, reboot, report.

use super::{
    InvocationState, PatchReport, Patches, Status, World, command::BASELINE, event::Event,
    parameters::WireParameters,
};
use crate::spec::OutcomeSpec;
use patchfleet_core::id::NodeId;

/// The document's own limit for a node, which no parameter changes.
pub(crate) const EXECUTION_TIMEOUT_SECONDS: i64 = 7200;

/// The baseline run's parameters, as a node gets them.
struct Run {
    install: bool,
    may_reboot: bool,
    both_overrides: bool,
}

/// Checks a command's document and parameters, as SendCommand does before there is a command.
///
/// # Errors
///
/// What AWS would refuse.
pub(crate) fn check_baseline(document: &str, parameters: &WireParameters) -> Result<(), String> {
    let name = document
        .rsplit_once("document/")
        .map_or(document, |(_, name)| name);
    if name != BASELINE {
        return Err(format!(
            "InvalidDocument: Document with name {document} does not exist (the simulator knows {BASELINE})."
        ));
    }
    let invalid = |name: &str| {
        Err(format!(
            "InvalidParameters: the value of {name} does not match what {BASELINE} allows."
        ))
    };
    if !parameters.contains_key("Operation") {
        return Err("InvalidParameters: Operation is required.".to_owned());
    }
    for (name, values) in parameters {
        let [value] = values.as_slice() else {
            return invalid(name);
        };
        let allowed = match name.as_str() {
            "Operation" => matches!(value.as_str(), "Scan" | "Install"),
            "RebootOption" => matches!(value.as_str(), "RebootIfNeeded" | "NoReboot"),
            "SnapshotId" | "AssociationId" => {
                value.is_empty() || uuid::Uuid::try_parse(value).is_ok_and(|_| value.len() == 36)
            }
            "InstallOverrideList" | "BaselineOverride" => is_override(value),
            _ => return Err(format!("InvalidParameters: {BASELINE} has no parameter {name}.")),
        };
        if !allowed {
            return invalid(name);
        }
    }
    Ok(())
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

impl World {
    fn run_of(&self, command: &str) -> Option<Run> {
        let command = self.commands.get(command)?;
        Some(Run {
            install: command.parameter("Operation") == "Install",
            may_reboot: command.parameter("RebootOption") != "NoReboot",
            both_overrides: !command.parameter("InstallOverrideList").is_empty()
                && !command.parameter("BaselineOverride").is_empty(),
        })
    }

    /// The agent has taken the command.
    pub(super) fn begin_work(&mut self, command: &str, id: &NodeId) {
        let (Some(run), Some(node)) = (self.run_of(command), self.node_mut(id)) else {
            return;
        };
        let stuck = node.behaviour.outcome == OutcomeSpec::Stuck;
        let seconds = if run.both_overrides {
            1
        } else if run.install {
            node.installs += 1;
            node.behaviour.install_seconds
        } else {
            node.behaviour.scan_seconds
        };
        let (command, node) = (command.to_owned(), id.clone());
        if !stuck {
            self.after_seconds(
                seconds,
                Event::WorkDone {
                    command: command.clone(),
                    node: node.clone(),
                },
            );
        }
        self.after_seconds(
            EXECUTION_TIMEOUT_SECONDS,
            Event::ExecutionTimesOut { command, node },
        );
    }

    pub(super) fn work_done(&mut self, command: &str, id: &NodeId) {
        let Some(run) = self.run_of(command) else { return };
        if self.invocation_state(command, id) != Some(InvocationState::Running) {
            return;
        }
        if run.both_overrides {
            // The document's own exit code for two override lists.
            return self.end_invocation(command, id, Status::Failed, "Failed", 167);
        }
        if !run.install {
            return self.end_scan(command, id);
        }
        let now = self.now;
        let Some(node) = self.node_mut(id) else { return };
        let before = node.patches;
        node.patches = installed(before, node.behaviour.outcome, node.behaviour.failed_patches);
        let outcome = node.behaviour.outcome;
        let reboots = node.patches.pending_reboot > 0 && run.may_reboot && outcome != OutcomeSpec::Fails;
        if !reboots {
            return self.end_install(command, id);
        }
        node.silent_since = Some(now);
        let seconds = node.behaviour.reboot_seconds;
        if outcome != OutcomeSpec::NeverReturns {
            self.after_seconds(
                seconds,
                Event::Returns {
                    command: command.to_owned(),
                    node: id.clone(),
                },
            );
        }
    }

    /// A node is back. It is so even if its command was given up meanwhile.
    pub(super) fn returns(&mut self, command: &str, id: &NodeId) {
        let Some(node) = self.node_mut(id) else { return };
        node.silent_since = None;
        node.patches.installed += std::mem::take(&mut node.patches.pending_reboot);
        if self.invocation_state(command, id) == Some(InvocationState::Running) {
            self.end_install(command, id);
        }
        self.redeliver(id);
    }

    fn end_scan(&mut self, command: &str, id: &NodeId) {
        if let Some(node) = self.node_mut(id) {
            // To a scan, what failed to install is simply missing.
            node.patches.missing += std::mem::take(&mut node.patches.failed);
        }
        self.report(command, id);
        self.end_invocation(command, id, Status::Success, "Success", 0);
    }

    fn end_install(&mut self, command: &str, id: &NodeId) {
        self.report(command, id);
        match self.node(id).map(|node| node.behaviour.outcome) {
            Some(OutcomeSpec::Fails) => self.end_invocation(command, id, Status::Failed, "Failed", 1),
            _ => self.end_invocation(command, id, Status::Success, "Success", 0),
        }
    }

    /// The node tells Systems Manager what it found.
    fn report(&mut self, command: &str, id: &NodeId) {
        let now = self.now;
        let Some(command) = self.commands.get(command) else {
            return;
        };
        let given = |name: &str| Some(command.parameter(name).to_owned()).filter(|value| !value.is_empty());
        let install = command.parameter("Operation") == "Install";
        let option = given("RebootOption").unwrap_or_else(|| "RebootIfNeeded".to_owned());
        let no_reboot = install && option == "NoReboot";
        let report = PatchReport {
            operation: command.parameter("Operation").to_owned(),
            started: command.invocation(id).and_then(|one| one.started).unwrap_or(now),
            ended: now,
            snapshot: given("SnapshotId"),
            // A Scan ignores it.
            override_list: given("InstallOverrideList").filter(|_| install),
            reboot_option: install.then_some(option),
            found: Patches::default(),
        };
        let Some(node) = self.node_mut(id) else { return };
        if no_reboot {
            node.last_no_reboot_install = Some(now);
        }
        node.report = Some(PatchReport {
            found: node.patches,
            ..report
        });
    }

    fn node_mut(&mut self, id: &NodeId) -> Option<&mut super::Node> {
        self.places.get_mut(self.node_index.get(id)?)?.nodes.get_mut(id)
    }
}

/// What is on a node after an Install and before the reboot.
fn installed(before: Patches, outcome: OutcomeSpec, failed: Option<u32>) -> Patches {
    let wanted = before.missing + before.failed;
    let failed = match outcome {
        OutcomeSpec::Fails => failed.unwrap_or(wanted).min(wanted),
        OutcomeSpec::SucceedsWithFailedPatches => failed.unwrap_or(1).min(wanted),
        OutcomeSpec::Ok | OutcomeSpec::NeverReturns | OutcomeSpec::Stuck => 0,
    };
    Patches {
        installed: before.installed,
        missing: 0,
        failed,
        pending_reboot: before.pending_reboot + wanted - failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_install_accounts_for_every_patch() {
        let before = Patches {
            installed: 10,
            missing: 4,
            failed: 1,
            pending_reboot: 2,
        };
        for (outcome, failed, expected) in [
            (OutcomeSpec::Ok, None, (0, 7)),
            (OutcomeSpec::Fails, None, (5, 2)),
            (OutcomeSpec::Fails, Some(2), (2, 5)),
            (OutcomeSpec::SucceedsWithFailedPatches, None, (1, 6)),
            (OutcomeSpec::SucceedsWithFailedPatches, Some(99), (5, 2)),
        ] {
            let after = installed(before, outcome, failed);
            assert_eq!((after.failed, after.pending_reboot), expected, "{outcome:?}");
            assert_eq!(after.installed + after.failed + after.pending_reboot, 17);
        }
    }

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
