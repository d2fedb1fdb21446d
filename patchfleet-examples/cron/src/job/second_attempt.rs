//! The second attempt: the nodes that a campaign did not reach, in a campaign of its own.

use super::notices::{notices, watching};
use super::trouble::Trouble;
use super::{Done, Failure, Job, Reach};
use jiff::SignedDuration;
use patchfleet_core::campaign::{DriveError, Store};
use patchfleet_core::id::CampaignId;
use patchfleet_core::plan::Planning;
use patchfleet_core::report::Report;
use patchfleet_core::text::one_line;
use patchfleet_core::{Retry, RetryPlan};

impl<R: Reach> Job<R> {
    /// What a campaign came to that is over, with its second attempt, if it is to have one. One that was begun before, by a process
    /// that died, is gone on with.
    pub(super) async fn with_second(
        &self,
        first: Box<Report>,
        longest_gap: Option<SignedDuration>,
    ) -> Result<Done, Failure> {
        if !self.second_attempt || !first.left_unreached() {
            return Ok(Done::Ended(first));
        }
        tracing::info!("{}", self.told(&first.to_text()));
        let second = self.try_again(&first, longest_gap).await?;
        Ok(Done::Twice(first, second))
    }

    /// What a campaign came to that was found open and is over now. If it is the second attempt of another one, that one counts as
    /// well; otherwise its own second attempt does.
    pub(super) async fn with_other(&self, report: Box<Report>) -> Result<Done, Failure> {
        let of = report
            .retries
            .filter(|first| first.of_second_attempt() == report.campaign_id);
        let Some(first) = of else {
            return self.with_second(report, None).await;
        };
        let now = self.reach.clock().now();
        let found = async |store: Store| match store.load(first).await? {
            Some(state) => store.report(&state, now).await.map(Some),
            None => Ok(None),
        };
        let Some(first_report) = self.ask(found).await? else {
            return Err(DriveError::NoSuchCampaign { campaign: first }.into());
        };
        Ok(Done::Twice(Box::new(first_report), Some(report)))
    }

    /// Tries the nodes once more that a campaign did not reach, and gives the report of that. `None`: none of them can be tried.
    async fn try_again(
        &self,
        first: &Report,
        longest_gap: Option<SignedDuration>,
    ) -> Result<Option<Box<Report>>, Failure> {
        let (of, second) = (first.campaign_id, first.campaign_id.of_second_attempt());
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

    /// Plans the second attempt with the cutoff of the first, and writes it down, unless an earlier try has. Gives whether there is
    /// anything to try.
    async fn begin_second(&self, first: CampaignId, second: CampaignId) -> Result<bool, Failure> {
        let there = self.ask(async |store| store.load(second).await).await?;
        if let Some(there) = there {
            return Ok(there.name_taken_by().is_none());
        }
        let state = self.ask(async |store| store.load(first).await).await?;
        let Some(state) = state else {
            return Err(DriveError::NoSuchCampaign { campaign: first }.into());
        };
        if *self.stop.borrow() {
            tracing::warn!("told to stop, so what campaign {first} did not reach is not tried again");
            return Ok(false);
        }
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
        // Planning takes a while.
        if *self.stop.borrow() {
            tracing::warn!("told to stop, so what campaign {first} did not reach is not tried again");
            return Ok(false);
        }
        tracing::info!("campaign {second}\n{}", planned.plan().to_text());
        watching(&notices, &ports.clock, planned.begin(second)).await?;
        Ok(true)
    }
}
