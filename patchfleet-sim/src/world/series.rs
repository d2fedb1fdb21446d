//! Numbers in series. Series are per location or finer, so that what happens in one account numbers
//! nothing in another.

use std::collections::BTreeMap;

/// The last number of each series.
#[derive(Debug, Default)]
pub(super) struct Series {
    last: BTreeMap<String, u64>,
}

impl Series {
    /// The next number of a series, from 1.
    pub(super) fn next(&mut self, series: &str) -> u64 {
        let last = match self.last.get_mut(series) {
            Some(last) => last,
            None => self.last.entry(series.to_owned()).or_default(),
        };
        *last = last.saturating_add(1);
        *last
    }
}
