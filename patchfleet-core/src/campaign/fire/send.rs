//! Starting the units of a plan, one after another.

use super::begun::{Found, Looked};
use super::error::{FireError, Unfinished, UnfinishedReason};
use super::{FirePorts, Fired, FiredUnit, before, cut, within};
use crate::campaign::polls::{TAGS_SEEN_WITHIN, later};
use crate::id::{CampaignId, ExecutionId, Location, RequestDigest, UnitId};
use crate::plan::{Plan, PlannedLocation, Unit};
use crate::port::{PortErrorKind, Sent};
use crate::refusal::{Skip, SkipReason};
use crate::runbook::{self, NotCompared, passes};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How long a look for what was begun holds. What another delivery began by [`TAGS_SEEN_WITHIN`] before the look was
/// seen by it. What it began later is at most as old as both together when a start is sent, which is less than AWS is
/// trusted to remember a client token for ([`RESEND_WITHIN`](crate::campaign::RESEND_WITHIN)).
const LOOK_HOLDS: SignedDuration = SignedDuration::from_mins(2);

/// How long a start is tried that fails for a reason that may pass, or has no answer. All of these tries have one client
/// token, which AWS remembers for longer.
const TRIES_FOR: SignedDuration = SignedDuration::from_secs(90);

/// How long is waited between two tries.
const TRIES_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// Why nothing more is begun.
enum Stop {
    /// Everything is begun, by earlier deliveries.
    Before(Vec<FiredUnit>),
    Error(FireError),
}

impl From<FireError> for Stop {
    fn from(error: FireError) -> Self {
        Self::Error(error)
    }
}

/// What is known while a plan is being fired.
pub(super) struct Firing<'a> {
    ports: &'a FirePorts<'a>,
    campaign: CampaignId,
    plan: &'a Plan,
    digest: RequestDigest,
    longest_retry: SignedDuration,
    deadline: Option<Timestamp>,
    looked_at: Timestamp,
    begun: BTreeMap<UnitId, FiredUnit>,
    /// The units whose start was sent and had no answer.
    unclear: BTreeSet<UnitId>,
    /// When each execution was first found that AWS did not list by the plan's key.
    seen_at: BTreeMap<ExecutionId, Timestamp>,
    /// Whether a start of this delivery was answered.
    is_started_here: bool,
    /// Whether AWS knows the client token of a start as that of another delivery's.
    is_taken: bool,
}

/// What a look found that is not known to be this plan's.
#[derive(Default)]
struct Sorted {
    /// What another plan began.
    others: Vec<FiredUnit>,
    /// What is a unit of this plan by its locations, and so young that AWS may not list it by the plan's key yet.
    untold: Vec<FiredUnit>,
}

impl<'a> Firing<'a> {
    pub(super) fn new(
        ports: &'a FirePorts<'a>,
        campaign: CampaignId,
        plan: &'a Plan,
        longest_retry: SignedDuration,
        deadline: Option<Timestamp>,
    ) -> Self {
        Self {
            ports,
            campaign,
            plan,
            digest: cut::digest(plan),
            longest_retry,
            deadline,
            looked_at: ports.clock.now(),
            begun: BTreeMap::new(),
            unclear: BTreeSet::new(),
            seen_at: BTreeMap::new(),
            is_started_here: false,
            is_taken: false,
        }
    }

    /// Begins every unit that is not begun.
    pub(super) async fn all(mut self, looked: Looked) -> Result<Fired, FireError> {
        match self.rest(looked).await {
            Ok(()) if self.is_started_here => Ok(Fired::Started(self.begun.into_values().collect())),
            Ok(()) => Ok(Fired::AlreadyStarted(before(
                self.plan,
                self.begun.into_values().collect(),
            ))),
            Err(Stop::Before(units)) => Ok(Fired::AlreadyStarted(before(self.plan, units))),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    async fn rest(&mut self, looked: Looked) -> Result<(), Stop> {
        self.take(looked).await?;
        if self.begun.len() == self.plan.units.len() {
            return Ok(());
        }
        self.compare_runbook().await?;
        for unit in &self.plan.units {
            self.begin(unit).await?;
        }
        Ok(())
    }

    /// Takes what a look found as begun. Nothing more is begun if another plan was.
    async fn take(&mut self, mut looked: Looked) -> Result<(), Stop> {
        loop {
            self.looked_at = looked.at;
            let Sorted { others, untold } = self.sort(&looked).await?;
            let all_own = others.is_empty() && untold.is_empty();
            if all_own {
                return Ok(());
            }
            if looked.is_whole {
                return Err(Stop::Before(looked.into_units()));
            }
            if !others.is_empty() {
                // What this delivery began itself says nothing of the other.
                let is_other = |found: &&Found| {
                    let mut others = others.iter();
                    others.any(|unit| unit.execution == found.unit.execution)
                };
                let ages = looked.found.iter().filter(is_other).filter_map(|found| found.age);
                let may_go_on = ages.min().is_some_and(|age| age < TAGS_SEEN_WITHIN);
                let others = others.into_iter().chain(untold).collect();
                return Err(self.beside(others, UnfinishedReason::OtherPlan { may_go_on }));
            }
            let next = later(self.ports.clock.now(), TRIES_EVERY);
            if self.deadline.is_some_and(|deadline| deadline <= next) {
                return Err(self.beside(untold, UnfinishedReason::OutOfTime));
            }
            self.ports.clock.sleep_until(next).await;
            looked = self.look_once().await?;
        }
    }

    /// Takes what this plan began, and gives the rest.
    async fn sort(&mut self, looked: &Looked) -> Result<Sorted, Stop> {
        let mut sorted = Sorted::default();
        let mut unknown = vec![];
        for found in &looked.found {
            // What answered a start of this plan is its own, also while AWS does not list it by the plan's key.
            let known = self
                .begun
                .values_mut()
                .find(|unit| unit.execution == found.unit.execution);
            match known {
                Some(known) => known.started_at = known.started_at.or(found.unit.started_at),
                None => unknown.push(found),
            }
        }
        if unknown.is_empty() {
            return Ok(sorted);
        }
        let ports = self.ports;
        let own = ports.of_plan(self.campaign, &self.plan.request, &self.digest);
        let own = match within(ports.clock, self.deadline, own).await {
            Some(Ok(own)) => own,
            Some(Err(FireError::Port(error))) => {
                return Err(self.beside(units_of(&unknown), UnfinishedReason::Port(error)));
            }
            Some(Err(error)) => return Err(error.into()),
            None => return Err(self.beside(units_of(&unknown), UnfinishedReason::OutOfTime)),
        };
        for found in unknown {
            let execution = &found.unit.execution;
            match found.unit_of(self.plan) {
                Some(unit) if own.contains(execution) => {
                    self.unclear.remove(&unit);
                    self.begun.insert(unit, found.unit.clone());
                }
                Some(_) if self.may_be_listed_later(found, looked.at) => {
                    sorted.untold.push(found.unit.clone());
                }
                _ => sorted.others.push(found.unit.clone()),
            }
        }
        Ok(sorted)
    }

    /// Whether AWS may list an execution by the plan's key later than by the event's. It shows each of them within
    /// [`TAGS_SEEN_WITHIN`] of the start, which was no later than the first look that found the execution.
    fn may_be_listed_later(&mut self, found: &Found, looked_at: Timestamp) -> bool {
        let execution = found.unit.execution.clone();
        let seen_at = *self.seen_at.entry(execution).or_insert(looked_at);
        let is_young = found.age.is_none_or(|age| age < TAGS_SEEN_WITHIN);
        is_young && self.ports.clock.now() < later(seen_at, TAGS_SEEN_WITHIN)
    }

    /// Why nothing more is begun, beside executions of which it is not known that this plan began them.
    fn beside(&self, others: Vec<FiredUnit>, reason: UnfinishedReason) -> Stop {
        let mut unfinished = self.unfinished(reason);
        unfinished.begun.extend(others);
        let begun: BTreeSet<Location> = unfinished
            .begun
            .iter()
            .filter_map(|unit| unit.locations.clone())
            .flatten()
            .collect();
        unfinished.not_begun.retain(|location| !begun.contains(location));
        unfinished.unclear.retain(|location| !begun.contains(location));
        let skipped = self
            .plan
            .skipped
            .iter()
            .filter(|skip| may_have_been_planned(skip));
        unfinished.skipped = skipped
            .filter(|skip| !begun.contains(&skip.location()))
            .cloned()
            .collect();
        FireError::Unfinished(Box::new(unfinished)).into()
    }

    /// Begins one unit, if it is not begun. Units before it are.
    async fn begin(&mut self, unit: &Unit) -> Result<(), Stop> {
        let is_last = self.plan.units.last().is_some_and(|last| last.id == unit.id);
        let bound = self.plan.runbook.as_ref();
        let request = runbook::for_event(&unit.start, bound, self.campaign, unit.id, &self.digest, is_last);
        let token = self.campaign.client_token(unit.id, 1);
        let until = later(self.ports.clock.now(), TRIES_FOR);
        loop {
            if self.ports.clock.now() >= later(self.looked_at, LOOK_HOLDS) {
                self.look().await?;
            }
            if self.begun.contains_key(&unit.id) {
                return Ok(());
            }
            if self
                .deadline
                .is_some_and(|deadline| self.ports.clock.now() >= deadline)
            {
                return Err(self.stopped(UnfinishedReason::OutOfTime));
            }
            let not_after = self.deadline.unwrap_or(Timestamp::MAX);
            let start = self.ports.automation.start(&request, token, not_after);
            let error = match within(self.ports.clock, self.deadline, start).await {
                Some(Ok(execution)) => {
                    self.unclear.remove(&unit.id);
                    self.is_started_here = true;
                    let fired = FiredUnit {
                        execution,
                        started_at: None,
                        locations: Some(unit.locations().collect()),
                    };
                    self.begun.insert(unit.id, fired);
                    return Ok(());
                }
                Some(Err(error)) => error,
                None => {
                    // It may have been sent by then.
                    self.unclear.insert(unit.id);
                    return Err(self.stopped(UnfinishedReason::OutOfTime));
                }
            };
            if error.sent() == Sent::Maybe {
                self.unclear.insert(unit.id);
            }
            // A token that was used for another start: another delivery has begun this unit, and AWS may not list it yet.
            let is_taken = error.kind() == PortErrorKind::TokenMismatch;
            let may_pass = is_taken || error.sent() == Sent::Maybe || error.kind().is_transient();
            let next = later(self.ports.clock.now(), TRIES_EVERY);
            if is_taken {
                self.unclear.insert(unit.id);
                self.is_taken = true;
            }
            if !may_pass || next > until || self.deadline.is_some_and(|deadline| deadline <= next) {
                return Err(self.stopped(match is_taken {
                    true => UnfinishedReason::NotListed(error),
                    false => UnfinishedReason::Port(error),
                }));
            }
            self.ports.clock.sleep_until(next).await;
            self.look().await?;
        }
    }

    /// Looks once more for what is begun, and takes it.
    async fn look(&mut self) -> Result<(), Stop> {
        let looked = self.look_once().await?;
        self.take(looked).await
    }

    async fn look_once(&self) -> Result<Looked, Stop> {
        let (ports, request) = (self.ports, &self.plan.request);
        let look = ports.look(self.campaign, request, self.longest_retry);
        match within(ports.clock, self.deadline, look).await {
            Some(Ok(looked)) => Ok(looked),
            Some(Err(FireError::Port(error))) => Err(self.stopped(UnfinishedReason::Port(error))),
            Some(Err(error)) => Err(error.into()),
            None => Err(self.stopped(UnfinishedReason::OutOfTime)),
        }
    }

    /// Compares the runbook with the one that the plan was made for.
    async fn compare_runbook(&self) -> Result<(), Stop> {
        let plan = self.plan;
        let Some(runbook) = &plan.runbook else {
            return Ok(());
        };
        let at: Vec<Location> = plan.locations.iter().map(PlannedLocation::location).collect();
        let pin = plan.request.automation.pin;
        let compared = runbook.compare(self.ports.documents, &plan.central, pin, &at);
        let Some(compared) = within(self.ports.clock, self.deadline, compared).await else {
            return Err(self.stopped(UnfinishedReason::OutOfTime));
        };
        let changed = match compared {
            Ok(changed) => changed,
            // Nobody tries again here.
            Err(NotCompared { unread, .. }) => {
                let lasting = unread.first_where(|_, error| !passes(error));
                match lasting {
                    Some((at, error, others)) => Some(runbook.unreadable(at.as_ref(), &others, error)),
                    None => return Err(self.stopped(UnfinishedReason::Port(unread.into_error()))),
                }
            }
        };
        match changed {
            None => Ok(()),
            Some(changed) => Err(self.stopped(UnfinishedReason::RunbookChanged {
                detail: changed.detail,
            })),
        }
    }

    /// Why nothing more is begun. If nothing was, it is an error without what was begun.
    fn stopped(&self, reason: UnfinishedReason) -> Stop {
        let nothing = self.begun.is_empty()
            && !self.is_taken
            && (self.unclear.is_empty() || self.plan.units.len() == 1);
        match reason {
            UnfinishedReason::Port(error) if nothing => FireError::Port(error),
            UnfinishedReason::OutOfTime if nothing && self.unclear.is_empty() => FireError::OutOfTime,
            UnfinishedReason::RunbookChanged { detail } if nothing => FireError::RunbookChanged { detail },
            reason => FireError::Unfinished(Box::new(self.unfinished(reason))),
        }
        .into()
    }

    fn unfinished(&self, reason: UnfinishedReason) -> Unfinished {
        let of = |is_wanted: &dyn Fn(&UnitId) -> bool| {
            let units = self.plan.units.iter().filter(|unit| is_wanted(&unit.id));
            units.flat_map(Unit::locations).collect()
        };
        let is_unclear = |id: &UnitId| self.unclear.contains(id) && !self.begun.contains_key(id);
        Unfinished {
            begun: self.begun.values().cloned().collect(),
            unclear: of(&is_unclear),
            not_begun: of(&|id| !self.begun.contains_key(id) && !is_unclear(id)),
            skipped: vec![],
            reason,
        }
    }
}

fn units_of(found: &[&Found]) -> Vec<FiredUnit> {
    found.iter().map(|found| found.unit.clone()).collect()
}

/// Whether a location that is skipped now may have been planned a while ago. What the request itself rules out was not.
fn may_have_been_planned(skip: &Skip) -> bool {
    skip.reason != SkipReason::Excluded
}
