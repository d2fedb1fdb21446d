//! Starting a campaign that nobody follows: for a function that ends long before its patching does.

mod earlier;

use super::start::find;
use crate::id::{CampaignId, ExecutionId, Location, UnitId};
use crate::plan::{Plan, PlannedLocation};
use crate::port::{Automation, Clock, Documents, PortError, PortErrorKind, Ports, Resolution};
use crate::request::PatchRequest;
use crate::runbook::{self, NotCompared, passes};
use jiff::{SignedDuration, SpanRound, Timestamp, Unit};
use std::collections::BTreeSet;

/// The unit that is fired, and its attempt. There is one of each.
const ONLY: (UnitId, u32) = (UnitId::from_index(0), 1);

/// What came of firing a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fired {
    /// It was started.
    Started(ExecutionId),
    /// It had been started before, by an earlier delivery of the same event.
    AlreadyStarted(FiredBefore),
    /// The plan has nothing to start.
    NothingToDo,
}

/// What an earlier delivery of the same event started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FiredBefore {
    /// The execution.
    pub execution: ExecutionId,
    /// When AWS started it, by AWS's clock; `None` if AWS's answer does not say.
    pub started_at: Option<Timestamp>,
    /// The accounts and Regions that it was started for; `None` if AWS's answer does not say.
    pub locations: Option<BTreeSet<Location>>,
    /// In which locations a plan of now is another one, a sentence each. Empty if it was found before there
    /// was a plan to compare it with.
    pub changed: Vec<String>,
}

/// Why a plan was not fired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FireError {
    /// Several executions need somebody who begins one after another.
    #[error(
        "the plan needs {units} executions, and only one can be started and left to itself: name locations that \
         form one rectangle of accounts and Regions, or run it where it can be followed{}",
        if *.with_cutoff { " (with a cutoff each location has one of its own)" } else { "" }
    )]
    NeedsDriver {
        /// How many it needs.
        units: usize,
        /// Whether the plan has a cutoff.
        with_cutoff: bool,
    },
    /// What would run is not what the plan was made for. Nothing was started.
    #[error("nothing was started: {detail}")]
    RunbookChanged {
        /// The document, where, and its versions.
        detail: String,
    },
    /// The campaign was started before, and not as the request asks for it.
    #[error(
        "nothing was started: execution {execution} was started for this event before, and not as it is asked for now: {}",
        .differences.join("; ")
    )]
    Differs {
        /// The execution that was found.
        execution: ExecutionId,
        /// What is different, a phrase each.
        differences: Vec<String>,
    },
    /// The campaign was started before, and too long ago for this to be a retry.
    #[error(
        "nothing was started: execution {execution} was started for an event of this id {} ago, and no event is \
         delivered again after more than {}. The id is the same for every event: give each event an id of its own",
        in_words(*.age), in_words(*.longest_retry)
    )]
    NoRetry {
        /// The execution that was found.
        execution: ExecutionId,
        /// How long ago it was started, by AWS's clock.
        age: SignedDuration,
        /// How long after a start its event may come again.
        longest_retry: SignedDuration,
    },
    /// It could not be found out whether the campaign was started before, or the start failed.
    #[error("the campaign could not be started")]
    Port(#[source] PortError),
}

/// Looks for what an earlier delivery of the same event started. Two calls at most, if AWS lists
/// what it finds on one page: one that finds the execution, by the tag key that only it has, and one
/// that reads it.
///
/// Ask this before planning. What was started changes what a plan is made from: nodes reboot and are
/// offline for a while, and locations may be empty by now. A plan that is made for a retry may therefore
/// have other figures, need several executions, or be refused.
///
/// The execution counts if it is what the *request* asks for, as far as AWS reports it: the runbook,
/// the selection, what is patched and how, the rates within a location, the role, and no location
/// that the request itself rules out. What follows from a census (how long commands live, which of the
/// locations have nodes, which nodes are named because others do not answer) is not compared. And it
/// may not be older than `longest_retry`
/// ([`EventId::longest_retry`](crate::id::EventId::longest_retry)), by AWS's clock where its answer has
/// a time.
///
/// `None`: AWS lists none. What was started a few seconds ago may not be listed yet; a start is safe
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
) -> Result<Option<FiredBefore>, FireError> {
    FirePorts::of(ports)
        .fired_before(campaign, request, longest_retry)
        .await
}

/// Starts a plan of one unit and leaves it to Systems Manager, which keeps its rate controls.
///
/// Nothing is claimed or written down: two different events of one request may run at once.
///
/// An earlier start of the same campaign is looked for first, as `fired_before` does, whatever the plan
/// is. Ask before planning all the same, because patching changes what a plan is made from. Asking once is
/// not enough either: another delivery may start the campaign while this one plans. If two start it at the
/// same moment, the client token makes their starts one. Where the plan has other locations than what was
/// started, [`FiredBefore::changed`] says so.
///
/// # Errors
///
/// Those of `fired_before`; [`FireError::NeedsDriver`] if the plan has several units, and
/// [`FireError::RunbookChanged`] if its runbook is another one by now (nothing was started);
/// [`FireError::Port`] if AWS refused, or did not answer: firing the same campaign again is safe.
pub async fn fire_plan(
    ports: &Ports,
    campaign: CampaignId,
    plan: &Plan,
    longest_retry: SignedDuration,
) -> Result<Fired, FireError> {
    FirePorts::of(ports).fire(campaign, plan, longest_retry).await
}

/// What firing needs of the ports.
pub(crate) struct FirePorts<'a> {
    pub(super) automation: &'a dyn Automation,
    pub(super) documents: &'a dyn Documents,
    pub(super) clock: &'a dyn Clock,
    /// Whether AWS finds the nodes of a selection.
    pub(super) resolution: Resolution,
}

impl<'a> FirePorts<'a> {
    fn of(ports: &'a Ports) -> Self {
        Self {
            automation: ports.automation.as_ref(),
            documents: ports.documents.as_ref(),
            clock: ports.clock.as_ref(),
            resolution: ports.inventory.resolution(),
        }
    }

    pub(super) async fn fired_before(
        &self,
        campaign: CampaignId,
        request: &PatchRequest,
        longest_retry: SignedDuration,
    ) -> Result<Option<FiredBefore>, FireError> {
        let (unit, attempt) = ONLY;
        let token = campaign.client_token(unit, attempt);
        let document = &request.automation.document;
        let found = find(self.automation, document, token).await;
        let Some(execution) = found.map_err(FireError::Port)? else {
            return Ok(None);
        };
        let found = self.automation.execution(&execution).await;
        let found = found.map_err(FireError::Port)?;
        let differences = earlier::differences(request, campaign, self.resolution, &found);
        if !differences.is_empty() {
            return Err(FireError::Differs {
                execution,
                differences,
            });
        }
        let now = found.answered_at.unwrap_or_else(|| self.clock.now());
        let age = found.started_at.map(|started| now.duration_since(started));
        match age {
            Some(age) if age > longest_retry => Err(FireError::NoRetry {
                execution,
                age,
                longest_retry,
            }),
            _ => Ok(Some(FiredBefore {
                execution,
                started_at: found.started_at,
                locations: found.locations,
                changed: vec![],
            })),
        }
    }

    pub(super) async fn fire(
        &self,
        campaign: CampaignId,
        plan: &Plan,
        longest_retry: SignedDuration,
    ) -> Result<Fired, FireError> {
        if let Some(before) = self.planned_before(campaign, plan, longest_retry).await? {
            return Ok(Fired::AlreadyStarted(before));
        }
        let request = match plan.units.as_slice() {
            [] => return Ok(Fired::NothingToDo),
            [unit] => &unit.start,
            several => {
                return Err(FireError::NeedsDriver {
                    units: several.len(),
                    with_cutoff: plan.lifetime.is_some_and(|lifetime| lifetime.cutoff.is_some()),
                });
            }
        };
        if let Some(runbook) = &plan.runbook {
            let at: Vec<Location> = plan.locations.iter().map(PlannedLocation::location).collect();
            let pin = plan.request.automation.pin;
            let compared = runbook.compare(self.documents, &plan.central, pin, &at).await;
            let changed = match compared {
                Ok(changed) => changed,
                // Nobody tries again here.
                Err(NotCompared { unread, .. }) => {
                    let lasting = unread.first_where(|_, error| !passes(error));
                    match lasting {
                        Some((at, error, others)) => Some(runbook.unreadable(at.as_ref(), &others, error)),
                        None => return Err(FireError::Port(unread.into_error())),
                    }
                }
            };
            if let Some(changed) = changed {
                return Err(FireError::RunbookChanged {
                    detail: changed.detail,
                });
            }
        }
        let (unit, attempt) = ONLY;
        let request = runbook::for_campaign(request, plan.runbook.as_ref(), campaign, unit, attempt);
        let started = self
            .automation
            .start(&request, campaign.client_token(unit, attempt));
        match started.await {
            Ok(execution) => Ok(Fired::Started(execution)),
            // Two deliveries were planned at once, over a world that changed in between.
            Err(error) if error.kind() == PortErrorKind::TokenMismatch => {
                match self.planned_before(campaign, plan, longest_retry).await {
                    Ok(Some(before)) => Ok(Fired::AlreadyStarted(before)),
                    Ok(None) | Err(FireError::Port(_)) => Err(FireError::Port(error)),
                    Err(other) => Err(other),
                }
            }
            Err(error) => Err(FireError::Port(error)),
        }
    }

    /// What was fired before, beside the locations of a plan of now.
    async fn planned_before(
        &self,
        campaign: CampaignId,
        plan: &Plan,
        longest_retry: SignedDuration,
    ) -> Result<Option<FiredBefore>, FireError> {
        let before = self.fired_before(campaign, &plan.request, longest_retry).await?;
        Ok(before.map(|before| FiredBefore {
            changed: earlier::changed(plan, before.locations.as_ref()),
            ..before
        }))
    }
}

/// A time for people: "7d 20m".
fn in_words(time: SignedDuration) -> String {
    let round = SpanRound::new()
        .largest(Unit::Day)
        .smallest(Unit::Minute)
        .days_are_24_hours();
    let span = jiff::Span::try_from(time).and_then(|span| span.round(round));
    span.map_or_else(|_| format!("{time:#}"), |span| format!("{span:#}"))
}
