//! Stopping a campaign, once a person says so.

use super::{Drive, DriveError, Driver, Turn};
use crate::campaign::state::State;
use crate::campaign::{Appended, Event, StopMode};
use crate::id::CampaignId;
use crate::refusal::{Refusal, RefusalCode, RefusalReason};

impl Driver {
    /// Has a campaign stopped. The log says so first: no driver intends to begin anything of it after that record. A start
    /// that was intended before may still be sent, within 30 seconds of its intent in the log. Then this driver
    /// stops what was begun, waits for the end, and collects what became of every node. Any other driver of the campaign
    /// does the same once it sees the record, at its next look at the log, and each call may be made by all of them. So
    /// it does not matter who is alive. A start that was intended and has no answer is looked for and stopped too.
    ///
    /// Executions are stopped in the central account and Region first, then what they began in each location, and the
    /// commands there ([`StopMode`]). Each is done whatever AWS stops along with another, because that is undocumented.
    ///
    /// A campaign that was stopped is closed for good, as halted. Its name is free. A campaign that ended after such a
    /// stop may be stopped again, which does nothing.
    ///
    /// # Errors
    ///
    /// [`DriveError::NotStopped`] if it is over otherwise, or was refused its name; [`DriveError::RunsOn`] once nothing
    /// of it runs any more but what AWS does not let anybody stop. The campaign stays open then: whoever drives it
    /// follows that to its end, and calling this again tries once more. [`DriveError::StopNotWritten`] if the log does not
    /// take the stop. As [`run`](Self::run) otherwise.
    pub async fn stop(&self, campaign: CampaignId, mode: StopMode, by: &str) -> Result<State, DriveError> {
        let mut drive = self.ask_to_stop(campaign, mode, by).await?;
        loop {
            match drive.step().await? {
                Turn::Acted => {}
                Turn::Wait(at) => self.clock.sleep_until(at).await,
                Turn::Done(_) => return Ok(drive.into_state()),
            }
            drive.refuse_what_runs_on().await?;
        }
    }

    /// Writes down that a campaign is to be stopped, and calls nothing of AWS's. Whoever drives the campaign stops it.
    ///
    /// # Errors
    ///
    /// As [`stop`](Self::stop).
    pub async fn say_stop(&self, campaign: CampaignId, mode: StopMode, by: &str) -> Result<(), DriveError> {
        self.ask_to_stop(campaign, mode, by).await.map(drop)
    }

    /// Writes down that a campaign is to be stopped, unless its log says so by now.
    pub(super) async fn ask_to_stop(
        &self,
        campaign: CampaignId,
        mode: StopMode,
        by: &str,
    ) -> Result<Drive<'_>, DriveError> {
        let mut drive = self.look_up(campaign).await.map_err(not_written)?;
        drive.may_be_stopped()?;
        if !drive.state.is_under_way() && drive.state.finished().is_none() {
            // Nothing of it was sent. It has its name before its log says more, as any other campaign.
            drive = self.open(campaign).await.map_err(not_written)?;
        }
        let mut has_said = false;
        loop {
            drive.may_be_stopped()?;
            if drive.state.finished().is_some() || has_said {
                return Ok(drive);
            }
            drive.require_writable()?;
            let known = drive.state.stop_mode();
            if known.is_some_and(|known| known >= mode) && !drive.state.has_refused_stops() {
                return Ok(drive);
            }
            let by = by.to_owned();
            let said = drive.append(vec![Event::StopAsked { by, mode }]).await;
            has_said = said.map_err(not_written)? == Appended::Yes;
        }
    }
}

/// A log that does not answer is nothing to resume: the stop itself is missing.
fn not_written(error: DriveError) -> DriveError {
    match error {
        DriveError::Log { campaign, source } => DriveError::StopNotWritten { campaign, source },
        error => error,
    }
}

impl Drive<'_> {
    /// Sees that something runs of a campaign that is being stopped, beside what AWS does not let anybody stop.
    pub(super) async fn refuse_what_runs_on(&mut self) -> Result<(), DriveError> {
        let what = self.state.runs_on(|unit| self.memory.is_parent_over(unit));
        if what.is_empty() || self.gives_up_unread() {
            return Ok(());
        }
        self.finish_calls().await?;
        let campaign = self.state.campaign();
        Err(DriveError::RunsOn { campaign, what })
    }

    /// Sees that there is something to stop, or that it was stopped before.
    fn may_be_stopped(&self) -> Result<(), DriveError> {
        let campaign = self.state.campaign();
        let detail = match (self.state.finished(), self.state.name_taken_by()) {
            (Some((outcome, _)), _) if self.state.stop_asked().is_none() => format!(
                "it is over (outcome {}): `patchfleet report {campaign}` says what became of it",
                outcome.as_str()
            ),
            (None, Some(other)) => {
                format!("nothing of it was begun: campaign {other} had its request's name")
            }
            _ => return Ok(()),
        };
        Err(DriveError::NotStopped(Refusal {
            reasons: vec![RefusalReason {
                code: RefusalCode::NotStopped,
                subject: format!("campaign {campaign}"),
                detail,
            }],
        }))
    }
}
