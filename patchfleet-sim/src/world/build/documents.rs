//! The documents of a spec.

use super::Builder;
use crate::{
    builtin,
    spec::{BuiltinDocument, DocumentKind, DocumentSpec},
    world::{Document, DocumentFormat, DocumentVersion, SharedVersion},
};
use patchfleet_core::id::{AccountId, Region};

impl Builder<'_> {
    pub(super) fn add_document(&mut self, index: usize, spec: &DocumentSpec) {
        let path = format!("documents[{index}]");
        let content = match (&spec.content, spec.builtin) {
            (Some(content), None) => content.clone(),
            (None, Some(BuiltinDocument::Patchfleet)) => builtin::runbook(),
            _ => return self.problem(path, "either content or builtin says what is in it"),
        };
        for (index, account) in spec.shared_with.iter().enumerate() {
            if account != "all" && account.parse::<AccountId>().is_err() {
                let message = format!("{account} is neither an account id nor all");
                self.problem(format!("{path}.shared_with[{index}]"), message);
            }
        }
        let format = match spec.kind {
            DocumentKind::ChangeCalendar => DocumentFormat::Text,
            _ if content.trim_start().starts_with('{') => DocumentFormat::Json,
            _ => DocumentFormat::Yaml,
        };
        let version = match DocumentVersion::read(content, spec.kind, format, self.spec.start) {
            Ok(version) => version,
            Err(refusal) => return self.problem(format!("{path}.content"), refusal.to_string()),
        };
        let mut document = Document::new(spec.kind, version);
        document.tags = spec.tags.clone();
        for account in &spec.shared_with {
            document.share(account, SharedVersion::Default);
        }
        let account = spec
            .account
            .clone()
            .unwrap_or_else(|| self.spec.management_account.clone());
        let regions: Vec<Region> = if spec.regions.is_empty() {
            let org = &self.world.org;
            org.regions
                .iter()
                .filter(|region| org.is_enabled(&account, region))
                .cloned()
                .collect()
        } else {
            spec.regions.clone()
        };
        if !self.is_account(&account) {
            return self.problem(
                format!("{path}.account"),
                format!("{account} is not one of accounts"),
            );
        }
        for (nth, region) in regions.iter().enumerate() {
            let path = format!("{path}.regions[{nth}]");
            let Some(location) = self.place(&account, region, "", &path) else {
                continue;
            };
            let documents = &mut self.world.documents;
            let before = documents.insert(&location, spec.name.to_string(), document.clone());
            let twice = before.is_some();
            if twice {
                let message = format!("document {} stands twice in {location}", spec.name);
                self.problem(path, message);
            }
        }
    }
}
