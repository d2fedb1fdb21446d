//! A world as a person writes it: TOML, every key checked, every default stated.
//!
//! The spec only says what is there. [`crate::world::World::new`] makes a world of it.

mod alarm;
mod automation;
mod change;
mod document;
mod error;
mod fault;
mod patch;
mod rate;
mod read;
mod schema;
mod source;

pub use alarm::{AlarmSpec, AlarmState, AlarmStateSpec};
pub use automation::{AutomationSpec, ConsistencySpec, QuotasSpec};
pub use change::{
    AccountChange, AccountTags, After, Change, ChangeSpec, CommandsOf, DocumentAt, DocumentCreate,
    DocumentDefault, DocumentUpdate, ExecutionsOf, GroupAt, GroupChange, NodesOf, RoleChange, TagChange,
};
pub use document::{BuiltinDocument, DocumentKind, DocumentSpec};
pub use error::{Position, Problem, WorldError};
pub use fault::{FaultEffect, FaultSpec};
pub use patch::{OutcomeSpec, PatchSpec};
pub use rate::{BucketSpec, RateSpec};
pub use schema::schema;
pub use source::Source;

use jiff::Timestamp;
use patchfleet_core::id::{AccountId, NodeId, NodeKind, OrgParent, OuId, Region, RootId};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// The world file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorldSpec {
    /// Every random choice follows from it (default 1).
    #[serde(default = "one")]
    pub seed: u64,
    /// The virtual time at which the world begins, as text (default 2026-03-01T00:00:00Z).
    #[serde(default = "default_start")]
    #[schemars(with = "schema::Timestamp")]
    pub start: Timestamp,
    /// The organization's management account. It must be one of `accounts`.
    #[schemars(with = "schema::AccountId")]
    pub management_account: AccountId,
    /// Virtual milliseconds that every call takes (default 0). Where time moves only by hand it takes none.
    #[serde(default)]
    pub api_latency_ms: u32,
    /// Whether listings give shorter pages than were asked for, and now and then an empty page with
    /// more to come, as AWS may at any time (default false).
    #[serde(default)]
    pub short_pages: bool,
    /// The Regions that there are (default: every Region of the partition).
    #[serde(default)]
    #[schemars(with = "Vec<schema::Region>")]
    pub regions: Vec<Region>,
    /// The organization and its root.
    #[serde(default)]
    pub organization: OrganizationSpec,
    /// Organizational units.
    #[serde(default)]
    pub units: Vec<UnitSpec>,
    /// Accounts.
    pub accounts: Vec<AccountSpec>,
    /// Roles that every account has, unless it says otherwise.
    #[serde(default)]
    pub roles: Vec<RoleSpec>,
    /// How nodes take patches, unless a group or a node says otherwise.
    #[serde(default)]
    pub patch: PatchSpec,
    /// Resource groups with their nodes.
    #[serde(default)]
    pub groups: Vec<GroupSpec>,
    /// Nodes one by one.
    #[serde(default)]
    pub nodes: Vec<NodeSpec>,
    /// Systems Manager documents.
    #[serde(default)]
    pub documents: Vec<DocumentSpec>,
    /// CloudWatch alarms.
    #[serde(default)]
    pub alarms: Vec<AlarmSpec>,
    /// Virtual seconds that a new document, or a new version of one, takes to become Active
    /// (default 0).
    #[serde(default)]
    pub document_settle_seconds: u32,
    /// What AWS leaves open about Automation.
    #[serde(default)]
    pub automation: AutomationSpec,
    /// What an account may have in a Region at most.
    #[serde(default)]
    pub quotas: QuotasSpec,
    /// For how long calls do not see what is new.
    #[serde(default)]
    pub consistency: ConsistencySpec,
    /// The calls a second that AWS takes of an action in each account and Region, such as
    /// `"ssm:StartAutomationExecution" = 1`. `"*"` means all actions that are not named (default: no
    /// limit). A bucket holds the calls of one second, and at least one. `{ rate = 5, burst = 8 }` says
    /// how many it holds. Further calls are throttled.
    #[serde(default)]
    pub rates: BTreeMap<String, RateSpec>,
    /// What goes wrong with calls.
    #[serde(default)]
    pub faults: Vec<FaultSpec>,
    /// What other people do while the world runs. Changes at one instant happen in the order in which they
    /// stand here.
    #[serde(default)]
    pub changes: Vec<ChangeSpec>,
    /// The S3 buckets that there are (default: every name is one).
    #[serde(default)]
    pub buckets: Option<Vec<String>>,
    /// The Regions of S3 buckets, by their names. One that has none here is in whatever Region it is asked for in. One
    /// that is asked for in another than its own answers 301, as S3's endpoints do.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, schema::Region>")]
    pub bucket_regions: BTreeMap<String, Region>,
    /// What AWS leaves open about Run Command.
    #[serde(default)]
    pub run_command: RunCommandSpec,
    /// The file that it was read from.
    #[serde(skip)]
    pub source: Source,
}

/// What AWS's documentation leaves open about Run Command.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunCommandSpec {
    /// Whether a command with targets of `Key=InstanceIds` is refused whole if one of the nodes is
    /// stopped, terminated or not registered (default true, as users report). If not, the registered
    /// nodes get it. A command with the member `InstanceIds` is always refused then.
    pub check_targeted_ids: bool,
    /// Which AWS-RunPatchBaseline there is (default `2021`).
    pub patch_baseline: PatchBaselineDocument,
    /// Whether the ramp 1, 2, 4 … waits for a node that is Delayed (default false). Either way the node
    /// holds its place until it is through.
    pub delayed_stalls_ramp: bool,
}

impl Default for RunCommandSpec {
    fn default() -> Self {
        Self {
            check_targeted_ids: true,
            patch_baseline: PatchBaselineDocument::default(),
            delayed_stalls_ramp: false,
        }
    }
}

/// Which AWS-RunPatchBaseline a world has. When a command expires depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
pub enum PatchBaselineDocument {
    /// Its three steps have 7,200 seconds each, as in 2021.
    #[default]
    #[serde(rename = "2021")]
    Of2021,
    /// Its three steps have the seconds of its parameter StepTimeoutSeconds, 1 to 36,000.
    #[serde(rename = "step_timeout_seconds")]
    StepTimeoutSeconds,
}

/// The organization.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OrganizationSpec {
    /// Its id.
    pub id: String,
    /// The id of its root.
    #[schemars(with = "schema::RootId")]
    pub root: RootId,
    /// Whether there is an organization at all (default true). Without one its calls answer
    /// AWSOrganizationsNotInUseException.
    pub in_use: bool,
    /// Accounts that may read the organization, as the management account may.
    #[schemars(with = "Vec<schema::AccountId>")]
    pub delegated_administrators: Vec<AccountId>,
    /// Whether trusted access for Account Management is enabled (default true). Without it nobody
    /// may name another account in ListRegions and GetRegionOptStatus.
    pub account_management: bool,
}

impl Default for OrganizationSpec {
    fn default() -> Self {
        Self {
            id: "o-patchfleet1".to_owned(),
            root: default_root(),
            in_use: true,
            delegated_administrators: vec![],
            account_management: true,
        }
    }
}

/// An organizational unit.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnitSpec {
    /// Its id: `ou-` and so on.
    #[schemars(with = "schema::OuId")]
    pub id: OuId,
    /// Its name.
    pub name: String,
    /// The unit or root above it (default: the root).
    #[serde(default, deserialize_with = "parent")]
    #[schemars(with = "Option<schema::OrgParent>")]
    pub parent: Option<OrgParent>,
}

/// An account.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountSpec {
    /// Its id.
    #[schemars(with = "schema::AccountId")]
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// The unit or root above it (default: the root).
    #[serde(default, deserialize_with = "parent")]
    #[schemars(with = "Option<schema::OrgParent>")]
    pub parent: Option<OrgParent>,
    /// Its state (default ACTIVE).
    #[serde(default)]
    pub state: AccountStateSpec,
    /// Its tags in the organization.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The opt-in Regions that it has enabled.
    #[serde(default)]
    #[schemars(with = "Vec<schema::Region>")]
    pub opt_in_regions: Vec<Region>,
    /// The opt-in Regions that are being enabled. They cannot be used yet.
    #[serde(default)]
    #[schemars(with = "Vec<schema::Region>")]
    pub enabling_regions: Vec<Region>,
    /// The opt-in Regions that are being disabled. They cannot be used any more.
    #[serde(default)]
    #[schemars(with = "Vec<schema::Region>")]
    pub disabling_regions: Vec<Region>,
    /// Roles that differ from the world's.
    #[serde(default)]
    pub roles: Vec<RoleSpec>,
}

/// Organizations' `State` of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AccountStateSpec {
    /// Created, not yet usable.
    PendingActivation,
    /// Usable.
    #[default]
    Active,
    /// Suspended by AWS.
    Suspended,
    /// Being closed.
    PendingClosure,
    /// Closed.
    Closed,
}

/// A role of an account.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleSpec {
    /// Its name, without a path.
    pub name: String,
    /// Whether it can be assumed (default ok).
    #[serde(default)]
    pub state: RoleState,
    /// The external id that its trust policy asks for. Automation is not asked for it.
    #[serde(default)]
    pub external_id: Option<String>,
    /// What it may not do, as IAM names actions: `ssm:SendCommand`, `ssm:Describe*` (default: none).
    #[serde(default)]
    pub denied_actions: Vec<String>,
    /// Seconds that a session of it may last, 3600 to 43200 (default 3600).
    #[serde(default)]
    pub max_session_seconds: Option<u32>,
}

/// Whether a role can be assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleState {
    /// Yes, by the organization's management account and by Systems Manager.
    #[default]
    Ok,
    /// No: there is no such role.
    Missing,
    /// No: it trusts nobody.
    Denied,
}

/// One resource group, in every location of `accounts` × `regions`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupSpec {
    /// Its name.
    pub name: String,
    /// The accounts that have it.
    #[schemars(with = "Vec<schema::AccountId>")]
    pub accounts: Vec<AccountId>,
    /// The Regions in which they have it.
    #[schemars(with = "Vec<schema::Region>")]
    pub regions: Vec<Region>,
    /// Resource Groups' error codes that make its answers partial.
    #[serde(default)]
    pub query_errors: Vec<String>,
    /// Its nodes in each location, block by block. Without any the group is empty.
    #[serde(default)]
    pub nodes: Vec<NodeBlockSpec>,
    /// How its nodes take patches.
    #[serde(default)]
    pub patch: PatchSpec,
}

/// Several nodes that are alike.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeBlockSpec {
    /// How many in each location.
    pub count: u32,
    /// EC2 instances or hybrid nodes (default ec2).
    #[serde(default = "ec2")]
    #[schemars(with = "schema::NodeKind")]
    pub kind: NodeKind,
    /// Their platform (default Linux).
    #[serde(default)]
    pub platform: Platform,
    /// Whether Systems Manager reaches them (default online).
    #[serde(default)]
    pub reachability: Reachability,
    /// Their tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// How they take patches.
    #[serde(default)]
    pub patch: PatchSpec,
}

/// One node.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// Its id: `i-` (EC2) or `mi-` (hybrid).
    #[schemars(with = "schema::NodeId")]
    pub id: NodeId,
    /// Its account.
    #[schemars(with = "schema::AccountId")]
    pub account: AccountId,
    /// Its Region.
    #[schemars(with = "schema::Region")]
    pub region: Region,
    /// The resource groups that it belongs to. They must exist in its location.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Its platform (default Linux).
    #[serde(default)]
    pub platform: Platform,
    /// Whether Systems Manager reaches it (default online).
    #[serde(default)]
    pub reachability: Reachability,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// How it takes patches.
    #[serde(default)]
    pub patch: PatchSpec,
}

/// Systems Manager's `PlatformType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize, JsonSchema)]
pub enum Platform {
    /// Linux.
    #[default]
    Linux,
    /// Windows Server.
    Windows,
    /// macOS.
    MacOS,
}

/// Whether Systems Manager reaches a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reachability {
    /// Its agent answers.
    #[default]
    Online,
    /// It is registered and runs, and its agent does not answer.
    Offline,
    /// Systems Manager does not know it.
    Unmanaged,
    /// An EC2 instance that is stopped. It is in its groups, and Systems Manager does not list it.
    Stopped,
    /// An EC2 instance that was terminated when the world began. It stays in its groups for a while
    /// (`consistency.terminated_seconds`), and Systems Manager does not list it.
    Terminated,
}

impl WorldSpec {
    /// Reads a world file's text.
    ///
    /// # Errors
    ///
    /// [`WorldError::Syntax`] with everything that does not read: line, column and what would have
    /// been right.
    pub fn parse(text: &str) -> Result<Self, WorldError> {
        let spec = read::read(text)?;
        Ok(Self {
            source: Source::of(text),
            ..spec
        })
    }
}

fn one() -> u64 {
    1
}

fn ec2() -> NodeKind {
    NodeKind::Ec2
}

fn default_start() -> Timestamp {
    Timestamp::from_second(1_772_323_200).unwrap_or_default()
}

fn default_root() -> RootId {
    #[expect(
        clippy::expect_used,
        reason = "a constant of the right shape, checked by every test that makes a world"
    )]
    "r-pf01".parse().expect("a root id")
}

fn parent<'de, D: Deserializer<'de>>(from: D) -> Result<Option<OrgParent>, D::Error> {
    let text = String::deserialize(from)?;
    if let Ok(root) = text.parse() {
        return Ok(Some(OrgParent::Root(root)));
    }
    text.parse()
        .map(|ou| Some(OrgParent::Ou(ou)))
        .map_err(serde::de::Error::custom)
}
