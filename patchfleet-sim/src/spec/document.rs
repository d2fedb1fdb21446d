//! Documents as a world file has them.

use super::schema;
use patchfleet_core::id::{AccountId, DocumentName, Region};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A document, in one account and several Regions.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentSpec {
    /// Its name.
    #[schemars(with = "schema::DocumentName")]
    pub name: DocumentName,
    /// Its type (default Automation).
    #[serde(default, rename = "type")]
    pub kind: DocumentKind,
    /// Its account (default: the management account).
    #[serde(default)]
    #[schemars(with = "Option<schema::AccountId>")]
    pub account: Option<AccountId>,
    /// Its Regions (default: all that are enabled in its account).
    #[serde(default)]
    #[schemars(with = "Vec<schema::Region>")]
    pub regions: Vec<Region>,
    /// Its content: JSON or YAML; of a ChangeCalendar an iCalendar text. Either this or `builtin`.
    #[serde(default)]
    pub content: Option<String>,
    /// A content that the simulator brings along.
    #[serde(default)]
    pub builtin: Option<BuiltinDocument>,
    /// The accounts that it is shared with, or `all` for every one.
    #[serde(default)]
    #[schemars(with = "Vec<schema::Sharer>")]
    pub shared_with: Vec<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// Contents that the simulator brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuiltinDocument {
    /// patchfleet's own runbook, Patchfleet-RunPatchBaseline.
    Patchfleet,
}

/// Systems Manager's `DocumentType`, as far as the simulator keeps documents of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
pub enum DocumentKind {
    /// A runbook of Automation.
    #[default]
    Automation,
    /// What Run Command sends to nodes.
    Command,
    /// When changes may be made.
    ChangeCalendar,
    /// What Inventory collects.
    Policy,
    /// How Session Manager opens sessions.
    Session,
}

impl DocumentKind {
    /// The type that has this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [
            Self::Automation,
            Self::Command,
            Self::ChangeCalendar,
            Self::Policy,
            Self::Session,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Automation => "Automation",
            Self::Command => "Command",
            Self::ChangeCalendar => "ChangeCalendar",
            Self::Policy => "Policy",
            Self::Session => "Session",
        }
    }
}
