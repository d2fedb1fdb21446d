//! Whether a unit was begun that the log does not say was begun.
//!
//! The end of a log may be lost: a power cut, a copy put back from yesterday, a hand that cut it. A start that is
//! not in the log any more may have been sent all the same. So whoever opens a campaign that somebody else has
//! written down looks for each start by its tag before it is sent for the first time, and before it is said that it
//! was left out.

use super::call_off::find_in_time;
use super::calls::Answer;
use super::{Drive, DriveError};
use crate::campaign::Event;
use crate::campaign::decide::START_PATIENCE;
use crate::campaign::facts::Fact;
use crate::campaign::memory::UnitTask;
use crate::campaign::notice::Awaited;
use crate::campaign::polls::{Failures, LOOK_UP_AFTER, TAGS_SEEN_WITHIN, UNRESOLVED_EVERY, later};
use crate::campaign::start;
use crate::campaign::state::{StartState, UnitState};
use crate::id::{ClientToken, DocumentName, ExecutionId, UnitId};
use crate::port::{Automation, BoxFuture, PortError, PortErrorKind, PortResult};
use jiff::Timestamp;

impl<'d> Drive<'d> {
    /// Looks for a unit that seems not to have been begun.
    pub(super) fn look_before(&mut self, unit: UnitId) -> Option<BoxFuture<'d, Answer>> {
        let driver = self.driver;
        let of = self.state.units().get(&unit)?;
        let attempt = match &of.start {
            StartState::NotStarted => of.refused_attempts.saturating_add(1),
            StartState::Intended(intent) if intent.in_doubt.is_empty() => intent.attempt,
            _ => return None,
        };
        let token = self.state.client_token(unit, attempt);
        let document = self.state.plan().request.automation.document.clone();
        let asked_at = self.now();
        let automation = driver.dispatcher(&self.state, unit);
        let off = self.calls.may_be_called_off(unit);
        Some(Box::pin(async move {
            let found = find_in_time(driver, &*automation, &document, token, unit, &off).await;
            Answer::Sought(unit, attempt, asked_at, found)
        }))
    }

    /// From when on a look counts that does not find a unit. What the log lost was sent before it was opened by the first
    /// of those who look, and AWS may show it so late.
    pub(super) fn looks_count_from(&self) -> Timestamp {
        later(self.looks_since, TAGS_SEEN_WITHIN)
    }

    /// A look was answered. Since then none has failed.
    fn look_answered(&mut self, unit: UnitId) {
        self.memory.looks_failed = Failures::default();
        self.memory.unit(unit).find_failures = Failures::default();
        self.memory.still_looking = None;
    }

    /// One more look has failed. Gives how many have, also before others.
    fn look_failed(&mut self, unit: UnitId, error: &PortError) -> Failures {
        let before = self.memory.looks_failed;
        self.memory.still_looking = Some(Some((error.kind(), error.reason())));
        let asked = self.memory.unit(unit);
        if asked.find_failures == Failures::default() {
            asked.find_failures = before;
        }
        asked.find_failures.add(error.kind());
        asked.find_failures
    }

    /// Appends what came of the looks, if whoever drives the campaign next has to go on from there. It is said by a
    /// driver that stops for now. On conflict somebody else goes on.
    pub(in crate::campaign) async fn say_that_it_looks(&mut self) -> Result<(), DriveError> {
        let Some(failed) = self.memory.still_looking.take() else {
            return Ok(());
        };
        let is_said = self.state.says_that_it_looks(failed.is_some(), self.now());
        if is_said || !self.memory.looks_for_any(&self.state) {
            return Ok(());
        }
        let (failed, detail) = failed.map_or((None, String::new()), |(kind, words)| (Some(kind), words));
        let said = Event::StillLooking {
            elsewhere: false,
            failed,
            detail,
        };
        let _ = self.append(vec![said]).await?;
        Ok(())
    }

    /// Appends that it cannot be seen somewhere whether the log has lost a start, unless it says so already. On conflict it is said
    /// after the next look.
    pub(super) async fn say_that_it_is_blind(&mut self) -> Result<(), DriveError> {
        let Some((kind, detail)) = self.blind.take().filter(|_| self.state.blind_since().is_none()) else {
            return Ok(());
        };
        let (elsewhere, failed) = (true, Some(kind));
        let said = Event::StillLooking {
            elsewhere,
            failed,
            detail,
        };
        let _ = self.append(vec![said]).await?;
        Ok(())
    }

    /// That the look before a start was answered, which was made at that time, and did not find the unit.
    ///
    /// One that came too early is no reason not to send it where AWS takes a client token, which is known for as long. It is no
    /// answer to whether the unit runs.
    pub(super) fn has_looked(&mut self, unit: UnitId, asked_at: Timestamp) {
        let counts = asked_at >= self.looks_count_from();
        self.look_answered(unit);
        self.memory.unit(unit).looked_before |= counts;
        let until = self.start_is_tried_until(unit);
        if !counts && until.is_some_and(|until| self.now() >= until) {
            // Only a look that counts ends these tries. A driver that soon stops leaves it to the next.
            self.memory.still_looking = Some(None);
        }
    }

    /// Whether a unit of which AWS has just refused the start is looked for once more before that is said of it, as
    /// the look before came too early: a start that the log has lost may have begun it. It is sent once more then.
    pub(super) fn looks_once_more(&mut self, unit: UnitId, now: Timestamp) -> bool {
        let start = self.state.units().get(&unit).map(|unit| &unit.start);
        let was_sent_before = matches!(start, Some(StartState::Intended(intent)) if intent.sent_before);
        if was_sent_before || !self.memory.may_be_begun(&self.state, unit) {
            return false;
        }
        let again = self.looks_count_from();
        let asked = self.memory.unit(unit);
        asked.start_at = asked.start_at.max(Some(again));
        self.memory.still_looking = Some(None);
        self.driver.notices.waits(Awaited::LostEnd, "", again, now);
        true
    }

    /// What came of looking for it, when that was. That it is not there counts only from some time on.
    pub(super) fn learn_sought(
        &mut self,
        unit: UnitId,
        attempt: u32,
        asked_at: Timestamp,
        sought: PortResult<Option<ExecutionId>>,
    ) -> Result<Option<Fact>, DriveError> {
        let now = self.now();
        self.memory.unit_tasks.end(&UnitTask::Start(unit));
        let counts_from = self.looks_count_from();
        let is_intended = self.is_intended(unit, attempt);
        let sent_once = self.state.is_sent_once();
        let error = match sought {
            Ok(found) if is_intended => {
                self.has_looked(unit, asked_at);
                let asked = self.memory.unit(unit);
                asked.seen_at = Some(asked_at);
                asked.start_at = (sent_once && asked_at < counts_from).then_some(counts_from);
                return Ok(found.map(|execution| Fact::Started(unit, attempt, execution)));
            }
            Err(error) if is_intended => return self.not_seen(unit, error).map(|()| None),
            Ok(found) => {
                self.look_answered(unit);
                let asked = self.memory.unit(unit);
                asked.looked_before = found.is_some() || asked_at >= counts_from;
                asked.find_at = (!asked.looked_before).then(|| later(now, LOOK_UP_AFTER).max(counts_from));
                if let Some(again) = asked.find_at {
                    self.memory.still_looking = Some(None);
                    self.driver.notices.waits(Awaited::LostEnd, "", again, now);
                }
                return Ok(found.map(|execution| Fact::BegunBefore(unit, attempt, execution)));
            }
            Err(error) => error,
        };
        let failures = self.look_failed(unit, &error);
        let too_many = failures.are_too_many();
        self.memory.unit(unit).find_at = Some(match too_many {
            true => later(now, UNRESOLVED_EVERY),
            false => later(now, failures.backoff()),
        });
        if too_many && error.kind() == PortErrorKind::Credentials {
            return Err(self.no_credentials(error));
        }
        if !too_many || self.follows_something() {
            return Ok(None);
        }
        Err(DriveError::Unsought {
            campaign: self.state.campaign(),
            unit,
            source: error,
        })
    }

    /// What came of a start that was not sent, as it cannot be seen whether it had been sent before. That is no refusal
    /// of AWS's, however long it lasts, and the unit may run. So the log says only that nothing was sent just now.
    pub(super) fn learn_unseen(
        &mut self,
        unit: UnitId,
        attempt: u32,
        error: PortError,
        facts: &mut Vec<Fact>,
    ) -> Result<(), DriveError> {
        self.memory.unit_tasks.end(&UnitTask::Start(unit));
        facts.push(Fact::NotTaken {
            unit,
            attempt,
            kind: error.kind(),
            detail: error.reason(),
            for_good: false,
        });
        self.not_seen(unit, error)
    }

    /// It cannot be seen whether a start was sent that is not sent before that is seen.
    fn not_seen(&mut self, unit: UnitId, error: PortError) -> Result<(), DriveError> {
        let now = self.now();
        let failures = self.look_failed(unit, &error);
        let too_many = failures.are_too_many();
        let asked = self.memory.unit(unit);
        asked.compared_at = None;
        asked.start_at = Some(later(now, failures.backoff()));
        if too_many && error.kind() == PortErrorKind::Credentials {
            return Err(self.no_credentials(error));
        }
        let is_tried = self.start_is_tried_until(unit).is_some_and(|until| now < until);
        let follows_others = self.state.open().any(|other| {
            let is_unresolved = self
                .state
                .units()
                .get(&other)
                .is_none_or(UnitState::is_unresolved);
            other != unit && !is_unresolved
        });
        if !too_many || is_tried || follows_others {
            return Ok(());
        }
        Err(DriveError::Unsought {
            campaign: self.state.campaign(),
            unit,
            source: error,
        })
    }

    /// Until when a start is tried that is put off, or of which it cannot be seen whether it was sent before.
    pub(super) fn start_is_tried_until(&self, unit: UnitId) -> Option<Timestamp> {
        match &self.state.units().get(&unit)?.start {
            StartState::Intended(intent) => {
                let until = later(intent.since, START_PATIENCE);
                // What a person had sent again has its own rule of the cutoff.
                let sends_until = self.state.sends_until(self.now()).filter(|_| !intent.sent_before);
                Some(sends_until.map_or(until, |begins| until.min(begins)))
            }
            _ => None,
        }
    }

    /// Whether something of the campaign runs or is being sent, so that it is to be followed.
    pub(super) fn follows_something(&self) -> bool {
        let runs = self.state.open().any(|unit| {
            let unit = self.state.units().get(&unit);
            unit.is_some_and(|unit| !unit.is_unresolved())
        });
        runs || self.state.intended().next().is_some()
    }
}

/// The execution that the start with this token began already.
///
/// # Errors
///
/// Whatever keeps it from being seen. The start is not sent then, and may be tried again.
pub(super) async fn find(
    automation: &dyn Automation,
    document: &DocumentName,
    token: ClientToken,
) -> PortResult<Option<ExecutionId>> {
    let found = start::find(automation, document, token).await;
    found.map_err(unseen_for)
}

/// The error of a look that failed. A refusal to look says nothing about the start.
pub(super) fn unseen_for(error: PortError) -> PortError {
    let kind = match error.kind() {
        kind if kind.is_transient() => kind,
        PortErrorKind::Credentials => PortErrorKind::Credentials,
        _ => PortErrorKind::Unavailable,
    };
    PortError::new(kind, unseen(&error.reason())).with_source(error)
}

/// The kind of what kept a look from being answered ([`unseen_for`]), as the port had it.
pub(super) fn unseen_because(error: &PortError) -> PortErrorKind {
    let source = std::error::Error::source(error);
    let said = source.and_then(|source| source.downcast_ref::<PortError>());
    said.map_or(error.kind(), PortError::kind)
}

/// The words for that a look has no answer.
pub(super) fn unseen(why: &str) -> String {
    format!("whether the unit was begun before cannot be seen: {why}")
}
