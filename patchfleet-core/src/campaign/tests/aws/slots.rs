//! What happens in each location of an execution, and when.

use super::*;

/// When a location of an execution begins; `None`: never.
pub(super) struct Slot {
    pub(super) location: Location,
    pub(super) begins: Option<Timestamp>,
    pub(super) ends: Timestamp,
    pub(super) status: ExecutionStatus,
    pub(super) failure: String,
    /// Whether its step says that it was not reached.
    pub(super) hidden: bool,
}

impl FakeAws {
    /// What happens in each location, seen from its end.
    pub(super) fn slots(&self, execution: &Execution) -> Vec<Slot> {
        let target = execution.request.target_location();
        let at_once = target.target_location_max_concurrency as usize;
        let allowed = target.target_location_max_errors as usize;
        let locations = target
            .accounts
            .iter()
            .flat_map(|a| target.regions.iter().map(|r| Location::new(a.clone(), r.clone())));
        let mut slots: Vec<Slot> = vec![];
        for (index, location) in locations.enumerate() {
            let batch = index / at_once;
            let before = &slots[..batch * at_once];
            let failed = before
                .iter()
                .filter(|slot| slot.status == ExecutionStatus::Failed)
                .count();
            let begins = execution.started_at + RUNS * i32::try_from(batch).unwrap();
            let cancelled = execution.cancelled_at.is_some_and(|at| at <= begins);
            let named = execution
                .request
                .parameters
                .get("Targets")
                .filter(|targets| targets.iter().any(|json| json.contains("InstanceIds")))
                .cloned()
                .unwrap_or_default();
            let refused = execution.refused && named.iter().any(|json| json.contains("InstanceIds"));
            let bad = |status: &str| ["Failed", "ExecutionTimedOut", "Cancelled"].contains(&status);
            let is_named =
                |node: &Node| named.is_empty() || named.iter().any(|json| json.contains(node.id.as_str()));
            let (status, failure) = match self.script(&location) {
                _ if self.hook(&location) == Some("Cancelled") => {
                    ("Failed", "Step fails when it is Execute.")
                }
                _ if refused => (
                    "Failed",
                    "Step fails when it is Execute/Cancelling action. An error occurred (InvalidInstanceId) when \
                     calling the SendCommand operation: Instances not in a valid state for account",
                ),
                Script::Nodes(nodes) if nodes.iter().any(|node| is_named(node) && bad(node.status)) => {
                    ("Failed", "")
                }
                Script::Nodes(_) | Script::Sealed => ("Success", ""),
                Script::RoleMissing => (
                    "Failed",
                    "The execution role arn:aws:iam::1:role/x in the target location is unable to be assumed.",
                ),
                Script::FailsEarly => ("Failed", "Step fails when it is verifying."),
                Script::NeverBegins => ("Failed", "The document is not there."),
                Script::Emptied => ("Success", ""),
                Script::CommandFails(_) => ("Failed", "Step fails when it is verifying."),
            };
            let unreached = failed > allowed || cancelled;
            let hidden = unreached && self.turns_up.lock().unwrap().contains(&location);
            slots.push(if unreached && !hidden {
                Slot {
                    location,
                    begins: None,
                    ends: before
                        .iter()
                        .map(|slot| slot.ends)
                        .max()
                        .unwrap_or(execution.started_at),
                    status: ExecutionStatus::Pending,
                    failure: String::new(),
                    hidden,
                }
            } else {
                Slot {
                    location,
                    begins: Some(begins),
                    ends: begins + self.waits() + RUNS,
                    status: status.into(),
                    failure: failure.into(),
                    hidden,
                }
            });
        }
        slots
    }

    /// The execution that began this in a location.
    pub(super) fn owner_of(&self, kind: &str, location: &Location, id: &str) -> ExecutionId {
        let executions = self.executions.lock().unwrap();
        let begun =
            |one: &&Execution| id == id_of::<ExecutionId>(&format!("{kind}/{}/{location}", one.id)).as_str();
        executions.iter().find(begun).unwrap().id.clone()
    }

    pub(super) fn slot_of(&self, kind: &str, location: &Location, id: &str) -> PortResult<Slot> {
        let executions = self.executions.lock().unwrap().clone();
        let owner = executions
            .iter()
            .find(|e| id == id_of::<ExecutionId>(&format!("{kind}/{}/{location}", e.id)).as_str())
            .ok_or_else(|| PortError::new(PortErrorKind::NotFound, format!("no {kind} {id}")))?;
        if matches!(self.script(location), Script::Sealed) {
            return Err(PortError::new(PortErrorKind::Denied, "may not read"));
        }
        if *self.forgets.lock().unwrap() {
            return Err(PortError::new(PortErrorKind::NotFound, format!("no {kind} {id}")));
        }
        Ok(self
            .slots(owner)
            .into_iter()
            .find(|slot| slot.location == *location)
            .unwrap())
    }

    /// When a location of any execution ends.
    pub(super) fn ends(&self, location: &Location) -> Option<Timestamp> {
        let executions = self.executions.lock().unwrap().clone();
        let slots = executions.iter().flat_map(|e| self.slots(e));
        slots
            .filter(|slot| slot.location == *location && slot.begins.is_some())
            .map(|slot| slot.ends)
            .max()
    }
}
