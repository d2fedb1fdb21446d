//! The results of nodes.

use super::samples::{campaign, location, row};
use super::told::{Told as _, open};
use super::{Place, Verdict};
use crate::campaign::{NodeRows, Store};
use crate::id::{CampaignId, Location};
use crate::outcome::{NodeOutcome, NodeRow};

/// Sees that these rows are kept.
pub(super) async fn has(
    rows: &dyn NodeRows,
    of: CampaignId,
    at: &Location,
    want: &[NodeRow],
    when: &str,
) -> Result<(), String> {
    let found = rows.rows(of, at).await.told("reading rows")?;
    if found == want {
        return Ok(());
    }
    let ids = |rows: &[NodeRow]| -> Vec<String> {
        rows.iter()
            .map(|row| format!("{} {}", row.node, row.outcome.as_str()))
            .collect()
    };
    Err(format!(
        "{when}: {:?} is kept, and {:?} should be",
        ids(&found),
        ids(want)
    ))
}

pub(super) async fn newest_win(place: &dyn Place) -> Verdict {
    let (mut one, mut other) = (open(place).await?, open(place).await?);
    let (of, at) = (campaign(1), location("111122223333", "us-east-1")?);
    let done = [
        row("i-00000001", NodeOutcome::Done, "")?,
        row("i-00000002", NodeOutcome::Failed, "first put")?,
    ];
    let second = [row("i-00000002", NodeOutcome::Done, "second put")?];
    let newer = [row("i-00000003", NodeOutcome::Lost, "newer attempt")?];
    let puts: [(u32, &[NodeRow], &[NodeRow], &str); 8] = [
        (2, &done, &done, "after rows were put"),
        (2, &done, &done, "after the same rows were put twice"),
        (2, &second, &second, "after other rows of the same attempt"),
        (1, &done, &second, "after rows of an older attempt"),
        (10, &newer, &newer, "after rows of a newer attempt"),
        (9, &done, &newer, "after rows of attempt 9, where 10 was"),
        (11, &[], &[], "after a newer attempt without rows"),
        (
            10,
            &newer,
            &[],
            "after rows of an older attempt than one without rows",
        ),
    ];
    for (attempt, put, want, when) in puts {
        let putting = format!("putting rows of attempt {attempt}");
        one.rows
            .put(of, &at, attempt, put.to_vec())
            .await
            .told(&putting)?;
        has(other.rows.as_ref(), of, &at, want, when).await?;
        std::mem::swap(&mut one, &mut other);
    }
    Ok(true)
}

pub(super) async fn byte_for_byte(place: &dyn Place) -> Verdict {
    let Store { rows, .. } = open(place).await?;
    let (of, at) = (campaign(1), location("111122223333", "us-east-1")?);
    let texts = [
        "",
        "line\nbreak \u{0}\u{1f} \"\\",
        "漢字 🩹 \u{2028}\u{feff}",
        " blanks ",
    ];
    let mut want = vec![];
    for (number, text) in texts.iter().enumerate() {
        for kind in ["i", "mi"] {
            let id = format!("{kind}-{:017x}", number.saturating_mul(11).saturating_add(5));
            want.push(row(&id, NodeOutcome::Failed, text)?);
        }
    }
    if let Some(first) = want.first_mut() {
        first.joined = true;
        (first.installed, first.missing, first.failed) = (Some(u32::MAX), Some(0), None);
    }
    let put: Vec<NodeRow> = want.iter().rev().cloned().collect();
    rows.put(of, &at, 1, put).await.told("putting rows")?;
    want.sort_by(|one, other| one.node.cmp(&other.node));
    has(
        rows.as_ref(),
        of,
        &at,
        &want,
        "after rows were put in another order",
    )
    .await?;
    let mut many = vec![];
    for number in 0..20_000 {
        many.push(row(
            &format!("i-{number:08x}"),
            NodeOutcome::Done,
            "one of many nodes",
        )?);
    }
    rows.put(of, &at, 2, many.clone())
        .await
        .told("putting the rows of 20,000 nodes")?;
    let found = rows
        .rows(of, &at)
        .await
        .told("reading the rows of 20,000 nodes")?;
    if found != many {
        return Err(format!(
            "20,000 rows were put, and {} are read, or others",
            found.len()
        ));
    }
    Ok(true)
}

pub(super) async fn apart(place: &dyn Place) -> Verdict {
    let Store { rows, .. } = open(place).await?;
    let mut all = vec![];
    for number in [0, 1, u128::MAX] {
        for account in ["000000000000", "000000000001", "999999999999"] {
            for region in [
                "us-east-1",
                "us-east-2",
                "us-gov-east-1",
                "cn-north-1",
                "ap-southeast-1",
            ] {
                let detail = format!("{number} {account} {region}");
                let row = row("i-00000001", NodeOutcome::Done, &detail)?;
                all.push((campaign(number), location(account, region)?, row));
            }
        }
    }
    for (of, at, row) in &all {
        rows.put(*of, at, 1, vec![row.clone()])
            .await
            .told("putting rows")?;
    }
    for (of, at, row) in &all {
        let want = std::slice::from_ref(row);
        has(rows.as_ref(), *of, at, want, &format!("of campaign {of} in {at}")).await?;
    }
    Ok(true)
}
