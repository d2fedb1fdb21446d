//! What a person asks for: [`PatchRequest`], read from JSON, or with the features `toml` and `yaml` from those.
//!
//! A request that exists is valid. Every identifier is parsed, every field is in its range, and no two fields
//! contradict each other. [`PatchRequest::parse`] names every problem of a text at once.

mod breaker;
mod defaults;
mod delivery_timeout;
mod digest;
mod draft;
mod external_id;
mod fields;
mod fleet;
mod forecast;
mod format;
mod freeze;
mod gate;
mod in_wave;
mod labels;
mod lookalike;
mod named;
mod node;
mod output;
mod places;
mod policy;
mod presigned;
mod read;
mod sample_env;
mod seed;
mod values;
mod waves;
mod window;

pub use breaker::{Breaker, FailureShare, Share, ShareError};
pub use defaults::ADMINISTRATION_ROLE;
pub(crate) use defaults::OWN_DOCUMENT;
pub(crate) use defaults::execution_role as default_execution_role;
pub use delivery_timeout::{DeliveryTimeout, DeliveryTimeoutError};
pub(crate) use digest::digest_of;
pub use external_id::{ExternalId, ExternalIdText};
pub use fleet::FleetBudget;
pub use forecast::ForecastBasis;
pub use format::{Format, MAX_REQUEST_BYTES};
pub use freeze::{Freeze, Running};
pub use gate::{Gate, Soak, SoakError};
pub use in_wave::{WaveBudget, WaveFleet, WavePatch, WaveRates};
pub use labels::{LabelBudget, LabelKey, Untagged};
pub use output::Output;
pub(crate) use output::OutputTo;
pub use policy::{AtCutoff, DeniedAction, GoneAction, NothingSelected, OfflineAction, Policy, PolicyAction};
pub(crate) use values::MAX_PARAMETER_CHARS;
pub use waves::{EmptyWave, Wave, WaveSize};
pub use window::MAX_WINDOW_PAYLOAD_BYTES;

use crate::budget::RateControl;
use crate::id::{
    DocumentName, NodeId, Region, RequestName, ResourceGroupName, RoleArn, RoleName, SessionName,
    TargetAccount,
};
use crate::problem::{Problem, ProblemCode, Problems};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A valid request. Its JSON is that of the request's text, with every default written out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value")]
#[non_exhaustive]
pub struct PatchRequest {
    /// Names the job. At most one campaign of a name is open at a time.
    pub name: RequestName,
    /// What is done on each node.
    pub patch: Patch,
    /// Which nodes.
    pub targets: Targets,
    /// What each answer of the census leads to.
    pub policy: Policy,
    /// How other accounts are read.
    pub access: Access,
    /// How many nodes and locations at once, and how many of them may fail.
    pub budget: Budget,
    /// Which locations are patched before which others. Empty: all of them form one wave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<Wave>,
    /// When nothing is begun.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<Freeze>,
    /// What ends the campaign early although its budgets allow more. Default: nothing.
    #[serde(skip_serializing_if = "Breaker::is_none")]
    pub breaker: Breaker,
    /// The change calendars of Systems Manager that have to be open when something is begun. Those of the central account
    /// and Region by their names, others by their ARNs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub change_calendars: Vec<DocumentName>,
    /// What the plan's forecast is made from.
    #[serde(skip_serializing_if = "ForecastBasis::is_none")]
    pub forecast: ForecastBasis,
    /// Where the whole output of the commands goes.
    #[serde(skip_serializing_if = "Output::is_none")]
    pub output: Output,
    /// The runbook, and the roles it runs with.
    pub automation: AutomationSettings,
}

/// What is done on each node: the parameters of AWS-RunPatchBaseline.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Patch {
    /// Scan, unless Install is asked for.
    pub operation: Operation,
    /// Whether nodes may reboot. AWS's own default.
    pub reboot_option: RebootOption,
    /// How long a command waits for a node before it gives the node up. Without one the plan
    /// chooses a time that lets every node have its turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_timeout: Option<DeliveryTimeout>,
    /// A list of patches that takes the place of the baseline's: `https://…` or `s3://…`, at most 256 characters. Only
    /// an Install can have one, and not beside `baseline_override`. A presigned URL is written out, and shown, as its
    /// digest.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::presigned::serialize_url"
    )]
    pub install_override_list: Option<String>,
    /// Baselines that take the place of the registered ones: `https://…` or `s3://…`, at most 512 characters. A
    /// presigned URL is written out, and shown, as its digest.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::presigned::serialize_url"
    )]
    pub baseline_override: Option<String>,
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation,
            reboot_option,
            delivery_timeout,
            install_override_list,
            baseline_override,
        } = self;
        f.debug_struct("Patch")
            .field("operation", operation)
            .field("reboot_option", reboot_option)
            .field("delivery_timeout", delivery_timeout)
            .field(
                "install_override_list",
                &crate::presigned::Url(install_override_list),
            )
            .field("baseline_override", &crate::presigned::Url(baseline_override))
            .finish()
    }
}

/// AWS-RunPatchBaseline's `Operation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Operation {
    /// Look for missing patches; change nothing.
    #[default]
    Scan,
    /// Install them.
    Install,
}

impl Operation {
    /// AWS's name for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "Scan",
            Self::Install => "Install",
        }
    }
}

/// AWS-RunPatchBaseline's `RebootOption`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum RebootOption {
    /// Reboot whenever something was installed, or waits for a reboot.
    #[default]
    RebootIfNeeded,
    /// Never reboot. What was installed waits for one.
    NoReboot,
}

impl RebootOption {
    /// AWS's name for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RebootIfNeeded => "RebootIfNeeded",
            Self::NoReboot => "NoReboot",
        }
    }
}

/// Which nodes, in which accounts and Regions. Its JSON has the selector's own key
/// (`resource_group`, `tags`, `all_managed` or `node_ids`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Targets {
    /// Which nodes of a location.
    #[serde(flatten)]
    pub selector: Selector,
    /// Accounts, units, the root. Empty: the caller's own account.
    pub accounts: Vec<TargetAccount>,
    /// Accounts and units that are left out. A unit leaves out everything below it.
    pub exclude_accounts: Vec<TargetAccount>,
    /// Whether a named unit also means the units below it. Default: no, as in AWS's own API
    /// (`IncludeChildOrganizationUnits`).
    pub include_child_ous: bool,
    /// Which Regions.
    pub regions: Regions,
    /// Regions that are left out, also of `"all-enabled"`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_regions: Vec<Region>,
}

/// Up to this many named accounts are looked up one by one. AWS answers DescribeAccount 20 times a second, and a
/// page of ListAccounts has 20 accounts.
const LOOKED_UP: usize = 20;

impl Targets {
    /// Whether the whole organization is listed to find out which accounts are meant (`organizations:ListAccounts`).
    ///
    /// It is where that is likely to take fewer calls than asking for each named account and unit. A unit whose child
    /// units do not count takes one call for each page of its accounts, so it needs no listing.
    #[must_use]
    pub fn take_the_whole_organization(&self) -> bool {
        let is_parent = |target: &TargetAccount| matches!(target, TargetAccount::Parent(_));
        let descends = self.include_child_ous && self.accounts.iter().any(is_parent);
        let named = self.accounts.iter().filter(|target| !is_parent(target)).count();
        descends || self.exclude_accounts.iter().any(is_parent) || named > LOOKED_UP
    }
}

/// Which nodes of a location. The four ways exclude each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// The members of a resource group of this name.
    ResourceGroup(ResourceGroupName),
    /// The nodes that have each of these keys (1 to 5) with one of its values. The
    /// JSON text `{"Key":"tag:K","Values":[…]}` of each is at most 512 bytes.
    Tags(BTreeMap<String, Vec<String>>),
    /// Every node that Systems Manager manages. Run Command has no target for that, so under
    /// patchfleet's own runbook the starts name the nodes, at most 20 each. For many nodes a group or tags are quicker.
    #[serde(serialize_with = "always_true")]
    AllManaged,
    /// These nodes, in whichever of the locations they are.
    NodeIds(Vec<NodeId>),
}

fn always_true<S: serde::Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(true)
}

/// Which Regions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regions {
    /// These, all of one partition.
    List(Vec<Region>),
    /// Every Region that is enabled in the account (`"all-enabled"`).
    AllEnabled,
}

impl Serialize for Regions {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::List(regions) => regions.serialize(serializer),
            Self::AllEnabled => serializer.serialize_str("all-enabled"),
        }
    }
}

/// How other accounts are read. The caller's own needs no role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// The role that is assumed in each other account. Default: `AWS-SystemsManager-AutomationExecutionRole`.
    pub discovery_role: RoleName,
    /// The role that sends commands and cancels them in each other account, where patchfleet sends them itself
    /// ([`Dispatch::RunCommand`]). Default: the discovery role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_role: Option<RoleName>,
    /// STS `ExternalId`: where it is kept, or the text itself, which is never written out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
    /// The session's name, as CloudTrail shows it. Default: `patchfleet`.
    pub session_name: SessionName,
}

/// How many nodes and how many locations are patched at once, and how many of each may fail. AWS keeps the limits within a
/// location, and the locations of one start. What it knows nothing of is the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// The nodes of one location. Default 10% at once and 10% that may fail, as in the two AWS posts.
    pub nodes: RateControl,
    /// The locations. Default 1 at once and 0 that may fail, as AWS's own.
    pub locations: RateControl,
    /// Strict bounds across all locations. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetBudget>,
    /// Strict bounds on the nodes of each value of a label, across all locations. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<LabelBudget>,
}

impl Budget {
    /// Whether its bounds hold only if each start names its nodes.
    pub(crate) fn names_nodes(&self) -> bool {
        self.fleet.is_some_and(|fleet| fleet.max_damaged.is_some()) || !self.labels.is_empty()
    }
}

/// The runbook, and the roles it runs with.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct AutomationSettings {
    /// Who sends the command in each location. Default: Automation does.
    #[serde(skip_serializing_if = "Dispatch::is_automation")]
    pub dispatch: Dispatch,
    /// The runbook's name or ARN. Default: patchfleet's own,
    /// [`runbook::NAME`](crate::runbook::NAME).
    pub document: DocumentName,
    /// The role that Automation runs with in the central account. Default:
    /// `AWS-SystemsManager-AutomationAdministrationRole` of that account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assume_role: Option<RoleArn>,
    /// The role that Automation assumes in each target account. Default:
    /// `AWS-SystemsManager-AutomationExecutionRole`, as AWS's own.
    pub execution_role: RoleName,
    /// How a start names the runbook's version.
    pub pin: RunbookPin,
    /// Parameters for a runbook of one's own, which are sent as they are. patchfleet's own runbook takes none. A
    /// presigned URL among them is written out, and shown, as its digest.
    #[serde(serialize_with = "crate::presigned::serialize_parameters")]
    pub parameters: BTreeMap<String, Vec<String>>,
}

impl fmt::Debug for AutomationSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            dispatch,
            document,
            assume_role,
            execution_role,
            pin,
            parameters,
        } = self;
        f.debug_struct("AutomationSettings")
            .field("dispatch", dispatch)
            .field("document", document)
            .field("assume_role", assume_role)
            .field("execution_role", execution_role)
            .field("pin", pin)
            .field("parameters", &crate::presigned::Parameters(parameters))
            .finish()
    }
}

/// Who sends the command that patches in each location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dispatch {
    /// Automation does: one start for a rectangle of locations, which AWS paces also if patchfleet is dead.
    #[default]
    Automation,
    /// patchfleet does, with the role with which it reads. It takes no Automation role, no runbook, and no start a second.
    /// But nobody sends the next command if patchfleet is dead.
    RunCommand,
}

impl Dispatch {
    /// The word for it in a request.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Automation => "automation",
            Self::RunCommand => "run-command",
        }
    }

    fn is_automation(&self) -> bool {
        *self == Self::Automation
    }
}

/// How a start names the version of its runbook. Either way, the content that would run is compared
/// with the content that the plan was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunbookPin {
    /// The start names no version, so the default version runs. The roles of the AWS posts allow
    /// this alone: they grant `automation-definition/NAME:$DEFAULT`.
    #[default]
    Default,
    /// The start names the number of the version (`DocumentVersion`).
    Version,
}

impl PatchRequest {
    /// Reads a request's text. TOML, JSON and YAML read the same; TOML and YAML only where the features
    /// of these names are on.
    ///
    /// # Errors
    ///
    /// [`Problems`] with every problem of the text, each with its field, its value and what would be right. A text that
    /// is longer than [`MAX_REQUEST_BYTES`], is not UTF-8, is not of the language, or is in a language that is not
    /// built in has that problem alone.
    ///
    /// ```
    /// use patchfleet_core::request::{Format, Operation, PatchRequest};
    ///
    /// let text = br#"{
    ///     "name": "weekly-linux",
    ///     "targets": { "resource_group": "WebServers", "regions": ["us-east-1", "eu-west-1"] }
    /// }"#;
    /// let request = PatchRequest::parse(text, Format::Json)?;
    /// assert_eq!(request.patch.operation, Operation::Scan);
    ///
    /// let problems = PatchRequest::parse(br#"{"name": 1, "nmae": 2}"#, Format::Json).unwrap_err();
    /// assert_eq!(problems.problems().len(), 4);
    /// # Ok::<(), patchfleet_core::problem::Problems>(())
    /// ```
    pub fn parse(text: &[u8], format: Format) -> Result<Self, Problems> {
        let unreadable = |problem| Problems::new(read::WHAT, vec![problem]);
        let text = Format::text(text, MAX_REQUEST_BYTES).map_err(unreadable)?;
        if text.trim().is_empty() {
            let words = "the text is empty";
            return Err(unreadable(Problem::new(ProblemCode::Syntax, "", "", words)));
        }
        let parsed = format.parse(text);
        if let Some(rather) = format.rather(text, parsed.as_ref().ok()) {
            let (this, rather) = (format.as_str(), rather.as_str());
            let words = match parsed {
                Ok(_) => format!("as {this} this has no field of a request; it looks like {rather}"),
                Err(problem) => format!("{}; it looks like {rather}", problem.expected),
            };
            return Err(unreadable(Problem::new(ProblemCode::Syntax, "", "", words)));
        }
        let node = parsed.map_err(unreadable)?;
        read::request(&node).map_err(|problems| places::placed(problems, format, text, &node))
    }

    /// Whether it is known only when a start is to be made whether it may be, so that each location has one of its own. Of
    /// several locations in a start AWS begins the next one before anybody has read what became of the one before.
    pub(crate) fn may_wait_to_begin(&self) -> bool {
        let has_breaker = self.breaker.alarm.is_some() || self.breaker.counts_results();
        !self.freezes.is_empty() || !self.change_calendars.is_empty() || has_breaker
    }

    /// Reads a request from a JSON value, as [`PatchRequest::parse`] does from a text.
    ///
    /// # Errors
    ///
    /// [`Problems`] with every problem of the value.
    pub fn from_value(value: serde_json::Value) -> Result<Self, Problems> {
        match node::Node::from_json(value) {
            Ok(node) => read::request(&node),
            Err(node::TooDeep) => {
                let problem = Problem::new(ProblemCode::Syntax, "", "", "lists or tables nest too deep");
                Err(Problems::new(read::WHAT, vec![problem]))
            }
        }
    }
}

/// Reads a JSON text to find a key that stands twice in one object. Other readers let that pass.
pub(crate) fn no_key_twice(json: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<node::Node>(json).map(drop)
}

impl TryFrom<serde_json::Value> for PatchRequest {
    type Error = Problems;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        Self::from_value(value)
    }
}
