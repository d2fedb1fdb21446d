//! One campaign that is written down.

use super::CampaignError;
use super::store::Said;
use crate::campaign::{DriveError, Driver, Progress, SentAgain, State, StillUnread, Store};
use crate::id::{CampaignId, UnitId};
use crate::port::{Directory, PortResult};
use crate::report::Report;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// A campaign that is written down. Cheap to clone.
///
/// Any number of processes may follow the same campaign at once, and each may be killed at any instant. Dropping
/// it stops nothing: what was started runs on in AWS.
#[derive(Clone)]
pub struct Campaign {
    id: CampaignId,
    driver: Driver,
    store: Store,
    directory: Arc<dyn Directory>,
}

/// What came of reading results again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReadAgain {
    /// The campaign's report, with what was read.
    pub report: Report,
    /// How many locations have all their results now that could not be read before, or whose rows had been lost, and of how many more is
    /// known of lost nodes.
    pub read: u32,
    /// What still cannot be read.
    pub unread: Vec<StillUnread>,
}

impl Campaign {
    pub(super) fn new(id: CampaignId, driver: Driver, store: Store, directory: Arc<dyn Directory>) -> Self {
        Self {
            id,
            driver,
            store,
            directory,
        }
    }

    /// What it is known by.
    #[must_use]
    pub fn id(&self) -> CampaignId {
        self.id
    }

    /// Follows it to its end: starts what is to be started, collects what became of every node, and reports.
    ///
    /// # Errors
    ///
    /// [`CampaignError::Driving`]: the campaign stays open, and this may be called again.
    pub async fn run(&self) -> Result<Report, CampaignError> {
        let state = self.driver.run(self.id).await?;
        Ok(self.report_of(&state).await?)
    }

    /// [`run`](Self::run) for whoever has nobody watching: if nobody has followed the campaign for longer than
    /// `longest_gap`, nothing more of it begins, because it was planned for a time that is long past. What was begun
    /// is followed to its end, the report says what was left out and why, and the campaign is halted. That also holds
    /// for a gap in this very run, as when the machine slept or AWS did not answer. It cannot be taken back.
    ///
    /// A gap below [`SHORTEST_GAP`](crate::campaign::SHORTEST_GAP) counts as that long. A campaign of which
    /// everything was begun has no gaps.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_unless_left(&self, longest_gap: SignedDuration) -> Result<Report, CampaignError> {
        let state = self.driver.run_unless_left(self.id, longest_gap).await?;
        Ok(self.report_of(&state).await?)
    }

    /// Follows it until it is over or `deadline` has come. What was called before the deadline is waited for, so
    /// leave some time.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_until(&self, deadline: Timestamp) -> Result<Progress, CampaignError> {
        Ok(self.driver.run_until(self.id, deadline).await?)
    }

    /// [`run_until`](Self::run_until), which also stops for now once nothing is to be done for longer than `longest_wait`:
    /// for a function that is billed by time and is called again at [`Progress::Paused`]'s `wake_at`. It goes on while a call
    /// fails, since the failures of one call are counted by each drive anew, and decide when it is given up.
    ///
    /// However short each drive is, whatever was answered in it is in the log.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run). Where somebody has it stopped, and AWS does not let anybody stop what is left of it:
    /// [`DriveError::RunsOn`].
    pub async fn run_while_busy(
        &self,
        deadline: Timestamp,
        longest_wait: SignedDuration,
    ) -> Result<Progress, CampaignError> {
        Ok(self
            .driver
            .run_while_busy(self.id, deadline, longest_wait)
            .await?)
    }

    /// Writes down that the caller wants it to go on after somebody else cancelled something of it. Then
    /// [`run`](Self::run) it.
    ///
    /// Each execution of which something was cancelled is looked at once more, and the caller accepts what is seen
    /// to be cancelled by then. What is cancelled later stops the campaign once more. The locations that such an
    /// execution never began are begun in new units. Where that cannot be seen, or the execution is not over yet,
    /// they stay where they are, and this may be called again.
    ///
    /// # Errors
    ///
    /// [`CampaignError::Refused`] if there is nothing to go on with, or the campaign is over and another one of its name has begun since;
    /// [`CampaignError::Asking`] if the caller cannot be found out; as [`run`](Self::run) otherwise.
    pub async fn go_on(&self) -> Result<(), CampaignError> {
        if let Some(state) = self
            .store
            .load(self.id)
            .await?
            .filter(|state| state.finished().is_some())
        {
            self.store.require_last(&state, Said::GoOn).await?;
        }
        let caller = self.directory.caller().await?;
        Ok(self.driver.go_on(self.id, &caller.arn).await?)
    }

    /// Writes down that the caller has starts sent again of which nobody knows whether they took effect. Then
    /// [`run`](Self::run) it, which sends the same bytes with the same client token.
    ///
    /// Each is looked for once more first, by its tag, and what AWS shows by now is written down as started. Of
    /// several that call this at once, one sends.
    ///
    /// # Errors
    ///
    /// [`CampaignError::Refused`] if one is not unresolved, or nothing more may begin; [`CampaignError::Asking`] if
    /// the caller cannot be found out; as [`run`](Self::run) otherwise.
    pub async fn send_again(&self, units: &BTreeSet<UnitId>) -> Result<SentAgain, CampaignError> {
        let caller = self.directory.caller().await?;
        Ok(self.driver.send_again(self.id, units, &caller.arn).await?)
    }

    /// Closes it, if AWS no longer knows what it began. It ends as halted, of the nodes that it had begun nothing is
    /// known, and its request's name is free. Starts nothing and stops nothing.
    ///
    /// AWS is asked for everything that the campaign began and that is not over by its log, and has to answer that it
    /// knows none of it. A denial, a throttled call or a timeout is no such answer. What may have been begun also has
    /// to be past the time at which its last command expires.
    ///
    /// # Errors
    ///
    /// [`CampaignError::Refused`] with everything that AWS knows of it, or that cannot be seen;
    /// [`CampaignError::Asking`] if the caller cannot be found out; as [`run`](Self::run) otherwise.
    pub async fn abandon(&self) -> Result<Report, CampaignError> {
        let caller = self.directory.caller().await?;
        let state = self.driver.abandon(self.id, &caller.arn).await?;
        Ok(self.report_of(&state).await?)
    }

    /// Reads the results again that could not be read, and those of lost nodes, whose agents may answer again, also when it is over.
    /// Starts nothing. Once it is over, patches that failed or are missing and have no name yet are asked for by name as well.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run). What still cannot be read is no error: [`ReadAgain::unread`] lists it.
    pub async fn collect_again(&self) -> Result<ReadAgain, CampaignError> {
        let found = self.driver.collect_again(self.id).await?;
        Ok(ReadAgain {
            report: self.report_of(&found.state).await?,
            read: found.read,
            unread: found.unread,
        })
    }

    /// Its report as it stands, over or not. AWS is not asked.
    ///
    /// # Errors
    ///
    /// [`CampaignError::Asking`] if the log or the results of nodes cannot be read.
    pub async fn report(&self) -> Result<Report, CampaignError> {
        let campaign = self.id;
        match self.store.load(campaign).await? {
            Some(state) => Ok(self.report_of(&state).await?),
            None => Err(DriveError::NoSuchCampaign { campaign }.into()),
        }
    }

    async fn report_of(&self, state: &State) -> PortResult<Report> {
        self.store.report(state, self.driver.clock.now()).await
    }
}

impl fmt::Debug for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Campaign")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
