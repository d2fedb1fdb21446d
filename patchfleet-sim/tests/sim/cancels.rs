//! CancelCommand: what it refuses, and which nodes it reaches.

use crate::fleet::There;
use jiff::SignedDuration;
use serde_json::json;

#[test]
fn cancelling_names_what_is_wrong_and_reaches_only_the_nodes_named() {
    let mut there = There::with_nodes("{ count = 3 }");
    let alone = there.ids()[0].clone();
    let id = there.send(|input| {
        input["Targets"] = json!([{"Key": "InstanceIds", "Values": [alone]}]);
    });
    there.fleet.world.advance_by(SignedDuration::from_secs(60));
    let [one, other] = [alone, there.ids()[1].clone()];
    let nobody = "01234567-89ab-cdef-0123-456789abcdef";
    for (input, code) in [
        (json!({"CommandId": nobody}), "InvalidCommandId"),
        (
            json!({"CommandId": id, "InstanceIds": [one, one]}),
            "DuplicateInstanceId",
        ),
        (
            json!({"CommandId": id, "InstanceIds": [other]}),
            "InvalidInstanceId",
        ),
        (
            json!({"CommandId": id, "InstanceIds": ["i-00000000000000000"]}),
            "InvalidInstanceId",
        ),
    ] {
        assert_eq!(there.refusal("CancelCommand", input.clone()), code, "{input}");
    }
    let all = there.send(|_| ());
    there.fleet.world.advance_by(SignedDuration::from_secs(60));
    let input = json!({"CommandId": all, "InstanceIds": [other]});
    assert_eq!(there.ssm("CancelCommand", input), json!({}));
    there.fleet.world.run_until_idle();
    assert_eq!(there.ends(&all), ["Cancelled", "Success", "Success"]);
    assert_eq!(there.command(&all)["StatusDetails"], "Incomplete");
    assert_eq!(
        there.ssm("CancelCommand", json!({"CommandId": all})),
        json!({}),
        "best effort"
    );
    assert_eq!(there.command(&all)["StatusDetails"], "Incomplete");
}

/// Scans all nodes of the world, one after the other, by their ids; gives the command's id.
fn scan_by_name(there: &mut There, nodes: &[String]) -> String {
    let sent = there.ssm(
        "SendCommand",
        json!({
            "DocumentName": "AWS-RunPatchBaseline",
            "Parameters": {"Operation": ["Scan"]},
            "InstanceIds": nodes,
            "MaxConcurrency": "1",
        }),
    );
    sent["Command"]["CommandId"].as_str().unwrap().to_owned()
}

#[test]
fn a_cancel_by_name_reaches_a_command_that_has_not_begun() {
    let mut there = There::listing_at_once("{ count = 4 }");
    let ids = there.ids();
    let (stranger, named) = ids.split_last().unwrap();
    let id = scan_by_name(&mut there, named);
    for refused in [json!([stranger]), json!([named[0], stranger])] {
        let input = json!({"CommandId": id, "InstanceIds": refused});
        assert_eq!(there.refusal("CancelCommand", input), "InvalidInstanceId");
    }
    assert_eq!(there.ends(&id), ["Pending"; 3], "what is refused changes nothing");
    there.ssm(
        "CancelCommand",
        json!({"CommandId": id, "InstanceIds": [named[1]]}),
    );
    assert_eq!(there.ends(&id), ["Cancelled", "Pending", "Pending"]);
    assert_eq!(there.command(&id)["Status"], "Pending");
    there.fleet.world.run_until_idle();
    assert_eq!(there.ends(&id), ["Cancelled", "Success", "Success"]);
    let one = there.ssm(
        "GetCommandInvocation",
        json!({"CommandId": id, "InstanceId": named[1], "PluginName": "PatchLinux"}),
    );
    assert_eq!(
        (&one["Status"], &one["ExecutionStartDateTime"]),
        (&json!("Cancelled"), &json!(""))
    );
    let command = there.command(&id);
    assert_eq!(
        (
            &command["Status"],
            &command["StatusDetails"],
            &command["TargetCount"]
        ),
        (&json!("Success"), &json!("Incomplete"), &json!(3))
    );
}

#[test]
fn a_command_all_of_whose_nodes_are_cancelled_by_name_ends_cancelled_and_sends_nothing() {
    let mut there = There::listing_at_once("{ count = 2 }");
    let ids = there.ids();
    let id = scan_by_name(&mut there, &ids);
    there.ssm("CancelCommand", json!({"CommandId": id, "InstanceIds": ids}));
    there.fleet.world.run_until_idle();
    assert_eq!(there.ends(&id), ["Cancelled", "Cancelled"]);
    assert_eq!(there.command(&id)["StatusDetails"], "Cancelled");
    let waited = there.fleet.world.now().duration_since(there.fleet.world.start());
    assert_eq!(waited.as_millis(), 100, "nothing was sent");
}
