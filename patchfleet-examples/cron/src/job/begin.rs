//! From a request to a campaign that is written down.

use super::notices::{notices, watching};
use super::{Event, Failure, Job, Reach};
use crate::follow::Became;
use jiff::SignedDuration;
use patchfleet_core::campaign::SHORTEST_GAP;
use patchfleet_core::id::CampaignId;
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
        // Planning takes a while, and finds out too late that no log can be kept.
        self.store.admit(request, Some(campaign)).await?;
        // An earlier try, or another process, has got so far. What it planned is driven, as late as that may be.
        if self.store.load(campaign).await?.is_some() {
            return Ok(None);
        }
        let ports = self.reach.ports(&request.access).await?;
        let now = ports.clock.now();
        let is_later = |than: SignedDuration| match event {
            Event::Slot(_, at) => ports.clock.now().duration_since(*at) > than,
            Event::Once => false,
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
            ..Planning::default()
        };
        let planned = campaigns.plan_of(campaign, request, &planning);
        let planned = watching(&notices, &*ports.clock, planned).await?;
        // Planning takes a while, where AWS throttles it a long one, and nothing has been started yet. With
        // a short --late it may take as long as it usually takes for many accounts.
        if is_later(self.late.max(SHORTEST_GAP)) {
            return Ok(Some(Became::TooLate));
        }
        if *self.stop.borrow() {
            return Ok(Some(Became::Stopped));
        }
        tracing::info!("campaign {campaign}\n{}", planned.plan().to_text());
        planned.begin(campaign).await?;
        Ok(None)
    }
}
