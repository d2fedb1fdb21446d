//! One campaign: plan, start, follow, report.

mod trouble;

use crate::follow::Became;
use crate::schedule::Schedule;
use jiff::{SignedDuration, Timestamp};
use patchfleet_aws::{Aws, SystemClock, external_id_from_env};
use patchfleet_core::campaign::{DriveError, Notices, Observer, SHORTEST_GAP, Store};
use patchfleet_core::id::{CampaignId, EventId, WriterId};
use patchfleet_core::plan::Planning;
use patchfleet_core::port::{Clock, PortError, PortErrorKind, Ports};
use patchfleet_core::problem::chain;
use patchfleet_core::refusal::Refusal;
use patchfleet_core::report::{Report, ReportOutcome};
use patchfleet_core::request::{Access, Format, MAX_REQUEST_BYTES, PatchRequest};
use patchfleet_core::text::{in_log, one_line};
use patchfleet_core::{CampaignError, Campaigns, Remedy};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::error::Error;
use std::fs::File;
use std::future::Future;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use trouble::Trouble;
use uuid::Uuid;

/// What makes a campaign.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A slot of the schedule, and its time: the same slot of the same request is the same campaign.
    Slot(EventId, Timestamp),
    /// Somebody who asked for one now.
    Once,
}

impl Event {
    /// When every command has expired, `after` the event, in a plan that is made now.
    fn cutoff(&self, after: SignedDuration, now: Timestamp) -> Timestamp {
        let event = match self {
            Self::Slot(_, at) => *at,
            Self::Once => now,
        };
        event.checked_add(after).unwrap_or(Timestamp::MAX)
    }
}

/// How AWS is reached.
pub(crate) trait Reach {
    /// AWS, with this access to other accounts.
    fn ports(&self, access: &Access) -> impl Future<Output = Result<Ports, Failure>>;

    /// What waiting goes by while AWS is not reached.
    fn clock(&self) -> Arc<dyn Clock>;
}

/// AWS by the usual environment and profiles.
#[derive(Debug)]
pub(crate) struct Surroundings;

/// The work of this process.
#[derive(Debug)]
pub(crate) struct Job<R> {
    /// How AWS is reached.
    pub(crate) reach: R,
    /// The request's file.
    pub(crate) request: PathBuf,
    /// Where campaigns are remembered.
    pub(crate) store: Store,
    /// The folder that commands to type name as where that is.
    pub(crate) log: PathBuf,
    /// How long after its slot, or after now, every command of a campaign must have expired.
    pub(crate) cutoff: Option<SignedDuration>,
    /// How long after its time a slot may begin, and for how long nobody may have driven a campaign that
    /// begins more.
    pub(crate) late: SignedDuration,
    /// When campaigns are begun. `None`: one is, and now.
    pub(crate) schedule: Option<Schedule>,
    /// Whether no further campaign is to begin.
    pub(crate) stop: watch::Receiver<bool>,
}

/// How an event's campaign ended, or why it did not begin.
enum Done {
    Ended(Box<Report>),
    NotBegun(Became),
}

/// A campaign that another process left open, and that is over now.
struct Finished {
    report: Box<Report>,
    /// Whether somebody who asks for the request now means this campaign, because the process died and is started
    /// again. A request file that has changed since then asks for another campaign, and so does tomorrow's run.
    is_wanted_again: bool,
}

/// How long after its plan a campaign that was left open is the one that `--once` asks for. Less than a
/// day, so that the next run of a daily schedule is a campaign of its own.
const LONGEST_RESTART: SignedDuration = SignedDuration::from_hours(22);

/// Why there is no report.
pub(crate) enum Failure {
    /// Refused before anything was started.
    Refused(Refusal),
    /// AWS's settings are missing or wrong.
    Settings(PortError),
    /// Something that may pass, such as an AWS that denies or throttles, or a full disk.
    Passing(Box<dyn Error + Send + Sync>),
    /// Anything else.
    Unexpected(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// Whether it may pass by itself, or by somebody who is awake.
    fn may_pass(&self) -> bool {
        match self {
            Self::Passing(_) => true,
            // Others renew credentials.
            Self::Settings(error) => error.kind() == PortErrorKind::Credentials,
            Self::Refused(_) | Self::Unexpected(_) => false,
        }
    }

    /// What happened, in one line.
    fn words(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.to_string(),
            Self::Settings(error) => error.chain(),
            Self::Passing(error) | Self::Unexpected(error) => one_line(&chain(error.as_ref())),
        }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        CampaignError::from(error).into()
    }
}

impl From<DriveError> for Failure {
    fn from(error: DriveError) -> Self {
        CampaignError::from(error).into()
    }
}

impl From<CampaignError> for Failure {
    fn from(error: CampaignError) -> Self {
        match (error.remedy(), error) {
            (_, CampaignError::Refused(refusal)) => Self::Refused(refusal),
            (_, CampaignError::NoPlace(source)) => Self::Settings(source),
            // The folder that --log names cannot be used.
            (Remedy::OtherPlace, CampaignError::Driving(DriveError::NotBegun { source, .. })) => {
                Self::Settings(source)
            }
            (Remedy::TryLater, error) => Self::Passing(Box::new(error)),
            (_, error) => Self::Unexpected(Box::new(error)),
        }
    }
}

impl<R: Reach> Job<R> {
    /// Runs a campaign now, after one that was left open. Exit codes are those of `patchfleet run`.
    pub(crate) async fn once(&self) -> u8 {
        match self.asked(&Event::Once).await {
            Ok(done) => self.exit(&done),
            Err(problem) => {
                tracing::error!("{problem}");
                2
            }
        }
    }

    /// Runs the campaign of the slot `id`, whose time is `at`, after one that was left open. Its report or
    /// its failure is in the log.
    pub(crate) async fn slot(&self, id: EventId, at: Timestamp) -> Became {
        match self.asked(&Event::Slot(id, at)).await {
            Ok(Ok(Done::NotBegun(why))) => return why,
            Ok(done) => drop(self.exit(&done)),
            Err(problem) => tracing::error!("{problem}"),
        }
        Became::Run
    }

    /// Drives the campaign of the request's name that was left open to its end, and logs its report.
    /// Gives whether there was one.
    pub(crate) async fn finish_open(&self) -> bool {
        let Ok(request) = self.request() else {
            return false;
        };
        let Some(finished) = self.left_open(&request, None).await.transpose() else {
            return false;
        };
        self.exit(&finished.map(|finished| Done::Ended(finished.report)));
        true
    }

    /// Whether the campaign of `request` and the slot `id` is in the log, and over.
    pub(crate) async fn has_run(&self, request: &PatchRequest, id: &EventId) -> bool {
        let campaign = CampaignId::of_event(&request.digest(), id);
        let state = self.store.load(campaign).await;
        state.is_ok_and(|state| state.is_some_and(|state| state.finished().is_some()))
    }

    /// The exit code of a process that begins nothing more: 1 if a campaign is still open.
    pub(crate) async fn end(&self) -> u8 {
        let request = match self.request() {
            Ok(request) => request,
            Err(problem) => {
                tracing::error!("whether a campaign is still open is not known: {problem}");
                return 2;
            }
        };
        match self.store.open_campaign(&request.name).await {
            Ok(None) => 0,
            Ok(Some(open)) => {
                tracing::error!(
                    "campaign {open} is still open; this command goes on with it when it is run again"
                );
                1
            }
            Err(error) => {
                let why = one_line(&chain(&error));
                tracing::error!("whether a campaign is still open is not known: {why}");
                1
            }
        }
    }

    async fn asked(&self, event: &Event) -> Result<Result<Done, Failure>, String> {
        let request = self.request()?;
        Ok(self.campaign(&request, event).await)
    }

    async fn campaign(&self, request: &PatchRequest, event: &Event) -> Result<Done, Failure> {
        let campaign = match event {
            Event::Slot(slot, _) => CampaignId::of_event(&request.digest(), slot),
            Event::Once => CampaignId::from_uuid(Uuid::new_v4()),
        };
        let finished = self.left_open(request, Some(event)).await?;
        if let Some(finished) = finished {
            if finished.report.outcome == ReportOutcome::Open {
                // Its nodes may be at work, so nothing else of its name begins.
                return Ok(Done::Ended(finished.report));
            }
            let wanted = match event {
                Event::Slot(..) => finished.report.campaign_id == campaign,
                Event::Once => finished.is_wanted_again,
            };
            if wanted {
                return Ok(Done::Ended(finished.report));
            }
            tracing::warn!(
                "campaign {} was left open; it was finished first, and ended so:\n{}",
                finished.report.campaign_id,
                self.told(&finished.report.to_text())
            );
        }
        let mut trouble = Trouble::new(self);
        loop {
            let failure = match self.begin(request, event, campaign).await {
                Ok(None) => break,
                Ok(Some(why)) => return Ok(Done::NotBegun(why)),
                Err(failure) => failure,
            };
            // Nothing runs yet: whoever asked for one campaign may ask again.
            let until = match event {
                Event::Slot(_, at) => at.checked_add(self.late).ok(),
                Event::Once => None,
            };
            let what = "the campaign has not begun";
            if until.is_none() || !trouble.is_waited_out(what, &failure, until).await {
                return Err(failure);
            }
        }
        let longest_gap = match event {
            Event::Slot(..) => Some(self.late),
            Event::Once => None,
        };
        Ok(Done::Ended(self.to_its_end(campaign, longest_gap).await?))
    }

    /// Plans the campaign and writes it down. Gives why it was not begun, if it was not.
    async fn begin(
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

    /// Drives the campaign to its end that was left open, if there is one. If nobody has driven it for longer
    /// than a slot may be late, nothing more of it is begun, unless it is the one that is asked for now.
    async fn left_open(
        &self,
        request: &PatchRequest,
        event: Option<&Event>,
    ) -> Result<Option<Finished>, Failure> {
        let mut trouble = Trouble::new(self);
        let (open, state) = loop {
            let found = async {
                let Some(open) = self.store.open_campaign(&request.name).await? else {
                    return Ok(None);
                };
                Ok(self.store.load(open).await?.map(|state| (open, state)))
            };
            match found.await {
                Ok(Some(found)) => break found,
                Ok(None) => return Ok(None),
                Err(failure) => {
                    let what = "whether a campaign is open is not known";
                    if !trouble.is_waited_out(what, &failure, trouble.until()).await {
                        return Err(failure);
                    }
                }
            }
        };
        tracing::info!("going on with campaign {open}");
        let now = self.reach.clock().now();
        let is_same = state.plan().request.digest() == request.digest();
        let is_wanted_again = is_same && now.duration_since(state.planned_at()) <= LONGEST_RESTART;
        let is_wanted = matches!(event, Some(Event::Once)) && is_wanted_again;
        let longest_gap = (!is_wanted).then_some(self.late);
        let report = self.to_its_end(open, longest_gap).await?;
        Ok(Some(Finished {
            report,
            is_wanted_again,
        }))
    }

    /// Drives an open campaign to its end, and goes on after trouble that may pass. If nobody drives it for
    /// longer than `longest_gap`, before or meanwhile, nothing more of it is begun.
    async fn to_its_end(
        &self,
        campaign: CampaignId,
        longest_gap: Option<SignedDuration>,
    ) -> Result<Box<Report>, Failure> {
        let (mut trouble, mut records) = (Trouble::new(self), None);
        loop {
            let failure = match self.drive(campaign, longest_gap).await {
                Ok(report) => return Ok(report),
                Err(failure) => failure,
            };
            // Where it gets on in between, the trouble is a new one.
            let now = self.store.load(campaign).await.ok().flatten();
            let now = now.map(|state| state.next_seq());
            if now.is_some() && now != records {
                trouble = Trouble::new(self);
                records = now;
            }
            let what = format!("campaign {campaign} is open and nobody drives it");
            if !trouble.is_waited_out(&what, &failure, trouble.until()).await {
                return Err(failure);
            }
        }
    }

    /// Drives an open campaign to its end, as it was planned: the file may have changed since. Nothing more of
    /// it is begun if nobody drives it for longer than `longest_gap`.
    async fn drive(
        &self,
        campaign: CampaignId,
        longest_gap: Option<SignedDuration>,
    ) -> Result<Box<Report>, Failure> {
        let Some(state) = self.store.load(campaign).await? else {
            return Err(DriveError::NoSuchCampaign { campaign }.into());
        };
        let ports = self.reach.ports(&state.plan().request.access).await?;
        let notices = notices();
        let campaigns = self.campaigns(&ports, &notices);
        let campaign = campaigns.resume(&state).await?;
        let run = async {
            match longest_gap {
                Some(longest_gap) => campaign.run_unless_left(longest_gap).await,
                None => campaign.run().await,
            }
        };
        let report = match watching(&notices, &*ports.clock, run).await {
            // Only a person can say what becomes of it.
            Err(CampaignError::Driving(open @ DriveError::Unresolved { .. })) => {
                tracing::error!("{}", one_line(&self.told(&open.to_string())));
                campaign.report().await?
            }
            driven => driven?,
        };
        Ok(Box::new(report))
    }

    fn campaigns(&self, ports: &Ports, notices: &Notices) -> Campaigns {
        let writer = WriterId::from_uuid(Uuid::new_v4());
        let (told, log) = (Mutex::new(BTreeSet::new()), self.log.clone());
        let observer: Observer = Arc::new(move |record, state| {
            for warning in record.events.iter().filter_map(|event| state.warning(event)) {
                let is_news = told.lock().is_ok_and(|mut told| told.insert(warning.clone()));
                if is_news {
                    tracing::warn!("{}", one_line(&in_log(&warning, Some(&log))));
                }
            }
        });
        Campaigns::new(ports.clone(), self.store.clone(), writer)
            .observed_by(observer)
            .noticed_by(notices.clone())
    }

    /// Words with this log named in each command that they tell to type.
    pub(super) fn told(&self, words: &str) -> String {
        in_log(words, Some(&self.log))
    }

    /// Logs how a campaign ended, and gives the exit code that says so.
    fn exit(&self, done: &Result<Done, Failure>) -> u8 {
        match done {
            Ok(Done::Ended(report)) => {
                tracing::info!("{}", self.told(&report.to_text()));
                report.exit_code()
            }
            Ok(Done::NotBegun(_)) => {
                tracing::warn!("told to stop before the campaign began: nothing of it was started");
                130
            }
            Err(failure) => {
                let words = self.told(&failure.words());
                match failure {
                    Failure::Refused(_) => {
                        tracing::error!("{words}");
                        3
                    }
                    Failure::Settings(_) => {
                        tracing::error!("{words}");
                        2
                    }
                    Failure::Passing(_) | Failure::Unexpected(_) => {
                        tracing::error!("no report: {words}");
                        1
                    }
                }
            }
        }
    }

    /// The request, as the file has it now.
    pub(crate) fn request(&self) -> Result<PatchRequest, String> {
        let path = one_line(&self.request.display().to_string());
        let format = Format::of_path(&self.request).map_err(|problem| problem.to_string())?;
        let mut text = Vec::new();
        File::open(&self.request)
            .and_then(|file| file.take(MAX_REQUEST_BYTES as u64 + 1).read_to_end(&mut text))
            .map_err(|error| format!("cannot read {path}: {error}"))?;
        PatchRequest::parse(&text, format)
            .map_err(|problems| problems.of(format!("the request {path}")).to_string())
    }
}

/// Logs what a person wants to hear at once.
fn notices() -> Notices {
    Notices::new(Arc::new(|notice| {
        tracing::warn!("{}", one_line(&notice.to_string()));
    }))
}

/// Does something, and looks once a second whether something of it has had no answer for long.
async fn watching<T>(notices: &Notices, clock: &dyn Clock, work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        never = look(notices, clock) => match never {},
    }
}

async fn look(notices: &Notices, clock: &dyn Clock) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        notices.look(clock.now());
    }
}

impl Reach for Surroundings {
    async fn ports(&self, access: &Access) -> Result<Ports, Failure> {
        let aws = Aws::load().await.map_err(|error| match error.kind() {
            PortErrorKind::Invalid | PortErrorKind::Credentials => Failure::Settings(error),
            _ => error.into(),
        })?;
        let access = external_id_from_env(access.clone()).map_err(Failure::Settings)?;
        Ok(aws.access(access).ports()?)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock::new())
    }
}

#[cfg(test)]
mod tests;
