//! What becomes of nodes, and of the commands that ran on them.

use crate::fleet::{Fleet, There, details};
use jiff::SignedDuration;
use patchfleet_sim::{
    Service, call,
    world::{Node, Status},
};
use serde_json::{Value, json};

const SEVEN: &str = "{ count = 7 }";

fn patch_states(fleet: &mut Fleet) -> Vec<Value> {
    let caller = fleet.within("222222222222", "us-east-1");
    let ids: Vec<String> = fleet.world.nodes().map(|node| node.id().to_string()).collect();
    let input = json!({"InstanceIds": ids});
    let output = call(
        &mut fleet.world,
        &caller,
        Service::Ssm,
        "DescribeInstancePatchStates",
        input,
    )
    .unwrap();
    output["InstancePatchStates"].as_array().unwrap().clone()
}

#[test]
fn an_install_leaves_nothing_missing_and_reports_it_with_its_snapshot() {
    let mut fleet = Fleet::with_nodes(SEVEN);
    let snapshot = "01234567-89ab-cdef-0123-456789abcdef";
    let command = fleet.install(&[("SnapshotId", snapshot)]);
    assert_eq!(command.status(), (Status::Success, "Success"));
    let states = patch_states(&mut fleet);
    assert_eq!(states.len(), 7);
    for state in states {
        assert_eq!(state["MissingCount"], 0);
        assert_eq!(state["InstalledPendingRebootCount"], 0);
        assert_eq!(state["SnapshotId"], snapshot);
        assert_eq!(state["RebootOption"], "RebootIfNeeded");
    }
}

#[test]
fn no_reboot_leaves_what_was_installed_waiting_until_an_install_that_reboots() {
    let mut fleet = Fleet::with_nodes("{ count = 1, patch = { missing = 5 } }");
    fleet.install(&[("RebootOption", "NoReboot")]);
    let state = patch_states(&mut fleet).remove(0);
    assert_eq!(
        (&state["MissingCount"], &state["InstalledPendingRebootCount"]),
        (&json!(0), &json!(5))
    );
    assert_eq!(
        state["LastNoRebootInstallOperationTime"],
        state["OperationEndTime"]
    );
    fleet.install(&[]);
    assert_eq!(patch_states(&mut fleet)[0]["InstalledPendingRebootCount"], 0);
}

#[test]
fn a_scan_installs_nothing_and_calls_what_failed_missing() {
    let mut fleet = Fleet::with_nodes(r#"{ count = 1, patch = { outcome = "fails", missing = 4 } }"#);
    fleet.install(&[]);
    assert_eq!(patch_states(&mut fleet)[0]["FailedCount"], 4);
    fleet.install(&[("Operation", "Scan")]);
    let state = patch_states(&mut fleet).remove(0);
    assert_eq!(
        (&state["FailedCount"], &state["MissingCount"]),
        (&json!(0), &json!(4))
    );
    assert_eq!(state["RebootOption"], "RebootIfNeeded");
}

#[test]
fn failed_patches_may_hide_behind_a_success() {
    let mut fleet = Fleet::with_nodes(
        r#"{ count = 1, patch = { outcome = "succeeds_with_failed_patches", missing = 3 } }"#,
    );
    assert_eq!(details(fleet.install(&[])), ["Success"]);
    assert_eq!(patch_states(&mut fleet)[0]["FailedCount"], 1);
}

#[test]
fn a_node_that_never_returns_times_out_after_the_documents_two_hours_and_reports_nothing() {
    let mut fleet = Fleet::with_nodes(r#"{ count = 1, patch = { outcome = "never_returns", missing = 3 } }"#);
    let began = fleet.world.now();
    assert_eq!(details(fleet.install(&[])), ["ExecutionTimedOut"]);
    let waited = fleet.world.now().duration_since(began).as_secs();
    assert!((7200..7260).contains(&waited), "{waited}");
    let state = patch_states(&mut fleet).remove(0);
    assert_eq!(
        (&state["Operation"], &state["MissingCount"]),
        (&json!("Scan"), &json!(3))
    );
    assert_eq!(ping(&fleet), "ConnectionLost");
}

fn ping(fleet: &Fleet) -> &'static str {
    fleet.world.ping_status(fleet.world.nodes().next().unwrap())
}

#[test]
fn a_stuck_node_times_out_while_its_agent_still_answers() {
    let mut fleet = Fleet::with_nodes(r#"{ count = 1, patch = { outcome = "stuck" } }"#);
    let command = fleet.install(&[]);
    assert_eq!(details(command), ["ExecutionTimedOut"]);
    assert_eq!(command.status().0, Status::Failed);
    assert_eq!(ping(&fleet), "Online");
}

#[test]
fn during_its_reboot_a_node_is_lost_and_its_invocation_in_progress() {
    let mut fleet = Fleet::with_nodes("{ count = 1 }");
    fleet.start(&["222222222222"], &["us-east-1"], |_| ());
    while fleet.world.nodes().all(Node::is_online) {
        let next = fleet
            .world
            .next_event_at()
            .expect("the node reboots before the world is idle");
        fleet.world.advance_to(next);
    }
    let command = fleet.world.commands().next().unwrap();
    assert_eq!(
        command.invocations()[0].state().status(),
        ("InProgress", "InProgress")
    );
    fleet.world.run_until_idle();
    assert!(fleet.world.nodes().all(Node::is_online));
}

#[test]
fn an_offline_node_times_out_undelivered_and_is_no_error() {
    let mut fleet = Fleet::with_nodes(r#"{ count = 2 }, { count = 1, reachability = "offline" }"#);
    let command = fleet.install(&[("MaxErrors", "2")]);
    assert_eq!(details(command), ["DeliveryTimedOut", "Success", "Success"]);
    assert_eq!(command.status(), (Status::Success, "Success"));
    let id = command.id().to_owned();
    let caller = fleet.within("222222222222", "us-east-1");
    let listed = call(
        &mut fleet.world,
        &caller,
        Service::Ssm,
        "ListCommands",
        json!({"CommandId": id}),
    )
    .unwrap();
    let shown = &listed["Commands"][0];
    assert_eq!(
        (&shown["TargetCount"], &shown["CompletedCount"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(
        (&shown["ErrorCount"], &shown["DeliveryTimedOutCount"]),
        (&json!(0), &json!(1))
    );
}

#[test]
fn only_managed_nodes_get_the_command() {
    let mut fleet = Fleet::with_nodes(r#"{ count = 2 }, { count = 3, reachability = "unmanaged" }"#);
    assert_eq!(fleet.install(&[]).invocations().len(), 2);
}

#[test]
fn a_command_without_nodes_is_a_success_without_instances_and_so_is_its_step() {
    let mut fleet = Fleet::with_nodes("");
    let id = fleet.start(&["222222222222"], &["us-east-1"], |_| ());
    fleet.world.run_until_idle();
    let command = fleet.world.commands().next().unwrap();
    assert_eq!(command.status(), (Status::Success, "NoInstancesInTag"));
    assert_eq!(fleet.step_statuses(&id), [Status::Success]);
}

#[test]
fn a_command_to_a_missing_group_or_an_unknown_tag_ends_as_one_to_an_empty_group() {
    for target in [
        json!({"Key": "resource-groups:Name", "Values": ["Nowhere"]}),
        json!({"Key": "tag:Nobody", "Values": ["has"]}),
    ] {
        let mut there = There::with_nodes(SEVEN);
        let command = there.run(|input| input["Targets"] = json!([target]));
        let counts = [
            "TargetCount",
            "CompletedCount",
            "ErrorCount",
            "DeliveryTimedOutCount",
        ];
        assert_eq!(
            (
                &command["Status"],
                &command["StatusDetails"],
                counts.map(|name| &command[name])
            ),
            (&json!("Success"), &json!("NoInstancesInTag"), [&json!(0); 4]),
            "{target}"
        );
    }
}

#[test]
fn a_command_stops_at_the_error_after_the_last_allowed_one_and_terminates_the_rest() {
    let mut fleet = Fleet::with_nodes(r#"{ count = 7, patch = { outcome = "fails" } }"#);
    let command = fleet.install(&[("MaxConcurrency", "1"), ("MaxErrors", "2")]);
    let ended = details(command);
    assert_eq!(ended.iter().filter(|one| **one == "Failed").count(), 3);
    assert_eq!(ended.iter().filter(|one| **one == "Terminated").count(), 4);
    assert_eq!(command.status().0, Status::Failed);
}

#[test]
fn nodes_in_flight_finish_after_the_threshold() {
    let mut fleet = Fleet::with_nodes(r#"{ count = 7, patch = { outcome = "fails" } }"#);
    // 1, then 2 at once: the second error ends the sending, and the third node is on its way.
    let ended = details(fleet.install(&[("MaxConcurrency", "7"), ("MaxErrors", "1")]));
    assert_eq!(ended.iter().filter(|one| **one == "Failed").count(), 3);
}

#[test]
fn tags_are_anded_and_their_values_ored() {
    let mut fleet = Fleet::with_nodes(
        r#"{ count = 2, tags = { Env = "prod", Tier = "web" } }, { count = 3, tags = { Env = "dev", Tier = "web" } },
           { count = 4, tags = { Env = "prod", Tier = "db" } }"#,
    );
    fleet.start(&["222222222222"], &["us-east-1"], |input| {
        input["Parameters"]["Targets"] = json!([
            r#"{"Key":"tag:Env","Values":["prod","dev"]}"#,
            r#"{"Key":"tag:Tier","Values":["web"]}"#
        ]);
    });
    fleet.world.run_until_idle();
    assert_eq!(fleet.world.commands().next().unwrap().invocations().len(), 5);
}

#[test]
fn cancelling_a_command_ends_what_runs_and_what_waits() {
    let mut fleet = Fleet::with_nodes(SEVEN);
    fleet.start(&["222222222222"], &["us-east-1"], |input| {
        input["Parameters"]["MaxConcurrency"] = json!(["1"]);
    });
    fleet.world.advance_by(SignedDuration::from_mins(1));
    let id = fleet.world.commands().next().unwrap().id().to_owned();
    let caller = fleet.within("222222222222", "us-east-1");
    call(
        &mut fleet.world,
        &caller,
        Service::Ssm,
        "CancelCommand",
        json!({"CommandId": id}),
    )
    .unwrap();
    fleet.world.run_until_idle();
    let command = fleet.world.commands().next().unwrap();
    assert_eq!(command.status(), (Status::Cancelled, "Cancelled"));
    assert_eq!(details(command), ["Cancelled"; 7]);
    assert!(
        fleet.world.nodes().all(|node| node.patches().missing > 0),
        "nothing was installed"
    );
}

#[test]
fn naming_nodes_to_cancel_does_not_end_a_command_that_has_not_begun() {
    let mut fleet = Fleet::with_nodes("{ count = 2 }");
    fleet.start(&["222222222222"], &["us-east-1"], |_| ());
    while fleet.world.commands().next().is_none() {
        let next = fleet.world.next_event_at().unwrap();
        fleet.world.advance_to(next);
    }
    let command = fleet.world.commands().next().unwrap();
    assert_eq!(command.status().1, "Pending");
    let id = command.id().to_owned();
    let node = fleet.world.nodes().next().unwrap().id().to_string();
    let caller = fleet.within("222222222222", "us-east-1");
    let input = json!({"CommandId": id, "InstanceIds": [node]});
    call(&mut fleet.world, &caller, Service::Ssm, "CancelCommand", input).unwrap();
    fleet.world.run_until_idle();
    let command = fleet.world.commands().next().unwrap();
    assert_eq!(command.status().1, "Success");
    assert_eq!(details(command), ["Success", "Success"]);
}

#[test]
fn a_plugin_is_never_cancelling() {
    let mut fleet = Fleet::with_nodes("{ count = 1 }");
    fleet.start(&["222222222222"], &["us-east-1"], |_| ());
    fleet.world.advance_by(SignedDuration::from_secs(60));
    let id = fleet.world.commands().next().unwrap().id().to_owned();
    let caller = fleet.within("222222222222", "us-east-1");
    let mut ssm = |operation, input| call(&mut fleet.world, &caller, Service::Ssm, operation, input).unwrap();
    ssm("CancelCommand", json!({"CommandId": id}));
    let shown = ssm(
        "ListCommandInvocations",
        json!({"CommandId": id, "Details": true}),
    );
    let invocation = &shown["CommandInvocations"][0];
    assert_eq!(invocation["Status"], "Cancelling");
    let plugins = invocation["CommandPlugins"].as_array().unwrap();
    let works = plugins.iter().find(|one| one["Name"] == "PatchLinux").unwrap();
    assert_eq!(works["Status"], "InProgress");
    assert!(plugins.iter().all(|one| one["Status"] != "Cancelling"));
}
