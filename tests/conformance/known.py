"""What several scenarios start from: an automation across the company, and what it left behind."""

import json

from clients import HOME, ROLE, WEB

NOBODY = "00000000-0000-4000-8000-000000000000"
NODE = "i-0c0ffee0c0ffee001"
SILENT = "i-0c0ffee0c0ffee002"
STRANGER = "i-0deadbeef0deadbee"
TOKEN = "this is no token of any listing"
EVERYWHERE = {
    "Accounts": ["ou-cf01-workload"],
    "IncludeChildOrganizationUnits": True,
    "Regions": ["us-east-1", "us-west-2"],
    "TargetLocationMaxConcurrency": "4",
    "TargetLocationMaxErrors": "4",
    "ExecutionRoleName": ROLE,
}
SLEEP = {"name": "wait", "action": "aws:sleep", "inputs": {"Duration": "PT1M"}}
WEB_TIER = {
    "Type": "TAG_FILTERS_1_0",
    "Query": json.dumps(
        {"ResourceTypeFilters": ["AWS::AllSupported"], "TagFilters": [{"Key": "Tier", "Values": ["web"]}]}
    ),
}


def start(stage, account=None, **more):
    """Starts the company's patch runbook, in one place unless `more` says otherwise."""
    parameters = {"ResourceGroupName": ["WebServers"], "Operation": ["Install"], "MaxConcurrency": ["100%"]}
    ssm = stage.client("ssm", HOME, account) if account else stage.client("ssm")
    more.setdefault("Parameters", parameters)
    return ssm.start_automation_execution(**{"DocumentName": "Fleet-Patch"} | more)["AutomationExecutionId"]


def patch_everywhere(stage):
    """Runs the runbook across the company to its end; the parent's id."""
    parent = start(stage, TargetLocations=[EVERYWHERE])
    stage.advance(7200)
    return parent


def a_child(stage, parent):
    """The first child of a parent, with a client of the place where it ran."""
    steps = stage.client("ssm").describe_automation_step_executions(AutomationExecutionId=parent)["StepExecutions"]
    step = next(one for one in steps if one["TargetLocation"]["Accounts"] == [WEB])
    ssm = stage.client("ssm", step["TargetLocation"]["Regions"][0], WEB)
    return ssm, step["Outputs"]["ExecutionId"][0]


def a_command(stage):
    """A command of the main account that has run, with nodes of both kinds and platforms."""
    execution = start(stage)
    stage.advance(3600)
    found = stage.client("ssm").get_automation_execution(AutomationExecutionId=execution)
    return found["AutomationExecution"]["StepExecutions"][0]["Outputs"]["CommandId"][0]


def every_page(call, key, **arguments):
    """The entries of all pages, and how many pages there were."""
    entries, pages, token = [], 0, {}
    while True:
        page = call(**arguments, **token)
        entries.extend(page[key])
        pages += 1
        if not page.get("NextToken"):
            return entries, pages
        token = {"NextToken": page["NextToken"]}


def runbook(description="a", **more):
    """A small runbook's text."""
    return json.dumps({"schemaVersion": "0.3", "description": description, "mainSteps": [SLEEP]} | more)


def make(stage, name="Made-Here", **more):
    """Creates a runbook; its description."""
    arguments = {"Name": name, "Content": runbook(), "DocumentType": "Automation", "DocumentFormat": "JSON"}
    return stage.client("ssm").create_document(**arguments | more)["DocumentDescription"]
