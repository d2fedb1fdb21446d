//! Documents that somebody else changes.

use super::is_in;
use crate::{
    spec::{DocumentAt, DocumentDefault, DocumentUpdate},
    world::{Document, DocumentFormat, DocumentRefusal, DocumentVersion, World},
};
use jiff::Timestamp;
use patchfleet_core::id::{AccountId, Location};

impl World {
    fn document_account<'a>(&'a self, given: &'a DocumentAt) -> &'a AccountId {
        given.account.as_ref().unwrap_or(&self.org.management)
    }

    /// The locations that have the document.
    pub(super) fn homes_of(&self, given: &DocumentAt) -> Vec<Location> {
        let account = std::slice::from_ref(self.document_account(given));
        let places = self.places.iter();
        places
            .filter(|(at, place)| {
                is_in(at, account, &given.regions) && place.documents.contains_key(&given.name)
            })
            .map(|(at, _)| at.clone())
            .collect()
    }

    fn each_document(&mut self, given: &DocumentAt, change: impl Fn(&mut Document) -> bool) -> usize {
        let homes = self.homes_of(given);
        let touched = homes.iter().filter(|home| {
            let place = self.places.get_mut(home);
            place
                .and_then(|place| place.documents.get_mut(&given.name))
                .is_some_and(&change)
        });
        touched.count()
    }

    pub(super) fn update_document(&mut self, given: &DocumentUpdate) -> usize {
        let now = self.now;
        self.each_document(&given.document, |document| {
            let Ok(version) = read(document, &given.content, now) else {
                return false;
            };
            let number = document.add(version);
            if given.make_default {
                document.default_version = number;
            }
            true
        })
    }

    pub(super) fn default_version(&mut self, given: &DocumentDefault) -> usize {
        self.each_document(&given.document, |document| {
            let there = document.versions.contains_key(&given.version);
            if there {
                document.default_version = given.version;
            }
            there
        })
    }

    pub(super) fn delete_document(&mut self, given: &DocumentAt) -> usize {
        let homes = self.homes_of(given);
        for home in &homes {
            if let Some(place) = self.places.get_mut(home) {
                place.documents.remove(&given.name);
            }
        }
        homes.len()
    }

    /// Why the new content is none for the document.
    pub(super) fn content_problem(&self, given: &DocumentUpdate) -> Option<DocumentRefusal> {
        let homes = self.homes_of(&given.document);
        let document = self
            .places
            .get(homes.first()?)?
            .documents
            .get(&given.document.name)?;
        read(document, &given.content, self.now).err()
    }
}

fn read(document: &Document, content: &str, at: Timestamp) -> Result<DocumentVersion, DocumentRefusal> {
    let format = match content.trim_start().starts_with('{') {
        _ if document
            .versions
            .values()
            .any(|one| one.format == DocumentFormat::Text) =>
        {
            DocumentFormat::Text
        }
        true => DocumentFormat::Json,
        false => DocumentFormat::Yaml,
    };
    DocumentVersion::read(content.to_owned(), document.kind, format, at)
}
