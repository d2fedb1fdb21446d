"""Automation: executions, their steps, and what they say when they fail."""

import json
import re

from recorded import BARE, FAILS, NODE, differs, held
from shape import hold

# Members of a step, and of an execution, that AWS did not yet show in 2019 and 2020.
SINCE_2020 = {"IsEnd", "NextStep", "ValidNextSteps", "TargetsSummary", "OverriddenParameters"}
ROLE = "AWS-SystemsManager-AutomationExecutionRole"


def ended(stage, document, seconds=7200, **arguments):
    """Starts a runbook and lets it end; what GetAutomationExecution says of it."""
    started = stage.ssm("start_automation_execution", DocumentName=document, **arguments)
    stage.advance(seconds)
    found = stage.ssm("get_automation_execution", AutomationExecutionId=started["AutomationExecutionId"])
    return found["AutomationExecution"]


@held("01.json")
def a_local_execution(stage, data):
    sample = data["AutomationExecution"]
    found = ended(stage, "One-Step")
    yield from hold(sample, found, newer=SINCE_2020, same={"AutomationExecutionStatus", "StepStatus", "Mode", "Targets"})
    for value in found["StepExecutions"][0]["Inputs"].values():
        json.loads(value)


@held("02.json")
def an_execution_with_a_command(stage, data):
    sample = data["AutomationExecution"]
    found = ended(stage, "Two-Steps", Parameters={"Node": [NODE]})
    same = {"AutomationExecutionStatus", "StepStatus", "IsEnd", "ResponseCode", "Status"}
    yield from hold(sample, found, same=same)
    for wanted, step in zip(sample["StepExecutions"], found["StepExecutions"], strict=True):
        yield from hold(wanted, step, same=same)
        names = {"next": step.get("NextStep"), "valid": step.get("ValidNextSteps")}
        follows = wanted.get("NextStep") and found["StepExecutions"][1]["StepName"]
        yield from differs(names, {"next": follows, "valid": [follows] if follows else None}, "the step that follows")
    wanted, outputs = (one["StepExecutions"][1]["Outputs"] for one in (sample, found))
    yield from differs(sorted(outputs), sorted(wanted), "outputs")
    payload, told = json.loads(outputs["OutputPayload"][0]), json.loads(wanted["OutputPayload"][0])
    yield from differs(sorted(payload), sorted(told), "OutputPayload")
    for member in ["Status", "Output", "CommandId"]:
        yield from differs([payload[member]], outputs[member], f"{member} of OutputPayload")
    yield from differs([str(payload["ResponseCode"])], outputs["ResponseCode"], "ResponseCode of OutputPayload")


@held("03.json")
def a_rate_control_parent(stage, data):
    sample = data["AutomationExecution"]
    targets = [{"Key": "tag:Pair", "Values": ["yes"]}]
    found = ended(
        stage, "One-Step", TargetParameterName="InstanceId", Targets=targets, MaxConcurrency="1", MaxErrors="1"
    )
    yield from hold(sample, found, newer=SINCE_2020, same={"StepStatus", "Action", "MaxConcurrency", "Outputs"})
    step = found["StepExecutions"][0]
    yield from differs(step["Inputs"], {"InstanceId": step["StepName"]}, "Inputs")


@held("04.json")
def executions_are_listed(stage, data):
    ended(stage, "One-Step")
    found = stage.ssm("describe_automation_executions")
    yield from hold(data, found, same={"LogFile", "AutomationType", "AutomationExecutionStatus", "Mode"})


@held("05.json")
def outputs_of_steps_that_never_ran(stage, data):
    found = ended(stage, "Install-And-Tell", Parameters={"Node": [FAILS]})
    unsaid = next(iter(data["Outputs"].values()))
    yield from differs(found["Outputs"]["after.Output"], unsaid, "Outputs")
    yield from differs(found["Mode"], data["Mode"], "Mode")
    guide = "Please refer to Automation Service Troubleshooting Guide for more diagnosis details."
    for message in [data["FailureMessage"], found["FailureMessage"]]:
        if not (message.startswith("Step fails when it is ") and message.endswith(guide)):
            yield f"FailureMessage is {message!r:.200}"


@held("06.json")
def a_step_tells_why_its_command_failed(stage, data):
    found = ended(stage, "Install-And-Tell", Parameters={"Node": [FAILS]})
    form = re.compile(
        r"Step fails when it is verifying the command has completed\. Command (?P<id>\S+) returns unexpected "
        r"invocation result: \n\{Status=\[Failed\], ResponseCode=\[\d+\], Output=\[(?P<output>.*)\], "
        r"OutputPayload=\[(?P<payload>\{.*\})\], CommandId=\[(?P=id)\]\}\. "
        r"Please refer to Automation Service Troubleshooting Guide for more diagnosis details\.",
        re.DOTALL,
    )
    for message in [data["FailureMessage"], found["StepExecutions"][0]["FailureMessage"]]:
        match = form.fullmatch(message)
        if match is None:
            yield f"FailureMessage is {message!r:.400}"
            continue
        payload = json.loads(match["payload"])
        yield from differs(list(payload), ["Status", "ResponseCode", "Output", "CommandId"], "OutputPayload")
        yield from differs(payload["Output"], match["output"], "Output of OutputPayload")
        yield from differs("\n----------ERROR-------\n" in payload["Output"], True, "errors in Output")


@held("08.json")
def a_location_whose_role_cannot_be_assumed(stage, data):
    place = {"Accounts": [BARE], "Regions": ["us-east-1"], "ExecutionRoleName": ROLE}
    found = ended(stage, "One-Step", TargetLocations=[place])
    wanted = data["FailureMessage"].replace("111122223333", BARE)
    yield from differs(found["StepExecutions"][0]["FailureMessage"], wanted, "FailureMessage")


@held("46-runpatchbaseline-output.json")
def the_output_of_a_patch_run(stage, data):
    found = ended(stage, "Two-Steps", Parameters={"Node": [NODE]})
    output = found["StepExecutions"][1]["Outputs"]["Output"][0]
    command = found["StepExecutions"][1]["Outputs"]["CommandId"][0]
    whole = stage.ssm("get_command_invocation", CommandId=command, InstanceId=NODE, PluginName="PatchLinux")
    text = whole["StandardOutputContent"]
    yield from differs(text.startswith(output[:2000]), True, "Output of the step is the invocation's")
    lines = text.splitlines()
    for line in lines:
        if not re.match(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d root \[INFO\]: ", line):
            yield f"no line of a log: {line!r:.200}"
    wanted = [
        "Running with snapshot id = ",
        "Instance Id: ",
        "Region: ",
        "Product: ",
        "Patch Group: ",
        "Operation type: ",
        "Snapshot Id: ",
        "Patch Baseline: ",
        "Reboot Option: ",
        " Instance is ",
        "Start to upload patch compliance.",
        "Summary: ",
        "Attempting full upload",
        "Upload complete.",
        "Report upload successful.",
        "Reboot is not permitted for scan operation",
    ]
    said = [line.partition("[INFO]: ")[2] for line in lines]
    for begins in wanted:
        if not any(line.startswith(begins) for line in said):
            yield f"no line says {begins!r}"
    import ast

    summary = next((line for line in said if line.startswith("Summary: ")), "Summary: {}")
    summary = ast.literal_eval(summary.removeprefix("Summary: "))
    content = data["patch_summary"]["Content"][0]
    # A run that found something missing says how bad that is.
    summary.pop("NonCompliantSeverity", None)
    yield from differs(sorted(summary), sorted(content), "members of the summary")
    yield from differs({type(value) for value in summary.values()}, {str}, "types in the summary")
    state = stage.ssm("describe_instance_patch_states", InstanceIds=[NODE])["InstancePatchStates"][0]
    for member in ["InstalledCount", "MissingCount", "FailedCount", "InstalledOtherCount", "NotApplicableCount"]:
        yield from differs(summary.get(member), str(state[member]), member)
    yield from differs(summary.get("ExecutionId"), command, "ExecutionId")
