//! A log of which a process keeps what it has read.
//!
//! Records never change once they are written, so a function that is called every minute reads only what is new. What is
//! new is still held to the chain: it has to follow the last record that is kept.

use super::{Appended, CampaignLog, Chain, LogKey};
use crate::campaign::Record;
use crate::id::{CampaignId, RequestName};
use crate::port::{BoxFuture, PortErrorKind, PortResult};
use futures_util::FutureExt as _;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A log, and what was read of it and appended to it before.
pub(super) struct KeptLog {
    inner: Arc<dyn CampaignLog>,
    /// How many bytes of records are kept at most, as they are encoded.
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    logs: BTreeMap<LogKey, Beginning>,
    bytes: usize,
    /// Counts up with each use.
    turn: u64,
}

/// The first records of a log, without a gap.
#[derive(Default)]
struct Beginning {
    records: Vec<Arc<Record>>,
    bytes: usize,
    used: u64,
}

impl KeptLog {
    pub(super) fn new(inner: Arc<dyn CampaignLog>, most: usize) -> Self {
        Self {
            inner,
            most,
            kept: Mutex::default(),
        }
    }

    async fn read(&self, key: LogKey, from: u64) -> PortResult<Vec<Record>> {
        let kept = self.kept().beginning(&key);
        let known = kept.len();
        let Some(after) = usize::try_from(from).ok().and_then(|from| kept.get(from..)) else {
            // More was read from it than is kept.
            return self.inner.read(&key, from).await;
        };
        let Some(last) = kept.last() else {
            let records = self.inner.read(&key, from).await?;
            self.keep(&key, known, &records);
            return Ok(records);
        };
        let chain = Chain::after(last);
        let news = match self.inner.read(&key, chain.next_seq()).await {
            Err(error) if error.kind() == PortErrorKind::Incompatible => {
                self.kept().forget(&key);
                return match key {
                    LogKey::Campaign(_) => Err(error),
                    // A name's log that is gone was moved away by somebody: what is open is seen in the campaigns' logs.
                    LogKey::Name(_) => self.inner.read(&key, from).await,
                };
            }
            news => news?,
        };
        if news.first().is_some_and(|first| chain.check(first).is_err()) {
            // It is not the log that was read. Whoever reads it whole sees what is wrong.
            self.kept().forget(&key);
            return self.inner.read(&key, from).await;
        }
        self.keep(&key, known, &news);
        let records = after.iter().map(|record| Record::clone(record));
        Ok(records.chain(news).collect())
    }

    async fn append(&self, key: LogKey, record: Record) -> PortResult<Appended> {
        let appended = self.inner.append(&key, &record).await?;
        if let (Appended::Yes, Ok(before)) = (appended, usize::try_from(record.seq)) {
            self.keep(&key, before, &[record]);
        }
        Ok(appended)
    }

    /// Keeps records that follow the first `before` of a log, if those are all that is kept of it.
    fn keep(&self, key: &LogKey, before: usize, records: &[Record]) {
        let sized = records
            .iter()
            .map(|record| Some((record, record.encode().ok()?.len())));
        let Some(sized) = sized.collect::<Option<Vec<_>>>() else {
            return;
        };
        self.kept().keep(key, before, &sized, self.most);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn beginning(&mut self, key: &LogKey) -> Vec<Arc<Record>> {
        self.turn += 1;
        let Some(known) = self.logs.get_mut(key) else {
            return vec![];
        };
        known.used = self.turn;
        known.records.clone()
    }

    fn keep(&mut self, key: &LogKey, before: usize, records: &[(&Record, usize)], most: usize) {
        self.turn += 1;
        let (there, held) = self
            .logs
            .get(key)
            .map_or((0, 0), |known| (known.records.len(), known.bytes));
        let more = records
            .iter()
            .fold(0_usize, |sum, (_, bytes)| sum.saturating_add(*bytes));
        if there != before || records.is_empty() {
            return;
        }
        if held.saturating_add(more) > most {
            // It would push out all others, and then itself.
            self.forget(key);
            return;
        }
        let known = self.logs.entry(key.clone()).or_default();
        known.used = self.turn;
        for (record, bytes) in records {
            known.records.push(Arc::new(Record::clone(record)));
            known.bytes = known.bytes.saturating_add(*bytes);
            self.bytes = self.bytes.saturating_add(*bytes);
        }
        // The one that nobody has used for the longest time goes first.
        while self.bytes > most {
            let oldest = self.logs.iter().min_by_key(|(_, known)| known.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, key: &LogKey) {
        if let Some(known) = self.logs.remove(key) {
            self.bytes = self.bytes.saturating_sub(known.bytes);
        }
    }
}

impl CampaignLog for KeptLog {
    fn make(&self) -> BoxFuture<'_, PortResult<()>> {
        self.inner.make()
    }

    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.append(key.clone(), record.clone()).boxed()
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        self.read(key.clone(), from).boxed()
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.inner.keys()
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.inner.request_name(campaign)
    }

    fn first(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.inner.first(key)
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.inner.last(key)
    }
}

#[cfg(test)]
mod tests;
