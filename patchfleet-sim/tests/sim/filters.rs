//! The filters of executions and of steps: every key of the model.

use crate::fleet::{CENTRAL, Fleet, alone};
use jiff::SignedDuration;
use serde_json::{Value, json};

fn nap(name: &str) -> Value {
    json!({"name": name, "action": "aws:sleep", "inputs": {"Duration": "PT5M"}})
}

fn fleet() -> Fleet {
    let mut fleet = Fleet::of(&alone("", "{ count = 1 }"));
    let parameters = json!({"Id": {"type": "String", "default": ""}});
    let steps = json!([nap("one"), nap("two"), {"name": "three", "action": "aws:copyImage", "inputs": {}}]);
    let content = json!({"schemaVersion": "0.3", "parameters": parameters, "mainSteps": steps});
    fleet.document("Naps", &content);
    fleet.document("Other", &content);
    fleet
}

fn filter(key: &str, value: &str) -> Value {
    json!([{"Key": key, "Values": [value]}])
}

#[test]
fn executions_are_filtered_by_every_key() {
    let mut fleet = fleet();
    let tags = json!([{"Key": "team", "Value": "web"}]);
    let old = fleet.run(json!({"DocumentName": "Other", "Tags": tags}));
    fleet.world.run_until_idle();
    let between = fleet.world.now().to_string();
    fleet.world.advance_by(SignedDuration::from_mins(1));
    let group = fleet.run(json!({
        "DocumentName": "Naps", "TargetParameterName": "Id",
        "Targets": [{"Key": "ResourceGroup", "Values": ["Web"]}],
    }));
    let across = fleet.run(json!({
        "DocumentName": "Naps", "TargetLocations": [{"Accounts": [CENTRAL], "Regions": ["eu-west-1"]}],
    }));
    fleet.world.advance_by(SignedDuration::from_mins(1));
    let child = fleet.execution(&group).steps()[0].child().unwrap().to_owned();
    for (key, value, expected) in [
        ("DocumentNamePrefix", "Oth", vec![&old]),
        ("ExecutionStatus", "Failed", vec![&old]),
        ("ExecutionStatus", "Rejected", vec![]),
        ("ExecutionId", group.as_str(), vec![&group]),
        ("ParentExecutionId", group.as_str(), vec![&child]),
        ("CurrentAction", "aws:sleep", vec![&child]),
        ("StartTimeBefore", between.as_str(), vec![&old]),
        ("StartTimeAfter", between.as_str(), vec![&group, &across, &child]),
        ("AutomationType", "CrossAccount", vec![&across]),
        ("AutomationType", "Local", vec![&old, &group, &child]),
        ("TagKey", "team", vec![&old]),
        ("TargetResourceGroup", "Web", vec![&group]),
        ("TargetResourceGroup", "Db", vec![]),
        ("AutomationSubtype", "ChangeRequest", vec![]),
        ("OpsItemId", "oi-1", vec![]),
    ] {
        let input = json!({"Filters": filter(key, value)});
        let listed = fleet.ssm("DescribeAutomationExecutions", input).unwrap();
        let listed = listed["AutomationExecutionMetadataList"].as_array().unwrap();
        let mut found: Vec<&str> = listed
            .iter()
            .map(|one| one["AutomationExecutionId"].as_str().unwrap())
            .collect();
        let mut expected: Vec<&str> = expected.into_iter().map(String::as_str).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{key} {value}");
    }
}

#[test]
fn steps_are_filtered_by_every_key() {
    let mut fleet = fleet();
    let id = fleet.run(json!({"DocumentName": "Naps"}));
    fleet.world.advance_by(SignedDuration::from_mins(6));
    let shown = fleet.shown(&id);
    let step_id = shown["StepExecutions"][1]["StepExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    let half = fleet.world.start() + SignedDuration::from_mins(3);
    let half = half.to_string();
    for (key, value, expected) in [
        ("StepExecutionStatus", "InProgress", vec!["two"]),
        ("StepExecutionStatus", "Pending", vec!["three"]),
        ("StepExecutionId", step_id.as_str(), vec!["two"]),
        ("StepName", "one", vec!["one"]),
        ("Action", "aws:sleep", vec!["one", "two"]),
        ("StartTimeBefore", half.as_str(), vec!["one"]),
        ("StartTimeAfter", half.as_str(), vec!["two"]),
        ("ParentStepExecutionId", step_id.as_str(), vec![]),
        ("ParentStepIteration", "1", vec![]),
        ("ParentStepIteratorValue", "a", vec![]),
    ] {
        for reverse in [false, true] {
            let input =
                json!({"AutomationExecutionId": id, "Filters": filter(key, value), "ReverseOrder": reverse});
            let listed = fleet.ssm("DescribeAutomationStepExecutions", input).unwrap();
            let found = listed["StepExecutions"].as_array().unwrap().iter();
            let found: Vec<&str> = found.map(|step| step["StepName"].as_str().unwrap()).collect();
            let mut expected = expected.clone();
            if reverse {
                expected.reverse();
            }
            assert_eq!(found, expected, "{key} {value}");
        }
    }
}

#[test]
fn values_that_a_key_cannot_have_and_foreign_tokens_are_refused() {
    let mut fleet = fleet();
    let id = fleet.run(json!({"DocumentName": "Naps"}));
    let mut code = |operation: &str, mut input: Value| {
        if operation == "DescribeAutomationStepExecutions" {
            input["AutomationExecutionId"] = json!(id);
        }
        fleet.ssm(operation, input).unwrap_err().code().to_owned()
    };
    let executions = "DescribeAutomationExecutions";
    let steps = "DescribeAutomationStepExecutions";
    for (operation, key, value) in [
        (executions, "StartTimeBefore", "yesterday"),
        (executions, "ExecutionStatus", "Done"),
        (executions, "AutomationType", "Global"),
        (executions, "AutomationSubtype", "Other"),
        (steps, "StartTimeAfter", "soon"),
        (steps, "StepExecutionStatus", "Done"),
    ] {
        let input = json!({"Filters": filter(key, value)});
        assert_eq!(code(operation, input), "InvalidFilterValue", "{key} {value}");
    }
    for operation in [executions, steps] {
        assert_eq!(code(operation, json!({"NextToken": "AAEA"})), "InvalidNextToken");
    }
}
