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

use super::{
    World,
    lookup::{Lookup, Slot, Table},
};
use patchfleet_core::id::{Location, NodeId};
use std::{collections::BTreeSet, sync::Arc};

/// Every node, and every place with its groups.
#[derive(Debug, Clone, Default)]
pub(in crate::world) struct Nodes {
    all: Table<NodeId, Node>,
    places: Lookup<Location, Place>,
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
        self.places.made(at.clone())
    }

    /// The place in which a node is.
    pub(in crate::world) fn place_of_mut(&mut self, node: &NodeId) -> Option<&mut Place> {
        let node = self.all.at(self.all.find(node)?)?;
        self.places.get_mut(node.location.as_ref())
    }

    /// Every place, by location.
    pub(in crate::world) fn places(&self) -> impl Iterator<Item = (&Location, &Place)> {
        self.places.in_order()
    }

    /// The nodes of a place, by id.
    pub(in crate::world) fn of<'a>(&'a self, place: &'a Place) -> impl Iterator<Item = &'a Node> {
        place.nodes.iter().filter_map(|slot| self.all.at(*slot))
    }

    pub(in crate::world) fn get(&self, id: &NodeId) -> Option<&Node> {
        self.all.at(self.all.find(id)?)
    }

    pub(in crate::world) fn get_mut(&mut self, id: &NodeId) -> Option<&mut Node> {
        self.all.at_mut(self.all.find(id)?)
    }

    /// Adds a node; false if there is one of its id already, which it takes the place of.
    pub(in crate::world) fn insert(&mut self, node: Node) -> bool {
        let (id, at) = (node.id.clone(), node.location.clone());
        let is_new = self.all.find(&id).is_none();
        let slot = self.all.insert(id.clone(), node);
        let all = &self.all;
        let place = self.places.made(at.as_ref().clone());
        let before = |slot: &Slot| all.at(*slot).is_some_and(|other| other.id < id);
        place.nodes.insert(place.nodes.partition_point(before), slot);
        is_new
    }

    /// Takes a group away, and its members out of it; false if there is none.
    pub(in crate::world) fn remove_group(&mut self, at: &Location, group: &str) -> bool {
        let Some(place) = self.places.get_mut(at) else {
            return false;
        };
        for slot in &place.nodes {
            if let Some(node) = self.all.at_mut(*slot) {
                node.leave(group);
            }
        }
        place.groups.remove(group).is_some()
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
        let places = self.nodes.places();
        places.flat_map(|(_, place)| self.nodes.of(place))
    }

    /// The nodes in a location that have these ids, or all of them; by id, each once.
    pub(crate) fn nodes_at(&self, at: &Location, ids: Option<&[String]>) -> Vec<&Node> {
        let Some(ids) = ids else {
            let place = self.nodes.place(at).into_iter();
            return place.flat_map(|place| self.nodes.of(place)).collect();
        };
        let ids: BTreeSet<NodeId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let found = ids.iter().filter_map(|id| self.node(id));
        found.filter(|node| *node.location == *at).collect()
    }

    /// The members of a group of `place` now, by id.
    pub(crate) fn members_of<'a>(
        &'a self,
        place: &'a Place,
        group: &'a str,
    ) -> impl Iterator<Item = &'a Node> {
        let nodes = self.nodes.of(place);
        nodes.filter(move |node| place.is_member(group, node))
    }

    /// Deletes a group; false if there is none. A group of the same name that is made later does not
    /// inherit the members.
    pub(crate) fn remove_group(&mut self, at: &Location, group: &str) -> bool {
        self.nodes.remove_group(at, group)
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
