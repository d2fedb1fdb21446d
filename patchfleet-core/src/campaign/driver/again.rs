//! Reading results again that could not be read, also when the campaign is over.

use super::{Drive, DriveError, Driver};
use crate::campaign::collect::{Collected, Settlement};
use crate::campaign::polls::{Failures, later};
use crate::campaign::{Event, LocationOutcome, State};
use crate::id::{CampaignId, Location, UnitId};
use crate::port::{Appended, PortErrorKind};
use crate::report::NodeOutcome;

/// What came of reading results again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recollected {
    /// The campaign, with what was read.
    pub state: State,
    /// How many locations have results now that could not be read before.
    pub read: u32,
    /// What still cannot be read.
    pub unread: Vec<StillUnread>,
}

/// A location whose results still cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StillUnread {
    /// The location.
    pub location: Location,
    /// Why, in AWS's words where it has any.
    pub reason: String,
}

impl Driver {
    /// Reads the results again that could not be read when their locations settled. Starts nothing.
    /// The campaign may be over, or be driven by somebody else meanwhile.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), but for reads in the locations that fail: those are listed in what is
    /// given back.
    pub async fn collect_again(&self, campaign: CampaignId) -> Result<Recollected, DriveError> {
        let mut drive = self.open(campaign).await?;
        if !drive.state.is_writable() {
            let format = drive.state.format();
            return Err(DriveError::ReadOnly { campaign, format });
        }
        let (mut read, mut unread) = (0_u32, vec![]);
        for (unit, location) in drive.state.unread() {
            let collected = drive.read_again(unit, &location).await;
            match collected {
                Ok(settlement) => {
                    drive.replace(unit, &location, &settlement).await?;
                    read = read.saturating_add(1);
                }
                Err(reason) => unread.push(StillUnread { location, reason }),
            }
        }
        let state = drive.into_state();
        Ok(Recollected { state, read, unread })
    }
}

impl Drive<'_> {
    /// What a location came to, or why that still is not known.
    async fn read_again(&self, unit: UnitId, location: &Location) -> Result<Settlement, String> {
        let mut failures = Failures::default();
        loop {
            let settlement = match self.job(unit, location).collect().await {
                // Long over: what is late by now does not come.
                Ok(Collected::Settled(settlement) | Collected::Lagging(settlement, _)) => settlement,
                Ok(Collected::Running) => return Err("something still runs there".to_owned()),
                Ok(Collected::NotSent { detail, .. }) => return Err(detail),
                Err(error) => {
                    failures.add(error.kind());
                    let lasting = !error.kind().is_transient() || error.kind() == PortErrorKind::Credentials;
                    if lasting || failures.are_too_many() {
                        return Err(error.reason());
                    }
                    let until = later(self.driver.clock.now(), failures.backoff());
                    self.driver.clock.sleep_until(until).await;
                    continue;
                }
            };
            let unknown = settlement.nodes.count(NodeOutcome::Unknown);
            if settlement.outcome == LocationOutcome::ResultsUnreadable || unknown > 0 {
                return Err(match settlement.detail {
                    detail if detail.is_empty() => format!("what became of {unknown} nodes is not known"),
                    detail => detail,
                });
            }
            return Ok(settlement);
        }
    }

    /// Keeps the rows, then says so. Whoever else did the same meanwhile read the same.
    async fn replace(
        &mut self,
        unit: UnitId,
        location: &Location,
        settlement: &Settlement,
    ) -> Result<(), DriveError> {
        let campaign = self.state.campaign();
        while self.state.unread().contains(&(unit, location.clone())) {
            self.put(location, vec![(unit, settlement)])
                .await
                .map_err(|source| DriveError::Rows { campaign, source })?;
            let event = Event::Recollected {
                unit,
                location: location.clone(),
                outcome: settlement.outcome,
                nodes: settlement.nodes.clone(),
                detail: settlement.detail.clone(),
            };
            match self.append(vec![event]).await? {
                Appended::Yes => break,
                Appended::Conflict => {} // somebody else appended: look again
            }
        }
        Ok(())
    }
}
