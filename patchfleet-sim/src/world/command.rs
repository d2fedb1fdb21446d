//! Run Command: a command goes to its nodes under its rate control and ends when all are through.
//!
//! Where AWS says nothing, the simulator does this. A command that found no node is `Failed`,
//! details `NoInstancesInTag`. With more errors than allowed it is `Failed`, and what was not sent
//! is `Cancelled`, details `Terminated`. Otherwise, with at least one success it is `Success`
//! (details `Incomplete` unless all succeeded), with none and at least one failure `Failed`, and
//! with deliveries that all timed out `TimedOut`, details `DeliveryTimedOut`.

use super::{
    Pacer, Place, Status, Target, World, allowed_errors, concurrency, event::Event,
    parameters::WireParameters,
};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::id::{Location, NodeId};
use std::collections::BTreeMap;

/// The one Command document that the simulator knows.
pub(crate) const BASELINE: &str = "AWS-RunPatchBaseline";

/// What SendCommand is asked for.
#[derive(Debug, Clone)]
pub struct CommandOrder {
    /// Where.
    pub location: Location,
    /// The Command document.
    pub document: String,
    /// Its parameters.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Nodes by id; empty if there are targets.
    pub instance_ids: Vec<String>,
    /// Targets, all of which have to match.
    pub targets: Vec<Target>,
    /// How many nodes at once (AWS's default is 50).
    pub max_concurrency: String,
    /// How many errors are allowed (AWS's default is 0).
    pub max_errors: String,
    /// Seconds until a node that was not reached is given up (AWS's default is 3600).
    pub timeout_seconds: i64,
    /// A comment.
    pub comment: String,
    /// The execution and step that send it.
    pub step: Option<(String, usize)>,
}

impl CommandOrder {
    /// SendCommand's own limits, as its model has them.
    fn check_limits(&self) -> Result<(), String> {
        let invalid = |what: &str| Err(format!("ValidationException: {what}."));
        if !(30..=2_592_000).contains(&self.timeout_seconds) {
            return invalid("TimeoutSeconds is not between 30 and 2592000");
        }
        if self.instance_ids.len() > 50 {
            return invalid("there are more than 50 InstanceIds");
        }
        if self.targets.len() > 5 || self.targets.iter().any(|target| target.values.len() > 50) {
            return invalid("there are more than 5 Targets, or more than 50 values in one");
        }
        if self.comment.chars().count() > 100 {
            return invalid("Comment has more than 100 characters");
        }
        Ok(())
    }
}

/// A command.
#[derive(Debug)]
pub struct Command {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) order: CommandOrder,
    pub(crate) requested: Timestamp,
    pub(crate) status: Status,
    pub(crate) details: &'static str,
    pub(crate) invocations: Vec<Invocation>,
    pub(crate) pacer: Pacer,
    pub(crate) ended: Option<Timestamp>,
}

/// A command on one node.
#[derive(Debug)]
pub struct Invocation {
    pub(crate) node: NodeId,
    pub(crate) requested: Timestamp,
    pub(crate) state: InvocationState,
    pub(crate) started: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) response_code: i32,
}

/// How far a command is on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvocationState {
    /// Not sent: others come first.
    Waiting,
    /// Sent, and not yet taken by the agent.
    Sent,
    /// Running, or rebooting.
    Running,
    /// Asked to stop.
    Cancelling,
    /// Ended, with status and details.
    Ended(Status, &'static str),
}

impl InvocationState {
    /// `Status` and `StatusDetails`.
    #[must_use]
    pub fn status(self) -> (&'static str, &'static str) {
        match self {
            Self::Waiting | Self::Sent => ("Pending", "Pending"),
            Self::Running => ("InProgress", "InProgress"),
            Self::Cancelling => ("Cancelling", "Cancelling"),
            Self::Ended(status, details) => (status.as_str(), details),
        }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Ended(..))
    }
}

impl Invocation {
    /// How far it is.
    #[must_use]
    pub fn state(&self) -> InvocationState {
        self.state
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.node
    }
}

impl Command {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `Status` and `StatusDetails`.
    #[must_use]
    pub fn status(&self) -> (Status, &'static str) {
        (self.status, self.details)
    }

    /// One for each node.
    #[must_use]
    pub fn invocations(&self) -> &[Invocation] {
        &self.invocations
    }

    pub(crate) fn invocation(&self, node: &NodeId) -> Option<&Invocation> {
        self.invocations
            .iter()
            .find(|invocation| invocation.node == *node)
    }

    pub(super) fn invocation_mut(&mut self, node: &NodeId) -> Option<&mut Invocation> {
        self.invocations
            .iter_mut()
            .find(|invocation| invocation.node == *node)
    }

    /// How many invocations ended so that `which` is true of status and details.
    pub(crate) fn count(&self, which: impl Fn(Status, &str) -> bool) -> usize {
        self.invocations
            .iter()
            .filter(
                |one| matches!(one.state, InvocationState::Ended(status, details) if which(status, details)),
            )
            .count()
    }

    /// A parameter's first value, or nothing.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        parameter(&self.order.parameters, name)
    }
}

/// Whether an end counts against MaxErrors: failures and timeouts of the execution do, what was
/// never delivered does not.
pub(crate) fn is_error(status: Status, details: &str) -> bool {
    status == Status::Failed || details == "ExecutionTimedOut"
}

fn parameter<'a>(parameters: &'a WireParameters, name: &str) -> &'a str {
    parameters
        .get(name)
        .and_then(|values| values.first())
        .map_or("", String::as_str)
}

impl World {
    /// Sends a command; gives its id.
    ///
    /// # Errors
    ///
    /// Why there is no command.
    pub(crate) fn send_command(&mut self, order: CommandOrder) -> Result<String, String> {
        let empty = Place::default();
        let place = self.places.get(&order.location).unwrap_or(&empty);
        super::patch::check_baseline(&order.document, &order.parameters)?;
        if order.targets.is_empty() && order.instance_ids.is_empty() {
            return Err("InvalidTarget: neither InstanceIds nor Targets name a node.".to_owned());
        }
        order.check_limits()?;
        if let Some(problem) = order.targets.iter().find_map(|target| target.problem(place)) {
            return Err(problem);
        }
        let unmanaged = |id: &&String| {
            !place
                .nodes
                .values()
                .any(|node| node.id.as_str() == *id && node.is_managed())
        };
        if let Some(id) = order.instance_ids.iter().find(unmanaged) {
            return Err(format!(
                "InvalidInstanceId: Instances [[{id}]] not in a valid state for account {}.",
                order.location.account
            ));
        }
        let series = match &order.step {
            Some((execution, step)) => format!("command/{execution}/{step}"),
            None => format!("command/{}", order.location),
        };
        let nth = self.count(&series).to_string();
        let id = self.seed.uuid(&[&series, &nth]);
        let number = self.count(&format!("commands/{}", order.location));
        let command = Command {
            id: id.clone(),
            number,
            requested: self.now,
            status: Status::Pending,
            details: "Pending",
            invocations: vec![],
            pacer: Pacer::new(1, 0),
            ended: None,
            order,
        };
        self.commands.insert(id.clone(), command);
        self.after_seconds(1, Event::CommandBegins { command: id.clone() });
        Ok(id)
    }

    pub(super) fn begin_command(&mut self, id: &str) {
        let Some(command) = self
            .commands
            .get(id)
            .filter(|command| command.status == Status::Pending)
        else {
            return;
        };
        let nodes = self.resolve(
            &command.order.location,
            &command.order.targets,
            &command.order.instance_ids,
        );
        let (now, found) = (self.now, u32::try_from(nodes.len()).unwrap_or(u32::MAX));
        let Some(command) = self.commands.get_mut(id) else {
            return;
        };
        command.status = Status::InProgress;
        command.details = "InProgress";
        command.pacer = Pacer::new(
            concurrency(&command.order.max_concurrency, found),
            allowed_errors(&command.order.max_errors, found),
        );
        command.invocations = nodes
            .into_iter()
            .map(|node| Invocation {
                node,
                requested: now,
                state: InvocationState::Waiting,
                started: None,
                ended: None,
                response_code: -1,
            })
            .collect();
        self.pump_command(id);
    }

    /// Sends to as many nodes as may be sent to, and ends the command if none is left.
    fn pump_command(&mut self, id: &str) {
        let Some(command) = self.commands.get_mut(id) else {
            return;
        };
        let timeout = command.order.timeout_seconds;
        let mut sent = vec![];
        if command.status == Status::InProgress {
            for invocation in command
                .invocations
                .iter_mut()
                .filter(|one| one.state == InvocationState::Waiting)
            {
                if !command.pacer.take() {
                    break;
                }
                invocation.state = InvocationState::Sent;
                invocation.requested = self.now;
                sent.push(invocation.node.clone());
            }
        }
        for node in sent {
            let command = id.to_owned();
            let online = self.node(&node).is_some_and(super::Node::is_online);
            if online {
                let seconds = self.seed.between(1, 4, &[id, node.as_str(), "delivery"]);
                self.after_seconds(
                    seconds,
                    Event::Delivered {
                        command: command.clone(),
                        node: node.clone(),
                    },
                );
            }
            self.after_seconds(timeout, Event::DeliveryTimesOut { command, node });
        }
        self.settle_command(id);
    }

    /// Ends the command if nothing of it is on its way and nothing more may be sent.
    pub(super) fn settle_command(&mut self, id: &str) {
        let Some(command) = self
            .commands
            .get_mut(id)
            .filter(|command| !command.status.is_terminal())
        else {
            return;
        };
        if command.pacer.in_flight() > 0 {
            return;
        }
        let cancelled = command.status == Status::Cancelling;
        let terminated = command.pacer.is_exhausted();
        let details = if terminated && !cancelled {
            "Terminated"
        } else {
            "Cancelled"
        };
        let waiting = command
            .invocations
            .iter_mut()
            .filter(|one| one.state == InvocationState::Waiting);
        for invocation in waiting {
            invocation.state = InvocationState::Ended(Status::Cancelled, details);
            invocation.ended = Some(self.now);
        }
        (command.status, command.details) = command.verdict(cancelled);
        command.ended = Some(self.now);
        let (status, step) = (command.status, command.order.step.clone());
        if let Some((execution, step)) = step {
            self.command_ended(&execution, step, id, status);
        }
    }

    pub(super) fn delivered(&mut self, id: &str, node: &NodeId) {
        let now = self.now;
        let online = self.node(node).is_some_and(super::Node::is_online);
        let Some(invocation) = self
            .commands
            .get_mut(id)
            .and_then(|command| command.invocation_mut(node))
        else {
            return;
        };
        if invocation.state != InvocationState::Sent || !online {
            return;
        }
        invocation.state = InvocationState::Running;
        invocation.started = Some(now);
        self.begin_work(id, node);
    }

    /// Tries again to deliver what waited for a node that is back.
    pub(super) fn redeliver(&mut self, node: &NodeId) {
        let waiting: Vec<String> = self
            .commands
            .values()
            .filter(|command| {
                command
                    .invocation(node)
                    .is_some_and(|one| one.state == InvocationState::Sent)
            })
            .map(|command| command.id.clone())
            .collect();
        for command in waiting {
            self.after_seconds(
                1,
                Event::Delivered {
                    command,
                    node: node.clone(),
                },
            );
        }
    }

    pub(super) fn delivery_times_out(&mut self, id: &str, node: &NodeId) {
        if self.invocation_state(id, node) == Some(InvocationState::Sent) {
            self.end_invocation(id, node, Status::TimedOut, "DeliveryTimedOut", -1);
        }
    }

    pub(super) fn execution_times_out(&mut self, id: &str, node: &NodeId) {
        if self.invocation_state(id, node) == Some(InvocationState::Running) {
            self.end_invocation(id, node, Status::TimedOut, "ExecutionTimedOut", -1);
        }
    }

    pub(super) fn invocation_state(&self, id: &str, node: &NodeId) -> Option<InvocationState> {
        Some(self.commands.get(id)?.invocation(node)?.state)
    }

    pub(super) fn end_invocation(
        &mut self,
        id: &str,
        node: &NodeId,
        status: Status,
        details: &'static str,
        code: i32,
    ) {
        let now = self.now;
        let Some(command) = self.commands.get_mut(id) else {
            return;
        };
        let Some(invocation) = command.invocation_mut(node) else {
            return;
        };
        invocation.state = InvocationState::Ended(status, details);
        invocation.ended = Some(now);
        invocation.response_code = code;
        command.pacer.done(is_error(status, details));
        self.pump_command(id);
    }

    /// When a command gives up altogether, as `ExpiresAfter` shows it.
    pub(crate) fn expiry(command: &Command) -> Timestamp {
        let seconds = command
            .order
            .timeout_seconds
            .saturating_add(super::patch::EXECUTION_TIMEOUT_SECONDS);
        super::after(command.requested, SignedDuration::from_secs(seconds))
    }
}

impl Command {
    fn verdict(&self, cancelled: bool) -> (Status, &'static str) {
        let successes = self.count(|status, _| status == Status::Success);
        let errors = self.count(is_error);
        let undelivered = self.count(|_, details| details == "DeliveryTimedOut");
        if self.invocations.is_empty() && !cancelled {
            (Status::Failed, "NoInstancesInTag")
        } else if self.pacer.is_exhausted() {
            (Status::Failed, "Failed")
        } else if cancelled {
            (Status::Cancelled, "Cancelled")
        } else if successes == self.invocations.len() {
            (Status::Success, "Success")
        } else if successes > 0 {
            (Status::Success, "Incomplete")
        } else if errors > 0 {
            (Status::Failed, "Failed")
        } else if undelivered > 0 {
            (Status::TimedOut, "DeliveryTimedOut")
        } else {
            (Status::Cancelled, "Cancelled")
        }
    }
}
