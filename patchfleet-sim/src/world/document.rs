//! Systems Manager documents and their versions.

use super::runbook::Runbook;
use jiff::Timestamp;
use std::sync::Arc;

/// A document with all its versions. Version n is at index n - 1.
#[derive(Debug, Clone)]
pub struct Document {
    pub(crate) kind: String,
    pub(crate) versions: Vec<DocumentVersion>,
    pub(crate) default_version: usize,
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
