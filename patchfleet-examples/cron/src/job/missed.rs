//! What becomes of slots that were missed before this process was there.

use super::trouble::Trouble;
use super::{Failure, Job, Reach};
use jiff::Timestamp;
use patchfleet_core::campaign::{LogKey, Store};
use patchfleet_core::request::PatchRequest;
use patchfleet_core::text::one_line;

/// What becomes of a slot that was missed by more than it may be late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Missed {
    /// It is told, and left out.
    Skip,
    /// The newest one begins as soon as it can.
    Run,
}

impl<R: Reach> Job<R> {
    /// Since when slots that have no campaign are made good: since the newest campaign of the request's name was planned. A
    /// process that is set up for the first time finds none, and looks back no further than by what a slot may be late.
    ///
    /// A log that does not answer is asked again. Where the newest campaign stays unknown, nothing from before `now` is
    /// made good, and that is told.
    pub(crate) async fn made_good_since(&self, now: Timestamp) -> Option<Timestamp> {
        if self.missed == Missed::Skip {
            return None;
        }
        let why = match self.request() {
            Ok(request) => match self.newest_planned(&request, now).await {
                Ok(planned) => return Some(planned.map_or(now, |planned| planned.min(now))),
                Err(failure) => self.told(&failure.words()),
            },
            Err(problem) => problem,
        };
        tracing::error!(
            "which slots were missed is not known, so none from before this start is made good (--missed run): {}",
            one_line(&why)
        );
        Some(now)
    }

    /// When the newest campaign of the request's name was planned.
    async fn newest_planned(
        &self,
        request: &PatchRequest,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Failure> {
        let mut trouble = Trouble::new(self);
        loop {
            let listed = async |store: Store| {
                let list = store.campaigns(now).await?;
                for damaged in list.damaged {
                    let name = match &damaged.log {
                        LogKey::Name(name) => Some(name.clone()),
                        LogKey::Campaign(campaign) => store.log.request_name(*campaign).await.unwrap_or(None),
                    };
                    // Its campaign may be the newest.
                    if name.is_none_or(|name| name == request.name) {
                        return Err(Failure::from(damaged.error));
                    }
                }
                let of_name = list.campaigns.iter().filter(|one| one.request == request.name);
                Ok(of_name.map(|one| one.planned_at).max())
            };
            let failure = match self.ask(listed).await {
                Ok(planned) => return Ok(planned),
                Err(failure) => failure,
            };
            let what = "which slots were missed is not known";
            if !trouble.is_waited_out(what, &failure, trouble.until()).await {
                return Err(failure);
            }
        }
    }
}
