//! Systems Manager documents in the central account and Region.

use super::{BoxFuture, PortResult};
use crate::id::DocumentName;

/// The runbook's home. All calls are made in the central account and Region.
///
/// Promises: `update` gives a new version and does not move the default one.
pub trait Documents: Send + Sync {
    /// The default version of an Automation document, with its content. `NotFound` if there is none.
    fn document(&self, name: &DocumentName) -> BoxFuture<'_, PortResult<DocumentView>>;

    /// Creates an Automation document; gives its first version.
    fn create(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<String>>;

    /// Adds a version with this content and gives its number; or gives `None` if AWS says that
    /// its newest version has this content already (`DuplicateDocumentContent`).
    fn update(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<Option<String>>>;

    /// The number of the newest version.
    fn latest_version(&self, name: &DocumentName) -> BoxFuture<'_, PortResult<String>>;

    /// Makes `version` the default.
    fn set_default(&self, name: &DocumentName, version: &str) -> BoxFuture<'_, PortResult<()>>;
}

/// A document's default version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentView {
    /// The version's number.
    pub version: String,
    /// Its content, as it was uploaded (JSON or YAML).
    pub content: String,
}
