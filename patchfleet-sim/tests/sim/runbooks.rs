//! Documents of one's own: what the interpreter makes of steps that jump, fail and are tried again.

use crate::fleet::Fleet;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// A node whose Install takes a quarter of an hour or more, in the management account.
const SLOW: &str = r#"
    management_account = "111111111111"
    accounts = [{ id = "111111111111", name = "Main" }]
    groups = [{ name = "Web", accounts = ["111111111111"], regions = ["us-east-1"], nodes = [{ count = 1, patch = { minutes = 20.0 } }] }]
"#;

/// Starts a document of these steps; gives the execution's id.
fn start(fleet: &mut Fleet, steps: &Value) -> String {
    let content = json!({"schemaVersion": "0.3", "mainSteps": steps}).to_string();
    let document = json!({"Name": "Mine", "DocumentType": "Automation", "Content": content});
    fleet.ssm("CreateDocument", document).unwrap();
    let started = fleet
        .ssm("StartAutomationExecution", json!({"DocumentName": "Mine"}))
        .unwrap();
    started["AutomationExecutionId"].as_str().unwrap().to_owned()
}

fn install(extra: Value) -> Value {
    let mut step = json!({
        "name": "run", "action": "aws:runCommand",
        "inputs": {
            "DocumentName": "AWS-RunPatchBaseline",
            "Targets": [{"Key": "resource-groups:Name", "Values": ["Web"]}],
            "Parameters": {"Operation": "Install"},
        },
    });
    for (key, value) in extra.as_object().unwrap() {
        step[key] = value.clone();
    }
    step
}

#[test]
fn a_long_document_does_not_overflow_the_stack() {
    let mut fleet = Fleet::of(SLOW);
    let steps: Vec<Value> = (0..1100)
        .map(|n| json!({"name": format!("s{n}"), "action": "x", "onFailure": "Continue"}))
        .collect();
    let id = start(&mut fleet, &json!(steps));
    fleet.world.run_until_idle();
    assert_eq!(fleet.execution(&id).status().as_str(), "Success");
    assert_eq!(
        fleet
            .step_statuses(&id)
            .iter()
            .filter(|one| one.as_str() == "Failed")
            .count(),
        1100
    );
}

#[test]
fn steps_that_lead_back_for_ever_fail_their_execution() {
    let mut fleet = Fleet::of(SLOW);
    let steps = json!([
        {"name": "there", "action": "x", "onFailure": "step:back"},
        {"name": "back", "action": "x", "onFailure": "step:there"},
    ]);
    let id = start(&mut fleet, &steps);
    fleet.world.run_until_idle();
    let execution = fleet.execution(&id);
    assert_eq!(execution.status().as_str(), "Failed");
    assert!(execution.failure().unwrap().contains("endless loop"));
}

#[test]
fn a_step_that_is_tried_again_has_nothing_to_do_with_its_earlier_command() {
    let mut fleet = Fleet::of(SLOW);
    let steps = json!([install(json!({"timeoutSeconds": 600, "onFailure": "step:run"}))]);
    let id = start(&mut fleet, &steps);
    fleet.world.advance_by(SignedDuration::from_secs(700));
    let shown = fleet
        .ssm("GetAutomationExecution", json!({"AutomationExecutionId": id}))
        .unwrap();
    let step = &shown["AutomationExecution"]["StepExecutions"][0];
    assert_eq!(step["StepStatus"], "InProgress");
    assert_eq!(step.get("ExecutionEndTime"), None);
    assert_eq!(step.get("FailureMessage"), None);
    // By now the first command has succeeded; the step waits for its third.
    fleet.world.advance_by(SignedDuration::from_mins(28));
    let ended: Vec<&str> = fleet.world.commands().map(|one| one.status().1).collect();
    assert!(ended.contains(&"Success"), "{ended:?}");
    assert_eq!(fleet.execution(&id).status().as_str(), "InProgress");
}

#[test]
fn what_send_command_would_refuse_fails_its_step() {
    let with = |key: &str, value: Value| {
        let mut step = install(json!({}));
        step["inputs"][key] = value;
        step
    };
    let ids: Vec<String> = (0..51).map(|n| format!("i-{n:017x}")).collect();
    let target = json!({"Key": "tag:Env", "Values": ["prod"]});
    for (step, part) in [
        (with("TimeoutSeconds", json!(0)), "'timeoutSeconds'"),
        (with("TimeoutSeconds", json!(2_592_001)), "'timeoutSeconds'"),
        (with("InstanceIds", json!(ids)), "'instanceIds'"),
        (with("Targets", json!(vec![target; 6])), "'targets'"),
        (with("Comment", json!("x".repeat(101))), "'comment'"),
        (
            with("Targets", json!([{"Key": "tag:Team+Ops", "Values": ["a"]}])),
            "'targets.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern",
        ),
        (with("MaxConcurrency", json!("half")), "'maxConcurrency'"),
        (
            with("InstanceIds", json!([ids[0]])),
            "Either InstanceIds or Targets name the nodes, not both.",
        ),
    ] {
        let mut fleet = Fleet::of(SLOW);
        let id = start(&mut fleet, &json!([step]));
        fleet.world.run_until_idle();
        let failure = fleet.execution(&id).failure().unwrap_or_default();
        assert!(
            failure.contains("ValidationException") && failure.contains(part),
            "{part}: {failure}"
        );
        assert_eq!(fleet.world.commands().count(), 0);
    }
}

#[test]
fn a_critical_steps_timeout_is_the_executions_and_another_steps_is_not() {
    for (extra, expected) in [
        (json!({}), "TimedOut"),
        (json!({"isCritical": false}), "Success"),
        (json!({"onFailure": "Continue"}), "Success"),
        (json!({"onFailure": "Continue", "isCritical": true}), "TimedOut"),
    ] {
        let mut fleet = Fleet::of(SLOW);
        let mut step = install(json!({"timeoutSeconds": 60}));
        for (key, value) in extra.as_object().unwrap() {
            step[key] = value.clone();
        }
        let id = start(&mut fleet, &json!([step]));
        fleet.world.run_until_idle();
        assert_eq!(fleet.execution(&id).status().as_str(), expected, "{extra}");
        assert_eq!(fleet.step_statuses(&id)[0].as_str(), "TimedOut");
    }
}

/// A document of the structure that the second post's sample gives its account: one runCommand
/// step over a resource group whose name and pace stand in the document, two hours, Abort. The
/// values are those that its stack fills in.
const SCHEDULED: &str = r#"
description: Runs AWS-RunPatchBaseline on the managed instances of a resource group
schemaVersion: '0.3'
assumeRole: '{{ AutomationAssumeRole }}'
parameters:
  AutomationAssumeRole:
    type: String
    description: The role that Automation assumes
  Operation:
    type: String
    description: Scan or Install
    default: Scan
  RebootOption:
    type: String
    default: RebootIfNeeded
  InstallOverrideList:
    type: String
    default: ""
  SnapshotId:
    type: String
    default: ""
mainSteps:
  - name: runPatchBaseline
    action: aws:runCommand
    timeoutSeconds: 7200
    onFailure: Abort
    inputs:
      DocumentName: AWS-RunPatchBaseline
      Targets:
        - Key: resource-groups:Name
          Values:
            - Web
      Parameters:
        Operation: '{{ Operation }}'
        RebootOption: '{{ RebootOption }}'
        InstallOverrideList: '{{ InstallOverrideList }}'
        SnapshotId: '{{ SnapshotId }}'
      MaxConcurrency: 10%
      MaxErrors: 10%
"#;

#[test]
fn the_runbook_of_the_second_post_runs_over_accounts_and_regions() {
    let mut fleet = Fleet::with_nodes(r#"{ count = 3 }, { count = 1, kind = "hybrid" }"#);
    let name = "Automation-RunPatchBaseline";
    let document =
        json!({"Name": name, "DocumentType": "Automation", "DocumentFormat": "YAML", "Content": SCHEDULED});
    fleet.ssm("CreateDocument", document).unwrap();
    let snapshot = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
    let id = fleet.run(json!({
        "DocumentName": name,
        "Parameters": {
            "AutomationAssumeRole": [crate::fleet::ADMIN_ROLE],
            "Operation": ["Install"],
            "RebootOption": ["NoReboot"],
            "SnapshotId": [snapshot],
        },
        "TargetLocations": [{
            "Accounts": ["222222222222"], "Regions": ["us-east-1"],
            "TargetLocationMaxConcurrency": "1", "TargetLocationMaxErrors": "1",
            "ExecutionRoleName": "AWS-SystemsManager-AutomationExecutionRole",
        }],
    }));
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Success");
    let child = fleet.execution(&id).steps()[0].child().unwrap().to_owned();
    fleet.caller = fleet.within("222222222222", "us-east-1");
    let step = fleet.shown(&child)["StepExecutions"][0].clone();
    assert_eq!(step["StepName"], "runPatchBaseline");
    assert_eq!(step["OnFailure"], "Abort");
    assert_eq!(step["TimeoutSeconds"], 7200);
    assert_eq!(step["Inputs"]["MaxConcurrency"], "\"10%\"");
    let command = fleet.world.commands().next().unwrap();
    assert_eq!(step["Outputs"]["CommandId"], json!([command.id()]));
    assert_eq!(command.invocations().len(), 4);
    for node in fleet.world.nodes() {
        assert_eq!(node.installs(), 1);
        let report = node.report().unwrap();
        assert_eq!(report.snapshot.as_deref(), Some(snapshot));
        assert_eq!(report.reboot_option.as_deref(), Some("NoReboot"));
        assert!(node.patches().pending_reboot > 0);
    }
}
