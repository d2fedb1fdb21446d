//! The second attempt: the nodes that a campaign did not reach, in a campaign of its own.

use super::notices::{notices, watching};
use super::trouble::Trouble;
use super::{Failure, Job, Reach};
use jiff::SignedDuration;
use patchfleet_core::campaign::DriveError;
use patchfleet_core::id::CampaignId;
use patchfleet_core::plan::Planning;
use patchfleet_core::report::Report;
use patchfleet_core::text::one_line;
use patchfleet_core::{Retry, RetryPlan};
use uuid::Uuid;

impl<R: Reach> Job<R> {
    /// Tries the nodes once more that a campaign did not reach, and gives the report of that. `None`: none of them can be tried.
    pub(super) async fn try_again(
        &self,
        first: &Report,
        longest_gap: Option<SignedDuration>,
    ) -> Result<Option<Box<Report>>, Failure> {
        let (of, second) = (first.campaign_id, CampaignId::from_uuid(Uuid::new_v4()));
        let mut trouble = Trouble::new(self);
        loop {
            let failure = match self.begin_second(of, second).await {
                Ok(true) => return Ok(Some(self.to_its_end(second, longest_gap).await?)),
                Ok(false) => return Ok(None),
                // What the first campaign came to stands.
                Err(Failure::Refused(refusal)) => {
                    let words = self.told(&refusal.to_string());
                    tracing::error!("what campaign {of} did not reach is not tried again: {words}");
                    return Ok(None);
                }
                Err(failure) => failure,
            };
            let what = "the second attempt has not begun";
            if !trouble.is_waited_out(what, &failure, trouble.until()).await {
                return Err(failure);
            }
        }
    }

    /// Plans the second attempt with the cutoff of the first, and writes it down. Gives whether there is anything to try.
    async fn begin_second(&self, first: CampaignId, second: CampaignId) -> Result<bool, Failure> {
        let state = self.ask(async |store| store.load(first).await).await?;
        let Some(state) = state else {
            return Err(DriveError::NoSuchCampaign { campaign: first }.into());
        };
        let ports = self.reach.ports(&state.plan().request.access).await?;
        let notices = notices();
        let campaigns = self.campaigns(&ports, &notices);
        let lifetime = state.plan().lifetime.as_ref();
        let planning = Planning {
            cutoff: lifetime.and_then(|lifetime| lifetime.cutoff),
            ..Planning::default()
        };
        let planned = campaigns.plan_retry(&state, Retry::Unreached, &planning);
        let planned = match watching(&notices, &ports.clock, planned).await? {
            RetryPlan::Planned(planned) => planned,
            RetryPlan::Nothing { told } => {
                let told = one_line(&told.join("; "));
                tracing::warn!("none of the nodes that campaign {first} did not reach can be tried: {told}");
                return Ok(false);
            }
            _ => return Ok(false),
        };
        tracing::info!("campaign {second}\n{}", planned.plan().to_text());
        watching(&notices, &ports.clock, planned.begin(second)).await?;
        Ok(true)
    }
}
