//! StartAutomationExecution: what is refused before anything happens, and what is started once.

use crate::fleet::{Fleet, start_input};
use serde_json::{Value, json};

const TOKEN: &str = "01234567-89AB-cdef-0123-456789abcdef";

fn refused(change: impl FnOnce(&mut Value)) -> (String, String) {
    let mut fleet = Fleet::with_nodes("{ count = 1 }");
    let mut input = start_input(&["222222222222"], &["us-east-1"]);
    change(&mut input);
    let error = fleet.ssm("StartAutomationExecution", input).unwrap_err();
    assert_eq!(fleet.world.executions().count(), 0, "nothing was started");
    (error.code().to_owned(), error.message().to_owned())
}

#[test]
fn the_same_token_with_the_same_parameters_starts_once_and_with_others_is_refused() {
    let mut fleet = Fleet::with_nodes("{ count = 1 }");
    let with_token = |input: &mut Value| input["ClientToken"] = json!(TOKEN);
    let first = fleet.start(&["222222222222"], &["us-east-1"], with_token);
    fleet.world.run_until_idle();
    let second = fleet.start(&["222222222222"], &["us-east-1"], |input| {
        input["ClientToken"] = json!(TOKEN.to_ascii_lowercase());
    });
    assert_eq!(first, second);
    let mut other = start_input(&["222222222222"], &["us-west-2"]);
    other["ClientToken"] = json!(TOKEN);
    let error = fleet.ssm("StartAutomationExecution", other).unwrap_err();
    assert_eq!(error.code(), "IdempotentParameterMismatch");
    let parents = fleet.world.executions().filter(|one| one.is_cross_account());
    assert_eq!(parents.count(), 1);
}

#[test]
fn parameters_that_the_document_does_not_allow_are_refused() {
    let invalid = "InvalidAutomationExecutionParametersException";
    assert_eq!(
        refused(|input| input["Parameters"]["Operation"] = json!(["Remove"])).0,
        invalid
    );
    assert_eq!(
        refused(|input| input["Parameters"]["Colour"] = json!(["red"])).0,
        invalid
    );
    assert_eq!(
        refused(|input| input["Parameters"]["Targets"] = json!(["not JSON"])).0,
        invalid
    );
}

#[test]
fn an_assume_role_that_cannot_be_assumed_is_refused_in_awss_words() {
    for role in [
        "arn:aws:iam::111111111111:role/Nobody",
        "arn:aws:iam::222222222222:role/Elsewhere",
    ] {
        let (code, message) = refused(|input| input["Parameters"]["AutomationAssumeRole"] = json!([role]));
        assert_eq!(code, "InvalidAutomationExecutionParametersException");
        assert_eq!(message, "The defined assume role is unable to be assumed.");
    }
}

#[test]
fn unknown_documents_and_versions_have_their_own_errors() {
    assert_eq!(
        refused(|input| input["DocumentName"] = json!("Nothing")).0,
        "AutomationDefinitionNotFoundException"
    );
    for (name, told) in [
        ("Nothing", false),
        ("AWS-RestartEC2Instance", true),
        ("AWSSupport-ExecuteEC2Rescue", true),
        ("arn:aws:ssm:us-east-1::document/AWS-RestartEC2Instance", true),
        // A Command document, not a runbook.
        ("AWS-RunPatchBaseline", true),
    ] {
        let (code, message) = refused(|input| input["DocumentName"] = json!(name));
        assert_eq!(code, "AutomationDefinitionNotFoundException", "{name}");
        assert_eq!(message.contains("(the simulator has"), told, "{message}");
    }
    assert_eq!(
        refused(|input| input["DocumentVersion"] = json!("7")).0,
        "AutomationDefinitionVersionNotFoundException"
    );
}

#[test]
fn what_the_model_forbids_is_a_validation_exception_that_names_every_member() {
    let (code, message) = refused(|input| {
        input["ClientToken"] = json!("short");
        input["Tags"] = json!([{"Key": "", "Value": "x"}]);
        input["TargetLocations"][0]["TargetLocationMaxConcurrency"] = json!("101%");
    });
    assert_eq!(code, "ValidationException");
    assert!(message.starts_with("4 validation errors detected: "), "{message}");
    for member in [
        "clientToken",
        "tags.1.member.key",
        "targetLocations.1.member.targetLocationMaxConcurrency",
    ] {
        assert!(
            message.contains(&format!("at '{member}'")),
            "{member} in {message}"
        );
    }
    let (code, _) = refused(|input| input["Parameters"]["SnapshotId"] = json!([""]));
    assert_eq!(code, "ValidationException", "a value has at least one character");
}

#[test]
fn executions_are_found_by_tag_document_time_and_type() {
    let mut fleet = Fleet::with_nodes("{ count = 1 }");
    let tagged = fleet.start(&["222222222222"], &["us-east-1"], |input| {
        input["Tags"] = json!([{"Key": "campaign", "Value": "1"}]);
    });
    let since = fleet.world.now();
    fleet.world.run_until_idle();
    fleet.start(&["222222222222"], &["us-east-1"], |_| ());
    let mut found = |filters: Value| {
        let listed = fleet
            .ssm("DescribeAutomationExecutions", json!({"Filters": filters}))
            .unwrap();
        let list = listed["AutomationExecutionMetadataList"]
            .as_array()
            .unwrap()
            .iter();
        list.map(|one| one["AutomationExecutionId"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let filter = |key: &str, value: &str| json!({"Key": key, "Values": [value]});
    assert_eq!(
        found(json!([filter("TagKey", "campaign")])),
        std::slice::from_ref(&tagged)
    );
    assert_eq!(
        found(json!([
            filter("DocumentNamePrefix", "Run"),
            filter("AutomationType", "CrossAccount")
        ]))
        .len(),
        2
    );
    assert_eq!(
        found(json!([filter("StartTimeBefore", &since.to_string())])),
        [tagged]
    );
    assert!(found(json!([filter("ExecutionStatus", "Failed")])).is_empty());
    let wrong = fleet
        .ssm(
            "DescribeAutomationExecutions",
            json!({"Filters": [filter("Colour", "red")]}),
        )
        .unwrap_err();
    assert_eq!(wrong.code(), "ValidationException", "the model has the keys");
}

#[test]
fn a_step_action_that_is_not_simulated_fails_the_execution_and_says_so() {
    let mut fleet = Fleet::with_nodes("{ count = 1 }");
    let content = json!({"schemaVersion": "0.3", "mainSteps": [{"name": "run", "action": "aws:executeScript", "inputs": {}}]});
    let document = json!({"Name": "Scripted", "DocumentType": "Automation", "Content": content.to_string()});
    fleet.ssm("CreateDocument", document).unwrap();
    let started = fleet
        .ssm("StartAutomationExecution", json!({"DocumentName": "Scripted"}))
        .unwrap();
    fleet.world.run_until_idle();
    let execution = fleet.execution(started["AutomationExecutionId"].as_str().unwrap());
    assert_eq!(execution.status().as_str(), "Failed");
    assert!(execution.failure().unwrap().contains("aws:executeScript"));
}

#[test]
fn a_step_timeout_may_come_from_a_parameter_and_ends_the_execution_while_the_command_goes_on() {
    let mut fleet = Fleet::of(
        r#"
        management_account = "111111111111"
        accounts = [{ id = "111111111111", name = "Main" }]
        groups = [{ name = "Web", accounts = ["111111111111"], regions = ["us-east-1"], nodes = [{ count = 1, patch = { minutes = 20.0 } }] }]
        "#,
    );
    let content = json!({
        "schemaVersion": "0.3",
        "parameters": {"Wait": {"type": "Integer", "default": 60}},
        "mainSteps": [{
            "name": "run", "action": "aws:runCommand", "timeoutSeconds": "{{ Wait }}",
            "inputs": {
                "DocumentName": "AWS-RunPatchBaseline",
                "Targets": [{"Key": "resource-groups:Name", "Values": ["Web"]}],
                "Parameters": {"Operation": "Install"},
            },
        }],
        "outputs": ["run.CommandId"],
    });
    let document = json!({"Name": "Impatient", "DocumentType": "Automation", "Content": content.to_string()});
    fleet.ssm("CreateDocument", document).unwrap();
    let started = fleet
        .ssm(
            "StartAutomationExecution",
            json!({"DocumentName": "Impatient", "Parameters": {"Wait": ["120"]}}),
        )
        .unwrap();
    fleet.world.run_until_idle();
    let id = started["AutomationExecutionId"].clone();
    let shown = fleet
        .ssm("GetAutomationExecution", json!({"AutomationExecutionId": id}))
        .unwrap();
    let execution = &shown["AutomationExecution"];
    assert_eq!(execution["AutomationExecutionStatus"], "TimedOut");
    assert_eq!(execution["StepExecutions"][0]["TimeoutSeconds"], 120);
    let said = execution["Outputs"]["run.CommandId"][0].as_str().unwrap();
    assert!(said.starts_with("No output available yet"), "{said}");
    assert_eq!(fleet.world.commands().next().unwrap().status().1, "Success");
}

#[test]
fn an_alarm_that_nobody_would_watch_is_refused() {
    let (code, message) = refused(|input| {
        let alarm = json!({"Alarms": [{"Name": "Errors"}]});
        input["TargetLocations"][0]["TargetLocationAlarmConfiguration"] = alarm;
    });
    assert_eq!(code, "InvalidAutomationExecutionParametersException");
    assert!(
        message.contains("Alarms of target locations are not simulated"),
        "{message}"
    );
}

#[test]
fn of_many_wrong_entries_a_hundred_are_worded_and_all_are_counted() {
    let mut fleet = Fleet::with_nodes("{ count = 1 }");
    let long = "k".repeat(100_000);
    let values = |count: usize| vec!["x".repeat(600); count];
    let message = fleet
        .ssm(
            "StartAutomationExecution",
            json!({"DocumentName": "?", "Parameters": {long: values(20_000)}}),
        )
        .unwrap_err()
        .message()
        .to_owned();
    let (count, rest) = message.split_once(" validation errors detected: ").unwrap();
    assert!(count.parse::<usize>().unwrap() > 20_000, "{count}");
    assert_eq!(rest.matches("failed to satisfy constraint").count(), 100);
    assert!(message.len() < 200_000, "{}", message.len());
}
