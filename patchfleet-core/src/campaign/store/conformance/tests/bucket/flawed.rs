//! Stores that break one promise each.

use super::*;
use crate::campaign::Event;
use crate::campaign::tests::world::give_way;
use crate::port::Sent;
use jiff::Timestamp;

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    SwallowsAppends,
    AcceptsTheSecond,
    Overwrites,
    RefusesTheSecond,
    LeavesGaps,
    FollowsAnything,
    LooksThenPuts,
    SaysNotSent,
    SaysKept,
    IgnoresFrom,
    IsEmptyPastTheEnd,
    Reorders,
    SortsAsText,
    LosesTheLast,
    RemembersItsFirstRead,
    MakesWhatItReads,
    ListsUnread,
    HasNoNames,
    GivesTheFirstAsLast,
    GivesTheLastAsFirst,
    DamagedFirstIsNone,
    RoundsTimes,
    TrimsTexts,
    RefusesLarge,
    ReadsOnePage,
    ListsOnePage,
    FoldsCase,
    MixesPrefixes,
    ListsNothing,
    ListsCampaignsAlone,
    ListsAsAtFirst,
    ListsTwice,
    SharesNothing,
    DropsTheLastWhenOpened,
    SkipsDamaged,
    StopsAtDamage,
    AppendsToDamaged,
    BlamesTheNetwork,
    LastPutWins,
    FirstPutWins,
    MergesRows,
    ComparesAttemptsAsTexts,
    KeepsTheirOrder,
    KeepsRowsByRegion,
    KeepsRowsByLocation,
    DamagedRowsAreNone,
    DamagedRowsStay,
}

use Flaw as F;

/// A place whose stores have a flaw.
#[derive(Clone)]
pub(super) struct Flawed {
    pub(super) flaw: Flaw,
    bucket: Bucket,
}

/// A handle on such a store.
struct Handle {
    of: Flawed,
    read: Mutex<BTreeMap<LogKey, Vec<Record>>>,
    listed: Mutex<Option<Vec<LogKey>>>,
}

fn other(kind: PortErrorKind) -> PortError {
    PortError::new(kind, "by its flaw")
}

impl Handle {
    fn has(&self, flaw: Flaw) -> bool {
        self.of.flaw == flaw
    }

    /// As which log this one is kept.
    fn kept_as(&self, log: &LogKey) -> LogKey {
        match log {
            LogKey::Name(name) if self.has(F::FoldsCase) => {
                LogKey::Name(name.as_str().to_lowercase().parse().unwrap())
            }
            log => log.clone(),
        }
    }

    async fn append(&self, log: &LogKey, record: &Record) -> PortResult<Appended> {
        let (bucket, name) = (&self.of.bucket, object(log, record.seq));
        let there = bucket.get(&name);
        match self.of.flaw {
            F::SwallowsAppends => return Ok(Appended::Yes),
            F::Overwrites if there.is_some() => {
                bucket.put(name, record.encode()?);
                return Ok(Appended::Yes);
            }
            F::LeavesGaps if there.is_none() => {
                bucket.put(name, record.encode()?);
                return Ok(Appended::Yes);
            }
            F::FollowsAnything | F::AppendsToDamaged => {
                let before = record.seq.checked_sub(1).map(|before| object(log, before));
                let is_next = before.is_none_or(|before| bucket.get(&before).is_some());
                let follows =
                    self.has(F::FollowsAnything) || bucket.record(log, record.seq.saturating_sub(1)).is_err();
                if there.is_none() && is_next && follows {
                    bucket.put(name, record.encode()?);
                    return Ok(Appended::Yes);
                }
            }
            F::LooksThenPuts => {
                if there.is_some() {
                    return Ok(Appended::Conflict);
                }
                give_way().await;
                bucket.put(name, record.encode()?);
                return Ok(Appended::Yes);
            }
            F::RefusesLarge if record.encode()?.len() > 400_000 => {
                return Err(other(PortErrorKind::LimitExceeded));
            }
            _ => {}
        }
        match (self.of.flaw, bucket.append(log, record)) {
            (F::AcceptsTheSecond, Ok(Appended::Conflict)) => Ok(Appended::Yes),
            (F::RefusesTheSecond, Ok(Appended::Conflict)) => Err(other(PortErrorKind::Invalid)),
            (F::SaysNotSent, Err(error)) if error.sent() == Sent::Maybe => Err(other(error.kind())),
            (F::SaysKept, Err(error)) if error.kind() == PortErrorKind::Unavailable => Ok(Appended::Yes),
            (_, answer) => answer,
        }
    }

    fn read(&self, log: &LogKey, from: u64) -> PortResult<Vec<Record>> {
        let bucket = &self.of.bucket;
        let whole = |bucket: &Bucket| bucket.read(log, 0);
        let skipped =
            |records: Vec<Record>| records.into_iter().filter(|record| record.seq >= from).collect();
        // Every record that can be read, with or without what stands between.
        let seqs = bucket.list(&format!("{log}/"), "").len() as u64;
        let readable = (0..seqs).map(|seq| bucket.record(log, seq));
        let mut records: Vec<Record> = match self.of.flaw {
            F::IgnoresFrom if from > 0 => whole(bucket)?,
            F::IsEmptyPastTheEnd => skipped(whole(bucket)?),
            F::SkipsDamaged => skipped(readable.filter_map(|record| record.ok().flatten()).collect()),
            F::StopsAtDamage => skipped(readable.map_while(|record| record.ok().flatten()).collect()),
            F::MixesPrefixes => {
                let all = bucket
                    .keys()
                    .into_iter()
                    .filter(|key| key.to_string().starts_with(&log.to_string()));
                let all: Vec<Record> = all.flat_map(|key| bucket.read(&key, 0).unwrap()).collect();
                skipped(all)
            }
            F::BlamesTheNetwork => bucket
                .read(log, from)
                .map_err(|_| other(PortErrorKind::Unavailable))?,
            F::MakesWhatItReads => {
                if bucket.list(&format!("{log}/"), "").is_empty() {
                    bucket.put(format!("{log}/made"), vec![]);
                }
                vec![]
            }
            _ => bucket.read(log, from)?,
        };
        match self.of.flaw {
            F::Reorders => records.reverse(),
            F::SortsAsText => records.sort_by_key(|record| record.seq.to_string()),
            F::LosesTheLast => drop(records.pop()),
            F::ReadsOnePage => records.truncate(1_000),
            F::RemembersItsFirstRead if from == 0 => {
                let mut read = self.read.lock().unwrap();
                records = read.entry(log.clone()).or_insert(records).clone();
            }
            F::RoundsTimes => {
                for record in &mut records {
                    record.at = Timestamp::new(record.at.as_second(), 0).unwrap();
                }
            }
            F::TrimsTexts => {
                for event in records.iter_mut().flat_map(|record| &mut record.events) {
                    if let Event::StartDeferred { detail, .. } = event {
                        *detail = detail.trim().to_owned();
                    }
                }
            }
            _ => {}
        }
        Ok(records)
    }

    fn keys(&self) -> Vec<LogKey> {
        let mut keys = self.of.bucket.keys();
        match self.of.flaw {
            F::ListsNothing => keys.clear(),
            F::ListsOnePage => keys.truncate(1_000),
            F::ListsCampaignsAlone => keys.retain(|key| matches!(key, LogKey::Campaign(_))),
            F::ListsTwice => keys.extend(keys.clone()),
            F::ListsAsAtFirst => keys = self.listed.lock().unwrap().get_or_insert(keys).clone(),
            F::ListsUnread => keys.push(LogKey::Campaign(CampaignId::from_uuid(uuid::Uuid::from_u128(77)))),
            _ => {}
        }
        keys
    }
}

impl CampaignLog for Handle {
    fn append(&self, log: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        let (log, record) = (self.kept_as(log), record.clone());
        async move { Handle::append(self, &log, &record).await }.boxed()
    }

    fn read(&self, log: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        let log = self.kept_as(log);
        async move {
            give_way().await;
            Handle::read(self, &log, from)
        }
        .boxed()
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        ready(Ok(Handle::keys(self)))
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        match self.of.flaw {
            F::HasNoNames => ready(Ok(None)),
            _ => ready(self.of.bucket.request_name(campaign)),
        }
    }

    fn first(&self, log: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        let log = self.kept_as(log);
        ready(match self.of.flaw {
            F::GivesTheLastAsFirst => self.of.bucket.last(&log),
            F::DamagedFirstIsNone => Ok(self.of.bucket.first(&log).ok().flatten()),
            _ => self.of.bucket.first(&log),
        })
    }

    fn last(&self, log: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        let log = self.kept_as(log);
        ready(match self.of.flaw {
            F::GivesTheFirstAsLast => self.of.bucket.record(&log, 0),
            _ => self.of.bucket.last(&log),
        })
    }
}

impl NodeRows for Handle {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        mut rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        let (bucket, kept) = (&self.of.bucket, self.of.bucket.kept(campaign, location));
        let there = kept.as_ref().ok().and_then(Clone::clone);
        let before = there.as_ref().map(|(attempt, _)| *attempt);
        let name = self.rows_object(campaign, location);
        let put = |attempt: u32, rows: &[NodeRow]| {
            let bytes = serde_json::to_vec(&(attempt, rows)).unwrap();
            bucket.put(name.clone(), bytes);
        };
        match self.of.flaw {
            F::LastPutWins | F::KeepsRowsByRegion | F::KeepsRowsByLocation => put(attempt, &rows),
            F::KeepsTheirOrder => put(attempt, &rows),
            F::FirstPutWins if before == Some(attempt) => {}
            F::ComparesAttemptsAsTexts => {
                if before.is_none_or(|before| before.to_string() <= attempt.to_string()) {
                    put(attempt, &rows);
                }
            }
            F::DamagedRowsStay if kept.is_err() => return ready(kept.map(|_| ())),
            F::MergesRows if before.is_some_and(|before| before <= attempt) => {
                rows.extend(there.unwrap_or_default().1);
                rows.sort_by(|one, other| one.node.cmp(&other.node));
                rows.dedup_by(|one, other| one.node == other.node);
                put(attempt, &rows);
            }
            _ => return NodeRows::put(bucket, campaign, location, attempt, rows),
        }
        ready(Ok(()))
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        let bytes = self.of.bucket.get(&self.rows_object(campaign, location));
        match self.of.flaw {
            F::KeepsRowsByRegion | F::KeepsRowsByLocation => {
                let rows =
                    bytes.map(|bytes| serde_json::from_slice::<(u32, Vec<NodeRow>)>(&bytes).unwrap().1);
                ready(Ok(rows.unwrap_or_default()))
            }
            F::DamagedRowsAreNone if self.of.bucket.kept(campaign, location).is_err() => ready(Ok(vec![])),
            _ => NodeRows::rows(&self.of.bucket, campaign, location),
        }
    }
}

impl Handle {
    fn rows_object(&self, campaign: CampaignId, location: &Location) -> String {
        match self.of.flaw {
            F::KeepsRowsByRegion => format!("rows/{campaign}/{}", location.region),
            F::KeepsRowsByLocation => format!("rows/{}_{}", location.account, location.region),
            _ => rows_object(campaign, location),
        }
    }
}

impl Place for Flawed {
    fn open(&self) -> BoxFuture<'_, PortResult<Store>> {
        let mut of = self.clone();
        match self.flaw {
            F::SharesNothing => of.bucket = Bucket::default(),
            F::DropsTheLastWhenOpened => {
                for log in of.bucket.keys() {
                    let last = of.bucket.list(&format!("{log}/"), "").pop().unwrap();
                    of.bucket.objects.lock().unwrap().remove(&last);
                }
            }
            _ => {}
        }
        let handle = Arc::new(Handle {
            of,
            read: Mutex::default(),
            listed: Mutex::default(),
        });
        ready(Ok(Store::new(handle.clone(), handle)))
    }

    fn fault(&self, fault: Fault) -> bool {
        self.bucket.fault(fault)
    }

    fn damage(&self, damage: &Damage) -> bool {
        self.bucket.damage(damage)
    }
}

pub(super) fn flawed(flaw: Flaw) -> Flawed {
    Flawed {
        flaw,
        bucket: Bucket::default(),
    }
}
