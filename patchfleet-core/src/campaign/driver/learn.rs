//! What an answer tells, and when to ask again.

use super::calls::Answer;
use super::hold::not_sent;
use super::{Drive, DriveError};
use crate::campaign::facts::Fact;
use crate::campaign::memory::{LocationTask, UnitTask};
use crate::campaign::observe;
use crate::campaign::polls::{Failures, LOOK_UP_AFTER, POLL_LONGEST, later, poll_at_leisure, poll_interval};
use crate::campaign::start::Failure;
use crate::campaign::state::{StartState, StopStanding, UnitState};
use crate::id::{ExecutionId, UnitId};
use crate::port::{PortErrorKind, PortResult, Sent, StopType};
use jiff::{SignedDuration, Timestamp};

/// How many executions and pages of their steps are read in a second, for all units together. AWS answers 3 such
/// calls a second in an account and Region (published), and other drivers and people ask as well.
const READS_A_SECOND: u64 = 2;

/// How long after AWS took its stop an execution may be seen to have begun something, as what is listed lags.
const STOPS_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// How many looks after a stop may show what was begun before: one that was under way, and the first whole one.
const LOOKS_AFTER_STOP: u32 = 2;

/// How many steps AWS gives on a page (DescribeAutomationStepExecutions).
const STEPS_A_PAGE: u64 = 50;

impl Drive<'_> {
    /// Adds what is known by an answer to the facts, and remembers when to ask again.
    ///
    /// # Errors
    ///
    /// That the campaign cannot be driven on. The facts hold all the same.
    pub(super) fn learn(&mut self, answer: Answer, facts: &mut Vec<Fact>) -> Result<(), DriveError> {
        let now = self.now();
        match answer {
            Answer::Calendars(said) => facts.push(self.learn_calendars(said)),
            Answer::Alarm(asked_at, said) => facts.extend(self.learn_alarm(asked_at, said)),
            Answer::Compared(unit, compared) => {
                self.memory.unit_tasks.end(&UnitTask::Start(unit));
                facts.extend(self.learn_compared(unit, compared)?);
            }
            Answer::Sent(unit, attempt, asked_at, sent) => {
                self.has_looked(unit, asked_at);
                self.learn_sent(unit, attempt, sent, facts)?;
            }
            Answer::RefusedWhole(unit, attempt, asked_at, away, detail) => {
                self.has_looked(unit, asked_at);
                self.memory.unit_tasks.end(&UnitTask::Start(unit));
                if self.is_intended(unit, attempt) {
                    facts.push(Fact::NotSent {
                        unit,
                        attempt,
                        away,
                        detail,
                    });
                }
            }
            Answer::Unseen(unit, attempt, error) => self.learn_unseen(unit, attempt, error, facts)?,
            Answer::NotSent(unit, attempt, asked_at) => {
                self.memory.unit_tasks.end(&UnitTask::Start(unit));
                self.has_looked(unit, asked_at);
                // What was compared for it is old by now.
                self.memory.unit(unit).compared_at = None;
                facts.push(not_sent(unit, attempt));
            }
            Answer::Looked(unit, attempt, asked_at, found) => {
                self.memory.unit_tasks.end(&UnitTask::Start(unit));
                if !self.is_intended(unit, attempt) {
                    return Ok(()); // what is remembered is of another attempt
                }
                let asked = self.memory.unit(unit);
                match found {
                    Ok(Some(execution)) => facts.push(Fact::Started(unit, attempt, execution)),
                    Ok(None) => {
                        asked.not_found_at = Some(asked_at);
                        asked.find_failures = Failures::default();
                        asked.find_at = Some(later(now, LOOK_UP_AFTER));
                        // It was not sent in vain: it is sent again at once.
                        asked.start_at = None;
                    }
                    Err(error) => {
                        asked.find_failures.add(error.kind());
                        asked.find_at = Some(later(now, asked.find_failures.backoff()));
                        if asked.find_failures.are_too_many() {
                            if error.kind() == PortErrorKind::Credentials {
                                return Err(self.no_credentials(error));
                            }
                            asked.find_given_up = Some(error.reason());
                        }
                    }
                }
            }
            Answer::Sought(unit, attempt, asked_at, sought) => {
                facts.extend(self.learn_sought(unit, attempt, asked_at, sought)?);
            }
            Answer::Swept(place, asked_at, found) => self.learn_swept(place, asked_at, found)?,
            Answer::Stopped(unit, kind, stopped) => {
                facts.extend(self.learn_stopped(unit, kind, stopped, now)?);
            }
            Answer::StoppedBelow(unit, attempt, location, came) => {
                facts.extend(self.learn_stopped_below(unit, attempt, location, came));
            }
            Answer::Observed(unit, observed) => facts.extend(self.learn_observed(unit, observed, now)?),
            Answer::Seen(unit, location, execution, below) => {
                let look = LocationTask::Look(unit, location.clone());
                self.memory.location_tasks.end(&look);
                let unit_state = self.state.units().get(&unit);
                let at = unit_state.and_then(|unit| unit.locations.get(&location));
                if let Some(at) = at.filter(|at| self.state.is_to_be_looked_at(at)) {
                    let age = at.child_at.map(|seen| now.duration_since(seen));
                    let next = later(now, poll_interval(age.unwrap_or_default()));
                    self.memory.location_tasks.set(&look, next);
                }
                facts.push(Fact::Seen(unit, execution, below));
            }
            Answer::LockedOut(unit, location, error) => {
                let asked = self.memory.location(unit, &location);
                asked.failures.add(error.kind());
                let (next, too_many) = (
                    later(now, asked.failures.backoff()),
                    asked.failures.are_too_many(),
                );
                self.collect_again_at(unit, &location, next);
                if too_many {
                    return Err(self.no_credentials(error));
                }
            }
            Answer::Collected(unit, location, basis, collected, found) => {
                facts.extend(self.learn_collected(unit, location, basis, collected, found.as_ref(), now));
            }
        }
        Ok(())
    }

    /// What became of a stop.
    fn learn_stopped(
        &mut self,
        unit: UnitId,
        stop: StopType,
        stopped: PortResult<()>,
        now: Timestamp,
    ) -> Result<Option<Fact>, DriveError> {
        self.memory.unit_tasks.end(&UnitTask::Stop(unit));
        // What becomes of the execution is seen at once.
        self.memory.unit_tasks.set(&UnitTask::Observe(unit), now);
        let asked = self.memory.unit(unit);
        let error = match stopped {
            Ok(()) => {
                asked.stop_taken = Some((now, 0));
                asked.stop_failures = Failures::default();
                asked.stop_at = None;
                return Ok(Some(Fact::StopTaken(unit, stop)));
            }
            Err(error) => error,
        };
        // It was started, so it is there: AWS is eventually consistent.
        let kind = match error.kind() {
            PortErrorKind::NotFound => PortErrorKind::Unavailable,
            kind => kind,
        };
        asked.stop_failures.add(kind);
        asked.stop_at = Some(later(now, asked.stop_failures.backoff()));
        self.memory.stop_all_below(&self.state, unit, now);
        let asked = self.memory.unit(unit);
        if kind == PortErrorKind::NotRunning {
            // It is over, most often. It may have been stopped by a stop whose answer was lost, or by that of another
            // driver, who says so only when AWS has answered.
            let first = asked.stop_sent.is_none() && error.sent() == Sent::No && !self.has_company;
            asked.stop_sent = Some(stop);
            return Ok(first.then_some(Fact::StopNotNeeded(unit, stop)));
        }
        asked.stop_sent = Some(stop);
        if !asked.stop_failures.are_too_many() {
            return Ok(None);
        }
        if kind == PortErrorKind::Credentials {
            // Says nothing about the stop: whoever has new credentials may send it.
            return Err(self.no_credentials(error));
        }
        asked.stop_failures = Failures::default();
        Ok(Some(Fact::NotStopped(unit, stop, kind, error.reason())))
    }

    fn learn_sent(
        &mut self,
        unit: UnitId,
        attempt: u32,
        sent: PortResult<ExecutionId>,
        facts: &mut Vec<Fact>,
    ) -> Result<(), DriveError> {
        let now = self.now();
        self.memory.unit_tasks.end(&UnitTask::Start(unit));
        self.memory.unit(unit).compared_at = None;
        match sent {
            Ok(execution) => facts.push(Fact::Started(unit, attempt, execution)),
            // What is remembered is of another attempt.
            Err(_) if !self.is_intended(unit, attempt) => {}
            Err(error) => {
                let asked = self.memory.unit(unit);
                asked.start_failures.add(error.kind());
                asked.start_at = Some(later(now, asked.start_failures.backoff()));
                let failure = match Failure::of(&error) {
                    Failure::Refused(kind) if self.looks_once_more(unit, now) => Failure::NotNow(kind),
                    failure => failure,
                };
                let asked = self.memory.unit(unit);
                let not_taken = |kind, for_good| Fact::NotTaken {
                    unit,
                    attempt,
                    kind,
                    detail: error.reason(),
                    for_good,
                };
                match failure {
                    Failure::InDoubt => {}
                    Failure::Mismatch => asked.mismatch = Some(error.reason()),
                    Failure::NotNow(kind) => facts.push(not_taken(kind, false)),
                    Failure::Refused(kind) => facts.push(not_taken(kind, true)),
                }
                if error.kind() == PortErrorKind::Credentials && asked.start_failures.are_too_many() {
                    return Err(self.no_credentials(error));
                }
            }
        }
        Ok(())
    }

    /// Whether this attempt of the unit waits for the answer to its start, or to be found.
    pub(super) fn is_intended(&self, unit: UnitId, attempt: u32) -> bool {
        let intent = self.state.units().get(&unit).and_then(UnitState::intent);
        intent.is_some_and(|intent| intent.attempt == attempt)
    }

    fn learn_observed(
        &mut self,
        unit: UnitId,
        observed: PortResult<observe::Observed>,
        now: Timestamp,
    ) -> Result<Vec<Fact>, DriveError> {
        let task = UnitTask::Observe(unit);
        self.memory.unit_tasks.end(&task);
        match observed {
            Ok(observed) => {
                let is_current = self.state.units().get(&unit).and_then(observe::execution_of)
                    == Some(&observed.execution);
                if !is_current {
                    // Of an earlier attempt: the one that runs is looked at now.
                    self.memory.unit_tasks.set(&task, now);
                    return Ok(vec![]);
                }
                let in_vain = self.stop_in_vain(unit, &observed, now);
                let is_ending = self.has_ended_everywhere(unit, &observed);
                let asked = self.memory.unit(unit);
                asked.observe_failures = Failures::default();
                asked.parent = Some(observed.parent.clone());
                if observed.parent.status.is_terminal() {
                    self.memory.collect_all(&self.state, unit, now);
                    self.memory.stop_all_below(&self.state, unit, now);
                } else {
                    asked.at_work_at = Some(now);
                    let next = later(now, self.until_next_look(unit, is_ending, now));
                    self.memory.unit_tasks.set(&task, next);
                }
                Ok(in_vain
                    .into_iter()
                    .chain([Fact::Observed(unit, observed)])
                    .collect())
            }
            Err(source) => self.learn_unobserved(unit, source, now),
        }
    }

    /// That an execution has begun something long after AWS took its stop. The first whole look after that may show
    /// what was begun before.
    fn stop_in_vain(&mut self, id: UnitId, observed: &observe::Observed, now: Timestamp) -> Option<Fact> {
        let unit = self.state.units().get(&id)?;
        let stop = unit
            .stop
            .as_ref()
            .filter(|stop| stop.standing == StopStanding::Taken)?;
        let (taken, looks) = self.memory.unit(id).stop_taken.get_or_insert((now, 0));
        *looks = looks.saturating_add(1);
        let is_late = *looks > LOOKS_AFTER_STOP && now >= later(*taken, STOPS_WITHIN);
        (is_late && observed.has_begun_more(unit)).then_some(Fact::StopInVain(id, stop.kind))
    }

    /// Whether nothing is left of a unit but the end of its own execution, as a look saw it.
    fn has_ended_everywhere(&self, unit: UnitId, observed: &observe::Observed) -> bool {
        let unit = self.state.units().get(&unit);
        unit.is_some_and(|unit| {
            unit.locations.iter().all(|(location, at)| {
                let step = observed.steps.get(location);
                at.settled.is_some() || step.is_some_and(|step| step.status.is_terminal())
            })
        })
    }

    /// How long to wait until a unit is looked at again: by its age, by what may hang on what is seen, and for as
    /// long as it takes to look at every open unit at the rate that AWS allows.
    fn until_next_look(&self, id: UnitId, is_ending: bool, now: Timestamp) -> SignedDuration {
        let unit = self.state.units().get(&id);
        let age = match unit.map(|unit| &unit.start) {
            Some(StartState::Started { at, .. }) => now.duration_since(*at),
            _ => SignedDuration::ZERO,
        };
        let is_stopped = unit.is_some_and(|unit| unit.stop.is_some()) || self.state.stop_mode().is_some();
        let interval = if is_ending || is_stopped || self.state.hangs_on_looks() {
            poll_interval(age)
        } else {
            poll_at_leisure(age)
        };
        interval.max(self.paced())
    }

    /// How long it takes to look at every open unit at the rate that AWS allows.
    fn paced(&self) -> SignedDuration {
        let (units, locations) = self.state.open_counts();
        let units = u64::try_from(units).unwrap_or(u64::MAX);
        let calls = units.saturating_mul(2).saturating_add(locations / STEPS_A_PAGE);
        SignedDuration::from_secs(i64::try_from(calls / READS_A_SECOND).unwrap_or(i64::MAX))
    }

    /// Looks at the open units sooner than planned, once something hangs on it.
    pub(super) fn hasten_looks(&mut self) {
        let matter = self.state.hangs_on_looks();
        if matter && !self.memory.looks_matter {
            let at = later(self.now(), POLL_LONGEST.max(self.paced()));
            for unit in self.state.open() {
                self.memory.unit_tasks.hasten(&UnitTask::Observe(unit), at);
            }
        }
        self.memory.looks_matter = matter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::tests::late_answers::{is_begun_again, world};
    use crate::campaign::tests::world::finish;
    use crate::campaign::{Event, Turn};
    use crate::outcome::FinishedOutcome;
    use crate::port::{Clock as _, ExecutionStatus};

    #[test]
    fn a_look_at_an_earlier_attempt_says_nothing_of_the_one_that_runs() {
        let (world, unit) = (world(), UnitId::from_index(0));
        finish(async {
            let driver = world.driver(1);
            driver.begin(world.campaign(), &world.plan).await.unwrap();
            let mut drive = driver.open(world.campaign()).await.unwrap();
            while !is_begun_again(&world) {
                if let Turn::Wait(at) = drive.step().await.unwrap() {
                    world.clock.sleep_until(at).await;
                }
            }
            let first = world.executions()[0].id.clone();
            let late = observe::observe(&*world.aws, &first).await;
            assert_eq!(late.as_ref().unwrap().parent.status, ExecutionStatus::Failed);
            let mut facts = vec![];
            drive.learn(Answer::Observed(unit, late), &mut facts).unwrap();
            assert!(facts.is_empty(), "{facts:?}");
            assert!(!drive.memory.is_parent_over(unit));
            let state = driver.run(world.campaign()).await.unwrap();
            assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
            let ended = ExecutionStatus::Success;
            assert!(world.events().contains(&Event::UnitEnded { unit, status: ended }));
        });
    }
}
