//! One campaign being driven: decide, append, call, and take each answer as it comes.

use super::calls::{Answer, Calls};
use super::name_again::NAMED_AGAIN_WITHIN;
use super::trouble::told_of;
use super::{DriveError, Driver, Turn};
use crate::campaign::Event;
use crate::campaign::collect::Job;
use crate::campaign::decide::{Decision, decide};
use crate::campaign::memory::Memory;
use crate::campaign::notice::Tried;
use crate::campaign::polls::{Failures, later};
use crate::campaign::state::State;
use crate::id::{Location, UnitId};
use crate::port::{Automation, PortError, PortErrorKind};
use futures_util::future::{Either, select};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::pin::pin;

/// How often a driver looks into the log for what others have appended while the next wave waits and nothing runs. It
/// costs one read of the log's end, and a person who approves or stops waits no longer than that.
const LOOKS_BETWEEN_WAVES_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// A campaign that is being driven, with what the driver remembers of its own calls.
pub struct Drive<'d> {
    pub(super) driver: &'d Driver,
    pub(super) state: State,
    pub(super) memory: Memory,
    /// Whether others may have appended since the log was last read.
    pub(super) stale: bool,
    /// When the log was last asked for what others have appended: whatever comes was appended since.
    pub(super) read_at: Timestamp,
    /// Whether another driver has written into the log meanwhile.
    pub(super) has_company: bool,
    /// Whether somebody has opened the campaign again that was over, and nobody has looked yet whether it has its
    /// name still.
    pub(super) is_reopened: bool,
    /// When the log was read for the first time.
    pub(super) opened_at: Timestamp,
    /// Since when it is looked for what the log had lost: since then, or since drivers before said that they do. It was
    /// sent before.
    pub(super) looks_since: Timestamp,
    /// What the log may have lost where nobody can look was sent before this: before those looks began, or before drivers wrote down
    /// that they cannot look.
    pub(super) hidden_since: Timestamp,
    /// Why it cannot be seen somewhere whether the log has lost a start, if the log is to say so.
    pub(super) blind: Option<(PortErrorKind, String)>,
    /// Whether the campaign is driven for a short time, by whoever is called again and again.
    pub(super) is_called_again: bool,
    /// For how long nobody may have driven the campaign, if more of it is to be begun.
    pub(super) longest_gap: Option<SignedDuration>,
    /// When the driver stops for now. No answer is waited for beyond it before what was not sent is called off.
    pub(super) stops_at: Option<Timestamp>,
    /// Whether nothing runs, and the next start waits for its time or for a person.
    pub(super) is_between_waves: bool,
    /// When rows could last not be kept.
    pub(super) rows_failed_at: Option<Timestamp>,
    /// The locations whose rows are missing and cannot be read again.
    pub(super) rows_left: BTreeSet<(UnitId, Location)>,
    /// For how much longer the names of patches are asked for in all, where results are read again.
    pub(super) names_left: SignedDuration,
    /// Where this driver kept rows while somebody else wrote into the log: these may lie over the other's.
    pub(super) rows_doubted: BTreeSet<Location>,
    /// The number of the log's next record when the rows were compared with it, or there was no more time for that.
    pub(super) rows_checked_at: Option<u64>,
    /// Whether all that was left to do at first was to say that the campaign is over. `None` before that is known.
    pub(super) began_over: Option<bool>,
    pub(super) calls: Calls<'d>,
    pub(super) tried: TriedByDrive<'d>,
}

/// What a drive tries, and has not seen to work. Once it is driven no more, nothing more is told of it.
pub(super) struct TriedByDrive<'d> {
    driver: &'d Driver,
    pub(super) open: BTreeSet<(Tried, String)>,
}

impl Drop for TriedByDrive<'_> {
    fn drop(&mut self) {
        let now = self.driver.clock.now();
        for (what, subject) in &self.open {
            self.driver.notices.given_up(*what, subject, now);
        }
    }
}

impl<'d> Drive<'d> {
    /// A campaign whose log says this. Nothing is called yet.
    pub(super) fn new(driver: &'d Driver, state: State, was_there_before: bool, read_at: Timestamp) -> Self {
        let now = driver.clock.now();
        let mut memory = Memory::of(&state, now);
        memory.was_there_before = was_there_before;
        let counts_nodes = state
            .plan()
            .fleet
            .is_some_and(|fleet| fleet.nodes_in_a_start().is_some())
            || !state.plan().labels.is_empty();
        // What AWS has no client token for would take effect twice.
        memory.begins_once_looked = was_there_before && (counts_nodes || state.is_sent_once());
        if let Some(since) = state.looks_fail_since(now) {
            memory.looks_failed = Failures::of_every_try_since(since, now);
        }
        let looks_since = state.looks_since(now).map_or(now, |since| since.min(now));
        let hidden_since = state
            .blind_since()
            .map_or(looks_since, |since| since.min(looks_since));
        Self {
            memory,
            driver,
            state,
            stale: false,
            is_reopened: false,
            read_at,
            opened_at: now,
            looks_since,
            hidden_since,
            blind: None,
            is_called_again: false,
            has_company: false,
            longest_gap: None,
            stops_at: None,
            is_between_waves: false,
            rows_failed_at: None,
            rows_left: BTreeSet::new(),
            names_left: NAMED_AGAIN_WITHIN,
            rows_doubted: BTreeSet::new(),
            rows_checked_at: None,
            began_over: None,
            calls: Calls::default(),
            tried: TriedByDrive {
                driver,
                open: BTreeSet::new(),
            },
        }
    }

    /// The state as this driver knows it.
    #[cfg(any(test, feature = "internals"))]
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state, for good. Calls that have no answer yet are given up: whoever drives the campaign on finds out
    /// what became of them.
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

    /// One turn: decides, appends what is about to be sent, makes the calls that are due, and takes the answers
    /// that have come. It waits for an answer only if there is nothing else to do, and for no longer than until
    /// something is due.
    ///
    /// # Errors
    ///
    /// [`DriveError`]: the campaign stays open, and may be driven on later.
    pub async fn step(&mut self) -> Result<Turn, DriveError> {
        if self.stale {
            self.catch_up().await?;
            self.stale = false;
        }
        if self.is_reopened {
            // Another campaign may have had the name in between.
            self.driver
                .claim(self.state.campaign(), &self.state, None)
                .await?;
            self.is_reopened = false;
        }
        if let Some(events) = self.next_of_strays() {
            // On conflict the log may know it by now.
            let _ = self.append(events).await?;
            return Ok(Turn::Acted);
        }
        if self.memory.begins_once_looked && self.memory.unseen(&self.state).is_empty() {
            // From here on this driver knows what is begun: it hears of every start, whoever makes it.
            self.memory.begins_once_looked = false;
        }
        let Decision {
            record,
            calls,
            wake,
            overtake,
            ended,
            needs_person,
            hold,
        } = decide(&self.state, &self.memory, self.now());
        if let Some(outcome) = ended {
            self.mend_doubted_rows().await;
            return Ok(Turn::Done(outcome));
        }
        if needs_person {
            return Err(match self.memory.has_strays(&self.state) {
                true => self.strays(),
                false => self.unresolved(),
            });
        }
        self.tell_waits();
        let is_over = record.iter().any(|event| matches!(event, Event::Finished { .. }));
        self.began_over.get_or_insert(is_over);
        if is_over && self.state.rows_missing().any(|at| !self.rows_left.contains(at)) {
            self.keep_missing_rows().await?;
            return Ok(Turn::Acted); // decide again
        }
        if is_over && self.rows_checked_at != Some(self.state.next_seq()) {
            self.check_rows().await;
            if self.rows_checked_at.is_none() {
                return Ok(Turn::Acted); // decide again
            }
        }
        self.require_planned(&record)?;
        let has_decided = !record.is_empty();
        if has_decided && !self.write_decision(record).await? {
            return Ok(Turn::Acted); // decide again
        }
        let has_called = !calls.is_empty();
        for call in calls {
            self.make(call);
        }
        if has_decided && !has_called {
            return Ok(Turn::Acted); // what was written may call for more at once
        }
        let next = wake.into_iter().chain(overtake).min();
        if self.calls.are_done() {
            self.stale = true;
            let nothing_runs = self.state.open().next().is_none();
            let between = hold.filter(|hold| hold.is_between_waves() || (hold.is_for_lost() && nothing_runs));
            self.is_between_waves = between.is_some();
            if let Some(hold) = between {
                self.driver.notices.between_waves(&hold.reason.to_string());
                self.watch_over(hold.is_unknown()).await?;
            }
            return Ok(next.map_or(Turn::Acted, Turn::Wait));
        }
        if overtake.is_some() || self.stops_at.is_some() {
            self.calls.wait_some_turns().await;
        }
        self.take_answers(next.into_iter().chain(self.stops_at).min())
            .await?;
        Ok(Turn::Acted)
    }

    /// Sleeps until then. Between two waves it wakes sooner, to look into the log: a person may have approved of a wave, or
    /// have the campaign stopped.
    pub(super) async fn sleep_until(&self, at: Timestamp) {
        let at = match self.is_between_waves {
            true => at.min(later(self.now(), LOOKS_BETWEEN_WAVES_EVERY)),
            false => at,
        };
        self.driver.clock.sleep_until(at).await;
    }

    /// When there is something to do next, if nothing is under way.
    pub(super) fn next_at(&self) -> Timestamp {
        let now = self.now();
        let next = decide(&self.state, &self.memory, now);
        let is_due = !next.record.is_empty() || !next.calls.is_empty() || next.ended.is_some();
        let wake = next.wake.into_iter().chain(next.overtake).min();
        wake.filter(|_| !is_due).unwrap_or(now)
    }

    /// Takes the answers to all calls that were made, and makes no more. Each answer is in the log as soon as it has
    /// come: a function may be killed while it waits for the last. A start that has not been sent is called off.
    ///
    /// # Errors
    ///
    /// As of [`step`](Self::step).
    pub(super) async fn finish_calls(&mut self) -> Result<(), DriveError> {
        self.calls.run_out_of_time();
        while !self.calls.are_done() {
            self.take_answers(None).await?;
        }
        Ok(())
    }

    /// Waits for an answer, but no longer than until `wake`, and takes all that have come. They are appended
    /// together.
    async fn take_answers(&mut self, wake: Option<Timestamp>) -> Result<(), DriveError> {
        match wake {
            None => self.calls.wait().await,
            Some(wake) => {
                let asleep = self.driver.clock.sleep_until(wake);
                // First the answer: on a clock that does not wait, sleeping takes no time.
                if let Either::Right(_) = select(pin!(self.calls.wait()), asleep).await {
                    self.stale = true;
                }
            }
        }
        let learned = self.learn_all().await;
        if learned.is_err() {
            // One call that fails takes nothing from what the others see, and what was sent is not left in doubt.
            self.calls.wait_for_all().await;
            let _ = self.learn_all().await;
        }
        learned
    }

    /// Learns from the answers that have come, and appends what they say.
    pub(super) async fn learn_all(&mut self) -> Result<(), DriveError> {
        let answers = self.calls.take();
        let is_refused = |answer: &Answer| self.state.is_sent_once() && answer.is_refused_look();
        let is_answered = answers
            .iter()
            .any(|answer| answer.is_of_aws() || is_refused(answer));
        let (mut facts, mut failed) = (vec![], None);
        for answer in answers {
            let told = told_of(&answer);
            if let Err(error) = self.learn(answer, &mut facts) {
                failed.get_or_insert(error);
            }
            self.tell_answer(told);
        }
        self.write_down(facts).await?;
        self.say_that_it_is_blind().await?;
        if is_answered {
            self.give_sign_of_life().await?;
        }
        failed.map_or(Ok(()), Err)
    }

    /// The time, by the driver's own clock. The records of others are placed on it, so none stands after it.
    pub(super) fn now(&self) -> Timestamp {
        self.driver.clock.now()
    }

    fn unresolved(&self) -> DriveError {
        DriveError::Unresolved {
            campaign: self.state.campaign(),
            holds: self.state.unresolved_holds(self.now()).collect(),
        }
    }

    pub(super) fn no_credentials(&self, source: PortError) -> DriveError {
        let campaign = self.state.campaign();
        DriveError::Credentials { campaign, source }
    }

    /// A look at a location that nothing else goes on beside.
    pub(super) fn job<'a>(
        &'a self,
        automation: &'a dyn Automation,
        unit: UnitId,
        location: &'a Location,
    ) -> Job<'a> {
        Job {
            ports: self.driver.results(automation),
            state: &self.state,
            unit,
            location,
            parent: self.memory.parent(unit),
            now: self.now(),
        }
    }
}
