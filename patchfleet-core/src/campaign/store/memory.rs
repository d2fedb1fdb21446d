//! A campaign log and node rows in memory: for tests, simulations and dry runs.

use crate::campaign::Record;
use crate::campaign::{Appended, CampaignLog, Chain, ChainError, LogKey, NodeRows};
use crate::id::{CampaignId, Location, RequestName};
use crate::outcome::NodeRow;
use crate::port::{BoxFuture, PortError, PortErrorKind, PortResult};
use futures_util::FutureExt as _;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Logs that last as long as the value. Clones share nothing: hold it in an `Arc`.
#[derive(Debug, Default)]
pub(crate) struct MemoryLog {
    logs: Mutex<BTreeMap<LogKey, Log>>,
}

/// The records of one log.
#[derive(Debug)]
struct Log {
    records: Vec<Record>,
    /// What the next record has to follow.
    chain: Chain,
}

impl Log {
    fn of(key: &LogKey) -> Self {
        Self {
            records: vec![],
            chain: Chain::of(key),
        }
    }

    fn append(&mut self, record: &Record) -> Result<(), ChainError> {
        self.chain.take(record)?;
        self.records.push(record.clone());
        Ok(())
    }
}

impl MemoryLog {
    /// No log at all.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Cuts a log off after so many records, as a person's hand may.
    #[cfg(test)]
    pub(in crate::campaign) fn cut(&self, key: &LogKey, records: usize) {
        let mut logs = lock(&self.logs);
        let log = logs.entry(key.clone()).or_insert_with(|| Log::of(key));
        log.records.truncate(records);
        log.chain = log.records.last().map_or_else(|| Chain::of(key), Chain::after);
    }

    /// Takes a log away as a whole.
    #[cfg(test)]
    pub(in crate::campaign) fn take_away(&self, key: &LogKey) {
        lock(&self.logs).remove(key);
    }
}

impl CampaignLog for MemoryLog {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        let mut logs = lock(&self.logs);
        let log = logs.entry(key.clone()).or_insert_with(|| Log::of(key));
        let there = log.chain.next_seq();
        let appended = match record.seq.cmp(&there) {
            Ordering::Less => Ok(Appended::Conflict),
            Ordering::Equal => {
                let appended = log.append(record).map(|()| Appended::Yes);
                appended.map_err(|error| {
                    let message = format!("the log {key} is not the one that was read");
                    PortError::new(PortErrorKind::Incompatible, message).with_source(error)
                })
            }
            Ordering::Greater => Err(PortError::new(
                PortErrorKind::Incompatible,
                format!(
                    "record {} is the next one to the writer, and the log has {there}",
                    record.seq
                ),
            )),
        };
        std::future::ready(appended).boxed()
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        let logs = lock(&self.logs);
        let all = logs.get(key).map_or(&[][..], |log| log.records.as_slice());
        let read = usize::try_from(from).ok().and_then(|from| all.get(from..));
        let read = read.map(<[Record]>::to_vec).ok_or_else(|| {
            let message =
                format!("the log {key} was cut short or deleted: {from} records were read from it before");
            PortError::new(PortErrorKind::Incompatible, message)
        });
        std::future::ready(read).boxed()
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        let logs = lock(&self.logs);
        std::future::ready(Ok(logs.keys().cloned().collect())).boxed()
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        let logs = lock(&self.logs);
        let first = logs
            .get(&LogKey::Campaign(campaign))
            .and_then(|log| log.records.first());
        let name = first.map(|record| {
            record.request_name().cloned().ok_or_else(|| {
                let message = format!("record 0 of campaign {campaign} holds no plan");
                PortError::new(PortErrorKind::Incompatible, message)
            })
        });
        std::future::ready(name.transpose()).boxed()
    }

    fn first(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        let logs = lock(&self.logs);
        let first = logs.get(key).and_then(|log| log.records.first());
        std::future::ready(Ok(first.cloned())).boxed()
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        let logs = lock(&self.logs);
        let last = logs.get(key).and_then(|log| log.records.last());
        std::future::ready(Ok(last.cloned())).boxed()
    }
}

/// Node rows that last as long as the value.
#[derive(Debug, Default)]
pub(crate) struct MemoryRows {
    rows: Mutex<BTreeMap<(CampaignId, Location), Kept>>,
}

/// The rows of a location, and the attempt that they are of.
#[derive(Debug, Default)]
struct Kept {
    attempt: u32,
    rows: Vec<NodeRow>,
}

impl MemoryRows {
    /// No row at all.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }
}

impl NodeRows for MemoryRows {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        mut rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        rows.sort_by(|a, b| a.node.cmp(&b.node));
        let mut kept = lock(&self.rows);
        let entry = kept.entry((campaign, location.clone())).or_default();
        if attempt >= entry.attempt {
            *entry = Kept { attempt, rows };
        }
        std::future::ready(Ok(())).boxed()
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        let kept = lock(&self.rows);
        let rows = kept
            .get(&(campaign, location.clone()))
            .map(|kept| kept.rows.clone());
        std::future::ready(Ok(rows.unwrap_or_default())).boxed()
    }
}

/// A panic elsewhere leaves nothing half done under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
