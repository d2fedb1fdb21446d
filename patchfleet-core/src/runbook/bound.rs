//! The runbook that a plan was made for, and whether that is still what would run.

use super::{COMMAND_DOCUMENT, CommandSteps, ContentDigest, ensure::is_own_and_fits, ensure::read, is_own};
use crate::id::{DocumentName, Location};
use crate::plan::{RefusalCode, RefusalReason};
use crate::port::{Caller, DocumentVersion, DocumentView, Documents, PortError, PortErrorKind, PortResult};
use crate::request::{AutomationSettings, RunbookPin};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

/// How many locations a message names.
const NAMED: usize = 3;

/// What a plan was made for: the runbook's content at the time of planning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedRunbook {
    /// Its name or ARN.
    pub name: DocumentName,
    /// The number of its default version.
    pub version: String,
    /// What that version says.
    pub digest: ContentDigest,
    /// The names of the parameters that it takes.
    pub parameters: Vec<String>,
    /// Whether it is patchfleet's own.
    pub own: bool,
    /// The locations in which a document of this name stands as well, as the discovery role finds
    /// it there, and says the same. Each is compared again before a unit with it is started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<Location>,
}

/// What became of a runbook since the plan was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunbookChange {
    /// It says something else.
    Differs,
    /// It is not there any more.
    Gone,
    /// It could be read when the plan was made, and no longer can: whether it is the same is not
    /// known.
    Unreadable,
}

/// Why nothing more is started: what would run is not what was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) change: RunbookChange,
    pub(crate) detail: String,
}

/// What planning found out about the runbook in the central account and Region.
pub(crate) enum Found {
    /// The plan is bound to it.
    Bound(PlannedRunbook),
    /// It may not be read. The plan is not bound to its content.
    NotReadable(String),
    /// It cannot be started.
    Refused(RefusalReason),
}

/// Reads the runbook that `settings` name, where the start looks for it. patchfleet's own has to fit
/// the Command document with these `steps`.
///
/// # Errors
///
/// Whatever keeps it from being read, but for a denial.
pub(crate) async fn find(
    documents: &dyn Documents,
    central: &Caller,
    settings: &AutomationSettings,
    steps: CommandSteps,
) -> PortResult<Found> {
    let name = &settings.document;
    let own = is_own(name);
    let refused = |code, detail| {
        Ok(Found::Refused(RefusalReason {
            code,
            subject: name.to_string(),
            detail,
        }))
    };
    let view = match documents.read(None, name, DocumentVersion::Default).await {
        Ok(view) => view,
        Err(error) if error.kind() == PortErrorKind::Denied => {
            return Ok(Found::NotReadable(format!(
                "the runbook {name} may not be read in {}/{}, so the plan is not bound to what it says, and nobody will notice if it is changed before or while it runs; ssm:GetDocument on it is needed: {}",
                central.account,
                central.region,
                error.reason()
            )));
        }
        Err(error) if error.kind() == PortErrorKind::NotFound => {
            let then = if own {
                ": `patchfleet runbook ensure` creates it"
            } else if name.as_str().starts_with("arn:") {
                ", or it is not shared with that account"
            } else {
                ""
            };
            let detail = format!(
                "there is no such runbook in the central account and Region, {}/{}{then}",
                central.account, central.region
            );
            return refused(RefusalCode::RunbookMissing, detail);
        }
        Err(error) => return Err(error),
    };
    if own && !is_own_and_fits(&view.content, steps) {
        return refused(
            RefusalCode::RunbookDiffers,
            format!(
                "version {} in {}/{} is not this version's runbook for the {COMMAND_DOCUMENT} that is there: `patchfleet runbook ensure` updates it",
                view.version, central.account, central.region
            ),
        );
    }
    Ok(Found::Bound(PlannedRunbook {
        name: name.clone(),
        digest: ContentDigest::of(&view.content),
        parameters: parameter_names(&view.content),
        version: view.version,
        own,
        copies: vec![],
    }))
}

fn parameter_names(content: &str) -> Vec<String> {
    let document = read(content);
    let parameters = document
        .as_ref()
        .and_then(|document| document.get("parameters"))
        .and_then(serde_json::Value::as_object);
    let mut names: Vec<String> = parameters
        .into_iter()
        .flat_map(|parameters| parameters.keys().cloned())
        .collect();
    names.sort();
    names
}

/// What the target accounts have under the runbook's name.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    pub(crate) same: Vec<Location>,
    pub(crate) warnings: Vec<String>,
    pub(crate) reasons: Vec<RefusalReason>,
}

/// Reads the runbook in each of these locations as it is found there: a copy by its name, a shared
/// one by its ARN. Which account's document a multi-account automation runs is not documented, so
/// one that says something else refuses; where none is found by its name, there is only the
/// central one.
pub(crate) async fn elsewhere(
    documents: &dyn Documents,
    runbook: &PlannedRunbook,
    pin: RunbookPin,
    locations: &[Location],
    concurrency: usize,
) -> Elsewhere {
    let mut found = Elsewhere::default();
    if is_amazons(&runbook.name) {
        return found;
    }
    let version = runbook.version_to_run(pin);
    let reads: Vec<_> = locations
        .iter()
        .map(|at| async move { (at, documents.read(Some(at), &runbook.name, version).await) })
        .collect();
    let answers: Vec<_> = stream::iter(reads).buffered(concurrency.max(1)).collect().await;
    let by_arn = runbook.name.as_str().starts_with("arn:");
    let mut not_read: Vec<(&Location, String)> = vec![];
    let mut not_shared: Vec<&Location> = vec![];
    for (at, answer) in answers {
        match answer {
            Ok(view) if ContentDigest::of(&view.content) == runbook.digest => found.same.push(at.clone()),
            Ok(view) => found.reasons.push(RefusalReason {
                code: RefusalCode::RunbookDiffers,
                subject: at.to_string(),
                detail: differs_there(runbook, &view),
            }),
            Err(error) if error.kind() == PortErrorKind::NotFound => {
                if by_arn {
                    not_shared.push(at);
                }
            }
            Err(error) => not_read.push((at, error.reason())),
        }
    }
    if let Some((_, why)) = not_read.first() {
        let places: Vec<&Location> = not_read.iter().map(|(at, _)| *at).collect();
        found.warnings.push(format!(
            "whether the runbook {} says the same in {} is not known, because it could not be read there: {why}",
            runbook.name,
            named(&places),
        ));
    }
    if !not_shared.is_empty() {
        found.warnings.push(format!(
            "the runbook {} (version {version}) is not found in {}: is it shared with each account, and in that version? A share is of $DEFAULT alone unless it says $ALL",
            runbook.name,
            named(&not_shared),
        ));
    }
    found
}

fn differs_there(runbook: &PlannedRunbook, view: &DocumentView) -> String {
    format!(
        "version {} of the runbook {} that is found there does not say what version {} in the central account and Region says: bring the same content to both, or remove the copy",
        view.version, runbook.name, runbook.version
    )
}

fn named(locations: &[&Location]) -> String {
    let names: Vec<String> = locations.iter().take(NAMED).map(ToString::to_string).collect();
    match locations.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more locations", names.join(", ")),
    }
}

/// Whether AWS keeps the document: it is the same in every account.
fn is_amazons(name: &DocumentName) -> bool {
    name.as_str().starts_with("AWS-")
}

impl PlannedRunbook {
    /// The version that a start runs.
    pub(crate) fn version_to_run(&self, pin: RunbookPin) -> DocumentVersion {
        match pin {
            RunbookPin::Version => self.version.parse().unwrap_or(DocumentVersion::Default),
            _ => DocumentVersion::Default,
        }
    }

    /// Compares what would run now with what was planned: the version in the central account and
    /// Region, and the copies in these locations.
    ///
    /// # Errors
    ///
    /// A failure that may pass by itself, or that is the caller's own.
    pub(crate) async fn compare(
        &self,
        documents: &dyn Documents,
        pin: RunbookPin,
        locations: &[Location],
    ) -> PortResult<Option<Changed>> {
        let version = self.version_to_run(pin);
        let copies = locations.iter().filter(|at| self.copies.contains(at)).map(Some);
        for at in std::iter::once(None).chain(copies) {
            let place = at.map_or_else(
                || "the central account and Region".to_owned(),
                ToString::to_string,
            );
            let changed = |change, detail| Ok(Some(Changed { change, detail }));
            match documents.read(at, &self.name, version).await {
                Ok(view) if ContentDigest::of(&view.content) == self.digest => {}
                Ok(view) => {
                    return changed(
                        RunbookChange::Differs,
                        format!(
                            "version {} of the runbook {} in {place} is not what version {} was when the plan was made (digest {}, planned {})",
                            view.version,
                            self.name,
                            self.version,
                            ContentDigest::of(&view.content).short(),
                            self.digest.short()
                        ),
                    );
                }
                // A copy that is gone cannot run.
                Err(error) if error.kind() == PortErrorKind::NotFound && at.is_some() => {}
                Err(error) if error.kind() == PortErrorKind::NotFound => {
                    return changed(
                        RunbookChange::Gone,
                        format!(
                            "the runbook {} (version {version}) is no longer in {place}: {}",
                            self.name,
                            error.reason()
                        ),
                    );
                }
                Err(error) if passes(&error) => return Err(error),
                Err(error) => {
                    return changed(
                        RunbookChange::Unreadable,
                        format!(
                            "the runbook {} in {place} could be read when the plan was made and no longer can, so it is not known whether it is the same: {}",
                            self.name,
                            error.reason()
                        ),
                    );
                }
            }
        }
        Ok(None)
    }
}

fn passes(error: &PortError) -> bool {
    error.kind().is_transient() || error.kind() == PortErrorKind::Credentials
}
