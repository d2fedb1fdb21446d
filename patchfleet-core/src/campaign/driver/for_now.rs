//! Driving a campaign for some time, by whoever is called again later.

use super::{Drive, DriveError, Driver, Progress, Turn};
use crate::campaign::StopMode;
use crate::id::CampaignId;
use jiff::{SignedDuration, Timestamp};

/// When a driver stops for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Until {
    /// At this instant. What was called before is waited for.
    deadline: Timestamp,
    /// Once nothing is to be done for longer than this, if it is set.
    longest_wait: Option<SignedDuration>,
    /// Once nothing of a campaign that is being stopped runs but what AWS does not let anybody stop. That is an error.
    ends_with_what_runs_on: bool,
}

impl Driver {
    /// Drives a campaign until it is over or `deadline` has come. A turn that was begun before is
    /// finished, so leave some time.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_until(&self, campaign: CampaignId, deadline: Timestamp) -> Result<Progress, DriveError> {
        let drive = self.open(campaign).await?;
        let until = Until {
            deadline,
            longest_wait: None,
            ends_with_what_runs_on: false,
        };
        self.for_now(drive, until).await
    }

    /// [`run_until`](Self::run_until), which also stops for now once nothing is to be done for longer than `longest_wait`.
    /// It goes on while a call fails and is made again: how often it has failed is remembered by this drive alone, and
    /// decides when it is given up.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and as [`stop`](Self::stop) where a person has it stopped: whoever is called again and again
    /// has to hear that something runs on which AWS does not let anybody stop.
    pub async fn run_while_busy(
        &self,
        campaign: CampaignId,
        deadline: Timestamp,
        longest_wait: SignedDuration,
    ) -> Result<Progress, DriveError> {
        let drive = self.open(campaign).await?;
        let until = Until {
            deadline,
            longest_wait: Some(longest_wait),
            ends_with_what_runs_on: true,
        };
        self.for_now(drive, until).await
    }

    /// [`stop`](Self::stop), until `deadline` at most. What is left to stop then is stopped by whoever drives the campaign
    /// next.
    ///
    /// # Errors
    ///
    /// As [`stop`](Self::stop).
    pub async fn stop_until(
        &self,
        campaign: CampaignId,
        mode: StopMode,
        by: &str,
        deadline: Timestamp,
    ) -> Result<Progress, DriveError> {
        let drive = self.ask_to_stop(campaign, mode, by).await?;
        let until = Until {
            deadline,
            longest_wait: None,
            ends_with_what_runs_on: true,
        };
        self.for_now(drive, until).await
    }

    async fn for_now(&self, mut drive: Drive<'_>, until: Until) -> Result<Progress, DriveError> {
        drive.is_called_again = until.longest_wait.is_some();
        if drive.is_called_again && !drive.state.is_sent_once() {
            // Whoever is called again and again would look for all of it in each call.
            drive.memory.begins_once_looked = false;
            drive.memory.sweeps_permit_at_once = true;
        }
        drive.stops_at = (until.deadline < Timestamp::MAX).then_some(until.deadline);
        loop {
            let now = self.clock.now();
            let (wake_at, is_idle) = match drive.step().await? {
                Turn::Done(_) => return Ok(Progress::Finished(Box::new(drive.into_state()))),
                Turn::Acted => (now, false),
                Turn::Wait(at) => (at, drive.tried.open.is_empty()),
            };
            if until.ends_with_what_runs_on {
                drive.refuse_what_runs_on().await?;
            }
            let now = self.clock.now();
            let waits_long = until
                .longest_wait
                .is_some_and(|longest| is_idle && wake_at.duration_since(now) > longest);
            if waits_long || wake_at.max(now) >= until.deadline {
                drive.finish_calls().await?;
                drive.mend_doubted_for_now().await;
                drive.say_that_it_looks().await?;
                let wake_at = drive.next_at();
                return Ok(Progress::Paused {
                    state: Box::new(drive.into_state()),
                    wake_at,
                });
            }
            drive.sleep_until(wake_at).await;
        }
    }
}
