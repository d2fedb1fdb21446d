//! What other people do to the world, as a world file or `POST /_sim/change` says it.

use super::{AccountStateSpec, RoleState, schema};
use jiff::SignedDuration;
use patchfleet_core::id::{AccountId, NodeId, Region};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{collections::BTreeMap, fmt};

/// The latest time of a change: a year after the start.
const LATEST_SECONDS: i64 = 366 * 86_400;

/// One change, and when it happens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSpec {
    /// How long after the world's start it happens: a number of seconds, or a text such as `"90s"`,
    /// `"10m"`, `"1h 30m"`, a year at most. By default it happens at the start, or at once if it comes by
    /// `POST /_sim/change`. A time that is past means at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<After>,
    /// What is done.
    pub change: Change,
}

/// A length of time, whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct After(pub SignedDuration);

/// What somebody else does to nodes, groups, roles, documents and runs. It touches what is there at that
/// moment. Where nothing fits, nothing happens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Change {
    /// Nodes leave a resource group that the world file has.
    LeaveGroup(GroupChange),
    /// Nodes join a resource group that the world file has, in their location.
    JoinGroup(GroupChange),
    /// A resource group is deleted.
    DeleteGroup(GroupAt),
    /// Tags of nodes change.
    Tag(TagChange),
    /// EC2 nodes are stopped.
    Stop(NodesOf),
    /// EC2 nodes are terminated, for good.
    Terminate(NodesOf),
    /// Stopped EC2 nodes start, and nodes whose agent is silent reboot: each answers when its
    /// `reboot_minutes` are over.
    Start(NodesOf),
    /// The agents of nodes fall silent, while the nodes run on.
    LoseAgent(NodesOf),
    /// The agents of running nodes answer again.
    GainAgent(NodesOf),
    /// A role changes.
    Role(RoleChange),
    /// An account's state in the organization changes.
    Account(AccountChange),
    /// An account's tags in the organization change.
    TagAccount(AccountTags),
    /// An account makes an Automation document, where it has none of that name.
    CreateDocument(DocumentCreate),
    /// A document gets a new version.
    UpdateDocument(DocumentUpdate),
    /// An existing version becomes the default one of a document.
    DefaultVersion(DocumentDefault),
    /// A document is deleted.
    DeleteDocument(DocumentAt),
    /// Executions are stopped, as by StopAutomationExecution with `Cancel`.
    CancelExecutions(ExecutionsOf),
    /// Commands are cancelled, as by CancelCommand.
    CancelCommands(CommandsOf),
    /// An alarm of CloudWatch that is attached to commands goes off: they end as Failed, details
    /// FailedDueToAlarm, and what runs on their nodes runs on.
    Alarm(CommandsOf),
}

/// Accounts and Regions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupAt {
    /// The group's name.
    pub group: String,
    /// The accounts (default: all).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::AccountId>")]
    pub accounts: Vec<AccountId>,
    /// The Regions (default: all).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::Region>")]
    pub regions: Vec<Region>,
}

/// Which nodes: those that every key allows. No key: all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NodesOf {
    /// Their ids (default: any).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::NodeId>")]
    pub ids: Vec<NodeId>,
    /// The resource group that they are in (default: any, or none).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Their accounts (default: all).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::AccountId>")]
    pub accounts: Vec<AccountId>,
    /// Their Regions (default: all).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::Region>")]
    pub regions: Vec<Region>,
    /// How many of them in each location, by the order of ids (default: all).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

/// Nodes that join or leave a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupChange {
    /// The group's name.
    pub group: String,
    /// The nodes (default: all). Only nodes that are in the group leave it, and only others join it.
    #[serde(default)]
    pub nodes: NodesOf,
}

/// New tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TagChange {
    /// The nodes (default: all).
    #[serde(default)]
    pub nodes: NodesOf,
    /// Tags that they have from now on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Keys of tags that they have no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// What becomes of a role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleChange {
    /// Its name.
    pub name: String,
    /// The accounts whose role it is (default: all that have it).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::AccountId>")]
    pub accounts: Vec<AccountId>,
    /// Whether it can be assumed from now on (default: as before). The sessions of a role that is
    /// `missing` may do nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<RoleState>,
    /// What it may not do any more, as IAM names actions: `ssm:SendCommand`, `ssm:Describe*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// Which of its `denied_actions` it may do again, in the same words as there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
}

/// What becomes of an account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// Its id.
    #[schemars(with = "schema::AccountId")]
    pub id: AccountId,
    /// Its new state. In one that is not ACTIVE no role can be assumed, and no session of a role
    /// may do anything.
    pub state: AccountStateSpec,
}

/// New tags of an account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountTags {
    /// Its id.
    #[schemars(with = "schema::AccountId")]
    pub id: AccountId,
    /// Tags that it has from now on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Keys of tags that it has no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// A document in an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentAt {
    /// Its name.
    pub name: String,
    /// Its account (default: the management account).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::AccountId>")]
    pub account: Option<AccountId>,
    /// The Regions (default: all in which it is).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::Region>")]
    pub regions: Vec<Region>,
}

/// A new document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentCreate {
    /// Its name.
    pub name: String,
    /// Its account (default: the management account).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::AccountId>")]
    pub account: Option<AccountId>,
    /// The Regions (default: all that are enabled in its account).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::Region>")]
    pub regions: Vec<Region>,
    /// Its content: JSON or YAML.
    pub content: String,
}

/// A new version of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentUpdate {
    /// The document.
    pub document: DocumentAt,
    /// Its content: JSON or YAML.
    pub content: String,
    /// Whether the new version becomes the default one (default true).
    #[serde(default = "yes")]
    pub make_default: bool,
}

/// Another default version of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentDefault {
    /// The document.
    pub document: DocumentAt,
    /// The number of the version, from 1.
    pub version: usize,
}

/// Which executions, of those that have not ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExecutionsOf {
    /// Their ids (default: any).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// Tags that they all have (default: none needed). Only those that calls started have tags;
    /// their children are stopped with them, unless `automation.stop_cascades` is false.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Their accounts (default: all).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::AccountId>")]
    pub accounts: Vec<AccountId>,
    /// Their Regions (default: all).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::Region>")]
    pub regions: Vec<Region>,
}

/// Which commands, of those that have not ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CommandsOf {
    /// Their ids (default: any).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// Their accounts (default: all).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::AccountId>")]
    pub accounts: Vec<AccountId>,
    /// Their Regions (default: all).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::Region>")]
    pub regions: Vec<Region>,
}

fn yes() -> bool {
    true
}

impl After {
    fn of_seconds(seconds: i64) -> Result<Self, String> {
        if (0..=LATEST_SECONDS).contains(&seconds) {
            return Ok(Self(SignedDuration::from_secs(seconds)));
        }
        Err(format!("{seconds} seconds are not from 0 to a year"))
    }

    fn read(text: &str) -> Result<Self, String> {
        let span: SignedDuration = text.parse().map_err(|_| {
            format!("{text:?} is no length of time: a number of seconds, or a text such as \"10m\"")
        })?;
        Self::of_seconds(span.as_secs())
    }
}

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = After;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a number of seconds, or a text such as \"10m\"")
            }

            fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<After, E> {
                After::of_seconds(seconds).map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<After, E> {
                After::of_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)).map_err(E::custom)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<After, E> {
                After::read(text).map_err(E::custom)
            }
        }
        from.deserialize_any(Visitor)
    }
}

impl Serialize for After {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(self.0.as_secs())
    }
}

impl JsonSchema for After {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "After".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Seconds, or a text such as \"10m\" or \"1h 30m\".",
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": LATEST_SECONDS},
                {"type": "string"}
            ]
        })
    }
}
