//! What campaigns that came after one have tried of what it left. What they brought to its goal would be patched once more.

use super::refused;
use crate::campaign::{State, UnitState};
use crate::front::{CampaignError, Campaigns};
use crate::id::{CampaignId, NodeId};
use crate::plan::Plan;
use crate::refusal::{RefusalCode, RefusalReason};
use crate::request::Selector;
use std::collections::BTreeSet;

/// What other campaigns have tried again of what one left.
#[derive(Debug, Default)]
pub(super) struct Tried {
    pub(super) nodes: BTreeSet<NodeId>,
    /// One of these campaigns.
    pub(super) by: Option<CampaignId>,
}

pub(super) fn already_tried(campaign: CampaignId, by: CampaignId) -> RefusalReason {
    RefusalReason {
        code: RefusalCode::NotRetried,
        subject: format!("campaign {campaign}"),
        detail: format!("campaign {by} has tried again what it left: retry that one, or run the request"),
    }
}

fn run_since(campaign: CampaignId, by: CampaignId) -> RefusalReason {
    RefusalReason {
        code: RefusalCode::NotRetried,
        subject: format!("campaign {campaign}"),
        detail: format!(
            "campaign {by} has run a request of the same name since, and may have brought to its goal what this one left: retry that \
             one, or run the request"
        ),
    }
}

impl Campaigns {
    /// The nodes that other campaigns have tried again of what this one left. What they brought to its goal would be patched once
    /// more.
    ///
    /// `but` is the campaign that is to begin, if its id is known already. It may have begun.
    pub(super) async fn tried_by_others(
        &self,
        but: Option<CampaignId>,
        of: &State,
    ) -> Result<Tried, CampaignError> {
        let (store, campaign) = (self.watched_store(), of.campaign());
        let name = &of.plan().request.name;
        let order = store.order(name).await?;
        let list = store.campaigns(self.now()).await?;
        if let Some(damaged) = store.damaged_since((&list, &order), campaign) {
            let reason = RefusalReason {
                code: RefusalCode::NotRetried,
                subject: format!("campaign {damaged}"),
                detail: format!(
                    "its log is damaged or gone, and it may have tried again what campaign {campaign} left: `patchfleet status` says what is \
                     wrong with it. Put the log back, or run the request"
                ),
            };
            return Err(refused(vec![reason]));
        }
        let others = list.campaigns.iter().filter(|one| {
            let is_other = one.campaign != campaign && Some(one.campaign) != but;
            is_other && one.has_begun && one.request == *name
        });
        // Where the name's log does not say which is newer, each of them may have tried it.
        let newer = others.filter(|one| order.is_after(one.campaign, campaign).unwrap_or(true));
        let mut tried = Tried::default();
        for one in newer {
            let Some(state) = store.load(one.campaign).await? else {
                continue;
            };
            match &state.plan().retries {
                None => {
                    let is_after = order.is_after(one.campaign, campaign);
                    let is_after = is_after.unwrap_or(one.planned_at >= of.planned_at());
                    if is_after && state.units().values().any(UnitState::is_begun) {
                        return Err(refused(vec![run_since(campaign, one.campaign)]));
                    }
                    continue;
                }
                Some(retried) if retried.campaign != campaign => continue,
                Some(_) => {}
            }
            tried.by = Some(one.campaign);
            if let Selector::NodeIds(nodes) = &state.plan().request.targets.selector {
                tried.nodes.extend(nodes.iter().cloned());
            }
        }
        // What they have damaged counts against the bounds of the first campaign, and stands in their logs alone.
        let is_bounded = of.plan().fleet.is_some() || !of.plan().labels.is_empty();
        match tried.by {
            Some(by) if is_bounded => Err(refused(vec![already_tried(campaign, by)])),
            _ => Ok(tried),
        }
    }

    /// Sees that nobody has tried the nodes of a retry again since it was planned: a plan may wait for a person's word for hours, and
    /// what another retry has brought to its goal meanwhile would be patched once more. The name is claimed right after this, and while it is
    /// this campaign's no other one begins.
    pub(in crate::front) async fn require_untried(
        &self,
        campaign: CampaignId,
        plan: &Plan,
    ) -> Result<(), CampaignError> {
        match self.tried_meanwhile(campaign, plan).await? {
            None => Ok(()),
            Some((of, by)) => Err(refused(vec![already_tried(of, by)])),
        }
    }

    /// Which campaign this plan tries again, and which other one has tried some of the same nodes.
    async fn tried_meanwhile(
        &self,
        campaign: CampaignId,
        plan: &Plan,
    ) -> Result<Option<(CampaignId, CampaignId)>, CampaignError> {
        let (Some(retried), Selector::NodeIds(nodes)) = (&plan.retries, &plan.request.targets.selector)
        else {
            return Ok(None);
        };
        let Some(of) = self.watched_store().load(retried.campaign).await? else {
            return Ok(None);
        };
        let tried = self.tried_by_others(Some(campaign), &of).await?;
        let is_tried = nodes.iter().any(|node| tried.nodes.contains(node));
        Ok(tried.by.filter(|_| is_tried).map(|by| (of.campaign(), by)))
    }

    /// The same for a campaign that was planned, and whose process died before it had its name: whoever goes on with it begins it now.
    /// One whose nodes were tried meanwhile is over with that.
    pub(in crate::front) async fn require_untried_still(&self, state: &State) -> Result<(), CampaignError> {
        let is_over = state.finished().is_some() && state.name_taken_by().is_none();
        if state.is_under_way() || is_over {
            return Ok(());
        }
        let campaign = state.campaign();
        match self.tried_meanwhile(campaign, state.plan()).await? {
            None => Ok(()),
            Some((of, by)) => {
                self.driver().give_way(campaign, by).await?;
                Err(refused(vec![already_tried(of, by)]))
            }
        }
    }
}
