//! Which nodes a command's targets mean, at the time when it runs.

use crate::world::{Node, Place, World};
use patchfleet_core::id::{Location, NodeId};

const GROUP_KEY: &str = "resource-groups:Name";

/// One of Run Command's targets: a key with its values.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Target {
    /// `InstanceIds`, `tag:NAME`, `tag-key`, `resource-groups:Name`.
    #[serde(default)]
    pub key: String,
    /// Its values; one of them has to match.
    #[serde(default)]
    pub values: Vec<String>,
}

impl Target {
    /// Whether the node is one of those meant. Keys are ANDed by the caller.
    fn selects(&self, place: &Place, node: &Node) -> bool {
        if let Some(tag) = self.key.strip_prefix("tag:") {
            return node
                .tags
                .get(tag)
                .is_some_and(|value| self.values.contains(value));
        }
        match self.key.as_str() {
            "InstanceIds" => self.values.iter().any(|id| id == node.id.as_str()),
            "tag-key" => self.values.iter().any(|key| node.tags.contains_key(key)),
            GROUP_KEY => self.groups().any(|name| place.is_member(name, node)),
            "resource-groups:ResourceTypeFilters" => {
                self.values.iter().any(|kind| kind == node.resource_type())
            }
            _ => false,
        }
    }

    /// What is wrong with it in any world.
    pub(crate) fn problem(&self) -> Option<String> {
        let known = self.key.starts_with("tag:")
            || [
                "InstanceIds",
                "tag-key",
                "resource-groups:Name",
                "resource-groups:ResourceTypeFilters",
            ]
            .contains(&self.key.as_str());
        if !known {
            return Some(format!("{} is not a key of Run Command's targets.", self.key));
        }
        if self.values.is_empty() {
            return Some(format!("The target {} has no values.", self.key));
        }
        None
    }

    /// Whether it means the members of a resource group.
    pub(crate) fn is_group(&self) -> bool {
        self.key == GROUP_KEY
    }

    /// The names of the groups that it means. One may be given by its ARN.
    fn groups(&self) -> impl Iterator<Item = &str> {
        let name = |given: &'_ str| {
            given
                .rsplit_once(":group/")
                .map_or(0, |(before, _)| before.len() + 7)
        };
        self.values
            .iter()
            .filter_map(move |given| given.get(name(given)..))
    }
}

impl World {
    /// The managed nodes that every target selects, in the order in which they are reached. The order is
    /// arbitrary, and always the same.
    pub(crate) fn resolve(&self, location: &Location, targets: &[Target], ids: &[String]) -> Vec<NodeId> {
        let Some(place) = self.place(location) else {
            return vec![];
        };
        let by_id = targets.iter().find(|target| target.key == "InstanceIds");
        let ids = by_id.map_or(ids, |target| &target.values);
        let mut nodes: Vec<NodeId> = self
            .nodes_at(location, Some(ids).filter(|ids| !ids.is_empty()))
            .into_iter()
            .filter(|node| node.is_managed() && targets.iter().all(|target| target.selects(place, node)))
            .map(|node| node.id.clone())
            .collect();
        nodes.sort_by_cached_key(|id| self.seed.number(&[id.as_str(), "order"]));
        nodes
    }
}
