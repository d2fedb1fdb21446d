//! A tag, as Systems Manager and STS have it.

use serde::{Deserialize, Serialize};

/// A tag.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}
