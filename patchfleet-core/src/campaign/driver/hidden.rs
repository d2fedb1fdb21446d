//! What is said of a location that was given up, as nobody could see what the log may have lost there.

use super::Drive;
use crate::campaign::collect::Settlement;
use crate::campaign::dispatch::sent_since;
use crate::campaign::notice::Tried;
use crate::campaign::polls::later;
use crate::campaign::state::{RETENTION, StartState};
use crate::campaign::strays::Fits;
use crate::id::{Location, UnitId};
use crate::outcome::LocationOutcome;

/// The words for such a location.
pub(super) fn unseen_in_words(why: &str) -> String {
    format!("not begun by its log; {why}; what may have been begun there all the same has expired")
}

impl Drive<'_> {
    /// What a unit comes to whose location was given up; `None`: it was not.
    pub(super) fn never_seen(&self, unit: UnitId, location: &Location) -> Option<Settlement> {
        let start = &self.state.units().get(&unit)?.start;
        let why = self.memory.hidden(&self.state, unit)?;
        if !matches!(start, StartState::NotStarted) {
            return None;
        }
        let automation = self.driver.dispatcher(&self.state, unit);
        let job = self.job(&*automation, unit, location);
        Some(job.counted(LocationOutcome::Unresolved, unseen_in_words(why)))
    }

    /// What is known by now of a unit whose location was given up, or why nothing is; `None`: it was not. AWS has to show that nothing
    /// was sent to its nodes, as long as it keeps what was.
    pub(super) async fn seen_by_now(
        &self,
        id: UnitId,
        location: &Location,
    ) -> Option<Result<Settlement, String>> {
        let state = &self.state;
        let unit = state.units().get(&id)?;
        let at = unit.locations.get(location)?;
        let is_given_up = matches!(unit.start, StartState::NotStarted)
            && at.outcome() == Some(LocationOutcome::Unresolved)
            && state.is_sent_once();
        let detail = &at.settled.as_ref().filter(|_| is_given_up)?.detail;
        if self.now() >= later(state.planned_at(), RETENTION) {
            return Some(Err(detail.clone()));
        }
        let since = sent_since(state.planned_at());
        let look = || self.driver.sent_in(location, state.campaign(), since);
        let sent = self.patiently(Tried::Results, &location.to_string(), look).await;
        let sent = match sent {
            Ok(sent) => sent,
            Err(error) => return Some(Err(error.reason())),
        };
        let is_lost = |nodes| !unit.named.is_disjoint(nodes) || nodes.is_empty();
        let mut lost = sent.iter().filter(|stray| state.fits(stray) != Fits::Known);
        if let Some(stray) = lost.find(|stray| is_lost(&stray.nodes)) {
            return Some(Err(format!("the log has lost what became of {stray}")));
        }
        let automation = self.driver.dispatcher(state, id);
        let job = self.job(&*automation, id, location);
        let words = "not begun: nobody could see in time whether it had been begun before";
        Some(Ok(job.counted(LocationOutcome::NotStarted, words.to_owned())))
    }
}
