//! Calls: which come through, and the record of them.

mod fault;
mod rate;
mod record;

pub use fault::Fault;
pub(crate) use fault::Struck;
pub use record::RequestRecord;

use super::{World, lookup::Lookup};
use crate::spec::RateSpec;
use jiff::Timestamp;
use record::Requests;
use std::collections::BTreeMap;

/// The faults and rates that calls meet, and the record of calls.
#[derive(Debug, Clone)]
pub(in crate::world) struct Calls {
    faults: Vec<Fault>,
    /// Query errors that a fault adds to the listing of the call in progress.
    query_errors: Vec<String>,
    /// Calls a second, by action.
    rates: BTreeMap<String, RateSpec>,
    /// When each bucket of calls is full again.
    full_at: Lookup<String, Timestamp>,
    requests: Requests,
}

impl Calls {
    /// No calls so far, and no faults.
    pub(in crate::world) fn new(rates: BTreeMap<String, RateSpec>) -> Self {
        Self {
            faults: vec![],
            query_errors: vec![],
            rates,
            full_at: Lookup::default(),
            requests: Requests::default(),
        }
    }
}

impl World {
    /// The latest calls, in the order in which they came: 100,000 of them, unless
    /// [`World::keep_requests`] says otherwise.
    #[must_use]
    pub fn requests(&self) -> &[RequestRecord] {
        self.calls.requests.latest()
    }

    /// How many calls came before those of [`World::requests`].
    #[must_use]
    pub fn dropped_requests(&self) -> u64 {
        self.calls.requests.dropped()
    }

    /// How often each operation was called so far, as IAM names it (`ssm:SendCommand`). Calls that are no longer
    /// kept count as well.
    #[must_use]
    pub fn calls(&self) -> &BTreeMap<String, u64> {
        self.calls.requests.by_operation()
    }

    /// Keeps the latest `most` calls from now on, and drops the others. A call takes about a
    /// kilobyte.
    pub fn keep_requests(&mut self, most: usize) {
        self.calls.requests.keep(most);
    }

    /// Puts a call on record. `action` is its operation as IAM names it, if it is one that is simulated.
    pub(crate) fn record(&mut self, request: RequestRecord, action: Option<&str>) {
        self.calls.requests.push(request, action);
    }

    /// Whether any call is kept.
    pub(crate) fn keeps_requests(&self) -> bool {
        self.calls.requests.keeps()
    }

    /// Counts a call that is not kept.
    pub(crate) fn count_call(&mut self, action: Option<&str>) {
        self.calls.requests.count(action);
    }

    /// Query errors that a fault adds to the listing of the call in progress.
    pub(crate) fn query_errors(&self) -> &[String] {
        &self.calls.query_errors
    }

    /// Says with which query errors the next listing answers.
    pub(crate) fn answer_with_query_errors(&mut self, codes: &[String]) {
        self.calls.query_errors = codes.to_vec();
    }
}
