//! From a request to a campaign that is written down.

use super::notices::{notices, watching};
use super::{Event, Failure, Job, Reach};
use crate::follow::Became;
use jiff::SignedDuration;
use patchfleet_core::campaign::{SHORTEST_GAP, State};
use patchfleet_core::id::{CampaignId, EventId};
use patchfleet_core::plan::Planning;
use patchfleet_core::request::PatchRequest;

impl<R: Reach> Job<R> {
    /// Plans the campaign and writes it down. Gives why it was not begun, if it was not.
    pub(super) async fn begin(
        &self,
        request: &PatchRequest,
        event: &Event,
        campaign: CampaignId,
    ) -> Result<Option<Became>, Failure> {
        // Planning takes a while. Whether a log can be kept is found out before it.
        self.ask(async |store| store.admit(request, Some(campaign)).await)
            .await?;
        // An earlier try, or another process, has written the campaign down. It is driven, however late it is.
        let there = self.ask(async |store| store.load(campaign).await).await?;
        if let Some(there) = there {
            return match event {
                Event::Once(Some(id)) => self.is_not_old(&there, id).map(|()| None),
                _ => Ok(None),
            };
        }
        let ports = self.reach.ports(&request.access).await?;
        let now = ports.clock.now();
        let is_later = |than: SignedDuration| match event {
            Event::Slot { at, .. } => ports.clock.now().duration_since(*at) > than,
            Event::Once(_) => false,
        };
        // What came before may have taken hours: a campaign that was open, or a log that did not answer.
        if is_later(self.late) {
            return Ok(Some(Became::TooLate));
        }
        if *self.stop.borrow() {
            return Ok(Some(Became::Stopped));
        }
        let notices = notices();
        let campaigns = self.campaigns(&ports, &notices);
        let planning = Planning {
            cutoff: self.cutoff.map(|after| event.cutoff(after, now)),
            carry_over: self.carry_over,
            ..Planning::default()
        };
        let planned = campaigns.plan_of(campaign, request, &planning);
        let planned = watching(&notices, &ports.clock, planned).await?;
        // Planning takes a while, and long where AWS throttles it. Nothing has been started yet. Where --late is short,
        // planning may all the same take as long as it usually takes for many accounts.
        if is_later(self.late.max(SHORTEST_GAP)) {
            return Ok(Some(Became::TooLate));
        }
        if *self.stop.borrow() {
            return Ok(Some(Became::Stopped));
        }
        tracing::info!("campaign {campaign}\n{}", planned.plan().to_text());
        watching(&notices, &ports.clock, planned.begin(campaign)).await?;
        Ok(None)
    }

    /// An id that never changes, such as one that nobody fills in, would have each night answered with the report of the
    /// first.
    fn is_not_old(&self, state: &State, id: &EventId) -> Result<(), Failure> {
        let (planned_at, longest) = (state.planned_at(), id.longest_retry());
        let age = self.reach.clock().now().duration_since(planned_at);
        if state.finished().is_none() || age <= longest {
            return Ok(());
        }
        Err(Failure::OldId {
            campaign: state.campaign(),
            planned_at,
            longest,
        })
    }
}
