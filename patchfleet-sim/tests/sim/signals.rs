//! SendAutomationSignal: approvals, pauses, and executions that are run step by step.

use crate::fleet::{CENTRAL, Fleet, alone};
use jiff::SignedDuration;
use patchfleet_sim::world::Status;
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::111111111111:role/AWS-SystemsManager-AutomationExecutionRole";

fn nap(name: &str) -> Value {
    json!({"name": name, "action": "aws:sleep", "inputs": {"Duration": "PT1M"}})
}

/// Starts a runbook of these steps and waits until it waits.
fn started(steps: Value, more: Value) -> (Fleet, String) {
    let mut fleet = Fleet::of(&alone("", "{ count = 1 }"));
    fleet.document("Mine", &json!({"schemaVersion": "0.3", "mainSteps": steps}));
    let mut input = json!({"DocumentName": "Mine"});
    input
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let id = fleet.run(input);
    fleet.world.advance_by(SignedDuration::from_secs(5));
    (fleet, id)
}

fn signal(fleet: &mut Fleet, id: &str, kind: &str, payload: Value) -> Result<(), String> {
    let mut input = json!({"AutomationExecutionId": id, "SignalType": kind});
    if !payload.is_null() {
        input["Payload"] = payload;
    }
    let sent = fleet.ssm("SendAutomationSignal", input);
    sent.map(|output| assert_eq!(output, json!({})))
        .map_err(|error| error.code().to_owned())
}

fn invalid() -> Result<(), String> {
    Err("InvalidAutomationSignalException".to_owned())
}

fn approval(more: Value) -> Value {
    let mut step =
        json!({"name": "ask", "action": "aws:approve", "inputs": {"Approvers": ["administrator", ROLE]}});
    for (key, value) in more.as_object().unwrap() {
        step["inputs"][key] = value.clone();
    }
    json!([step, nap("nap")])
}

#[test]
fn an_approval_waits_until_enough_have_approved() {
    let (mut fleet, id) = started(approval(json!({"MinRequiredApprovals": 2})), json!({}));
    assert_eq!(fleet.status(&id), "Waiting");
    assert_eq!(fleet.steps(&id), [("ask", "Waiting"), ("nap", "Pending")]);
    let shown = fleet.shown(&id);
    assert_eq!(shown["CurrentAction"], "aws:approve");
    assert_eq!(shown["StepExecutions"][0]["TimeoutSeconds"], 604_800);
    assert_eq!(
        shown["StepExecutions"][0]["Outputs"]["ApprovalStatus"],
        json!(["Waiting"])
    );
    let comment = json!({"Comment": ["Looks good"]});
    assert_eq!(signal(&mut fleet, &id, "Approve", comment), Ok(()));
    assert_eq!(signal(&mut fleet, &id, "Approve", Value::Null), Ok(()));
    assert_eq!(fleet.status(&id), "Waiting", "one approver counts once");
    let administrator = fleet.caller.clone();
    fleet.caller = fleet.within(CENTRAL, "us-east-1");
    assert_eq!(signal(&mut fleet, &id, "Approve", Value::Null), Ok(()));
    fleet.caller = administrator;
    let outputs = fleet.shown(&id)["StepExecutions"][0]["Outputs"].clone();
    assert_eq!(outputs["ApprovalStatus"], json!(["Approved"]));
    assert_eq!(outputs["ApproverDecisions"].as_array().unwrap().len(), 2);
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Success");
    assert_eq!(signal(&mut fleet, &id, "Approve", Value::Null), invalid());
}

#[test]
fn a_rejection_fails_the_step_and_nobody_else_has_a_say() {
    let (mut fleet, id) = started(approval(json!({"MinRequiredApprovals": 2})), json!({}));
    assert_eq!(signal(&mut fleet, &id, "Reject", Value::Null), Ok(()));
    fleet.world.run_until_idle();
    assert_eq!(fleet.steps(&id), [("ask", "Failed"), ("nap", "Pending")]);
    assert_eq!(fleet.status(&id), "Failed");
    let (mut fleet, id) = started(approval(json!({"Approvers": ["ann"]})), json!({}));
    assert_eq!(signal(&mut fleet, &id, "Approve", Value::Null), invalid());
    assert_eq!(fleet.status(&id), "Waiting");
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "TimedOut", "after seven days");
}

#[test]
fn a_rejection_is_not_asked_again() {
    let mut steps = approval(json!({}));
    steps[0]["maxAttempts"] = json!(3);
    let (mut fleet, id) = started(steps, json!({}));
    assert_eq!(signal(&mut fleet, &id, "Reject", Value::Null), Ok(()));
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Failed");
}

#[test]
fn approvers_that_cannot_be_enough_fail_the_step() {
    for inputs in [
        json!({"Approvers": []}),
        json!({"MinRequiredApprovals": 3}),
        json!({"MinRequiredApprovals": 0}),
        json!({"Approvers": (0..11).map(|n| format!("user{n}")).collect::<Vec<_>>()}),
    ] {
        let (mut fleet, id) = started(approval(inputs.clone()), json!({}));
        fleet.world.run_until_idle();
        assert_eq!(fleet.status(&id), "Failed", "{inputs}");
    }
}

#[test]
fn an_approval_is_not_for_other_locations() {
    let locations = json!([{"Accounts": [CENTRAL], "Regions": ["us-east-1"]}]);
    let (mut fleet, id) = started(approval(json!({})), json!({"TargetLocations": locations}));
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Failed");
    let failure = fleet.execution(&id).steps()[0].failure().unwrap();
    assert!(failure.contains("doesn't support multi-account"), "{failure}");
}

#[test]
fn a_pause_ends_by_resume_with_its_name() {
    let steps = json!([{"name": "stop", "action": "aws:pause", "inputs": {}}, nap("nap")]);
    let (mut fleet, id) = started(steps, json!({}));
    assert_eq!(fleet.status(&id), "Waiting");
    assert_eq!(signal(&mut fleet, &id, "Resume", Value::Null), invalid());
    let nowhere = json!({"StepName": ["nowhere"]});
    let missing = Err("AutomationStepNotFoundException".to_owned());
    assert_eq!(signal(&mut fleet, &id, "Resume", nowhere), missing);
    assert_eq!(
        signal(&mut fleet, &id, "Resume", json!({"StepName": ["nap"]})),
        invalid()
    );
    assert_eq!(signal(&mut fleet, &id, "Approve", Value::Null), invalid());
    assert_eq!(
        signal(&mut fleet, &id, "Resume", json!({"StepName": ["stop"]})),
        Ok(())
    );
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Success");
}

#[test]
fn an_interactive_execution_waits_before_every_step_and_is_completed() {
    let (mut fleet, id) = started(json!([nap("one"), nap("two")]), json!({"Mode": "Interactive"}));
    let start = |fleet: &mut Fleet, name: &str| {
        let sent = signal(fleet, &id, "StartStep", json!({"StepName": [name]}));
        fleet.world.run_until_idle();
        sent
    };
    assert_eq!(fleet.status(&id), "Waiting");
    assert_eq!(
        start(&mut fleet, "three"),
        Err("AutomationStepNotFoundException".to_owned())
    );
    assert_eq!(start(&mut fleet, "one"), Ok(()));
    assert_eq!(fleet.status(&id), "Waiting");
    assert_eq!(fleet.steps(&id), [("one", "Success"), ("two", "Pending")]);
    assert_eq!(start(&mut fleet, "two"), Ok(()));
    assert_eq!(fleet.status(&id), "Waiting", "until somebody completes it");
    let complete = json!({"AutomationExecutionId": id, "Type": "Complete"});
    fleet.ssm("StopAutomationExecution", complete).unwrap();
    assert_eq!(fleet.status(&id), "Success");
}

#[test]
fn an_interactive_execution_runs_one_step_at_a_time_and_a_step_can_be_stopped() {
    let (mut fleet, id) = started(json!([nap("one"), nap("two")]), json!({"Mode": "Interactive"}));
    signal(&mut fleet, &id, "StartStep", json!({"StepName": ["one"]})).unwrap();
    assert_eq!(fleet.status(&id), "InProgress");
    assert_eq!(
        signal(&mut fleet, &id, "StartStep", json!({"StepName": ["two"]})),
        invalid()
    );
    let steps = fleet.shown(&id)["StepExecutions"].clone();
    let by_id = |n: usize| json!({"StepExecutionId": [steps[n]["StepExecutionId"]]});
    assert_eq!(signal(&mut fleet, &id, "StopStep", by_id(1)), invalid());
    let nobody = json!({"StepExecutionId": ["97fff367-fc5a-4299-aed8-0123456789ab"]});
    assert_eq!(
        signal(&mut fleet, &id, "StopStep", nobody),
        Err("AutomationStepNotFoundException".to_owned())
    );
    assert_eq!(signal(&mut fleet, &id, "StopStep", by_id(0)), Ok(()));
    assert_eq!(fleet.step_statuses(&id), [Status::Cancelled, Status::Pending]);
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Waiting");
    signal(&mut fleet, &id, "StartStep", json!({"StepName": ["two"]})).unwrap();
    fleet.world.run_until_idle();
    let complete = json!({"AutomationExecutionId": id, "Type": "Complete"});
    fleet.ssm("StopAutomationExecution", complete).unwrap();
    assert_eq!(fleet.status(&id), "Cancelled", "one of its steps was");
}

#[test]
fn a_step_that_is_stopped_takes_its_execution_along_unless_the_document_says_otherwise() {
    for (on_failure, rest, expected) in [
        ("Abort", "Pending", "Cancelled"),
        ("Continue", "Success", "Success"),
    ] {
        let mut first = nap("one");
        first["onFailure"] = json!(on_failure);
        let (mut fleet, id) = started(json!([first, nap("two")]), json!({}));
        let step = fleet.shown(&id)["StepExecutions"][0]["StepExecutionId"].clone();
        let stop = json!({"StepExecutionId": [step]});
        assert_eq!(signal(&mut fleet, &id, "StopStep", stop), Ok(()));
        fleet.world.run_until_idle();
        assert_eq!(fleet.steps(&id), [("one", "Cancelled"), ("two", rest)]);
        assert_eq!(fleet.status(&id), expected);
    }
}

#[test]
fn an_execution_that_is_completed_while_it_waits_still_takes_the_approval() {
    let (mut fleet, id) = started(approval(json!({})), json!({}));
    let complete = json!({"AutomationExecutionId": id, "Type": "Complete"});
    fleet.ssm("StopAutomationExecution", complete).unwrap();
    assert_eq!(fleet.status(&id), "Waiting");
    assert_eq!(signal(&mut fleet, &id, "Approve", Value::Null), Ok(()));
    assert_eq!(fleet.steps(&id), [("ask", "Success"), ("nap", "Pending")]);
    assert_eq!(fleet.status(&id), "Cancelled");
}

#[test]
fn signals_that_nothing_waits_for_are_invalid() {
    let (mut fleet, id) = started(json!([nap("one"), nap("two")]), json!({}));
    for (kind, payload) in [
        ("Approve", Value::Null),
        ("Reject", Value::Null),
        ("Revoke", Value::Null),
        ("StartStep", json!({"StepName": ["two"]})),
        ("StartStep", Value::Null),
        ("StopStep", json!({"StepName": ["one"]})),
    ] {
        assert_eq!(signal(&mut fleet, &id, kind, payload), invalid(), "{kind}");
    }
    let nobody = "00000000-0000-0000-0000-000000000000";
    assert_eq!(
        signal(&mut fleet, nobody, "Approve", Value::Null),
        Err("AutomationExecutionNotFoundException".to_owned())
    );
    let interactive = json!({"DocumentName": "Mine", "Mode": "Interactive",
        "TargetLocations": [{"Accounts": [CENTRAL], "Regions": ["us-east-1"]}]});
    let error = fleet.ssm("StartAutomationExecution", interactive).unwrap_err();
    assert_eq!(error.code(), "InvalidAutomationExecutionParametersException");
}
