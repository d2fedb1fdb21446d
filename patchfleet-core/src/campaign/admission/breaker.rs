//! Nothing more is begun once a breaker has tripped.

use super::{HoldReason, Verdict};
use crate::campaign::State;
use crate::id::UnitId;
use jiff::Timestamp;

/// Never, once a breaker has tripped: the campaign is stopped then. A unit waits while locations have ended whose results may
/// trip one and are not read.
pub(in crate::campaign) fn verdict(state: &State, _unit: UnitId, _now: Timestamp) -> Verdict {
    if state.breaker_stop().is_some() {
        return Verdict::Never;
    }
    match state.may_trip() {
        0 => Verdict::Begin,
        locations => Verdict::Hold {
            reason: HoldReason::Results { locations },
            until: None,
        },
    }
}
