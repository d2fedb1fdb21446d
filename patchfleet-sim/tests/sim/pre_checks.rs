//! What is looked at before a child starts in a target location, and what a role may not do there.

use crate::fleet::{CENTRAL, Fleet};
use patchfleet_core::runbook::Runbook;
use patchfleet_sim::world::Status;
use serde_json::{Value, json};

const ROLE: &str = "AWS-SystemsManager-AutomationExecutionRole";

/// Two accounts; the second's role, the document's sharing and the world's keys as given.
fn fleet(denied: &str, shared_with: &str, more: &str) -> Fleet {
    Fleet::of(&format!(
        r#"
        management_account = "{CENTRAL}"
        documents = [{{ name = "Runbook", builtin = "patchfleet", shared_with = [{shared_with}] }}]
        {more}
        [[accounts]]
        id = "{CENTRAL}"
        name = "Main"
        [[accounts]]
        id = "222222222222"
        name = "Web"
        roles = [{{ name = "{ROLE}", denied_actions = [{denied}] }}]
        [[groups]]
        name = "Web"
        accounts = ["222222222222", "{CENTRAL}"]
        regions = ["us-east-1"]
        nodes = [{{ count = 1 }}]
        "#
    ))
}

/// Runs the runbook in the second account; gives the step's status, child and failure.
fn outcome(fleet: &mut Fleet) -> (String, Status, Option<String>, String) {
    let id = fleet.start(&["222222222222"], &["us-east-1"], |_| ());
    fleet.world.run_until_idle();
    let step = &fleet.execution(&id).steps()[0];
    let failure = step.failure().unwrap_or_default().to_owned();
    let child = step.child().map(str::to_owned);
    (id.clone(), step.status(), child, failure)
}

#[test]
fn a_role_that_may_not_start_executions_has_no_child() {
    let mut fleet = fleet(r#""ssm:StartAutomationExecution""#, "", "");
    let (id, status, child, failure) = outcome(&mut fleet);
    assert_eq!((status, child), (Status::Failed, None));
    for part in [
        "assumed-role/AWS-SystemsManager-AutomationExecutionRole/",
        "is not authorized to perform: ssm:StartAutomationExecution on resource: arn:aws:ssm:us-east-1:222222222222:automation-definition/Runbook:",
        "AccessDeniedException",
    ] {
        assert!(failure.contains(part), "{failure}");
    }
    let details = fleet.shown(&id)["StepExecutions"][0]["FailureDetails"].clone();
    assert_eq!(
        details,
        json!({"FailureStage": "Invocation", "FailureType": "Permission"})
    );
}

#[test]
fn a_role_that_may_not_send_commands_fails_the_childs_step() {
    let mut fleet = fleet(r#""ssm:Send*""#, "", "");
    let (_, status, child, _) = outcome(&mut fleet);
    assert_eq!(status, Status::Failed);
    let child = fleet.execution(&child.unwrap());
    assert_eq!(child.status(), Status::Failed);
    let failure = child.steps()[1].failure().unwrap();
    assert!(
        failure.contains("is not authorized to perform: ssm:SendCommand on resource: arn:aws:ssm:us-east-1::document/AWS-RunPatchBaseline"),
        "{failure}"
    );
    assert_eq!(fleet.world.commands().count(), 0);
}

#[test]
fn a_runbook_has_to_be_shared_if_the_world_says_so() {
    let must = "automation = { require_shared_runbook = true }";
    for (shared, more, expected) in [
        ("", "", Status::Success),
        ("", must, Status::Failed),
        (r#""333333333333""#, must, Status::Failed),
        (r#""222222222222""#, must, Status::Success),
        (r#""all""#, must, Status::Success),
    ] {
        let mut fleet = fleet("", shared, more);
        let (_, status, child, failure) = outcome(&mut fleet);
        assert_eq!(status, expected, "{shared} {more}: {failure}");
        assert_eq!(child.is_some(), expected == Status::Success);
    }
    let mut late = fleet("", "", must);
    let share = json!({"Name": "Runbook", "PermissionType": "Share", "AccountIdsToAdd": ["222222222222"]});
    late.ssm("ModifyDocumentPermission", share).unwrap();
    assert_eq!(outcome(&mut late).1, Status::Success, "shared by the API");
    let mut fleet = fleet("", "", must);
    let id = fleet.start(&[CENTRAL], &["us-east-1"], |_| ());
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Success", "its own account needs no share");
}

#[test]
fn the_parents_document_runs_everywhere_unless_the_world_says_that_copies_run() {
    let content = Runbook::default()
        .to_json()
        .replace("\"chooseOutput\"", "\"another\"");
    let parents = ("chooseOutput", CENTRAL);
    let copies = "automation = { target_copies_run = true }";
    for (more, account, expected) in [
        ("", "222222222222", parents),
        (copies, "222222222222", ("another", "222222222222")),
        (copies, CENTRAL, parents),
    ] {
        let mut fleet = fleet("", "", more);
        let copy = json!({"create_document": {
            "name": "Runbook", "account": "222222222222", "content": content,
            "regions": ["us-east-1"],
        }});
        fleet
            .world
            .change(&serde_json::from_value(copy).unwrap())
            .unwrap();
        let id = fleet.start(&[account], &["us-east-1"], |_| ());
        fleet.world.run_until_idle();
        let state = fleet.world.state();
        let mut executions = state["executions"].as_array().unwrap().iter();
        let child = executions.find(|one| one["parent"] == id).unwrap();
        let ran = &child["steps"][0]["name"];
        assert_eq!(
            (ran, &child["document_account"]),
            (&json!(expected.0), &json!(expected.1)),
            "{more} {account}"
        );
    }
}

#[test]
fn a_location_that_stands_in_two_entries_has_two_children_and_a_region_twice_in_one_entry_one() {
    let mut fleet = fleet("", "", "");
    let id = fleet.start(&["222222222222"], &["us-east-1", "us-east-1"], |input| {
        let entry = input["TargetLocations"][0].clone();
        let locations = input["TargetLocations"].as_array_mut().unwrap();
        locations.push(entry);
        locations[1]["Accounts"] = json!(["222222222222", "222222222222"]);
    });
    fleet.world.run_until_idle();
    let children: Vec<&str> = fleet
        .execution(&id)
        .steps()
        .iter()
        .map(|step| step.child().unwrap())
        .collect();
    assert_eq!(children.len(), 2);
    assert_ne!(children[0], children[1]);
    assert_eq!(fleet.status(&id), "Success");
}

#[test]
fn a_document_of_another_account_is_run_by_its_arn_if_it_is_shared() {
    let start = |shared: &str, named: &str| {
        let mut fleet = fleet("", shared, "");
        fleet.caller = fleet.within("222222222222", "us-east-1");
        let input = json!({
            "DocumentName": named,
            "Parameters": {
                "Operation": ["Scan"],
                "Targets": [r#"{"Key":"resource-groups:Name","Values":["Web"]}"#],
                "MaxConcurrency": ["1"], "MaxErrors": ["0"],
                "AutomationAssumeRole": [format!("arn:aws:iam::222222222222:role/{ROLE}")],
            },
        });
        fleet
            .ssm("StartAutomationExecution", input)
            .map(|started: Value| started["AutomationExecutionId"].clone())
            .map_err(|error| error.code().to_owned())
    };
    let arn = format!("arn:aws:ssm:us-east-1:{CENTRAL}:document/Runbook");
    let shared = r#""222222222222""#;
    assert!(start(shared, &arn).is_ok());
    let not_found = Err("AutomationDefinitionNotFoundException".to_owned());
    assert_eq!(start("", &arn), not_found);
    assert_eq!(start(shared, "Runbook"), not_found);
    let elsewhere = arn.replace("us-east-1", "eu-west-1");
    assert_eq!(start(shared, &elsewhere), not_found);
}
