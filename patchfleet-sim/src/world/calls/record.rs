//! What was called: the record behind `GET /_sim/requests`.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many calls are kept, unless somebody says otherwise. At about a kilobyte each they take some
/// 100 MB.
const KEPT: usize = 100_000;

/// One call.
#[derive(Debug, Clone, Serialize)]
pub struct RequestRecord {
    /// The account whose people or programs are behind it: where an assumed role was assumed from.
    /// Empty, like the next three, if the request does not say who sends it.
    pub principal_account: String,
    /// The caller's ARN.
    pub principal: String,
    /// The account in which it acted.
    pub account: String,
    /// The Region in which it acted.
    pub region: String,
    /// The service, as its requests are signed: `ssm`, `sts`, …; empty for one that is not simulated.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The input.
    pub input: Value,
    /// The HTTP status of the answer; 0 if a fault broke the connection before the call took effect.
    pub status: u16,
    /// The error's code, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The faults that struck it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// When, in virtual time.
    pub time: Timestamp,
}

/// The latest calls, and how often each operation was called in all.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    /// The latest calls, oldest first, and up to a quarter more before them. Old ones are dropped many
    /// at a time, so a call costs the same however many came before it.
    latest: Vec<RequestRecord>,
    keep: usize,
    /// Every call so far, kept or not.
    all: u64,
    by_operation: BTreeMap<String, u64>,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            latest: vec![],
            keep: KEPT,
            all: 0,
            by_operation: BTreeMap::new(),
        }
    }
}

impl Requests {
    /// Keeps only so many from now on.
    pub(super) fn keep(&mut self, most: usize) {
        self.keep = most;
        self.drop_oldest();
        self.latest.shrink_to_fit();
    }

    /// Whether any call is kept.
    pub(super) fn keeps(&self) -> bool {
        self.keep > 0
    }

    /// Counts a call. `action` is its operation as IAM names it, if it is one that is simulated.
    pub(super) fn count(&mut self, action: Option<&str>) {
        self.all = self.all.saturating_add(1);
        if let Some(action) = action {
            match self.by_operation.get_mut(action) {
                Some(count) => *count = count.saturating_add(1),
                None => drop(self.by_operation.insert(action.to_owned(), 1)),
            }
        }
    }

    /// Adds a call.
    pub(super) fn push(&mut self, record: RequestRecord, action: Option<&str>) {
        self.count(action);
        if !self.keeps() {
            return;
        }
        self.latest.push(record);
        if self.latest.len() > self.keep.saturating_add(self.keep / 4) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let surplus = self.latest.len().saturating_sub(self.keep);
        self.latest.drain(..surplus);
    }

    /// The latest calls, oldest first.
    pub(super) fn latest(&self) -> &[RequestRecord] {
        let surplus = self.latest.len().saturating_sub(self.keep);
        self.latest.get(surplus..).unwrap_or_default()
    }

    /// How many calls are kept no more.
    pub(super) fn dropped(&self) -> u64 {
        let kept = u64::try_from(self.latest().len()).unwrap_or(u64::MAX);
        self.all.saturating_sub(kept)
    }

    pub(super) fn by_operation(&self) -> &BTreeMap<String, u64> {
        &self.by_operation
    }
}
