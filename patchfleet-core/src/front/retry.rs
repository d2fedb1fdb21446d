//! A new campaign for the nodes of one that is over, and that it left.

mod at_work;
mod gathered;
mod left;
mod still_there;
mod tried;
mod wanted;
mod waves;

use super::{CampaignError, Campaigns, Planned};
use crate::budget::MaxErrors;
use crate::campaign::State;
use crate::census::UnknownCause;
use crate::expand::expand;
use crate::id::{CampaignId, Location, NodeId};
use crate::outcome::{Goal, NodeOutcome};
use crate::plan::{Followed, LeftBounds, Plan, Planning, Retried, require_central};
use crate::refusal::{Refusal, RefusalCode, RefusalReason, SkipReason};
use crate::request::{EmptyWave, PatchRequest, Selector};
use crate::runbook;
use crate::slip::{Slip, slips};
use crate::text::{by_number, counted};
use at_work::AtWork;
use futures_util::{StreamExt as _, stream};
use gathered::Gathered;
pub(super) use left::left;
use left::offline_before;
use std::collections::{BTreeMap, BTreeSet};
use still_there::still_there;
use tried::already_tried;
use wanted::{Wanted, may_run_on};
use waves::{keep_waves_back, waves_of_locations};

/// How many locations are asked at once which of their nodes are still selected.
const ASKED_AT_ONCE: usize = 64;

/// Which nodes of a campaign are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Those that failed, were lost, were not reached or not run. And those that wait for a reboot, if the request lets them
    /// reboot: they have not come to their goal, and nothing runs there. What is `missing` patches, `unmanaged` or gone is left to a
    /// new run. A node of which nobody knows what it came to
    /// ([`unknown` and `running_at_expiry`](NodeOutcome::is_unknown)) is sent no second command, as one may be at work there still.
    /// The plan says how many these are, and a retry that has no other is refused.
    /// [`Campaign::collect_again`](super::Campaign::collect_again) may find out what became of them.
    Failed,
    /// Those alone that were not run because a window closed: where nothing was begun, or what ran was cancelled at the cutoff and
    /// nothing had failed.
    NotRun,
    /// Those alone that were not reached and on which nothing of a command can be at work
    /// ([`NodeRow::away`](crate::outcome::NodeRow)): a second attempt. It runs the version of the runbook that the campaign has
    /// pinned.
    Unreached,
}

impl Retry {
    fn takes(self, outcome: NodeOutcome, goal: Goal) -> bool {
        match outcome {
            NodeOutcome::NotRun => self != Self::Unreached,
            NodeOutcome::Unreached => self != Self::NotRun,
            NodeOutcome::Failed | NodeOutcome::Lost => self == Self::Failed,
            NodeOutcome::PendingReboot => self == Self::Failed && !outcome.reaches_goal(goal),
            // What may run there still would run beside it.
            NodeOutcome::Unknown | NodeOutcome::RunningAtExpiry => {
                self == Self::Failed && slips(Slip::RetriesWhatMayRun)
            }
            NodeOutcome::Done | NodeOutcome::Missing | NodeOutcome::Unmanaged | NodeOutcome::Gone => false,
        }
    }
}

/// A campaign that tries nodes of another one again, or that there is none to try.
#[derive(Debug)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "one is made for a campaign, and taken apart at once"
)]
pub enum RetryPlan<'c> {
    /// It can begin.
    Planned(Planned<'c>),
    /// No node is left to try.
    Nothing {
        /// Which nodes were left by the other campaign and cannot be tried, and why, a line each.
        told: Vec<String>,
    },
}

fn refused(reasons: Vec<RefusalReason>) -> CampaignError {
    CampaignError::Refused(Refusal { reasons })
}

impl Campaigns {
    /// Plans a campaign for the nodes that another one has left. Nothing is started or changed in AWS.
    ///
    /// `of` is what the store says of the other campaign, which has to be over. Its request is planned anew over today's
    /// world, with the nodes named by their ids: those that [`which`](Retry) takes, are still selected by the request and are
    /// registered with Systems Manager. Which of them are not is said by the plan's warnings. The plan says which campaign it
    /// retries ([`Plan::retries`]), and a retry of a retry goes back to the first request. A wave in which no node is left to
    /// try is passed over.
    ///
    /// With [`Retry::Unreached`] the plan is for the campaign of the other one's
    /// [second attempt](CampaignId::of_second_attempt). It is also made if this very campaign has begun by now, as several
    /// processes may begin it at once. [`Planned::begin`] then takes up that one.
    ///
    /// # Errors
    ///
    /// As [`plan`](Self::plan). [`CampaignError::Refused`] also if the campaign is open or was never begun, if it was planned from
    /// another account or Region, or runs a runbook of one's own, which cannot be told which nodes to patch. So it is if the names of
    /// nodes are not known, which [`Campaign::collect_again`](super::Campaign::collect_again) may find out, if a location does
    /// not say which nodes are selected, or if nothing can be tried and on some nodes a command may be at work still. So it is if another campaign has tried its nodes or run its
    /// request since, if the log of a newer one is damaged, and if a wave would be passed that holds the later ones back: one that did not do
    /// well and of which not all is tried again, or of which nothing had a turn.
    pub async fn plan_retry(
        &self,
        of: &State,
        which: Retry,
        planning: &Planning,
    ) -> Result<RetryPlan<'_>, CampaignError> {
        let second = (which == Retry::Unreached).then(|| of.campaign().of_second_attempt());
        Box::pin(self.plan_retry_but(second, of, which, planning)).await
    }

    /// [`plan_retry`](Self::plan_retry) for a campaign whose id may be known before.
    pub(super) async fn plan_retry_but(
        &self,
        but: Option<CampaignId>,
        of: &State,
        which: Retry,
        planning: &Planning,
    ) -> Result<RetryPlan<'_>, CampaignError> {
        let request = of.plan().first_request();
        may_be_retried(of)?;
        let tried = Box::pin(self.tried_by_others(but, of)).await?;
        self.watched_store().admit(request, but).await?;
        let ports = self.watched();
        require_central(ports.directory.as_ref(), of.plan()).await?;
        let wanted = Box::pin(self.wanted(of, which)).await?;
        let late: Vec<RefusalReason> = wanted
            .iter()
            .filter_map(|(location, wanted)| Some(may_run_on(of, location, wanted.late?)))
            .collect();
        let caller = ports.directory.caller().await?;
        // Which waves they are in is found out when the retry is planned.
        let places = request.without_waves();
        let candidates = expand(ports.directory.as_ref(), &places, &caller, ASKED_AT_ONCE)
            .await
            .map_err(CampaignError::Refused)?;
        let (left, gone): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .partition(|(location, _)| candidates.wanted.contains(location));
        let inventory = ports.inventory.as_ref();
        let answers: Vec<_> = stream::iter(left)
            .map(|(location, wanted)| async move {
                let found = still_there(inventory, &location, &request.targets.selector, &wanted).await;
                (location, wanted, found)
            })
            .buffered(ASKED_AT_ONCE)
            .collect()
            .await;
        let (mut gathered, mut reasons, mut unread) = (Gathered::default(), vec![], BTreeMap::new());
        gathered.told.extend(gone.into_iter().map(|(location, _)| {
            format!("{location} is none of the request's locations any more, and is not retried")
        }));
        let waves_before = waves_of_locations(of.plan());
        for (location, wanted, found) in answers {
            match found {
                Ok(found) => gathered.add(of, &tried.nodes, &location, (&wanted, found)),
                Err(detail) => {
                    let detail =
                        format!("which of its nodes are still selected cannot be found out: {detail}");
                    // What one location does not say keeps no window from the others for ever. Nothing comes after the last wave.
                    let is_last = waves_before.get(&location) == Some(&request.wave_count());
                    if which == Retry::NotRun && is_last {
                        unread.insert(location, detail);
                        continue;
                    }
                    reasons.push(unread_at(&location, detail));
                }
            }
        }
        if !reasons.is_empty() {
            return Err(CampaignError::Refused(Refusal { reasons }));
        }
        let Gathered {
            nodes,
            by_location,
            damaged,
            unreached,
            theirs,
            unmanaged,
            mut told,
        } = gathered;
        let at_work = AtWork::of(of).filter(|_| which == Retry::Failed);
        let skipped: Vec<RefusalReason> = skipped_by(of).into_iter().chain(late).collect();
        if let Some(by) = tried.by.filter(|_| theirs > 0) {
            if nodes.is_empty() {
                let at_work = at_work.iter().map(AtWork::refused);
                let by_other = std::iter::once(already_tried(of.campaign(), by));
                return Err(refused(by_other.chain(at_work).collect()));
            }
            told.push(format!(
                "{} not retried, as campaign {by} has tried {} again",
                counted(theirs, "node"),
                by_number(theirs, "it", "them")
            ));
        }
        if nodes.is_empty() {
            let unread = unread
                .iter()
                .map(|(location, why)| unread_at(location, why.clone()));
            let at_work = at_work.iter().map(AtWork::refused);
            let reasons: Vec<_> = skipped.into_iter().chain(unread).chain(at_work).collect();
            return match reasons.is_empty() {
                true => Ok(RetryPlan::Nothing { told }),
                false => Err(refused(reasons)),
            };
        }
        told.extend(at_work.iter().map(AtWork::told));
        told.extend(
            skipped
                .into_iter()
                .map(|one| format!("{}: {}", one.subject, one.detail)),
        );
        // Where a node is silent it may not be tried.
        let errors = of.location_errors_left(&by_location.answering);
        let named = naming(request, nodes, errors);
        let retried = Retried {
            campaign: of.campaign(),
            request: Box::new(request.clone()),
            bounds: match slips(Slip::CountsAnew) {
                true => LeftBounds::default(),
                false => of.bounds_left(damaged, unreached.saturating_sub(offline_before(of)), self.now()),
            },
            passed: match slips(Slip::PassesWavesOver) {
                true => vec![],
                false => of.passed_waves(),
            },
            held: vec![],
            unmanaged,
            shown: match slips(Slip::PassesWavesOver) {
                true => vec![],
                false => of.shown_waves(&by_location.all),
            },
        };
        let by_driver = Followed::ByDriver;
        let planning = self.with_pace(request, planning).await;
        let planning = Plan::made(
            &ports,
            &named,
            &planning,
            by_driver,
            Some(&retried),
            Some(&waves_before),
        );
        let mut plan = Box::pin(planning).await?;
        keep_waves_back(of, &mut plan, &by_location)?;
        tell_skips(&mut plan, &unread);
        plan.warnings.extend(told);
        if which == Retry::Unreached {
            plan.keep_pin_of(of.plan());
            // There is no third one.
            plan.second_attempt = false;
        }
        Ok(RetryPlan::Planned(Planned::new(self, plan)))
    }
}

/// That nobody knows which nodes of a location are selected.
fn unread_at(location: &Location, detail: String) -> RefusalReason {
    RefusalReason {
        code: RefusalCode::CensusUnknown,
        subject: location.to_string(),
        detail,
    }
}

fn may_be_retried(of: &State) -> Result<(), CampaignError> {
    let campaign: CampaignId = of.campaign();
    let refused = |code, detail: String| {
        Err(CampaignError::Refused(Refusal {
            reasons: vec![RefusalReason {
                code,
                subject: format!("campaign {campaign}"),
                detail,
            }],
        }))
    };
    if let Some(by) = of.name_taken_by() {
        let detail = format!(
            "nothing of it was begun, as campaign {by} had the name {}: run its request",
            of.plan().request.name
        );
        return refused(RefusalCode::NotRetried, detail);
    }
    if of.finished().is_none() {
        let detail = format!(
            "it is open: `patchfleet resume {campaign}` goes on with it, and `patchfleet stop {campaign}` ends it"
        );
        return refused(RefusalCode::CampaignOpen, detail);
    }
    if !runbook::is_own(&of.plan().request.automation.document) {
        let detail = "only patchfleet's own runbook can be told which nodes to patch: run the request again";
        return refused(RefusalCode::Unsupported, detail.to_owned());
    }
    Ok(())
}

/// The locations that a retry had to try and skipped. Which nodes it should have tried there its log does not say.
fn skipped_by(of: &State) -> Vec<RefusalReason> {
    let skips = of.plan().skipped.iter().filter(|skip| {
        let may_have_nodes = matches!(skip.reason, SkipReason::Offline | SkipReason::Unknown);
        may_have_nodes && of.plan().retries.is_some()
    });
    skips
        .map(|skip| RefusalReason {
            code: RefusalCode::NotRetried,
            subject: format!("{}/{}", skip.account, skip.region),
            detail: format!(
                "campaign {} skipped it ({}), so what an earlier campaign left there is not tried again: run the request",
                of.campaign(),
                skip.reason.as_str()
            ),
        })
        .collect()
}

/// Says of skipped locations what was left there and is not tried, and why not.
fn tell_skips(plan: &mut Plan, unread: &BTreeMap<Location, String>) {
    let unmanaged = plan.retries.iter().flat_map(|retried| &retried.unmanaged);
    for skip in plan
        .skipped
        .iter_mut()
        .filter(|skip| skip.reason == SkipReason::Empty)
    {
        let location = skip.location();
        if let Some(detail) = unread.get(&location) {
            skip.reason = SkipReason::Unknown;
            skip.cause = Some(UnknownCause::Other);
            skip.detail.clone_from(detail);
        } else if let Some(left) = unmanaged.clone().find(|left| left.is_at(&location)) {
            skip.detail = format!(
                "{} that {} left there {} not registered with Systems Manager",
                counted(left.nodes.len(), "node"),
                by_number(left.nodes.len(), "was", "were"),
                by_number(left.nodes.len(), "is", "are"),
            );
        }
    }
}

/// The same request for these nodes alone, with what is left of its shares of locations that may fail, as counts. A wave that has none of them is passed over, as each location stays in its own
/// ([`waves_of_locations`]), and what it asks for holds all the same ([`keep_waves_back`]).
fn naming(
    request: &PatchRequest,
    nodes: BTreeSet<NodeId>,
    (errors, in_waves): (Option<u32>, BTreeMap<u32, u32>),
) -> PatchRequest {
    let mut named = request.clone();
    named.targets.selector = Selector::NodeIds(nodes.into_iter().collect());
    let budget = &mut named.budget.locations;
    let counted = |left: u32| MaxErrors::from_count(left).ok();
    budget.max_errors = errors.and_then(counted).unwrap_or(budget.max_errors);
    let most = budget.max_errors.count().unwrap_or(u32::MAX);
    for (number, wave) in (1..).zip(&mut named.waves) {
        wave.if_empty = EmptyWave::Skip;
        let own = &mut wave.budget.locations.max_errors;
        let left = in_waves.get(&number).copied();
        // A wave cannot loosen what holds for all of them.
        let left = left.or(own.and_then(MaxErrors::count)).map(|left| left.min(most));
        *own = left.and_then(counted).or(*own);
    }
    named
}
