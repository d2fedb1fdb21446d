//! With whom the document is shared in a Region, and sharing it with those that are missing.

use crate::id::{AccountId, DocumentName, Region};
use crate::port::{
    Documents, MAX_SHARED_AT_ONCE, MAX_SHARES, PortError, PortErrorKind, PortResult, Sent, Share, ShareWith,
    SharedVersion, Walk,
};
use crate::request::RunbookPin;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

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

/// The versions that starts with this pin need to be shared. A share of `$DEFAULT` shows a pinned number only while it is
/// the default.
#[must_use]
pub fn shared_version(pin: RunbookPin) -> SharedVersion {
    match pin {
        RunbookPin::Default => SharedVersion::Default,
        RunbookPin::Version => SharedVersion::All,
    }
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
pub(super) async fn share(
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
