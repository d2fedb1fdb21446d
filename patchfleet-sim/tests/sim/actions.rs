//! The interpreter's actions other than runCommand, and what steps have in common.

use crate::fleet::{CENTRAL, Fleet, alone};
use jiff::SignedDuration;
use patchfleet_sim::world::Status;
use serde_json::{Value, json};

fn fleet() -> Fleet {
    Fleet::of(&alone("", "{ count = 2 }"))
}

fn book(parameters: Value, steps: Value) -> Value {
    json!({"schemaVersion": "0.3", "parameters": parameters, "mainSteps": steps})
}

fn nap(name: &str) -> Value {
    json!({"name": name, "action": "aws:sleep", "inputs": {"Duration": "PT5S"}})
}

fn scan(name: &str) -> Value {
    json!({
        "name": name, "action": "aws:runCommand",
        "inputs": {
            "DocumentName": "AWS-RunPatchBaseline",
            "Targets": [{"Key": "resource-groups:Name", "Values": ["Web"]}],
            "Parameters": {"Operation": "Scan"},
        },
    })
}

/// Why CreateDocument refuses these steps.
fn refused(steps: Value) -> String {
    let content = book(json!({}), steps).to_string();
    let input = json!({"Name": "Mine", "DocumentType": "Automation", "Content": content});
    let error = fleet().ssm("CreateDocument", input).unwrap_err();
    assert_eq!(error.code(), "InvalidDocumentContent");
    error.message().to_owned()
}

#[test]
fn a_branch_goes_to_the_first_choice_that_holds_and_what_it_passes_stays_pending() {
    let steps = json!([
        {"name": "choose", "action": "aws:branch", "inputs": {
            "Choices": [
                {"NextStep": "windows", "Variable": "{{ Platform }}", "StringEquals": "Windows"},
                {"NextStep": "many", "And": [
                    {"Variable": "{{ Platform }}", "StartsWith": "Lin"},
                    {"Not": {"Variable": "{{ Nodes }}", "NumericLesserOrEquals": 10}},
                ]},
            ],
            "Default": "few",
        }},
        {"name": "windows", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}, "isEnd": true},
        {"name": "many", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}, "isEnd": true},
        {"name": "few", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}},
    ]);
    let parameters = json!({"Platform": {"type": "String"}, "Nodes": {"type": "Integer", "default": 3}});
    for (platform, nodes, taken) in [
        ("Windows", "3", "windows"),
        ("Linux", "11", "many"),
        ("Linux", "10", "few"),
    ] {
        let mut fleet = fleet();
        fleet.document("Mine", &book(parameters.clone(), steps.clone()));
        let id = fleet.run(json!({
            "DocumentName": "Mine",
            "Parameters": {"Platform": [platform], "Nodes": [nodes]},
        }));
        fleet.world.run_until_idle();
        assert_eq!(fleet.status(&id), "Success");
        for (name, status) in fleet.steps(&id) {
            let expected = if name == taken || name == "choose" {
                "Success"
            } else {
                "Pending"
            };
            assert_eq!(status, expected, "{platform} {nodes}: {name}");
        }
    }
}

#[test]
fn a_branch_without_a_default_goes_on_or_ends() {
    let choice = json!({"NextStep": "far", "Variable": "a", "StringEquals": "b"});
    let branch = json!({"name": "choose", "action": "aws:branch", "inputs": {"Choices": [choice]}});
    for (ends, near) in [(false, "Success"), (true, "Pending")] {
        let mut fleet = fleet();
        let mut branch = branch.clone();
        branch["isEnd"] = json!(ends);
        fleet.document("Mine", &book(json!({}), json!([branch, nap("near"), nap("far")])));
        let id = fleet.run(json!({"DocumentName": "Mine"}));
        fleet.world.run_until_idle();
        assert_eq!(fleet.steps(&id)[1], ("near", near));
    }
}

#[test]
fn a_sleep_takes_its_time_and_a_time_that_has_passed_none() {
    let mut fleet = fleet();
    let until = json!({"Timestamp": "2020-01-01T01:00:00Z"});
    let steps = json!([
        {"name": "long", "action": "aws:sleep", "inputs": {"Duration": "{{ Time }}"}},
        {"name": "none", "action": "aws:sleep", "inputs": until},
    ]);
    fleet.document(
        "Mine",
        &book(json!({"Time": {"type": "String", "default": "PT10M"}}), steps),
    );
    let id = fleet.run(json!({"DocumentName": "Mine"}));
    fleet.world.run_until_idle();
    let took = |step: usize| {
        let step = &fleet.execution(&id).steps()[step];
        step.ended().unwrap().duration_since(step.started().unwrap())
    };
    assert_eq!(took(0), SignedDuration::from_mins(10));
    assert_eq!(took(1), SignedDuration::ZERO);
    assert_eq!(fleet.status(&id), "Success");
}

#[test]
fn a_nested_runbook_takes_parameters_and_gives_outputs() {
    let mut fleet = fleet();
    let mut inner = book(
        json!({"Operation": {"type": "String", "allowedValues": ["Scan", "Install"]}}),
        json!([scan("run")]),
    );
    inner["outputs"] = json!(["run.CommandId"]);
    inner["mainSteps"][0]["inputs"]["Parameters"]["Operation"] = json!("{{ Operation }}");
    fleet.document("Inner", &inner);
    let outer = json!([
        {"name": "inner", "action": "aws:executeAutomation", "inputs": {
            "DocumentName": "Inner", "RuntimeParameters": {"Operation": ["{{ What }}"]},
        }},
        {"name": "check", "action": "aws:branch", "inputs": {"Choices": [
            {"NextStep": "good", "Variable": "{{ inner.Status }}", "StringEquals": "Success"},
        ]}, "isEnd": true},
        nap("good"),
    ]);
    fleet.document("Outer", &book(json!({"What": {"type": "String"}}), outer));
    let id = fleet.run(json!({"DocumentName": "Outer", "Parameters": {"What": ["Scan"]}}));
    fleet.world.run_until_idle();
    let shown = fleet.shown(&id);
    let outputs = shown["StepExecutions"][0]["Outputs"].clone();
    let child = outputs["ExecutionId"][0].as_str().unwrap().to_owned();
    let command = fleet.world.commands().next().unwrap().id().to_owned();
    assert_eq!(outputs["Output"], json!([command]));
    assert_eq!(
        fleet.steps(&id),
        [("inner", "Success"), ("check", "Success"), ("good", "Success")]
    );
    let inner = fleet.shown(&child);
    assert_eq!(inner["ParentAutomationExecutionId"], json!(id));
    assert_eq!(inner["DocumentName"], "Inner");
    assert_eq!(inner["ExecutedBy"], shown["ExecutedBy"]);
}

#[test]
fn a_nested_runbook_that_cannot_start_or_fails_fails_its_step() {
    let mut fleet = fleet();
    fleet.document(
        "Bad",
        &book(
            json!({}),
            json!([{"name": "x", "action": "aws:copyImage", "inputs": {}}]),
        ),
    );
    let pace = json!([{"Accounts": [CENTRAL], "Regions": ["us-east-1"], "TargetLocationMaxConcurrency": 0}]);
    for (number, (inputs, says)) in [
        (
            json!({"DocumentName": "Nothing"}),
            "AutomationDefinitionNotFoundException",
        ),
        (json!({"DocumentName": "Bad"}), "aws:copyImage"),
        (
            json!({"DocumentName": "Bad", "DocumentVersion": 7}),
            "VersionNotFound",
        ),
        (
            json!({"DocumentName": "Bad", "MaxErrors": "many"}),
            "ValidationException",
        ),
        (
            json!({"DocumentName": "Bad", "TargetLocations": pace}),
            "targetLocations.1.member.targetLocationMaxConcurrency",
        ),
        (json!({}), "documentName"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("Outer{number}");
        let step = json!({"name": "inner", "action": "aws:executeAutomation", "inputs": inputs});
        fleet.document(&name, &book(json!({}), json!([step])));
        let id = fleet.run(json!({"DocumentName": name}));
        fleet.world.run_until_idle();
        assert_eq!(fleet.status(&id), "Failed");
        let failure = fleet.execution(&id).failure().unwrap();
        assert!(failure.contains(says), "{failure}");
    }
}

#[test]
fn runbooks_start_one_another_over_five_levels_and_no_more() {
    let mut fleet = fleet();
    let step =
        json!({"name": "again", "action": "aws:executeAutomation", "inputs": {"DocumentName": "Again"}});
    fleet.document("Again", &book(json!({}), json!([step])));
    let id = fleet.run(json!({"DocumentName": "Again"}));
    fleet.world.run_until_idle();
    assert_eq!(fleet.world.executions().count(), 6, "one and five below it");
    assert_eq!(fleet.status(&id), "Failed");
    assert!(fleet.execution(&id).failure().unwrap().contains("5 levels"));
}

#[test]
fn a_nested_runbook_may_go_to_other_locations() {
    let mut fleet = fleet();
    fleet.document("Inner", &book(json!({}), json!([nap("nap")])));
    let step = json!({"name": "inner", "action": "aws:executeAutomation", "inputs": {
        "DocumentName": "Inner",
        "TargetLocations": [{"Accounts": ["{{ global:ACCOUNT_ID }}"], "Regions": ["eu-west-1", "us-east-2"]}],
    }});
    fleet.document("Outer", &book(json!({}), json!([step])));
    let id = fleet.run(json!({"DocumentName": "Outer"}));
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Success");
    let parent = fleet.execution(&id).steps()[0].child().unwrap();
    let regions = fleet.execution(parent).steps().iter();
    let regions: Vec<_> = regions
        .map(|step| step.location().unwrap().region.to_string())
        .collect();
    assert_eq!(regions, ["eu-west-1", "us-east-2"]);
    let grandchildren = fleet.execution(parent).steps().iter();
    for step in grandchildren {
        let child = fleet.execution(step.child().unwrap());
        assert_eq!(child.parent(), Some(parent));
        assert_eq!(child.location().account.as_str(), CENTRAL);
    }
}

#[test]
fn a_step_is_tried_so_often_before_it_has_failed() {
    let mut fleet = fleet();
    let mut step = scan("run");
    step["maxAttempts"] = json!(3);
    step["inputs"]["Parameters"]["InstallOverrideList"] = json!("https://one");
    step["inputs"]["Parameters"]["BaselineOverride"] = json!("https://two");
    fleet.document("Mine", &book(json!({}), json!([step])));
    let id = fleet.run(json!({"DocumentName": "Mine"}));
    fleet.world.run_until_idle();
    assert_eq!(fleet.world.commands().count(), 3);
    assert_eq!(fleet.status(&id), "Failed");
    let step = fleet.shown(&id)["StepExecutions"][0].clone();
    assert_eq!(step["MaxAttempts"], 3);
    let command = step["Outputs"]["CommandId"][0].as_str().unwrap();
    let failure = step["FailureMessage"].as_str().unwrap();
    assert!(
        failure.contains(&format!("CommandId=[{command}]")),
        "the last attempt's: {failure}"
    );
}

#[test]
fn continue_goes_where_success_would_have_gone() {
    let mut fleet = fleet();
    let steps = json!([
        {"name": "bad", "action": "aws:copyImage", "inputs": {}, "onFailure": "Continue", "nextStep": "far"},
        nap("near"),
        nap("far"),
    ]);
    fleet.document("Mine", &book(json!({}), steps));
    let id = fleet.run(json!({"DocumentName": "Mine"}));
    fleet.world.run_until_idle();
    assert_eq!(
        fleet.steps(&id),
        [("bad", "Failed"), ("near", "Pending"), ("far", "Success")]
    );
    assert_eq!(fleet.status(&id), "Success");
}

#[test]
fn a_cancelled_execution_runs_the_steps_that_on_cancel_leads_to_and_is_cancelled() {
    let mut long = nap("long");
    long["inputs"]["Duration"] = json!("PT1H");
    long["onCancel"] = json!("step:tidy");
    let branch = json!({"name": "tidy", "action": "aws:branch", "inputs": {"Choices": [
        {"NextStep": "rest", "Variable": "a", "StringEquals": "a"},
    ]}});
    for (rest, expected) in [("PT30S", "Success"), ("PT1H", "Cancelled")] {
        let mut last = nap("rest");
        last["inputs"]["Duration"] = json!(rest);
        let mut fleet = fleet();
        fleet.document(
            "Mine",
            &book(json!({}), json!([long, nap("never"), branch, last])),
        );
        let id = fleet.run(json!({"DocumentName": "Mine"}));
        fleet.world.advance_by(SignedDuration::from_mins(1));
        // The second comes before the first has had its effect.
        for kind in ["Complete", "Cancel"] {
            let stop = json!({"AutomationExecutionId": id, "Type": kind});
            fleet.ssm("StopAutomationExecution", stop).unwrap();
        }
        let stopped = fleet.world.now();
        fleet.world.advance_by(SignedDuration::from_secs(10));
        assert_eq!(fleet.status(&id), "Cancelling");
        fleet.world.run_until_idle();
        assert_eq!(
            fleet.steps(&id),
            [
                ("long", "Cancelled"),
                ("never", "Pending"),
                ("tidy", "Success"),
                ("rest", expected)
            ]
        );
        assert_eq!(fleet.status(&id), "Cancelled");
        let took = fleet.world.now().duration_since(stopped);
        assert!(took <= SignedDuration::from_secs(130), "{took:?}");
    }
}

#[test]
fn what_a_document_cannot_mean_is_refused_when_it_is_made() {
    let with = |key: &str, value: Value| {
        let mut step = nap("a");
        step[key] = value;
        json!([step, nap("b")])
    };
    assert!(refused(with("onFailure", json!("Ignore"))).contains("Ignore"));
    assert!(refused(with("onFailure", json!("step:nowhere"))).contains("nowhere"));
    assert!(refused(with("onCancel", json!("Continue"))).contains("onCancel"));
    assert!(refused(with("onCancel", json!("step:b"))).contains("aws:sleep"));
    let branch = |inputs: Value| json!([{"name": "a", "action": "aws:branch", "inputs": inputs}]);
    let choice = |operation: &str, next: &str| json!({"NextStep": next, "Variable": "x", operation: "y"});
    assert!(refused(branch(json!({"Choices": [choice("Resembles", "a")]}))).contains("Resembles"));
    assert!(refused(branch(json!({"Choices": [choice("Contains", "z")]}))).contains("leads to z"));
    let to = json!({"Choices": [choice("Contains", "a")], "Default": "d"});
    assert!(refused(branch(to)).contains("leads to d"));
    assert!(refused(branch(json!({}))).contains("Choices"));
}

#[test]
fn parameters_have_sizes_and_types() {
    let parameters = json!({
        "Ids": {"type": "StringList", "minItems": 1, "maxItems": 2, "maxChars": 3, "default": ["a"]},
        "Flag": {"type": "Boolean", "default": "true"},
        "Count": {"type": "Integer", "default": "7"},
        "Map": {"type": "StringMap", "default": {"a": "b"}},
    });
    let mut fleet = fleet();
    let branch = json!([
        {"name": "typed", "action": "aws:branch", "inputs": {"Choices": [{"NextStep": "yes", "And": [
            {"Variable": "{{ Flag }}", "BooleanEquals": true},
            {"Variable": "{{ Count }}", "NumericEquals": 7},
        ]}]}, "isEnd": true},
        nap("yes"),
    ]);
    fleet.document("Mine", &book(parameters, branch));
    for (values, part) in [
        (json!([]), "0 items"),
        (json!(["a", "b", "c"]), "3 items"),
        (json!(["abcd"]), "maxChars"),
    ] {
        let input = json!({"DocumentName": "Mine", "Parameters": {"Ids": values}});
        let error = fleet.ssm("StartAutomationExecution", input).unwrap_err();
        assert_eq!(error.code(), "InvalidAutomationExecutionParametersException");
        assert!(error.message().contains(part), "{}", error.message());
    }
    let id = fleet.run(json!({"DocumentName": "Mine", "Parameters": {"Ids": ["abc", "d"]}}));
    fleet.world.run_until_idle();
    assert_eq!(fleet.step_statuses(&id), [Status::Success, Status::Success]);
    for (kind, default) in [
        ("Integer", json!("seven")),
        ("Text", json!("a")),
        ("StringMap", json!(1)),
    ] {
        let content = book(
            json!({"P": {"type": kind, "default": default}}),
            json!([nap("a")]),
        )
        .to_string();
        let input = json!({"Name": "Other", "DocumentType": "Automation", "Content": content});
        let error = fleet.ssm("CreateDocument", input).unwrap_err();
        assert!(error.message().contains(kind), "{}", error.message());
    }
}

#[test]
fn a_timeout_is_a_positive_whole_number_or_its_step_fails() {
    let with = |seconds: Value| {
        let mut step = nap("a");
        step["timeoutSeconds"] = seconds;
        json!([step])
    };
    for seconds in [
        json!("soon"),
        json!(1.5),
        json!(-5),
        json!(0),
        json!("0"),
        json!(""),
        json!(true),
        json!([60]),
    ] {
        let message = refused(with(seconds.clone()));
        assert!(
            message.contains("timeoutSeconds of the step a"),
            "{seconds}: {message}"
        );
    }
    let parameters = json!({"Wait": {"type": "String"}});
    for (wait, status) in [
        ("60", "Success"),
        ("2", "TimedOut"),
        ("soon", "Failed"),
        ("0", "Failed"),
        ("1.5", "Failed"),
    ] {
        let mut fleet = fleet();
        fleet.document("Mine", &book(parameters.clone(), with(json!("{{ Wait }}"))));
        let id = fleet.run(json!({"DocumentName": "Mine", "Parameters": {"Wait": [wait]}}));
        fleet.world.run_until_idle();
        assert_eq!(fleet.status(&id), status, "{wait}");
        let details = fleet.shown(&id)["StepExecutions"][0]["FailureDetails"].clone();
        if status == "Failed" {
            assert_eq!(details["FailureStage"], "InputValidation", "{wait}");
        }
    }
}

#[test]
fn what_references_blow_up_fails_its_step() {
    let mut fleet = fleet();
    let parameters = json!({"Big": {"type": "String", "default": "x".repeat(20_000)}});
    let mut step = scan("run");
    step["inputs"]["Comment"] = json!("{{ Big }}".repeat(4_000));
    fleet.document("Mine", &book(parameters, json!([step])));
    let id = fleet.run(json!({"DocumentName": "Mine"}));
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Failed");
    let step = fleet.shown(&id)["StepExecutions"][0].clone();
    assert_eq!(step["FailureDetails"]["FailureStage"], "InputValidation");
    let message = step["FailureMessage"].as_str().unwrap();
    assert!(message.contains("more than 65536 bytes"), "{message}");
}

#[test]
fn the_outputs_that_a_nested_runbook_tells_have_a_size() {
    let mut fleet = fleet();
    let mut inner = book(json!({}), json!([scan("run")]));
    inner["outputs"] = json!(vec!["run.CommandId"; 3_000]);
    fleet.document("Inner", &inner);
    let step = |name: &str| json!({"name": name, "action": "aws:executeAutomation", "inputs": {"DocumentName": "Inner"}});
    let mut outer = book(json!({}), json!([step("first"), step("second")]));
    outer["outputs"] = json!(["first.Output", "second.Output"]);
    fleet.document("Outer", &outer);
    let id = fleet.run(json!({"DocumentName": "Outer"}));
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Success");
    let shown = fleet.shown(&id);
    let length = |values: &Value| values.as_array().unwrap().len();
    // A command's id is 36 characters long; each of 64 KB stands with one more.
    for step in 0..2 {
        let output = &shown["StepExecutions"][step]["Outputs"]["Output"];
        assert_eq!(length(output), 65_536 / 37);
    }
    // All outputs of the execution together have no more.
    assert_eq!(length(&shown["Outputs"]["first.Output"]), 65_536 / 37);
    assert_eq!(length(&shown["Outputs"]["second.Output"]), 0);
}
