//! What the listings of commands show, and what a node says of a command.

use crate::fleet::{There, world};
use jiff::SignedDuration;
use serde_json::{Value, json};

fn invocation(there: &mut There, command: &str, plugin: Option<&str>) -> Value {
    let node = there.ids()[0].clone();
    let mut input = json!({"CommandId": command, "InstanceId": node});
    if let Some(plugin) = plugin {
        input["PluginName"] = json!(plugin);
    }
    there.ssm("GetCommandInvocation", input)
}

/// The figure of a name in the summary that AWS-RunPatchBaseline writes: on Linux the value of a Python
/// dictionary, on Windows what stands behind a colon.
fn printed(stdout: &Value, name: &str) -> i64 {
    let text = stdout.as_str().unwrap();
    let figure = match text.split_once(&format!("'{name}': '")) {
        Some((_, rest)) => rest.split('\'').next(),
        None => {
            let line = text.lines().find(|line| line.trim_start().starts_with(name));
            line.unwrap().rsplit(':').next()
        }
    };
    figure.unwrap().trim().parse().unwrap()
}

#[test]
fn a_run_writes_a_log_on_linux_and_a_block_of_counts_on_windows() {
    for (platform, plugin, has_log) in [("Linux", "PatchLinux", true), ("Windows", "PatchWindows", false)] {
        let mut there = There::with_nodes(&format!("{{ count = 1, platform = \"{platform}\" }}"));
        let command = there.run(|input| input["Parameters"]["Operation"] = json!(["Scan"]));
        let said = invocation(&mut there, command["CommandId"].as_str().unwrap(), Some(plugin));
        let text = said["StandardOutputContent"].as_str().unwrap();
        assert_eq!(text.contains(" root [INFO]: Summary: {'"), has_log, "{text}");
        assert_eq!(text.contains("Patch Summary for "), !has_log, "{text}");
        let state = there.patch_states().remove(0);
        for name in ["InstalledCount", "MissingCount", "FailedCount"] {
            assert_eq!(
                json!(printed(&json!(text), name)),
                state[name],
                "{platform} {name}"
            );
        }
    }
}

#[test]
fn a_node_says_what_it_did_in_the_step_of_its_platform_and_skips_the_others() {
    let mut there = There::with_nodes(
        r#"{ count = 1, patch = { outcome = "succeeds_with_failed_patches", missing = 5, failed_patches = 2 } }"#,
    );
    let command = there.run(|input| input["Comment"] = json!("weekly"));
    let id = command["CommandId"].as_str().unwrap().to_owned();
    let said = invocation(&mut there, &id, Some("PatchLinux"));
    assert_eq!(
        (
            &said["Status"],
            &said["StatusDetails"],
            &said["ResponseCode"],
            &said["Comment"]
        ),
        (&json!("Success"), &json!("Success"), &json!(0), &json!("weekly"))
    );
    let started: jiff::Timestamp = said["ExecutionStartDateTime"].as_str().unwrap().parse().unwrap();
    let ended: jiff::Timestamp = said["ExecutionEndDateTime"].as_str().unwrap().parse().unwrap();
    let elapsed: jiff::SignedDuration = said["ExecutionElapsedTime"].as_str().unwrap().parse().unwrap();
    assert_eq!(ended.duration_since(started), elapsed);
    let state = there.patch_states().remove(0);
    for name in [
        "InstalledCount",
        "InstalledOtherCount",
        "InstalledPendingRebootCount",
        "InstalledRejectedCount",
        "FailedCount",
        "MissingCount",
        "NotApplicableCount",
    ] {
        assert_eq!(
            json!(printed(&said["StandardOutputContent"], name)),
            state[name],
            "{name}"
        );
    }
    assert_eq!(printed(&said["StandardOutputContent"], "FailedCount"), 2);
    let skipped = invocation(&mut there, &id, Some("PatchWindows"));
    assert_eq!(
        (&skipped["Status"], &skipped["ResponseCode"]),
        (&json!("Success"), &json!(0))
    );
    let text = skipped["StandardOutputContent"].as_str().unwrap();
    assert!(
        text.contains("skipped") && text.contains("[platformType, Windows]"),
        "{text}"
    );
    let whole = invocation(&mut there, &id, None);
    assert_eq!(
        (
            &whole["Status"],
            whole.get("PluginName"),
            &whole["StandardOutputContent"]
        ),
        (&json!("Success"), None, &json!(""))
    );
}

#[test]
fn a_failure_has_its_exit_code_and_says_why() {
    for (outcome, code) in [("fails", 1), ("fails_before_patching", 148)] {
        let mut there = There::with_nodes(&format!("{{ count = 1, patch = {{ outcome = \"{outcome}\" }} }}"));
        let command = there.run(|_| ());
        let id = command["CommandId"].as_str().unwrap();
        let said = invocation(&mut there, id, Some("PatchLinux"));
        assert_eq!(
            (&said["Status"], &said["ResponseCode"]),
            (&json!("Failed"), &json!(code)),
            "{outcome}"
        );
        let text = said["StandardErrorContent"].as_str().unwrap();
        assert!(text.contains(&format!("exit status {code}")), "{text}");
        assert_eq!(command["ErrorCount"], 1);
    }
}

#[test]
fn a_plugin_says_nothing_before_its_end() {
    for (reachability, status) in [
        ("online", ["InProgress", "InProgress"]),
        ("offline", ["Pending", "Delayed"]),
    ] {
        let mut there = There::with_nodes(&format!("{{ count = 1, reachability = \"{reachability}\" }}"));
        let id = there.send(|_| ());
        there.fleet.world.advance_by(SignedDuration::from_secs(60));
        let said = invocation(&mut there, &id, Some("PatchLinux"));
        assert_eq!(
            (
                &said["StandardOutputContent"],
                &said["ExecutionEndDateTime"],
                &said["ResponseCode"]
            ),
            (&json!(""), &json!(""), &json!(-1))
        );
        assert_eq!([&said["Status"], &said["StatusDetails"]], status);
        assert_eq!(
            [&said["ExecutionStartDateTime"], &said["ExecutionElapsedTime"]],
            ["", ""]
        );
    }
}

/// Times and code that a listing has of the step that works on the only node.
fn told(there: &mut There, command: &str, name: &str) -> (bool, bool, i64) {
    let input = json!({"CommandId": command, "Details": true});
    let shown = there.ssm("ListCommandInvocations", input);
    let plugins = shown["CommandInvocations"][0]["CommandPlugins"]
        .as_array()
        .unwrap();
    let one = plugins.iter().find(|one| one["Name"] == name).unwrap();
    let has = |member: &str| one.get(member).is_some_and(|time| !time.is_null());
    (
        has("ResponseStartDateTime"),
        has("ResponseFinishDateTime"),
        one["ResponseCode"].as_i64().unwrap(),
    )
}

#[test]
fn a_step_has_times_only_if_its_agent_told_of_its_end() {
    let mut there = There::with_nodes(r#"{ count = 1, patch = { outcome = "vanishes", missing = 3 } }"#);
    let id = there.run(|_| ())["CommandId"].as_str().unwrap().to_owned();
    assert_eq!(there.ends(&id), ["DeliveryTimedOut"]);
    assert_eq!(
        told(&mut there, &id, "PatchLinux"),
        (false, false, -1),
        "given up"
    );

    let script = |input: &mut Value| {
        input["DocumentName"] = json!("AWS-RunShellScript");
        input["Parameters"] = json!({"commands": ["sleep 100"], "executionTimeout": ["300"]});
    };
    let mut there = There::with_nodes("{ count = 1 }");
    let id = there.send(script);
    there.fleet.world.advance_by(SignedDuration::from_secs(60));
    assert_eq!(
        told(&mut there, &id, "aws:runShellScript"),
        (false, false, -1),
        "it runs"
    );
    let alarm = patchfleet_sim::spec::Change::Alarm(patchfleet_sim::spec::CommandsOf::default());
    there.fleet.world.change(&alarm).unwrap();
    assert_eq!(there.ends(&id), ["Terminated"]);
    assert_eq!(
        told(&mut there, &id, "aws:runShellScript"),
        (false, false, -1),
        "given up"
    );

    let id = there.send(script);
    there.fleet.world.run_until_idle();
    assert_eq!(
        told(&mut there, &id, "aws:runShellScript"),
        (true, true, 0),
        "done"
    );
}

#[test]
fn a_script_that_sleeps_for_longer_than_it_may_run_is_killed() {
    let mut there = There::with_nodes("{ count = 1 }");
    let sleeping = |there: &mut There, script: &str| {
        let command = there.run(|input| {
            input["DocumentName"] = json!("AWS-RunShellScript");
            input["Parameters"] =
                json!({"commands": script.lines().collect::<Vec<_>>(), "executionTimeout": ["30"]});
        });
        let id = command["CommandId"].as_str().unwrap().to_owned();
        let one = invocation(there, &id, None);
        let shown = |member: &str| one[member].as_str().unwrap().to_owned();
        (
            shown("StatusDetails"),
            one["ResponseCode"].as_i64().unwrap(),
            shown("ExecutionElapsedTime"),
        )
    };
    let of = |details: &str, code, elapsed: &str| (details.to_owned(), code, elapsed.to_owned());
    assert_eq!(
        sleeping(&mut there, "date\nsleep 10\n sleep 15"),
        of("Success", 0, "PT25S")
    );
    assert_eq!(
        sleeping(&mut there, "sleep 31"),
        of("ExecutionTimedOut", 137, "PT30S")
    );
}

#[test]
fn what_is_asked_for_wrongly_is_refused_by_name() {
    let mut there = There::with_nodes("{ count = 2 }");
    let [one, other] = [there.ids()[0].clone(), there.ids()[1].clone()];
    let id = there.send(|input| {
        input["Targets"] = json!([{"Key": "InstanceIds", "Values": [one]}]);
    });
    let nobody = "01234567-89ab-cdef-0123-456789abcdef";
    let here = json!({"CommandId": id, "InstanceId": one});
    assert_eq!(
        there.refusal("GetCommandInvocation", here.clone()),
        "InvocationDoesNotExist",
        "the command has not looked for its nodes yet"
    );
    there.fleet.world.run_until_idle();
    for (input, code) in [
        (
            json!({"CommandId": nobody, "InstanceId": one}),
            "InvocationDoesNotExist",
        ),
        (
            json!({"CommandId": id, "InstanceId": other}),
            "InvocationDoesNotExist",
        ),
        (
            json!({"CommandId": id, "InstanceId": "i-00000000000000000"}),
            "InvocationDoesNotExist",
        ),
        (
            json!({"CommandId": id, "InstanceId": one, "PluginName": "PatchAmiga"}),
            "InvalidPluginName",
        ),
    ] {
        assert_eq!(
            there.refusal("GetCommandInvocation", input.clone()),
            code,
            "{input}"
        );
    }
    assert_eq!(there.ssm("GetCommandInvocation", here)["Status"], "Success");
    for listing in ["ListCommands", "ListCommandInvocations"] {
        for (input, code) in [
            (json!({"InstanceId": "i-00000000000000000"}), "InvalidInstanceId"),
            (json!({"NextToken": "nonsense"}), "InvalidNextToken"),
        ] {
            assert_eq!(there.refusal(listing, input.clone()), code, "{listing} {input}");
        }
        let found = there.ssm(listing, json!({"CommandId": nobody}));
        let members = found.as_object().unwrap().values();
        assert!(members.clone().count() == 1 && members.clone().all(|list| *list == json!([])));
    }
    let stage = json!({"Filters": [{"key": "ExecutionStage", "value": "Complete"}]});
    assert_eq!(there.refusal("ListCommandInvocations", stage), "InvalidFilterKey");
    let filter = json!({"key": "Status", "value": "Success"});
    let twice = json!({"Filters": [filter, filter]});
    assert_eq!(there.refusal("ListCommands", twice), "InvalidFilterKey");
}

#[test]
fn the_invocations_of_nodes_that_are_named_are_there_at_once() {
    let mut there = There::listing_at_once("{ count = 2 }");
    let id = there.send(|_| ());
    assert_eq!(there.ends(&id), [""; 0], "a group is looked at a moment later");
    let ids = there.ids();
    let sent = there.ssm(
        "SendCommand",
        json!({
            "DocumentName": "AWS-RunPatchBaseline",
            "Parameters": {"Operation": ["Scan"]},
            "InstanceIds": ids,
        }),
    );
    let id = sent["Command"]["CommandId"].as_str().unwrap().to_owned();
    assert_eq!(there.ends(&id), ["Pending", "Pending"]);
    there.fleet.world.run_until_idle();
    assert_eq!(there.ends(&id), ["Success", "Success"]);
}

#[test]
fn a_new_command_is_found_at_once_and_its_invocations_are_listed_after_a_moment() {
    let mut there = There::with_nodes("{ count = 2 }");
    let ids = there.ids();
    let id = there.send(|input| {
        input.as_object_mut().unwrap().remove("Targets");
        input["InstanceIds"] = json!(ids);
        input["MaxConcurrency"] = json!("1");
    });
    let listed = |there: &mut There| {
        let shown = there.ssm("ListCommandInvocations", json!({"CommandId": id}));
        shown["CommandInvocations"].as_array().unwrap().clone()
    };
    // AWS, asked 0.07 seconds after it had answered, listed none, and 2.2 seconds after it all.
    there.fleet.world.advance_by(SignedDuration::from_millis(70));
    assert_eq!(listed(&mut there), [json!(null); 0]);
    let of_node = json!({"InstanceId": ids[0]});
    let shown = there.ssm("ListCommandInvocations", of_node);
    assert_eq!(shown["CommandInvocations"], json!([]), "also by its node");
    let asked = there.command(&id)["RequestedDateTime"].as_f64().unwrap();
    let one = json!({"CommandId": id, "InstanceId": ids[0]});
    assert_eq!(there.ssm("GetCommandInvocation", one)["StatusDetails"], "Pending");
    there.fleet.world.advance_by(SignedDuration::from_millis(2130));
    let shown = listed(&mut there);
    let states: Vec<_> = shown.iter().map(|one| &one["StatusDetails"]).collect();
    assert_eq!(states, ["Pending", "InProgress"], "the newest first");
    for one in shown {
        let later = one["RequestedDateTime"].as_f64().unwrap() - asked;
        assert!(
            (0.069..0.111).contains(&later),
            "{later}: also of the one that waits"
        );
    }
}

#[test]
fn plugins_are_listed_only_if_they_are_asked_for() {
    let mut there = There::with_nodes(r#"{ count = 1, platform = "MacOS" }"#);
    let command = there.run(|_| ());
    let id = command["CommandId"].clone();
    let shown = there.ssm("ListCommandInvocations", json!({"CommandId": id}));
    assert_eq!(shown["CommandInvocations"][0]["CommandPlugins"], json!([]));
    let shown = there.ssm(
        "ListCommandInvocations",
        json!({"CommandId": id, "Details": true}),
    );
    let plugins = shown["CommandInvocations"][0]["CommandPlugins"]
        .as_array()
        .unwrap();
    let names: Vec<_> = plugins.iter().map(|one| one["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["PatchWindows", "PatchLinux", "PatchMacOS"]);
    let said: Vec<_> = plugins
        .iter()
        .map(|one| one["Output"].as_str().unwrap().contains("InstalledCount"))
        .collect();
    assert_eq!(said, [false, false, true]);
    assert!(plugins.iter().all(|one| one["Status"] == "Success"));
}

#[test]
fn output_in_a_bucket_has_a_url_for_each_step() {
    let mut there = There::with_nodes("{ count = 1 }");
    let node = there.ids()[0].clone();
    let command = there.run(|input| {
        input["DocumentName"] = json!("AWS-RunShellScript");
        input["Parameters"] = json!({"commands": ["date"]});
        input["OutputS3BucketName"] = json!("results");
        input["OutputS3KeyPrefix"] = json!("weekly");
    });
    let id = command["CommandId"].as_str().unwrap();
    let said = invocation(&mut there, id, None);
    assert_eq!(
        said["StandardOutputUrl"],
        format!("https://s3.us-east-1.amazonaws.com/results/weekly/{id}/{node}/awsrunShellScript/stdout")
    );
    assert_eq!(said["PluginName"], "aws:runShellScript");
    let shown = there.ssm("ListCommandInvocations", json!({"CommandId": id}));
    assert_eq!(
        shown["CommandInvocations"][0]["StandardOutputUrl"],
        said["StandardOutputUrl"]
    );
}

#[test]
fn every_filter_of_commands_selects_what_it_says() {
    let mut there = There::with_nodes(r#"{ count = 1 }, { count = 1, reachability = "offline" }"#);
    let first = there.run(|_| ())["CommandId"].clone();
    let between = there.fleet.world.now() + SignedDuration::from_secs(1);
    there.fleet.world.advance_by(SignedDuration::from_mins(10));
    let second = json!(there.send(|input| {
        input["DocumentName"] = json!("AWS-RunShellScript");
        input["Parameters"] = json!({"commands": ["date"]});
    }));
    there.fleet.world.advance_by(SignedDuration::from_mins(1));
    let listed = there.ssm("ListCommandInvocations", json!({}));
    let all = listed["CommandInvocations"].as_array().unwrap().clone();
    let of = |command: &Value| all.iter().filter(|one| one["CommandId"] == *command).count();
    let being = |status: &str| {
        all.iter()
            .filter(|one| one["Status"] == status || one["StatusDetails"] == status)
            .count()
    };
    assert_eq!(
        (of(&first), of(&second), being("TimedOut"), being("Delayed")),
        (2, 2, 1, 1)
    );
    for (key, value, commands, invocations) in [
        ("InvokedAfter", between.to_string(), vec![&second], 2),
        ("InvokedBefore", between.to_string(), vec![&first], 2),
        ("InvokedAfter", "2026-03-01".to_owned(), vec![&second, &first], 4),
        ("InvokedAfter", "2026-03-02".to_owned(), vec![], 0),
        ("DocumentName", "AWS-RunShellScript".to_owned(), vec![&second], 2),
        ("Status", "Success".to_owned(), vec![&first], being("Success")),
        ("Status", "Incomplete".to_owned(), vec![], 0),
        (
            "Status",
            "InProgress".to_owned(),
            vec![&second],
            being("InProgress"),
        ),
        ("Status", "Delayed".to_owned(), vec![], 1),
        ("Status", "TimedOut".to_owned(), vec![], 1),
        ("Status", "DeliveryTimedOut".to_owned(), vec![], 1),
    ] {
        let input = json!({"Filters": [{"key": key, "value": value}]});
        let shown = there.ssm("ListCommands", input.clone());
        let ids: Vec<&Value> = shown["Commands"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["CommandId"])
            .collect();
        assert_eq!(ids, commands, "{key} {value}");
        let shown = there.ssm("ListCommandInvocations", input);
        let found = shown["CommandInvocations"].as_array().unwrap().len();
        assert_eq!(found, invocations, "{key} {value}");
    }
    for (stage, commands) in [("Complete", vec![&first]), ("Executing", vec![&second])] {
        let input = json!({"Filters": [{"key": "ExecutionStage", "value": stage}]});
        let shown = there.ssm("ListCommands", input);
        let ids: Vec<&Value> = shown["Commands"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["CommandId"])
            .collect();
        assert_eq!(ids, commands, "{stage}");
    }
}

#[test]
fn a_new_command_may_not_be_seen_at_once_and_goes_its_way_all_the_same() {
    let toml = format!(
        "consistency = {{ invocations_seconds = 20 }}\n{}",
        world("{ count = 1 }")
    );
    let mut there = There::of(&toml);
    let id = there.send(|_| ());
    let node = there.ids()[0].clone();
    let one = json!({"CommandId": id, "InstanceId": node});
    there.fleet.world.advance_by(SignedDuration::from_secs(19));
    assert_eq!(
        there.refusal("GetCommandInvocation", one.clone()),
        "InvocationDoesNotExist"
    );
    for (listing, list) in [
        ("ListCommands", "Commands"),
        ("ListCommandInvocations", "CommandInvocations"),
    ] {
        for input in [json!({}), json!({"CommandId": id}), json!({"InstanceId": node})] {
            assert_eq!(there.ssm(listing, input)[list], json!([]), "{listing}");
        }
    }
    there.fleet.world.advance_by(SignedDuration::from_secs(1));
    assert_eq!(there.ssm("GetCommandInvocation", one)["Status"], "InProgress");
    assert_eq!(there.ends(&id), ["InProgress"]);
    assert_eq!(there.command(&id)["CommandId"], id);
}
