//! What the last campaign of a request could not begin before its window closed.

use super::retry::left;
use super::{CampaignError, Campaigns, Retry, RetryPlan};
use crate::campaign::State;
use crate::id::CampaignId;
use crate::plan::Planning;
use crate::refusal::{RefusalCode, RefusalReason};
use crate::request::PatchRequest;
use std::collections::BTreeSet;

/// What the last window of a request has left.
enum LastWindow {
    Nothing,
    Left(Box<State>),
    /// Nodes had no turn in it, and more than a window keeps them back. In words.
    Kept(String),
    /// Nobody knows: the log of this campaign, which is newer, is damaged or gone.
    Damaged(CampaignId),
}

impl Campaigns {
    /// The last campaign of the request that is over, if its window closed before all of its nodes had their turn: it has a
    /// cutoff, left nodes that were not run, and was not halted by anything else, nor would have been by what became of its nodes.
    /// `None` also if the log of a newer one is damaged or gone. Its request has to be the same as this one.
    /// A second attempt counts as a part of the campaign whose second attempt it is: nodes that the first did not reach had their
    /// turn in the window.
    /// [`Retry::NotRun`] carries over what it left, as [`Planning::carry_over`] has it done by itself.
    ///
    /// # Errors
    ///
    /// [`CampaignError::Asking`] if the store does not answer.
    pub async fn left_by_window(&self, request: &PatchRequest) -> Result<Option<State>, CampaignError> {
        Ok(match self.last_window(request).await? {
            LastWindow::Left(state) => Some(*state),
            LastWindow::Nothing | LastWindow::Kept(_) | LastWindow::Damaged(_) => None,
        })
    }

    async fn last_window(&self, request: &PatchRequest) -> Result<LastWindow, CampaignError> {
        let store = self.watched_store();
        let order = store.order(&request.name).await?;
        let list = store.campaigns(self.now()).await?;
        let of_name = list.campaigns.iter().filter(|one| one.request == request.name);
        let of_name: Vec<_> = of_name.collect();
        let second_attempts: BTreeSet<CampaignId> = of_name
            .iter()
            .map(|one| one.campaign.of_second_attempt())
            .collect();
        let over = of_name.into_iter().filter(|one| {
            one.finished.is_some() && one.has_begun && !second_attempts.contains(&one.campaign)
        });
        let over: Vec<_> = over.collect();
        let last = match over.iter().all(|one| order.of(one.campaign).is_some()) {
            true => over.into_iter().max_by_key(|one| order.of(one.campaign)),
            // The name's log is not whole.
            false => over.into_iter().max_by_key(|one| (one.planned_at, one.campaign)),
        };
        let Some(last) = last else {
            return Ok(LastWindow::Nothing);
        };
        if let Some(damaged) = store.damaged_since((&list, &order), last.campaign) {
            return Ok(LastWindow::Damaged(damaged));
        }
        let state = store.load(last.campaign).await?;
        let left = state.filter(|state| {
            let is_same = state.plan().first_request().digest() == request.digest();
            is_same
                && left(state)
                    .iter()
                    .any(|(location, at)| at.has_any(state.goal_at(location), Retry::NotRun))
        });
        let Some(state) = left else {
            return Ok(LastWindow::Nothing);
        };
        let lifetime = state.plan().lifetime.as_ref();
        let has_cutoff = lifetime.is_some_and(|lifetime| lifetime.cutoff.is_some());
        // What a budget kept back is left to a person.
        let by_budget = state.has_kept_back() || state.has_used_up_bounds(self.now());
        let why = if !has_cutoff {
            Some("it had no cutoff")
        } else if by_budget {
            Some("a budget of it is used up, or has kept nodes back")
        } else if !state.is_left_by_window_alone() {
            Some("more than its window ended it")
        } else {
            None
        };
        Ok(match why {
            None => LastWindow::Left(Box::new(state)),
            Some(why) => LastWindow::Kept(format!(
                "what campaign {} has left is not carried over, and the whole request is run, as {why}",
                state.campaign()
            )),
        })
    }

    /// Plans a campaign for what the last window has left. `None` if it has left nothing. `but` is the campaign that is to begin, if
    /// its id is known already.
    pub(super) async fn carried_over(
        &self,
        but: Option<CampaignId>,
        request: &PatchRequest,
        planning: &Planning,
    ) -> Result<Option<RetryPlan<'_>>, CampaignError> {
        let last = match self.last_window(request).await? {
            LastWindow::Left(last) => last,
            LastWindow::Nothing => return Ok(None),
            LastWindow::Kept(told) => return Ok(Some(RetryPlan::Nothing { told: vec![told] })),
            LastWindow::Damaged(campaign) => {
                let told = format!(
                    "what the last window has left is not carried over, as the log of the newer campaign {campaign} is damaged or gone, and \
                     the whole request is run: `patchfleet status` says what is wrong with that log"
                );
                return Ok(Some(RetryPlan::Nothing { told: vec![told] }));
            }
        };
        match Box::pin(self.plan_retry_but(but, &last, Retry::NotRun, planning)).await {
            Ok(planned) => Ok(Some(planned)),
            // Nothing changes that by itself, and each later window would be refused as well.
            Err(CampaignError::Refused(refusal)) if refusal.reasons.iter().all(is_of_retry) => {
                let told = refusal.reasons.iter().map(|reason| {
                    format!(
                        "what the last window has left is not carried over by itself, and the whole request is run: {}: {}",
                        reason.subject, reason.detail
                    )
                });
                Ok(Some(RetryPlan::Nothing { told: told.collect() }))
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether this may be a reason against what is left alone, and none against the whole request. Of the few nodes that are left none may
/// answer, or a share of them may come to nothing, where the whole request has enough: if each later window were refused for that, nothing
/// would be patched any more. What refuses the whole request as well does so when that is planned.
fn is_of_retry(reason: &RefusalReason) -> bool {
    !matches!(
        reason.code,
        RefusalCode::CampaignOpen | RefusalCode::Alarm | RefusalCode::Frozen | RefusalCode::ChangeCalendars
    )
}
