//! Nodes, the places where they are, and the groups that they are in.

mod group;
mod life;
mod node;
mod place;

pub use group::Group;
pub(crate) use group::{ALL_TYPES, GroupDetails, Members, TagQuery};
pub(in crate::world) use node::{Behaviour, FixedPatches};
pub use node::{Node, PatchReport, Patches};
pub use place::Place;

use super::World;
use patchfleet_core::id::{Location, NodeId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Every place with its nodes and groups.
#[derive(Debug, Default)]
pub(in crate::world) struct Nodes {
    places: BTreeMap<Location, Place>,
    /// Where each node is.
    index: BTreeMap<NodeId, Arc<Location>>,
}

impl Nodes {
    pub(in crate::world) fn place(&self, at: &Location) -> Option<&Place> {
        self.places.get(at)
    }

    pub(in crate::world) fn place_mut(&mut self, at: &Location) -> Option<&mut Place> {
        self.places.get_mut(at)
    }

    /// The place at a location, which is made if there is none.
    pub(in crate::world) fn place_made(&mut self, at: &Location) -> &mut Place {
        self.places.entry(at.clone()).or_default()
    }

    /// The place in which a node is.
    pub(in crate::world) fn place_of_mut(&mut self, node: &NodeId) -> Option<&mut Place> {
        self.places.get_mut(self.index.get(node)?.as_ref())
    }

    /// Every place, by location.
    pub(in crate::world) fn places(&self) -> impl Iterator<Item = (&Location, &Place)> {
        self.places.iter()
    }

    /// Every place, by location, to be changed.
    pub(in crate::world) fn places_mut(&mut self) -> impl Iterator<Item = (&Location, &mut Place)> {
        self.places.iter_mut()
    }

    pub(in crate::world) fn get(&self, id: &NodeId) -> Option<&Node> {
        self.places.get(self.index.get(id)?.as_ref())?.nodes.get(id)
    }

    pub(in crate::world) fn get_mut(&mut self, id: &NodeId) -> Option<&mut Node> {
        self.place_of_mut(id)?.nodes.get_mut(id)
    }

    /// Adds a node; false if there is one of its id already, which it takes the place of.
    pub(in crate::world) fn insert(&mut self, node: Node) -> bool {
        let is_new = self
            .index
            .insert(node.id.clone(), node.location.clone())
            .is_none();
        let place = self.place_made(&node.location.clone());
        place.nodes.insert(node.id.clone(), node);
        is_new
    }
}

impl World {
    /// A node by its id, wherever it is.
    #[must_use]
    pub fn node(&self, id: &NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    pub(in crate::world) fn node_mut(&mut self, id: &NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id)
    }

    /// Every node, by location and id.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.places().flat_map(|(_, place)| place.nodes.values())
    }

    /// The nodes in a location that have these ids, or all of them; by id, each once.
    pub(crate) fn nodes_at(&self, at: &Location, ids: Option<&[String]>) -> Vec<&Node> {
        let Some(place) = self.nodes.place(at) else {
            return vec![];
        };
        let Some(ids) = ids else {
            return place.nodes.values().collect();
        };
        let ids: BTreeSet<NodeId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        ids.iter().filter_map(|id| place.nodes.get(id)).collect()
    }

    /// What a location holds, if anything was ever there.
    pub(crate) fn place(&self, at: &Location) -> Option<&Place> {
        self.nodes.place(at)
    }

    /// What a location holds, to be changed.
    pub(crate) fn place_made(&mut self, at: &Location) -> &mut Place {
        self.nodes.place_made(at)
    }

    /// Takes a node out of a resource group, as somebody does who changes its tags. Gives false if
    /// it was not in there.
    pub fn leave_group(&mut self, node: &NodeId, group: &str) -> bool {
        self.node_mut(node).is_some_and(|node| node.leave(group))
    }

    /// Makes the answers of a resource group partial, with these error codes of Resource Groups, or
    /// whole again, with none. Gives false if there is no such group.
    pub fn set_query_errors(&mut self, at: &Location, group: &str, codes: &[&str]) -> bool {
        let place = self.nodes.place_mut(at);
        let Some(group) = place.and_then(|place| place.groups.get_mut(group)) else {
            return false;
        };
        Arc::make_mut(group).query_errors = codes.iter().map(|&code| code.to_owned()).collect();
        true
    }
}
