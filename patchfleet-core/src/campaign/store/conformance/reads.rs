//! Reading: exactly what was appended, by whom and however large it is.

use super::samples::{NAME, campaign, log_of, name, next, note, of_campaign, of_name, planned, readable};
use super::told::{Told as _, append, append_all, is_refused, open, reads, same};
use super::{Place, Verdict};
use crate::campaign::{CampaignLog, Chain, Event, LogKey, Record, Store};
use crate::id::UnitId;
use crate::port::PortErrorKind;

pub(super) async fn from_each_number(place: &dyn Place) -> Verdict {
    let Store { log, .. } = open(place).await?;
    let key = name("weekly-linux")?;
    // More than ten and more than a hundred: a store that sorts numbers as texts is found.
    let records = of_name(&key, 120);
    append_all(log.as_ref(), &key, &records).await?;
    for from in 0..=records.len() {
        let want = records.get(from..).unwrap_or_default();
        reads(log.as_ref(), &key, from as u64, want).await?;
    }
    for from in [121, 200, u64::MAX] {
        let what = format!("reading a log of 120 records from {from}");
        is_refused(&what, log.read(&key, from)).await?;
    }
    Ok(true)
}

pub(super) async fn handles_agree(place: &dyn Place) -> Verdict {
    let (one, other) = (open(place).await?, open(place).await?);
    let (key, records) = (log_of(1), of_campaign(1, 6)?);
    // The second handle looks before anything is there, and after each record.
    for (seq, record) in records.iter().enumerate() {
        let before = records.get(..seq).unwrap_or_default();
        reads(other.log.as_ref(), &key, 0, before).await?;
        append(one.log.as_ref(), &key, record).await?;
        let from = seq as u64;
        reads(other.log.as_ref(), &key, from, std::slice::from_ref(record)).await?;
        is_last(other.log.as_ref(), &key, Some(record)).await?;
    }
    // And goes on with what it has read.
    let more = note(
        &records.last().map_or_else(|| Chain::of(&key), Chain::after),
        2,
        "goes on",
    );
    append(other.log.as_ref(), &key, &more).await?;
    reads(one.log.as_ref(), &key, records.len() as u64, &[more]).await?;
    Ok(true)
}

pub(super) async fn nothing(place: &dyn Place) -> Verdict {
    let Store { log, rows } = open(place).await?;
    log.make().await.told("making the place ready")?;
    for key in [log_of(1), name("weekly-linux")?] {
        reads(log.as_ref(), &key, 0, &[]).await?;
        is_last(log.as_ref(), &key, None).await?;
        is_refused("reading from 1 where no log is", log.read(&key, 1)).await?;
    }
    let named = log.request_name(campaign(1)).await.told("asking for a name")?;
    if named.is_some() {
        return Err(format!("a campaign that is not there has the name {named:?}"));
    }
    let at = super::samples::location("111122223333", "us-east-1")?;
    let kept = rows.rows(campaign(1), &at).await.told("reading rows")?;
    if !kept.is_empty() {
        return Err(format!("a location that is not there has {} rows", kept.len()));
    }
    let keys = log.keys().await.told("listing")?;
    if !keys.is_empty() {
        return Err(format!("nothing was appended, and the listing has {keys:?}"));
    }
    let key = log_of(1);
    append_all(log.as_ref(), &key, &of_campaign(1, 1)?).await?;
    log.make().await.told("making the place ready once more")?;
    reads(log.as_ref(), &key, 0, &of_campaign(1, 1)?).await?;
    Ok(true)
}

pub(super) async fn first_and_last(place: &dyn Place) -> Verdict {
    let Store { log, .. } = open(place).await?;
    let (key, records) = (log_of(1), of_campaign(1, 12)?);
    for record in &records {
        append(log.as_ref(), &key, record).await?;
        is_last(log.as_ref(), &key, Some(record)).await?;
        let first = log.first(&key).await.told("reading the first record")?;
        let first: Vec<Record> = first.into_iter().collect();
        same(
            "reading the first record",
            &first,
            records.get(..1).unwrap_or_default(),
        )?;
        let named = log.request_name(campaign(1)).await.told("asking for a name")?;
        if named.as_ref().map(crate::id::RequestName::as_str) != Some(NAME) {
            return Err(format!(
                "record 0 names the request {NAME}, and the store gives {named:?}"
            ));
        }
    }
    // A first record without a plan is of no campaign that anybody began.
    let stray = log_of(2);
    append(log.as_ref(), &stray, &note(&Chain::of(&stray), 1, "no plan")).await?;
    let what = "asking for the name of a campaign whose record 0 has no plan";
    is_refused(what, log.request_name(campaign(2))).await?;
    Ok(true)
}

async fn is_last(log: &dyn CampaignLog, key: &LogKey, want: Option<&Record>) -> Result<(), String> {
    let last = log.last(key).await.told("reading the last record")?;
    let list = |record: Option<&Record>| record.cloned().into_iter().collect::<Vec<_>>();
    same("reading the last record", &list(last.as_ref()), &list(want))
}

pub(super) async fn byte_for_byte(place: &dyn Place) -> Verdict {
    let Store { log, .. } = open(place).await?;
    let key = log_of(1);
    let texts = [
        "",
        " blanks  stay \t",
        "line\nbreaks\r\nand \u{0}\u{1}\u{1f}\u{7f}",
        "\"quotes\" \\ and /slashes/ {\"format\":3}",
        "a\u{308} is not \u{e4}, \u{2028}\u{2029}\u{feff}\u{200b}\u{202e}",
        "漢字 🩹 \u{10ffff}",
        "1e400 NaN null true 0x00 %00 %2F ../..",
    ];
    let mut records = of_campaign(1, 2)?;
    for text in texts {
        let chain = records.last().map_or_else(|| Chain::of(&key), Chain::after);
        let record = note(&chain, u128::MAX, text);
        readable(&record)?;
        records.push(record);
    }
    // As little and as much as a record may hold.
    for (nanos, events) in [
        (0, vec![]),
        (1, vec![Event::Watched; 40]),
        (999_999_999, extremes()),
    ] {
        let chain = records.last().map_or_else(|| Chain::of(&key), Chain::after);
        let mut record = next(&chain, 0, events);
        record.at = jiff::Timestamp::new(record.at.as_second(), nanos).unwrap_or(record.at);
        readable(&record)?;
        records.push(record);
    }
    append_all(log.as_ref(), &key, &records).await?;
    for from in 0..records.len() {
        reads(
            log.as_ref(),
            &key,
            from as u64,
            records.get(from..).unwrap_or_default(),
        )
        .await?;
    }
    Ok(true)
}

fn extremes() -> Vec<Event> {
    let units = [0, 1, u32::MAX - 1].map(UnitId::from_index).to_vec();
    vec![
        Event::LeftOut { units },
        Event::StartUnresolved {
            unit: UnitId::from_index(u32::MAX - 1),
            detail: "\u{fffd}".repeat(40),
        },
        Event::StartRefused {
            unit: UnitId::from_index(0),
            kind: PortErrorKind::Other,
            detail: "x".repeat(100_000),
        },
    ]
}

/// How many locations the plan of a large campaign has. Its record is 1.5 MB.
const LARGE: usize = 20_000;

pub(super) async fn large(place: &dyn Place) -> Verdict {
    let Store { log, .. } = open(place).await?;
    let key = log_of(1);
    let mut records = vec![planned(&Chain::of(&key), campaign(1), LARGE)?];
    for text in [
        "small".to_owned(),
        "l".repeat(1_500_000),
        "small again".to_owned(),
    ] {
        let chain = records.last().map_or_else(|| Chain::of(&key), Chain::after);
        records.push(note(&chain, 1, &text));
    }
    append_all(log.as_ref(), &key, &records).await?;
    reads(log.as_ref(), &key, 0, &records).await?;
    reads(log.as_ref(), &key, 2, records.get(2..).unwrap_or_default()).await?;
    is_last(log.as_ref(), &key, records.last()).await?;
    let named = log.request_name(campaign(1)).await.told("asking for a name")?;
    match named {
        Some(named) if named.as_str() == NAME => Ok(true),
        named => Err(format!(
            "a large record 0 names the request {NAME}, and the store gives {named:?}"
        )),
    }
}

pub(super) async fn long(place: &dyn Place) -> Verdict {
    let Store { log, .. } = open(place).await?;
    let key = name("weekly-linux")?;
    let count = place.more_than_a_page();
    let records = of_name(&key, count);
    append_all(log.as_ref(), &key, &records).await?;
    for from in [0, 1, 9, 10, 11, count / 2, count.saturating_sub(1), count] {
        reads(
            log.as_ref(),
            &key,
            from as u64,
            records.get(from..).unwrap_or_default(),
        )
        .await?;
    }
    is_last(log.as_ref(), &key, records.last()).await?;
    Ok(true)
}

pub(super) async fn apart(place: &dyn Place) -> Verdict {
    let Store { log, .. } = open(place).await?;
    let mut logs = vec![];
    for number in [0, 1, 16, u128::MAX, u128::MAX - 1, 1 << 127] {
        logs.push((log_of(number), of_campaign(number, 3)?));
    }
    for text in alike() {
        let key = name(&text)?;
        let records = of_name(&key, 3);
        logs.push((key, records));
    }
    for seq in 0..3 {
        for (key, records) in &logs {
            for record in records.get(seq).into_iter() {
                append(log.as_ref(), key, record).await?;
            }
        }
    }
    for (key, records) in &logs {
        reads(log.as_ref(), key, 0, records).await?;
        is_last(log.as_ref(), key, records.last()).await?;
    }
    Ok(true)
}

/// Names that are easily taken for each other, or for something else.
pub(super) fn alike() -> Vec<String> {
    let names = [
        "web",
        "Web",
        "WEB",
        "web-1",
        "web-10",
        "web.1",
        "web_1",
        "web.",
        "web-",
        "w",
        "web.jsonl",
        "web.json",
        "0",
        "00",
        "000000000000",
        "1",
        "10",
        "2",
        "a..b",
        "a.",
        "con",
        "nul",
        "index",
        "log.jsonl",
        "names",
        "campaigns",
        "00000000-0000-0000-0000-000000000001",
    ];
    let longest = ["x".repeat(64), format!("{}y", "x".repeat(63))];
    names.map(str::to_owned).into_iter().chain(longest).collect()
}

pub(super) async fn reopened(place: &dyn Place) -> Verdict {
    let (campaign_log, name_log) = (log_of(1), name("weekly-linux")?);
    let (of_campaign, of_name) = (of_campaign(1, 3)?, of_name(&name_log, 2));
    let at = super::samples::location("111122223333", "us-east-1")?;
    let row = super::samples::row("i-00000001", crate::outcome::NodeOutcome::Done, "")?;
    let Store { log, rows } = open(place).await?;
    append_all(log.as_ref(), &campaign_log, &of_campaign).await?;
    append_all(log.as_ref(), &name_log, &of_name).await?;
    rows.put(campaign(1), &at, 1, vec![row.clone()])
        .await
        .told("putting rows")?;
    drop((log, rows));
    for _ in 0..2 {
        let Store { log, rows } = open(place).await?;
        reads(log.as_ref(), &campaign_log, 0, &of_campaign).await?;
        reads(log.as_ref(), &name_log, 0, &of_name).await?;
        is_last(log.as_ref(), &campaign_log, of_campaign.last()).await?;
        if rows.rows(campaign(1), &at).await.told("reading rows")? != [row.clone()] {
            return Err("the rows that were put are not there when the store is opened again".to_owned());
        }
    }
    let Store { log, .. } = open(place).await?;
    let more = note(
        &of_campaign
            .last()
            .map_or_else(|| Chain::of(&campaign_log), Chain::after),
        2,
        "later",
    );
    append(log.as_ref(), &campaign_log, &more).await?;
    reads(log.as_ref(), &campaign_log, 3, &[more]).await?;
    Ok(true)
}
