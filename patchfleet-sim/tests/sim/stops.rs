//! StopAutomationExecution: what ends at once, what runs to its end, and what goes on.

use crate::fleet::{CENTRAL, Fleet, alone};
use jiff::SignedDuration;
use patchfleet_sim::world::Status;
use serde_json::{Value, json};

/// A runbook that installs and then sleeps, in a world with these keys.
fn fleet(more: &str) -> Fleet {
    let mut fleet = Fleet::of(&alone(more, "{ count = 1 }"));
    let install = json!({
        "name": "install", "action": "aws:runCommand",
        "inputs": {
            "DocumentName": "AWS-RunPatchBaseline",
            "Targets": [{"Key": "resource-groups:Name", "Values": ["Web"]}],
            "Parameters": {"Operation": "Install"},
        },
    });
    let nap = json!({"name": "nap", "action": "aws:sleep", "inputs": {"Duration": "PT5M"}});
    fleet.document(
        "Mine",
        &json!({"schemaVersion": "0.3", "mainSteps": [install, nap]}),
    );
    fleet
}

fn everywhere(regions: &[&str]) -> Value {
    json!({
        "DocumentName": "Mine",
        "TargetLocations": [{"Accounts": [CENTRAL], "Regions": regions}],
    })
}

fn stop(fleet: &mut Fleet, id: &str, kind: &str) {
    let input = json!({"AutomationExecutionId": id, "Type": kind});
    fleet.ssm("StopAutomationExecution", input).unwrap();
}

#[test]
fn complete_ends_after_the_step_that_runs() {
    let mut fleet = fleet("");
    let id = fleet.run(json!({"DocumentName": "Mine"}));
    fleet.world.advance_by(SignedDuration::from_mins(1));
    stop(&mut fleet, &id, "Complete");
    assert_eq!(fleet.status(&id), "InProgress");
    fleet.world.run_until_idle();
    assert_eq!(fleet.steps(&id), [("install", "Success"), ("nap", "Pending")]);
    assert_eq!(fleet.status(&id), "Cancelled", "it had not come to its end");
    let id = fleet.run(json!({"DocumentName": "Mine"}));
    while fleet.steps(&id)[1].1 != "InProgress" {
        fleet.world.advance_by(SignedDuration::from_secs(10));
    }
    stop(&mut fleet, &id, "Complete");
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Success", "the last step was running");
}

#[test]
fn complete_lets_the_children_that_run_end_and_starts_no_other() {
    let mut fleet = fleet("");
    let id = fleet.run(everywhere(&["us-east-1", "eu-west-1"]));
    fleet.world.advance_by(SignedDuration::from_mins(1));
    stop(&mut fleet, &id, "Complete");
    fleet.world.run_until_idle();
    assert_eq!(fleet.step_statuses(&id), [Status::Success, Status::Pending]);
    assert_eq!(fleet.status(&id), "Cancelled");
    let child = fleet.execution(&id).steps()[0].child().unwrap();
    assert_eq!(fleet.status(child), "Success");
}

#[test]
fn an_execution_that_has_not_begun_is_cancelled_by_either() {
    for kind in ["Cancel", "Complete"] {
        let mut fleet = fleet("");
        let id = fleet.run(json!({"DocumentName": "Mine"}));
        stop(&mut fleet, &id, kind);
        fleet.world.run_until_idle();
        assert_eq!(fleet.status(&id), "Cancelled");
        assert_eq!(fleet.step_statuses(&id), [Status::Pending, Status::Pending]);
        assert_eq!(fleet.world.commands().count(), 0);
    }
}

#[test]
fn in_a_world_without_cascade_children_and_commands_go_on() {
    for (cascades, child, command) in [(true, "Cancelled", "Cancelled"), (false, "Success", "Success")] {
        let mut fleet = fleet(&format!("automation = {{ stop_cascades = {cascades} }}"));
        let id = fleet.run(everywhere(&["us-east-1"]));
        fleet.world.advance_by(SignedDuration::from_mins(1));
        stop(&mut fleet, &id, "Cancel");
        fleet.world.run_until_idle();
        assert_eq!(fleet.status(&id), "Cancelled");
        assert_eq!(fleet.step_statuses(&id), [Status::Cancelled]);
        let started = fleet.execution(&id).steps()[0].child().unwrap();
        assert_eq!(fleet.status(started), child, "cascades: {cascades}");
        let sent = fleet.world.commands().next().unwrap();
        assert_eq!(sent.status().0.as_str(), command);
    }
}

#[test]
fn stopping_a_rate_control_execution_leaves_the_targets_that_had_not_begun_pending() {
    let mut fleet = fleet("");
    let per_node = json!({
        "schemaVersion": "0.3",
        "parameters": {"Id": {"type": "String"}},
        "mainSteps": [{"name": "nap", "action": "aws:sleep", "inputs": {"Duration": "PT5M"}}],
    });
    fleet.document("PerNode", &per_node);
    let id = fleet.run(json!({
        "DocumentName": "PerNode", "TargetParameterName": "Id",
        "Targets": [{"Key": "ParameterValues", "Values": ["a", "b", "c"]}], "MaxConcurrency": "1",
    }));
    fleet.world.advance_by(SignedDuration::from_mins(1));
    stop(&mut fleet, &id, "Cancel");
    fleet.world.run_until_idle();
    assert_eq!(
        fleet.step_statuses(&id),
        [Status::Cancelled, Status::Pending, Status::Pending]
    );
    assert_eq!(fleet.status(&id), "Cancelled");
    assert_eq!(fleet.shown(&id)["TargetsSummary"]["FailedCount"], 1);
}
