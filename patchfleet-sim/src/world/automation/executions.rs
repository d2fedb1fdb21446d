//! Every execution. Beside the indexes of [`Runs`] there are those of parents and of tags.

use crate::world::{
    Execution,
    lookup::{Lookup, Slot},
    runs::{Run, Runs},
};
use patchfleet_core::id::Location;
use std::ops::Deref;

impl Run for Execution {
    fn id(&self) -> &str {
        &self.id
    }

    fn location(&self) -> &Location {
        &self.order.location
    }
}

/// Every execution.
#[derive(Debug, Clone, Default)]
pub(crate) struct Executions {
    runs: Runs<Execution>,
    /// Those that an execution started.
    below: Lookup<String, Vec<Slot>>,
    /// Those that have a tag of that key, wherever they are.
    tagged: Lookup<String, Vec<Slot>>,
}

impl Deref for Executions {
    type Target = Runs<Execution>;

    fn deref(&self) -> &Runs<Execution> {
        &self.runs
    }
}

impl Executions {
    /// An execution to be changed. [`Executions::ended`] says that it has ended.
    pub(in crate::world) fn get_mut(&mut self, id: &str) -> Option<&mut Execution> {
        self.runs.get_mut(id)
    }

    pub(in crate::world) fn insert(&mut self, execution: Execution) {
        let parent = execution.parent().map(str::to_owned);
        let keys: Vec<String> = execution.order.tags.iter().map(|(key, _)| key.clone()).collect();
        let slot = self.runs.insert(execution);
        if let Some(parent) = parent {
            self.below.made(parent).push(slot);
        }
        for key in keys {
            self.tagged.made(key).push(slot);
        }
    }

    /// The execution has ended.
    pub(in crate::world) fn ended(&mut self, id: &str) {
        self.runs.ended(id);
    }

    /// Those that the execution `id` started.
    pub(crate) fn below(&self, id: &str) -> impl Iterator<Item = &Execution> {
        self.of(self.below.get(id))
    }

    /// Those that have a tag of that key, wherever they are.
    pub(crate) fn tagged(&self, key: &str) -> impl Iterator<Item = &Execution> {
        self.of(self.tagged.get(key))
    }
}
