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
        (with("TimeoutSeconds", json!(0)), "TimeoutSeconds"),
        (with("TimeoutSeconds", json!(2_592_001)), "TimeoutSeconds"),
        (with("InstanceIds", json!(ids)), "50 InstanceIds"),
        (with("Targets", json!(vec![target; 6])), "5 Targets"),
        (with("Comment", json!("x".repeat(101))), "Comment"),
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
