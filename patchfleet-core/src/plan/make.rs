//! From a request to a plan, asking the ports.

use super::copies::EarlyCopies;
use super::reading::{self, Tried};
use super::sight::Shown;
use super::{Cutoff, Gaps, LearnedPace, Plan, PlannedLocation, Retried, alarm, build, calendars};
use crate::census::{self, Depth, Question};
use crate::expand::{FirstPage, expand_and_ask};
use crate::id::Location;
use crate::port::{
    BoxFuture, Directory, Documents, Inventory, PortError, PortErrorKind, PortResult, Ports, ResultPorts,
};
use crate::refusal::{Refusal, RefusalCode, RefusalReason};
use crate::request::{Dispatch, OfflineAction, Operation, PatchRequest, RunbookPin, Selector};
use crate::runbook::{self, CommandSteps, Copies, Copy, PlannedRunbook, StepTimeout};
use futures_util::future::{Either, join};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

/// What the caller decides about a plan, beside the request.
///
/// The default counts every node, is unattended, has no cutoff, keeps no gap, leaves open who sees the runbook, knows of no
/// earlier campaign, carries nothing over, and has no second attempt follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planning {
    /// How closely to look into each location.
    pub depth: Depth,
    /// Whether somebody is there to see the plan.
    pub attendance: Attendance,
    /// The instant by which every command must have expired. A command that is alive patches and reboots a node whenever
    /// the node comes back.
    pub cutoff: Option<Timestamp>,
    /// What becomes of a location that has no node and stands among others that do.
    pub gaps: Gaps,
    /// Whether to find out which locations see the runbook ([`PlannedRunbook::sight`]). That takes
    /// `ssm:DescribeDocumentPermission` and, in each Region with locations of other accounts, a call for 20 accounts with
    /// which the runbook is shared: the model's `AccountIdList` holds no more.
    pub who_sees: bool,
    /// How long a node took in an earlier campaign, for the forecast ([`Store::pace`](crate::campaign::Store::pace)).
    /// [`Campaigns`](crate::Campaigns) find it out where it is not said here, unless the request says how long a node takes.
    pub pace: Option<LearnedPace>,
    /// Whether the nodes that the last campaign of the request could not begin before its window closed come first: if there
    /// are any, the plan is for these alone ([`Campaigns::left_by_window`](crate::Campaigns::left_by_window)). The next campaign
    /// then is one of the whole request, or carries over what this one has left. Only [`Campaigns`](crate::Campaigns) do it, as
    /// their store says what the last one has left.
    pub carry_over: bool,
    /// Whether the plan says that a second attempt follows ([`Plan::second_attempt`]).
    pub second_attempt: bool,
}

/// How a plan is made, down to what [`Plan::make`] sets by itself.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// How closely to look into each location.
    pub depth: Depth,
    /// How many accounts, and then locations, are asked at once at most. It counts as 1 if it is 0. The default is high,
    /// because ports that bound their own calls, as those of patchfleet-aws do, know better.
    pub concurrency: usize,
    /// The step timeout of patchfleet's own runbook, as it is installed.
    pub step_timeout: StepTimeout,
    /// The ports with which results will be read, if a driver follows the campaign. Before an Install is planned their
    /// calls are tried, and a denied one refuses the plan. `None` for a plan that is fired and forgotten.
    pub results: Option<ResultPorts<'a>>,
    /// Whether somebody is there to see the plan.
    pub attendance: Attendance,
    /// Who watches over the units once they are begun.
    pub followed: Followed,
    /// The instant by which every command must have expired. A command that is alive patches and reboots a node whenever
    /// the node comes back.
    pub cutoff: Option<Cutoff>,
    /// When the plan is made. `None`: freezes are not looked at before the campaign begins.
    pub now: Option<Timestamp>,
    /// What becomes of a location that has no node and stands among others that do.
    pub gaps: Gaps,
    /// Whether to find out which locations see the runbook ([`PlannedRunbook::sight`]). That takes
    /// `ssm:DescribeDocumentPermission` and, in each Region with locations of other accounts, a call for 20 accounts with
    /// which the runbook is shared: the model's `AccountIdList` holds no more.
    pub who_sees: bool,
    /// Which campaign's nodes are tried again, and what it has left of its bounds. The request names those nodes.
    pub retries: Option<&'a Retried>,
    /// In a retry, in which wave each location was in the campaign that it tries again.
    pub waves_before: Option<&'a BTreeMap<Location, u32>>,
    /// How long a node took in an earlier campaign, for the forecast.
    pub pace: Option<LearnedPace>,
}

/// Whether a person sees the plan before anything of it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attendance {
    /// A person at a terminal sees it and can say no.
    Attended,
    /// Nobody sees it, as under a scheduler, in a function or in a script. What could leave nodes out is refused. A
    /// person would be warned of it.
    #[default]
    Unattended,
}

/// Who watches over the units of a plan once they are begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Followed {
    /// A driver does. It adds up what fails in all units, so each unit carries the whole error budget of the locations.
    #[default]
    ByDriver,
    /// Nobody does. The plan is fired and forgotten. AWS counts the failures of each unit apart, so the error budget of
    /// the locations is shared out among the units. A unit's share may be 0.
    ByNobody,
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("depth", &self.depth)
            .field("concurrency", &self.concurrency)
            .field("step_timeout", &self.step_timeout)
            .field("results", &self.results.is_some())
            .field("attendance", &self.attendance)
            .field("followed", &self.followed)
            .field("cutoff", &self.cutoff)
            .field("now", &self.now)
            .field("gaps", &self.gaps)
            .field("who_sees", &self.who_sees)
            .field("retries", &self.retries)
            .field("waves_before", &self.waves_before.map(BTreeMap::len))
            .finish()
    }
}

impl Default for Options<'_> {
    /// Counts every node, asks 256 accounts or locations at once, and does not try whether results can be read. The plan
    /// is unattended, a driver follows it, and it has no cutoff.
    fn default() -> Self {
        Self {
            depth: Depth::default(),
            concurrency: 256,
            step_timeout: StepTimeout::default(),
            results: None,
            attendance: Attendance::default(),
            followed: Followed::default(),
            cutoff: None,
            now: None,
            gaps: Gaps::default(),
            who_sees: false,
            retries: None,
            waves_before: None,
            pace: None,
        }
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The plan was refused.
    #[error(transparent)]
    Refused(Refusal),
    /// The caller could not be found out.
    #[error(transparent)]
    Port(PortError),
}

impl From<Refusal> for PlanError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<PortError> for PlanError {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

impl Plan {
    /// Plans a request whose campaign a driver is to follow. Nothing is started or changed.
    ///
    /// It asks who calls, which locations the request names, what is in each of them, and what the runbook says. Before
    /// an Install it also tries the calls with which results are read, and those of a stop (StopAutomationExecution,
    /// CancelCommand), with an execution and a command that do not exist.
    ///
    /// # Errors
    ///
    /// [`PlanError::Refused`] with every reason of the stage that refused. [`PlanError::Port`] if the caller or the
    /// runbook cannot be found out.
    pub async fn make(ports: &Ports, request: &PatchRequest, planning: &Planning) -> Result<Self, PlanError> {
        Self::made(ports, request, planning, Followed::ByDriver, None, None).await
    }

    pub(crate) async fn made(
        ports: &Ports,
        request: &PatchRequest,
        planning: &Planning,
        followed: Followed,
        retries: Option<&Retried>,
        waves_before: Option<&BTreeMap<Location, u32>>,
    ) -> Result<Self, PlanError> {
        let now = ports.clock.now();
        let cutoff = planning.cutoff.map(|at| Cutoff { at, now });
        let options = Options {
            depth: planning.depth,
            attendance: planning.attendance,
            cutoff,
            now: Some(now),
            gaps: planning.gaps,
            who_sees: planning.who_sees,
            pace: planning.pace,
            followed,
            retries,
            waves_before,
            // Nobody reads the results of what nobody follows.
            results: (followed == Followed::ByDriver).then(|| ports.results()),
            ..Options::default()
        };
        let (directory, inventory) = (&*ports.directory, &*ports.inventory);
        let mut plan = make(directory, inventory, &*ports.documents, request, &options).await?;
        plan.second_attempt = planning.second_attempt;
        if !plan.is_empty() {
            let is_followed = followed == Followed::ByDriver;
            let warning = alarm::asked(&*ports.alarms, request, is_followed).await?;
            plan.warnings.extend(warning);
        }
        Ok(plan)
    }
}

/// [`Plan::make`] with only the ports that planning asks, and with every option.
///
/// # Errors
///
/// [`PlanError::Refused`] with every reason of the stage that refused, which is that of the locations or that of what is
/// in them. Reading results is not tried if there is no plan. [`PlanError::Port`] if the caller or the runbook cannot
/// be found out.
pub(crate) async fn make(
    directory: &dyn Directory,
    inventory: &dyn Inventory,
    documents: &dyn Documents,
    request: &PatchRequest,
    options: &Options<'_>,
) -> Result<Plan, PlanError> {
    let mut first = FirstPage::of(directory, &request.targets);
    let caller = first.beside(directory.caller()).await;
    let caller = caller.map_err(|error| match error.kind() {
        PortErrorKind::RegionNotEnabled => PlanError::Refused(Refusal {
            reasons: vec![RefusalReason {
                code: RefusalCode::CentralRegionNotEnabled,
                subject: "the central Region".to_owned(),
                detail: format!("it is not enabled in the caller's account: {}", error.reason()),
            }],
        }),
        _ => PlanError::Port(error),
    })?;
    let sends = request.automation.dispatch == Dispatch::RunCommand;
    let counts_nodes = request.waves.iter().any(|wave| wave.nodes.is_some());
    let depth = match request.policy.offline {
        // Each command names its nodes.
        _ if sends || !request.budget.labels.is_empty() => Depth::Count,
        // A bound on the fleet's nodes, and a wave of so many, need to know how many there are.
        OfflineAction::Target if !request.has_fleet_bounds() && !counts_nodes => options.depth,
        // The policy needs to know which nodes do not answer.
        OfflineAction::Target | OfflineAction::Skip | OfflineAction::Refuse => Depth::Count,
    };
    let question =
        Question::new(inventory, &request.targets.selector, depth).with_labels(&request.budget.labels);
    let resolution = inventory.resolution();
    let at_once = options.concurrency;
    // A retry has the waves of the campaign before, so nothing is read of the organization for them.
    let without_waves = options.waves_before.map(|_| request.without_waves());
    let places = without_waves.as_ref().unwrap_or(request);
    let bound = OnceLock::new();
    let shown = options.who_sees.then(|| Shown::new(documents, &caller.region));
    let census = async {
        let (candidates, begun) =
            expand_and_ask(first, directory, places, &caller, at_once, Some(question)).await?;
        let to_ask = candidates.to_ask();
        not_too_many(request, to_ask.len())?;
        let mut copies = EarlyCopies {
            documents,
            request,
            central: &caller,
            resolution,
            options,
            runbook: &bound,
            shown: shown.as_ref(),
            is_refused: build::is_refused_unasked(request, &candidates.answered, resolution),
            found: Copies::new(),
        };
        let census = census::take_rest(question, &to_ask, begun, at_once, &mut copies).await;
        Ok::<_, Refusal>((candidates, census, copies.found))
    };
    // The runbook is found while the census is taken.
    let runbook = async {
        let steps = if runbook::is_own(&request.automation.document) {
            runbook::command_steps(documents).await
        } else {
            CommandSteps::Unread
        };
        if sends {
            return (steps, None);
        }
        let found = runbook::find(documents, &caller, request, steps).await;
        if let Ok(runbook::Found::Bound(runbook)) = &found
            && !build::is_refused_anyway(request, &caller, resolution, steps, options)
        {
            bound.get_or_init(|| runbook.clone());
        }
        (steps, Some(found))
    };
    let (census, (steps, found)) = join(census, runbook).await;
    let (candidates, census, mut copies) = census?;
    let mut built = build(request, &caller, &candidates, &census, steps, options);
    let mut calls: Vec<BoxFuture<'_, Heard>> = vec![];
    if let Ok(plan) = &built
        && !plan.is_empty()
    {
        if let Some(results) = options.results
            && request.patch.operation == Operation::Install
        {
            let trials = reading::trials(results, plan, &census);
            calls.extend(trials.into_iter().map(|trial| trial.map(Either::Left).boxed()));
        }
        if let Some(Ok(runbook::Found::Bound(runbook))) = &found {
            let planned: BTreeSet<Location> = plan.locations.iter().map(PlannedLocation::location).collect();
            copies.retain(|at, _| planned.contains(at));
            let unasked = planned.iter().filter(|at| !copies.contains_key(at));
            let pin = request.automation.pin;
            for at in runbook::to_look_at(runbook, &caller, unasked) {
                calls.push(look(documents, runbook, pin, at.clone()));
            }
        }
    }
    let (tried, rest) = together(calls, at_once).await;
    copies.extend(rest);
    if !tried.denied.is_empty() {
        built = Err(Refusal {
            reasons: tried.denied,
        });
    } else if let Ok(plan) = &mut built {
        plan.warnings.extend(tried.warnings());
    }
    let mut plan = match found {
        Some(found) => bind(request, found, copies, built)?,
        None => built?,
    };
    if !plan.is_empty() {
        let is_followed = options.followed == Followed::ByDriver;
        let closed = calendars::asked(documents, request, is_followed).await?;
        plan.warnings.extend(closed);
    }
    if let Some(shown) = shown {
        plan.note_who_sees(shown).await;
    }
    Ok(plan)
}

/// What one place answered: to the trials, or about its copy.
type Heard = Either<Tried, (Location, Copy)>;

fn look<'a>(
    documents: &'a dyn Documents,
    runbook: &'a PlannedRunbook,
    pin: RunbookPin,
    at: Location,
) -> BoxFuture<'a, Heard> {
    async move {
        let copy = runbook::copy(documents, runbook, pin, &at).await;
        Either::Right((at, copy))
    }
    .boxed()
}

/// Asks so many places at once (at least 1), and gives what came of the trials and of the looks.
async fn together(calls: Vec<BoxFuture<'_, Heard>>, at_once: usize) -> (Tried, Vec<(Location, Copy)>) {
    let mut heard = stream::iter(calls).buffered(at_once.max(1));
    let (mut tried, mut copies) = (Tried::default(), vec![]);
    while let Some(one) = heard.next().await {
        match one {
            Either::Left(more) => tried.extend(more),
            Either::Right(copy) => copies.push(copy),
        }
    }
    (tried, copies)
}

/// Binds a plan to its runbook and to the `copies` of it. If there is no plan, what is wrong with the runbook is added to
/// the reasons. A plan that starts nothing needs no runbook.
fn bind(
    request: &PatchRequest,
    found: PortResult<runbook::Found>,
    copies: Copies,
    built: Result<Plan, Refusal>,
) -> Result<Plan, PlanError> {
    if built.as_ref().is_ok_and(Plan::is_empty) {
        return Ok(built?);
    }
    let (mut plan, mut runbook) = match (built, found?) {
        (Ok(plan), runbook::Found::Bound(runbook)) => (plan, runbook),
        (Ok(mut plan), runbook::Found::NotReadable(warning)) => {
            plan.warnings.push(warning);
            return Ok(plan);
        }
        (Ok(_), runbook::Found::Refused(reason)) => {
            return Err(Refusal {
                reasons: vec![reason],
            }
            .into());
        }
        (Err(mut refusal), runbook::Found::Refused(reason)) => {
            refusal.reasons.push(reason);
            return Err(refusal.into());
        }
        (Err(refusal), _) => return Err(refusal.into()),
    };
    let pin = request.automation.pin;
    let found = runbook::elsewhere(&runbook, &plan.central.account, pin, copies);
    if !found.reasons.is_empty() {
        return Err(Refusal {
            reasons: found.reasons,
        }
        .into());
    }
    plan.warnings.extend(found.warnings);
    runbook.copies = found.same;
    runbook.unread = found.unread;
    if pin == RunbookPin::Version {
        let version = runbook.version_to_run(pin);
        for unit in &mut plan.units {
            unit.start.document_version = Some(version);
        }
    }
    plan.runbook = Some(runbook);
    Ok(plan)
}

/// Refuses node ids that it would take too long to look for.
fn not_too_many(request: &PatchRequest, locations: usize) -> Result<(), Refusal> {
    let Selector::NodeIds(ids) = &request.targets.selector else {
        return Ok(());
    };
    let calls = census::id_calls(ids.len(), locations);
    if calls <= census::MAX_ID_CALLS {
        return Ok(());
    }
    Err(Refusal {
        reasons: vec![RefusalReason {
            code: RefusalCode::TooLarge,
            subject: "targets.node_ids".to_owned(),
            detail: format!(
                "{} ids may have to be looked for in each of {locations} locations, which takes up to {calls} calls of 50 ids, and at most {} are made: name fewer accounts or Regions, or fewer ids, or use a resource group",
                ids.len(),
                census::MAX_ID_CALLS
            ),
        }],
    })
}

/// Checks that the caller is in the central account and Region that a plan was made from. A campaign is
/// driven on only if that holds, because its executions are looked for, and its next units are started,
/// in the caller's account and Region.
///
/// # Errors
///
/// [`PlanError::Refused`] if the caller is elsewhere, [`PlanError::Port`] if that cannot be found out.
pub(crate) async fn require_central(directory: &dyn Directory, plan: &Plan) -> Result<(), PlanError> {
    let caller = directory.caller().await?;
    let central = &plan.central;
    if (&caller.account, &caller.region) == (&central.account, &central.region) {
        return Ok(());
    }
    Err(PlanError::Refused(Refusal {
        reasons: vec![RefusalReason {
            code: RefusalCode::OtherCentral,
            subject: format!("{}/{}", caller.account, caller.region),
            detail: format!(
                "the campaign was planned from {}/{}: use that account's credentials and that Region",
                central.account, central.region
            ),
        }],
    }))
}
