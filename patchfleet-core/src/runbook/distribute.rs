//! Bringing the document to every Region that needs it, and sharing it with the accounts there.

use super::{Ensured, Reach, Runbook, ensure};
use crate::id::{AccountId, DocumentName, Region};
use crate::port::{
    Documents, MAX_SHARED_AT_ONCE, MAX_SHARES, PortError, PortErrorKind, PortResult, Sent, Share, ShareWith,
    SharedVersion, Walk,
};
use crate::request::RunbookPin;
use crate::text::{counted, one_line};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

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

/// With whom a document is shared in one Region, of the accounts that need it. Each account stands in one of the lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sharing {
    /// It is shared with these now, or in more versions than before.
    pub shared: Vec<AccountId>,
    /// It was shared with these already.
    pub already: Vec<AccountId>,
    /// It is not shared with these.
    pub failed: Vec<NotShared>,
}

/// An account with which a document is not shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NotShared {
    /// The account.
    pub account: AccountId,
    /// Why, in words.
    pub why: String,
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

/// The versions that starts with this pin need to be shared. A share of `$DEFAULT` shows a pinned number only while it is
/// the default.
#[must_use]
pub fn shared_version(pin: RunbookPin) -> SharedVersion {
    match pin {
        RunbookPin::Default => SharedVersion::Default,
        RunbookPin::Version => SharedVersion::All,
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

/// Everybody with whom a document is shared.
pub(crate) async fn shares(documents: &dyn Documents, name: &DocumentName) -> PortResult<Vec<Share>> {
    let mut walk = Walk::new("DescribeDocumentPermission");
    let mut all = vec![];
    while let Some(token) = walk.next() {
        let page = documents.shares(name, token).await?;
        all.extend(page.items);
        walk.advance(page.next)?;
    }
    Ok(all)
}

/// Whether one of the shares shows `account` what is needed.
pub(crate) fn shows(shares: &[Share], account: &AccountId, needed: SharedVersion) -> bool {
    shares.iter().any(|share| {
        let is_with = match &share.with {
            ShareWith::Account(with) => with == account,
            ShareWith::Everybody => true,
        };
        is_with && share.version.shows(needed)
    })
}

/// Shares a document with these accounts, so far as it is not.
async fn share(
    documents: &dyn Documents,
    name: &DocumentName,
    region: &Region,
    accounts: &BTreeSet<AccountId>,
    needed: SharedVersion,
) -> Sharing {
    let mut done = Sharing::default();
    let there = match shares(documents, name).await {
        Ok(there) => there,
        Err(error) => {
            let why = format!(
                "with whom it is shared cannot be read (ssm:DescribeDocumentPermission): {}",
                error.reason()
            );
            done.fail(accounts, &why);
            return done;
        }
    };
    let mut missing: BTreeMap<&AccountId, SharedVersion> = BTreeMap::new();
    for account in accounts {
        if shows(&there, account, needed) {
            done.already.push(account.clone());
        } else {
            missing.insert(account, instead_of(&there, account, needed));
        }
    }
    let named: BTreeSet<&AccountId> = there.iter().filter_map(|share| share.with.account()).collect();
    let in_all = named
        .iter()
        .copied()
        .chain(missing.keys().copied())
        .collect::<BTreeSet<_>>()
        .len();
    if in_all > MAX_SHARES {
        let why = format!(
            "AWS lets a document be shared with {MAX_SHARES} accounts in a Region, and with {} in {region} already it \
             would be {in_all}: take some away, or give those accounts a copy of their own",
            named.len()
        );
        done.fail(missing.into_keys(), &why);
        return done;
    }
    for version in [SharedVersion::Default, SharedVersion::All] {
        let of_version = missing.iter().filter(|(_, one)| **one == version);
        let of_version: Vec<AccountId> = of_version.map(|(account, _)| (*account).clone()).collect();
        done.add(documents, name, &of_version, version).await;
    }
    done.shared.sort();
    done.failed.sort_by(|a, b| a.account.cmp(&b.account));
    done
}

/// The versions to share with an account that is not shown what is `needed`. A share replaces the one before it, so where
/// there is one it becomes `$ALL`, which takes nothing away.
fn instead_of(there: &[Share], account: &AccountId, needed: SharedVersion) -> SharedVersion {
    let before = there.iter().find(|share| share.with.account() == Some(account));
    match before {
        Some(_) => SharedVersion::All,
        None => needed,
    }
}

impl Sharing {
    fn fail<'a>(&mut self, accounts: impl IntoIterator<Item = &'a AccountId>, why: &str) {
        self.failed.extend(accounts.into_iter().map(|account| NotShared {
            account: account.clone(),
            why: why.to_owned(),
        }));
    }

    /// Shares with as many accounts in one call as AWS takes. Of a call that is refused, AWS does not say which account is
    /// at fault, so these are asked for one by one.
    async fn add(
        &mut self,
        documents: &dyn Documents,
        name: &DocumentName,
        accounts: &[AccountId],
        version: SharedVersion,
    ) {
        let mut chunks = accounts.chunks(MAX_SHARED_AT_ONCE);
        while let Some(chunk) = chunks.next() {
            match again(documents, name, chunk, version).await {
                Ok(()) => self.shared.extend(chunk.iter().cloned()),
                Err(error) if is_of_all(&error) => {
                    let rest = chunk.iter().chain(chunks.by_ref().flatten());
                    self.fail(rest, &in_words(&error));
                }
                Err(error) if chunk.len() == 1 => self.fail(chunk, &in_words(&error)),
                Err(_) => {
                    for one in chunk {
                        match again(documents, name, std::slice::from_ref(one), version).await {
                            Ok(()) => self.shared.push(one.clone()),
                            Err(error) => self.fail([one], &in_words(&error)),
                        }
                    }
                }
            }
        }
    }
}

/// Shares, and once more where only the answer may have been lost. A share may be made twice.
async fn again(
    documents: &dyn Documents,
    name: &DocumentName,
    accounts: &[AccountId],
    version: SharedVersion,
) -> PortResult<()> {
    match documents.share(name, accounts, version).await {
        Err(error) if error.sent() == Sent::Maybe => documents.share(name, accounts, version).await,
        answer => answer,
    }
}

/// Whether a failure says nothing about the accounts that were named: no other call would do better.
fn is_of_all(error: &PortError) -> bool {
    !matches!(error.kind(), PortErrorKind::Invalid | PortErrorKind::Other)
}

fn in_words(error: &PortError) -> String {
    match error.kind() {
        PortErrorKind::Denied => format!("ssm:ModifyDocumentPermission is needed: {}", error.reason()),
        kind if kind.is_transient() => format!("{}; the same command goes on from here", error.reason()),
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
            error: error.reason(),
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
            Err(error) => format!("failed: {}", one_line(&error.reason())),
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
