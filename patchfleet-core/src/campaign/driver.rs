//! The driver: a thin loop around [`decide`](super::decide) that calls the ports and appends what came of it.

use super::clocks::Placed;
use super::dispatch::AsExecution;
use super::journal::Journal;
use super::notice::{Notices, Tried};
use super::patience::Patience;
use super::state::{State, UnitState};
use super::strays::nodes_of;
use super::{Chain, Event, RECORD_FORMAT, Record};
use crate::campaign::{Appended, CampaignLog, LogKey, NodeRows, load};
use crate::id::{CampaignId, RequestName, UnitId, WriterId};
use crate::outcome::FinishedOutcome;
use crate::plan::Plan;
use crate::port::{
    Alarms, Automation, Clock, Commands, Documents, Inventory, PatchStates, Ports, ResultPorts,
};
use crate::slip::{Slip, slips};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex};

mod abandon;
mod again;
mod alarm;
mod approve;
mod begun_before;
mod calendars;
mod call_off;
mod calls;
mod collected;
mod compare;
mod drive;
mod error;
mod for_now;
mod go_on;
mod hidden;
mod hold;
mod installed;
mod learn;
mod merge;
mod name_again;
mod read_results;
mod require_planned;
mod rows_again;
mod send_again;
mod stop;
mod stop_below;
mod sweep;
mod taken;
mod trouble;
mod unobserved;
mod write;

#[cfg(test)]
pub(crate) use again::Recollected;
pub use again::StillUnread;
pub(crate) use drive::Drive;
pub use error::DriveError;
pub use hold::SHORTEST_GAP;
#[cfg(test)]
pub(crate) use installed::Installed;
pub use installed::UnreadNodes;
pub use send_again::SentAgain;
pub(crate) use taken::name_taken;

/// Called with every record that a driver sees, its own and others', and the state with it.
pub type Observer = Arc<dyn Fn(&Record, &State) + Send + Sync>;

/// Runs campaigns over the ports.
///
/// Any number of drivers may run the same campaign at once, and each may be killed at any instant:
/// what was sent is in the log before it is sent, and a start is looked for before it is sent again.
#[derive(Clone)]
pub struct Driver {
    /// Starts and follows executions.
    pub automation: Arc<dyn Automation>,
    /// Says what commands did on each node.
    pub commands: Arc<dyn Commands>,
    /// Says what nodes report of their patches.
    pub patch_states: Arc<dyn PatchStates>,
    /// Says which nodes there are, when results are collected.
    pub inventory: Arc<dyn Inventory>,
    /// Says what the runbook is, before each start.
    pub documents: Arc<dyn Documents>,
    /// Says what state the CloudWatch alarm of a request is in, before each start.
    pub alarms: Arc<dyn Alarms>,
    /// Keeps what happened.
    pub log: Arc<dyn CampaignLog>,
    /// Keeps the results of nodes.
    pub rows: Arc<dyn NodeRows>,
    /// Rules polling and waiting.
    pub clock: Arc<dyn Clock>,
    /// Who this driver is. Each driver needs an id of its own, new for each process.
    pub writer: WriterId,
    /// Sees every record, for progress.
    pub observer: Option<Observer>,
    /// Is told of what a person wants to hear at once, and no log says.
    pub notices: Notices,
}

/// What came of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Something was done. There may be more to do at once.
    Acted,
    /// Nothing is to be done before this instant.
    Wait(Timestamp),
    /// The campaign is over.
    Done(FinishedOutcome),
}

/// What came of driving a campaign for some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is over.
    Finished(Box<State>),
    /// It goes on: drive it again at this instant.
    Paused {
        /// The state so far.
        state: Box<State>,
        /// When there is something to do next.
        wake_at: Timestamp,
    },
}

impl Driver {
    /// A driver over `ports`, that remembers in `log` and `rows` and is watched by nobody.
    #[must_use]
    pub fn new(ports: &Ports, log: Arc<dyn CampaignLog>, rows: Arc<dyn NodeRows>, writer: WriterId) -> Self {
        Self {
            automation: ports.automation.clone(),
            commands: ports.commands.clone(),
            patch_states: ports.patch_states.clone(),
            inventory: ports.inventory.clone(),
            documents: ports.documents.clone(),
            alarms: ports.alarms.clone(),
            log,
            rows,
            clock: ports.clock.clone(),
            writer,
            observer: None,
            notices: Notices::default(),
        }
    }

    /// The ports with which the results of a unit are read, with its [`dispatcher`](Self::dispatcher).
    fn results<'a>(&'a self, automation: &'a dyn Automation) -> ResultPorts<'a> {
        ResultPorts {
            automation,
            commands: self.commands.as_ref(),
            patch_states: self.patch_states.as_ref(),
            inventory: self.inventory.as_ref(),
        }
    }

    /// How a unit is begun, found, looked at and stopped.
    fn dispatcher(&self, state: &State, unit: UnitId) -> Arc<dyn Automation> {
        let of = state.units().get(&unit);
        match of.and_then(|of| of.locations.keys().next()) {
            Some(location) if state.is_sent_once() => Arc::new(AsExecution {
                commands: self.commands.clone(),
                location: location.clone(),
                campaign: state.campaign(),
                unit,
                nodes: of
                    .and_then(UnitState::intent)
                    .map(|intent| nodes_of(&intent.request)),
                known: state.executions_of_others(unit, location),
                planned_at: state.planned_at(),
                last: Mutex::default(),
            }),
            _ => self.automation.clone(),
        }
    }

    /// Writes down a new campaign and claims the request's name for it. Nothing is started yet.
    ///
    /// A campaign that is there already goes on with the plan that it has: the same event
    /// delivered twice is the same campaign.
    ///
    /// # Errors
    ///
    /// [`DriveError::NameTaken`] if another campaign of the request is open, whatever became of its claim;
    /// [`DriveError::NotBegun`] if that cannot be told or the plan cannot be written down;
    /// [`DriveError::Presigned`] if the plan carries a presigned URL; [`DriveError::Log`] and the
    /// like if the log fails afterwards.
    pub async fn begin(&self, campaign: CampaignId, plan: &Plan) -> Result<State, DriveError> {
        plan.refuse_presigned().map_err(DriveError::Presigned)?;
        let key = LogKey::Campaign(campaign);
        let failed = |source| DriveError::NotBegun {
            name: plan.request.name.clone(),
            under_way: None,
            source,
        };
        let mut free = None;
        if self.journal().read(&key, 0).await.map_err(failed)?.is_empty() {
            // Asked before anything is written, so that a refused campaign leaves no trace.
            free = self.may_claim(campaign, &plan.request.name, None).await?;
            let planned = Event::Planned {
                format: RECORD_FORMAT,
                campaign,
                plan: Box::new(plan.clone()),
            };
            let record = Chain::of(&key).record(self.clock.now(), self.writer, vec![planned]);
            let appended = self.journal().append(&key, &record).await.map_err(failed)?;
            if let (Appended::Yes, Some(observer)) = (appended, &self.observer)
                && let Ok(state) = State::from_records(std::slice::from_ref(&record))
            {
                observer(&record, &state);
            }
        }
        Ok(self.open_claiming(campaign, free).await?.into_state())
    }

    /// Drives a campaign to its end: a new one, or one that was left. For one that was left, see
    /// first that the caller is where it was planned
    /// ([`Campaigns::resume`](crate::Campaigns::resume) does).
    ///
    /// # Errors
    ///
    /// [`DriveError`]: the campaign stays open, and may be driven on later.
    pub async fn run(&self, campaign: CampaignId) -> Result<State, DriveError> {
        self.run_on(campaign, None).await
    }

    /// [`run`](Self::run) for whoever has nobody watching: if by its log nobody has driven the campaign for
    /// longer than `longest_gap`, nothing more of it is begun, as it was planned for a time that is long past.
    /// What was begun is followed to its end, the report says what was left out and why, and the campaign is
    /// halted. That holds when the campaign is taken up, and for a gap in this very run, as when the machine
    /// slept or AWS did not answer. It is written down once AWS answers, and cannot be taken back.
    ///
    /// A gap below [`SHORTEST_GAP`] counts as that long, as a driver that has nothing to say gives a sign of
    /// life only every five minutes. A campaign of which everything was
    /// begun has no gaps.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_unless_left(
        &self,
        campaign: CampaignId,
        longest_gap: SignedDuration,
    ) -> Result<State, DriveError> {
        self.run_on(campaign, Some(longest_gap.max(SHORTEST_GAP))).await
    }

    async fn run_on(
        &self,
        campaign: CampaignId,
        longest_gap: Option<SignedDuration>,
    ) -> Result<State, DriveError> {
        let mut drive = self.open(campaign).await?;
        drive.longest_gap = longest_gap;
        loop {
            match drive.step().await? {
                Turn::Acted => {}
                Turn::Wait(at) => drive.sleep_until(at).await,
                Turn::Done(_) => return Ok(drive.into_state()),
            }
        }
    }

    /// Opens a campaign, to drive it turn by turn. Makes sure that the request's name is its own,
    /// unless it is over.
    ///
    /// # Errors
    ///
    /// [`DriveError`] if there is no such campaign, it may not be appended to, another campaign of
    /// the request is open, or the log fails.
    pub async fn open(&self, campaign: CampaignId) -> Result<Drive<'_>, DriveError> {
        self.open_claiming(campaign, None).await
    }

    /// Opens a campaign. If its name was found to be `free` just now, the claim follows these claims: whoever has
    /// claimed it meanwhile has written into their log, and then it is looked at once more.
    async fn open_claiming(
        &self,
        campaign: CampaignId,
        free: Option<Chain>,
    ) -> Result<Drive<'_>, DriveError> {
        let mut drive = self.look_up(campaign).await?;
        if drive.state.finished().is_none() {
            drive.require_writable()?;
            let claimed = self.claim(campaign, &drive.state, free).await;
            if let Err(DriveError::NameTaken { open, .. }) = &claimed
                && drive.state.next_seq() == 1
            {
                // It is not left open for ever. On conflict another driver of it has its name by now.
                let _ = drive.append(vec![Event::NameTaken { by: *open }]).await?;
            }
            claimed?;
            while !drive.state.is_under_way() && drive.state.finished().is_none() {
                // From here on the campaign has its name by its own log, too. On conflict another driver of it
                // has said so, or that the name was taken before.
                let _ = drive.append(vec![Event::Claimed { campaign }]).await?;
            }
        }
        Ok(drive)
    }

    /// Ends a campaign that never had its request's name, since another one had it. Of one that has it, nothing is written.
    pub(crate) async fn give_way(&self, campaign: CampaignId, by: CampaignId) -> Result<(), DriveError> {
        let mut drive = self.look_up(campaign).await?;
        if drive.state.next_seq() == 1 {
            drive.require_writable()?;
            let _ = drive.append(vec![Event::NameTaken { by }]).await?;
        }
        Ok(())
    }

    /// A campaign as its log has it. Nothing is claimed yet.
    async fn look_up(&self, campaign: CampaignId) -> Result<Drive<'_>, DriveError> {
        let key = LogKey::Campaign(campaign);
        let asked_at = self.clock.now();
        let records = self
            .journal()
            .read(&key, 0)
            .await
            .map_err(|source| DriveError::of_log(campaign, source))?;
        let (placed, difference) = Placed::before(&records, self.clock.now());
        let state = State::placed(campaign, &records, placed)
            .map_err(|error| DriveError::of_records(campaign, error))?;
        let has_others = records.iter().any(|record| record.writer != self.writer);
        let was_there_before = has_others && !slips(Slip::TrustsTheLog);
        difference
            .into_iter()
            .for_each(|difference| self.notices.clocks(difference));
        Ok(Drive::new(self, state, was_there_before, asked_at))
    }

    /// How a call is made again that nothing else goes on beside.
    fn patience<'a>(&'a self, what: Tried, subject: &'a str) -> Patience<'a> {
        Patience {
            clock: &*self.clock,
            notices: &self.notices,
            what,
            subject,
        }
    }

    fn journal(&self) -> Journal<'_> {
        Journal {
            log: &*self.log,
            clock: Some(&*self.clock),
            notices: Some(&self.notices),
        }
    }

    /// Whether the name is free for `campaign`, whose `state` is this if it is known: what the claim has to
    /// follow, or `None` if it has the name already.
    ///
    /// One that is over has not, also if nobody has claimed the name since: another campaign may have found it free.
    /// That one's claim follows the claims that it found, so whoever opens this one again adds to them.
    async fn may_claim(
        &self,
        campaign: CampaignId,
        name: &RequestName,
        state: Option<&State>,
    ) -> Result<Option<Chain>, DriveError> {
        // It was alone when it began, and has had its name since.
        let since = state.filter(|state| state.is_under_way()).map(State::planned_at);
        let failed = |source| DriveError::NotBegun {
            name: name.clone(),
            under_way: since.map(|_| campaign),
            source,
        };
        let journal = self.journal();
        let claims = journal.claims(name).await.map_err(failed)?;
        let has_it = claims.last == Some(campaign);
        let is_over = state.is_some_and(|state| state.finished().is_some());
        if has_it && since.is_some() {
            return Ok(None);
        }
        let open = match claims.last {
            Some(other) if other != campaign && journal.is_open(name, other).await.map_err(failed)? => {
                Some(other)
            }
            _ => {
                let begun = journal.begun(name, Some(campaign), since).await;
                begun.map_err(failed)?
            }
        };
        match open {
            Some(open) => {
                // What it waits for is for a person to read. Where it cannot be told, the name is taken all the same.
                let told = self.patience(Tried::Log, "");
                let state = told.call(|| load(&*self.log, open), |_| true).await;
                Err(name_taken(name, open, state.ok().flatten().as_ref()))
            }
            None => Ok((!has_it || is_over).then_some(claims.chain)),
        }
    }

    /// Makes the name the campaign's own, which was found to be `free` after these claims, or is looked at now.
    async fn claim(
        &self,
        campaign: CampaignId,
        state: &State,
        mut free: Option<Chain>,
    ) -> Result<(), DriveError> {
        let name = &state.plan().request.name;
        loop {
            let claims = match free.take() {
                Some(claims) => claims,
                None => match self.may_claim(campaign, name, Some(state)).await? {
                    Some(claims) => claims,
                    None => return Ok(()),
                },
            };
            let claimed = vec![Event::Claimed { campaign }];
            let record = claims.record(self.clock.now(), self.writer, claimed);
            let key = LogKey::Name(name.clone());
            let appended = self.journal().append(&key, &record).await;
            match appended.map_err(|source| DriveError::of_log(campaign, source))? {
                Appended::Yes => return Ok(()),
                Appended::Conflict => {} // look again whose it is now
            }
        }
    }
}
