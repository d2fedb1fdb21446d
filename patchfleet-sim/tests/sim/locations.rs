//! The parent of a multi-account execution: pace, errors, roles, stopping.

use crate::fleet::{ADMIN_ROLE, CENTRAL, Fleet};
use jiff::SignedDuration;
use patchfleet_sim::world::Status;
use serde_json::json;

const REGIONS: [&str; 7] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
];

/// One node in each of seven Regions of one account, taking patches as `patch` says.
fn seven(patch: &str) -> Fleet {
    Fleet::of(&format!(
        r#"
        management_account = "{CENTRAL}"
        accounts = [{{ id = "{CENTRAL}", name = "Main" }}, {{ id = "222222222222", name = "Web" }}]
        documents = [{{ name = "Runbook", builtin = "patchfleet" }}]
        patch = {{ {patch} }}
        [[groups]]
        name = "Web"
        accounts = ["222222222222"]
        regions = {REGIONS:?}
        nodes = [{{ count = 1 }}]
        "#
    ))
}

fn paced(concurrency: &str, errors: &str) -> impl FnOnce(&mut serde_json::Value) {
    let (concurrency, errors) = (concurrency.to_owned(), errors.to_owned());
    move |input| {
        input["TargetLocations"][0]["TargetLocationMaxConcurrency"] = json!(concurrency);
        input["TargetLocations"][0]["TargetLocationMaxErrors"] = json!(errors);
        // A node that fails is an error of its location only if the command calls it one.
        input["Parameters"]["MaxErrors"] = json!(["0"]);
    }
}

#[test]
fn locations_ramp_up_and_never_exceed_their_concurrency() {
    let mut fleet = seven("minutes = 4.0");
    let id = fleet.start(&["222222222222"], &REGIONS, paced("3", "0"));
    let (mut most, mut first_two) = (0, None);
    while let Some(at) = fleet.world.next_event_at() {
        fleet.world.advance_to(at);
        let statuses = fleet.step_statuses(&id);
        let running = statuses
            .iter()
            .filter(|status| **status == Status::InProgress)
            .count();
        if running > 1 && first_two.is_none() {
            first_two = Some(
                statuses
                    .iter()
                    .filter(|status| **status == Status::Success)
                    .count(),
            );
        }
        most = most.max(running);
    }
    assert_eq!(most, 3);
    assert_eq!(
        first_two,
        Some(1),
        "the second begins only when the first is through"
    );
    assert_eq!(fleet.execution(&id).status(), Status::Success);
}

#[test]
fn locations_after_the_error_limit_stay_pending() {
    let mut fleet = seven(r#"outcome = "fails""#);
    let id = fleet.start(&["222222222222"], &REGIONS, paced("1", "1"));
    fleet.world.run_until_idle();
    let statuses = fleet.step_statuses(&id);
    assert_eq!(
        statuses
            .iter()
            .filter(|status| **status == Status::Failed)
            .count(),
        2
    );
    assert_eq!(
        statuses
            .iter()
            .filter(|status| **status == Status::Pending)
            .count(),
        5
    );
    assert_eq!(fleet.execution(&id).status(), Status::Failed);
}

#[test]
fn each_child_runs_in_its_own_location_and_knows_its_parent() {
    let mut fleet = seven("minutes = 1.0");
    let id = fleet.start(&["222222222222"], &REGIONS, paced("7", "0"));
    fleet.world.run_until_idle();
    for step in fleet.execution(&id).steps() {
        let child = fleet.execution(step.child().unwrap());
        assert_eq!(Some(child.location()), step.location());
        assert_eq!(child.parent(), Some(id.as_str()));
    }
    let mut elsewhere = fleet.within("222222222222", "eu-west-1");
    std::mem::swap(&mut fleet.caller, &mut elsewhere);
    let refused = fleet
        .ssm("GetAutomationExecution", json!({"AutomationExecutionId": id}))
        .unwrap_err();
    assert_eq!(refused.code(), "AutomationExecutionNotFoundException");
}

#[test]
fn a_role_that_is_missing_or_denied_fails_its_location_without_a_child() {
    for state in ["missing", "denied"] {
        let mut fleet = Fleet::of(&format!(
            r#"
            management_account = "{CENTRAL}"
            documents = [{{ name = "Runbook", builtin = "patchfleet" }}]
            [[accounts]]
            id = "{CENTRAL}"
            name = "Main"
            [[accounts]]
            id = "222222222222"
            name = "Web"
            roles = [{{ name = "AWS-SystemsManager-AutomationExecutionRole", state = "{state}" }}]
            "#
        ));
        let id = fleet.start(&["222222222222"], &["us-east-1"], |_| ());
        fleet.world.run_until_idle();
        let step = &fleet.execution(&id).steps()[0];
        assert_eq!((step.status(), step.child()), (Status::Failed, None));
        assert!(step.failure().unwrap().starts_with(
            "The execution role arn:aws:iam::222222222222:role/AWS-SystemsManager-AutomationExecutionRole in the target location is unable to be assumed."
        ));
    }
}

#[test]
fn a_region_that_is_not_enabled_and_a_suspended_account_fail_their_locations() {
    let mut fleet = Fleet::of(&format!(
        r#"
        management_account = "{CENTRAL}"
        documents = [{{ name = "Runbook", builtin = "patchfleet" }}]
        accounts = [{{ id = "{CENTRAL}", name = "Main" }}, {{ id = "222222222222", name = "Gone", state = "SUSPENDED" }}]
        "#
    ));
    let id = fleet.start(&[CENTRAL, "222222222222"], &["eu-south-1"], paced("1", "100%"));
    fleet.world.run_until_idle();
    assert_eq!(fleet.step_statuses(&id), [Status::Failed, Status::Failed]);
}

#[test]
fn units_mean_their_active_accounts_less_the_excluded_ones() {
    let mut fleet = Fleet::of(&format!(
        r#"
        management_account = "{CENTRAL}"
        documents = [{{ name = "Runbook", builtin = "patchfleet" }}]
        organization = {{ id = "o-abcdefghij", root = "r-ab12" }}
        units = [{{ id = "ou-ab12-above000", name = "A" }}, {{ id = "ou-ab12-below000", name = "B", parent = "ou-ab12-above000" }}]
        accounts = [
            {{ id = "{CENTRAL}", name = "Main" }},
            {{ id = "222222222222", name = "Above", parent = "ou-ab12-above000" }},
            {{ id = "333333333333", name = "Below", parent = "ou-ab12-below000" }},
            {{ id = "444444444444", name = "Left out", parent = "ou-ab12-below000" }},
            {{ id = "555555555555", name = "Closed", parent = "ou-ab12-below000", state = "CLOSED" }},
        ]
        "#
    ));
    let mut accounts = |target: &str, deep: bool| {
        let id = fleet.start(&[target], &["us-east-1"], |input| {
            input["TargetLocations"][0]["IncludeChildOrganizationUnits"] = json!(deep);
            input["TargetLocations"][0]["ExcludeAccounts"] = json!(["444444444444"]);
        });
        let steps = fleet.execution(&id).steps().iter();
        steps
            .map(|step| step.location().unwrap().account.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(accounts("ou-ab12-above000", false), ["222222222222"]);
    assert_eq!(
        accounts("ou-ab12-above000", true),
        ["222222222222", "333333333333"]
    );
    assert_eq!(
        accounts("r-ab12", true),
        [CENTRAL, "222222222222", "333333333333"]
    );
}

#[test]
fn stopping_the_parent_stops_children_and_their_commands() {
    let mut fleet = seven("minutes = 30.0");
    let id = fleet.start(&["222222222222"], &REGIONS, paced("1", "0"));
    fleet.world.advance_by(SignedDuration::from_mins(2));
    fleet
        .ssm("StopAutomationExecution", json!({"AutomationExecutionId": id}))
        .unwrap();
    assert_eq!(fleet.execution(&id).status(), Status::Cancelling);
    fleet.world.run_until_idle();
    assert!(
        fleet
            .world
            .executions()
            .all(|one| one.status() == Status::Cancelled)
    );
    assert_eq!(
        fleet.world.commands().next().unwrap().status().0,
        Status::Cancelled
    );
    let mut expected = vec![Status::Pending; 7];
    expected[0] = Status::Cancelled;
    assert_eq!(fleet.step_statuses(&id), expected);
    let again = fleet
        .ssm("StopAutomationExecution", json!({"AutomationExecutionId": id}))
        .unwrap_err();
    assert_eq!(again.code(), "InvalidAutomationStatusUpdateException");
}

#[test]
fn without_target_locations_the_runbook_runs_where_it_is_started() {
    let mut fleet = Fleet::of(&format!(
        r#"
        management_account = "{CENTRAL}"
        accounts = [{{ id = "{CENTRAL}", name = "Main" }}]
        documents = [{{ name = "Runbook", builtin = "patchfleet" }}]
        groups = [{{ name = "Web", accounts = ["{CENTRAL}"], regions = ["us-east-1"], nodes = [{{ count = 2 }}] }}]
        "#
    ));
    let id = fleet.start(&[], &[], |input| {
        input.as_object_mut().unwrap().remove("TargetLocations");
    });
    fleet.world.run_until_idle();
    assert_eq!(fleet.execution(&id).status(), Status::Success);
    let shown = fleet
        .ssm("GetAutomationExecution", json!({"AutomationExecutionId": id}))
        .unwrap();
    let execution = &shown["AutomationExecution"];
    let command = fleet.world.commands().next().unwrap().id().to_owned();
    assert_eq!(
        execution["StepExecutions"][1]["Outputs"]["CommandId"],
        json!([command])
    );
    assert_eq!(
        execution["Parameters"]["AutomationAssumeRole"],
        json!([ADMIN_ROLE])
    );
}

#[test]
fn children_of_two_accounts_parents_are_the_same_whichever_account_called_first() {
    let run = |order: [&str; 2]| {
        let mut fleet = Fleet::of(&format!(
            r#"
            management_account = "{CENTRAL}"
            quotas = {{ running_automations = 5 }}
            accounts = [
                {{ id = "{CENTRAL}", name = "Main" }},
                {{ id = "222222222222", name = "One" }},
                {{ id = "333333333333", name = "Two" }},
                {{ id = "444444444444", name = "Both" }},
            ]
            "#
        ));
        let nap = json!({"name": "nap", "action": "aws:sleep", "inputs": {"Duration": "PT5M"}});
        let content = json!({"schemaVersion": "0.3", "mainSteps": [nap]});
        let administrator = fleet.caller.clone();
        for account in order {
            fleet.caller = administrator.clone();
            fleet.caller = fleet.within(account, "us-east-1");
            fleet.document("Nap", &content);
            for _ in 0..5 {
                let locations = json!([{"Accounts": ["444444444444"], "Regions": ["us-east-1"]}]);
                fleet.run(json!({"DocumentName": "Nap", "TargetLocations": locations}));
            }
        }
        fleet.world.run_until_idle();
        fleet.caller = administrator;
        fleet.caller = fleet.within("444444444444", "us-east-1");
        let listed = fleet.ssm("DescribeAutomationExecutions", json!({})).unwrap();
        (listed.to_string(), fleet.world.state()["executions"].to_string())
    };
    let (one, other) = (
        run(["222222222222", "333333333333"]),
        run(["333333333333", "222222222222"]),
    );
    assert!(one.0.matches("ParentAutomationExecutionId").count() == 10);
    assert_eq!(one.0, other.0);
    assert_eq!(one.1, other.1);
}
