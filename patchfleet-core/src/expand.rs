//! Which locations a request names.
//!
//! A request names accounts, units and the root, and Regions. Each account with each Region is a candidate. Each
//! candidate is either wanted or skipped, and a skip keeps its reason.

use crate::census::{Begun, Census, CensusAnswer, Question};
use crate::id::{AccountId, Location, OrgParent, Region};
use crate::port::{AccountState, Caller, Directory};
use crate::refusal::{Refusal, RefusalCode, RefusalReason, Skip, SkipReason};
use crate::request::{PatchRequest, Regions, Targets};
use std::collections::{BTreeMap, BTreeSet};

mod accounts;
mod deeper;
mod organization;
mod reader;
mod regions;
mod tags;
#[cfg(test)]
mod tests;

use accounts::Accounts;
pub(crate) use organization::FirstPage;
use reader::{Reader, Scope};
use regions::Listed;
pub(crate) use tags::AccountTags;

/// Every location that a request names: each is wanted or skipped, none both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidates {
    /// The locations to look into.
    pub wanted: BTreeSet<Location>,
    /// The wanted locations that the census does not ask, because the Regions of their account could not be
    /// listed. The answer of each is [`Unknown`](CensusAnswer::Unknown).
    pub answered: Census,
    /// The locations that are left out already, ordered by account and Region.
    pub skipped: Vec<Skip>,
    /// The named units and roots that have no account below them. Unless the request includes child units, only
    /// an account directly below counts.
    pub childless: Vec<OrgParent>,
    /// What lies below a named unit or root and is left out, as child units do not count, in words. It is among the warnings as well.
    pub deeper: BTreeMap<OrgParent, String>,
    /// The accounts below each unit and root that a wave names, at any depth.
    pub below: BTreeMap<OrgParent, BTreeSet<AccountId>>,
    /// The tags of each account with a wanted location that may be in a wave with `account_tags`. Of no other account
    /// are they read.
    pub tags: BTreeMap<AccountId, AccountTags>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

impl Candidates {
    /// The wanted locations that the census has to ask.
    #[must_use]
    pub fn to_ask(&self) -> BTreeSet<Location> {
        self.wanted
            .iter()
            .filter(|location| !self.answered.contains_key(location))
            .cloned()
            .collect()
    }
}

/// `expand_and_ask` without a question.
///
/// # Errors
///
/// As of `expand_and_ask`.
pub async fn expand(
    directory: &dyn Directory,
    request: &PatchRequest,
    caller: &Caller,
    concurrency: usize,
) -> Result<Candidates, Refusal> {
    let first = FirstPage::of(directory, &request.targets);
    let (candidates, _) = expand_and_ask(first, directory, request, caller, concurrency, None).await?;
    Ok(candidates)
}

/// Finds out which locations `request` names, by asking for `concurrency` (at least 1) accounts
/// or units at once.
///
/// - Where units are descended into, where one is excluded, or where more than 20 accounts are named, the
///   organization is read by one listing ([`Directory::organization`]). If that cannot be used, and for
///   a unit that it does not name, units are read one by one. The accounts are the same.
/// - No `accounts` means the caller's own. An account that is not ACTIVE is skipped. One that the
///   caller cannot look up (no organization, or denied) is taken for active, with a warning.
/// - Where the units below do not count ([`Targets::include_child_ous`]), a warning says what lies in them.
/// - An excluded unit or root excludes everything below it, whether or not child units are included.
/// - An excluded Region is skipped in every account, also of `"all-enabled"`.
/// - A Region that is not enabled in an account is skipped there.
/// - If an account's Regions cannot be listed, the Regions that the request lists stay wanted, and the census
///   decides. For `"all-enabled"` the usable Regions of the central account take their place, and the answer of
///   each is unknown.
/// - The tags of an account are read if they may decide in which wave it is. Where they cannot be read that is noted, and
///   the plan is refused once it is known that something is planned there.
/// - For `"all-enabled"` the skips of an excluded or inactive account name the usable Regions of the central account.
///
/// `first` goes on with the listing of the organization where somebody has begun it.
///
/// With a `question` each location of an account is asked as soon as its Region is known to be enabled: one that is enabled
/// by default beside the account's Regions, any other once these are known. What was asked is given as well, and some of
/// it may still be under way. There may be locations that are not wanted in the end, and some
/// wanted locations may not have been asked.
///
/// # Errors
///
/// A [`Refusal`] with every reason that was found: a target that is not there, a Region that no
/// account has, a Region or role of another partition, a start from an opt-in Region towards one
/// that is enabled by default, an organization that cannot be read.
pub(crate) async fn expand_and_ask<'a>(
    first: FirstPage<'_>,
    directory: &'a dyn Directory,
    request: &'a PatchRequest,
    caller: &Caller,
    concurrency: usize,
    question: Option<Question<'a>>,
) -> Result<(Candidates, Begun<'a>), Refusal> {
    let mut found = Found::default();
    partitions(request, caller, &mut found);
    // What is refused already is not worth a census.
    let question = question.filter(|question| found.reasons.is_empty() && question.is_of_one_location());
    let mut reader = Reader::new(directory, request, question, concurrency);
    // They are needed whatever is found, and tell which Regions exist.
    reader.read(&caller.account, Scope::Regions);
    let accounts = accounts::resolve(
        first,
        directory,
        request,
        caller,
        concurrency,
        &mut reader,
        &mut found,
    )
    .await;
    if !found.reasons.is_empty() {
        reader.ask_no_location();
    }
    for account in accounts.to_read() {
        reader.read(account, Scope::Locations);
    }
    let (listed, tags, begun) = reader.finish().await;
    exclusions(&request.targets, &listed, &mut found);
    match &request.targets.regions {
        Regions::List(regions) => {
            let regions: BTreeSet<&Region> = regions.iter().collect();
            these_regions(&accounts, &regions, &listed, caller, &mut found);
        }
        Regions::AllEnabled => every_region(&accounts, &listed, caller, &mut found),
    }
    opt_in_trap(caller, &listed, &mut found);
    let Found {
        mut candidates,
        reasons,
        ..
    } = found;
    if !reasons.is_empty() {
        return Err(Refusal { reasons });
    }
    let with_wanted: BTreeSet<&AccountId> = candidates.wanted.iter().map(|at| &at.account).collect();
    candidates.tags = tags
        .into_iter()
        .filter(|(account, _)| with_wanted.contains(account))
        .collect();
    candidates
        .skipped
        .sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
    Ok((candidates, begun))
}

/// What was found so far.
#[derive(Default)]
struct Found {
    candidates: Candidates,
    excluded_regions: BTreeSet<Region>,
    reasons: Vec<RefusalReason>,
}

impl Found {
    fn refuse(&mut self, code: RefusalCode, subject: impl ToString, detail: impl Into<String>) {
        self.reasons.push(RefusalReason {
            code,
            subject: subject.to_string(),
            detail: detail.into(),
        });
    }

    fn warn(&mut self, warning: String) {
        self.candidates.warnings.push(warning);
    }

    /// Adds a wanted location. One in an excluded Region is skipped instead. Gives whether it was added.
    fn want(&mut self, account: &AccountId, region: &Region) -> bool {
        if self.excluded_regions.contains(region) {
            self.skip(
                account,
                region,
                SkipReason::Excluded,
                "the request excludes the Region",
            );
            return false;
        }
        let location = Location::new(account.clone(), region.clone());
        self.candidates.wanted.insert(location)
    }

    fn skip(&mut self, account: &AccountId, region: &Region, reason: SkipReason, detail: impl Into<String>) {
        self.candidates.skipped.push(Skip {
            account: account.clone(),
            region: region.clone(),
            reason,
            cause: None,
            detail: detail.into(),
        });
    }
}

/// Why no location of an account is wanted, if that is so.
fn out(excluded: bool, state: &AccountState) -> Option<(SkipReason, String)> {
    if excluded {
        let detail = "the request excludes the account";
        Some((SkipReason::Excluded, detail.to_owned()))
    } else if *state != AccountState::Active {
        let detail = format!("the account's state is {}", state.as_str());
        Some((SkipReason::AccountNotActive, detail))
    } else {
        None
    }
}

fn partitions(request: &PatchRequest, caller: &Caller, found: &mut Found) {
    let home = caller.region.partition();
    if let Regions::List(regions) = &request.targets.regions {
        for region in regions.iter().filter(|region| region.partition() != home) {
            found.refuse(
                RefusalCode::WrongPartition,
                region,
                format!(
                    "is in the partition {}, and automations are started in {} of the partition {home}",
                    region.partition(),
                    caller.region
                ),
            );
        }
    }
    if let Some(role) = &request.automation.assume_role
        && !role.is_in_partition_of(&caller.region)
    {
        found.refuse(
            RefusalCode::WrongPartition,
            role,
            format!(
                "automations are started in {} of the partition {home}",
                caller.region
            ),
        );
    }
}

/// Notes the excluded Regions. Warns of one that excludes nothing, and of one that the request also lists.
fn exclusions(targets: &Targets, listed: &Listed, found: &mut Found) {
    let asked: Option<BTreeSet<&Region>> = match &targets.regions {
        Regions::List(regions) => Some(regions.iter().collect()),
        Regions::AllEnabled => None,
    };
    for region in &targets.exclude_regions {
        found.excluded_regions.insert(region.clone());
        if listed.any() && !listed.knows(region) {
            found.warn(format!(
                "exclude_regions names {region}, and no account has a Region of this name"
            ));
            continue;
        }
        if let Some(asked) = &asked {
            found.warn(if asked.contains(region) {
                format!("{region} stands in regions and in exclude_regions, so it is left out")
            } else {
                format!("exclude_regions names {region}, which is not in regions")
            });
        }
    }
}

fn these_regions(
    accounts: &Accounts,
    regions: &BTreeSet<&Region>,
    listed: &Listed,
    caller: &Caller,
    found: &mut Found,
) {
    let home = caller.region.partition();
    if listed.any() {
        for region in regions
            .iter()
            .filter(|region| region.partition() == home && !listed.knows(region))
        {
            found.refuse(
                RefusalCode::NoSuchRegion,
                region,
                "no account has a Region of this name",
            );
        }
    } else {
        found.warn(
            "no account's Regions could be listed, so nobody could check that the request's Regions exist"
                .to_owned(),
        );
    }
    for (account, state, excluded) in accounts.iter() {
        if let Some((reason, detail)) = out(excluded, state) {
            for region in regions {
                found.skip(account, region, reason, detail.clone());
            }
            continue;
        }
        match listed.of_account(account) {
            Ok(statuses) => {
                for &region in regions {
                    match statuses.get(region) {
                        Some(status) if status.is_usable() => {
                            found.want(account, region);
                        }
                        status => found.skip(
                            account,
                            region,
                            SkipReason::RegionNotEnabled,
                            regions::in_words(status.copied()),
                        ),
                    }
                }
            }
            Err(failure) => {
                found.warn(format!(
                    "the Regions of account {account} could not be listed, so the census decides: {}",
                    failure.detail
                ));
                for region in regions {
                    found.want(account, region);
                }
            }
        }
    }
}

fn every_region(accounts: &Accounts, listed: &Listed, caller: &Caller, found: &mut Found) {
    let central: Option<Vec<&Region>> = listed
        .of_account(&caller.account)
        .ok()
        .map(|statuses| usable(statuses).collect());
    let mut nobody_knows = BTreeSet::new();
    for (account, state, excluded) in accounts.iter() {
        let out = out(excluded, state);
        match (out, listed.of_account(account), &central) {
            (Some((reason, detail)), _, Some(central)) => {
                for region in central {
                    found.skip(account, region, reason, detail.clone());
                }
            }
            (None, Ok(statuses), _) => {
                for region in usable(statuses) {
                    found.want(account, region);
                }
            }
            (None, Err(failure), Some(central)) => {
                found.warn(format!(
                    "the Regions of account {account} could not be listed; the Regions of {} are taken in their place, and what is in them is unknown: {}",
                    caller.account, failure.detail
                ));
                for &region in central {
                    if !found.want(account, region) {
                        continue;
                    }
                    found.candidates.answered.insert(
                        Location::new(account.clone(), region.clone()),
                        CensusAnswer::Unknown {
                            cause: failure.kind.into(),
                            detail: failure.detail.clone(),
                        },
                    );
                }
            }
            (_, _, None) => {
                nobody_knows.insert(account);
            }
        }
    }
    if !nobody_knows.is_empty() {
        let detail = listed
            .of_account(&caller.account)
            .err()
            .map(|failure| failure.detail.clone())
            .unwrap_or_default();
        found.refuse(
            RefusalCode::DirectoryUnavailable,
            &caller.account,
            format!(
                "its Regions could not be listed, and no others are known for {}: {detail}",
                nobody_knows
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        );
    }
}

fn usable(statuses: &regions::Statuses) -> impl Iterator<Item = &Region> {
    statuses
        .iter()
        .filter(|(_, status)| status.is_usable())
        .map(|(region, _)| region)
}

/// Refuses a start from an opt-in Region if a wanted Region is enabled by default. Such an automation fails there
/// (User Guide of 2023). The current page no longer says so, and the safe reading is that it still holds.
fn opt_in_trap(caller: &Caller, listed: &Listed, found: &mut Found) {
    let Ok(statuses) = listed.of_account(&caller.account) else {
        found.warn(format!(
            "the Regions of the central account {} could not be listed, so it is not known whether {} is an opt-in Region, from which others cannot be reached",
            caller.account, caller.region
        ));
        return;
    };
    if !statuses
        .get(&caller.region)
        .is_some_and(|status| status.is_opt_in())
    {
        return;
    }
    let by_default: BTreeSet<String> = found
        .candidates
        .wanted
        .iter()
        .map(|location| &location.region)
        .filter(|region| statuses.get(*region).is_some_and(|status| !status.is_opt_in()))
        .map(ToString::to_string)
        .collect();
    if !by_default.is_empty() {
        let regions = by_default.into_iter().collect::<Vec<_>>().join(", ");
        found.refuse(
            RefusalCode::OptInTrap,
            &caller.region,
            format!(
                "is an opt-in Region, and automations that are started there fail in Regions that are enabled by default ({regions}); start from one of those"
            ),
        );
    }
}

/// States of accounts, and which of them are excluded.
type States = BTreeMap<AccountId, AccountState>;
