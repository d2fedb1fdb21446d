//! Every command, with indexes for calls and changes. Nothing is thrown away, so nothing here may walk
//! over all of them.

use crate::world::{
    Command,
    looks::Looks,
    lookup::{Lookup, Slot, Table},
};
use patchfleet_core::id::Location;
use std::collections::BTreeSet;

/// Every command.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    by_id: Table<String, Box<Command>>,
    /// Those in a location.
    at: Lookup<Location, Vec<Slot>>,
    /// Those that have not ended.
    open: BTreeSet<Slot>,
    looks: Looks,
}

impl Commands {
    pub(crate) fn get(&self, id: &str) -> Option<&Command> {
        self.at_slot(self.by_id.find(id)?)
    }

    /// A command to be changed. [`Commands::ended`] says that it has ended.
    pub(in crate::world) fn get_mut(&mut self, id: &str) -> Option<&mut Command> {
        self.looks.add();
        let slot = self.by_id.find(id)?;
        self.by_id.at_mut(slot).map(Box::as_mut)
    }

    pub(in crate::world) fn insert(&mut self, command: Command) {
        let location = command.order.location.clone();
        let slot = self.by_id.insert(command.id.clone(), Box::new(command));
        self.at.made(location).push(slot);
        self.open.insert(slot);
    }

    /// The command has ended.
    pub(in crate::world) fn ended(&mut self, id: &str) {
        if let Some(slot) = self.by_id.find(id) {
            self.open.remove(&slot);
        }
    }

    /// All of them, by id.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Command> {
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
    pub(in crate::world) fn open(&self) -> impl Iterator<Item = &Command> {
        let mut open: Vec<&Command> = self.open.iter().filter_map(|slot| self.at_slot(*slot)).collect();
        open.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        open.into_iter()
    }

    /// Those in a location.
    pub(crate) fn at(&self, location: &Location) -> impl Iterator<Item = &Command> {
        let slots = self.at.get(location).into_iter().flatten();
        slots.filter_map(|slot| self.at_slot(*slot))
    }

    fn at_slot(&self, slot: Slot) -> Option<&Command> {
        self.looks.add();
        self.by_id.at(slot).map(Box::as_ref)
    }
}
