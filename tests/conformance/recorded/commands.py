"""Run Command."""

import datetime
import re

from recorded import FAILS, MAIN, NOBODY, NODE, STOPPED, differs, held, refusal
from shape import hold

SHELL = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["true"]}}
SCAN = {"DocumentName": "AWS-RunPatchBaseline", "Parameters": {"Operation": ["Scan"]}}
# Members of a command, and of an invocation, that AWS did not yet have in 2019 and 2020.
SINCE_2020 = {"OutputS3Region", "TimeoutSeconds", "AlarmConfiguration", "TriggeredAlarms"}
STATES = {"Status", "StatusDetails"}
COUNTS = {"TargetCount", "CompletedCount", "ErrorCount", "DeliveryTimedOutCount"}


def send(stage, **arguments):
    """Sends a command; its id."""
    return stage.ssm("send_command", **arguments)["Command"]["CommandId"]


def listed(stage, command):
    """A command as ListCommands has it."""
    return stage.ssm("list_commands", CommandId=command)["Commands"][0]


def invocations(stage, command, **more):
    """A command's invocations."""
    return stage.ssm("list_command_invocations", CommandId=command, **more)["CommandInvocations"]


def span(command):
    """Seconds from a command's request to its expiry."""
    return round(command["ExpiresAfter"] - command["RequestedDateTime"])


@held("10.json")
def a_patch_command_expires_after_all_its_steps(stage, data):
    command = stage.ssm("send_command", InstanceIds=[NODE], TimeoutSeconds=600, **SCAN)["Command"]
    for sample in data:
        yield from differs(span(command), sample["difference"], "ExpiresAfter - RequestedDateTime")
        for member in ["TimeoutSeconds", "DocumentName", "DocumentVersion", *STATES]:
            yield from differs(command[member], sample[member], member)


@held("11.json")
def commands_are_listed(stage, data):
    pair = [{"Key": "InstanceIds", "Values": [NODE, FAILS]}]
    send(stage, InstanceIds=[NODE], Comment="by hand", **SHELL)
    send(stage, Targets=pair, OutputS3BucketName="bucket", OutputS3KeyPrefix="prefix", **SHELL)
    stage.advance(3600)
    by_targets, by_ids = stage.ssm("list_commands")["Commands"]
    nothing = {"NotificationArn": "", "NotificationEvents": [], "NotificationType": ""}
    for found, sample in [(by_ids, data["Commands"][0]), (by_targets, data["Commands"][1])]:
        sample = sample | {"DocumentVersion": "$DEFAULT", "NotificationConfig": nothing, "ServiceRole": ""}
        yield from hold(sample, found, newer=SINCE_2020, same={*STATES, "MaxConcurrency", "ErrorCount"})
    assert stage.ssm("list_commands", CommandId=NOBODY) == {"Commands": []}
    assert stage.ssm("list_command_invocations", CommandId=NOBODY) == {"CommandInvocations": []}
    unknown = {"Code": "InvalidCommandId", "Message": f"Command id {NOBODY} does not exist."}
    yield from refusal(stage.ssm("cancel_command", CommandId=NOBODY), unknown)


@held("12.json")
def a_sent_command_is_pending(stage, data):
    sample = data["data"]["Command"] | {"DocumentVersion": "$DEFAULT"}
    found = stage.ssm("send_command", InstanceIds=[NODE], **SHELL)["Command"]
    same = {*STATES, *COUNTS, "MaxConcurrency", "MaxErrors", "NotificationConfig", "CloudWatchOutputConfig"}
    yield from hold(sample, found, newer=SINCE_2020, same=same)


@held("13.json")
def an_invocation_tells_times_as_text(stage, data):
    command = send(stage, InstanceIds=[NODE], **SHELL)
    stage.advance(3600)
    found = stage.ssm("get_command_invocation", CommandId=command, InstanceId=NODE)
    sample = data | {"DocumentVersion": "$DEFAULT", "StandardOutputContent": "", "StandardErrorContent": ""}
    del sample["ResponseMetadata"]
    yield from hold(sample, found, same={*STATES, "ResponseCode", "PluginName"})
    for member, pattern in [
        ("ExecutionStartDateTime", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
        ("ExecutionEndDateTime", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
        ("ExecutionElapsedTime", r"PT(\d+M)?(\d+(\.\d+)?S)?"),
    ]:
        for text in [data[member], found[member]]:
            if not re.fullmatch(pattern, text):
                yield f"{member} is {text}"


@held("17.json")
def targets_stand_together(stage, data):
    def kinds(*kinds):
        return {"Key": "resource-groups:ResourceTypeFilters", "Values": list(kinds)}

    group = {"Key": "resource-groups:Name", "Values": ["Pair"]}
    arn = f"arn:aws:resource-groups:us-east-1:{MAIN}:group/Pair"
    every = [
        [[group, kinds("AWS::AllSupported")], [group, kinds("AWS::S3::Bucket")]],
        [[group, kinds("AWS::EC2::Instance", "AWS::S3::Bucket")]],
        [[group | {"Values": [arn]}]],
        [[group | {"Values": ["Pair", "Pair"]}], [{"Key": "tag:Pair", "Values": ["yes", "yes"]}]],
        [[group, {"Key": "tag:k", "Values": ["v"]}], [group, {"Key": "tag-key", "Values": ["k"]}]],
        [[group, {"Key": "InstanceIds", "Values": [NODE]}]],
        [[group | {"Values": ["Pair", "Empty"]}]],
        [[group, group]],
    ]
    for sample, targets in zip(data, every, strict=True):
        for one in targets:
            found = stage.ssm("send_command", Targets=one, **SCAN)
            if sample.get("accepted"):
                yield from differs("Command" in found, True, sample["targets"])
            else:
                yield from refusal(found, sample, sample["targets"])


@held("18.json")
def a_script_that_takes_too_long_is_stopped(stage, data):
    sample = data["command"]
    command = send(
        stage,
        InstanceIds=[NODE],
        **{name: sample[name] for name in ["DocumentName", "Parameters", "TimeoutSeconds"]},
    )
    stage.advance(60)
    found = listed(stage, command)
    yield from hold(sample, found, same={*STATES, *COUNTS, "Parameters", "TimeoutSeconds"})
    yield from differs(span(found), 35, "ExpiresAfter - RequestedDateTime")
    sample = data["invocation"]
    # The sample's parameters do not show what printed this, and no script writes anything here.
    sample["CommandPlugins"][0]["Output"] = ""
    found = invocations(stage, command, Details=True)[0]
    yield from hold(sample, found, same={*STATES, "ResponseCode", "Name", "OutputS3Region"})
    plugin = found["CommandPlugins"][0]
    ran = round(plugin["ResponseFinishDateTime"] - plugin["ResponseStartDateTime"])
    yield from differs(ran, 5, "seconds that the script ran")


@held("19.json")
def a_silent_node_times_out_in_delivery(stage, data):
    script = SHELL | {"Parameters": {"commands": ["printf x"], "executionTimeout": ["5"]}}
    # The agent was stopped so long before the command.
    pinged, asked = (datetime.datetime.fromisoformat(text) for text in [
        data["instance"]["LastPingDateTime"],
        data["command"]["RequestedDateTime"],
    ])
    before = (asked - pinged).total_seconds()
    stage.simulator.ask("POST", "change", {"change": {"lose_agent": {"ids": [NODE]}}})
    stage.advance(before)
    command = send(stage, InstanceIds=[NODE], TimeoutSeconds=30, **script)
    # What AWS was asked "at once" was asked some tenths of a second after its answer.
    at = [one | {"at_seconds": one["at_seconds"] or 0.2} for one in data["get_command_invocation_meanwhile"]]
    for one, since in zip(at, [0, *(one["at_seconds"] for one in at)], strict=False):
        stage.advance(one["at_seconds"] - since)
        found = stage.ssm("get_command_invocation", CommandId=command, InstanceId=NODE)
        shown = {member: found[member] for member in one if member != "at_seconds"}
        wanted = {member: one[member] for member in shown}
        yield from differs(shown, wanted, f"what is told after {one['at_seconds']} s")
    found = listed(stage, command)
    yield from hold(data["command"], found, same={*STATES, *COUNTS, "TimeoutSeconds"})
    yield from differs(span(found), 35, "ExpiresAfter - RequestedDateTime")
    invocation = invocations(stage, command, Details=True)[0]
    # The sample names some members of the invocation, and all of its plugin.
    only = {name: invocation[name] for name in data["invocation"]}
    yield from hold(data["invocation"], only, same={*STATES, "ResponseCode"})
    node = [{"Key": "InstanceIds", "Values": [NODE]}]
    shown = stage.ssm("describe_instance_information", Filters=node)["InstanceInformationList"][0]
    del data["instance"]["asked_at"]
    yield from differs(round(found["RequestedDateTime"] - shown["LastPingDateTime"], 3), before, "the last ping")
    yield from hold(
        data["instance"],
        shown,
        same={"ResourceType", "SourceType", "PingStatus"},
        newer={
            "AssociationStatus",
            "LastAssociationExecutionDate",
            "LastSuccessfulAssociationExecutionDate",
            "AssociationOverview",
        },
    )


@held("21.json")
def what_a_command_may_take_is_summed(stage, data):
    # Documents of one's own are not simulated: the scripts' parameter is.
    given = SHELL | {"Parameters": {"commands": ["true"], "executionTimeout": ["7"]}}
    for arguments, sample in [(given, data[2]), (SHELL, data[3])]:
        command = stage.ssm("send_command", InstanceIds=[NODE], TimeoutSeconds=30, **arguments)["Command"]
        yield from differs(span(command), sample["difference"], sample["document"])


@held("14.json", "15.json")
def a_group_without_nodes_is_a_success(stage, data):
    sample = data["Commands"][0]
    for group in ["Empty", "Nobodys"]:
        targets = [{"Key": "resource-groups:Name", "Values": [group]}]
        command = send(stage, Targets=targets, TimeoutSeconds=30, Comment="name", **SHELL)
        stage.advance(60)
        same = {*STATES, *COUNTS, "MaxConcurrency", "MaxErrors", "NotificationConfig", "CloudWatchOutputConfig"}
        same |= {"AlarmConfiguration", "TriggeredAlarms", "OutputS3Region"}
        yield from hold(sample, listed(stage, command), same=same)


@held("16.json")
def who_may_not_list_a_group_has_a_command_that_failed(stage, data):
    ssm = stage.as_role("NoGroups", "ssm")
    targets = [{"Key": "resource-groups:Name", "Values": ["Pair"]}]
    sent = stage.wire(ssm.send_command, Targets=targets, TimeoutSeconds=30, Comment="denied", **SHELL)
    stage.advance(60)
    found = stage.wire(ssm.list_commands, CommandId=sent["Command"]["CommandId"])["Commands"][0]
    yield from hold(data["Commands"][0], found, same={*STATES, *COUNTS})


@held("27.json")
def invocations_are_listed(stage, data):
    command = send(stage, InstanceIds=[NODE, FAILS], Comment="by hand", **SHELL)
    stage.advance(3600)
    found = invocations(stage, command, Details=True)
    for sample in data["CommandInvocations"][:1]:
        sample |= {"DocumentVersion": "$DEFAULT", "InstanceName": "ip-10-0-0-1"}
        sample["CommandPlugins"][0]["Output"] = ""
        yield from hold(sample, found[0], same=STATES)
    asked = stage.ssm("list_commands", CommandId=command)["Commands"][0]["RequestedDateTime"]
    for one in found:
        if not 0 < one["RequestedDateTime"] - asked < 1:
            yield f"RequestedDateTime is {one['RequestedDateTime'] - asked} s after the command's"


@held("28.json")
def an_invocation_without_details_has_no_plugins(stage, data):
    import json

    command = send(stage, InstanceIds=[NODE], **SCAN)
    stage.advance(3600)
    sample = json.loads(data["raw"]) | {"InstanceName": "ip-10-0-0-1"}
    yield from hold(sample, invocations(stage, command)[0], same={*STATES, "CommandPlugins", "NotificationConfig"})


@held("32.json")
def a_denial_names_the_document(stage, data):
    found = stage.wire(stage.as_role("NoSend", "ssm").send_command, InstanceIds=[NODE], **SHELL)
    yield from differs(found["Code"], data["Code"])
    said, wanted = (text.partition(" is not authorized")[2] for text in (found["Message"], data["Message"]))
    yield from differs(said, wanted)


@held("33.json")
def nodes_that_are_not_there_are_refused_without_their_ids(stage, data):
    yield from refusal(stage.ssm("send_command", InstanceIds=["i-0aaaaaaaaaaaaaaa9"], **SHELL), data[0])


@held("35-send-to-a-stopped-node.json")
def a_stopped_node_is_not_listed_and_refuses_the_whole_command(stage, data):
    filters = [{"Key": "InstanceIds", "Values": [STOPPED]}]
    yield from differs(stage.ssm("describe_instance_information", Filters=filters), data["describe_before"])
    for ids in [[STOPPED], [NODE, STOPPED]]:
        yield from refusal(stage.ssm("send_command", InstanceIds=ids, **SHELL), data["send"])
    yield from differs(stage.ssm("list_commands"), {"Commands": []}, "commands after the refusal")


@held("34-concurrency-one.json")
def nodes_take_turns(stage, data):
    sleeps = SHELL | {"Parameters": {"commands": ["sleep 100"], "executionTimeout": ["300"]}}
    ids = [FAILS, NODE]
    command = send(stage, InstanceIds=ids, MaxConcurrency="1", TimeoutSeconds=60, Comment="in turn", **sleeps)
    stage.advance(0.07)
    found = stage.ssm("list_command_invocations", CommandId=command, Details=True)
    yield from differs(found, data["invocations_at_0.07_s"], "invocations after 0.07 s")
    stage.advance(2.2 - 0.07)
    sample = data["command_meanwhile"] | {"AlarmConfiguration": {"IgnorePollAlarmFailure": False, "Alarms": []}}
    found = listed(stage, command)
    yield from hold(sample, found, same={*STATES, "MaxConcurrency", "TargetCount"})
    yield from differs(found["InstanceIds"], sorted(ids), "InstanceIds")
    yield from differs(span(found), 360, "ExpiresAfter - RequestedDateTime")
    same = {*STATES, "ResponseCode"}
    samples = data["invocations_at_2.2_s"]["CommandInvocations"]
    for sample, one in zip(samples, invocations(stage, command, Details=True), strict=True):
        yield from hold(sample, one, same=same)
        later = one["RequestedDateTime"] - found["RequestedDateTime"]
        yield from differs(0.07 <= round(later, 3) <= 0.11, True, f"RequestedDateTime {later} s later")
    # SendCommand takes no alarm here. One goes off as a change of the world, with another word than one that
    # is deleted, and does the same to the invocations.
    stage.simulator.ask("POST", "change", {"change": {"alarm": {}}})
    sample = data["command_at_end"] | {"StatusDetails": "FailedDueToAlarm"}
    sample |= {name: found[name] for name in ["AlarmConfiguration", "TriggeredAlarms"]}
    yield from hold(sample, listed(stage, command), same={*STATES, *COUNTS})
    samples = data["invocations_at_end"]["CommandInvocations"]
    for sample, one in zip(samples, invocations(stage, command, Details=True), strict=True):
        yield from hold(sample, one, same=same)
