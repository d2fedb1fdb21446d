//! The CloudWatch alarm that an execution is started with: when it has the execution stopped, and what is shown of that.

use crate::fleet::{Fleet, world};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// Two accounts with nodes of one Region, and an alarm that goes off after three minutes. `more` stands at the world's top.
fn fleet(more: &str) -> Fleet {
    let alarm = "[[alarms]]\nname = \"web errors\"\nregions = [\"us-east-1\"]\nstates = [{ at = \"3m\", state = \"ALARM\" }]\n";
    Fleet::of(&format!("{more}\n{}{alarm}", world("{ count = 2 }")))
}

/// Starts an Install with the alarm `name`. It runs with the administration role.
fn started(fleet: &mut Fleet, name: &str, ignores: bool) -> String {
    fleet.start(&["222222222222"], &["us-east-1", "eu-west-1"], |input| {
        input["AlarmConfiguration"] = json!({"Alarms": [{"Name": name}], "IgnorePollAlarmFailure": ignores});
    })
}

fn of_alarm(fleet: &mut Fleet, id: &str) -> (Value, Value) {
    let shown = fleet.shown(id);
    let filters = json!([{"Key": "ExecutionId", "Values": [id]}]);
    let listed = fleet
        .ssm("DescribeAutomationExecutions", json!({"Filters": filters}))
        .unwrap();
    let listed = &listed["AutomationExecutionMetadataList"][0];
    for member in ["AlarmConfiguration", "TriggeredAlarms"] {
        assert_eq!(shown[member], listed[member], "{member}");
    }
    (
        shown["AlarmConfiguration"].clone(),
        shown["TriggeredAlarms"].clone(),
    )
}

#[test]
fn an_alarm_that_goes_off_stops_what_runs_and_begins_nothing_that_waits() {
    let mut fleet = fleet("");
    let id = started(&mut fleet, "web errors", false);
    fleet.world.advance_by(SignedDuration::from_mins(2));
    assert_eq!(fleet.status(&id), "InProgress");
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Cancelled");
    assert_eq!(
        of_alarm(&mut fleet, &id),
        (
            json!({"Alarms": [{"Name": "web errors"}], "IgnorePollAlarmFailure": false}),
            json!([{"Name": "web errors", "State": "ALARM"}]),
        )
    );
    let below = fleet.world.executions().filter(|one| one.parent().is_some());
    let below: Vec<_> = below
        .map(|one| (one.status().as_str(), one.location().to_string()))
        .collect();
    assert_eq!(
        below.len(),
        1,
        "the other location waited for its turn: {below:?}"
    );
    assert_eq!(below[0].0, "Cancelled");
    let ended = fleet.execution(&id).steps()[0].ended().unwrap();
    let at = ended.duration_since(fleet.world.start());
    assert!(
        at >= SignedDuration::from_mins(3) && at < SignedDuration::from_mins(5),
        "{at}"
    );
}

#[test]
fn an_alarm_that_cannot_be_read_is_a_reason_to_stop_unless_that_is_ignored() {
    let denied = "roles = [{ name = \"AWS-SystemsManager-AutomationAdministrationRole\", \
                  denied_actions = [\"cloudwatch:DescribeAlarms\"] }]";
    for (more, name) in [("", "nowhere"), (denied, "web errors")] {
        let mut stops = fleet(more);
        let id = started(&mut stops, name, false);
        stops.world.run_until_idle();
        assert_eq!(stops.status(&id), "Cancelled");
        assert_eq!(
            of_alarm(&mut stops, &id).1,
            json!([{"Name": name, "State": "UNKNOWN"}])
        );
        let mut goes_on = fleet(more);
        let id = started(&mut goes_on, name, true);
        goes_on.world.run_until_idle();
        assert_ne!(goes_on.status(&id), "Cancelled");
        assert_eq!(of_alarm(&mut goes_on, &id).1, Value::Null);
    }
}

#[test]
fn a_role_that_may_stop_nothing_lets_the_execution_run_on() {
    let mut fleet = fleet(
        "roles = [{ name = \"AWS-SystemsManager-AutomationAdministrationRole\", \
         denied_actions = [\"ssm:StopAutomationExecution\"] }]",
    );
    let id = started(&mut fleet, "web errors", false);
    fleet.world.run_until_idle();
    assert_ne!(fleet.status(&id), "Cancelled");
    assert_eq!(of_alarm(&mut fleet, &id).1, Value::Null);
}

#[test]
fn an_execution_without_an_alarm_shows_none_and_runs_on() {
    let mut fleet = fleet("");
    let id = fleet.start(&["222222222222"], &["us-east-1"], |_| {});
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Success");
    assert_eq!(of_alarm(&mut fleet, &id), (Value::Null, Value::Null));
}
