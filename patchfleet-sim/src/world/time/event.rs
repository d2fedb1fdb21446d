//! What can happen by itself, and who deals with it.

use crate::spec::Change;
use crate::world::{InvocationState, Shape, Status, World, automation::Checked};
use patchfleet_core::id::{Location, NodeId};

/// Something that is going to happen. Each is a no-op if what it is about has ended meanwhile.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A new execution comes to where it waits for its place.
    ExecutionArrives { execution: String },
    /// Executions that wait in a location may begin if there is a place.
    LineMoves { location: Location, shape: Shape },
    /// A location's step has found out whether its role can be assumed.
    LocationAnswers { execution: String, step: usize },
    /// A target's child starts.
    TargetBegins { execution: String, step: usize },
    /// A child of another runbook than its parent's comes to where it has to find a place.
    ChildComes {
        execution: String,
        step: usize,
        run: u32,
        child: Box<Checked>,
    },
    /// A step's child has ended, and its parent hears of it.
    ChildEnded {
        execution: String,
        step: usize,
        child: String,
    },
    /// A step's turn has come.
    StepBegins { execution: String, step: usize },
    /// A step that failed is tried again.
    StepTriesAgain {
        execution: String,
        step: usize,
        run: u32,
    },
    /// A step that sleeps has slept enough.
    StepWakes {
        execution: String,
        step: usize,
        run: u32,
    },
    /// A step has run for too long.
    StepTimesOut {
        execution: String,
        step: usize,
        run: u32,
    },
    /// The alarm of an execution is read.
    AlarmRead { execution: String },
    /// A cancelled execution has come to rest.
    ExecutionCancelled { execution: String },
    /// The steps that follow a cancellation have had their time.
    CleanUpEnds { execution: String },
    /// A command looks for its nodes.
    CommandBegins { command: String },
    /// A node's agent takes the command.
    Delivered { command: String, node: NodeId },
    /// A node has scanned or installed.
    WorkDone { command: String, node: NodeId },
    /// A node is back after its reboot, which a command may have asked for.
    Returns {
        command: Option<String>,
        node: NodeId,
        boot: u32,
    },
    /// A node has taken longer than the document allows.
    ExecutionTimesOut { command: String, node: NodeId },
    /// The time of a command is over, for all its nodes.
    CommandExpires { command: String },
    /// A node has heard that its command was cancelled.
    InvocationCancelled { command: String, node: NodeId },
    /// Somebody else does something.
    Changes { change: Box<Change> },
    /// Nobody shows a terminated instance any more.
    Forgotten { node: NodeId },
}

impl World {
    /// Whether a timeout still guards something. Everything else is taken to matter.
    pub(in crate::world) fn is_live(&self, event: &Event) -> bool {
        match event {
            Event::StepTimesOut { execution, step, run } | Event::StepWakes { execution, step, run } => self
                .executions
                .get(execution)
                .and_then(|one| one.steps.get(*step))
                .is_some_and(|one| one.is_open() && one.runs == *run),
            Event::AlarmRead { execution } => {
                let execution = self.executions.get(execution);
                execution.is_some_and(crate::world::Execution::has_alarm_read)
            }
            Event::CleanUpEnds { execution } => self
                .executions
                .get(execution)
                .is_some_and(|one| one.status == Status::Cancelling),
            Event::CommandExpires { command } => self
                .commands
                .get(command)
                .is_some_and(|one| !one.status.is_terminal()),
            Event::ExecutionTimesOut { command, node } => {
                self.invocation_state(command, node) == Some(InvocationState::Running)
            }
            _ => true,
        }
    }

    pub(in crate::world) fn happen(&mut self, event: Event) {
        match event {
            Event::ExecutionArrives { execution } => self.stand_in_line(&execution),
            Event::LineMoves { location, shape } => self.move_line(&location, shape),
            Event::LocationAnswers { execution, step } => self.location_answers(&execution, step),
            Event::TargetBegins { execution, step } => self.target_begins(&execution, step),
            Event::ChildComes {
                execution,
                step,
                run,
                child,
            } => self.child_comes(&execution, step, run, *child),
            Event::ChildEnded {
                execution,
                step,
                child,
            } => self.child_ended(&execution, step, &child),
            Event::StepBegins { execution, step } => self.begin_step(&execution, step),
            Event::StepTriesAgain { execution, step, run } => self.retry_step(&execution, step, run),
            Event::StepWakes { execution, step, run } => self.step_wakes(&execution, step, run),
            Event::StepTimesOut { execution, step, run } => self.step_times_out(&execution, step, run),
            Event::AlarmRead { execution } => self.read_alarm(&execution),
            Event::ExecutionCancelled { execution } => self.execution_cancelled(&execution),
            Event::CleanUpEnds { execution } => self.clean_up_ends(&execution),
            Event::CommandBegins { command } => self.begin_command(&command),
            Event::Delivered { command, node } => self.delivered(&command, &node),
            Event::WorkDone { command, node } => self.work_done(&command, &node),
            Event::Returns { node, boot, .. } => self.returns(&node, boot),
            Event::ExecutionTimesOut { command, node } => self.execution_times_out(&command, &node),
            Event::CommandExpires { command } => self.command_expires(&command),
            Event::InvocationCancelled { command, node } => self.invocation_cancelled(&command, &node),
            Event::Changes { change } => {
                self.do_change(&change);
            }
            Event::Forgotten { node } => self.forget_node(&node),
        }
    }
}
