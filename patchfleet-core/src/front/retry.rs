//! A new campaign for the nodes of one that is over, and that it left.

use super::{CampaignError, Campaigns, Planned};
use crate::campaign::{State, StopReason};
use crate::expand::expand;
use crate::fleet::{self, Extent, Members};
use crate::id::{CampaignId, Location, NodeId};
use crate::outcome::{Goal, LocationOutcome, NodeOutcome, Tally};
use crate::plan::{Followed, Plan, Planning, Retried, require_central};
use crate::port::{Inventory, PortErrorKind, PortResult, Selection};
use crate::refusal::{Refusal, RefusalCode, RefusalReason, SkipReason};
use crate::request::{EmptyWave, PatchRequest, Selector};
use crate::runbook;
use crate::text::{counted, names};
use futures_util::{StreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};

/// How many locations are asked at once which of their nodes are still selected.
const ASKED_AT_ONCE: usize = 64;

/// How many calls at once ask one location which of its nodes Systems Manager manages.
const CALLS_PER_LOCATION: usize = 8;

/// Which nodes of a campaign are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Those that failed, were lost, were not reached or not run, and those of which nothing is known. And those that wait for a
    /// reboot, if the request lets them reboot. What is `missing` patches, `unmanaged` or gone is left to a new run. A node on which
    /// a command may still be at work (`running_at_expiry`) is sent no second one.
    Failed,
    /// Those alone that were not run: what a window that closed has left.
    NotRun,
    /// Those alone that were not reached: a second attempt. No command was at work on them, and none is alive any more.
    Unreached,
}

impl Retry {
    fn takes(self, outcome: NodeOutcome, goal: Goal) -> bool {
        match outcome {
            NodeOutcome::NotRun => self != Self::Unreached,
            NodeOutcome::Unreached => self != Self::NotRun,
            NodeOutcome::Failed | NodeOutcome::Lost | NodeOutcome::Unknown => self == Self::Failed,
            NodeOutcome::PendingReboot => self == Self::Failed && !outcome.reaches_goal(goal),
            // What runs there still would run beside it.
            NodeOutcome::RunningAtExpiry => false,
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

/// What a location has of nodes to try again.
#[derive(Debug, Default)]
struct Wanted {
    named: BTreeSet<NodeId>,
    /// What the campaign says of its nodes.
    ended: BTreeMap<NodeId, NodeOutcome>,
    /// Nothing was begun there, and which nodes it had was not written down: all that are selected today.
    whole: bool,
}

impl Campaigns {
    /// Refuses if another campaign has tried again what this one left. What that one brought to its goal would be patched
    /// once more.
    ///
    /// `but` is the campaign that is to begin, if its id is known already. It may have begun.
    async fn require_not_retried(&self, but: Option<CampaignId>, of: &State) -> Result<(), CampaignError> {
        let (store, campaign) = (self.watched_store(), of.campaign());
        let list = store.campaigns(self.now()).await?;
        let newer = list.campaigns.iter().filter(|one| {
            let is_other = one.campaign != campaign && Some(one.campaign) != but;
            let is_newer = one.planned_at >= of.planned_at() && is_other;
            is_newer && one.has_begun && one.request == of.plan().request.name
        });
        for one in newer {
            let state = store.load(one.campaign).await?;
            let retried = state.as_ref().and_then(|state| state.plan().retries.as_ref());
            if retried.is_some_and(|retried| retried.campaign == campaign) {
                return Err(CampaignError::Refused(Refusal {
                    reasons: vec![RefusalReason {
                        code: RefusalCode::NotRetried,
                        subject: format!("campaign {campaign}"),
                        detail: format!(
                            "campaign {} has tried again what it left: retry that one, or run the request",
                            one.campaign
                        ),
                    }],
                }));
            }
        }
        Ok(())
    }

    /// Plans a campaign for the nodes that another one has left. Nothing is started or changed in AWS.
    ///
    /// `of` is what the store says of the other campaign, which has to be over. Its request is planned anew over today's
    /// world, with the nodes named by their ids: those that [`which`](Retry) takes, are still selected by the request and are
    /// registered with Systems Manager. Which of them are not is said by the plan's warnings. The plan says which campaign it
    /// retries ([`Plan::retries`]), and a retry of a retry goes back to the first request. A wave in which no node is left to
    /// try is passed over.
    ///
    /// # Errors
    ///
    /// As [`plan`](Self::plan). [`CampaignError::Refused`] also if the campaign is open or was never begun, if it was planned from
    /// another account or Region, or runs a runbook of one's own, which cannot be told which nodes to patch. So it is if the names of
    /// nodes are not known, which [`Campaign::collect_again`](super::Campaign::collect_again) may find out, or if a location does
    /// not say which nodes are selected.
    pub async fn plan_retry(
        &self,
        of: &State,
        which: Retry,
        planning: &Planning,
    ) -> Result<RetryPlan<'_>, CampaignError> {
        self.plan_retry_but(None, of, which, planning).await
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
        self.require_not_retried(but, of).await?;
        self.watched_store().admit(request, but).await?;
        let ports = self.watched();
        require_central(ports.directory.as_ref(), of.plan()).await?;
        let wanted = self.wanted(of, which).await?;
        let caller = ports.directory.caller().await?;
        let candidates = expand(ports.directory.as_ref(), request, &caller, ASKED_AT_ONCE)
            .await
            .map_err(CampaignError::Refused)?;
        let (left, gone): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .partition(|(location, _)| candidates.wanted.contains(location));
        let mut told: Vec<String> = gone
            .into_iter()
            .map(|(location, _)| {
                format!("{location} is none of the request's locations any more, and is not retried")
            })
            .collect();
        let inventory = ports.inventory.as_ref();
        let answers: Vec<_> = stream::iter(left)
            .map(|(location, wanted)| async move {
                let found = still_there(inventory, &location, &request.targets.selector, &wanted).await;
                (location, wanted, found)
            })
            .buffered(ASKED_AT_ONCE)
            .collect()
            .await;
        let (mut nodes, mut reasons) = (BTreeSet::new(), vec![]);
        let (mut again, mut unreached) = (BTreeSet::new(), 0_u32);
        for (location, wanted, found) in answers {
            match found {
                Ok(found) => {
                    told.extend(found.told(&location, &wanted));
                    for node in found.managed {
                        let outcome = wanted.ended.get(&node).copied();
                        if of.is_counted(&node, outcome) {
                            again.insert(node.clone());
                        }
                        if outcome == Some(NodeOutcome::Unreached) {
                            unreached = unreached.saturating_add(1);
                        }
                        nodes.insert(node);
                    }
                }
                Err(detail) => reasons.push(RefusalReason {
                    code: RefusalCode::CensusUnknown,
                    subject: location.to_string(),
                    detail: format!("which of its nodes are still selected cannot be found out: {detail}"),
                }),
            }
        }
        if !reasons.is_empty() {
            return Err(CampaignError::Refused(Refusal { reasons }));
        }
        let skipped = skipped_by(of);
        if nodes.is_empty() {
            return match skipped.is_empty() {
                true => Ok(RetryPlan::Nothing { told }),
                false => Err(CampaignError::Refused(Refusal { reasons: skipped })),
            };
        }
        told.extend(
            skipped
                .into_iter()
                .map(|one| format!("{}: {}", one.subject, one.detail)),
        );
        let named = naming(request, nodes, of);
        let retried = Retried {
            campaign: of.campaign(),
            request: Box::new(request.clone()),
            bounds: of.bounds_left(again, unreached),
        };
        let by_driver = Followed::ByDriver;
        let mut plan = Plan::made(&ports, &named, planning, by_driver, Some(&retried)).await?;
        plan.warnings.extend(told);
        Ok(RetryPlan::Planned(Planned::new(self, plan)))
    }

    /// The nodes that are tried again, by location.
    async fn wanted(&self, of: &State, which: Retry) -> Result<BTreeMap<Location, Wanted>, CampaignError> {
        let store = self.watched_store();
        let (mut all, mut reasons) = (BTreeMap::new(), vec![]);
        for (location, at) in left(of) {
            let goal = of.goal_at(&location);
            if !at.has_any(goal, which) {
                continue;
            }
            let rows = match store.rows.rows(of.campaign(), &location).await {
                Err(error) if error.kind() == PortErrorKind::Incompatible => vec![],
                rows => rows?,
            };
            let taken = rows.iter().filter(|row| which.takes(row.outcome, goal));
            let named: BTreeSet<NodeId> = taken.map(|row| row.node.clone()).collect();
            let ended = rows.into_iter().map(|row| (row.node, row.outcome)).collect();
            let known = u32::try_from(named.len()).unwrap_or(u32::MAX);
            let unnamed = at.count(which, goal).saturating_sub(known);
            let is_whole = at.is_unbegun && which != Retry::Unreached;
            let whole = is_whole && (unnamed > 0 || at.nodes.total() == 0);
            if at.nodes.total() == 0 && !whole {
                reasons.push(RefusalReason {
                    code: RefusalCode::NotRetried,
                    subject: location.to_string(),
                    detail: format!(
                        "it did not end well, and nothing is known of its nodes: `patchfleet collect {}` reads them again",
                        of.campaign()
                    ),
                });
            }
            if unnamed > 0 && !whole {
                reasons.push(RefusalReason {
                    code: RefusalCode::NotRetried,
                    subject: location.to_string(),
                    detail: format!(
                        "the names of {} are not known: `patchfleet collect {}` reads them again",
                        counted(unnamed, "node"),
                        of.campaign()
                    ),
                });
            }
            all.insert(location, Wanted { named, ended, whole });
        }
        match reasons.is_empty() {
            true => Ok(all),
            false => Err(CampaignError::Refused(Refusal { reasons })),
        }
    }
}

/// What a campaign that is over has left in a location.
#[derive(Debug, Default)]
pub(super) struct Left {
    nodes: Tally,
    /// Whether no command was sent there.
    is_unbegun: bool,
    /// Whether a part of it did not end well, and not even the number of its nodes is known.
    is_blind: bool,
}

impl Left {
    /// How many nodes are tried again.
    fn count(&self, which: Retry, goal: Goal) -> u32 {
        let taken = self
            .nodes
            .iter()
            .filter(|(outcome, _)| which.takes(*outcome, goal));
        taken.fold(0, |sum, (_, n)| sum.saturating_add(n))
    }

    pub(super) fn has_any(&self, goal: Goal, which: Retry) -> bool {
        let is_taken = match which {
            Retry::Failed => true,
            Retry::NotRun => self.is_unbegun,
            Retry::Unreached => false,
        };
        (self.is_blind && is_taken) || self.count(which, goal) > 0
    }
}

/// What a campaign has left, by location. Several units may each have a part of one.
pub(super) fn left(of: &State) -> BTreeMap<Location, Left> {
    let mut all: BTreeMap<Location, Left> = BTreeMap::new();
    for (_, location, at) in of.locations() {
        let Some(settled) = &at.settled else { continue };
        let is_unbegun = matches!(
            settled.outcome,
            LocationOutcome::NotStarted | LocationOutcome::StartRefused | LocationOutcome::RoleNotAssumable
        );
        let is_well = matches!(
            settled.outcome,
            LocationOutcome::Succeeded | LocationOutcome::Emptied | LocationOutcome::Vanished
        );
        let is_blind = !is_well && settled.nodes.total() == 0;
        match all.get_mut(location) {
            Some(left) => {
                left.nodes.merge(&settled.nodes);
                left.is_unbegun &= is_unbegun;
                left.is_blind |= is_blind;
            }
            None => {
                let nodes = settled.nodes.clone();
                let left = Left {
                    nodes,
                    is_unbegun,
                    is_blind,
                };
                all.insert(location.clone(), left);
            }
        }
    }
    all
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

/// The same request for these nodes alone. A wave that has none of them is passed over: that they are all well is what its
/// being empty means here. Not so a wave that has not passed its gate: what failed in it may be gone for that very reason.
fn naming(request: &PatchRequest, nodes: BTreeSet<NodeId>, of: &State) -> PatchRequest {
    let mut named = request.clone();
    named.targets.selector = Selector::NodeIds(nodes.into_iter().collect());
    let failed = match of.left_out_because() {
        Some(StopReason::Gate { wave, .. }) => Some(wave),
        _ => None,
    };
    for (number, wave) in (1..).zip(&mut named.waves) {
        if failed != Some(number) {
            wave.if_empty = EmptyWave::Skip;
        }
    }
    named
}

/// What is found today of the nodes that are wanted in a location.
#[derive(Debug)]
struct Found {
    selected: BTreeSet<NodeId>,
    managed: BTreeSet<NodeId>,
}

impl Found {
    /// Which of them are not tried again, and why.
    fn told(&self, location: &Location, wanted: &Wanted) -> Vec<String> {
        let unselected: Vec<&NodeId> = wanted.named.difference(&self.selected).collect();
        let unmanaged: Vec<&NodeId> = self.selected.difference(&self.managed).collect();
        let line = |nodes: Vec<&NodeId>, why: &str| {
            let n = nodes.len();
            (n > 0).then(|| {
                format!(
                    "{location}: {} not retried, {why}: {}",
                    counted(n, "node"),
                    names(nodes)
                )
            })
        };
        let told = [
            line(unselected, "as the request does not select it any more"),
            line(unmanaged, "as it is not registered with Systems Manager"),
        ];
        told.into_iter().flatten().collect()
    }
}

/// Which of the wanted nodes the request still selects, and which of these Systems Manager manages. An error is in words.
async fn still_there(
    inventory: &dyn Inventory,
    location: &Location,
    selector: &Selector,
    wanted: &Wanted,
) -> Result<Found, String> {
    let selection = match selector {
        Selector::ResourceGroup(group) => Some(Selection::Group(group.clone())),
        Selector::Tags(tags) => Some(Selection::Tags(tags.clone())),
        Selector::AllManaged | Selector::NodeIds(_) => None,
    };
    let words = |error: crate::port::PortError| error.reason().to_string();
    let all = match selection {
        Some(selection) => match fleet::members(inventory, location, &selection, Extent::All)
            .await
            .map_err(words)?
        {
            Members::Found(members) => members,
            // Nothing is selected there any more.
            Members::GroupMissing => BTreeSet::new(),
            Members::Partial(errors) => return Err(fleet::in_words(&errors)),
        },
        None => managed(inventory, location, wanted).await.map_err(words)?,
    };
    let is_selected = |node: &NodeId| match selector {
        Selector::NodeIds(ids) => ids.contains(node),
        _ => true,
    };
    let selected: BTreeSet<NodeId> = all
        .into_iter()
        .filter(|node| (wanted.whole || wanted.named.contains(node)) && is_selected(node))
        .collect();
    let managed = fleet::managed_of(inventory, location, &selected, CALLS_PER_LOCATION)
        .await
        .map_err(words)?;
    let managed = managed.into_keys().collect();
    Ok(Found { selected, managed })
}

/// The managed nodes of a location among those that are wanted.
async fn managed(
    inventory: &dyn Inventory,
    location: &Location,
    wanted: &Wanted,
) -> PortResult<BTreeSet<NodeId>> {
    let found = match wanted.whole {
        true => fleet::managed(inventory, location).await?,
        false => fleet::managed_of(inventory, location, &wanted.named, CALLS_PER_LOCATION).await?,
    };
    Ok(found.into_keys().collect())
}
