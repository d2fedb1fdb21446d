//! Resource groups: lists of members, as a world file has them, or queries over tags.

use crate::world::{Node, Place};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The type that stands for all others, in queries and filters.
pub(crate) const ALL_TYPES: &str = "AWS::AllSupported";

/// The tag that marks the members of a world file's group in queries. Its key is this text and the
/// group's name, and its value is `member`.
const MEMBER_KEY: &str = "ResourceGroup:";
const MEMBER_VALUE: &str = "member";

/// A resource group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Resource Groups' codes of what makes its answers partial.
    pub(crate) query_errors: Vec<String>,
    pub(crate) members: Members,
    pub(crate) details: GroupDetails,
}

/// Who is in a group.
#[derive(Debug, Clone)]
pub(crate) enum Members {
    /// The nodes that name it.
    Listed,
    /// The nodes that the query finds, whenever it is asked; with its text as it was given.
    Queried(TagQuery, String),
    /// Nobody: the group is a service's configuration.
    Configured,
}

/// What somebody said of a group when it was made.
#[derive(Debug, Clone, Default)]
pub(crate) struct GroupDetails {
    pub(crate) description: Option<String>,
    pub(crate) criticality: Option<i64>,
    pub(crate) owner: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) configuration: Option<Value>,
}

/// The query of type TAG_FILTERS_1_0.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct TagQuery {
    pub(crate) resource_type_filters: Vec<String>,
    #[serde(default)]
    pub(crate) tag_filters: Vec<TagFilter>,
}

/// A tag's key, and the values of which it has to have one; none: any.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct TagFilter {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) values: Vec<String>,
}

impl TagQuery {
    /// Reads a query's JSON.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut query: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        query.drop_repeated_keys();
        if query.resource_type_filters.is_empty() {
            return Err("ResourceTypeFilters is empty".to_owned());
        }
        if let Some(kind) = query.resource_type_filters.iter().find(|kind| !is_type(kind)) {
            return Err(format!("{kind} is not a resource type"));
        }
        if query.tag_filters.iter().any(|filter| filter.key.is_empty()) {
            return Err("a tag filter has no key".to_owned());
        }
        Ok(query)
    }

    /// If filters share a key, AWS looks at the last one only.
    fn drop_repeated_keys(&mut self) {
        let mut later = BTreeSet::new();
        let mut kept = vec![];
        for filter in std::mem::take(&mut self.tag_filters).into_iter().rev() {
            if later.insert(filter.key.clone()) {
                kept.push(filter);
            }
        }
        kept.reverse();
        self.tag_filters = kept;
    }

    /// Whether the query finds a node.
    pub(crate) fn selects(&self, node: &Node) -> bool {
        let types = &self.resource_type_filters;
        !node.forgotten
            && types
                .iter()
                .any(|kind| kind == ALL_TYPES || kind == node.resource_type())
            && self.tag_filters.iter().all(|filter| filter.selects(node))
    }
}

/// `AWS::AllSupported`, or `AWS::EC2::Instance` and the like.
fn is_type(text: &str) -> bool {
    let mut parts = text.split("::");
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    text == ALL_TYPES || (parts.next() == Some("AWS") && parts.clone().count() == 2 && parts.all(plain))
}

impl TagFilter {
    fn selects(&self, node: &Node) -> bool {
        let wanted = |value: &str| self.values.is_empty() || self.values.iter().any(|one| one == value);
        let member = self
            .key
            .strip_prefix(MEMBER_KEY)
            .is_some_and(|group| node.groups.contains(group) && wanted(MEMBER_VALUE));
        member || node.tags.get(&self.key).is_some_and(|value| wanted(value))
    }
}

impl Group {
    /// A group of the world file, whose members say so themselves.
    pub(crate) fn listed(query_errors: Vec<String>) -> Self {
        Self {
            query_errors,
            members: Members::Listed,
            details: GroupDetails::default(),
        }
    }

    /// The query that finds its members. A group of the world file has one as well, by which it could
    /// have been made.
    pub(crate) fn query(&self, name: &str) -> Option<TagQuery> {
        match &self.members {
            Members::Listed => Some(TagQuery {
                resource_type_filters: vec![
                    "AWS::EC2::Instance".to_owned(),
                    "AWS::SSM::ManagedInstance".to_owned(),
                ],
                tag_filters: vec![TagFilter {
                    key: format!("{MEMBER_KEY}{name}"),
                    values: vec![MEMBER_VALUE.to_owned()],
                }],
            }),
            Members::Queried(query, _) => Some(query.clone()),
            Members::Configured => None,
        }
    }

    /// The query's text, as it was given.
    pub(crate) fn query_text(&self, name: &str) -> Option<String> {
        match &self.members {
            Members::Queried(_, text) => Some(text.clone()),
            _ => serde_json::to_string(&self.query(name)?).ok(),
        }
    }

    fn has(&self, name: &str, node: &Node) -> bool {
        match &self.members {
            Members::Listed => node.groups.contains(name),
            Members::Queried(query, _) => query.selects(node),
            Members::Configured => false,
        }
    }
}

impl Place {
    /// Whether a node is in the group `name` now.
    pub(crate) fn is_member(&self, name: &str, node: &Node) -> bool {
        !node.forgotten && self.groups.get(name).is_some_and(|group| group.has(name, node))
    }
}
