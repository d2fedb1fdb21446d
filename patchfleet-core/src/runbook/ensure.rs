//! Bringing the document to the central account and Region, and seeing whether it is there.

use super::{CommandSteps, Runbook};
use crate::id::DocumentName;
use crate::port::{Documents, PortErrorKind, PortResult, Sent};
use serde_json::Value;
use std::fmt;

/// What [`ensure`] did. Each has the number of the version that is now the default.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "done", rename_all = "snake_case")]
pub enum Ensured {
    /// There was no such document.
    Created {
        /// The default version.
        version: String,
    },
    /// A version was added and made the default.
    Updated {
        /// The default version.
        version: String,
    },
    /// The newest version was right and was made the default.
    DefaultMoved {
        /// The default version.
        version: String,
    },
    /// The default version is right already.
    Unchanged {
        /// The default version.
        version: String,
    },
}

impl fmt::Display for Ensured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created { version } => write!(f, "created; version {version} is the default"),
            Self::Updated { version } => write!(f, "updated; version {version} is the default now"),
            Self::DefaultMoved { version } => {
                write!(f, "was there already; version {version} is the default now")
            }
            Self::Unchanged { version } => write!(f, "unchanged; version {version} is the default"),
        }
    }
}

/// What [`check`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// There is no such document.
    Missing,
    /// The default version is the runbook.
    Current {
        /// The default version.
        version: String,
    },
    /// The default version is something else.
    Different {
        /// The default version.
        version: String,
    },
}

/// Finds out whether the document `name` is there, and whether its default version is `runbook`. Changes nothing.
///
/// # Errors
///
/// The port's error, except `NotFound`, which is [`Checked::Missing`].
pub async fn check(documents: &dyn Documents, name: &DocumentName, runbook: &Runbook) -> PortResult<Checked> {
    match documents.document(name).await {
        Ok(view) if says_the_same(&view.content, runbook) => Ok(Checked::Current {
            version: view.version,
        }),
        Ok(view) => Ok(Checked::Different {
            version: view.version,
        }),
        Err(error) if error.kind() == PortErrorKind::NotFound => Ok(Checked::Missing),
        Err(error) => Err(error),
    }
}

/// Makes `runbook` the default version of the document `name`. It creates the document, adds a version, moves the default,
/// or does nothing. Contents are the same if they say the same, however they are spaced.
///
/// # Errors
///
/// The port's error. Every step can be repeated, so calling this again goes on where it stopped.
pub async fn ensure(
    documents: &dyn Documents,
    name: &DocumentName,
    runbook: &Runbook,
) -> PortResult<Ensured> {
    match check(documents, name, runbook).await? {
        Checked::Current { version } => Ok(Ensured::Unchanged { version }),
        Checked::Missing => {
            let created = documents.create(name, runbook.to_json()).await;
            let version = match created {
                // Perhaps only the answer was lost. What is there now tells.
                Err(error) if error.sent() == Sent::Maybe => match check(documents, name, runbook).await {
                    Ok(Checked::Current { version }) => version,
                    _ => return Err(error),
                },
                created => created?,
            };
            Ok(Ensured::Created { version })
        }
        Checked::Different { .. } => {
            if let Some(version) = documents.update(name, runbook.to_json()).await? {
                documents.set_default(name, &version).await?;
                Ok(Ensured::Updated { version })
            } else {
                let version = documents.latest_version(name).await?;
                documents.set_default(name, &version).await?;
                Ok(Ensured::DefaultMoved { version })
            }
        }
    }
}

/// Whether a document is a runbook of this version that fits the Command document, whatever its step timeout. If the
/// Command document could not be read, both shapes of the runbook count as fitting.
pub(super) fn is_own_and_fits(content: &str, steps: CommandSteps) -> bool {
    let without_timeout = |mut document: Value| {
        let steps = document.get_mut("mainSteps").and_then(Value::as_array_mut);
        for step in steps.into_iter().flatten().filter_map(Value::as_object_mut) {
            step.remove("timeoutSeconds");
        }
        document
    };
    let Some(there) = read(content).map(without_timeout) else {
        return false;
    };
    let fitting: &[CommandSteps] = match steps {
        CommandSteps::Unread => &[CommandSteps::Unread, CommandSteps::PASSED],
        CommandSteps::Read { .. } => &[steps],
    };
    fitting.iter().any(|&steps| {
        let own = serde_json::to_value(Runbook::default().fitting(steps)).ok();
        own.map(without_timeout).as_ref() == Some(&there)
    })
}

/// Whether a document's content, JSON or YAML, is the runbook's.
fn says_the_same(content: &str, runbook: &Runbook) -> bool {
    let there = read(content);
    there.is_some() && there == serde_json::to_value(runbook).ok()
}

/// A document, written in JSON or, if that is built in, in YAML. AWS gives every document as JSON.
pub(super) fn read(content: &str) -> Option<Value> {
    let document = serde_json::from_str(content).ok();
    #[cfg(feature = "yaml")]
    let document = document.or_else(|| serde_saphyr::from_str(content).ok());
    document
}
