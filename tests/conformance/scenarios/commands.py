"""Run Command: sending, listing, reading and cancelling commands."""

from clients import HOME, MAIN, ROLE, WEB
from known import NOBODY, NODE, SILENT, STRANGER, TOKEN, a_command, every_page
from registry import refused, scenario

SCAN = {"Operation": ["Scan"]}


def send(stage, **more):
    """Sends a Scan to one node unless `more` says otherwise."""
    arguments = {"DocumentName": "AWS-RunPatchBaseline", "Parameters": SCAN}
    arguments |= {} if "Targets" in more else {"InstanceIds": [NODE]}
    return stage.client("ssm").send_command(**arguments | more)["Command"]


@scenario()
def commands_are_listed_with_their_invocations(stage):
    that = a_command(stage)
    ssm = stage.client("ssm")
    for filters in [
        [{"key": "InvokedAfter", "value": "2026-02-28T00:00:00Z"}, {"key": "Status", "value": "Success"}],
        [{"key": "InvokedBefore", "value": "2026-03-03T00:00:00Z"}],
        [{"key": "DocumentName", "value": "AWS-RunPatchBaseline"}, {"key": "ExecutionStage", "value": "Complete"}],
    ]:
        found = ssm.list_commands(Filters=filters)["Commands"]
        assert [one["CommandId"] for one in found] == [that], filters
    assert [one["CommandId"] for one in ssm.list_commands(CommandId=that, InstanceId=NODE)["Commands"]] == [that]
    entries, pages = every_page(
        ssm.list_command_invocations, "CommandInvocations", CommandId=that, Details=True, MaxResults=3
    )
    assert (len(entries), pages) == (7, 3), (len(entries), pages)
    assert all(one["CommandPlugins"] for one in entries), entries
    assert not ssm.list_command_invocations(CommandId=that)["CommandInvocations"][0].get("CommandPlugins")


@scenario()
def a_command_is_sent_and_its_invocation_read(stage):
    ssm = stage.client("ssm")
    sent = send(stage, Comment="by hand", TimeoutSeconds=600, MaxConcurrency="1", MaxErrors="0")
    assert sent["InstanceIds"] == [NODE], sent
    ssm.get_command_invocation(CommandId=sent["CommandId"], InstanceId=NODE)
    stage.advance(3600)
    found = ssm.get_command_invocation(CommandId=sent["CommandId"], InstanceId=NODE, PluginName="PatchLinux")
    assert (found["Status"], found["ResponseCode"]) == ("Success", 0), found
    for target in [
        {"Key": "tag:Tier", "Values": ["web"]},
        {"Key": "InstanceIds", "Values": [NODE]},
        {"Key": "tag-key", "Values": ["Tier"]},
        {"Key": "resource-groups:Name", "Values": ["WebServers"]},
    ]:
        assert send(stage, Targets=[target])["Targets"] == [target], target
    stage.advance(7200)
    commands, pages = every_page(ssm.list_commands, "Commands", MaxResults=2)
    assert (len(commands), pages) == (5, 3), commands


@scenario(
    arises=[
        f"ssm.SendCommand.{code}"
        for code in [
            "DuplicateInstanceId",
            "InvalidDocument",
            "InvalidDocumentVersion",
            "InvalidInstanceId",
            "InvalidNotificationConfig",
            "InvalidOutputFolder",
            "InvalidParameters",
            "InvalidRole",
            "MaxDocumentSizeExceeded",
            "UnsupportedPlatformType",
        ]
    ]
)
def commands_are_refused(stage):
    call = stage.client("ssm").send_command
    known = {"DocumentName": "AWS-RunPatchBaseline", "Parameters": SCAN}
    refused("DuplicateInstanceId", call, InstanceIds=[NODE, NODE], **known)
    refused("InvalidInstanceId", call, InstanceIds=[STRANGER], **known)
    refused("InvalidDocument", call, InstanceIds=[NODE], DocumentName="Nobody-Wrote-This")
    refused("InvalidDocumentVersion", call, InstanceIds=[NODE], DocumentVersion="99999", **known)
    for wrong in [{}, {"Operation": ["Reboot"]}, SCAN | {"Surprise": ["1"]}]:
        refused("InvalidParameters", call, InstanceIds=[NODE], **known | {"Parameters": wrong})
    refused("InvalidOutputFolder", call, InstanceIds=[NODE], OutputS3BucketName="nobodys", **known)
    refused("InvalidRole", call, InstanceIds=[NODE], ServiceRoleArn=f"arn:aws:iam::{MAIN}:role/Nobodys", **known)
    topic = {"NotificationArn": f"arn:aws:sqs:us-east-1:{MAIN}:queue", "NotificationType": "Command"}
    refused("InvalidNotificationConfig", call, InstanceIds=[NODE], NotificationConfig=topic, **known)
    windows = stage.client("ssm").describe_instance_information(
        Filters=[{"Key": "PlatformTypes", "Values": ["Windows"]}]
    )["InstanceInformationList"][0]["InstanceId"]
    shell = {"DocumentName": "AWS-RunShellScript"}
    refused("UnsupportedPlatformType", call, InstanceIds=[windows], Parameters={"commands": ["true"]}, **shell)
    refused("MaxDocumentSizeExceeded", call, InstanceIds=[NODE], Parameters={"commands": ["x" * 70000]}, **shell)


@scenario(
    arises=[
        "ssm.CancelCommand.InvalidCommandId",
        "ssm.GetCommandInvocation.InvocationDoesNotExist",
    ]
)
def a_command_is_known_in_its_own_place_alone(stage):
    here = a_command(stage)
    for account, region, command in [(MAIN, HOME, NOBODY), (MAIN, "us-west-2", here), (WEB, HOME, here)]:
        ssm = stage.client("ssm", region, account)
        assert ssm.list_commands(CommandId=command)["Commands"] == []
        assert ssm.list_command_invocations(CommandId=command)["CommandInvocations"] == []
        refused("InvalidCommandId", ssm.cancel_command, CommandId=command)
        refused("InvocationDoesNotExist", ssm.get_command_invocation, CommandId=command, InstanceId=NODE)
    ssm = stage.client("ssm")
    for node in [SILENT, STRANGER]:
        refused("InvocationDoesNotExist", ssm.get_command_invocation, CommandId=here, InstanceId=node)


@scenario(
    arises=[
        "ssm.ListCommands.InvalidInstanceId",
        "ssm.ListCommands.InvalidNextToken",
        "ssm.ListCommandInvocations.InvalidInstanceId",
        "ssm.ListCommandInvocations.InvalidFilterKey",
        "ssm.ListCommandInvocations.InvalidNextToken",
        "ssm.GetCommandInvocation.InvalidPluginName",
        "ssm.CancelCommand.InvalidInstanceId",
        "ssm.CancelCommand.DuplicateInstanceId",
    ]
)
def listings_of_commands_refuse(stage):
    that = a_command(stage)
    ssm = stage.client("ssm")
    for call in [ssm.list_commands, ssm.list_command_invocations]:
        refused("InvalidInstanceId", call, InstanceId=STRANGER)
        refused("InvalidNextToken", call, NextToken=TOKEN)
    stage_filter = [{"key": "ExecutionStage", "value": "Complete"}]
    refused("InvalidFilterKey", ssm.list_command_invocations, Filters=stage_filter)
    refused("InvalidPluginName", ssm.get_command_invocation, CommandId=that, InstanceId=NODE, PluginName="Surprise")
    refused("InvalidInstanceId", ssm.cancel_command, CommandId=that, InstanceIds=[STRANGER])
    refused("DuplicateInstanceId", ssm.cancel_command, CommandId=that, InstanceIds=[NODE, NODE])


@scenario()
def a_command_is_cancelled(stage):
    ssm = stage.client("ssm")
    that = send(stage, Targets=[{"Key": "tag:Tier", "Values": ["web"]}], MaxConcurrency="1")["CommandId"]
    stage.advance(30)
    ssm.cancel_command(CommandId=that)
    stage.advance(7200)
    found = ssm.list_commands(CommandId=that)["Commands"][0]
    assert found["Status"] == "Cancelled", found


@scenario("trouble")
def what_became_of_bad_nodes_is_told(stage):
    ssm = stage.client("ssm", HOME, WEB)
    that = ssm.send_command(
        DocumentName="AWS-RunPatchBaseline",
        Parameters={"Operation": ["Install"]},
        Targets=[{"Key": "resource-groups:Name", "Values": ["WebServers"]}],
        MaxConcurrency="100%",
        MaxErrors="100%",
    )["Command"]["CommandId"]
    stage.advance(8 * 3600)
    told = ssm.list_command_invocations(CommandId=that, Details=True)["CommandInvocations"]
    details = {one["StatusDetails"] for one in told}
    assert {"Success", "Failed", "DeliveryTimedOut"} <= details, details
    for one in told:
        ssm.get_command_invocation(CommandId=that, InstanceId=one["InstanceId"])
    assert ssm.list_commands(CommandId=that)["Commands"][0]["DeliveryTimedOutCount"] == 1


@scenario()
def where_output_goes_is_told(stage):
    ssm = stage.client("ssm")
    that = send(
        stage,
        OutputS3BucketName="patch-logs",
        OutputS3KeyPrefix="march",
        ServiceRoleArn=f"arn:aws:iam::{MAIN}:role/{ROLE}",
        NotificationConfig={
            "NotificationArn": f"arn:aws:sns:us-east-1:{MAIN}:topic",
            "NotificationEvents": ["All"],
            "NotificationType": "Command",
        },
        CloudWatchOutputConfig={"CloudWatchLogGroupName": "patching", "CloudWatchOutputEnabled": True},
    )["CommandId"]
    stage.advance(3600)
    told = ssm.list_commands(CommandId=that)["Commands"][0]
    assert told["OutputS3BucketName"] == "patch-logs", told
    ssm.list_command_invocations(CommandId=that, Details=True)
    assert ssm.get_command_invocation(CommandId=that, InstanceId=NODE)["CloudWatchOutputConfig"], told
