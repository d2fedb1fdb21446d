//! `aws:approve` and `aws:pause`: steps that wait for somebody, and what somebody says.
//!
//! Sources: "aws:approve" and "aws:pause" of the Systems Manager guide. Where AWS says nothing: a
//! rejection fails the step; who is not among the approvers has no say.

use super::Begun;
use crate::world::{Status, World, automation::execution::Failure, automation::locations::SEE_GUIDE};
use serde_json::{Value, json};

/// How long an approval is waited for if the step does not say it: seven days.
pub(super) const DEFAULT_TIMEOUT_SECONDS: i64 = 604_800;

/// The longest that a step may say: thirty days.
const MAX_TIMEOUT_SECONDS: i64 = 2_592_000;

impl World {
    pub(super) fn ask_approval(&mut self, id: &str, index: usize, inputs: &Value) -> Result<Begun, Failure> {
        let approvers = approvers(inputs);
        let needed = needed(inputs);
        let across = self.is_below_locations(id);
        let Some(step) = self.step_mut(id, index) else {
            return Ok(Begun::Waits);
        };
        if across {
            return Err(Failure::input(format!(
                "The action aws:approve doesn't support multi-account and Region automations. {SEE_GUIDE}"
            )));
        }
        if approvers.is_empty() || approvers.len() > 10 {
            return Err(Failure::input("Approvers are at least 1 and at most 10."));
        }
        if needed.is_none_or(|needed| needed > approvers.len()) {
            return Err(Failure::input(
                "MinRequiredApprovals is at least 1 and at most the number of Approvers.",
            ));
        }
        if step
            .timeout_seconds
            .is_some_and(|seconds| seconds > MAX_TIMEOUT_SECONDS)
        {
            return Err(Failure::input(format!(
                "An approval is waited for {MAX_TIMEOUT_SECONDS} seconds at most."
            )));
        }
        step.decisions.clear();
        step.outputs_mut()
            .insert("ApprovalStatus".to_owned(), vec!["Waiting".to_owned()]);
        Ok(Begun::Waits)
    }

    /// An approver, by the ARN, has decided. Gives false if the step does not ask that one.
    pub(in crate::world) fn decide(&mut self, id: &str, index: usize, who: &str, approves: bool) -> bool {
        let rule = self
            .executions
            .get(id)
            .and_then(|one| one.runbook.main_steps.get(index));
        let inputs = rule.and_then(|rule| self.executions.get(id)?.fill(&rule.inputs).ok());
        let Some(inputs) = inputs else {
            return false;
        };
        if !approvers(&inputs)
            .iter()
            .any(|approver| is_approver(approver, who))
        {
            return false;
        }
        let Some(step) = self.step_mut(id, index) else {
            return false;
        };
        step.decisions.insert(who.to_owned(), approves);
        let decisions = step.decisions.iter().map(|(who, approves)| {
            json!({"Approver": who, "Decision": if *approves { "Approve" } else { "Reject" }}).to_string()
        });
        let decisions = decisions.collect();
        step.outputs_mut()
            .insert("ApproverDecisions".to_owned(), decisions);
        let said = step.decisions.values().filter(|approves| **approves).count();
        let status = if !approves {
            "Rejected"
        } else if needed(&inputs).is_some_and(|needed| said >= needed) {
            "Approved"
        } else {
            return true;
        };
        step.outputs_mut()
            .insert("ApprovalStatus".to_owned(), vec![status.to_owned()]);
        if approves {
            self.end_step(id, index, Status::Success, None);
        } else {
            let failure = Failure::verification(format!("The approval was rejected by {who}. {SEE_GUIDE}"));
            // Asking again would not be what the approver meant.
            step.attempts = u32::MAX;
            self.end_step(id, index, Status::Failed, Some(failure));
        }
        true
    }

    /// Whether an execution runs in a target location of another.
    fn is_below_locations(&self, id: &str) -> bool {
        let mut next = self.executions.get(id);
        while let Some((parent, _)) = next.and_then(|one| one.parent.as_ref()) {
            next = self.executions.get(parent);
            if next.is_some_and(crate::world::Execution::is_cross_account) {
                return true;
            }
        }
        false
    }
}

fn approvers(inputs: &Value) -> Vec<String> {
    inputs
        .get("Approvers")
        .map(super::command::texts)
        .unwrap_or_default()
}

/// How many have to approve; `None` if what is said is no such number.
fn needed(inputs: &Value) -> Option<usize> {
    match inputs.get("MinRequiredApprovals") {
        None | Some(Value::Null) => Some(1),
        Some(given) => super::whole(given)
            .and_then(|needed| usize::try_from(needed).ok())
            .filter(|needed| *needed > 0),
    }
}

/// Whether the principal `who` is meant: a user by name or ARN, a role by its ARN, a session by its
/// own.
fn is_approver(approver: &str, who: &str) -> bool {
    let user = who.split_once(":user/").map(|(_, name)| name);
    let role = who
        .replacen(":sts:", ":iam:", 1)
        .replacen(":assumed-role/", ":role/", 1);
    let role = role.rsplit_once('/').map(|(role, _)| role);
    approver == who || user == Some(approver) || (user.is_none() && role == Some(approver))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_roles_and_sessions_are_approvers_by_their_names() {
        let user = "arn:aws:iam::111122223333:user/ann";
        assert!(is_approver("ann", user) && is_approver(user, user) && !is_approver("bob", user));
        let session = "arn:aws:sts::111122223333:assumed-role/Admin/ann";
        assert!(is_approver(session, session));
        assert!(is_approver("arn:aws:iam::111122223333:role/Admin", session));
        assert!(
            !is_approver("arn:aws:iam::111122223333:role/Other", session) && !is_approver("ann", session)
        );
    }
}
