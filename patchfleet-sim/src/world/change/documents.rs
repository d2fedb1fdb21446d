//! Documents that somebody else changes.

use super::is_in;
use crate::{
    spec::{DocumentAt, DocumentCreate, DocumentDefault, DocumentKind, DocumentUpdate},
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
        let homes = self.documents.homes(&given.name);
        homes
            .filter(|at| is_in(at, account, &given.regions))
            .cloned()
            .collect()
    }

    fn each_document(&mut self, given: &DocumentAt, change: impl Fn(&mut Document) -> bool) -> usize {
        let homes = self.homes_of(given);
        let touched = homes.iter().filter(|home| {
            let document = self.documents.get_mut(home, &given.name);
            document.is_some_and(&change)
        });
        touched.count()
    }

    pub(super) fn create_document(&mut self, given: &DocumentCreate) -> usize {
        let Ok(version) = read_runbook(&given.content, self.now()) else {
            return 0;
        };
        let account = given.account.as_ref().unwrap_or(&self.org.management).clone();
        let regions = self.org.regions.iter().filter(|region| {
            self.org.is_enabled(&account, region)
                && (given.regions.is_empty() || given.regions.contains(region))
        });
        let homes: Vec<Location> = regions
            .map(|region| Location::new(account.clone(), region.clone()))
            .collect();
        let made = homes.into_iter().filter(|home| {
            let is_new = self.documents.get(home, &given.name).is_none();
            if is_new {
                let document = Document::new(DocumentKind::Automation, version.clone());
                self.documents.insert(home, given.name.clone(), document);
            }
            is_new
        });
        made.count()
    }

    /// Why the content is none for a new Automation document.
    pub(super) fn creation_problem(&self, given: &DocumentCreate) -> Option<DocumentRefusal> {
        read_runbook(&given.content, self.now()).err()
    }

    pub(super) fn update_document(&mut self, given: &DocumentUpdate) -> usize {
        let now = self.now();
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
            self.documents.remove(home, &given.name);
        }
        homes.len()
    }

    /// Why the new content is none for the document.
    pub(super) fn content_problem(&self, given: &DocumentUpdate) -> Option<DocumentRefusal> {
        let homes = self.homes_of(&given.document);
        let document = self.documents.get(homes.first()?, &given.document.name)?;
        read(document, &given.content, self.now()).err()
    }
}

fn read_runbook(content: &str, at: Timestamp) -> Result<DocumentVersion, DocumentRefusal> {
    DocumentVersion::read(
        content.to_owned(),
        DocumentKind::Automation,
        format_of(content),
        at,
    )
}

fn format_of(content: &str) -> DocumentFormat {
    if content.trim_start().starts_with('{') {
        DocumentFormat::Json
    } else {
        DocumentFormat::Yaml
    }
}

fn read(document: &Document, content: &str, at: Timestamp) -> Result<DocumentVersion, DocumentRefusal> {
    let mut versions = document.versions.values();
    let format = if versions.any(|one| one.format == DocumentFormat::Text) {
        DocumentFormat::Text
    } else {
        format_of(content)
    };
    DocumentVersion::read(content.to_owned(), document.kind, format, at)
}
