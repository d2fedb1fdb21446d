//! The document itself: schema 0.3, as far as it is used.

use super::command::{COMMAND_DOCUMENT, CommandSteps, STEP_TIMEOUT_PARAMETER};
use super::{DELIVERY_TIMEOUT_SECONDS, EXECUTION_TIMEOUT_SECONDS};
use crate::request::{Operation, OutputTo, RebootOption};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// AWS's grammar for `MaxConcurrency` (SSM model).
const MAX_CONCURRENCY: &str = "^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$";
/// AWS's grammar for `MaxErrors` (SSM model).
const MAX_ERRORS: &str = "^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$";
/// AWS-RunPatchBaseline's own pattern for `InstallOverrideList` and `BaselineOverride`.
const OVERRIDE: &str = r"(^$)|^https://.+$|^s3://([^/]+)/(.*?([^/]+))$";
/// The letters of a bucket's name (S3 User Guide), or nothing. A request is held to all rules of S3.
const BUCKET_OR_EMPTY: &str = "(^$)|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$";
/// AWS's grammar for `CloudWatchLogGroupName` (SSM model), or nothing.
const LOG_GROUP_OR_EMPTY: &str = "(^$)|^[.\\-_/#A-Za-z0-9]{1,512}$";
/// AWS-RunPatchBaseline's own pattern for `SnapshotId`.
const UUID_OR_EMPTY: &str =
    "(^$)|^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";

/// How long the runbook's command step may take in a location, in seconds.
///
/// AWS does not confirm that the step's `timeoutSeconds` may be a parameter. So it is a number in the document that has to
/// fit every location. The default is 7 days. A long timeout costs nothing, because the command expires by itself, after
/// its `TimeoutSeconds` and the sum of its document's step timeouts. A short one ends the automation while the command
/// goes on. The plan warns if a command may live longer than the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepTimeout(u32);

/// A step timeout out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{seconds} s is no step timeout: at least {} s, which one node may take, and at most {} s (30 days)",
    StepTimeout::MIN_SECONDS,
    StepTimeout::MAX_SECONDS
)]
pub struct StepTimeoutError {
    seconds: u32,
}

impl StepTimeout {
    /// 3 hours, which one node may take.
    pub const MIN_SECONDS: u32 = DELIVERY_TIMEOUT_SECONDS + EXECUTION_TIMEOUT_SECONDS;
    /// 30 days, for which AWS keeps an execution's history.
    pub const MAX_SECONDS: u32 = 30 * 86_400;

    /// A timeout of this many seconds, of [`MIN_SECONDS`](Self::MIN_SECONDS) to
    /// [`MAX_SECONDS`](Self::MAX_SECONDS).
    ///
    /// # Errors
    ///
    /// [`StepTimeoutError`] if it is out of range.
    pub fn from_seconds(seconds: u32) -> Result<Self, StepTimeoutError> {
        if (Self::MIN_SECONDS..=Self::MAX_SECONDS).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(StepTimeoutError { seconds })
        }
    }

    /// The timeout in seconds.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.0
    }
}

impl Default for StepTimeout {
    /// 7 days.
    fn default() -> Self {
        Self(7 * 86_400)
    }
}

/// The Automation document `Patchfleet-RunPatchBaseline`.
///
/// ```
/// use patchfleet_core::runbook::{Runbook, StepTimeout};
/// let json = Runbook::new(StepTimeout::default()).to_json();
/// assert!(json.contains("\"schemaVersion\": \"0.3\""));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Runbook {
    schema_version: &'static str,
    description: &'static str,
    assume_role: &'static str,
    #[serde(serialize_with = "as_map")]
    parameters: Vec<(&'static str, Parameter)>,
    main_steps: Vec<Step>,
    outputs: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameter {
    r#type: ParameterType,
    description: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<Unset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_values: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_pattern: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum ParameterType {
    String,
    Integer,
    MapList,
}

/// What a parameter is if nobody gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Unset {
    Text(&'static str),
    Number(u32),
}

/// A step. The first one chooses which of the others runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Step {
    Branch(BranchStep),
    RunCommand(Box<RunCommandStep>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct BranchStep {
    name: &'static str,
    action: &'static str,
    inputs: BranchInputs,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct BranchInputs {
    choices: Vec<Choice>,
    default: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Choice {
    next_step: &'static str,
    variable: &'static str,
    string_equals: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct RunCommandStep {
    name: &'static str,
    action: &'static str,
    max_attempts: u32,
    timeout_seconds: u32,
    on_failure: &'static str,
    is_end: bool,
    inputs: RunCommandInputs,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RunCommandInputs {
    document_name: &'static str,
    targets: &'static str,
    #[serde(serialize_with = "as_map")]
    parameters: Vec<(&'static str, &'static str)>,
    max_concurrency: &'static str,
    max_errors: &'static str,
    timeout_seconds: &'static str,
    comment: &'static str,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    s3: Option<S3Output>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud_watch_output_config: Option<CloudWatchOutput>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct S3Output {
    #[serde(rename = "OutputS3BucketName")]
    bucket: &'static str,
    /// May be empty: AWS takes 0 to 500 characters.
    #[serde(rename = "OutputS3KeyPrefix")]
    prefix: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CloudWatchOutput {
    cloud_watch_log_group_name: &'static str,
    /// A text, as in the runbooks that AWS publishes.
    cloud_watch_output_enabled: &'static str,
}

/// Writes pairs as a map in their own order, which suits a reader of the document.
fn as_map<V: Serialize, S: Serializer>(
    pairs: &[(&'static str, V)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(pairs.len()))?;
    for (key, value) in pairs {
        map.serialize_entry(key, value)?;
    }
    map.end()
}

impl Parameter {
    fn string(description: &'static str) -> Self {
        Self {
            r#type: ParameterType::String,
            description,
            default: None,
            allowed_values: None,
            allowed_pattern: None,
        }
    }

    fn default(mut self, default: &'static str) -> Self {
        self.default = Some(Unset::Text(default));
        self
    }

    fn values(mut self, values: impl IntoIterator<Item = &'static str>) -> Self {
        self.allowed_values = Some(values.into_iter().collect());
        self
    }

    fn pattern(mut self, pattern: &'static str) -> Self {
        self.allowed_pattern = Some(pattern);
        self
    }
}

impl Default for Runbook {
    fn default() -> Self {
        Self::new(StepTimeout::default())
    }
}

impl Runbook {
    /// The document, with this timeout for its command steps. It fits an AWS-RunPatchBaseline without the parameter
    /// `StepTimeoutSeconds`. [`fitting`](Self::fitting) makes it fit the one that is there.
    #[must_use]
    pub fn new(timeout: StepTimeout) -> Self {
        Self {
            schema_version: "0.3",
            description: "Runs AWS-RunPatchBaseline on the targets of one account and Region. \
                          Generated by patchfleet: `patchfleet runbook ensure` replaces any change.",
            assume_role: "{{ AutomationAssumeRole }}",
            parameters: parameters(),
            main_steps: std::iter::once(Step::Branch(choose()))
                .chain(OutputTo::ALL.map(|to| Step::RunCommand(Box::new(run_command(to, timeout)))))
                .collect(),
            outputs: OutputTo::ALL
                .into_iter()
                .flat_map(|to| {
                    ["CommandId", "Status", "ResponseCode"].map(|told| format!("{}.{told}", step(to)))
                })
                .collect(),
        }
    }

    /// The document for the AWS-RunPatchBaseline that is there. If that takes `StepTimeoutSeconds`, the runbook has the
    /// parameter as well, and passes it. A Command document refuses a parameter that it does not have, so nothing is
    /// passed to one that could not be read.
    #[must_use]
    pub fn fitting(mut self, steps: CommandSteps) -> Self {
        if steps.takes_step_timeout() && !self.passes_step_timeout() {
            self.parameters.push((
                STEP_TIMEOUT_PARAMETER,
                Parameter::string(
                    "Seconds that AWS-RunPatchBaseline may run on a node. A command lives three times as long \
                     on top of TimeoutSeconds.",
                )
                .default("7200")
                .pattern("^[1-9][0-9]{0,4}$"),
            ));
            for step in &mut self.main_steps {
                if let Step::RunCommand(step) = step {
                    let parameter = (STEP_TIMEOUT_PARAMETER, "{{ StepTimeoutSeconds }}");
                    step.inputs.parameters.push(parameter);
                }
            }
        }
        self
    }

    fn passes_step_timeout(&self) -> bool {
        self.parameters
            .iter()
            .any(|(name, _)| *name == STEP_TIMEOUT_PARAMETER)
    }

    /// The document as JSON, indented, always in the same order. It has less than 16 KB, of the 64 KB that AWS takes.
    #[must_use]
    pub fn to_json(&self) -> String {
        // All keys are texts and all values plain, so nothing here can fail to be written.
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }
}

/// The step that sends the command with its output going there.
fn step(to: OutputTo) -> &'static str {
    match to {
        OutputTo::None => "runPatchBaseline",
        OutputTo::S3 => "runPatchBaselineToS3",
        OutputTo::CloudWatch => "runPatchBaselineToCloudWatch",
        OutputTo::Both => "runPatchBaselineToS3AndCloudWatch",
    }
}

/// The choice among them. SendCommand takes no empty bucket and no empty log group (SSM model), and an input of a step
/// cannot be left out by a parameter. So there is a step for each of the ways in which one of them may be missing.
fn choose() -> BranchStep {
    let choices = OutputTo::ALL.into_iter().filter(|to| *to != OutputTo::None);
    let choices = choices.map(|to| Choice {
        next_step: step(to),
        variable: "{{ Output }}",
        string_equals: to.as_str(),
    });
    BranchStep {
        name: "chooseOutput",
        action: "aws:branch",
        inputs: BranchInputs {
            choices: choices.collect(),
            default: step(OutputTo::None),
        },
    }
}

fn run_command(to: OutputTo, timeout: StepTimeout) -> RunCommandStep {
    let s3 = S3Output {
        bucket: "{{ OutputS3BucketName }}",
        prefix: "{{ OutputS3KeyPrefix }}",
    };
    let cloudwatch = CloudWatchOutput {
        cloud_watch_log_group_name: "{{ CloudWatchLogGroupName }}",
        cloud_watch_output_enabled: "true",
    };
    let (s3, cloudwatch) = match to {
        OutputTo::None => (None, None),
        OutputTo::S3 => (Some(s3), None),
        OutputTo::CloudWatch => (None, Some(cloudwatch)),
        OutputTo::Both => (Some(s3), Some(cloudwatch)),
    };
    RunCommandStep {
        name: step(to),
        action: "aws:runCommand",
        // A second attempt would patch, and reboot, the same nodes again.
        max_attempts: 1,
        timeout_seconds: timeout.seconds(),
        on_failure: "Abort",
        is_end: true,
        inputs: RunCommandInputs {
            document_name: COMMAND_DOCUMENT,
            targets: "{{ Targets }}",
            parameters: vec![
                ("Operation", "{{ Operation }}"),
                ("RebootOption", "{{ RebootOption }}"),
                ("InstallOverrideList", "{{ InstallOverrideList }}"),
                ("BaselineOverride", "{{ BaselineOverride }}"),
                ("SnapshotId", "{{ SnapshotId }}"),
            ],
            max_concurrency: "{{ MaxConcurrency }}",
            max_errors: "{{ MaxErrors }}",
            timeout_seconds: "{{ TimeoutSeconds }}",
            comment: "patchfleet campaign {{ CampaignId }} unit {{ UnitId }}",
            s3,
            cloud_watch_output_config: cloudwatch,
        },
    }
}

fn parameters() -> Vec<(&'static str, Parameter)> {
    let (scan, install) = (Operation::Scan.as_str(), Operation::Install.as_str());
    let (reboot, no_reboot) = (
        RebootOption::RebootIfNeeded.as_str(),
        RebootOption::NoReboot.as_str(),
    );
    vec![
        (
            "AutomationAssumeRole",
            Parameter::string("The role of the central account that Automation runs with.")
                .pattern("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$"),
        ),
        (
            "Targets",
            Parameter {
                r#type: ParameterType::MapList,
                ..Parameter::string(
                    "Run Command targets, of which a node has to match every one: \
                     {\"Key\":\"resource-groups:Name\",\"Values\":[\"WebServers\"]}, \
                     {\"Key\":\"tag:Env\",\"Values\":[\"prod\"]} or \
                     {\"Key\":\"InstanceIds\",\"Values\":[\"i-0123456789abcdef0\"]}.",
                )
            },
        ),
        (
            "MaxConcurrency",
            Parameter::string("Nodes at once in each account and Region: a count or a percentage.")
                .default("10%")
                .pattern(MAX_CONCURRENCY),
        ),
        (
            "MaxErrors",
            Parameter::string("Failed nodes after which no more are begun: a count or a percentage.")
                .default("10%")
                .pattern(MAX_ERRORS),
        ),
        (
            "Operation",
            Parameter::string("Scan looks for missing patches, Install installs them.")
                .default(scan)
                .values([scan, install]),
        ),
        (
            "RebootOption",
            Parameter::string("Whether nodes may reboot after an Install.")
                .default(reboot)
                .values([reboot, no_reboot]),
        ),
        (
            "InstallOverrideList",
            Parameter::string("https:// or s3:// address of a list of patches to install instead.")
                .default("")
                .pattern(OVERRIDE),
        ),
        (
            "BaselineOverride",
            Parameter::string("https:// or s3:// address of patch baselines to use instead.")
                .default("")
                .pattern(OVERRIDE),
        ),
        (
            "SnapshotId",
            Parameter::string("A UUID: the same patches for every node that is given the same one.")
                .default("")
                .pattern(UUID_OR_EMPTY),
        ),
        (
            "TimeoutSeconds",
            Parameter {
                r#type: ParameterType::Integer,
                default: Some(Unset::Number(DELIVERY_TIMEOUT_SECONDS)),
                ..Parameter::string(
                    "Seconds, from 30 to 2592000, that the command waits for its nodes: for those that do not \
                     answer, and for those that have to wait for their turn. The command lives longer by the \
                     step timeouts of AWS-RunPatchBaseline.",
                )
            },
        ),
        (
            "Output",
            Parameter::string("Where what the nodes print goes, beside what Run Command keeps of it.")
                .default(OutputTo::None.as_str())
                .values(OutputTo::ALL.map(OutputTo::as_str)),
        ),
        (
            "OutputS3BucketName",
            Parameter::string("The bucket, where Output is S3 or S3AndCloudWatch.")
                .default("")
                .pattern(BUCKET_OR_EMPTY),
        ),
        (
            "OutputS3KeyPrefix",
            Parameter::string("What the keys in that bucket begin with, at most 500 characters.").default(""),
        ),
        (
            "CloudWatchLogGroupName",
            Parameter::string("The log group, where Output is CloudWatch or S3AndCloudWatch.")
                .default("")
                .pattern(LOG_GROUP_OR_EMPTY),
        ),
        (
            "CampaignId",
            Parameter::string("The patchfleet campaign that this is part of.")
                .default("")
                .pattern(UUID_OR_EMPTY),
        ),
        (
            "UnitId",
            Parameter::string("The unit of the campaign that this is.")
                .default("")
                .pattern("(^$)|^[1-9][0-9]{0,9}$"),
        ),
    ]
}

#[cfg(test)]
mod tests;
