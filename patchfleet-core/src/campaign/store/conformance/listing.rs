//! Which logs there are.

use super::reads::alike;
use super::samples::{log_of, name, of_campaign, of_name};
use super::told::{Told as _, append, append_all, open};
use super::{Place, Verdict};
use crate::campaign::{CampaignLog, LogKey, Store};
use std::collections::BTreeSet;

/// How often a listing that is late is looked at.
const LOOKS: usize = 100;

pub(super) async fn soon_and_exact(place: &dyn Place) -> Verdict {
    let (mine, others) = (open(place).await?, open(place).await?);
    let mut there = BTreeSet::new();
    for number in [0, 1, u128::MAX] {
        append_all(mine.log.as_ref(), &log_of(number), &of_campaign(number, 2)?).await?;
        there.insert(log_of(number));
    }
    for text in alike() {
        let key = name(&text)?;
        append_all(mine.log.as_ref(), &key, &of_name(&key, 1)).await?;
        there.insert(key);
    }
    for Store { log, .. } in [&mine, &others, &open(place).await?] {
        lists(place, log.as_ref(), &there).await?;
    }
    // A log that is new is listed as well, and those before it stay.
    append_all(others.log.as_ref(), &log_of(7), &of_campaign(7, 1)?).await?;
    there.insert(log_of(7));
    lists(place, mine.log.as_ref(), &there).await?;
    Ok(true)
}

pub(super) async fn long(place: &dyn Place) -> Verdict {
    let Store { log, .. } = open(place).await?;
    let mut there = BTreeSet::new();
    for number in 0..place.more_than_a_page() {
        let key = log_of(number as u128);
        for record in of_campaign(number as u128, 1)? {
            append(log.as_ref(), &key, &record).await?;
        }
        there.insert(key);
        let key = name(&format!("name-{number}"))?;
        append_all(log.as_ref(), &key, &of_name(&key, 1)).await?;
        there.insert(key);
    }
    lists(place, log.as_ref(), &there).await?;
    Ok(true)
}

/// Sees that before long exactly these logs are listed.
async fn lists(place: &dyn Place, log: &dyn CampaignLog, want: &BTreeSet<LogKey>) -> Result<(), String> {
    let mut missing = None;
    for _ in 0..LOOKS {
        let keys = log.keys().await.told("listing")?;
        let listed: BTreeSet<LogKey> = keys.iter().cloned().collect();
        if listed.len() != keys.len() {
            return Err(format!(
                "the listing names a log twice: {} of {}",
                listed.len(),
                keys.len()
            ));
        }
        if let Some(key) = listed.difference(want).next() {
            return Err(format!("the listing names {key}, to which nothing was appended"));
        }
        let left: Vec<&LogKey> = want.difference(&listed).collect();
        let Some(first) = left.first() else {
            return Ok(());
        };
        missing = Some(format!(
            "{} of {} logs are not listed, {first} for one, although it has a record and the listing was asked {LOOKS} times",
            left.len(),
            want.len()
        ));
        place.wait().await;
    }
    missing.map_or(Ok(()), Err)
}
