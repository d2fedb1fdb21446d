//! Everything of one kind that was started in the world, executions or commands, with indexes for calls and
//! changes. Nothing is thrown away, so nothing here may walk over all of it.

use super::looks::Looks;
use super::lookup::{Lookup, Slot, Table};
use patchfleet_core::id::Location;
use std::collections::BTreeSet;

/// An execution or a command.
pub(crate) trait Run {
    /// Its id.
    fn id(&self) -> &str;

    /// Where it runs.
    fn location(&self) -> &Location;
}

/// Every execution, or every command.
#[derive(Debug, Clone)]
pub(crate) struct Runs<T> {
    by_id: Table<String, Box<T>>,
    /// Those in a location.
    at: Lookup<Location, Vec<Slot>>,
    /// Those that have not ended.
    open: BTreeSet<Slot>,
    looks: Looks,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self {
            by_id: Table::default(),
            at: Lookup::default(),
            open: BTreeSet::new(),
            looks: Looks::default(),
        }
    }
}

impl<T: Run> Runs<T> {
    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.at_slot(self.by_id.find(id)?)
    }

    /// One of them, to be changed. [`Runs::ended`] says that it has ended.
    pub(in crate::world) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.looks.add();
        let slot = self.by_id.find(id)?;
        self.by_id.at_mut(slot).map(Box::as_mut)
    }

    /// Adds one, and gives its place for other indexes.
    pub(in crate::world) fn insert(&mut self, run: T) -> Slot {
        let location = run.location().clone();
        let slot = self.by_id.insert(run.id().to_owned(), Box::new(run));
        self.at.made(location).push(slot);
        self.open.insert(slot);
        slot
    }

    /// One of them has ended.
    pub(in crate::world) fn ended(&mut self, id: &str) {
        if let Some(slot) = self.by_id.find(id) {
            self.open.remove(&slot);
        }
    }

    /// All of them, by id.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
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
    pub(in crate::world) fn open(&self) -> impl Iterator<Item = &T> {
        let mut open: Vec<&T> = self.open.iter().filter_map(|slot| self.at_slot(*slot)).collect();
        open.sort_unstable_by(|one, other| one.id().cmp(other.id()));
        open.into_iter()
    }

    /// Those in a location.
    pub(crate) fn at(&self, location: &Location) -> impl Iterator<Item = &T> {
        self.of(self.at.get(location))
    }

    /// Those in these places.
    pub(in crate::world) fn of<'a>(&'a self, slots: Option<&'a Vec<Slot>>) -> impl Iterator<Item = &'a T> {
        let slots = slots.into_iter().flatten();
        slots.filter_map(|slot| self.at_slot(*slot))
    }

    fn at_slot(&self, slot: Slot) -> Option<&T> {
        self.looks.add();
        self.by_id.at(slot).map(Box::as_ref)
    }
}
