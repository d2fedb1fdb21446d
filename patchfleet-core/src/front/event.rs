//! A campaign that nobody follows: one event, one start.

use super::CampaignError;
use crate::campaign::{Fired, FiredBefore, fire_plan, fired_before};
use crate::id::{CampaignId, EventId, ExecutionId};
use crate::plan::{Followed, Plan, Planning};
use crate::port::Ports;
use crate::request::PatchRequest;

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// Its campaign was started, and Systems Manager goes on alone.
    Started {
        /// The campaign.
        campaign: CampaignId,
        /// The execution.
        execution: ExecutionId,
        /// What it does, and what it does not and why.
        plan: Box<Plan>,
    },
    /// An earlier delivery of the event had started it. Nothing was started anew.
    Before {
        /// The campaign.
        campaign: CampaignId,
        /// What had been started.
        before: FiredBefore,
    },
    /// The plan starts nothing.
    NothingToDo {
        /// The campaign.
        campaign: CampaignId,
        /// What was left out, and why.
        plan: Box<Plan>,
    },
}

/// Serves an event for a function that ends long before its patching does: starts the event's campaign, and
/// leaves it to Systems Manager, which keeps its rate controls.
///
/// The campaign's id follows from the event and the whole request, and the same event may be delivered twice.
/// What an earlier delivery started is therefore looked for first: patching changes what a plan is made from. It
/// is looked for again before the start, as planning takes a while. Nothing is claimed or written down, so two
/// different events of one request may run at once.
///
/// # Errors
///
/// [`CampaignError::Refused`] if the plan is refused. [`CampaignError::Serving`] if it needs more than one
/// execution, its runbook changed meanwhile, or what was started for an event of this id is not this; and if it
/// cannot be found out whether anything was. [`CampaignError::Asking`] if planning got no answer. Serving the
/// same event again is safe in each case.
pub async fn serve_event(
    ports: &Ports,
    event: &EventId,
    request: &PatchRequest,
    planning: &Planning,
) -> Result<Served, CampaignError> {
    let campaign = CampaignId::of_event(&request.digest(), event);
    let longest_retry = event.longest_retry();
    if let Some(before) = fired_before(ports, campaign, request, longest_retry).await? {
        return Ok(Served::Before { campaign, before });
    }
    let plan = Box::new(Plan::made(ports, request, planning, Followed::ByNobody).await?);
    Ok(match fire_plan(ports, campaign, &plan, longest_retry).await? {
        Fired::AlreadyStarted(before) => Served::Before { campaign, before },
        Fired::Started(execution) => Served::Started {
            campaign,
            execution,
            plan,
        },
        Fired::NothingToDo => Served::NothingToDo { campaign, plan },
    })
}
