//! Campaigns that nobody follows: every execution is started, and left to Systems Manager.

use super::troubles::Troubles;
use super::{Call, Function, heard_by};
use crate::answer::Summary;
use crate::event::Asked;
use crate::failure::Failure;
use patchfleet_core::{serve_event, watched};

impl Function {
    /// Plans an event and starts what was asked for. If an earlier delivery of the event started it, the answer says so,
    /// and nothing is planned. Each line that is logged meanwhile carries the campaign.
    pub(super) async fn fire(&self, asked: &Asked, call: Call) -> Result<Summary, Failure> {
        let campaign = asked.campaign();
        tracing::info!(%campaign, request = %asked.request.name, event = %asked.event, "asked");
        let planning = self.planning_to_fire(asked, call);
        let troubles = Troubles::default();
        let notices = heard_by(&troubles);
        let ports = watched(&self.ports(&asked.request.access)?, &notices);
        // It keeps its deadline itself, and says what was begun by then.
        let no_deadline = Call {
            deadline: None,
            ..call
        };
        let served = async {
            self.require_own_role(asked, &ports).await?;
            let served = serve_event(&ports, &asked.event, &asked.request, &planning, call.deadline);
            served
                .await
                .map_err(|error| Failure::of_fired(&error).with_the_way_out(asked.form))
        };
        let Some(served) = self.in_time(&notices, no_deadline, served).await else {
            return Err(super::out_of_time("before anything was done", &troubles));
        };
        let summary = Summary::of(served?);
        let execution = summary.execution_id.as_ref().map(tracing::field::display);
        tracing::info!(%campaign, execution, "{}", summary.outcome);
        Ok(summary)
    }
}
