//! Systems Manager documents: what they say, and what becomes of it.

mod amazon;
mod calendar;
mod document;
pub(in crate::world) mod parameters;
pub(in crate::world) mod runbook;
pub(in crate::world) mod template;

pub(crate) use calendar::{Calendar, state as calendar_state};
pub use document::{Document, DocumentVersion};
pub(crate) use document::{
    DocumentFormat, DocumentOwner, DocumentRefusal, EVERYBODY, FoundDocument, ParameterAbout, SharedVersion,
    convert,
};
pub(crate) use runbook::StepRule;

use super::World;
use crate::spec::PatchBaselineDocument;
use jiff::Timestamp;
use patchfleet_core::id::Location;
use std::collections::BTreeMap;

/// Every document: those of accounts, by location and name, and those that Amazon owns.
#[derive(Debug, Clone)]
pub(crate) struct Documents {
    at: BTreeMap<Location, BTreeMap<String, Document>>,
    amazon: BTreeMap<String, Document>,
}

impl Documents {
    /// Amazon's own alone.
    pub(in crate::world) fn new(start: Timestamp, baseline: PatchBaselineDocument) -> Self {
        Self {
            at: BTreeMap::new(),
            amazon: amazon::documents(start, baseline),
        }
    }

    pub(crate) fn get(&self, at: &Location, name: &str) -> Option<&Document> {
        self.at.get(at)?.get(name)
    }

    pub(crate) fn get_mut(&mut self, at: &Location, name: &str) -> Option<&mut Document> {
        self.at.get_mut(at)?.get_mut(name)
    }

    /// The documents in a location, by name.
    pub(crate) fn at(&self, at: &Location) -> impl Iterator<Item = (&String, &Document)> {
        self.at.get(at).into_iter().flatten()
    }

    /// Every document of an account, with its location and name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Location, &String, &Document)> {
        let places = self.at.iter();
        places.flat_map(|(at, here)| here.iter().map(move |(name, document)| (at, name, document)))
    }

    /// The locations that have a document of that name.
    pub(in crate::world) fn homes(&self, name: &str) -> impl Iterator<Item = &Location> {
        let places = self.at.iter();
        places
            .filter(move |(_, here)| here.contains_key(name))
            .map(|(at, _)| at)
    }

    /// Amazon's own documents, by name.
    pub(crate) fn amazons(&self) -> &BTreeMap<String, Document> {
        &self.amazon
    }

    /// Puts a document into a location; gives the one of that name that was there.
    pub(crate) fn insert(&mut self, at: &Location, name: String, document: Document) -> Option<Document> {
        self.at.entry(at.clone()).or_default().insert(name, document)
    }

    pub(crate) fn remove(&mut self, at: &Location, name: &str) {
        if let Some(here) = self.at.get_mut(at) {
            here.remove(name);
        }
    }
}

impl World {
    /// Every document.
    pub(crate) fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Every document, to be changed.
    pub(crate) fn documents_mut(&mut self) -> &mut Documents {
        &mut self.documents
    }
}
