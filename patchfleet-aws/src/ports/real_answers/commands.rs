//! Commands and their invocations.

use super::{at, serving, text};
use crate::testing::own;
use patchfleet_core::id::{CommandId, Location};
use patchfleet_core::port::{
    CommandCounts, CommandView, Commands, Inventory, InvocationStatus, InvocationView, PingStatus,
};
use serde_json::{Value, json};

fn place() -> Location {
    own("us-east-1")
}

/// A command as ListCommands tells it.
async fn command(command: &Value) -> CommandView {
    let id: CommandId = text(&command["CommandId"]).parse().unwrap();
    let aws = serving(&[("ListCommands", json!({"Commands": [command]}))]);
    let view = aws.command(&place(), &id).await.unwrap();
    assert_eq!(view.requested_at, at(&command["RequestedDateTime"]));
    let expires = command.get("ExpiresAfter").map(at);
    assert_eq!(view.expires_at, expires);
    view
}

/// The invocations of a page.
async fn invocations(items: &Value) -> Vec<InvocationView> {
    let aws = serving(&[("ListCommandInvocations", json!({"CommandInvocations": items}))]);
    let id = "77777777-1111-4222-8333-123456789abc".parse().unwrap();
    let page = aws.invocations(&place(), &id, true, None).await.unwrap();
    assert_eq!(page.next, None);
    page.items
}

fn words(view: &CommandView) -> (&str, &str) {
    (view.status.as_str(), &view.details)
}

fn counts(targets: u32, completed: u32, errors: u32, undelivered: u32) -> CommandCounts {
    CommandCounts {
        targets,
        completed,
        errors,
        undelivered,
    }
}

pub(super) async fn sent_commands(data: &Value) {
    for sent in data.as_array().unwrap() {
        let view = command(sent).await;
        assert_eq!(words(&view), ("Pending", "Pending"));
    }
}

pub(super) async fn listed_commands(data: &Value) {
    for (listed, nodes) in data["Commands"].as_array().unwrap().iter().zip([6, 2, 2]) {
        let view = command(listed).await;
        assert_eq!(words(&view), ("Success", "Success"));
        assert_eq!(view.counts, counts(nodes, nodes, 0, 0));
    }
}

pub(super) async fn a_sent_command(data: &Value) {
    let view = command(&data["data"]["Command"]).await;
    assert_eq!(words(&view), ("Pending", "Pending"));
    assert_eq!(view.counts, counts(1, 0, 0, 0));
}

pub(super) async fn the_output_of_a_step(data: &Value) {
    // Its times are text in this answer alone.
    let mut answer = data.clone();
    for time in ["ExecutionStartDateTime", "ExecutionEndDateTime"] {
        answer[time] = "2019-01-30T14:16:03.478Z".into();
    }
    let aws = serving(&[("GetCommandInvocation", answer)]);
    let id = text(&data["CommandId"]).parse().unwrap();
    let node = text(&data["InstanceId"]).parse().unwrap();
    let output = aws.output(&place(), &id, &node, "aws:runShellScript").await;
    assert_eq!(output.unwrap(), text(&data["StandardOutputContent"]));
}

pub(super) async fn a_command_that_matched_nothing(data: &Value) {
    let view = command(&data["Commands"][0]).await;
    assert_eq!(words(&view), ("Success", "NoInstancesInTag"));
    assert_eq!(view.counts, counts(0, 0, 0, 0));
}

pub(super) async fn a_command_whose_sender_may_not_list_the_group(data: &Value) {
    let view = command(&data["Commands"][0]).await;
    assert_eq!(words(&view), ("Failed", "AccessDenied"));
    assert_eq!(view.counts, counts(0, 0, 0, 0));
}

pub(super) async fn an_execution_timeout(data: &Value) {
    let view = command(&data["command"]).await;
    assert_eq!(words(&view), ("Failed", "Failed"));
    assert_eq!(view.counts, counts(1, 1, 1, 0));
    let found = invocations(&json!([data["invocation"]])).await;
    assert_eq!(found[0].node.as_str(), text(&data["invocation"]["InstanceId"]));
    assert_eq!(found[0].status, InvocationStatus::ExecutionTimedOut);
    // A tenth of a second after the command.
    assert_eq!(
        found[0].requested_at,
        Some(at(&data["invocation"]["RequestedDateTime"]))
    );
    let sample = &data["invocation"]["CommandPlugins"][0];
    let plugin = &found[0].plugins[0];
    assert_eq!(plugin.name, "aws:runShellScript");
    assert_eq!(plugin.status, InvocationStatus::ExecutionTimedOut);
    assert_eq!(plugin.response_code, Some(137));
    assert_eq!(plugin.started_at, Some(at(&sample["ResponseStartDateTime"])));
    assert_eq!(plugin.output, "before-timeout\n");
}

pub(super) async fn a_delivery_timeout(data: &Value) {
    let view = command(&data["command"]).await;
    assert_eq!(words(&view), ("TimedOut", "DeliveryTimedOut"));
    assert_eq!(view.counts, counts(1, 1, 0, 1));
    let found = invocations(&json!([data["invocation"]])).await;
    assert_eq!(found[0].status, InvocationStatus::DeliveryTimedOut);
    let plugin = &found[0].plugins[0];
    assert_eq!((plugin.response_code, plugin.started_at), (None, None));
    let mut meanwhile = data["get_command_invocation_meanwhile"].clone();
    for (moment, wanted) in meanwhile.as_array_mut().unwrap().iter_mut().zip([
        InvocationStatus::InProgress,
        InvocationStatus::Delayed,
        InvocationStatus::DeliveryTimedOut,
    ]) {
        moment["InstanceId"] = data["invocation"]["InstanceId"].clone();
        assert_eq!(invocations(&json!([moment])).await[0].status, wanted);
    }
    let listing = json!({"InstanceInformationList": [data["instance"]]});
    let aws = serving(&[("DescribeInstanceInformation", listing)]);
    let page = aws.managed(&place(), None, None).await.unwrap();
    // Its agent had been stopped for more than a minute.
    assert_eq!(page.items[0].ping, PingStatus::Online);
    let last_ping = at(&data["instance"]["LastPingDateTime"]);
    assert_eq!(page.items[0].last_ping, Some(last_ping));
    let expired = command(&data["command"]).await.expires_at.unwrap();
    assert!(last_ping < expired);
}

pub(super) async fn invocations_of_two_nodes(data: &Value) {
    let found = invocations(&data["CommandInvocations"]).await;
    let nodes: Vec<&str> = found.iter().map(|one| one.node.as_str()).collect();
    assert_eq!(nodes, ["i-02573cafcf0000000", "i-0471e042400000000"]);
    assert!(found.iter().all(|one| one.status == InvocationStatus::Success));
}

pub(super) async fn an_invocation_as_it_went_over_the_wire(data: &Value) {
    // The body stays text, so that the number with an exponent is read as AWS wrote it.
    let body = format!("{{\"CommandInvocations\":[{}]}}", text(&data["raw"]));
    assert!(body.contains("1.54199153504E9"));
    let http = crate::testing::FakeHttp::new(move |_, _| Ok(crate::testing::response(200, body.clone())));
    let id = "d90acd7c-2e59-473f-b9da-bf15f5deb788".parse().unwrap();
    let page = http.aws().invocations(&place(), &id, true, None).await.unwrap();
    assert_eq!(page.items[0].node.as_str(), "i-fb2e7573");
    assert_eq!(page.items[0].status, InvocationStatus::Success);
}

pub(super) async fn a_command_of_two_nodes_in_turn(data: &Value) {
    let view = command(&data["command_meanwhile"]).await;
    assert_eq!(words(&view), ("InProgress", "InProgress"));
    let view = command(&data["command_at_end"]).await;
    assert_eq!(words(&view), ("Failed", "FailedDueToUnknownAlarmState"));
    assert_eq!(view.counts, counts(2, 2, 0, 0));
    let early = &data["invocations_at_0.07_s"]["CommandInvocations"];
    assert!(invocations(early).await.is_empty());
    let statuses = async |moment: &str| {
        let found = invocations(&data[moment]["CommandInvocations"]).await;
        found.into_iter().map(|one| one.status).collect::<Vec<_>>()
    };
    assert_eq!(
        statuses("invocations_at_2.2_s").await,
        [InvocationStatus::Pending, InvocationStatus::InProgress]
    );
    assert_eq!(
        statuses("invocations_at_end").await,
        [InvocationStatus::Terminated, InvocationStatus::Terminated]
    );
}
