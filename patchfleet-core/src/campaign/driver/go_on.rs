//! Going on after somebody else's cancel, once a person says so.
//!
//! A person accepts what can be seen. So everything that was cancelled is looked for once more, and what is
//! cancelled later is another stop.

use super::{Drive, DriveError, Driver};
use crate::campaign::observe::{self, Observed};
use crate::campaign::polls::{Failures, later};
use crate::campaign::state::StopReason;
use crate::campaign::{Event, READS_AT_ONCE};
use crate::id::{CampaignId, Location, UnitId};
use crate::port::{Appended, PortErrorKind, PortResult};
use futures_util::{StreamExt as _, stream};
use std::collections::BTreeSet;
use std::future::Future;

impl Driver {
    /// Writes down that a person wants a campaign to go on that stopped because somebody else had
    /// cancelled something of it. If it was over it is open again, and has its request's name. Drive
    /// it with [`run`](Self::run).
    ///
    /// Each execution of which something was cancelled is looked at once more, with what runs in its
    /// locations. The person accepts what is seen to be cancelled by then. What is cancelled later is another
    /// stop, and so is the late effect of a cancel that was on its way.
    ///
    /// # Errors
    ///
    /// [`DriveError::NothingToGoOn`] if it did not stop for that reason; as [`run`](Self::run)
    /// otherwise.
    pub async fn go_on(&self, campaign: CampaignId, by: &str) -> Result<(), DriveError> {
        let mut drive = self.look_up(campaign).await?;
        drive.require_writable()?;
        let mut raced = false;
        loop {
            if !matches!(
                drive.state.stop_reason(),
                Some(StopReason::CancelledElsewhere { .. })
            ) {
                // Of two persons who say so at once, the second finds it said.
                return match raced {
                    true => Ok(()),
                    false => Err(DriveError::NothingToGoOn { campaign }),
                };
            }
            let mut events = drive.look_for_cancels().await?;
            events.push(Event::GoneOn { by: by.to_owned() });
            self.claim(campaign, &drive.state).await?;
            if drive.append(events).await? == Appended::Yes {
                return Ok(());
            }
            raced = true;
        }
    }
}

impl Drive<'_> {
    /// What was cancelled of the units of which something was, and is not known yet.
    async fn look_for_cancels(&mut self) -> Result<Vec<Event>, DriveError> {
        let mut events = vec![];
        for unit in self.state.stopped_units() {
            let mut cancels = match self.observed(unit).await? {
                Some(observed) => observed.cancels(&self.state, unit),
                None => BTreeSet::new(),
            };
            let open: Vec<Location> = self.state.open_locations(unit).cloned().collect();
            cancels.extend(self.cancelled_of(unit, &open).await.into_iter().map(Some));
            events.extend(
                cancels
                    .into_iter()
                    .map(|location| Event::CancelledElsewhere { unit, location }),
            );
        }
        Ok(events)
    }

    /// The unit's execution and its steps, as they are now. `None` if it cannot be read and the log says
    /// what became of everything in it.
    async fn observed(&mut self, id: UnitId) -> Result<Option<Observed>, DriveError> {
        let Some(unit) = self.state.units().get(&id) else {
            return Ok(None);
        };
        let Some(execution) = observe::execution_of(unit).cloned() else {
            return Ok(None);
        };
        let observed = self
            .patiently(|| observe::observe(&*self.driver.automation, &execution, unit))
            .await;
        match observed {
            Ok(observed) => {
                observed.remember(&mut self.polls, id);
                Ok(Some(observed))
            }
            Err(source) if source.kind() == PortErrorKind::Credentials => Err(self.no_credentials(source)),
            Err(_) if unit.is_over() => Ok(None),
            Err(source) => Err(DriveError::Observe {
                campaign: self.state.campaign(),
                execution,
                source,
            }),
        }
    }

    /// Those of the locations in which what runs was cancelled, and is not known to be. What cannot be read
    /// is not accepted: it is another stop when it is seen.
    async fn cancelled_of(&self, unit: UnitId, locations: &[Location]) -> Vec<Location> {
        let unknown = locations
            .iter()
            .filter(|location| !self.state.knows_cancel(unit, Some(location)));
        let reads: Vec<_> = unknown
            .map(|location| async move {
                let read = self.patiently(|| async move { self.job(unit, location).cancelled().await });
                read.await
                    .is_ok_and(|cancelled| cancelled)
                    .then(|| location.clone())
            })
            .collect();
        stream::iter(reads)
            .buffered(READS_AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await
    }

    /// Makes a call again while what keeps it from an answer may pass by itself.
    async fn patiently<T, F: Future<Output = PortResult<T>>>(&self, call: impl Fn() -> F) -> PortResult<T> {
        let mut failures = Failures::default();
        loop {
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            failures.add(error.kind());
            if !error.kind().is_transient() || failures.are_too_many() {
                return Err(error);
            }
            let until = later(self.driver.clock.now(), failures.backoff());
            self.driver.clock.sleep_until(until).await;
        }
    }
}
