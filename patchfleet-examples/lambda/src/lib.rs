//! A Lambda function that plans a patch campaign and starts it.
//!
//! It serves a maintenance window's Lambda task, an EventBridge rule or Scheduler, and direct
//! invocations. It starts every execution of a plan whose executions can run side by side, and leaves them to Systems
//! Manager. The answer says what was started, and what was skipped and why. An event that is delivered twice starts
//! one campaign, whose identity is the event's id and a digest of the whole request. What an earlier
//! delivery started is looked for before anything is planned, because the patching itself changes what
//! a plan is made from.
//!
//! A request that is invalid or refused is a function error, so that alarms on errors see it. Its
//! message names every problem at once, and nothing has been started.
//!
//! In the place of the second post's function (its environment variables, an event that says nothing of what to patch) it
//! does no less than that function: locations without nodes are kept where leaving them out takes more executions than
//! may run side by side, and so are locations that nobody may look into.
//!
//! `PATCHFLEET_CUTOFF` (`9h`) says when every command must have expired, from when the function is called.

mod cutoff;
mod delivered;
mod event;
mod failure;
mod sample;
mod summary;

use aws_config::SdkConfig;
use jiff::Timestamp;
use patchfleet_aws::{Aws, Limits, external_id_from_env};
use patchfleet_core::campaign::{FireError, Notices};
use patchfleet_core::id::CampaignId;
use patchfleet_core::plan::{Attendance, Gaps, Planning};
use patchfleet_core::port::{Clock, Ports};
use patchfleet_core::text::one_line;
use patchfleet_core::{CampaignError, Remedy, serve_event, watched};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument as _;

use cutoff::cutoff;
pub use delivered::Event;
use event::{Asked, read};
pub use failure::Failure;
pub use summary::{Execution, Summary};

/// Serves one event: plans, starts, and says what was started. If an earlier delivery of the event started it, the
/// answer says so, and nothing is planned. `invocation_id` is Lambda's own id for the event. It stays the same when
/// Lambda tries again. Nothing is begun at `deadline` or after it: when the function's time is over, less what it needs to
/// answer.
///
/// # Errors
///
/// - `InvalidRequest` if the event is no valid request.
/// - `Refused` if the plan is refused, some of its executions would have to wait for others, or its runbook is missing;
///   also if an earlier event of the same id started something else.
/// - `Unfinished` if a part was started. The message says what was and what was not. The same event, delivered again,
///   begins the rest where that can be done.
/// - `Failed` for anything else, also if it cannot be found out what an earlier delivery started.
pub async fn handle(
    event: Event,
    invocation_id: &str,
    deadline: Option<Timestamp>,
    config: &SdkConfig,
) -> Result<Summary, Failure> {
    let asked = event
        .value()
        .and_then(|event| read(event, invocation_id, &sample::variables()))
        .map_err(|problems| Failure::new("InvalidRequest", &problems))?;
    let access = external_id_from_env(asked.request.access.clone())
        .map_err(|error| Failure::new("InvalidRequest", &error))?;
    let limits = Limits::from_env().map_err(|error| Failure::new("Failed", &error))?;
    let ports = Aws::builder(config).access(access).limits(limits).ports();
    let ports = ports.map_err(|error| Failure::new("Failed", &error))?;
    let mut planning = Planning {
        cutoff: cutoff(ports.clock.now()).map_err(|error| Failure::new("Failed", &error))?,
        ..Planning::default()
    };
    if asked.in_samples_place {
        // The sample starts one rectangle without a look at it. In its place nothing is refused that it would have begun.
        planning.gaps = Gaps::Fill;
        planning.attendance = Attendance::Attended;
    }
    let campaign = CampaignId::of_event(&asked.request.digest(), &asked.event);
    serve(campaign, &asked, &ports, &planning, deadline)
        .instrument(tracing::info_span!("event", %campaign))
        .await
        .map_err(|failure| failure.of(campaign))
}

/// Plans and starts what was asked for. Each line that is logged meanwhile carries the campaign.
async fn serve(
    campaign: CampaignId,
    asked: &Asked,
    ports: &Ports,
    planning: &Planning,
    deadline: Option<Timestamp>,
) -> Result<Summary, Failure> {
    tracing::info!(%campaign, request = %asked.request.name, event = %asked.event, "asked");
    let notices = Notices::new(Arc::new(|notice| {
        tracing::warn!("{}", one_line(&notice.to_string()));
    }));
    let ports = watched(ports, &notices);
    let served = tokio::select! {
        served = serve_event(&ports, &asked.event, &asked.request, planning, deadline) => served,
        never = look(&notices, &*ports.clock) => match never {},
    };
    let summary = Summary::of(served.map_err(|error| match (&error, error.remedy()) {
        (CampaignError::Serving(FireError::Unfinished(_)), _) => Failure::new("Unfinished", &error),
        (_, Remedy::Change) => Failure::new("Refused", &error),
        _ => Failure::new("Failed", &error),
    })?);
    let execution = summary.execution_id.as_ref().map(tracing::field::display);
    tracing::info!(%campaign, execution, "{}", summary.outcome);
    Ok(summary)
}

/// Looks once a second whether something has had no answer for long.
async fn look(notices: &Notices, clock: &dyn Clock) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        notices.look(clock.now());
    }
}
