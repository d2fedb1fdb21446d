//! The Regions of each account.

use crate::fleet;
use crate::id::{AccountId, Region};
use crate::port::{Directory, PortErrorKind, PortResult, RegionOptStatus};
use std::collections::BTreeMap;

/// An account's Regions with their statuses.
pub(super) type Statuses = BTreeMap<Region, RegionOptStatus>;

/// Why an account's Regions could not be listed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: PortErrorKind,
    pub(super) detail: String,
}

/// What ListRegions said for each account.
pub(super) struct Listed {
    answers: BTreeMap<AccountId, Result<Statuses, Failure>>,
    not_asked: Failure,
}

impl Default for Listed {
    fn default() -> Self {
        Self {
            answers: BTreeMap::new(),
            not_asked: Failure {
                kind: PortErrorKind::Other,
                detail: "its Regions were not asked for".to_owned(),
            },
        }
    }
}

impl Listed {
    /// Takes the answer of an account.
    pub(super) fn insert(&mut self, account: AccountId, answer: PortResult<Statuses>) {
        let answer = answer.map_err(|error| Failure {
            kind: error.kind(),
            detail: error.reason(),
        });
        self.answers.insert(account, answer);
    }

    /// How many accounts have answered, or failed to.
    pub(super) fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether the account has answered, or failed to.
    pub(super) fn has(&self, account: &AccountId) -> bool {
        self.answers.contains_key(account)
    }

    /// Whether any account has answered. ListRegions names every Region of the partition, so one answer is enough
    /// to know which Regions exist.
    pub(super) fn any(&self) -> bool {
        self.answers.values().any(Result::is_ok)
    }

    /// Whether some account's answer names the Region.
    pub(super) fn knows(&self, region: &Region) -> bool {
        self.answers
            .values()
            .flatten()
            .any(|statuses| statuses.contains_key(region))
    }

    pub(super) fn of_account(&self, account: &AccountId) -> Result<&Statuses, &Failure> {
        match self.answers.get(account) {
            Some(answer) => answer.as_ref(),
            None => Err(&self.not_asked),
        }
    }
}

/// Asks for an account's Regions.
pub(super) async fn list(directory: &dyn Directory, account: &AccountId) -> PortResult<Statuses> {
    let regions = fleet::all("ListRegions", |token| directory.regions(account, token)).await?;
    Ok(regions
        .into_iter()
        .map(|view| (view.region, view.status))
        .collect())
}

/// Why a Region with this status cannot be used.
pub(super) fn in_words(status: Option<RegionOptStatus>) -> &'static str {
    match status {
        Some(RegionOptStatus::Enabling) => "the Region is being enabled in the account (ENABLING)",
        Some(RegionOptStatus::Disabling) => "the Region is being disabled in the account (DISABLING)",
        Some(RegionOptStatus::Disabled) => "the Region is not enabled in the account (DISABLED)",
        Some(_) => "whether the Region is enabled in the account is not known to this version",
        None => "the account does not list the Region",
    }
}
