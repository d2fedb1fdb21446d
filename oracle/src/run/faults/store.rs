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

    /// A call of the log that may fail. In memory it takes effect when it is made.
    fn ask<T: Send + 'static>(
        &self,
        of: Of,
        call: impl FnOnce(&dyn CampaignLog) -> BoxFuture<'_, PortResult<T>>,
    ) -> BoxFuture<'_, PortResult<T>> {
        self.faults.call(of, || {
            let log = self.log.lock().unwrap().clone();
            let answer = now(call(&*log));
            Box::pin(std::future::ready(answer))
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
        let append = || {
            let log = self.log.lock().unwrap().clone();
            now(log.append(key, record))
        };
        match self.faults.strike(Of::Appends) {
            None => Box::pin(std::future::ready(append())),
            // It was made twice on the way, and the second one found the first.
            Some(How::Twice) => Box::pin(std::future::ready(append().map(|_| Appended::Conflict))),
            Some(how) => self.faults.befall(how, || Box::pin(std::future::ready(append()))),
        }
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        self.ask(Of::Reads, |log| log.read(key, from))
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.ask(Of::Reads, |log| log.keys())
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.ask(Of::Reads, |log| log.request_name(campaign))
    }

    fn first(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.ask(Of::Reads, |log| log.first(key))
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.ask(Of::Reads, |log| log.last(key))
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
        self.faults
            .call(Of::Rows, || self.rows.put(campaign, location, attempt, rows))
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        self.faults.call(Of::Rows, || self.rows.rows(campaign, location))
    }
}
