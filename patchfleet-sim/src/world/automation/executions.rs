//! Every execution, with indexes for calls and changes. Nothing is thrown away, so nothing here may
//! walk over all of them.

use crate::world::{Execution, looks::Looks};
use patchfleet_core::id::Location;
use std::collections::{BTreeMap, BTreeSet};

/// Every execution.
#[derive(Debug, Default)]
pub(crate) struct Executions {
    by_id: BTreeMap<String, Box<Execution>>,
    /// The ids of those in a location.
    at: BTreeMap<Location, Vec<String>>,
    /// The ids of those that an execution started.
    below: BTreeMap<String, Vec<String>>,
    /// The ids of those that have a tag of that key, wherever they are.
    tagged: BTreeMap<String, Vec<String>>,
    /// The ids of those that have not ended.
    open: BTreeSet<String>,
    looks: Looks,
}

impl Executions {
    pub(crate) fn get(&self, id: &str) -> Option<&Execution> {
        self.looks.add();
        self.by_id.get(id).map(Box::as_ref)
    }

    /// An execution to be changed. [`Executions::ended`] says that it has ended.
    pub(in crate::world) fn get_mut(&mut self, id: &str) -> Option<&mut Execution> {
        self.looks.add();
        self.by_id.get_mut(id).map(Box::as_mut)
    }

    pub(in crate::world) fn insert(&mut self, execution: Execution) {
        let id = &execution.id;
        let at = self.at.entry(execution.order.location.clone()).or_default();
        at.push(id.clone());
        if let Some(parent) = execution.parent() {
            self.below.entry(parent.to_owned()).or_default().push(id.clone());
        }
        for (key, _) in &execution.order.tags {
            self.tagged.entry(key.clone()).or_default().push(id.clone());
        }
        self.open.insert(id.clone());
        self.by_id.insert(id.clone(), Box::new(execution));
    }

    /// The execution has ended.
    pub(in crate::world) fn ended(&mut self, id: &str) {
        self.open.remove(id);
    }

    /// All of them, by id.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Execution> {
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
    pub(in crate::world) fn open(&self) -> impl Iterator<Item = &Execution> {
        self.open.iter().filter_map(|id| self.get(id))
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

    fn of<'a>(&'a self, ids: Option<&'a Vec<String>>) -> impl Iterator<Item = &'a Execution> {
        ids.into_iter().flatten().filter_map(|id| self.get(id))
    }
}
