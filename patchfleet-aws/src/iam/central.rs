//! The roles of the central account.

use super::{Scope, Statement, target};
use patchfleet_core::id::{DocumentName, TargetAccount};
use patchfleet_core::request::{ADMINISTRATION_ROLE, Dispatch, ExternalId, PatchRequest};
use patchfleet_core::runbook;

/// The statement that `runbook ensure` needs.
pub(super) const KEEP: &str = "KeepTheRunbook";

/// Whoever runs patchfleet.
pub(super) fn management(request: &PatchRequest, scope: &Scope<'_>) -> Vec<Statement> {
    let central = scope.central.as_str();
    let mut statements = vec![Statement::everywhere(
        "WhichRegionsThereAre",
        &["account:ListRegions"],
    )];
    let starts = request.automation.dispatch == Dispatch::Automation;
    statements.extend(match starts {
        true => starting(request, scope),
        // How long its commands live follows from the document.
        false => vec![Statement::new(
            "ReadTheCommandDocument",
            &["ssm:GetDocument"],
            vec![scope.ssm("", "document/AWS-RunPatchBaseline")],
        )],
    });
    statements.extend(organization(request));
    if others(request, scope) {
        let mut roles = scope.roles(&request.access.discovery_role);
        if let Some(role) = &request.access.send_role {
            roles.extend(scope.roles(role));
        }
        statements.push(Statement::new("EnterTheAccounts", &["sts:AssumeRole"], roles));
    }
    statements.extend(external_id(request, scope));
    if starts && !scope.document.is_arn() && !scope.document.is_amazons() {
        statements.push(Statement::new(
            "WhoSeesTheRunbook",
            &["ssm:DescribeDocumentPermission"],
            vec![scope.document(central)],
        ));
    }
    let calendars = &request.change_calendars;
    if !calendars.is_empty() {
        let arn = |name: &DocumentName| match name.is_arn() {
            true => name.to_string(),
            false => scope.ssm(central, &format!("document/{name}")),
        };
        let arns = calendars.iter().map(arn).collect();
        statements.push(Statement::new("AskTheCalendars", &["ssm:GetCalendarState"], arns));
    }
    if request.breaker.alarm.is_some() {
        // With a narrower scope CloudWatch shows no composite alarms (API Reference, DescribeAlarms).
        statements.push(Statement::everywhere(
            "AskTheAlarm",
            &["cloudwatch:DescribeAlarms"],
        ));
    }
    if starts && scope.document.as_str() == runbook::NAME {
        statements.push(Statement::new(
            KEEP,
            &[
                "ssm:CreateDocument",
                "ssm:DescribeDocument",
                "ssm:UpdateDocument",
                "ssm:UpdateDocumentDefaultVersion",
            ],
            vec![scope.document(central)],
        ));
    }
    if scope.has_central {
        statements.extend(target::reading(request, scope, central));
        if !starts {
            statements.extend(target::sends(scope, central));
        }
    }
    statements
}

/// What starting, following and stopping automations takes.
fn starting(request: &PatchRequest, scope: &Scope<'_>) -> Vec<Statement> {
    let central = scope.central.as_str();
    vec![
        Statement::new(
            "ReadTheRunbook",
            &["ssm:GetDocument"],
            vec![
                scope.document(central),
                scope.ssm("", "document/AWS-RunPatchBaseline"),
            ],
        ),
        Statement::new(
            "Start",
            &["ssm:StartAutomationExecution"],
            vec![
                scope.document(central),
                scope.definition(central),
                scope.executions(central),
            ],
        ),
        Statement::new(
            "TagWhatIsStarted",
            &["ssm:AddTagsToResource"],
            vec![scope.executions(central)],
        ),
        Statement::new(
            "HandOnTheRole",
            &["iam:PassRole"],
            vec![administration_role(request, scope)],
        )
        .only_if("StringEquals", "iam:PassedToService", "ssm.amazonaws.com"),
        Statement::new(
            "FollowAndStop",
            &[
                "ssm:DescribeAutomationStepExecutions",
                "ssm:GetAutomationExecution",
                "ssm:StopAutomationExecution",
            ],
            vec![scope.executions(central)],
        ),
        Statement::everywhere("FindWhatWasStarted", &["ssm:DescribeAutomationExecutions"]),
    ]
}

/// What Automation runs with in the central account. Nothing where patchfleet sends the commands itself.
pub(super) fn administration(request: &PatchRequest, scope: &Scope<'_>) -> Vec<Statement> {
    if request.automation.dispatch == Dispatch::RunCommand {
        return vec![];
    }
    let roles = scope.roles(&request.automation.execution_role);
    let mut statements = vec![Statement::new("EnterTheAccounts", &["sts:AssumeRole"], roles)];
    if request.breaker.hand_alarm_to_aws {
        // Whatever an automation runs with reads its alarm and stops it (Systems Manager User Guide, "Configuring Automations to
        // monitor CloudWatch Alarms").
        statements.push(Statement::everywhere(
            "ReadTheAlarm",
            &["cloudwatch:DescribeAlarms"],
        ));
        statements.push(Statement::new(
            "StopForTheAlarm",
            &["ssm:StopAutomationExecution"],
            vec![scope.executions(&scope.central)],
        ));
    }
    statements
}

/// The ARN of the administration role.
fn administration_role(request: &PatchRequest, scope: &Scope<'_>) -> String {
    let by_default = || {
        format!(
            "arn:{}:iam::{}:role/{ADMINISTRATION_ROLE}",
            scope.partition, scope.central
        )
    };
    let role = request.automation.assume_role.as_ref();
    role.map_or_else(by_default, ToString::to_string)
}

/// Whether accounts are read that are not the central one.
fn others(request: &PatchRequest, scope: &Scope<'_>) -> bool {
    let is_central = |target: &TargetAccount| target.to_string() == scope.central;
    !request.targets.accounts.iter().all(is_central)
}

/// What reading the organization takes. It takes no resource that could be known here.
fn organization(request: &PatchRequest) -> Option<Statement> {
    let targets = &request.targets;
    let is_unit = |target: &&TargetAccount| matches!(target, TargetAccount::Parent(_));
    let units = targets.accounts.iter().filter(is_unit).count();
    let named = targets.accounts.len() - units;
    let leaves_out_units = targets.exclude_accounts.iter().any(|one| is_unit(&one));
    let mut actions = vec![];
    if named > 0 {
        actions.push("organizations:DescribeAccount");
    }
    if targets.take_the_whole_organization() {
        actions.push("organizations:ListAccounts");
    }
    let mut of_waves = request.waves.iter().flat_map(|wave| &wave.accounts);
    if units > 0 || leaves_out_units || of_waves.any(|one| is_unit(&one)) {
        actions.push("organizations:ListAccountsForParent");
        actions.push("organizations:ListOrganizationalUnitsForParent");
    }
    if request.waves.iter().any(|wave| !wave.account_tags.is_empty()) {
        actions.push("organizations:ListTagsForResource");
    }
    (!actions.is_empty()).then(|| Statement::everywhere("ReadTheOrganization", &actions))
}

/// What reading the external id takes.
fn external_id(request: &PatchRequest, scope: &Scope<'_>) -> Vec<Statement> {
    let central = scope.central.as_str();
    let (action, resource, service) = match &request.access.external_id {
        Some(ExternalId::Ssm(name)) => {
            let name = name.strip_prefix('/').unwrap_or(name);
            let arn = if name.starts_with("arn:") {
                name.to_owned()
            } else {
                scope.ssm(central, &format!("parameter/{name}"))
            };
            ("ssm:GetParameter", arn, "ssm")
        }
        Some(ExternalId::Secret(name)) => {
            let arn = if name.starts_with("arn:") {
                name.clone()
            } else {
                // AWS adds a hyphen and six characters to a secret's name.
                format!(
                    "arn:{}:secretsmanager:*:{central}:secret:{name}-??????",
                    scope.partition
                )
            };
            ("secretsmanager:GetSecretValue", arn, "secretsmanager")
        }
        _ => return vec![],
    };
    let keys = format!("arn:{}:kms:*:{central}:key/*", scope.partition);
    vec![
        Statement::new("ReadTheExternalId", &[action], vec![resource]),
        Statement::new("DecryptTheExternalId", &["kms:Decrypt"], vec![keys]).only_if(
            "StringLike",
            "kms:ViaService",
            format!("{service}.*.amazonaws.com*"),
        ),
    ]
}
