//! A command on its way: to its nodes under its rate control, and to its end.

use super::{Command, CommandDocument, InvocationState, Invocations, is_error};
use crate::{
    spec::OutcomeSpec,
    world::{Pacer, Status, Struck, Target, World, allowed_errors, concurrency, time::Event},
};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::id::{Location, NodeId};

impl World {
    pub(in crate::world) fn begin_command(&mut self, id: &str) {
        let begun = |command: &Command| command.status != Status::Pending;
        if self.commands.get(id).is_none_or(begun) {
            return;
        }
        if let Some(details) = self.why_it_finds_nobody(id) {
            return self.end_command(id, Status::Failed, details);
        }
        let Some(command) = self.commands.get(id) else {
            return;
        };
        // Those that were named are there already, and some may have been cancelled since.
        let invocations = if command.order.instance_ids.is_empty() {
            let nodes = self.resolve(&command.order.location, &command.order.targets, &[]);
            Some(Invocations::of(nodes))
        } else {
            None
        };
        let Some(command) = self.commands.get_mut(id) else {
            return;
        };
        if let Some(invocations) = invocations {
            command.invocations = invocations;
        }
        let found = u32::try_from(command.invocations().len()).unwrap_or(u32::MAX);
        command.status = Status::InProgress;
        command.details = "InProgress";
        command.pacer = Pacer::new(
            concurrency(&command.order.max_concurrency, found),
            allowed_errors(&command.order.max_errors, found),
        );
        self.pump_command(id);
    }

    /// Why a command does not find out which nodes it is for.
    fn why_it_finds_nobody(&mut self, id: &str) -> Option<&'static str> {
        let order = &self.commands.get(id)?.order;
        let Location { account, region } = order.location.clone();
        let action = "resource-groups:ListGroupResources";
        let denied = |role: &String| self.org.denies(&account, role, action);
        if order.targets.iter().any(Target::is_group) && order.sender.as_ref().is_some_and(denied) {
            return Some("AccessDenied");
        }
        let call = Struck {
            account: &account,
            region: &region,
            action: "ssm:SendCommand",
            subject: "",
        };
        self.strikes_command(call).then_some("RateExceeded")
    }

    /// Sends to as many nodes as may be sent to, and ends the command if none is left.
    fn pump_command(&mut self, id: &str) {
        let Some(command) = self.commands.get_mut(id) else {
            return;
        };
        let mut sent = vec![];
        if command.status == Status::InProgress {
            while let Some(invocation) = command.invocations.next_waiting() {
                if !command.pacer.take() {
                    break;
                }
                invocation.state = InvocationState::Sent;
                sent.push(invocation.node.clone());
            }
        }
        for node in sent {
            let command = id.to_owned();
            if let Some(there) = self.node_mut(&node) {
                there.sent.push(command.clone());
            }
            let seconds = self.seed.between(1, 2, &[id, node.as_str(), "delivery"]);
            self.after_seconds(seconds, Event::Delivered { command, node });
        }
        self.settle_command(id);
    }

    /// Ends the command if nothing of it is on its way and nothing more may be sent.
    pub(in crate::world) fn settle_command(&mut self, id: &str) {
        let now = self.now();
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
        while let Some(invocation) = command.invocations.next_waiting() {
            invocation.state = InvocationState::Ended(Status::Cancelled, details);
            invocation.ended = Some(now);
        }
        let (status, details) = command.verdict(cancelled);
        self.end_command(id, status, details);
    }

    /// Systems Manager tries to deliver to a node.
    pub(in crate::world) fn delivered(&mut self, id: &str, node: &NodeId) {
        let now = self.now();
        let Some(command) = self.commands.get(id) else {
            return;
        };
        let document = command.document;
        if !command
            .invocation(node)
            .is_some_and(|one| one.state.is_undelivered())
        {
            return;
        }
        let Some(there) = self.node(node) else { return };
        let refused = match there.behaviour.outcome {
            OutcomeSpec::AccessDenied => Some("AccessDenied"),
            _ if !document.runs_on(there.platform) => Some("InvalidPlatform"),
            OutcomeSpec::Undeliverable => Some("Undeliverable"),
            _ => None,
        };
        if let Some(details) = refused {
            return self.end_invocation(id, node, Status::Failed, details, -1);
        }
        let online = there.is_online();
        let Some(invocation) = self
            .commands
            .get_mut(id)
            .and_then(|command| command.invocation_mut(node))
        else {
            return;
        };
        if !online {
            invocation.state = InvocationState::Delayed;
            return self.ramp_goes_on(id, node);
        }
        invocation.state = InvocationState::Running;
        invocation.started = Some(now);
        match document {
            CommandDocument::Baseline | CommandDocument::BaselineWithStepTimeout => {
                self.begin_baseline(id, node);
            }
            CommandDocument::Shell | CommandDocument::PowerShell => self.begin_script(id, node),
        }
    }

    /// The agent has taken a script. It ends well after a moment, or when it has slept.
    fn begin_script(&mut self, command: &str, node: &NodeId) {
        let sleeps = self.commands.get(command).map_or(0, Command::sleeps);
        let seconds = match sleeps {
            0 => self.seed.between(1, 6, &[command, node.as_str(), "script"]),
            sleeps => sleeps,
        };
        let timeout = self.execution_timeout(command);
        self.after_seconds(
            seconds,
            Event::WorkDone {
                command: command.to_owned(),
                node: node.clone(),
            },
        );
        self.times_out_after(timeout, command, node);
    }

    /// An agent's work is done, as far as it goes without a reboot.
    pub(in crate::world) fn work_done(&mut self, id: &str, node: &NodeId) {
        let Some(command) = self.commands.get(id) else {
            return;
        };
        let document = command.document;
        if !self.works(id, node) {
            return;
        }
        let there = self.node_mut(node);
        if let Some(down) = there.filter(|there| !there.is_online()) {
            // It rebooted, or was lost, for another command: nothing goes on there, and nobody reports.
            down.put_off.push(id.to_owned());
            return;
        }
        match document {
            CommandDocument::Baseline | CommandDocument::BaselineWithStepTimeout => {
                self.baseline_done(id, node);
            }
            CommandDocument::Shell | CommandDocument::PowerShell => {
                self.end_invocation(id, node, Status::Success, "Success", 0);
            }
        }
    }

    /// Tries again to deliver what waited for a node that is back.
    pub(in crate::world) fn redeliver(&mut self, node: &NodeId) {
        let mut waiting = self.node(node).map_or_else(Vec::new, |there| there.sent.clone());
        waiting.retain(|command| {
            let state = self.invocation_state(command, node);
            state.is_some_and(InvocationState::is_undelivered)
        });
        waiting.sort();
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

    /// The next nodes need not wait for one that is Delayed, unless the world says so. It keeps its
    /// place.
    fn ramp_goes_on(&mut self, id: &str, node: &NodeId) {
        if self.rules.run_command.delayed_stalls_ramp {
            return;
        }
        let Some(command) = self.commands.get_mut(id) else {
            return;
        };
        let Some(one) = command.invocation_mut(node).filter(|one| !one.counted) else {
            return;
        };
        one.counted = true;
        command.pacer.answered();
        self.pump_command(id);
    }

    pub(in crate::world) fn execution_times_out(&mut self, id: &str, node: &NodeId) {
        if self.invocation_state(id, node) != Some(InvocationState::Running) {
            return;
        }
        // Only the agent can say that the execution timed out. Without it the command expires.
        match self.node(node) {
            Some(there) if there.is_online() => {
                self.end_invocation(id, node, Status::TimedOut, "ExecutionTimedOut", 137);
            }
            Some(there) if there.behaviour.outcome == OutcomeSpec::NeverReturns => {
                self.end_invocation(id, node, Status::TimedOut, "ExecutionTimedOut", -1);
            }
            _ => (),
        }
    }

    /// The time of a command is over: what has not ended is given up. Nobody tells the nodes, so what
    /// runs on them runs on.
    pub(in crate::world) fn command_expires(&mut self, id: &str) {
        let Some(command) = self.commands.get(id).filter(|one| !one.status.is_terminal()) else {
            return;
        };
        let cancelled = command.status == Status::Cancelling;
        self.give_up_command(id, (Status::TimedOut, "DeliveryTimedOut"));
        if let Some((status, details)) = self.commands.get(id).map(|one| one.verdict(cancelled)) {
            self.end_command(id, status, details);
        }
    }

    pub(in crate::world) fn invocation_state(&self, id: &str, node: &NodeId) -> Option<InvocationState> {
        Some(self.commands.get(id)?.invocation(node)?.state)
    }

    /// Whether a node is at work for a command, told or untold.
    pub(in crate::world) fn works(&self, id: &str, node: &NodeId) -> bool {
        let invocation = self.commands.get(id).and_then(|one| one.invocation(node));
        invocation.is_some_and(|one| one.state == InvocationState::Running || one.runs_on)
    }

    /// An alarm that is attached to a command goes off. Nothing more is sent, and nobody tells the
    /// nodes: what runs on them runs on.
    pub(in crate::world) fn alarm_command(&mut self, id: &str) {
        self.give_up_command(id, (Status::Failed, "Terminated"));
        self.end_command(id, Status::Failed, "FailedDueToAlarm");
    }

    /// Ends every invocation that has not ended as `end` says.
    fn give_up_command(&mut self, id: &str, end: (Status, &'static str)) {
        let now = self.now();
        let Some(command) = self.commands.get_mut(id) else {
            return;
        };
        let mut through = vec![];
        for one in command
            .invocations
            .all_mut()
            .filter(|one| !one.state.is_terminal())
        {
            one.runs_on = one.state == InvocationState::Running;
            one.state = InvocationState::Ended(end.0, end.1);
            one.ended = Some(now);
            through.push((one.node.clone(), one.runs_on, one.timeout.take()));
        }
        for (node, runs_on, timeout) in through {
            self.call_off(timeout, self.turn_of_command(id));
            if !runs_on {
                self.is_through(id, &node);
            }
        }
    }

    /// A command has ended, and the step that sent it hears of it.
    fn end_command(&mut self, id: &str, status: Status, details: &'static str) {
        let now = self.now();
        let Some(command) = self.commands.get_mut(id) else {
            return;
        };
        (command.status, command.details) = (status, details);
        command.ended = Some(now);
        let expiry = command.expiry.take();
        let step = command.order.step.clone();
        self.commands.ended(id);
        self.call_off(expiry, self.turn_of_command(id));
        if let Some((execution, step)) = step {
            self.command_ended(&execution, step, id, status);
        }
    }

    pub(in crate::world) fn end_invocation(
        &mut self,
        id: &str,
        node: &NodeId,
        status: Status,
        details: &'static str,
        code: i32,
    ) {
        let now = self.now();
        let Some(command) = self.commands.get_mut(id) else {
            return;
        };
        let Some(invocation) = command.invocation_mut(node) else {
            return;
        };
        let timeout = invocation.timeout.take();
        if invocation.state.is_terminal() {
            // It was given up, and its work has only now come to an end.
            if std::mem::take(&mut invocation.runs_on) {
                invocation.ran_on_until = Some(now);
            }
            self.call_off(timeout, self.turn_of_command(id));
            return self.is_through(id, node);
        }
        invocation.state = InvocationState::Ended(status, details);
        invocation.ended = Some(now);
        invocation.response_code = code;
        let error = is_error(status, details);
        if invocation.counted {
            command.pacer.leave(error);
        } else {
            command.pacer.done(error);
        }
        self.call_off(timeout, self.turn_of_command(id));
        self.is_through(id, node);
        self.pump_command(id);
    }

    /// A command that was sent to a node has nothing more to do with it.
    fn is_through(&mut self, command: &str, node: &NodeId) {
        let Some(there) = self.node_mut(node) else { return };
        there.sent.retain(|sent| sent != command);
        if there.sent.is_empty() {
            // Most nodes never see another command: no room is kept for one.
            there.sent = vec![];
        }
    }

    /// Ends a node's work at its execution timeout, unless it ends before.
    pub(in crate::world) fn times_out_after(&mut self, seconds: i64, command: &str, node: &NodeId) {
        let event = Event::ExecutionTimesOut {
            command: command.to_owned(),
            node: node.clone(),
        };
        let at = crate::world::after(self.now(), SignedDuration::from_secs(seconds));
        let timeout = self.schedule(at, event);
        let command = self.commands.get_mut(command);
        if let Some(one) = command.and_then(|command| command.invocation_mut(node)) {
            one.timeout = Some(timeout);
        }
    }

    /// Seconds that the document gives a node.
    pub(in crate::world) fn execution_timeout(&self, id: &str) -> i64 {
        self.commands.get(id).map_or(0, |command| {
            command.document.execution_timeout(&command.order.parameters)
        })
    }

    /// When a command expires, as `ExpiresAfter` shows it.
    pub(crate) fn expiry(&self, command: &Command) -> Timestamp {
        let steps = command.document.step_timeouts(&command.order.parameters);
        let seconds = command.order.timeout_seconds.saturating_add(steps);
        crate::world::after(command.requested, SignedDuration::from_secs(seconds))
    }

    /// Whether it and its invocations are found yet.
    pub(crate) fn shows_command(&self, command: &Command) -> bool {
        self.is_older_than(command, self.rules.consistency.invocations_seconds)
    }

    /// Whether its invocations are listed yet. Whoever asks for one of them by its node finds it before.
    pub(crate) fn lists_invocations(&self, command: &Command) -> bool {
        self.is_older_than(command, self.rules.consistency.invocation_list_seconds)
    }

    fn is_older_than(&self, command: &Command, seconds: u32) -> bool {
        let age = SignedDuration::from_secs(i64::from(seconds));
        self.now() >= crate::world::after(command.requested, age)
    }
}
