//! The tags of accounts in AWS Organizations, for waves that name accounts by them.

use crate::fleet;
use crate::id::AccountId;
use crate::port::{Directory, PortError, PortErrorKind, PortResult};
use std::collections::BTreeMap;

/// The tags of an account, by their keys, or why nobody knows them. An account whose tags are not known is never one
/// without a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountTags {
    /// All of them.
    Known(BTreeMap<String, String>),
    /// They could not be read. Why, and what to do about it.
    Unknown(String),
}

impl AccountTags {
    /// The tags, if they are known.
    #[must_use]
    pub fn known(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Self::Known(tags) => Some(tags),
            Self::Unknown(_) => None,
        }
    }

    fn unknown(error: &PortError) -> Self {
        let what_to_do = match error.kind() {
            PortErrorKind::Denied => {
                "The caller needs organizations:ListTagsForResource, and has to be in the management account or in a delegated \
                 administrator's"
            }
            PortErrorKind::NotInOrganization | PortErrorKind::NotFound => {
                "Only accounts of the caller's organization have such tags: name this one in `accounts` of an earlier wave that has no \
                 account_tags, or take it away from the targets"
            }
            _ => "Plan again once organizations:ListTagsForResource answers",
        };
        let reason = error.reason();
        Self::Unknown(format!("{}. {what_to_do}", reason.trim_end_matches('.')))
    }
}

/// Asks for the tags of an account.
pub(super) async fn read(directory: &dyn Directory, account: &AccountId) -> AccountTags {
    let listed = fleet::all("ListTagsForResource", |token| {
        directory.account_tags(account, token)
    })
    .await;
    match listed.and_then(one_of_each) {
        Ok(tags) => AccountTags::Known(tags),
        Err(error) => AccountTags::unknown(&error),
    }
}

/// The tags by their keys. A key has one value. Pages with two of them are from before and after a change.
fn one_of_each(listed: Vec<(String, String)>) -> PortResult<BTreeMap<String, String>> {
    let mut tags = BTreeMap::new();
    for (key, value) in listed {
        let before = tags.insert(key.clone(), value.clone());
        if before.is_some_and(|before| before != value) {
            let message =
                format!("ListTagsForResource gave two values of the tag {key}, so it was changed meanwhile");
            return Err(PortError::new(PortErrorKind::Other, message));
        }
    }
    Ok(tags)
}
