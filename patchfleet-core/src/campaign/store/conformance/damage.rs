//! What is damaged is told.

use super::rows::has;
use super::samples::{campaign, location, log_of, name, note, of_campaign, of_name, row};
use super::told::{Told as _, append, append_all, is_refused, open, reads, shows_damage};
use super::{Damage, Place, Verdict};
use crate::campaign::{Appended, Chain, LogKey, Store};
use crate::outcome::NodeOutcome;
use crate::port::PortErrorKind;

/// How many records the damaged logs have.
const RECORDS: usize = 6;

/// The records of a log that begins as logs of its kind do.
fn records_of(key: &LogKey, number: u128) -> Result<Vec<crate::campaign::Record>, String> {
    match key {
        LogKey::Campaign(_) => of_campaign(number, RECORDS),
        LogKey::Name(_) => Ok(of_name(key, RECORDS)),
    }
}

pub(super) async fn is_told(place: &dyn Place) -> Verdict {
    let (mut number, mut all) = (0_u128, true);
    let last = RECORDS as u64 - 1;
    for seq in [0, 1, 3, last] {
        for kind in 0..4 {
            number += 1;
            for key in [log_of(number), name(&format!("damaged-{number}"))?] {
                let damage = match kind {
                    0 => Damage::Flipped {
                        log: key.clone(),
                        seq,
                    },
                    1 => Damage::Emptied {
                        log: key.clone(),
                        seq,
                    },
                    // Without its last record a log is whole: that is another law's.
                    2 if seq < last => Damage::Removed {
                        log: key.clone(),
                        seq,
                    },
                    3 if seq < last => Damage::Swapped {
                        log: key.clone(),
                        seq,
                    },
                    _ => continue,
                };
                let Store { log, .. } = open(place).await?;
                let records = records_of(&key, number)?;
                append_all(log.as_ref(), &key, &records).await?;
                if !place.damage(&damage) {
                    all = false;
                    continue;
                }
                is_told_by(place, &damage, &key, &records).await?;
            }
        }
    }
    Ok(all)
}

async fn is_told_by(
    place: &dyn Place,
    damage: &Damage,
    key: &LogKey,
    records: &[crate::campaign::Record],
) -> Result<(), String> {
    let Store { log, .. } = open(place).await?;
    if !shows_damage(log.as_ref(), key).await? {
        return Err(format!("after {damage:?} the log is read as if it were whole"));
    }
    let ends = match damage {
        Damage::Flipped { seq, .. } | Damage::Emptied { seq, .. } => seq.saturating_add(1) == RECORDS as u64,
        Damage::Swapped { seq, .. } => seq.saturating_add(2) == RECORDS as u64,
        _ => false,
    };
    // Whoever appends looks at the end of the log alone.
    if ends {
        let more = note(
            &records.last().map_or_else(|| Chain::of(key), Chain::after),
            1,
            "more",
        );
        if let Ok(Appended::Yes) = log.append(key, &more).await {
            return Err(format!(
                "after {damage:?} a record was appended to the damaged log"
            ));
        }
    }
    let at_first = matches!(
        damage,
        Damage::Flipped { seq: 0, .. }
            | Damage::Emptied { seq: 0, .. }
            | Damage::Removed { seq: 0, .. }
            | Damage::Swapped { seq: 0, .. }
    );
    if at_first {
        is_refused(
            &format!("after {damage:?} reading the first record"),
            log.first(key),
        )
        .await?;
    }
    if log.last(key).await.is_ok_and(|last| last.is_none()) {
        return Err(format!("after {damage:?} the log is said to have no last record"));
    }
    if let LogKey::Campaign(campaign) = key {
        match log.request_name(*campaign).await {
            Ok(Some(named)) if named.as_str() == super::samples::NAME => {}
            Err(error) if error.kind() == PortErrorKind::Incompatible => {}
            answer => return Err(format!("after {damage:?} the request's name is {answer:?}")),
        }
    }
    Ok(())
}

pub(super) async fn of_the_end(place: &dyn Place) -> Verdict {
    for (number, left) in [(1, 0), (2, 1), (3, RECORDS as u64 - 1)] {
        let (key, records) = (log_of(number), of_campaign(number, RECORDS)?);
        let Store { log, .. } = open(place).await?;
        append_all(log.as_ref(), &key, &records).await?;
        let damage = Damage::CutShort {
            log: key.clone(),
            left,
        };
        if !place.damage(&damage) {
            return Ok(false);
        }
        let there = usize::try_from(left).ok().and_then(|left| records.get(..left));
        let there = there.unwrap_or_default();
        reads(log.as_ref(), &key, 0, there).await?;
        let what = format!("reading from {RECORDS} where {left} records are left");
        is_refused(&what, log.read(&key, RECORDS as u64)).await?;
        let more = note(
            &records.last().map_or_else(|| Chain::of(&key), Chain::after),
            1,
            "more",
        );
        let what = format!("appending record {RECORDS} where {left} are left");
        is_refused(&what, log.append(&key, &more)).await?;
        // Whoever reads anew goes on from there.
        let again = note(
            &there.last().map_or_else(|| Chain::of(&key), Chain::after),
            2,
            "again",
        );
        let anew = open(place).await?;
        append(anew.log.as_ref(), &key, &again).await?;
        let whole: Vec<_> = there.iter().cloned().chain([again]).collect();
        reads(anew.log.as_ref(), &key, 0, &whole).await?;
    }
    Ok(true)
}

pub(super) async fn of_rows(place: &dyn Place) -> Verdict {
    let Store { rows, .. } = open(place).await?;
    let (of, at) = (campaign(1), location("111122223333", "us-east-1")?);
    let kept = vec![row("i-00000001", NodeOutcome::Done, "")?];
    rows.put(of, &at, 3, kept.clone()).await.told("putting rows")?;
    let damage = Damage::Rows {
        campaign: of,
        location: at.clone(),
    };
    if !place.damage(&damage) {
        return Ok(false);
    }
    is_refused("reading damaged rows", rows.rows(of, &at)).await?;
    rows.put(of, &at, 3, kept.clone())
        .await
        .told("putting rows over damaged ones")?;
    has(
        rows.as_ref(),
        of,
        &at,
        &kept,
        "after rows were put over damaged ones",
    )
    .await?;
    Ok(true)
}
