//! What other people do while a campaign runs.

use super::{Draft, EXECUTION_ROLE, GROUP, MAIN, REGIONS, RUNBOOK};
use patchfleet_core::runbook::Runbook;
use serde_json::{Value, json};

/// What somebody else does, at a second after the start.
#[derive(Debug, Clone)]
pub(crate) struct Hand {
    pub(crate) at: u32,
    pub(crate) deed: Deed,
    /// Which location, if the deed is done in one: an index into [`Draft::places`], taken modulo.
    pub(super) place: usize,
    /// How many nodes, if the deed is done to some.
    pub(super) count: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    LeaveGroup,
    JoinGroup,
    DeleteGroup,
    Stop,
    Terminate,
    Start,
    LoseAgent,
    GainAgent,
    TakeRole,
    DenyResults,
    DenySending,
    CancelExecutions,
    CancelChildren,
    CancelCommands,
    ReplaceRunbook,
    DeleteRunbook,
    CopyAppears,
    Alarm,
}

impl Hand {
    /// The account and Region in which the deed is done, if it is done in one.
    pub(crate) fn location(&self, draft: &Draft) -> (String, String) {
        Draft::location(self.place % draft.places.len())
    }

    /// Whether it is done to nodes or their group alone.
    pub(crate) fn is_of_nodes(&self) -> bool {
        match self.deed {
            Deed::LeaveGroup
            | Deed::JoinGroup
            | Deed::DeleteGroup
            | Deed::Stop
            | Deed::Terminate
            | Deed::Start
            | Deed::LoseAgent
            | Deed::GainAgent => true,
            Deed::TakeRole
            | Deed::DenyResults
            | Deed::DenySending
            | Deed::CancelExecutions
            | Deed::CancelChildren
            | Deed::CancelCommands
            | Deed::ReplaceRunbook
            | Deed::DeleteRunbook
            | Deed::CopyAppears
            | Deed::Alarm => false,
        }
    }

    pub(super) fn change(&self, places: usize) -> Value {
        let (account, region) = Draft::location(self.place % places);
        let here = json!({ "accounts": [account], "regions": [region] });
        let with = |key: &str, value: Value| {
            let mut place = here.clone();
            place[key] = value;
            place
        };
        let some = with("count", json!(self.count));
        let members = {
            let mut members = some.clone();
            members["group"] = json!(GROUP);
            members
        };
        let change = match self.deed {
            Deed::LeaveGroup => json!({ "leave_group": { "group": GROUP, "nodes": some } }),
            Deed::JoinGroup => json!({ "join_group": { "group": GROUP, "nodes": some } }),
            Deed::DeleteGroup => json!({ "delete_group": with("group", json!(GROUP)) }),
            Deed::Stop => json!({ "stop": members }),
            Deed::Terminate => json!({ "terminate": members }),
            Deed::Start => json!({ "start": members }),
            Deed::LoseAgent => json!({ "lose_agent": members }),
            Deed::GainAgent => json!({ "gain_agent": members }),
            Deed::TakeRole => json!({ "role": {
                "name": EXECUTION_ROLE, "accounts": [account], "state": "missing",
            } }),
            Deed::DenyResults => json!({ "role": {
                "name": EXECUTION_ROLE, "accounts": [account],
                "deny": ["ssm:DescribeInstancePatchStates", "ssm:ListCommandInvocations"],
            } }),
            Deed::DenySending => json!({ "role": {
                "name": EXECUTION_ROLE, "accounts": [account],
                "deny": ["ssm:SendCommand", "resource-groups:ListGroupResources"],
            } }),
            Deed::CancelExecutions => {
                json!({ "cancel_executions": { "accounts": [MAIN], "regions": [REGIONS[0]] } })
            }
            Deed::CancelChildren => json!({ "cancel_executions": here }),
            Deed::CancelCommands => json!({ "cancel_commands": here }),
            Deed::ReplaceRunbook => json!({ "update_document": {
                "document": { "name": RUNBOOK }, "content": another_runbook(),
            } }),
            Deed::DeleteRunbook => json!({ "delete_document": { "name": RUNBOOK } }),
            Deed::CopyAppears => json!({ "create_document": {
                "name": RUNBOOK, "account": account, "regions": [region], "content": another_runbook(),
            } }),
            Deed::Alarm => json!({ "alarm": here }),
        };
        json!({ "at": self.at, "change": change })
    }
}

/// A runbook that somebody puts in the place of patchfleet's. It takes the same parameters, so AWS
/// starts it as readily.
fn another_runbook() -> String {
    let mut runbook: Value = serde_json::from_str(&Runbook::default().to_json()).unwrap();
    runbook["description"] = json!("Somebody else's.");
    runbook.to_string()
}
