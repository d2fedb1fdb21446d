use futures_util::FutureExt as _;
use patchfleet_core::campaign::conformance::{Damage, Fault, Place, check_all};
use patchfleet_core::campaign::{Appended, CampaignLog, Chain, LogKey, NodeRows, Record, Store};
use patchfleet_core::id::{CampaignId, Location, RequestName};
use patchfleet_core::outcome::NodeRow;
use patchfleet_core::port::{BoxFuture, PortError, PortErrorKind, PortResult};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// A bucket of objects. Here it is a map; whoever has a real one sends requests instead.
#[derive(Clone, Default)]
struct Bucket {
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    trouble: Arc<Mutex<Option<Fault>>>,
}

impl Bucket {
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.objects.lock().unwrap().get(name).cloned()
    }

    fn put(&self, name: String, bytes: Vec<u8>) {
        self.objects.lock().unwrap().insert(name, bytes);
    }

    /// Puts an object unless there is one of its name, as with `If-None-Match: *`. Gives whether it was put.
    fn put_new(&self, name: String, bytes: Vec<u8>) -> PortResult<bool> {
        let trouble = self.trouble.lock().unwrap().take();
        if trouble == Some(Fault::NeverSent) {
            return Err(PortError::new(PortErrorKind::Unavailable, "no connection"));
        }
        let mut objects = self.objects.lock().unwrap();
        let is_new = !objects.contains_key(&name);
        objects.entry(name).or_insert(bytes);
        if trouble == Some(Fault::AnswerLost) {
            // The request is on its way, and nobody knows what became of it.
            let lost = PortError::new(PortErrorKind::Unavailable, "no answer");
            return Err(lost.maybe_sent());
        }
        Ok(is_new)
    }

    /// The names that begin so and do not come before `from`, in order.
    fn list(&self, prefix: &str, from: &str) -> Vec<String> {
        let objects = self.objects.lock().unwrap();
        let names = objects.range(from.max(prefix).to_owned()..).map(|(name, _)| name);
        names.take_while(|name| name.starts_with(prefix)).cloned().collect()
    }
}

/// One object for each record. The number has its leading zeros, so that names are in order.
fn object(log: &LogKey, seq: u64) -> String {
    format!("{log}/{seq:020}")
}

fn damaged(what: String) -> PortError {
    PortError::new(PortErrorKind::Incompatible, what)
}

impl Bucket {
    fn record(&self, log: &LogKey, seq: u64) -> PortResult<Option<Record>> {
        let name = object(log, seq);
        let Some(bytes) = self.get(&name) else {
            return Ok(None);
        };
        let record = Record::decode(&bytes).map_err(|error| damaged(name.clone()).with_source(error))?;
        match record.seq == seq {
            true => Ok(Some(record)),
            false => Err(damaged(format!("{name} holds record {}", record.seq))),
        }
    }

    fn append(&self, log: &LogKey, record: &Record) -> PortResult<Appended> {
        // The record before it has to be there, and to be the one that it follows.
        let chain = match record.seq.checked_sub(1) {
            None => Chain::of(log),
            Some(before) => match self.record(log, before)? {
                Some(before) => Chain::after(&before),
                None => return Err(damaged(format!("{} is missing", object(log, before)))),
            },
        };
        if let Err(error) = chain.check(record) {
            return Err(damaged(format!("{log} is not the log that was read")).with_source(error));
        }
        match self.put_new(object(log, record.seq), record.encode()?)? {
            true => Ok(Appended::Yes),
            false => Ok(Appended::Conflict),
        }
    }

    fn read(&self, log: &LogKey, from: u64) -> PortResult<Vec<Record>> {
        // The one before is looked for as well: without it there are fewer records than were read before.
        let first = from.saturating_sub(1);
        let names = self.list(&format!("{log}/"), &object(log, first));
        let (mut chain, mut records) = (None, vec![]);
        for (name, seq) in names.iter().zip(first..) {
            // A name that is not the next one leaves a gap.
            let record = self.record(log, seq)?.filter(|_| *name == object(log, seq));
            let record = record.ok_or_else(|| damaged(format!("{} is missing", object(log, seq))))?;
            let before = match (chain, seq) {
                (None, 0) => Some(Chain::of(log)),
                (before, _) => before,
            };
            if let Some(Err(error)) = before.map(|before: Chain| before.check(&record)) {
                return Err(damaged(name.clone()).with_source(error));
            }
            chain = Some(Chain::after(&record));
            records.extend((seq >= from).then_some(record));
        }
        if from > 0 && names.is_empty() {
            return Err(damaged(format!("{log} has fewer than {from} records")));
        }
        Ok(records)
    }

    fn keys(&self) -> Vec<LogKey> {
        let of = |name: &String| match name.split('/').collect::<Vec<_>>()[..] {
            ["campaigns", id, _] => id.parse().ok().map(LogKey::Campaign),
            ["names", name, _] => name.parse().ok().map(LogKey::Name),
            // Whatever else lies in the bucket is not the log's.
            _ => None,
        };
        let keys: BTreeSet<LogKey> = self.list("", "").iter().filter_map(of).collect();
        keys.into_iter().collect()
    }

    fn first(&self, log: &LogKey) -> PortResult<Option<Record>> {
        let first = self.record(log, 0)?;
        // Without its first record a log that has others is damaged.
        if first.is_none() && self.last(log)?.is_some() {
            return Err(damaged(format!("{} is missing", object(log, 0))));
        }
        Ok(first)
    }

    fn request_name(&self, campaign: CampaignId) -> PortResult<Option<RequestName>> {
        let Some(first) = self.first(&LogKey::Campaign(campaign))? else {
            return Ok(None);
        };
        let no_plan = || damaged(format!("record 0 of campaign {campaign} holds no plan"));
        first.request_name().cloned().map(Some).ok_or_else(no_plan)
    }

    fn last(&self, log: &LogKey) -> PortResult<Option<Record>> {
        let names = self.list(&format!("{log}/"), "");
        let seq = names.last().and_then(|name| name.rsplit('/').next()?.parse().ok());
        seq.map_or(Ok(None), |seq| self.record(log, seq))
    }
}

/// Calls of a map answer at once.
fn ready<T: Send + 'static>(answer: PortResult<T>) -> BoxFuture<'static, PortResult<T>> {
    std::future::ready(answer).boxed()
}

impl CampaignLog for Bucket {
    fn append(&self, log: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        ready(Bucket::append(self, log, record))
    }

    fn read(&self, log: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        ready(Bucket::read(self, log, from))
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        ready(Ok(Bucket::keys(self)))
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        ready(Bucket::request_name(self, campaign))
    }

    fn first(&self, log: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        ready(Bucket::first(self, log))
    }

    fn last(&self, log: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        ready(Bucket::last(self, log))
    }
}

fn rows_object(campaign: CampaignId, location: &Location) -> String {
    format!("rows/{campaign}/{}_{}", location.account, location.region)
}

impl Bucket {
    /// The rows that are kept, and of which attempt they are.
    fn kept(&self, campaign: CampaignId, location: &Location) -> PortResult<Option<(u32, Vec<NodeRow>)>> {
        let name = rows_object(campaign, location);
        let kept = self.get(&name).map(|bytes| serde_json::from_slice(&bytes));
        kept.transpose().map_err(|error| damaged(name).with_source(error))
    }
}

impl NodeRows for Bucket {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        mut rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        rows.sort_by(|one, other| one.node.cmp(&other.node));
        let newer = match self.kept(campaign, location) {
            Ok(kept) => kept.is_some_and(|(there, _)| there > attempt),
            // What is damaged is written over.
            Err(_) => false,
        };
        if !newer {
            let bytes = serde_json::to_vec(&(attempt, rows)).expect("rows have JSON");
            Bucket::put(self, rows_object(campaign, location), bytes);
        }
        ready(Ok(()))
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        ready(self.kept(campaign, location).map(|kept| kept.map_or(vec![], |(_, rows)| rows)))
    }
}

impl Place for Bucket {
    fn open(&self) -> BoxFuture<'_, PortResult<Store>> {
        ready(Ok(Store::new(Arc::new(self.clone()), Arc::new(self.clone()))))
    }

    fn fault(&self, fault: Fault) -> bool {
        *self.trouble.lock().unwrap() = Some(fault);
        true
    }

    fn damage(&self, damage: &Damage) -> bool {
        let mut objects = self.objects.lock().unwrap();
        let half = |bytes: &Vec<u8>| bytes[..bytes.len() / 2].to_vec();
        match damage {
            Damage::Flipped { log, seq } => {
                let bytes = objects.get_mut(&object(log, *seq)).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
            Damage::Emptied { log, seq } => objects.get_mut(&object(log, *seq)).unwrap().clear(),
            Damage::Removed { log, seq } => drop(objects.remove(&object(log, *seq))),
            Damage::Swapped { log, seq } => {
                let (one, other) = (object(log, *seq), object(log, seq + 1));
                let (first, second) = (objects[&one].clone(), objects[&other].clone());
                objects.extend([(one, second), (other, first)]);
            }
            Damage::CutShort { log, left } => {
                let prefix = format!("{log}/");
                objects.retain(|name, _| !name.starts_with(&prefix) || *name < object(log, *left));
            }
            Damage::Rows { campaign, location } => {
                let bytes = objects.get_mut(&rows_object(*campaign, location)).unwrap();
                *bytes = half(bytes);
            }
        }
        true
    }
}

/// The test of the store. It has every promise checked, and names those that are broken.
fn the_bucket_is_a_store() {
    let fresh = || -> Box<dyn Place> { Box::new(Bucket::default()) };
    let unchecked = check_all(&fresh).now_or_never().expect("a map answers at once");
    assert_eq!(unchecked.unwrap_or_else(|findings| panic!("{findings}")), []);
}
