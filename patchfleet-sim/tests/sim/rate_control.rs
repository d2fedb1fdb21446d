//! Rate-control executions: at the top, and in target locations.

use crate::fleet::{ADMIN_ROLE, CENTRAL, Fleet, alone};
use patchfleet_sim::world::{Execution, Status};
use serde_json::{Value, json};

/// A runbook for one node.
fn per_node() -> Value {
    json!({
        "schemaVersion": "0.3",
        "parameters": {
            "AutomationAssumeRole": {"type": "String", "default": ""},
            "InstanceId": {"type": "String", "allowedPattern": "^m?i-.+$"},
            "Operation": {"type": "String", "default": "Install"},
        },
        "mainSteps": [{
            "name": "run", "action": "aws:runCommand",
            "inputs": {
                "DocumentName": "AWS-RunPatchBaseline",
                "InstanceIds": ["{{ InstanceId }}"],
                "Parameters": {"Operation": "{{ Operation }}"},
            },
        }],
    })
}

fn fleet(nodes: &str) -> Fleet {
    let mut fleet = Fleet::of(&alone("", nodes));
    fleet.document("PerNode", &per_node());
    fleet
}

fn group(concurrency: &str, errors: &str) -> Value {
    json!({
        "DocumentName": "PerNode", "TargetParameterName": "InstanceId",
        "Targets": [{"Key": "ResourceGroup", "Values": ["Web"]}],
        "MaxConcurrency": concurrency, "MaxErrors": errors,
    })
}

/// Runs to the end. Gives for every instant how many steps were through, and how many ran.
fn watch(fleet: &mut Fleet, id: &str) -> Vec<(usize, usize)> {
    let mut seen = vec![];
    while let Some(at) = fleet.world.next_event_at() {
        fleet.world.advance_to(at);
        let statuses = fleet.step_statuses(id);
        let count = |which: fn(&Status) -> bool| statuses.iter().filter(|one| which(one)).count();
        seen.push((
            count(|one| one.is_terminal()),
            count(|one| *one == Status::InProgress),
        ));
    }
    seen
}

fn most(seen: &[(usize, usize)]) -> usize {
    seen.iter().map(|(_, running)| *running).max().unwrap()
}

#[test]
fn each_member_of_a_group_gets_a_child_and_the_parent_shows_them() {
    let mut fleet = fleet(r#"{ count = 3 }, { count = 1, kind = "hybrid" }"#);
    let id = fleet.run(group("2", "0"));
    fleet.world.run_until_idle();
    let shown = fleet.shown(&id);
    assert_eq!(shown["AutomationExecutionStatus"], "Success");
    assert_eq!(shown["TargetParameterName"], "InstanceId");
    assert_eq!(
        shown["Targets"],
        json!([{"Key": "ResourceGroup", "Values": ["Web"]}])
    );
    assert_eq!(
        (&shown["MaxConcurrency"], &shown["MaxErrors"]),
        (&json!("2"), &json!("0"))
    );
    assert_eq!(
        shown["TargetsSummary"],
        json!({"TotalCount": 4, "StartedCount": 4, "CompletedCount": 4, "SuccessfulCount": 4, "FailedCount": 0})
    );
    let resolved: Vec<&str> = shown["ResolvedTargets"]["ParameterValues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    let mut sorted = resolved.clone();
    sorted.sort_unstable();
    let nodes: Vec<String> = fleet.world.nodes().map(|node| node.id().to_string()).collect();
    assert_eq!(sorted, nodes);
    for (step, target) in shown["StepExecutions"].as_array().unwrap().iter().zip(&resolved) {
        assert_eq!(step["StepName"], *target);
        assert_eq!(step["Action"], "aws:executeAutomation");
        assert_eq!(step["Inputs"], json!({"InstanceId": target}));
        assert_eq!(step["Outputs"], json!({}));
    }
    let children = json!({"Filters": [{"Key": "ParentExecutionId", "Values": [id]}]});
    let listed = fleet.ssm("DescribeAutomationExecutions", children).unwrap();
    let listed = listed["AutomationExecutionMetadataList"].as_array().unwrap();
    let mut targets: Vec<&str> = listed.iter().map(|one| one["Target"].as_str().unwrap()).collect();
    targets.sort_unstable();
    assert_eq!(targets, sorted);
    assert!(fleet.world.nodes().all(|node| node.installs() == 1));
}

#[test]
fn targets_ramp_up_one_two_four_to_their_concurrency() {
    let mut fleet = fleet("{ count = 12 }");
    let id = fleet.run(group("4", "0"));
    let seen = watch(&mut fleet, &id);
    assert_eq!(most(&seen), 4);
    for (through, running) in seen {
        // One, then two, then four: a batch begins when the one before it is through.
        let window = match through {
            0 => 1,
            1 | 2 => 2,
            _ => 4,
        };
        assert!(running <= window, "{running} ran when {through} were through");
    }
    assert_eq!(fleet.status(&id), "Success");
}

#[test]
fn after_the_last_allowed_error_nothing_begins_and_what_runs_ends() {
    let mut fleet = fleet(r#"{ count = 20, patch = { outcome = "fails" } }"#);
    let id = fleet.run(group("1", "2"));
    fleet.world.run_until_idle();
    let count = |fleet: &Fleet, status: Status| {
        let statuses = fleet.step_statuses(&id);
        statuses.iter().filter(|one| **one == status).count()
    };
    assert_eq!(
        (count(&fleet, Status::Failed), count(&fleet, Status::Pending)),
        (3, 17)
    );
    let shown = fleet.shown(&id);
    assert_eq!(shown["AutomationExecutionStatus"], "Failed");
    assert_eq!(shown["TargetsSummary"]["FailedCount"], 3);
    assert_eq!(shown["TargetsSummary"]["StartedCount"], 3);
}

#[test]
fn what_is_on_its_way_when_the_last_allowed_error_comes_ends_and_may_be_an_error_too() {
    let mut fleet = fleet(r#"{ count = 1 }, { count = 5, patch = { outcome = "fails" } }"#);
    let state = fleet.world.state();
    let nodes = state["nodes"].as_array().unwrap().iter();
    let (bad, good): (Vec<&Value>, Vec<&Value>) = nodes.partition(|node| node["behaviour"] == "fails");
    let ids: Vec<&Value> = good.into_iter().chain(bad).map(|node| &node["id"]).collect();
    let mut input = group("4", "0");
    input["Targets"] = json!([{"Key": "ParameterValues", "Values": ids}]);
    let id = fleet.run(input);
    fleet.world.run_until_idle();
    let (failed, pending) = (Status::Failed, Status::Pending);
    assert_eq!(
        fleet.step_statuses(&id),
        [Status::Success, failed, failed, pending, pending, pending]
    );
    assert_eq!(fleet.status(&id), "Failed");
}

#[test]
fn percentages_are_of_the_targets_as_they_are_when_it_begins() {
    let mut fleet = fleet("{ count = 12 }");
    let id = fleet.run(group("50%", "100%"));
    let nodes: Vec<_> = fleet.world.nodes().map(|node| node.id().clone()).collect();
    for node in &nodes[..8] {
        assert!(fleet.world.leave_group(node, "Web"));
    }
    let seen = watch(&mut fleet, &id);
    assert_eq!(most(&seen), 2, "half of the four that are left");
    assert_eq!(fleet.execution(&id).steps().len(), 4);
}

#[test]
fn tags_parameter_values_all_instances_and_maps_are_targets_too() {
    let nodes = r#"{ count = 2, tags = { Env = "prod" } }, { count = 1, tags = { Env = "test" } },
        { count = 1, kind = "hybrid" }, { count = 1, reachability = "unmanaged" }"#;
    let targets = |key: &str, values: Value| json!([{"Key": key, "Values": values}]);
    for (key, values, found) in [
        ("tag:Env", json!(["prod"]), 2),
        ("tag:Env", json!(["prod", "test"]), 3),
        ("AWS::EC2::Instance", json!(["*"]), 4),
        ("InstanceIds", json!(["*"]), 4),
        (
            "ParameterValues",
            json!(["i-00000000000000001", "i-00000000000000002"]),
            2,
        ),
    ] {
        let mut fleet = fleet(nodes);
        let mut input = group("10", "100%");
        input["Targets"] = targets(key, values.clone());
        let id = fleet.run(input);
        fleet.world.run_until_idle();
        assert_eq!(fleet.execution(&id).steps().len(), found, "{key} {values}");
    }
    let mut fleet = fleet(nodes);
    let ids: Vec<String> = fleet.world.nodes().map(|node| node.id().to_string()).collect();
    let id = fleet.run(json!({
        "DocumentName": "PerNode",
        "TargetMaps": [
            {"InstanceId": [ids[0]], "Operation": ["Scan"]},
            {"InstanceId": [ids[1]], "Operation": ["Install"]},
        ],
    }));
    fleet.world.run_until_idle();
    let operations: Vec<String> = children(&fleet, &id)
        .iter()
        .map(|child| fleet.world.execution(child).unwrap().target().unwrap().to_owned())
        .collect();
    assert!(operations[0].contains("Scan") && operations[1].contains("Install"));
    assert_eq!(fleet.shown(&id)["TargetMaps"][0]["Operation"], json!(["Scan"]));
}

fn children(fleet: &Fleet, id: &str) -> Vec<String> {
    let steps = fleet.execution(id).steps().iter();
    steps.filter_map(|step| step.child().map(str::to_owned)).collect()
}

#[test]
fn a_target_that_the_runbook_does_not_allow_fails_its_step_without_a_child() {
    let mut fleet = fleet("{ count = 1 }");
    let mut input = group("1", "0");
    input["Targets"] = json!([{"Key": "ParameterValues", "Values": ["nonsense", "i-00000000000000001"]}]);
    let id = fleet.run(input);
    fleet.world.run_until_idle();
    let step = &fleet.execution(&id).steps()[0];
    assert_eq!((step.status(), step.child()), (Status::Failed, None));
    assert!(step.failure().unwrap().contains("allowed pattern"));
    assert_eq!(fleet.step_statuses(&id)[1], Status::Pending);
}

#[test]
fn no_target_at_all_fails_the_execution() {
    let mut fleet = fleet("");
    let id = fleet.run(group("1", "0"));
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Failed");
    assert!(fleet.execution(&id).failure().unwrap().starts_with("No targets"));
}

#[test]
fn targets_that_do_not_hold_together_are_refused() {
    let invalid = "InvalidAutomationExecutionParametersException";
    let maps = json!([{"InstanceId": ["i-1"]}]);
    let run_commands = json!([{"Key": "resource-groups:Name", "Values": ["Web"]}]);
    let nobody = json!([{"Key": "ResourceGroup", "Values": ["Nobody"]}]);
    for (code, member, value) in [
        (invalid, "TargetParameterName", Value::Null),
        (invalid, "Targets", Value::Null),
        (invalid, "TargetMaps", maps),
        (invalid, "TargetParameterName", json!("instanceid")),
        (invalid, "TargetParameterName", json!("AutomationAssumeRole")),
        ("InvalidTarget", "Targets", run_commands),
        ("InvalidTarget", "Targets", nobody),
    ] {
        let mut fleet = fleet("{ count = 1 }");
        let mut input = group("1", "0");
        input[member] = value;
        let shown = input.to_string();
        let error = fleet.ssm("StartAutomationExecution", input).unwrap_err();
        assert_eq!(error.code(), code, "{shown}");
        assert_eq!(fleet.world.executions().count(), 0);
    }
}

/// Two accounts with three nodes each, and a group that only the first has in eu-west-1.
fn two_accounts() -> Fleet {
    let mut fleet = Fleet::of(&format!(
        r#"
        management_account = "{CENTRAL}"
        accounts = [{{ id = "{CENTRAL}", name = "Main" }}, {{ id = "222222222222", name = "Web" }}]
        patch = {{ minutes = 4.0 }}
        [[groups]]
        name = "Web"
        accounts = ["{CENTRAL}", "222222222222"]
        regions = ["us-east-1"]
        nodes = [{{ count = 3 }}]
        "#
    ));
    fleet.document("PerNode", &per_node());
    fleet
}

fn in_locations(locations: Value) -> Value {
    json!({
        "DocumentName": "PerNode", "TargetParameterName": "InstanceId",
        "Parameters": {"AutomationAssumeRole": [ADMIN_ROLE]},
        "TargetLocations": locations,
    })
}

#[test]
fn a_location_with_targets_has_a_rate_control_child_with_children_of_its_own() {
    let mut fleet = two_accounts();
    let group = json!([{"Key": "ResourceGroup", "Values": ["Web"]}]);
    let id = fleet.run(in_locations(json!([{
        "Accounts": [CENTRAL, "222222222222"], "Regions": ["us-east-1"],
        "Targets": group, "TargetsMaxConcurrency": "1", "TargetsMaxErrors": "0",
    }])));
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&id), "Success");
    let parent = fleet.shown(&id);
    assert_eq!(parent["StepExecutions"][0]["Targets"], group);
    let child = parent["StepExecutions"][1]["Outputs"]["ExecutionId"][0]
        .as_str()
        .unwrap()
        .to_owned();
    fleet.caller = fleet.within("222222222222", "us-east-1");
    let shown = fleet.shown(&child);
    assert_eq!(shown["ParentAutomationExecutionId"], json!(id));
    assert_eq!(shown["Targets"], group);
    assert_eq!(shown["MaxConcurrency"], "1");
    assert_eq!(
        shown["ResolvedTargets"]["ParameterValues"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(shown["TargetsSummary"]["SuccessfulCount"], 3);
    for grandchild in children(&fleet, &child) {
        let shown = fleet.shown(&grandchild);
        assert_eq!(shown["ParentAutomationExecutionId"], json!(child));
        assert!(shown["Target"].as_str().unwrap().starts_with("i-"));
    }
    assert!(fleet.world.nodes().all(|node| node.installs() == 1));
}

#[test]
fn the_locations_targets_come_before_those_of_the_start() {
    let mut fleet = two_accounts();
    let mut input = in_locations(json!([
        {"Accounts": [CENTRAL], "Regions": ["us-east-1"]},
        {"Accounts": ["222222222222"], "Regions": ["us-east-1"],
            "Targets": [{"Key": "AWS::EC2::Instance", "Values": ["*"]}], "TargetsMaxConcurrency": "3"},
    ]));
    input["Targets"] = json!([{"Key": "ResourceGroup", "Values": ["Web"]}]);
    input["MaxConcurrency"] = json!("2");
    let id = fleet.run(input);
    fleet.world.run_until_idle();
    let said = |one: &Execution| format!("{:?}", one.steps().len());
    let steps = fleet.execution(&id).steps();
    let found: Vec<String> = steps
        .iter()
        .map(|step| said(fleet.execution(step.child().unwrap())))
        .collect();
    assert_eq!(found, ["3", "3"]);
    let central = steps[0].child().unwrap().to_owned();
    let other = steps[1].child().unwrap().to_owned();
    let shown = fleet.shown(&central);
    assert_eq!(shown["Targets"][0]["Key"], "ResourceGroup");
    assert_eq!(shown["MaxConcurrency"], "2");
    fleet.caller = fleet.within("222222222222", "us-east-1");
    let shown = fleet.shown(&other);
    assert_eq!(shown["Targets"][0]["Key"], "AWS::EC2::Instance");
    assert_eq!(shown["MaxConcurrency"], "3");
}

#[test]
fn a_group_that_is_not_in_the_location_fails_it_without_a_child() {
    let mut fleet = two_accounts();
    let id = fleet.run(in_locations(json!([{
        "Accounts": ["222222222222"], "Regions": ["eu-west-1"],
        "Targets": [{"Key": "ResourceGroup", "Values": ["Web"]}],
    }])));
    fleet.world.run_until_idle();
    let step = &fleet.execution(&id).steps()[0];
    assert_eq!((step.status(), step.child()), (Status::Failed, None));
    assert!(
        step.failure()
            .unwrap()
            .starts_with("InvalidTarget: Cannot find group Web.")
    );
}
