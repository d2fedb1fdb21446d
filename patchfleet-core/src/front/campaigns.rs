//! From a request to a campaign that is under way.

use super::store::Said;
use super::{Campaign, CampaignError, RetryPlan, watched};
use crate::campaign::{DriveError, Driver, Notices, Observer, Progress, State, StopMode, Store};
use crate::id::{CampaignId, WaveName, WriterId};
use crate::plan::{Plan, Planning, require_central};
use crate::port::Ports;
use crate::report::Report;
use crate::request::PatchRequest;
use jiff::Timestamp;
use std::fmt;

/// Plans, begins, follows and reports campaigns over one set of ports, and remembers them in one store.
pub struct Campaigns {
    ports: Ports,
    store: Store,
    driver: Driver,
}

impl Campaigns {
    /// Campaigns over `ports`, remembered in `store`.
    ///
    /// `writer` tells this process from every other one that writes into the store. It has to be new for each
    /// process, such as a random UUID.
    #[must_use]
    pub fn new(ports: Ports, store: Store, writer: WriterId) -> Self {
        let driver = Driver::new(&ports, store.log.clone(), store.rows.clone(), writer);
        Self { ports, store, driver }
    }

    /// Has `observer` see every record of the campaigns, for progress.
    #[must_use]
    pub fn observed_by(mut self, observer: Observer) -> Self {
        self.driver.observer = Some(observer);
        self
    }

    /// Tells `notices` of what a person wants to hear at once and no log says, such as a call that is
    /// tried again, or one that has no answer for long. That holds for AWS and for the store, also while it is planned
    /// and while it is reported.
    #[must_use]
    pub fn noticed_by(mut self, notices: Notices) -> Self {
        self.driver.notices = notices;
        self
    }

    /// Runs a campaign from its request to its report: plans, begins, follows it to its end, and accounts for
    /// every location and node.
    ///
    /// `campaign` is what the campaign is known by: [`CampaignId::of_event`] for the event that asked for it, or
    /// a random UUID. A campaign of this id that the store has already is not planned again. It goes on, or its
    /// report is given if it is over. So a process that died may simply call this again.
    ///
    /// # Errors
    ///
    /// [`CampaignError`], whose [`remedy`](CampaignError::remedy) says what can be done. Once the campaign has
    /// begun it stays open, and the same call goes on with it.
    pub async fn run(
        &self,
        campaign: CampaignId,
        request: &PatchRequest,
        planning: &Planning,
    ) -> Result<Report, CampaignError> {
        match self.watched_store().load(campaign).await? {
            Some(state) => {
                require_same(&state, request)?;
                self.resume(&state).await?.run().await
            }
            None => {
                let planned = self.plan_of(campaign, request, planning).await?;
                planned.begin(campaign).await?.run().await
            }
        }
    }

    /// What [`run`](Self::run) does before it drives the campaign: plans it, writes it down, and claims its request's
    /// name. Nothing is started yet. A campaign of this id that the store has already is not planned again. If it is open
    /// and does not have its name, the name is claimed for it now.
    ///
    /// For a function that drives the campaign later, in another call.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn begin(
        &self,
        campaign: CampaignId,
        request: &PatchRequest,
        planning: &Planning,
    ) -> Result<Campaign, CampaignError> {
        let Some(state) = self.watched_store().load(campaign).await? else {
            let planned = self.plan_of(campaign, request, planning).await?;
            return planned.begin(campaign).await;
        };
        require_same(&state, request)?;
        let there = self.resume(&state).await?;
        self.driver.open(campaign).await?;
        Ok(there)
    }

    /// Plans a campaign. Nothing is started or changed in AWS. With [`Planning::carry_over`] it may be one for what the last
    /// campaign's window has left.
    ///
    /// # Errors
    ///
    /// [`CampaignError::Refused`] with every reason, also if the campaign may not begin in the store
    /// ([`Store::admit`], whose other errors are possible too); [`CampaignError::Asking`] if the caller or the
    /// runbook cannot be found out; [`CampaignError::Driving`] if the log does not answer.
    pub async fn plan(
        &self,
        request: &PatchRequest,
        planning: &Planning,
    ) -> Result<Planned<'_>, CampaignError> {
        Box::pin(self.plan_but(None, request, planning)).await
    }

    /// [`plan`](Self::plan) of a campaign whose id is known before, as that of an event. It is also made if this very
    /// campaign is open by now: another delivery of the event may have begun it, or an earlier try that failed halfway.
    /// [`Planned::begin`] then takes up that one.
    ///
    /// # Errors
    ///
    /// As [`plan`](Self::plan).
    pub async fn plan_of(
        &self,
        campaign: CampaignId,
        request: &PatchRequest,
        planning: &Planning,
    ) -> Result<Planned<'_>, CampaignError> {
        Box::pin(self.plan_but(Some(campaign), request, planning)).await
    }

    async fn plan_but(
        &self,
        but: Option<CampaignId>,
        request: &PatchRequest,
        planning: &Planning,
    ) -> Result<Planned<'_>, CampaignError> {
        self.watched_store().admit(request, but).await?;
        let mut told = vec![];
        if planning.carry_over {
            match Box::pin(self.carried_over(but, request, planning)).await? {
                Some(RetryPlan::Planned(planned)) => return Ok(planned),
                Some(RetryPlan::Nothing { told: why }) => told = why,
                None => {}
            }
        }
        let planning = self.with_pace(request, planning).await;
        let mut plan = Box::pin(Plan::make(&self.watched(), request, &planning)).await?;
        plan.warnings.extend(told);
        Ok(Planned {
            campaigns: self,
            plan,
        })
    }

    /// The same, with how long a node took before, if nobody says how long one takes.
    pub(super) async fn with_pace(&self, request: &PatchRequest, planning: &Planning) -> Planning {
        let is_said = request.forecast.minutes_per_node.is_some() || planning.pace.is_some();
        let pace = match is_said {
            true => planning.pace,
            // A forecast is not worth a plan that is not made.
            false => self.watched_store().pace(request).await.ok().flatten(),
        };
        Planning { pace, ..*planning }
    }

    /// Takes up a campaign that was begun before, by this process or another one. `state` is what the store says
    /// of it ([`Store::load`]). It also says which roles the ports need: those of the plan's request, which may
    /// be others than the request has now.
    ///
    /// # Errors
    ///
    /// [`CampaignError::Refused`] if the ports are not in the account and Region that the campaign was planned
    /// from, or if it is a retry of which nothing was begun and another one has tried its nodes since.
    /// [`CampaignError::Asking`] if AWS does not say where the ports are.
    pub async fn resume(&self, state: &State) -> Result<Campaign, CampaignError> {
        require_central(self.watched().directory.as_ref(), state.plan()).await?;
        Box::pin(self.require_untried_still(state)).await?;
        Ok(self.campaign(state.campaign()))
    }

    /// Has a campaign stopped, for good, and reports it. `state` is what the store says of it ([`Store::load`];
    /// [`CampaignList::open`](crate::campaign::CampaignList::open) lists those that can be stopped).
    ///
    /// First its log says so, with the caller's name. From then on no process decides to begin anything of it. A
    /// start that was decided on before may still be sent, within 30 seconds of its own record. What was begun is
    /// stopped by this process and by every other one that follows the campaign, so it does not matter which of them
    /// lives on: its executions, what these began in each location, and the commands there as `mode` says. A process
    /// that runs sees it when it next looks at the log: before each start, and at each of its polls. What became of every
    /// node is collected. The report's [exit code](Report::exit_code) is 5, and the request's name is free.
    ///
    /// A node that is at work may come to its end. Nothing takes a patch back.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/one_node.rs"));
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> { wait(async {
    /// use patchfleet_core::Campaigns;
    /// use patchfleet_core::campaign::{StopMode, Store};
    /// # use patchfleet_core::{id::{CampaignId, WriterId}, plan::Planning, request::{Format, PatchRequest}};
    /// # let request = br#"{"name": "weekly", "targets": {"resource_group": "Web", "regions": ["us-east-1"]}}"#;
    /// # let request = PatchRequest::parse(request, Format::Json)?;
    /// # let (ports, store, id) = (one_node(), Store::in_memory(), uuid::Uuid::from_u128(1));
    /// let campaigns = Campaigns::new(ports, store, WriterId::from_uuid(id));
    /// # let planned = campaigns.plan(&request, &Planning::default()).await?;
    /// # planned.begin(CampaignId::from_uuid(id)).await?;
    /// # let now = jiff::Timestamp::now();
    /// // The only campaign that is open, whoever drives it.
    /// let list = campaigns.store().campaigns(now).await?;
    /// let open: Vec<_> = list.open().map(|campaign| campaign.campaign).collect();
    /// let [campaign] = open[..] else { panic!("name one of {open:?}") };
    /// let state = campaigns.store().load(campaign).await?.expect("it was listed just now");
    /// let report = campaigns.stop(&state, StopMode::CancelCommands).await?;
    /// assert_eq!(report.exit_code(), 5);
    /// # Ok(()) }) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CampaignError::Refused`] if it is over and was not stopped before, or if the ports are not in the account and
    /// Region that it was planned from. Then its log says that it is stopped all the same, and whoever drives it does
    /// so. [`CampaignError::Driving`] with [`DriveError::RunsOn`] if AWS does not let anybody stop some of it, with
    /// [`DriveError::Unresolved`] if nobody knows whether a start took effect: the campaign stays open.
    /// [`CampaignError::Asking`] if AWS does not answer. Call it again to go on.
    pub async fn stop(&self, state: &State, mode: StopMode) -> Result<Report, CampaignError> {
        let by = self.say_stop(state, mode).await?;
        let campaign = state.campaign();
        let stopped = self.driver.stop(campaign, mode, &by).await?;
        Ok(self
            .watched_store()
            .report(&stopped, self.ports.clock.now())
            .await?)
    }

    /// [`stop`](Self::stop), until `deadline` at most: for a function whose time is limited. The log says first that the
    /// campaign is to be stopped. What is left to stop at the deadline is stopped by whoever drives the campaign next, with
    /// [`Campaign::run_while_busy`] or otherwise.
    ///
    /// # Errors
    ///
    /// As [`stop`](Self::stop).
    pub async fn stop_until(
        &self,
        state: &State,
        mode: StopMode,
        deadline: Timestamp,
    ) -> Result<Progress, CampaignError> {
        let campaign = state.campaign();
        let by = self.say_stop(state, mode).await?;
        Ok(self.driver.stop_until(campaign, mode, &by, deadline).await?)
    }

    /// Writes down that the caller approves of a wave that is over, so that the next one may begin. `state` is what the
    /// store says of the campaign ([`Store::load`]), and `wave` the name of the wave; `None`: the one whose approval is
    /// waited for, of several the first. Gives its name.
    ///
    /// It may be said from anywhere: only the store has to be reached. Whoever follows the campaign sees it within a
    /// minute, and begins the next wave.
    ///
    /// # Errors
    ///
    /// [`CampaignError::Refused`] if no wave waits for an approval, or another one than this, or if the campaign is over and a newer one
    /// of its name has gone on with it;
    /// [`CampaignError::Driving`] if the log does not answer.
    pub async fn approve(&self, state: &State, wave: Option<&WaveName>) -> Result<String, CampaignError> {
        if state.finished().is_some() {
            self.watched_store().require_last(state, Said::Approve).await?;
        }
        let by = self.caller_by_name().await;
        Ok(self.driver.approve(state.campaign(), wave, &by).await?)
    }

    /// Who calls, for the log, as far as AWS says so.
    async fn caller_by_name(&self) -> String {
        match self.watched().directory.caller().await {
            Ok(caller) => caller.arn,
            Err(_) => "somebody whose name AWS did not give".to_owned(),
        }
    }

    /// Writes down that a campaign is to be stopped, and sees that this process may do it. Gives who says so.
    async fn say_stop(&self, state: &State, mode: StopMode) -> Result<String, CampaignError> {
        let directory = self.watched().directory;
        // The log says so whoever it is. AWS is asked again below.
        let by = self.caller_by_name().await;
        self.driver.say_stop(state.campaign(), mode, &by).await?;
        require_central(directory.as_ref(), state.plan()).await?;
        Ok(by)
    }

    /// Where the campaigns are remembered. Its calls are not watched ([`Store::watched`]).
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The ports, of which whoever is told of trouble hears.
    pub(super) fn watched(&self) -> Ports {
        watched(&self.ports, &self.driver.notices)
    }

    /// The store, as whoever is told of trouble hears of it.
    pub(super) fn watched_store(&self) -> Store {
        self.store.watched(&self.ports.clock, &self.driver.notices)
    }

    pub(super) fn driver(&self) -> &Driver {
        &self.driver
    }

    pub(super) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    fn campaign(&self, id: CampaignId) -> Campaign {
        let (store, directory) = (self.watched_store(), self.watched().directory);
        Campaign::new(id, self.driver.clone(), store, directory)
    }
}

impl fmt::Debug for Campaigns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Campaigns").finish_non_exhaustive()
    }
}

/// A plan that has not begun. Drop it, and nothing has happened.
#[derive(Debug)]
#[must_use = "nothing begins before `begin`"]
pub struct Planned<'c> {
    campaigns: &'c Campaigns,
    plan: Plan,
}

impl<'c> Planned<'c> {
    pub(super) fn new(campaigns: &'c Campaigns, plan: Plan) -> Self {
        Self { campaigns, plan }
    }

    /// What will be done, and what will not be and why.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Holds this plan to one that was made and approved before: it has to be the same, and it runs the version
    /// of the runbook that the approved plan pins.
    ///
    /// # Errors
    ///
    /// How the two differ, a line each ([`Plan::differences`]).
    pub fn approved_as(mut self, approved: &Plan) -> Result<Self, Vec<String>> {
        let differences = approved.differences(&self.plan);
        if !differences.is_empty() {
            return Err(differences);
        }
        self.plan.keep_pin_of(approved);
        Ok(self)
    }

    /// Writes the campaign down and claims the request's name for it. Nothing is started yet: that is
    /// [`Campaign::run`].
    ///
    /// A campaign of this id that is there already goes on with the plan that it has, if it is of the same request.
    /// The same event delivered twice is the same campaign.
    ///
    /// # Errors
    ///
    /// [`CampaignError::Refused`] if another campaign of the request is open, or may be, or if this is a retry of nodes that another
    /// campaign has tried again since it was planned; [`CampaignError::OtherRequest`] if the campaign is there and is one of another
    /// request; the errors of [`Campaigns::resume`] if it is there; [`CampaignError::Driving`] if the plan cannot be written down. Nothing
    /// was started.
    pub async fn begin(self, campaign: CampaignId) -> Result<Campaign, CampaignError> {
        let (campaigns, request) = (self.campaigns, self.plan.first_request());
        let unread = |source| DriveError::NotBegun {
            name: request.name.clone(),
            under_way: None,
            source,
        };
        // Looked at first: what is another request's is left as it is.
        match campaigns.watched_store().load(campaign).await.map_err(unread)? {
            Some(state) => {
                require_same(&state, request)?;
                require_central(campaigns.watched().directory.as_ref(), state.plan()).await?;
                Box::pin(campaigns.require_untried_still(&state)).await?;
            }
            None => Box::pin(campaigns.require_untried(campaign, &self.plan)).await?,
        }
        let state = campaigns.driver.begin(campaign, &self.plan).await?;
        // Somebody may have been quicker.
        require_same(&state, request)?;
        Ok(campaigns.campaign(campaign))
    }
}

/// Sees that a campaign which is there already is one of this request, or was begun with what an earlier one of it has left.
fn require_same(state: &State, request: &PatchRequest) -> Result<(), CampaignError> {
    let there = state.plan().first_request();
    if there.digest() == request.digest() {
        return Ok(());
    }
    Err(CampaignError::OtherRequest {
        campaign: state.campaign(),
        name: there.name.clone(),
    })
}
