//! How long a node took in a campaign that is over, for the forecast of the next one.

use super::{StartState, State, UnitState};
use crate::budget::Seconds;
use crate::outcome::NodeOutcome;
use crate::plan::{AROUND, LearnedPace};
use crate::request::PatchRequest;
use jiff::Timestamp;

impl State {
    /// What the campaign says of how long a node takes in one of this request; `None` if it says nothing.
    ///
    /// Only its starts count in which every node was patched or scanned: a node that does not answer keeps its command alive for
    /// hours. A campaign says nothing if it is open, did something else (a Scan tells nothing of an Install) or retried another
    /// one.
    pub(crate) fn pace_for(&self, request: &PatchRequest) -> Option<LearnedPace> {
        self.pace_around(request, AROUND)
    }

    /// The same, where a location takes so long beside the patching of its nodes.
    pub(in crate::campaign) fn pace_around(
        &self,
        request: &PatchRequest,
        around: Seconds,
    ) -> Option<LearnedPace> {
        let is_same = self.plan.request.patch.operation == request.patch.operation;
        if !is_same || self.plan.retries.is_some() || self.finished.is_none() {
            return None;
        }
        let took = |id| self.units.get(&id).and_then(UnitState::took);
        LearnedPace::of(self.campaign, &self.plan, took, around)
    }
}

impl UnitState {
    /// From the start of a unit until its last location had settled; `None` if it is no example for others.
    fn took(&self) -> Option<Seconds> {
        let StartState::Started { at, .. } = &self.start else {
            return None;
        };
        let is_other = self.is_part || self.was_sent_again || self.waits || self.stop.is_some();
        if is_other || !self.away.is_empty() || self.refused_attempts > 0 {
            return None;
        }
        let mut ended: Option<Timestamp> = None;
        for location in self.locations.values() {
            let settled = location.settled.as_ref().filter(|_| !location.waits)?;
            let nodes = &settled.nodes;
            let patched = [
                NodeOutcome::Done,
                NodeOutcome::PendingReboot,
                NodeOutcome::Missing,
                NodeOutcome::Failed,
            ];
            let patched: u32 = patched.into_iter().map(|one| nodes.count(one)).sum();
            if patched == 0 || patched != nodes.total() {
                return None;
            }
            ended = ended.max(Some(settled.at));
        }
        let took = ended?.duration_since(*at).as_secs();
        u64::try_from(took).ok().map(Seconds::new)
    }
}
