//! Starting a campaign that nobody follows: for a function that ends long before its patching does.

use super::start::find;
use crate::id::{CampaignId, ExecutionId, Location, UnitId};
use crate::plan::{Plan, PlannedLocation};
use crate::port::{PortError, PortErrorKind, Ports};
use crate::runbook;

/// What came of firing a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fired {
    /// It was started.
    Started(ExecutionId),
    /// It had been started before, by an earlier delivery of the same event.
    AlreadyStarted(ExecutionId),
    /// The plan has nothing to start.
    NothingToDo,
}

/// Why a plan was not fired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FireError {
    /// Several executions need somebody who begins one after another.
    #[error(
        "the plan needs {units} executions, and only one can be started and left to itself: name locations that \
         form one rectangle of accounts and Regions, or run it where it can be followed"
    )]
    NeedsDriver {
        /// How many it needs.
        units: usize,
    },
    /// What would run is not what the plan was made for. Nothing was started.
    #[error("nothing was started: {detail}")]
    RunbookChanged {
        /// The document, where, and its versions.
        detail: String,
    },
    /// The start failed.
    #[error("the campaign could not be started")]
    Port(#[source] PortError),
}

/// Starts a plan of one unit and leaves it to Systems Manager, which keeps its rate controls.
///
/// Nothing is claimed or written down: two different events of one request may run at once.
///
/// An earlier start of the same campaign is looked for first, by the tag key that only it has; and
/// if two do so at the same time, the client token makes their starts one.
///
/// # Errors
///
/// [`FireError::NeedsDriver`] if the plan has several units, [`FireError::RunbookChanged`] if its
/// runbook is another one by now (nothing was started);
/// [`FireError::Port`] if AWS refused, or did not answer: firing the same campaign again is safe.
pub async fn fire(ports: &Ports, campaign: CampaignId, plan: &Plan) -> Result<Fired, FireError> {
    let request = match plan.requests.as_slice() {
        [] => return Ok(Fired::NothingToDo),
        [request] => request,
        several => return Err(FireError::NeedsDriver { units: several.len() }),
    };
    let (unit, attempt) = (UnitId::from_index(0), 1);
    let request = runbook::for_campaign(request, campaign, unit, attempt);
    let token = campaign.client_token(unit, attempt);
    let automation = ports.automation.as_ref();
    let found = || find(automation, &request.document_name, token);
    if let Some(execution) = found().await.map_err(FireError::Port)? {
        return Ok(Fired::AlreadyStarted(execution));
    }
    if let Some(runbook) = &plan.runbook {
        let at: Vec<Location> = plan.locations.iter().map(PlannedLocation::location).collect();
        let pin = plan.request.automation.pin;
        let compared = runbook.compare(ports.documents.as_ref(), pin, &at).await;
        if let Some(changed) = compared.map_err(FireError::Port)? {
            return Err(FireError::RunbookChanged {
                detail: changed.detail,
            });
        }
    }
    match automation.start(&request, token).await {
        Ok(execution) => Ok(Fired::Started(execution)),
        // The world changed between two deliveries, so their requests differ: the first one stands.
        Err(error) if error.kind() == PortErrorKind::TokenMismatch => match found().await {
            Ok(Some(execution)) => Ok(Fired::AlreadyStarted(execution)),
            _ => Err(FireError::Port(error)),
        },
        Err(error) => Err(FireError::Port(error)),
    }
}
