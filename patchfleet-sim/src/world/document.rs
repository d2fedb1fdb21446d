//! Systems Manager documents and their versions.

use super::runbook::Runbook;
use jiff::Timestamp;
use patchfleet_core::id::AccountId;
use std::{collections::BTreeSet, sync::Arc};

/// A document with all its versions. Version n is at index n - 1.
#[derive(Debug, Clone)]
pub struct Document {
    pub(crate) kind: String,
    pub(crate) versions: Vec<DocumentVersion>,
    pub(crate) default_version: usize,
    /// The accounts with which it is shared, or `all`.
    pub(crate) shared_with: BTreeSet<String>,
}

/// One version.
#[derive(Debug, Clone)]
pub struct DocumentVersion {
    pub(crate) content: String,
    pub(crate) format: String,
    pub(crate) runbook: Arc<Runbook>,
    pub(crate) created: Timestamp,
}

impl Document {
    /// Whether `account` may use it although it is another's.
    pub(crate) fn is_shared_with(&self, account: &AccountId) -> bool {
        self.shared_with.contains("all") || self.shared_with.contains(account.as_str())
    }

    /// The number and content of a version: `$DEFAULT` (or nothing), `$LATEST`, or a number.
    pub(crate) fn version(&self, name: Option<&str>) -> Option<(usize, &DocumentVersion)> {
        let number = match name {
            None | Some("" | "$DEFAULT") => self.default_version,
            Some("$LATEST") => self.versions.len(),
            Some(number) => number.parse().ok()?,
        };
        Some((number, self.versions.get(number.checked_sub(1)?)?))
    }
}

/// Reads an Automation document's content, JSON or YAML.
///
/// # Errors
///
/// What is wrong with it.
pub fn parse_runbook(content: &str, format: &str) -> Result<Arc<Runbook>, String> {
    Runbook::parse(content, format).map(Arc::new)
}
