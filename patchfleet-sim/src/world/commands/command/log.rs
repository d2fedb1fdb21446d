//! What AWS-RunPatchBaseline writes on Linux and macOS: the lines of a log, in which the counts stand as
//! a Python dictionary. The forms are those of AWS's own program
//! (`tests/real-answers/46-runpatchbaseline-output.json`).

use super::Command;
use crate::world::{Node, PatchReport, World};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// A log that grows line by line.
struct Log {
    text: String,
    at: Timestamp,
}

impl Log {
    fn line(&mut self, message: &str) {
        let at = self.at.strftime("%m/%d/%Y %H:%M:%S");
        let _ = writeln!(self.text, "{at} root [INFO]: {message}");
    }
}

/// The first line, which is there however the run ends.
pub(super) fn begin(command: &Command, at: Timestamp) -> String {
    let mut log = Log {
        text: String::new(),
        at,
    };
    log.line(&format!(
        "Running with snapshot id = {} and operation = {}",
        command.parameter("SnapshotId"),
        command.parameter("Operation")
    ));
    log.text
}

impl World {
    /// The log of a run that came to its summary; `overridden` has the lines of one under a
    /// BaselineOverride.
    pub(super) fn patch_log(
        &self,
        command: &Command,
        node: &Node,
        report: &PatchReport,
        overridden: Option<&[String; 2]>,
    ) -> String {
        let (platform, version) = node.platform_name();
        let region = node.location.region.as_str();
        let snapshot = report.snapshot.as_deref().unwrap_or_default();
        let option = command.parameter("RebootOption");
        let option = if option.is_empty() {
            "RebootIfNeeded"
        } else {
            option
        };
        let found = report.found;
        let mut log = Log {
            text: begin(command, report.started),
            at: report.started,
        };
        for line in [
            format!("Instance Id: {}", node.id),
            format!("Region: {region}"),
            format!("Product: {}{version}", platform.replace(' ', "")),
            format!("Patch Group: {}", node.patch_group()),
            format!("Operation type: {}", report.operation),
            format!("Snapshot Id: {snapshot}"),
            format!("Patch Baseline: {{'BaselineId': '{}'}}", self.baseline_id(node)),
            format!("Reboot Option: {option}"),
        ] {
            log.line(&line);
        }
        log.at = report.ended;
        log.line(&format!(
            "Installed count: {}, Installed Other count: {}, Failed count: {}, Not Applicable count: {}, Missing count: {}, Installed Rejected count: {}",
            found.installed,
            node.fixed.other,
            found.failed,
            node.fixed.not_applicable,
            found.missing,
            node.fixed.rejected
        ));
        let is_compliant = found.missing == 0 && found.failed == 0 && found.pending_reboot == 0;
        log.line(if is_compliant {
            " Instance is Compliant "
        } else {
            " Instance is Non-Compliant with severity of UNSPECIFIED "
        });
        if let Some(lines) = overridden {
            // Nothing is uploaded: what was found stands here alone, and not as lines of the log.
            for line in lines {
                let _ = writeln!(log.text, "{line}");
            }
        } else {
            let summary = self.summary_of(command, node, report, is_compliant);
            log.line("Start to upload patch compliance.");
            log.line(&format!("Summary: {}", python(&summary)));
            for line in [
                "Attempting full upload",
                "Upload complete.",
                "Report upload successful.",
            ] {
                log.line(line);
            }
        }
        log.line(match (report.operation.as_str(), option) {
            ("Scan", _) => "Reboot is not permitted for scan operation",
            (_, "NoReboot") => "Reboot is not permitted because RebootOption is NoReboot",
            _ => "Reboot is not required",
        });
        log.text
    }

    /// What is uploaded of a run: every value is text.
    fn summary_of(
        &self,
        command: &Command,
        node: &Node,
        report: &PatchReport,
        is_compliant: bool,
    ) -> Map<String, Value> {
        let (found, fixed, broken) = (report.found, node.fixed, node.non_compliant_in(report));
        let time = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let option = command.parameter("RebootOption");
        let option = if option.is_empty() {
            "RebootIfNeeded"
        } else {
            option
        };
        let mut members = vec![
            ("BaselineId", self.baseline_id(node)),
            ("PatchGroup", node.patch_group().to_owned()),
            ("SnapshotId", report.snapshot.clone().unwrap_or_default()),
            ("ExecutionId", command.id.clone()),
            ("InstalledCount", found.installed.to_string()),
            ("InstalledOtherCount", fixed.other.to_string()),
            ("InstalledRejectedCount", fixed.rejected.to_string()),
            ("InstalledPendingRebootCount", found.pending_reboot.to_string()),
            ("NotApplicableCount", fixed.not_applicable.to_string()),
            ("MissingCount", found.missing.to_string()),
            ("FailedCount", found.failed.to_string()),
            ("CriticalNonCompliantCount", broken.critical.to_string()),
            ("SecurityNonCompliantCount", broken.security.to_string()),
            ("OtherNonCompliantCount", broken.other.to_string()),
            ("OperationType", report.operation.clone()),
            ("OperationStartTime", time(report.started)),
            ("OperationEndTime", time(report.ended)),
            ("RebootOption", option.to_owned()),
        ];
        if !is_compliant {
            members.push(("NonCompliantSeverity", "UNSPECIFIED".to_owned()));
        }
        if let Some(list) = &report.override_list {
            members.push(("InstallOverrideList", list.clone()));
        }
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect()
    }
}

/// A dictionary of texts as Python prints it.
fn python(members: &Map<String, Value>) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}: {}", quoted(name), quoted(value.as_str().unwrap_or_default())))
        .collect();
    format!("{{{}}}", members.join(", "))
}
