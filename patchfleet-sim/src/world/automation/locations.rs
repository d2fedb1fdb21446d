//! Target locations: before a child starts in one, its role is assumed and what the role may do is
//! looked at.

use crate::world::{
    RegionKind, StartOrder, Status, Step, World,
    automation::execution::Failure,
    automation::fan_out::{Child, Copied},
    automation::lifecycle::role_name,
    org::regions,
};
use patchfleet_core::id::Location;
use std::sync::Arc;

/// How AWS ends what it says about a failed step.
pub(in crate::world) const SEE_GUIDE: &str =
    "Please refer to Automation Service Troubleshooting Guide for more diagnosis details.";

impl World {
    pub(in crate::world) fn location_steps(&self, id: &str, order: &StartOrder) -> Vec<Step> {
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

    /// Whether a location can be entered is known now. Its child starts, or its step fails.
    pub(in crate::world) fn location_answers(&mut self, id: &str, index: usize) {
        let running = self
            .executions
            .get(id)
            .is_some_and(|one| one.status == Status::InProgress);
        if !running {
            return;
        }
        let started = self
            .enter_location(id, index)
            .and_then(|child| child.map_or(Ok(()), |child| self.start_child(id, index, child)));
        if let Err(failure) = started {
            self.end_unit(id, index, Status::Failed, Some(failure));
        }
    }

    fn enter_location(&self, id: &str, index: usize) -> Result<Option<Child>, Failure> {
        let Some(execution) = self.executions.get(id) else {
            return Ok(None);
        };
        let step = execution.steps.get(index);
        let Some((location, entry)) = step.and_then(|step| step.location.as_ref()) else {
            return Ok(None);
        };
        let Some(targets) = execution.order.targets.get(*entry) else {
            return Ok(None);
        };
        let role = role_arn(location, &targets.role);
        if !self.can_reach(&execution.order.location, location, &targets.role) {
            return Err(Failure::denied(format!(
                "The execution role {role} in the target location is unable to be assumed."
            )));
        }
        let order = StartOrder {
            location: location.clone(),
            executed_by: role,
            role: Some(role_name(&targets.role).to_owned()),
            targets: Arc::default(),
            rate: targets.rate.clone(),
            said: targets.said.clone(),
            // Whether a child has its parent's tags is undocumented; here it has none.
            tags: vec![],
            alarm: None,
            token: None,
            ..execution.order.clone()
        };
        self.check_may_start(&order)?;
        if self.rules.automation.require_shared_runbook && !self.is_shared(execution, location) {
            return Err(Failure::denied(format!(
                "The Automation definition {} is not shared with account {}. {SEE_GUIDE}",
                order.document, location.account
            )));
        }
        if let Some(rate) = &order.rate {
            self.check_group(location, rate)?;
        }
        Ok(Some(Child {
            copy: self.copy_in(execution, location),
            order,
            target: None,
        }))
    }

    /// The document in the location that has the name of the execution's own, if the world says that such a
    /// document runs there. A runbook of another account has no copies, because it is named by its ARN.
    fn copy_in(&self, execution: &crate::world::Execution, location: &Location) -> Option<Copied> {
        let order = &execution.order;
        let by_name = execution.home.account == order.location.account;
        if !self.rules.automation.target_copies_run || !by_name || *location == execution.home {
            return None;
        }
        let document = self.documents.get(location, &order.document)?;
        let (version, content) = document.version(order.version.as_deref())?;
        Some(Copied {
            version: version.to_string(),
            runbook: content.runbook.clone()?,
            home: location.clone(),
        })
    }

    fn is_shared(&self, execution: &crate::world::Execution, location: &Location) -> bool {
        let name = &execution.order.document;
        self.document_of(&execution.home, &location.account, name)
            .is_some_and(|found| found.version(Some(&execution.version), None).is_some())
    }

    /// Whether an execution in `central` gets into `location`. One that was started in an opt-in
    /// Region fails towards a Region that is enabled by default.
    fn can_reach(&self, central: &Location, location: &Location, role: &str) -> bool {
        let trap = regions::kind(&central.region) == RegionKind::OptIn
            && regions::kind(&location.region) == RegionKind::Default;
        !trap
            && self.org.is_enabled(&location.account, &location.region)
            && self.org.assume(&location.account, role_name(role), None).is_ok()
    }

    /// Whether the order's role may start executions.
    pub(in crate::world) fn check_may_start(&self, order: &StartOrder) -> Result<(), Failure> {
        let Location { account, region } = &order.location;
        let version = order.version.as_deref().unwrap_or("$DEFAULT");
        let resource = format!(
            "arn:{}:ssm:{region}:{account}:automation-definition/{}:{version}",
            region.partition(),
            order.document
        );
        self.check_may(order, "ssm:StartAutomationExecution", &resource)
    }

    /// Whether the order's role may do `action`.
    pub(in crate::world) fn check_may(
        &self,
        order: &StartOrder,
        action: &str,
        resource: &str,
    ) -> Result<(), Failure> {
        let Some(role) = &order.role else {
            return Ok(());
        };
        let Location { account, region } = &order.location;
        if !self.org.denies(account, role, action) {
            return Ok(());
        }
        let partition = region.partition();
        Err(Failure::denied(format!(
            "User: arn:{partition}:sts::{account}:assumed-role/{role}/Automation is not authorized to perform: {action} on resource: {resource} (Service: AWSSimpleSystemsManagement; Status Code: 400; Error Code: AccessDeniedException). {SEE_GUIDE}"
        )))
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
