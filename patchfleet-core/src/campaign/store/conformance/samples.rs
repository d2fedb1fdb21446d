//! Records and rows to keep.

use super::told::Told as _;
use crate::campaign::{Chain, Event, LogKey, RECORD_FORMAT, Record};
use crate::id::{CampaignId, Location, UnitId, WriterId};
use crate::outcome::{NodeOutcome, NodeRow, PatchNames};
use crate::plan::{FORMAT, Followed, Plan, PlannedLocation};
use crate::port::{Caller, PortErrorKind};
use crate::request::{Format, PatchRequest};
use jiff::Timestamp;
use uuid::Uuid;

/// The name of the request of every sample.
pub(super) const NAME: &str = "weekly-linux";

/// A campaign.
pub(super) fn campaign(number: u128) -> CampaignId {
    CampaignId::from_uuid(Uuid::from_u128(number))
}

/// The log of a campaign.
pub(super) fn log_of(number: u128) -> LogKey {
    LogKey::Campaign(campaign(number))
}

/// The log of a name.
pub(super) fn name(name: &str) -> Result<LogKey, String> {
    let name = name.parse();
    name.map(LogKey::Name).map_err(|error| format!("{error}"))
}

/// A writer.
fn writer(number: u128) -> WriterId {
    WriterId::from_uuid(Uuid::from_u128(number))
}

/// The next record of a log, by this writer.
pub(super) fn next(chain: &Chain, by: u128, events: Vec<Event>) -> Record {
    let seconds = i64::try_from(chain.next_seq()).unwrap_or_default();
    let at = Timestamp::new(1_772_402_400_i64.saturating_add(seconds), 123_456_789);
    chain.record(at.unwrap_or(Timestamp::UNIX_EPOCH), writer(by), events)
}

/// A claim, as the next record of a name's log.
pub(super) fn claim(chain: &Chain, by: u128) -> Record {
    next(
        chain,
        by,
        vec![Event::Claimed {
            campaign: campaign(by),
        }],
    )
}

/// A record with something in it that tells it from others.
pub(super) fn note(chain: &Chain, by: u128, detail: &str) -> Record {
    let event = Event::StartDeferred {
        unit: UnitId::from_index(0),
        kind: PortErrorKind::Throttled,
        detail: detail.to_owned(),
    };
    next(chain, by, vec![event])
}

/// The first so many records of a campaign's log: its plan, its claim, and what happened.
pub(super) fn of_campaign(number: u128, count: usize) -> Result<Vec<Record>, String> {
    let key = log_of(number);
    let mut chain = Chain::of(&key);
    let mut records = vec![];
    for seq in 0..count {
        let record = match seq {
            0 => planned(&chain, campaign(number), 1)?,
            1 => next(
                &chain,
                1,
                vec![Event::Claimed {
                    campaign: campaign(number),
                }],
            ),
            _ => note(&chain, 1, &format!("{key}, record {seq}")),
        };
        chain = Chain::after(&record);
        records.push(record);
    }
    Ok(records)
}

/// The first so many records of a name's log.
pub(super) fn of_name(key: &LogKey, count: usize) -> Vec<Record> {
    let mut chain = Chain::of(key);
    let claims = std::iter::repeat_with(|| {
        let record = claim(&chain, u128::from(chain.next_seq()));
        chain = Chain::after(&record);
        record
    });
    claims.take(count).collect()
}

/// Record 0 of a campaign whose plan has so many locations.
pub(super) fn planned(chain: &Chain, campaign: CampaignId, locations: usize) -> Result<Record, String> {
    let event = Event::Planned {
        format: RECORD_FORMAT,
        campaign,
        plan: Box::new(plan(locations)?),
    };
    Ok(next(chain, 1, vec![event]))
}

fn plan(locations: usize) -> Result<Plan, String> {
    let request = format!(
        r#"{{"name":"{NAME}","targets":{{"resource_group":"Web","regions":["us-east-1"],"accounts":["111122223333"]}},
            "automation":{{"assume_role":"arn:aws:iam::111122223333:role/Admin"}}}}"#
    );
    let request =
        PatchRequest::parse(request.as_bytes(), Format::Json).map_err(|problems| problems.to_string())?;
    let worst_case = r#"{"starts":1,"locations_at_once":1,"locations_failing":0,"nodes_at_once":null,
        "node_errors":null,"nodes_damaged":null,"slowest_location_seconds":null}"#;
    let place = location("111122223333", "us-east-1")?;
    let planned = PlannedLocation {
        account: place.account.clone(),
        region: place.region.clone(),
        wave: 1,
        nodes: None,
        nodes_digest: None,
        node_ids: None,
        kept: None,
        left_out: vec![],
        offline: vec![],
    };
    Ok(Plan {
        format: FORMAT,
        request,
        central: Caller {
            account: place.account,
            region: place.region,
            arn: "arn:aws:iam::111122223333:role/Admin".to_owned(),
        },
        followed: Followed::ByDriver,
        candidates: u32::try_from(locations).unwrap_or(u32::MAX),
        locations: vec![planned; locations],
        skipped: vec![],
        warnings: vec![],
        units: vec![],
        runbook: None,
        fleet: None,
        wave_budgets: vec![],
        labels: vec![],
        forecast: None,
        dispatch: None,
        automation: None,
        worst_case: serde_json::from_str(worst_case).map_err(|error| error.to_string())?,
        lifetime: None,
        retries: None,
        second_attempt: false,
    })
}

/// A location.
pub(super) fn location(account: &str, region: &str) -> Result<Location, String> {
    let account = account.parse().map_err(|error| format!("{error}"))?;
    let region = region.parse().map_err(|error| format!("{error}"))?;
    Ok(Location::new(account, region))
}

/// A row.
pub(super) fn row(node: &str, outcome: NodeOutcome, detail: &str) -> Result<NodeRow, String> {
    Ok(NodeRow {
        node: node.parse().map_err(|error| format!("{error}"))?,
        outcome,
        joined: false,
        away: false,
        may_run_until: None,
        detail: detail.to_owned(),
        installed: Some(3),
        missing: None,
        failed: Some(0),
        patches: Some(patches()?),
    })
}

/// The names of patches. A store that drops them keeps the row without them.
fn patches() -> Result<PatchNames, String> {
    let json = r#"{
        "shortfall": "failed",
        "named": [{"id": "KB4480979", "title": "2019-01 Update", "classification": "SecurityUpdates", "severity": "Critical"}],
        "reported_at": "2026-03-01T22:10:00Z"
    }"#;
    serde_json::from_str(json).map_err(|error| error.to_string())
}

/// Sees that a sample is what it is meant to be: its bytes can be read.
pub(super) fn readable(record: &Record) -> Result<(), String> {
    let bytes = record.encode().told("making bytes of a record")?;
    match Record::decode(&bytes) {
        Ok(read) if read == *record => Ok(()),
        Ok(_) => Err("a sample is not read back as it was".to_owned()),
        Err(error) => Err(format!("a sample cannot be read: {error}")),
    }
}
