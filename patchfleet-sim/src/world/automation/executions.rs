//! Every execution, with indexes for calls and changes. Nothing is thrown away, so nothing here may
//! walk over all of them.

use crate::world::{
    Execution,
    looks::Looks,
    lookup::{Lookup, Slot, Table},
};
use patchfleet_core::id::Location;
use std::collections::BTreeSet;

/// Every execution.
#[derive(Debug, Default)]
pub(crate) struct Executions {
    by_id: Table<String, Box<Execution>>,
    /// Those in a location.
    at: Lookup<Location, Vec<Slot>>,
    /// Those that an execution started.
    below: Lookup<String, Vec<Slot>>,
    /// Those that have a tag of that key, wherever they are.
    tagged: Lookup<String, Vec<Slot>>,
    /// Those that have not ended.
    open: BTreeSet<Slot>,
    looks: Looks,
}

impl Executions {
    pub(crate) fn get(&self, id: &str) -> Option<&Execution> {
        self.at_slot(self.by_id.find(id)?)
    }

    /// An execution to be changed. [`Executions::ended`] says that it has ended.
    pub(in crate::world) fn get_mut(&mut self, id: &str) -> Option<&mut Execution> {
        self.looks.add();
        let slot = self.by_id.find(id)?;
        self.by_id.at_mut(slot).map(Box::as_mut)
    }

    pub(in crate::world) fn insert(&mut self, execution: Execution) {
        let location = execution.order.location.clone();
        let parent = execution.parent().map(str::to_owned);
        let keys: Vec<String> = execution.order.tags.iter().map(|(key, _)| key.clone()).collect();
        let slot = self.by_id.insert(execution.id.clone(), Box::new(execution));
        self.at.made(location).push(slot);
        if let Some(parent) = parent {
            self.below.made(parent).push(slot);
        }
        for key in keys {
            self.tagged.made(key).push(slot);
        }
        self.open.insert(slot);
    }

    /// The execution has ended.
    pub(in crate::world) fn ended(&mut self, id: &str) {
        if let Some(slot) = self.by_id.find(id) {
            self.open.remove(&slot);
        }
    }

    /// All of them, by id.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Execution> {
        self.by_id.in_order().map(|one| {
            self.looks.add();
            one.as_ref()
        })
    }

    /// How many were looked at so far.
    #[cfg(test)]
    pub(in crate::world) fn looks(&self) -> usize {
        self.looks.count()
    }

    /// Those that have not ended, by id.
    pub(in crate::world) fn open(&self) -> impl Iterator<Item = &Execution> {
        let mut open: Vec<&Execution> = self.open.iter().filter_map(|slot| self.at_slot(*slot)).collect();
        open.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        open.into_iter()
    }

    /// Those in a location.
    pub(crate) fn at(&self, location: &Location) -> impl Iterator<Item = &Execution> {
        self.of(self.at.get(location))
    }

    /// Those that the execution `id` started.
    pub(crate) fn below(&self, id: &str) -> impl Iterator<Item = &Execution> {
        self.of(self.below.get(id))
    }

    /// Those that have a tag of that key, wherever they are.
    pub(crate) fn tagged(&self, key: &str) -> impl Iterator<Item = &Execution> {
        self.of(self.tagged.get(key))
    }

    fn of<'a>(&'a self, slots: Option<&'a Vec<Slot>>) -> impl Iterator<Item = &'a Execution> {
        let slots = slots.into_iter().flatten();
        slots.filter_map(|slot| self.at_slot(*slot))
    }

    fn at_slot(&self, slot: Slot) -> Option<&Execution> {
        self.looks.add();
        self.by_id.at(slot).map(Box::as_ref)
    }
}
