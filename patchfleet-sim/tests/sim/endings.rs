//! How a command ends in foul weather: it expires, finds nobody, is denied, is overridden.

use crate::fleet::{Fleet, There, alone, details, world};
use jiff::SignedDuration;
use patchfleet_sim::{
    spec::Change,
    world::{Status, World},
};
use serde_json::{Value, json};

fn wait(there: &mut There, seconds: i64) {
    there.fleet.world.advance_by(SignedDuration::from_secs(seconds));
}

/// Seconds from a command's request until it expires.
fn lasts(there: &mut There, change: impl FnOnce(&mut Value)) -> f64 {
    let id = there.send(change);
    let command = there.command(&id);
    command["ExpiresAfter"].as_f64().unwrap() - command["RequestedDateTime"].as_f64().unwrap()
}

#[test]
fn a_command_expires_after_its_timeout_and_all_step_timeouts_of_its_document() {
    let mut old = There::with_nodes("{ count = 1 }");
    let run_command = r#"run_command = { patch_baseline = "step_timeout_seconds" }"#;
    let mut new = There::of(&format!("{run_command}\n{}", world("{ count = 1 }")));
    let scan = |given: Option<&str>| {
        let mut parameters = json!({"Operation": ["Scan"]});
        if let Some(given) = given {
            parameters["StepTimeoutSeconds"] = json!([given]);
        }
        move |input: &mut Value| {
            input["TimeoutSeconds"] = json!(600);
            input["Parameters"] = parameters;
        }
    };
    assert_eq!(lasts(&mut old, scan(None)), 22_200.0, "as recorded");
    assert_eq!(lasts(&mut new, scan(Some("10800"))), 600.0 + 3.0 * 10_800.0);
    assert_eq!(
        lasts(&mut new, scan(None)),
        600.0 + 3.0 * 3600.0,
        "whatever its default"
    );
    let script = |input: &mut Value| {
        input["DocumentName"] = json!("AWS-RunShellScript");
        input["Parameters"] = json!({"commands": ["date"], "executionTimeout": ["5"]});
        input["TimeoutSeconds"] = json!(30);
    };
    assert_eq!(lasts(&mut old, script), 35.0, "as recorded");
    let content = new.ssm("GetDocument", json!({"Name": "AWS-RunPatchBaseline"}));
    assert!(
        content["Content"]
            .as_str()
            .unwrap()
            .contains("{{ StepTimeoutSeconds }}")
    );
    let strange = json!({"DocumentName": "AWS-RunPatchBaseline", "Targets": [{"Key": "tag:a", "Values": ["b"]}],
        "Parameters": {"Operation": ["Scan"], "StepTimeoutSeconds": ["36001"]}});
    assert_eq!(new.refusal("SendCommand", strange.clone()), "InvalidParameters");
    assert_eq!(
        old.refusal("SendCommand", strange),
        "InvalidParameters",
        "it has no such parameter"
    );
}

#[test]
fn an_offline_node_holds_the_only_place_until_the_command_expires_with_all_that_wait() {
    let nodes = r#"{ count = 1, reachability = "offline" }, { count = 9 }"#;
    let mut there = There::with_nodes(nodes);
    let id = there.send(|input| {
        input["MaxConcurrency"] = json!("1");
        input["TimeoutSeconds"] = json!(60);
    });
    wait(&mut there, 60 + 3 * 7200 - 1);
    let ends = there.ends(&id);
    let before = |status: &str| ends.iter().filter(|one| *one == status).count();
    assert_eq!(before("Delayed"), 1);
    let (reached, waiting) = (before("Success"), before("Pending"));
    assert_eq!(reached + waiting, 9);
    assert!(waiting > 0, "{ends:?}");
    wait(&mut there, 1);
    let ends = there.ends(&id);
    let after = |status: &str| ends.iter().filter(|one| *one == status).count();
    assert_eq!(
        (after("Success"), after("DeliveryTimedOut")),
        (reached, waiting + 1)
    );
    let command = there.command(&id);
    assert_eq!(
        [&command["CompletedCount"], &command["ErrorCount"]],
        [&json!(10), &json!(0)],
        "none of them is an error"
    );
}

#[test]
fn one_node_that_was_not_delivered_to_makes_a_command_without_allowed_errors_time_out() {
    let nodes = r#"{ count = 2 }, { count = 1, reachability = "offline" }"#;
    for (errors, status) in [
        ("0", ("TimedOut", "DeliveryTimedOut")),
        ("1", ("TimedOut", "DeliveryTimedOut")),
        ("2", ("Success", "Success")),
    ] {
        let mut there = There::with_nodes(nodes);
        let command = there.run(|input| input["MaxErrors"] = json!(errors));
        assert_eq!(
            [&command["Status"], &command["StatusDetails"]],
            [&json!(status.0), &json!(status.1)],
            "MaxErrors {errors}"
        );
    }
}

#[test]
fn what_runs_on_a_node_when_its_command_expires_runs_on_and_is_reported() {
    let mut there = There::with_nodes("{ count = 1, patch = { missing = 3, minutes = 600.0 } }");
    let run_command = r#"run_command = { patch_baseline = "step_timeout_seconds" }"#;
    let nodes = "{ count = 1, patch = { missing = 3, minutes = 400.0 } }";
    let mut long = There::of(&format!("{run_command}\n{}", world(nodes)));
    let id = there.send(|_| ());
    there.fleet.world.run_until_idle();
    assert_eq!(
        there.ends(&id),
        ["ExecutionTimedOut"],
        "the agent stops it after two hours"
    );
    assert_eq!(there.patch_states()[0]["Operation"], "Scan");
    // The node gets its turn when little of the command's time is left.
    let reachable = |world: &mut World, change: &str| {
        let change: Change = serde_json::from_value(json!({change: {}})).unwrap();
        assert_eq!(world.change(&change), Ok(1));
    };
    reachable(&mut long.fleet.world, "lose_agent");
    let id = long.send(|input| {
        input["Parameters"]["StepTimeoutSeconds"] = json!(["36000"]);
        input["TimeoutSeconds"] = json!(600);
    });
    wait(&mut long, 600 + 3 * 36_000 - 3600);
    reachable(&mut long.fleet.world, "gain_agent");
    wait(&mut long, 3599);
    assert_eq!(long.ends(&id), ["InProgress"]);
    wait(&mut long, 1);
    assert_eq!(long.ends(&id), ["DeliveryTimedOut"]);
    assert_eq!(long.patch_states()[0]["Operation"], "Scan");
    long.fleet.world.run_until_idle();
    assert_eq!(long.ends(&id), ["DeliveryTimedOut"]);
    let state = long.patch_states().remove(0);
    assert_eq!(
        [&state["Operation"], &state["MissingCount"]],
        [&json!("Install"), &json!(0)]
    );
}

#[test]
fn a_sender_that_may_not_list_the_group_has_its_command_fail_as_access_denied() {
    let denied = r#"roles = [{ name = "AWS-SystemsManager-AutomationExecutionRole", denied_actions = ["resource-groups:ListGroupResources"] }]"#;
    let toml = format!("{denied}\n{}", world("{ count = 2 }"));
    let mut there = There::of(&toml);
    let command = there.run(|_| ());
    assert_eq!(
        [
            &command["Status"],
            &command["StatusDetails"],
            &command["TargetCount"]
        ],
        [&json!("Failed"), &json!("AccessDenied"), &json!(0)]
    );
    let mut fleet = Fleet::of(&toml);
    let command = fleet.install(&[]);
    assert_eq!(
        command.status(),
        (Status::Failed, "AccessDenied"),
        "a step's command as well"
    );
}

#[test]
fn a_command_that_was_throttled_before_its_first_node_fails_as_rate_exceeded() {
    let faults = "[[faults]]\neffect = \"rate_exceeded\"\ncalls = [2]\n";
    let mut there = There::of(&format!("{}\n{faults}", world("{ count = 2 }")));
    let of = |command: &Value| command["StatusDetails"].as_str().unwrap().to_owned();
    let commands = [0, 1, 2].map(|_| there.run(|_| ()));
    assert_eq!(
        commands.each_ref().map(of),
        ["Success", "RateExceeded", "Success"]
    );
    assert_eq!(commands[1]["TargetCount"], 0);
}

#[test]
fn a_baseline_override_writes_no_patch_state_and_tells_its_summary_in_the_output() {
    let mut there = There::with_nodes("{ count = 1, patch = { missing = 3, installed = 10 } }");
    let before = there.patch_states();
    let id =
        there.send(|input| input["Parameters"]["BaselineOverride"] = json!(["s3://bucket/override.json"]));
    there.fleet.world.run_until_idle();
    assert_eq!(there.ends(&id), ["Success"]);
    assert_eq!(there.patch_states(), before);
    let node = there.fleet.world.nodes().next().unwrap();
    assert_eq!(
        (node.patches().missing, node.installs()),
        (0, 1),
        "and yet it was patched"
    );
    let input = json!({"CommandId": id, "InstanceId": node.id(), "PluginName": "PatchLinux"});
    let output = there.ssm("GetCommandInvocation", input);
    let text = output["StandardOutputContent"].as_str().unwrap();
    let (_, after) = text.split_once("[BASELINE OVERRIDE]: Summary: ").unwrap();
    let (summary, verdict) = after.split_once("\n[BASELINE OVERRIDE]: ").unwrap();
    let read: Value = serde_json::from_str(summary).unwrap();
    assert_eq!(
        [
            &read["InstalledCount"],
            &read["MissingCount"],
            &read["OperationType"]
        ],
        [&json!("13"), &json!("0"), &json!("Install")]
    );
    assert!(read.get("BaselineId").is_none());
    assert!(
        summary.starts_with("{\n    \"CriticalNonCompliantCount\": "),
        "{summary}"
    );
    assert_eq!(verdict.lines().next(), Some("All Packages are Compliant."));
}

#[test]
fn what_an_override_list_does_not_name_stays_missing_and_without_a_list_nothing_does() {
    let nodes = |outcome: &str| {
        format!("{{ count = 1, patch = {{ missing = 10, listed_share = 0.4, outcome = \"{outcome}\" }} }}")
    };
    for (outcome, list, missing, failed) in [
        ("ok", true, 6, 0),
        ("fails", true, 6, 4),
        ("ok", false, 0, 0),
        ("fails", false, 0, 10),
    ] {
        let mut there = There::with_nodes(&nodes(outcome));
        there.run(|input| {
            input["Parameters"]["SnapshotId"] = json!(["11111111-2222-3333-4444-555555555555"]);
            if list {
                input["Parameters"]["InstallOverrideList"] = json!(["s3://bucket/list.yaml"]);
            }
        });
        let state = there.patch_states().remove(0);
        assert_eq!(
            [&state["MissingCount"], &state["FailedCount"]],
            [&json!(missing), &json!(failed)],
            "{outcome}, list: {list}"
        );
        assert_eq!(state["SnapshotId"], "11111111-2222-3333-4444-555555555555");
    }
}

#[test]
fn a_node_whose_agent_hibernates_after_the_reboot_reports_an_hour_late() {
    let nodes = r#"{ count = 1, patch = { outcome = "returns_late", late_minutes = 45.0 } }"#;
    let mut there = There::with_nodes(nodes);
    let id = there.send(|_| ());
    wait(&mut there, 45 * 60);
    assert_eq!(there.ends(&id), ["InProgress"]);
    let listed = there.ssm("DescribeInstanceInformation", json!({}));
    assert_eq!(
        listed["InstanceInformationList"][0]["PingStatus"],
        "ConnectionLost"
    );
    wait(&mut there, 10 * 60);
    assert_eq!(there.ends(&id), ["Success"]);
    assert_eq!(there.patch_states()[0]["Operation"], "Install");
}

#[test]
fn a_parent_all_of_whose_locations_failed_within_its_errors_is_a_success_unless_the_world_says_otherwise() {
    for (more, status) in [
        ("", "Success"),
        ("automation = { all_failed_is_success = false }", "Failed"),
    ] {
        let mut fleet = Fleet::of(&alone(
            &format!("{more}\ndocuments = [{{ name = \"Runbook\", builtin = \"patchfleet\" }}]"),
            r#"{ count = 2, patch = { outcome = "fails" } }"#,
        ));
        let id = fleet.start(&[crate::fleet::CENTRAL], &["us-east-1"], |input| {
            input["Parameters"]["MaxErrors"] = json!(["0"]);
            input["TargetLocations"][0]["TargetLocationMaxErrors"] = json!("100%");
        });
        fleet.world.run_until_idle();
        assert_eq!(
            details(fleet.world.commands().next().unwrap()),
            ["Failed", "Terminated"]
        );
        assert_eq!(fleet.status(&id), status);
        assert_eq!(fleet.step_statuses(&id), [Status::Failed]);
    }
}

#[test]
fn a_delayed_first_node_lets_the_ramp_go_on_unless_the_world_says_that_it_stalls_it() {
    let nodes = r#"{ count = 1, reachability = "offline" }, { count = 6 }"#;
    let reached = |more: &str| {
        let mut there = There::of(&format!("{more}\n{}", world(nodes)));
        // The order in which nodes are reached is the seed's: the offline one is sent to at last.
        let id = there.send(|input| input["MaxConcurrency"] = json!("7"));
        wait(&mut there, 6 * 3600);
        there.ends(&id).iter().filter(|one| *one == "Success").count()
    };
    assert_eq!(reached(""), 6);
    let seeds = 1..30;
    let stalled = seeds.filter(|seed| {
        reached(&format!(
            "seed = {seed}\nrun_command = {{ delayed_stalls_ramp = true }}"
        )) < 6
    });
    assert!(stalled.count() > 0, "where the offline node comes first");
}
