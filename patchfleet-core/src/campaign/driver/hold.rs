//! Beginning nothing more of a campaign that nobody drove for long.

use super::{DriveError, Driver};
use crate::campaign::Event;
use crate::campaign::state::{StartState, UnitState};
use crate::id::CampaignId;
use jiff::Timestamp;

impl Driver {
    /// Writes down that nothing more of an open campaign is begun, because nobody has driven it since
    /// `since`: it was planned for a time that is long past. What was begun is followed to its end by
    /// [`run`](Self::run), and the report says what was left out and why. The campaign is halted then, unless
    /// nothing was left to begin.
    ///
    /// Does nothing if nothing is left to begin, if that is written down already, or if somebody else
    /// drives the campaign meanwhile.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn begin_no_more(&self, campaign: CampaignId, since: Timestamp) -> Result<(), DriveError> {
        let mut drive = self.open(campaign).await?;
        let may_begin = |unit: &UnitState| {
            matches!(unit.start, StartState::NotStarted | StartState::Intended(_)) && !unit.is_over()
        };
        let state = drive.state();
        if state.finished().is_none()
            && state.stop_reason().is_none()
            && state.units().values().any(may_begin)
        {
            // On conflict somebody else drives it.
            let _ = drive.append(vec![Event::Unattended { since }]).await?;
        }
        Ok(())
    }
}
