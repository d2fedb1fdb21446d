"""Automations: starting, finding, walking, stopping and signalling them."""

import json
import uuid

from clients import HOME, MAIN, SHOP, WEB
from known import EVERYWHERE, NOBODY, TOKEN, a_child, every_page, patch_everywhere, start
from registry import refused, scenario


@scenario()
def a_parent_and_its_children_are_walked(stage):
    parent = patch_everywhere(stage)
    ssm = stage.client("ssm")
    whole = ssm.get_automation_execution(AutomationExecutionId=parent)["AutomationExecution"]
    assert whole["AutomationExecutionStatus"] == "Success", whole
    assert whole["ProgressCounters"]["SuccessSteps"] == 4, whole["ProgressCounters"]
    steps, pages = every_page(
        ssm.describe_automation_step_executions, "StepExecutions", AutomationExecutionId=parent, MaxResults=3
    )
    assert (len(steps), pages) == (4, 2), (len(steps), pages)
    there, child = a_child(stage, parent)
    found = there.get_automation_execution(AutomationExecutionId=child)["AutomationExecution"]
    assert found["ParentAutomationExecutionId"] == parent, found
    listed = there.describe_automation_executions(Filters=[{"Key": "ParentExecutionId", "Values": [parent]}])
    assert [one["AutomationExecutionId"] for one in listed["AutomationExecutionMetadataList"]] == [child], listed


@scenario()
def executions_and_steps_are_found_by_every_filter(stage):
    start(stage, Tags=[{"Key": "Campaign", "Value": "march"}])
    stage.advance(60)
    ssm = stage.client("ssm")
    only = ssm.describe_automation_executions()["AutomationExecutionMetadataList"][0]
    that = only["AutomationExecutionId"]
    before, after = "2026-03-02T00:00:00Z", "2026-02-28T00:00:00Z"
    for key, value in {
        "DocumentNamePrefix": "Fleet",
        "ExecutionStatus": "InProgress",
        "ExecutionId": that,
        "CurrentAction": "aws:runCommand",
        "StartTimeBefore": before,
        "StartTimeAfter": after,
        "AutomationType": "Local",
        "TagKey": "Campaign",
    }.items():
        found = ssm.describe_automation_executions(Filters=[{"Key": key, "Values": [value]}])
        ids = [one["AutomationExecutionId"] for one in found["AutomationExecutionMetadataList"]]
        assert ids == [that], (key, ids)
    step = ssm.describe_automation_step_executions(AutomationExecutionId=that, ReverseOrder=True)["StepExecutions"][0]
    for key, value in {
        "StepExecutionStatus": "InProgress",
        "StepExecutionId": step["StepExecutionId"],
        "StepName": "runPatchBaseline",
        "Action": "aws:runCommand",
        "StartTimeBefore": before,
        "StartTimeAfter": after,
    }.items():
        found = ssm.describe_automation_step_executions(
            AutomationExecutionId=that, Filters=[{"Key": key, "Values": [value]}]
        )
        assert len(found["StepExecutions"]) == 1, (key, found)


@scenario(
    arises=[
        "ssm.StartAutomationExecution.AutomationDefinitionNotFoundException",
        "ssm.StartAutomationExecution.AutomationDefinitionVersionNotFoundException",
        "ssm.StartAutomationExecution.InvalidAutomationExecutionParametersException",
        "ssm.StartAutomationExecution.IdempotentParameterMismatch",
    ]
)
def starts_are_refused(stage):
    call = stage.client("ssm").start_automation_execution
    parameters = {"ResourceGroupName": ["WebServers"]}
    refused("AutomationDefinitionNotFoundException", call, DocumentName="Nobody-Wrote-This")
    refused("AutomationDefinitionVersionNotFoundException", call, DocumentName="Fleet-Patch", DocumentVersion="9")
    wrong = "InvalidAutomationExecutionParametersException"
    refused(wrong, call, DocumentName="Fleet-Patch")
    for surprise in [{"Surprise": ["1"]}, {"Operation": ["Reboot"]}]:
        refused(wrong, call, DocumentName="Fleet-Patch", Parameters=parameters | surprise)
    token = str(uuid.UUID(int=7))
    first = start(stage, Parameters=parameters, ClientToken=token)
    assert start(stage, Parameters=parameters, ClientToken=token) == first
    refused(
        "IdempotentParameterMismatch",
        call,
        DocumentName="Fleet-Patch",
        Parameters=parameters | {"Operation": ["Install"]},
        ClientToken=token,
    )


@scenario(arises=["ssm.StartAutomationExecution.InvalidTarget"])
def a_start_with_a_target_that_there_is_not(stage):
    refused(
        "InvalidTarget",
        stage.client("ssm").start_automation_execution,
        DocumentName="Fleet-Patch",
        TargetParameterName="ResourceGroupName",
        Targets=[{"Key": "ResourceGroup", "Values": ["Nobodys"]}],
    )


@scenario(
    arises=[
        "ssm.GetAutomationExecution.AutomationExecutionNotFoundException",
        "ssm.StopAutomationExecution.AutomationExecutionNotFoundException",
        "ssm.DescribeAutomationStepExecutions.AutomationExecutionNotFoundException",
        "ssm.SendAutomationSignal.AutomationExecutionNotFoundException",
    ]
)
def an_execution_is_known_in_its_own_place_alone(stage):
    here = start(stage)
    for account, region, execution in [(MAIN, HOME, NOBODY), (MAIN, "us-west-2", here), (WEB, HOME, here)]:
        ssm = stage.client("ssm", region, account)
        missing = "AutomationExecutionNotFoundException"
        refused(missing, ssm.get_automation_execution, AutomationExecutionId=execution)
        refused(missing, ssm.stop_automation_execution, AutomationExecutionId=execution)
        refused(missing, ssm.describe_automation_step_executions, AutomationExecutionId=execution)
        refused(missing, ssm.send_automation_signal, AutomationExecutionId=execution, SignalType="Resume")


@scenario(arises=["ssm.StopAutomationExecution.InvalidAutomationStatusUpdateException"])
def executions_are_stopped_once(stage):
    ssm = stage.client("ssm")
    cancelled = start(stage, TargetLocations=[EVERYWHERE])
    completed = start(stage)
    stage.advance(60)
    ssm.stop_automation_execution(AutomationExecutionId=cancelled)
    ssm.stop_automation_execution(AutomationExecutionId=completed, Type="Complete")
    stage.advance(7200)
    for one in [cancelled, completed]:
        refused("InvalidAutomationStatusUpdateException", ssm.stop_automation_execution, AutomationExecutionId=one)
    found = ssm.get_automation_execution(AutomationExecutionId=cancelled)["AutomationExecution"]
    assert found["AutomationExecutionStatus"] == "Cancelled", found
    assert found["ProgressCounters"]["CancelledSteps"] > 0, found["ProgressCounters"]


@scenario(
    arises=[
        f"ssm.{operation}.{code}"
        for operation in ["DescribeAutomationExecutions", "DescribeAutomationStepExecutions"]
        for code in ["InvalidFilterValue", "InvalidNextToken"]
    ]
)
def listings_refuse_filters_and_tokens(stage):
    that = start(stage)
    ssm = stage.client("ssm")
    for call, more in [
        (ssm.describe_automation_executions, {}),
        (ssm.describe_automation_step_executions, {"AutomationExecutionId": that}),
    ]:
        refused("InvalidNextToken", call, NextToken=TOKEN, **more)
        time = [{"Key": "StartTimeBefore", "Values": ["a week ago"]}]
        refused("InvalidFilterValue", call, Filters=time, **more)


@scenario("trouble")
def failures_are_told_with_stage_and_type(stage):
    # As many errors as there are locations would leave the parent a success.
    everywhere = EVERYWHERE | {"Accounts": [WEB, SHOP], "TargetLocationMaxErrors": "0"}
    parent = start(stage, TargetLocations=[everywhere])
    stage.advance(86400)
    ssm = stage.client("ssm")
    whole = ssm.get_automation_execution(AutomationExecutionId=parent)["AutomationExecution"]
    assert whole["AutomationExecutionStatus"] == "Failed", whole
    assert whole["FailureMessage"], whole
    failed = [step for step in whole["StepExecutions"] if step["StepStatus"] == "Failed"]
    assert failed and all(step["FailureDetails"]["FailureType"] for step in failed), whole["StepExecutions"]
    ssm.describe_automation_executions()


@scenario("narrow", arises=["ssm.StartAutomationExecution.AutomationExecutionLimitExceededException"])
def the_queue_has_an_end(stage):
    call = stage.client("ssm").start_automation_execution
    ids = [call(DocumentName="Wait")["AutomationExecutionId"] for _ in range(3)]
    refused("AutomationExecutionLimitExceededException", call, DocumentName="Wait")
    stage.advance(1)
    listed = stage.client("ssm").describe_automation_executions()["AutomationExecutionMetadataList"]
    statuses = [one["AutomationExecutionStatus"] for one in listed]
    assert sorted(statuses) == ["InProgress", "Pending", "Pending"], (statuses, ids)


@scenario(
    arises=[
        "ssm.SendAutomationSignal.AutomationStepNotFoundException",
        "ssm.SendAutomationSignal.InvalidAutomationSignalException",
    ]
)
def signals_steer_an_execution(stage):
    ssm = stage.client("ssm")
    approvers = [stage.client("sts").get_caller_identity()["Arn"]]
    steps = [
        {"name": "ask", "action": "aws:approve", "inputs": {"Approvers": approvers, "Message": "Tonight?"}},
        {"name": "hold", "action": "aws:pause", "inputs": {}},
    ]
    content = json.dumps({"schemaVersion": "0.3", "mainSteps": steps})
    ssm.create_document(Name="Ask", Content=content, DocumentType="Automation")

    def signal(kind, **payload):
        given = {name: [value] for name, value in payload.items()}
        return {"AutomationExecutionId": that, "SignalType": kind} | ({"Payload": given} if given else {})

    def status():
        stage.advance(60)
        found = ssm.get_automation_execution(AutomationExecutionId=that)["AutomationExecution"]
        return found["AutomationExecutionStatus"]

    that = ssm.start_automation_execution(DocumentName="Ask")["AutomationExecutionId"]
    assert status() == "Waiting"
    refused("AutomationStepNotFoundException", ssm.send_automation_signal, **signal("Resume", StepName="surprise"))
    ssm.send_automation_signal(**signal("Approve", Comment="as agreed"))
    assert status() == "Waiting"
    ssm.send_automation_signal(**signal("Resume", StepName="hold"))
    assert status() == "Success"
    refused("InvalidAutomationSignalException", ssm.send_automation_signal, **signal("Approve"))
    that = ssm.start_automation_execution(DocumentName="Ask")["AutomationExecutionId"]
    assert status() == "Waiting"
    ssm.send_automation_signal(**signal("Reject"))
    assert status() in ("Rejected", "Failed")


@scenario()
def an_interactive_execution_takes_its_steps_by_hand(stage):
    ssm = stage.client("ssm")
    that = start(stage, Mode="Interactive")
    stage.advance(60)
    ssm.send_automation_signal(
        AutomationExecutionId=that, SignalType="StartStep", Payload={"StepName": ["runPatchBaseline"]}
    )
    stage.advance(30)
    step = ssm.describe_automation_step_executions(AutomationExecutionId=that)["StepExecutions"][0]
    assert step["StepStatus"] == "InProgress", step
    ssm.send_automation_signal(
        AutomationExecutionId=that, SignalType="StopStep", Payload={"StepExecutionId": [step["StepExecutionId"]]}
    )
    stage.advance(30)
    step = ssm.describe_automation_step_executions(AutomationExecutionId=that)["StepExecutions"][0]
    assert step["StepStatus"] == "Cancelled", step


@scenario()
def steps_follow_their_document(stage):
    ssm = stage.client("ssm")
    nap = {"action": "aws:sleep", "inputs": {"Duration": "PT1M"}}
    choices = [{"NextStep": "late", "Variable": "{{ When }}", "StringEquals": "late"}]
    steps = [
        {"name": "first", "nextStep": "choose", **nap},
        {"name": "never", "isEnd": True, **nap},
        {"name": "choose", "action": "aws:branch", "inputs": {"Choices": choices, "Default": "never"}},
        {"name": "late", "isEnd": True, **nap},
    ]
    content = {"schemaVersion": "0.3", "parameters": {"When": {"type": "String"}}, "mainSteps": steps}
    ssm.create_document(Name="Branch", Content=json.dumps(content), DocumentType="Automation")
    that = ssm.start_automation_execution(DocumentName="Branch", Parameters={"When": ["late"]})["AutomationExecutionId"]
    stage.advance(600)
    found = ssm.get_automation_execution(AutomationExecutionId=that)["AutomationExecution"]
    statuses = {step["StepName"]: step["StepStatus"] for step in found["StepExecutions"]}
    assert statuses == {"first": "Success", "never": "Pending", "choose": "Success", "late": "Success"}, statuses
    assert found["StepExecutions"][0]["NextStep"] == "choose", found["StepExecutions"]


@scenario()
def a_rate_control_automation_has_a_child_for_each_target(stage):
    ssm = stage.client("ssm")
    patch = {"Parameters": {"Operation": ["Scan"]}, "TargetParameterName": "ResourceGroupName"}
    targets = [{"Key": "ParameterValues", "Values": ["WebServers", "Broken"]}]
    limits = {"MaxConcurrency": "1", "MaxErrors": "0"}
    that = start(stage, Targets=targets, **patch, **limits)
    maps = [{"ResourceGroupName": ["WebServers"]}, {"ResourceGroupName": ["Broken"]}]
    mapped = start(stage, TargetMaps=maps, **patch, **limits)
    stage.advance(3600)
    for execution in [that, mapped]:
        found = ssm.get_automation_execution(AutomationExecutionId=execution)["AutomationExecution"]
        assert found["AutomationExecutionStatus"] == "Success", found
        below = [{"Key": "ParentExecutionId", "Values": [execution]}]
        children = ssm.describe_automation_executions(Filters=below)["AutomationExecutionMetadataList"]
        assert len(children) == 2, children
        ssm.get_automation_execution(AutomationExecutionId=children[0]["AutomationExecutionId"])
    within = EVERYWHERE | {"Targets": targets, "TargetsMaxConcurrency": "1", "TargetsMaxErrors": "0"}
    located = start(stage, TargetLocations=[within | {"ExcludeAccounts": [WEB]}], **patch)
    stage.advance(7200)
    ssm.get_automation_execution(AutomationExecutionId=located)
    ssm.describe_automation_executions(MaxResults=1)


@scenario()
def an_alarm_that_is_not_there_stops_an_execution(stage):
    alarm = {"Alarms": [{"Name": "too-many-errors"}], "IgnorePollAlarmFailure": False}
    ssm = stage.client("ssm")
    that = start(stage, TargetLocations=[EVERYWHERE], AlarmConfiguration=alarm)
    stage.advance(60)
    found = ssm.get_automation_execution(AutomationExecutionId=that)["AutomationExecution"]
    assert found["AutomationExecutionStatus"] == "Cancelled", found
    assert found["AlarmConfiguration"] == alarm, found
    assert found["TriggeredAlarms"] == [{"Name": "too-many-errors", "State": "UNKNOWN"}], found
    listed = ssm.describe_automation_executions(Filters=[{"Key": "ExecutionId", "Values": [that]}])
    only = listed["AutomationExecutionMetadataList"][0]
    assert {key: only[key] for key in ["AlarmConfiguration", "TriggeredAlarms"]} == {
        key: found[key] for key in ["AlarmConfiguration", "TriggeredAlarms"]
    }, only
