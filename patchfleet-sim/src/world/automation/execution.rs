//! Automation executions: what is ordered, and what is known of them.

use crate::world::{
    AlarmConfiguration, Pacer, RateControl, RateInput, Status, TriggeredAlarm,
    documents::parameters::WireParameters, documents::runbook::Runbook, time::Scheduled,
};
use jiff::Timestamp;
use patchfleet_core::id::Location;
use serde_json::Value;
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// What StartAutomationExecution is asked for, once its target locations have been expanded.
#[derive(Debug, Clone)]
pub struct StartOrder {
    /// Where it is started.
    pub location: Location,
    /// The ARN of who starts it.
    pub executed_by: String,
    /// The role whose permissions it has there. `None` if it has those of an administrator.
    pub role: Option<String>,
    /// The document's name, or its ARN.
    pub document: String,
    /// Its version: `$DEFAULT`, `$LATEST` or a number.
    pub version: Option<String>,
    /// Its parameters.
    pub parameters: Arc<BTreeMap<String, Vec<String>>>,
    /// Its target locations, entry by entry. Without any it runs where it is started.
    pub targets: Arc<[LocationTargets]>,
    /// Its targets: it starts one child for each. With target locations these are the children's.
    pub rate: Option<RateControl>,
    /// What was said about targets, to be shown.
    pub(crate) said: RateInput,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// The alarm that stops it.
    pub(crate) alarm: Option<AlarmConfiguration>,
    /// Its client token, in lower case.
    pub token: Option<String>,
    /// `Auto` or `Interactive`.
    pub mode: String,
}

/// One entry of `TargetLocations`.
#[derive(Debug, Clone)]
pub struct LocationTargets {
    /// Every location it means.
    pub locations: Vec<Location>,
    /// The role to assume there.
    pub role: String,
    /// How many at once.
    pub max_concurrency: String,
    /// How many may fail.
    pub max_errors: String,
    /// The targets in each location: its child starts one child for each.
    pub rate: Option<RateControl>,
    /// What was said about them.
    pub(crate) said: RateInput,
    /// The entry as it was given.
    pub given: Value,
}

/// Why an execution was not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartRefusal {
    /// There is no such document.
    NoDocument,
    /// The document has no such version.
    NoVersion,
    /// The parameters, or the role to assume, are not right.
    Parameters(String),
    /// The targets are not right, or not there.
    Target(String),
    /// Too many executions run and wait already.
    Limit,
}

/// How an execution does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// By the steps of its document.
    Document,
    /// By a child for each of its targets.
    RateControl,
    /// By a child in each of its target locations.
    CrossAccount,
}

/// An execution.
#[derive(Debug, Clone)]
pub struct Execution {
    pub(crate) id: String,
    /// Its place among those that calls started in its location, from 1; 0 if a parent did.
    pub(crate) number: u64,
    pub(crate) order: StartOrder,
    pub(crate) version: String,
    pub(crate) runbook: Arc<Runbook>,
    /// Where its runbook was found.
    pub(crate) home: Location,
    pub(crate) arguments: Arc<BTreeMap<String, Value>>,
    pub(crate) status: Status,
    pub(crate) failure: Option<String>,
    pub(crate) started: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) steps: Vec<Step>,
    /// One for each entry of its target locations, or one for its targets.
    pub(crate) pacers: Vec<Pacer>,
    /// The steps that each pacer has not begun. The steps of a pacer stand side by side.
    pub(crate) unbegun: Vec<Range<usize>>,
    /// The parent and its step.
    pub(crate) parent: Option<(String, usize)>,
    /// The target of its parent that it is for.
    pub(crate) target: Option<String>,
    /// How deep it is nested in steps of `aws:executeAutomation`.
    pub(crate) level: u32,
    pub(crate) outputs: BTreeMap<String, Vec<String>>,
    /// Whether it was told to end after the steps that run.
    pub(crate) completing: bool,
    /// Whether it has been cancelled and now runs the steps that `onCancel` leads to.
    pub(crate) cleaning: bool,
    /// The alarm that it was stopped for, if it was.
    pub(crate) triggered: Option<TriggeredAlarm>,
    /// Whether it counts among those that run.
    pub(crate) has_slot: bool,
    /// The step that comes next, while it waits to be told to go on; `None` at the document's end.
    pub(crate) next: Option<usize>,
}

/// At which stage of a step something failed, as `FailureDetails` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureStage {
    InputValidation,
    Invocation,
    PostVerification,
}

/// What kind of failure it was, as `FailureDetails` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    Action,
    Permission,
    Throttling,
    Verification,
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) stage: FailureStage,
    pub(crate) kind: FailureKind,
    pub(crate) text: String,
}

impl Failure {
    /// Its inputs were not right.
    pub(in crate::world) fn input(text: impl Into<String>) -> Self {
        Self::of(FailureStage::InputValidation, FailureKind::Verification, text)
    }

    /// What it set out to do failed.
    pub(in crate::world) fn action(text: impl Into<String>) -> Self {
        Self::of(FailureStage::Invocation, FailureKind::Action, text)
    }

    /// It was not allowed to.
    pub(in crate::world) fn denied(text: impl Into<String>) -> Self {
        Self::of(FailureStage::Invocation, FailureKind::Permission, text)
    }

    /// A quota was reached.
    pub(in crate::world) fn throttled(text: impl Into<String>) -> Self {
        Self::of(FailureStage::Invocation, FailureKind::Throttling, text)
    }

    /// What it had set off did not end well.
    pub(in crate::world) fn verification(text: impl Into<String>) -> Self {
        Self::of(FailureStage::PostVerification, FailureKind::Verification, text)
    }

    fn of(stage: FailureStage, kind: FailureKind, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { stage, kind, text }
    }
}

/// A target of a rate-control execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetUnit {
    /// What it is called.
    pub(crate) name: String,
    /// The parameters that it gives its child.
    pub(crate) parameters: WireParameters,
}

/// A step of an execution.
#[derive(Debug, Clone)]
pub struct Step {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) action: String,
    pub(crate) status: Status,
    pub(crate) failure: Option<Failure>,
    pub(crate) started: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    /// Shared with the answers that show the step.
    pub(crate) inputs: Arc<BTreeMap<String, String>>,
    /// Shared as the inputs are.
    pub(crate) outputs: Arc<BTreeMap<String, Vec<String>>>,
    pub(crate) timeout_seconds: Option<i64>,
    /// The event of its timeout, if it has one.
    pub(in crate::world) timeout: Option<Scheduled>,
    /// How often it began, attempts included. An event of an earlier run means nothing.
    pub(crate) runs: u32,
    /// How often it was tried since its turn came.
    pub(crate) attempts: u32,
    /// The location that it is for, and the entry of the target locations that says so.
    pub(crate) location: Option<(Location, usize)>,
    /// The target that it is for.
    pub(crate) target: Option<TargetUnit>,
    pub(crate) child: Option<String>,
    pub(crate) command: Option<String>,
    /// What each approver has said.
    pub(crate) decisions: BTreeMap<String, bool>,
}

impl Step {
    pub(crate) fn new(id: String, name: String, action: &str) -> Self {
        Self {
            id,
            name,
            action: action.to_owned(),
            status: Status::Pending,
            failure: None,
            started: None,
            ended: None,
            inputs: Arc::default(),
            outputs: Arc::default(),
            timeout_seconds: None,
            timeout: None,
            runs: 0,
            attempts: 0,
            location: None,
            target: None,
            child: None,
            command: None,
            decisions: BTreeMap::new(),
        }
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Its outputs, to be changed. Answers that showed them keep what they had.
    pub(in crate::world) fn outputs_mut(&mut self) -> &mut BTreeMap<String, Vec<String>> {
        Arc::make_mut(&mut self.outputs)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The location that it is for.
    #[must_use]
    pub fn location(&self) -> Option<&Location> {
        self.location.as_ref().map(|(location, _)| location)
    }

    /// The execution that it started.
    #[must_use]
    pub fn child(&self) -> Option<&str> {
        self.child.as_deref()
    }

    /// The command that it sent.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }

    /// Why it failed.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_ref().map(|failure| failure.text.as_str())
    }

    /// When it began.
    #[must_use]
    pub fn started(&self) -> Option<Timestamp> {
        self.started
    }

    /// When it ended.
    #[must_use]
    pub fn ended(&self) -> Option<Timestamp> {
        self.ended
    }

    /// Whether it runs, or waits for somebody.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.status, Status::InProgress | Status::Waiting)
    }
}

impl Execution {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it runs.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.order.location
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Its steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Why it failed.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The execution that started it.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.parent.as_ref().map(|(id, _)| id.as_str())
    }

    /// The target of its parent that it is for.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// How it does its work.
    #[must_use]
    pub fn shape(&self) -> Shape {
        if self.is_cross_account() {
            Shape::CrossAccount
        } else if self.order.rate.is_some() {
            Shape::RateControl
        } else {
            Shape::Document
        }
    }

    /// Whether it runs in other locations.
    #[must_use]
    pub fn is_cross_account(&self) -> bool {
        !self.order.targets.is_empty()
    }

    /// The key that sorts older executions first. Executions that parents start at one instant are sorted by their ids,
    /// because which parent comes first depends on the order of calls to different accounts.
    pub(crate) fn age(&self) -> (Timestamp, u64, &str) {
        (self.started, self.number, &self.id)
    }

    /// Whether each step waits to be started.
    pub(crate) fn is_interactive(&self) -> bool {
        self.order.mode == "Interactive"
    }

    /// Whether a step of its document may begin or end.
    pub(in crate::world) fn takes_steps(&self) -> bool {
        match self.status {
            Status::InProgress | Status::Waiting => true,
            Status::Cancelling => self.cleaning,
            _ => false,
        }
    }

    /// The parameters as they are shown: what was given, and the defaults of the rest.
    pub(crate) fn shown_parameters(&self) -> WireParameters {
        let texts = |value: &Value| match value {
            Value::Array(items) => items
                .iter()
                .map(crate::world::documents::parameters::plain)
                .collect(),
            other => vec![crate::world::documents::parameters::plain(other)],
        };
        self.arguments
            .iter()
            .map(|(name, value)| (name.clone(), texts(value)))
            .collect()
    }
}
