//! How many calls a second an operation takes: one bucket for each account, Region and operation.

use crate::world::{World, after};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::id::{AccountId, Region};

const NANOS: f64 = 1e9;

impl World {
    /// Takes a call from the bucket; false if there is none left.
    pub(crate) fn take_call(&mut self, account: &AccountId, region: &Region, action: &str) -> bool {
        let Some(rate) = self
            .calls
            .rates
            .get(action)
            .or_else(|| self.calls.rates.get("*"))
            .copied()
        else {
            return true;
        };
        // What is kept of a bucket is the instant at which it will be full again.
        let cost = SignedDuration::from_nanos(whole(NANOS / rate.per_second()));
        let room = SignedDuration::from_nanos(whole(NANOS * rate.burst() / rate.per_second()));
        let name = format!("{account}/{region}/{action}");
        let full_at = self.calls.full_at.get(&name).copied().unwrap_or(Timestamp::MIN);
        let full_at = after(full_at.max(self.now()), cost);
        if full_at > after(self.now(), room) {
            return false;
        }
        self.calls.full_at.insert(name, full_at);
        true
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
fn whole(nanos: f64) -> i64 {
    nanos.round() as i64
}
