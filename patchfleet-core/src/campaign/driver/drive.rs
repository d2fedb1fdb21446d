//! One campaign being driven, turn by turn.

use super::{DriveError, Driver, Turn};
use crate::campaign::collect::{Collected, Found, Job, Settlement};
use crate::campaign::decide::{Action, Decision, decide};
use crate::campaign::facts::{Basis, Fact};
use crate::campaign::observe::{self, Observed};
use crate::campaign::polls::{Failures, Polls, later, poll_interval};
use crate::campaign::start::{self, Failure};
use crate::campaign::state::{StartState, State};
use crate::campaign::{ACTS_AT_ONCE, Event};
use crate::id::{ExecutionId, Location, UnitId};
use crate::port::{PortError, PortErrorKind, PortResult};
use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Once a location has been over for this long, the second refusal to read its results is final.
/// Without this rule a driver that runs for seconds at a time would never give up.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// A campaign that is being driven, with what the driver remembers of its own calls.
pub struct Drive<'d> {
    pub(super) driver: &'d Driver,
    pub(super) state: State,
    pub(super) polls: Polls,
    /// Whether others may have appended since the log was last read.
    pub(super) stale: bool,
    /// For how long nobody may have driven the campaign, if more of it is to be begun.
    pub(super) longest_gap: Option<SignedDuration>,
}

/// What came of an action.
enum Answer {
    /// The unit, which attempt, and what came of it.
    Sent(UnitId, u32, PortResult<ExecutionId>),
    Looked(UnitId, u32, PortResult<Option<ExecutionId>>),
    Observed(UnitId, PortResult<Observed>),
    /// With who is selected there, if that is known though the results are not.
    Collected(UnitId, Location, Basis, PortResult<Collected>, Option<Found>),
    /// The location cannot be read, and neither can the unit's own execution: it is the caller's
    /// credentials that do not work.
    LockedOut(UnitId, Location, PortError),
    Decided(Fact),
}

impl Answer {
    /// Whether AWS was asked for something that runs, and answered.
    fn is_of_aws(&self) -> bool {
        matches!(
            self,
            Self::Sent(.., Ok(_))
                | Self::Looked(.., Ok(_))
                | Self::Observed(_, Ok(_))
                | Self::Collected(.., Ok(_), _)
        )
    }
}

impl Drive<'_> {
    /// The state as this driver knows it.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state, for good.
    #[must_use]
    pub fn into_state(self) -> State {
        self.state
    }

    /// Sees that this version may append to the log.
    pub(super) fn require_writable(&self) -> Result<(), DriveError> {
        if self.state.is_writable() {
            return Ok(());
        }
        Err(DriveError::ReadOnly {
            campaign: self.state.campaign(),
            format: self.state.format(),
        })
    }

    /// One turn: decides, appends what is about to be sent, acts, appends what came of it.
    ///
    /// # Errors
    ///
    /// [`DriveError`]: the campaign stays open, and may be driven on later.
    pub async fn step(&mut self) -> Result<Turn, DriveError> {
        if self.stale {
            self.catch_up().await?;
            self.stale = false;
        }
        let actions = match decide(&self.state, &self.polls, self.now()) {
            Decision::Done(outcome) => return Ok(Turn::Done(outcome)),
            Decision::Wait(at) => {
                self.stale = true;
                return Ok(Turn::Wait(at));
            }
            Decision::Act(actions) => actions,
        };
        let Some(actions) = self.with_the_planned_runbook(actions).await? else {
            return Ok(Turn::Acted); // nothing more is started: decide again
        };
        let intents: Vec<Event> = actions.iter().filter_map(|action| self.intent(action)).collect();
        if !intents.is_empty() && !self.may_send(intents).await? {
            return Ok(Turn::Acted); // decide again
        }
        let acts: Vec<_> = actions.iter().map(|action| self.act(action)).collect();
        let answers: Vec<Option<Answer>> = stream::iter(acts).buffer_unordered(ACTS_AT_ONCE).collect().await;
        let is_answered = answers.iter().flatten().any(Answer::is_of_aws);
        let (mut facts, mut failed) = (vec![], None);
        for answer in answers.into_iter().flatten() {
            if let Err(error) = self.learn(answer, &mut facts) {
                failed.get_or_insert(error);
            }
        }
        // First what is known: one call that fails takes nothing from what the others saw.
        self.write_down(facts).await?;
        if is_answered {
            self.give_sign_of_life().await?;
        }
        failed.map_or(Ok(Turn::Acted), Err)
    }

    /// The time. Never before the last record.
    pub(super) fn now(&self) -> Timestamp {
        self.driver.clock.now().max(self.state.last_at())
    }

    fn intent(&self, action: &Action) -> Option<Event> {
        let (unit, attempt) = match action {
            Action::Start { unit, attempt } => (*unit, *attempt),
            Action::Resend(unit) => (*unit, self.attempt(*unit)),
            _ => return None,
        };
        let request = start::request(&self.state, unit, attempt, self.now())?;
        Some(Event::StartIntended {
            unit,
            attempt,
            request,
        })
    }

    pub(super) fn attempt(&self, unit: UnitId) -> u32 {
        let Some(unit) = self.state.units().get(&unit) else {
            return 1;
        };
        match &unit.start {
            StartState::Intended(intent) => intent.attempt,
            StartState::Started { attempt, .. } => *attempt,
            _ => unit.refused_attempts.max(1),
        }
    }

    /// Does one thing. `None`: there is nothing to do after all.
    async fn act(&self, action: &Action) -> Option<Answer> {
        let driver = self.driver;
        match action {
            Action::Start { unit, .. } | Action::Resend(unit) => {
                let attempt = self.attempt(*unit);
                let request = start::request(&self.state, *unit, attempt, self.now())?;
                let token = self.state.campaign().client_token(*unit, attempt);
                Some(Answer::Sent(
                    *unit,
                    attempt,
                    driver.automation.start(&request, token).await,
                ))
            }
            Action::Find(unit) => {
                let StartState::Intended(intent) = &self.state.units().get(unit)?.start else {
                    return None;
                };
                let token = self.state.campaign().client_token(*unit, intent.attempt);
                let document = &intent.request.document_name;
                let found = start::find(&*driver.automation, document, token).await;
                Some(Answer::Looked(*unit, intent.attempt, found))
            }
            Action::Observe(id) => {
                let unit = self.state.units().get(id)?;
                let execution = observe::execution_of(unit)?;
                let observed =
                    observe::observe(driver.results(), execution, unit, self.state.runs_own_runbook());
                let observed = observed.await;
                Some(Answer::Observed(*id, observed))
            }
            Action::Collect(unit, location) => {
                let basis = Basis::of(self.state.units().get(unit)?);
                let collected = self.job(*unit, location).collect().await;
                if let Err(error) = &collected
                    && error.kind() == PortErrorKind::Credentials
                    && let Some(own) = self.locked_out(*unit).await
                {
                    return Some(Answer::LockedOut(*unit, location.clone(), own));
                }
                let found = match &collected {
                    Err(error) if !error.kind().is_transient() => {
                        self.job(*unit, location).found(BTreeSet::new()).await.ok()
                    }
                    _ => None,
                };
                Some(Answer::Collected(
                    *unit,
                    location.clone(),
                    basis,
                    collected,
                    found,
                ))
            }
            Action::LeaveUnresolved { unit, detail } => Some(Answer::Decided(Fact::Unresolved {
                unit: *unit,
                detail: detail.clone(),
            })),
            Action::WithdrawStart { unit, detail } => Some(Answer::Decided(Fact::Withdrawn {
                unit: *unit,
                detail: detail.clone(),
            })),
            Action::GiveUpStart { unit, kind, detail } => Some(Answer::Decided(Fact::GivenUp {
                unit: *unit,
                kind: *kind,
                detail: detail.clone(),
            })),
            Action::EndUnit(unit, status) => Some(Answer::Decided(Fact::Ended(*unit, status.clone()))),
            Action::Finish(outcome) => Some(Answer::Decided(Fact::Finished(*outcome))),
        }
    }

    /// Why the caller cannot read the unit's execution, if that is for want of credentials. Tells
    /// credentials that have expired from an account in which they were never good.
    async fn locked_out(&self, unit: UnitId) -> Option<PortError> {
        let execution = self.state.units().get(&unit).and_then(observe::execution_of)?;
        let error = self.driver.automation.execution(execution).await.err()?;
        (error.kind() == PortErrorKind::Credentials).then_some(error)
    }

    pub(super) fn no_credentials(&self, source: PortError) -> DriveError {
        let campaign = self.state.campaign();
        DriveError::Credentials { campaign, source }
    }

    pub(super) fn job<'a>(&'a self, unit: UnitId, location: &'a Location) -> Job<'a> {
        let asked = self.polls.locations.get(&(unit, location.clone()));
        Job {
            ports: self.driver.results(),
            state: &self.state,
            unit,
            location,
            parent: self.polls.parent(unit),
            matched_nothing: asked.is_some_and(|asked| asked.matched_nothing),
            now: self.now(),
        }
    }

    /// Turns an answer into what is known by it, and remembers when to ask again.
    fn learn(&mut self, answer: Answer, facts: &mut Vec<Fact>) -> Result<(), DriveError> {
        let now = self.now();
        match answer {
            Answer::Decided(fact) => facts.push(fact),
            Answer::Sent(unit, attempt, Ok(execution)) => facts.push(Fact::Started(unit, attempt, execution)),
            Answer::Sent(unit, attempt, Err(error)) => {
                let asked = self.polls.unit(unit);
                asked.start_failures.add(error.kind());
                asked.start_at = Some(later(now, asked.start_failures.backoff()));
                let not_taken = |kind, for_good| Fact::NotTaken {
                    unit,
                    attempt,
                    kind,
                    detail: error.reason(),
                    for_good,
                };
                match Failure::of(&error) {
                    Failure::InDoubt => {}
                    Failure::Mismatch => asked.mismatch = Some(error.reason()),
                    Failure::NotNow(kind) => facts.push(not_taken(kind, false)),
                    Failure::Refused(kind) => facts.push(not_taken(kind, true)),
                }
                if error.kind() == PortErrorKind::Credentials && asked.start_failures.are_too_many() {
                    return Err(self.no_credentials(error));
                }
            }
            Answer::Looked(unit, attempt, Ok(Some(execution))) => {
                facts.push(Fact::Started(unit, attempt, execution));
            }
            Answer::Looked(unit, _, Ok(None)) => {
                let asked = self.polls.unit(unit);
                asked.not_found_at = Some(now);
                asked.find_failures = Failures::default();
                asked.find_at = None;
                // It was not sent in vain: it is sent again at once.
                asked.start_at = None;
            }
            Answer::Looked(unit, _, Err(error)) => {
                let asked = self.polls.unit(unit);
                asked.find_failures.add(error.kind());
                asked.find_at = Some(later(now, asked.find_failures.backoff()));
                if asked.find_failures.are_too_many() {
                    if error.kind() == PortErrorKind::Credentials {
                        return Err(self.no_credentials(error));
                    }
                    asked.find_given_up = Some(error.reason());
                }
            }
            Answer::Observed(unit, Ok(observed)) => {
                observed.remember(&mut self.polls, unit);
                let age = self.age(unit, now);
                let asked = self.polls.unit(unit);
                asked.observe_failures = Failures::default();
                asked.observe_at = Some(later(now, poll_interval(age)));
                facts.push(Fact::Observed(unit, observed));
            }
            Answer::Observed(unit, Err(source)) => {
                let asked = self.polls.unit(unit);
                // It was started, so it is there: AWS is eventually consistent.
                asked.observe_failures.add(match source.kind() {
                    PortErrorKind::NotFound => PortErrorKind::Unavailable,
                    kind => kind,
                });
                asked.observe_at = Some(later(now, asked.observe_failures.backoff()));
                if asked.observe_failures.are_too_many()
                    && let Some(execution) = self.state.units().get(&unit).and_then(observe::execution_of)
                {
                    if source.kind() == PortErrorKind::Credentials {
                        return Err(self.no_credentials(source));
                    }
                    return Err(DriveError::Observe {
                        campaign: self.state.campaign(),
                        execution: execution.clone(),
                        source,
                    });
                }
            }
            Answer::LockedOut(unit, location, error) => {
                let asked = self.polls.location(unit, &location);
                asked.failures.add(error.kind());
                asked.collect_at = Some(later(now, asked.failures.backoff()));
                if asked.failures.are_too_many() {
                    return Err(self.no_credentials(error));
                }
            }
            Answer::Collected(
                unit,
                _,
                Basis::Started(attempt),
                Ok(Collected::NotSent { away, detail }),
                _,
            ) => {
                facts.push(Fact::NotSent {
                    unit,
                    attempt,
                    away,
                    detail,
                });
            }
            Answer::Collected(unit, location, basis, collected, found) => {
                if let (Basis::Started(attempt), Ok(Collected::Lagging(..))) = (basis, &collected) {
                    facts.push(Fact::CommandEnded(unit, attempt, location.clone()));
                }
                if let (Basis::Started(attempt), Ok(Collected::Running { cancelled: true })) =
                    (basis, &collected)
                {
                    facts.push(Fact::Cancelled(unit, attempt, location.clone()));
                }
                if let Some(settlement) = self.settlement(unit, &location, collected, found.as_ref(), now) {
                    facts.push(Fact::Settled {
                        unit,
                        location,
                        basis,
                        settlement,
                    });
                }
            }
        }
        Ok(())
    }

    /// What a location came to, if it is time to say so.
    fn settlement(
        &mut self,
        unit: UnitId,
        location: &Location,
        collected: PortResult<Collected>,
        found: Option<&Found>,
        now: Timestamp,
    ) -> Option<Settlement> {
        // From the log, if it says so: a driver that is stopped and begun again within seconds, as
        // a function with a short deadline is, must not begin to wait anew each time.
        let units = self.state.units();
        let at = units.get(&unit).and_then(|unit| unit.locations.get(location));
        let ended = at.and_then(|at| at.ended_at);
        let command_ended = at.and_then(|at| at.command_ended_at);
        let asked = self.polls.location(unit, location);
        let first = *asked.first_asked.get_or_insert(now);
        match collected {
            Ok(Collected::Settled(settlement)) => return Some(settlement),
            Ok(Collected::Running { .. } | Collected::NotSent { .. }) => {
                asked.failures = Failures::default();
                asked.collect_at = Some(later(now, poll_interval(now.duration_since(first))));
            }
            Ok(Collected::Lagging(settlement, lag)) => {
                asked.failures = Failures::default();
                let end = later(command_ended.unwrap_or(now), lag);
                if now >= end {
                    return Some(settlement);
                }
                let next = later(now, poll_interval(now.duration_since(first)));
                asked.collect_at = Some(next.min(end));
            }
            Err(error) => {
                asked.failures.add(error.kind());
                asked.collect_at = Some(later(now, asked.failures.backoff()));
                let long_ago = ended.is_some_and(|ended| now >= later(ended, GIVE_UP_AFTER));
                let hopeless = long_ago && asked.failures.are_lasting() && !error.kind().is_transient();
                if asked.failures.are_too_many() || hopeless {
                    return Some(self.job(unit, location).given_up(error.reason(), found));
                }
            }
        }
        None
    }

    fn age(&self, unit: UnitId, now: Timestamp) -> SignedDuration {
        match self.state.units().get(&unit).map(|unit| &unit.start) {
            Some(StartState::Started { at, .. }) => now.duration_since(*at),
            _ => SignedDuration::ZERO,
        }
    }
}
