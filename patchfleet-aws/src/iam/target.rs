//! The roles of the accounts whose nodes are patched.

use super::{Scope, Statement};
use patchfleet_core::request::{Dispatch, PatchRequest, Selector};

/// What Automation runs with in each account. Nothing where patchfleet sends the commands itself.
pub(super) fn execution(request: &PatchRequest, scope: &Scope<'_>) -> Vec<Statement> {
    if request.automation.dispatch == Dispatch::RunCommand {
        return vec![];
    }
    let central = scope.central.as_str();
    // A runbook that is shared belongs to the central account, a copy to the account itself.
    let mut runbooks = vec![scope.document(central), scope.definition(central)];
    if central != "*" {
        runbooks.extend([scope.document("*"), scope.definition("*")]);
    }
    runbooks.push(scope.executions("*"));
    runbooks.dedup();
    let mut statements = vec![
        Statement::new("StartTheRunbook", &["ssm:StartAutomationExecution"], runbooks),
        Statement::new(
            "HandItselfToAutomation",
            &["iam:PassRole"],
            scope.roles(&request.automation.execution_role),
        )
        .only_if("StringEquals", "iam:PassedToService", "ssm.amazonaws.com"),
        patching(scope, "*"),
        Statement::new(
            "FollowTheExecution",
            &["ssm:GetAutomationExecution"],
            vec![scope.executions("*")],
        ),
        Statement::everywhere(
            "FollowTheCommand",
            &[
                "ssm:DescribeInstanceInformation",
                "ssm:ListCommandInvocations",
                "ssm:ListCommands",
            ],
        ),
    ];
    if matches!(request.targets.selector, Selector::ResourceGroup(_)) {
        statements.push(Statement::everywhere(
            "FindTheNodesOfTheGroup",
            &["resource-groups:ListGroupResources", "tag:GetResources"],
        ));
    }
    statements
}

/// Sending the command that patches to the nodes of an account.
fn patching(scope: &Scope<'_>, account: &str) -> Statement {
    let mut resources = vec![scope.ssm("", "document/AWS-RunPatchBaseline")];
    resources.extend(scope.nodes(account));
    Statement::new("PatchTheNodes", &["ssm:SendCommand"], resources)
}

/// What patchfleet reads with in each other account, and what it sends commands with if the request says so.
pub(super) fn discovery(request: &PatchRequest, scope: &Scope<'_>) -> Vec<Statement> {
    if request.automation.dispatch == Dispatch::RunCommand {
        let mut statements = reading(request, scope, "*");
        if request.access.send_role.is_none() {
            statements.extend(sends(scope, "*"));
        }
        return statements;
    }
    let mut runbooks = vec![scope.document(&scope.central), scope.document("*")];
    runbooks.dedup();
    let mut statements = vec![Statement::new(
        "TheRunbookAsTheAccountSeesIt",
        &["ssm:GetDocument"],
        runbooks,
    )];
    statements.extend(reading(request, scope, "*"));
    statements
}

/// What patchfleet sends commands with in each other account, if that is a role of its own.
pub(super) fn sending(request: &PatchRequest, scope: &Scope<'_>) -> Vec<Statement> {
    match request.access.send_role {
        Some(_) => sends(scope, "*"),
        None => vec![],
    }
}

/// Sending commands to the nodes of an account, and cancelling them.
pub(super) fn sends(scope: &Scope<'_>, account: &str) -> Vec<Statement> {
    vec![patching(scope, account), stopping_commands()]
}

fn stopping_commands() -> Statement {
    Statement::everywhere("StopCommands", &["ssm:CancelCommand"])
}

/// What is read in an account whose nodes are patched, in the central account too. Where Automation patches, it is also
/// what stops it.
pub(super) fn reading(request: &PatchRequest, scope: &Scope<'_>, account: &str) -> Vec<Statement> {
    // A Region that is named is looked up too: one that is disabled in the account is skipped there.
    let mut holds = vec!["account:ListRegions", "ssm:DescribeInstanceInformation"];
    // What a group or a search depends on (service authorization reference of Resource Groups).
    let depends_on = [
        "cloudformation:DescribeStacks",
        "cloudformation:ListStackResources",
        "tag:GetResources",
    ];
    match request.targets.selector {
        Selector::ResourceGroup(_) => {
            holds.push("resource-groups:ListGroupResources");
            holds.extend(depends_on);
        }
        Selector::Tags(_) => {
            holds.push("resource-groups:SearchResources");
            holds.extend(depends_on);
        }
        Selector::AllManaged | Selector::NodeIds(_) => {}
    }
    if request.budget.labels.iter().any(|label| label.by.tag().is_some()) {
        // The values of the tag by which nodes are told apart.
        holds.push("tag:GetResources");
    }
    holds.sort_unstable();
    holds.dedup();
    let mut became = vec!["ssm:ListCommandInvocations", "ssm:ListCommands"];
    if request.automation.dispatch == Dispatch::Automation {
        became.insert(0, "ssm:DescribeAutomationExecutions");
    }
    if request.patch.baseline_override.is_some() {
        became.push("ssm:GetCommandInvocation");
    }
    let mut statements = vec![
        Statement::everywhere("WhatTheAccountHolds", &holds),
        Statement::everywhere("WhatBecameOfIt", &became),
    ];
    let executions = [
        Statement::new(
            "TheStepsOfAnExecution",
            &[
                "ssm:DescribeAutomationStepExecutions",
                "ssm:GetAutomationExecution",
            ],
            vec![scope.executions(account)],
        ),
        // For `patchfleet stop`: what an execution began here.
        Statement::new(
            "StopExecutions",
            &["ssm:StopAutomationExecution"],
            vec![scope.executions(account)],
        ),
    ];
    if request.automation.dispatch == Dispatch::Automation {
        statements.extend(executions);
        statements.push(stopping_commands());
    }
    // Its resources are nodes since 2026, and were none before (service authorization reference).
    statements.push(Statement::everywhere(
        "ThePatchStatesOfItsNodes",
        &["ssm:DescribeInstancePatchStates", "ssm:DescribeInstancePatches"],
    ));
    statements
}
