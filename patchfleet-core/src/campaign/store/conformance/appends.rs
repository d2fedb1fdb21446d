//! Appending: in order, once, without gaps, and what an error says.

use super::samples::{claim, log_of, name, next, note, of_campaign, of_name};
use super::told::{Told as _, append, append_all, is_refused, open, reads, same};
use super::{Fault, Place, Verdict};
use crate::campaign::{Appended, Chain, LogKey, Record, Store};
use crate::port::{BoxFuture, PortErrorKind, PortResult, Sent};
use futures_util::FutureExt as _;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) async fn in_order(place: &dyn Place) -> Verdict {
    let Store { log, .. } = open(place).await?;
    let (campaign, name) = (log_of(1), name("weekly-linux")?);
    let (of_campaign, of_name) = (of_campaign(1, 4)?, of_name(&name, 4));
    for (counted, (one, other)) in (1..).zip(of_campaign.iter().zip(&of_name)) {
        append(log.as_ref(), &campaign, one).await?;
        append(log.as_ref(), &name, other).await?;
        reads(
            log.as_ref(),
            &campaign,
            0,
            of_campaign.get(..counted).unwrap_or_default(),
        )
        .await?;
        reads(log.as_ref(), &name, 0, of_name.get(..counted).unwrap_or_default()).await?;
    }
    Ok(true)
}

pub(super) async fn one_winner(place: &dyn Place) -> Verdict {
    let (first, second) = (open(place).await?, open(place).await?);
    for key in [log_of(1), name("weekly-linux")?] {
        let mut chain = Chain::of(&key);
        let mut winners = vec![];
        for seq in 0..3_u64 {
            // They take turns, so that a store which lets one of the two win always is found as well.
            let (winner, loser) = if seq % 2 == 0 {
                (&first, &second)
            } else {
                (&second, &first)
            };
            let (mine, other) = (
                note(&chain, 1, "the first one's"),
                note(&chain, 2, "the second one's"),
            );
            append(winner.log.as_ref(), &key, &mine).await?;
            let what = format!("appending another record {seq} to {key}, where one was,");
            match loser.log.append(&key, &other).await.told(&what)? {
                Appended::Conflict => {}
                Appended::Yes => return Err(format!("{what} gave Yes: two writers were told that they won")),
            }
            chain = Chain::after(&mine);
            winners.push(mine);
            for Store { log, .. } in [&first, &second] {
                reads(log.as_ref(), &key, 0, &winners).await?;
            }
        }
        // Far behind, as a driver that was asleep.
        let late = note(&Chain::of(&key), 2, "far behind");
        let what = format!("appending another record 0 to {key}, which has 3,");
        match second.log.append(&key, &late).await.told(&what)? {
            Appended::Conflict => reads(first.log.as_ref(), &key, 0, &winners).await?,
            Appended::Yes => return Err(format!("{what} gave Yes")),
        }
        // Once more one's own: as long as it is there once, both answers are true.
        if let Some(last) = winners.last() {
            let what = format!("appending record 2 to {key} a second time");
            let _ = first.log.append(&key, last).await.told(&what)?;
            reads(first.log.as_ref(), &key, 0, &winners).await?;
        }
    }
    Ok(true)
}

pub(super) async fn no_gaps(place: &dyn Place) -> Verdict {
    let Store { log, .. } = open(place).await?;
    let (key, records) = (log_of(1), of_campaign(1, 5)?);
    let [zero, one, two, three, _] = records.as_slice() else {
        return Err("five records were to be made".to_owned());
    };
    let gap =
        |record: &Record, there: u64| format!("appending record {} to a log of {there} records", record.seq);
    is_refused(&gap(one, 0), log.append(&key, one)).await?;
    reads(log.as_ref(), &key, 0, &[]).await?;
    append_all(log.as_ref(), &key, &[zero.clone(), one.clone()]).await?;
    is_refused(&gap(three, 2), log.append(&key, three)).await?;
    let other = note(&Chain::of(&key), 9, "another beginning");
    let stray = note(
        &Chain::after(&note(&Chain::after(&other), 9, "another record 1")),
        9,
        "stray",
    );
    let what = "appending record 2, which follows another record 1,";
    is_refused(what, log.append(&key, &stray)).await?;
    let of_another = note(&Chain::of(&log_of(2)), 9, "of another log");
    let empty = log_of(3);
    let what = "appending the record 0 of another log";
    is_refused(what, log.append(&empty, &of_another)).await?;
    reads(log.as_ref(), &empty, 0, &[]).await?;
    reads(log.as_ref(), &key, 0, &[zero.clone(), one.clone()]).await?;
    append(log.as_ref(), &key, two).await?;
    reads(log.as_ref(), &key, 0, records.get(..3).unwrap_or_default()).await?;
    Ok(true)
}

/// How many writers race.
const WRITERS: u128 = 4;

/// How many records they append together.
const RACED: usize = 16;

/// How often each of them tries at most.
const TURNS: usize = 1_000;

/// What the writers did. The first trouble is kept.
type Raced = Arc<Mutex<Result<Vec<Record>, String>>>;

fn tell(raced: &Raced, won: Result<Record, String>) {
    let mut all = raced.lock().unwrap_or_else(PoisonError::into_inner);
    match (won, all.as_mut()) {
        (Ok(record), Ok(records)) => records.push(record),
        (Err(trouble), Ok(_)) => *all = Err(trouble),
        (_, Err(_)) => {}
    }
}

fn outcome(raced: &Raced) -> Result<Vec<Record>, String> {
    raced.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

pub(super) async fn races(place: &dyn Place) -> Verdict {
    let key = log_of(1);
    let raced: Raced = Arc::new(Mutex::new(Ok(vec![])));
    let mut work: Vec<BoxFuture<'static, ()>> = vec![];
    for by in 1..=WRITERS {
        let (store, key, raced) = (open(place).await?, key.clone(), Arc::clone(&raced));
        work.push(async move { race(&store, &key, by, &raced).await }.boxed());
    }
    place.together(work).await;
    let mut won = outcome(&raced)?;
    won.sort_by_key(|record| record.seq);
    let Store { log, .. } = open(place).await?;
    let there = log.read(&key, 0).await.told("reading after the race")?;
    let mut chain = Chain::of(&key);
    for record in &there {
        chain
            .take(record)
            .map_err(|error| format!("after the race the log is damaged: {error}"))?;
    }
    same(
        "after the race, the log against what its writers were told",
        &there,
        &won,
    )?;
    Ok(true)
}

/// Appends until the log is long enough, and keeps what it is told that it won.
async fn race(store: &Store, key: &LogKey, by: u128, raced: &Raced) {
    for _ in 0..TURNS {
        let there = match store.log.read(key, 0).await.told("reading in a race") {
            Ok(there) => there,
            Err(trouble) => return tell(raced, Err(trouble)),
        };
        if there.len() >= RACED {
            return;
        }
        let chain = there.last().map_or_else(|| Chain::of(key), Chain::after);
        let record = note(&chain, by, "in a race");
        match appended(store, key, &record).await {
            Ok(true) => tell(raced, Ok(record)),
            Ok(false) => {}
            Err(trouble) => return tell(raced, Err(trouble)),
        }
    }
    tell(
        raced,
        Err(format!(
            "{TURNS} appends of one writer left fewer than {RACED} records"
        )),
    );
}

/// Whether the record was taken. A lost answer in a race is found out about by reading.
async fn appended(store: &Store, key: &LogKey, record: &Record) -> Result<bool, String> {
    match store.log.append(key, record).await {
        Ok(Appended::Yes) => Ok(true),
        Ok(Appended::Conflict) => Ok(false),
        Err(error) if error.sent() == Sent::Maybe => {
            let there = store.log.read(key, record.seq).await;
            Ok(there.told("reading after a lost answer")?.first() == Some(record))
        }
        // Somebody else's record came before it in the meantime, or the place was busy.
        Err(error) if error.kind().is_transient() => Ok(false),
        Err(error) => Err(format!("appending in a race failed: {}", error.chain())),
    }
}

pub(super) async fn claims_once(place: &dyn Place) -> Verdict {
    for round in 0..4 {
        let key = name(&format!("claimed-{round}"))?;
        let raced: Raced = Arc::new(Mutex::new(Ok(vec![])));
        let mut work: Vec<BoxFuture<'static, ()>> = vec![];
        for by in 1..=WRITERS {
            let (store, key, raced) = (open(place).await?, key.clone(), Arc::clone(&raced));
            let claim = claim(&Chain::of(&key), by);
            let claiming = async move {
                match appended(&store, &key, &claim).await {
                    Ok(true) => tell(&raced, Ok(claim)),
                    Ok(false) => {}
                    Err(trouble) => tell(&raced, Err(trouble)),
                }
            };
            work.push(claiming.boxed());
        }
        place.together(work).await;
        let won = outcome(&raced)?;
        if won.len() != 1 {
            return Err(format!(
                "{WRITERS} claimed a name at once, and {} were told that they won",
                won.len()
            ));
        }
        let Store { log, .. } = open(place).await?;
        reads(log.as_ref(), &key, 0, &won).await?;
    }
    Ok(true)
}

pub(super) async fn lost_answers(place: &dyn Place) -> Verdict {
    let Store { log, .. } = open(place).await?;
    let mut checked = true;
    for (number, fault) in [(1, Fault::AnswerLost), (2, Fault::NeverSent)] {
        let key = log_of(number);
        let mut there = of_campaign(number, 2)?;
        append_all(log.as_ref(), &key, &there).await?;
        let chain = there.last().map_or_else(|| Chain::of(&key), Chain::after);
        if !place.fault(fault) {
            checked = false;
            continue;
        }
        let record = note(&chain, 1, "lost");
        let answer = log.append(&key, &record).await;
        let read = log.read(&key, 0).await.told("reading after a lost answer")?;
        let is_kept = read.len() > there.len();
        judge(fault, &answer, is_kept)?;
        if is_kept {
            there.push(record.clone());
        }
        same(&format!("reading after {fault:?}"), &read, &there)?;
        // Whoever was told nothing certain tries again: the record is there once in the end.
        let again = log
            .append(&key, &record)
            .await
            .told("appending again after an error")?;
        if !is_kept {
            if again != Appended::Yes {
                return Err(format!(
                    "after {fault:?} nothing was kept, and appending again gave {again:?}"
                ));
            }
            there.push(record);
        }
        let more = next(
            &there.last().map_or_else(|| Chain::of(&key), Chain::after),
            1,
            vec![],
        );
        append(log.as_ref(), &key, &more).await?;
        there.push(more);
        reads(log.as_ref(), &key, 0, &there).await?;
    }
    Ok(checked)
}

/// Whether an append may say so, by whether its record was kept.
fn judge(fault: Fault, answer: &PortResult<Appended>, is_kept: bool) -> Result<(), String> {
    match answer {
        Ok(Appended::Yes) if !is_kept => Err(format!(
            "after {fault:?} an append gave Yes, and its record is not there"
        )),
        Ok(Appended::Conflict) if !is_kept => Err(format!(
            "after {fault:?} an append gave Conflict, and there is no record of its number"
        )),
        Ok(_) => Ok(()),
        Err(error) if is_kept && error.sent() == Sent::No => Err(format!(
            "after {fault:?} an append says Sent::No, and its record is there: it has to say Sent::Maybe ({})",
            error.chain()
        )),
        Err(error) if matches!(error.kind(), PortErrorKind::Incompatible | PortErrorKind::Invalid) => {
            Err(format!(
                "after {fault:?} an append failed as {}, which is never tried again ({})",
                error.kind(),
                error.chain()
            ))
        }
        Err(_) => Ok(()),
    }
}
