//! Nothing begins while a freeze holds, nor what might not be through when one begins.

use super::{HoldReason, Verdict};
use crate::campaign::State;
use crate::id::UnitId;
use jiff::Timestamp;

/// A unit waits for the end of a freeze. It also waits where its command could still begin nodes in the next one, unless the
/// request lets what runs finish ([`Plan::frozen`](crate::plan::Plan)).
pub(in crate::campaign) fn verdict(state: &State, _unit: UnitId, now: Timestamp) -> Verdict {
    match state.plan().frozen(now) {
        None => Verdict::Begin,
        Some(frozen) => Verdict::Hold {
            until: frozen.until,
            reason: HoldReason::Freeze {
                name: frozen.name.to_string(),
                begins: frozen.begins,
                until: frozen.until,
            },
        },
    }
}
