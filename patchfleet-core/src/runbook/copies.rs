//! What target accounts have under the runbook's name. They are asked before a plan is made, and before each start.
//!
//! AWS does not document which account's document a multi-account automation runs. So each location is asked for the
//! document as it would find it, a copy by its name and a shared document by its ARN. That is one GetDocument in each
//! location.

use super::bound::{CENTRAL, Changed, NotCompared, PlannedRunbook, RunbookChange, Unread};
use super::{ContentDigest, digest};
use crate::id::{AccountId, DocumentName, Location};
use crate::port::{Caller, DocumentVersion, DocumentView, Documents, PortError, PortErrorKind, PortResult};
use crate::refusal::{RefusalCode, RefusalReason};
use crate::request::RunbookPin;
use crate::text::names;
use futures_util::{StreamExt as _, stream};
use std::collections::BTreeMap;

/// How many locations are looked at at once before a start. Rates are the ports' business.
const LOOKS_AT_ONCE: usize = 16;

/// What one location has under the runbook's name.
#[derive(Debug)]
pub(crate) enum Copy {
    /// What the central account and Region has.
    Same,
    /// Something else, in a version of this number.
    Differs(String),
    /// Nothing.
    Absent,
    /// It could not be read, and why.
    Unread(String),
}

/// What locations have under the runbook's name, as far as they were asked.
pub(crate) type Copies = BTreeMap<Location, Copy>;

/// What the target accounts have under the runbook's name.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    pub(crate) same: Vec<Location>,
    pub(crate) unread: Vec<Location>,
    pub(crate) warnings: Vec<String>,
    pub(crate) reasons: Vec<RefusalReason>,
}

/// Looks at what a location has under the runbook's name.
pub(crate) async fn copy(
    documents: &dyn Documents,
    runbook: &PlannedRunbook,
    pin: RunbookPin,
    at: &Location,
) -> Copy {
    let version = runbook.version_to_run(pin);
    match documents.read(Some(at), &runbook.name, version).await {
        Ok(view) if ContentDigest::of(&view.content) == runbook.digest => Copy::Same,
        Ok(view) => Copy::Differs(view.version),
        Err(error) if error.kind() == PortErrorKind::NotFound => Copy::Absent,
        Err(error) => Copy::Unread(error.reason()),
    }
}

/// Those of these locations that have to be looked at for a copy before a plan is made. AWS's own documents are the same
/// in every account.
pub(crate) fn to_look_at<'l>(
    runbook: &PlannedRunbook,
    central: &Caller,
    locations: impl IntoIterator<Item = &'l Location>,
) -> impl Iterator<Item = &'l Location> {
    let amazons = runbook.name.is_amazons();
    let locations = locations.into_iter();
    locations.filter(move |at| !amazons && (&at.account, &at.region) != (&central.account, &central.region))
}

/// What the copies say about a plan. One that says something else refuses it. A location without a copy has only the
/// central document.
pub(crate) fn elsewhere(
    runbook: &PlannedRunbook,
    central: &AccountId,
    pin: RunbookPin,
    copies: Copies,
) -> Elsewhere {
    let mut found = Elsewhere::default();
    let version = runbook.version_to_run(pin);
    let by_arn = runbook.name.is_arn();
    let mut why = None;
    let mut not_shared: Vec<Location> = vec![];
    for (at, copy) in copies {
        match copy {
            Copy::Same => found.same.push(at),
            Copy::Differs(other) => found.reasons.push(RefusalReason {
                code: RefusalCode::RunbookDiffers,
                subject: at.to_string(),
                detail: format!(
                    "version {other} of the runbook {} that is found there does not say what version {} in the central account and Region says: bring the same content to both{}, or remove the copy",
                    runbook.name,
                    runbook.version,
                    // No other account's documents are written.
                    if runbook.own && *central == at.account {
                        " (`patchfleet runbook ensure -f REQUEST` does)"
                    } else {
                        ""
                    }
                ),
            }),
            Copy::Absent => {
                if by_arn {
                    not_shared.push(at);
                }
            }
            Copy::Unread(reason) => {
                found.unread.push(at);
                why.get_or_insert(reason);
            }
        }
    }
    if let Some(why) = why {
        found.warnings.push(format!(
            "whether the runbook {} says the same in {} is not known, because it could not be read there: {why}",
            runbook.name,
            names(&found.unread),
        ));
    }
    if !not_shared.is_empty() {
        found.warnings.push(format!(
            "the runbook {} (version {version}) is not found in {}: is it shared with each account, and in that version? A share is of $DEFAULT alone unless it says $ALL",
            runbook.name,
            names(&not_shared),
        ));
    }
    found
}

/// Reads the document in each of these locations. The answers are in the order of the locations.
async fn look<'a>(
    documents: &dyn Documents,
    name: &DocumentName,
    version: DocumentVersion,
    locations: impl IntoIterator<Item = &'a Location>,
    at_once: usize,
) -> Vec<(&'a Location, PortResult<DocumentView>)> {
    let reads: Vec<_> = locations
        .into_iter()
        .map(|at| async move { (at, documents.read(Some(at), name, version).await) })
        .collect();
    stream::iter(reads).buffered(at_once.max(1)).collect().await
}

impl PlannedRunbook {
    /// Compares what these locations have under the runbook's name with `content`, which is what was
    /// planned. A copy that says the same changes nothing, and one that is gone cannot run.
    ///
    /// Where planning could not look either, its warning says so, and a failure changes nothing.
    ///
    /// # Errors
    ///
    /// [`NotCompared`] if a read failed where planning could look, unless a difference is certain elsewhere.
    pub(super) async fn compare_copies(
        &self,
        documents: &dyn Documents,
        central: &Caller,
        version: DocumentVersion,
        content: &str,
        locations: &[Location],
    ) -> Result<Option<Changed>, NotCompared> {
        if self.name.is_amazons() {
            return Ok(None);
        }
        let targets = locations
            .iter()
            .filter(|at| (&at.account, &at.region) != (&central.account, &central.region));
        let answers = look(documents, &self.name, version, targets, LOOKS_AT_ONCE).await;
        let (mut others, mut fine, mut failed) = (vec![], vec![], vec![]);
        for (at, answer) in answers {
            match answer {
                Ok(view) if ContentDigest::of(&view.content) == self.digest => fine.push(at.clone()),
                Ok(view) => others.push((at, view)),
                Err(error) if error.kind() == PortErrorKind::NotFound => fine.push(at.clone()),
                Err(_) if self.unread.contains(at) => fine.push(at.clone()),
                Err(error) => failed.push((Some(at.clone()), error)),
            }
        }
        // A certain difference comes before an uncertain one.
        if let Some((at, view)) = others.first() {
            let rest: Vec<&Location> = others.iter().skip(1).map(|(at, _)| *at).collect();
            return Ok(Some(Changed {
                change: RunbookChange::Differs,
                detail: self.other(at, view, content, &rest),
            }));
        }
        match Unread::of(failed) {
            None => Ok(None),
            Some(unread) => Err(NotCompared { fine, unread }),
        }
    }

    /// The words for giving up, because nobody can read the runbook `at` this place, nor in `more`. `None` is the central
    /// account and Region.
    pub(crate) fn unreadable(&self, at: Option<&Location>, more: &[&Location], error: &PortError) -> Changed {
        let place = match at {
            None => CENTRAL.to_owned(),
            Some(at) => names([&[at], more].concat()),
        };
        let had = if at.is_none_or(|at| self.copies.contains(at)) {
            "could be read when the plan was made and no longer can"
        } else {
            "was not there when the plan was made, and whether it is there now cannot be read any more"
        };
        Changed {
            change: RunbookChange::Unreadable,
            detail: format!(
                "the runbook {} in {place} {had}, so it is not known whether it is the same: {}",
                self.name,
                error.reason()
            ),
        }
    }

    /// The words for a copy that is not what was planned.
    fn other(&self, at: &Location, view: &DocumentView, content: &str, rest: &[&Location]) -> String {
        let since = if self.copies.contains(at) {
            ""
        } else if self.unread.contains(at) {
            " (it could not be read there when the plan was made)"
        } else {
            " (there was none when the plan was made)"
        };
        let differs = digest::difference(content, &view.content)
            .map_or_else(String::new, |path| format!("; they differ in {path}"));
        let more = if rest.is_empty() {
            String::new()
        } else {
            format!("; what is in {} is not, either", names(rest))
        };
        format!(
            "version {} of the runbook {} in {at}{since} is not what version {} was when the plan was made (digest {}, planned {}{differs}){more}",
            view.version,
            self.name,
            self.version,
            ContentDigest::of(&view.content).short(),
            self.digest.short()
        )
    }
}
