//! CloudWatch alarms: the states that they come to, and who sees them.

use crate::fleet::{CENTRAL, Fleet};
use jiff::SignedDuration;
use patchfleet_sim::{Service, call, world::World};
use serde_json::{Value, json};

const ALARMS: &str = r#"
[[alarms]]
name = "web errors"
states = [
    { at = "10m", state = "ALARM", reason = "Threshold Crossed" },
    { at = "20m", state = "INSUFFICIENT_DATA" },
]
[[alarms]]
name = "web"
composite = true
regions = ["us-east-1"]
"#;

fn organization() -> String {
    format!("management_account = \"{CENTRAL}\"\naccounts = [{{ id = \"{CENTRAL}\", name = \"Main\" }}]\n")
}

fn fleet() -> Fleet {
    Fleet::of(&format!("{}{ALARMS}", organization()))
}

fn ask(fleet: &mut Fleet, input: Value) -> Value {
    let (world, caller) = (&mut fleet.world, &fleet.caller);
    call(world, caller, Service::CloudWatch, "DescribeAlarms", input).unwrap()
}

fn names(answer: &Value, of: &str) -> Vec<String> {
    let all = answer[of].as_array().unwrap();
    all.iter()
        .map(|alarm| alarm["AlarmName"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn an_alarm_comes_to_its_states_in_time() {
    let mut fleet = fleet();
    let mut seen = vec![];
    for _ in 0..3 {
        let answer = ask(&mut fleet, json!({"AlarmNames": ["web errors"]}));
        let alarm = &answer["MetricAlarms"][0];
        let since = alarm["StateTransitionedTimestamp"].as_f64().unwrap();
        let since = since - fleet.world.start().as_second() as f64;
        let text = |key: &str| alarm[key].as_str().unwrap().to_owned();
        seen.push((since, text("StateValue"), text("StateReason")));
        fleet.world.advance_by(SignedDuration::from_mins(10));
    }
    let state = |since, state: &str, reason: &str| (since, state.to_owned(), reason.to_owned());
    assert_eq!(
        seen,
        [
            state(0.0, "OK", ""),
            state(600.0, "ALARM", "Threshold Crossed"),
            state(1200.0, "INSUFFICIENT_DATA", ""),
        ]
    );
}

#[test]
fn composite_alarms_are_shown_to_those_who_ask_for_them() {
    let mut fleet = fleet();
    let both = json!(["MetricAlarm", "CompositeAlarm"]);
    let answer = ask(&mut fleet, json!({"AlarmTypes": both}));
    assert_eq!(names(&answer, "MetricAlarms"), ["web errors"]);
    assert_eq!(names(&answer, "CompositeAlarms"), ["web"]);
    let answer = ask(&mut fleet, json!({"AlarmNamePrefix": "web"}));
    assert!(names(&answer, "CompositeAlarms").is_empty());
    let answer = ask(&mut fleet, json!({"AlarmNames": ["web"], "AlarmTypes": both}));
    assert!(names(&answer, "MetricAlarms").is_empty(), "a name is no prefix");
    let answer = ask(&mut fleet, json!({"AlarmTypes": both, "StateValue": "ALARM"}));
    assert!(names(&answer, "MetricAlarms").is_empty());
    let page = ask(&mut fleet, json!({"AlarmTypes": both, "MaxRecords": 1}));
    let next = ask(
        &mut fleet,
        json!({"AlarmTypes": both, "MaxRecords": 1, "NextToken": page["NextToken"]}),
    );
    assert_eq!(
        (
            names(&page, "CompositeAlarms").len(),
            names(&next, "MetricAlarms").len()
        ),
        (1, 1)
    );
}

#[test]
fn what_is_wrong_with_an_alarm_is_told() {
    let wrong = r#"
[[alarms]]
name = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:a"
[[alarms]]
name = "a"
account = "999999999999"
[[alarms]]
name = "b"
states = [{ at = "10m", state = "OK" }, { at = "5m", state = "ALARM" }]
[[alarms]]
name = "c"
regions = ["us-east-1", "us-east-1"]
"#;
    let error = World::parse(&format!("{}{wrong}", organization()))
        .unwrap_err()
        .to_string();
    for path in [
        "alarms[0].name",
        "alarms[1].account",
        "alarms[2].states",
        "alarms[3].name",
    ] {
        assert!(error.contains(path), "{path}: {error}");
    }
}
