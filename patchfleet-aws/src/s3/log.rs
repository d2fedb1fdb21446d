//! Records as objects, one each.

use super::objects::{Listed, Objects, Only, Written};
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use patchfleet_core::campaign::{Appended, CampaignLog, Chain, LogKey, Record};
use patchfleet_core::id::{CampaignId, RequestName};
use patchfleet_core::port::{BoxFuture, PortError, PortErrorKind, PortResult};
use patchfleet_core::problem::chain;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};

/// How many records are read at once.
const AT_ONCE: usize = 16;
/// How much of record 0 is read for its request's name, which stands within the first kilobyte.
const BEGINNING: usize = 16 * 1024;
/// The object that shows that this is a place where logs may be kept.
const MARKER: &str = "patchfleet.txt";
const MARKER_TEXT: &str =
    "Below this prefix patchfleet remembers its campaigns. Do not change or delete single objects.\n";

/// Logs in a bucket, which any number of processes may use at once.
#[derive(Debug)]
pub(super) struct S3Log {
    objects: Objects,
    /// Where each log stood when it was last seen, so that an append does not read a record of megabytes again.
    ends: Mutex<BTreeMap<LogKey, End>>,
}

/// The last record of a log that was seen whole: which entity tag its object has, and what follows it.
#[derive(Debug, Clone)]
struct End {
    tag: String,
    chain: Chain,
}

impl S3Log {
    pub(super) fn new(objects: Objects) -> Self {
        Self {
            objects,
            ends: Mutex::default(),
        }
    }

    /// Tries each call that a campaign takes, before one is planned. Whatever is not allowed is told at once.
    async fn make(&self) -> PortResult<()> {
        let written = self.mark().await;
        if let Err(error) = &written
            && error.kind() != PortErrorKind::Denied
        {
            return written;
        }
        let read = self.objects.get(MARKER).await.map(|_| ());
        let listed = self.objects.list(MARKER, None, 1, |_| Some(())).await.map(|_| ());
        let mut denied = vec![];
        for tried in [written, read, listed] {
            match tried {
                Err(error) if error.kind() == PortErrorKind::Denied => denied.push(error),
                tried => tried?,
            }
        }
        let Some(last) = denied.pop() else {
            return Ok(());
        };
        if denied.is_empty() {
            return Err(last);
        }
        // What the caller needs is said once, and then what was denied.
        denied.push(last);
        let needs = denied.iter().map(ToString::to_string).next().unwrap_or_default();
        let each = denied.iter().filter_map(|error| Some(chain(error.source()?)));
        let each = each.collect::<Vec<_>>().join("; ");
        Err(PortError::new(PortErrorKind::Denied, needs).with_source(each))
    }

    /// Leaves the marker, once.
    async fn mark(&self) -> PortResult<()> {
        let put = || self.objects.put(MARKER, MARKER_TEXT.into(), Only::IfNew);
        if put().await? == Written::Not {
            return Ok(());
        }
        // S3 refuses the second time. What speaks its protocol and does not would let two campaigns have one name.
        match put().await? {
            Written::Not => Ok(()),
            Written::Yes(_) => {
                let message = format!(
                    "{} was written twice: this store does not keep `If-None-Match`, so no log is safe in it",
                    self.objects.shown(MARKER)
                );
                Err(PortError::new(PortErrorKind::Invalid, message))
            }
        }
    }

    async fn append(&self, log: LogKey, record: Record) -> PortResult<Appended> {
        let chain = match record.seq.checked_sub(1) {
            None => Chain::of(&log),
            Some(before) => match self.after(&log, before).await? {
                Some(chain) => chain,
                None => return Err(self.cut_short(&log, record.seq)),
            },
        };
        chain.check(&record).map_err(|error| {
            let message = format!(
                "{} is not the log that was read",
                self.objects.shown(&log.to_string())
            );
            PortError::new(PortErrorKind::Incompatible, message).with_source(error)
        })?;
        let written = self
            .objects
            .put(&object(&log, record.seq), record.encode()?, Only::IfNew)
            .await?;
        match written {
            Written::Yes(tag) => {
                self.remember(&log, tag, &record);
                Ok(Appended::Yes)
            }
            Written::Not => Ok(Appended::Conflict),
        }
    }

    /// What follows record `seq`; `None` if there is no such record. It is read again only if its object is another.
    async fn after(&self, log: &LogKey, seq: u64) -> PortResult<Option<Chain>> {
        let known = self
            .lock()
            .get(log)
            .filter(|end| end.chain.next_seq() == seq.saturating_add(1))
            .cloned();
        if let Some(End { tag, chain }) = known {
            match self.objects.tag(&object(log, seq)).await? {
                Some(there) if there == tag => return Ok(Some(chain)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
        Ok(self.record(log, seq).await?.map(|record| Chain::after(&record)))
    }

    /// Record `seq`; `None` if it is not there.
    async fn record(&self, log: &LogKey, seq: u64) -> PortResult<Option<Record>> {
        let name = object(log, seq);
        let Some(object) = self.objects.get(&name).await? else {
            return Ok(None);
        };
        let record = Record::decode(&object.bytes).map_err(|error| self.damaged(log, seq, error))?;
        if record.seq != seq {
            return Err(self.damaged(log, seq, format!("it holds record {}", record.seq)));
        }
        if seq == 0 {
            Chain::of(log)
                .check(&record)
                .map_err(|error| self.damaged(log, seq, error))?;
        }
        self.remember(log, object.tag, &record);
        Ok(Some(record))
    }

    async fn read(&self, log: LogKey, from: u64) -> PortResult<Vec<Record>> {
        // The one before is looked for as well: without it there are fewer records than were read before.
        let first = from.saturating_sub(1);
        let listed = self.numbers_from(&log, first, usize::MAX).await?.found;
        let mut next = listed
            .last()
            .map_or(from, |last| last.saturating_add(1))
            .max(from);
        let mut records: Vec<Record> = stream::iter(from..next)
            .map(|seq| {
                let log = &log;
                async move { self.record(log, seq).await?.ok_or_else(|| self.gap(log, seq)) }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        // A listing may be late.
        while let Some(record) = self.record(&log, next).await? {
            records.push(record);
            next = next.saturating_add(1);
        }
        for (before, record) in records.iter().zip(records.iter().skip(1)) {
            Chain::after(before)
                .check(record)
                .map_err(|error| self.damaged(&log, record.seq, error))?;
        }
        if from > 0 && records.is_empty() && !listed.contains(&first) {
            let is_there = self.objects.tag(&object(&log, first)).await?.is_some();
            if !is_there {
                return Err(self.cut_short(&log, from));
            }
        }
        Ok(records)
    }

    async fn keys(&self) -> PortResult<Vec<LogKey>> {
        let campaigns = self.objects.folders("campaigns/").await?;
        let names = self.objects.folders("names/").await?;
        // Whatever else lies in the bucket is not the log's.
        let campaigns = campaigns
            .iter()
            .filter_map(|id| id.parse().ok())
            .map(LogKey::Campaign);
        let names = names
            .iter()
            .filter_map(|name| name.parse().ok())
            .map(LogKey::Name);
        Ok(campaigns.chain(names).collect())
    }

    async fn request_name(&self, campaign: CampaignId) -> PortResult<Option<RequestName>> {
        let log = LogKey::Campaign(campaign);
        let beginning = self.objects.get_beginning(&object(&log, 0), BEGINNING).await?;
        if let Some(name) = beginning.and_then(|bytes| Record::request_name_in(&bytes)) {
            return Ok(Some(name));
        }
        let Some(first) = self.first(log.clone()).await? else {
            return Ok(None);
        };
        let name = first.request_name().cloned();
        name.map(Some)
            .ok_or_else(|| self.damaged(&log, 0, "it holds no plan"))
    }

    async fn first(&self, log: LogKey) -> PortResult<Option<Record>> {
        let first = self.record(&log, 0).await?;
        // Without its first record a log that has others is damaged.
        if first.is_none() && !self.numbers_from(&log, 0, 1).await?.found.is_empty() {
            return Err(self.gap(&log, 0));
        }
        Ok(first)
    }

    async fn last(&self, log: LogKey) -> PortResult<Option<Record>> {
        let mut last = self.last_number(&log).await?;
        let Some(seq) = last else {
            // A listing may be late.
            let mut found = self.record(&log, 0).await?;
            while let Some(next) = self.next(&log, found.as_ref()).await? {
                found = Some(next);
            }
            return Ok(found);
        };
        let mut record = self.record(&log, seq).await?.ok_or_else(|| self.gap(&log, seq))?;
        while let Some(next) = self.next(&log, Some(&record)).await? {
            last = Some(next.seq);
            record = next;
        }
        tracing::trace!(%log, last, "the last record was read");
        Ok(Some(record))
    }

    async fn next(&self, log: &LogKey, before: Option<&Record>) -> PortResult<Option<Record>> {
        match before {
            Some(before) => self.record(log, before.seq.saturating_add(1)).await,
            None => Ok(None),
        }
    }

    /// The greatest number that is listed. A log of more records than a page holds is not listed whole: steps that
    /// grow find a number beyond its end, and halving finds the end.
    async fn last_number(&self, log: &LogKey) -> PortResult<Option<u64>> {
        let page = self.numbers_from(log, 0, 1).await?;
        let Some(mut last) = page.found.last().copied() else {
            return Ok(None);
        };
        if page.is_all {
            return Ok(Some(last));
        }
        let mut step = 1_000_u64;
        let mut beyond = None;
        loop {
            let probe = match beyond {
                None => last.saturating_add(step),
                Some(beyond) if beyond <= last.saturating_add(1) => return Ok(Some(last)),
                Some(beyond) => last.midpoint(beyond).max(last.saturating_add(1)),
            };
            let page = self.numbers_from(log, probe, 1).await?;
            match page.found.last() {
                Some(&found) if page.is_all => return Ok(Some(found)),
                Some(&found) => last = found,
                None => beyond = Some(probe),
            }
            step = step.saturating_mul(4);
        }
    }

    /// The numbers that are listed from this one on: all of them, or whole pages until there are enough. Whatever else
    /// lies in the folder is not the log's.
    async fn numbers_from(&self, log: &LogKey, from: u64, enough: usize) -> PortResult<Listed<u64>> {
        let folder = format!("{log}/");
        let after = from.checked_sub(1).map(|before| object(log, before));
        let number = |name: &str| -> Option<u64> {
            let digits = name.strip_prefix(&folder)?.strip_suffix(".json")?;
            let seq = digits.parse().ok()?;
            (object(log, seq) == name).then_some(seq)
        };
        self.objects.list(&folder, after.as_deref(), enough, number).await
    }

    fn remember(&self, log: &LogKey, tag: Option<String>, record: &Record) {
        let chain = Chain::after(record);
        let mut ends = self.lock();
        match tag.filter(|tag| !tag.is_empty()) {
            Some(tag)
                if ends
                    .get(log)
                    .is_none_or(|end| end.chain.next_seq() <= chain.next_seq()) =>
            {
                ends.insert(log.clone(), End { tag, chain });
            }
            _ => {}
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<LogKey, End>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn damaged(&self, log: &LogKey, seq: u64, why: impl Into<Box<dyn Error + Send + Sync>>) -> PortError {
        let message = format!("{} cannot be read", self.objects.shown(&object(log, seq)));
        PortError::new(PortErrorKind::Incompatible, message).with_source(why)
    }

    fn gap(&self, log: &LogKey, seq: u64) -> PortError {
        let message = format!(
            "{} is missing, and later records are there",
            self.objects.shown(&object(log, seq))
        );
        PortError::new(PortErrorKind::Incompatible, message)
    }

    fn cut_short(&self, log: &LogKey, read: u64) -> PortError {
        let message = format!(
            "{} was cut short or deleted: {read} records were read from it before",
            self.objects.shown(&format!("{log}/"))
        );
        PortError::new(PortErrorKind::Incompatible, message)
    }
}

/// The name of a record's object. The number has its leading zeros, so that names are in order.
fn object(log: &LogKey, seq: u64) -> String {
    format!("{log}/{seq:020}.json")
}

impl CampaignLog for S3Log {
    fn make(&self) -> BoxFuture<'_, PortResult<()>> {
        self.make().boxed()
    }

    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.append(key.clone(), record.clone()).boxed()
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        self.read(key.clone(), from).boxed()
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.keys().boxed()
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.request_name(campaign).boxed()
    }

    fn first(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.first(key.clone()).boxed()
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.last(key.clone()).boxed()
    }
}
