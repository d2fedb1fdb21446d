//! The store with faults, and with a log that may lose its end.

use super::Faults;
use crate::draft::{How, Of};
use patchfleet_core::campaign::{Appended, CampaignLog, LogKey, NodeRows, Record, Store};
use patchfleet_core::id::{CampaignId, Location, RequestName};
use patchfleet_core::outcome::NodeRow;
use patchfleet_core::port::{BoxFuture, PortResult};
use std::sync::{Arc, Mutex};

/// A store whose calls may fail, and which may come to have an older state.
pub(in crate::run) struct FaultyStore {
    log: Arc<Mutex<Arc<dyn CampaignLog>>>,
    rows: Arc<dyn NodeRows>,
    faults: Faults,
}

impl FaultyStore {
    pub(in crate::run) fn new(log: Arc<dyn CampaignLog>, rows: Arc<dyn NodeRows>, faults: Faults) -> Self {
        Self {
            log: Arc::new(Mutex::new(log)),
            rows,
            faults,
        }
    }

    /// The same store, whose calls are all answered.
    pub(in crate::run) fn without_faults(&self) -> Self {
        Self {
            log: self.log.clone(),
            rows: self.rows.clone(),
            faults: self.faults.none(),
        }
    }

    /// A call of the log that may fail. It takes effect when it is waited for.
    fn ask<T: Send + 'static>(
        &self,
        of: Of,
        call: impl FnOnce(&dyn CampaignLog) -> BoxFuture<'_, PortResult<T>> + Send + 'static,
    ) -> BoxFuture<'_, PortResult<T>> {
        self.faults.call(of, || self.once_waited_for(call))
    }

    fn once_waited_for<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn CampaignLog) -> BoxFuture<'_, PortResult<T>> + Send + 'static,
    ) -> BoxFuture<'static, PortResult<T>> {
        let log = self.log.clone();
        Box::pin(async move {
            let log = log.lock().unwrap().clone();
            now(call(&*log))
        })
    }

    /// Puts the state back that the log had before so many of its last records, as long as drivers wrote these. Gives
    /// how many it lost.
    pub(in crate::run) fn restore(
        &self,
        key: &LogKey,
        records: usize,
        is_of_driver: impl Fn(&Record) -> bool,
    ) -> usize {
        let mut log = self.log.lock().unwrap();
        let older = Store::in_memory().log;
        let mut lost = 0;
        for one in now(log.keys()).unwrap() {
            let mut all = now(log.read(&one, 0)).unwrap();
            while one == *key && lost < records && all.last().is_some_and(&is_of_driver) {
                all.pop();
                lost += 1;
            }
            for record in &all {
                assert_eq!(now(older.append(&one, record)).unwrap(), Appended::Yes);
            }
        }
        *log = older;
        lost
    }
}

/// The answer of a store in memory, which waits for nothing.
fn now<T>(mut call: BoxFuture<'_, T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match call.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("a store in memory waits"),
    }
}

impl CampaignLog for FaultyStore {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        let (key, record) = (key.clone(), record.clone());
        let append = self.once_waited_for(move |log| {
            let answer = now(log.append(&key, &record));
            Box::pin(std::future::ready(answer))
        });
        match self.faults.strike(Of::Appends) {
            None => append,
            // It was made twice on the way, and the second one found the first.
            Some(How::Twice) => Box::pin(async move { append.await.map(|_| Appended::Conflict) }),
            Some(how) => self.faults.befall(how, || append),
        }
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        let key = key.clone();
        self.ask(Of::Reads, move |log| log.read(&key, from))
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.ask(Of::Reads, |log| log.keys())
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.ask(Of::Reads, move |log| log.request_name(campaign))
    }

    fn first(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        let key = key.clone();
        self.ask(Of::Reads, move |log| log.first(&key))
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        let key = key.clone();
        self.ask(Of::Reads, move |log| log.last(&key))
    }
}

impl NodeRows for FaultyStore {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        let (kept, location) = (self.rows.clone(), location.clone());
        self.faults.call(Of::Rows, || {
            Box::pin(async move { kept.put(campaign, &location, attempt, rows).await })
        })
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        let (kept, location) = (self.rows.clone(), location.clone());
        self.faults.call(Of::Rows, || {
            Box::pin(async move { kept.rows(campaign, &location).await })
        })
    }
}
