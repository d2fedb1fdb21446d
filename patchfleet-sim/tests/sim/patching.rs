//! Patch data: the counts of a node and its patches one by one always tell the same.

use crate::fleet::There;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Every patch of a node, over all pages.
fn patches(there: &mut There, node: &str, filters: &Value) -> Vec<Value> {
    let mut input = json!({"InstanceId": node, "MaxResults": 40, "Filters": filters});
    let mut found = vec![];
    loop {
        let page = there.ssm("DescribeInstancePatches", input.clone());
        let patches = page["Patches"].as_array().unwrap();
        assert!(patches.len() <= 40);
        found.extend(patches.iter().cloned());
        match page.get("NextToken") {
            Some(token) => input["NextToken"] = token.clone(),
            None => return found,
        }
    }
}

/// What the patches count to, by state and by what keeps a node from being compliant.
fn counted(patches: &[Value]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for patch in patches {
        let text = |member: &str| patch[member].as_str().unwrap();
        let state = text("State");
        let name = match state {
            "Installed" => "InstalledCount",
            "InstalledOther" => "InstalledOtherCount",
            "InstalledPendingReboot" => "InstalledPendingRebootCount",
            "InstalledRejected" => "InstalledRejectedCount",
            "Missing" => "MissingCount",
            "Failed" => "FailedCount",
            "NotApplicable" => "NotApplicableCount",
            other => panic!("{other}"),
        };
        *counts.entry(name).or_default() += 1;
        if ["InstalledPendingReboot", "InstalledRejected", "Missing", "Failed"].contains(&state) {
            let kind = if text("Severity") == "Critical" {
                "CriticalNonCompliantCount"
            } else if text("Classification").starts_with("Security") {
                "SecurityNonCompliantCount"
            } else {
                "OtherNonCompliantCount"
            };
            *counts.entry(kind).or_default() += 1;
        }
    }
    counts
}

/// Compares the node's counts with its patches; gives the patches.
fn agreed(there: &mut There, node: &str) -> Vec<Value> {
    let states = there.patch_states();
    let state = states.iter().find(|one| one["InstanceId"] == node).unwrap();
    let patches = patches(there, node, &json!([]));
    let counts = counted(&patches);
    let windows = counts.contains_key("NotApplicableCount");
    for name in [
        "InstalledCount",
        "InstalledOtherCount",
        "InstalledPendingRebootCount",
        "InstalledRejectedCount",
        "MissingCount",
        "FailedCount",
        "CriticalNonCompliantCount",
        "SecurityNonCompliantCount",
        "OtherNonCompliantCount",
    ] {
        assert_eq!(
            state[name],
            json!(counts.get(name).copied().unwrap_or(0)),
            "{name}"
        );
    }
    if windows {
        assert_eq!(state["NotApplicableCount"], json!(counts["NotApplicableCount"]));
    }
    assert_eq!(windows, state.get("AvailableSecurityUpdateCount").is_some());
    let ids: BTreeSet<&str> = patches.iter().map(|one| one["KBId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), patches.len(), "every patch has a name of its own");
    for patch in &patches {
        let absent = ["Missing", "Failed", "NotApplicable"].contains(&patch["State"].as_str().unwrap());
        assert_eq!(patch["InstalledTime"] == 0.0, absent, "{patch}");
        let due = ["Missing", "Failed"].contains(&patch["State"].as_str().unwrap());
        assert!(due || patch.get("CVEIds").is_none(), "{patch}");
    }
    patches
}

fn named(patches: &[Value], state: &str) -> BTreeSet<String> {
    patches
        .iter()
        .filter(|one| one["State"] == state)
        .map(|one| one["KBId"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn counts_and_patches_agree_after_every_kind_of_run_on_every_platform() {
    for platform in ["Linux", "Windows", "MacOS"] {
        let mut there = There::with_nodes(&format!(
            r#"{{ count = 1, platform = "{platform}", patch = {{ missing = 9, rejected = 2, pending_reboot = 3,
                failed_patches = 4, outcome = "succeeds_with_failed_patches" }} }}"#
        ));
        let node = there.ids()[0].clone();
        let before = agreed(&mut there, &node);
        let wanted = named(&before, "Missing");
        assert_eq!(wanted.len(), 9);
        assert_eq!(named(&before, "InstalledRejected").len(), 2);
        assert!(before.iter().any(|one| one.get("CVEIds").is_some()));
        there.run(|input| input["Parameters"]["RebootOption"] = json!(["NoReboot"]));
        let after = agreed(&mut there, &node);
        let (failed, waiting) = (named(&after, "Failed"), named(&after, "InstalledPendingReboot"));
        assert_eq!((failed.len(), waiting.len()), (4, 3 + 5));
        assert!(failed.is_subset(&wanted), "the same patches, by name");
        let there_before = named(&before, "Installed");
        assert_eq!(named(&after, "Installed"), there_before);
        let began = there.fleet.world.start().as_second();
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
        let new = after
            .iter()
            .filter(|one| one["InstalledTime"].as_f64().unwrap() > began as f64);
        assert_eq!(new.count(), 5, "what was installed now says so");
        there.run(|input| input["Parameters"]["Operation"] = json!(["Scan"]));
        let scanned = agreed(&mut there, &node);
        assert_eq!(
            named(&scanned, "Missing"),
            failed,
            "a scan calls missing what failed"
        );
        there.run(|_| ());
        let rebooted = agreed(&mut there, &node);
        assert!(named(&rebooted, "InstalledPendingReboot").is_empty());
        assert_eq!(named(&rebooted, "Failed"), failed);
        assert!(named(&rebooted, "Installed").is_superset(&waiting));
        assert_eq!(
            named(&rebooted, "InstalledRejected").len(),
            2,
            "nothing removes them"
        );
    }
}

#[test]
fn patches_are_filtered_by_what_they_are() {
    let mut there = There::with_nodes("{ count = 1, patch = { missing = 12, installed = 30 } }");
    let node = there.ids()[0].clone();
    let all = agreed(&mut there, &node);
    let some = all.iter().find(|one| one["State"] == "Missing").unwrap().clone();
    for (key, member, values) in [
        ("State", "State", json!(["Missing"])),
        ("State", "State", json!(["Missing", "InstalledOther"])),
        ("Classification", "Classification", json!(["Security"])),
        ("Severity", "Severity", json!(["Critical", "Low"])),
        ("KBId", "KBId", json!([some["KBId"]])),
        ("Severity", "Severity", json!(["Loud"])),
    ] {
        let found = patches(&mut there, &node, &json!([{"Key": key, "Values": values}]));
        let expected: Vec<Value> = all
            .iter()
            .filter(|one| values.as_array().unwrap().contains(&one[member]))
            .cloned()
            .collect();
        assert_eq!(found, expected, "{key} {values}");
        assert!(!found.is_empty() || values[0] == "Loud", "{key} {values}");
    }
    let both = json!([{"Key": "State", "Values": ["Missing"]}, {"Key": "Severity", "Values": ["Critical"]}]);
    let found = patches(&mut there, &node, &both);
    assert!(!found.is_empty() && found.len() < 12);
    assert!(
        found
            .iter()
            .all(|one| one["State"] == "Missing" && one["Severity"] == "Critical")
    );
}

#[test]
fn patches_of_nobody_and_by_nothing_are_refused() {
    let mut there = There::with_nodes(
        r#"{ count = 1, patch = { scanned = false } }, { count = 1, reachability = "unmanaged" }"#,
    );
    let state = there.fleet.world.state();
    let id = |managed: bool| {
        let nodes = state["nodes"].as_array().unwrap();
        nodes.iter().find(|one| one["managed"] == managed).unwrap()["id"].clone()
    };
    let operation = "DescribeInstancePatches";
    assert_eq!(
        there.refusal(operation, json!({"InstanceId": id(false)})),
        "InvalidInstanceId"
    );
    assert_eq!(
        there.refusal(operation, json!({"InstanceId": "i-00000000000000000"})),
        "InvalidInstanceId"
    );
    for filter in [json!({"Key": "Colour", "Values": ["red"]}), json!({})] {
        let input = json!({"InstanceId": id(true), "Filters": [filter]});
        assert_eq!(there.refusal(operation, input), "InvalidFilter");
    }
    let input = json!({"InstanceId": id(true), "NextToken": "nonsense"});
    assert_eq!(there.refusal(operation, input), "InvalidNextToken");
    let unscanned = there.ssm(operation, json!({"InstanceId": id(true)}));
    assert_eq!(unscanned["Patches"], json!([]), "it never reported");
}

#[test]
fn a_node_may_fail_some_times_and_then_succeed() {
    let mut there = There::with_nodes("{ count = 1, patch = { fails_first = 2, missing = 5 } }");
    for (status, missing) in [("Failed", 5), ("Failed", 5), ("Success", 0)] {
        assert_eq!(there.run(|_| ())["Status"], status);
        let state = there.patch_states().remove(0);
        let absent = state["MissingCount"].as_u64().unwrap() + state["FailedCount"].as_u64().unwrap();
        assert_eq!(absent, missing);
    }
}

#[test]
fn what_fails_before_patching_changes_and_reports_nothing() {
    let mut there = There::with_nodes(r#"{ count = 1, patch = { outcome = "fails_before_patching" } }"#);
    let before = there.patch_states();
    for operation in ["Install", "Scan"] {
        let command = there.run(|input| input["Parameters"]["Operation"] = json!([operation]));
        assert_eq!(
            (&command["Status"], &command["ErrorCount"]),
            (&json!("Failed"), &json!(1))
        );
        assert_eq!(there.patch_states(), before);
    }
    assert!(there.fleet.world.nodes().all(|node| node.installs() == 0));
}

#[test]
fn patches_that_wait_from_before_are_reason_enough_to_reboot() {
    let mut there = There::with_nodes("{ count = 1, patch = { missing = 0, pending_reboot = 2 } }");
    assert_eq!(there.patch_states()[0]["InstalledPendingRebootCount"], 2);
    let id = there.send(|_| ());
    let mut lost = false;
    while let Some(at) = there.fleet.world.next_event_at() {
        there.fleet.world.advance_to(at);
        lost |= !there
            .fleet
            .world
            .nodes()
            .all(patchfleet_sim::world::Node::is_online);
    }
    assert!(lost);
    assert_eq!(there.ends(&id), ["Success"]);
    assert_eq!(there.patch_states()[0]["InstalledPendingRebootCount"], 0);
}

#[test]
fn a_snapshot_lives_for_three_days_from_its_first_use_in_a_location() {
    let mut there = There::with_nodes("{ count = 2 }");
    let snapshot = "01234567-89ab-cdef-0123-456789abcdef";
    let scan = |there: &mut There, snapshot: &str| {
        let command = there.run(|input| {
            input["Parameters"] = json!({"Operation": ["Scan"], "SnapshotId": [snapshot]});
        });
        let states = there.patch_states();
        let of: Vec<_> = states.iter().map(|one| one["SnapshotId"].clone()).collect();
        let baselines: BTreeSet<_> = states.iter().map(|one| one["BaselineId"].to_string()).collect();
        assert_eq!(baselines.len(), 1);
        (command, of)
    };
    let own: BTreeSet<String> = there
        .patch_states()
        .iter()
        .map(|one| one["SnapshotId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(own.len(), 2, "runs that were given none have one of their own");
    let (first, of) = scan(&mut there, snapshot);
    assert_eq!(
        (&first["Status"], of),
        (&json!("Success"), vec![json!(snapshot); 2])
    );
    let began: Timestamp = there.fleet.world.start();
    there
        .fleet
        .world
        .advance_to(began + SignedDuration::from_hours(72) - SignedDuration::from_mins(10));
    assert_eq!(scan(&mut there, snapshot).0["Status"], "Success");
    there.fleet.world.advance_by(SignedDuration::from_mins(15));
    let (late, _) = scan(&mut there, snapshot);
    assert_eq!(
        (&late["Status"], &late["ErrorCount"]),
        (&json!("Failed"), &json!(2))
    );
    let node = there.ids()[0].clone();
    let input = json!({"CommandId": late["CommandId"], "InstanceId": node, "PluginName": "PatchLinux"});
    let said = there.ssm("GetCommandInvocation", input);
    assert!(
        said["StandardErrorContent"]
            .as_str()
            .unwrap()
            .contains("has expired"),
        "{said}"
    );
    let other = "fedcba98-7654-3210-fedc-ba9876543210";
    assert_eq!(
        scan(&mut there, other).0["Status"],
        "Success",
        "another one is fresh"
    );
}

#[test]
fn a_reboot_by_hand_is_known_by_the_next_scan() {
    let mut there = There::with_nodes("{ count = 1, patch = { missing = 4 } }");
    there.run(|input| input["Parameters"]["RebootOption"] = json!(["NoReboot"]));
    let node = there.fleet.world.nodes().next().unwrap().id().clone();
    let waiting = |there: &mut There| there.patch_states()[0]["InstalledPendingRebootCount"].clone();
    assert_eq!(waiting(&mut there), 4);
    assert!(there.fleet.world.reboot(&node));
    assert!(!there.fleet.world.reboot(&node), "it is already on its way");
    assert!(!there.fleet.world.node(&node).unwrap().is_online());
    there.fleet.world.run_until_idle();
    assert!(there.fleet.world.node(&node).unwrap().is_online());
    assert_eq!(there.fleet.world.node(&node).unwrap().patches().pending_reboot, 0);
    assert_eq!(waiting(&mut there), 4, "nobody has looked");
    let id = there.send(|input| input["Parameters"]["Operation"] = json!(["Scan"]));
    there.fleet.world.advance_by(SignedDuration::from_secs(10));
    assert!(!there.fleet.world.reboot(&node), "a command is running");
    there.fleet.world.run_until_idle();
    assert_eq!(there.ends(&id), ["Success"]);
    assert_eq!(waiting(&mut there), 0);
}
