//! The world: one deterministic model of an AWS organization on a virtual clock.
//!
//! Nothing ticks. What will happen stands in a queue, ordered by time, then by what it is, and then by
//! when it was put there; [`World::advance_to`] lets everything happen that is due. An idle virtual hour costs
//! nothing.

mod automation;
mod build;
mod calls;
mod change;
mod commands;
mod documents;
mod looks;
mod nodes;
mod org;
mod pace;
mod patching;
mod snapshot;
mod status;
mod tag;
#[cfg(test)]
mod tests;
mod time;

pub use automation::{
    Execution, LocationTargets, RateControl, Selection, Shape, Signal, SignalRefusal, StartOrder,
    StartRefusal, Step,
};
pub(crate) use automation::{
    Failure, FailureKind, FailureStage, RateInput, TargetLocation, TargetUnit, Token,
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
    spec::{AutomationSpec, ConsistencySpec, QuotasSpec, RateSpec, RunCommandSpec, WorldError, WorldSpec},
};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::id::{Location, NodeId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use time::{Event, Turn};

/// The state of everything, and what is going to happen to it.
#[derive(Debug)]
pub struct World {
    pub(crate) seed: Seed,
    pub(crate) now: Timestamp,
    pub(crate) start: Timestamp,
    pub(crate) latency: SignedDuration,
    /// Whether listings give short and empty pages.
    pub(crate) short_pages: bool,
    /// How long a document takes to become Active.
    pub(crate) document_settle: SignedDuration,
    /// The documents that Amazon owns, by name.
    pub(crate) amazon: BTreeMap<String, Document>,
    pub(crate) org: Organization,
    pub(crate) places: BTreeMap<Location, Place>,
    /// Where each node is.
    pub(crate) node_index: BTreeMap<NodeId, Arc<Location>>,
    pub(crate) executions: automation::Executions,
    pub(crate) commands: commands::Commands,
    pub(crate) sessions: BTreeMap<String, Session>,
    /// What each client token was used for.
    pub(crate) tokens: BTreeMap<(Location, String), Token>,
    /// Who runs and who waits, by location; those of rate control apart.
    lines: BTreeMap<(Location, bool), automation::Line>,
    pub(crate) automation: AutomationSpec,
    pub(crate) quotas: QuotasSpec,
    pub(crate) consistency: ConsistencySpec,
    pub(crate) requests: calls::Requests,
    pub(crate) faults: Vec<Fault>,
    pub(crate) changes: Vec<Changed>,
    /// What a fault makes partial the listing with, of the call that is being answered.
    pub(crate) query_errors: Vec<String>,
    /// Calls a second, by action.
    pub(crate) rates: BTreeMap<String, RateSpec>,
    /// When each bucket of calls is full again.
    pub(crate) calls_full_at: BTreeMap<String, Timestamp>,
    /// The S3 buckets that there are; `None`: every name is one.
    pub(crate) buckets: Option<BTreeSet<String>>,
    pub(crate) run_command: RunCommandSpec,
    counters: BTreeMap<String, u64>,
    queue: BTreeMap<(Timestamp, Turn, u64), Event>,
    queued: u64,
}

/// An event in the queue, for whoever may take it back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scheduled {
    at: Timestamp,
    nth: u64,
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
        self.now
    }

    /// The virtual time at which the world began.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The organization: accounts, units, roles, Regions.
    #[must_use]
    pub fn organization(&self) -> &Organization {
        &self.org
    }

    /// How long every call takes, in virtual time.
    #[must_use]
    pub fn latency(&self) -> SignedDuration {
        self.latency
    }

    /// The latest calls, in the order in which they came: 100,000 of them, unless
    /// [`World::keep_requests`] says otherwise.
    #[must_use]
    pub fn requests(&self) -> &[RequestRecord] {
        self.requests.latest()
    }

    /// How many calls came before those of [`World::requests`].
    #[must_use]
    pub fn dropped_requests(&self) -> u64 {
        self.requests.dropped()
    }

    /// How often each operation was called so far, as IAM names it (`ssm:SendCommand`). Calls that are no longer
    /// kept count as well.
    #[must_use]
    pub fn calls(&self) -> &BTreeMap<String, u64> {
        self.requests.by_operation()
    }

    /// Keeps the latest `most` calls from now on, and drops the others. A call takes about a
    /// kilobyte.
    pub fn keep_requests(&mut self, most: usize) {
        self.requests.keep(most);
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

    /// Every command, by id.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.commands.values()
    }

    /// A node by its id, wherever it is.
    #[must_use]
    pub fn node(&self, id: &NodeId) -> Option<&Node> {
        self.places.get(self.node_index.get(id)?)?.nodes.get(id)
    }

    /// Every node, by location and id.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.places.values().flat_map(|place| place.nodes.values())
    }

    /// The nodes in a location that have these ids, or all of them; by id, each once.
    pub(crate) fn nodes_at(&self, at: &Location, ids: Option<&[String]>) -> Vec<&Node> {
        let Some(place) = self.places.get(at) else {
            return vec![];
        };
        let Some(ids) = ids else {
            return place.nodes.values().collect();
        };
        let ids: BTreeSet<NodeId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        ids.iter().filter_map(|id| place.nodes.get(id)).collect()
    }

    /// Takes a node out of a resource group, as somebody does who changes its tags. Gives false if
    /// it was not in there.
    pub fn leave_group(&mut self, node: &NodeId, group: &str) -> bool {
        let place = self.node_index.get(node).and_then(|at| self.places.get_mut(at));
        place
            .and_then(|place| place.nodes.get_mut(node))
            .is_some_and(|node| node.leave(group))
    }

    /// Makes the answers of a resource group partial, with these error codes of Resource Groups, or
    /// whole again, with none. Gives false if there is no such group.
    pub fn set_query_errors(&mut self, at: &Location, group: &str, codes: &[&str]) -> bool {
        let place = self.places.get_mut(at);
        let Some(group) = place.and_then(|place| place.groups.get_mut(group)) else {
            return false;
        };
        Arc::make_mut(group).query_errors = codes.iter().map(|&code| code.to_owned()).collect();
        true
    }

    /// Lets everything happen that is due until `to`, and makes it the time. A time that is past
    /// changes nothing.
    pub fn advance_to(&mut self, to: Timestamp) {
        while let Some(first) = self.queue.first_entry() {
            if first.key().0 > to {
                break;
            }
            let ((at, ..), event) = first.remove_entry();
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = self.now.max(to);
    }

    /// Moves on by `span`.
    pub fn advance_by(&mut self, span: SignedDuration) {
        self.advance_to(after(self.now, span));
    }

    /// When the next thing happens; `None` if nothing ever will unless somebody calls. A timeout
    /// of something that has ended meanwhile is nothing.
    #[must_use]
    pub fn next_event_at(&self) -> Option<Timestamp> {
        let mut events = self.queue.iter();
        events
            .find(|(_, event)| self.is_live(event))
            .map(|((at, ..), _)| *at)
    }

    /// Moves on until nothing is left to happen.
    pub fn run_until_idle(&mut self) {
        while let Some(at) = self.next_event_at() {
            self.advance_to(at);
        }
    }

    /// Puts `event` into the queue, `seconds` from now.
    pub(crate) fn after_seconds(&mut self, seconds: i64, event: Event) {
        self.at(after(self.now, SignedDuration::from_secs(seconds)), event);
    }

    /// Puts `event` into the queue.
    pub(crate) fn at(&mut self, at: Timestamp, event: Event) {
        self.schedule(at, event);
    }

    /// Puts `event` into the queue, from which it may be taken back.
    fn schedule(&mut self, at: Timestamp, event: Event) -> Scheduled {
        self.queued = self.queued.saturating_add(1);
        self.queue.insert((at, self.turn(&event), self.queued), event);
        Scheduled { at, nth: self.queued }
    }

    /// Takes an event out of the queue that has no meaning any more. It would change nothing when its
    /// time comes, and until then it would take room.
    fn call_off(&mut self, scheduled: Option<Scheduled>, turn: Turn) {
        if let Some(Scheduled { at, nth }) = scheduled {
            self.queue.remove(&(at, turn, nth));
        }
    }

    /// The next number of a series. Series are per location or finer, so that what happens in one
    /// account numbers nothing in another.
    pub(crate) fn count(&mut self, series: &str) -> u64 {
        let counter = self.counters.entry(series.to_owned()).or_default();
        *counter = counter.saturating_add(1);
        *counter
    }
}

/// `span` later than `at`.
pub(crate) fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}
