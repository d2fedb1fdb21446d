//! What a command says on a node: its steps, and their texts in the style of the documents.

use super::{Command, CommandDocument, Invocation, InvocationState, Trouble, log};
use crate::{
    spec::Platform,
    world::{Node, PatchReport, Status, World},
};
use jiff::Timestamp;
use patchfleet_core::id::Partition;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The exit code of a process that was killed: 128 and SIGKILL.
const KILLED: i32 = 137;

/// One step of a command on one node.
#[derive(Debug, Clone)]
pub(crate) struct Plugin {
    pub(crate) name: &'static str,
    pub(crate) status: &'static str,
    pub(crate) details: &'static str,
    pub(crate) response_code: i32,
    pub(crate) started: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Plugin {
    /// What ListCommandInvocations shows: both texts in one, at most 2500 characters of it.
    pub(crate) fn output(&self) -> String {
        let mut text = self.stdout.clone();
        if !self.stderr.is_empty() {
            let _ = write!(text, "\n----------ERROR-------\n{}", self.stderr);
        }
        text.chars().take(2500).collect()
    }
}

impl World {
    /// The steps of a command on a node, in the document's order. Those of another platform are
    /// skipped, which is a success.
    pub(crate) fn plugins(&self, command: &Command, one: &Invocation) -> Vec<Plugin> {
        let Some(node) = self.node(&one.node) else {
            return vec![];
        };
        let works = command.document.plugin_on(node.platform);
        let mut before = true;
        command
            .document
            .plugins()
            .iter()
            .map(|&name| {
                if name == works {
                    before = false;
                    return self.working(command, one, node, name);
                }
                match one.started {
                    Some(started) if before => skipped(name, started),
                    Some(started) if one.is_reported() => skipped(name, one.ended.unwrap_or(started)),
                    // Its turn has not come.
                    Some(_) if !one.state.is_terminal() => untold(name, InvocationState::Waiting),
                    _ => untold(name, one.state),
                }
            })
            .collect()
    }

    fn working(&self, command: &Command, one: &Invocation, node: &Node, name: &'static str) -> Plugin {
        if !one.is_reported() {
            return untold(name, one.state);
        }
        let (status, details) = shown(one.state);
        let spoke = matches!(
            one.state,
            InvocationState::Ended(Status::Success | Status::Failed, _)
        );
        let (stdout, stderr) = match command.document {
            CommandDocument::Baseline | CommandDocument::BaselineWithStepTimeout if spoke => {
                self.baseline_texts(command, one, node)
            }
            _ => (String::new(), String::new()),
        };
        Plugin {
            name,
            status,
            details,
            response_code: match one.state {
                // Recorded: the agent kills what runs too long.
                InvocationState::Ended(_, "ExecutionTimedOut") => KILLED,
                _ => one.response_code,
            },
            started: one.started,
            ended: one.ended,
            stdout,
            stderr,
        }
    }

    /// What AWS-RunPatchBaseline writes, and why it failed if it did. On Windows it ends with a block of
    /// counts; elsewhere it is a log.
    fn baseline_texts(&self, command: &Command, one: &Invocation, node: &Node) -> (String, String) {
        let operation = command.parameter("Operation");
        let snapshot = command.parameter("SnapshotId");
        let is_windows = node.platform == Platform::Windows;
        let mut stdout = match one.started {
            Some(started) if !is_windows => log::begin(command, started),
            _ => format!("Running with snapshot id = {snapshot} and operation = {operation}\n"),
        };
        let failed = |why: &str| format!("{why}\nfailed to run commands: exit status {}", one.response_code);
        if let Some(trouble) = one.trouble {
            let why = match trouble {
                Trouble::TwoOverrides => {
                    "InstallOverrideList and BaselineOverride cannot both be given.".to_owned()
                }
                Trouble::SnapshotExpired => format!("The patch baseline snapshot {snapshot} has expired."),
                Trouble::SetUp => "The instance metadata could not be read.".to_owned(),
            };
            return (stdout, failed(&why));
        }
        let Some(report) = &one.report else {
            return (stdout, String::new());
        };
        let is_overridden = !command.parameter("BaselineOverride").is_empty();
        let overridden = is_overridden.then(|| self.override_summary(node, report));
        if !is_windows {
            stdout = self.patch_log(command, node, report, overridden.as_ref());
        } else if let Some(lines) = overridden {
            for line in lines {
                let _ = writeln!(stdout, "{line}");
            }
        } else {
            stdout.push_str(&self.summary(node, report));
        }
        let stderr = match one.state {
            InvocationState::Ended(Status::Failed, _) => {
                failed(&format!("{} patches failed to install.", report.found.failed))
            }
            _ => String::new(),
        };
        (stdout, stderr)
    }

    /// What there is instead of a patch state under a BaselineOverride. All counts are texts.
    fn override_summary(&self, node: &Node, report: &PatchReport) -> [String; 2] {
        let (found, against) = (report.found, node.non_compliant_in(report));
        let count = |number: u32| number.to_string();
        let summary = json!({
            "CriticalNonCompliantCount": count(against.critical),
            "FailedCount": count(found.failed),
            "InstalledCount": count(found.installed),
            "InstalledOtherCount": count(node.fixed.other),
            "InstalledPendingRebootCount": count(found.pending_reboot),
            "InstalledRejectedCount": count(node.fixed.rejected),
            "MissingCount": count(found.missing),
            "NotApplicableCount": count(node.fixed.not_applicable),
            "OperationEndTime": report.ended.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "OperationStartTime": report.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "OperationType": report.operation,
            "OtherNonCompliantCount": count(against.other),
            "PatchGroup": node.patch_group(),
            "RebootOption": report.reboot_option.as_deref().unwrap_or_default(),
            "SecurityNonCompliantCount": count(against.security),
            "SnapshotId": report.snapshot.as_deref().unwrap_or_default(),
        });
        let packages: Vec<Value> = self
            .patches_in(node, report)
            .iter()
            .filter(|patch| {
                matches!(
                    patch.state,
                    "Missing" | "Failed" | "InstalledPendingReboot" | "InstalledRejected"
                )
            })
            .map(|patch| json!({"Id": patch.kb_id, "State": patch.state, "Title": patch.title}))
            .collect();
        let verdict = match packages.as_slice() {
            [] => "All Packages are Compliant.".to_owned(),
            some => format!("Non Compliant Packages: {}", four_spaces(&json!(some))),
        };
        [
            format!("[BASELINE OVERRIDE]: Summary: {}", four_spaces(&summary)),
            format!("[BASELINE OVERRIDE]: {verdict}"),
        ]
    }

    /// The block of counts at the end of a run on Windows.
    fn summary(&self, node: &Node, report: &PatchReport) -> String {
        let found = report.found;
        let mut text = format!("Patch Summary for {}\n\n", node.id);
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name:<28}: {value}");
        };
        line("PatchGroup", node.patch_group());
        line("BaselineId", &self.baseline_id(node));
        line("SnapshotId", report.snapshot.as_deref().unwrap_or_default());
        line(
            "RebootOption",
            report.reboot_option.as_deref().unwrap_or_default(),
        );
        line("OwnerInformation", "");
        line("OperationType", &report.operation);
        line("OperationStartTime", &report.started.to_string());
        line("OperationEndTime", &report.ended.to_string());
        line("InstalledCount", &found.installed.to_string());
        line("InstalledRejectedCount", &node.fixed.rejected.to_string());
        line("InstalledPendingRebootCount", &found.pending_reboot.to_string());
        line("InstalledOtherCount", &node.fixed.other.to_string());
        line("FailedCount", &found.failed.to_string());
        line("MissingCount", &found.missing.to_string());
        line("NotApplicableCount", &node.fixed.not_applicable.to_string());
        line("UnreportedNotApplicableCount", "0");
        let _ = writeln!(
            text,
            "\n{} - PatchBaselineOperations Assessment Results - {}",
            node.computer_name(),
            report.ended.strftime("%Y-%m-%dT%H:%M:%S%.3f")
        );
        text
    }

    /// The id of the baseline that holds for the node: one for each platform in a Region.
    pub(crate) fn baseline_id(&self, node: &Node) -> String {
        let digits = self
            .seed
            .hex17(&["baseline", node.location.region.as_str(), node.platform_type()]);
        format!("pb-{digits}")
    }
}

impl Command {
    /// Where a step's text is in S3; empty without a bucket, as documented.
    pub(crate) fn output_url(&self, one: &Invocation, plugin: &str, stream: &str) -> String {
        let Some(bucket) = self.order.options.output_bucket.as_deref() else {
            return String::new();
        };
        let region = &self.order.location.region;
        let suffix = match region.partition() {
            Partition::AwsCn => "amazonaws.com.cn",
            Partition::AwsEusc => "amazonaws.eu",
            Partition::AwsIso => "c2s.ic.gov",
            Partition::AwsIsoB => "sc2s.sgov.gov",
            Partition::AwsIsoE => "cloud.adc-e.uk",
            Partition::AwsIsoF => "csp.hci.ic.gov",
            _ => "amazonaws.com",
        };
        let prefix = match self.order.options.output_prefix.as_deref() {
            None | Some("") => String::new(),
            Some(prefix) => format!("{}/", prefix.trim_matches('/')),
        };
        let step = plugin.replace(':', "");
        format!(
            "https://s3.{region}.{suffix}/{bucket}/{prefix}{}/{}/{step}/{stream}",
            self.id, one.node
        )
    }
}

fn skipped(name: &'static str, at: Timestamp) -> Plugin {
    let platform = match name {
        "PatchWindows" => Platform::Windows,
        "PatchMacOS" => Platform::MacOS,
        _ => Platform::Linux,
    };
    Plugin {
        name,
        status: "Success",
        details: "Success",
        response_code: 0,
        started: Some(at),
        ended: Some(at),
        stdout: format!(
            "Step execution skipped due to unsatisfied preconditions: '\"StringEquals\": [platformType, {platform:?}]'. Step name: {name}"
        ),
        stderr: String::new(),
    }
}

/// JSON as Python's `indent=4, sort_keys=True` writes it: the keys of a value are sorted as they are.
fn four_spaces(value: &Value) -> String {
    let mut text = vec![];
    let style = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, style);
    match value.serialize(&mut writer) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => value.to_string(),
    }
}

/// A step of which no agent has told anything.
fn untold(name: &'static str, state: InvocationState) -> Plugin {
    let (status, details) = shown(state);
    Plugin {
        name,
        status,
        details,
        response_code: -1,
        started: None,
        ended: None,
        stdout: String::new(),
        stderr: String::new(),
    }
}

/// A state as plugins have it: they know no Delayed and no Cancelling.
fn shown(state: InvocationState) -> (&'static str, &'static str) {
    match state {
        InvocationState::Waiting | InvocationState::Delayed => ("Pending", "Pending"),
        InvocationState::Sent | InvocationState::Running | InvocationState::Cancelling => {
            ("InProgress", "InProgress")
        }
        InvocationState::Ended(status, details) => (status.as_str(), details),
    }
}
