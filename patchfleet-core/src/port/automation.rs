//! Starting and stopping automations, and seeing what becomes of them.
//!
//! The walk from an execution to its nodes begins here, with [`execution`](Automation::execution) and
//! [`steps`](Automation::steps) in the central account and Region. [`child`](Automation::child) follows in the location
//! of a step, or [`children`](Automation::children) if the step does not name its child. The walk goes on with
//! [`Commands`](super::Commands) and ends with [`PatchStates`](super::PatchStates).

use super::{BoxFuture, Page, PageToken, PortResult};
use crate::id::{ClientToken, CommandId, DocumentName, ExecutionId, Location};
use crate::presigned;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

mod start;
mod status;

pub use start::{StartRequest, Tag, TargetLocation};
pub use status::ExecutionStatus;

/// Systems Manager Automation.
///
/// Promises: [`start`](Self::start) sends the request as it is given, byte for byte the same for the same input. An
/// error says whether the request may have taken effect. A start that AWS throttles is answered with that at once, and
/// not made again by the port: whoever drives the campaign writes down that it was not taken, and tries again.
///
/// Does not promise: that what was just started can be found or read at once, since AWS is eventually consistent; that
/// a start which is sent again is the same execution after AWS has forgotten the client token.
pub trait Automation: Send + Sync {
    /// Starts an execution in the central account and Region (StartAutomationExecution).
    ///
    /// It is not sent after `not_after`, by the ports' clock: that is asked last, once the call has its turn and its
    /// credentials. It has had no effect then ([`Unavailable`](super::PortErrorKind::Unavailable)). By
    /// [`Timestamp::MAX`] it may be sent at any time.
    fn start(
        &self,
        request: &StartRequest,
        token: ClientToken,
        not_after: Timestamp,
    ) -> BoxFuture<'_, PortResult<ExecutionId>>;

    /// The executions of `document` in the central account and Region that carry a tag with this
    /// key, one page (DescribeAutomationExecutions). Children of executions are left out. AWS keeps
    /// executions for 30 days. The search is not bounded in time, because clocks differ and the key is unique.
    fn find(
        &self,
        document: &DocumentName,
        tag_key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>>;

    /// An execution in the central account and Region (GetAutomationExecution).
    fn execution(&self, id: &ExecutionId) -> BoxFuture<'_, PortResult<ExecutionView>>;

    /// The steps of an execution, one page: for an execution with target locations, one for each
    /// location (DescribeAutomationStepExecutions).
    fn steps(&self, id: &ExecutionId, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<StepView>>>;

    /// The execution that a location's step started there (GetAutomationExecution).
    fn child(&self, location: &Location, id: &ExecutionId) -> BoxFuture<'_, PortResult<ChildView>>;

    /// The executions that `parent` started in a location, one page (DescribeAutomationExecutions there, by
    /// ParentExecutionId). Used where a step does not name its child. AWS does not document that the outputs of a
    /// failed step name it.
    fn children(
        &self,
        location: &Location,
        parent: &ExecutionId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>>;

    /// Stops an execution in the central account and Region (StopAutomationExecution).
    ///
    /// `Ok` means that AWS has taken the request. The execution may run on for a while, and whether what
    /// it began in its locations is stopped as well is not documented. Both are seen by reading them.
    ///
    /// `NotFound` means that AWS knows no such execution, or knows it no more.
    /// [`NotRunning`](super::PortErrorKind::NotRunning) means that the execution is over already, or cannot be stopped
    /// in its present state. AWS answers both with InvalidAutomationStatusUpdateException, documented as "the specified
    /// update status operation isn't valid". Read the execution to know which it is.
    fn stop(&self, id: &ExecutionId, kind: StopType) -> BoxFuture<'_, PortResult<()>>;

    /// Stops an execution in a location (StopAutomationExecution there). Answers mean what they mean for
    /// [`stop`](Self::stop). Only a person's stop of a campaign calls it.
    fn stop_child(
        &self,
        location: &Location,
        id: &ExecutionId,
        kind: StopType,
    ) -> BoxFuture<'_, PortResult<()>>;
}

/// How an execution is stopped (`StopType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum StopType {
    /// At once. What runs is cancelled.
    Cancel,
    /// After the step that runs has come to its end. No other step begins.
    Complete,
}

impl StopType {
    /// AWS's name for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "Cancel",
            Self::Complete => "Complete",
        }
    }
}

/// An execution in the central account and Region.
#[derive(Clone, PartialEq, Eq)]
pub struct ExecutionView {
    /// Its status.
    pub status: ExecutionStatus,
    /// AWS's words on why it failed; empty if it did not.
    pub failure: String,
    /// When AWS started it, by AWS's clock.
    pub started_at: Option<Timestamp>,
    /// The parameters it runs with.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// The name or ARN of its document, if AWS gives it.
    pub document: Option<String>,
    /// The accounts and Regions that it was started for, if AWS gives them and each is one.
    pub locations: Option<BTreeSet<Location>>,
    /// What its CloudWatch alarm has AWS stop it for. `None`: nothing, or it has no alarm.
    pub triggered: Option<TriggeredAlarm>,
    /// When AWS gave this answer, by AWS's clock. `None` if the answer does not say.
    pub answered_at: Option<Timestamp>,
}

/// Shows a presigned URL among the parameters as its digest.
impl fmt::Debug for ExecutionView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            failure,
            started_at,
            parameters,
            document,
            locations,
            triggered,
            answered_at,
        } = self;
        f.debug_struct("ExecutionView")
            .field("status", status)
            .field("failure", &presigned::concealed_within(failure))
            .field("started_at", started_at)
            .field("parameters", &presigned::Parameters(parameters))
            .field("document", document)
            .field("locations", locations)
            .field("triggered", triggered)
            .field("answered_at", answered_at)
            .finish()
    }
}

/// What a CloudWatch alarm has AWS stop an execution for that was started with it (`TriggeredAlarms` of GetAutomationExecution, and
/// there `State`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggeredAlarm {
    /// It is in the state ALARM (`ALARM`).
    Alarm,
    /// AWS could not read its state (`UNKNOWN`).
    Unknown,
}

impl TriggeredAlarm {
    /// What AWS's word for it means. A word that is not known says no more than that there was a reason.
    #[must_use]
    pub fn of(state: &str) -> Self {
        match state {
            "ALARM" => Self::Alarm,
            _ => Self::Unknown,
        }
    }
}

/// A location's step in its parent execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepView {
    /// The location. `None` if the step names none, or several.
    pub location: Option<Location>,
    /// Its status. `Pending` means that AWS has not reached the location, or never will.
    pub status: ExecutionStatus,
    /// The execution that it started in its location.
    pub child: Option<ExecutionId>,
    /// AWS's words on why it failed; empty if it did not.
    pub failure: String,
}

/// The execution in a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildView {
    /// Its status.
    pub status: ExecutionStatus,
    /// The commands that its `aws:runCommand` steps have sent so far, in the order of the steps. A runbook
    /// may send several, and not all of them need to patch.
    pub commands: Vec<SentCommand>,
    /// AWS's words on why it (or its step) failed; empty if it did not.
    pub failure: String,
}

/// A command that a step of the execution in a location sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentCommand {
    /// The command.
    pub id: CommandId,
    /// The name or ARN of its document: the step's input `DocumentName`. AWS gives the inputs of a step that
    /// was begun with every reference resolved (SSM API reference, `StepExecution`). `None`: not said.
    pub document: Option<String>,
}
