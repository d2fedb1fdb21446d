//! The world: one deterministic model of an AWS organization on a virtual clock.
//!
//! Nothing ticks. A queue holds what will happen, ordered by time, then by kind, then by when it was
//! queued. [`World::advance_to`] lets everything happen that is due. An idle virtual hour costs
//! nothing.

mod alarms;
mod automation;
mod build;
mod calls;
mod change;
mod commands;
mod documents;
mod looks;
mod lookup;
mod nodes;
mod objects;
mod org;
mod pace;
mod patching;
mod rules;
mod runs;
mod series;
mod snapshot;
mod status;
mod tag;
#[cfg(test)]
mod tests;
mod time;

pub(crate) use automation::{
    AlarmConfiguration, Failure, FailureKind, FailureStage, RateInput, TargetLocation, TargetUnit, Token,
    TriggeredAlarm,
};
pub use automation::{
    Execution, LocationTargets, RateControl, Selection, Shape, Signal, SignalRefusal, StartOrder,
    StartRefusal, Step,
};
pub(crate) use calls::Struck;
pub use calls::{Fault, RequestRecord};
pub use change::Changed;
pub use commands::{
    Command, CommandOptions, CommandOrder, CommandRefusal, Invocation, InvocationState, Target,
};
pub(crate) use commands::{Plugin, is_error};
pub(crate) use documents::{
    Calendar, DocumentFormat, DocumentOwner, DocumentRefusal, EVERYBODY, FoundDocument, ParameterAbout,
    SharedVersion, StepRule, calendar_state, convert,
};
pub use documents::{Document, DocumentVersion};
pub(crate) use nodes::{ALL_TYPES, GroupDetails, Members, TagQuery};
pub use nodes::{Group, Node, PatchReport, Patches, Place};
pub use org::{Account, AssumeRefusal, Organization, RegionKind, Session, Unit};
pub use pace::{Pacer, allowed_errors, concurrency, is_concurrency, is_errors};
pub(crate) use patching::ListedPatch;
pub use status::Status;
pub(crate) use tag::Tag;

use crate::{
    seed::Seed,
    spec::{WorldError, WorldSpec},
};
pub(crate) use alarms::Alarm;
use alarms::{Alarms, InState};
use automation::{Executions, Lines, Tokens};
use calls::Calls;
use commands::Commands;
use documents::Documents;
use jiff::{SignedDuration, Timestamp};
use nodes::Nodes;
use objects::Objects;
pub(crate) use objects::sum_of;
use org::Sessions;
use rules::Rules;
use series::Series;
use time::{Event, Scheduled, Time, Turn};

/// The state of everything, and what is going to happen to it. Each part owns its fields.
///
/// A clone shares nothing with the world it was made from: take one to run on from the same moment again.
#[derive(Debug, Clone)]
pub struct World {
    seed: Seed,
    rules: Rules,
    time: Time,
    org: Organization,
    sessions: Sessions,
    documents: Documents,
    alarms: Alarms,
    executions: Executions,
    tokens: Tokens,
    lines: Lines,
    commands: Commands,
    nodes: Nodes,
    objects: Objects,
    calls: Calls,
    changes: Vec<Changed>,
    series: Series,
}

impl World {
    /// Makes the world that `spec` describes.
    ///
    /// # Errors
    ///
    /// [`WorldError::Inconsistent`] with everything that does not hold together.
    pub fn new(spec: &WorldSpec) -> Result<Self, WorldError> {
        build::build(spec)
    }

    /// Reads a world file's text and makes the world of it.
    ///
    /// # Errors
    ///
    /// Whatever [`WorldSpec::parse`] or [`World::new`] finds wrong with it.
    pub fn parse(text: &str) -> Result<Self, WorldError> {
        Self::new(&WorldSpec::parse(text)?)
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// The virtual time at which the world began.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.time.start()
    }

    /// The organization: accounts, units, roles, Regions.
    #[must_use]
    pub fn organization(&self) -> &Organization {
        &self.org
    }

    /// How long every call takes, in virtual time.
    #[must_use]
    pub fn latency(&self) -> SignedDuration {
        self.rules.latency
    }

    /// The CloudWatch alarms.
    pub(crate) fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    /// An execution by its id, wherever it is.
    #[must_use]
    pub fn execution(&self, id: &str) -> Option<&Execution> {
        self.executions.get(id)
    }

    /// Every execution, by id.
    pub fn executions(&self) -> impl Iterator<Item = &Execution> {
        self.executions.values()
    }

    /// The store of executions, with its indexes.
    pub(crate) fn execution_index(&self) -> &Executions {
        &self.executions
    }

    /// The store of commands, with its indexes.
    pub(crate) fn command_index(&self) -> &Commands {
        &self.commands
    }

    /// What the world file says of AWS itself.
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What everything random follows from.
    pub(crate) fn seed(&self) -> Seed {
        self.seed
    }

    /// Every command, by id.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.commands.values()
    }

    /// Lets everything happen that is due until `to`, and makes it the time. A time that is past
    /// changes nothing.
    pub fn advance_to(&mut self, to: Timestamp) {
        while let Some(event) = self.time.next_until(to) {
            self.happen(event);
        }
        self.time.reach(to);
    }

    /// Moves on by `span`.
    pub fn advance_by(&mut self, span: SignedDuration) {
        self.advance_to(after(self.now(), span));
    }

    /// When the next thing happens; `None` if nothing ever will unless somebody calls. A timeout
    /// of something that has ended meanwhile is nothing.
    #[must_use]
    pub fn next_event_at(&self) -> Option<Timestamp> {
        let mut events = self.time.events();
        events.find(|(_, event)| self.is_live(event)).map(|(at, _)| at)
    }

    /// When something last happened that no call brought about; the world's start if nothing has.
    #[must_use]
    pub fn last_event_at(&self) -> Timestamp {
        self.time.last_event()
    }

    /// Whether an execution or a command is not over.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        let mut executions = self.executions.values();
        let mut commands = self.commands.values();
        executions.any(|one| !one.status().is_terminal()) || commands.any(|one| !one.status().0.is_terminal())
    }

    /// Moves on until nothing is left to happen.
    pub fn run_until_idle(&mut self) {
        while let Some(at) = self.next_event_at() {
            self.advance_to(at);
        }
    }

    /// Puts `event` into the queue, `seconds` from now.
    pub(crate) fn after_seconds(&mut self, seconds: i64, event: Event) {
        self.at(after(self.now(), SignedDuration::from_secs(seconds)), event);
    }

    /// Puts `event` into the queue.
    pub(crate) fn at(&mut self, at: Timestamp, event: Event) {
        self.schedule(at, event);
    }

    /// Puts `event` into the queue, from which it may be taken back.
    fn schedule(&mut self, at: Timestamp, event: Event) -> Scheduled {
        let turn = self.turn(&event);
        self.time.put(at, turn, event)
    }

    /// Takes an event out of the queue that has no meaning any more.
    fn call_off(&mut self, scheduled: Option<Scheduled>, turn: Turn) {
        self.time.call_off(scheduled, turn);
    }

    /// The next number of a series. Series are per location or finer, so that what happens in one
    /// account numbers nothing in another.
    pub(crate) fn count(&mut self, series: &str) -> u64 {
        self.series.next(series)
    }
}

/// `span` later than `at`.
pub(crate) fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}
