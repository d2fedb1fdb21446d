//! Every command, with indexes for calls and changes. Nothing is thrown away, so nothing here may walk
//! over all of them.

use crate::world::{Command, looks::Looks};
use patchfleet_core::id::Location;
use std::collections::{BTreeMap, BTreeSet};

/// Every command.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    by_id: BTreeMap<String, Box<Command>>,
    /// The ids of those in a location.
    at: BTreeMap<Location, Vec<String>>,
    /// The ids of those that have not ended.
    open: BTreeSet<String>,
    looks: Looks,
}

impl Commands {
    pub(crate) fn get(&self, id: &str) -> Option<&Command> {
        self.looks.add();
        self.by_id.get(id).map(Box::as_ref)
    }

    /// A command to be changed. [`Commands::ended`] says that it has ended.
    pub(in crate::world) fn get_mut(&mut self, id: &str) -> Option<&mut Command> {
        self.looks.add();
        self.by_id.get_mut(id).map(Box::as_mut)
    }

    pub(in crate::world) fn insert(&mut self, command: Command) {
        let id = &command.id;
        let at = self.at.entry(command.order.location.clone()).or_default();
        at.push(id.clone());
        self.open.insert(id.clone());
        self.by_id.insert(id.clone(), Box::new(command));
    }

    /// The command has ended.
    pub(in crate::world) fn ended(&mut self, id: &str) {
        self.open.remove(id);
    }

    /// All of them, by id.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Command> {
        self.by_id.values().map(|one| {
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
        self.open.iter().filter_map(|id| self.get(id))
    }

    /// Those in a location.
    pub(crate) fn at(&self, location: &Location) -> impl Iterator<Item = &Command> {
        let ids = self.at.get(location).into_iter().flatten();
        ids.filter_map(|id| self.get(id))
    }
}
