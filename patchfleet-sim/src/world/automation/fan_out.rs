//! Executions whose steps start children, in target locations or for targets. Steps begin in order, as
//! many as their pacer allows, and the execution ends when none is running.
//!
//! Where AWS says nothing, the simulator does this. A child that ends in anything but success is an
//! error. The execution fails when there were more errors than allowed, or no target succeeded;
//! otherwise it succeeds, and its counters tell the rest. One of target locations that all failed
//! within its errors succeeds as well, as a user reports, unless the world says otherwise. Every
//! child runs its parent's document, unless the world says that copies in target locations run.

use crate::world::{
    Execution, Pacer, Shape, StartOrder, Status, Step, World,
    automation::execution::{Failure, TargetUnit},
    automation::lifecycle::{Checked, Origin},
    automation::locations::SEE_GUIDE,
    documents::runbook::Runbook,
    documents::template::{self, MAX_FILLED},
    time::Event,
};
use patchfleet_core::id::Location;
use std::sync::Arc;

/// A child that a parent is about to start.
#[derive(Debug)]
pub(in crate::world) struct Child {
    pub(in crate::world) order: StartOrder,
    pub(in crate::world) target: Option<TargetUnit>,
    /// The document of that name in its location, if that one runs there.
    pub(in crate::world) copy: Option<Copied>,
}

/// A copy of a runbook in a target location.
#[derive(Debug)]
pub(in crate::world) struct Copied {
    pub(in crate::world) version: String,
    pub(in crate::world) runbook: Arc<Runbook>,
    pub(in crate::world) home: Location,
}

impl World {
    /// Begins as many steps as may begin, and ends the execution if none is left.
    pub(in crate::world) fn pump_units(&mut self, id: &str) {
        let now = self.now();
        let Some(execution) = self
            .executions
            .get_mut(id)
            .filter(|one| one.status == Status::InProgress)
        else {
            return;
        };
        let shape = execution.shape();
        let mut begun = vec![];
        if !execution.completing {
            let entries = execution.pacers.iter_mut().zip(&mut execution.unbegun);
            for (pacer, unbegun) in entries {
                while unbegun.start < unbegun.end && pacer.take() {
                    begun.extend(unbegun.next());
                }
            }
            for index in &begun {
                if let Some(step) = execution.steps.get_mut(*index) {
                    step.status = Status::InProgress;
                    step.started = Some(now);
                }
            }
        }
        for step in begun {
            if shape == Shape::RateControl {
                self.target_follows(id, step);
                continue;
            }
            let seconds = self.seed.between(1, 3, &[id, &step.to_string(), "role"]);
            self.after_seconds(
                seconds,
                Event::LocationAnswers {
                    execution: id.to_owned(),
                    step,
                },
            );
        }
        self.settle_units(id);
    }

    fn settle_units(&mut self, id: &str) {
        let Some(execution) = self.executions.get(id) else {
            return;
        };
        if execution.pacers.iter().any(|pacer| pacer.in_flight() > 0) {
            return;
        }
        let left = execution.unbegun.iter().any(|steps| steps.start < steps.end);
        if execution.completing && left {
            return self.end_execution(id, Status::Cancelled, None);
        }
        let (status, failure) = execution.units_verdict(self.rules.automation.all_failed_is_success);
        self.end_execution(id, status, failure);
    }

    /// Starts a step's child: the parent's own runbook, or the copy that runs in its place, with the
    /// parameters that the child's order says.
    pub(in crate::world) fn start_child(
        &mut self,
        id: &str,
        index: usize,
        child: Child,
    ) -> Result<(), Failure> {
        let Some(parent) = self.executions.get(id) else {
            return Ok(());
        };
        let Child { order, target, copy } = child;
        let Copied {
            version,
            runbook,
            home,
        } = copy.unwrap_or_else(|| Copied {
            version: parent.version.clone(),
            runbook: parent.runbook.clone(),
            home: parent.home.clone(),
        });
        let is_as_parent = Arc::ptr_eq(&runbook, &parent.runbook)
            && Arc::ptr_eq(&order.parameters, &parent.order.parameters)
            && parent.order.rates().next().is_none();
        let arguments = if is_as_parent {
            // The parent's were checked, and all children share them.
            parent.arguments.clone()
        } else {
            let open = order.rate.iter().flat_map(crate::world::RateControl::parameters);
            let arguments = runbook.arguments(&order.parameters, &open.collect());
            let refused = |text| Failure::from(crate::world::StartRefusal::Parameters(text));
            Arc::new(arguments.map_err(refused)?)
        };
        let checked = Checked {
            order,
            version,
            runbook,
            home,
            arguments,
        };
        let origin = Origin {
            parent: Some((id.to_owned(), index)),
            target,
            level: parent.level,
        };
        let child = self.add_execution(checked, origin, id)?;
        if let Some(step) = self.step_mut(id, index) {
            if step.location.is_some() {
                step.outputs_mut()
                    .insert("ExecutionId".to_owned(), vec![child.clone()]);
            }
            step.child = Some(child);
        }
        Ok(())
    }

    /// A step's child has ended, and its parent hears of it.
    pub(in crate::world) fn child_ended(&mut self, id: &str, index: usize, child: &str) {
        let Some(ended) = self.executions.get(child) else {
            return;
        };
        let Some(parent) = self.executions.get(id) else {
            return;
        };
        if parent.steps.get(index).and_then(Step::child) != Some(child) {
            // The child belongs to an earlier attempt, so its end changes nothing.
            return;
        }
        let (status, shape) = (ended.status, parent.shape());
        let failure = (status != Status::Success).then(|| {
            let why = ended.failure.as_deref().unwrap_or(SEE_GUIDE);
            let how = status.as_str();
            Failure::verification(format!(
                "Step fails when it is Execute/Cancelling action. Execution {child} ended with status {how}. {why}"
            ))
        });
        // A limit, because nested runbooks could repeat all outputs at each level.
        let mut left = MAX_FILLED;
        let declared = ended.runbook.outputs.iter();
        let values = declared.filter_map(|name| ended.outputs.get(name)).flatten();
        let values = template::within(&mut left, values);
        let output = serde_json::json!(ended.outputs).to_string();
        let Some(step) = self.step_mut(id, index).filter(|step| step.is_open()) else {
            return;
        };
        let told = [("Status".to_owned(), vec![status.as_str().to_owned()])];
        match shape {
            Shape::CrossAccount => {
                step.outputs_mut().extend(told);
                step.outputs_mut().insert("Output".to_owned(), vec![output]);
            }
            Shape::Document => {
                step.outputs_mut().extend(told);
                step.outputs_mut().insert("Output".to_owned(), values);
            }
            // AWS's guide prints the steps of rate control without outputs.
            Shape::RateControl => {}
        }
        match shape {
            Shape::Document => self.end_step(id, index, status, failure),
            Shape::CrossAccount | Shape::RateControl => self.end_unit(id, index, status, failure),
        }
    }

    /// Ends a step that was a child's.
    pub(in crate::world) fn end_unit(
        &mut self,
        id: &str,
        index: usize,
        status: Status,
        failure: Option<Failure>,
    ) {
        let now = self.now();
        let Some(execution) = self.executions.get_mut(id) else {
            return;
        };
        let Some(step) = execution.steps.get_mut(index).filter(|step| step.is_open()) else {
            return;
        };
        step.status = status;
        step.failure = failure;
        step.ended = Some(now);
        let entry = step.entry();
        if let Some(pacer) = execution.pacers.get_mut(entry) {
            pacer.done(status != Status::Success);
        }
        self.pump_units(id);
    }

    pub(in crate::world) fn step_mut(&mut self, id: &str, index: usize) -> Option<&mut Step> {
        self.executions.get_mut(id)?.steps.get_mut(index)
    }
}

impl Execution {
    fn units_verdict(&self, lenient: bool) -> (Status, Option<String>) {
        let (limit, unit) = match self.shape() {
            Shape::CrossAccount => (
                "target locations exceeded TargetLocationMaxErrors",
                "target location",
            ),
            Shape::RateControl | Shape::Document => ("targets exceeded MaxErrors", "target"),
        };
        let lenient = lenient && self.shape() == Shape::CrossAccount;
        let succeeded = lenient || self.steps.iter().any(|step| step.status == Status::Success);
        if self.pacers.iter().any(Pacer::is_exhausted) {
            let failure = format!("The number of failed {limit}. {SEE_GUIDE}");
            (Status::Failed, Some(failure))
        } else if succeeded || self.steps.is_empty() {
            (Status::Success, None)
        } else {
            (Status::Failed, Some(format!("No {unit} succeeded. {SEE_GUIDE}")))
        }
    }
}

impl Step {
    /// Which of its execution's pacers it belongs to.
    fn entry(&self) -> usize {
        self.location.as_ref().map_or(0, |(_, entry)| *entry)
    }
}
