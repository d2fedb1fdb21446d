//! Where a request needs the runbook: in which Regions, and for which accounts.

use crate::expand::expand;
use crate::id::{AccountId, Region};
use crate::port::{Caller, Directory, PortError};
use crate::refusal::{Refusal, Skip};
use crate::request::PatchRequest;
use std::collections::{BTreeMap, BTreeSet};

/// How many accounts are asked for their Regions at once. Rates are the ports' business.
const ASKED_AT_ONCE: usize = 64;

/// The locations of a request as the runbook's owner sees them.
///
/// They are all that the request names and that may be patched, whether or not they have nodes: the census is not taken. A
/// runbook that is shared today is there for the group that is made tomorrow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reach {
    /// The central account and Region, whose runbook it is.
    pub central: Caller,
    /// The Regions, the central one among them, and in each the other accounts.
    pub regions: BTreeMap<Region, BTreeSet<AccountId>>,
    /// The locations that the request names and that are left out: a closed account, a Region that is not enabled.
    pub left_out: Vec<Skip>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Why it could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// The request names what is not there, or what nobody may read.
    #[error(transparent)]
    Refused(Refusal),
    /// The caller could not be found out.
    #[error(transparent)]
    Port(PortError),
}

impl Reach {
    /// Finds out where `request` needs the runbook. It reads the organization and the Regions of its accounts.
    ///
    /// # Errors
    ///
    /// [`ReachError::Refused`] with every reason that a plan would be refused for up to there.
    pub async fn of(directory: &dyn Directory, request: &PatchRequest) -> Result<Self, ReachError> {
        let central = directory.caller().await.map_err(ReachError::Port)?;
        let request = request.without_waves();
        let found = expand(directory, &request, &central, ASKED_AT_ONCE).await;
        let candidates = found.map_err(ReachError::Refused)?;
        let mut regions: BTreeMap<Region, BTreeSet<AccountId>> = BTreeMap::new();
        // A start looks for it there, whatever is patched.
        regions.insert(central.region.clone(), BTreeSet::new());
        for location in candidates.wanted {
            let accounts = regions.entry(location.region).or_default();
            if location.account != central.account {
                accounts.insert(location.account);
            }
        }
        Ok(Self {
            central,
            regions,
            left_out: candidates.skipped,
            warnings: candidates.warnings,
        })
    }
}
