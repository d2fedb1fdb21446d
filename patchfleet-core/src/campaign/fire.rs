//! Starting a campaign that nobody follows: for a function that ends long before its patching does.
//!
//! There is no log. What was begun is read back from Systems Manager, by tags that every start carries: the campaign,
//! and a digest of how the plan cuts the locations into units. Another delivery of the same event plans anew, and its
//! units may be cut otherwise, so a location could be in one unit of each plan. Three rules keep it from being patched
//! twice:
//!
//! - Units begin one after another, in the order of the plan, and none begins before the one before it has answered.
//! - A unit's client token follows from the campaign and the unit's number alone. So of two plans that are fired at
//!   the same moment the second one's start is refused where the plans begin to differ.
//! - What an earlier delivery began is looked for first. If it was begun by a plan of another digest, nothing more is.
//!   AWS may list an execution by its event before it lists it by its plan. So one that may be a unit of this plan is
//!   looked for again, for as long as tags may take to be seen.

mod begun;
mod cut;
mod earlier;
mod error;
mod fits;
mod send;

pub use error::{FireError, NeedsDriver, Unfinished, UnfinishedReason};
pub(crate) use fits::require_no_driver;

use crate::campaign::{AlarmSaid, CalendarsSaid};
use crate::id::{CampaignId, ExecutionId, Location};
use crate::plan::Plan;
use crate::port::{Alarms, Automation, Clock, Documents, Ports, Resolution};
use crate::request::PatchRequest;
use futures_util::future::{Either, select};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;

/// What came of firing a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fired {
    /// Every unit of the plan runs, in the order of its units. At least one of them was started now.
    Started(Vec<FiredUnit>),
    /// All of it had been started before, by earlier deliveries of the same event.
    AlreadyStarted(FiredBefore),
    /// The plan has nothing to start.
    NothingToDo,
}

/// An execution of a campaign that nobody follows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FiredUnit {
    /// The execution.
    pub execution: ExecutionId,
    /// When AWS started it, by AWS's clock. `None` if AWS's answer does not say, or if it was started just now.
    pub started_at: Option<Timestamp>,
    /// The accounts and Regions that it was started for; `None` if AWS's answer does not say.
    pub locations: Option<BTreeSet<Location>>,
}

/// What earlier deliveries of the same event started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FiredBefore {
    /// The executions, in the order in which they were started. There is at least one.
    pub executions: Vec<FiredUnit>,
    /// In which locations a plan of now is another one, a sentence each. Empty if it was found before there
    /// was a plan to compare it with.
    pub changed: Vec<String>,
}

impl FiredBefore {
    /// When AWS started the first of them, by AWS's clock; `None` if AWS's answers do not say.
    #[must_use]
    pub fn started_at(&self) -> Option<Timestamp> {
        self.executions.iter().filter_map(|unit| unit.started_at).min()
    }

    /// All accounts and Regions that it was started for; `None` if AWS's answers do not say.
    #[must_use]
    pub fn locations(&self) -> Option<BTreeSet<Location>> {
        all_locations(&self.executions)
    }
}

/// The locations of all of them. `None` if those of one are not known.
fn all_locations(units: &[FiredUnit]) -> Option<BTreeSet<Location>> {
    let mut all = BTreeSet::new();
    for unit in units {
        all.extend(unit.locations.clone()?);
    }
    Some(all)
}

/// What earlier deliveries of an event began, found before there is a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing.
    Nothing,
    /// All of a plan.
    Whole(FiredBefore),
    /// Some of a plan.
    Part(FiredBefore),
}

/// Looks for what earlier deliveries of the same event started. That costs three calls where one execution was started,
/// if AWS lists what it finds on one page, and one for each further execution.
///
/// Ask this before planning. What was started changes what a plan is made from: nodes reboot and are
/// offline for a while, and locations may be empty by now. A plan that is made for a retry may therefore
/// have other figures, need other executions, or be refused.
///
/// An execution counts if it is what the *request* asks for, as far as AWS reports it: the runbook,
/// the selection, what is patched and how, the rates within a location, the role, and no location
/// that the request itself rules out. What follows from a census (how long commands live, which of the
/// locations have nodes, which nodes are named because others do not answer) is not compared. And it
/// may not be older than `longest_retry`
/// ([`EventId::longest_retry`](crate::id::EventId::longest_retry)), by AWS's clock where its answer has
/// a time.
///
/// Nothing: AWS lists none. What was started a few seconds ago may not be listed yet; a start is safe
/// all the same, since the client token is the same ([`fire_plan`]). So an event that is delivered twice is started
/// twice only if AWS has forgotten the token before it shows the tag.
///
/// # Errors
///
/// [`FireError::Differs`] and [`FireError::NoRetry`] if what was started before is not this,
/// [`FireError::Port`] if that cannot be found out. Start nothing then: unknown is not "not started".
pub(crate) async fn fired_before(
    ports: &Ports,
    campaign: CampaignId,
    request: &PatchRequest,
    longest_retry: SignedDuration,
) -> Result<Before, FireError> {
    FirePorts::of(ports)
        .fired_before(campaign, request, longest_retry)
        .await
}

/// Starts every unit of a plan and leaves them to Systems Manager, which keeps their rate controls.
///
/// Nothing is claimed or written down: two different events of one request may run at once.
///
/// What earlier deliveries of the same campaign started is looked for first, as `fired_before` does, whatever the plan
/// is. Ask before planning all the same, because patching changes what a plan is made from. Asking once is
/// not enough either: another delivery may start the campaign while this one plans. If only a part of this very plan was
/// begun, the rest is begun now. Where the plan has other locations than what was
/// started as a whole, [`FiredBefore::changed`] says so.
///
/// Nothing is begun at `deadline` or after it, if there is one.
///
/// # Errors
///
/// Those of `fired_before`; [`FireError::NeedsDriver`] if the plan cannot be left to itself,
/// [`FireError::RunbookChanged`] if its runbook is another one by now, and [`FireError::OutOfTime`] (nothing was
/// started); [`FireError::Port`] if AWS refused, or did not answer; [`FireError::Unfinished`] if some of the plan was
/// begun, and not all. Firing the same campaign again is safe in each case.
pub async fn fire_plan(
    ports: &Ports,
    campaign: CampaignId,
    plan: &Plan,
    longest_retry: SignedDuration,
    deadline: Option<Timestamp>,
) -> Result<Fired, FireError> {
    FirePorts::of(ports)
        .fire(campaign, plan, longest_retry, deadline)
        .await
}

/// What firing needs of the ports.
pub(crate) struct FirePorts<'a> {
    pub(super) automation: &'a dyn Automation,
    pub(super) documents: &'a dyn Documents,
    /// Says what state the CloudWatch alarm is in.
    pub(super) alarms: &'a dyn Alarms,
    pub(super) clock: &'a dyn Clock,
    /// Whether AWS finds the nodes of a selection.
    pub(super) resolution: Resolution,
}

impl<'a> FirePorts<'a> {
    fn of(ports: &'a Ports) -> Self {
        Self {
            automation: ports.automation.as_ref(),
            documents: ports.documents.as_ref(),
            alarms: ports.alarms.as_ref(),
            clock: ports.clock.as_ref(),
            resolution: ports.inventory.resolution(),
        }
    }

    pub(super) async fn fired_before(
        &self,
        campaign: CampaignId,
        request: &PatchRequest,
        longest_retry: SignedDuration,
    ) -> Result<Before, FireError> {
        let looked = self.look(campaign, request, longest_retry).await?;
        if looked.found.is_empty() {
            return Ok(Before::Nothing);
        }
        let is_whole = looked.is_whole;
        let before = FiredBefore {
            executions: looked.into_units(),
            changed: vec![],
        };
        Ok(match is_whole {
            true => Before::Whole(before),
            false => Before::Part(before),
        })
    }

    pub(super) async fn fire(
        &self,
        campaign: CampaignId,
        plan: &Plan,
        longest_retry: SignedDuration,
        deadline: Option<Timestamp>,
    ) -> Result<Fired, FireError> {
        let looked = self.look(campaign, &plan.request, longest_retry).await?;
        if looked.is_whole {
            return Ok(Fired::AlreadyStarted(before(plan, looked.into_units())));
        }
        if plan.units.is_empty() && looked.found.is_empty() {
            return Ok(Fired::NothingToDo);
        }
        if looked.found.is_empty() {
            require_no_driver(plan)?;
            if let Some(frozen) = plan.frozen(self.clock.now()) {
                return Err(FireError::Frozen(frozen.to_string()));
            }
            self.require_open_calendars(plan).await?;
            self.require_quiet_alarm(plan).await?;
        }
        send::Firing::new(self, campaign, plan, longest_retry, deadline)
            .all(looked)
            .await
    }
}

impl FirePorts<'_> {
    /// Sees that the change calendars are open.
    async fn require_open_calendars(&self, plan: &Plan) -> Result<(), FireError> {
        let names = &plan.request.change_calendars;
        if names.is_empty() {
            return Ok(());
        }
        let said = match self.documents.calendars(names).await {
            Ok(view) if view.are_open => return Ok(()),
            Ok(view) => CalendarsSaid::Closed {
                until: view.changes_at,
            },
            Err(error) => CalendarsSaid::Unknown {
                kind: error.kind(),
                detail: error.reason(),
            },
        };
        Err(FireError::Frozen(said.to_string()))
    }

    /// Sees that the CloudWatch alarm is not in the state ALARM.
    async fn require_quiet_alarm(&self, plan: &Plan) -> Result<(), FireError> {
        let Some(name) = &plan.request.breaker.alarm else {
            return Ok(());
        };
        match AlarmSaid::of(name, self.alarms.alarm(name).await) {
            AlarmSaid::Quiet => Ok(()),
            said => Err(FireError::Frozen(said.to_string())),
        }
    }
}

/// What was fired before, beside the locations of a plan of now.
fn before(plan: &Plan, executions: Vec<FiredUnit>) -> FiredBefore {
    let started = all_locations(&executions);
    FiredBefore {
        changed: earlier::changed(plan, started.as_ref()),
        executions,
    }
}

/// What a call gives, or `None` if the deadline comes first.
pub(crate) async fn within<T>(
    clock: &dyn Clock,
    deadline: Option<Timestamp>,
    call: impl Future<Output = T>,
) -> Option<T> {
    let Some(deadline) = deadline else {
        return Some(call.await);
    };
    if clock.now() >= deadline {
        return None;
    }
    match select(pin!(call), clock.sleep_until(deadline)).await {
        Either::Left((given, _)) => Some(given),
        Either::Right(_) => None,
    }
}

#[cfg(test)]
pub(crate) fn digest_for_tests(plan: &Plan) -> crate::id::RequestDigest {
    cut::digest(plan)
}
