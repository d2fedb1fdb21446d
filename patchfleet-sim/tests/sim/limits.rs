//! Quotas, the memory of tokens, how long news takes, and the end of history.

use crate::fleet::{CENTRAL, Fleet, alone};
use jiff::SignedDuration;
use serde_json::{Value, json};

const TOKEN: &str = "01234567-89ab-cdef-0123-456789abcdef";

/// A world with these keys, and a runbook that sleeps for ten minutes.
fn fleet(more: &str) -> Fleet {
    let mut fleet = Fleet::of(&alone(more, "{ count = 4 }"));
    let steps = json!([{"name": "nap", "action": "aws:sleep", "inputs": {"Duration": "PT10M"}}]);
    let parameters = json!({"Id": {"type": "String", "default": ""}});
    let content = json!({"schemaVersion": "0.3", "parameters": parameters, "mainSteps": steps});
    fleet.document("Nap", &content);
    fleet
}

fn nap() -> Value {
    json!({"DocumentName": "Nap"})
}

fn refusal(fleet: &mut Fleet, input: Value) -> String {
    let error = fleet.ssm("StartAutomationExecution", input).unwrap_err();
    error.code().to_owned()
}

#[test]
fn what_is_over_the_running_limit_waits_its_turn_and_what_is_over_the_queue_is_refused() {
    let mut fleet = fleet("quotas = { running_automations = 2, queued_automations = 2 }");
    let ids: Vec<String> = (0..4).map(|_| fleet.run(nap())).collect();
    assert_eq!(
        refusal(&mut fleet, nap()),
        "AutomationExecutionLimitExceededException"
    );
    fleet.world.advance_by(SignedDuration::from_mins(1));
    let statuses = |fleet: &Fleet| ids.iter().map(|id| fleet.status(id)).collect::<Vec<_>>();
    assert_eq!(
        statuses(&fleet),
        ["InProgress", "InProgress", "Pending", "Pending"]
    );
    let stop = json!({"AutomationExecutionId": ids[0]});
    fleet.ssm("StopAutomationExecution", stop).unwrap();
    fleet.world.advance_by(SignedDuration::from_mins(1));
    assert_eq!(
        statuses(&fleet),
        ["Cancelled", "InProgress", "InProgress", "Pending"],
        "the one that has waited longest begins"
    );
    fleet.run(nap());
    fleet.world.run_until_idle();
    assert_eq!(statuses(&fleet)[1..], ["Success", "Success", "Success"]);
}

#[test]
fn an_execution_that_is_stopped_while_it_waits_takes_nobodys_turn() {
    let mut fleet = fleet("quotas = { running_automations = 1 }");
    let ids: Vec<String> = (0..3).map(|_| fleet.run(nap())).collect();
    fleet.world.advance_by(SignedDuration::from_mins(1));
    let stop = json!({"AutomationExecutionId": ids[1]});
    fleet.ssm("StopAutomationExecution", stop).unwrap();
    fleet.world.run_until_idle();
    let statuses: Vec<&str> = ids.iter().map(|id| fleet.status(id)).collect();
    assert_eq!(statuses, ["Success", "Cancelled", "Success"]);
}

#[test]
fn children_count_and_other_regions_have_quotas_of_their_own() {
    let mut fleet = fleet("quotas = { running_automations = 1, queued_automations = 0 }");
    let id = fleet.run(json!({
        "DocumentName": "Nap",
        "TargetLocations": [{
            "Accounts": [CENTRAL], "Regions": ["us-east-1", "eu-west-1"],
            "TargetLocationMaxConcurrency": "2", "TargetLocationMaxErrors": "1",
        }],
    }));
    fleet.world.run_until_idle();
    let steps = fleet.execution(&id).steps();
    assert_eq!(
        steps[0].status().as_str(),
        "Failed",
        "the parent has the only place"
    );
    let failure = steps[0].failure().unwrap();
    assert!(
        failure.starts_with("AutomationExecutionLimitExceededException"),
        "{failure}"
    );
    assert_eq!(steps[1].status().as_str(), "Success");
    let details = fleet.shown(&id)["StepExecutions"][0]["FailureDetails"].clone();
    assert_eq!(details["FailureType"], "Throttling");
}

#[test]
fn rate_control_has_quotas_of_its_own() {
    let mut fleet = fleet(
        "quotas = { running_rate_control = 1, queued_rate_control = 1, running_automations = 1, queued_automations = 9 }",
    );
    let several = || {
        json!({
            "DocumentName": "Nap", "TargetParameterName": "Id",
            "Targets": [{"Key": "ParameterValues", "Values": ["a", "b"]}],
        })
    };
    let ids = [fleet.run(several()), fleet.run(several())];
    assert_eq!(
        refusal(&mut fleet, several()),
        "AutomationExecutionLimitExceededException"
    );
    let alone = fleet.run(nap());
    fleet.world.advance_by(SignedDuration::from_mins(1));
    assert_eq!(
        [fleet.status(&ids[0]), fleet.status(&ids[1])],
        ["InProgress", "Pending"]
    );
    fleet.world.run_until_idle();
    for id in [&ids[0], &ids[1], &alone] {
        assert_eq!(fleet.status(id), "Success");
    }
}

#[test]
fn a_token_is_remembered_for_as_long_as_the_world_says() {
    let with_token = || json!({"DocumentName": "Nap", "ClientToken": TOKEN});
    let mut ever = fleet("");
    let first = ever.run(with_token());
    ever.world.advance_by(SignedDuration::from_hours(24 * 365));
    assert_eq!(ever.run(with_token()), first);
    let mut short = fleet("automation = { token_memory_seconds = 3600 }");
    let first = short.run(with_token());
    short.world.advance_by(SignedDuration::from_secs(3599));
    assert_eq!(short.run(with_token()), first);
    let other = json!({"DocumentName": "Nap", "ClientToken": TOKEN, "Parameters": {"Id": ["x"]}});
    assert_eq!(refusal(&mut short, other.clone()), "IdempotentParameterMismatch");
    short.world.advance_by(SignedDuration::from_secs(1));
    let second = short.run(other);
    assert_ne!(second, first);
    assert_eq!(short.world.executions().count(), 2);
}

#[test]
fn a_new_execution_is_seen_later_and_by_its_tags_later_still() {
    let mut fleet = fleet("consistency = { executions_seconds = 30, tags_seconds = 90 }");
    let input = json!({"DocumentName": "Nap", "ClientToken": TOKEN, "Tags": [{"Key": "run", "Value": "1"}]});
    let id = fleet.run(input.clone());
    let sees = |fleet: &mut Fleet| {
        let by_id = json!({"AutomationExecutionId": id});
        let got = fleet.ssm("GetAutomationExecution", by_id.clone());
        let steps = fleet.ssm("DescribeAutomationStepExecutions", by_id);
        assert_eq!(got.is_ok(), steps.is_ok());
        if let Err(error) = &got {
            assert_eq!(error.code(), "AutomationExecutionNotFoundException");
        }
        let mut listed = |filters: Value| {
            let input = match filters {
                Value::Null => json!({}),
                filters => json!({"Filters": [filters]}),
            };
            let list = fleet.ssm("DescribeAutomationExecutions", input).unwrap();
            list["AutomationExecutionMetadataList"].as_array().unwrap().len()
        };
        let all = listed(Value::Null);
        let tagged = listed(json!({"Key": "TagKey", "Values": ["run"]}));
        (got.is_ok(), all, tagged)
    };
    assert_eq!(sees(&mut fleet), (false, 0, 0));
    assert_eq!(fleet.run(input), id, "the token is known at once");
    fleet.world.advance_by(SignedDuration::from_secs(29));
    assert_eq!(sees(&mut fleet), (false, 0, 0));
    fleet.world.advance_by(SignedDuration::from_secs(1));
    assert_eq!(sees(&mut fleet), (true, 1, 0));
    fleet.world.advance_by(SignedDuration::from_secs(60));
    assert_eq!(sees(&mut fleet), (true, 1, 1));
}

#[test]
fn an_execution_is_kept_for_thirty_days_after_its_end() {
    let mut fleet = fleet("");
    let id = fleet.run(nap());
    fleet.world.run_until_idle();
    let by_id = json!({"AutomationExecutionId": id});
    fleet.world.advance_by(SignedDuration::from_hours(24 * 30 - 1));
    assert!(fleet.ssm("GetAutomationExecution", by_id.clone()).is_ok());
    fleet.world.advance_by(SignedDuration::from_hours(1));
    for operation in [
        "GetAutomationExecution",
        "DescribeAutomationStepExecutions",
        "StopAutomationExecution",
    ] {
        let error = fleet.ssm(operation, by_id.clone()).unwrap_err();
        assert_eq!(
            error.code(),
            "AutomationExecutionNotFoundException",
            "{operation}"
        );
    }
    let listed = fleet.ssm("DescribeAutomationExecutions", json!({})).unwrap();
    assert_eq!(listed["AutomationExecutionMetadataList"], json!([]));
}
