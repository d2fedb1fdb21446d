//! The parent of a multi-account execution: one step for each location, paced, each starting a
//! child there.
//!
//! Where AWS says nothing, the simulator does this. A location counts as an error when its child
//! ends in anything but success. The parent fails when there were more errors than allowed, or no
//! success at all; otherwise it succeeds, and its progress counters tell the rest.

use super::{RegionKind, StartOrder, Status, Step, World, event::Event, regions};
use patchfleet_core::id::Location;

/// How AWS ends what it says about a failed step.
pub(super) const SEE_GUIDE: &str =
    "Please refer to Automation Service Troubleshooting Guide for more diagnosis details.";

impl World {
    pub(super) fn location_steps(&self, id: &str, order: &StartOrder) -> Vec<Step> {
        let mut steps = vec![];
        for (entry, targets) in order.targets.iter().enumerate() {
            for location in &targets.locations {
                let name = format!(
                    "executeAutomation_{}_{}",
                    location.account,
                    location.region.as_str().replace('-', "_")
                );
                let step_id = self.seed.uuid(&["step", id, &name, &steps.len().to_string()]);
                let mut step = Step::new(step_id, name, "aws:executeAutomation");
                step.location = Some((location.clone(), entry));
                steps.push(step);
            }
        }
        steps
    }

    /// Begins as many locations as may begin, and ends the parent if none is left.
    pub(super) fn pump_locations(&mut self, id: &str) {
        let now = self.now;
        let Some(execution) = self
            .executions
            .get_mut(id)
            .filter(|one| one.status == Status::InProgress)
        else {
            return;
        };
        let mut begun = vec![];
        if !execution.completing {
            for (index, step) in execution
                .steps
                .iter_mut()
                .enumerate()
                .filter(|(_, step)| step.status == Status::Pending)
            {
                let entry = step.location.as_ref().map_or(0, |(_, entry)| *entry);
                if execution.pacers.get_mut(entry).is_some_and(super::Pacer::take) {
                    step.status = Status::InProgress;
                    step.started = Some(now);
                    begun.push(index);
                }
            }
        }
        for step in begun {
            let seconds = self.seed.between(1, 3, &[id, &step.to_string(), "role"]);
            self.after_seconds(
                seconds,
                Event::LocationAnswers {
                    execution: id.to_owned(),
                    step,
                },
            );
        }
        self.settle_locations(id);
    }

    fn settle_locations(&mut self, id: &str) {
        let Some(execution) = self.executions.get(id) else {
            return;
        };
        if execution.pacers.iter().any(|pacer| pacer.in_flight() > 0) {
            return;
        }
        let succeeded = execution.steps.iter().any(|step| step.status == Status::Success);
        if execution.completing {
            self.end_execution(id, Status::Cancelled, None);
        } else if execution.pacers.iter().any(super::Pacer::is_exhausted) {
            self.end_execution(
                id,
                Status::Failed,
                Some(format!(
                    "The number of failed target locations exceeded TargetLocationMaxErrors. {SEE_GUIDE}"
                )),
            );
        } else if succeeded || execution.steps.is_empty() {
            self.end_execution(id, Status::Success, None);
        } else {
            self.end_execution(
                id,
                Status::Failed,
                Some(format!("No target location succeeded. {SEE_GUIDE}")),
            );
        }
    }

    /// The role of a location's step can be assumed or not.
    pub(super) fn location_answers(&mut self, id: &str, index: usize) {
        let Some(execution) = self
            .executions
            .get(id)
            .filter(|one| one.status == Status::InProgress)
        else {
            return;
        };
        let Some(step) = execution.steps.get(index) else {
            return;
        };
        let Some((location, entry)) = step.location.clone() else {
            return;
        };
        let Some(targets) = execution.order.targets.get(entry) else {
            return;
        };
        let mut order = StartOrder {
            location: location.clone(),
            executed_by: String::new(),
            targets: vec![],
            // Whether a child has its parent's tags is undocumented; here it has none.
            tags: vec![],
            token: None,
            ..execution.order.clone()
        };
        let (version, runbook, arguments) = (
            execution.version.clone(),
            execution.runbook.clone(),
            execution.arguments.clone(),
        );
        let central = execution.order.location.clone();
        let role = role_arn(&location, &targets.role);
        if !self.can_reach(&central, &location, &targets.role) {
            let failure = format!(
                "The execution role {role} in the target location is unable to be assumed. {SEE_GUIDE}"
            );
            return self.end_location(id, index, Status::Failed, Some(failure));
        }
        order.executed_by = role;
        let child = self.add_execution(
            order,
            version,
            runbook,
            arguments,
            Some((id.to_owned(), index)),
            id,
        );
        if let Some(step) = self
            .executions
            .get_mut(id)
            .and_then(|one| one.steps.get_mut(index))
        {
            step.outputs.insert("ExecutionId".to_owned(), vec![child.clone()]);
            step.child = Some(child);
        }
    }

    /// Whether an execution in `central` gets into `location`. One that was started in an opt-in
    /// Region fails towards a Region that is enabled by default.
    fn can_reach(&self, central: &Location, location: &Location, role: &str) -> bool {
        let trap = regions::kind(&central.region) == RegionKind::OptIn
            && regions::kind(&location.region) == RegionKind::Default;
        let name = role.rsplit_once('/').map_or(role, |(_, name)| name);
        !trap
            && self.org.is_enabled(&location.account, &location.region)
            && self.org.assume(&location.account, name, None).is_ok()
    }

    pub(super) fn child_ended(&mut self, id: &str, index: usize) {
        let child = self
            .executions
            .get(id)
            .and_then(|one| one.steps.get(index)?.child.clone());
        let Some(child) = child.and_then(|child| self.executions.get(&child)) else {
            return;
        };
        let status = child.status;
        let failure = child
            .failure
            .as_ref()
            .map(|failure| format!("Step fails when it is Execute/Cancelling action. {failure}"));
        let output = serde_json::json!(child.outputs).to_string();
        if let Some(step) = self
            .executions
            .get_mut(id)
            .and_then(|one| one.steps.get_mut(index))
        {
            step.outputs.insert("Output".to_owned(), vec![output]);
            step.outputs
                .insert("Status".to_owned(), vec![status.as_str().to_owned()]);
        }
        self.end_location(id, index, status, failure);
    }

    fn end_location(&mut self, id: &str, index: usize, status: Status, failure: Option<String>) {
        let now = self.now;
        let Some(execution) = self.executions.get_mut(id) else {
            return;
        };
        let Some(step) = execution
            .steps
            .get_mut(index)
            .filter(|step| !step.status.is_terminal())
        else {
            return;
        };
        step.status = status;
        step.failure = failure;
        step.ended = Some(now);
        let entry = step.location.as_ref().map_or(0, |(_, entry)| *entry);
        if let Some(pacer) = execution.pacers.get_mut(entry) {
            pacer.done(status != Status::Success);
        }
        self.pump_locations(id);
    }
}

fn role_arn(location: &Location, role: &str) -> String {
    format!(
        "arn:{}:iam::{}:role/{}",
        location.region.partition(),
        location.account,
        role.trim_start_matches('/')
    )
}
