//! What is said of the tags by which waves name accounts.

use crate::expand::{AccountTags, Candidates};
use crate::id::AccountId;
use crate::refusal::{RefusalCode, RefusalReason};
use crate::request::Wave;
use crate::text::names;
use std::collections::{BTreeMap, BTreeSet};

/// The reason against a plan with an account of which nobody knows whether the wave has it. As part of a later wave it might be
/// patched after what it guards, and as part of an earlier one before.
pub(super) fn unknown(account: &AccountId, wave: &Wave, candidates: &Candidates) -> RefusalReason {
    let why = match candidates.tags.get(account) {
        Some(AccountTags::Unknown(why)) => why,
        _ => "they were not read",
    };
    RefusalReason {
        code: RefusalCode::AccountTags,
        subject: account.to_string(),
        detail: format!(
            "the tags of this account could not be read, so its wave is not known ({}, or a later one): {why}",
            wave.name
        ),
    }
}

/// What no account has of the tags that a wave names, so that a misspelt key or value shows.
pub(super) fn nobody_has(wave: &Wave, candidates: &Candidates) -> Vec<String> {
    let known: Vec<_> = known(candidates).collect();
    if known.is_empty() {
        return vec![];
    }
    let mut told = vec![];
    for (key, values) in &wave.account_tags {
        let there: BTreeSet<&str> = known
            .iter()
            .filter_map(|(_, tags)| Some(tags.get(key)?.as_str()))
            .collect();
        let missing: Vec<&String> = values
            .iter()
            .filter(|value| !there.contains(value.as_str()))
            .collect();
        if there.is_empty() {
            let keys: BTreeSet<&String> = known.iter().flat_map(|(_, tags)| tags.keys()).collect();
            told.push(match keys.is_empty() {
                true => format!("no account has the tag {key:?}, or any other"),
                false => format!("no account has the tag {key:?}, but there are {}", quoted(&keys)),
            });
        } else if !missing.is_empty() {
            told.push(format!(
                "no account has the tag {key:?} with {}, but there are {}",
                quoted(&missing),
                quoted(&there)
            ));
        }
    }
    told
}

/// The accounts whose tag is one of the wave's but for upper and lower case, or spaces around it, a sentence for each.
pub(super) fn alike(wave: &Wave, candidates: &Candidates) -> Vec<String> {
    let mut told = vec![];
    for (account, tags) in known(candidates) {
        for (key, values) in &wave.account_tags {
            if tags.get(key).is_some_and(|value| values.contains(value)) {
                continue;
            }
            let is_alike = |(theirs, value): &(&String, &String)| {
                is_alike(theirs, key) && values.iter().any(|one| is_alike(one, value))
            };
            if let Some((theirs, value)) = tags.iter().find(is_alike) {
                told.push(format!(
                    "wave {}: account {account} has the tag {theirs:?} = {value:?} and is not in it, as upper and lower case differ and \
                     spaces count",
                    wave.name
                ));
            }
        }
    }
    told
}

fn is_alike(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

fn known(candidates: &Candidates) -> impl Iterator<Item = (&AccountId, &BTreeMap<String, String>)> {
    let all = candidates.tags.iter();
    all.filter_map(|(account, tags)| Some((account, tags.known()?)))
}

fn quoted<'t, T: AsRef<str> + 't>(all: impl IntoIterator<Item = &'t T>) -> String {
    names(all.into_iter().map(|one| format!("{:?}", one.as_ref())))
}
