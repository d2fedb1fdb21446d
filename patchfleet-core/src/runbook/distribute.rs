//! Bringing the document to every Region that needs it, and sharing it with the accounts there.

use super::sharing::{Sharing, share};
use super::{Ensured, Reach, Runbook, ensure};
use crate::id::{AccountId, DocumentName, Region};
use crate::port::{Documents, PortError, PortErrorKind, PortResult, SharedVersion};
use crate::text::{counted, one_line};
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;

/// What was done in one Region.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Placed {
    /// The Region, of the central account.
    pub region: Region,
    /// What became of the runbook there.
    #[serde(flatten, serialize_with = "done_or_error")]
    pub runbook: PortResult<Ensured>,
    /// What became of its sharing. `None` if nobody asked for it, there is nobody to share it with, or there is no runbook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Sharing>,
}

impl Placed {
    /// Whether everything that was asked for is done.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.runbook.is_ok()
            && self
                .sharing
                .as_ref()
                .is_none_or(|sharing| sharing.failed.is_empty())
    }
}

/// Makes `runbook` the default version of the document `name` in each Region of `reach`, the central one first, and with
/// `sharing` shares it there with the accounts of that Region. What is right already is left alone, so the same again
/// changes nothing. Nothing is ever taken away from anybody.
///
/// One Region that fails keeps no other from being done, and one account no other account.
pub async fn distribute(
    documents: &dyn Documents,
    name: &DocumentName,
    runbook: &Runbook,
    reach: &Reach,
    sharing: Option<SharedVersion>,
) -> Vec<Placed> {
    let central = &reach.central.region;
    let others = reach.regions.keys().filter(|region| *region != central);
    let mut all = vec![];
    for region in std::iter::once(central).chain(others) {
        let there = (region != central).then(|| documents.in_region(region));
        let placed = match there.as_ref().map(|there| there.as_deref()) {
            None => place(documents, name, runbook).await,
            Some(Some(there)) => place(there, name, runbook).await,
            Some(None) => Err(PortError::new(
                PortErrorKind::Invalid,
                "these documents are of one Region alone (Documents::in_region)",
            )),
        };
        let accounts = reach.regions.get(region).into_iter().flatten();
        let accounts: BTreeSet<AccountId> = accounts.cloned().collect();
        let shared = match (sharing, &placed, there.as_ref()) {
            (Some(version), Ok(_), None) if !accounts.is_empty() => {
                Some(share(documents, name, region, &accounts, version).await)
            }
            (Some(version), Ok(_), Some(Some(there))) if !accounts.is_empty() => {
                Some(share(&**there, name, region, &accounts, version).await)
            }
            _ => None,
        };
        all.push(Placed {
            region: region.clone(),
            runbook: placed,
            sharing: shared,
        });
    }
    all
}

async fn place(documents: &dyn Documents, name: &DocumentName, runbook: &Runbook) -> PortResult<Ensured> {
    ensure(documents, name, runbook).await
}

/// What failed. A Region that is not enabled fails the same way each time, so the words say what ends that.
fn in_words(error: &PortError) -> String {
    match error.kind() {
        PortErrorKind::RegionNotEnabled => format!(
            "this Region is not enabled in the central account, so there can be no runbook in it: enable it there, or leave it \
             out of the request: {}",
            error.reason()
        ),
        _ => error.reason(),
    }
}

fn done_or_error<S: Serializer>(done: &PortResult<Ensured>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Told<'a> {
        Done(&'a Ensured),
        Failed { error: String },
    }
    let told = match done {
        Ok(done) => Told::Done(done),
        Err(error) => Told::Failed {
            error: in_words(error),
        },
    };
    told.serialize(serializer)
}

/// What [`distribute`] did, in words: a line for each Region, and one for each account that is left.
#[must_use]
pub fn in_text(placed: &[Placed]) -> String {
    let mut lines = vec![];
    for one in placed {
        let runbook = match &one.runbook {
            Ok(done) => done.to_string(),
            Err(error) => format!("failed: {}", one_line(&in_words(error))),
        };
        let sharing = one.sharing.as_ref().map(|sharing| {
            let mut words = vec![];
            if !sharing.shared.is_empty() {
                words.push(format!(
                    "shared with {}",
                    counted(sharing.shared.len(), "account")
                ));
            }
            if !sharing.already.is_empty() {
                words.push(format!("was shared with {} already", sharing.already.len()));
            }
            if !sharing.failed.is_empty() {
                words.push(format!("not shared with {}", sharing.failed.len()));
            }
            format!("; {}", words.join(", "))
        });
        lines.push(format!(
            "{}: {runbook}{}",
            one.region,
            sharing.unwrap_or_default()
        ));
        for failed in one.sharing.iter().flat_map(|sharing| &sharing.failed) {
            lines.push(format!(
                "  not shared with {}: {}",
                failed.account,
                one_line(&failed.why)
            ));
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}
