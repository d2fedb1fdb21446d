//! The runbook that a plan was made for, and whether that is still what would run.

use super::{
    COMMAND_DOCUMENT, CommandSteps, ContentDigest, ensure::is_own_and_fits, ensure::read, is_own, operation,
};
use crate::id::{DocumentName, Location};
use crate::port::{Caller, DocumentVersion, Documents, PortError, PortErrorKind, PortResult};
use crate::refusal::{RefusalCode, RefusalReason};
use crate::request::{PatchRequest, RunbookPin};
use serde::{Deserialize, Serialize};

/// The words for where a start looks for the runbook.
pub(crate) const CENTRAL: &str = "the central account and Region";

/// The runbook that a plan was made for, as it was at the time of planning.
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
    /// The locations that have a copy: a document of this name that says the same. The discovery role looked for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<Location>,
    /// The locations in which nobody could find out whether there is a copy. A warning of the plan says why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Location>,
    /// Which locations of other accounts see it by a share, if anybody looked
    /// ([`Planning::who_sees`](crate::plan::Planning::who_sees)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sight: Option<Sight>,
}

/// Which locations of other accounts, of those without a copy, see the central account's runbook by a share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sight {
    /// It is shared with their account in their Region, in the version that a start runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<Location>,
    /// It is not, or is not there in their Region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<Location>,
    /// With whom it is shared could not be read in their Region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Location>,
    /// Why, of the first such Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
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
    /// Nobody knows whether what would run is the same. Planning could read it, and for some minutes now nobody could.
    Unreadable,
}

/// How what would run differs from what was planned. Nothing more is started then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) change: RunbookChange,
    pub(crate) detail: String,
}

/// The runbook could not be compared for now.
#[derive(Debug)]
pub(crate) struct NotCompared {
    /// Where it is as planned.
    pub(crate) fine: Vec<Location>,
    /// Where it could not be read.
    pub(crate) unread: Unread,
}

/// A place where a start would find the runbook. `None` is the central account and Region.
pub(crate) type Place = Option<Location>;

/// The places where the runbook could not be read, at least one, and why.
#[derive(Debug)]
pub(crate) struct Unread {
    first: (Place, PortError),
    more: Vec<(Place, PortError)>,
}

impl Unread {
    /// `None` if there is no such place.
    pub(super) fn of(places: impl IntoIterator<Item = (Place, PortError)>) -> Option<Self> {
        let mut places = places.into_iter();
        let first = places.next()?;
        let more = places.collect();
        Some(Self { first, more })
    }

    /// All, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Place, PortError)> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// The first place for which this holds, and the locations of the other such places.
    pub(crate) fn first_where(
        &self,
        holds: impl Fn(&Place, &PortError) -> bool,
    ) -> Option<(&Place, &PortError, Vec<&Location>)> {
        let mut those = self.iter().filter(|(at, error)| holds(at, error));
        let (at, error) = those.next()?;
        let others = those.filter_map(|(at, _)| at.as_ref()).collect();
        Some((at, error, others))
    }

    /// Why it could not be read in the first.
    pub(crate) fn into_error(self) -> PortError {
        self.first.1
    }
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

/// Reads the runbook that `request` names, where the start looks for it. patchfleet's own has to fit the Command document
/// with these `steps`. A runbook of one's own has to do what the request says.
///
/// # Errors
///
/// Every failure to read it except a denial.
pub(crate) async fn find(
    documents: &dyn Documents,
    central: &Caller,
    request: &PatchRequest,
    steps: CommandSteps,
) -> PortResult<Found> {
    let name = &request.automation.document;
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
            } else if name.is_arn() {
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
    if !own && let Some(detail) = operation::contradiction(&view.content, request) {
        return refused(RefusalCode::RunbookDiffers, detail);
    }
    Ok(Found::Bound(PlannedRunbook {
        name: name.clone(),
        digest: ContentDigest::of(&view.content),
        parameters: parameter_names(&view.content),
        version: view.version,
        own,
        copies: vec![],
        unread: vec![],
        sight: None,
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

impl PlannedRunbook {
    /// The version that a start runs.
    pub(crate) fn version_to_run(&self, pin: RunbookPin) -> DocumentVersion {
        match pin {
            RunbookPin::Version => self.version.parse().unwrap_or(DocumentVersion::Default),
            _ => DocumentVersion::Default,
        }
    }

    /// Compares what would run now with what was planned: the version in the central account and
    /// Region, and whatever these locations have under its name, also where there was nothing when
    /// the plan was made. That is one read for each location, as planning makes.
    ///
    /// # Errors
    ///
    /// [`NotCompared`] if a read failed, whether for a moment or for longer. The words for giving up are
    /// [`unreadable`](Self::unreadable).
    pub(crate) async fn compare(
        &self,
        documents: &dyn Documents,
        central: &Caller,
        pin: RunbookPin,
        locations: &[Location],
    ) -> Result<Option<Changed>, NotCompared> {
        let version = self.version_to_run(pin);
        let (change, detail) = match documents.read(None, &self.name, version).await {
            Ok(view) if ContentDigest::of(&view.content) == self.digest => {
                return self
                    .compare_copies(documents, central, version, &view.content, locations)
                    .await;
            }
            Ok(view) => (
                RunbookChange::Differs,
                format!(
                    "version {} of the runbook {} in {CENTRAL} is not what version {} was when the plan was made (digest {}, planned {})",
                    view.version,
                    self.name,
                    self.version,
                    ContentDigest::of(&view.content).short(),
                    self.digest.short()
                ),
            ),
            Err(error) if error.kind() == PortErrorKind::NotFound => (
                RunbookChange::Gone,
                format!(
                    "the runbook {} (version {version}) is no longer in {CENTRAL}: {}",
                    self.name,
                    error.reason()
                ),
            ),
            Err(error) => {
                return Err(NotCompared {
                    fine: vec![],
                    unread: Unread {
                        first: (None, error),
                        more: vec![],
                    },
                });
            }
        };
        Ok(Some(Changed { change, detail }))
    }
}

/// Whether a failure says nothing about the document, because it passes by itself or concerns the caller.
pub(crate) fn passes(error: &PortError) -> bool {
    error.kind().is_transient() || error.kind() == PortErrorKind::Credentials
}
