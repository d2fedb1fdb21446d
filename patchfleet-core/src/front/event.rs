//! A campaign that nobody follows: one event, and every start of its plan.

use super::CampaignError;
use crate::campaign::{
    Before, FireError, Fired, FiredBefore, FiredUnit, Unfinished, UnfinishedReason, fire_plan, fired_before,
    require_no_driver, within,
};
use crate::id::{CampaignId, EventId};
use crate::plan::{Followed, Plan, PlanError, Planning, nobody_follows};
use crate::port::Ports;
use crate::refusal::Refusal;
use crate::request::{Dispatch, PatchRequest};
use jiff::Timestamp;

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// Its campaign was started, and Systems Manager goes on alone. Earlier deliveries may have started a part of it.
    Started {
        /// The campaign.
        campaign: CampaignId,
        /// The executions, one for each unit of the plan and in their order.
        executions: Vec<FiredUnit>,
        /// What they do, and what they do not and why.
        plan: Box<Plan>,
    },
    /// Earlier deliveries of the event had started all of it. Nothing was started anew.
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

/// Serves an event for a function that ends long before its patching does: starts every unit of the event's campaign,
/// and leaves them to Systems Manager, which keeps their rate controls. Nobody watches over the sum of what fails, so the
/// locations that may fail are shared out among the units ([`Followed::ByNobody`]).
///
/// The campaign's id follows from the event and the whole request, and the same event may be delivered twice.
/// What earlier deliveries started is therefore looked for first: patching changes what a plan is made from. It
/// is looked for again before the start, as planning takes a while. Nothing is claimed or written down, so two
/// different events of one request may run at once. Where an earlier delivery began a part, this one begins the rest,
/// if it plans the same units.
///
/// `deadline` is when the function's time is over, less what it needs to answer. Nothing is begun at it or after it, and
/// whatever is waited for then is given up.
///
/// # Errors
///
/// [`CampaignError::Refused`] if the plan is refused. [`CampaignError::Serving`] if some of its units would have to wait
/// for others, its runbook changed meanwhile, or what was started for an event of this id is not this; if it
/// cannot be found out whether anything was; and [`FireError::Unfinished`] if a part was begun, with what was begun and
/// what was not. [`CampaignError::Asking`] if planning got no answer. Serving the same event again is safe in each case.
pub async fn serve_event(
    ports: &Ports,
    event: &EventId,
    request: &PatchRequest,
    planning: &Planning,
    deadline: Option<Timestamp>,
) -> Result<Served, CampaignError> {
    if request.automation.dispatch == Dispatch::RunCommand {
        // What looks for an earlier delivery would find no automation of it.
        let reasons = vec![nobody_follows()];
        return Err(CampaignError::Refused(Refusal { reasons }));
    }
    let campaign = CampaignId::of_event(&request.digest(), event);
    let longest_retry = event.longest_retry();
    let clock = &*ports.clock;
    let looking = fired_before(ports, campaign, request, longest_retry);
    let before = match within(clock, deadline, looking).await {
        Some(before) => before?,
        None => return Err(FireError::OutOfTime.into()),
    };
    let part = match before {
        Before::Whole(before) => return Ok(Served::Before { campaign, before }),
        Before::Part(part) => Some(part),
        Before::Nothing => None,
    };
    let planning = Plan::made(ports, request, planning, Followed::ByNobody, None, None);
    let plan = match within(clock, deadline, planning).await {
        Some(Ok(plan)) => Box::new(plan),
        Some(Err(error)) => return Err(not_planned(part, Some(error))),
        None => return Err(not_planned(part, None)),
    };
    let fired = fire_plan(ports, campaign, &plan, longest_retry, deadline).await?;
    Ok(match fired {
        Fired::AlreadyStarted(before) => Served::Before { campaign, before },
        Fired::Started(executions) => Served::Started {
            campaign,
            executions,
            plan,
        },
        Fired::NothingToDo => Served::NothingToDo { campaign, plan },
    })
}

/// The plan by which [`serve_event`] would serve an event that no earlier delivery has begun. It begins nothing.
///
/// # Errors
///
/// [`CampaignError::Refused`] if the plan is refused, [`CampaignError::Serving`] if some of its units would have to wait for
/// others, and [`CampaignError::Asking`] if planning got no answer.
pub async fn plan_event(
    ports: &Ports,
    request: &PatchRequest,
    planning: &Planning,
) -> Result<Plan, CampaignError> {
    let plan = Plan::made(ports, request, planning, Followed::ByNobody, None, None).await?;
    require_no_driver(&plan)?;
    Ok(plan)
}

/// Why there is no plan; `None`: its time was over. Where a part of an earlier one was begun, that is said as well.
fn not_planned(part: Option<FiredBefore>, error: Option<PlanError>) -> CampaignError {
    match (part, error) {
        (Some(part), error) => FireError::Unfinished(Box::new(Unfinished {
            begun: part.executions,
            unclear: [].into(),
            not_begun: [].into(),
            skipped: vec![],
            reason: UnfinishedReason::NotPlanned(error.map(Box::new)),
        }))
        .into(),
        (None, Some(error)) => error.into(),
        (None, None) => FireError::OutOfTime.into(),
    }
}
