//! A plan as a file.

use super::{FORMAT, Plan};
use crate::request::{digest_of, no_key_twice};
use crate::text::{names, one_line};
use serde::Serialize;
use serde_json::Value;

/// The key of a plan's own digest.
const DIGEST: &str = "digest";

/// Why a text could not be read as a plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanFileError {
    /// A text that begins as no JSON object does, such as a request in TOML.
    #[error("this is not a saved plan: a plan that `plan --out` saved is JSON, and this is not")]
    NotJson,
    /// JSON with an error in it.
    #[error("the saved plan is not valid JSON")]
    Syntax(#[source] serde_json::Error),
    /// A key stands twice in one object, and nobody can tell which of the two was meant.
    #[error("the saved plan was changed by hand")]
    KeyTwice(#[source] serde_json::Error),
    /// It has no digest: an older build saved it, or the digest was taken out.
    #[error(
        "the saved plan has no digest, so whether it was changed by hand cannot be told: an older build saved it, \
         or somebody took the digest out. Plan again"
    )]
    NoDigest,
    /// Keys that no plan has.
    #[error("no plan has the key {}: it was changed by hand. Undo that, or plan again", names(.keys))]
    UnknownKeys {
        /// The keys, with the path that leads to each.
        keys: Vec<String>,
    },
    /// Its digest is not that of what it says.
    #[error(
        "it is not what was saved (its digest is another one): it was changed by hand. Undo that, or plan again from a \
         request that says what you want"
    )]
    Changed,
    /// It is JSON and no plan, since it has no number `format`.
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
        // All keys are texts and all values plain, so nothing here can fail to be written.
        let mut json = serde_json::to_string_pretty(&self.saved()).unwrap_or_default();
        json.push('\n');
        json
    }

    /// The plan as it is saved. It has a key `digest`, the SHA-256 of everything else in it, which shows a change by
    /// hand.
    pub fn saved(&self) -> impl Serialize + '_ {
        let digest = serde_json::to_value(self).map(|value| digest_of(&value).to_string());
        Saved {
            plan: self,
            digest: digest.unwrap_or_default(),
        }
    }

    /// Reads a saved plan.
    ///
    /// # Errors
    ///
    /// [`PlanFileError`] if it is no plan, is damaged, was changed since it was saved, or was written by
    /// another version.
    pub fn from_json(text: &str) -> Result<Self, PlanFileError> {
        let mut value: Value = serde_json::from_str(text).map_err(|error| {
            if text.trim_start().starts_with('{') {
                PlanFileError::Syntax(error)
            } else {
                PlanFileError::NotJson
            }
        })?;
        match value.get("format").and_then(Value::as_u64) {
            None => return Err(PlanFileError::NotAPlan),
            Some(format) if format > u64::from(FORMAT) => return Err(PlanFileError::Newer { format }),
            Some(format) if format < u64::from(FORMAT) => return Err(PlanFileError::Older { format }),
            Some(_) => {}
        }
        no_key_twice(text).map_err(PlanFileError::KeyTwice)?;
        let digest = value.as_object_mut().and_then(|plan| plan.remove(DIGEST));
        let plan: Self = serde_json::from_value(value.clone()).map_err(PlanFileError::Damaged)?;
        let known = serde_json::to_value(&plan).map_err(PlanFileError::Damaged)?;
        let mut keys = vec![];
        unknown(&value, &known, "", &mut keys);
        if !keys.is_empty() {
            return Err(PlanFileError::UnknownKeys { keys });
        }
        let digest = digest.ok_or(PlanFileError::NoDigest)?;
        if digest != Value::String(digest_of(&value).to_string()) {
            return Err(PlanFileError::Changed);
        }
        Ok(plan)
    }
}

#[derive(Serialize)]
struct Saved<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    digest: String,
}

/// The keys of `value` that `known` does not have. `known` is what was read of `value`.
fn unknown(value: &Value, known: &Value, path: &str, keys: &mut Vec<String>) {
    match (value, known) {
        (Value::Object(entries), Value::Object(known)) => {
            for (key, value) in entries {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{}", one_line(key));
                match known.get(key) {
                    Some(known) => unknown(value, known, &path, keys),
                    // What is left out where it says nothing.
                    None if value.is_null() => {}
                    None => keys.push(path),
                }
            }
        }
        (Value::Array(items), Value::Array(known)) => {
            for (index, (item, known)) in items.iter().zip(known).enumerate() {
                unknown(item, known, &format!("{path}[{index}]"), keys);
            }
        }
        _ => {}
    }
}
