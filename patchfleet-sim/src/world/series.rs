//! Numbers in series. Series are per location or finer, so that what happens in one account numbers
//! nothing in another.

use super::lookup::Lookup;

/// The last number of each series.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    last: Lookup<String, u64>,
}

impl Series {
    /// The next number of a series, from 1.
    pub(super) fn next(&mut self, series: &str) -> u64 {
        let last = match self.last.get_mut(series) {
            Some(last) => last,
            None => self.last.made(series.to_owned()),
        };
        *last = last.saturating_add(1);
        *last
    }
}
