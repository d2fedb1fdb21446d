//! A plan as a file.

use super::{FORMAT, Plan};
use serde_json::Value;

/// A text that is not a plan that this version reads.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// Not JSON.
    #[error("the plan is not JSON")]
    Syntax(#[source] serde_json::Error),
    /// JSON, and not a plan: it has no number `format`.
    #[error("this is JSON, but not a saved plan: it has no number \"format\"")]
    NotAPlan,
    /// Written by a newer version.
    #[error(
        "the plan has format {format}, and this version reads format {FORMAT}: it was written by a newer version. Use \
         that version, or plan again"
    )]
    Newer {
        /// Its format.
        format: u64,
    },
    /// Written by an older version.
    #[error(
        "the plan has format {format}, and this version reads format {FORMAT}: it was written by an older version. \
         Plan again"
    )]
    Older {
        /// Its format.
        format: u64,
    },
    /// A plan of this format that has been changed, or is incomplete.
    #[error("the saved plan is damaged")]
    Damaged(#[source] serde_json::Error),
}

impl Plan {
    /// The plan as JSON, indented, ending in a line break. The same plan gives the same bytes.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Text keys and plain values only: nothing here can fail to be written.
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }

    /// Reads a saved plan.
    ///
    /// # Errors
    ///
    /// [`PlanFileError`] if it is none, is damaged, or was written by another version.
    pub fn from_json(text: &str) -> Result<Self, PlanFileError> {
        let value: Value = serde_json::from_str(text).map_err(PlanFileError::Syntax)?;
        match value.get("format").and_then(Value::as_u64) {
            None => Err(PlanFileError::NotAPlan),
            Some(format) if format > u64::from(FORMAT) => Err(PlanFileError::Newer { format }),
            Some(format) if format < u64::from(FORMAT) => Err(PlanFileError::Older { format }),
            Some(_) => serde_json::from_value(value).map_err(PlanFileError::Damaged),
        }
    }
}
