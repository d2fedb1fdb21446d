//! SendCommand, its rate control, and what becomes of a command.

use crate::fleet::{There, world};
use jiff::SignedDuration;
use serde_json::{Value, json};

const MIXED: &str = r#"{ count = 1 }, { count = 1, platform = "Windows" },
    { count = 1, reachability = "offline" }, { count = 1, reachability = "unmanaged" }"#;

/// The ids of a mixed group: online on Linux, on Windows, offline, unmanaged.
fn mixed(there: &There) -> [String; 4] {
    let id = |of: &dyn Fn(&Value) -> bool| {
        let state = there.fleet.world.state();
        let nodes = state["nodes"].as_array().unwrap().clone();
        let found = nodes.iter().find(|one| of(one)).unwrap();
        found["id"].as_str().unwrap().to_owned()
    };
    [
        id(&|one| one["online"] == true && one["platform"] == "Linux"),
        id(&|one| one["platform"] == "Windows"),
        id(&|one| one["reachability"] == "offline"),
        id(&|one| one["managed"] == false),
    ]
}

#[test]
fn a_sent_command_is_shown_whole_before_it_has_begun() {
    let mut there = There::with_nodes("{ count = 1 }");
    let ids = there.ids();
    let sent = there.ssm(
        "SendCommand",
        json!({
            "DocumentName": "arn:aws:ssm:us-east-1::document/AWS-RunPatchBaseline",
            "Parameters": {"Operation": ["Scan"]},
            "InstanceIds": ids,
            "Comment": "weekly",
            "OutputS3BucketName": "results",
        }),
    );
    let now = 1_772_323_200.0;
    assert_eq!(
        sent["Command"],
        json!({
            "CommandId": sent["Command"]["CommandId"],
            "DocumentName": "AWS-RunPatchBaseline",
            "DocumentVersion": "$DEFAULT",
            "Comment": "weekly",
            "ExpiresAfter": now + 3600.0 + 3.0 * 7200.0,
            "Parameters": {"Operation": ["Scan"]},
            "InstanceIds": ids,
            "Targets": [],
            "RequestedDateTime": now,
            "Status": "Pending",
            "StatusDetails": "Pending",
            "OutputS3Region": "us-east-1",
            "OutputS3BucketName": "results",
            "OutputS3KeyPrefix": "",
            "MaxConcurrency": "50",
            "MaxErrors": "0",
            "TargetCount": 1,
            "CompletedCount": 0,
            "ErrorCount": 0,
            "DeliveryTimedOutCount": 0,
            "ServiceRole": "",
            "NotificationConfig": {"NotificationArn": "", "NotificationEvents": [], "NotificationType": ""},
            "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": false},
            "TimeoutSeconds": 3600,
            "AlarmConfiguration": {"IgnorePollAlarmFailure": false, "Alarms": []},
            "TriggeredAlarms": [],
        })
    );
}

#[test]
fn every_reason_for_there_being_no_command_has_its_own_code() {
    let mut there = There::of(&format!("buckets = [\"results\"]\n{}", world(MIXED)));
    let [linux, windows, _, unmanaged] = mixed(&there);
    let scan = |change: Value| {
        let mut input = json!({
            "DocumentName": "AWS-RunPatchBaseline",
            "Parameters": {"Operation": ["Scan"]},
            "InstanceIds": [linux],
        });
        for (member, value) in change.as_object().unwrap() {
            input[member] = value.clone();
        }
        input
    };
    let script = json!({"commands": ["date"]});
    for (change, code) in [
        (json!({"InstanceIds": [linux, linux]}), "DuplicateInstanceId"),
        (
            json!({"InstanceIds": ["i-00000000000000000"]}),
            "InvalidInstanceId",
        ),
        (json!({"InstanceIds": [unmanaged]}), "InvalidInstanceId"),
        (json!({"DocumentName": "AWS-MakeCoffee"}), "InvalidDocument"),
        (json!({"DocumentName": "Runbook"}), "InvalidDocument"),
        (json!({"DocumentVersion": "2"}), "InvalidDocumentVersion"),
        (json!({"Parameters": {}}), "InvalidParameters"),
        (
            json!({"Parameters": {"Operation": ["Remove"]}}),
            "InvalidParameters",
        ),
        (
            json!({"Parameters": {"Operation": ["Scan"], "Speed": ["fast"]}}),
            "InvalidParameters",
        ),
        (
            json!({"Parameters": {"Operation": ["Scan"], "SnapshotId": ["yesterday"]}}),
            "InvalidParameters",
        ),
        (
            json!({"DocumentName": "AWS-RunShellScript", "Parameters": script, "InstanceIds": [windows]}),
            "UnsupportedPlatformType",
        ),
        (
            json!({"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["#".repeat(70_000)]}}),
            "MaxDocumentSizeExceeded",
        ),
        (
            json!({"DocumentName": "AWS-RunShellScript",
                "Parameters": {"commands": ["date"], "executionTimeout": ["172801"]}}),
            "InvalidParameters",
        ),
        (json!({"OutputS3BucketName": "elsewhere"}), "InvalidOutputFolder"),
        (
            json!({"ServiceRoleArn": "arn:aws:iam::222222222222:role/Nobody"}),
            "InvalidRole",
        ),
        (json!({"ServiceRoleArn": "Nobody"}), "InvalidRole"),
        (
            json!({"NotificationConfig": {"NotificationArn": "arn:aws:sqs:us-east-1:222222222222:queue"}}),
            "InvalidNotificationConfig",
        ),
        (json!({"InstanceIds": []}), "ValidationException"),
        (
            json!({"Targets": [{"Key": "tag-key", "Values": ["Env"]}]}),
            "ValidationException",
        ),
        (json!({"InstanceIds": [], "Targets": [{}]}), "ValidationException"),
        (json!({"MaxConcurrency": "0"}), "ValidationException"),
    ] {
        assert_eq!(
            there.refusal("SendCommand", scan(change.clone())),
            code,
            "{change}"
        );
    }
    assert_eq!(there.fleet.world.commands().count(), 0);
    let role = "arn:aws:iam::222222222222:role/AWS-SystemsManager-AutomationExecutionRole";
    let topic = json!({"NotificationArn": "arn:aws:sns:us-east-1:222222222222:topic"});
    let sound = json!({"OutputS3BucketName": "results", "ServiceRoleArn": role, "NotificationConfig": topic,
        "DocumentVersion": "$LATEST"});
    let sent = there.ssm("SendCommand", scan(sound));
    assert_eq!(sent["Command"]["ServiceRole"], role);
    assert_eq!(sent["Command"]["NotificationConfig"], topic);
    assert_eq!(sent["Command"]["DocumentVersion"], "$LATEST");
}

#[test]
fn targeted_ids_are_checked_like_named_ones_unless_the_world_says_otherwise() {
    let try_it = |checked: bool, which: usize| {
        let toml = format!(
            "run_command = {{ check_targeted_ids = {checked} }}\n{}",
            world(MIXED)
        );
        let mut there = There::of(&toml);
        let ids = mixed(&there);
        let input = json!({
            "DocumentName": "AWS-RunPatchBaseline",
            "Parameters": {"Operation": ["Scan"]},
            "Targets": [{"Key": "InstanceIds", "Values": [ids[0], ids[which]]}],
        });
        match checked && which > 2 {
            true => assert_eq!(there.refusal("SendCommand", input), "InvalidInstanceId"),
            false => {
                let sent = there.ssm("SendCommand", input);
                let id = sent["Command"]["CommandId"].as_str().unwrap().to_owned();
                there.fleet.world.run_until_idle();
                assert!(there.ends(&id).contains(&"Success".to_owned()));
            }
        }
    };
    for which in [1, 2, 3] {
        try_it(false, which);
        try_it(true, which);
    }
}

/// Runs a script on the whole group.
fn script(there: &mut There, document: &str) -> (Value, Vec<String>) {
    let command = there.run(|input| {
        input["DocumentName"] = json!(document);
        input["Parameters"] = json!({"commands": ["date"]});
        input["MaxErrors"] = json!("0");
    });
    let ends = there.ends(command["CommandId"].as_str().unwrap());
    (command, ends)
}

#[test]
fn a_script_runs_on_its_platforms_and_is_of_the_wrong_one_elsewhere_without_an_error() {
    let mut there = There::with_nodes(
        r#"{ count = 1 }, { count = 1, platform = "MacOS" }, { count = 2, platform = "Windows" }"#,
    );
    let (command, ends) = script(&mut there, "AWS-RunShellScript");
    assert_eq!(ends, ["InvalidPlatform", "InvalidPlatform", "Success", "Success"]);
    assert_eq!(
        (
            &command["Status"],
            &command["StatusDetails"],
            &command["ErrorCount"]
        ),
        (&json!("Success"), &json!("Incomplete"), &json!(0))
    );
    let (_, ends) = script(&mut there, "AWS-RunPowerShellScript");
    assert_eq!(ends, ["Success"; 4], "PowerShell is on every platform");
    let mut windows = There::with_nodes(r#"{ count = 2, platform = "Windows" }"#);
    let (command, _) = script(&mut windows, "AWS-RunShellScript");
    assert_eq!(command["Status"], "Failed", "nothing came through");
}

#[test]
fn what_cannot_be_delivered_or_accessed_is_failed_and_no_error() {
    let nodes = r#"{ count = 2, patch = { outcome = "undeliverable" } },
        { count = 2, patch = { outcome = "access_denied" } }"#;
    let mut there = There::with_nodes(&format!("{nodes}, {{ count = 1 }}"));
    let command = there.run(|input| {
        input["MaxErrors"] = json!("0");
        input["MaxConcurrency"] = json!("1");
    });
    let id = command["CommandId"].as_str().unwrap().to_owned();
    let ends = [
        "AccessDenied",
        "AccessDenied",
        "Success",
        "Undeliverable",
        "Undeliverable",
    ];
    assert_eq!(there.ends(&id), ends);
    assert_eq!(
        (
            &command["Status"],
            &command["ErrorCount"],
            &command["CompletedCount"]
        ),
        (&json!("Success"), &json!(0), &json!(5))
    );
    let failed = json!({"CommandId": id, "Filters": [{"key": "Status", "value": "Failed"}]});
    let shown = there.ssm("ListCommandInvocations", failed);
    assert_eq!(shown["CommandInvocations"].as_array().unwrap().len(), 4);
    let mut nobody = There::with_nodes(nodes);
    assert_eq!(nobody.run(|_| ())["Status"], "Failed");
}

#[test]
fn a_command_ramps_up_by_one_two_four_to_its_limit() {
    let mut there = There::with_nodes("{ count = 15 }");
    there.send(|input| input["MaxConcurrency"] = json!("5"));
    // The most that run at once, by how many are through.
    let mut most = [0; 15];
    while let Some(at) = there.fleet.world.next_event_at() {
        there.fleet.world.advance_to(at);
        let state = there.fleet.world.state();
        let invocations = state["commands"][0]["invocations"].as_array().unwrap();
        let ended = invocations.iter().filter(|one| !one["ended"].is_null()).count();
        let begun = invocations.iter().filter(|one| !one["started"].is_null()).count();
        if let Some(most) = most.get_mut(ended) {
            *most = begun.max(ended + *most) - ended;
        }
    }
    assert_eq!(most[0], 1);
    assert!(most[1..3].iter().all(|&n| n <= 2), "{most:?}");
    assert!(most[3..7].iter().all(|&n| n <= 4), "{most:?}");
    assert!(most[7..].iter().all(|&n| n <= 5), "{most:?}");
    assert_eq!(most[1..3].iter().max(), Some(&2));
    assert_eq!(most[3..7].iter().max(), Some(&4));
    assert_eq!(most[7..].iter().max(), Some(&5));
}

#[test]
fn a_percentage_is_of_the_group_as_it_is_when_the_command_runs() {
    let failing = r#"{ count = 20, patch = { outcome = "fails" } }"#;
    let errors = |leaving: usize| {
        let mut there = There::with_nodes(failing);
        let id = there.send(|input| {
            input["MaxConcurrency"] = json!("1");
            input["MaxErrors"] = json!("10%");
        });
        let nodes: Vec<_> = there.fleet.world.nodes().map(|node| node.id().clone()).collect();
        for node in nodes.iter().take(leaving) {
            assert!(there.fleet.world.leave_group(node, "Web"));
        }
        there.fleet.world.run_until_idle();
        let command = there.command(&id);
        (command["TargetCount"].clone(), command["ErrorCount"].clone())
    };
    // 10 % of 20 are two errors that are allowed, so the third is the last; of 10, the second.
    assert_eq!(errors(0), (json!(20), json!(3)));
    assert_eq!(errors(10), (json!(10), json!(2)));
}

#[test]
fn an_agent_that_does_not_answer_is_in_progress_then_delayed_then_timed_out() {
    let mut there = There::listing_at_once(r#"{ count = 1, reachability = "offline" }"#);
    let id = there.send(|input| input["TimeoutSeconds"] = json!(30));
    let mut seen = vec![];
    while let Some(at) = there.fleet.world.next_event_at() {
        there.fleet.world.advance_to(at);
        let ends = there.ends(&id);
        if seen.last() != Some(&ends) {
            seen.push(ends);
        }
    }
    assert_eq!(seen, [["InProgress"], ["Delayed"], ["DeliveryTimedOut"]]);
    let waited = there
        .fleet
        .world
        .now()
        .duration_since(there.fleet.world.start())
        .as_secs();
    assert_eq!(
        waited,
        30 + 3 * 7200,
        "its timeout, and those of the document's three steps"
    );
    let command = there.command(&id);
    assert_eq!(
        (
            &command["Status"],
            &command["StatusDetails"],
            &command["ErrorCount"]
        ),
        (&json!("TimedOut"), &json!("DeliveryTimedOut"), &json!(0))
    );
}

#[test]
fn a_command_that_was_delayed_by_a_reboot_is_delivered_after_it() {
    let mut there = There::with_nodes("{ count = 1 }");
    let install = there.send(|_| ());
    while there
        .fleet
        .world
        .nodes()
        .all(patchfleet_sim::world::Node::is_online)
    {
        let at = there.fleet.world.next_event_at().expect("it reboots");
        there.fleet.world.advance_to(at);
    }
    let script = there.send(|input| {
        input["DocumentName"] = json!("AWS-RunShellScript");
        input["Parameters"] = json!({"commands": ["date"]});
    });
    there.fleet.world.advance_by(SignedDuration::from_secs(10));
    assert_eq!(
        (there.ends(&install), there.ends(&script)),
        (vec!["InProgress".to_owned()], vec!["Delayed".to_owned()])
    );
    there.fleet.world.run_until_idle();
    assert_eq!(
        (there.ends(&install), there.ends(&script)),
        (vec!["Success".to_owned()], vec!["Success".to_owned()])
    );
}

#[test]
fn a_node_that_vanishes_is_in_progress_until_the_command_expires_and_is_no_error() {
    let mut there = There::with_nodes(r#"{ count = 1, patch = { outcome = "vanishes", missing = 3 } }"#);
    let id = there.send(|input| {
        input["TimeoutSeconds"] = json!(600);
        input["MaxErrors"] = json!("0");
    });
    // Ten minutes and three steps of two hours after the request.
    there
        .fleet
        .world
        .advance_by(SignedDuration::from_secs(600 + 3 * 7200 - 1));
    assert_eq!(there.ends(&id), ["InProgress"]);
    there.fleet.world.advance_by(SignedDuration::from_secs(1));
    assert_eq!(there.ends(&id), ["DeliveryTimedOut"]);
    let command = there.command(&id);
    assert_eq!(
        (
            &command["ErrorCount"],
            &command["DeliveryTimedOutCount"],
            &command["Status"]
        ),
        (&json!(0), &json!(1), &json!("TimedOut"))
    );
    assert_eq!(
        there.patch_states()[0]["Operation"],
        "Scan",
        "nothing was reported since"
    );
}

#[test]
fn a_document_that_is_there_and_not_run_is_not_said_to_be_missing() {
    let mut there = There::with_nodes("{ count = 1 }");
    let content = json!({"schemaVersion": "2.2", "description": "Says it.", "mainSteps": [
        {"name": "say", "action": "aws:runShellScript", "inputs": {"runCommand": ["date"]}},
    ]});
    there.ssm(
        "CreateDocument",
        json!({"Name": "Say-It", "DocumentType": "Command", "Content": content.to_string()}),
    );
    let nap = json!({"schemaVersion": "0.3", "mainSteps": [
        {"name": "nap", "action": "aws:sleep", "inputs": {"Duration": "PT1M"}},
    ]});
    there.ssm(
        "CreateDocument",
        json!({"Name": "Nap", "DocumentType": "Automation", "Content": nap.to_string()}),
    );
    let ids = there.ids();
    let mut say = |document: &str| {
        let error = there
            .call(
                "SendCommand",
                json!({"DocumentName": document, "InstanceIds": ids}),
            )
            .unwrap_err();
        assert_eq!(error.code(), "InvalidDocument");
        error.message().to_owned()
    };
    for own in ["Say-It", "arn:aws:ssm:us-east-1:222222222222:document/Say-It"] {
        let said = say(own);
        assert!(
            said.contains("does not run Command documents of one's own"),
            "{said}"
        );
        assert!(
            said.contains(own) && said.contains("AWS-RunShellScript"),
            "{said}"
        );
    }
    assert!(say("Say-What").contains("does not exist"));
    assert!(say("Nap").contains("is not a Command document"));
}

#[test]
fn targets_stand_together_as_aws_was_seen_to_take_them() {
    let samples: Value = serde_json::from_str(include_str!("../../../tests/real-answers/17.json")).unwrap();
    let name = |values: &[&str]| json!({"Key": "resource-groups:Name", "Values": values});
    let kinds = |kinds: &[&str]| json!({"Key": "resource-groups:ResourceTypeFilters", "Values": kinds});
    let web = name(&["Web"]);
    for (at, targets) in [
        (0, json!([web, kinds(&["AWS::AllSupported"])])),
        (0, json!([web, kinds(&["AWS::S3::Bucket"])])),
        (1, json!([web, kinds(&["AWS::EC2::Instance", "AWS::S3::Bucket"])])),
        (3, json!([name(&["Web", "Web"])])),
        (4, json!([web, {"Key": "tag:Env", "Values": ["prod"]}])),
        (4, json!([web, {"Key": "tag-key", "Values": ["Env"]}])),
        (
            5,
            json!([web, {"Key": "InstanceIds", "Values": ["i-00000000000000000"]}]),
        ),
        (6, json!([name(&["Web", "Other"])])),
        (7, json!([web, web])),
    ] {
        let mut there = There::with_nodes("{ count = 1 }");
        let sample = &samples["data"][at];
        let input = json!({
            "DocumentName": "AWS-RunPatchBaseline",
            "Parameters": {"Operation": ["Scan"]},
            "Targets": targets,
        });
        match there.call("SendCommand", input) {
            Ok(_) => assert_eq!(sample["accepted"], true, "{targets}"),
            Err(error) => assert_eq!(
                (&json!(error.code()), &json!(error.message())),
                (&sample["Code"], &sample["Message"]),
                "{targets}"
            ),
        }
    }
}
